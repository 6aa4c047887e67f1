//! The rules of one kind of account as data.
//!
//! A product is a file in `profiles/`, read by the same code as a user's own. Everything here is
//! typed: the planner and the service see no strings of the file.

mod builtin;
mod features;
mod read;
mod service;
mod summary;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::keys::{PlanName, RoleName};
use crate::domain::observed::SeatLimit;

pub use crate::profile::builtin::{built_in, built_in_names};
pub use crate::profile::features::{
    Addressee, AutoJoin, Category, ClientAccessRules, HealthOf, Meter, Notes, Notice, Notify,
    OverLimit, SecureSignInBy, TeamRules, TeamState, TeamSubscription, Topic, Unit, WhenFull,
};
pub use crate::profile::read::read;
pub use crate::profile::service::ServicePermission;
pub use crate::profile::summary::{check, check_built_in};
pub use crate::profile::words::Word;

/// One product's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name by which classes and accounts call it.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Whether an account is one team or has many.
    pub teams: Teams,
    /// Rules of teams; there if and only if there are many.
    pub team: Option<TeamRules>,
    /// Permissions of the product, with the menu entry that each opens; among them those of the
    /// service ([`ServicePermission`]) that open one.
    pub permissions: BTreeMap<String, PermissionRule>,
    /// Menu entries in the order of the file.
    pub menu: Vec<MenuEntry>,
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
    /// Where secure sign-in can be required; empty: nowhere.
    pub secure_sign_in: BTreeSet<SecureSignInBy>,
    /// Joining by an address in a verified domain; `None`: nobody does.
    pub auto_join: Option<AutoJoin>,
    /// Access of agencies to clients' accounts; `None`: there is none.
    pub client_access: Option<ClientAccessRules>,
    /// Categories of e-mail, in the order of the file.
    pub categories: Vec<Category>,
    /// Who is told of which change; what is not there is told to nobody.
    pub notify: Notify,
    /// Private notes about members.
    pub notes: Notes,
    /// Usages that are counted, in the order of the file.
    pub meters: Vec<Meter>,
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

/// An entry of the menu on the pages of the service. Locked for who lacks its permission (NP-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Text of the entry.
    pub title: String,
    /// Permission that opens it.
    pub permission: String,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Name.
    pub name: RoleName,
    /// Whether it holds for the whole account or in one team.
    pub scope: Scope,
    /// Names of its permissions, the product's and the service's; every one where the file says
    /// `all`.
    pub permissions: BTreeSet<String>,
    /// Least confirmed holders at all times.
    pub min_holders: u32,
    /// Most holders; `None`: no bound.
    pub max_holders: Option<u32>,
    /// Whether an invitation or a change of role can give it.
    pub invitable: bool,
    /// Whether declarations need `grantableRoles` to give it.
    pub protected: bool,
    /// Changes only by an ownership change.
    pub immutable: bool,
    /// Whether its holders can be removed at all.
    pub removable: bool,
    /// Whether who opens an account gets it. Exactly one role, the highest.
    pub opens_account: bool,
    /// How a member comes to hold it by the two-step change (DO-09); `None`: not at all.
    pub ownership_change: Option<OwnershipChange>,
    /// Names of the categories that its holders always receive (NP-11).
    pub receives: BTreeSet<String>,
}

/// Where a role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the whole account.
    Account,
    /// In one team.
    Team,
}

/// What the two-step change of owner does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnershipChange {
    /// Adds a holder beside the present ones.
    Add,
    /// Moves the role from the present holder.
    Move {
        /// Role of the former holder afterwards.
        former_becomes: RoleName,
    },
}

/// The words of [`OwnershipChange`] in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddedBy {
    Add,
    Move,
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
    /// Limits of meters by name, each in its unit; a meter that is not there has none.
    pub meters: BTreeMap<String, u64>,
}

/// How seats are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatRules {
    /// Who share the seats.
    pub pool: Pool,
    /// Where the limit comes from.
    pub limit: LimitFrom,
    /// What takes a seat.
    pub counts: BTreeSet<Counted>,
    /// What a shrinking limit does.
    pub on_shrink: OnShrink,
}

/// Who share the seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Everybody in the account.
    Account,
    /// Everybody in the teams that are linked to one subscription.
    Subscription,
    /// There are no seats.
    None,
}

/// Where the limit of seats comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitFrom {
    /// The highest tier among the subscriptions (NP-13); plan `none` where there is none.
    HighestTier,
    /// The plan of the subscription (PO-08); plan `none` where there is none.
    Plan,
    /// The subscription that the team is linked to.
    Subscription,
    /// There is none.
    Unlimited,
}

/// What can take a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Owners.
    Owner,
    /// Owners, in a team that they are members of.
    OwnerInTeam,
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
    /// Ends at the end of its period; the teams linked to it are then read-only until renewal
    /// (CT-13).
    AtPeriodEndThenTeamsInactive,
}

/// Rules of invitations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRules {
    /// How long a link works.
    pub lifetime: Duration,
    /// What a resend does to the link.
    pub resend: ResendLink,
    /// What becomes of an invited person who is in the account already.
    pub known_user: KnownUser,
    /// How many can be invited at once on the page.
    pub bulk: Bulk,
    /// Where the role of a pending invitation can be changed (X15).
    pub role_while_pending: RoleWhilePending,
}

/// What becomes of an invited person who is in the account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownUser {
    /// Accepts like everyone else.
    MustAccept,
    /// Is added at once (CT-05).
    AddAtOnce,
}

/// How many can be invited at once on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// One.
    None,
    /// Several addresses with one role (DO-06).
    Addresses,
    /// Many lines with one default role; each bad line is reported by itself (PO-03).
    Lines,
}

/// Where the role of a pending invitation can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleWhilePending {
    /// On the page and through the API.
    OnPage,
    /// Through the API only.
    ApiOnly,
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

    /// True if the role has the permission, the product's own or one of the service.
    #[must_use]
    pub fn permits(&self, role: &RoleName, permission: &str) -> bool {
        self.role(role).is_some_and(|role| role.permissions.contains(permission))
    }

    /// True if the role may do this at the account service; how far is in [`Profile::manage`].
    #[must_use]
    pub fn permits_service(&self, role: &RoleName, permission: ServicePermission) -> bool {
        self.permits(role, permission.as_str())
    }

    /// The role of who opens an account.
    #[must_use]
    pub fn opening_role(&self) -> Option<&Role> {
        self.roles.iter().find(|role| role.opens_account)
    }

    /// The plan of an account without a subscription: the one called `none`. There is none where
    /// every team has its own subscription.
    #[must_use]
    pub fn without_subscription(&self) -> Option<&Plan> {
        self.plan(&PlanName::from("none"))
    }

    /// A category by name.
    #[must_use]
    pub fn category(&self, name: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.name == name)
    }

    /// True if a person is told by mail of this change to their own place: where the profile says
    /// so, or says nothing of notices at all.
    #[must_use]
    pub fn tells_person(&self, notice: Notice) -> bool {
        let told = self.notify.get(&notice).is_some_and(|told| told.contains(&Addressee::Person));
        told || self.notify.is_empty()
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
