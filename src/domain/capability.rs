//! What an account service may promise, beyond answering.

use std::fmt;

/// One promise of an account service. Source: `GET /v1/capabilities` of the account API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// A call that is repeated under its idempotency key is done once.
    IdempotencyKeys,
    /// There is at most one pending invitation for a person in one place.
    UniquePending,
    /// What we make carries our reference.
    ExternalReference,
    /// A change of a row that is not as we saw it is refused.
    ConditionalWrites,
    /// The service itself keeps the last owner and the seats.
    OwnerAndSeatGuard,
    /// A page, its total and its position in the feed are of one moment.
    SnapshotPaging,
    /// An account can carry the mark of who manages it.
    Claims,
    /// Somebody without access for want of a seat is still a member.
    TrimmedState,
}

impl Capability {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::IdempotencyKeys,
        Self::UniquePending,
        Self::ExternalReference,
        Self::ConditionalWrites,
        Self::OwnerAndSeatGuard,
        Self::SnapshotPaging,
        Self::Claims,
        Self::TrimmedState,
    ];

    /// Word of statuses and output; never renamed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdempotencyKeys => "IdempotencyKeys",
            Self::UniquePending => "UniquePending",
            Self::ExternalReference => "ExternalReference",
            Self::ConditionalWrites => "ConditionalWrites",
            Self::OwnerAndSeatGuard => "OwnerAndSeatGuard",
            Self::SnapshotPaging => "SnapshotPaging",
            Self::Claims => "Claims",
            Self::TrimmedState => "TrimmedState",
        }
    }

    /// What its lack means for us, as a sentence for people.
    #[must_use]
    pub const fn without(self) -> &'static str {
        match self {
            Self::IdempotencyKeys => "a mail whose answer is lost waits for a person",
            Self::UniquePending => "only the key keeps a mail from going out twice",
            Self::ExternalReference => "no team is made",
            Self::ConditionalWrites => "two managers of one account do not notice each other",
            Self::OwnerAndSeatGuard => "only we keep the last owner and the seats",
            Self::SnapshotPaging => {
                "counts of a look may differ while somebody changes the account"
            }
            Self::Claims => "nobody is told that this account is managed",
            Self::TrimmedState => "nobody is trimmed",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
