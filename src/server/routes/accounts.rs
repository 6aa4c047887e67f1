//! Accounts, their seats and roles, and what this service guarantees.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::retention::ANSWERS;
use crate::server::change::{Change, account, meter, seats};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once};
use crate::server::routes::body::Body;
use crate::server::routes::operation::{OfAccount, Operation};
use crate::server::store::subscriptions;
use crate::server::views;
use crate::wire::{
    Account, AccountPatch, Capabilities, MAX_PAGE_SIZE, NewAccount, RoleList, Seats,
};

/// Operations on accounts.
pub(crate) fn operations() -> Vec<Operation> {
    let row = "/accounts/{account}";
    vec![
        Operation::get("/capabilities", capabilities)
            .named("readCapabilities", "What this service guarantees")
            .gives::<Capabilities>(StatusCode::OK),
        Operation::post("/accounts", open)
            .named("openAccount", "Opens an account with its owner; the vendor's")
            .takes::<NewAccount>()
            .gives::<Account>(StatusCode::CREATED),
        Operation::get(row, read)
            .named("readAccount", "One account")
            .needs(Right::ReadAccount)
            .gives::<Account>(StatusCode::OK),
        Operation::patch(row, patch)
            .named("changeAccount", "Renames, claims or secures an account")
            .takes::<AccountPatch>()
            .gives::<Account>(StatusCode::OK),
        Operation::delete(row, delete)
            .named("deleteAccount", "Ends everything in an account; an owner's")
            .needs(Right::ManageAccount),
        Operation::get("/accounts/{account}/seats", seats)
            .named("readSeats", "Seats of an account")
            .needs(Right::ReadAccount)
            .gives::<Seats>(StatusCode::OK),
        Operation::get("/accounts/{account}/roles", roles)
            .named("listRoles", "The rules of an account: roles, plans, seat counting")
            .needs(Right::ReadAccount)
            .gives::<RoleList>(StatusCode::OK),
    ]
}

async fn capabilities(_call: Call) -> Result<Response, ApiError> {
    let body = Capabilities {
        server: format!("seatkeeper {}", env!("CARGO_PKG_VERSION")),
        idempotency_retention_seconds: ANSWERS.as_secs().unsigned_abs(),
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

async fn open(
    State(service): State<SharedService>,
    call: Call,
    body: Body<NewAccount>,
) -> Result<Response, ApiError> {
    let Actor::Vendor { .. } = &call.actor else { return Err(ApiError::Forbidden) };
    let once = Once::of(&call, KeyRule::Optional, &body.bytes)?;
    let mut tx = service.store.begin().await?;
    if let Some(given) = once.given(&mut tx, service.now() - ANSWERS).await? {
        return Ok(given);
    }
    let mut change = match account::open(&service, tx, call.actor.clone(), &body.value, None).await
    {
        Ok(change) => change,
        Err(ApiError::SlugTaken) => {
            // A call under the same key at the same moment may have taken it.
            let mut snapshot = service.store.snapshot().await?;
            let given = once.given(&mut snapshot, service.now() - ANSWERS).await?;
            return given.ok_or(ApiError::SlugTaken);
        }
        Err(error) => return Err(error),
    };
    let view = view(&mut change).await?;
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    let (seats, mut pools) = (look.seats().await?, look.pools().await?);
    let account_id = look.account.id.clone();
    let mut held = subscriptions::running(look.conn(), &account_id).await?;
    let (account, profile, now) = (look.account.clone(), look.profile.clone(), look.now);
    let mut usage = meter::usage(look.conn(), &account, &profile, now).await?;
    if let Some(seen) = look.seen(&call.actor).await? {
        held.retain(|row| seen.contains(&row.id));
        pools.retain(|(row, _)| seen.contains(&row.id));
        usage.retain(|usage| usage.subscription.as_ref().is_none_or(|id| seen.contains(id)));
    }
    let view = views::account(&account, &profile, (&seats, &pools), &held, usage, &call.actor)?;
    answer::row(&call, &view.etag, &view)
}

async fn patch(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<AccountPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    account::patch(&mut change, call.precondition()?, &body.value).await?;
    let view = view(&mut change).await?;
    answer::changed(change, answer::json(StatusCode::OK, Some(&view.etag), &view)?).await
}

async fn delete(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    account::delete(&mut change, call.precondition()?).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}

async fn seats(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    let (seats, mut pools) = (look.seats().await?, look.pools().await?);
    if let Some(seen) = look.seen(&call.actor).await? {
        pools.retain(|(row, _)| seen.contains(&row.id));
    }
    let view = views::seats(&look.account, &seats, &pools);
    answer::json(StatusCode::OK, None, &view)
}

async fn roles(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
) -> Result<Response, ApiError> {
    let look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    answer::json(StatusCode::OK, None, &views::roles(&look.profile))
}

async fn view(change: &mut Change) -> Result<Account, ApiError> {
    let count = seats::counted(change, At::Account).await?;
    let account_id = change.account.id.clone();
    let held = subscriptions::running(change.conn(), &account_id).await?;
    let (account, profile, now) = (change.account.clone(), change.profile.clone(), change.now);
    let usage = meter::usage(change.conn(), &account, &profile, now).await?;
    let pools = seats::pools(change.conn(), &account, &profile, now).await?;
    views::account(&account, &profile, (&count, &pools), &held, usage, &change.actor)
}
