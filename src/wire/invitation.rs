//! Invitations.

use crate::wire::{KEY_PATTERN, MAX_NAME, MAX_REFERENCE, NAME_PATTERN, WORD_PATTERN};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/invitations` with `Idempotency-Key`.
///
/// Where the profile adds known users at once (CT-05), an invitation to a team of somebody who is in
/// the account already is `accepted` when it is answered, without a mail: `delivery` is `none`.
/// Everybody else is invited and asked, with the same answer whether the service knows the address
/// or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Address, in any spelling.
    #[schemars(email)]
    pub email: String,
    /// Role that acceptance gives.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
    /// The team, where the role is one of a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub team: Option<String>,
    /// Name of the person, 1 to 100 characters (CT-05).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// Makes secure sign-in required in the account from now on (DO-06, X13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_secure_sign_in: bool,
    /// Reference of the client, 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_REFERENCE))]
    pub external_ref: Option<String>,
}

/// One invitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Invitation {
    /// `inv_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// The team; absent: the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Address.
    pub email: String,
    /// Name of the person, where the inviter gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role that acceptance gives.
    pub role: String,
    /// State.
    pub state: InvitationState,
    /// When it was first sent.
    pub created_at: Timestamp,
    /// When its link stops working.
    pub expires_at: Timestamp,
    /// When a mail was last queued, or the person was added without one.
    pub last_sent_at: Timestamp,
    /// Mails queued so far.
    pub send_count: u32,
    /// What became of the last mail: `queued`, `sent`, `unknown`, `failed`; `none`: there was none.
    pub delivery: String,
    /// What can be done now: `resend`, `revoke`, `change-role`.
    pub actions: Vec<String>,
    /// Reference of the client that invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
}

/// State of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// Waits for the person.
    Pending,
    /// Became a membership.
    Accepted,
    /// The person said no.
    Declined,
    /// Not accepted in time.
    Expired,
    /// The mail could not be delivered.
    Failed,
    /// Withdrawn.
    Revoked,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// `PATCH /v1/accounts/{a}/invitations/{i}` with `If-Match`; sends no mail (X15).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationPatch {
    /// New role.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
}
