//! Invitations.

use crate::wire::{
    KEY_PATTERN, MAX_EXPIRES_IN, MAX_MESSAGE, MAX_NAME, MAX_REFERENCE, MIN_EXPIRES_IN,
    NAME_PATTERN, WORD_PATTERN,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::Existing;

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
    /// Why the person is invited, in one line of 1 to 500 characters: shown in the mails of this
    /// invitation and on its page, as text and never as a link. Neither in the audit log nor in the
    /// feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_MESSAGE), regex(pattern = NAME_PATTERN))]
    pub message: Option<String>,
    /// Lifetime of its link, in seconds, at least 60. Default, and most that is kept: the profile's. A
    /// resend renews it by the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_EXPIRES_IN, max = MAX_EXPIRES_IN))]
    pub expires_in_seconds: Option<u64>,
    /// Makes secure sign-in required in the account from now on (DO-06, X13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_secure_sign_in: bool,
    /// Reference of the client, 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_REFERENCE))]
    pub external_ref: Option<String>,
}

/// `POST /v1/accounts/{a}/invitations/batch` with `Idempotency-Key`: the bulk form of people
/// (DO-06, PO-03). Each line has its own result; the good ones go out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBatch {
    /// Addresses, 1 to 500. Seats are taken in their order.
    #[schemars(length(min = 1, max = MAX_BATCH))]
    pub emails: Vec<String>,
    /// Role that acceptance gives to each of them.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
    /// The team, where the role is one of a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEY_PATTERN))]
    pub team: Option<String>,
    /// Makes secure sign-in required in the account from now on (DO-06, X13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_secure_sign_in: bool,
}

/// Most lines of a batch.
pub const MAX_BATCH: usize = 500;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InvitationBatchResult {
    /// One result for each line, in the order of the lines.
    pub items: Vec<BatchLine>,
    /// Lines that became an invitation.
    pub created: u32,
    /// Lines that did not.
    pub refused: u32,
}

/// What became of one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchLine {
    /// The line as it came.
    pub email: String,
    /// The invitation, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Invitation>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<BatchProblem>,
}

/// Why a line did not become an invitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchProblem {
    /// Word for programs, as in a problem.
    pub code: String,
    /// What went wrong and the way out.
    pub detail: String,
    /// The line: `/emails/0` is the first.
    pub pointer: String,
    /// Whether the same line can succeed later.
    pub retryable: bool,
    /// What is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
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
    /// What the inviter wrote to the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
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
    /// What the caller can do now: `resend`, `revoke`, `change-role`.
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
