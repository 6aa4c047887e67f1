//! `Membership`: one person's place in one team.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition;
use super::reference::{AccountRef, NameRef, ONE_LINE};

/// One person's place in one team.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "Membership",
    doc = "One person's place in one team. Deleting the object ends the membership, unless \
           `spec.deletionPolicy` is `Retain`.",
    namespaced,
    status = "MembershipStatus",
    derive = "PartialEq",
    shortname = "mbr",
    category = "seatkeeper",
    printcolumn(
        name = "Team",
        type_ = "string",
        json_path = ".spec.teamRef.name",
        description = "Team of the person"
    ),
    printcolumn(
        name = "Email",
        type_ = "string",
        json_path = ".spec.email",
        description = "Address of the person"
    ),
    printcolumn(
        name = "Role",
        type_ = "string",
        json_path = ".spec.role",
        description = "Declared role"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "Where the person is"
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
#[x_kube(validation = Rule::new("has(self.teamRef) != has(self.accountRef)")
    .message("needs exactly one of teamRef and accountRef"))]
#[x_kube(validation = Rule::new("has(self.teamRef) == has(oldSelf.teamRef)")
    .message("teamRef and accountRef cannot change: delete the Membership and make a new one"))]
#[x_kube(validation = Rule::new("!has(self.accountRef) || !has(oldSelf.accountRef) \
        || self.accountRef == oldSelf.accountRef")
    .message("accountRef cannot change: delete the Membership and make a new one"))]
#[x_kube(validation = Rule::new("self.email.lowerAscii() == oldSelf.email.lowerAscii() \
        || (has(self.formerly) \
            && self.formerly.exists(old, old.lowerAscii() == oldSelf.email.lowerAscii()))")
    .message("email may change only to another address of the same person: add the old one to \
        formerly, or delete the Membership and make a new one"))]
#[x_kube(validation = Rule::new("!has(self.formerly) \
        || self.formerly.all(old, old.lowerAscii() != self.email.lowerAscii())")
    .message("formerly holds earlier addresses only, not email itself"))]
pub struct MembershipSpec {
    /// Team that the person joins, in the same namespace. Either this or `accountRef`; cannot
    /// change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("teamRef cannot change: delete the Membership and make a new one"))]
    pub team_ref: Option<NameRef>,

    /// Account that the person joins: for roles that hold for the whole account. Either this or `teamRef`; cannot change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<AccountRef>,

    /// Address that the invitation goes to. Compared without case. Required; may change only to
    /// another address of the same person: `formerly` then holds the old one.
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

    /// What the person may do: a role of the account's profile. Required.
    #[schemars(length(min = 1, max = 63))]
    pub role: String,

    /// `Present` (default): the person is to be there. `Absent`: the person must not be a member or
    /// invited, whoever put them there; it beats every Present of the same person and place, says
    /// nothing of the role, and deleting it does nothing.
    #[serde(default)]
    pub state: Wanted,

    /// End date (RFC 3339): from then on the person must not be there, unless another declaration
    /// keeps them. With `state: Absent` it says nothing. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,

    /// Who is invited first while seats or mails are short: the higher, then the older declaration.
    /// Default 0.
    #[schemars(range(min = -1000, max = 1000))]
    #[serde(default)]
    pub priority: i32,

    /// Raise it to invite again someone who declined, left or was removed. May only rise. Default 0.
    #[schemars(range(min = 0))]
    #[serde(default)]
    #[x_kube(validation = Rule::new("self >= oldSelf").message("inviteEpoch may only rise"))]
    pub invite_epoch: i64,

    /// What happens to the person when this object is deleted: `Revoke` (default) ends the access,
    /// `Retain` leaves it as it is.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// Whether the person is to be there.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Wanted {
    /// To be there.
    #[default]
    Present,
    /// Not to be there, whoever put them there.
    Absent,
}

/// What becomes of people when their declaration is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum DeletionPolicy {
    /// Access ends.
    #[default]
    Revoke,
    /// Access stays as it is.
    Retain,
}

/// What we last found of the person. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MembershipStatus {
    /// `metadata.generation` that this status describes; -1 before we looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What can be said of this object, one entry per type: `Accepted` (it is valid and what it names
    /// exists), `Synced` (the account service matched at the last look), `Ready` (both) and, only
    /// while a person must act, `Stalled`.
    #[schemars(schema_with = "condition::conditions")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,

    /// Where the person is. Not set while this object is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<MembershipState>,

    /// Place in the queue for a seat, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,

    /// Id of the member at the account service.
    #[schemars(length(max = 128))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,

    /// The earlier address by which the account service knows the person, as long as it does.
    #[schemars(length(max = 254))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_as: Option<String>,

    /// Role that the account service reports.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,

    /// Categories of mail that the member receives because of the role, whatever is declared.
    #[schemars(length(max = 50), inner(length(max = 63)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub implied: Vec<String>,

    /// When the access ends, as declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,

    /// The invitation that waits, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<InvitationSeen>,

    /// What is wrong and what can be done.
    #[schemars(length(max = 1024))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where the person is: `Planned` (not there yet), `Queued` (waits for a seat), `Sending`, `InDoubt`
/// (a person must look whether the mail went out), `Pending` (the invitation waits for the person),
/// `AwaitingConfirmation` (becoming an owner: the present one is asked), `AwaitingAcceptance` (the
/// person is), `Active`, `Removing`, `Expired`, `Failed` (the mail bounced), `Lost` (the invitation
/// vanished), `OptedOut` (declined, left or removed), `Trimmed` (without access for want of a seat),
/// `Absent` (not there, as declared). Not set while the declaration is not accepted.
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize,
)]
pub enum MembershipState {
    /// Not there yet.
    Planned,
    /// Waits for a seat.
    Queued,
    /// The invitation is being sent.
    Sending,
    /// Whether the invitation went out is not known, and sending again is no longer safe.
    InDoubt,
    /// The invitation waits for the person.
    Pending,
    /// Becoming an owner: waits for the present one to confirm.
    AwaitingConfirmation,
    /// Becoming an owner: waits for the person to accept.
    AwaitingAcceptance,
    /// A member with access.
    Active,
    /// Still there, and the declaration is deleted, over, or says `Absent`.
    Removing,
    /// The invitation was not accepted in time.
    Expired,
    /// The mail could not be delivered.
    Failed,
    /// The invitation vanished for a cause that is not known.
    Lost,
    /// The person declined, left or was removed by a person.
    OptedOut,
    /// A member without access for want of a seat.
    Trimmed,
    /// Not there, as declared.
    Absent,
}

/// An invitation at the account service.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationSeen {
    /// When it was first sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Time>,

    /// When its link stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,

    /// How often we mailed it since `inviteEpoch` was last raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,

    /// When it is sent again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Time>,
}
