//! Joining by domain (PO-11): at once, or by a request that somebody decides (X6).
//!
//! A sign-up notes the arrival in its own transaction; the account takes the person in by a change
//! of its own, at once or, after a crash, when due work is looked for.

use std::sync::Arc;

use jiff::Timestamp;

use crate::profile::{AutoJoin, OverLimit};
use crate::server::Service;
use crate::server::change::room::{self, Entry};
use crate::server::change::{Change, Precondition, account, invitation, member, notice, seats};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right, Verb};
use crate::server::store::join_requests::{self, JoinRequestRow};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::{Connection, arrivals, domains, users};
use crate::server::views;
use crate::wire::{JoinRequestState, NewJoinRequest};

/// An account that somebody is to join.
pub(crate) struct Arrival {
    account_id: String,
}

/// Notes that the owner of this address has proved it and signed up. To be called in the
/// transaction that makes the user.
pub(crate) async fn arrive(
    conn: &mut Connection,
    address: &str,
    now: Timestamp,
) -> Result<Option<Arrival>, ApiError> {
    let Some(account_id) = domains::joined_by(conn, domain_of(address)).await? else {
        return Ok(None);
    };
    arrivals::put(conn, address, &account_id, now).await?;
    Ok(Some(Arrival { account_id }))
}

/// Takes in who has arrived. What fails is done later: the sign-up itself is done.
pub(crate) async fn admit(service: &Arc<Service>, arrival: Option<Arrival>) {
    let Some(Arrival { account_id }) = arrival else { return };
    let admitted = async {
        let mut change = Change::begin(service, &account_id, Actor::Service).await?;
        admit_arrivals(&mut change).await?;
        change.commit().await
    };
    if let Err(error) = admitted.await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(account.id = account_id, error, "could not take in who has signed up");
    }
}

/// Takes in all who have arrived at the account.
pub(crate) async fn admit_arrivals(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for address in arrivals::of_account(change.conn(), &account_id).await? {
        arrivals::delete(change.conn(), &address).await?;
        admit_one(change, &account_id, &address).await?;
    }
    Ok(())
}

async fn admit_one(change: &mut Change, account_id: &str, address: &str) -> Result<(), ApiError> {
    let Some(rules) = change.profile.auto_join.clone() else { return Ok(()) };
    let still = domains::joined_by(change.conn(), domain_of(address)).await?;
    let user = users::by_address(change.conn(), address).await?;
    let (Some(user), true) = (user, still.as_deref() == Some(account_id)) else { return Ok(()) };
    let there = members::by_address(change.conn(), account_id, None, address).await?.is_some();
    // Who is invited has a seat and a role that somebody chose: the invitation decides.
    let invited = invitation::waits(change, None, address).await?;
    let asked = join_requests::open_of(change.conn(), account_id, address).await?.is_some();
    if there || invited || asked {
        return Ok(());
    }
    if may_join(change, &rules, address).await? {
        account::add(change, address, Some(user.name), &rules.role).await?;
        return seats::settle(change).await;
    }
    wait(change, address, user.name).await.map(drop)
}

/// Puts a request of this person among those that somebody decides.
async fn wait(
    change: &mut Change,
    address: &str,
    name: String,
) -> Result<JoinRequestRow, ApiError> {
    let row = JoinRequestRow {
        id: change.id("joi"),
        account_id: change.account.id.clone(),
        domain: domain_of(address).to_owned(),
        address: address.to_owned(),
        name,
        state: JoinRequestState::Open,
        created_at: change.now,
        version: 1,
    };
    join_requests::insert(change.conn(), &row).await?;
    let view = views::join_request(&row);
    change.record("join_request.created", &row.id, None::<()>, Some(view)).await?;
    if !has_seat(change, address).await? {
        notice::seats_short(change, At::Account).await?;
    }
    Ok(row)
}

async fn has_seat(change: &mut Change, address: &str) -> Result<bool, ApiError> {
    is_granted(room::must_have_room(change, At::Account, address, Entry::AtOnce).await)
}

/// Asks for somebody whom the sign-up could not bring in: the domain was verified later, or its
/// people do not join by themselves.
pub(crate) async fn create(
    change: &mut Change,
    request: &NewJoinRequest,
) -> Result<JoinRequestRow, ApiError> {
    let NewJoinRequest { email } = request;
    change.must(Right::Invite, At::Account)?;
    if change.profile.auto_join.is_none() {
        return Err(ApiError::NotOffered("joining by domain"));
    }
    change.must_be_enabled()?;
    let address = invitation::address(email)?;
    let (account_id, domain) = (change.account.id.clone(), domain_of(address.as_str()));
    // Nothing is said of people elsewhere; whoever proved a domain reads the mails of all in it.
    if !domains::is_verified_by(change.conn(), &account_id, domain).await? {
        return Err(ApiError::field("/email", "is not at a verified domain of this account"));
    }
    invitation::must_be_new(change, None, address.as_str()).await?;
    if join_requests::open_of(change.conn(), &account_id, address.as_str()).await?.is_some() {
        return Err(ApiError::RowState { what: "join request", state: "open" });
    }
    let user = users::by_address(change.conn(), address.as_str()).await?;
    wait(change, address.as_str(), user.ok_or(ApiError::UnknownUser)?.name).await
}

/// True if nobody has to decide. Somebody who was removed does not come back by a domain alone.
async fn may_join(change: &mut Change, rules: &AutoJoin, address: &str) -> Result<bool, ApiError> {
    let account_id = change.account.id.clone();
    if change.account.disabled || members::was_removed(change.conn(), &account_id, address).await? {
        return Ok(false);
    }
    let fits = member::must_fit_holders(change, &rules.role).await;
    if rules.over_limit == OverLimit::Allow {
        return is_granted(fits);
    }
    Ok(is_granted(fits)? && has_seat(change, address).await?)
}

/// A refusal is an answer; a failure is not.
fn is_granted(checked: Result<(), ApiError>) -> Result<bool, ApiError> {
    match checked {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.kind().status.is_client_error() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Lets somebody in who waits; gives the member that it made too.
pub(crate) async fn approve(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<(JoinRequestRow, MemberRow), ApiError> {
    let before = open(change, id, precondition).await?;
    change.must_be_enabled()?;
    let rules = change.profile.auto_join.clone();
    let AutoJoin { role, over_limit } = rules.ok_or(ApiError::NotOffered("joining by domain"))?;
    change.actor.must_reach(Verb::Invite, At::Account, &change.profile, &role)?;
    // Who is invited has a role that somebody chose: that is accepted, changed or revoked instead.
    invitation::must_be_new(change, None, &before.address).await?;
    member::must_fit_holders(change, &role).await?;
    if over_limit == OverLimit::Request {
        room::must_have_room(change, At::Account, &before.address, Entry::AtOnce).await?;
    }
    let row = JoinRequestRow { state: JoinRequestState::Approved, ..before.clone() };
    let row = save(change, "join_request.approved", &before, row).await?;
    let member = account::add(change, &row.address, Some(row.name.clone()), &role).await?;
    seats::settle(change).await?;
    Ok((row, member))
}

/// Notes that somebody who waits has come in otherwise.
pub(crate) async fn settle_open(change: &mut Change, address: &str) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let open = join_requests::open_of(change.conn(), &account_id, address).await?;
    let Some(before) = open else { return Ok(()) };
    let row = JoinRequestRow { state: JoinRequestState::Approved, ..before.clone() };
    save(change, "join_request.approved", &before, row).await.map(drop)
}

/// Turns somebody down who waits.
pub(crate) async fn reject(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<JoinRequestRow, ApiError> {
    let before = open(change, id, precondition).await?;
    let row = JoinRequestRow { state: JoinRequestState::Rejected, ..before.clone() };
    save(change, "join_request.rejected", &before, row).await
}

async fn open(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<JoinRequestRow, ApiError> {
    change.must(Right::Invite, At::Account)?;
    let account_id = change.account.id.clone();
    let row = join_requests::by_id(change.conn(), &account_id, id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    precondition.check(row.version)?;
    if row.state != JoinRequestState::Open {
        let state = join_requests::state_word(row.state);
        return Err(ApiError::RowState { what: "join request", state });
    }
    Ok(row)
}

/// The domain of an address.
fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &JoinRequestRow,
    mut row: JoinRequestRow,
) -> Result<JoinRequestRow, ApiError> {
    row.version += 1;
    join_requests::update(change.conn(), &row).await?;
    let (old, new) = (views::join_request(before), views::join_request(&row));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}
