//! Join requests.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{join_request, notice};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, Filter, ListQuery};
use crate::server::store::join_requests;
use crate::server::views;
use crate::wire::{JoinRequest, JoinRequestState, NewJoinRequest};

const FILTERS: &[Filter] = &[Filter::State];

/// Operations on join requests.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/join-requests";
    vec![
        Operation::get(all, list)
            .named("listJoinRequests", "People who wait to join by their domain")
            .needs(Right::Invite)
            .lists::<JoinRequest>(FILTERS),
        Operation::post(all, create)
            .named("requestToJoin", "Asks for a person of a verified domain who has signed up")
            .needs(Right::Invite)
            .mails()
            .takes::<NewJoinRequest>()
            .gives::<JoinRequest>(StatusCode::CREATED),
        Operation::post("/accounts/{account}/join-requests/{join_request}/approve", approve)
            .named("approveJoinRequest", "Lets somebody join who waits")
            .needs(Right::Invite)
            .conditional()
            .gives::<JoinRequest>(StatusCode::OK),
        Operation::post("/accounts/{account}/join-requests/{join_request}/reject", reject)
            .named("rejectJoinRequest", "Turns somebody down who waits")
            .needs(Right::Invite)
            .conditional()
            .gives::<JoinRequest>(StatusCode::OK),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(FILTERS)?;
    let state = query.state.as_deref().map_or(Ok(JoinRequestState::Open), state)?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::Invite, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = join_requests::page(look.conn(), &account_id, state, &window).await?;
    let total = join_requests::total(look.conn(), &account_id, state).await?;
    let view = |row: &_| Ok(views::join_request(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewJoinRequest>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Invite, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = join_request::create(&mut change, &body.value).await?;
    let view = views::join_request(&row);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn approve(
    State(service): State<SharedService>,
    Path((id, request)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Invite, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let precondition = call.precondition()?;
    let (row, member) = match join_request::approve(&mut change, &request, precondition).await {
        Ok(done) => done,
        Err(refusal) => return Err(notice::given_up(&service, change, refusal).await),
    };
    let view = JoinRequest { member: Some(member.id), ..views::join_request(&row) };
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn reject(
    State(service): State<SharedService>,
    Path((id, request)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Invite, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = join_request::reject(&mut change, &request, call.precondition()?).await?;
    let view = views::join_request(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

fn state(word: &str) -> Result<JoinRequestState, ApiError> {
    match word {
        "open" => Ok(JoinRequestState::Open),
        "approved" => Ok(JoinRequestState::Approved),
        "rejected" => Ok(JoinRequestState::Rejected),
        _ => Err(ApiError::field("/state", "is one of open, approved, rejected")),
    }
}
