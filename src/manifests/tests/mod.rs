//! Manifests as text in, what was understood of them as text out.

mod attach;
mod files;
mod folders;
mod names;
mod people;
mod properties;
mod recipients;
mod teams;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::desired::{DeletionPolicy, Origin};
use crate::domain::identity::MemberKey;
use crate::domain::recipients::DesiredRecipients;
use crate::manifests::documents::Collector;
use crate::manifests::resolve::Outcome;
use crate::manifests::resolve::Resolved;
use crate::manifests::resolve::resolve;
use crate::manifests::source::ObjectKey;

/// The class and the account that most cases need; every word of the account can be replaced.
pub const ACCOUNT: &str = "\
apiVersion: seatkeeper.dev/v1alpha1
kind: AccountClass
metadata: {name: nitropack}
spec: {profile: nitropack, backend: {accountApi: {url: https://accounts.example.com}}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Account
metadata: {name: acme, namespace: web}
spec:
  className: nitropack
  accountId: acme
  credentialsSecretRef: {name: acme-token, key: token}
  mode: Manage
  grantableRoles: [admin]
---
";

/// A Team of the account with the given rest of its spec.
pub fn team(name: &str, spec: &str) -> String {
    object("Team", name, &format!("accountRef: {{name: acme}}, {spec}"))
}

/// A Membership of team `core` with the given rest of its spec.
pub fn membership(name: &str, spec: &str) -> String {
    object("Membership", name, &format!("teamRef: {{name: core}}, {spec}"))
}

/// An object in namespace `web`.
pub fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: seatkeeper.dev/v1alpha1\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: web}}\nspec: {{{spec}}}\n---\n"
    )
}

/// Reads one file and says what was found: one line an object, a note or a problem.
pub fn read(text: &str) -> String {
    let mut collector = Collector::new();
    collector.file("m.yaml", text);
    let Collector { objects, notes, mut problems, .. } = collector;
    problems.sort();
    let mut lines = Vec::new();
    lines.extend(objects.classes.iter().map(|o| format!("{:?}", o.object.spec)));
    lines.extend(objects.accounts.iter().map(|o| format!("{:?}", o.object.spec)));
    lines.extend(objects.teams.iter().map(|o| format!("{:?}", o.object.spec)));
    lines.extend(objects.memberships.iter().map(|o| format!("{:?}", o.object.spec)));
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    lines.extend(problems.iter().map(ToString::to_string));
    lines.join("\n")
}

/// Resolves one file whose account is `web/acme`, as `with` says.
pub fn resolved(text: &str, with: &With<'_>) -> (Resolved, String) {
    let mut collector = Collector::new();
    collector.file("m.yaml", text);
    let problems: Vec<String> = collector.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "not readable: {problems:#?}");
    let mut objects = collector.objects;
    for team in &mut objects.teams {
        if with.deleted.contains(&&*team.object.metadata.name.clone().unwrap()) {
            let mut object = (*team.object).clone();
            object.metadata.deletion_timestamp = Some(time(0));
            team.object = object.into();
        }
    }
    for membership in &mut objects.memberships {
        if with.deleted.contains(&&*membership.object.metadata.name.clone().unwrap()) {
            let mut object = (*membership.object).clone();
            object.metadata.deletion_timestamp = Some(time(0));
            membership.object = object.into();
        }
    }
    for subscription in &mut objects.subscriptions {
        if with.deleted.contains(&&*subscription.object.metadata.name.clone().unwrap()) {
            let mut object = (*subscription.object).clone();
            object.metadata.deletion_timestamp = Some(time(0));
            subscription.object = object.into();
        }
    }
    let sorted = objects.by_account();
    let account =
        sorted.accounts.iter().find(|a| a.account.object.metadata.name.as_deref() == Some("acme"));
    let profile = account.unwrap().profile().unwrap_or_default();
    let age = |_: Option<&MemberKey>, origin: &Origin| {
        let position = with.oldest_first.iter().position(|name| *name == origin.name)?;
        Some(time(i64::try_from(position).unwrap()).0)
    };
    let resolved = resolve(account.unwrap(), profile.as_deref(), &age, time(100).0);
    let mut lines = Vec::new();
    if let Err(rejection) = &resolved.account {
        lines.push(format!("account: {} {}", rejection.reason.as_str(), rejection.text()));
    }
    lines.extend(people(&resolved));
    lines.extend(recipients(&resolved));
    lines.extend(outcomes(&sorted.strays));
    lines.extend(outcomes(&resolved.outcomes));
    let problems = sorted.problems.iter().chain(&resolved.problems);
    lines.extend(problems.map(ToString::to_string));
    (resolved, lines.join("\n"))
}

/// Resolves when nothing is being deleted and nothing was seen before.
pub fn check(text: &str) -> String {
    resolved(text, &With::default()).1
}

/// What a case adds to its text.
#[derive(Default)]
pub struct With<'a> {
    /// Objects that are being deleted.
    pub deleted: &'a [&'a str],
    /// Objects that were seen before, the oldest first.
    pub oldest_first: &'a [&'a str],
}

/// A time.
fn time(second: i64) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::Time {
    k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::from_second(second).unwrap())
}

/// Whom a declaration means.
fn key(key: &MemberKey) -> String {
    let team = key.team.as_ref().map(|team| format!(" in {}", team.as_str()));
    format!("{key}{}", team.unwrap_or_default())
}

/// Declared, frozen and leaving people.
fn people(resolved: &Resolved) -> Vec<String> {
    let by = |origin: &Origin| match origin.position {
        Some(position) => format!("{} line {position}", origin.name),
        None => origin.name.clone(),
    };
    let mut lines = Vec::new();
    for (person, member) in &resolved.desired.people {
        let policy = if member.deletion_policy == DeletionPolicy::Retain { ", retain" } else { "" };
        let epoch = if member.invite_epoch == 0 {
            String::new()
        } else {
            format!(", epoch {}", member.invite_epoch)
        };
        let (role, by) = (&member.role, by(&member.origin));
        lines.push(format!("{}: {role} by {by}{epoch}{policy}", key(person)));
    }
    lines.extend(resolved.desired.absent.iter().map(|(person, absence)| {
        format!("{}: absent by {}, {:?}", key(person), by(&absence.origin), absence.cause)
    }));
    lines.extend(resolved.desired.frozen.iter().map(|person| format!("{}: frozen", key(person))));
    lines.extend(resolved.leaving.iter().map(|leaving| {
        format!(
            "{}: leaving {}, {:?}",
            key(&leaving.person),
            by(&leaving.origin),
            leaving.deletion_policy
        )
    }));
    lines
}

/// Declared recipients, and categories that nobody may lose.
fn recipients(resolved: &Resolved) -> Vec<String> {
    let DesiredRecipients { categories, frozen, blind: _ } = &resolved.desired.recipients;
    let mut lines = Vec::new();
    for (category, declared) in categories {
        for (person, objects) in &declared.recipients {
            let objects: Vec<&str> = objects.iter().map(|origin| &*origin.name).collect();
            lines.push(format!("{category}: {person} by {}", objects.join(" and ")));
        }
        lines.extend(
            declared.exact.as_ref().map(|origin| format!("{category}: exact by {}", origin.name)),
        );
    }
    lines.extend(frozen.iter().map(|category| format!("{category}: nobody loses it")));
    lines
}

/// Objects and lines that are not accepted.
fn outcomes(outcomes: &BTreeMap<ObjectKey, Outcome>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, outcome) in outcomes {
        if let Err(rejection) = &outcome.accepted {
            lines.push(format!("{key}: {}", rejection.reason.as_str()));
        }
        for line in &outcome.lines {
            let reason = line.rejection.reason.as_str();
            lines.push(format!("{key} line {} {}: {reason}", line.position, line.email));
        }
    }
    lines
}
