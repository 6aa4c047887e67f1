//! Teams.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{KEY_PATTERN, NAME_PATTERN, SubscriptionState, WORD_PATTERN};

/// `POST /v1/accounts/{a}/teams`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// Name for people, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// Reference of the client, unique in the account, 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub external_ref: Option<String>,
    /// Id of the subscription that it is linked to (CT-01). Needs the right to manage those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub subscription: Option<String>,
}

/// `PATCH /v1/accounts/{a}/teams/{t}` with `If-Match`. Fields left out stay; all edits are made, or
/// none is (CT-12).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamPatch {
    /// New name, 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// Id of the subscription that it is linked to from now on. Works in an inactive team too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub subscription: Option<String>,
    /// New roles of members of the team.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub members: Vec<TeamMemberPatch>,
}

/// A new role for one member of a team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamMemberPatch {
    /// `mem_…`
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub id: String,
    /// New role.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
    /// Version of the member that the edit was made on.
    pub etag: String,
}

/// One team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Team {
    /// `team_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Name for people.
    pub name: String,
    /// Reference of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// The subscription that it is linked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<LinkedSubscription>,
    /// State.
    pub state: TeamState,
    /// Members with access.
    pub members: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The subscription of a team (CT-14).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LinkedSubscription {
    /// `sub_…`
    pub id: String,
    /// Plan of the profile.
    pub plan: String,
    /// State.
    pub state: SubscriptionState,
    /// When it renews, or ends if it was cancelled.
    pub period_end: Timestamp,
}

/// State of a team (CT-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamState {
    /// Works.
    Active,
    /// Its subscription is over: nothing is written, nothing is deleted (CT-13).
    Inactive,
    /// Its setup is not complete.
    Pending,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
