//! The rules of one kind of account as data.
//!
//! A product is a file in `profiles/`, read by the same code as a user's own. Everything here is
//! typed: the planner and the service see no strings of the file.

mod builtin;
mod features;
mod invitations;
mod permissions;
mod plans;
mod read;
mod roles;
mod service;
mod summary;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::{PlanName, RoleName};

pub use crate::profile::builtin::{built_in, built_in_names};
pub use crate::profile::features::{
    Addressee, AutoJoin, Category, ClientAccessRules, HealthOf, Meter, Notes, Notice, Notify,
    OverLimit, SecureSignInBy, TeamRules, TeamState, TeamSubscription, Topic, Unit, WhenFull,
};
pub use crate::profile::invitations::{
    Bulk, InvitationRules, KnownUser, ResendLink, RoleWhilePending,
};
pub use crate::profile::permissions::{MenuEntry, PermissionKind, PermissionRule};
pub use crate::profile::plans::{
    Cancellation, Counted, LimitFrom, Offered, OnShrink, Plan, Pool, SeatRules,
};
pub use crate::profile::read::read;
pub use crate::profile::roles::{Manage, OwnershipChange, Reach, Role, Scope, reaches};
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
    /// Features that plans can include, in the order of the file.
    pub features: Vec<Offered>,
    /// Products that plans can include, in the order of the file.
    pub products: Vec<Offered>,
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

    /// True if a member comes to hold the role by a change of owner only (DO-09).
    #[must_use]
    pub fn changes_owner(&self, name: &RoleName) -> bool {
        self.role(name).is_some_and(|role| role.ownership_change.is_some() && !role.invitable)
    }

    /// True if members who may not invite suggest people for their teams (CT-04).
    #[must_use]
    pub fn takes_suggestions(&self) -> bool {
        let has = |role: &Role, permission: ServicePermission| {
            role.permissions.contains(permission.as_str())
        };
        let suggests = |role: &&Role| {
            has(role, ServicePermission::MembersSuggest)
                && !has(role, ServicePermission::MembersInvite)
        };
        self.teams == Teams::Many && self.roles.iter().any(|role| suggests(&role))
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

    /// What a permission is for, the product's own or one of the service; `None` if there is none of
    /// this name.
    #[must_use]
    pub fn permission_kind(&self, permission: &str) -> Option<PermissionKind> {
        let of_service = ServicePermission::parse(permission).map(ServicePermission::kind);
        of_service.or_else(|| self.permissions.get(permission).map(|rule| rule.kind))
    }

    /// The meter that must have room for a permission.
    #[must_use]
    pub fn meter_of(&self, permission: &str) -> Option<&Meter> {
        let name = self.permissions.get(permission)?.meter.as_deref()?;
        self.meters.iter().find(|meter| meter.name == name)
    }

    /// The role of who opens an account.
    #[must_use]
    pub fn opening_role(&self) -> Option<&Role> {
        self.roles.iter().find(|role| role.opens_account)
    }

    /// The plans that can be subscribed to, lowest tier first: all but that of an account without a
    /// subscription.
    pub fn plans_to_pick(&self) -> impl Iterator<Item = &Plan> {
        let none = self.without_subscription();
        self.plans.iter().filter(move |plan| none.is_none_or(|none| none.name != plan.name))
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
