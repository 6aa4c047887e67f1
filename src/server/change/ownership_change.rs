//! Changes of owner (DO-09): the present owner confirms by a mailed link, then the future owner
//! accepts by another, and only then does the role change.

use jiff::SignedDuration;
use serde_json::json;

use crate::domain::keys::RoleName;
use crate::profile::{OwnershipChange, Profile};
use crate::server::change::{Change, Precondition, member, seats};
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::ownership_changes::{self, OwnershipChangeRow, state_word};
use crate::server::views::{self, role_name};
use crate::wire::{MemberState, NewOwnershipChange, OwnershipKind, OwnershipState, Principal};

/// How long each of the two links works.
const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Number of the owner's link, and of the candidate's.
pub(crate) const OWNERS_LINK: i64 = 1;
/// See [`OWNERS_LINK`].
pub(crate) const CANDIDATES_LINK: i64 = 2;

/// Asks the present owner to confirm.
pub(crate) async fn request(
    change: &mut Change,
    request: &NewOwnershipChange,
) -> Result<OwnershipChangeRow, ApiError> {
    let NewOwnershipChange { member, owner } = request;
    change.must(Right::ManageAccount, At::Account)?;
    let (role, rule) = rule(&change.profile)?;
    must_hold(change, &role)?;
    change.must_be_enabled()?;
    let owner = confirming(change, &role, owner.as_deref()).await?;
    let candidate = by_id(change, member).await?;
    let candidate = candidate.ok_or_else(|| {
        ApiError::field("/member", "is not an active member of this account; name one by id")
    })?;
    if holds_already(change, &candidate, &role).await? {
        return Err(ApiError::field("/member", format!("is {role} already")));
    }
    if rule == OwnershipChange::Add {
        member::must_fit_holders(change, &role).await?;
    }
    expire_overdue(change).await?;
    let row = OwnershipChangeRow {
        id: change.id("own"),
        account_id: change.account.id.clone(),
        kind: match rule {
            OwnershipChange::Add => OwnershipKind::Add,
            OwnershipChange::Move { .. } => OwnershipKind::Move,
        },
        role: role.to_string(),
        owner_id: owner.id.clone(),
        candidate_id: candidate.id.clone(),
        state: OwnershipState::Unconfirmed,
        requested_by: change.actor.label(At::Account),
        generation: OWNERS_LINK,
        created_at: change.now,
        expires_at: change.now + LIFETIME,
        ended_at: None,
        version: 1,
    };
    ownership_changes::insert(change.conn(), &row).await?;
    let view = views::ownership_change(&row, change.now);
    change.record("ownership.requested", &row.id, None::<()>, Some(view)).await?;
    let words = json!({ "person": called(&candidate), "role": row.role });
    change.mail(Template::OwnershipConfirm, &row.id, &owner.address, words).await?;
    Ok(row)
}

/// The present owner says yes: the candidate is asked.
pub(crate) async fn confirm(change: &mut Change, id: &str) -> Result<(), ApiError> {
    let before = waiting(change, id, OwnershipState::Unconfirmed).await?;
    let (_, candidate) = parties(change, &before).await?;
    let row = OwnershipChangeRow {
        state: OwnershipState::Unaccepted,
        generation: CANDIDATES_LINK,
        expires_at: change.now + LIFETIME,
        ..before.clone()
    };
    let row = save(change, "ownership.confirmed", &before, row).await?;
    let words = json!({ "role": row.role });
    change.mail(Template::OwnershipAccept, &row.id, &candidate.address, words).await?;
    Ok(())
}

/// The candidate says yes: the role changes. Everything is checked again.
pub(crate) async fn accept(change: &mut Change, id: &str) -> Result<(), ApiError> {
    let before = waiting(change, id, OwnershipState::Unaccepted).await?;
    let (owner, candidate) = parties(change, &before).await?;
    let (role, rule) = rule(&change.profile)?;
    match rule {
        OwnershipChange::Add => member::must_fit_holders(change, &role).await?,
        OwnershipChange::Move { former_becomes } => {
            member::give_role(change, owner.clone(), &former_becomes).await?;
        }
    }
    let row = ended(change, &before, OwnershipState::Done);
    let row = save(change, "ownership.accepted", &before, row).await?;
    member::make_holder(change, candidate.clone(), &role).await?;
    seats::settle(change).await?;
    for party in [&owner, &candidate] {
        let words = json!({ "person": called(&candidate), "role": row.role });
        change.mail(Template::OwnershipDone, &row.id, &party.address, words).await?;
    }
    Ok(())
}

/// Whoever is asked says no.
pub(crate) async fn decline(
    change: &mut Change,
    id: &str,
    asked: OwnershipState,
) -> Result<(), ApiError> {
    let before = waiting(change, id, asked).await?;
    let row = ended(change, &before, OwnershipState::Declined);
    save(change, "ownership.declined", &before, row).await?;
    Ok(())
}

/// Withdraws a change that waits.
pub(crate) async fn cancel(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<OwnershipChangeRow, ApiError> {
    change.must(Right::ManageAccount, At::Account)?;
    let before = existing(change, id).await?;
    must_hold(change, &role_name(&before.role))?;
    precondition.check(before.version)?;
    if !before.is_open_at(change.now) {
        return Err(in_state(before.state_at(change.now)));
    }
    end_as(change, before, OwnershipState::Cancelled, "ownership.cancelled").await
}

/// Withdraws whatever waits, without asking who does it.
pub(crate) async fn cancel_open(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    if let Some(row) = ownership_changes::open_one(change.conn(), &account_id).await? {
        end_as(change, row, OwnershipState::Cancelled, "ownership.cancelled").await?;
    }
    Ok(())
}

/// Marks the change of the account that was not answered in time.
pub(crate) async fn expire_overdue(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let open = ownership_changes::open_one(change.conn(), &account_id).await?;
    if let Some(row) = open.filter(|row| row.expires_at <= change.now) {
        end_as(change, row, OwnershipState::Expired, "ownership.expired").await?;
    }
    Ok(())
}

/// Ends the change that waits for a person whose place is over: nobody can confirm or accept it now.
pub(crate) async fn end_with(change: &mut Change, place: &MemberRow) -> Result<(), ApiError> {
    if rule(&change.profile).is_err() {
        return Ok(());
    }
    expire_overdue(change).await?;
    let account_id = change.account.id.clone();
    let open = ownership_changes::open_one(change.conn(), &account_id).await?;
    if let Some(row) = open.filter(|row| [&row.owner_id, &row.candidate_id].contains(&&place.id)) {
        end_as(change, row, OwnershipState::Cancelled, "ownership.cancelled").await?;
    }
    Ok(())
}

/// The role that changes hands by this, and how.
fn rule(profile: &Profile) -> Result<(RoleName, OwnershipChange), ApiError> {
    let rule = profile
        .roles
        .iter()
        .find_map(|role| role.ownership_change.clone().map(|change| (role.name.clone(), change)));
    rule.ok_or(ApiError::NotOffered("change of owner"))
}

/// A person must hold the role; a token of the account was made by who does (X11).
fn must_hold(change: &Change, role: &RoleName) -> Result<(), ApiError> {
    let Some(person) = change.actor.person() else { return Ok(()) };
    if person.holds(role) { Ok(()) } else { Err(ApiError::Forbidden) }
}

/// The owner who confirms: the one named, the one who asks, or the earliest.
async fn confirming(
    change: &mut Change,
    role: &RoleName,
    named: Option<&str>,
) -> Result<MemberRow, ApiError> {
    let account_id = change.account.id.clone();
    let holders = members::people_with_role(change.conn(), &account_id, role.as_str()).await?;
    let asker = match &change.actor {
        Actor::Personal { person, .. } | Actor::Person(person) => Some(person),
        Actor::Token { .. } | Actor::Vendor { .. } | Actor::Invitee | Actor::Service => None,
    };
    let found = match (named, asker) {
        (Some(id), _) => holders.into_iter().find(|row| row.id == id),
        (None, Some(person)) => holders.into_iter().find(|row| person.is(&row.id)),
        (None, None) => holders.into_iter().next(),
    };
    found.ok_or_else(|| ApiError::field("/owner", format!("is not an active {role}")))
}

/// Owner and candidate, if both still are what they were when it was asked for.
async fn parties(
    change: &mut Change,
    row: &OwnershipChangeRow,
) -> Result<(MemberRow, MemberRow), ApiError> {
    change.must_be_enabled()?;
    let role = role_name(&row.role);
    let owner = by_id(change, &row.owner_id).await?.filter(|owner| owner.role == row.role);
    let candidate = by_id(change, &row.candidate_id).await?;
    let (Some(owner), Some(candidate)) = (owner, candidate) else {
        return Err(ApiError::OwnershipMoot);
    };
    if holds_already(change, &candidate, &role).await? {
        return Err(ApiError::OwnershipMoot);
    }
    Ok((owner, candidate))
}

/// The person of this membership, while it is active.
async fn by_id(change: &mut Change, id: &str) -> Result<Option<MemberRow>, ApiError> {
    let account_id = change.account.id.clone();
    let row = members::by_id(change.conn(), &account_id, id).await?;
    let is_active =
        |row: &MemberRow| row.state == MemberState::Active && row.principal == Principal::Person;
    Ok(row.filter(is_active))
}

async fn holds_already(
    change: &mut Change,
    candidate: &MemberRow,
    role: &RoleName,
) -> Result<bool, ApiError> {
    let (account_id, address) = (candidate.account_id.clone(), candidate.address.clone());
    let there = members::by_address(change.conn(), &account_id, None, &address).await?;
    Ok(there.is_some_and(|row| row.role == role.as_str()))
}

async fn existing(change: &mut Change, id: &str) -> Result<OwnershipChangeRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = ownership_changes::by_id(change.conn(), &account_id, id).await?;
    row.ok_or(ApiError::NotFound)
}

async fn waiting(
    change: &mut Change,
    id: &str,
    state: OwnershipState,
) -> Result<OwnershipChangeRow, ApiError> {
    let row = existing(change, id).await?;
    match row.state_at(change.now) {
        present if present == state => Ok(row),
        present => Err(in_state(present)),
    }
}

fn in_state(state: OwnershipState) -> ApiError {
    ApiError::RowState { what: "change of owner", state: state_word(state) }
}

fn ended(change: &Change, row: &OwnershipChangeRow, state: OwnershipState) -> OwnershipChangeRow {
    OwnershipChangeRow { state, ended_at: Some(change.now), ..row.clone() }
}

async fn end_as(
    change: &mut Change,
    before: OwnershipChangeRow,
    state: OwnershipState,
    action: &str,
) -> Result<OwnershipChangeRow, ApiError> {
    let row = ended(change, &before, state);
    save(change, action, &before, row).await
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &OwnershipChangeRow,
    mut row: OwnershipChangeRow,
) -> Result<OwnershipChangeRow, ApiError> {
    row.version += 1;
    ownership_changes::update(change.conn(), &row).await?;
    let now = change.now;
    let (old, new) = (views::ownership_change(before, now), views::ownership_change(&row, now));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}

/// The person as others call them.
fn called(row: &MemberRow) -> String {
    match &row.name {
        Some(name) => format!("{name} ({})", row.address),
        None => row.address.clone(),
    }
}
