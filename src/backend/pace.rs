//! The request budget of a class (`spec.limits.requestsPerSecond`), shared fairly by its accounts.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The clock of the sleeps, so that both pass alike.
#[derive(Clone)]
struct OfSleeps;

impl Clock for OfSleeps {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, OfSleeps, NoOpMiddleware<std::time::Instant>>;

/// How many requests a second all accounts of a class may make together; at most as many at once
/// after a rest.
pub struct RequestBudget {
    per_second: NonZeroU32,
    limiter: Limiter,
    /// Whoever waits, in the order in which they came.
    turn: Mutex<()>,
}

impl RequestBudget {
    /// A budget of so many requests a second.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Arc<Self> {
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(per_second), OfSleeps);
        Arc::new(Self { per_second, limiter, turn: Mutex::default() })
    }

    /// Requests a second.
    #[must_use]
    pub fn per_second(&self) -> NonZeroU32 {
        self.per_second
    }

    /// The share of one more account.
    #[must_use]
    pub fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), own: Mutex::default() }
    }
}

/// One account's part in a budget. Only its first waiting request stands in the queue of all, so that
/// accounts take turns, however many requests each of them has.
pub struct Share {
    budget: Arc<RequestBudget>,
    own: Mutex<()>,
}

impl Share {
    /// Waits until one more request may begin.
    pub async fn turn(&self) {
        let _own = self.own.lock().await;
        let _turn = self.budget.turn.lock().await;
        while let Err(refused) = self.budget.limiter.check() {
            tokio::time::sleep(refused.wait_time_from(OfSleeps.now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use super::*;

    fn budget(per_second: u32) -> Arc<RequestBudget> {
        RequestBudget::new(NonZeroU32::new(per_second).unwrap())
    }

    #[tokio::test]
    async fn accounts_take_turns_however_many_requests_each_has() {
        let budget = budget(100);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        let (busy, quiet) = (Arc::new(budget.share()), Arc::new(budget.share()));
        for _ in 0..100 {
            busy.turn().await;
        }
        for (name, share, requests) in [("busy", &busy, 20), ("quiet", &quiet, 5)] {
            for _ in 0..requests {
                let (share, order) = (Arc::clone(share), Arc::clone(&order));
                tasks.push(tokio::spawn(async move {
                    share.turn().await;
                    order.lock().unwrap().push(name);
                }));
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        let last_quiet = order.iter().rposition(|name| *name == "quiet").unwrap();
        assert!(last_quiet <= 10, "every second request is of the quiet one: {order:?}");
        assert_eq!(order.len(), 25);
    }

    #[tokio::test]
    async fn no_more_requests_begin_than_the_budget_allows() {
        let budget = budget(20);
        let share = budget.share();
        let begun = Instant::now();
        for _ in 0..30 {
            share.turn().await;
        }
        // Twenty at once, then one every 50 ms.
        assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
        assert_eq!(budget.per_second().get(), 20);
    }
}
