//! The layers that count: requests of one caller, and tries to sign in from one network.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::server::Service;
use crate::server::error::ApiError;
use crate::server::limits::{Allowance, Caller};
use crate::server::routes::edge;
use crate::server::{ids, peer};

/// Name of the limit on requests in the headers.
const REQUESTS: &str = "requests";

/// Name of the limit on invitation mails in the headers.
pub(crate) const INVITE_MAIL: &str = "invite-mail";

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Counts a request for its token, if that was valid lately, else for its network: guessed tokens
/// make nobody a caller of their own.
pub(crate) async fn requests(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let limiter = &service.limiter;
    let is_api = edge::is_api(request.uri().path());
    let token = bearer(request.headers()).filter(|_| is_api).map(ids::hash);
    let caller = match &token {
        Some(token) if limiter.has_proved(token) => Caller::Token(token.clone()),
        _ => Caller::Network(peer::network_of(&request, &service.trusted_proxies)),
    };
    let (allowance, mut response) = match limiter.request(&caller) {
        Ok(allowance) => (allowance, next.run(request).await),
        Err(refused) => {
            let ApiError::RateLimited { seconds, .. } = refused else {
                return refused.into_response();
            };
            (limiter.nothing_left(seconds), refused.into_response())
        }
    };
    if let Some(token) = token {
        // Only these say for sure what the token is.
        match response.status() {
            StatusCode::UNAUTHORIZED => limiter.note(&token, false),
            status if status.is_success() || status == StatusCode::NOT_MODIFIED => {
                limiter.note(&token, true);
            }
            _ => (),
        }
    }
    if let Some(allowance) = allowance.filter(|_| is_api) {
        tell(response.headers_mut(), REQUESTS, allowance);
    }
    response
}

/// Counts a form that tries a password or asks for a mail, before it is read.
pub(crate) async fn sign_ins(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::POST {
        let network = peer::network_of(&request, &service.trusted_proxies);
        if let Err(refused) = service.limiter.try_from(network) {
            return refused.into_response();
        }
    }
    next.run(request).await
}

/// Keeps what the caller was told of limits on the answer that takes the place of another.
pub(crate) fn carry(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [POLICY, LIMIT] {
        for value in from.get_all(&name) {
            to.append(&name, value.clone());
        }
    }
}

/// Says where the caller stands, beside what other limits say.
/// Source: draft-ietf-httpapi-ratelimit-headers-11.
pub(crate) fn tell(headers: &mut HeaderMap, name: &str, allowance: Allowance) {
    let Allowance { quota, window, left, full_in } = allowance;
    for (header, text) in [
        (POLICY, format!("\"{name}\";q={quota};w={window}")),
        (LIMIT, format!("\"{name}\";r={left};t={full_in}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(header, value);
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
