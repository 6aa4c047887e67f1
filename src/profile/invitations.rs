//! Invitations.

use std::time::Duration;

/// Rules of invitations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRules {
    /// How long a link works.
    pub lifetime: Duration,
    /// What a resend does to the link.
    pub resend: ResendLink,
    /// What becomes of an invited person who is in the account already.
    pub known_user: KnownUser,
    /// How many can be invited at once on the page.
    pub bulk: Bulk,
    /// Where the role of a pending invitation can be changed (X15).
    pub role_while_pending: RoleWhilePending,
}

/// What becomes of an invited person who is in the account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownUser {
    /// Accepts like everyone else.
    MustAccept,
    /// Is added at once (CT-05).
    AddAtOnce,
}

/// How many can be invited at once on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// One.
    None,
    /// Several addresses with one role (DO-06).
    Addresses,
    /// Many lines with one default role; each bad line is reported by itself (PO-03).
    Lines,
}

/// Where the role of a pending invitation can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleWhilePending {
    /// On the page and through the API.
    OnPage,
    /// Through the API only.
    ApiOnly,
}

/// What a resend does to the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendLink {
    /// The same link in a new mail.
    SameLink,
    /// A new link; the old one is dead.
    NewLink,
}
