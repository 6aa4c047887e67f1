//! Meters: usage that is counted against the plan.

use crate::wire::KEY_PATTERN;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Usage of one meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Name of the meter.
    pub meter: String,
    /// Name for people.
    pub title: String,
    /// What is counted: `people`, `count` or `bytes`.
    pub unit: String,
    /// What happens at the limit: `refuse` or `overage`.
    pub when_full: String,
    /// The subscription that it is counted for; absent: the whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Plan that the limit comes from.
    pub plan: String,
    /// What is used.
    pub used: u64,
    /// What the plan allows; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// `GET /v1/accounts/{a}/meters/{meter}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usages {
    /// Usage for each subscription that runs, or for the whole account.
    pub items: Vec<Usage>,
}

/// `POST /v1/accounts/{a}/meters/{meter}`: the vendor reports usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageReport {
    /// What is used in addition; what is used no more is negative.
    pub amount: i64,
    /// The team that used it, where its subscription limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub team: Option<String>,
    /// The subscription, in place of a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub subscription: Option<String>,
}
