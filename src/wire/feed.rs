//! The audit log, which is the feed too.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One row of the audit log: who, what, whom, when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    /// `evt_…`
    pub id: String,
    /// Feed position.
    pub position: u64,
    /// When.
    pub at: Timestamp,
    /// Who: `token:…`, `member:…`, `service`.
    pub actor: String,
    /// What, as `member.removed`.
    pub action: String,
    /// Whom: id of the row that changed.
    pub subject: String,
    /// The row before; absent when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// The row after; absent when it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
}

/// Longest wait of the feed, in seconds.
pub const MAX_WAIT: u32 = 25;

/// Query of `GET /v1/accounts/{a}/changes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// Position after which to begin: `as_of` of any list, or `next_cursor` of the feed. Missing:
    /// from the beginning.
    #[serde(default)]
    pub after: u64,
    /// Seconds to wait for the first change, at most 25.
    #[serde(default)]
    #[schemars(range(max = MAX_WAIT))]
    pub wait: u32,
    /// Most entries of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub page_size: Option<u32>,
}

/// `GET /v1/accounts/{a}/changes`: what happened after a position, oldest first. Positions have no
/// gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feed {
    /// The changes; none if there was none in time.
    pub items: Vec<FeedEntry>,
    /// `after` of the next call.
    pub next_cursor: u64,
    /// Position of the last change there is.
    pub as_of: u64,
}

/// One change: what, whom, who. Before and after are in the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedEntry {
    /// Place in the feed.
    pub position: u64,
    /// When.
    pub at: Timestamp,
    /// Who: `token:…`, `member:…`, `service`.
    pub actor: String,
    /// What, as `member.removed`.
    pub action: String,
    /// Whom: id of the row that changed.
    pub subject: String,
}
