//! Joining by domain: what an Account declares of it, and what its status says.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Domains whose people become members by themselves when they sign up.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoJoin {
    /// Domains, as `acme.com`; people with an address at exactly one of them join. Each is proved by a
    /// TXT record, which `status.domains` shows. Required.
    #[schemars(length(min = 1, max = 64), inner(length(min = 3, max = 230)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(domain, domain.matches('^[^@:/ ]+[.][^@:/ ]+$'))")
        .message("each domain must be written as acme.com: no address, no URL, not a single word"))]
    pub domains: Vec<String>,

    /// Role that they get: that of the profile, and no other. Default: that one.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// One declared domain at the account service.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainSeen {
    /// The domain: lower case, A-labels.
    #[schemars(length(min = 3, max = 253))]
    pub name: String,

    /// Where it stands.
    pub state: DomainSeenState,

    /// The TXT record that proves it. Publish it, and leave it there: it is looked up once a day. Not
    /// set before the domain is at the account service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txt_record: Option<TxtRecord>,

    /// What the state means and what can be done.
    #[schemars(length(max = 1024))]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Where a domain stands: `Planned` (not there yet), `Pending` (waits for its TXT record), `Verified`
/// (its people join), `Lapsed` (its record is gone), `Taken` (another account has verified it),
/// `NotUnderstood` (the account service shows a state that this version does not know).
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum DomainSeenState {
    /// Not there yet.
    Planned,
    /// Waits for its TXT record.
    Pending,
    /// Its people join.
    Verified,
    /// Its TXT record is gone.
    Lapsed,
    /// Another account has verified it.
    Taken,
    /// A state that this version does not know.
    NotUnderstood,
}

/// A TXT record of the DNS.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TxtRecord {
    /// Its name.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,

    /// Its text.
    #[schemars(length(min = 1, max = 512))]
    pub value: String,
}
