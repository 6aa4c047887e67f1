//! Works off the queue: fairly, several at a time, each behind a guard, to the end on a stop, and not a
//! step further once the lease is lost.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::controller::context::{Context, Work};
use crate::controller::error::{Failure, ReconcileError};
use crate::controller::queue::Next;
use crate::controller::{account, strays};

/// How long running reconciles may take to end after a stop; what is cut goes on after the next
/// start from where it was.
const DRAIN: Duration = Duration::from_secs(25);

/// Works until `stop`, then lets what runs come to its end; or until the lease is `lost`, then cuts it
/// off. Nothing runs any more when this comes back.
pub async fn work(
    ctx: Arc<Context>,
    at_one_time: usize,
    stop: CancellationToken,
    lost: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(at_one_time)); // First come, first served.
    let tasks = TaskTracker::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, ctx.queue.next().await)
        };
        let (slot, work) = tokio::select! {
            biased;
            () = lost.cancelled() => break,
            () = stop.cancelled() => break,
            next = next => next,
        };
        ctx.metrics.waiting(ctx.queue.depth());
        ctx.metrics.waited(ctx.queue.waited(&work));
        let ctx = Arc::clone(&ctx);
        tasks.spawn(lost.clone().run_until_cancelled_owned(async move {
            let next = one(&ctx, &work).await;
            ctx.queue.finish(&work, next);
            ctx.metrics.waiting(ctx.queue.depth());
            drop(slot);
        }));
    }
    tasks.close();
    if !lost.is_cancelled() {
        tracing::info!(running = tasks.len(), "stopping: letting what runs come to its end");
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!(running = tasks.len(), "stopped before everything came to its end");
        }
        lost.cancel();
    }
    tasks.wait().await;
}

/// Reconciles once, and says when to come back.
async fn one(ctx: &Context, work: &Work) -> Next {
    let began = Instant::now();
    ctx.metrics.began();
    let run = async {
        match work {
            Work::Account(name) => account::reconcile(ctx, name).await,
            Work::Strays(namespace) => Ok(strays::reconcile(ctx, namespace).await?),
        }
    };
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_panic| Err(ReconcileError::Panicked.into()));
    let result = outcome.as_ref().err().map_or("ok", |failure| failure.error.reason().as_str());
    ctx.metrics.ended(result, began.elapsed());
    match outcome {
        Ok(next) => next,
        Err(Failure { error, next }) => {
            tell(work, &error);
            next
        }
    }
}

/// Logs a failure, here and nowhere else.
fn tell(work: &Work, error: &ReconcileError) {
    let reason = error.reason().as_str();
    match work {
        Work::Account(name) => tracing::warn!(
            account.namespace = name.namespace,
            account.name = name.name,
            reason,
            "account {}/{}: {error}",
            name.namespace,
            name.name,
        ),
        Work::Strays(namespace) => {
            tracing::warn!(namespace, reason, "namespace {namespace}: {error}");
        }
    }
}
