//! `Account`: one account at an account service, and how far we may go with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attach::AccountNamespaces;
use super::auto_join::{AutoJoin, DomainSeen};
use super::condition;
use super::reference::{OBJECT_NAME, SecretKeyRef};

/// A whole number of seconds, minutes, hours or days.
pub(super) const DURATION: &str = r"^[0-9]{1,5}[smhd]$";

/// Ids and slugs of the account service; nothing that would change the meaning of a path.
pub(super) const ACCOUNT_ID: &str = r"^[A-Za-z0-9][A-Za-z0-9_-]*$";

/// One account at an account service, and how far we may go with it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "Account",
    doc = "One account at an account service: its id there, the Secret with its token, and how far \
           we may go with the people in it.",
    namespaced,
    status = "AccountStatus",
    derive = "PartialEq",
    shortname = "acct",
    category = "seatkeeper",
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.className",
        description = "AccountClass of the account",
        priority = 1
    ),
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountId",
        description = "Id or slug at the account service"
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "How far we may go"
    ),
    printcolumn(
        name = "Seats",
        type_ = "string",
        json_path = ".status.usage",
        description = "Seats used of seats there are"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "What we last found"
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
pub struct AccountSpec {
    /// AccountClass of this account. Required; cannot change.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("className cannot change: delete the Account and make a new one"))]
    pub class_name: String,

    /// Id or slug of the account at the account service. Required; cannot change.
    #[schemars(length(min = 1, max = 128), regex(pattern = ACCOUNT_ID))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("accountId cannot change: delete the Account and make a new one"))]
    pub account_id: String,

    /// Key of a Secret in this namespace that holds the token for the account service. Required.
    pub credentials_secret_ref: SecretKeyRef,

    /// How far we may go, each step what the one before may, and more: `Observe` writes nothing
    /// and reports what would be done; `Invite` adds people; `Manage` also changes and removes the
    /// people that were declared here; `Exclusive` also removes who is not declared. Required,
    /// without a default.
    pub mode: Mode,

    /// Namespaces whose Teams, Memberships and ClientAccesses may name this Account. Default: its own.
    /// Who was declared from a namespace that is not allowed any more is left as they are.
    #[serde(default)]
    pub allowed_namespaces: AccountNamespaces,

    /// `true`: write nothing, whatever the mode. Default `false`.
    #[serde(default)]
    pub suspend: bool,

    /// How many people may lose access or rights at once before a person is asked.
    #[serde(default)]
    pub removals: Removals,

    /// What becomes of invitations that nobody takes.
    #[serde(default)]
    pub invitations: Invitations,

    /// What to do when the account has more people than seats: `Hold` (default) leaves the choice
    /// to people until the account service enforces its limit; `Trim` takes away access from the
    /// latest-added now. `Trim` only where the profile trims.
    #[serde(default)]
    pub on_seat_shortage: OnSeatShortage,

    /// Protected roles of the profile that Teams and Memberships of this account may give. Default:
    /// none.
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub grantable_roles: Vec<String>,

    /// People that `onSeatShortage: Trim` never hits, by address. What the account service does by
    /// itself it does without asking. Default: nobody.
    #[schemars(length(max = 100), inner(length(min = 3, max = 254)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub never_trim: Vec<String>,

    /// Domains whose people become members by themselves when they sign up, without an invitation. In
    /// mode `Exclusive` they count as declared once their domain is verified. Only where the profile
    /// knows joining by domain. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_join: Option<AutoJoin>,

    /// How often the account service is compared with what is declared when nothing changed here: a
    /// whole number with `s`, `m`, `h` or `d`. Default `10m`, at least `5s`.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default = "AccountSpec::default_resync")]
    #[x_kube(validation = Rule::new("!self.matches('^(0*[0-4]s|0+[mhd])$')")
        .message("must be at least 5s"))]
    pub resync: String,

    /// What deleting this Account, its namespace or our kinds does to the people that we own: `Retain`
    /// (default) leaves them as they are, and they are no longer ours; `Revoke` takes back what was
    /// given, as any removal within `removals`, and the Account stays until that is settled. What
    /// stood here before the deletion counts; `Retain` helps later too. A `deletionPolicy: Retain` of
    /// a Team or Membership goes before it.
    #[serde(default)]
    pub on_teardown: OnTeardown,

    /// How long an object that is being deleted waits for an account service, a Secret or an
    /// AccountClass that is gone or refuses us. Then it goes, what it gave stays, and the ConfigMap
    /// `seatkeeper-orphans` in the operator's namespace says so. With the annotation
    /// `seatkeeper.dev/release` it goes at once. A whole number with `s`, `m`, `h` or `d`, not zero.
    /// Default `1h`.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default = "AccountSpec::default_release_after")]
    #[x_kube(validation = Rule::new("!self.matches('^0+[smhd]$')")
        .message("must be longer than zero"))]
    pub release_after: String,
}

impl AccountSpec {
    /// The schema's default.
    fn default_resync() -> String {
        "10m".to_owned()
    }

    /// The schema's default.
    fn default_release_after() -> String {
        "1h".to_owned()
    }
}

/// What the end of an Account does to its people.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum OnTeardown {
    /// They stay as they are.
    #[default]
    Retain,
    /// They lose what was given to them, as by any removal.
    Revoke,
}

/// How far we may go with an account, each step what the one before may, and more.
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize,
)]
pub enum Mode {
    /// Write nothing, report what would be done.
    Observe,
    /// Add people only.
    Invite,
    /// Also change and remove the people that were declared here.
    Manage,
    /// Also remove who is not declared.
    Exclusive,
}

/// What to do with people over a limit that shrank.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum OnSeatShortage {
    /// Leave the choice to people.
    #[default]
    Hold,
    /// Take away access from the latest-added.
    Trim,
}

/// How many people may lose access or rights at once before a person is asked.
///
/// Counted are removals, cancelled invitations, lowered roles and trims.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removals {
    /// So many are always allowed within `window`. Default 3.
    #[schemars(range(min = 0, max = 100_000))]
    #[serde(default = "Removals::default_max_count")]
    pub max_count: i32,

    /// So many are allowed too, in percent of the people in the account. Default 10.
    #[schemars(range(min = 0, max = 100))]
    #[serde(default = "Removals::default_max_percent")]
    pub max_percent: i32,

    /// Upper bound of what `maxPercent` allows, in people. Default 50.
    #[schemars(range(min = 0, max = 100_000))]
    #[serde(default = "Removals::default_max_total")]
    pub max_total: i32,

    /// Time over which they are counted: a whole number with `s`, `m`, `h` or `d`, not zero.
    /// Default `24h`.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default = "Removals::default_window")]
    #[x_kube(validation = Rule::new("!self.matches('^0+[smhd]$')")
        .message("must be longer than zero"))]
    pub window: String,

    /// How long the operator waits from when it first wants a removal, so that many deletions are
    /// seen as one: a whole number with `s`, `m`, `h` or `d`. Default `30s`.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default = "Removals::default_settle")]
    pub settle: String,
}

impl Removals {
    /// The schema's default.
    const fn default_max_count() -> i32 {
        3
    }

    /// The schema's default.
    const fn default_max_percent() -> i32 {
        10
    }

    /// The schema's default.
    const fn default_max_total() -> i32 {
        50
    }

    /// The schema's default.
    fn default_window() -> String {
        "24h".to_owned()
    }

    /// The schema's default.
    fn default_settle() -> String {
        "30s".to_owned()
    }
}

impl Default for Removals {
    fn default() -> Self {
        Self {
            max_count: Self::default_max_count(),
            max_percent: Self::default_max_percent(),
            max_total: Self::default_max_total(),
            window: Self::default_window(),
            settle: Self::default_settle(),
        }
    }
}

/// What becomes of invitations that nobody takes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitations {
    /// How long the link of an invitation works, if shorter than the profile says: a whole number
    /// with `s`, `m`, `h` or `d`, at least `1m`. Renewals keep it; invitations that were sent keep
    /// theirs. Default: as the profile says.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!self.matches('^(0*[0-5]?[0-9]s|0+[mhd])$')")
        .message("must be at least 1m"))]
    pub expires_in: Option<String>,

    /// When an invitation that expired is sent again by itself.
    #[serde(default)]
    pub renew: Renew,

    /// What to do when an invitation vanished at the account service, nobody knows why: `Hold`
    /// (default) waits for a person; `InviteAgain` sends a new one.
    #[serde(default)]
    pub on_lost: OnLost,
}

/// When an invitation that expired is sent again by itself. Whatever it says, one person gets at most
/// one automatic invitation in 24 hours and three in 90 days.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Renew {
    /// How often; 0: never. Then it waits for a person. Default 2.
    #[schemars(range(min = 0, max = 10))]
    #[serde(default = "Renew::default_attempts")]
    pub attempts: i32,

    /// Time from its expiry to the first time, doubled for each that follows: a whole number with
    /// `s`, `m`, `h` or `d`, not zero. Default `7d`.
    #[schemars(length(max = 6), regex(pattern = DURATION))]
    #[serde(default = "Renew::default_every")]
    #[x_kube(validation = Rule::new("!self.matches('^0+[smhd]$')")
        .message("must be longer than zero"))]
    pub every: String,
}

impl Renew {
    /// The schema's default.
    const fn default_attempts() -> i32 {
        2
    }

    /// The schema's default.
    fn default_every() -> String {
        "7d".to_owned()
    }
}

impl Default for Renew {
    fn default() -> Self {
        Self { attempts: Self::default_attempts(), every: Self::default_every() }
    }
}

/// What to do when an invitation vanished.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum OnLost {
    /// Wait for a person.
    #[default]
    Hold,
    /// Send a new one.
    InviteAgain,
}

/// What we last found in the account. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// `metadata.generation` that this status describes; -1 before we looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What can be said of this object, one entry per type: `Accepted` (it is valid and what it names
    /// exists), `Synced` (the account service matched at the last look), `Ready` (both) and, only
    /// while a person must act, `Stalled`.
    #[schemars(schema_with = "condition::conditions")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,

    /// What we last found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,

    /// Plan that sets the number of seats.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,

    /// Subscriptions that are not over.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub subscriptions: Vec<SubscriptionSeen>,

    /// Seats, in people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Seats>,

    /// Seats used of seats there are, as `45/100`; without a limit, `45`.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,

    /// Domains of `spec.autoJoin`.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub domains: Vec<DomainSeen>,

    /// People who asked to join by their domain, and wait for somebody who may invite. Who is declared
    /// is let in as soon as a seat is free. Not set where the product has no such requests, or we are
    /// not told of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_requests: Option<i32>,

    /// What is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,

    /// What the account service promises: `IdempotencyKeys`, `UniquePending`, `ExternalReference`,
    /// `ConditionalWrites`, `OwnerAndSeatGuard`, `SnapshotPaging`, `Claims`, `TrimmedState`.
    #[schemars(length(max = 16), inner(length(max = 63)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub capabilities: Vec<String>,

    /// What of these it does not promise. What needs it is held with the reason `CapabilityMissing`.
    #[schemars(length(max = 16), inner(length(max = 63)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub missing_capabilities: Vec<String>,
}

/// What we last found: `Synced` (the account matches), `Observing` (the mode writes nothing), `Held`
/// (something waits for a person), `Suspended`, `Rejected` (this object is not valid), or why the
/// account cannot be kept: `Unreachable`, `CredentialsRefused`, `ClaimedByOther`, `LedgerLost`,
/// `ReadUntrusted`, `ProfileMismatch`.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum AccountState {
    /// The mode writes nothing; what would be done is reported.
    Observing,
    /// The account matches what is declared.
    Synced,
    /// Something waits for a person.
    Held,
    /// The account service does not answer.
    Unreachable,
    /// The account service refused the token.
    CredentialsRefused,
    /// Another installation manages this account.
    ClaimedByOther,
    /// The account knows us, but our record of it is gone.
    LedgerLost,
    /// The answer of the account service cannot be complete.
    ReadUntrusted,
    /// The account service follows other rules than our profile.
    ProfileMismatch,
    /// `spec.suspend` is set.
    Suspended,
    /// This object is not valid, or what it names does not exist.
    Rejected,
}

/// One subscription of the account.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionSeen {
    /// Plan of the profile.
    #[schemars(length(min = 1, max = 63))]
    pub plan: String,

    /// When it ends, if it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
}

/// Seats of the account, in people.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seats {
    /// Seats in use.
    pub used: i32,
    /// Seats there are; not set: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i32>,
    /// Owners.
    pub owner: i32,
    /// Members with access, owners not among them.
    pub active: i32,
    /// Invitations that wait for their person.
    pub pending: i32,
    /// Members without access for want of a seat.
    pub trimmed: i32,
    /// Declared people who wait for a seat.
    pub queued: i32,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// What is held back, and by which rules.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Digest of what waits for a person, who lets it run by the annotation
    /// `seatkeeper.dev/approve: <digest>`. Not set when nothing waits for an approval.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,

    /// People who would be invited or let in, and clients who would be asked.
    pub additions: i32,
    /// People whose role would change.
    pub changes: i32,
    /// People who would lose access or an invitation, and requests to clients that would be withdrawn.
    pub removals: i32,
    /// Mails that would be sent.
    pub mails: i32,
    /// People who are missing at the account service, while nothing says why: approved, they count as
    /// gone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub absent: i32,

    /// What is held, by rule.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["rule".into()]))]
    pub rules: Vec<HeldByRule>,
}

/// What one rule holds back.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldByRule {
    /// The rule.
    #[schemars(length(min = 1, max = 63))]
    pub rule: String,

    /// How many actions it holds, or people it waits for.
    pub count: i32,

    /// The first ten: addresses of declared people and clients, else ids.
    #[schemars(length(max = 10), inner(length(max = 254)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub names: Vec<String>,
}
