//! The invitation state machine: what becomes of someone who is declared and not a member.

use std::cmp::Reverse;

use crate::domain::desired::DesiredMember;
use crate::domain::identity::MemberKey;
use crate::domain::keys::RoleName;
use crate::domain::ledger_view::{OpenSend, Paid, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, ObservedInvitation};
use crate::domain::particulars::Particulars;
use crate::domain::policy::{Mode, OnLost};
use crate::plan::action::{Action, InvitationRow};
use crate::plan::draft::{Candidate, Draft, Turn, invitation_row};
use crate::plan::mails::{Why, cause, renewal_at, says_again};
use crate::plan::members::{may_give, may_touch};
use crate::plan::{Outlook, Rule, State, joining};

/// Places a declared person with an invitation.
pub(super) fn invited(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    invitation: &ObservedInvitation,
    record: &mut PersonRecord,
) {
    let open = draft.input.ledger.open_sends.get(person);
    let said = says_again(wanted.words(), &record.mails, open.map(|send| send.cause));
    let epoch = wanted.invite_epoch > record.epoch;
    let waits = invitation.state.waits();
    // The ledger has dropped the sends that this look answers: a row that is over is an older one,
    // or the one that was to be sent again.
    if let Some(send) = open.filter(|send| !waits || send.resend.is_some()) {
        if repeatable(draft, send) {
            return repeat(draft, (person, wanted), send, Some(invitation));
        }
        if !said && wanted.invite_epoch <= send.cause.epoch {
            draft.people.insert(person.clone(), Outlook::new(State::InDoubt));
            return;
        }
    }
    // Only an older row is left: what was sent since it expired is gone, for a cause that we do
    // not know.
    if invitation.state == InvitationState::Expired
        && record.seen == Seen::Invited
        && record.mails.last().is_some_and(|last| last >= invitation.expires_at)
    {
        return absent(draft, person, wanted, record);
    }
    if !waits && was_member(record) {
        record.opted_out = true;
    }
    let state = match invitation.state {
        InvitationState::Pending | InvitationState::Unknown => State::Pending,
        InvitationState::Declined => State::OptedOut,
        // Whatever older row is left of someone who said no.
        _ if record.opted_out => State::OptedOut,
        InvitationState::Expired => State::Expired,
        InvitationState::Failed => State::Failed,
    };
    match invitation.state {
        // Not understood: what was said before stands.
        InvitationState::Unknown => record.seen = Seen::Invited,
        _ => remember(record, state),
    }
    let understood = show(draft, person, wanted, invitation, state);
    match state {
        State::Pending if understood => {
            record.epoch = record.epoch.max(wanted.invite_epoch);
            pending(draft, person, wanted, invitation, (record, said));
        }
        State::Pending => record.epoch = record.epoch.max(wanted.invite_epoch),
        _ if epoch => candidate(draft, person, wanted, (record, Why::Decision)),
        State::OptedOut => record.mails.heed(wanted.words()),
        _ if !understood => {}
        _ if record.parted && !said => hold_parted(draft, person, wanted, record),
        _ if joining::request(draft, person, &wanted.role).is_some() => {
            candidate(draft, person, wanted, (record, Why::First));
        }
        _ if said => send_again(draft, person, wanted, invitation, (record, Why::Decision)),
        State::Expired => expired(draft, person, wanted, invitation, record),
        _ => {}
    }
}

/// True if the person had access, and it was not us who ended it.
pub(super) fn was_member(record: &PersonRecord) -> bool {
    matches!(record.seen, Seen::Member | Seen::Trimmed | Seen::Agency)
        && record.paid != Some(Paid::End)
}

/// Shows an invitation; false if we do not understand its row.
fn show(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    invitation: &ObservedInvitation,
    state: State,
) -> bool {
    let role_seen = invitation.role.known().cloned();
    let mut outlook = Outlook::new(state);
    outlook.role_differs = role_seen.as_ref() != Some(&wanted.role);
    outlook.sent_at = Some(invitation.created_at);
    outlook.expires_at = Some(invitation.expires_at);
    let understood = invitation.state != InvitationState::Unknown && role_seen.is_some();
    outlook.rule = (!understood).then_some(Rule::NotUnderstood);
    outlook.role_seen = role_seen;
    draft.people.insert(person.clone(), outlook);
    understood
}

/// Remembers where an invitation stands: once its row is gone, one that was declined, that nobody
/// took in time or that could not be delivered must not look like one that was never sent.
fn remember(record: &mut PersonRecord, state: State) {
    match state {
        State::Pending => {
            (record.seen, record.opted_out, record.lost) = (Seen::Invited, false, false);
            (record.renamed, record.parted) = (false, false);
            record.mails.given_up = false;
        }
        State::OptedOut => (record.seen, record.opted_out) = (Seen::Never, true),
        _ => {
            (record.seen, record.lost) = (Seen::Never, true);
            record.mails.given_up = state == State::Failed;
        }
    }
}

/// An invitation that waits: another role in its place, or once more to the person if somebody
/// says so. The role first: nobody is to accept the old one because of the mail.
fn pending(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    invitation: &ObservedInvitation,
    (record, said): (&mut PersonRecord, bool),
) {
    let Some(from) = invitation.role.known().cloned() else { return };
    if !may_touch(draft, &from) {
        record.owned = draft.input.ledger.people.get(person).is_some_and(|known| known.owned);
    }
    let changes = from != wanted.role && change_role(draft, person, invitation, from, &wanted.role);
    match (said, changes) {
        // The role first; the mail follows with the next look.
        (true, true) => {}
        (true, false) => send_again(draft, person, wanted, invitation, (record, Why::Decision)),
        (false, _) => {}
    }
}

/// Wants another role for someone whose invitation waits; false if a rule holds it back.
fn change_role(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    invitation: &ObservedInvitation,
    from: RoleName,
    to: &RoleName,
) -> bool {
    let touchable = may_touch(draft, &from) && may_give(draft, to);
    let invitation = invitation_row(invitation);
    let action =
        Action::ChangeInvitedRole { person: person.clone(), invitation, from, to: to.clone() };
    let rule = match (touchable, draft.allows(Mode::Manage)) {
        (false, _) => Rule::ProtectedRole,
        (true, false) => Rule::InviteOnly,
        (true, true) => {
            draft.changes.push(action);
            return true;
        }
    };
    draft.hold_back(action, rule);
    false
}

/// An invitation that nobody took in time is sent again, each time after a longer gap, until its
/// renewals are spent.
fn expired(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    invitation: &ObservedInvitation,
    record: &mut PersonRecord,
) {
    let policy = &draft.input.policy.invitations;
    let due = renewal_at(policy, &record.mails, invitation.expires_at);
    record.mails.given_up = due.is_none();
    match due {
        Some(due) if due <= draft.input.now => {
            send_again(draft, person, wanted, invitation, (record, Why::Renewal));
        }
        Some(due) => {
            draft.timers.insert(due);
            if let Some(outlook) = draft.people.get_mut(person) {
                outlook.next_action_at = Some(due);
            }
        }
        None => {
            if let Some(outlook) = draft.people.get_mut(person) {
                outlook.rule = Some(Rule::RenewalSpent);
            }
        }
    }
}

/// Sends an invitation again, which keeps its date. One that is over and has another role than
/// declared is left: a new one goes out, so that nobody gets the old role by our mail.
fn send_again(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    invitation: &ObservedInvitation,
    (record, why): (&PersonRecord, Why),
) {
    let role =
        invitation.role.known().filter(|role| invitation.state.waits() || **role == wanted.role);
    let Some(role) = role.cloned() else {
        return candidate(draft, person, wanted, (record, why));
    };
    let candidate = Candidate {
        order: (Turn::Resent, Reverse(0), invitation.created_at, None, String::new()),
        person: person.clone(),
        key: None,
        role,
        particulars: Particulars::default(),
        cause: cause(draft.input, person, wanted, record, why),
        resend: Some(invitation_row(invitation)),
        request: None,
    };
    enter(draft, candidate);
}

/// Places a declared person that is neither a member nor invited.
///
/// Accepted is concluded only from "is a member now": a member who is gone left or was removed by
/// someone else, an invitation that is gone is lost; neither is sent again in the same epoch, unless
/// a person or `onLost` says so of what was lost.
pub(super) fn absent(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    record: &mut PersonRecord,
) {
    let own = draft.input.ledger.open_sends.get(person);
    let open = own.or_else(|| draft.names.open_send(draft.input, person));
    let said = says_again(wanted.words(), &record.mails, open.map(|send| send.cause));
    if let Some(send) = open {
        if own.is_none() && repeatable(draft, send) {
            // It may still arrive at the earlier address: no second one meanwhile.
            draft.people.insert(person.clone(), Outlook::new(State::Sending));
            draft.timers.insert(send.not_after);
            return;
        }
        if repeatable(draft, send) {
            return repeat(draft, (person, wanted), send, None);
        }
        // A new epoch or word is a person's answer that the doubtful one is settled.
        if !said && wanted.invite_epoch <= send.cause.epoch {
            draft.people.insert(person.clone(), Outlook::new(State::InDoubt));
            return;
        }
    }
    if was_member(record) {
        record.opted_out = true;
    } else if record.seen == Seen::Invited && record.paid != Some(Paid::End) {
        record.lost = true;
    }
    (record.seen, record.paid) = (Seen::Never, None);
    let epoch = wanted.invite_epoch > record.epoch;
    let by_itself =
        draft.input.policy.invitations.on_lost == OnLost::InviteAgain && !record.mails.given_up;
    let why = match (record.opted_out, record.lost) {
        _ if epoch => Why::Decision,
        (true, _) => {
            record.mails.heed(wanted.words());
            draft.people.insert(person.clone(), Outlook::new(State::OptedOut));
            return;
        }
        _ if said => Why::Decision,
        _ if record.parted => return hold_parted(draft, person, wanted, record),
        _ if record.renamed => Why::Decision,
        (false, false) => Why::First,
        _ if joining::request(draft, person, &wanted.role).is_some() => Why::First,
        (false, true) if by_itself => Why::Lost,
        (false, true) => {
            draft.people.insert(person.clone(), Outlook::new(State::Lost));
            return;
        }
    };
    candidate(draft, person, wanted, (record, why));
}

/// True while the backend must still know the key.
fn repeatable(draft: &Draft<'_>, send: &OpenSend) -> bool {
    draft.input.now < send.not_after
}

/// Sends again what may have been sent, under the same key. An invitation that is not there any
/// more cannot be: it is waited for until the call can no longer arrive.
fn repeat(
    draft: &mut Draft<'_>,
    (person, wanted): (&MemberKey, &DesiredMember),
    send: &OpenSend,
    row: Option<&ObservedInvitation>,
) {
    draft.people.insert(person.clone(), Outlook::new(State::Sending));
    let resend: Option<InvitationRow> = match &send.resend {
        None => None,
        Some((id, _)) => match row.filter(|row| row.id == *id) {
            Some(row) => Some(invitation_row(row)),
            None => {
                draft.timers.insert(send.not_after);
                return;
            }
        },
    };
    let candidate = Candidate {
        order: (Turn::Repeated, Reverse(0), draft.input.now, None, String::new()),
        person: person.clone(),
        key: Some(send.key.clone()),
        role: send.role.clone(),
        particulars: particulars(draft, wanted),
        cause: send.cause,
        resend,
        request: None,
    };
    enter(draft, candidate);
}

/// Puts a person in the queue of those to invite: highest priority first, then oldest declaration.
fn candidate(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    (record, why): (&PersonRecord, Why),
) {
    draft.people.insert(person.clone(), Outlook::new(State::Planned));
    let candidate = new_candidate(draft, person, wanted, (record, why));
    enter(draft, candidate);
}

/// Invites nobody by itself whose earlier address is somebody else's by now: they may be one person.
fn hold_parted(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    record: &PersonRecord,
) {
    draft.people.entry(person.clone()).or_insert_with(|| Outlook::new(State::Planned));
    let candidate = new_candidate(draft, person, wanted, (record, Why::First));
    let known = draft.is_known(&person.person);
    draft.hold_back(candidate.into_action(known), Rule::Parted);
}

fn new_candidate(
    draft: &Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    (record, why): (&PersonRecord, Why),
) -> Candidate {
    let origin = &wanted.origin;
    let name = format!("{}/{}", origin.namespace, origin.name);
    let new = (Turn::New, Reverse(wanted.priority), record.first_seen, origin.position, name);
    // Who is invited already keeps the place, under whatever address.
    let place = draft.names.invited_at(draft.input.observed, person);
    let kept = place.map(|at| (Turn::Resent, Reverse(0), at, None, String::new()));
    Candidate {
        order: kept.unwrap_or(new),
        person: person.clone(),
        key: None,
        role: wanted.role.clone(),
        particulars: particulars(draft, wanted),
        cause: cause(draft.input, person, wanted, record, why),
        resend: None,
        request: joining::request(draft, person, &wanted.role),
    }
}

/// What a new invitation says besides address and role.
fn particulars(draft: &Draft<'_>, wanted: &DesiredMember) -> Particulars {
    Particulars {
        name: wanted.name.clone(),
        message: wanted.message.clone(),
        expires_in: draft.input.policy.invitations.expires_in,
    }
}

/// Puts a candidate in the queue, if declarations may give the role.
fn enter(draft: &mut Draft<'_>, candidate: Candidate) {
    if may_give(draft, &candidate.role) {
        draft.candidates.push(candidate);
    } else {
        let known = draft.is_known(&candidate.person.person);
        draft.hold_back(candidate.into_action(known), Rule::ProtectedRole);
    }
}
