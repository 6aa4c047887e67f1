//! Bearer tokens.

use crate::wire::NAME_PATTERN;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/tokens`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is bound to: `account` or `personal`.
    #[schemars(extend("enum" = ["account", "personal"]))]
    pub kind: TokenKind,
    /// Name for people, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// What it may do: scopes that the caller has too.
    #[schemars(length(min = 1, max = 6), extend("uniqueItems" = true))]
    #[schemars(inner(regex(pattern = "^(read|invite|change|remove|billing|manage)$")))]
    pub scopes: Vec<String>,
    /// Days until it ends, 1 to 366; a token of the account makes none that lasts longer than itself.
    #[serde(default = "default_days")]
    #[schemars(range(min = 1, max = 366))]
    pub expires_in_days: u16,
}

/// Days that a token lasts unless asked otherwise.
pub const TOKEN_DAYS: u16 = 90;
/// Most days that a token lasts.
pub const MAX_TOKEN_DAYS: u16 = 366;

fn default_days() -> u16 {
    TOKEN_DAYS
}

/// A token that was just made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MadeToken {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// What is sent as `Authorization: Bearer`. Shown this once.
    pub secret: String,
}

/// One token; its secret is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// `tok_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Kind.
    pub kind: TokenKind,
    /// Name for people.
    pub name: String,
    /// Scopes: `read`, `invite`, `change`, `remove`, `billing`, `manage`.
    pub scopes: Vec<String>,
    /// Who made it; of what a token made: who made that one.
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
