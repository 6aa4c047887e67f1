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
