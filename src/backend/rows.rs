//! From the account API's JSON to what the planner sees. What cannot be understood is unknown;
//! what cannot be right is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use jiff::Timestamp;

use crate::backend::BackendError;
use crate::backend::Guarantees;
use crate::backend::ServiceRules;
use crate::domain::capability::Capability;
use crate::domain::identity::{EmailAddress, MemberKey, TeamKey};
use crate::domain::keys::RoleName;
use crate::domain::keys::{
    AccountKey, ETag, InstallationId, InvitationId, MemberId, PlanName, SubscriptionId, TeamId,
    TeamRef,
};
use crate::domain::observed::{
    Claim, InvitationState, MemberState, ObservedAccount, ObservedInvitation, ObservedMember,
    ObservedSeats, ObservedSubscription, PoolSeats, ReadEvidence, RoleSeen, SeatLimit,
};
use crate::domain::teams::{ObservedTeam, TeamState};
use crate::profile::Profile;
use crate::wire;

/// Longest id; ours are 30 characters.
const MAX_ID_CHARS: usize = 128;

/// Longest name of an account that is shown.
const MAX_NAME_CHARS: usize = 100;

/// Gives `id` back if it can be a segment of a path: anything else could lead a request to
/// another account, `..` above all.
pub(super) fn id(id: &str) -> Result<&str, BackendError> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.is_empty() || id.len() > MAX_ID_CHARS || !id.bytes().all(usable) {
        return Err(BackendError::Malformed { what: "an id that cannot be one" });
    }
    Ok(id)
}

/// Whom a row is about.
pub(super) fn key(email: &str, team: Option<&str>) -> Result<MemberKey, BackendError> {
    let team = team.map(|team| Ok(TeamKey::Known(TeamId(id(team)?.to_owned())))).transpose()?;
    Ok(MemberKey { person: person(email)?, team })
}

pub(super) fn person(email: &str) -> Result<EmailAddress, BackendError> {
    EmailAddress::parse(email)
        .map_err(|_| BackendError::Malformed { what: "an address that cannot be one" })
}

/// Reads the account that was asked for as `asked`, by id or by short name.
pub(super) fn account(
    account: wire::Account,
    asked: &AccountKey,
) -> Result<ObservedAccount, BackendError> {
    id(&account.id)?;
    if account.id != asked.as_str() && account.slug != asked.as_str() {
        return Err(BackendError::Malformed { what: "another account than the one asked for" });
    }
    let disabled = match account.state {
        wire::AccountState::Active => false,
        wire::AccountState::Disabled => true,
        wire::AccountState::Unknown => {
            return Err(BackendError::Malformed { what: "an account in a state we do not know" });
        }
    };
    let shown = |char: &char| !char.is_control();
    Ok(ObservedAccount {
        key: AccountKey(account.id),
        name: account.name.chars().filter(shown).take(MAX_NAME_CHARS).collect(),
        etag: ETag(account.etag),
        claim: account.claim.map(claim),
        seats: seats(&account.seats),
        subscriptions: account.subscriptions.into_iter().filter_map(subscription).collect(),
        disabled,
        agency: account.agency,
        secure_sign_in: account.secure_sign_in_required,
        caller: account.caller.member_id.map(MemberId),
    })
}

/// Reads a claim.
pub(super) fn claim(claim: wire::Claim) -> Claim {
    let wire::Claim { installation_id, fingerprint } = claim;
    Claim { installation: InstallationId(installation_id), fingerprint }
}

fn seats(seats: &wire::Seats) -> ObservedSeats {
    let wire::SeatBreakdown { owner, active, pending, trimmed, client_access } = seats.breakdown;
    ObservedSeats {
        limit: limit(seats.limit),
        used: seats.used,
        owner,
        active: active.saturating_add(client_access),
        pending,
        trimmed,
        enforce_at: seats.enforce_at,
        pools: seats.pools.iter().map(pool).collect(),
    }
}

fn pool(pool: &wire::SeatPool) -> (SubscriptionId, PoolSeats) {
    let seats = PoolSeats { limit: limit(pool.limit), used: pool.used };
    (SubscriptionId(pool.subscription.clone()), seats)
}

fn limit(seats: Option<u32>) -> SeatLimit {
    seats.map_or(SeatLimit::Unlimited, SeatLimit::Seats)
}

fn subscription(row: wire::Subscription) -> Option<ObservedSubscription> {
    match row.state {
        wire::SubscriptionState::Ended | wire::SubscriptionState::Requested => None,
        wire::SubscriptionState::Active
        | wire::SubscriptionState::Ending
        | wire::SubscriptionState::Unknown => Some(ObservedSubscription {
            id: SubscriptionId(row.id),
            plan: PlanName(row.plan),
            ends_at: row.ends_at,
        }),
    }
}

/// The role that the service names, if `profile` has it.
fn role(name: String, profile: &Profile) -> RoleSeen {
    let name = RoleName(name);
    if profile.role(&name).is_some() { RoleSeen::Known(name) } else { RoleSeen::Unknown }
}

/// Reads a team.
pub(super) fn team(row: wire::Team) -> Result<(TeamId, ObservedTeam), BackendError> {
    let team = ObservedTeam {
        etag: ETag(row.etag),
        name: row.name,
        reference: row.external_ref.map(TeamRef),
        subscription: row.subscription.map(|linked| SubscriptionId(linked.id)),
        state: match row.state {
            wire::TeamState::Active => TeamState::Active,
            wire::TeamState::Inactive => TeamState::Inactive,
            wire::TeamState::Pending => TeamState::Pending,
            wire::TeamState::Unknown => TeamState::Unknown,
        },
    };
    Ok((TeamId(id(&row.id)?.to_owned()), team))
}

/// Members by person, filled row by row.
#[derive(Default)]
pub(super) struct Members {
    /// One row a person.
    pub people: BTreeMap<MemberKey, ObservedMember>,
    ids: BTreeSet<MemberId>,
}

impl Members {
    /// Takes one row in. Deleted rows are over; a second row of one person or id is counted in
    /// `evidence` and left out. An agency at the address of a person is no second row.
    pub(super) fn take(
        &mut self,
        row: wire::Member,
        profile: &Profile,
        evidence: &mut ReadEvidence,
    ) -> Result<(), BackendError> {
        let person = key(&row.email, row.team.as_deref())?;
        if !self.ids.insert(MemberId(id(&row.id)?.to_owned())) {
            evidence.duplicates += 1;
            return Ok(());
        }
        if row.state == wire::MemberState::Deleted {
            return Ok(());
        }
        let role = match row.principal {
            // An agency that was let in by hand is adopted and ended as a person is (NC-06).
            wire::Principal::Person | wire::Principal::Account => role(row.role.clone(), profile),
            wire::Principal::Unknown => RoleSeen::Unknown,
        };
        let row = member(row, role);
        match self.people.get_mut(&person) {
            None => drop(self.people.insert(person, row)),
            // Only people are each there once: somebody may run several agencies, and the oldest of
            // them is the row where there is no person.
            Some(kept) if kept.agency && (!row.agency || row.id < kept.id) => {
                evidence.beside.push(mem::replace(kept, row));
            }
            Some(_) if row.agency => evidence.beside.push(row),
            Some(_) => evidence.duplicates += 1,
        }
        Ok(())
    }

    /// Sets aside the agencies at the address of somebody who is invited.
    pub(super) fn aside(&mut self, invitations: &Invitations, evidence: &mut ReadEvidence) {
        let invited = invitations.people.iter().filter(|(_, row)| row.state.waits());
        for (person, _) in invited {
            if self.people.get(person).is_some_and(|member| member.agency) {
                evidence.beside.extend(self.people.remove(person));
            }
        }
    }
}

fn member(row: wire::Member, role: RoleSeen) -> ObservedMember {
    ObservedMember {
        id: MemberId(row.id),
        etag: ETag(row.etag),
        role,
        state: match row.state {
            wire::MemberState::Active => MemberState::Active,
            wire::MemberState::Trimmed => MemberState::Trimmed,
            wire::MemberState::Deleted | wire::MemberState::Unknown => MemberState::Unknown,
        },
        added_at: row.added_at,
        joined_at: row.joined_at,
        agency: row.principal == wire::Principal::Account,
    }
}

/// Invitations by person, filled row by row.
#[derive(Default)]
pub(super) struct Invitations {
    /// The one that matters for each person.
    pub people: BTreeMap<MemberKey, ObservedInvitation>,
    ids: BTreeSet<InvitationId>,
}

impl Invitations {
    /// Takes one row in. Of several rows of one person the pending one matters, then one that we
    /// do not understand, then the newest. An id that came before, and a second pending row of
    /// one person, are counted in `evidence`.
    pub(super) fn take(
        &mut self,
        row: wire::Invitation,
        profile: &Profile,
        evidence: &mut ReadEvidence,
    ) -> Result<(), BackendError> {
        let person = key(&row.email, row.team.as_deref())?;
        if !self.ids.insert(InvitationId(id(&row.id)?.to_owned())) {
            evidence.duplicates += 1;
            return Ok(());
        }
        let role = role(row.role.clone(), profile);
        let Some(invitation) = invitation(row, role) else { return Ok(()) };
        match self.people.get_mut(&person) {
            None => {
                self.people.insert(person, invitation);
            }
            Some(kept) => {
                let pending = InvitationState::Pending;
                if kept.state == pending && invitation.state == pending {
                    evidence.duplicates += 1;
                }
                if weight(&invitation) > weight(kept) {
                    *kept = invitation;
                }
            }
        }
        Ok(())
    }
}

fn weight(invitation: &ObservedInvitation) -> (u8, Timestamp, &InvitationId) {
    let state = match invitation.state {
        InvitationState::Pending => 2,
        InvitationState::Unknown => 1,
        InvitationState::Expired | InvitationState::Failed | InvitationState::Declined => 0,
    };
    (state, invitation.created_at, &invitation.id)
}

/// Reads an invitation; `None` when it is over.
fn invitation(row: wire::Invitation, role: RoleSeen) -> Option<ObservedInvitation> {
    let state = match row.state {
        wire::InvitationState::Pending => InvitationState::Pending,
        wire::InvitationState::Expired => InvitationState::Expired,
        wire::InvitationState::Failed => InvitationState::Failed,
        wire::InvitationState::Declined => InvitationState::Declined,
        wire::InvitationState::Unknown => InvitationState::Unknown,
        wire::InvitationState::Accepted | wire::InvitationState::Revoked => return None,
    };
    Some(ObservedInvitation {
        id: InvitationId(row.id),
        etag: ETag(row.etag),
        role,
        state,
        created_at: row.created_at,
        expires_at: row.expires_at,
        sent: row.send_count,
    })
}

/// Reads the answer to a write on a member: it must show this person and `expected` of the row.
pub(super) fn written_member(
    row: wire::Member,
    expected_key: &MemberKey,
    expected: impl FnOnce(&wire::Member) -> bool,
) -> Result<ObservedMember, BackendError> {
    id(&row.id)?;
    if key(&row.email, row.team.as_deref())? != *expected_key || !expected(&row) {
        return Err(BackendError::Malformed { what: "an answer that does not show the change" });
    }
    let role = RoleSeen::Known(RoleName(row.role.clone()));
    Ok(member(row, role))
}

/// Reads the answer to a write on an invitation: it must be pending for this person with `role`.
pub(super) fn written_invitation(
    row: wire::Invitation,
    expected_key: &MemberKey,
    role: &RoleName,
) -> Result<ObservedInvitation, BackendError> {
    id(&row.id)?;
    let expected = key(&row.email, row.team.as_deref())? == *expected_key
        && row.role == role.as_str()
        && row.state == wire::InvitationState::Pending;
    if !expected {
        return Err(BackendError::Malformed { what: "an answer that does not show the change" });
    }
    invitation(row, RoleSeen::Known(role.clone()))
        .ok_or(BackendError::Malformed { what: "an answer that does not show the change" })
}

/// What a service does not promise.
fn missing(capabilities: &wire::Capabilities) -> BTreeSet<Capability> {
    let promised = |capability: &Capability| match capability {
        Capability::IdempotencyKeys => capabilities.idempotency_retention_seconds > 0,
        Capability::UniquePending => capabilities.unique_pending,
        Capability::ExternalReference => capabilities.external_ref,
        Capability::ConditionalWrites => capabilities.if_match,
        Capability::OwnerAndSeatGuard => capabilities.owner_and_seat_guard,
        Capability::SnapshotPaging => capabilities.snapshot_paging,
        Capability::Claims => capabilities.claims,
        Capability::TrimmedState => capabilities.trimmed_state,
    };
    Capability::ALL.into_iter().filter(|capability| !promised(capability)).collect()
}

/// Reads what the service promises.
pub(super) fn guarantees(capabilities: &wire::Capabilities, rules: wire::RoleList) -> Guarantees {
    let wire::RoleList { mut items, plans, mut counts, on_shrink } = rules;
    items.sort_by_key(|role| role.rank);
    counts.sort();
    Guarantees {
        key_retention: std::time::Duration::from_secs(capabilities.idempotency_retention_seconds),
        missing: missing(capabilities),
        rules: ServiceRules {
            roles: items.into_iter().map(|role| (role.name, role.invitable)).collect(),
            plans: plans.into_iter().map(|plan| (plan.name, plan.seats)).collect(),
            counts,
            on_shrink,
        },
    }
}
