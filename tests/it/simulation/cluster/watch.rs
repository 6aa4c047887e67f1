//! Watches: what changed since a version, for as long as was asked for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::simulation::cluster::{Cluster, Selection};

/// A watch that is open.
struct Open {
    cluster: Arc<Cluster>,
    selection: Selection,
    since: u64,
    ends: Instant,
    /// Lines that wait to be read.
    lines: VecDeque<Value>,
    closed: bool,
}

/// Opens a watch.
pub fn open(cluster: &Arc<Cluster>, selection: Selection, since: u64, within: Duration) -> Body {
    let ends = Instant::now() + within;
    let cluster = Arc::clone(cluster);
    let open = Open { cluster, selection, since, ends, lines: VecDeque::new(), closed: false };
    let lines = stream::unfold(open, |mut open| async move {
        let line = open.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(format!("{line}\n"))), open))
    });
    Body::from_stream(lines)
}

impl Open {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.closed {
                return None;
            }
            let changed = Arc::clone(&self.cluster);
            let changed = changed.changed.notified();
            self.take();
            if self.lines.is_empty() && timeout_at(self.ends, changed).await.is_err() {
                self.closed = true;
                return Some(self.bookmark());
            }
        }
    }

    fn take(&mut self) {
        let store = self.cluster.store();
        if self.since < store.oldest {
            self.closed = true;
            self.lines.push_back(json!({"type": "ERROR", "object": {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("too old resource version: {} ({})", self.since, store.oldest),
                "reason": "Expired", "code": 410,
            }}));
            return;
        }
        let fresh = store.log.partition_point(|change| change.version <= self.since);
        for change in &store.log[fresh..] {
            if self.selection.takes(&change.key, &change.object) {
                self.lines.push_back(json!({"type": change.what, "object": change.object}));
            }
        }
        self.since = store.version;
    }

    fn bookmark(&self) -> Value {
        let kind = self.selection.kind;
        json!({"type": "BOOKMARK", "object": {
            "kind": kind.kind, "apiVersion": kind.api_version(),
            "metadata": {"resourceVersion": self.since.to_string(), "creationTimestamp": null},
        }})
    }
}
