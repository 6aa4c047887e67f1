//! Which deleted objects may go: those whose people have lost what they were granted, or keep it
//! for a reason (OP-08). Pure.

use std::collections::BTreeMap;

use crate::controller::fetch::Fetched;
use crate::domain::desired::DeletionPolicy;
use crate::domain::identity::EmailAddress;
use crate::domain::policy::Mode;
use crate::manifests::{ObjectKey, Resolved};
use crate::plan::{Plan, Rule, State};

/// What becomes of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It goes.
    Goes,
    /// It goes, although a person of it keeps access that cannot be taken away.
    GoesRefused(Rule),
    /// It stays until the access has ended.
    Stays(Option<Rule>),
}

/// What becomes of each Team and Membership that is being deleted. `settled`: the plan on the
/// account as it is now; `None`: there is none, because the look failed.
pub fn verdicts(
    fetched: &Fetched,
    resolved: &Resolved,
    settled: Option<&Plan>,
) -> BTreeMap<ObjectKey, Verdict> {
    let keys = fetched.teams.keys().chain(fetched.memberships.keys());
    let deleted = keys.filter(|key| {
        fetched.metadata(key).is_some_and(|metadata| metadata.deletion_timestamp.is_some())
    });
    deleted
        .filter(|key| fetched.is_ours(resolved, key))
        .map(|key| (key.clone(), verdict(fetched, resolved, settled, key)))
        .collect()
}

fn verdict(
    fetched: &Fetched,
    resolved: &Resolved,
    settled: Option<&Plan>,
    key: &ObjectKey,
) -> Verdict {
    if resolved.policy.as_ref().is_some_and(|policy| policy.mode < Mode::Manage) {
        return Verdict::Goes;
    }
    let Some(plan) = settled.filter(|plan| plan.stop.is_none()) else {
        return Verdict::Stays(None);
    };
    let people = fetched.leaving(resolved, key);
    let verdicts = people.iter().map(|(person, policy)| of_person(resolved, plan, person, *policy));
    verdicts.max().unwrap_or(Verdict::Goes)
}

/// What one person means for the object; the greatest of all counts.
fn of_person(
    resolved: &Resolved,
    plan: &Plan,
    person: &EmailAddress,
    policy: DeletionPolicy,
) -> Verdict {
    let elsewhere =
        resolved.desired.people.contains_key(person) || resolved.desired.frozen.contains(person);
    if elsewhere || policy == DeletionPolicy::Retain {
        return Verdict::Goes;
    }
    match plan.people.get(person) {
        Some(outlook) if outlook.state == State::Removing => of_rule(outlook.rule),
        Some(_) | None => Verdict::Goes,
    }
}

/// What a rule that holds a removal means for the object.
fn of_rule(rule: Option<Rule>) -> Verdict {
    match rule {
        // Not the product's to take away: left, said in an event, and the object goes.
        Some(rule @ (Rule::OwnerGuard | Rule::OwnIdentity | Rule::NotRemovable)) => {
            Verdict::GoesRefused(rule)
        }
        // Below mode Manage deletion lets go.
        Some(Rule::Observing | Rule::InviteOnly) => Verdict::Goes,
        Some(
            Rule::RemovalBrake
            | Rule::Settling
            | Rule::ProtectedRole
            | Rule::MailBudget
            | Rule::MailCap
            | Rule::RenewalSpent
            | Rule::NotUnderstood
            | Rule::ServiceDisabled
            | Rule::SeatLimit,
        )
        | None => Verdict::Stays(rule),
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, of_rule};
    use crate::plan::Rule;

    #[test]
    fn what_stays_wins_over_what_goes() {
        let verdicts = [
            Verdict::Goes,
            Verdict::GoesRefused(Rule::OwnerGuard),
            Verdict::Stays(Some(Rule::RemovalBrake)),
        ];
        assert_eq!(verdicts.iter().max(), Some(&Verdict::Stays(Some(Rule::RemovalBrake))));
        assert!(Verdict::Stays(None) > Verdict::GoesRefused(Rule::OwnIdentity));
    }

    #[test]
    fn the_last_owner_stays_and_the_object_goes() {
        assert_eq!(of_rule(Some(Rule::OwnerGuard)), Verdict::GoesRefused(Rule::OwnerGuard));
        assert_eq!(of_rule(Some(Rule::RemovalBrake)), Verdict::Stays(Some(Rule::RemovalBrake)));
        assert_eq!(of_rule(None), Verdict::Stays(None));
    }
}
