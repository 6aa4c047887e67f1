//! Who waits to come in otherwise than by an invitation, as read in one look, and the domains that
//! people join by.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::domains::{DomainName, ObservedDomain};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{ETag, JoinRequestId};

/// Ways in beside invitations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joining {
    /// Domains of the account; `None`: not read, because none is declared or ours, or because they
    /// could not be read.
    pub domains: Option<BTreeMap<DomainName, ObservedDomain>>,
    /// Open join requests by person; `None`: the product has none, or we are not told of them.
    pub requests: Option<BTreeMap<EmailAddress, ObservedJoinRequest>>,
    /// People suggested for teams; `None`: the product has none, or we are not told of them.
    pub suggestions: Option<BTreeSet<MemberKey>>,
}

/// One open join request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedJoinRequest {
    /// Id at the service.
    pub id: JoinRequestId,
    /// Version of the row.
    pub etag: ETag,
}
