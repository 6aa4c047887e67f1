//! Invitations.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::invitation_actions::{self, Standing};
use crate::server::change::{Change, invitation, invitation_batch, notice};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::{Body, Nothing};
use crate::server::routes::operation::{OfAccount, OfRow, Operation};
use crate::server::routes::paging::{self, Filter, ListQuery};
use crate::server::store::invitations::{self, Shown};
use crate::wire::{
    Invitation, InvitationBatch, InvitationBatchResult, InvitationPatch, InvitationState,
    NewInvitation,
};

const FILTERS: &[Filter] = &[Filter::State, Filter::Team];

/// Operations on invitations.
pub(crate) fn operations() -> Vec<Operation> {
    let all = "/accounts/{account}/invitations";
    let row = "/accounts/{account}/invitations/{invitation}";
    vec![
        Operation::get(all, list)
            .named("listInvitations", "Pending, expired, failed and declined invitations")
            .needs(Right::ReadMembers)
            .lists::<Invitation>(FILTERS),
        Operation::post(all, create)
            .named("invite", "Invites a person by mail")
            .needs(Right::Invite)
            .mails()
            .takes::<NewInvitation>()
            .gives::<Invitation>(StatusCode::CREATED),
        Operation::post("/accounts/{account}/invitations/batch", batch)
            .named("inviteMany", "Invites many people with one role; each line has its own result")
            .needs(Right::Invite)
            .mails()
            .takes::<InvitationBatch>()
            .gives::<InvitationBatchResult>(StatusCode::OK),
        Operation::get(row, read)
            .named("readInvitation", "One invitation")
            .needs(Right::ReadMembers)
            .gives::<Invitation>(StatusCode::OK),
        Operation::patch(row, patch)
            .named("changeInvitation", "Gives a pending invitation another role, without a mail")
            .needs(Right::ChangeRoles)
            .takes::<InvitationPatch>()
            .gives::<Invitation>(StatusCode::OK),
        Operation::post("/accounts/{account}/invitations/{invitation}/resend", resend)
            .named("resendInvitation", "Sends an invitation again")
            .needs(Right::Invite)
            .mails()
            .conditional()
            .gives::<Invitation>(StatusCode::OK),
        Operation::post("/accounts/{account}/invitations/{invitation}/revoke", revoke)
            .named("revokeInvitation", "Withdraws an invitation")
            .needs(Right::Remove)
            .conditional()
            .gives::<Invitation>(StatusCode::OK),
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
    let shown = Shown { team: query.team.as_deref(), state };
    let at = At::of(shown.team);
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers, at).await?;
    let (account_id, now, as_of) = (look.account.id.clone(), look.now, look.position());
    let rows = invitations::page(look.conn(), &account_id, shown, now, &window).await?;
    let total = invitations::total(look.conn(), &account_id, shown, now).await?;
    let standing = Standing::new(&look.account, &look.profile, &call.actor, now);
    let teams = rows.iter().filter_map(|row| row.team_id.as_deref());
    let standing = standing.among(look.conn(), teams).await?;
    let view = |row: &_| Ok(standing.view(row));
    let page = paging::page(rows, &window, total, as_of, |row| row.id.clone(), view)?;
    answer::json(StatusCode::OK, None, &page)
}

async fn create(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<NewInvitation>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Invite, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = match invitation::invite(&mut change, &body.value).await {
        Ok(row) => row,
        Err(refusal) => return Err(notice::given_up(&service, change, refusal).await),
    };
    let view = invitation_actions::view(&mut change, &row).await?;
    once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await
}

async fn batch(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<InvitationBatch>,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Invite, &body.bytes);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let body = &invitation_batch::invite(&mut change, &body.value).await?;
    let answer = Answer { status: StatusCode::OK, etag: None, body, secret: false };
    once.finish(change, answer).await
}

async fn read(
    State(service): State<SharedService>,
    Path((id, invitation)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::of_row(&service, &id, &call.actor).await?;
    let account_id = look.account.id.clone();
    let row = invitations::by_id(look.conn(), &account_id, &invitation).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    look.must(&call.actor, Right::ReadMembers, At::of(row.team_id.as_deref()))?;
    let standing = Standing::new(&look.account, &look.profile, &call.actor, look.now);
    let standing = standing.among(look.conn(), row.team_id.as_deref().into_iter()).await?;
    let view = standing.view(&row);
    answer::row(&call, &view.etag, &view)
}

async fn patch(
    State(service): State<SharedService>,
    Path((id, invitation)): OfRow,
    call: Call,
    body: Body<InvitationPatch>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    let precondition = call.precondition()?;
    let row = invitation::change_role(&mut change, &invitation, precondition, &body.value).await?;
    let view = invitation_actions::view(&mut change, &row).await?;
    answer::changed(change, answer::json(StatusCode::OK, Some(&view.etag), &view)?).await
}

async fn resend(
    State(service): State<SharedService>,
    Path((id, invitation)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Required, Right::Invite, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = match invitation::resend(&mut change, &invitation, call.precondition()?).await {
        Ok(row) => row,
        Err(refusal) => return Err(notice::given_up(&service, change, refusal).await),
    };
    let view = invitation_actions::view(&mut change, &row).await?;
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

async fn revoke(
    State(service): State<SharedService>,
    Path((id, invitation)): OfRow,
    call: Call,
    _nothing: Nothing,
) -> Result<Response, ApiError> {
    let opened = Once::open(&service, &id, &call, KeyRule::Optional, Right::Remove, &[]);
    let (once, mut change) = match opened.await? {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let row = invitation::revoke(&mut change, &invitation, call.precondition()?).await?;
    let view = invitation_actions::view(&mut change, &row).await?;
    once.finish(change, Answer::row(StatusCode::OK, &view.etag, &view)).await
}

fn state(word: &str) -> Result<InvitationState, ApiError> {
    let known = [
        InvitationState::Pending,
        InvitationState::Accepted,
        InvitationState::Declined,
        InvitationState::Expired,
        InvitationState::Failed,
        InvitationState::Revoked,
    ];
    let state = known.into_iter().find(|state| invitations::state_word(*state) == word);
    state.ok_or_else(|| {
        let words = known.map(invitations::state_word).join(", ");
        ApiError::field("/state", format!("is one of {words}"))
    })
}
