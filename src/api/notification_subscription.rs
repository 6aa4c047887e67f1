//! `NotificationSubscription`: who receives a category of mail.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition;
use super::reference::NameRef;

/// Who receives a category of mail.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "NotificationSubscription",
    doc = "Who receives a category of mail. Whom a role makes a recipient by itself always stays \
           one. Deleting the object takes back what it set, before it goes; what people chose \
           themselves stays.",
    namespaced,
    status = "NotificationSubscriptionStatus",
    derive = "PartialEq",
    shortname = "nsub",
    category = "seatkeeper",
    printcolumn(
        name = "Team",
        type_ = "string",
        json_path = ".spec.teamRef.name",
        description = "Team of the recipients"
    ),
    printcolumn(
        name = "Category",
        type_ = "string",
        json_path = ".spec.category",
        description = "Category of mail"
    ),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".spec.policy",
        description = "Whether others may be chosen too"
    ),
    printcolumn(
        name = "Recipients",
        type_ = "integer",
        json_path = ".status.counts.declared",
        description = "Declared recipients"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "Whether all of them receive it"
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
pub struct NotificationSubscriptionSpec {
    /// Team of the recipients, in the same namespace. Required; cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("teamRef cannot change: delete the NotificationSubscription and make a new one"))]
    pub team_ref: NameRef,

    /// What the mails are about: a category of the account's profile. Required; cannot change.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("category cannot change: delete the NotificationSubscription and make a new one"))]
    pub category: String,

    /// What becomes of recipients that no object declares: `Additive` (default) leaves those that
    /// people chose, `Exact` takes them away. Whom a role makes a recipient always stays one.
    #[serde(default)]
    pub policy: RecipientPolicy,

    /// The recipients, at most 500; more go into more objects of the same category. Default: nobody.
    #[schemars(length(max = 500))]
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub recipients: Vec<RecipientRef>,
}

/// What becomes of recipients that no object declares.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum RecipientPolicy {
    /// What people chose stays.
    #[default]
    Additive,
    /// Nobody else is chosen.
    Exact,
}

/// One recipient: a member by address, or the person of a Membership.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.email) != has(self.membershipRef)")
    .message("give exactly one of email and membershipRef"))]
pub struct RecipientRef {
    /// Address of a member, or of somebody who is to become one. Compared without case.
    #[schemars(length(min = 3, max = 254))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,

    /// A Membership of the same account, in the same namespace: its person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership_ref: Option<NameRef>,
}

/// What we last found of the recipients. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationSubscriptionStatus {
    /// `metadata.generation` that this status describes; -1 before we looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What can be said of this object, one entry per type: `Accepted` (it is valid and what it names
    /// exists), `Synced` (the account service matched at the last look), `Ready` (both) and, only
    /// while a person must act, `Stalled`.
    #[schemars(schema_with = "condition::conditions")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,

    /// Whether all declared recipients receive the category. Not set while something is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RecipientsState>,

    /// Recipients by what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<RecipientCounts>,

    /// The first ten that are to receive it as soon as they are members.
    #[schemars(length(max = 10), inner(length(max = 254)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub waiting: Vec<String>,

    /// The first ten whose role makes them recipients: the address if a declaration names the person,
    /// else the member's id.
    #[schemars(length(max = 10), inner(length(max = 254)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub implied: Vec<String>,

    /// What is wrong and what can be done.
    #[schemars(length(max = 1024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether all declared recipients receive the category: `Synced`, or `Waiting` (one of them is not a
/// member yet, and becomes a recipient by itself).
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize,
)]
pub enum RecipientsState {
    /// All of them do.
    Synced,
    /// One of them is not a member yet.
    Waiting,
}

/// Recipients by what they are.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecipientCounts {
    /// Declared by this object.
    pub declared: i32,

    /// Of these, those that are not members yet.
    pub waiting: i32,

    /// Members whose role makes them recipients, declared or not.
    pub implied: i32,
}
