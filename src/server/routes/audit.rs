//! The audit log.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::Service;
use crate::server::auth::Call;
use crate::server::error::ApiError;
use crate::server::permission::Right;
use crate::server::routes::Look;
use crate::server::routes::answer;
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::audit;
use crate::server::views;

/// `GET /v1/accounts/{account}/audit-events`, oldest first.
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    call: Call,
) -> Result<Response, ApiError> {
    let window = ListQuery::of(query)?.without_state()?.window()?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAudit).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = audit::page(look.conn(), &account_id, &window).await?;
    let total = audit::count(look.conn(), &account_id).await?;
    let key = |row: &audit::AuditRow| row.position.to_string();
    let page = paging::page(rows, &window, total, as_of, key, views::audit_event)?;
    answer::json(StatusCode::OK, None, &page)
}
