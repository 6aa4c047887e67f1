//! Where each reason may stand: the kinds, the condition, its status, and whether a person must act.

use crate::controller::status::conditions::Truth;
use crate::domain::reason::Reason;

/// Kinds with conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Account`
    Account,
    /// `Team`
    Team,
    /// `Membership`
    Membership,
    /// `ClientAccess`
    ClientAccess,
    /// `NotificationSubscription`
    NotificationSubscription,
}

use Kind::{Account, ClientAccess, Membership, NotificationSubscription, Team};

impl Kind {
    /// As manifests name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Team => "Team",
            Self::Membership => "Membership",
            Self::ClientAccess => "ClientAccess",
            Self::NotificationSubscription => "NotificationSubscription",
        }
    }
}

/// Whether `Stalled` stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalls {
    /// Never: it goes on by itself.
    Never,
    /// Where trying again does not help.
    Maybe,
    /// Always: a person must act.
    Always,
}

/// Where a reason may stand.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// At which kinds.
    pub kinds: &'static [Kind],
    /// At which condition.
    pub condition: &'static str,
    /// With which status.
    pub truth: Truth,
    /// Whether a person must act.
    pub stalls: Stalls,
}

const EVERY: &[Kind] = &[Account, Team, Membership, ClientAccess, NotificationSubscription];
const BELOW: &[Kind] = &[Team, Membership, ClientAccess, NotificationSubscription];
const ROLES: &[Kind] = &[Account, Team, Membership, ClientAccess];
const PEOPLE: &[Kind] = &[Account, Membership];
const ROSTERS: &[Kind] = &[Account, Team, Membership];
const CLIENTS: &[Kind] = &[Account, ClientAccess];
const MAILED: &[Kind] = &[Account, Membership, ClientAccess];
const ONLY_ACCOUNT: &[Kind] = &[Account];
const ONLY_TEAM: &[Kind] = &[Team];
const ONLY_MEMBERSHIP: &[Kind] = &[Membership];
const ONLY_CLIENT: &[Kind] = &[ClientAccess];
const ONLY_RECIPIENTS: &[Kind] = &[NotificationSubscription];

const fn accepted(kinds: &'static [Kind]) -> Place {
    Place { kinds, condition: "Accepted", truth: Truth::False, stalls: Stalls::Always }
}

const fn done(kinds: &'static [Kind]) -> Place {
    Place { kinds, condition: "Synced", truth: Truth::True, stalls: Stalls::Never }
}

const fn wrong(kinds: &'static [Kind], stalls: Stalls) -> Place {
    Place { kinds, condition: "Synced", truth: Truth::False, stalls }
}

const fn unknown(kinds: &'static [Kind], stalls: Stalls) -> Place {
    Place { kinds, condition: "Synced", truth: Truth::Unknown, stalls }
}

/// What hinders a look at the account: the others know nothing then.
const fn failed(stalls: Stalls) -> [Place; 2] {
    [wrong(ONLY_ACCOUNT, stalls), unknown(BELOW, Stalls::Never)]
}

/// What the service answers to a look, or to a single change.
const fn answered(stalls: Stalls) -> [Place; 2] {
    [wrong(EVERY, stalls), unknown(BELOW, stalls)]
}

const NEVER: Stalls = Stalls::Never;
const MAYBE: Stalls = Stalls::Maybe;
const ALWAYS: Stalls = Stalls::Always;

/// Where a reason may stand. `Ready` repeats what is not `True`, `Stalled` what waits for a person.
#[expect(clippy::too_many_lines, reason = "one table")]
pub fn places(reason: Reason) -> Vec<Place> {
    match reason {
        Reason::Accepted => vec![Place { truth: Truth::True, stalls: NEVER, ..accepted(EVERY) }],
        Reason::InvalidSpec | Reason::NotFound | Reason::Conflict | Reason::NotAllowedHere => {
            vec![accepted(EVERY)]
        }
        Reason::InvalidAddress | Reason::UnknownRole => vec![accepted(ROLES)],
        Reason::RoleNotHere | Reason::RoleNotGrantable | Reason::DeclaredAbsent => {
            vec![accepted(ONLY_MEMBERSHIP)]
        }
        Reason::RoleNotInvitable => vec![accepted(&[Membership, ClientAccess])],
        Reason::UnknownCategory | Reason::NotAMember | Reason::RoleNotOpen => {
            vec![accepted(ONLY_RECIPIENTS)]
        }
        Reason::UnknownProfile | Reason::InvalidProfile | Reason::NotServed => {
            vec![accepted(ONLY_ACCOUNT)]
        }
        Reason::ProfileCannot => vec![accepted(EVERY)],
        Reason::ParentNotAccepted => vec![accepted(BELOW)],
        Reason::Unreadable => [&[accepted(EVERY)][..], &failed(ALWAYS)].concat(),
        Reason::SecretNotFound | Reason::InvalidToken | Reason::InvalidClass => {
            vec![accepted(ONLY_ACCOUNT), unknown(BELOW, NEVER)]
        }
        Reason::NotAccepted => vec![unknown(EVERY, NEVER)],

        Reason::Synced => vec![done(&[Account, Team, NotificationSubscription])],
        Reason::Observing => vec![done(EVERY)],
        Reason::Pending
        | Reason::AwaitingConfirmation
        | Reason::AwaitingAcceptance
        | Reason::Active
        | Reason::Absent => vec![done(ONLY_MEMBERSHIP)],
        Reason::Requested | Reason::Granted | Reason::Withdrawn => vec![done(ONLY_CLIENT)],
        Reason::Waiting => vec![done(ONLY_RECIPIENTS)],

        Reason::Planned => {
            vec![wrong(&[Account, Membership, ClientAccess, NotificationSubscription], NEVER)]
        }
        Reason::RoleDiffers | Reason::Expired => vec![wrong(ONLY_MEMBERSHIP, NEVER)],
        Reason::Undeclared => vec![wrong(ONLY_RECIPIENTS, NEVER)],
        Reason::Removing => vec![wrong(BELOW, NEVER)],
        Reason::Sending => vec![unknown(&[Membership, ClientAccess], NEVER)],
        Reason::InDoubt => vec![unknown(&[Membership, ClientAccess], ALWAYS)],
        Reason::Failed | Reason::Lost | Reason::OptedOut => vec![wrong(ONLY_MEMBERSHIP, ALWAYS)],
        Reason::Rejected => vec![wrong(ONLY_CLIENT, ALWAYS)],
        Reason::DomainLapsed | Reason::DomainTaken => vec![wrong(ONLY_ACCOUNT, ALWAYS)],

        Reason::Suspended | Reason::ClaimedByOther | Reason::LedgerLost => failed(ALWAYS).into(),
        Reason::ReadUntrusted => failed(NEVER).into(),

        Reason::InviteOnly
        | Reason::NotUnderstood
        | Reason::ServiceDisabled
        | Reason::CapabilityMissing => vec![wrong(EVERY, ALWAYS)],
        Reason::RemovalHeld | Reason::EmptySource => vec![wrong(ROLES, ALWAYS)],
        Reason::Settling => vec![wrong(ROLES, NEVER)],
        Reason::ProtectedRole | Reason::SeatLimitReached | Reason::DomainUnproved => {
            vec![wrong(ROSTERS, ALWAYS)]
        }
        Reason::TeamInactive | Reason::TeamPending => vec![wrong(ROSTERS, ALWAYS)],
        Reason::TeamNotThere | Reason::TeamChanging | Reason::MovesFirst => {
            vec![wrong(ROSTERS, NEVER)]
        }
        Reason::TeamNotFound
        | Reason::TeamLost
        | Reason::TeamTaken
        | Reason::TeamNameTaken
        | Reason::SubscriptionNotFound => vec![wrong(ONLY_TEAM, ALWAYS)],
        Reason::OwnerGuard
        | Reason::OwnIdentity
        | Reason::NotRemovable
        | Reason::RenewalSpent
        | Reason::NotMemberYet
        | Reason::TwoAddresses
        | Reason::EarlierAddressTaken
        | Reason::OwnerChangeEnded => vec![wrong(PEOPLE, ALWAYS)],
        Reason::InvitedElsewhere
        | Reason::EarlierAddressFirst
        | Reason::OwnerChangeWaits
        | Reason::OwnerChangeFirst
        | Reason::OwnerChangesUnread => vec![wrong(PEOPLE, NEVER)],
        Reason::MailBudget | Reason::MailCap => vec![wrong(MAILED, NEVER)],
        Reason::NoFreeSeat | Reason::NotAnAgency => vec![wrong(CLIENTS, ALWAYS)],
        Reason::OnlyClientEnds => vec![wrong(CLIENTS, NEVER)],

        Reason::AddressRateLimited
        | Reason::Unreachable
        | Reason::BackendRateLimited
        | Reason::BackendFailed
        | Reason::ChangedMeanwhile
        | Reason::MalformedAnswer => answered(NEVER).into(),
        Reason::CredentialsRefused | Reason::Forbidden | Reason::NoSuchAccount => {
            answered(ALWAYS).into()
        }
        Reason::BackendRejected => answered(MAYBE).into(),
        Reason::LedgerConflict | Reason::LedgerUnreadable | Reason::LedgerUnwritable => {
            failed(NEVER).into()
        }
        Reason::LedgerNewer | Reason::LedgerOfOtherAccount | Reason::LedgerTooLarge => {
            failed(ALWAYS).into()
        }
        Reason::ProfileMismatch | Reason::PlanBroken => failed(ALWAYS).into(),
        Reason::ClusterUnreachable | Reason::TimedOut | Reason::Panicked => failed(NEVER).into(),
        Reason::Superseded => vec![unknown(BELOW, NEVER)],
    }
}
