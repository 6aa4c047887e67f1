//! Subscriptions.

use crate::wire::WORD_PATTERN;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/subscriptions`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Plan of the profile.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub plan: String,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Plan of the profile.
    pub plan: String,
    /// State.
    pub state: SubscriptionState,
    /// When it began.
    pub created_at: Timestamp,
    /// End of the billing period that runs.
    pub period_end: Timestamp,
    /// When a cancelled one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// State of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Waits for the vendor to confirm it.
    Requested,
    /// Runs, renews by itself at `period_end`.
    Active,
    /// Cancelled, runs until `ends_at`.
    Ending,
    /// Over.
    Ended,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
