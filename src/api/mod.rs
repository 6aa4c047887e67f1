//! The Kubernetes contract: types of the custom resources and nothing else, one file per kind.
//!
//! Doc comments are what `kubectl explain` shows. Rules that the API server can check are CEL next
//! to the field; the command line runs the same rules on files.

mod account;
mod account_class;
mod account_ledger;
mod attach;
mod auto_join;
mod client_access;
mod condition;
mod definitions;
mod finalizers;
mod membership;
mod notification_subscription;
mod reference;
mod team;

pub use account::{
    Account, AccountSpec, AccountState, AccountStatus, Held, HeldByRule, Invitations, Mode, OnLost,
    OnSeatShortage, OnTeardown, Removals, Renew, Seats, SubscriptionSeen,
};
pub use account_class::{AccountApi, AccountClass, AccountClassSpec, Backend, ClassLimits};
pub use account_ledger::{AccountLedger, AccountLedgerSpec};
pub use attach::{AccountNamespaces, AccountNamespacesFrom, ClassNamespaces, ClassNamespacesFrom};
pub use auto_join::{AutoJoin, DomainSeen, DomainSeenState, TxtRecord};
pub use client_access::{
    ClientAccess, ClientAccessSpec, ClientAccessState, ClientAccessStatus, ClientHealth,
};
pub use definitions::crds;
pub use finalizers::Finalizer;
pub use membership::{
    DeletionPolicy, InvitationSeen, Membership, MembershipSpec, MembershipState, MembershipStatus,
    Wanted,
};
pub use notification_subscription::{
    NotificationSubscription, NotificationSubscriptionSpec, NotificationSubscriptionStatus,
    RecipientCounts, RecipientPolicy, RecipientRef, RecipientsState,
};
pub use reference::{AccountRef, NameRef, ProfileConfigMapRef, SecretKeyRef};
pub use team::{PersonProblem, RosterLine, Team, TeamCounts, TeamSpec, TeamState, TeamStatus};

/// API group of all kinds.
pub const GROUP: &str = "seatkeeper.dev";

/// Version of all kinds.
pub const VERSION: &str = "v1alpha1";
