//! The closed words of a plan: rules, stops and states. Each goes into conditions, metrics and JSON
//! output, so none is ever renamed.

use std::fmt;

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
