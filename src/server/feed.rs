//! Who waits for changes of an account is woken by those of this process, and looks by itself for
//! those of others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until, timeout};

use crate::server::Service;
use crate::server::store::accounts;

/// Commits that a waiting request can be behind before it looks by itself.
const BEHIND: usize = 64;

/// How often it is looked for changes that another process made.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells of the accounts that change.
pub(crate) struct Feed(Sender<Arc<str>>);

impl Feed {
    /// Nobody waits yet.
    pub fn new() -> Self {
        Self(channel(BEHIND).0)
    }

    /// Wakes who waits for changes of this account.
    pub fn tell(&self, account_id: &str) {
        // Nobody may be waiting.
        let _ = self.0.send(account_id.into());
    }

    /// Begins to listen: nothing that is committed from now on is missed.
    pub fn listen(&self) -> Receiver<Arc<str>> {
        self.0.subscribe()
    }
}

/// Waits until the account has gone past `position`; false if nothing came until then or the
/// service stops. Holds no connection to the database while it waits.
pub(crate) async fn moved_on(
    service: &Service,
    heard: &mut Receiver<Arc<str>>,
    account_id: &str,
    position: i64,
    until: Instant,
) -> Result<bool, sqlx::Error> {
    loop {
        tokio::select! {
            () = sleep_until(until) => return Ok(false),
            () = service.stopping.cancelled() => return Ok(false),
            _ = timeout(LOOK_EVERY, told_of(heard, account_id)) => (),
        }
        let mut snapshot = service.store.snapshot().await?;
        if accounts::position(&mut snapshot, account_id).await? != Some(position) {
            return Ok(true);
        }
    }
}

/// Returns when this account may have changed.
async fn told_of(heard: &mut Receiver<Arc<str>>, account_id: &str) {
    loop {
        match heard.recv().await {
            Ok(other) if *other != *account_id => (),
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // The sender lives as long as the service: this cannot spin.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
