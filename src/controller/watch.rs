//! One watch a kind: fills a cache and says what changed.
//!
//! Errors end in the log, each once, and never stop the other kinds: every stream has its own
//! pauses.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::pin_mut;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch::Sender;

use crate::controller::cache::{Cache, Change};
use crate::controller::clients::api_status;
use crate::controller::object::Guarded;

/// How long the server keeps one watch open: below the 240 s after which common load balancers cut
/// a quiet connection without a word.
const WATCH_SECONDS: u32 = 200;
/// Objects a page of the first list.
const PAGE: u32 = 500;
/// A first list that takes longer is reported.
pub const SLOW_START: Duration = Duration::from_secs(10);

/// Watches one kind for ever. `started` counts the kinds whose first list is complete.
pub async fn watch<K>(
    api: Api<Guarded<K>>,
    config: Config,
    cache: Arc<Cache<K>>,
    started: Sender<usize>,
    on_change: impl Fn(&Change<K>),
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Send + Sync + 'static,
{
    let kind = K::kind(&()).into_owned();
    let config = config.timeout(WATCH_SECONDS).page_size(PAGE);
    let stream = watcher(api, config).default_backoff();
    pin_mut!(stream);
    let (mut list, mut has_started, mut failing) = (Vec::new(), false, false);
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    report(&kind, &error);
                }
                continue;
            }
        };
        let changes = match event {
            Event::Init => {
                list.clear();
                continue;
            }
            Event::InitApply(object) => {
                list.push(object);
                continue;
            }
            Event::InitDone => {
                if !std::mem::replace(&mut has_started, true) {
                    tracing::info!(kind, objects = list.len(), "watching {kind}");
                    started.send_modify(|kinds| *kinds += 1);
                }
                cache.replace(std::mem::take(&mut list))
            }
            Event::Apply(object) => cache.apply(object).into_iter().collect(),
            Event::Delete(object) => cache.delete(&object).into_iter().collect(),
        };
        if std::mem::replace(&mut failing, false) {
            tracing::info!(kind, "watching {kind} again");
        }
        changes.iter().for_each(&on_change);
    }
}

/// Says once why a kind cannot be watched.
fn report(kind: &str, error: &watcher::Error) {
    let status = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => api_status(error),
        watcher::Error::WatchError(status) => Some(&**status),
        watcher::Error::NoResourceVersion => None,
    };
    match status.map(|status| status.code) {
        Some(404) => tracing::error!(
            kind,
            "the cluster does not know the kind {kind}: install the definitions (crds/); waiting"
        ),
        Some(401 | 403) => tracing::error!(
            kind,
            "the cluster does not let us list and watch {kind}: check the role; waiting"
        ),
        Some(code) => tracing::warn!(kind, code, "cannot watch {kind}; trying again"),
        None => tracing::warn!(kind, "cannot reach the cluster to watch {kind}; trying again"),
    }
}
