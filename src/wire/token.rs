//! Bearer tokens.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One token; its secret is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// `tok_…`
    pub id: String,
    /// Kind.
    pub kind: TokenKind,
    /// Name for people.
    pub name: String,
    /// Scopes: `read`, `invite`, `change`, `remove`, `billing`, `manage`.
    pub scopes: Vec<String>,
    /// Who made it.
    pub made_by: String,
    /// Address of the person, of a personal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// One account; outlives who made it.
    Account,
    /// One person in one account: its scopes, as far as the person's present role goes.
    Personal,
    /// The whole service.
    Vendor,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
