//! What members may do at the product, and the menu.

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionRule {
    /// What it is for.
    pub kind: PermissionKind,
    /// Menu entry that it opens on the pages of the service.
    pub menu: Option<String>,
    /// Page of the product that the entry leads to; `None`: a page of the service, or nowhere.
    pub href: Option<String>,
    /// Name of the meter that must have room for it.
    pub meter: Option<String>,
}

/// What a permission is for. It decides what is left of it while the account is disabled (NP-15) or
/// the team inactive (CT-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionKind {
    /// To look at something.
    Read,
    /// To make or change something.
    Write,
    /// To take access away.
    Remove,
    /// To pay, or to choose what is paid for: the way out.
    Billing,
}

impl PermissionKind {
    /// True if it is left while the account is disabled or the team inactive.
    #[must_use]
    pub const fn stays(self) -> bool {
        match self {
            Self::Read | Self::Remove | Self::Billing => true,
            Self::Write => false,
        }
    }
}

/// An entry of the menu on the pages of the service. Locked for who lacks its permission (NP-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Text of the entry.
    pub title: String,
    /// Permission that opens it.
    pub permission: String,
}
