//! What members may do at the product, and the menu.

/// One permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionRule {
    /// Menu entry that it opens on the pages of the service.
    pub menu: Option<String>,
}

/// An entry of the menu on the pages of the service. Locked for who lacks its permission (NP-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Text of the entry.
    pub title: String,
    /// Permission that opens it.
    pub permission: String,
}
