//! `ClientAccess`: access of an agency to the account of one client.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::DURATION;
use super::condition;
use super::reference::AccountRef;

/// Access of an agency to the account of one client.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "ClientAccess",
    plural = "clientaccesses",
    doc = "Access of an agency to the account of one client: the client is asked once, by mail. \
           Deleting the object withdraws a request that waits; withdrawals pass the removal brake. \
           Access that was granted stays: only the client can end it. A no is remembered under the object's name, \
           also when it is made anew or restored: only a new value of the annotation \
           seatkeeper.dev/resend, or an object of another name, asks again.",
    namespaced,
    status = "ClientAccessStatus",
    derive = "PartialEq",
    shortname = "cla",
    category = "seatkeeper",
    printcolumn(
        name = "Client",
        type_ = "string",
        json_path = ".spec.clientEmail",
        description = "Address of the client"
    ),
    printcolumn(
        name = "Role",
        type_ = "string",
        json_path = ".spec.role",
        description = "Role that is asked for"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "What became of the request"
    ),
    printcolumn(
        name = "Held",
        type_ = "string",
        json_path = ".status.roleHeld",
        description = "Role that the client really gave"
    ),
    printcolumn(
        name = "Health",
        type_ = "string",
        json_path = ".status.health",
        description = "How the client's websites are doing"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "True when nothing is left for us to do"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was made"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ClientAccessSpec {
    /// Account of the agency. Required; cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("accountRef cannot change: delete the ClientAccess and make a new one"))]
    pub account_ref: AccountRef,

    /// Address of the client; it need not have an account yet. Compared without case. Required;
    /// cannot change.
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("clientEmail cannot change: delete the ClientAccess and make a new one"))]
    pub client_email: String,

    /// Role that the agency asks for: one that the account's profile lets agencies have. Once access
    /// is granted the client alone changes it. Required; cannot change.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("role cannot change: only the client can change it once access is granted"))]
    pub role: String,

    /// How long after the last mail a request without an answer is withdrawn: a whole number with
    /// `s`, `m`, `h` or `d`, as `30d`. Default: it waits for ever.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_after: Option<String>,
}

/// What we last found of the client. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAccessStatus {
    /// `metadata.generation` that this status describes; -1 before we looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What can be said of this object, one entry per type: `Accepted` (it is valid and what it names
    /// exists), `Synced` (the account service matched at the last look), `Ready` (both) and, only
    /// while a person must act, `Stalled`.
    #[schemars(schema_with = "condition::conditions")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,

    /// What became of the request. Not set before the client was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ClientAccessState>,

    /// Role that the client really gave; there once access was granted.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_held: Option<String>,

    /// How the client's websites are doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<ClientHealth>,

    /// How many websites the client has; there once access was granted.
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_count: Option<i64>,

    /// The first ten of them.
    #[schemars(length(max = 10), inner(length(max = 253)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub websites: Vec<String>,

    /// When the last mail of the request was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Time>,

    /// When a request without an answer is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_at: Option<Time>,

    /// What is wrong and what can be done.
    #[schemars(length(max = 1024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of the request: `Requested` (waits for the client), `Granted`, `Rejected` (the client
/// said no, or took the access away), `Withdrawn`. After the last two only a new value of the
/// annotation `seatkeeper.dev/resend`, or an object of another name, asks again.
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize,
)]
pub enum ClientAccessState {
    /// Waits for the client.
    Requested,
    /// The client gave access.
    Granted,
    /// The client said no, or took the access away.
    Rejected,
    /// The request was withdrawn.
    Withdrawn,
}

/// How the client's websites are doing, the first that holds: `NoData` (no website, or no access),
/// `MajorIssue` (one needs attention now), `NotConnected` (one is not connected), `AllGood`.
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize,
)]
pub enum ClientHealth {
    /// No website, or no access.
    NoData,
    /// A website needs attention now.
    MajorIssue,
    /// A website is not connected.
    NotConnected,
    /// Everything works.
    AllGood,
}
