//! The feed of changes: ordered, without gaps, with a long poll.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts as _, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use tokio::time::Instant;

use crate::server::auth::Call;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::operation::{OfAccount, Operation};
use crate::server::routes::{Look, answer, paging};
use crate::server::store::{Window, audit};
use crate::server::{SharedService, feed, views};
use crate::wire::{DEFAULT_PAGE_SIZE, Feed, FeedQuery, MAX_PAGE_SIZE, MAX_WAIT};

/// Operations on the feed.
pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/accounts/{account}/changes", follow)
            .named("followChanges", "What changed after a position, oldest first")
            .needs(Right::FollowChanges)
            .asks::<FeedQuery>()
            .gives::<Feed>(StatusCode::OK),
    ]
}

async fn follow(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    query: Result<Query<FeedQuery>, QueryRejection>,
    mut parts: Parts,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|rejection| paging::unreadable(&rejection))?;
    let until = Instant::now() + wait(&query)?;
    let window = window(&query)?;
    let mut heard = service.feed.listen();
    loop {
        // Who waited may have lost the right meanwhile: whoever gets entries is asked anew.
        let call = Call::from_request_parts(&mut parts, &service).await?;
        let (account_id, page) = look(&service, &id, &call, &query, &window).await?;
        let position = i64::try_from(page.as_of).unwrap_or(i64::MAX);
        if !page.items.is_empty()
            || !feed::moved_on(&service, &mut heard, &account_id, position, until).await?
        {
            return answer::json(StatusCode::OK, None, &page);
        }
    }
}

/// What is there now. The connection is free again when it returns.
async fn look(
    service: &SharedService,
    id: &str,
    call: &Call,
    query: &FeedQuery,
    window: &Window,
) -> Result<(String, Feed), ApiError> {
    let mut look = Look::begin(service, id, &call.actor, Right::FollowChanges, At::Account).await?;
    let account_id = look.account.id.clone();
    let as_of = look.position();
    let forgotten = u64::try_from(look.account.forgotten).unwrap_or_default();
    // A position that is still to come is from another time of this database.
    if query.after < forgotten || query.after > as_of {
        return Err(ApiError::FeedTooOld);
    }
    let rows = audit::page(look.conn(), &account_id, window).await?;
    let items: Vec<_> = rows.iter().map(views::feed_entry).collect();
    let next_cursor = items.last().map_or(query.after, |entry| entry.position);
    Ok((account_id, Feed { items, next_cursor, as_of }))
}

fn wait(query: &FeedQuery) -> Result<Duration, ApiError> {
    if query.wait > MAX_WAIT {
        return Err(ApiError::field("/wait", "is from 0 to 25"));
    }
    Ok(Duration::from_secs(query.wait.into()))
}

fn window(query: &FeedQuery) -> Result<Window, ApiError> {
    let size = query.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&size) {
        return Err(ApiError::field("/page_size", "is from 1 to 1000"));
    }
    Ok(Window { after: query.after.to_string(), size })
}
