//! Where one person is.

use crate::plan::words::Rule;

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
            Self::Queued => Rule::SeatLimit.message(),
            Self::Sending => "the invitation is being sent; its outcome is not known yet",
            Self::InDoubt => {
                "it is not known whether the invitation was sent, and too late to ask again safely; \
                 ask the person, then send it anew by a new value of the annotation seatkeeper.dev/resend, \
                 or apply --resend"
            }
            Self::Pending => "waits for the person to accept",
            Self::AwaitingConfirmation => {
                "waits for the present owner to confirm, by the link in a mail"
            }
            Self::AwaitingAcceptance => "waits for the person to accept, by the link in a mail",
            Self::Active => "is a member",
            Self::Removing => "no longer declared, or declared absent; access ends",
            Self::Absent => "not there, as declared",
            Self::Expired => "the invitation was not accepted in time; it is sent again by itself",
            Self::Failed => {
                "the invitation could not be delivered; check the address, then send it again by a \
                 new value of the annotation seatkeeper.dev/resend, or apply --resend"
            }
            Self::Lost => {
                "the invitation vanished at the account service; invite again by a new value of the \
                 annotation seatkeeper.dev/resend, or apply --resend"
            }
            Self::OptedOut => {
                "declined, left or was removed by a person; raise inviteEpoch to invite again"
            }
            Self::Trimmed => {
                "access is off for want of a seat; comes back by itself, in order, when seats return"
            }
        }
    }
}
