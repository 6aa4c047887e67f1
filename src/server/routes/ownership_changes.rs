//! Changes of owner.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::ownership_change;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::ownership_changes;
use crate::server::views;
use crate::wire::{NewOwnershipChange, OwnershipChange};

/// Operations on changes of owner.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/ownership-changes";
    let row = "/accounts/{account}/ownership-changes/{change}";
    vec![
        Operation::get(all, list)
            .named("listOwnershipChanges", "Changes of owner, those that ended too")
            .needs(Right::ManageAccount)
            .lists::<OwnershipChange>(&[]),
        Operation::post(all, create)
            .named("changeOwner", "Asks the present owner to make a member an owner")
            .needs(Right::ManageAccount)
            .mails()
            .takes::<NewOwnershipChange>()
            .gives::<OwnershipChange>(StatusCode::CREATED),
        Operation::get(row, read)
            .named("readOwnershipChange", "One change of owner")
            .needs(Right::ManageAccount)
            .gives::<OwnershipChange>(StatusCode::OK),
        Operation::post("/accounts/{account}/ownership-changes/{change}/cancel", cancel)
            .named("cancelOwnershipChange", "Withdraws a change of owner that waits")
            .needs(Right::ManageAccount)
            .conditional()
            .gives::<OwnershipChange>(StatusCode::OK),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let (actor, right) = (&call.actor, Right::ManageAccount);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let (account_id, now, as_of) = (look.account.id.clone(), look.now, look.position());
    let rows = ownership_changes::page(look.conn(), &account_id, &window).await?;
    let total = ownership_changes::total(look.conn(), &account_id).await?;
    let view = |row: &_| Ok(views::ownership_change(row, now));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewOwnershipChange>,
) -> Result<Response, ApiError> {
    let (rule, right) = (KeyRule::Required, Right::ManageAccount);
    let (once, mut change) =
        match Once::open(&service, &id, &call, rule, right, &body.bytes).await? {
            Opened::Given(answer) => return Ok(answer),
            Opened::New(once, change) => (once, change),
        };
    let row = ownership_change::request(&mut change, &body.value).await?;
    let view = views::ownership_change(&row, change.now);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, row)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let (actor, right) = (&call.actor, Right::ManageAccount);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let (account_id, now) = (look.account.id.clone(), look.now);
    let row = ownership_changes::by_id(look.conn(), &account_id, &row).await?;
    let view = views::ownership_change(&row.ok_or(ApiError::NotFound)?, now);
    answer::row(&call, &view.etag, &view)
}

async fn cancel(
    State(service): State<SharedService>,
    Path((id, row)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let (rule, right) = (KeyRule::Optional, Right::ManageAccount);
    let (once, mut change) = match Once::open(&service, &id, &call, rule, right, &[]).await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = ownership_change::cancel(&mut change, &row, call.precondition()?).await?;
    let view = views::ownership_change(&row, change.now);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}
