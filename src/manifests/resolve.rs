//! What is declared for one account, as the planner needs it, and every problem at once.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::domain::desired::{DeletionPolicy, Desired, Origin};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::policy::Policy;
use crate::manifests::accounts::Declarations;
use crate::manifests::clients::clients;
use crate::manifests::collect::Collected;
use crate::manifests::collect::account_not_accepted;
use crate::manifests::collect::collect;
use crate::manifests::domains::join_domains;
use crate::manifests::duration;
use crate::manifests::names;
use crate::manifests::people::Loser;
use crate::manifests::people::choose;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::recipients::recipients;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::client_access_key;
use crate::manifests::source::membership_key;
use crate::manifests::source::namespace;
use crate::manifests::source::subscription_key;
use crate::manifests::source::team_key;
use crate::manifests::teams::{secure_sign_in, teams};
use crate::manifests::terms::terms;
use crate::profile::Profile;
use crate::yaml::Problem;

/// How often an account is looked at when its spec does not say so in a way we understand.
const RESYNC: Duration = Duration::from_secs(600);

/// How long what is deleted waits, when its Account does not say so in a way we understand.
const RELEASE_AFTER: Duration = Duration::from_secs(3600);

/// When a declaration, of a person or as a whole, was first seen; `None`: never before.
pub type FirstSeen<'a> = &'a dyn Fn(Option<&MemberKey>, &Origin) -> Option<Timestamp>;

/// What is declared for one account.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The people.
    pub desired: Desired,
    /// How far we may go; `None` while the account is not accepted: then nothing may be planned.
    pub policy: Option<Policy>,
    /// How often the account is looked at.
    pub resync: Duration,
    /// How long an object that is being deleted waits for an account that cannot be reached.
    pub release_after: Duration,
    /// Whether the account is accepted; the first rejection, if there are several.
    pub account: Result<(), Rejection>,
    /// Whether each Team and Membership is accepted; those that are being deleted among them.
    pub outcomes: BTreeMap<ObjectKey, Outcome>,
    /// People of objects that are being deleted. Who is in `desired` too is declared elsewhere.
    pub leaving: Vec<Leaving>,
    /// Everything that is wrong, in order of file and line.
    pub problems: Vec<Problem>,
}

/// Whether an object is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The object as a whole; the first rejection, if there are several.
    pub accepted: Result<(), Rejection>,
    /// The other rejections of the object as a whole.
    pub more: Vec<Rejection>,
    /// Lines of its roster that are not, in order.
    pub lines: Vec<RejectedLine>,
}

/// A line of a roster that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedLine {
    /// Position in the roster, from 0.
    pub position: usize,
    /// Address as it was written.
    pub email: String,
    /// Why.
    pub rejection: Rejection,
}

/// A person of an object that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// The declaration that goes.
    pub origin: Origin,
    /// The person.
    pub person: MemberKey,
    /// Earlier addresses of the person.
    pub formerly: Vec<EmailAddress>,
    /// What its end does.
    pub deletion_policy: DeletionPolicy,
}

impl Outcome {
    /// Accepted without exception.
    pub(super) fn accepted() -> Self {
        Self::with(Vec::new())
    }

    /// Not accepted for all these reasons; accepted, if there are none.
    pub(super) fn with(mut rejections: Vec<Rejection>) -> Self {
        let more = rejections.split_off(rejections.len().min(1));
        let accepted = rejections.pop().map_or(Ok(()), Err);
        Self { accepted, more, lines: Vec::new() }
    }

    /// What is wrong with the object itself.
    fn own_rejections(&self) -> impl Iterator<Item = &Rejection> {
        let object = self.accepted.as_ref().err().into_iter().chain(&self.more);
        let own = object.filter(|rejection| rejection.reason != Reason::ParentNotAccepted);
        let all = own.chain(self.lines.iter().map(|line| &line.rejection));
        // Somebody decided that, and it must not keep the rest from running.
        all.filter(|rejection| rejection.reason != Reason::DeclaredAbsent)
    }
}

/// Turns the declarations of one account into what the planner needs.
///
/// `profile` is the one that the class names, if there is one. `first_seen` says which of two
/// declarations of one person is the older; what has ended at `now` counts no more. A line or object that is not valid is reported and the
/// rest goes on; people whose declaration is there but not valid end up in `desired.frozen`. Same
/// input, same result, whatever the order of the objects.
///
/// Time O(n log n) in declared people.
#[must_use]
pub fn resolve(
    declarations: &Declarations,
    profile: Option<&Profile>,
    first_seen: FirstSeen<'_>,
    now: Timestamp,
) -> Resolved {
    let Collected { mut candidates, frozen_everywhere, leaving, mut outcomes } =
        collect(declarations, profile, first_seen);
    let earlier = names::join(&mut candidates, &leaving);
    let (mut desired, mut losers) = choose(candidates, profile, now);
    losers.extend(earlier.losers);
    let stays =
        |key: &MemberKey| !desired.people.contains_key(key) && !desired.absent.contains_key(key);
    let frozen: Vec<_> = earlier.frozen.into_iter().filter(stays).collect();
    desired.frozen.extend(frozen);
    desired.formerly = earlier.present;
    desired.leaving = leaving.iter().map(|leaving| leaving.person.person.clone()).collect();
    desired.frozen_everywhere = frozen_everywhere;
    desired.teams = teams(&declarations.teams, profile, &outcomes);
    desired.secure_sign_in = secure_sign_in(&declarations.teams, &outcomes);
    for loser in losers {
        add_loser(loser, &mut outcomes);
    }
    desired.clients = clients(declarations, profile, first_seen, &mut outcomes);
    let recipients = recipients(declarations, profile, first_seen, &mut outcomes);
    desired.recipients = recipients.renamed(|address| desired.present(address).clone());
    let mut wrong = Vec::new();
    desired.join_domains = join_domains(&declarations.account.object.spec, profile, &mut wrong);
    let (account, terms, wrong) = match terms(declarations, profile, wrong) {
        Ok(terms) => (Ok(()), Some(terms), Vec::new()),
        Err(wrong) => (Err(first(&wrong)), None, wrong),
    };
    let problems = problems(declarations, &wrong, &outcomes);
    if terms.is_none() {
        desired.frozen.extend(std::mem::take(&mut desired.people).into_keys());
        desired.frozen.extend(std::mem::take(&mut desired.absent).into_keys());
        let clients = &mut desired.clients;
        clients.frozen.extend(std::mem::take(&mut clients.declared).into_keys());
        let recipients = &mut desired.recipients;
        recipients.frozen.extend(std::mem::take(&mut recipients.categories).into_keys());
        for outcome in outcomes.values_mut().filter(|outcome| outcome.accepted.is_ok()) {
            outcome.accepted = Err(account_not_accepted());
        }
    }
    let resync = terms.as_ref().map_or(RESYNC, |(_, resync)| *resync);
    let policy = terms.map(|(policy, _)| policy);
    let release_after = duration::parse(&declarations.account.object.spec.release_after);
    let release_after = release_after.unwrap_or(RELEASE_AFTER);
    Resolved { desired, policy, resync, release_after, account, outcomes, leaving, problems }
}

/// The first of several rejections.
fn first(wrong: &[Rejection]) -> Rejection {
    wrong.first().cloned().unwrap_or_else(account_not_accepted)
}

/// Enters a declaration that lost against an older one.
fn add_loser(loser: Loser, outcomes: &mut BTreeMap<ObjectKey, Outcome>) {
    let Loser { origin, email, rejection } = loser;
    let Origin { kind, namespace, name, position } = origin;
    let Some(outcome) = outcomes.get_mut(&ObjectKey { kind, namespace, name }) else { return };
    match position {
        Some(position) => {
            outcome.lines.push(RejectedLine { position, email, rejection });
            outcome.lines.sort_by_key(|line| line.position);
        }
        None => outcome.accepted = Err(rejection),
    }
}

/// Everything that is wrong, as problems of the files or objects. What is wrong only because of
/// something else is not repeated.
fn problems(
    declarations: &Declarations,
    account: &[Rejection],
    outcomes: &BTreeMap<ObjectKey, Outcome>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let object = &declarations.account.object;
    let name = format!("Account {}/{}", namespace(&**object), object.name_any());
    problems.extend(account.iter().map(|wrong| declarations.account.problem(&name, wrong)));
    for team in &declarations.teams {
        let key = team_key(&team.object);
        let wrong = outcomes.get(&key).into_iter().flat_map(Outcome::own_rejections);
        problems.extend(wrong.map(|wrong| team.problem(&key, wrong)));
    }
    for membership in &declarations.memberships {
        let key = membership_key(&membership.object);
        let wrong = outcomes.get(&key).into_iter().flat_map(Outcome::own_rejections);
        problems.extend(wrong.map(|wrong| membership.problem(&key, wrong)));
    }
    for access in &declarations.client_accesses {
        let key = client_access_key(&access.object);
        let wrong = outcomes.get(&key).into_iter().flat_map(Outcome::own_rejections);
        problems.extend(wrong.map(|wrong| access.problem(&key, wrong)));
    }
    for subscription in &declarations.subscriptions {
        let key = subscription_key(&subscription.object);
        let wrong = outcomes.get(&key).into_iter().flat_map(Outcome::own_rejections);
        problems.extend(wrong.map(|wrong| subscription.problem(&key, wrong)));
    }
    problems.sort();
    problems
}
