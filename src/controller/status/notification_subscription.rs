//! Status of a NotificationSubscription. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{
    NotificationSubscription, NotificationSubscriptionStatus, RecipientCounts, RecipientsState,
};
use crate::controller::status::conditions::{Say, Says, Truth};
use crate::controller::status::membership::{MESSAGE, rejection_says};
use crate::controller::status::{Looked, Picture, Trouble, clip, number, person};
use crate::domain::desired::Origin;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::CategoryName;
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;
use crate::manifests::{ObjectKey, Rejection};
use crate::plan::notification::{
    CategoryOutlook, RecipientOutlook, RecipientState, recipient_message,
};
use crate::plan::{Rule, Stop};

/// People that a status names.
const NAMED: usize = 10;
/// Longest name of one.
const NAME: usize = 254;

/// What one object has to do with: its own recipients, and those that it takes away.
type Own<'a> = BTreeMap<&'a EmailAddress, RecipientOutlook>;

/// The next status; `None`: what stands there is the best that can be said.
pub fn next(
    subscription: &NotificationSubscription,
    key: &ObjectKey,
    picture: &Picture<'_>,
    now: Timestamp,
) -> Option<NotificationSubscriptionStatus> {
    let deleted = subscription.metadata.deletion_timestamp.is_some();
    if deleted && !picture.verdicts.get(key).is_some_and(|verdict| verdict.stays()) {
        return None; // It is about to go.
    }
    if let (Err(rejection), false) = (&picture.resolved.outcomes.get(key)?.accepted, deleted) {
        return Some(rejected(subscription, rejection, now));
    }
    let mut next = NotificationSubscriptionStatus::default();
    let says = match picture.finding.looked() {
        Ok(looked) => {
            let category = CategoryName(subscription.spec.category.clone());
            match (looked.plan.recipients.categories.get(&category), &looked.categories_unread) {
                (_, Some(trouble)) => not_read(looked, trouble),
                (Some(outlook), None) => {
                    let own = own(picture, &category, key, outlook);
                    describe(&mut next, &own, outlook);
                    says(looked, &category, &own, &mut next)
                }
                (None, None) => return None,
            }
        }
        Err(trouble) => {
            let known = subscription.status.as_ref().and_then(|status| status.observed_generation);
            if known == subscription.metadata.generation && !deleted {
                return None;
            }
            let synced = picture.unknown(key, &trouble);
            Says { accepted: person::accepted(), synced, stalled: None }
        }
    };
    Some(finish(next, subscription, &says, now))
}

/// The status of a declaration that is not valid.
pub fn rejected(
    subscription: &NotificationSubscription,
    rejection: &Rejection,
    now: Timestamp,
) -> NotificationSubscriptionStatus {
    let next = NotificationSubscriptionStatus::default();
    finish(next, subscription, &rejection_says(rejection), now)
}

fn finish(
    mut next: NotificationSubscriptionStatus,
    subscription: &NotificationSubscription,
    says: &Says,
    now: Timestamp,
) -> NotificationSubscriptionStatus {
    let old = subscription.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let generation = subscription.metadata.generation;
    let wrong = [&says.accepted, &says.synced].into_iter().find(|say| say.truth != Truth::True);
    next.message = wrong.map(|say| clip(&say.message, MESSAGE));
    next.observed_generation = generation;
    next.conditions = says.conditions(old, generation, now);
    next
}

/// What is said while the categories cannot be read: everyone is left as they are.
fn not_read(looked: &Looked, trouble: &Trouble) -> Says {
    let synced = Say::no(trouble.reason, trouble.message.clone());
    let stalls = trouble.is_final && looked.mode > Mode::Observe;
    let stalled = stalls.then(|| Say { truth: Truth::True, ..synced.clone() });
    Says { accepted: person::accepted(), synced, stalled }
}

/// The recipients that the object names; where it says who is chosen, also those that it takes away;
/// where it is deleted, those that go.
fn own<'a>(
    picture: &Picture<'a>,
    category: &CategoryName,
    key: &ObjectKey,
    outlook: &'a CategoryOutlook,
) -> Own<'a> {
    let is_this = |origin: &Origin| {
        (origin.kind, &origin.namespace, &origin.name) == (key.kind, &key.namespace, &key.name)
    };
    let declared = picture.resolved.desired.recipients.categories.get(category);
    let desired = &picture.resolved.desired;
    let named = |person: &EmailAddress| {
        // The plan has who was renamed under the address of the member.
        let recipients = declared.map(|declared| &declared.recipients);
        let objects = recipients.and_then(|all| all.get(desired.present(person)));
        objects.is_some_and(|objects| objects.iter().any(is_this))
    };
    let exact = declared.and_then(|declared| declared.exact.as_ref()).is_some_and(is_this);
    let deleted = picture.verdicts.contains_key(key);
    let recipients = outlook.recipients.iter().filter(|(person, of)| match of.state {
        RecipientState::Undeclared => exact,
        RecipientState::Removing => deleted,
        RecipientState::Receives
        | RecipientState::Implied
        | RecipientState::Planned
        | RecipientState::Waiting
        | RecipientState::NotMember
        | RecipientState::NotOpen => named(person),
    });
    recipients.map(|(person, of)| (person, *of)).collect()
}

fn describe(status: &mut NotificationSubscriptionStatus, own: &Own<'_>, outlook: &CategoryOutlook) {
    let goes = |state| matches!(state, RecipientState::Removing | RecipientState::Undeclared);
    let waiting: Vec<_> =
        own.iter().filter(|(_, of)| of.state == RecipientState::Waiting).collect();
    status.counts = Some(RecipientCounts {
        declared: number(own.values().filter(|of| !goes(of.state)).count()),
        waiting: number(waiting.len()),
        implied: number(outlook.implied.len()),
    });
    status.waiting = waiting.iter().take(NAMED).map(|(person, _)| person.to_string()).collect();
    let implied = outlook.implied.iter().take(NAMED).map(|(member, person)| match person {
        Some(person) => person.to_string(),
        None => clip(member.as_str(), NAME),
    });
    status.implied = implied.collect();
}

fn says(
    looked: &Looked,
    category: &CategoryName,
    own: &Own<'_>,
    status: &mut NotificationSubscriptionStatus,
) -> Says {
    let accepted = accepted(own);
    let refused = own
        .keys()
        .filter_map(|person| looked.refused_recipients.get(&(category.clone(), (*person).clone())));
    let refused = refused.max_by_key(|trouble| trouble.is_final);
    let mut says = judge(looked.mode, looked.plan.stop.as_ref(), refused, own);
    if accepted.truth == Truth::False {
        says.stalled = Some(Say { truth: Truth::True, ..accepted.clone() });
    } else if says.synced.truth == Truth::True && looked.mode > Mode::Observe {
        let waits = own.values().any(|of| of.state == RecipientState::Waiting);
        let state = if waits { RecipientsState::Waiting } else { RecipientsState::Synced };
        status.state = Some(state);
    }
    Says { accepted, ..says }
}

/// Whether everyone who is named can be a recipient; the others go on.
fn accepted(own: &Own<'_>) -> Say {
    let wrong = own.values().map(|of| of.state).find(|state| state.is_wrong());
    let Some(wrong) = wrong else { return person::accepted() };
    let people = own.iter().filter(|(_, of)| of.state == wrong);
    let people: Vec<_> = people.map(|(person, _)| person.as_str()).collect();
    let shown = people.get(..NAMED.min(people.len())).unwrap_or_default().join(", ");
    let more = people.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Say::no(wrong.reason(), format!("{shown}{more}: {}", wrong.message()))
}

fn judge(mode: Mode, stop: Option<&Stop>, refused: Option<&Trouble>, own: &Own<'_>) -> Says {
    let accepted = person::accepted();
    let stalling = |synced: Say, waits: bool| {
        let stalled = waits.then(|| Say { truth: Truth::True, ..synced.clone() });
        Says { accepted: person::accepted(), synced, stalled }
    };
    if mode == Mode::Observe {
        let synced = Say::yes(Rule::Observing.reason(), Rule::Observing.message());
        return Says { accepted, synced, stalled: None };
    }
    if let Some(stop) = stop {
        let synced = Say::unknown(stop.reason(), stop.to_string());
        return Says { accepted, synced, stalled: None };
    }
    if let Some(trouble) = refused {
        return stalling(Say::no(trouble.reason, trouble.message.clone()), trouble.is_final);
    }
    if let Some(rule) = own.values().filter_map(|of| of.rule).max_by_key(|r| r.needs_person()) {
        return stalling(Say::no(rule.reason(), recipient_message(rule)), rule.needs_person());
    }
    let is = |state| own.values().any(|of| of.state == state);
    let left = [RecipientState::Planned, RecipientState::Removing, RecipientState::Undeclared];
    let synced = match left.into_iter().find(|state| is(*state)) {
        Some(state) => Say::no(state.reason(), state.message()),
        None if is(RecipientState::Waiting) => {
            let message = "who is not a member yet becomes a recipient by joining";
            Say::yes(Reason::Waiting, message)
        }
        None => Say::yes(Reason::Synced, "all declared recipients receive the category"),
    };
    Says { accepted, synced, stalled: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{accepted, judge};
    use crate::controller::status::conditions::Truth;
    use crate::domain::identity::EmailAddress;
    use crate::domain::policy::Mode;
    use crate::plan::notification::{RecipientOutlook, RecipientState};
    use crate::plan::{Rule, Stop};

    /// `Accepted`, `Synced` and its reason, and `stalled` while a person must act.
    fn check(mode: Mode, stop: Option<&Stop>, states: &[(RecipientState, Option<Rule>)]) -> String {
        let people = (b'a'..).map(|name| format!("{}@example.com", char::from(name)));
        let people: Vec<_> =
            people.take(states.len()).map(|p| EmailAddress::parse(&p).unwrap()).collect();
        let of = |&(state, rule)| RecipientOutlook { state, rule };
        let own: BTreeMap<_, _> = people.iter().zip(states.iter().map(of)).collect();
        let says = judge(mode, stop, None, &own);
        let truth = match says.synced.truth {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        };
        let stalled = says.stalled.map_or("", |_| " stalled");
        let accepted = accepted(&own);
        format!("{} / {truth} {}{stalled}", accepted.reason, says.synced.reason)
    }

    #[test]
    fn every_state_of_a_recipient_says_what_the_table_says() {
        use RecipientState::{
            Implied, NotMember, NotOpen, Planned, Receives, Removing, Undeclared, Waiting,
        };
        let manage = |states: &[(RecipientState, Option<Rule>)]| check(Mode::Manage, None, states);
        let settled = [(Receives, None), (Implied, None)];
        assert_eq!(manage(&[]), "Accepted / True Synced");
        assert_eq!(manage(&settled), "Accepted / True Synced");
        assert_eq!(manage(&[settled[0], (Waiting, None)]), "Accepted / True Waiting");
        assert_eq!(manage(&[(Waiting, None), (Planned, None)]), "Accepted / False Planned");
        assert_eq!(manage(&[(NotMember, None), settled[0]]), "NotAMember / True Synced");
        assert_eq!(manage(&[(NotOpen, None)]), "RoleNotOpen / True Synced");
        assert_eq!(manage(&[(Removing, None)]), "Accepted / False Removing");
        assert_eq!(manage(&[settled[0], (Undeclared, None)]), "Accepted / False Undeclared");
        let only_adds = (Undeclared, Some(Rule::InviteOnly));
        assert_eq!(manage(&[settled[0], only_adds]), "Accepted / False InviteOnly stalled");
        let planned = [(Planned, None)];
        assert_eq!(check(Mode::Observe, None, &planned), "Accepted / True Observing");
        let stop = Some(&Stop::ClaimedByOther);
        assert_eq!(check(Mode::Manage, stop, &planned), "Accepted / Unknown ClaimedByOther");
    }
}
