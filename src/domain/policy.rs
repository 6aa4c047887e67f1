//! How far we may go with one account: the Account's spec and the class's limits as values.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::capability::Capability;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{HoldDigest, RoleName};

/// Everything that bounds a plan besides the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How far we may go.
    pub mode: Mode,
    /// Write nothing at all, whatever the mode.
    pub suspend: bool,
    /// The removal brake (OP-07).
    pub removals: RemovalPolicy,
    /// What to do when the limit shrinks below who is there (OP-04).
    pub on_seat_shortage: OnSeatShortage,
    /// What becomes of invitations that nobody takes.
    pub invitations: InvitationPolicy,
    /// People that we never trim.
    pub never_trim: BTreeSet<EmailAddress>,
    /// Protected roles that declarations may give.
    pub grantable_roles: BTreeSet<RoleName>,
    /// Invitation mails an hour for this account; `None` means no limit.
    pub invitations_per_hour: Option<u32>,
    /// Digest of a held set that a person approved.
    pub approval: Option<HoldDigest>,
    /// What the account service does not promise.
    pub missing: BTreeSet<Capability>,
}

/// The mode ladder: each step may do what the one before may, and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Write nothing, report what would be done.
    Observe,
    /// Add people only.
    Invite,
    /// Also change and remove what we own.
    Manage,
    /// Also remove who is not declared.
    Exclusive,
}

/// The removal brake's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalPolicy {
    /// Removals always allowed within the window.
    pub max_count: u32,
    /// Share of the last trusted count that is allowed, in percent.
    pub max_percent: u32,
    /// Upper bound of that share, in people.
    pub max_total: u32,
    /// Length of the sliding window.
    pub window: Duration,
    /// How long the operator waits from first sight of a removal, and how far apart two smaller
    /// reads must be before both are believed.
    pub settle: Duration,
}

impl RemovalPolicy {
    /// Removals allowed within one window: max(maxCount, min(maxPercent of `people`, maxTotal)).
    #[must_use]
    pub fn allowed(&self, people: u64) -> u64 {
        let share = people.saturating_mul(u64::from(self.max_percent)) / 100;
        u64::from(self.max_count).max(share.min(u64::from(self.max_total)))
    }
}

/// What becomes of invitations that nobody takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationPolicy {
    /// How long the link of a new one works; `None`: as long as the profile says.
    pub expires_in: Option<Duration>,
    /// How often an expired one is sent again by itself.
    pub renewals: u32,
    /// Time from its expiry to the first renewal; doubled for each that follows.
    pub every: Duration,
    /// What becomes of one that vanished.
    pub on_lost: OnLost,
}

/// What becomes of an invitation that vanished at the account service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLost {
    /// It waits for a person.
    Hold,
    /// The person is invited again.
    InviteAgain,
}

/// What to do with people over a limit that shrank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSeatShortage {
    /// Trim nobody; say who will be hit and when.
    Hold,
    /// Trim now, latest-added first.
    Trim,
}
