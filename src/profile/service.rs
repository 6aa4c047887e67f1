//! Permissions of the account service itself. A profile gives them to roles; it cannot add any.

use std::fmt;

use crate::profile::PermissionKind;

/// What a member may do at the account service.
///
/// The product's own permissions are declared by its profile and never open anything here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServicePermission {
    /// See the members and the open invitations.
    MembersRead,
    /// Invite; how far is in `manage.invite`.
    MembersInvite,
    /// Change roles; how far is in `manage.change`.
    MembersChange,
    /// Remove members and revoke invitations; how far is in `manage.remove`.
    MembersRemove,
    /// Suggest a member to those who may invite.
    MembersSuggest,
    /// See how each member signs in.
    SignInMethodsRead,
    /// Edit a team's name and settings.
    TeamsEdit,
    /// Pick, upgrade and cancel subscriptions.
    SubscriptionsManage,
    /// Verify domains whose people join by themselves.
    DomainsManage,
    /// Make and revoke account tokens.
    TokensManage,
    /// Read the audit log.
    AuditRead,
    /// Choose who receives which category of e-mail.
    RecipientsManage,
    /// Ask clients for access and log in as them.
    ClientsUse,
    /// Rename, secure and delete the account.
    AccountManage,
}

impl ServicePermission {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::MembersRead,
        Self::MembersInvite,
        Self::MembersChange,
        Self::MembersRemove,
        Self::MembersSuggest,
        Self::SignInMethodsRead,
        Self::TeamsEdit,
        Self::SubscriptionsManage,
        Self::DomainsManage,
        Self::TokensManage,
        Self::AuditRead,
        Self::RecipientsManage,
        Self::ClientsUse,
        Self::AccountManage,
    ];

    /// The name in profiles and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MembersRead => "members.read",
            Self::MembersInvite => "members.invite",
            Self::MembersChange => "members.change",
            Self::MembersRemove => "members.remove",
            Self::MembersSuggest => "members.suggest",
            Self::SignInMethodsRead => "sign-in-methods.read",
            Self::TeamsEdit => "teams.edit",
            Self::SubscriptionsManage => "subscriptions.manage",
            Self::DomainsManage => "domains.manage",
            Self::TokensManage => "tokens.manage",
            Self::AuditRead => "audit.read",
            Self::RecipientsManage => "recipients.manage",
            Self::ClientsUse => "clients.use",
            Self::AccountManage => "account.manage",
        }
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(self) -> PermissionKind {
        match self {
            Self::MembersRead | Self::SignInMethodsRead | Self::AuditRead => PermissionKind::Read,
            Self::MembersRemove => PermissionKind::Remove,
            Self::SubscriptionsManage => PermissionKind::Billing,
            Self::MembersInvite
            | Self::MembersChange
            | Self::MembersSuggest
            | Self::TeamsEdit
            | Self::DomainsManage
            | Self::TokensManage
            | Self::RecipientsManage
            | Self::ClientsUse
            | Self::AccountManage => PermissionKind::Write,
        }
    }

    /// The permission of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == name)
    }
}

impl fmt::Display for ServicePermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
