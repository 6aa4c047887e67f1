//! What people see in a browser. GET shows, POST acts and carries a mark against forged forms; the
//! same changes as the API, under the same rights.

mod account;
mod browser;
mod clients;
mod grant;
mod invitation;
mod members;
mod ownership_change;
mod sign_in;
mod sign_up;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::server::Service;
use crate::server::error::{ApiError, ServerError};
use crate::server::routes::limit;

pub(crate) use sign_in::sign_in_path;

/// Templates, compiled once.
pub(crate) struct Pages(Environment<'static>);

impl Pages {
    /// Compiles all templates.
    pub fn new() -> Result<Self, ServerError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in [
            ("layout.html", include_str!("templates/layout.html")),
            ("style.css", include_str!("templates/style.css")),
            ("account_frame.html", include_str!("templates/account_frame.html")),
            ("account.html", include_str!("templates/account.html")),
            ("clients.html", include_str!("templates/clients.html")),
            ("confirm.html", include_str!("templates/confirm.html")),
            ("grant.html", include_str!("templates/grant.html")),
            ("home.html", include_str!("templates/home.html")),
            ("invitation.html", include_str!("templates/invitation.html")),
            ("log_in_as.html", include_str!("templates/log_in_as.html")),
            ("members.html", include_str!("templates/members.html")),
            ("message.html", include_str!("templates/message.html")),
            ("ownership_change.html", include_str!("templates/ownership_change.html")),
            ("sign_in.html", include_str!("templates/sign_in.html")),
            ("sign_up.html", include_str!("templates/sign_up.html")),
        ] {
            environment.add_template(name, text)?;
        }
        Ok(Self(environment))
    }

    /// A page.
    pub fn render(
        &self,
        status: StatusCode,
        template: &str,
        words: Value,
    ) -> Result<Response, ApiError> {
        let text = self.0.get_template(template)?.render(words)?;
        Ok(page(status, text))
    }

    /// The page of an error.
    pub fn error(&self, status: StatusCode, error: &ApiError) -> Response {
        let title = match status {
            _ if matches!(error, ApiError::DeadLink) => "This link does not work",
            _ if matches!(error, ApiError::SecureSignInRequired) => "This account asks for more",
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::FORBIDDEN => "This is locked for your role",
            StatusCode::UNAUTHORIZED => "Please sign in",
            StatusCode::TOO_MANY_REQUESTS => "Too many tries",
            _ if status.is_server_error() => "The service could not do this",
            _ => "This did not work",
        };
        let text = if status.is_server_error() { None } else { Some(sentence(error)) };
        let words = context! { title, text, link => "/", link_title => "Your accounts" };
        match self.render(status, "message.html", words) {
            Ok(response) => response,
            Err(_) => page(status, title.to_owned()),
        }
    }
}

/// What went wrong and the way out, as one text for people.
pub(crate) fn sentence(error: &ApiError) -> String {
    let detail = match error {
        ApiError::Invalid(fields) => {
            let lines = fields
                .iter()
                .map(|field| format!("{} {}", field.pointer.trim_start_matches('/'), field.detail));
            return lines.collect::<Vec<_>>().join("; ");
        }
        other => other.detail(),
    };
    let text = detail.unwrap_or_else(|| error.to_string());
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => text,
    }
}

/// A day for people, in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y").to_string()
}

fn page(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Sends the browser to another page.
pub(crate) fn go_to(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(value) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// Pages whose forms try a password, make one or ask for a mail.
fn for_strangers(service: &Arc<Service>) -> Router<Arc<Service>> {
    Router::new()
        .route("/i/{token}/accept", post(invitation::accept))
        .route("/grant/{token}/sign-up", post(grant::sign_up))
        .route("/signin", get(sign_in::show).post(sign_in::sign_in))
        .route("/signup", get(sign_up::show).post(sign_up::ask))
        .route("/v/{token}", get(sign_up::show_proven).post(sign_up::sign_up))
        .route_layer(from_fn_with_state(Arc::clone(service), limit::sign_ins))
}

/// All pages.
pub(crate) fn router(service: &Arc<Service>) -> Router<Arc<Service>> {
    Router::new()
        .merge(for_strangers(service))
        .route("/", get(account::home))
        .route("/i/{token}", get(invitation::show))
        .route("/grant/{token}", get(grant::show))
        .route("/grant/{token}/approve", post(grant::approve))
        .route("/grant/{token}/reject", post(grant::reject))
        .route("/log-in-as/{token}", get(clients::show_link).post(clients::enter))
        .route("/leave-client", post(clients::leave))
        .route("/accounts/{account}/clients", get(clients::show).post(clients::ask))
        .route("/accounts/{account}/clients/{access}/resend", post(clients::resend))
        .route("/accounts/{account}/clients/{access}/remove", post(clients::remove))
        .route("/accounts/{account}/clients/{access}/log-in", post(clients::log_in))
        .route("/i/{token}/decline", post(invitation::decline))
        .route("/own/{token}", get(ownership_change::show))
        .route("/own/{token}/accept", post(ownership_change::accept))
        .route("/own/{token}/decline", post(ownership_change::decline))
        .route("/signout", post(sign_in::sign_out))
        .route("/accounts/{account}", get(account::show))
        .route("/accounts/{account}/subscriptions", post(account::pick))
        .route("/accounts/{account}/members", get(members::show).post(members::invite))
        .route("/accounts/{account}/members/{member}/role", post(members::change_role))
        .route(
            "/accounts/{account}/members/{member}/remove",
            get(members::confirm_removal).post(members::remove),
        )
        .route("/accounts/{account}/invitations/{invitation}/resend", post(members::resend))
        .route(
            "/accounts/{account}/invitations/{invitation}/role",
            post(members::change_pending_role),
        )
        .route(
            "/accounts/{account}/invitations/{invitation}/revoke",
            get(members::confirm_revocation).post(members::revoke),
        )
}
