//! One poll after the other, of one account.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::backend::account_api::AccountApi;
use crate::backend::feed::{Changes, FeedError, LONGEST_WAIT};
use crate::backend::{BackendError, Retry};
use crate::controller::cache::Name;
use crate::controller::feed::place::{Meaning, Place, Start};
use crate::controller::metrics::Metrics;
use crate::controller::queue::jitter;

/// Polls at one time: below the share of connections that a service has for one network, 200.
const AT_ONE_TIME: u32 = 64;
/// Changes that come together are seen together, and a busy account is not polled without a pause.
const GATHER: Duration = Duration::from_secs(1);
/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long it is remembered that a service has no feed.
const NO_FEED: Duration = Duration::from_secs(3600);

/// The places for polls. Where there are more accounts than places, each poll waits for a shorter
/// time, so that every account is still asked every [`LONGEST_WAIT`].
pub struct Places {
    free: Semaphore,
    lines: AtomicU32,
}

impl Default for Places {
    fn default() -> Self {
        let free = Semaphore::new(AT_ONE_TIME as usize);
        Self { free, lines: AtomicU32::new(0) }
    }
}

impl Places {
    /// How long a poll may wait.
    fn wait(&self) -> Duration {
        let lines = self.lines.load(Ordering::Relaxed).max(AT_ONE_TIME);
        LONGEST_WAIT * AT_ONE_TIME / lines
    }
}

/// What it takes to follow one account.
pub struct Line {
    name: Name,
    api: AccountApi,
    place: Place,
    places: Arc<Places>,
    metrics: Metrics,
    wake: Box<dyn Fn() + Send + Sync>,
    failures: u32,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.places.lines.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What follows a poll.
enum Step {
    /// The next one, after a pause.
    After(Duration),
    /// None: our credential may not ask.
    End,
}

impl Line {
    /// The line of the account `name`; `wake` makes it be looked at.
    pub fn new(
        name: Name,
        api: AccountApi,
        place: Place,
        places: Arc<Places>,
        metrics: Metrics,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        places.lines.fetch_add(1, Ordering::Relaxed);
        Self { name, api, place, places, metrics, wake, failures: 0 }
    }

    /// Polls for ever; comes back if the credential is refused.
    pub async fn follow(mut self) {
        loop {
            let start = self.place.start().await;
            match self.poll(&start).await {
                Step::After(pause) => sleep(pause).await,
                Step::End => return,
            }
        }
    }

    async fn poll(&mut self, start: &Start) -> Step {
        let began = Instant::now();
        let answer = {
            // Never closed; without a place it would only be one poll too many.
            let _place = self.places.free.acquire().await;
            let wait = self.places.wait();
            let asked = Instant::now();
            let answer = self.api.changes(&start.account, start.position, wait).await;
            let early = asked.elapsed() + GATHER < wait;
            answer.map(|changes| (changes, early))
        };
        match answer {
            Ok((changes, early)) => {
                Step::After(self.heard(start, &changes, early, began.elapsed()).await)
            }
            Err(error) => self.failed(start, &error).await,
        }
    }

    /// What an answer means. `took` of the time from one poll to the next is over.
    async fn heard(
        &mut self,
        start: &Start,
        changes: &Changes,
        early: bool,
        took: Duration,
    ) -> Duration {
        if changes.entries.is_empty() {
            self.metrics.polled("Nothing");
            let rest = LONGEST_WAIT.saturating_sub(took);
            // A service that stops answers early, and one that does not know how to wait always.
            return if early { self.pause().min(rest) } else { self.well(rest) };
        }
        let meaning = self.place.judge(start, &changes.entries).await;
        match meaning {
            Meaning::News => {
                self.metrics.polled("Changed");
                (self.wake)();
            }
            Meaning::Known => self.metrics.polled("Known"),
        }
        self.well(GATHER)
    }

    /// It works: the next failure is the first again.
    fn well(&mut self, pause: Duration) -> Duration {
        self.failures = 0;
        pause
    }

    async fn failed(&mut self, start: &Start, error: &FeedError) -> Step {
        self.metrics.polled(reason(error));
        if self.failures == 0 {
            let Name { namespace, name } = &self.name;
            tracing::info!(
                account.namespace = namespace,
                account.name = name,
                reason = reason(error),
                "changes of account {namespace}/{name} are not followed for now: {error}",
            );
        }
        let error = match error {
            FeedError::TooOld => {
                self.too_old(start).await;
                return Step::After(Duration::ZERO);
            }
            FeedError::Missing => return Step::After(self.no_feed()),
            FeedError::Backend(error) => error,
        };
        match (error, error.retry()) {
            (BackendError::NoSuchAccount, _) => {
                (self.wake)(); // The status is to say it.
                Step::After(self.no_feed())
            }
            (BackendError::Unauthorized | BackendError::Forbidden { .. }, _) => {
                (self.wake)(); // The Secret may have changed; else the status is to say it.
                Step::End
            }
            (_, Retry::After(wait)) => Step::After(self.pause().max(wait)),
            (_, Retry::Backoff | Retry::LookAgain | Retry::OnChange) => Step::After(self.pause()),
        }
    }

    /// Asks for a look, from which the feed begins anew; after a pause, if that did not help before.
    async fn too_old(&mut self, start: &Start) {
        if self.failures > 0 {
            sleep(self.longer()).await;
        }
        self.failures = self.failures.saturating_add(1);
        if self.place.lost(start).await {
            (self.wake)();
        }
    }

    fn no_feed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        NO_FEED.mul_f64(jitter(&(&self.name, self.failures)))
    }

    /// A pause that grows with each failure.
    fn pause(&mut self) -> Duration {
        let pause = self.longer();
        self.failures = self.failures.saturating_add(1);
        pause
    }

    fn longer(&self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        pause.mul_f64(jitter(&(&self.name, self.failures)))
    }
}

/// Why a poll failed, for logs and figures.
fn reason(error: &FeedError) -> &'static str {
    match error {
        FeedError::TooOld => "TooOld",
        FeedError::Missing => "NoFeed",
        FeedError::Backend(error) => error.reason().as_str(),
    }
}
