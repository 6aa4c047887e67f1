//! Accounts: opened, renamed, claimed, secured, deleted.

use std::sync::Arc;

use serde_json::json;

use crate::domain::identity::EmailAddress;
use crate::domain::keys::RoleName;
use crate::profile::SecureSignInBy;
use crate::server::Service;
use crate::server::change::joining::{self, Newcomer};
use crate::server::change::{
    Change, Precondition, client_access, digest, invitation, member, ownership_change, seats,
    secure_sign_in, subscription,
};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::Tx;
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::members::MemberRow;
use crate::server::store::tokens;
use crate::wire::{AccountPatch, Claim, MAX_NAME, NewAccount};

/// Opens an account; whoever opens it is its owner (NP-04).
pub(crate) async fn open(
    service: &Arc<Service>,
    mut tx: Tx,
    actor: Actor,
    request: &NewAccount,
    owner_name: Option<String>,
) -> Result<Change, ApiError> {
    let NewAccount { name, slug, profile, owner_email } = request;
    must_be_name("/name", name)?;
    must_be_slug(slug)?;
    let rules = service
        .profile(profile)
        .map_err(|_| ApiError::field("/profile", "is not a profile of this service"))?;
    let owner = EmailAddress::parse(owner_email)
        .map_err(|error| ApiError::field("/owner_email", error.to_string()))?;
    let now = service.now();
    let account = AccountRow {
        id: service.ids.next("acc", now),
        slug: slug.clone(),
        name: name.clone(),
        profile: profile.clone(),
        disabled: false,
        agency: false,
        secure_sign_in_since: None,
        created_at: now,
        deleted_at: None,
        claim: None,
        over_limit_since: None,
        enforce_at: None,
        reinstate_at: None,
        digest_at: None,
        digest_from: 0,
        position: 0,
        forgotten: 0,
        version: 1,
    };
    accounts::insert(&mut tx, &account).await?;
    let mut change = Change::on(service, tx, account, actor).await?;
    let id = change.account.id.clone();
    change.record("account.opened", &id, None::<()>, Some(request)).await?;
    let role = rules.opening_role().or(rules.roles.first()).map(|role| role.name.clone());
    let role = role.ok_or(ApiError::Corrupt("profile.roles"))?;
    add(&mut change, owner.as_str(), owner_name, &role).await?;
    digest::forget(&mut change);
    Ok(change)
}

/// Adds a member of the account itself at once, without an invitation.
pub(crate) async fn add(
    change: &mut Change,
    address: &str,
    name: Option<String>,
    role: &RoleName,
) -> Result<MemberRow, ApiError> {
    let newcomer = Newcomer {
        team_id: None,
        address: address.to_owned(),
        name,
        role: role.clone(),
        added_at: change.now,
        external_ref: None,
    };
    joining::enter(change, newcomer, "member.added").await
}

/// Renames or secures the account, notes who manages it, or says whether it is an agency.
pub(crate) async fn patch(
    change: &mut Change,
    precondition: &Precondition,
    request: &AccountPatch,
) -> Result<(), ApiError> {
    let AccountPatch { name, claim, claim_replaces, secure_sign_in_required, agency } = request;
    let of_others = claim.is_some() || agency.is_some();
    if name.is_some() || secure_sign_in_required.is_some() || !of_others {
        change.must(Right::ManageAccount, At::Account)?;
    }
    if claim.is_some() {
        change.must(Right::Claim, At::Account)?;
    }
    if agency.is_some() && !matches!(change.actor, Actor::Vendor { .. }) {
        return Err(ApiError::Forbidden);
    }
    precondition.check(change.account.version)?;
    if let Some(agency) = agency {
        set_agency(change, *agency).await?;
    }
    if let Some(name) = name {
        // A claim is taken all the same: removals and revocations need one.
        change.must_be_enabled()?;
        rename(change, name).await?;
    }
    if let Some(claim) = claim {
        set_claim(change, claim, claim_replaces.as_deref()).await?;
    }
    if let Some(required) = secure_sign_in_required {
        change.must_be_enabled()?;
        secure_sign_in::set(change, *required, SecureSignInBy::Settings).await?;
    }
    Ok(())
}

/// Says whether the account may ask clients for access (NC-01); one that may not any more is logged
/// in nowhere.
async fn set_agency(change: &mut Change, agency: bool) -> Result<(), ApiError> {
    if change.profile.client_access.is_none() {
        return Err(ApiError::NotOffered("access to clients"));
    }
    let before = std::mem::replace(&mut change.account.agency, agency);
    if before == agency {
        return Ok(());
    }
    change.account.version += 1;
    if !agency {
        client_access::end_sessions(change).await?;
    }
    let id = change.account.id.clone();
    change.record("account.agency_changed", &id, Some(before), Some(agency)).await
}

/// Ends everything in the account, which nobody finds afterwards; what happened in it is kept.
/// Of people, an owner does this (PO-05).
pub(crate) async fn delete(
    change: &mut Change,
    precondition: &Precondition,
) -> Result<(), ApiError> {
    change.must(Right::ManageAccount, At::Account)?;
    if change.actor.person().is_some_and(|person| !person.is_owner(&change.profile)) {
        return Err(ApiError::Forbidden);
    }
    precondition.check(change.account.version)?;
    invitation::revoke_all(change).await?;
    ownership_change::cancel_open(change).await?;
    client_access::end_all(change).await?;
    subscription::end_all(change).await?;
    member::end_all(change).await?;
    let id = change.account.id.clone();
    tokens::delete_all(change.conn(), &id).await?;
    accounts::release_domains(change.conn(), &id).await?;
    let account = &mut change.account;
    account.deleted_at = Some(change.now);
    account.version += 1;
    (account.enforce_at, account.reinstate_at, account.digest_at) = (None, None, None);
    let before = json!({ "slug": account.slug, "name": account.name });
    change.record("account.deleted", &id, Some(before), None::<()>).await
}

async fn rename(change: &mut Change, name: &str) -> Result<(), ApiError> {
    must_be_name("/name", name)?;
    if change.account.name == name {
        return Ok(());
    }
    let before = std::mem::replace(&mut change.account.name, name.to_owned());
    change.account.version += 1;
    let id = change.account.id.clone();
    change.record("account.renamed", &id, Some(before), Some(name)).await
}

/// Notes who manages the account. Another's claim is replaced only by who names it.
async fn set_claim(
    change: &mut Change,
    claim: &Claim,
    replaces: Option<&str>,
) -> Result<(), ApiError> {
    let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    if !fits(&claim.installation_id, 64) {
        return Err(ApiError::field("/claim/installation_id", "has 1 to 64 characters"));
    }
    if !fits(&claim.fingerprint, 128) {
        return Err(ApiError::field("/claim/fingerprint", "has 1 to 128 characters"));
    }
    match &change.account.claim {
        Some(held) if held == claim => return Ok(()),
        Some(held)
            if held.installation_id != claim.installation_id
                && Some(held.installation_id.as_str()) != replaces =>
        {
            return Err(ApiError::ClaimedByOther);
        }
        _ => (),
    }
    let before = change.account.claim.replace(claim.clone());
    change.account.version += 1;
    let id = change.account.id.clone();
    change.record("account.claimed", &id, before, Some(claim)).await?;
    seats::settle(change).await
}

/// Refuses what is no name of an account or a person.
pub(crate) fn must_be_name(pointer: &str, name: &str) -> Result<(), ApiError> {
    let long = !(1..=MAX_NAME).contains(&name.chars().count());
    if long || name.chars().any(char::is_control) || name.trim().is_empty() {
        return Err(ApiError::field(pointer, "has 1 to 100 printable characters"));
    }
    Ok(())
}

/// Refuses what is no slug.
pub(crate) fn must_be_slug(slug: &str) -> Result<(), ApiError> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&slug.len()) && slug.bytes().all(known) {
        return Ok(());
    }
    Err(ApiError::field("/slug", "has 1 to 63 characters of a-z, 0-9 and -"))
}
