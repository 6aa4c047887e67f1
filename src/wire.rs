//! JSON of the account API, version 1; used by client and server alike.
//!
//! Times are RFC 3339 UTC with microseconds. Answers may gain fields and words of enums at any
//! time: a client ignores the former and leaves alone what carries the latter (`Unknown`). The
//! server refuses request fields that it does not know.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// Header of the idempotency key; required for every POST that mails.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header that says that an answer was given before under the same key.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
/// Media type of [`Problem`]. Source: RFC 9457, 3.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Rows of a page unless asked otherwise.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// Most rows of a page.
pub const MAX_PAGE_SIZE: u32 = 1000;

/// One page of a list: rows, `total` and `as_of` are of one snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, ordered by id.
    pub items: Vec<T>,
    /// Opaque; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Rows on all pages.
    pub total: u64,
    /// Feed position of the snapshot.
    pub as_of: u64,
}

/// `GET /v1/capabilities`: which guarantees this service gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Name and version of the software, for people.
    pub server: String,
    /// Seconds for which an idempotency key is remembered; 0 if it is not honoured.
    pub idempotency_retention_seconds: u64,
    /// At most one pending invitation for one person.
    pub unique_pending: bool,
    /// `external_ref` is kept and returned.
    pub external_ref: bool,
    /// `If-Match` is honoured.
    pub if_match: bool,
    /// The service itself refuses to lose the last owner and to exceed the seats.
    pub owner_and_seat_guard: bool,
    /// All rows of a page, `total` and `as_of` come from one snapshot.
    pub snapshot_paging: bool,
    /// An account can hold a claim.
    pub claims: bool,
    /// Trimmed is a state of a member.
    pub trimmed_state: bool,
    /// Most rows of a page.
    pub max_page_size: u32,
}

/// `POST /v1/accounts`: opens an account with its owner. Needs a vendor token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Name for people, 1 to 100 characters.
    pub name: String,
    /// Short name, unique at the service: `[a-z0-9-]{1,63}`. Usable wherever an id is.
    pub slug: String,
    /// Profile: a product's rules.
    pub profile: String,
    /// Address of the owner.
    pub owner_email: String,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// `acc_…`
    pub id: String,
    /// Short name.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// Version; the same as the header `ETag`.
    pub etag: String,
    /// Name of the profile.
    pub profile: String,
    /// Digest of the service's copy of the profile; for people only.
    pub profile_digest: String,
    /// `active` or `disabled`.
    pub state: AccountState,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Who manages the account. Like every answer it may gain fields, which a request may not.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "answered_claim")]
    pub claim: Option<Claim>,
    /// Seats at this moment.
    pub seats: Seats,
    /// Subscriptions that are not over.
    pub subscriptions: Vec<Subscription>,
    /// Who asks.
    pub caller: Caller,
}

/// State of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Works.
    Active,
    /// Everything but sign-in, billing, reads, removals and revocations is refused with
    /// `service-disabled`.
    Disabled,
    /// A word that this client does not know.
    #[serde(other)]
    Unknown,
}

/// Who manages an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Id of the installation, 1 to 64 characters.
    pub installation_id: String,
    /// Where it runs, 1 to 128 characters.
    pub fingerprint: String,
}

/// Reads the claim of an answer: fields that we do not know are ignored.
fn answered_claim<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Claim>, D::Error> {
    #[derive(Deserialize)]
    struct Answered {
        installation_id: String,
        fingerprint: String,
    }
    let answered = Option::<Answered>::deserialize(deserializer)?;
    Ok(answered
        .map(|Answered { installation_id, fingerprint }| Claim { installation_id, fingerprint }))
}

/// `PATCH /v1/accounts/{a}` with `If-Match`. Fields left out stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New claim. Refused with `claimed-by-other` while another installation holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// The credential that asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// Scopes of the token: `read`, `invite`, `change`, `remove`, `billing`, `manage`.
    pub scopes: Vec<String>,
    /// Role in this account, if the credential belongs to a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// That member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
}

/// `GET /v1/accounts/{a}/seats`. Counts are people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seats {
    /// What the plan allows; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What counts against it.
    pub used: u32,
    /// Who is there, whether it counts or not.
    pub breakdown: SeatBreakdown,
    /// Plan that the limit comes from.
    pub source: String,
    /// Since when more people than seats are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit_since: Option<Timestamp>,
    /// When the service trims by itself who is over the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_at: Option<Timestamp>,
}

/// People of an account by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatBreakdown {
    /// Owners.
    pub owner: u32,
    /// Active members, owners not among them.
    pub active: u32,
    /// Pending invitations that have not expired.
    pub pending: u32,
    /// Trimmed members.
    pub trimmed: u32,
}

/// `GET /v1/accounts/{a}/roles`: the rules of the account that a client compares by meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleList {
    /// Roles, highest first.
    pub items: Vec<Role>,
    /// Plans, lowest tier first.
    pub plans: Vec<Plan>,
    /// What takes a seat: `owner`, `active`, `pending`, `clientAccess`.
    pub counts: Vec<String>,
    /// What a shrinking limit does: `trimLatestAdded` or `keep`.
    pub on_shrink: String,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Name.
    pub name: String,
    /// 0 is the highest.
    pub rank: u32,
    /// Whether an invitation can give it.
    pub invitable: bool,
    /// Names of its permissions.
    pub permissions: Vec<String>,
}

/// One plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name.
    pub name: String,
    /// Seats; absent: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// Whether it is paid for.
    pub paid: bool,
}

/// `POST /v1/accounts/{a}/subscriptions`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Plan of the profile.
    pub plan: String,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Plan of the profile.
    pub plan: String,
    /// State.
    pub state: SubscriptionState,
    /// When it began.
    pub created_at: Timestamp,
    /// End of the billing period that runs.
    pub period_end: Timestamp,
    /// When a cancelled one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// State of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Runs, renews by itself at `period_end`.
    Active,
    /// Cancelled, runs until `ends_at`.
    Ending,
    /// Over.
    Ended,
    /// A word that this client does not know.
    #[serde(other)]
    Unknown,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// `mem_…`
    pub id: String,
    /// Version.
    pub etag: String,
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
    /// Who ended the membership: `self`, `member` or `service`; on `?state=deleted` rows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// State of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    Unknown,
}

/// `PATCH /v1/accounts/{a}/members/{m}` with `If-Match`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// New role.
    pub role: String,
}

/// `POST /v1/accounts/{a}/invitations` with `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Address, in any spelling.
    pub email: String,
    /// Role that acceptance gives.
    pub role: String,
    /// Reference of the client, at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
}

/// One invitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// `inv_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Address.
    pub email: String,
    /// Role that acceptance gives.
    pub role: String,
    /// State.
    pub state: InvitationState,
    /// When it was first sent.
    pub created_at: Timestamp,
    /// When its link stops working.
    pub expires_at: Timestamp,
    /// When a mail was last queued.
    pub last_sent_at: Timestamp,
    /// Mails queued so far.
    pub send_count: u32,
    /// What became of the last mail: `queued`, `sent`, `unknown`, `failed`.
    pub delivery: String,
    /// What can be done now: `resend`, `revoke`, `change-role`.
    pub actions: Vec<String>,
    /// Reference of the client that invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
}

/// State of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    Unknown,
}

/// `PATCH /v1/accounts/{a}/invitations/{i}` with `If-Match`; sends no mail (X15).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationPatch {
    /// New role.
    pub role: String,
}

/// One row of the audit log: who, what, whom, when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// `evt_…`
    pub id: String,
    /// Feed position.
    pub position: u64,
    /// When.
    pub at: Timestamp,
    /// Who: `token:…`, `member:…`, `service`.
    pub actor: String,
    /// What, as `member.removed`.
    pub action: String,
    /// Whom: id of the row that changed.
    pub subject: String,
    /// The row before; absent when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// The row after; absent when it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
}

/// Body of every answer that is not a success. Source: RFC 9457.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// URI reference of the kind of problem.
    #[serde(rename = "type")]
    pub type_: String,
    /// One sentence, the same for every problem of this kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What went wrong this time, and the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Word for programs; never renamed.
    pub code: String,
    /// Problems of single fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// Id of the request, as in the log.
    pub request_id: String,
    /// The row that stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
}

/// A problem of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// JSON pointer. Source: RFC 6901.
    pub pointer: String,
    /// What is wrong, and the way out.
    pub detail: String,
}

/// The row that stands in the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existing {
    /// Path of the row.
    pub href: String,
}
