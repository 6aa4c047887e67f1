//! The bounce hook: mails that came back to their return path.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::server::auth::Call;
use crate::server::error::ApiError;
use crate::server::permission::Actor;
use crate::server::routes::answer::KeyRule;
use crate::server::routes::body::Body;
use crate::server::routes::operation::Operation;
use crate::server::{SharedService, mail};
use crate::wire::{BounceAction, BounceReport};

/// The operation.
pub(crate) fn operations() -> Vec<Operation> {
    // A mail fails once, however often that is reported: there is nothing to keep under a key.
    let report = Operation::post("/bounces", report);
    vec![
        Operation { key: KeyRule::None, ..report }
            .named("reportBounce", "Reports a mail that came back to its return path; the vendor's")
            .takes::<BounceReport>(),
    ]
}

async fn report(
    State(service): State<SharedService>,
    call: Call,
    body: Body<BounceReport>,
) -> Result<Response, ApiError> {
    let Actor::Vendor { .. } = &call.actor else { return Err(ApiError::Forbidden) };
    let BounceReport { return_path, action } = &body.value;
    let mail = mail::of_return_path(&service, return_path)?;
    if *action == BounceAction::Failed {
        mail::bounced(&service, &mail).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
