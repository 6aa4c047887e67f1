//! The rules of one kind of account as data.
//!
//! A product is a file in `profiles/`, read by the same code as a user's own. Everything here is
//! typed: the planner and the service see no strings of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::keys::{PlanName, RoleName};
use crate::domain::observed::SeatLimit;

/// One product's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name by which classes and accounts call it.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Whether an account is one team or has many.
    pub teams: Teams,
    /// Permissions of the product, with the menu entry that each opens.
    pub permissions: BTreeMap<String, PermissionRule>,
    /// Roles, highest first.
    pub roles: Vec<Role>,
    /// Who may act on whom.
    pub manage: Manage,
    /// Plans, lowest tier first.
    pub plans: Vec<Plan>,
    /// Seat counting.
    pub seats: SeatRules,
    /// What cancelling a subscription does.
    pub cancellation: Cancellation,
    /// Invitations.
    pub invitations: InvitationRules,
    /// Digest of the file's bytes: first 16 hex digits of SHA-256. For people only.
    pub digest: String,
}

/// Whether an account is one team or has many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teams {
    /// The account's member list is its team.
    One,
    /// Teams under the account.
    Many,
}

/// One permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionRule {
    /// Menu entry that it opens on the pages of the service.
    pub menu: Option<String>,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Name.
    pub name: RoleName,
    /// Names of its permissions; all of the profile's where the file says `all`.
    pub permissions: BTreeSet<String>,
    /// Least confirmed holders at all times.
    pub min_holders: u32,
    /// Most holders; `None`: no bound.
    pub max_holders: Option<u32>,
    /// Whether an invitation can give it.
    pub invitable: bool,
    /// Whether declarations need `grantableRoles` to give it.
    pub protected: bool,
    /// Changes only by an ownership change.
    pub immutable: bool,
    /// Whether its holders can be removed at all.
    pub removable: bool,
}

/// Who may act on whom: for each verb, how far each role reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manage {
    /// Roles that may invite.
    pub invite: BTreeMap<RoleName, Reach>,
    /// Roles that may change roles.
    pub change: BTreeMap<RoleName, Reach>,
    /// Roles that may remove.
    pub remove: BTreeMap<RoleName, Reach>,
}

/// How far a role reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Roles below one's own.
    Lower,
    /// One's own role too.
    Own,
}

/// One plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Name.
    pub name: PlanName,
    /// Seats.
    pub seats: SeatLimit,
    /// Whether it is paid for.
    pub paid: bool,
}

/// How seats are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatRules {
    /// What takes a seat.
    pub counts: BTreeSet<Counted>,
    /// What a shrinking limit does.
    pub on_shrink: OnShrink,
}

/// What can take a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Owners.
    Owner,
    /// Active members, owners not among them.
    Active,
    /// Pending invitations that have not expired.
    Pending,
    /// Access granted to an agency.
    ClientAccess,
}

/// What a shrinking limit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnShrink {
    /// Pending invitations are revoked, newest first, then members trimmed, latest-added first.
    TrimLatestAdded,
    /// Existing people are unaffected; no new ones.
    Keep,
}

/// What cancelling does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// Ends at once; the last paid one at the end of its period, then the service is disabled (NP-15).
    LastPaidAtPeriodEndThenDisable,
    /// Ends at once.
    AtOnce,
}

/// Rules of invitations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRules {
    /// How long a link works.
    pub lifetime: Duration,
    /// What a resend does to the link.
    pub resend: ResendLink,
}

/// What a resend does to the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendLink {
    /// The same link in a new mail.
    SameLink,
    /// A new link; the old one is dead.
    NewLink,
}

impl Profile {
    /// A role by name.
    #[must_use]
    pub fn role(&self, name: &RoleName) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == *name)
    }

    /// Rank of a role: 0 is the highest.
    #[must_use]
    pub fn rank(&self, name: &RoleName) -> Option<usize> {
        self.roles.iter().position(|role| role.name == *name)
    }

    /// A plan by name.
    #[must_use]
    pub fn plan(&self, name: &PlanName) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == *name)
    }

    /// True if the role is one that an owner guard watches: it has a least number of holders.
    #[must_use]
    pub fn is_owner(&self, name: &RoleName) -> bool {
        self.role(name).is_some_and(|role| role.min_holders > 0)
    }

    /// True if `counted` takes a seat.
    #[must_use]
    pub fn counts(&self, counted: Counted) -> bool {
        self.seats.counts.contains(&counted)
    }
}

/// True if `actor` reaches `target` by `verb` (one of the maps of [`Manage`]).
#[must_use]
pub fn reaches(
    profile: &Profile,
    verb: &BTreeMap<RoleName, Reach>,
    actor: &RoleName,
    target: &RoleName,
) -> bool {
    let (Some(reach), Some(own), Some(other)) =
        (verb.get(actor), profile.rank(actor), profile.rank(target))
    else {
        return false;
    };
    match reach {
        Reach::Lower => other > own,
        Reach::Own => other >= own,
    }
}
