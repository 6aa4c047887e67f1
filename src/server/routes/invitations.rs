//! Invitations.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::Service;
use crate::server::auth::Call;
use crate::server::change::{Change, invitation};
use crate::server::error::ApiError;
use crate::server::permission::Right;
use crate::server::routes::Look;
use crate::server::routes::answer::{self, KeyRule, Once};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::invitations::{self, Shown};
use crate::server::views;
use crate::wire::{InvitationPatch, InvitationState, NewInvitation};

/// `GET /v1/accounts/{account}/invitations`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    call: Call,
) -> Result<Response, ApiError> {
    let query = ListQuery::of(query)?;
    let window = query.window()?;
    let shown = query.state.as_deref().map_or(Ok(Shown::Open), shown)?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers).await?;
    let (account_id, now, as_of) = (look.account.id.clone(), look.now, look.position());
    let rows = invitations::page(look.conn(), &account_id, shown, now, &window).await?;
    let total = invitations::count(look.conn(), &account_id, shown, now).await?;
    let view = |row: &_| Ok(views::invitation(row, now));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

/// `POST /v1/accounts/{account}/invitations`
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    call: Call,
    body: Body<NewInvitation>,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Required, &body.bytes)?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::Invite)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = invitation::invite(&mut change, &body.value).await?;
    let view = views::invitation(&row, change.now);
    once.finish(change, StatusCode::CREATED, &view.etag, &view).await
}

/// `GET /v1/accounts/{account}/invitations/{invitation}`
pub(crate) async fn read(
    State(service): State<Arc<Service>>,
    Path((id, invitation)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers).await?;
    let (account_id, now) = (look.account.id.clone(), look.now);
    let row = invitations::by_id(look.conn(), &account_id, &invitation).await?;
    let view = views::invitation(&row.ok_or(ApiError::NotFound)?, now);
    answer::row(&call, &view.etag, &view)
}

/// `PATCH /v1/accounts/{account}/invitations/{invitation}`
pub(crate) async fn patch(
    State(service): State<Arc<Service>>,
    Path((id, invitation)): Path<(String, String)>,
    call: Call,
    body: Body<InvitationPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let precondition = call.precondition()?;
    let row = invitation::change_role(&mut change, &invitation, precondition, &body.value).await?;
    let view = views::invitation(&row, change.now);
    change.commit().await?;
    answer::json(StatusCode::OK, Some(&view.etag), &view)
}

/// `POST /v1/accounts/{account}/invitations/{invitation}/resend`
pub(crate) async fn resend(
    State(service): State<Arc<Service>>,
    Path((id, invitation)): Path<(String, String)>,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Required, &[])?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::Invite)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = invitation::resend(&mut change, &invitation, call.precondition()?).await?;
    let view = views::invitation(&row, change.now);
    once.finish(change, StatusCode::OK, &view.etag, &view).await
}

/// `POST /v1/accounts/{account}/invitations/{invitation}/revoke`
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    Path((id, invitation)): Path<(String, String)>,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let once = Once::of(&call, KeyRule::Optional, &[])?;
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::Remove)?;
    if let Some(given) = once.given(&mut change).await? {
        return Ok(given);
    }
    let row = invitation::revoke(&mut change, &invitation, call.precondition()?).await?;
    let view = views::invitation(&row, change.now);
    once.finish(change, StatusCode::OK, &view.etag, &view).await
}

fn shown(word: &str) -> Result<Shown, ApiError> {
    let known = [
        InvitationState::Pending,
        InvitationState::Accepted,
        InvitationState::Declined,
        InvitationState::Expired,
        InvitationState::Failed,
        InvitationState::Revoked,
    ];
    let state = known.into_iter().find(|state| invitations::state_word(*state) == word);
    state.map(Shown::In).ok_or_else(|| {
        let words = known.map(invitations::state_word).join(", ");
        ApiError::field("/state", format!("is one of {words}"))
    })
}
