//! Logging in as a client: a link that works once, and the session that it begins (NC-11).

use jiff::SignedDuration;
use serde_json::json;

use crate::server::Service;
use crate::server::auth;
use crate::server::change::{Change, Precondition, client_access};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Person, Right};
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::client_accesses::{self, AccessRow, state_word};
use crate::server::store::login_links::{self, ClientSession, LinkRow};
use crate::server::store::{Connection, members, users};
use crate::wire::ClientAccessState;

/// How long a link works.
const LINK: SignedDuration = SignedDuration::from_secs(60);

/// How long a session in a client's account lasts.
pub(crate) const SESSION: SignedDuration = SignedDuration::from_hours(8);

/// Makes a link for the person who asks. Programs log in as nobody.
pub(crate) async fn link(change: &mut Change, id: &str) -> Result<LinkRow, ApiError> {
    change.must(Right::UseClients, At::Account)?;
    let person = change.actor.person().ok_or(ApiError::Forbidden)?;
    let address = person.address.clone();
    let access = client_access::existing(change, id, &Precondition::Unchecked).await?;
    client_access::must_be_agency(change)?;
    must_be_granted(&access)?;
    let row = LinkRow {
        id: change.id("lgn"),
        client_access_id: access.id.clone(),
        address,
        expires_at: change.now + LINK,
        used_at: None,
    };
    let now = change.now;
    login_links::insert(change.conn(), &row, now).await?;
    let after = json!({ "role": access.held_role, "expires_at": row.expires_at });
    change.record("client_access.login_link_made", &access.id, None::<()>, Some(after)).await?;
    Ok(row)
}

/// Uses a link up and begins the session of this hash. The change is of the client; its other
/// account is the agency. Everything that the link was checked for is checked again.
pub(crate) async fn enter(
    change: &mut Change,
    access: &AccessRow,
    link: &LinkRow,
    hash: &str,
) -> Result<(), ApiError> {
    must_be_granted(access)?;
    change.turn();
    change.must(Right::UseClients, At::Account)?;
    client_access::must_be_agency(change)?;
    change.turn();
    let account = change.account.clone();
    if !is_secure_enough(change.conn(), &account, &link.address).await? {
        return Err(ApiError::SecureSignInRequired);
    }
    let now = change.now;
    if !login_links::take(change.conn(), &link.id, now).await? {
        return Err(ApiError::DeadLink);
    }
    let session =
        ClientSession { client_access_id: access.id.clone(), address: link.address.clone() };
    login_links::begin_session(change.conn(), hash, &session, now, now + SESSION).await?;
    let agency = &access.agency_slug;
    let after = json!({ "agency": agency, "role": access.held_role, "expires_at": now + SESSION });
    for _ in 0..2 {
        change.record("client_access.logged_in", &access.id, None::<()>, Some(&after)).await?;
        change.turn();
    }
    Ok(())
}

fn must_be_granted(row: &AccessRow) -> Result<(), ApiError> {
    match row.state {
        ClientAccessState::Granted => Ok(()),
        state => Err(ApiError::RowState { what: "client access", state: state_word(state) }),
    }
}

/// Who acts in a session: the person, as the agency, in the account that granted it access. None once
/// any of them lost it.
pub(crate) async fn person(
    service: &Service,
    conn: &mut Connection,
    session: &ClientSession,
    account: &AccountRow,
) -> Result<Option<Person>, ApiError> {
    let access = client_accesses::by_link(conn, &session.client_access_id).await?;
    let granted = access.filter(|access| {
        let here = access.client.as_ref().is_some_and(|client| client.id == account.id);
        here && access.state == ClientAccessState::Granted
    });
    let Some(access) = granted else { return Ok(None) };
    let agency = accounts::by_id_or_slug(conn, &access.account_id).await?;
    let Some(agency) = agency.filter(|agency| agency.agency) else { return Ok(None) };
    let own = auth::person(conn, &agency.id, &session.address).await?.map(Actor::Person);
    let profile = service.profile(&agency.profile)?;
    let may = own.is_some_and(|own| own.must(Right::UseClients, At::Account, &profile).is_ok());
    if !may || !is_secure_enough(conn, account, &session.address).await? {
        return Ok(None);
    }
    let member_id = access.member_id.unwrap_or_default();
    let place = members::by_id(conn, &account.id, &member_id).await?;
    Ok(place.and_then(|place| auth::agency(&place, &session.address)))
}

/// False for who signs in by a password alone where the client wants more (X13).
async fn is_secure_enough(
    conn: &mut Connection,
    account: &AccountRow,
    address: &str,
) -> Result<bool, sqlx::Error> {
    if account.secure_sign_in_since.is_none() {
        return Ok(true);
    }
    let user = users::by_address(conn, address).await?;
    Ok(user.is_some_and(|user| user.sign_in.is_secure()))
}
