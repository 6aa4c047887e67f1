//! Teams.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, team};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::Body;
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::teams::{self, Shown};
use crate::wire::{NewTeam, Team, TeamPatch};

/// Operations on teams.
pub(crate) fn operations() -> Vec<Operation> {
    let (all, row) = ("/accounts/{account}/teams", "/accounts/{account}/teams/{team}");
    vec![
        Operation::get(all, list)
            .named("listTeams", "Teams; a person sees those that he has access to")
            .needs(Right::ReadAccount)
            .lists::<Team>(&[]),
        Operation::post(all, create)
            .named("makeTeam", "Makes a team")
            .needs(Right::EditTeams)
            .takes::<NewTeam>()
            .gives::<Team>(StatusCode::CREATED),
        Operation::get(row, read)
            .named("readTeam", "One team")
            .needs(Right::ReadAccount)
            .gives::<Team>(StatusCode::OK),
        Operation::patch(row, patch)
            .named(
                "changeTeam",
                "Renames a team, links it, gives its members roles: all or nothing",
            )
            .takes::<TeamPatch>()
            .gives::<Team>(StatusCode::OK),
    ]
}

/// What this actor sees of the teams, and of their subscriptions: a role in the account itself opens
/// all (CT-03).
pub(super) fn seen_by(actor: &Actor) -> Shown<'_> {
    match actor.person() {
        Some(person) if !actor.sees(At::Account) => Shown::Of(&person.address),
        _ => Shown::All,
    }
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let (profile, shown) = (look.profile.clone(), seen_by(&call.actor));
    let rows = teams::page(look.conn(), &account_id, shown, &window).await?;
    let total = teams::total(look.conn(), &account_id, shown).await?;
    let views = team::shown(look.conn(), &profile, &rows).await?;
    let view = |view: &Team| Ok(view.clone());
    let page = paging::page(views, &window, total, as_of, |view| view.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewTeam>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::EditTeams, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let view = team::create(&mut change, &body.value).await?;
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, team_id)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    let (account_id, profile) = (look.account.id.clone(), look.profile.clone());
    let row = teams::by_id(look.conn(), &account_id, &team_id).await?;
    let row = row.filter(|_| call.actor.sees(At::Team(&team_id))).ok_or(ApiError::NotFound)?;
    let view = team::shown_one(look.conn(), &profile, &row).await?;
    answer::row(&call, &view.etag, &view)
}

async fn patch(
    State(service): State<SharedService>,
    Path((id, team_id)): OfRow,
    call: Call,
    body: Body<TeamPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let view = team::patch(&mut change, &team_id, call.precondition()?, &body.value).await?;
    answer::changed(change, answer::json(StatusCode::OK, Some(&view.etag), &view)?).await
}
