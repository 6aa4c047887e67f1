//! The browser: its session, and the mark that a form must carry.

use std::sync::Arc;

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::server::Service;
use crate::server::auth;
use crate::server::change::client_login;
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::permission::{Actor, Person, Right};
use crate::server::store::Connection;
use crate::server::store::accounts;
use crate::server::store::users::{self, UserRow};

/// How long a session lasts.
const SESSION: SignedDuration = SignedDuration::from_hours(14 * 24);

const SESSION_COOKIE: &str = "seatkeeper_session";
const MARK_COOKIE: &str = "seatkeeper_mark";
const CLIENT_COOKIE: &str = "seatkeeper_client";

/// Before the name of a cookie: browsers take it from this host only, over https only.
const HOST_ONLY: &str = "__Host-";

/// Who sits at the browser.
pub(crate) struct Browser {
    /// The person that is signed in.
    pub user: Option<UserRow>,
    session: Option<String>,
    /// Secret of a session in the account of an agency's client, beside the person's own.
    client: Option<String>,
    mark: String,
    mark_is_new: bool,
}

impl FromRequestParts<Arc<Service>> for Browser {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, ApiError> {
        let session = cookie(service, &parts.headers, SESSION_COOKIE);
        let held = cookie(service, &parts.headers, MARK_COOKIE);
        let user = match &session {
            None => None,
            Some(session) => {
                let mut snapshot = service.store.snapshot().await?;
                users::of_session(&mut snapshot, &ids::hash(session), service.now()).await?
            }
        };
        let client = cookie(service, &parts.headers, CLIENT_COOKIE);
        let mark_is_new = held.is_none();
        let mark = held.unwrap_or_else(ids::secret);
        Ok(Self { user, session, client, mark, mark_is_new })
    }
}

fn is_https(service: &Service) -> bool {
    service.public_url.starts_with("https:")
}

fn cookie(service: &Service, headers: &HeaderMap, name: &str) -> Option<String> {
    let prefix = if is_https(service) { HOST_ONLY } else { "" };
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.trim(), value.trim()))
        .find(|(key, value)| key.strip_prefix(prefix) == Some(name) && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

impl Browser {
    /// What a form of this browser must carry.
    pub fn form_mark(&self, service: &Service) -> String {
        service.key.sign("form", &[&self.mark, self.session.as_deref().unwrap_or("")])
    }

    /// Gives the browser its mark with the page, if it has none yet.
    pub fn mark(&self, service: &Service, mut response: Response) -> Response {
        if self.mark_is_new {
            set_cookie(service, &mut response, MARK_COOKIE, &self.mark, SESSION);
        }
        response
    }

    /// The person, or the way to the sign-in.
    pub fn person(&self) -> Result<&UserRow, ApiError> {
        self.user.as_ref().ok_or(ApiError::Unauthenticated)
    }

    /// This person, acting by the session of this browser.
    pub fn acting(&self, person: Person) -> Actor {
        Actor::Person(Person { session: self.session_hash(), ..person })
    }

    fn session_hash(&self) -> Option<String> {
        self.session.as_deref().map(ids::hash)
    }

    /// The person as a member of this account, or as one of the agency that is logged in there, with
    /// a right. Who is neither finds nothing.
    pub async fn member_of(
        &self,
        service: &Arc<Service>,
        account: &str,
        right: Right,
    ) -> Result<Actor, ApiError> {
        let mut snapshot = service.store.snapshot().await?;
        let account = accounts::by_id_or_slug(&mut snapshot, account).await?;
        let person = match (&account, &self.client) {
            (Some(account), Some(client)) => {
                auth::in_client(service, &mut snapshot, account, &ids::hash(client)).await?
            }
            _ => None,
        };
        let (account, person) = match (account, person) {
            (Some(account), Some(person)) => (account, person),
            (account, _) => {
                let session = self.session_hash().ok_or(ApiError::Unauthenticated)?;
                self.person()?;
                let account = account.ok_or(ApiError::NotFound)?;
                let now = service.now();
                let person = auth::in_session(&mut snapshot, &account, &session, now).await?;
                (account, person)
            }
        };
        let actor = Actor::Person(person);
        actor.must_somewhere(right, &*service.profile(&account.profile)?)?;
        Ok(actor)
    }
}

/// Ends what the browser has open in a client's account.
pub(crate) async fn leave_client(
    conn: &mut Connection,
    browser: &Browser,
) -> Result<(), sqlx::Error> {
    match &browser.client {
        Some(client) => users::end_session(conn, &ids::hash(client)).await,
        None => Ok(()),
    }
}

/// Gives the browser its session in a client's account, or takes it away.
pub(crate) fn set_client(service: &Service, response: &mut Response, session: Option<&str>) {
    let age = if session.is_some() { client_login::SESSION } else { SignedDuration::ZERO };
    set_cookie(service, response, CLIENT_COOKIE, session.unwrap_or_default(), age);
}

/// Begins a session of this person and sends the browser there. Earlier sessions end.
pub(crate) async fn begin_session(
    service: &Arc<Service>,
    browser: &Browser,
    user: &UserRow,
    mut response: Response,
) -> Result<Response, ApiError> {
    let secret = ids::secret();
    let mut tx = service.store.begin().await?;
    if let Some(earlier) = &browser.session {
        users::end_session(&mut tx, &ids::hash(earlier)).await?;
    }
    leave_client(&mut tx, browser).await?;
    let now = service.now();
    users::begin_session(&mut tx, &ids::hash(&secret), &user.id, now, now + SESSION).await?;
    tx.commit().await?;
    set_cookie(service, &mut response, SESSION_COOKIE, &secret, SESSION);
    set_client(service, &mut response, None);
    Ok(response)
}

/// Ends the sessions of this browser.
pub(crate) async fn end_session(
    service: &Arc<Service>,
    browser: &Browser,
    mut response: Response,
) -> Result<Response, ApiError> {
    let mut tx = service.store.begin().await?;
    leave_client(&mut tx, browser).await?;
    if let Some(session) = &browser.session {
        users::end_session(&mut tx, &ids::hash(session)).await?;
    }
    tx.commit().await?;
    set_client(service, &mut response, None);
    set_cookie(service, &mut response, SESSION_COOKIE, "", SignedDuration::ZERO);
    Ok(response)
}

fn set_cookie(
    service: &Service,
    response: &mut Response,
    name: &str,
    value: &str,
    age: SignedDuration,
) {
    let (prefix, secure) = if is_https(service) { (HOST_ONLY, "; Secure") } else { ("", "") };
    let seconds = age.as_secs();
    let text = format!(
        "{prefix}{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// A form that came from a page of this service.
pub(crate) struct Sent<T> {
    /// Who sent it.
    pub browser: Browser,
    /// What it says.
    pub form: T,
}

#[derive(Deserialize)]
struct Marked<T> {
    mark: String,
    #[serde(flatten)]
    form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let browser = Browser::from_request_parts(&mut parts, service).await?;
        let request = Request::from_parts(parts, body);
        let form = Form::<Marked<T>>::from_request(request, service).await;
        let Form(Marked { mark, form }) =
            form.map_err(|rejection| ApiError::field("", rejection.body_text()))?;
        let parts = [browser.mark.as_str(), browser.session.as_deref().unwrap_or("")];
        if browser.mark_is_new || !service.key.verifies("form", &parts, &mark) {
            return Err(ApiError::ForgedForm);
        }
        Ok(Self { browser, form })
    }
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub(crate) struct NoFields {}
