//! Names of things, one type each, so that no two can be mixed up.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Declares text types that differ only in what they name.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// Id of an account at the account service (`acc_…`).
    AccountKey;
    /// Id of a member at the account service (`mem_…`); stable for life.
    MemberId;
    /// Id of a client access at the account service (`cla_…`).
    ClientAccessId;
    /// Id of a change of owner at the account service (`own_…`).
    OwnershipChangeId;
    /// Id of a domain at the account service (`dom_…`).
    DomainId;
    /// Id of a join request at the account service (`joi_…`).
    JoinRequestId;
    /// Id of a team at the account service (`team_…`).
    TeamId;
    /// The declaring object of a team, as `web/core`: its external reference at the account service.
    TeamRef;
    /// Id of an invitation at the account service (`inv_…`); a resend keeps it.
    InvitationId;
    /// Version of one row at the account service, opaque; sent back as `If-Match` (RFC 9110, 13.1.1).
    ETag;
    /// Id of a subscription at the account service (`sub_…`).
    SubscriptionId;
    /// Name of a role of the profile.
    RoleName;
    /// Name of a category of mail of the profile.
    CategoryName;
    /// Name of a plan of the profile.
    PlanName;
    /// Digest of a held set, by which a person approves it: 16 hex digits.
    HoldDigest;
    /// Id of one installation of this program: random, made with the ledger.
    InstallationId;
}

/// Idempotency key of one send: random, stored before the call (OP-02). `Debug` hides it: who
/// knows it could answer for our call.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey(pub String);

impl RequestKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RequestKey {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestKey(..)")
    }
}

/// What a person wrote to have an invitation sent again, as a digest: a new one is a new decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResendMark(pub u64);

impl ResendMark {
    /// The mark of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}
