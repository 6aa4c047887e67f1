//! Changes of owner.

use crate::wire::KEY_PATTERN;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/ownership-changes` with `Idempotency-Key`: the present owner is asked
/// first, then the member (DO-09).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwnershipChange {
    /// The member who is to become an owner.
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub member: String,
    /// The owner who confirms. Left out: the one who asks; for a token of the account the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub owner: Option<String>,
}

/// One change of owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnershipChange {
    /// `own_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Whether the owner keeps the role.
    pub kind: OwnershipKind,
    /// The role.
    pub role: String,
    /// The owner who confirms.
    pub owner: String,
    /// The member who is to become an owner.
    pub member: String,
    /// State.
    pub state: OwnershipState,
    /// Who asked for it.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the link that is out stops working.
    pub expires_at: Timestamp,
    /// When it ended, however it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What can be done now: `cancel`.
    pub actions: Vec<String>,
}

/// What a change of owner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnershipKind {
    /// One owner more.
    Add,
    /// The role moves on.
    Move,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// State of a change of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnershipState {
    /// Waits for the present owner.
    Unconfirmed,
    /// Waits for the future owner.
    Unaccepted,
    /// Took place.
    Done,
    /// Withdrawn.
    Cancelled,
    /// One of the two said no.
    Declined,
    /// Not answered in time.
    Expired,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
