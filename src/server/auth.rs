//! Who asks: bearer tokens on `/v1`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use jiff::Timestamp;

use crate::server::Service;
use crate::server::change::{Precondition, client_login, secure_sign_in};
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::permission::{Actor, Person, Place, Scope};
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::members::MemberRow;
use crate::server::store::tokens::{self, TokenRow};
use crate::server::store::users::{self, UserRow};
use crate::server::store::{Connection, login_links, members};
use crate::server::views::role_name;
use crate::wire::{IDEMPOTENCY_KEY, MemberState, TokenKind};

/// Longest idempotency key, in bytes.
pub(crate) const MAX_KEY: usize = 255;

/// One call of the account API: who, and under which conditions.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Who asks.
    pub actor: Actor,
    /// Method.
    pub method: Method,
    /// Path, without the query.
    pub path: String,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    if_match: Option<Precondition>,
    if_none_match: Vec<String>,
}

impl Call {
    /// `If-Match`, which this call must have.
    pub fn precondition(&self) -> Result<&Precondition, ApiError> {
        self.if_match.as_ref().ok_or(ApiError::PreconditionRequired)
    }

    /// True if the caller wants to write only what is not there: `If-None-Match: *`.
    pub fn is_first(&self) -> bool {
        self.if_none_match.iter().any(|held| held == "*")
    }

    /// True if the caller has what bears this etag, by weak comparison (RFC 9110, 13.1.2): a proxy
    /// that compresses makes it a weak one.
    pub fn has(&self, etag: &str) -> bool {
        let strong = |held: &str| held.strip_prefix("W/").unwrap_or(held) == etag;
        self.if_none_match.iter().any(|held| held == "*" || strong(held))
    }
}

impl FromRequestParts<Arc<Service>> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, ApiError> {
        let actor = actor(service, &parts.headers).await?;
        Ok(Self {
            actor,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            key: if parts.method == Method::POST { key(&parts.headers)? } else { None },
            if_match: precondition(&parts.headers)?,
            if_none_match: etags(&parts.headers, IF_NONE_MATCH.as_str()),
        })
    }
}

async fn actor(service: &Arc<Service>, headers: &HeaderMap) -> Result<Actor, ApiError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) =
        header.and_then(|header| header.split_once(' ')).ok_or(ApiError::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::Unauthenticated);
    }
    let mut snapshot = service.store.snapshot().await?;
    let row = tokens::valid(&mut snapshot, &ids::hash(token.trim()), service.now()).await?;
    of_token(&mut snapshot, row).await
}

/// Who asks with this token.
async fn of_token(conn: &mut Connection, row: Option<TokenRow>) -> Result<Actor, ApiError> {
    let row = row.ok_or(ApiError::Unauthenticated)?;
    let scopes: BTreeSet<_> = row.scopes.split(' ').filter_map(Scope::parse).collect();
    match (row.kind, row.account_id, row.address) {
        (TokenKind::Vendor, None, _) => Ok(Actor::Vendor { id: row.id }),
        (TokenKind::Account, Some(account_id), _) => {
            let (id, made_by, expires_at) = (row.id, row.made_by, row.expires_at);
            Ok(Actor::Token { id, account_id, scopes, made_by, expires_at })
        }
        (TokenKind::Personal, Some(account_id), Some(address)) => {
            let person = person(conn, &account_id, &address).await?;
            let person = person.ok_or(ApiError::Unauthenticated)?;
            must_be_proved(conn, &account_id, &address, row.created_at).await?;
            Ok(Actor::Personal { id: row.id, person, scopes })
        }
        _ => Err(ApiError::Corrupt("tokens.kind")),
    }
}

/// The actor of a change, as it stands in its transaction: while the change waited for the account
/// the credential may have ended, and the person may have got other places.
pub(crate) async fn again(
    service: &Service,
    conn: &mut Connection,
    account: &AccountRow,
    actor: Actor,
    now: Timestamp,
) -> Result<Actor, ApiError> {
    match actor {
        Actor::Token { id, .. } | Actor::Vendor { id } | Actor::Personal { id, .. } => {
            let row = tokens::still_valid(conn, &id, now).await?;
            of_token(conn, row).await
        }
        Actor::Person(person) => {
            let session = person.session.ok_or(ApiError::Unauthenticated)?;
            let person = if person.as_client {
                in_client(service, conn, account, &session).await?.ok_or(ApiError::NotFound)?
            } else {
                in_session(conn, account, &session, now).await?
            };
            Ok(Actor::Person(person))
        }
        Actor::Invitee | Actor::Service => Ok(actor),
    }
}

/// The person of the session of this hash, as a member of an account.
pub(crate) async fn in_session(
    conn: &mut Connection,
    account: &AccountRow,
    session: &str,
    now: Timestamp,
) -> Result<Person, ApiError> {
    let user = users::of_session(conn, session, now).await?;
    let began = users::session_began(conn, session).await?;
    let (user, began) = user.zip(began).ok_or(ApiError::Unauthenticated)?;
    let person = person(conn, &account.id, &user.address).await?.ok_or(ApiError::NotFound)?;
    secure_sign_in::must_suffice(account, user.sign_in, began)?;
    Ok(Person { session: Some(session.to_owned()), ..person })
}

/// The person of an agency who is logged in to this account of its client by the session of this
/// hash.
pub(crate) async fn in_client(
    service: &Service,
    conn: &mut Connection,
    account: &AccountRow,
    session: &str,
) -> Result<Option<Person>, ApiError> {
    let Some(held) = login_links::session(conn, session, service.now()).await? else {
        return Ok(None);
    };
    let person = client_login::person(service, conn, &held, account).await?;
    Ok(person.map(|person| Person { session: Some(session.to_owned()), ..person }))
}

/// The person of this address in an account; none for who has no access there.
pub(crate) async fn person(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Option<Person>, sqlx::Error> {
    let rows = members::of_person(conn, account_id, address).await?;
    let mut places: Vec<_> = rows
        .into_iter()
        .filter(|row| row.state == MemberState::Active)
        .map(|row| Place { member_id: row.id, team_id: row.team_id, role: role_name(&row.role) })
        .collect();
    places.sort_by_key(|place| place.team_id.is_some());
    let (account_id, address) = (account_id.to_owned(), address.to_owned());
    let found = !places.is_empty();
    Ok(found.then_some(Person { account_id, address, places, as_client: false, session: None }))
}

/// Somebody of an agency who acts in an account that granted the agency this place; none while the
/// place gives no access.
pub(crate) fn agency(row: &MemberRow, address: &str) -> Option<Person> {
    let place = Place {
        member_id: row.id.clone(),
        team_id: row.team_id.clone(),
        role: role_name(&row.role),
    };
    (row.state == MemberState::Active).then(|| Person {
        account_id: row.account_id.clone(),
        address: address.to_owned(),
        places: vec![place],
        as_client: true,
        session: None,
    })
}

/// Refuses the personal token of who has not verified the address, and one that was made since the
/// account asks for secure sign-in, by who has none. One from before works until it ends, as a
/// session does (X13).
async fn must_be_proved(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
    made_at: Timestamp,
) -> Result<(), ApiError> {
    let account = accounts::by_id_or_slug(conn, account_id).await?;
    let account = account.ok_or(ApiError::Unauthenticated)?;
    let user = users::by_address(conn, address).await?;
    let user = user.filter(UserRow::is_verified).ok_or(ApiError::Unauthenticated)?;
    secure_sign_in::must_suffice(&account, user.sign_in, made_at)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(key) if fits(key) && values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(ApiError::field("", "Idempotency-Key has 1 to 255 visible ASCII characters")),
    }
}

fn fits(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn precondition(headers: &HeaderMap) -> Result<Option<Precondition>, ApiError> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(None);
    }
    let etags = etags(headers, IF_MATCH.as_str());
    if etags == ["*"] {
        return Ok(Some(Precondition::Any));
    }
    if etags.is_empty() || !etags.iter().all(|etag| is_etag(etag)) {
        return Err(ApiError::field("", "If-Match is `*` or etags as the rows bear them, quoted"));
    }
    Ok(Some(Precondition::Etags(etags)))
}

/// Source: RFC 9110, 8.8.3; without the commas that would be allowed inside.
fn is_etag(text: &str) -> bool {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.is_some_and(|inside| inside.bytes().all(|b| b.is_ascii_graphic() && b != b'"'))
}

/// The etags of a header. A weak one never matches. Source: RFC 9110, 13.1.1.
fn etags(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|etag| etag.trim().to_owned()).collect()
}
