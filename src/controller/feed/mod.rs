//! Follows the feed of changes of each account that is kept, and wakes the account when somebody
//! else changed it. Without a feed the account is looked at every `resync`, as ever.
//!
//! The feed is read through a client of its own, so that polls that wait take no connection from
//! the work.

mod line;
mod place;
#[cfg(test)]
mod tests;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use line::{Line, Places};
pub use place::{Busy, Place};

/// Follows one account, until it is dropped.
pub struct Follower {
    task: JoinHandle<()>,
    generation: Option<i64>,
    _end: DropGuard,
}

impl Follower {
    /// Begins to follow; `stop` ends it too. `generation`: the version of the Account's spec.
    pub fn start(line: Line, generation: Option<i64>, stop: &CancellationToken) -> Self {
        let end = stop.child_token();
        let task = tokio::spawn({
            let end = end.clone();
            async move {
                tokio::select! {
                    biased;
                    () = end.cancelled() => {}
                    () = line.follow() => {}
                }
            }
        });
        Self { task, generation, _end: end.drop_guard() }
    }

    /// True if it follows, or was refused under the same spec: asking again would change nothing.
    pub fn stands(&self, generation: Option<i64>) -> bool {
        !self.task.is_finished() || self.generation == generation
    }
}
