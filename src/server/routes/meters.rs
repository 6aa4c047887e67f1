//! Meters.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::meter;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, Answer, KeyRule, Once, Opened};
use crate::server::routes::body::Body;
use crate::server::routes::operation::{OfRow, Operation};
use crate::wire::{Usage, UsageReport, Usages};

/// Operations on meters.
pub(crate) fn operations() -> Vec<Operation> {
    let row = "/accounts/{account}/meters/{meter}";
    vec![
        Operation::get(row, read)
            .named("readMeter", "Usage of a meter, for each subscription or the whole account")
            .needs(Right::ReadAccount)
            .gives::<Usages>(StatusCode::OK),
        Operation::post(row, report)
            .named("reportUsage", "Counts usage against the plan; the vendor's")
            .needs(Right::Report)
            .mails()
            .takes::<UsageReport>()
            .gives::<Usage>(StatusCode::OK),
    ]
}

async fn read(
    State(service): State<SharedService>,
    Path((id, name)): OfRow,
    call: Call,
) -> Result<Response, ApiError> {
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    if !look.profile.meters.iter().any(|meter| meter.name == name) {
        return Err(ApiError::NotFound);
    }
    let (account, profile, now) = (look.account.clone(), look.profile.clone(), look.now);
    let mut items = meter::usage(look.conn(), &account, &profile, now).await?;
    items.retain(|usage| usage.meter == name);
    if let Some(seen) = look.seen(&call.actor).await? {
        items.retain(|usage| usage.subscription.as_ref().is_none_or(|id| seen.contains(id)));
    }
    answer::json(StatusCode::OK, None, &Usages { items })
}

async fn report(
    State(service): State<SharedService>,
    Path((id, name)): OfRow,
    call: Call,
    body: Body<UsageReport>,
) -> Result<Response, ApiError> {
    let opened =
        Once::open(&service, &id, &call, KeyRule::Required, Right::Report, &body.bytes).await?;
    let (once, mut change) = match opened {
        Opened::Given(answer) => return Ok(answer),
        Opened::New(once, change) => (once, change),
    };
    let usage = meter::report(&mut change, &name, &body.value).await?;
    let answer = Answer { status: StatusCode::OK, etag: None, body: &usage, secret: false };
    once.finish(change, answer).await
}
