//! What an action means, on values: the one definition. The self-check, the in-memory backend,
//! the report and the tests use it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::EmailAddress;
use crate::domain::keys::{ETag, InvitationId, RoleName};
use crate::domain::observed::{
    InvitationState, MemberState, Observed, ObservedInvitation, ObservedMember, RoleSeen,
};
use crate::plan::action::Action;
use crate::profile::{Counted, Profile};

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
    match action {
        Action::RevokeInvitation { person, .. } => {
            observed.invitations.remove(person);
        }
        Action::Trim { person, .. } => set_state(observed, person, MemberState::Trimmed),
        Action::Remove { person, .. } => {
            observed.members.remove(person);
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
        Action::Reinstate { person, .. } => set_state(observed, person, MemberState::Active),
        Action::Invite { person, role, .. } => {
            let lifetime = profile.invitations.lifetime;
            observed.invitations.insert(person.clone(), invitation(person, role, lifetime, now));
        }
    }
}

fn set_state(observed: &mut Observed, person: &EmailAddress, state: MemberState) {
    if let Some(member) = observed.members.get_mut(person) {
        member.state = state;
        member.etag = next(&member.etag);
    }
}

/// The version after `etag`.
fn next(etag: &ETag) -> ETag {
    ETag(format!("{etag}+"))
}

fn invitation(
    person: &EmailAddress,
    role: &RoleName,
    lifetime: Duration,
    now: Timestamp,
) -> ObservedInvitation {
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    ObservedInvitation {
        id: InvitationId(format!("inv_{person}")),
        etag: ETag("0".into()),
        role: RoleSeen::Known(role.clone()),
        state: InvitationState::Pending,
        created_at: now,
        expires_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
    }
}

/// Counts seats and rows anew from the people that are there.
pub fn recount(observed: &mut Observed, profile: &Profile) {
    let mut count = Count::default();
    for member in observed.members.values() {
        count.member(member, profile);
    }
    for (person, invitation) in &observed.invitations {
        let already_in = observed.members.contains_key(person);
        if invitation.state == InvitationState::Pending && !already_in {
            count.pending += 1;
        }
    }
    let seats = &mut observed.account.seats;
    seats.owner = count.owner;
    seats.active = count.active;
    seats.pending = count.pending;
    seats.trimmed = count.trimmed;
    seats.used = count.used(profile);
    observed.evidence.member_rows = observed.members.len() as u64;
    observed.evidence.member_total = observed.evidence.member_rows;
    observed.evidence.invitation_rows = observed.invitations.len() as u64;
    observed.evidence.invitation_total = observed.evidence.invitation_rows;
}

/// People by what they are to the seat count.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    owner: u32,
    active: u32,
    pending: u32,
    trimmed: u32,
}

impl Count {
    fn member(&mut self, member: &ObservedMember, profile: &Profile) {
        let is_owner = member.role.known().is_some_and(|role| profile.is_owner(role));
        match (member.state, is_owner) {
            (MemberState::Trimmed, _) => self.trimmed += 1,
            (MemberState::Active | MemberState::Unknown, true) => self.owner += 1,
            (MemberState::Active | MemberState::Unknown, false) => self.active += 1,
        }
    }

    fn used(self, profile: &Profile) -> u32 {
        let Self { owner, active, pending, trimmed: _ } = self;
        [(Counted::Owner, owner), (Counted::Active, active), (Counted::Pending, pending)]
            .into_iter()
            .filter(|(counted, _)| profile.counts(*counted))
            .map(|(_, people)| people)
            .sum()
    }
}
