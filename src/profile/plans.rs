//! Plans, what they offer, how seats are counted, and what the end of a subscription does.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::PlanName;
use crate::domain::observed::SeatLimit;

/// One plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Name.
    pub name: PlanName,
    /// Seats.
    pub seats: SeatLimit,
    /// Whether it is paid for.
    pub paid: bool,
    /// Names of the features that it includes.
    pub features: BTreeSet<String>,
    /// Names of the products that it includes.
    pub products: BTreeSet<String>,
    /// Limits of meters by name, each in its unit; a meter that is not there has none.
    pub meters: BTreeMap<String, u64>,
}

/// A feature or a product that plans can include (CT-14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
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
