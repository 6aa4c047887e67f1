//! What the account service holds, as read in one look.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::clients::ObservedClient;
use crate::domain::endings::Endings;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::Joining;
use crate::domain::keys::{
    AccountKey, CategoryName, ETag, InstallationId, InvitationId, MemberId, PlanName, RoleName,
    SubscriptionId, TeamId,
};
use crate::domain::ownership::ObservedOwnershipChange;
use crate::domain::recipients::ObservedCategory;
use crate::domain::teams::ObservedTeam;

/// One account, complete: a partial answer is an error of the backend, never a value of this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The account itself.
    pub account: ObservedAccount,
    /// Members by person: owner, active and trimmed.
    pub members: BTreeMap<MemberKey, ObservedMember>,
    /// Invitations that are not over, and the last one of who did not take it, by person.
    pub invitations: BTreeMap<MemberKey, ObservedInvitation>,
    /// Teams, where an account has many.
    pub teams: BTreeMap<TeamId, ObservedTeam>,
    /// Clients of an agency; `None`: not read, because none is declared or known.
    pub client_accesses: Option<BTreeMap<EmailAddress, ObservedClient>>,
    /// Changes of owner, those that ended too; `None`: not read, because none is declared or known.
    pub ownership_changes: Option<Vec<ObservedOwnershipChange>>,
    /// Categories of mail with their recipients; `None`: not read, because none is declared or set,
    /// or because they could not be read.
    pub categories: Option<BTreeMap<CategoryName, ObservedCategory>>,
    /// Ways in beside invitations.
    pub joining: Joining,
    /// What the answers say of themselves; the trusted-read guard weighs it.
    pub evidence: ReadEvidence,
}

/// The account read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedAccount {
    /// Id that the service answered for; the guard compares it with the pinned one.
    pub key: AccountKey,
    /// Name for people.
    pub name: String,
    /// Version, for the claim.
    pub etag: ETag,
    /// Who manages this account, if anyone claimed it.
    pub claim: Option<Claim>,
    /// Seats as the service counts them.
    pub seats: ObservedSeats,
    /// Subscriptions that are not over.
    pub subscriptions: Vec<ObservedSubscription>,
    /// The service refuses all but reads, billing, removals and revocations.
    pub disabled: bool,
    /// It may ask clients for access (NC-01).
    pub agency: bool,
    /// Everyone must sign in by more than a password.
    pub secure_sign_in: bool,
    /// Our own row, if the credential belongs to a member.
    pub caller: Option<MemberId>,
}

/// Mark of the installation that manages an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The installation.
    pub installation: InstallationId,
    /// Where it runs: UID of the cluster's `kube-system` namespace, or `file`.
    pub fingerprint: String,
}

/// Seats of the account at `now`, in people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSeats {
    /// What the plan allows.
    pub limit: SeatLimit,
    /// What counts against it.
    pub used: u32,
    /// Owners.
    pub owner: u32,
    /// Active members, owners not among them.
    pub active: u32,
    /// Pending invitations that have not expired.
    pub pending: u32,
    /// Trimmed members: they use no seat.
    pub trimmed: u32,
    /// When the service itself trims who is over the limit; `None` when nobody is.
    pub enforce_at: Option<Timestamp>,
    /// Where seats belong to subscriptions: those of each. The other figures are places then: who
    /// is in two teams is there twice.
    pub pools: BTreeMap<SubscriptionId, PoolSeats>,
}

/// Seats that the people in the teams of one subscription share; who is in two of them takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSeats {
    /// What the plan allows.
    pub limit: SeatLimit,
    /// What counts against it.
    pub used: u32,
}

/// What a plan allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatLimit {
    /// So many people.
    Seats(u32),
    /// No limit.
    Unlimited,
}

impl SeatLimit {
    /// True if `used` people fit.
    #[must_use]
    pub fn allows(self, used: u32) -> bool {
        match self {
            Self::Seats(limit) => used <= limit,
            Self::Unlimited => true,
        }
    }
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSubscription {
    /// Id at the service.
    pub id: SubscriptionId,
    /// Plan of the profile.
    pub plan: PlanName,
    /// When a cancelled one ends; `None` while it renews by itself.
    pub ends_at: Option<Timestamp>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedMember {
    /// Id at the service.
    pub id: MemberId,
    /// Version of the row.
    pub etag: ETag,
    /// Role, or a word that our profile does not know.
    pub role: RoleSeen,
    /// Whether access is on.
    pub state: MemberState,
    /// When the invitation was first sent, or the person was added at once; decides who stays
    /// (X16). Microseconds; ties by id.
    pub added_at: Timestamp,
    /// When the person joined.
    pub joined_at: Timestamp,
    /// It is the place of an agency, at the address of whoever asked for it.
    pub agency: bool,
}

/// Whether a member has access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Access is on, a seat is used.
    Active,
    /// Access is off, the row is kept, no seat is used (X18).
    Trimmed,
    /// A word that we do not know: not understood, not touched.
    Unknown,
}

/// A role as the service names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleSeen {
    /// A role of the profile.
    Known(RoleName),
    /// A word that the profile does not have: not understood, not touched.
    Unknown,
}

impl RoleSeen {
    /// The role, if it is one of the profile's.
    #[must_use]
    pub fn known(&self) -> Option<&RoleName> {
        match self {
            Self::Known(role) => Some(role),
            Self::Unknown => None,
        }
    }
}

/// One invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedInvitation {
    /// Id at the service; a resend keeps it.
    pub id: InvitationId,
    /// Version of the row.
    pub etag: ETag,
    /// Role that acceptance gives.
    pub role: RoleSeen,
    /// Where it stands.
    pub state: InvitationState,
    /// When it was first sent; the trim order of who accepts it (X16).
    pub created_at: Timestamp,
    /// When its link stops working.
    pub expires_at: Timestamp,
    /// Mails of it so far, as the service counts them.
    pub sent: u32,
}

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// Waits for the person; takes a seat where pending people count.
    Pending,
    /// Not accepted in time.
    Expired,
    /// The mail could not be delivered.
    Failed,
    /// The person said no.
    Declined,
    /// A word that we do not know: not understood, not touched.
    Unknown,
}

impl InvitationState {
    /// True if the person can still accept, as far as we understand the row.
    #[must_use]
    pub fn waits(self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }
}

/// What the answers of one look say of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadEvidence {
    /// Member rows on all pages.
    pub member_rows: u64,
    /// `total` of the member list.
    pub member_total: u64,
    /// Invitation rows on all pages.
    pub invitation_rows: u64,
    /// `total` of the invitation list.
    pub invitation_total: u64,
    /// Ids or people that came twice.
    pub duplicates: u64,
    /// Places of agencies at the address of a person who is there, or invited, as well: they are
    /// counted, and left as they are.
    pub beside: Vec<ObservedMember>,
    /// Feed position at which the look began: what changed later may be missing in it. `None`: the
    /// service does not say.
    pub as_of: Option<u64>,
    /// Feed position of the last page: what changed later is not in the look.
    pub up_to: Option<u64>,
    /// What the feed says of who is gone; `None`: not asked, or it does not reach back.
    pub endings: Option<Endings>,
    /// Actor of what our credential does, as the feed names it.
    pub actor: Option<String>,
    /// What the service's clock said when the look began. `None`: the service does not say.
    pub answered_at: Option<Timestamp>,
}
