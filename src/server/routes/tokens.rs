//! Tokens.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, token};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::Body;
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::tokens;
use crate::server::views;
use crate::wire::{MadeToken, NewToken, Token};

/// Operations on tokens.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/tokens";
    vec![
        Operation::get(all, list)
            .named("listTokens", "Tokens: all of them, or one's own")
            .needs(Right::OwnTokens)
            .lists::<Token>(&[]),
        Operation::post(all, create)
            .named("makeToken", "Makes a token of the account, or a personal one")
            .needs(Right::OwnTokens)
            .takes::<NewToken>()
            .gives::<MadeToken>(StatusCode::CREATED),
        Operation::delete("/accounts/{account}/tokens/{token}", remove)
            .named("removeToken", "Takes a token away at once")
            .needs(Right::OwnTokens),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let mut look = Look::of_row(&service, &id, &call.actor).await?;
    call.actor.must_somewhere(Right::OwnTokens, &look.profile)?;
    let all = look.must(&call.actor, Right::ManageTokens, At::Account).is_ok();
    let own = call.actor.person().filter(|_| !all).map(|person| person.address.as_str());
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = tokens::page(look.conn(), &account_id, own, &window).await?;
    let total = tokens::total(look.conn(), &account_id, own).await?;
    let view = |row: &_| Ok(views::token(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewToken>,
) -> Result<Response, ApiError> {
    let (rule, right) = (KeyRule::Optional, Right::OwnTokens);
    let (once, mut change) =
        match Once::open(&service, &id, &call, rule, right, &body.bytes).await? {
            Opened::Given(answer) => return Ok(answer),
            Opened::New(once, change) => (once, change),
        };
    let token::Made { row, secret } = token::make(&mut change, &body.value).await?;
    let made = MadeToken { token: views::token(&row), secret };
    let status = StatusCode::CREATED;
    let answer = Answer { status, etag: Some(&made.token.etag), body: &made, secret: true };
    once.finish(change, answer).await
}

async fn remove(
    State(service): State<SharedService>,
    Path((id, row)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    token::remove(&mut change, &row, call.precondition()?).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}
