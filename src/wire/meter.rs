//! Meters: usage that is counted against the plan.

use crate::wire::KEY_PATTERN;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

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
    #[serde(deserialize_with = "whole")]
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

/// A whole number, whether or not it is written with a point, as in `3.0`: to a schema they are one.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let bounds = i64::MIN as f64..i64::MAX as f64;
    let pointed = number.as_f64().filter(|value| value.fract() == 0.0 && bounds.contains(value));
    let whole = number.as_i64().or(pointed.map(|value| value as i64));
    whole.ok_or_else(|| D::Error::custom("is no whole number that fits"))
}
