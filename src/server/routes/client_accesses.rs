//! Client accesses: what an agency asked for (NC-01).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, client_access, client_login};
use crate::server::client_views::{self, Can};
use crate::server::error::ApiError;
use crate::server::link::{self, Purpose};
use crate::server::permission::{At, Right};
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, Filter, ListQuery};
use crate::server::routes::{Look, websites};
use crate::server::store::client_accesses::{self, state_word};
use crate::wire::{ClientAccess, ClientAccessState, LoginLink, NewClientAccess, Page, Website};

const FILTERS: &[Filter] = &[Filter::State];

/// Operations on client accesses.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/client-access";
    let row = "/accounts/{account}/client-access/{access}";
    vec![
        Operation::get(all, list)
            .named("listClientAccess", "Clients that were asked, but those withdrawn")
            .needs(Right::ReadClients)
            .lists::<ClientAccess>(FILTERS),
        Operation::post(all, create)
            .named("requestClientAccess", "Asks a client for access by mail")
            .needs(Right::UseClients)
            .mails()
            .takes::<NewClientAccess>()
            .gives::<ClientAccess>(StatusCode::CREATED),
        Operation::get(row, read)
            .named("readClientAccess", "One client")
            .needs(Right::ReadClients)
            .gives::<ClientAccess>(StatusCode::OK),
        Operation::delete(row, withdraw)
            .named(
                "withdrawClientAccess",
                "Withdraws a request that waits: nothing answers for it then",
            )
            .needs(Right::EndClients),
        Operation::post("/accounts/{account}/client-access/{access}/resend", resend)
            .named("resendClientAccess", "Sends a request that waits again")
            .needs(Right::UseClients)
            .mails()
            .conditional()
            .gives::<ClientAccess>(StatusCode::OK),
        Operation::post("/accounts/{account}/client-access/{access}/login-link", login_link)
            .named("makeLoginLink", "A link by which a person logs in as the client, once")
            .needs(Right::UseClients)
            .gives::<LoginLink>(StatusCode::CREATED),
        Operation::get("/accounts/{account}/client-access/{access}/websites", list_websites)
            .named("listClientWebsites", "Websites of a client that granted access")
            .needs(Right::ReadClients)
            .lists::<Website>(&[Filter::Text]),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(FILTERS)?;
    let state = query.state.as_deref().map(state).transpose()?;
    let (actor, right) = (&call.actor, Right::ReadClients);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = client_accesses::page(look.conn(), &account_id, state, &window).await?;
    let total = client_accesses::total(look.conn(), &account_id, state).await?;
    let can = Can::of(&call.actor, &look.account, &look.profile);
    let views = client_views::clients(look.conn(), &rows, can).await?;
    let view = |view: &ClientAccess| Ok(view.clone());
    let page: Page<ClientAccess> =
        paging::page(views, &window, total, as_of, |view| view.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewClientAccess>,
) -> Result<Response, ApiError> {
    let right = Right::UseClients;
    let opened = Once::open(&service, &id, &call, KeyRule::Required, right, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = client_access::request(&mut change, &body.value).await?;
    let can = Can::of(&change.actor, &change.account, &change.profile);
    let view = client_views::one_client(change.conn(), &row, can).await?;
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let (actor, right) = (&call.actor, Right::ReadClients);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let account_id = look.account.id.clone();
    let row = client_accesses::by_id(look.conn(), &account_id, &access).await?;
    let (row, can) = (row.ok_or(ApiError::NotFound)?, Can::of(actor, &look.account, &look.profile));
    let view = client_views::one_client(look.conn(), &row, can).await?;
    answer::row(&call, &view.etag, &view)
}

async fn resend(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::UseClients, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = client_access::resend(&mut change, &access, call.precondition()?).await?;
    let can = Can::of(&change.actor, &change.account, &change.profile);
    let view = client_views::one_client(change.conn(), &row, can).await?;
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn withdraw(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    client_access::withdraw(&mut change, &access, call.precondition()?).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}

async fn login_link(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::UseClients, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = client_login::link(&mut change, &access).await?;
    let token = link::row_token(&service.key, Purpose::LogIn, &row.id, 1, &row.address);
    let link = service.link(&format!("{}{token}", Purpose::LogIn.path()));
    let body = LoginLink { link, expires_at: row.expires_at };
    let answer = Answer { status: StatusCode::CREATED, etag: None, body: &body, secret: true };
    once.finish(change, answer).await
}

async fn list_websites(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let (actor, right) = (&call.actor, Right::ReadClients);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let account_id = look.account.id.clone();
    let row = client_accesses::by_id(look.conn(), &account_id, &access).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    let client = row.client.filter(|_| row.state == ClientAccessState::Granted);
    // Whoever has not granted access, or not any more, has nothing to list (NC-07).
    let client_id = client.map(|client| client.id).unwrap_or_default();
    websites::page(&mut look, &client_id, &query).await
}

fn state(word: &str) -> Result<ClientAccessState, ApiError> {
    let known = [
        ClientAccessState::Requested,
        ClientAccessState::Granted,
        ClientAccessState::Trimmed,
        ClientAccessState::Rejected,
        ClientAccessState::Removed,
        ClientAccessState::Ended,
    ];
    let state = known.into_iter().find(|state| state_word(*state) == word);
    state.ok_or_else(|| {
        ApiError::field("/state", format!("is one of {}", known.map(state_word).join(", ")))
    })
}
