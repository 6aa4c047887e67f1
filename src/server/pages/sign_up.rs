//! Signing up: the address is proved by a mailed link before there is a user at all.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use minijinja::context;
use serde::Deserialize;

use crate::domain::identity::EmailAddress;
use crate::server::Service;
use crate::server::change::join_request;
use crate::server::error::ApiError;
use crate::server::link;
use crate::server::mail::Template;
use crate::server::pages::browser::{Browser, Sent, begin_session};
use crate::server::pages::{go_to, sentence};
use crate::server::password::{MAX_BYTES, MIN_CHARACTERS};
use crate::server::store::outbox::{self, MailRow};
use crate::server::store::users::{self, UserRow};
use crate::wire::SignInMethod;

/// How long the same address gets no second mail.
const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// Most mails to one address within the life of the link in them: whoever is sent no more holds one
/// that works.
const MOST: i64 = 5;

/// Longest name, in characters.
const MAX_NAME: usize = 100;

/// Someone who signs up.
pub(crate) struct NewPerson<'a> {
    /// Name for people.
    pub name: &'a str,
    /// Password.
    pub password: &'a str,
    /// Canonical address, proved by a link.
    pub address: &'a str,
}

/// The user that this person becomes.
pub(crate) async fn new_user(
    service: &Service,
    person: &NewPerson<'_>,
) -> Result<UserRow, ApiError> {
    let NewPerson { name, password, address } = person;
    let name = name.trim();
    let count = name.chars().count();
    if !(1..=MAX_NAME).contains(&count) || name.chars().any(char::is_control) {
        return Err(ApiError::field("/name", "has 1 to 100 printable characters"));
    }
    if password.chars().count() < MIN_CHARACTERS || password.len() > MAX_BYTES {
        return Err(ApiError::field("/password", "has at least 8 characters"));
    }
    Ok(UserRow {
        id: service.ids.next("usr", service.now()),
        address: (*address).to_owned(),
        name: name.to_owned(),
        password_hash: Some(service.passwords.hash(password).await?),
        sign_in: SignInMethod::Email,
        created_at: service.now(),
    })
}

/// Makes the user of a proven address, unless someone has just done so.
pub(crate) async fn register(
    service: &Arc<Service>,
    person: &NewPerson<'_>,
) -> Result<UserRow, ApiError> {
    let user = new_user(service, person).await?;
    let mut tx = service.store.begin().await?;
    let there = users::by_address(&mut tx, &user.address).await?;
    if there.is_some_and(|user| user.is_verified()) {
        return Err(ApiError::DeadLink);
    }
    users::verify(&mut tx, &user).await?;
    let user = users::by_address(&mut tx, &user.address).await?.unwrap_or(user);
    let arrival = join_request::arrive(&mut tx, &user.address, service.now()).await?;
    tx.commit().await?;
    join_request::admit(service, arrival).await;
    Ok(user)
}

/// `GET /signup` asks for the address.
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    browser: Browser,
) -> Result<Response, ApiError> {
    form(&service, &browser, None)
}

fn form(
    service: &Service,
    browser: &Browser,
    problem: Option<&ApiError>,
) -> Result<Response, ApiError> {
    let words = context! {
        action => "/signup",
        email => None::<String>,
        mark => browser.form_mark(service),
        problem => problem.map(sentence),
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status);
    Ok(browser.mark(service, service.pages.render(status, "sign_up.html", words)?))
}

/// The form of `/signup`.
#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    email: String,
}

/// `POST /signup` mails the link. Whether or not the address has a user, the answer is the same, and
/// so is the work: who has one is mailed that.
pub(crate) async fn ask(
    State(service): State<Arc<Service>>,
    Sent { browser, form: Ask { email } }: Sent<Ask>,
) -> Result<Response, ApiError> {
    let address = match EmailAddress::parse(&email) {
        Ok(address) => address,
        Err(error) => {
            let problem = ApiError::field("/email", error.to_string());
            return form(&service, &browser, Some(&problem));
        }
    };
    let (address, now) = (address.as_str(), service.now());
    let mut tx = service.store.begin().await?;
    let known = users::by_address(&mut tx, address).await?;
    let known = known.is_some_and(|user| user.is_verified());
    let template = if known { Template::KnownAddress } else { Template::ConfirmAddress };
    // Of either kind: a second mail would tell that somebody has signed up since the first.
    let kinds = [Template::ConfirmAddress, Template::KnownAddress].map(Template::name);
    let lately = outbox::count_to(&mut tx, kinds, address, now - QUIET).await?;
    let mails = outbox::count_to(&mut tx, kinds, address, now - link::ADDRESS_LIFETIME).await?;
    if lately == 0 && mails < MOST {
        let row = MailRow {
            id: service.ids.next_ulid(now).to_string(),
            account_id: None,
            template: template.name().to_owned(),
            subject: String::new(),
            address: address.to_owned(),
            words: "{}".to_owned(),
            created_at: now,
        };
        outbox::queue(&mut tx, &[row]).await?;
    }
    tx.commit().await?;
    service.mail_queued.notify_one();
    let title = "Look into your mail";
    let text = "If the address can be signed up, a link to go on is on its way to it.";
    let words = context! { title, text, link => "/signin", link_title => "Sign in" };
    service.pages.render(StatusCode::OK, "message.html", words)
}

/// `GET /v/{token}` asks for name and password.
pub(crate) async fn show_proven(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    browser: Browser,
) -> Result<Response, ApiError> {
    proven_form(&service, &browser, &token, None).await
}

async fn proven_form(
    service: &Arc<Service>,
    browser: &Browser,
    token: &str,
    problem: Option<&ApiError>,
) -> Result<Response, ApiError> {
    let address = proven(service, token).await?;
    let words = context! {
        action => format!("/v/{token}"),
        email => Some(address),
        mark => browser.form_mark(service),
        problem => problem.map(sentence),
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status);
    Ok(browser.mark(service, service.pages.render(status, "sign_up.html", words)?))
}

/// The address of a link that still works: it is used up once the address has a user.
async fn proven(service: &Arc<Service>, token: &str) -> Result<String, ApiError> {
    let address = link::proven_address(&service.key, token, service.now());
    let address = address.ok_or(ApiError::DeadLink)?;
    let mut snapshot = service.store.snapshot().await?;
    match users::by_address(&mut snapshot, &address).await? {
        Some(user) if user.is_verified() => Err(ApiError::DeadLink),
        _ => Ok(address),
    }
}

/// The form of `/v/{token}`.
#[derive(Debug, Deserialize)]
pub(crate) struct SignUp {
    name: String,
    password: String,
}

/// `POST /v/{token}` makes the user and begins a session.
pub(crate) async fn sign_up(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: SignUp { name, password } }: Sent<SignUp>,
) -> Result<Response, ApiError> {
    let address = proven(&service, &token).await?;
    let person = NewPerson { name: &name, password: &password, address: &address };
    match register(&service, &person).await {
        Ok(user) => begin_session(&service, &browser, &user, go_to("/")).await,
        Err(problem @ ApiError::Invalid(_)) => {
            proven_form(&service, &browser, &token, Some(&problem)).await
        }
        Err(failure) => Err(failure),
    }
}
