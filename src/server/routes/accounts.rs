//! Accounts, their seats and roles, and what this service guarantees.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::Service;
use crate::server::auth::Call;
use crate::server::change::due::RETENTION;
use crate::server::change::{Change, account, seats};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, KeyRule, Once};
use crate::server::routes::body::Body;
use crate::server::store::subscriptions;
use crate::server::views;
use crate::wire::{Account, AccountPatch, Capabilities, MAX_PAGE_SIZE, NewAccount};

/// `GET /v1/capabilities`
pub(crate) async fn capabilities(_call: Call) -> Result<Response, ApiError> {
    let body = Capabilities {
        server: format!("seatkeeper {}", env!("CARGO_PKG_VERSION")),
        idempotency_retention_seconds: RETENTION.as_secs().unsigned_abs(),
        unique_pending: true,
        external_ref: true,
        if_match: true,
        owner_and_seat_guard: true,
        snapshot_paging: true,
        claims: true,
        trimmed_state: true,
        max_page_size: MAX_PAGE_SIZE,
    };
    answer::json(StatusCode::OK, None, &body)
}

/// `POST /v1/accounts`
pub(crate) async fn open(
    State(service): State<Arc<Service>>,
    call: Call,
    body: Body<NewAccount>,
) -> Result<Response, ApiError> {
    let Actor::Vendor { .. } = &call.actor else { return Err(ApiError::Forbidden) };
    let once = Once::of(&call, KeyRule::Optional, &body.bytes)?;
    // There is no account yet that the key could belong to.
    let scope = "vendor";
    let mut tx = service.store.begin().await?;
    if let Some(given) = once.given_in(&mut tx, scope, service.now() - RETENTION).await? {
        return Ok(given);
    }
    let mut change = account::open(&service, tx, call.actor.clone(), &body.value, None).await?;
    let view = view(&mut change).await?;
    once.finish_in(scope, change, StatusCode::CREATED, &view.etag, &view).await
}

/// `GET /v1/accounts/{account}`
pub(crate) async fn read(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount).await?;
    let (seats, account_id) = (look.seats().await?, look.account.id.clone());
    let held = subscriptions::running(look.conn(), &account_id).await?;
    let view = views::account(&look.account, &look.profile, &seats, &held, &call.actor)?;
    answer::row(&call, &view.etag, &view)
}

/// `PATCH /v1/accounts/{account}`
pub(crate) async fn patch(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    call: Call,
    body: Body<AccountPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    account::patch(&mut change, call.precondition()?, &body.value).await?;
    let view = view(&mut change).await?;
    change.commit().await?;
    answer::json(StatusCode::OK, Some(&view.etag), &view)
}

/// `GET /v1/accounts/{account}/seats`
pub(crate) async fn seats(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount).await?;
    let seats = look.seats().await?;
    answer::json(StatusCode::OK, None, &views::seats(&look.account, &seats))
}

/// `GET /v1/accounts/{account}/roles`
pub(crate) async fn roles(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let look = Look::begin(&service, &id, &call.actor, Right::ReadAccount).await?;
    answer::json(StatusCode::OK, None, &views::roles(&look.profile))
}

async fn view(change: &mut Change) -> Result<Account, ApiError> {
    let count = seats::counted(change).await?;
    let account_id = change.account.id.clone();
    let held = subscriptions::running(change.conn(), &account_id).await?;
    views::account(&change.account, &change.profile, &count, &held, &change.actor)
}
