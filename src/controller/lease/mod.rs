//! Which of several processes acts: the one that holds the Lease of its instance. The others watch, so
//! that they can go on at once.

mod decide;
mod elector;
mod fence;
mod figures;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::controller::context::{Connect, Context};
use crate::controller::{wake, work};

pub use elector::Elector;
pub use fence::Fence;
pub use figures::Figures;

/// Name of the Lease of the instance that keeps everything; the others begin with it.
const NAME: &str = "seatkeeper";

/// Where the Lease is, who we are, and how long it lasts.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// This process: no two have the same.
    pub holder: String,
    /// How long it lasts without a renewal, in whole seconds.
    pub lasts: Duration,
}

impl Terms {
    /// From one renewal, or one try, to the next: 2 s of 15 s.
    fn retry(&self) -> Duration {
        self.lasts * 2 / 15
    }

    /// Time for one call: two of them fit before the fence.
    fn deadline(&self) -> Duration {
        self.lasts / 3
    }

    /// How long after a renewal was sent we may act.
    fn fence(&self) -> Duration {
        self.lasts * 2 / 3
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Name of the Lease of an instance: instances that keep different things do not wait for each other.
pub fn name(namespace: Option<&str>, classes: &BTreeSet<String>) -> String {
    if namespace.is_none() && classes.is_empty() {
        return NAME.to_owned();
    }
    // Neither names nor this list hold a comma or a slash.
    let classes: Vec<_> = classes.iter().map(String::as_str).collect();
    let kept = format!("{}/{}", namespace.unwrap_or_default(), classes.join(","));
    let digest = Sha256::digest(kept);
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{NAME}-{digest}")
}

/// Account services behind the fence.
pub fn fenced(connect: Connect, fence: Fence) -> Connect {
    Box::new(move |api| {
        let transport = connect(api)?;
        Ok(Arc::new(fence::Fenced { transport, fence: fence.clone() }))
    })
}

/// Works whenever the lease is ours, until `stop`; then gives it back. Each time it begins afresh: what
/// was remembered is from before another may have acted.
pub async fn lead(
    ctx: Arc<Context>,
    mut elector: Elector,
    at_one_time: usize,
    stop: CancellationToken,
) {
    while elector.acquire(&stop).await {
        wake::everything(&ctx);
        let lost = CancellationToken::new();
        let working = work::work(Arc::clone(&ctx), at_one_time, stop.clone(), lost.clone());
        tokio::pin!(working);
        tokio::select! {
            () = &mut working => {}
            () = elector.hold() => {
                lost.cancel();
                working.await;
            }
        }
        ctx.forget();
    }
    elector.release().await;
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn instances_that_keep_different_things_have_different_leases() {
        let of = |namespace, classes: &[&str]| {
            name(namespace, &classes.iter().map(|class| (*class).to_owned()).collect())
        };
        assert_eq!(of(None, &[]), "seatkeeper");
        assert_eq!(of(None, &["a", "b"]), of(None, &["b", "a", "b"]));
        let names = [
            of(None, &[]),
            of(None, &["a"]),
            of(None, &["a", "b"]),
            of(None, &["ab"]),
            of(Some("a"), &[]),
            of(Some("a"), &["b"]),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 23), "{names:?}");
    }
}
