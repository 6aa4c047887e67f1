//! What the service in memory refuses, by the profile's rules and the versions of rows.

use crate::backend::BackendError;
use crate::domain::identity::MemberKey;
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::RoleName;
use crate::domain::observed::{
    InvitationState, MemberState, Observed, ObservedInvitation, ObservedMember,
};
use crate::plan::action::{Action, InvitationRow, MemberRow, OwnerChangeRow};
use crate::profile::{Counted, OnShrink, Profile, Role};

/// Refuses `action` as the service would, or finds that it is done already.
pub(super) fn check(
    profile: &Profile,
    observed: &Observed,
    action: &Action,
) -> Result<Todo, BackendError> {
    match action {
        Action::RevokeInvitation { person, invitation, .. } => {
            match row_of_invitation(observed, person, invitation) {
                Ok(_) => Ok(Todo::Do),
                Err(Missing::Gone) => Ok(Todo::Done),
                Err(Missing::Stale) => Err(changed("stale")),
            }
        }
        Action::Remove { person, member, .. } => match row_of_member(observed, person, member) {
            Ok(row) => {
                can(profile, row.role.known(), |role| role.removable)?;
                keeps_holders(profile, observed, row, None).map(|()| Todo::Do)
            }
            Err(Missing::Gone) => Ok(Todo::Done),
            Err(Missing::Stale) => Err(changed("stale")),
        },
        Action::Trim { person, member } => {
            let row = row_of_member(observed, person, member).map_err(Missing::error)?;
            if profile.seats.on_shrink == OnShrink::Keep {
                return Err(rejected("trim-not-offered"));
            }
            in_state(row, MemberState::Active)?;
            keeps_holders(profile, observed, row, None).map(|()| Todo::Do)
        }
        Action::Reinstate { person, member } => {
            let row = row_of_member(observed, person, member).map_err(Missing::error)?;
            in_state(row, MemberState::Trimmed)?;
            fits(profile, observed, Counted::Active).map(|()| Todo::Do)
        }
        Action::ChangeRole { person, member, to, .. } => {
            let row = row_of_member(observed, person, member).map_err(Missing::error)?;
            can(profile, row.role.known(), |role| !role.immutable)?;
            can(profile, Some(to), |role| !role.immutable)?;
            keeps_holders(profile, observed, row, Some(to)).map(|()| Todo::Do)
        }
        Action::ChangeInvitedRole { person, invitation, to, .. } => {
            let row = row_of_invitation(observed, person, invitation);
            if row.map_err(Missing::error)?.state != InvitationState::Pending {
                return Err(changed("invitation-state"));
            }
            invitable(profile, to).map(|()| Todo::Do)
        }
        Action::CancelOwnerChange { change, .. } => may_cancel(observed, change),
        Action::ChangeOwner { .. } => may_ask_owner(observed),
        Action::Resend { person, invitation, .. } => {
            let row = row_of_invitation(observed, person, invitation).map_err(Missing::error)?;
            may_resend(profile, observed, person, row)
        }
        Action::Add { person, .. } if observed.members.contains_key(person) => {
            Err(changed("already-member"))
        }
        Action::Add { .. } => fits(profile, observed, Counted::Active).map(|()| Todo::Do),
        Action::Approve { person, request, .. } => may_approve(profile, observed, person, request),
        Action::Invite { person, role, .. } => may_invite(profile, observed, person, role),
    }
}

fn may_cancel(observed: &Observed, change: &OwnerChangeRow) -> Result<Todo, BackendError> {
    let mut rows = observed.ownership_changes.iter().flatten();
    let row = rows.find(|row| row.id == change.id).ok_or(Missing::Gone.error())?;
    if row.etag != change.etag {
        Err(changed("stale"))
    } else if row.state.is_open() {
        Ok(Todo::Do)
    } else {
        Err(changed("row-state"))
    }
}

/// A request that is open, of somebody who is neither a member nor invited.
fn may_approve(
    profile: &Profile,
    observed: &Observed,
    person: &MemberKey,
    request: &ObservedJoinRequest,
) -> Result<Todo, BackendError> {
    let rows = observed.joining.requests.as_ref();
    let row = rows.and_then(|rows| rows.get(&person.person));
    let row = row.filter(|row| row.id == request.id).ok_or(changed("row-state"))?;
    if row.etag != request.etag {
        return Err(changed("stale"));
    }
    if observed.account.disabled {
        return Err(rejected("service-disabled"));
    }
    let waits = |row: &ObservedInvitation| row.state == InvitationState::Pending;
    if observed.invitations.get(person).is_some_and(waits) {
        return Err(changed("invitation-already-pending"));
    }
    fits(profile, observed, Counted::Active).map(|()| Todo::Do)
}

/// One change of owner at a time.
fn may_ask_owner(observed: &Observed) -> Result<Todo, BackendError> {
    let mut rows = observed.ownership_changes.iter().flatten();
    let waits = rows.any(|row| row.state.is_open());
    if waits { Err(changed("ownership-change-pending")) } else { Ok(Todo::Do) }
}

fn may_invite(
    profile: &Profile,
    observed: &Observed,
    person: &MemberKey,
    role: &RoleName,
) -> Result<Todo, BackendError> {
    if observed.account.disabled {
        return Err(rejected("service-disabled"));
    }
    invitable(profile, role)?;
    if observed.members.contains_key(person) {
        return Err(changed("already-member"));
    }
    let there = observed.invitations.get(person).map(|invitation| invitation.state);
    if there == Some(InvitationState::Pending) {
        return Err(changed("invitation-already-pending"));
    }
    if observed.account.seats.trimmed > 0 {
        return Err(rejected("trimmed-members-wait"));
    }
    fits(profile, observed, Counted::Pending).map(|()| Todo::Do)
}

/// One that waits keeps its seat; one that nobody took, or that came back, takes it again.
fn may_resend(
    profile: &Profile,
    observed: &Observed,
    person: &MemberKey,
    row: &ObservedInvitation,
) -> Result<Todo, BackendError> {
    if observed.account.disabled {
        return Err(rejected("service-disabled"));
    }
    if let Some(role) = row.role.known() {
        invitable(profile, role)?;
    }
    match row.state {
        InvitationState::Pending => Ok(Todo::Do),
        InvitationState::Declined | InvitationState::Unknown => Err(changed("invitation-state")),
        InvitationState::Expired | InvitationState::Failed => {
            if observed.members.contains_key(person) {
                return Err(changed("already-member"));
            }
            if observed.account.seats.trimmed > 0 {
                return Err(rejected("trimmed-members-wait"));
            }
            fits(profile, observed, Counted::Pending).map(|()| Todo::Do)
        }
    }
}

fn invitable(profile: &Profile, role: &RoleName) -> Result<(), BackendError> {
    let invitable = profile.role(role).is_some_and(|role| role.invitable);
    if invitable { Ok(()) } else { Err(rejected("role-not-invitable")) }
}

/// Refuses what the profile does not let be done with a role.
fn can(
    profile: &Profile,
    role: Option<&RoleName>,
    allowed: impl FnOnce(&Role) -> bool,
) -> Result<(), BackendError> {
    let role = role.and_then(|role| profile.role(role));
    if role.is_none_or(allowed) { Ok(()) } else { Err(rejected("role-fixed")) }
}

fn fits(profile: &Profile, observed: &Observed, counted: Counted) -> Result<(), BackendError> {
    let seats = &observed.account.seats;
    let taken = u32::from(profile.counts(counted));
    if seats.limit.allows(seats.used + taken) {
        Ok(())
    } else {
        Err(rejected("seat-limit-reached"))
    }
}

/// Refuses to take `member` out of a role that would fall below its least number of holders.
fn keeps_holders(
    profile: &Profile,
    observed: &Observed,
    member: &ObservedMember,
    to: Option<&RoleName>,
) -> Result<(), BackendError> {
    let Some(role) = member.role.known().and_then(|role| profile.role(role)) else {
        return Ok(());
    };
    let holds = |member: &&ObservedMember| {
        member.state == MemberState::Active && member.role.known() == Some(&role.name)
    };
    let holders = observed.members.values().filter(holds).count();
    let leaves = holds(&member) && to != Some(&role.name);
    if leaves && holders <= role.min_holders as usize {
        return Err(rejected("role-holders"));
    }
    Ok(())
}

/// What is left to do of an action.
pub(super) enum Todo {
    /// The effect.
    Do,
    /// Nothing: the row is gone.
    Done,
}

/// Why a row is not there as it was seen.
enum Missing {
    Gone,
    Stale,
}

impl Missing {
    fn error(self) -> BackendError {
        match self {
            Self::Gone => changed("not-found"),
            Self::Stale => changed("stale"),
        }
    }
}

fn row_of_member<'a>(
    observed: &'a Observed,
    person: &MemberKey,
    seen: &MemberRow,
) -> Result<&'a ObservedMember, Missing> {
    let row = observed.members.get(person).filter(|row| row.id == seen.id);
    let row = row.ok_or(Missing::Gone)?;
    if row.etag == seen.etag { Ok(row) } else { Err(Missing::Stale) }
}

fn row_of_invitation<'a>(
    observed: &'a Observed,
    person: &MemberKey,
    seen: &InvitationRow,
) -> Result<&'a ObservedInvitation, Missing> {
    let row = observed.invitations.get(person).filter(|row| row.id == seen.id);
    let row = row.ok_or(Missing::Gone)?;
    if row.etag == seen.etag { Ok(row) } else { Err(Missing::Stale) }
}

fn in_state(member: &ObservedMember, state: MemberState) -> Result<(), BackendError> {
    if member.state == state { Ok(()) } else { Err(changed("member-state")) }
}

pub(super) fn changed(code: &str) -> BackendError {
    BackendError::Changed { code: code.to_owned() }
}

pub(super) fn rejected(code: &str) -> BackendError {
    BackendError::Rejected { code: code.to_owned() }
}

pub(super) fn is_post(action: &Action) -> bool {
    match action {
        Action::RevokeInvitation { .. }
        | Action::Trim { .. }
        | Action::CancelOwnerChange { .. }
        | Action::ChangeOwner { .. }
        | Action::Reinstate { .. }
        | Action::Resend { .. }
        | Action::Add { .. }
        | Action::Approve { .. }
        | Action::Invite { .. } => true,
        Action::Remove { .. } | Action::ChangeRole { .. } | Action::ChangeInvitedRole { .. } => {
            false
        }
    }
}

/// True if both are one request on the wire: path and body, not why it is sent.
pub(super) fn same_request(a: &Action, b: &Action) -> bool {
    match (a, b) {
        (
            Action::Invite { person: p, role: r, particulars: c, .. },
            Action::Invite { person: q, role: s, particulars: d, .. },
        ) => p == q && r == s && c == d,
        (Action::Approve { request: q, .. }, Action::Approve { request: r, .. }) => q.id == r.id,
        (Action::ChangeOwner { member: m, .. }, Action::ChangeOwner { member: n, .. }) => m == n,
        (
            Action::CancelOwnerChange { change: c, .. },
            Action::CancelOwnerChange { change: d, .. },
        ) => c.id == d.id,
        (Action::Trim { member: m, .. }, Action::Trim { member: n, .. })
        | (Action::Reinstate { member: m, .. }, Action::Reinstate { member: n, .. }) => {
            m.id == n.id
        }
        (Action::Resend { invitation: i, .. }, Action::Resend { invitation: j, .. })
        | (
            Action::RevokeInvitation { invitation: i, .. },
            Action::RevokeInvitation { invitation: j, .. },
        ) => i.id == j.id,
        _ => false,
    }
}
