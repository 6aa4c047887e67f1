//! The end of our right to act. Every write to the cluster and every call to an account service passes
//! here: none begins after the fence has fallen, and what runs then is given up.
//!
//! It falls at two thirds of the lease after the last renewal that succeeded was *sent*, by the
//! monotonic clock. The others wait for the whole lease after they saw that renewal, so that a third of
//! it lies between our last call and their first.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use http::{Request, Response};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::backend::transport::{Transport, TransportError};

/// Until when we may act. Copies share it.
#[derive(Clone)]
pub struct Fence(Arc<watch::Sender<Option<Instant>>>);

impl Fence {
    /// One that has fallen: nobody acts before it is raised.
    pub fn fallen_down() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// We may act until then.
    pub fn raise(&self, until: Instant) {
        self.0.send_replace(Some(until));
    }

    /// We may act no more.
    pub fn fall(&self) {
        self.0.send_replace(None);
    }

    /// True while we may act.
    pub fn stands(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until we may act no more.
    pub async fn fallen(&self) {
        let mut until = self.0.subscribe();
        loop {
            let Some(end) = *until.borrow_and_update() else { return };
            if end <= Instant::now() {
                return;
            }
            tokio::select! {
                _ = until.changed() => {} // The sender is ours: it cannot be gone.
                () = sleep_until(end) => {}
            }
        }
    }

    /// Lets a call run while we may act. Afterwards nothing comes back, ever: what waits for it is
    /// dropped with the term, as if the process had died there. An answer, even an error, would only
    /// lead to something else that is not ours to do any more.
    ///
    /// The clock is asked before each step, because a process that was stopped wakes up with timers that
    /// have not noticed.
    pub async fn guard<F: Future>(&self, call: F) -> F::Output {
        let mut call = pin!(call);
        let step = |cx: &mut std::task::Context<'_>| match self.stands() {
            true => call.as_mut().poll(cx),
            false => Poll::Pending,
        };
        tokio::select! {
            biased;
            () = self.fallen() => pending().await,
            answer = poll_fn(step) => answer,
        }
    }
}

/// An account service behind the fence.
pub struct Fenced {
    /// How it is reached.
    pub transport: Arc<dyn Transport>,
    /// The fence.
    pub fence: Fence,
}

#[async_trait]
impl Transport for Fenced {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        self.fence.guard(self.transport.send(request)).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn standing(time: Duration) -> Fence {
        let fence = Fence::fallen_down();
        fence.raise(Instant::now() + time);
        fence
    }

    #[tokio::test(start_paused = true)]
    async fn behind_a_fallen_fence_nothing_begins() {
        let begun = Cell::new(0);
        let call = async || begun.set(begun.get() + 1);
        let fence = Fence::fallen_down();
        assert!(timeout(60 * SECOND, fence.guard(call())).await.is_err());
        fence.raise(Instant::now() + SECOND);
        fence.guard(call()).await;
        fence.fall();
        assert!(timeout(60 * SECOND, fence.guard(call())).await.is_err());
        assert_eq!(begun.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_goes_on_as_long_as_the_fence_is_raised_anew() {
        let fence = standing(10 * SECOND);
        let raising = async {
            for _ in 0..20 {
                sleep(2 * SECOND).await;
                fence.raise(Instant::now() + 10 * SECOND);
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = raising => {}
            () = fence.guard(sleep(45 * SECOND)) => return,
        }
        panic!("the call did not end");
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_when_the_fence_falls_is_given_up() {
        let fence = standing(10 * SECOND);
        let steps = Cell::new(0);
        let call = async {
            loop {
                sleep(SECOND).await;
                steps.set(steps.get() + 1);
            }
        };
        let begun = Instant::now();
        tokio::select! {
            () = fence.guard(call) => {}
            () = sleep(60 * SECOND) => {}
        }
        assert_eq!((steps.get(), begun.elapsed()), (9, 60 * SECOND));
        assert!(!fence.stands());
    }

    /// A process that was stopped: no timer has fired, and its calls can go on.
    #[tokio::test(start_paused = true)]
    async fn who_wakes_up_after_the_end_takes_no_step() {
        let fence = standing(10 * SECOND);
        let (go, gone) = tokio::sync::oneshot::channel();
        let stepped = Cell::new(false);
        let call = async {
            let _ = gone.await;
            stepped.set(true);
        };
        let mut call = pin!(fence.guard(call));
        assert!(timeout(SECOND, &mut call).await.is_err());
        go.send(()).unwrap();
        tokio::time::advance(20 * SECOND).await;
        assert!(timeout(SECOND, &mut call).await.is_err());
        assert!(!stepped.get());
    }
}
