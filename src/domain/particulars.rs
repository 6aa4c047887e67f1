//! What an invitation says besides address and role.

use std::time::Duration;

/// What an invitation says besides address and role. It is used when a mail is sent, and never
/// compared with what the service holds.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Particulars {
    /// Name of the person.
    pub name: Option<String>,
    /// Why the person is invited.
    pub message: Option<String>,
    /// How long the link works; `None`: as long as the profile says.
    pub expires_in: Option<Duration>,
}

impl std::fmt::Debug for Particulars {
    /// Neither name nor message: they are for the person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Particulars").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}
