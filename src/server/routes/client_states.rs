//! The record that a managing client keeps with an account: JSON that the service does not read.
//! It is no change of the account and is in neither audit log nor feed.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer;
use crate::server::routes::body::Opaque;
use crate::server::routes::operation::{OfAccount, Operation};
use crate::server::store::client_states;

/// Operations on client states.
pub(crate) fn operations() -> Vec<Operation> {
    let row = "/accounts/{account}/client-state";
    vec![
        Operation::get(row, read)
            .named("readClientState", "The record of the managing client")
            .needs(Right::Claim)
            .gives::<Value>(StatusCode::OK),
        Operation::put(row, put)
            .named("writeClientState", "Writes the record; If-None-Match: * for the first")
            .needs(Right::Claim)
            .conditional()
            .takes::<Value>(),
    ]
}

async fn read(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::Claim, At::Account).await?;
    let account_id = look.account.id.clone();
    let state = client_states::of(look.conn(), &account_id).await?;
    let (body, version) = state.ok_or(ApiError::NotFound)?;
    Ok(answer::stored(&call, &etag(version), body))
}

async fn put(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Opaque,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(&service, &id, call.actor.clone()).await?;
    change.must(Right::Claim, At::Account)?;
    let account_id = change.account.id.clone();
    let held = client_states::of(change.conn(), &account_id).await?;
    let version = held.map(|(_, version)| version);
    if call.is_first() {
        if version.is_some() {
            return Err(ApiError::Stale);
        }
    } else {
        // What is not there has no version that could be named.
        let precondition = call.precondition()?;
        precondition.check(version.ok_or(ApiError::Stale)?)?;
    }
    let text = std::str::from_utf8(&body.bytes).map_err(|_| ApiError::NotJson)?;
    let version = version.unwrap_or(0) + 1;
    client_states::put(change.conn(), &account_id, text, version).await?;
    change.commit().await?;
    Ok((StatusCode::NO_CONTENT, [(ETAG, etag(version))]).into_response())
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}
