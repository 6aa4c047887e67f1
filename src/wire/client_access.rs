//! Client accesses and access requests.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{WORD_PATTERN, Website};

/// `POST /v1/accounts/{a}/client-access` with `Idempotency-Key`: an agency asks its client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClientAccess {
    /// Address of the client, in any spelling.
    #[schemars(email)]
    pub email: String,
    /// Role that the agency wants; one that the profile lets agencies ask for.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub role: String,
    /// Reference of whoever asks, 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub external_ref: Option<String>,
}

/// One client of an agency, as the agency sees it (NC-05).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientAccess {
    /// `cla_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Address that was asked.
    pub email: String,
    /// Role that was asked for.
    pub role: String,
    /// Role that the agency really has; there once it was granted (NC-06).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_held: Option<String>,
    /// State.
    pub state: ClientAccessState,
    /// How the client's websites are doing.
    pub health: ClientHealth,
    /// How many websites the client has.
    pub website_count: u64,
    /// The first ten of them.
    pub websites: Vec<Website>,
    /// The client's account; there once it granted access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientAccount>,
    /// When the client was first asked.
    pub created_at: Timestamp,
    /// When a mail was last queued.
    pub last_sent_at: Timestamp,
    /// Mails queued so far.
    pub send_count: u32,
    /// What became of the last mail: `queued`, `sent`, `unknown`, `failed`.
    pub delivery: String,
    /// When access was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
    /// When the request or the access ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What the caller can do now: `resend`, `remove`, `log-in`.
    pub actions: Vec<String>,
    /// Reference of whoever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
}

/// State of a client access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAccessState {
    /// Waits for the client.
    Requested,
    /// The client approved.
    Granted,
    /// Granted, but access is off because the client lacks a seat.
    Trimmed,
    /// The client said no.
    Rejected,
    /// The agency withdrew the request.
    Removed,
    /// The client took the access away.
    Ended,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// How the websites of a client are doing; the first that holds (NC-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientHealth {
    /// No website, or no access.
    NoData,
    /// A website has a problem that needs attention now.
    MajorIssue,
    /// A website is not connected.
    NotConnected,
    /// Everything works.
    AllGood,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// The account of a client, or of an agency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientAccount {
    /// `acc_…`
    pub id: String,
    /// Short name.
    pub slug: String,
    /// Name for people.
    pub name: String,
}

/// `POST /v1/accounts/{a}/client-access/{c}/login-link`: a secret, shown once (NC-11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginLink {
    /// Opens a session in the client's account, once, in the browser of whoever asked for it.
    pub link: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A request of an agency, as the client's account sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessRequest {
    /// `cla_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Who asks.
    pub agency: ClientAccount,
    /// Address that was asked: a member of this account.
    pub email: String,
    /// Role that the agency wants.
    pub role: String,
    /// State.
    pub state: ClientAccessState,
    /// When the client was first asked.
    pub created_at: Timestamp,
    /// When a mail was last queued.
    pub last_sent_at: Timestamp,
    /// The member that the agency became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// What can be done now: `approve`, `reject`.
    pub actions: Vec<String>,
}
