//! Domains.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, domain};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::domains;
use crate::server::views;
use crate::wire::{Domain, DomainPatch, NewDomain};

/// Operations on domains.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/domains";
    let row = "/accounts/{account}/domains/{domain}";
    vec![
        Operation::get(all, list)
            .named("listDomains", "Domains, with the records that prove them")
            .needs(Right::ReadDomains)
            .lists::<Domain>(&[]),
        Operation::post(all, add)
            .named("addDomain", "Puts in a domain that is still to be proved")
            .needs(Right::ManageDomains)
            .takes::<NewDomain>()
            .gives::<Domain>(StatusCode::CREATED),
        Operation::post("/accounts/{account}/domains/{domain}/verify", verify)
            .named("verifyDomain", "Looks up the record that proves a domain")
            .needs(Right::ManageDomains)
            .conditional()
            .gives::<Domain>(StatusCode::OK),
        Operation::patch(row, patch)
            .named("changeDomain", "Says whether people join by a domain")
            .needs(Right::ManageDomains)
            .takes::<DomainPatch>()
            .gives::<Domain>(StatusCode::OK),
        Operation::delete(row, remove)
            .named("removeDomain", "Takes a domain away; who joined by it stays")
            .needs(Right::ManageDomains),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadDomains, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = domains::page(look.conn(), &account_id, &window).await?;
    let total = domains::total(look.conn(), &account_id).await?;
    let view = |row: &_| Ok(views::domain(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn add(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewDomain>,
) -> Result<Response, ApiError> {
    let right = Right::ManageDomains;
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, right, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = domain::add(&mut change, &body.value).await?;
    let view = views::domain(&row);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn verify(
    State(service): State<SharedService>,
    Path((id, domain)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let right = Right::ManageDomains;
    let mut once = Once::of(&call, KeyRule::Optional, &[])?;
    let mut look = Look::begin(&service, &id, &call.actor, right, At::Account).await?;
    if let Some(given) = once.earlier(&mut look).await? {
        return Ok(given);
    }
    let account_id = look.account.id.clone();
    let row = domains::by_id(look.conn(), &account_id, &domain).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    drop(look);
    let proved = domain::is_proved(&service, &row).await?;
    let change = Change::begin(&service, &id, call.actor.clone()).await?;
    let (once, mut change) = match once.within(change, right).await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = domain::verify(&mut change, &domain, call.precondition()?, proved).await?;
    let view = views::domain(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn patch(
    State(service): State<SharedService>,
    Path((id, domain)): OfRow,
    call: Call,
    body: Body<DomainPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let row = domain::patch(&mut change, &domain, call.precondition()?, &body.value).await?;
    let view = views::domain(&row);
    answer::changed(change, answer::json(StatusCode::OK, Some(&view.etag), &view)?).await
}

async fn remove(
    State(service): State<SharedService>,
    Path((id, domain)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    domain::remove(&mut change, &domain, call.precondition()?).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}
