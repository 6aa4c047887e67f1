//! Members.

use crate::wire::{KEY_PATTERN, NAME_PATTERN, WORD_PATTERN};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// `mem_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// The team; absent: the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// A person, or an agency that was granted access.
    #[serde(default)]
    pub principal: Principal,
    /// Address.
    pub email: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role.
    pub role: String,
    /// State.
    pub state: MemberState,
    /// When the invitation was first sent, or the person was added at once (X16).
    pub added_at: Timestamp,
    /// When the person joined.
    pub joined_at: Timestamp,
    /// When the person was trimmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trimmed_at: Option<Timestamp>,
    /// Reference of the client that invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// How the person signs in; shown to those who may see it (DO-05).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_method: Option<SignInMethod>,
    /// Who ended the membership: `self`, `member` or `service`; on `?state=deleted` rows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// Who a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// A person.
    #[default]
    Person,
    /// Another account: an agency that was granted access. The address is its contact.
    Account,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// How a person signs in (DO-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// Address and password.
    Email,
    /// Address, password and a second factor.
    #[serde(rename = "email_2fa")]
    EmailAndSecondFactor,
    /// An account at Google.
    Google,
    /// An account at GitHub.
    Github,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

impl SignInMethod {
    /// True if it is more than a password.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::EmailAndSecondFactor | Self::Google | Self::Github)
    }
}

/// State of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// Access is on.
    Active,
    /// Access is off for want of a seat; everything is kept.
    Trimmed,
    /// No longer a member.
    Deleted,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// `PATCH /v1/accounts/{a}/members/{m}` with `If-Match`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// New role.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
}

/// `POST /v1/accounts/{a}/members`: adds a person who is in the account already, at once (CT-05).
/// Exactly one of `email` and `name` says who; people of other accounts are unknown here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["email"], "properties": {"email": {"type": "string"}, "name": {"type": "null"}}},
    {"required": ["name"], "properties": {"name": {"type": "string"}, "email": {"type": "null"}}},
]))]
pub struct NewMember {
    /// Address, in any spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(email)]
    pub email: Option<String>,
    /// The whole name, if only one person of the account has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// Role.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
    /// The team, where the role is one of a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub team: Option<String>,
    /// Reference of the client, 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub external_ref: Option<String>,
}
