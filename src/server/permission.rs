//! Who may do what: the closed list of the service's own rights, read from the profile.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::keys::RoleName;
use crate::profile::{Manage, Profile, Reach, ServicePermission, reaches};
use crate::server::error::ApiError;

/// What a token may do. A token without a scope cannot do more by any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Reads of the account.
    Read,
    /// Invitations, and whatever else only adds.
    Invite,
    /// Roles, teams, recipients, and bringing trimmed people back.
    Change,
    /// Removals, trims, revocations, and demotions.
    Remove,
    /// Subscriptions.
    Billing,
    /// The account itself: domains, tokens, ownership.
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
    /// See the account, its seats, roles, subscriptions, usage and websites.
    ReadAccount,
    /// See members and invitations.
    ReadMembers,
    /// See how members sign in.
    ReadSignInMethods,
    /// Send invitations.
    Invite,
    /// Suggest a member to those who may invite.
    Suggest,
    /// Change roles.
    ChangeRoles,
    /// End memberships and invitations.
    Remove,
    /// Make teams and edit them.
    EditTeams,
    /// Pick and cancel subscriptions.
    ManageSubscriptions,
    /// Follow what changes anywhere in the account.
    FollowChanges,
    /// See the domains, and the records that prove them.
    ReadDomains,
    /// Say which domains' people join by themselves.
    ManageDomains,
    /// Make and take away account tokens.
    ManageTokens,
    /// Make and take away tokens of one's own.
    OwnTokens,
    /// Choose who receives which category of mail.
    ManageRecipients,
    /// See the clients that were asked.
    ReadClients,
    /// Ask clients for access and log in as them.
    UseClients,
    /// Withdraw what clients were asked for.
    EndClients,
    /// Rename, secure and delete the account, and change its owner.
    ManageAccount,
    /// Say who manages the account, and keep that client's state.
    Claim,
    /// See the audit log.
    ReadAudit,
    /// Report usage and the state of websites, and confirm plans: the vendor alone.
    Report,
}

/// What a right needs of a credential.
pub(crate) struct Needs {
    /// Scope of a token; none: any that writes.
    pub scope: Option<Scope>,
    /// Permission of a person's role.
    pub person: PersonNeeds,
    /// Whether the vendor has it.
    pub vendor: bool,
}

/// What a right needs of a person.
pub(crate) enum PersonNeeds {
    /// Any role in the account.
    AnyRole,
    /// This permission.
    Permission(ServicePermission),
    /// Not for people.
    Never,
}

impl Right {
    /// What it needs.
    pub const fn needs(self) -> Needs {
        use PersonNeeds::{AnyRole, Never, Permission};
        use ServicePermission as P;
        let (scope, person, vendor) = match self {
            Self::ReadAccount => (Some(Scope::Read), AnyRole, true),
            Self::ReadMembers => (Some(Scope::Read), Permission(P::MembersRead), false),
            Self::FollowChanges => (Some(Scope::Read), Permission(P::MembersRead), true),
            Self::ReadDomains => (Some(Scope::Read), Permission(P::DomainsManage), true),
            Self::ReadSignInMethods => (Some(Scope::Read), Permission(P::SignInMethodsRead), false),
            Self::Invite => (Some(Scope::Invite), Permission(P::MembersInvite), false),
            Self::Suggest => (Some(Scope::Invite), Permission(P::MembersSuggest), false),
            Self::ChangeRoles => (Some(Scope::Change), Permission(P::MembersChange), false),
            Self::Remove => (Some(Scope::Remove), Permission(P::MembersRemove), false),
            Self::EditTeams => (Some(Scope::Change), Permission(P::TeamsEdit), false),
            Self::ManageSubscriptions => {
                (Some(Scope::Billing), Permission(P::SubscriptionsManage), true)
            }
            Self::ManageDomains => (Some(Scope::Manage), Permission(P::DomainsManage), false),
            Self::ManageTokens => (Some(Scope::Manage), Permission(P::TokensManage), false),
            Self::OwnTokens => (Some(Scope::Manage), AnyRole, false),
            Self::ManageRecipients => (Some(Scope::Change), Permission(P::RecipientsManage), false),
            Self::ReadClients => (Some(Scope::Read), Permission(P::ClientsUse), false),
            Self::UseClients => (Some(Scope::Invite), Permission(P::ClientsUse), false),
            Self::EndClients => (Some(Scope::Remove), Permission(P::ClientsUse), false),
            Self::ManageAccount => (Some(Scope::Manage), Permission(P::AccountManage), false),
            // A grow-only token must be able to say whose it is before its first invitation.
            Self::Claim => (None, Permission(P::AccountManage), false),
            Self::ReadAudit => (Some(Scope::Read), Permission(P::AuditRead), false),
            Self::Report => (None, Never, true),
        };
        Needs { scope, person, vendor }
    }

    /// Rights that nobody has in an account that he logged in to as an agency.
    const fn is_kept_from_agencies(self) -> bool {
        matches!(
            self,
            Self::ManageTokens
                | Self::OwnTokens
                | Self::ManageAccount
                | Self::Claim
                | Self::ReadClients
                | Self::UseClients
                | Self::EndClients
        )
    }
}

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At<'a> {
    /// In the account itself.
    Account,
    /// In one of its teams.
    Team(&'a str),
}

impl<'a> At<'a> {
    /// The scope of a row.
    pub fn of(team_id: Option<&'a str>) -> Self {
        team_id.map_or(Self::Account, Self::Team)
    }
}

/// A person in one account.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The account.
    pub account_id: String,
    /// Canonical address.
    pub address: String,
    /// Where the person is an active member; the account itself first.
    pub places: Vec<Place>,
    /// Set for somebody of an agency who is logged in as a client.
    pub as_client: bool,
    /// Hash of the session by which the person acts on the pages.
    pub session: Option<String>,
}

/// One membership of a person.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The membership.
    pub member_id: String,
    /// The team; none: the account itself.
    pub team_id: Option<String>,
    /// The role there.
    pub role: RoleName,
}

impl Person {
    /// Places whose roles hold at this scope: that of the account holds in every team.
    fn places_at(&self, at: At<'_>) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |place| match (&place.team_id, at) {
            (None, _) => true,
            (Some(own), At::Team(team)) => own == team,
            (Some(_), At::Account) => false,
        })
    }

    fn may(&self, right: Right, at: At<'_>, profile: &Profile) -> bool {
        if self.as_client && right.is_kept_from_agencies() {
            return false;
        }
        match right.needs().person {
            PersonNeeds::AnyRole => !self.places.is_empty(),
            PersonNeeds::Permission(permission) => {
                self.places_at(at).any(|place| profile.permits_service(&place.role, permission))
            }
            PersonNeeds::Never => false,
        }
    }

    /// The membership under which the person acts at this scope.
    fn label_at(&self, at: At<'_>) -> String {
        let own = self.places_at(at).last().or(self.places.first());
        own.map_or_else(|| "member".to_owned(), |place| format!("member:{}", place.member_id))
    }

    /// True if the person has a role of owners in the account itself.
    pub fn is_owner(&self, profile: &Profile) -> bool {
        self.places.iter().any(|place| place.team_id.is_none() && profile.is_owner(&place.role))
    }

    /// True if the person has this role in the account itself.
    pub fn holds(&self, role: &RoleName) -> bool {
        self.places.iter().any(|place| place.team_id.is_none() && place.role == *role)
    }

    /// True if this membership is the person's own.
    pub fn is(&self, member_id: &str) -> bool {
        self.places.iter().any(|place| place.member_id == member_id)
    }
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
        /// Who made it.
        made_by: String,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// A token of one person: its scopes, as far as the person's present roles go.
    Personal {
        /// Id of the token.
        id: String,
        /// The person.
        person: Person,
        /// What the token may do.
        scopes: BTreeSet<Scope>,
    },
    /// The vendor, for every account.
    Vendor {
        /// Id of the token.
        id: String,
    },
    /// A member, through the pages.
    Person(Person),
    /// Someone who holds a mailed link and proved to be its person.
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
    /// The actor in the audit log, and of what it does at this scope.
    pub fn label(&self, at: At<'_>) -> String {
        match self {
            Self::Token { id, .. } | Self::Vendor { id } => format!("token:{id}"),
            Self::Personal { person, .. } | Self::Person(person) => person.label_at(at),
            Self::Invitee => "invitee".to_owned(),
            Self::Service => "service".to_owned(),
        }
    }

    /// The account that this actor is bound to.
    pub fn account_id(&self) -> Option<&str> {
        match self {
            Self::Token { account_id, .. } => Some(account_id),
            Self::Personal { person, .. } | Self::Person(person) => Some(&person.account_id),
            Self::Vendor { .. } | Self::Invitee | Self::Service => None,
        }
    }

    /// The person who acts, by a token or on the pages.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Personal { person, .. } | Self::Person(person) => Some(person),
            Self::Token { .. } | Self::Vendor { .. } | Self::Invitee | Self::Service => None,
        }
    }

    /// True for who is here as an agency.
    pub fn is_agency(&self) -> bool {
        self.person().is_some_and(|person| person.as_client)
    }

    /// Who is behind what this actor makes: a token hands on its own maker.
    pub fn maker(&self) -> String {
        match self {
            Self::Token { made_by, .. } => made_by.clone(),
            _ => self.label(At::Account),
        }
    }

    /// True unless this is a person without a role at this scope (CT-03).
    pub fn sees(&self, at: At<'_>) -> bool {
        self.person().is_none_or(|person| person.places_at(at).next().is_some())
    }

    /// What the token may do; none for who is no token of an account.
    pub fn scopes(&self) -> Option<&BTreeSet<Scope>> {
        match self {
            Self::Token { scopes, .. } | Self::Personal { scopes, .. } => Some(scopes),
            Self::Vendor { .. } | Self::Person(_) | Self::Invitee | Self::Service => None,
        }
    }

    /// Refuses whoever lacks the right at this scope.
    pub fn must(&self, right: Right, at: At<'_>, profile: &Profile) -> Result<(), ApiError> {
        let needs = right.needs();
        match self {
            Self::Service => return Ok(()),
            Self::Vendor { .. } if needs.vendor => return Ok(()),
            Self::Vendor { .. } | Self::Invitee => return Err(ApiError::Forbidden),
            Self::Token { .. } if matches!(needs.person, PersonNeeds::Never) => {
                return Err(ApiError::Forbidden);
            }
            Self::Token { .. } | Self::Personal { .. } | Self::Person(_) => (),
        }
        if let Some(scopes) = self.scopes() {
            must_hold(scopes, needs.scope)?;
        }
        match self.person() {
            Some(person) if !person.may(right, at, profile) => Err(ApiError::Forbidden),
            _ => Ok(()),
        }
    }

    /// Refuses whoever lacks the right at every scope of the account.
    pub fn must_somewhere(&self, right: Right, profile: &Profile) -> Result<(), ApiError> {
        let places = self.person().map(|person| person.places.as_slice()).unwrap_or_default();
        let scopes = places.iter().map(|place| At::of(place.team_id.as_deref()));
        let somewhere = scopes.map(|at| self.must(right, at, profile)).find(Result::is_ok);
        somewhere.unwrap_or_else(|| self.must(right, At::Account, profile))
    }

    /// Refuses a role that this actor cannot act on. A token of the account was made by an owner
    /// and reaches as far as the highest role does.
    pub fn must_reach(
        &self,
        verb: Verb,
        at: At<'_>,
        profile: &Profile,
        target: &RoleName,
    ) -> Result<(), ApiError> {
        let map = verb_map(&profile.manage, verb);
        let reached = match self {
            Self::Service => return Ok(()),
            Self::Token { .. } => {
                let highest = profile.roles.first();
                highest.is_some_and(|own| reaches(profile, map, &own.name, target))
            }
            Self::Personal { person, .. } | Self::Person(person) => {
                person.places_at(at).any(|place| reaches(profile, map, &place.role, target))
            }
            Self::Vendor { .. } | Self::Invitee => false,
        };
        if reached { Ok(()) } else { Err(ApiError::BeyondManage) }
    }
}

fn must_hold(scopes: &BTreeSet<Scope>, needed: Option<Scope>) -> Result<(), ApiError> {
    match needed {
        None if scopes.iter().any(|scope| *scope != Scope::Read) => Ok(()),
        None => Err(ApiError::ScopeMissing(Scope::Invite.word())),
        Some(scope) if scopes.contains(&scope) => Ok(()),
        Some(scope) => Err(ApiError::ScopeMissing(scope.word())),
    }
}

fn verb_map(manage: &Manage, verb: Verb) -> &BTreeMap<RoleName, Reach> {
    match verb {
        Verb::Invite => &manage.invite,
        Verb::Change => &manage.change,
        Verb::Remove => &manage.remove,
    }
}
