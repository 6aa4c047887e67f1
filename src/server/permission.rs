//! Who may do what: the closed list of the service's own rights, read from the profile.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::RoleName;
use crate::profile::{Manage, Profile, Reach, ServicePermission, reaches};
use crate::server::error::ApiError;

/// What a token may do. A token without a scope cannot do more by any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Reads of the account.
    Read,
    /// Invitations.
    Invite,
    /// Roles, and bringing trimmed people back.
    Change,
    /// Removals, trims, revocations, and demotions.
    Remove,
    /// Subscriptions.
    Billing,
    /// The account itself.
    Manage,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Invite, Self::Change, Self::Remove, Self::Billing, Self::Manage];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Invite => "invite",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Billing => "billing",
            Self::Manage => "manage",
        }
    }

    /// The scope of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// One right at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// See the account, its seats, roles and subscriptions.
    ReadAccount,
    /// See members and invitations.
    ReadMembers,
    /// Send invitations.
    Invite,
    /// Change roles.
    ChangeRoles,
    /// End memberships and invitations.
    Remove,
    /// Pick and cancel subscriptions.
    ManageSubscriptions,
    /// Rename the account.
    ManageAccount,
    /// Say who manages the account.
    Claim,
    /// See the audit log.
    ReadAudit,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    /// A token of one account.
    Token {
        /// Id of the token.
        id: String,
        /// The account.
        account_id: String,
        /// What it may do.
        scopes: BTreeSet<Scope>,
    },
    /// The vendor, for every account.
    Vendor {
        /// Id of the token.
        id: String,
    },
    /// A member, through the pages.
    Person {
        /// The membership.
        member_id: String,
        /// Role in this account.
        role: RoleName,
    },
    /// Someone who holds an invitation's link and proved to be its person.
    Invitee,
    /// The service by itself.
    Service,
}

/// A verb of the profile's `manage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Invite to a role.
    Invite,
    /// Change from and to a role.
    Change,
    /// Remove from a role.
    Remove,
}

impl Actor {
    /// The actor in the audit log.
    pub fn label(&self) -> String {
        match self {
            Self::Token { id, .. } | Self::Vendor { id } => format!("token:{id}"),
            Self::Person { member_id, .. } => format!("member:{member_id}"),
            Self::Invitee => "invitee".to_owned(),
            Self::Service => "service".to_owned(),
        }
    }

    /// Refuses whoever lacks the right.
    pub fn must(&self, right: Right, profile: &Profile) -> Result<(), ApiError> {
        match self {
            Self::Token { scopes, .. } => match scope_of(right) {
                None if scopes.iter().any(|scope| *scope != Scope::Read) => Ok(()),
                None => Err(ApiError::ScopeMissing(Scope::Invite.word())),
                Some(scope) if scopes.contains(&scope) => Ok(()),
                Some(scope) => Err(ApiError::ScopeMissing(scope.word())),
            },
            Self::Vendor { .. } => match right {
                Right::ReadAccount | Right::ManageSubscriptions => Ok(()),
                Right::ReadMembers
                | Right::Invite
                | Right::ChangeRoles
                | Right::Remove
                | Right::ManageAccount
                | Right::Claim
                | Right::ReadAudit => Err(ApiError::Forbidden),
            },
            Self::Person { role, .. } if role_has(profile, role, right) => Ok(()),
            Self::Person { .. } | Self::Invitee => Err(ApiError::Forbidden),
            Self::Service => Ok(()),
        }
    }

    /// Refuses a role that this actor cannot act on. A token was made by an owner and reaches as
    /// far as the highest role does.
    pub fn must_reach(
        &self,
        verb: Verb,
        profile: &Profile,
        target: &RoleName,
    ) -> Result<(), ApiError> {
        let own = match self {
            Self::Token { .. } => profile.roles.first().map(|role| &role.name),
            Self::Person { role, .. } => Some(role),
            Self::Service => return Ok(()),
            Self::Vendor { .. } | Self::Invitee => None,
        };
        let map = verb_map(&profile.manage, verb);
        match own {
            Some(own) if reaches(profile, map, own, target) => Ok(()),
            _ => Err(ApiError::BeyondManage),
        }
    }
}

fn verb_map(manage: &Manage, verb: Verb) -> &BTreeMap<RoleName, Reach> {
    match verb {
        Verb::Invite => &manage.invite,
        Verb::Change => &manage.change,
        Verb::Remove => &manage.remove,
    }
}

/// The scope that a right needs; `None`: any that writes.
fn scope_of(right: Right) -> Option<Scope> {
    match right {
        Right::ReadAccount | Right::ReadMembers | Right::ReadAudit => Some(Scope::Read),
        Right::Invite => Some(Scope::Invite),
        Right::ChangeRoles => Some(Scope::Change),
        Right::Remove => Some(Scope::Remove),
        Right::ManageSubscriptions => Some(Scope::Billing),
        Right::ManageAccount => Some(Scope::Manage),
        // A grow-only token must be able to say whose it is before its first invitation.
        Right::Claim => None,
    }
}

/// True if the profile gives the right to the role. How far it reaches is in `manage`.
pub(crate) fn role_has(profile: &Profile, role: &RoleName, right: Right) -> bool {
    let permission = match right {
        Right::ReadAccount => return profile.role(role).is_some(),
        Right::ReadMembers => ServicePermission::MembersRead,
        Right::Invite => ServicePermission::MembersInvite,
        Right::ChangeRoles => ServicePermission::MembersChange,
        Right::Remove => ServicePermission::MembersRemove,
        Right::ManageSubscriptions => ServicePermission::SubscriptionsManage,
        Right::ManageAccount | Right::Claim => ServicePermission::AccountManage,
        Right::ReadAudit => ServicePermission::AuditRead,
    };
    profile.permits_service(role, permission)
}
