//! Our finalizers: an object that carries one stays until what it gave is settled.

/// One of our finalizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finalizer(&'static str);

impl Finalizer {
    /// On Accounts.
    pub const ACCOUNT: Self = Self("seatkeeper.dev/account");
    /// Beside it on Accounts with `onTeardown: Revoke`. The API server lets nobody add a finalizer to
    /// an object that is being deleted, so that it tells what stood in the spec before.
    pub const REVOKES: Self = Self("seatkeeper.dev/account-revokes");
    /// On Teams.
    pub const TEAM: Self = Self("seatkeeper.dev/team");
    /// On Memberships.
    pub const MEMBERSHIP: Self = Self("seatkeeper.dev/membership");
    /// On ClientAccesses.
    pub const CLIENT_ACCESS: Self = Self("seatkeeper.dev/client-access");
    /// On NotificationSubscriptions.
    pub const SUBSCRIPTION: Self = Self("seatkeeper.dev/notification-subscription");
    /// On the parts of a ledger: else the deletion of a namespace takes the ledger first.
    pub const LEDGER: Self = Self("seatkeeper.dev/ledger");

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ACCOUNT,
        Self::REVOKES,
        Self::TEAM,
        Self::MEMBERSHIP,
        Self::CLIENT_ACCESS,
        Self::SUBSCRIPTION,
        Self::LEDGER,
    ];

    /// As it stands in `metadata.finalizers`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// True if a finalizer is one of ours.
    #[must_use]
    pub fn is_ours(text: &str) -> bool {
        Self::ALL.iter().any(|ours| ours.0 == text)
    }
}
