//! Signing in and out.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use serde::Deserialize;

use crate::domain::identity::EmailAddress;
use crate::server::Service;
use crate::server::error::ApiError;
use crate::server::pages::browser::{Browser, NoFields, Sent, begin_session, end_session};
use crate::server::pages::go_to;
use crate::server::store::users;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /signin`
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    Query(Next { next }): Query<Next>,
    browser: Browser,
) -> Result<Response, ApiError> {
    form(&service, &browser, StatusCode::OK, local(&next), None)
}

fn form(
    service: &Service,
    browser: &Browser,
    status: StatusCode,
    next: &str,
    problem: Option<&str>,
) -> Result<Response, ApiError> {
    let words = context! { next, problem, mark => browser.form_mark(service) };
    Ok(browser.mark(service, service.pages.render(status, "sign_in.html", words)?))
}

/// The form of `/signin`.
#[derive(Debug, Deserialize)]
pub(crate) struct SignIn {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /signin`. Unknown address and wrong password get the same answer after the same time, and
/// as often.
pub(crate) async fn sign_in(
    State(service): State<Arc<Service>>,
    Sent { browser, form: SignIn { email, password, next } }: Sent<SignIn>,
) -> Result<Response, ApiError> {
    let next = local(&next);
    let user = match EmailAddress::parse(&email) {
        Ok(address) => {
            service.limiter.try_for(address.as_str())?;
            let mut snapshot = service.store.snapshot().await?;
            users::by_address(&mut snapshot, address.as_str()).await?
        }
        Err(_) => None,
    };
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let matches = service.passwords.matches(&password, hash).await?;
    match user {
        Some(user) if matches => begin_session(&service, &browser, &user, go_to(next)).await,
        _ => {
            let problem = Some("Address and password do not go together.");
            form(&service, &browser, StatusCode::FORBIDDEN, next, problem)
        }
    }
}

/// `POST /signout`
pub(crate) async fn sign_out(
    State(service): State<Arc<Service>>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    end_session(&service, &browser, go_to("/signin")).await
}

/// A path of this service; anything else leads home, so that no link here sends people away.
fn local(next: &str) -> &str {
    let inside = next.starts_with('/')
        && !next.starts_with("//")
        && next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if inside { next } else { "/" }
}

/// The way to the sign-in and back.
pub(crate) fn sign_in_path(back: &str) -> String {
    let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    format!("/signin?next={back}")
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn after_the_sign_in_people_stay_at_this_service() {
        assert_eq!(local("/accounts/acme"), "/accounts/acme");
        for away in ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nb"] {
            assert_eq!(local(away), "/", "{away}");
        }
    }
}
