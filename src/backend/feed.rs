//! The feed of changes of one account, by long poll.

use std::time::Duration;

use http::{Method, StatusCode};
use thiserror::Error;

use crate::backend::BackendError;
use crate::backend::account_api::AccountApi;
use crate::backend::call::{Call, json};
use crate::backend::problem;
use crate::backend::rows;
use crate::domain::keys::AccountKey;
use crate::wire::{Feed, MAX_PAGE_SIZE, MAX_WAIT};

/// Longest wait of one poll.
pub const LONGEST_WAIT: Duration = Duration::from_secs(MAX_WAIT as u64);

/// Time for one poll: the wait, and an answer on a slow network.
pub const POLL_DEADLINE: Duration = Duration::from_secs(MAX_WAIT as u64 + 15);

/// What changed after a position, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The changes; none if there was none in time.
    pub entries: Vec<Change>,
    /// Position to go on from.
    pub next: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Place in the feed.
    pub position: u64,
    /// Who.
    pub actor: String,
    /// Id of the row that changed.
    pub subject: String,
    /// What it means for whether the row is there.
    pub deed: Deed,
}

/// What a change means for whether a member or an invitation is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It came, or waits anew.
    Made,
    /// It is over.
    Ended,
    /// The invitation became a member.
    Taken,
    /// Neither, or nothing that we know.
    Other,
}

impl Deed {
    fn of(action: &str) -> Self {
        match action {
            "member.added" | "member.joined" | "invitation.created" | "invitation.resent" => {
                Self::Made
            }
            "member.removed"
            | "invitation.declined"
            | "invitation.expired"
            | "invitation.failed"
            | "invitation.revoked" => Self::Ended,
            "invitation.accepted" => Self::Taken,
            _ => Self::Other,
        }
    }
}

/// Why the feed did not say what changed.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The service has forgotten what came after the position, or never came to it.
    #[error("the feed does not reach back to that position")]
    TooOld,
    /// The service has no feed.
    #[error("the account service has no feed of changes")]
    Missing,
    /// As with any other call.
    #[error("{0}")]
    Backend(#[from] BackendError),
}

impl AccountApi {
    /// Asks what changed in `account` after a position, and waits up to `wait` for the first change.
    ///
    /// # Errors
    ///
    /// [`FeedError`]: nothing is known of what changed.
    pub async fn changes(
        &self,
        account: &AccountKey,
        after: u64,
        wait: Duration,
    ) -> Result<Changes, FeedError> {
        let account = rows::id(account.as_str())?;
        let wait = wait.min(LONGEST_WAIT).as_secs();
        let path = format!(
            "/v1/accounts/{account}/changes?after={after}&wait={wait}&page_size={MAX_PAGE_SIZE}"
        );
        let answer = self.exchange(Call::new(Method::GET, path)).await?;
        if answer.status().is_success() {
            return read(json(&answer)?, after);
        }
        let error = problem::error(&answer);
        match answer.status() {
            StatusCode::GONE => Err(FeedError::TooOld),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Err(FeedError::Missing),
            StatusCode::NOT_FOUND if !matches!(error, BackendError::NoSuchAccount) => {
                Err(FeedError::Missing)
            }
            _ => Err(error.into()),
        }
    }
}

/// Takes an answer that leads on from `after`: any other would be asked for without end.
fn read(feed: Feed, after: u64) -> Result<Changes, FeedError> {
    let Feed { items, next_cursor, as_of: _ } = feed;
    let mut last = after;
    for entry in &items {
        if entry.position <= last {
            return Err(BackendError::Malformed { what: "a feed that goes back" }.into());
        }
        last = entry.position;
    }
    if next_cursor != last {
        return Err(BackendError::Malformed { what: "a feed that leaves something out" }.into());
    }
    let entries = items.into_iter().map(|entry| Change {
        position: entry.position,
        deed: Deed::of(&entry.action),
        actor: entry.actor,
        subject: entry.subject,
    });
    Ok(Changes { entries: entries.collect(), next: next_cursor })
}
