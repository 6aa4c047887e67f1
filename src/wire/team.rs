//! Teams.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
