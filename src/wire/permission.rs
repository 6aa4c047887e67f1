//! Permission checks.

use crate::wire::{KEY_PATTERN, WORD_PATTERN};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/permission-checks`: may this member do that?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionCheck {
    /// The member.
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub member: String,
    /// The team in which it would be done; missing: the member's own, or the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub team: Option<String>,
    /// A permission of the profile, or one of the service.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub permission: String,
}

/// Answer to a permission check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PermissionAnswer {
    /// Whether the member may do it now.
    pub allowed: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Refusal>,
}

/// Why a member may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No longer a member.
    NotMember,
    /// Access is off for want of a seat.
    Trimmed,
    /// A member of another team.
    OtherTeam,
    /// The role does not have the permission.
    Role,
    /// The account is disabled (NP-15).
    AccountDisabled,
    /// The team's subscription is over (CT-13).
    TeamInactive,
    /// The team has no subscription yet.
    TeamPending,
    /// The plan has no more of it (CT-14).
    MeterFull,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
