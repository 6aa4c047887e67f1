//! Websites.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, website};
use crate::server::client_views;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::Body;
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, Filter, ListQuery};
use crate::server::store::websites;
use crate::wire::{NewWebsite, Website, WebsitePatch};

const FILTERS: &[Filter] = &[Filter::Text];

/// Operations on websites.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/websites";
    let row = "/accounts/{account}/websites/{website}";
    vec![
        Operation::get(all, list)
            .named("listWebsites", "Websites whose address contains a text")
            .needs(Right::ReadAccount)
            .lists::<Website>(FILTERS),
        Operation::post(all, create)
            .named("reportWebsite", "Reports a website; the vendor's")
            .needs(Right::Report)
            .takes::<NewWebsite>()
            .gives::<Website>(StatusCode::CREATED),
        Operation::get(row, read)
            .named("readWebsite", "One website")
            .needs(Right::ReadAccount)
            .gives::<Website>(StatusCode::OK),
        Operation::patch(row, patch)
            .named("changeWebsite", "Reports the state of a website; the vendor's")
            .needs(Right::Report)
            .takes::<WebsitePatch>()
            .gives::<Website>(StatusCode::OK),
        Operation::delete(row, remove)
            .named("removeWebsite", "Takes a website away; the vendor's")
            .needs(Right::Report),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    query.window(FILTERS)?;
    let (actor, right) = (&call.actor, Right::ReadAccount);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let account_id = look.account.id.clone();
    page(&mut look, &account_id, &query).await
}

/// A page of the websites of an account, which need not be the one that is looked at.
pub(super) async fn page(
    look: &mut Look,
    account_id: &str,
    query: &ListQuery,
) -> Result<Response, ApiError> {
    let window = query.window(FILTERS)?;
    let (text, as_of) = (query.q.as_deref(), look.position());
    let rows = websites::page(look.conn(), account_id, text, &window).await?;
    let total = websites::total(look.conn(), account_id, text).await?;
    let view = |row: &_| Ok(client_views::website(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewWebsite>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Report, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let view = client_views::website(&website::add(&mut change, &body.value).await?);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, website)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let (actor, right) = (&call.actor, Right::ReadAccount);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let account_id = look.account.id.clone();
    let row = websites::by_id(look.conn(), &account_id, &website).await?;
    let view = client_views::website(&row.ok_or(ApiError::NotFound)?);
    answer::row(&call, &view.etag, &view)
}

async fn patch(
    State(service): State<SharedService>,
    Path((id, website)): OfRow,
    call: Call,
    body: Body<WebsitePatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let precondition = call.precondition()?;
    let row = website::set_state(&mut change, &website, precondition, &body.value).await?;
    let view = client_views::website(&row);
    answer::changed(change, answer::json(StatusCode::OK, Some(&view.etag), &view)?).await
}

async fn remove(
    State(service): State<SharedService>,
    Path((id, website)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    website::remove(&mut change, &website, call.precondition()?).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}
