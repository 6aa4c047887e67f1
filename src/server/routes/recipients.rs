//! Notification categories and their recipients.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{Change, recipient};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer;
use crate::server::routes::operation::{OfAccount, Operation};
use crate::wire::CategoryList;

/// Path parameters: account, category, member.
type OfRecipient = Path<(String, String, String)>;

/// Operations on categories.
pub(crate) fn operations() -> Vec<Operation> {
    let row = "/accounts/{account}/notification-categories/{category}/recipients/{member}";
    vec![
        Operation::get("/accounts/{account}/notification-categories", list)
            .named("listNotificationCategories", "Categories of mail, with their recipients")
            .needs(Right::ReadMembers)
            .gives::<CategoryList>(StatusCode::OK),
        Operation::put(row, add)
            .named("addRecipient", "Makes a member a recipient; again: nothing changes")
            .needs(Right::ManageRecipients),
        // A recipient has no version: it is one, or not.
        Operation { conditional: false, ..Operation::delete(row, remove) }
            .named("removeRecipient", "Takes a recipient away; again: nothing changes")
            .needs(Right::ManageRecipients),
    ]
}

async fn list(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadMembers, At::Account).await?;
    let (account_id, profile) = (look.account.id.clone(), look.profile.clone());
    let items = recipient::categories(look.conn(), &account_id, &profile).await?;
    answer::json(StatusCode::OK, None, &CategoryList { items })
}

async fn add(
    State(service): State<SharedService>,
    Path((id, category, member)): OfRecipient,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    recipient::add(&mut change, &category, &member).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}

async fn remove(
    State(service): State<SharedService>,
    Path((id, category, member)): OfRecipient,
    call: Call,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    recipient::remove(&mut change, &category, &member).await?;
    answer::changed(change, StatusCode::NO_CONTENT.into_response()).await
}
