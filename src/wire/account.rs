//! Accounts, their seats and roles, and what a service guarantees.

use crate::wire::{MAX_NAME, NAME_PATTERN, Subscription, Usage, WORD_PATTERN};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// `GET /v1/capabilities`: which guarantees this service gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Name for people, 1 to 100 characters.
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// Short name, unique at the service: `[a-z0-9-]{1,63}`. Usable wherever an id is.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,63}$"))]
    pub slug: String,
    /// Profile: a product's rules.
    #[schemars(regex(pattern = WORD_PATTERN))]
    pub profile: String,
    /// Address of the owner.
    #[schemars(email)]
    pub owner_email: String,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Whether it may ask clients for access (NC-01).
    #[serde(default)]
    pub agency: bool,
    /// Whether everyone must sign in by more than a password (X13).
    #[serde(default)]
    pub secure_sign_in_required: bool,
    /// Who manages the account. Like every answer it may gain fields, which a request may not.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "answered_claim")]
    pub claim: Option<Claim>,
    /// Seats at this moment.
    pub seats: Seats,
    /// Subscriptions that are not over.
    pub subscriptions: Vec<Subscription>,
    /// Usage of each meter against the plan.
    #[serde(default)]
    pub usage: Vec<Usage>,
    /// Who asks.
    pub caller: Caller,
    /// Feed position of this answer: the feed after it tells all that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
}

/// State of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Works.
    Active,
    /// Everything but sign-in, billing, reads, removals and revocations is refused with
    /// `service-disabled`.
    Disabled,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Who manages an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Id of the installation, 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub installation_id: String,
    /// Where it runs, 1 to 128 characters.
    #[schemars(length(min = 1, max = 128))]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// New name, 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// New claim. Refused with `claimed-by-other` while another installation holds one, unless
    /// `claim_replaces` names that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Installation that holds the claim now and that the new one takes the account from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub claim_replaces: Option<String>,
    /// Whether everyone must sign in by more than a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_sign_in_required: Option<bool>,
    /// Whether the account may ask clients for access; the vendor's to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<bool>,
}

/// The credential that asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Caller {
    /// Scopes of the token: `read`, `invite`, `change`, `remove`, `billing`, `manage`.
    pub scopes: Vec<String>,
    /// Role in this account, if the credential belongs to a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// That member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// Actor of what this credential does, as the feed names it: `token:…`, `member:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// `GET /v1/accounts/{a}/seats`. Counts are people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Where seats belong to subscriptions: those of each. The account has no limit of its own
    /// then, and its figures are places: who is in two teams is there twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<SeatPool>,
}

/// Seats that the people in the teams of one subscription share. Counts are people: who is in two
/// of the teams takes one seat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeatPool {
    /// `sub_…`
    pub subscription: String,
    /// Plan that the limit comes from.
    pub plan: String,
    /// What the plan allows; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What counts against it.
    pub used: u32,
    /// Who is there, whether it counts or not.
    pub breakdown: SeatBreakdown,
}

/// People of an account by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeatBreakdown {
    /// Owners.
    pub owner: u32,
    /// Active members, owners not among them.
    pub active: u32,
    /// Pending invitations that have not expired.
    pub pending: u32,
    /// Trimmed members.
    pub trimmed: u32,
    /// Agencies that were granted access.
    #[serde(default)]
    pub client_access: u32,
}

/// `GET /v1/accounts/{a}/roles`: the rules of the account that a client compares by meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Name.
    pub name: String,
    /// Seats; absent: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// Whether it is paid for.
    pub paid: bool,
}
