//! Becoming an owner, where only a change of owner gives the role: the present owner confirms, the
//! person accepts, and only then does the role change (DO-09).
//!
//! One declaration asks once. After a no, or without an answer in time, only a person asks again.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::desired::DesiredMember;
use crate::domain::identity::MemberKey;
use crate::domain::keys::{MemberId, RoleName};
use crate::domain::ledger_view::{OpenSend, Ownership, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, MemberState, ObservedMember};
use crate::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use crate::domain::policy::Mode;
use crate::plan::action::{Action, OwnerChangeRow};
use crate::plan::draft::Draft;
use crate::plan::guards::holders;
use crate::plan::mails::{self, Why, cause, says_again};
use crate::plan::members::{may_touch, seen_as};
use crate::plan::pools::closed;
use crate::plan::{Input, Outlook, Rule, State, seats};
use crate::profile::OwnershipChange;

/// When to look again after a list that was not read.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A member to become an owner.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Oldest declaration first; what may have been asked already before all.
    order: (bool, Timestamp, MemberKey),
    action: Action,
}

/// True if the declared role is one that only a change of owner gives, and the person, as far as we
/// understand their row, does not hold it.
pub(super) fn becomes(
    input: &Input<'_>,
    wanted: &DesiredMember,
    member: Option<&ObservedMember>,
) -> bool {
    let other = member.is_none_or(|member| {
        let role = member.role.known();
        member.state == MemberState::Active && role.is_some_and(|role| *role != wanted.role)
    });
    input.profile.changes_owner(&wanted.role) && other
}

/// Places a person who is declared to become an owner.
pub(super) fn declared(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    record: &mut PersonRecord,
) {
    let observed = draft.input.observed;
    let own = observed.members.get(person);
    let Some(place) = own.or_else(|| place(draft.input, person)) else {
        return not_a_member(draft, person, wanted, record);
    };
    let mut outlook = Outlook::new(if own.is_some() { State::Active } else { State::Planned });
    outlook.member = Some(place.id.clone());
    outlook.role_seen = place.role.known().cloned();
    outlook.role_differs = true;
    (record.opted_out, record.lost, record.mails.given_up) = (false, false, false);
    record.seen = own.map_or(Seen::Never, seen_as);
    let Some(rows) = &observed.ownership_changes else {
        draft.timers.insert(Draft::after(draft.input.now, LOOK_AGAIN));
        outlook.rule = Some(Rule::OwnerChangesUnread);
        drop(draft.people.insert(person.clone(), outlook));
        return;
    };
    draft.people.insert(person.clone(), outlook);
    let is_theirs = |id: &MemberId| places(draft.input, person).any(|place| place.id == *id);
    let rows = rows.iter().filter(|row| row.role == wanted.role && is_theirs(&row.member));
    match rows.clone().find(|row| row.state.is_open()) {
        Some(row) => waits(draft, person, wanted, row, record),
        None => ask(draft, (person, wanted), place, rows.max_by_key(|row| row.created_at), record),
    }
}

/// Every place of a person in the account.
fn places<'a>(
    input: &Input<'a>,
    person: &MemberKey,
) -> impl Iterator<Item = &'a ObservedMember> + use<'a> {
    let address = person.person.clone();
    let from = MemberKey::from(address.clone());
    let members = input.observed.members.range(from..);
    members.take_while(move |(key, _)| key.person == address).map(|(_, member)| member)
}

/// An active place of a person elsewhere in the account.
fn place<'a>(input: &Input<'a>, person: &MemberKey) -> Option<&'a ObservedMember> {
    places(input, person).find(|member| member.state == MemberState::Active)
}

/// Nobody becomes an owner who is not a member; no invitation gives the role.
fn not_a_member(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    record: &mut PersonRecord,
) {
    let row = draft.input.observed.invitations.get(person);
    let pending = row.filter(|row| row.state == InvitationState::Pending);
    let mut outlook = Outlook::new(if pending.is_some() { State::Pending } else { State::Planned });
    outlook.rule = Some(Rule::NotMemberYet);
    if let Some(row) = pending {
        outlook.role_seen = row.role.known().cloned();
        outlook.role_differs = outlook.role_seen.as_ref() != Some(&wanted.role);
        (outlook.sent_at, outlook.expires_at) = (Some(row.created_at), Some(row.expires_at));
        record.seen = Seen::Invited;
    }
    if matches!(record.ownership, Ownership::Asked | Ownership::Held) {
        record.ownership = Ownership::Over;
    }
    draft.people.insert(person.clone(), outlook);
}

/// A change that waits: adopted, whoever asked for it.
fn waits(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    row: &ObservedOwnershipChange,
    record: &mut PersonRecord,
) {
    record.ownership = Ownership::Asked;
    record.epoch = record.epoch.max(wanted.invite_epoch);
    record.mails.heed(wanted.words());
    draft.timers.insert(row.expires_at);
    let Some(outlook) = draft.people.get_mut(person) else { return };
    (outlook.sent_at, outlook.expires_at) = (Some(row.created_at), Some(row.expires_at));
    match row.state {
        OwnershipState::Unaccepted => outlook.state = State::AwaitingAcceptance,
        OwnershipState::Unconfirmed | OwnershipState::Done | OwnershipState::Ended => {
            outlook.state = State::AwaitingConfirmation;
        }
        OwnershipState::Unknown => outlook.rule = Some(Rule::NotUnderstood),
    }
}

/// Wants the present owner to be asked, once for each time that a person decided it.
fn ask(
    draft: &mut Draft<'_>,
    (person, wanted): (&MemberKey, &DesiredMember),
    place: &ObservedMember,
    last: Option<&ObservedOwnershipChange>,
    record: &mut PersonRecord,
) {
    let input = draft.input;
    let open = input.ledger.open_sends.get(person).filter(|send| send.for_owner);
    let said = says_again(wanted.words(), &record.mails, open.map(|send| send.cause));
    let decided = said || wanted.invite_epoch > record.epoch;
    if let Some(send) = open {
        if input.now < send.not_after {
            return repeat(draft, person, &place.id, send);
        }
        if !said && wanted.invite_epoch <= send.cause.epoch {
            draft.people.insert(person.clone(), Outlook::new(State::InDoubt));
            return;
        }
    }
    // Where the ledger is new, the service says whether we asked before.
    let is_ours = |row: &&ObservedOwnershipChange| {
        row.state == OwnershipState::Ended
            && input.observed.evidence.actor.as_ref().is_none_or(|us| *us == row.requested_by)
    };
    let asked_before =
        !input.ledger.people.contains_key(person) && last.is_some_and(|r| is_ours(&r));
    if asked_before || matches!(record.ownership, Ownership::Asked | Ownership::Held) {
        record.ownership = Ownership::Over;
    }
    let is_over = record.ownership == Ownership::Over && !decided;
    let why = if decided { Why::Decision } else { Why::First };
    let action = Action::ChangeOwner {
        person: person.clone(),
        member: place.id.clone(),
        role: wanted.role.clone(),
        cause: cause(input, person, wanted, record, why),
        key: None,
    };
    if is_over {
        draft.hold_back(action, Rule::OwnerChangeEnded);
    } else {
        draft.becoming.push(Candidate { order: (true, record.first_seen, person.clone()), action });
    }
}

/// Asks again what may have been asked, under the same key.
fn repeat(draft: &mut Draft<'_>, person: &MemberKey, member: &MemberId, send: &OpenSend) {
    draft.people.insert(person.clone(), Outlook::new(State::Sending));
    let action = Action::ChangeOwner {
        person: person.clone(),
        member: member.clone(),
        role: send.role.clone(),
        cause: send.cause,
        key: Some(send.key.clone()),
    };
    draft.becoming.push(Candidate { order: (false, draft.input.now, person.clone()), action });
}

/// Withdraws changes of ours that wait and that nobody declares any more, before anything else is
/// done with the person.
pub(super) fn withdraw(draft: &mut Draft<'_>) {
    let Input { desired, ledger, observed, profile, .. } = *draft.input;
    let Some(rows) = &observed.ownership_changes else { return };
    for (person, known) in &ledger.people {
        let declared = desired.people.get(person);
        let wanted = declared.is_some_and(|wanted| profile.changes_owner(&wanted.role));
        if known.ownership != Ownership::Asked || wanted || desired.is_frozen(person) {
            continue;
        }
        let waits = |row: &&ObservedOwnershipChange| {
            let mut places = places(draft.input, person);
            row.state.is_open() && places.any(|place| place.id == row.member)
        };
        match rows.iter().find(waits) {
            Some(row) => cancel(draft, person, row),
            None => {
                let record = draft.records.entry(person.clone()).or_insert_with(|| known.clone());
                record.ownership = Ownership::None;
            }
        }
    }
}

fn cancel(draft: &mut Draft<'_>, person: &MemberKey, row: &ObservedOwnershipChange) {
    let mut later = Vec::new();
    for waiting in
        [&mut draft.endings, &mut draft.unsettled, &mut draft.changes, &mut draft.trimmed]
    {
        later.extend(waiting.extract_if(.., |action| action.person() == person));
    }
    later.into_iter().for_each(|action| draft.hold_back(action, Rule::OwnerChangeFirst));
    draft.people.entry(person.clone()).or_insert_with(|| Outlook::new(State::Removing));
    let change = OwnerChangeRow { id: row.id.clone(), etag: row.etag.clone() };
    let action = Action::CancelOwnerChange { person: person.clone(), change };
    if row.state == OwnershipState::Unknown {
        draft.hold_back(action, Rule::NotUnderstood);
    } else if draft.allows(Mode::Manage) {
        draft.act(action);
    } else {
        draft.hold_back(action, Rule::InviteOnly);
    }
}

/// Asks for one change of owner, if none waits.
pub(super) fn admit(draft: &mut Draft<'_>) {
    let mut candidates = std::mem::take(&mut draft.becoming);
    candidates.sort_by(|a, b| a.order.cmp(&b.order));
    let rows = draft.input.observed.ownership_changes.iter().flatten();
    let mut busy = rows.into_iter().any(|row| row.state.is_open());
    for Candidate { action, .. } in candidates {
        match obstacle(draft, &action, busy) {
            None => {
                busy = true;
                draft.act(action);
            }
            Some((rule, until)) => {
                draft.timers.extend(until);
                draft.hold_back(action, rule);
            }
        }
    }
}

/// Why the owner is not asked now, and until when.
fn obstacle(draft: &Draft<'_>, action: &Action, busy: bool) -> Option<(Rule, Option<Timestamp>)> {
    let Action::ChangeOwner { person, role, cause, key, .. } = action else { return None };
    let seen = draft.people.get(person).and_then(|outlook| outlook.role_seen.clone());
    let (left, next_mail) = seats::mails_left(draft.input);
    let record = draft.records.get(person);
    let capped = record
        .and_then(|record| mails::waits(&record.mails, *cause, key.is_some(), draft.input.now));
    if let Some(rule) = closed(draft.input, person) {
        Some((rule, None))
    } else if mails::are_unsafe(draft.input.policy) {
        Some((Rule::UnsafeMail, None))
    } else if !may_touch(draft, role) || seen.is_some_and(|role| !may_touch(draft, &role)) {
        Some((Rule::ProtectedRole, None))
    } else if !draft.allows(Mode::Manage) {
        Some((Rule::InviteOnly, None))
    } else if is_full(draft.input, role) {
        Some((Rule::OwnerGuard, None))
    } else if busy && key.is_none() {
        Some((Rule::OwnerChangeWaits, None))
    } else if let Some((until, rule)) = capped {
        Some((rule, Some(until)))
    } else if key.is_none() && left == Some(0) {
        Some((Rule::MailBudget, next_mail))
    } else {
        None
    }
}

/// True if the role takes no holder more; one that moves on always does.
fn is_full(input: &Input<'_>, role: &RoleName) -> bool {
    let Some(rule) = input.profile.role(role) else { return true };
    let adds = rule.ownership_change == Some(OwnershipChange::Add);
    let count = holders(input).get(role).copied().unwrap_or(0);
    adds && rule.max_holders.is_some_and(|most| count >= most)
}
