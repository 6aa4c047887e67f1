//! Subscriptions.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::Service;
use crate::server::auth::Call;
use crate::server::change::{Change, subscription};
use crate::server::error::ApiError;
use crate::server::permission::Right;
use crate::server::routes::Look;
use crate::server::routes::answer::{self, KeyRule, Once};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::subscriptions;
use crate::server::views;
use crate::wire::NewSubscription;

/// `GET /v1/accounts/{account}/subscriptions`: those that are over too.
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    call: Call,
) -> Result<Response, ApiError> {
    let window = ListQuery::of(query)?.without_state()?.window()?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = subscriptions::page(look.conn(), &account_id, &window).await?;
    let total = subscriptions::count(look.conn(), &account_id).await?;
    let view = |row: &_| Ok(views::subscription(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

/// `POST /v1/accounts/{account}/subscriptions`
pub(crate) async fn pick(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    call: Call,
    body: Body<NewSubscription>,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Optional, &body.bytes)?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::ManageSubscriptions)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = subscription::pick(&mut change, &body.value).await?;
    let view = views::subscription(&row);
    once.finish(change, StatusCode::CREATED, &view.etag, &view).await
}

/// `POST /v1/accounts/{account}/subscriptions/{subscription}/cancel`
pub(crate) async fn cancel(
    State(service): State<Arc<Service>>,
    Path((id, subscription)): Path<(String, String)>,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Optional, &[])?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::ManageSubscriptions)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = subscription::cancel(&mut change, &subscription, call.precondition()?).await?;
    let view = views::subscription(&row);
    once.finish(change, StatusCode::OK, &view.etag, &view).await
}

/// `POST /v1/accounts/{account}/subscriptions/{subscription}/renew`
pub(crate) async fn renew(
    State(service): State<Arc<Service>>,
    Path((id, subscription)): Path<(String, String)>,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Optional, &[])?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::ManageSubscriptions)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = subscription::renew(&mut change, &subscription, call.precondition()?).await?;
    let view = views::subscription(&row);
    once.finish(change, StatusCode::OK, &view.etag, &view).await
}
