//! The pure planner: desired + observed + profile + policy + ledger → plan.
//!
//! No Kubernetes, no HTTP, no clock, no logs. Same input, same bytes.

pub mod action;
pub mod simulate;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::domain::identity::EmailAddress;
use crate::domain::keys::{HoldDigest, MemberId, RoleName};
use crate::domain::ledger_view::{Baseline, PersonRecord};
use crate::domain::observed::SeatLimit;
use crate::plan::action::Action;

/// What is to be done, what is held back and by which rule, and what is known of each person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What to do, in order. Stopping after any of them breaks no rule.
    pub actions: Vec<Action>,
    /// What a rule stopped, in the same order.
    pub held: Vec<Held>,
    /// Why nothing at all may be written; `actions` is empty then.
    pub stop: Option<Stop>,
    /// Everyone that is declared, and everyone that is ours and no longer declared.
    pub people: BTreeMap<EmailAddress, Outlook>,
    /// Seats now and after the plan.
    pub seats: SeatForecast,
    /// The set that waits for a person's approval.
    pub hold: Option<Hold>,
    /// Who the service will trim, and when, while `onSeatShortage: Hold` leaves the choice to people.
    pub shortage: Option<Shortage>,
    /// When to look again without a change; the earliest timer.
    pub next_at: Option<Timestamp>,
    /// What the ledger has to learn.
    pub learn: Learn,
}

/// What the ledger has to learn from this look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learn {
    /// Records that differ from those in the view.
    pub records: BTreeMap<EmailAddress, PersonRecord>,
    /// Records of people that are neither declared nor at the service can go.
    pub forget_absent: bool,
    /// Count to measure absence against from now on; `None`: leave it.
    pub baseline: Option<Baseline>,
    /// The held set to remember; the outer `None`: leave it.
    pub hold: Option<Option<(HoldDigest, u64)>>,
    /// What became of an approval.
    pub approval: Approval,
    /// The account carries no claim yet: put ours on it before the first send.
    pub claim: bool,
    /// Removals that this plan spends of the brake's window.
    pub brake_spent: u32,
}

/// What became of an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// Nothing new.
    #[default]
    None,
    /// Seen for the first time; its hour starts now.
    Seen(HoldDigest),
    /// Used by this plan: the hold's number rises, so that it cannot be used again.
    Used,
    /// Older than an hour: the hold's number rises, so that it approves nothing.
    Lapsed,
}

/// Something that a rule stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What would have been done.
    pub action: Action,
    /// The rule.
    pub rule: Rule,
}

/// Rules that hold single actions back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Mode `Observe` writes nothing.
    Observing,
    /// Mode `Invite` adds only.
    InviteOnly,
    /// More removals than the brake allows (OP-07).
    RemovalBrake,
    /// A removal waits for its settling time.
    Settling,
    /// The last owner stays (OP-05).
    OwnerGuard,
    /// Our own identity stays.
    OwnIdentity,
    /// The role is protected, and `grantableRoles` does not name it.
    ProtectedRole,
    /// The mails of this hour are used up.
    MailBudget,
    /// The service carries a role or a state that we do not know.
    NotUnderstood,
    /// The service is disabled: only removals and revocations work (NP-15).
    ServiceDisabled,
    /// No seat is free (OP-03).
    SeatLimit,
}

impl Rule {
    /// Reason of a condition, label of a metric, word of JSON output; never renamed.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Observing => "Observing",
            Self::InviteOnly => "InviteOnly",
            Self::RemovalBrake => "RemovalHeld",
            Self::Settling => "Settling",
            Self::OwnerGuard => "OwnerGuard",
            Self::OwnIdentity => "OwnIdentity",
            Self::ProtectedRole => "ProtectedRole",
            Self::MailBudget => "MailBudget",
            Self::NotUnderstood => "NotUnderstood",
            Self::ServiceDisabled => "ServiceDisabled",
            Self::SeatLimit => "SeatLimitReached",
        }
    }

    /// True if nothing goes on until a person acts.
    #[must_use]
    pub fn needs_person(self) -> bool {
        match self {
            Self::InviteOnly
            | Self::RemovalBrake
            | Self::OwnerGuard
            | Self::OwnIdentity
            | Self::ProtectedRole
            | Self::NotUnderstood
            | Self::ServiceDisabled
            | Self::SeatLimit => true,
            Self::Observing | Self::Settling | Self::MailBudget => false,
        }
    }
}

/// Why nothing at all may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `spec.suspend` is set.
    Suspended,
    /// Another installation manages the account.
    ClaimedByOther,
    /// The read may not be used to conclude absence.
    ReadUntrusted(Distrust),
}

impl Stop {
    /// Reason of a condition, word of JSON output; never renamed.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Suspended => "Suspended",
            Self::ClaimedByOther => "ClaimedByOther",
            Self::ReadUntrusted(_) => "ReadUntrusted",
        }
    }
}

/// Why a read is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The service answered for another account than the pinned one.
    OtherAccount,
    /// Rows, `total` and seat counts do not agree.
    CountsDiffer {
        /// Which count.
        what: &'static str,
        /// As the rows have it.
        rows: u64,
        /// As the service says.
        said: u64,
    },
    /// Rows came twice.
    Duplicates(u64),
    /// Fewer people than the brake allows to be missing; a second read that agrees is believed.
    Shrunk {
        /// People at the last trusted read.
        before: u64,
        /// People now.
        now: u64,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherAccount => f.write_str("the service answered for another account"),
            Self::CountsDiffer { what, rows, said } => {
                write!(f, "the service lists {rows} {what} and says that there are {said}")
            }
            Self::Duplicates(n) => write!(f, "{n} rows came twice"),
            Self::Shrunk { before, now } => {
                write!(f, "{before} people at the last trusted look, {now} now")
            }
        }
    }
}

/// What is known of one person, and what waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// State.
    pub state: State,
    /// The rule that holds the next step back.
    pub rule: Option<Rule>,
    /// Place in the queue, from 1; exact to 10, then by tens.
    pub position: Option<u32>,
    /// Member id at the service.
    pub member: Option<MemberId>,
    /// Role at the service.
    pub role_seen: Option<RoleName>,
    /// The declared role differs from it.
    pub role_differs: bool,
    /// When the invitation was first sent.
    pub sent_at: Option<Timestamp>,
    /// When its link stops working.
    pub expires_at: Option<Timestamp>,
}

/// State of one person: the words of `status.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not there yet.
    Planned,
    /// Waits for a seat.
    Queued,
    /// Being sent, or the outcome is unknown and it is still safe to repeat.
    Sending,
    /// The outcome is unknown and it is no longer safe to repeat.
    InDoubt,
    /// Waits for the person.
    Pending,
    /// A member.
    Active,
    /// No longer declared and still there.
    Removing,
    /// The invitation was not accepted in time.
    Expired,
    /// The invitation could not be delivered.
    Failed,
    /// The invitation vanished for a cause that we do not know.
    Lost,
    /// Declined, left or removed by a person.
    OptedOut,
    /// Access is off for want of a seat.
    Trimmed,
}

impl State {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::Queued => "Queued",
            Self::Sending => "Sending",
            Self::InDoubt => "InDoubt",
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Removing => "Removing",
            Self::Expired => "Expired",
            Self::Failed => "Failed",
            Self::Lost => "Lost",
            Self::OptedOut => "OptedOut",
            Self::Trimmed => "Trimmed",
        }
    }
}

/// Seats now and after the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatForecast {
    /// Used now.
    pub before: u32,
    /// Used after the plan.
    pub after: u32,
    /// What the plan of the account allows.
    pub limit: SeatLimit,
    /// Declared people that wait for a seat, the trimmed ahead of them not counted.
    pub queued: u32,
}

/// The set that waits for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Digest by which it is approved.
    pub digest: HoldDigest,
    /// People that would lose access or an invitation.
    pub removals: u32,
    /// Roles that would be lowered.
    pub changes: u32,
    /// Removals that are allowed in a window.
    pub allowed: u64,
    /// Of these, already spent in the window that runs.
    pub spent: u64,
}

/// Who the service itself will trim, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// People over the limit, in the order in which they will be hit.
    pub people: Vec<EmailAddress>,
    /// When the service enforces the limit; `None`: it has not said.
    pub enforce_at: Option<Timestamp>,
}
