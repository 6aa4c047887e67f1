//! The account API under `/v1`: each route extracts, authorises, makes one change or look, answers.

mod accounts;
mod answer;
mod audit;
mod body;
mod edge;
mod invitations;
mod look;
mod members;
mod paging;
mod subscriptions;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::server::error::ApiError;
use crate::server::{Service, pages};
use crate::telemetry;

pub(crate) use look::Look;

/// Largest body that is read.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// API, pages and probes.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let ready = {
        let service = Arc::clone(service);
        let ready: telemetry::Readiness = Arc::new(move || {
            let store = service.store.clone();
            Box::pin(async move { store.answers().await })
        });
        ready
    };
    Router::new()
        .nest("/v1", v1())
        .merge(pages::router())
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(service), edge::edge))
        .with_state(Arc::clone(service))
        .merge(telemetry::probes(ready, service.metrics.registry.clone()))
}

fn v1() -> Router<Arc<Service>> {
    Router::new()
        .route("/capabilities", get(accounts::capabilities))
        .route("/accounts", post(accounts::open))
        .route("/accounts/{account}", get(accounts::read).patch(accounts::patch))
        .route("/accounts/{account}/seats", get(accounts::seats))
        .route("/accounts/{account}/roles", get(accounts::roles))
        .route("/accounts/{account}/audit-events", get(audit::list))
        .route("/accounts/{account}/members", get(members::list))
        .route(
            "/accounts/{account}/members/{member}",
            get(members::read).patch(members::patch).delete(members::remove),
        )
        .route("/accounts/{account}/members/{member}/trim", post(members::trim))
        .route("/accounts/{account}/members/{member}/reinstate", post(members::reinstate))
        .route("/accounts/{account}/invitations", get(invitations::list).post(invitations::create))
        .route(
            "/accounts/{account}/invitations/{invitation}",
            get(invitations::read).patch(invitations::patch),
        )
        .route("/accounts/{account}/invitations/{invitation}/resend", post(invitations::resend))
        .route("/accounts/{account}/invitations/{invitation}/revoke", post(invitations::revoke))
        .route(
            "/accounts/{account}/subscriptions",
            get(subscriptions::list).post(subscriptions::pick),
        )
        .route(
            "/accounts/{account}/subscriptions/{subscription}/cancel",
            post(subscriptions::cancel),
        )
        .route("/accounts/{account}/subscriptions/{subscription}/renew", post(subscriptions::renew))
}
