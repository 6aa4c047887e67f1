//! Members.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::Service;
use crate::server::auth::Call;
use crate::server::change::{Change, member};
use crate::server::error::ApiError;
use crate::server::permission::Right;
use crate::server::routes::Look;
use crate::server::routes::answer::{self, KeyRule, Once};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::members;
use crate::server::views;
use crate::wire::{MemberPatch, MemberState};

/// `GET /v1/accounts/{account}/members`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    call: Call,
) -> Result<Response, ApiError> {
    let query = ListQuery::of(query)?;
    let (window, state) = (query.window()?, query.state.as_deref().map(state).transpose()?);
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = members::page(look.conn(), &account_id, state, &window).await?;
    let total = members::count(look.conn(), &account_id, state).await?;
    let view = |row: &_| Ok(views::member(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

/// `GET /v1/accounts/{account}/members/{member}`
pub(crate) async fn read(
    State(service): State<Arc<Service>>,
    Path((id, member)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers).await?;
    let account_id = look.account.id.clone();
    let row = members::by_id(look.conn(), &account_id, &member).await?;
    let view = views::member(&row.ok_or(ApiError::NotFound)?);
    answer::row(&call, &view.etag, &view)
}

/// `PATCH /v1/accounts/{account}/members/{member}`
pub(crate) async fn patch(
    State(service): State<Arc<Service>>,
    Path((id, member)): Path<(String, String)>,
    call: Call,
    body: Body<MemberPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let row = member::change_role(&mut change, &member, call.precondition()?, &body.value).await?;
    change.commit().await?;
    let view = views::member(&row);
    answer::json(StatusCode::OK, Some(&view.etag), &view)
}

/// `DELETE /v1/accounts/{account}/members/{member}`
pub(crate) async fn remove(
    State(service): State<Arc<Service>>,
    Path((id, member)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    member::remove(&mut change, &member, call.precondition()?).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /v1/accounts/{account}/members/{member}/trim`
pub(crate) async fn trim(
    State(service): State<Arc<Service>>,
    Path((id, member)): Path<(String, String)>,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Required, &[])?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::Remove)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = member::trim(&mut change, &member, call.precondition()?).await?;
    let view = views::member(&row);
    once.finish(change, StatusCode::OK, &view.etag, &view).await
}

/// `POST /v1/accounts/{account}/members/{member}/reinstate`
pub(crate) async fn reinstate(
    State(service): State<Arc<Service>>,
    Path((id, member)): Path<(String, String)>,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Required, &[])?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::ChangeRoles)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = member::reinstate(&mut change, &member, call.precondition()?).await?;
    let view = views::member(&row);
    once.finish(change, StatusCode::OK, &view.etag, &view).await
}

fn state(word: &str) -> Result<MemberState, ApiError> {
    match word {
        "active" => Ok(MemberState::Active),
        "trimmed" => Ok(MemberState::Trimmed),
        "deleted" => Ok(MemberState::Deleted),
        _ => Err(ApiError::field("/state", "is one of active, trimmed, deleted")),
    }
}
