//! Suggestions of members (CT-04).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{notice, suggestion};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, Filter, ListQuery};
use crate::server::store::suggestions;
use crate::server::views;
use crate::wire::{NewSuggestion, Suggestion, SuggestionState};

const FILTERS: &[Filter] = &[Filter::State];

/// Operations on suggestions.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/teams/{team}/suggestions";
    vec![
        Operation::get("/accounts/{account}/suggestions", list_all)
            .named("listAllSuggestions", "Open suggestions for all teams of an account")
            .needs(Right::Invite)
            .lists::<Suggestion>(FILTERS),
        Operation::get(all, list)
            .named("listSuggestions", "Open suggestions for a team, for who may invite there")
            .needs(Right::Invite)
            .lists::<Suggestion>(FILTERS),
        Operation::post(all, create)
            .named("suggestMember", "Suggests a person to those who may invite")
            .needs(Right::Suggest)
            .takes::<NewSuggestion>()
            .gives::<Suggestion>(StatusCode::CREATED),
        Operation::get("/accounts/{account}/suggestions/{suggestion}", read)
            .named("readSuggestion", "One suggestion")
            .needs(Right::Invite)
            .gives::<Suggestion>(StatusCode::OK),
        Operation::post("/accounts/{account}/suggestions/{suggestion}/approve", approve)
            .named("approveSuggestion", "Invites the person, or adds who is in the account already")
            .needs(Right::Invite)
            .mails()
            .conditional()
            .gives::<Suggestion>(StatusCode::OK),
        Operation::post("/accounts/{account}/suggestions/{suggestion}/reject", reject)
            .named("rejectSuggestion", "Says no to a suggestion")
            .needs(Right::Invite)
            .conditional()
            .gives::<Suggestion>(StatusCode::OK),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path((id, team)): OfRow,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(FILTERS)?;
    let state = query.state.as_deref().map_or(Ok(SuggestionState::Open), state)?;
    let at = At::Team(&team);
    let mut look = Look::begin(&service, &id, &call.actor, Right::Invite, at).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = suggestions::page(look.conn(), &account_id, &team, state, &window).await?;
    let total = suggestions::total(look.conn(), &account_id, &team, state).await?;
    let view = |row: &_| Ok(views::suggestion(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn list_all(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(FILTERS)?;
    let state = query.state.as_deref().map_or(Ok(SuggestionState::Open), state)?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::Invite, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = suggestions::page_of_account(look.conn(), &account_id, state, &window).await?;
    let total = suggestions::total_of_account(look.conn(), &account_id, state).await?;
    let view = |row: &_| Ok(views::suggestion(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path((id, team)): OfRow,
    call: Call,
    body: Body<NewSuggestion>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Suggest, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = suggestion::create(&mut change, &team, &body.value).await?;
    let view = views::suggestion(&row);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, suggestion)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::of_row(&service, &id, &call.actor).await?;
    let account_id = look.account.id.clone();
    let row = suggestions::by_id(look.conn(), &account_id, &suggestion).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    look.must(&call.actor, Right::Invite, At::Team(&row.team_id))?;
    let view = views::suggestion(&row);
    answer::row(&call, &view.etag, &view)
}

async fn approve(
    State(service): State<SharedService>,
    Path((id, suggestion)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Invite, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = match suggestion::approve(&mut change, &suggestion, call.precondition()?).await {
        Ok(row) => row,
        Err(refusal) => return Err(notice::given_up(&service, change, refusal).await),
    };
    let view = views::suggestion(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn reject(
    State(service): State<SharedService>,
    Path((id, suggestion)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Invite, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = suggestion::reject(&mut change, &suggestion, call.precondition()?).await?;
    let view = views::suggestion(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

fn state(word: &str) -> Result<SuggestionState, ApiError> {
    let known = [SuggestionState::Open, SuggestionState::Approved, SuggestionState::Rejected];
    let state = known.into_iter().find(|state| suggestions::state_word(*state) == word);
    state.ok_or_else(|| {
        let words = known.map(suggestions::state_word).join(", ");
        ApiError::field("/state", format!("is one of {words}"))
    })
}
