//! Mails that came back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::TEXT_PATTERN;

/// `POST /v1/bounces`: a delivery status notification reached the return path of a mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BounceReport {
    /// Address that the notification was sent to: the return path of the mail that it is about.
    #[schemars(length(min = 1, max = 320), regex(pattern = TEXT_PATTERN))]
    pub return_path: String,
    /// What the notification says became of the mail. What says nothing of the kind is none: an
    /// automatic answer goes to the same address.
    pub action: BounceAction,
}

/// The action of a delivery status notification (RFC 3464, 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BounceAction {
    /// It could not be delivered: its invitation has failed and frees its seat.
    Failed,
    /// It is still tried: nothing changes.
    Delayed,
    /// It was delivered: nothing changes.
    Delivered,
    /// It was handed to a server that sends no such notifications: nothing changes.
    Relayed,
    /// It was delivered to more than one address: nothing changes.
    Expanded,
}
