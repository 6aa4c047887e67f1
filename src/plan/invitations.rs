//! The invitation state machine: what becomes of someone who is declared and not a member.

use crate::domain::desired::DesiredMember;
use crate::domain::identity::EmailAddress;
use crate::domain::ledger_view::{OpenSend, Paid, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, ObservedInvitation};
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::draft::{Candidate, Draft, invitation_row};
use crate::plan::{Outlook, Rule, State};

/// Places a declared person with an invitation.
pub(super) fn invited(
    draft: &mut Draft<'_>,
    person: &EmailAddress,
    wanted: &DesiredMember,
    invitation: &ObservedInvitation,
    record: &mut PersonRecord,
) {
    let again = wanted.invite_epoch > record.epoch;
    let state = match invitation.state {
        InvitationState::Pending => State::Pending,
        InvitationState::Declined => State::OptedOut,
        InvitationState::Expired => State::Expired,
        InvitationState::Failed => State::Failed,
        InvitationState::Unknown => State::Pending,
    };
    record.opted_out = state == State::OptedOut;
    record.seen = if state == State::Pending { Seen::Invited } else { Seen::Never };
    let role_seen = invitation.role.known().cloned();
    let mut outlook = Outlook::new(state);
    outlook.role_differs = role_seen.as_ref() != Some(&wanted.role);
    outlook.role_seen = role_seen.clone();
    outlook.sent_at = Some(invitation.created_at);
    outlook.expires_at = Some(invitation.expires_at);
    if invitation.state == InvitationState::Unknown || role_seen.is_none() {
        outlook.rule = Some(Rule::NotUnderstood);
    }
    let understood = outlook.rule.is_none();
    draft.people.insert(person.clone(), outlook);
    match (state, role_seen) {
        (State::Pending, Some(from)) if understood && from != wanted.role => {
            let action = Action::ChangeInvitedRole {
                person: person.clone(),
                invitation: invitation_row(invitation),
                from,
                to: wanted.role.clone(),
            };
            if draft.allows(Mode::Manage) {
                draft.changes.push(action);
            } else {
                draft.hold_back(action, Rule::InviteOnly);
            }
        }
        (State::Pending, _) => record.epoch = record.epoch.max(wanted.invite_epoch),
        _ if again => candidate(draft, person, wanted, record),
        _ => {}
    }
}

/// Places a declared person that is neither a member nor invited.
///
/// Accepted is concluded only from "is a member now": a member who is gone left or was removed by
/// someone else, an invitation that is gone is lost; neither is sent again in the same epoch.
pub(super) fn absent(
    draft: &mut Draft<'_>,
    person: &EmailAddress,
    wanted: &DesiredMember,
    record: &mut PersonRecord,
) {
    if let Some(send) = draft.input.ledger.open_sends.get(person) {
        return repeat(draft, person, send);
    }
    match (record.seen, record.paid) {
        (Seen::Never, _) | (_, Some(Paid::End)) => {}
        (Seen::Member | Seen::Trimmed, _) => record.opted_out = true,
        (Seen::Invited, _) => record.lost = true,
    }
    (record.seen, record.paid) = (Seen::Never, None);
    let again = wanted.invite_epoch > record.epoch;
    let state = match (record.opted_out, record.lost) {
        (true, _) if !again => State::OptedOut,
        (_, true) if !again => State::Lost,
        _ => return candidate(draft, person, wanted, record),
    };
    draft.people.insert(person.clone(), Outlook::new(state));
}

/// A send whose outcome is unknown: the same key again while the backend must still know it.
fn repeat(draft: &mut Draft<'_>, person: &EmailAddress, send: &OpenSend) {
    if draft.input.now >= send.not_after {
        draft.people.insert(person.clone(), Outlook::new(State::InDoubt));
        return;
    }
    draft.people.insert(person.clone(), Outlook::new(State::Sending));
    draft.candidates.push(Candidate {
        order: (false, draft.input.now, None, String::new()),
        person: person.clone(),
        key: Some(send.key.clone()),
        role: send.role.clone(),
        epoch: send.epoch,
    });
}

/// Puts a person in the queue of those to invite: oldest declaration first.
fn candidate(
    draft: &mut Draft<'_>,
    person: &EmailAddress,
    wanted: &DesiredMember,
    record: &PersonRecord,
) {
    draft.people.insert(person.clone(), Outlook::new(State::Planned));
    let origin = &wanted.origin;
    draft.candidates.push(Candidate {
        order: (
            true,
            record.first_seen,
            origin.position,
            format!("{}/{}", origin.namespace, origin.name),
        ),
        person: person.clone(),
        key: None,
        role: wanted.role.clone(),
        epoch: wanted.invite_epoch,
    });
}
