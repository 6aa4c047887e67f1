//! Members.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::profile::Profile;
use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, joining, member, notice};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, Filter, ListQuery};
use crate::server::store::Connection;
use crate::server::store::members::{self, MemberRow, Shown};
use crate::server::store::users;
use crate::server::views;
use crate::wire::{Member, MemberPatch, MemberState, NewMember, Principal, SignInMethod};

const FILTERS: &[Filter] = &[Filter::State, Filter::Team, Filter::Text];

/// Operations on members.
pub(crate) fn operations() -> Vec<Operation> {
    let (all, row) = ("/accounts/{account}/members", "/accounts/{account}/members/{member}");
    vec![
        Operation::get(all, list)
            .named("listMembers", "Members of all scopes")
            .needs(Right::ReadMembers)
            .lists::<Member>(FILTERS),
        Operation::post(all, add)
            .named("addMember", "Adds a person who is in the account already, at once")
            .needs(Right::Invite)
            .takes::<NewMember>()
            .gives::<Member>(StatusCode::CREATED),
        Operation::get(row, read)
            .named("readMember", "One member")
            .needs(Right::ReadMembers)
            .gives::<Member>(StatusCode::OK),
        Operation::patch(row, patch)
            .named("changeMember", "Gives a member another role")
            .needs(Right::ChangeRoles)
            .takes::<MemberPatch>()
            .gives::<Member>(StatusCode::OK),
        Operation::delete(row, remove)
            .named("removeMember", "Ends a membership at once")
            .needs(Right::Remove),
        Operation::post("/accounts/{account}/members/{member}/trim", trim)
            .named("trimMember", "Takes the seat of a member and keeps the rest")
            .needs(Right::Remove)
            .mails()
            .conditional()
            .gives::<Member>(StatusCode::OK),
        Operation::post("/accounts/{account}/members/{member}/reinstate", reinstate)
            .named("reinstateMember", "Gives a trimmed member a free seat again")
            .needs(Right::ChangeRoles)
            .mails()
            .conditional()
            .gives::<Member>(StatusCode::OK),
        Operation::post("/accounts/{account}/members/{member}/leave", leave)
            .named("leave", "Ends one's own membership")
            .needs(Right::ReadAccount)
            .conditional()
            .gives::<Member>(StatusCode::OK),
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
    let shown = Shown { team: query.team.as_deref(), state, text: query.q.as_deref() };
    let at = At::of(shown.team);
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers, at).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let rows = members::page(look.conn(), &account_id, shown, &window).await?;
    let total = members::total(look.conn(), &account_id, shown).await?;
    let shown = look.must(&call.actor, Right::ReadSignInMethods, at).is_ok();
    let methods = methods(look.conn(), shown, &rows).await?;
    let view = |row: &_| Ok(views::member_with(row, &methods));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn add(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewMember>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Invite, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = match joining::add(&mut change, &body.value).await {
        Ok(row) => row,
        Err(refusal) => return Err(notice::given_up(&service, change, refusal).await),
    };
    let view = views::member(&row);
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, member)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::of_row(&service, &id, &call.actor).await?;
    let account_id = look.account.id.clone();
    let row = members::by_id(look.conn(), &account_id, &member).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    let at = At::of(row.team_id.as_deref());
    look.must(&call.actor, Right::ReadMembers, at)?;
    let profile = Arc::clone(&look.profile);
    let view = view(look.conn(), &call.actor, &profile, &row).await?;
    answer::row(&call, &view.etag, &view)
}

/// A member as this caller sees it in every answer.
async fn view(
    conn: &mut Connection,
    actor: &Actor,
    profile: &Profile,
    row: &MemberRow,
) -> Result<Member, ApiError> {
    let at = At::of(row.team_id.as_deref());
    let shown = actor.must(Right::ReadSignInMethods, at, profile).is_ok();
    let methods = methods(conn, shown, std::slice::from_ref(row)).await?;
    Ok(views::member_with(row, &methods))
}

async fn changed_view(change: &mut Change, row: &MemberRow) -> Result<Member, ApiError> {
    let (actor, profile) = (change.actor.clone(), Arc::clone(&change.profile));
    view(change.conn(), &actor, &profile, row).await
}

/// How the people of these rows sign in, for who may see it (DO-05).
pub(crate) async fn methods(
    conn: &mut Connection,
    shown: bool,
    rows: &[MemberRow],
) -> Result<BTreeMap<String, SignInMethod>, ApiError> {
    let of_people = rows.iter().filter(|row| shown && row.principal == Principal::Person);
    let addresses: Vec<_> = of_people.map(|row| row.address.as_str()).collect();
    Ok(users::sign_in_methods(conn, &addresses).await?)
}

async fn patch(
    State(service): State<SharedService>,
    Path((id, member)): OfRow,
    call: Call,
    body: Body<MemberPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let row = member::change_role(&mut change, &member, call.precondition()?, &body.value).await?;
    let view = changed_view(&mut change, &row).await?;
    answer::changed(change, answer::json(StatusCode::OK, Some(&view.etag), &view)?).await
}

async fn remove(
    State(service): State<SharedService>,
    Path((id, member)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    member::remove(&mut change, &member, call.precondition()?).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}

async fn trim(
    State(service): State<SharedService>,
    Path((id, member)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Remove, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = member::trim(&mut change, &member, call.precondition()?).await?;
    let view = changed_view(&mut change, &row).await?;
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn reinstate(
    State(service): State<SharedService>,
    Path((id, member)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::ChangeRoles, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = member::reinstate(&mut change, &member, call.precondition()?).await?;
    let view = changed_view(&mut change, &row).await?;
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn leave(
    State(service): State<SharedService>,
    Path((id, member)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::ReadAccount, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = member::leave(&mut change, &member, call.precondition()?).await?;
    let view = views::member(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

fn state(word: &str) -> Result<MemberState, ApiError> {
    match word {
        "active" => Ok(MemberState::Active),
        "trimmed" => Ok(MemberState::Trimmed),
        "deleted" => Ok(MemberState::Deleted),
        _ => Err(ApiError::field("/state", "is one of active, trimmed, deleted")),
    }
}
