//! `Team`: a team of an account with its roster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition;
use super::membership::{DeletionPolicy, MembershipState};
use super::reference::{AccountRef, ONE_LINE, SERVICE_ID};

/// A team of an account with its roster.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "Team",
    doc = "A team of an account and the people in it. Where an account is one team, each Team \
           object declares a part of its people.",
    namespaced,
    status = "TeamStatus",
    derive = "PartialEq",
    shortname = "team",
    category = "seatkeeper",
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountRef.name",
        description = "Account of the team"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "State of the team, where an account has many"
    ),
    printcolumn(
        name = "Declared",
        type_ = "integer",
        json_path = ".status.counts.declared",
        description = "People in the roster"
    ),
    printcolumn(
        name = "Active",
        type_ = "integer",
        json_path = ".status.counts.active",
        description = "Members with access"
    ),
    printcolumn(
        name = "Pending",
        type_ = "integer",
        json_path = ".status.counts.pending",
        description = "Invitations that wait for their person"
    ),
    printcolumn(
        name = "Queued",
        type_ = "integer",
        json_path = ".status.counts.queued",
        description = "People who wait for a seat"
    ),
    printcolumn(
        name = "Problems",
        type_ = "integer",
        json_path = ".status.counts.problems",
        description = "People with a problem"
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
#[x_kube(validation = Rule::new(
        "!has(oldSelf.teamId) || (has(self.teamId) && self.teamId == oldSelf.teamId)")
    .message("teamId cannot change once it is set: delete the Team and make a new one"))]
pub struct TeamSpec {
    /// Account of this team. Required; cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("accountRef cannot change: delete the Team and make a new one"))]
    pub account_ref: AccountRef,

    /// Name of the team for people, at most 100 characters. Where an account has many teams, its name
    /// at the account service. Default: the name of this object.
    #[schemars(length(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,

    /// Id of a team that is at the account service already, to adopt it. Only where an account has
    /// many teams. Default: none, so that the team is the one made for this object. Cannot change
    /// once it is set.
    #[schemars(length(min = 1, max = 128), regex(pattern = SERVICE_ID))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,

    /// Id of the subscription that the team is linked to. Required where every team has one, and not
    /// allowed elsewhere.
    #[schemars(length(min = 1, max = 128), regex(pattern = SERVICE_ID))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,

    /// Whether everyone in the account must sign in by more than a password. Only where the profile
    /// knows it. Of several Teams that say it the oldest counts. Default: left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_secure_sign_in: Option<bool>,

    /// Role of roster lines that give none: a word of the account's profile. Default: none, so
    /// every line has to give one.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role: Option<String>,

    /// What happens to the people of the roster when this object or their line is deleted:
    /// `Revoke` (default) ends their access, `Retain` leaves it as it is.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// The people, at most 2000; more people go into more Team objects. Default: nobody.
    #[schemars(length(max = 2000))]
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub roster: Vec<RosterLine>,
}

/// One person of the roster.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterLine {
    /// Address that the invitation goes to. Compared without case. Required.
    #[schemars(length(min = 3, max = 254))]
    pub email: String,

    /// Earlier addresses of the same person, at most 10. Who is a member under one of them stays one
    /// and is not invited again; an invitation that waits there is withdrawn, and a new one goes to
    /// `email`. Default: none.
    #[schemars(length(max = 10), inner(length(min = 3, max = 254)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub formerly: Vec<String>,

    /// First name, for the greeting of the invitation. A later change sends nothing. Default: none.
    #[schemars(length(min = 1, max = 49), regex(pattern = ONE_LINE))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,

    /// Last name, as `firstName`.
    #[schemars(length(min = 1, max = 49), regex(pattern = ONE_LINE))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,

    /// Why the person is invited, in one line of at most 500 characters: shown in the invitation, and
    /// to whoever reads the invitations of the account. A later change sends nothing. Default: none.
    #[schemars(length(min = 1, max = 500), regex(pattern = ONE_LINE))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// What the person may do: a role of the account's profile. Default: the team's `defaultRole`.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,

    /// End date (RFC 3339): from then on the person must not be there, unless another declaration
    /// keeps them. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,

    /// Who is invited first while seats or mails are short: the higher, then the older declaration.
    /// Default 0.
    #[schemars(range(min = -1000, max = 1000))]
    #[serde(default)]
    pub priority: i32,

    /// Raise it to invite again someone who declined, left or was removed. Default 0.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub invite_epoch: i64,
}

/// What we last found of the team. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamStatus {
    /// `metadata.generation` that this status describes; -1 before we looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What can be said of this object, one entry per type: `Accepted` (it is valid and what it names
    /// exists), `Synced` (the account service matched at the last look), `Ready` (both) and, only
    /// while a person must act, `Stalled`.
    #[schemars(schema_with = "condition::conditions")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,

    /// Where the team is at the account service: `Active`, `Inactive` (its subscription is over),
    /// `Pending` (its setup is not complete, or it is not made yet). Not set where an account has
    /// one team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TeamState>,

    /// Id of the team at the account service, where an account has many.
    #[schemars(length(max = 128))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,

    /// Subscription that the account service links the team to.
    #[schemars(length(max = 128))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,

    /// How many people of the roster are where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<TeamCounts>,

    /// The first ten people who are not where the roster wants them. They never make the Team
    /// itself unready.
    #[schemars(length(max = 10))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub first_problems: Vec<PersonProblem>,
}

/// Where a team is at the account service.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum TeamState {
    /// Open.
    Active,
    /// Its subscription is over: people can only be taken out.
    Inactive,
    /// Its setup is not complete, or it is not made yet.
    Pending,
}

/// How many people of the roster are where.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamCounts {
    /// Lines of the roster.
    pub declared: i32,
    /// Members with access.
    pub active: i32,
    /// Invitations that wait for their person.
    pub pending: i32,
    /// People who wait for a seat.
    pub queued: i32,
    /// Members without access for want of a seat.
    pub trimmed: i32,
    /// People with a problem, lines that are not valid among them.
    pub problems: i32,
    /// People whom members suggest for the team, and who wait for somebody who may invite. Not set
    /// where the product has no suggestions, or we are not told of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestions: Option<i32>,
    /// People who asked to join the account by their domain. Not set where the product has no such
    /// requests, or we are not told of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_requests: Option<i32>,
}

/// Someone who is not where the roster wants them.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonProblem {
    /// Address, as the roster writes it.
    #[schemars(length(min = 1, max = 254))]
    pub email: String,

    /// Where the person is; the words are those of `Membership.status.state`. Not set when the line
    /// is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<MembershipState>,

    /// Place in the queue for a seat, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,

    /// What is wrong and what can be done.
    #[schemars(length(max = 1024))]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
