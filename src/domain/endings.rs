//! What the feed of changes says of people who are no longer there.

use std::collections::BTreeSet;

use crate::domain::identity::MemberKey;

/// What happened from the last trusted look to this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// People whose membership or invitation ended, and not by us.
    pub people: BTreeSet<MemberKey>,
    /// Ids of rows that were made before this look began, and are not over: a complete look has them.
    pub made: BTreeSet<String>,
}
