//! The seat ledger: who counts, what is free, who is trimmed, who comes back, who waits.
//!
//! No action of ours makes more people than seats, at any prefix of the plan (OP-03).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::capability::Capability;
use crate::domain::identity::MemberKey;
use crate::domain::observed::{InvitationState, MemberState, SeatLimit};
use crate::domain::policy::{Mode, OnSeatShortage};
use crate::plan::action::{Action, EndCause};
use crate::plan::draft::{Draft, Reserved, member_row, revoke};
use crate::plan::mails;
use crate::plan::pools::{PoolKey, closed};
use crate::plan::{Input, Rule, Shortage, State};
use crate::profile::{Counted, KnownUser, OnShrink};

/// Length of the window of `invitationsPerHour`.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Positions up to this one are exact.
const EXACT: u32 = 10;

/// Who is trimmed now: pending invitations, newest first, then members, latest-added first, whatever
/// their role; never owners, people in `neverTrim` or people that are not ours (NP-14, OP-04, X16). Empty where
/// `onSeatShortage` is `Hold` or the product does not trim; who will be hit is then announced.
pub(super) fn trims(draft: &mut Draft<'_>) -> Vec<Action> {
    lower_owners(draft);
    let trims_now = draft.input.profile.seats.on_shrink == OnShrink::TrimLatestAdded
        && draft.input.policy.on_seat_shortage == OnSeatShortage::Trim
        && draft.allows(Mode::Manage);
    if !trims_now {
        return Vec::new();
    }
    let mut hit = over_limit(draft, Whose::Ours);
    if draft.input.policy.missing.contains(&Capability::TrimmedState) {
        hit.retain(|action| {
            let trims = matches!(action, Action::Trim { .. });
            if trims {
                draft.hold_back(action.clone(), Rule::NoTrimmedState);
            }
            !trims
        });
    }
    let people: BTreeSet<_> = hit.iter().map(Action::person).collect();
    for action in std::mem::take(&mut draft.endings) {
        // What is left here of who is trimmed is a lower role: it waits for the seat.
        if people.contains(action.person()) {
            draft.hold_back(action, Rule::SeatLimit);
        } else {
            draft.endings.push(action);
        }
    }
    hit
}

/// Holds back lower roles that take a seat which is not free: an owner who becomes a member where
/// owners take none.
fn lower_owners(draft: &mut Draft<'_>) {
    let mut reserved = Reserved::default();
    for action in std::mem::take(&mut draft.endings) {
        let takes = draft.seats_of(&action) > 0;
        if takes && !draft.has_seat(&action, &reserved) {
            draft.hold_back(action, Rule::SeatLimit);
        } else {
            reserved.add(draft.pool_of(action.person()), u32::from(takes));
            draft.endings.push(action);
        }
    }
}

/// Whom a shortage can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Us: only people that are ours and whose row we understand.
    Ours,
    /// The service: everyone but owners.
    Anyone,
}

/// People over the limit once the wanted endings have run, in the order in which they are hit.
fn over_limit(draft: &Draft<'_>, whose: Whose) -> Vec<Action> {
    let SeatLimit::Seats(limit) = draft.input.observed.account.seats.limit else {
        return Vec::new();
    };
    let freed: i64 = waiting_ends(draft).map(|action| draft.seats_of(action)).sum();
    let mut over = i64::from(draft.pools.used(&None)) + freed - i64::from(limit);
    let mut hit = Vec::new();
    for action in trimmable(draft, whose) {
        if over <= 0 {
            break;
        }
        over += draft.seats_of(&action);
        hit.push(action);
    }
    hit
}

/// Ends that are wanted and not yet among the actions: those that no guard has stopped so far, and
/// those that only wait for their settling time.
fn waiting_ends<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = &'a Action> {
    let settling = draft.held.iter().filter(|held| held.rule == Rule::Settling);
    let wanted = draft.endings.iter().chain(&draft.unsettled);
    wanted.chain(settling.map(|held| &held.action)).filter(|action| ends(action))
}

/// True if the person has nothing left afterwards, or is trimmed.
fn ends(action: &Action) -> bool {
    matches!(action, Action::RevokeInvitation { .. } | Action::Remove { .. } | Action::Trim { .. })
}

/// Everyone that can be trimmed, in order.
fn trimmable(draft: &Draft<'_>, whose: Whose) -> Vec<Action> {
    let (observed, profile) = (draft.input.observed, draft.input.profile);
    let acted = draft.actions.iter().filter(|action| ends(action));
    let ending: BTreeSet<_> = waiting_ends(draft).chain(acted).map(Action::person).collect();
    let can = |person: &MemberKey, understood: bool| {
        let owned = draft.records.get(person).is_some_and(|record| record.owned);
        let spared = draft.input.policy.never_trim.contains(&person.person);
        !ending.contains(person) && (whose == Whose::Anyone || (owned && understood && !spared))
    };
    let mut pending: Vec<_> = observed
        .invitations
        .iter()
        .filter(|(person, row)| can(person, row.role.known().is_some()))
        .filter(|(person, _)| !observed.members.contains_key(*person))
        .filter(|(_, invitation)| invitation.state == InvitationState::Pending)
        .filter(|_| profile.counts(Counted::Pending))
        .collect();
    pending.sort_by_key(|(_, invitation)| Reverse((invitation.created_at, invitation.id.clone())));
    let mut members: Vec<_> = observed
        .members
        .iter()
        .filter(|(person, row)| can(person, row.role.known().is_some()))
        .filter(|(_, member)| member.state == MemberState::Active)
        .filter(|(_, member)| member.role.known().is_none_or(|role| !profile.is_owner(role)))
        .filter(|(_, row)| {
            whose == Whose::Anyone || observed.account.caller.as_ref() != Some(&row.id)
        })
        .filter(|_| profile.counts(Counted::Active))
        .collect();
    members.sort_by_key(|(_, member)| Reverse((member.added_at, member.id.clone())));
    let revoked =
        pending.into_iter().map(|(person, row)| revoke(person, row, EndCause::SeatShortage));
    let trimmed = members
        .into_iter()
        .map(|(person, row)| Action::Trim { person: person.clone(), member: member_row(row) });
    revoked.chain(trimmed).collect()
}

/// Lets people in: role changes, then the trimmed in the order in which they were added, then new
/// people in the order of the queue, while seats and mails last.
pub(super) fn admit(draft: &mut Draft<'_>) {
    announce(draft);
    let trimmed: BTreeSet<_> = draft.actions.iter().map(|a| a.person().clone()).collect();
    for action in std::mem::take(&mut draft.changes) {
        if let Some(rule) = closed(draft.input, action.person()) {
            draft.hold_back(action, rule);
        } else if trimmed.contains(action.person())
            || (draft.seats_of(&action) > 0 && !draft.has_seat(&action, &Reserved::default()))
        {
            draft.hold_back(action, Rule::SeatLimit);
        } else {
            draft.act(action);
        }
    }
    let waiting = reinstate(draft);
    invite(draft, waiting);
}

/// Says who the service will hit where we leave the choice to people.
fn announce(draft: &mut Draft<'_>) {
    let seats = &draft.input.observed.account.seats;
    let trims = draft.input.profile.seats.on_shrink == OnShrink::TrimLatestAdded;
    if !trims || seats.limit.allows(draft.pools.used(&None)) {
        return;
    }
    let hit = over_limit(draft, Whose::Anyone);
    let people: Vec<_> = hit.iter().map(|action| action.person().clone()).collect();
    if !people.is_empty() {
        draft.shortage = Some(Shortage { people, enforce_at: seats.enforce_at });
    }
}

/// Brings the trimmed back, earliest added first; returns how many still wait, whoever they are.
///
/// A trimmed member that is not ours to bring back keeps its place and its seat (the service
/// brings it back); one whose end is wanted keeps neither.
fn reinstate(draft: &mut Draft<'_>) -> Reserved {
    let ours = std::mem::take(&mut draft.trimmed);
    let mut ours: BTreeMap<_, _> = ours.into_iter().map(|a| (a.person().clone(), a)).collect();
    let (mut reserved, mut waiting) = (Reserved::default(), Reserved::default());
    for (person, ends) in trimmed_in_order(draft) {
        let pool = draft.pool_of(&person);
        let closed = closed(draft.input, &person).or_else(|| changing(draft, &pool));
        match (ours.remove(&person), closed) {
            (Some(action), Some(rule)) => draft.hold_back(action, rule),
            (Some(action), None) if draft.has_seat(&action, &reserved) => {
                draft.act(action);
                continue;
            }
            (Some(action), None) => draft.hold_back(action, Rule::SeatLimit),
            (None, _) => {
                reserved.add(pool.clone(), u32::from(!ends));
            }
        }
        waiting.add(pool, 1);
    }
    waiting
}

/// Nobody is let into a pool while a team is linked to it, or from it.
fn changing(draft: &Draft<'_>, pool: &PoolKey) -> Option<Rule> {
    draft.changing.contains(pool).then_some(Rule::TeamChanging)
}

/// Trimmed members that this plan leaves there, earliest added first, and whether their end is
/// wanted.
fn trimmed_in_order(draft: &Draft<'_>) -> Vec<(MemberKey, bool)> {
    let gone: BTreeSet<_> = draft.actions.iter().map(Action::person).collect();
    let held = draft.held.iter().map(|held| &held.action).filter(|action| ends(action));
    let ending: BTreeSet<_> = held.map(Action::person).collect();
    let mut trimmed: Vec<_> = draft
        .input
        .observed
        .members
        .iter()
        .filter(|(person, row)| row.state == MemberState::Trimmed && !gone.contains(person))
        .collect();
    trimmed.sort_by_key(|(_, row)| (row.added_at, &row.id));
    trimmed.into_iter().map(|(person, _)| (person.clone(), ending.contains(person))).collect()
}

/// Sends from the queue; who does not fit gets a position behind the trimmed. Who had as many mails
/// as one person gets keeps no seat from others meanwhile.
fn invite(draft: &mut Draft<'_>, mut ahead: Reserved) {
    let mut candidates = std::mem::take(&mut draft.candidates);
    candidates.sort();
    let busy: BTreeSet<_> = draft.actions.iter().map(|a| a.person().clone()).collect();
    let (mut mails, next_mail) = mails_left(draft.input);
    let new = |action: &&Action| matches!(action.invitation_mail(), Some((_, None)));
    let begun = u32::try_from(draft.actions.iter().filter(new).count()).unwrap_or(u32::MAX);
    mails = mails.map(|left| left.saturating_sub(begun));
    // Seats of people that wait for nothing but their mail.
    let mut reserved = Reserved::default();
    let mut invited = invited(draft);
    let not_withdrawn = draft.names.not_withdrawn(&draft.actions);
    for candidate in candidates {
        let known = draft.is_known(&candidate.person.person);
        let action = candidate.into_action(known);
        let pool = draft.pool_of(action.person());
        let takes_seat = draft.seats_of(&action) > 0;
        let free = !matches!(action.invitation_mail(), Some((_, None)));
        let capped = waiting_mail(draft, &action);
        if let Some(rule) = closed(draft.input, action.person()) {
            draft.hold_back(action, rule);
        } else if let Some(rule) = changing(draft, &pool).filter(|_| takes_seat) {
            draft.hold_back(action, rule);
        } else if busy.contains(action.person()) {
            draft.hold_back(action, Rule::SeatLimit);
        } else if not_withdrawn.contains(action.person()) {
            draft.hold_back(action, Rule::EarlierFirst);
        } else if is_elsewhere(&invited, &action) {
            draft.hold_back(action, Rule::InvitedElsewhere);
        } else if action.invitation_mail().is_some() && mails::are_unsafe(draft.input.policy) {
            draft.hold_back(action, Rule::UnsafeMail);
        } else if let Some((until, rule)) = capped {
            cap(draft, action, until, rule);
        } else if takes_seat && (ahead.of(&pool) > 0 || !draft.has_seat(&action, &reserved)) {
            let position = ahead.add(pool, 1);
            queue(draft, action, position);
        } else if !free && mails == Some(0) {
            reserved.add(pool, u32::from(takes_seat));
            draft.timers.extend(next_mail);
            draft.hold_back(action, Rule::MailBudget);
        } else {
            if !free {
                mails = mails.map(|left| left - 1);
            }
            if matches!(action, Action::Invite { .. }) && adds_at_once(draft) {
                invited.insert(action.person().clone());
            }
            draft.act(action);
        }
    }
}

/// True if who is in the account is added to a further team at once: one invitation is enough.
fn adds_at_once(draft: &Draft<'_>) -> bool {
    draft.input.profile.invitations.known_user == KnownUser::AddAtOnce
}

/// Where people have an invitation that waits, if one is enough.
fn invited(draft: &Draft<'_>) -> BTreeSet<MemberKey> {
    if !adds_at_once(draft) {
        return BTreeSet::new();
    }
    let rows = draft.input.observed.invitations.iter();
    let pending = rows.filter(|(_, row)| row.state == InvitationState::Pending);
    let open = draft.input.ledger.open_sends.keys();
    pending.map(|(key, _)| key).chain(open).cloned().collect()
}

/// True if a new invitation would be the person's second.
fn is_elsewhere(invited: &BTreeSet<MemberKey>, action: &Action) -> bool {
    let Action::Invite { person, key: None, .. } = action else { return false };
    let from = MemberKey::from(person.person.clone());
    let same = invited.range(from..).take_while(|key| key.person == person.person);
    same.into_iter().any(|key| key != person)
}

/// When one person's mails let a send go, and which rule holds it until then; `None`: now.
fn waiting_mail(draft: &Draft<'_>, action: &Action) -> Option<(Timestamp, Rule)> {
    let (cause, key) = action.invitation_mail()?;
    let record = draft.records.get(action.person())?;
    mails::waits(&record.mails, cause, key.is_some(), draft.input.now)
}

/// Holds a send back until it may go.
fn cap(draft: &mut Draft<'_>, action: Action, until: Timestamp, rule: Rule) {
    draft.timers.insert(until);
    if let Some(outlook) = draft.people.get_mut(action.person()) {
        outlook.next_action_at = Some(until);
    }
    draft.hold_back(action, rule);
}

/// Puts a person in the queue. Positions are exact to ten, then by tens, so that one freed seat
/// does not rewrite every status.
fn queue(draft: &mut Draft<'_>, action: Action, position: u32) {
    draft.queued += 1;
    let shown = if position <= EXACT { position } else { position.div_ceil(10) * 10 };
    if let Some(outlook) = draft.people.get_mut(action.person()) {
        outlook.position = Some(shown);
        if outlook.state == State::Planned {
            outlook.state = State::Queued;
        }
    }
    draft.hold_back(action, Rule::SeatLimit);
}

/// Mails left of this hour (`None`: no limit), and when the first of those sent comes back.
pub(super) fn mails_left(input: &Input<'_>) -> (Option<u32>, Option<Timestamp>) {
    let ends = |at: Timestamp| at.saturating_add(HOUR).unwrap_or(Timestamp::MAX);
    let spent = input.ledger.mails_sent.iter().filter(|spend| ends(spend.at) > input.now);
    let used = spent.clone().fold(0_u32, |used, spend| used.saturating_add(spend.count));
    let limit = input.policy.invitations_per_hour;
    (limit.map(|limit| limit.saturating_sub(used)), spent.map(|spend| ends(spend.at)).min())
}
