//! Which deleted objects may go: those whose people have lost what they were granted, or keep it
//! for a reason (OP-08). Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::Resource as _;
use kube::core::ObjectMeta;

use crate::api;
use crate::backend::BackendError;
use crate::controller::error::ReconcileError;
use crate::controller::fetch::Fetched;
use crate::controller::object::Guarded;
use crate::controller::reach;
use crate::controller::round::Round;
use crate::controller::status::{Finding, Looked};
use crate::domain::clients::ClientState;
use crate::domain::desired::{DeletionPolicy, OriginKind};
use crate::domain::identity::MemberKey;
use crate::domain::keys::CategoryName;
use crate::manifests::{ObjectKey, RELEASE_ANNOTATION, Resolved};
use crate::plan::client_access::Standing;
use crate::plan::notification::RecipientState;
use crate::plan::{Outlook, Plan, Rule, State, Stop};

/// Reason of what goes because a person does not want it to wait.
const ASKED: &str = "Asked";

/// What becomes of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It goes.
    Goes,
    /// It goes, although a person of it keeps access that cannot be taken away.
    GoesRefused(Rule),
    /// It goes, although access stays: another installation manages the account now.
    GoesToOther,
    /// It goes: the account is gone at its service, and all access with it.
    GoesWithAccount,
    /// It goes without what it gave being taken back, for this reason: a record says so.
    Released(&'static str),
    /// It stays until the access has ended.
    Stays(Option<Rule>),
}

impl Verdict {
    /// True if it stays.
    pub fn stays(self) -> bool {
        matches!(self, Self::Stays(_))
    }
}

/// What becomes of each object that is being deleted.
pub fn verdicts(round: &Round, finding: &Finding, now: Timestamp) -> BTreeMap<ObjectKey, Verdict> {
    let Round { fetched, resolved, .. } = round;
    let ours = fetched.deleted().filter(|(key, _)| fetched.is_ours(resolved, key));
    let verdict = |key: &ObjectKey, object: &ObjectMeta| match verdict(round, finding, key) {
        stays @ Verdict::Stays(_) => {
            let asked = is_asked(object) || is_asked(fetched.account.meta());
            let wall = reach::of_object(round, finding, key);
            released(round, object, wall, asked, now).unwrap_or(stays)
        }
        goes => goes,
    };
    ours.map(|(key, object)| (key.clone(), verdict(key, object))).collect()
}

/// What becomes of an Account that is being deleted, if that can be said without a look: nobody is
/// touched, or a person does not want it to wait.
pub fn at_once(round: &Round) -> Option<Verdict> {
    let Fetched { account, .. } = &round.fetched;
    if !round.fetched.ends() {
        None
    } else if !round.fetched.revokes() {
        Some(Verdict::Goes)
    } else {
        is_asked(account.meta()).then_some(Verdict::Released(ASKED))
    }
}

/// What becomes of an Account that is being deleted and whose people are to lose what it gave; `None`:
/// it is not being deleted.
pub fn of_account(round: &Round, finding: &Finding, now: Timestamp) -> Option<Verdict> {
    if !round.fetched.ends() {
        return None;
    }
    let verdict = match finding {
        Finding::Failed(ReconcileError::Backend(BackendError::NoSuchAccount)) => {
            Verdict::GoesWithAccount
        }
        Finding::Failed(_) => Verdict::Stays(None),
        Finding::Looked(looked) => match &looked.plan.stop {
            Some(Stop::ClaimedByOther) => Verdict::GoesToOther,
            Some(_) => Verdict::Stays(None),
            None => of_everything(looked),
        },
    };
    let account = round.fetched.account.meta();
    let wall = reach::of_account(finding);
    let released = || released(round, account, wall, false, now);
    Some(if verdict.stays() { released().unwrap_or(verdict) } else { verdict })
}

/// What everything that is left of an account means for it; the greatest counts.
fn of_everything(looked: &Looked) -> Verdict {
    let Looked { plan, .. } = looked;
    let people = plan.people.values().filter(|outlook| outlook.state == State::Removing);
    let people = people.map(|outlook| of_rule(outlook.rule));
    let clients = plan.clients.clients.values();
    let clients = clients.filter(|outlook| outlook.standing == Standing::Removing);
    let clients = clients.map(|outlook| Verdict::Stays(outlook.rule));
    let recipients = plan.recipients.categories.values();
    let recipients = recipients.flat_map(|outlook| outlook.recipients.values());
    let recipients = recipients.filter(|recipient| recipient.state == RecipientState::Removing);
    let recipients = recipients.map(|recipient| Verdict::Stays(recipient.rule));
    let domains = plan.domains.held.iter().map(|(_, rule)| Verdict::Stays(Some(*rule)));
    let unread = [&looked.clients_unread, &looked.categories_unread, &looked.domains_unread];
    let left = !plan.is_empty() || unread.into_iter().any(Option::is_some);
    let left = left.then_some(Verdict::Stays(None));
    let all = people.chain(clients).chain(recipients).chain(domains).chain(left);
    all.max().unwrap_or(Verdict::Goes)
}

/// When the first deleted object goes although what it waits for did not come.
pub fn next_at(round: &Round, finding: &Finding) -> Option<Timestamp> {
    let Round { fetched, resolved, .. } = round;
    let ours = fetched.deleted().filter(|(key, _)| fetched.is_ours(resolved, key));
    let waiting = ours.filter(|(key, _)| {
        verdict(round, finding, key).stays() && reach::of_object(round, finding, key).is_some()
    });
    let account = Some(fetched.account.meta());
    let account = account.filter(|_| fetched.ends() && reach::of_account(finding).is_some());
    waiting.map(|(_, object)| object).chain(account).filter_map(|o| ends_at(round, o)).min()
}

/// When a deleted object goes although what it waits for did not come: so long after it was deleted, and
/// after the account came out of reach.
pub fn ends_at(round: &Round, object: &ObjectMeta) -> Option<Timestamp> {
    let deleted = object.deletion_timestamp.as_ref()?;
    let wait = SignedDuration::try_from(round.resolved.release_after).ok()?;
    round.wall_since.map_or(deleted.0, |since| since.max(deleted.0)).checked_add(wait).ok()
}

/// An object goes although what it waits for did not come: somebody asks for it, or it waited long
/// enough before this `wall`.
fn released(
    round: &Round,
    object: &ObjectMeta,
    wall: Option<&'static str>,
    asked: bool,
    now: Timestamp,
) -> Option<Verdict> {
    if asked {
        return Some(Verdict::Released(ASKED));
    }
    let reason = wall?;
    (now >= ends_at(round, object)?).then_some(Verdict::Released(reason))
}

fn is_asked(object: &ObjectMeta) -> bool {
    object.annotations.iter().flatten().any(|(name, _)| name == RELEASE_ANNOTATION)
}

fn verdict(round: &Round, finding: &Finding, key: &ObjectKey) -> Verdict {
    let Round { fetched, resolved, .. } = round;
    if fetched.account.spec.mode < api::Mode::Manage {
        return Verdict::Goes;
    }
    let looked = match finding {
        Finding::Failed(ReconcileError::Backend(BackendError::NoSuchAccount)) => {
            return Verdict::GoesWithAccount;
        }
        Finding::Failed(_) => None,
        Finding::Looked(looked) => Some(looked),
    };
    if looked.is_some_and(|looked| looked.plan.stop == Some(Stop::ClaimedByOther)) {
        return Verdict::GoesToOther;
    }
    let settled = looked.filter(|looked| looked.plan.stop.is_none());
    if round.keeps(key) && (settled.is_some() || round.forgot) {
        // Without its Team nobody would know whose a Membership is: they go together.
        let waits = key.kind == OriginKind::Team
            && round.goes_with_namespace(key)
            && fetched.has_standing_memberships(key);
        return if waits { Verdict::Stays(None) } else { Verdict::Goes };
    }
    let Some(looked) = settled else { return Verdict::Stays(None) };
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
