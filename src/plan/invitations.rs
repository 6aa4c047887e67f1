//! The invitation state machine: what becomes of someone who is declared and not a member.

use crate::domain::desired::DesiredMember;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::RoleName;
use crate::domain::ledger_view::{OpenSend, Paid, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, ObservedInvitation};
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::draft::{Candidate, Draft, invitation_row};
use crate::plan::members::{may_give, may_touch};
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
    // The ledger has dropped the sends that this look answers: a row that is over is an older one.
    let open = draft.input.ledger.open_sends.get(person);
    if let Some(send) = open.filter(|send| state != State::Pending && repeatable(draft, send)) {
        return repeat(draft, person, send);
    }
    remember(record, state);
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
    if state != State::Pending {
        if again {
            candidate(draft, person, wanted, record);
        }
        return;
    }
    record.epoch = record.epoch.max(wanted.invite_epoch);
    let Some(from) = role_seen else { return };
    if !may_touch(draft, &from) {
        record.owned = draft.input.ledger.people.get(person).is_some_and(|known| known.owned);
    }
    if understood && from != wanted.role {
        change_role(draft, person, invitation, from, &wanted.role);
    }
}

/// Remembers where an invitation stands: once its row is gone, one that was declined, that nobody
/// took in time or that could not be delivered must not look like one that was never sent.
fn remember(record: &mut PersonRecord, state: State) {
    match state {
        State::Pending => {
            (record.seen, record.opted_out, record.lost) = (Seen::Invited, false, false);
        }
        State::OptedOut => (record.seen, record.opted_out) = (Seen::Never, true),
        _ => (record.seen, record.lost) = (Seen::Never, true),
    }
}

/// Wants another role for someone whose invitation waits.
fn change_role(
    draft: &mut Draft<'_>,
    person: &EmailAddress,
    invitation: &ObservedInvitation,
    from: RoleName,
    to: &RoleName,
) {
    let touchable = may_touch(draft, &from) && may_give(draft, to);
    let invitation = invitation_row(invitation);
    let action =
        Action::ChangeInvitedRole { person: person.clone(), invitation, from, to: to.clone() };
    if !touchable {
        draft.hold_back(action, Rule::ProtectedRole);
    } else if draft.allows(Mode::Manage) {
        draft.changes.push(action);
    } else {
        draft.hold_back(action, Rule::InviteOnly);
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
        if repeatable(draft, send) {
            return repeat(draft, person, send);
        }
        // A new epoch is a person's word that the doubtful one is settled.
        if wanted.invite_epoch <= send.epoch {
            draft.people.insert(person.clone(), Outlook::new(State::InDoubt));
            return;
        }
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

/// True while the backend must still know the key.
fn repeatable(draft: &Draft<'_>, send: &OpenSend) -> bool {
    draft.input.now < send.not_after
}

/// Sends again what may have been sent, under the same key.
fn repeat(draft: &mut Draft<'_>, person: &EmailAddress, send: &OpenSend) {
    draft.people.insert(person.clone(), Outlook::new(State::Sending));
    if !may_give(draft, &send.role) {
        let (person, role, key) = (person.clone(), send.role.clone(), Some(send.key.clone()));
        let action = Action::Invite { person, role, epoch: send.epoch, key };
        return draft.hold_back(action, Rule::ProtectedRole);
    }
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
    if !may_give(draft, &wanted.role) {
        let (person, role, epoch) = (person.clone(), wanted.role.clone(), wanted.invite_epoch);
        let action = Action::Invite { person, role, epoch, key: None };
        return draft.hold_back(action, Rule::ProtectedRole);
    }
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
