//! The audit log.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer;
use crate::server::routes::operation::{OfAccount, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::audit;
use crate::server::views;
use crate::wire::AuditEvent;

/// Operations on the audit log.
pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/accounts/{account}/audit-events", list)
            .named("listAuditEvents", "Who changed what, oldest first")
            .needs(Right::ReadAudit)
            .lists::<AuditEvent>(&[]),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let (actor, right) = (&call.actor, Right::ReadAudit);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = audit::page(look.conn(), &account_id, &window).await?;
    // Every position is one row, until retention takes the oldest away.
    let total = (look.account.position - look.account.forgotten).unsigned_abs();
    let key = |row: &audit::AuditRow| row.position.to_string();
    let page = paging::page(rows, &window, total, as_of, key, views::audit_event)?;
    answer::json(StatusCode::OK, None, &page)
}
