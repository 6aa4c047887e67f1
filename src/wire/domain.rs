//! Domains and join requests.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/domains`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDomain {
    /// Name in any spelling, as `example.com`; at most 230 characters.
    #[schemars(length(min = 3, max = 230), extend("format" = "idn-hostname"))]
    pub name: String,
    /// Whether people who sign up with an address at exactly this domain join, once it is verified.
    /// Default: no.
    #[serde(default)]
    pub auto_join: bool,
}

/// One domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Domain {
    /// `dom_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Canonical name: lower case, A-labels, no dot at the end.
    pub name: String,
    /// State.
    pub state: DomainState,
    /// Whether people who sign up with an address at exactly this domain join (PO-11). Only a
    /// verified domain lets anyone join.
    pub auto_join: bool,
    /// The record that proves the domain. It is looked up once a day: leave it there.
    pub challenge: Challenge,
    /// When it was put in.
    pub created_at: Timestamp,
    /// When it was last proved by `verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// When the DNS last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
}

/// A TXT record to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// Name of the record.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// State of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// Its record was not found yet.
    Pending,
    /// It belongs to this account and to no other.
    Verified,
    /// Its record was gone for three days: nobody joins by it until it is verified again.
    Lapsed,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// `PATCH /v1/accounts/{a}/domains/{d}` with `If-Match`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainPatch {
    /// Whether people who sign up with an address at exactly this domain join.
    pub auto_join: bool,
}

/// `POST /v1/accounts/{a}/join-requests`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJoinRequest {
    /// Address, in any spelling, of a person who has signed up; at a verified domain of the account.
    #[schemars(email)]
    pub email: String,
}

/// Somebody who would have joined by a domain and waits for a decision (X6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JoinRequest {
    /// `joi_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// The domain.
    pub domain: String,
    /// Address.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// State.
    pub state: JoinRequestState,
    /// When the person signed up, or was asked for.
    pub created_at: Timestamp,
    /// In the answer to the approval: the member that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// State of a join request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinRequestState {
    /// Waits for somebody who may invite.
    Open,
    /// Became a membership.
    Approved,
    /// Turned down.
    Rejected,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
