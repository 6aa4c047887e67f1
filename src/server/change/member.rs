//! Members: role changed, removed, trimmed, reinstated.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::keys::RoleName;
use crate::profile::{Notice, OnShrink, Profile};
use crate::server::auth;
use crate::server::change::{
    Change, Precondition, account, client_access, invitation, ownership_change, seats,
};
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{Actor, At, Right, Scope, Verb};
use crate::server::store::login_links;
use crate::server::store::members::{self, MemberRow};
use crate::server::store::recipients;
use crate::server::store::tallies::{self, List};
use crate::server::store::tokens;
use crate::server::views::{self, role_name};
use crate::wire::{MemberPatch, MemberState, Principal};

/// Changes a member's role; seat and join date stay (NP-07).
pub(crate) async fn change_role(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
    request: &MemberPatch,
) -> Result<MemberRow, ApiError> {
    let MemberPatch { role } = request;
    let before = existing(change, id, Right::ChangeRoles, precondition).await?;
    change.must_be_open(At::of(before.team_id.as_deref())).await?;
    let role = invitation::known_role(&change.profile, role, before.team_id.as_deref(), "/role")?;
    let old = role_name(&before.role);
    if role == old {
        return Ok(before);
    }
    must_be_changeable(&change.profile, &old, &role)?;
    must_keep_holders(change, &old).await?;
    must_fit_holders(change, &role).await?;
    let at = At::of(before.team_id.as_deref());
    change.actor.must_reach(Verb::Change, at, &change.profile, &old)?;
    change.actor.must_reach(Verb::Change, at, &change.profile, &role)?;
    must_demote(&change.actor, &change.profile, &old, &role)?;

    let row = give_role(change, before, &role).await?;
    let words = json!({ "from": old.as_str(), "to": row.role });
    tell(change, Notice::RoleChanged, &row, words).await?;
    seats::settle(change).await?;
    Ok(row)
}

/// Gives a role of the whole account to a person with a place in it; a place in a team stays beside
/// it.
pub(crate) async fn make_holder(
    change: &mut Change,
    row: MemberRow,
    role: &RoleName,
) -> Result<MemberRow, ApiError> {
    if row.team_id.is_none() {
        return give_role(change, row, role).await;
    }
    account::add(change, &row.address, row.name, role).await
}

/// Gives another role without asking who does it, and tells nobody.
pub(crate) async fn give_role(
    change: &mut Change,
    before: MemberRow,
    role: &RoleName,
) -> Result<MemberRow, ApiError> {
    let row = MemberRow { role: role.to_string(), ..before.clone() };
    let row = save(change, "member.role_changed", &before, row).await?;
    invitation::revoke_beyond(change, &row).await?;
    Ok(row)
}

/// Ends a membership at once (NP-09). The row is kept as history.
pub(crate) async fn remove(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<MemberRow, ApiError> {
    let before = existing(change, id, Right::Remove, precondition).await?;
    let role = role_name(&before.role);
    must_be_removable(change, &role).await?;
    let at = At::of(before.team_id.as_deref());
    change.actor.must_reach(Verb::Remove, at, &change.profile, &role)?;
    end(change, before).await
}

/// Refuses to end the membership of who must stay (OP-05, CT-07).
async fn must_be_removable(change: &mut Change, role: &RoleName) -> Result<(), ApiError> {
    must_keep_holders(change, role).await?;
    if !change.profile.role(role).is_none_or(|role| role.removable) {
        return Err(ApiError::RoleFixed);
    }
    Ok(())
}

/// The person of a membership ends it.
pub(crate) async fn leave(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<MemberRow, ApiError> {
    let own = change.actor.person().is_some_and(|person| person.is(id) && !person.as_client);
    if !own {
        return Err(ApiError::Forbidden);
    }
    let may_end = |scopes: &BTreeSet<Scope>| scopes.contains(&Scope::Remove);
    if !change.actor.scopes().is_none_or(may_end) {
        return Err(ApiError::ScopeMissing(Scope::Remove.word()));
    }
    let before = existing(change, id, Right::ReadAccount, precondition).await?;
    must_keep_holders(change, &role_name(&before.role)).await?;
    end(change, before).await
}

/// Ends a membership without asking who does it.
pub(crate) async fn end(change: &mut Change, before: MemberRow) -> Result<MemberRow, ApiError> {
    let row = ended(change, &before);
    let row = save(change, "member.removed", &before, row).await?;
    end_credentials(change, &row).await?;
    recipients::forget(change.conn(), &row.account_id, &row.id).await?;
    if row.ended_by.as_deref() != Some("self") {
        tell(change, Notice::Removed, &row, json!({})).await?;
    }
    invitation::revoke_beyond(change, &row).await?;
    ownership_change::end_with(change, &row).await?;
    seats::settle(change).await?;
    Ok(row)
}

/// Ends every membership, for the end of the account.
pub(crate) async fn end_all(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for before in members::all(change.conn(), &account_id).await? {
        let row = ended(change, &before);
        let row = save(change, "member.removed", &before, row).await?;
        tell(change, Notice::Removed, &row, json!({})).await?;
    }
    Ok(())
}

fn ended(change: &Change, row: &MemberRow) -> MemberRow {
    MemberRow {
        state: MemberState::Deleted,
        ended_by: Some(ended_by(&change.actor, &row.id).to_owned()),
        ended_at: Some(change.now),
        ..row.clone()
    }
}

/// Ends the personal tokens of who has no place in the account any more, and what the person has
/// open in accounts of its clients. Other sessions hold no rights of their own: each request looks
/// up the places of its person.
async fn end_credentials(change: &mut Change, row: &MemberRow) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    if auth::person(change.conn(), &account_id, &row.address).await?.is_none() {
        tokens::delete_personal(change.conn(), &account_id, &row.address).await?;
        login_links::end_sessions_of_person(change.conn(), &account_id, &row.address).await?;
    }
    Ok(())
}

/// Takes the seat of a member and keeps the rest (X18).
pub(crate) async fn trim(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<MemberRow, ApiError> {
    let row = existing(change, id, Right::Remove, precondition).await?;
    if change.profile.seats.on_shrink != OnShrink::TrimLatestAdded {
        return Err(ApiError::TrimNotOffered);
    }
    let role = role_name(&row.role);
    if change.profile.is_owner(&role) {
        return Err(ApiError::Holders);
    }
    let at = At::of(row.team_id.as_deref());
    change.actor.must_reach(Verb::Remove, at, &change.profile, &role)?;
    must_be(&row, MemberState::Active)?;
    let row = set_trimmed(change, row).await?;
    clear_notice(change).await?;
    Ok(row)
}

/// Gives a trimmed member a free seat again.
pub(crate) async fn reinstate(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<MemberRow, ApiError> {
    let row = existing(change, id, Right::ChangeRoles, precondition).await?;
    let at = At::of(row.team_id.as_deref());
    change.must_be_open(at).await?;
    change.actor.must_reach(Verb::Change, at, &change.profile, &role_name(&row.role))?;
    must_be(&row, MemberState::Trimmed)?;
    let seats = seats::counted(change, at).await?;
    if !seats.has_room_for(1) {
        return Err(seats.refusal());
    }
    let row = set_reinstated(change, row).await?;
    clear_notice(change).await?;
    Ok(row)
}

/// Trims without asking who does it.
pub(crate) async fn set_trimmed(
    change: &mut Change,
    before: MemberRow,
) -> Result<MemberRow, ApiError> {
    let row =
        MemberRow { state: MemberState::Trimmed, trimmed_at: Some(change.now), ..before.clone() };
    let row = save(change, "member.trimmed", &before, row).await?;
    tell(change, Notice::Trimmed, &row, json!({})).await?;
    Ok(row)
}

/// Reinstates without asking who does it.
pub(crate) async fn set_reinstated(
    change: &mut Change,
    before: MemberRow,
) -> Result<MemberRow, ApiError> {
    let row = MemberRow { state: MemberState::Active, trimmed_at: None, ..before.clone() };
    let row = save(change, "member.reinstated", &before, row).await?;
    tell(change, Notice::Reinstated, &row, json!({})).await?;
    Ok(row)
}

/// Tells the person of a change to their own place: where the profile says so, or says nothing of
/// notices at all.
async fn tell(
    change: &mut Change,
    notice: Notice,
    row: &MemberRow,
    words: Value,
) -> Result<(), ApiError> {
    let template = match notice {
        Notice::RoleChanged => Template::RoleChanged,
        Notice::Removed => Template::Removed,
        Notice::Trimmed => Template::Trimmed,
        Notice::Reinstated => Template::Reinstated,
        Notice::Added | Notice::Renamed | Notice::SecureSignInRequired => return Ok(()),
    };
    if change.profile.tells_person(notice) {
        change.mail(template, &row.id, &row.address, words).await?;
    }
    Ok(())
}

/// Refuses a demotion to a token that may not remove.
pub(crate) fn must_demote(
    actor: &Actor,
    profile: &Profile,
    old: &RoleName,
    new: &RoleName,
) -> Result<(), ApiError> {
    let demotion = profile.rank(new) > profile.rank(old);
    match actor.scopes() {
        Some(scopes) if demotion && !scopes.contains(&Scope::Remove) => {
            Err(ApiError::ScopeMissing(Scope::Remove.word()))
        }
        _ => Ok(()),
    }
}

/// The refusal of an invitation to someone who is in.
pub(crate) fn already(row: &MemberRow) -> ApiError {
    let href = format!("/v1/accounts/{}/members/{}", row.account_id, row.id);
    ApiError::AlreadyMember { href }
}

/// What was announced is settled when nobody is over the limit any more.
async fn clear_notice(change: &mut Change) -> Result<(), ApiError> {
    let seats = seats::counted(change, At::Account).await?;
    if seats.has_room_for(0) {
        change.account.over_limit_since = None;
        change.account.enforce_at = None;
    }
    if seats.breakdown.trimmed == 0 || !seats.has_room_for(1) {
        change.account.reinstate_at = None;
    }
    Ok(())
}

/// The member that a change is about. The client alone changes what an agency may there (NC-06).
async fn existing(
    change: &mut Change,
    id: &str,
    right: Right,
    precondition: &Precondition,
) -> Result<MemberRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = members::by_id(change.conn(), &account_id, id).await?;
    let row = row.filter(|row| row.state != MemberState::Deleted).ok_or(ApiError::NotFound)?;
    change.must(right, At::of(row.team_id.as_deref()))?;
    if row.principal == Principal::Account && change.actor.is_agency() {
        return Err(ApiError::Forbidden);
    }
    precondition.check(row.version)?;
    Ok(row)
}

fn must_be(row: &MemberRow, state: MemberState) -> Result<(), ApiError> {
    if row.state == state {
        return Ok(());
    }
    Err(ApiError::MemberState { state: members::state_word(row.state) })
}

/// Roles that only an ownership change gives or takes stay as they are.
fn must_be_changeable(profile: &Profile, old: &RoleName, new: &RoleName) -> Result<(), ApiError> {
    let fixed = |name: &RoleName| profile.role(name).is_some_and(|role| role.immutable);
    let given = profile.role(new).is_some_and(|role| role.invitable);
    if fixed(old) || fixed(new) || !given {
        return Err(ApiError::RoleFixed);
    }
    Ok(())
}

/// Refuses one more holder of a role that has as many as it may; trimmed people keep their place.
pub(crate) async fn must_fit_holders(change: &mut Change, role: &RoleName) -> Result<(), ApiError> {
    let most = change.profile.role(role).and_then(|role| role.max_holders);
    let Some(most) = most else { return Ok(()) };
    let held = holders(change, role, &[MemberState::Active, MemberState::Trimmed]).await?;
    if held < i64::from(most) { Ok(()) } else { Err(ApiError::Holders) }
}

/// Refuses to lose a holder of a role that needs every one it has.
async fn must_keep_holders(change: &mut Change, role: &RoleName) -> Result<(), ApiError> {
    let least = change.profile.role(role).map_or(0, |role| role.min_holders);
    if least == 0 {
        return Ok(());
    }
    let held = holders(change, role, &[MemberState::Active]).await?;
    if held > i64::from(least) { Ok(()) } else { Err(ApiError::Holders) }
}

async fn holders(
    change: &mut Change,
    role: &RoleName,
    states: &[MemberState],
) -> Result<i64, ApiError> {
    let account_id = change.account.id.clone();
    let counted = tallies::of(change.conn(), &account_id, List::Members).await?;
    let is_held = |state: &str| states.iter().any(|held| members::state_word(*held) == state);
    let held = counted.iter().filter(|tally| tally.role == role.as_str() && is_held(&tally.state));
    Ok(held.map(|tally| i64::from(tally.entries)).sum())
}

fn ended_by(actor: &Actor, id: &str) -> &'static str {
    match actor {
        Actor::Personal { person, .. } | Actor::Person(person) if person.is(id) => "self",
        Actor::Personal { .. } | Actor::Person(_) | Actor::Token { .. } | Actor::Invitee => {
            "member"
        }
        Actor::Vendor { .. } | Actor::Service => "service",
    }
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &MemberRow,
    mut row: MemberRow,
) -> Result<MemberRow, ApiError> {
    row.version += 1;
    members::update(change.conn(), before, &row).await?;
    let (old, new) = (views::member(before), views::member(&row));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    client_access::member_moved(change, &row).await?;
    Ok(row)
}
