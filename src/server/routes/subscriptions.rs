//! Subscriptions.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::subscription;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::routes::teams::seen_by;
use crate::server::store::subscriptions;
use crate::server::views;
use crate::wire::{NewSubscription, Subscription};

/// Operations on subscriptions.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/subscriptions";
    vec![
        Operation::get(all, list)
            .named(
                "listSubscriptions",
                "Subscriptions, those that are over too; a person sees those of his teams",
            )
            .needs(Right::ReadAccount)
            .lists::<Subscription>(&[]),
        Operation::post(all, pick)
            .named("pickPlan", "Picks or upgrades the plan")
            .needs(Right::ManageSubscriptions)
            .mails()
            .takes::<NewSubscription>()
            .gives::<Subscription>(StatusCode::CREATED),
        Operation::post("/accounts/{account}/subscriptions/{subscription}/confirm", confirm)
            .named("confirmSubscription", "Confirms what somebody picked; the vendor's")
            .needs(Right::Report)
            .mails()
            .conditional()
            .gives::<Subscription>(StatusCode::OK),
        Operation::post("/accounts/{account}/subscriptions/{subscription}/cancel", cancel)
            .named("cancelSubscription", "Cancels a subscription")
            .needs(Right::ManageSubscriptions)
            .mails()
            .conditional()
            .gives::<Subscription>(StatusCode::OK),
        Operation::post("/accounts/{account}/subscriptions/{subscription}/renew", renew)
            .named(
                "renewSubscription",
                "Takes a cancellation back, or renews; periods are added by the vendor",
            )
            .needs(Right::ManageSubscriptions)
            .mails()
            .conditional()
            .gives::<Subscription>(StatusCode::OK),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let (actor, right) = (&call.actor, Right::ReadAccount);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let shown = seen_by(&call.actor);
    let rows = subscriptions::page(look.conn(), &account_id, shown, &window).await?;
    let total = subscriptions::total(look.conn(), &account_id, shown).await?;
    let view = |row: &_| Ok(views::subscription(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn pick(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewSubscription>,
) -> Result<Response, ApiError> {
    let right = Right::ManageSubscriptions;
    let opened = Once::open(&service, &id, &call, KeyRule::Required, right, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = subscription::pick(&mut change, &body.value).await?;
    let view = views::subscription(&row);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn confirm(
    State(service): State<SharedService>,
    Path((id, subscription)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Report, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = subscription::confirm(&mut change, &subscription, call.precondition()?).await?;
    let view = views::subscription(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn cancel(
    State(service): State<SharedService>,
    Path((id, subscription)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let right = Right::ManageSubscriptions;
    let opened = Once::open(&service, &id, &call, KeyRule::Required, right, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = subscription::cancel(&mut change, &subscription, call.precondition()?).await?;
    let view = views::subscription(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn renew(
    State(service): State<SharedService>,
    Path((id, subscription)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let right = Right::ManageSubscriptions;
    let opened = Once::open(&service, &id, &call, KeyRule::Required, right, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = subscription::renew(&mut change, &subscription, call.precondition()?).await?;
    let view = views::subscription(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}
