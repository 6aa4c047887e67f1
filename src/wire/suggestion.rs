//! Suggestions of members (CT-04).

use crate::wire::{NAME_PATTERN, WORD_PATTERN};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/teams/{t}/suggestions`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuggestion {
    /// Address, in any spelling.
    #[schemars(email)]
    pub email: String,
    /// Name of the person, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// Role that the person should have in the team.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
}

/// One suggestion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// `sug_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// The team.
    pub team: String,
    /// Address.
    pub email: String,
    /// Name of the person, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role.
    pub role: String,
    /// State.
    pub state: SuggestionState,
    /// Who suggested: `member:…`, `token:…`.
    pub suggested_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// State of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionState {
    /// Waits for somebody who may invite.
    Open,
    /// The person was invited, or added at once.
    Approved,
    /// It was not.
    Rejected,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
