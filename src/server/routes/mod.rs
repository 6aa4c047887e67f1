//! The account API under `/v1`: each route extracts, authorises, makes one change or look, answers.

mod access_requests;
mod accounts;
mod answer;
mod audit;
mod body;
mod bounces;
mod changes;
mod client_accesses;
mod client_states;
mod domains;
mod edge;
mod invitations;
mod join_requests;
pub(crate) mod limit;
mod look;
mod members;
mod meters;
mod operation;
mod ownership_changes;
mod paging;
mod path;
mod permission_checks;
mod recipients;
mod subscriptions;
mod suggestions;
mod teams;
mod tokens;
mod websites;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::server::error::ApiError;
use crate::server::{Service, SharedService, pages};
use crate::telemetry;

pub(crate) use answer::KeyRule;
#[cfg(feature = "bench-floor")]
pub(crate) use answer::{Answer, Once, Opened};
pub(crate) use look::Look;
#[cfg(feature = "bench-floor")]
pub(crate) use members::methods;
pub(crate) use operation::{Operation, SchemaOf};

/// Largest body that is read.
pub(crate) const MAX_BODY: usize = crate::wire::MAX_BODY;

/// API, pages and probes.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let ready = {
        let service = Arc::clone(service);
        let ready: telemetry::Readiness = Arc::new(move || {
            let service = Arc::clone(&service);
            Box::pin(
                async move { !service.stopping.is_cancelled() && service.store.answers().await },
            )
        });
        ready
    };
    Router::new()
        .nest("/v1", v1())
        .merge(pages::router(service))
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(service), limit::requests))
        .layer(from_fn_with_state(Arc::clone(service), edge::edge))
        .with_state(Arc::clone(service))
        .merge(telemetry::probes(ready, service.metrics.registry.clone()))
}

/// Everything under `/v1`: the router and the contract are made from it.
pub(crate) fn operations() -> Vec<Operation> {
    let of_resources: [fn() -> Vec<Operation>; 20] = [
        accounts::operations,
        members::operations,
        invitations::operations,
        teams::operations,
        suggestions::operations,
        subscriptions::operations,
        ownership_changes::operations,
        tokens::operations,
        client_states::operations,
        client_accesses::operations,
        access_requests::operations,
        websites::operations,
        meters::operations,
        domains::operations,
        join_requests::operations,
        recipients::operations,
        permission_checks::operations,
        audit::operations,
        changes::operations,
        bounces::operations,
    ];
    of_resources.iter().flat_map(|operations| operations()).collect()
}

fn v1() -> Router<SharedService> {
    operations()
        .into_iter()
        .fold(Router::new(), |router, operation| router.route(operation.path, operation.handler))
        .route_layer(from_fn(path::must_be_keys))
}
