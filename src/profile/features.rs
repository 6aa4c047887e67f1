//! What only some products have: teams, domains, clients, categories, notices, meters.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::RoleName;

/// Rules of the teams of an account that has many (CT-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TeamRules {
    /// What a team needs.
    pub subscription: TeamSubscription,
    /// What a team is that has no subscription yet.
    pub without_subscription: TeamState,
    /// What a team is whose subscription is over (CT-13).
    pub expired: TeamState,
}

/// Whether teams have subscriptions of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamSubscription {
    /// Each is linked to exactly one; several teams may share it.
    ExactlyOne,
    /// Subscriptions belong to the account.
    None,
}

/// State of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamState {
    /// Works.
    Active,
    /// Visible, read-only.
    Inactive,
    /// Its setup is not complete.
    Pending,
}

/// Joining by an address in a verified domain, without an invitation (PO-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoJoin {
    /// Role that such a person gets.
    pub role: RoleName,
    /// What happens at a full account (X6).
    pub over_limit: OverLimit,
}

/// What joining by domain does at a full account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// The person does not join; a request waits for those who may invite.
    Request,
    /// The person joins over the limit.
    Allow,
}

/// Where secure sign-in can be required (DO-06); from then on it binds the whole team (X13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecureSignInBy {
    /// With an invitation.
    Invitation,
    /// In the settings of the team.
    Settings,
}

/// Access of agencies to clients' accounts (NC-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAccessRules {
    /// Roles that an agency can ask for.
    pub roles: BTreeSet<RoleName>,
    /// What the health of a client is read from (NC-08).
    pub health_of: HealthOf,
}

/// What the health of a client is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthOf {
    /// The state of its websites.
    Websites,
}

/// A category of e-mail that members can receive (NP-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What its mails are about.
    pub about: Topic,
    /// Roles that can be made recipients; those that receive it by themselves are among them.
    pub open_to: BTreeSet<RoleName>,
}

/// What the mails of a category are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Subscriptions, invoices, payments.
    Billing,
    /// A meter that crosses a threshold.
    Usage,
    /// A website that is no longer connected.
    Websites,
}

/// Who is told of which change (CT-09).
pub type Notify = BTreeMap<Notice, BTreeSet<Addressee>>;

/// A change that someone can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Someone became a member.
    Added,
    /// A member's role changed.
    RoleChanged,
    /// A member was removed.
    Removed,
    /// A team was renamed (X14).
    Renamed,
    /// A member lost access for want of a seat.
    Trimmed,
    /// A trimmed member has access again.
    Reinstated,
    /// Secure sign-in is required from now on.
    SecureSignInRequired,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressee {
    /// The person whom the change is about.
    Person,
    /// Every holder of a role.
    Role(RoleName),
}

/// Private notes about members (NP-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// Only the author of a note sees it.
    AuthorOnly,
    /// There are none.
    None,
}

/// A usage that is counted against the plan (CT-14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What is counted. People are counted by the service itself, against the seats.
    pub unit: Unit,
    /// What happens at the limit.
    pub when_full: WhenFull,
    /// Shares of the limit, in percent, at which the recipients of [`Topic::Usage`] are told; 80 and
    /// 100 where the file says nothing.
    pub warn_at_percent: BTreeSet<u32>,
}

/// What a meter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seats in use.
    People,
    /// Things.
    Count,
    /// Bytes.
    Bytes,
}

/// What happens when a meter reaches its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// No more of it.
    Refuse,
    /// It goes on and is charged.
    Overage,
}
