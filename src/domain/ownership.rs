//! Changes of owner, as read in one look (DO-09).

use jiff::Timestamp;

use crate::domain::keys::{ETag, MemberId, OwnershipChangeId, RoleName};

/// One change of owner: one that waits, or one that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedOwnershipChange {
    /// Id at the service.
    pub id: OwnershipChangeId,
    /// Version of the row.
    pub etag: ETag,
    /// The role.
    pub role: RoleName,
    /// The member who is to hold it.
    pub member: MemberId,
    /// Where it stands.
    pub state: OwnershipState,
    /// Actor who asked for it, as the feed names it.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the link that is out stops working.
    pub expires_at: Timestamp,
}

/// Where a change of owner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnershipState {
    /// Waits for the present owner.
    Unconfirmed,
    /// Waits for the future owner.
    Unaccepted,
    /// Took place.
    Done,
    /// Withdrawn, declined, or not answered in time.
    Ended,
    /// A word that we do not know: not understood, not touched.
    Unknown,
}

impl OwnershipState {
    /// True if it may still take place.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Unconfirmed | Self::Unaccepted | Self::Unknown => true,
            Self::Done | Self::Ended => false,
        }
    }
}
