//! Requests of agencies, at the client: approved or rejected (NC-03).

use jiff::SignedDuration;
use serde_json::json;

use crate::domain::keys::RoleName;
use crate::profile::{Counted, Profile};
use crate::server::auth;
use crate::server::change::{Change, client_access, invitation, member, notice, seats};
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{Actor, At, Right, Verb};
use crate::server::store::client_accesses::{self, AccessRow};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::outbox;
use crate::server::views::{self, role_name};
use crate::wire::{ClientAccessState, ClientAccount, MemberState, Principal};

/// How long the agency is not told again that the client lacks a seat (NC-04).
const TOLD: SignedDuration = SignedDuration::from_hours(24);

/// What became of an approval.
pub(crate) enum Approval {
    /// The agency is a member of the client's account.
    Granted(Box<AccessRow>),
    /// The client has no free seat: the request stays, and the agency is told.
    NoSeat(ApiError),
}

/// True if this actor may bring an agency in with this role. Nobody does who is here as an agency.
pub(crate) fn may_grant(actor: &Actor, profile: &Profile, role: &RoleName) -> bool {
    !actor.is_agency()
        && actor.must(Right::Invite, At::Account, profile).is_ok()
        && actor.must_reach(Verb::Invite, At::Account, profile, role).is_ok()
}

/// Grants what was asked for in the account of `change`, whose other account is the agency. The
/// row was read and checked for its version in this change.
pub(crate) async fn approve(change: &mut Change, before: AccessRow) -> Result<Approval, ApiError> {
    client_access::must_wait(&before)?;
    let role = invitation::known_role(&change.profile, &before.role, None, "/role")?;
    must_be_granted(change, &before, &role).await?;
    change.must_be_enabled()?;
    must_have_no_place(change, &before).await?;
    member::must_fit_holders(change, &role).await?;
    if let Some(refusal) = lacks_seat(change).await? {
        notice::seats_short(change, At::Account).await?;
        tell_no_seat(change, &before).await?;
        return Ok(Approval::NoSeat(refusal));
    }
    let member = join(change, &before).await?;
    let row = AccessRow {
        client: Some(client(change)),
        state: ClientAccessState::Granted,
        member_id: Some(member.id),
        held_role: Some(member.role.clone()),
        noted_role: Some(member.role),
        granted_at: Some(change.now),
        ..before.clone()
    };
    seats::settle(change).await?;
    change.turn();
    let row = client_access::save(change, "client_access.granted", &before, row).await?;
    tell(change, &row, "approved").await?;
    change.turn();
    Ok(Approval::Granted(Box::new(row)))
}

/// Says no to what was asked. The change is of the agency.
pub(crate) async fn reject(change: &mut Change, before: AccessRow) -> Result<AccessRow, ApiError> {
    client_access::must_wait(&before)?;
    let (state, ended_at) = (ClientAccessState::Rejected, Some(change.now));
    let row = AccessRow { state, ended_at, ..before.clone() };
    let row = client_access::save(change, "client_access.rejected", &before, row).await?;
    tell(change, &row, "rejected").await?;
    Ok(row)
}

/// Refuses who may not grant it here, and an account that was not asked: neither this one nor any
/// other learns of requests to people who could not grant them.
async fn must_be_granted(
    change: &mut Change,
    row: &AccessRow,
    role: &RoleName,
) -> Result<(), ApiError> {
    must_be_asked(change, row).await?;
    change.must(Right::Invite, At::Account)?;
    if !may_grant(&change.actor, &change.profile, role) {
        return Err(ApiError::BeyondManage);
    }
    change.turn();
    let agency = client_access::must_be_agency(change);
    change.turn();
    match agency {
        Err(ApiError::Disabled) | Ok(()) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Refuses a request whose address is nobody here who could grant it.
pub(crate) async fn must_be_asked(change: &mut Change, row: &AccessRow) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let asked = auth::person(change.conn(), &account_id, &row.address).await?;
    let asked = asked.map(Actor::Person);
    let role = role_name(&row.role);
    if asked.is_some_and(|asked| may_grant(&asked, &change.profile, &role)) {
        return Ok(());
    }
    Err(ApiError::NotFound)
}

/// Refuses an agency that has a place here by another request.
async fn must_have_no_place(change: &mut Change, row: &AccessRow) -> Result<(), ApiError> {
    let client_id = change.account.id.clone();
    match client_accesses::place_at(change.conn(), &row.account_id, &client_id).await? {
        Some(id) => {
            Err(ApiError::AlreadyMember { href: format!("/v1/accounts/{client_id}/members/{id}") })
        }
        None => Ok(()),
    }
}

/// Why no further agency fits, where one takes a seat.
async fn lacks_seat(change: &mut Change) -> Result<Option<ApiError>, ApiError> {
    if !change.profile.counts(Counted::ClientAccess) {
        return Ok(None);
    }
    let seats = seats::counted(change, At::Account).await?;
    Ok(if seats.breakdown.trimmed > 0 {
        Some(ApiError::MembersWait)
    } else if seats.has_room_for(1) {
        None
    } else {
        Some(seats.refusal())
    })
}

/// Makes the agency a member: its address is that of its owner.
async fn join(change: &mut Change, access: &AccessRow) -> Result<MemberRow, ApiError> {
    change.turn();
    let address = contact(change).await?;
    change.turn();
    let row = MemberRow {
        id: change.id("mem"),
        account_id: change.account.id.clone(),
        team_id: None,
        principal: Principal::Account,
        address,
        name: Some(access.agency_name.clone()),
        role: access.role.clone(),
        state: MemberState::Active,
        added_at: change.now,
        joined_at: change.now,
        trimmed_at: None,
        external_ref: None,
        ended_by: None,
        ended_at: None,
        client_access_id: Some(access.id.clone()),
        version: 1,
    };
    members::insert(change.conn(), &row).await?;
    change.record("member.added", &row.id, None::<()>, Some(views::member(&row))).await?;
    Ok(row)
}

fn client(change: &Change) -> ClientAccount {
    let account = &change.account;
    ClientAccount { id: account.id.clone(), slug: account.slug.clone(), name: account.name.clone() }
}

/// Address of the account's owner.
async fn contact(change: &mut Change) -> Result<String, ApiError> {
    let role = change.profile.opening_role().or(change.profile.roles.first());
    let role = role.ok_or(ApiError::Corrupt("profile.roles"))?.name.to_string();
    let account_id = change.account.id.clone();
    let owners = members::people_with_role(change.conn(), &account_id, &role).await?;
    owners.into_iter().next().map(|row| row.address).ok_or(ApiError::Corrupt("members.role"))
}

/// Tells the agency that its client has no seat, once a day.
async fn tell_no_seat(change: &mut Change, row: &AccessRow) -> Result<(), ApiError> {
    let (name, since) = (Template::AccessResult.name(), change.now - TOLD);
    let agency = row.account_id.clone();
    if !outbox::queued_about(change.conn(), &agency, name, &row.id, since).await? {
        change.turn();
        tell(change, row, "no-seat").await?;
        change.turn();
    }
    Ok(())
}

/// Tells the agency, whose change it is, what became of its request.
async fn tell(change: &mut Change, row: &AccessRow, result: &str) -> Result<(), ApiError> {
    let address = contact(change).await?;
    let client = row.client.as_ref().map_or(&row.address, |client| &client.name);
    let words = json!({ "client": client, "role": row.role, "result": result });
    change.mail(Template::AccessResult, &row.id, &address, words).await.map(drop)
}
