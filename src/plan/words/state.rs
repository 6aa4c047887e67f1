//! Where one person is.

use crate::domain::reason::Reason;

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
    /// Becoming an owner: waits for the present one.
    AwaitingConfirmation,
    /// Becoming an owner: waits for the person.
    AwaitingAcceptance,
    /// A member.
    Active,
    /// Still there, and no longer declared or declared absent.
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
    /// Not there, as declared.
    Absent,
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
            Self::AwaitingConfirmation => "AwaitingConfirmation",
            Self::AwaitingAcceptance => "AwaitingAcceptance",
            Self::Active => "Active",
            Self::Removing => "Removing",
            Self::Expired => "Expired",
            Self::Failed => "Failed",
            Self::Lost => "Lost",
            Self::OptedOut => "OptedOut",
            Self::Trimmed => "Trimmed",
            Self::Absent => "Absent",
        }
    }

    /// Reason of a condition.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Planned => Reason::Planned,
            Self::Queued | Self::Trimmed => Reason::SeatLimitReached,
            Self::Sending => Reason::Sending,
            Self::InDoubt => Reason::InDoubt,
            Self::Pending => Reason::Pending,
            Self::AwaitingConfirmation => Reason::AwaitingConfirmation,
            Self::AwaitingAcceptance => Reason::AwaitingAcceptance,
            Self::Active => Reason::Active,
            Self::Removing => Reason::Removing,
            Self::Expired => Reason::Expired,
            Self::Failed => Reason::Failed,
            Self::Lost => Reason::Lost,
            Self::OptedOut => Reason::OptedOut,
            Self::Absent => Reason::Absent,
        }
    }

    /// True if nothing goes on for this person until somebody acts.
    #[must_use]
    pub fn needs_person(self) -> bool {
        match self {
            Self::Queued
            | Self::InDoubt
            | Self::Failed
            | Self::Lost
            | Self::OptedOut
            | Self::Trimmed => true,
            Self::Planned
            | Self::Sending
            | Self::Pending
            | Self::AwaitingConfirmation
            | Self::AwaitingAcceptance
            | Self::Active
            | Self::Removing
            | Self::Expired
            | Self::Absent => false,
        }
    }

    /// What the state means and the way out, as a sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Planned => "not there yet",
            Self::Sending => "the invitation is being sent; its outcome is not known yet",
            Self::InDoubt => {
                "it is not known whether the invitation was sent, and too late to ask again safely; \
                 ask the person, then send it anew by a new value of the annotation seatkeeper.dev/resend, \
                 or apply --resend"
            }
            Self::Removing => "no longer declared, or declared absent; access ends",
            Self::Trimmed => {
                "access is off for want of a seat; comes back by itself, in order, when seats return"
            }
            other => other.reason().says(),
        }
    }
}
