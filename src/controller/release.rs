//! Which deleted objects may go: those whose people have lost what they were granted, or keep it
//! for a reason (OP-08). Pure.

use std::collections::BTreeMap;

use crate::controller::fetch::Fetched;
use crate::controller::object::Guarded;
use crate::controller::status::Looked;
use crate::domain::clients::ClientState;
use crate::domain::desired::{DeletionPolicy, OriginKind};
use crate::domain::identity::MemberKey;
use crate::domain::keys::CategoryName;
use crate::domain::policy::Mode;
use crate::manifests::{ObjectKey, Resolved};
use crate::plan::client_access::Standing;
use crate::plan::notification::RecipientState;
use crate::plan::{Outlook, Plan, Rule, State, Stop};

/// What becomes of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It goes.
    Goes,
    /// It goes, although a person of it keeps access that cannot be taken away.
    GoesRefused(Rule),
    /// It goes, although access stays: another installation manages the account now.
    GoesToOther,
    /// It stays until the access has ended.
    Stays(Option<Rule>),
}

/// What becomes of each object that is being deleted. `settled`: the look, with the plan on the
/// account as it is now; `None`: there is none, because the look failed.
pub fn verdicts(
    fetched: &Fetched,
    resolved: &Resolved,
    settled: Option<&Looked>,
) -> BTreeMap<ObjectKey, Verdict> {
    let people = fetched.teams.keys().chain(fetched.memberships.keys());
    let keys = people.chain(fetched.client_accesses.keys()).chain(fetched.subscriptions.keys());
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
    settled: Option<&Looked>,
    key: &ObjectKey,
) -> Verdict {
    if resolved.policy.as_ref().is_some_and(|policy| policy.mode < Mode::Manage) {
        return Verdict::Goes;
    }
    if settled.is_some_and(|looked| looked.plan.stop == Some(Stop::ClaimedByOther)) {
        return Verdict::GoesToOther;
    }
    let Some(looked) = settled.filter(|looked| looked.plan.stop.is_none()) else {
        return Verdict::Stays(None);
    };
    if key.kind == OriginKind::ClientAccess {
        return of_client(fetched, resolved, looked, key);
    }
    if key.kind == OriginKind::NotificationSubscription {
        return of_recipients(fetched, resolved, looked, key);
    }
    let plan = &looked.plan;
    let people = fetched.leaving(resolved, key);
    let verdicts = people.iter().map(|(person, policy)| of_person(resolved, plan, person, *policy));
    verdicts.max().unwrap_or(Verdict::Goes)
}

/// A request that waits is withdrawn first. What the client granted stays (NC-10).
fn of_client(fetched: &Fetched, resolved: &Resolved, looked: &Looked, key: &ObjectKey) -> Verdict {
    let Some(client) = fetched.client(key) else { return Verdict::Goes };
    let desired = &resolved.desired.clients;
    if desired.declared.contains_key(&client) || desired.frozen.contains(&client) {
        return Verdict::Goes;
    }
    if looked.clients_unread.is_some() {
        return Verdict::Stays(None);
    }
    let outlook = looked.plan.clients.clients.get(&client);
    let rows = looked.observed.client_accesses.as_ref();
    let state = rows.and_then(|rows| rows.get(&client)).map(|row| row.state);
    match (outlook, state) {
        (Some(outlook), _) if outlook.standing == Standing::Removing => {
            Verdict::Stays(outlook.rule)
        }
        (_, Some(ClientState::Granted | ClientState::Trimmed)) => {
            Verdict::GoesRefused(Rule::OnlyClientEnds)
        }
        _ => Verdict::Goes,
    }
}

/// What we set is taken back first. What may not be taken back now stays ours to take back later.
fn of_recipients(
    fetched: &Fetched,
    resolved: &Resolved,
    looked: &Looked,
    key: &ObjectKey,
) -> Verdict {
    let object = fetched.subscriptions.get(key).and_then(Guarded::readable);
    let Some(object) = object else { return Verdict::Goes };
    let category = CategoryName(object.spec.category.clone());
    if resolved.desired.recipients.keeps(&category) {
        return Verdict::Goes;
    }
    if looked.categories_unread.is_some() {
        return Verdict::Stays(None);
    }
    let outlook = looked.plan.recipients.categories.get(&category);
    let mut recipients = outlook.into_iter().flat_map(|outlook| outlook.recipients.values());
    match recipients.find(|recipient| recipient.state == RecipientState::Removing) {
        Some(recipient) => Verdict::Stays(recipient.rule),
        None => Verdict::Goes,
    }
}

/// What one person means for the object; the greatest of all counts.
fn of_person(
    resolved: &Resolved,
    plan: &Plan,
    person: &MemberKey,
    policy: DeletionPolicy,
) -> Verdict {
    let elsewhere =
        resolved.desired.people.contains_key(person) || resolved.desired.frozen.contains(person);
    if elsewhere || policy == DeletionPolicy::Retain {
        return Verdict::Goes;
    }
    let of_outlook = |outlook: &Outlook| match outlook.state {
        State::Removing => of_rule(outlook.rule),
        _ => Verdict::Goes,
    };
    match plan.outlook(person) {
        Some(outlook) => of_outlook(outlook),
        // Of an object that cannot be read only the address is known: any team may be meant.
        None => {
            let places = plan.people.range(person.clone()..);
            let places = places.take_while(|(key, _)| key.person == person.person);
            places.map(|(_, outlook)| of_outlook(outlook)).max().unwrap_or(Verdict::Goes)
        }
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
            | Rule::EmptySource
            | Rule::LedgerLost
            | Rule::ReadUntrusted
            | Rule::Settling
            | Rule::ProtectedRole
            | Rule::MailBudget
            | Rule::MailCap
            | Rule::AddressLimit
            | Rule::RenewalSpent
            | Rule::NotUnderstood
            | Rule::ServiceDisabled
            | Rule::TeamNotThere
            | Rule::TeamInactive
            | Rule::TeamPending
            | Rule::TeamNotFound
            | Rule::TeamLost
            | Rule::TeamTaken
            | Rule::TeamChanging
            | Rule::MovesFirst
            | Rule::InvitedElsewhere
            | Rule::EarlierFirst
            | Rule::TwoRows
            | Rule::Parted
            | Rule::TeamNameTaken
            | Rule::SubscriptionNotFound
            | Rule::SeatLimit
            | Rule::NoFreeSeat
            | Rule::NotAgency
            | Rule::NotMemberYet
            | Rule::OwnerChangeWaits
            | Rule::OwnerChangeEnded
            | Rule::OwnerChangeFirst
            | Rule::OwnerChangesUnread
            | Rule::OnlyClientEnds
            | Rule::NoSuchCategory
            | Rule::UnsafeMail
            | Rule::NoTrimmedState
            | Rule::NoReference
            | Rule::DomainUnproved,
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
