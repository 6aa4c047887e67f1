//! Requests of agencies that wait for people of this account (NC-03).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::{self, Call};
use crate::server::change::Change;
use crate::server::change::access_request::{self, Approval};
use crate::server::client_views;
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::Nothing;
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, ListQuery};
use crate::server::store::client_accesses::{self, AccessRow};
use crate::server::views::role_name;
use crate::wire::AccessRequest;

/// Operations on access requests.
pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/accounts/{account}/access-requests", list)
            .named("listAccessRequests", "Requests of agencies that can be granted here")
            .needs(Right::Invite)
            .lists::<AccessRequest>(&[]),
        Operation::post("/accounts/{account}/access-requests/{access}/approve", approve)
            .named("approveAccessRequest", "Makes the agency a member of this account")
            .needs(Right::Invite)
            .mails()
            .conditional()
            .gives::<AccessRequest>(StatusCode::OK),
        Operation::post("/accounts/{account}/access-requests/{access}/reject", reject)
            .named("rejectAccessRequest", "Says no to an agency")
            .needs(Right::Invite)
            .mails()
            .conditional()
            .gives::<AccessRequest>(StatusCode::OK),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: ListQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let window = query.window(&[])?;
    let (actor, right) = (&call.actor, Right::Invite);
    let mut look = Look::begin(&service, &id, actor, right, At::Account).await?;
    let (account_id, as_of) = (look.account.id.clone(), look.position());
    let mut rows = waiting(&mut look, &account_id, actor).await?;
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    rows.retain(|row| row.id > window.after);
    rows.truncate(usize::try_from(window.size).unwrap_or(usize::MAX));
    let view = |row: &_| Ok(client_views::access_request(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

/// Requests that both the caller and the person who was asked could grant here.
async fn waiting(
    look: &mut Look,
    account_id: &str,
    actor: &Actor,
) -> Result<Vec<AccessRow>, ApiError> {
    let profile = look.profile.clone();
    let name = look.account.profile.clone();
    let mut shown = Vec::new();
    for row in client_accesses::waiting_for(look.conn(), account_id, &name).await? {
        let role = role_name(&row.role);
        let asked = auth::person(look.conn(), account_id, &row.address).await?;
        let asked = asked.map(Actor::Person);
        let could = |actor: &Actor| access_request::may_grant(actor, &profile, &role);
        if could(actor) && asked.as_ref().is_some_and(could) {
            shown.push(row);
        }
    }
    Ok(shown)
}

async fn approve(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let (once, mut change) = match open(&service, &id, &access, &call).await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = existing(&mut change, &access, &call).await?;
    match access_request::approve(&mut change, row).await? {
        Approval::Granted(row) => {
            let view = client_views::access_request(&row);
            once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
        }
        Approval::NoSeat(refusal) => {
            change.commit().await?;
            Err(refusal)
        }
    }
}

async fn reject(
    State(service): State<SharedService>,
    Path((id, access)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let (once, mut change) = match open(&service, &id, &access, &call).await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = existing(&mut change, &access, &call).await?;
    if !access_request::may_grant(&change.actor, &change.profile, &role_name(&row.role)) {
        return Err(ApiError::BeyondManage);
    }
    let entry = client_views::access_request(&row);
    change.record("access_request.rejected", &row.id, Some(entry), None::<()>).await?;
    change.turn();
    let row = access_request::reject(&mut change, row).await?;
    change.turn();
    let view = client_views::access_request(&row);
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

/// Begins a change of this account and of the agency that asks.
async fn open(
    service: &SharedService,
    id: &str,
    access: &str,
    call: &Call,
) -> Result<Opened, ApiError> {
    let (right, mut once) = (Right::Invite, Once::of(call, KeyRule::Required, &[])?);
    let mut look = Look::begin(service, id, &call.actor, right, At::Account).await?;
    if let Some(given) = once.earlier(&mut look).await? {
        return Ok(Opened::Given(given));
    }
    let own = look.account.id.clone();
    let row = client_accesses::by_link(look.conn(), access).await?.ok_or(ApiError::NotFound)?;
    drop(look);
    let agency = (row.account_id.as_str(), Actor::Invitee);
    let change = Change::begin_two(service, (&own, call.actor.clone()), agency).await?;
    once.within(change, right).await
}

/// The request, if it is one to people of this account.
async fn existing(change: &mut Change, access: &str, call: &Call) -> Result<AccessRow, ApiError> {
    let row = client_accesses::by_link(change.conn(), access).await?.ok_or(ApiError::NotFound)?;
    let here = row.client.as_ref().is_some_and(|client| client.id == change.account.id);
    if !here {
        access_request::must_be_asked(change, &row).await?;
    }
    call.precondition()?.check(row.version)?;
    Ok(row)
}
