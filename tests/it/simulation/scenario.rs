//! What happens in a world, chapter by chapter; after each the world comes to rest.

use serde::Deserialize as _;
use serde_json::Value;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// Objects are declared, as `kubectl apply` does.
    Apply(&'static str),
    /// An object is deleted: plural and name.
    Delete(&'static str, &'static str),
    /// A person follows the last link that was mailed to them: `accept` or `decline`.
    Respond(&'static str, &'static str),
    /// Somebody of the account invites somebody.
    Invite(&'static str, &'static str),
    /// The vendor confirms a plan.
    Subscribe(&'static str),
    /// Somebody of the account cancels a plan.
    Cancel(&'static str),
    /// A person approves what is held.
    Approve,
    /// An annotation is set: plural, name, key, value.
    Annotate(&'static str, &'static str, &'static str, &'static str),
}

/// A story.
pub struct Scenario {
    pub chapters: Vec<(&'static str, Vec<Step>)>,
    /// Invitation mails that each person gets.
    pub mails: &'static [(&'static str, usize)],
}

/// Objects of a text of YAML documents.
pub fn objects(yaml: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(yaml)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

const CLASS: &str = include_str!("../../../examples/first-team/account-class.yaml");

const ACCOUNT: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Account
metadata: {name: acme, namespace: web}
spec:
  className: nitropack
  accountId: acme
  credentialsSecretRef: {name: acme-token, key: token}
  mode: Manage
  grantableRoles: [admin]
  resync: 5m
  removals: {settle: 2s}
";

const SHRINKS: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Account
metadata: {name: acme, namespace: web}
spec:
  className: nitropack
  accountId: acme
  credentialsSecretRef: {name: acme-token, key: token}
  mode: Manage
  grantableRoles: [admin]
  resync: 5m
  removals: {settle: 2s}
  onSeatShortage: Trim
";

const TEAM: &str = include_str!("../../../examples/first-team/team.yaml");
const CYD: &str = include_str!("../../../examples/first-team/membership.yaml");

/// Ana comes first, so that she stays when seats are short.
const ANA: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: core, namespace: web}
spec:
  accountRef: {name: acme}
  defaultRole: developer
  roster:
    - {email: ana@example.com, role: admin}
";

const RAISED: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: core, namespace: web}
spec:
  accountRef: {name: acme}
  defaultRole: developer
  roster:
    - {email: ana@example.com, role: admin}
    - {email: bo@example.com, role: admin}
";

const DAN: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: dan-core, namespace: web}
spec: {teamRef: {name: core}, email: dan@example.com, role: developer}
";

const EVE: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: eve-core, namespace: web}
spec: {teamRef: {name: core}, email: eve@example.com, role: developer}
";

/// Nobody can be given this role: one declaration that never comes right.
const POISON: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: poison, namespace: web}
spec: {teamRef: {name: core}, email: poison@example.com, role: emperor}
";

/// The story of `examples/first-team`, with a resend, a stranger and a refusal.
pub fn first_team() -> Scenario {
    use Step::{Annotate, Apply, Approve, Cancel, Delete, Invite, Respond, Subscribe};
    let chapters = vec![
        ("begun", vec![Apply(CLASS), Apply(ACCOUNT), Apply(ANA)]),
        ("declared", vec![Apply(TEAM), Apply(CYD), Apply(POISON)]),
        ("resent", vec![Annotate("memberships", "cyd-core", "seatkeeper.dev/resend", "lost-it")]),
        (
            "accepted",
            vec![Respond("ana", "accept"), Respond("bo", "accept"), Respond("cyd", "accept")],
        ),
        ("raised", vec![Apply(RAISED)]),
        ("queued", vec![Apply(DAN)]),
        ("shrunk", vec![Apply(SHRINKS), Cancel("growth")]),
        ("grown", vec![Subscribe("scale")]),
        ("a stranger", vec![Invite("zoe", "developer")]),
        ("refused", vec![Respond("zoe", "accept"), Apply(EVE)]),
        ("declined", vec![Respond("eve", "decline")]),
        ("removed", vec![Delete("memberships", "cyd-core")]),
        ("held", vec![Delete("memberships", "dan-core"), Apply(ANA)]),
        ("approved", vec![Approve]),
        ("let go", vec![Delete("accounts", "acme")]),
    ];
    let mails =
        &[("ana", 1), ("bo", 1), ("cyd", 2), ("dan", 1), ("eve", 1), ("zoe", 1), ("poison", 0)];
    Scenario { chapters, mails }
}
