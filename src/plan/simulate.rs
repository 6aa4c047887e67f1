//! What an action means, on values: the one definition. The self-check, the in-memory backend,
//! the report and the tests use it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::MemberKey;
use crate::domain::joining::Joining;
use crate::domain::keys::{ETag, InvitationId, MemberId, OwnershipChangeId, RoleName};
use crate::domain::observed::{
    InvitationState, MemberState, Observed, ObservedInvitation, ObservedMember, RoleSeen,
};
use crate::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use crate::plan::action::Action;
use crate::plan::pools;
use crate::profile::{Counted, Profile};

/// How long the owner's link is taken to work; the answer of the service says it better.
const OWNERS_ASKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Says what the account looks like after `actions`, run at `now`.
#[must_use]
pub fn simulate(
    observed: &Observed,
    actions: &[Action],
    profile: &Profile,
    now: Timestamp,
) -> Observed {
    let mut after = observed.clone();
    for action in actions {
        step(&mut after, action, profile, now);
    }
    recount(&mut after, profile);
    after
}

/// Changes the rows of `observed` as one action does, in O(log n); the counts are [`recount`]'s.
pub fn step(observed: &mut Observed, action: &Action, profile: &Profile, now: Timestamp) {
    if action.cause().is_some() {
        settle(&mut observed.joining, action);
    }
    match action {
        Action::RevokeInvitation { person, .. } => {
            observed.invitations.remove(person);
        }
        Action::Trim { person, .. } => set_state(observed, person, MemberState::Trimmed),
        Action::Remove { person, .. } => {
            if let Some(member) = observed.members.remove(person) {
                end_owner_change(observed, |row| row.member == member.id);
            }
        }
        Action::ChangeRole { person, to, .. } => {
            if let Some(member) = observed.members.get_mut(person) {
                member.role = RoleSeen::Known(to.clone());
                member.etag = next(&member.etag);
            }
        }
        Action::ChangeInvitedRole { person, to, .. } => {
            if let Some(invitation) = observed.invitations.get_mut(person) {
                invitation.role = RoleSeen::Known(to.clone());
                invitation.etag = next(&invitation.etag);
            }
        }
        Action::CancelOwnerChange { change, .. } => {
            end_owner_change(observed, |row| row.id == change.id);
        }
        Action::ChangeOwner { person, member, role, .. } => {
            ask_owner(observed, person, (member, role), now);
        }
        Action::Reinstate { person, .. } => set_state(observed, person, MemberState::Active),
        Action::Resend { person, .. } => {
            let expires_at = expiry(profile, None, now);
            if let Some(invitation) = observed.invitations.get_mut(person) {
                invitation.state = InvitationState::Pending;
                invitation.expires_at = expires_at;
                invitation.sent = invitation.sent.saturating_add(1);
                invitation.etag = next(&invitation.etag);
            }
        }
        Action::Add { person, role, .. } => {
            observed.members.insert(person.clone(), member(person, role, now));
        }
        Action::Approve { person, role, .. } => {
            let gives = profile.auto_join.as_ref().map_or(role, |joining| &joining.role);
            observed.invitations.remove(person);
            observed.members.insert(person.clone(), member(person, gives, now));
        }
        Action::Invite { person, role, particulars, .. } => {
            let expires_at = expiry(profile, particulars.expires_in, now);
            let invitation = invitation(person, role, now, expires_at);
            observed.invitations.insert(person.clone(), invitation);
        }
    }
}

/// Who comes in waits no more; nor does who is invited to a team that they are suggested for.
fn settle(joining: &mut Joining, action: &Action) {
    if let Some(suggestions) = &mut joining.suggestions {
        suggestions.remove(action.person());
    }
    let requests = joining.requests.as_mut();
    if let Some(requests) = requests.filter(|_| matches!(action, Action::Approve { .. })) {
        requests.remove(&action.person().person);
    }
}

/// Ends the change of owner that waits and is meant.
fn end_owner_change(observed: &mut Observed, is_meant: impl Fn(&ObservedOwnershipChange) -> bool) {
    let rows = observed.ownership_changes.iter_mut().flatten();
    for row in rows.filter(|row| row.state.is_open() && is_meant(row)) {
        row.state = OwnershipState::Ended;
        row.etag = next(&row.etag);
    }
}

/// Puts a change of owner among those that wait.
fn ask_owner(
    observed: &mut Observed,
    person: &MemberKey,
    (member, role): (&MemberId, &RoleName),
    now: Timestamp,
) {
    let rows = observed.ownership_changes.get_or_insert_default();
    rows.push(ObservedOwnershipChange {
        id: OwnershipChangeId(format!("own_{person}_{}", rows.len())),
        etag: ETag("0".into()),
        role: role.clone(),
        member: member.clone(),
        state: OwnershipState::Unconfirmed,
        requested_by: observed.evidence.actor.clone().unwrap_or_default(),
        created_at: now,
        expires_at: now.saturating_add(OWNERS_ASKED_FOR).unwrap_or(Timestamp::MAX),
    });
}

fn set_state(observed: &mut Observed, person: &MemberKey, state: MemberState) {
    if let Some(member) = observed.members.get_mut(person) {
        member.state = state;
        member.etag = next(&member.etag);
    }
}

/// The version after `etag`.
fn next(etag: &ETag) -> ETag {
    ETag(format!("{etag}+"))
}

fn member(person: &MemberKey, role: &RoleName, now: Timestamp) -> ObservedMember {
    ObservedMember {
        id: MemberId(format!("mem_{person}")),
        etag: ETag("0".into()),
        role: RoleSeen::Known(role.clone()),
        state: MemberState::Active,
        added_at: now,
        joined_at: now,
        agency: false,
    }
}

fn invitation(
    person: &MemberKey,
    role: &RoleName,
    now: Timestamp,
    expires_at: Timestamp,
) -> ObservedInvitation {
    ObservedInvitation {
        id: InvitationId(format!("inv_{person}")),
        etag: ETag("0".into()),
        role: RoleSeen::Known(role.clone()),
        state: InvitationState::Pending,
        created_at: now,
        expires_at,
        sent: 1,
    }
}

/// When the link of a mail of now stops working.
fn expiry(profile: &Profile, own: Option<Duration>, now: Timestamp) -> Timestamp {
    let lifetime = profile.invitations.lifetime;
    let lifetime = own.unwrap_or(lifetime).min(lifetime);
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    now.saturating_add(lifetime).unwrap_or(Timestamp::MAX)
}

/// Counts seats and rows anew from the people that are there.
pub fn recount(observed: &mut Observed, profile: &Profile) {
    let count = Count::of(observed, profile);
    let pools = pools::used(observed, profile);
    let seats = &mut observed.account.seats;
    seats.owner = count.owner;
    seats.active = count.active;
    seats.pending = count.pending;
    seats.trimmed = count.trimmed;
    seats.used = count.used(profile);
    for (id, pool) in &mut seats.pools {
        pool.used = pools.get(id).copied().unwrap_or(0);
    }
    let beside = observed.evidence.beside.len();
    observed.evidence.member_rows = (observed.members.len() + beside) as u64;
    observed.evidence.member_total = observed.evidence.member_rows;
    observed.evidence.invitation_rows = observed.invitations.len() as u64;
    observed.evidence.invitation_total = observed.evidence.invitation_rows;
}

/// People by what they are to the seat count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// Owners with access.
    pub owner: u32,
    /// Other members with access.
    pub active: u32,
    /// Open invitations of people that are not members.
    pub pending: u32,
    /// Trimmed members.
    pub trimmed: u32,
    /// Of the members, those with a role or a state that we do not know: the service may count
    /// them as anything.
    pub strange_members: u32,
    /// Invitations in a state that we do not know.
    pub strange_invitations: u32,
}

impl Count {
    /// Counts the people that are there. Time O(n log n).
    pub fn of(observed: &Observed, profile: &Profile) -> Self {
        let mut count = Self::default();
        for member in observed.members.values().chain(&observed.evidence.beside) {
            count.member(member, profile);
        }
        let invitations = &observed.invitations;
        for (person, invitation) in invitations {
            if observed.members.contains_key(person) {
                continue;
            }
            match invitation.state {
                InvitationState::Pending => count.pending += 1,
                InvitationState::Unknown => count.strange_invitations += 1,
                InvitationState::Expired | InvitationState::Failed | InvitationState::Declined => {}
            }
        }
        count
    }

    fn member(&mut self, member: &ObservedMember, profile: &Profile) {
        if member.state == MemberState::Unknown || member.role.known().is_none() {
            self.strange_members += 1;
        }
        let is_owner = member.role.known().is_some_and(|role| profile.is_owner(role));
        match (member.state, is_owner) {
            (MemberState::Trimmed, _) => self.trimmed += 1,
            (MemberState::Active | MemberState::Unknown, true) => self.owner += 1,
            (MemberState::Active | MemberState::Unknown, false) => self.active += 1,
        }
    }

    /// Seats that these people use.
    pub fn used(self, profile: &Profile) -> u32 {
        let Self { owner, active, pending, .. } = self;
        [(Counted::Owner, owner), (Counted::Active, active), (Counted::Pending, pending)]
            .into_iter()
            .filter(|(counted, _)| profile.counts(*counted))
            .map(|(_, people)| people)
            .sum()
    }
}
