//! Rules that hold single actions back.

use crate::domain::reason::Reason;

/// Rules that hold single actions back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Mode `Observe` writes nothing.
    Observing,
    /// Mode `Invite` adds only.
    InviteOnly,
    /// More removals than the brake allows (OP-07).
    RemovalBrake,
    /// More than half of the declared people are gone at once (OP-07).
    EmptySource,
    /// The ledger that goes with the claim on the account is gone.
    LedgerLost,
    /// People are missing at the service, and nothing says why (OP-07).
    ReadUntrusted,
    /// A removal waits for its settling time.
    Settling,
    /// The last owner stays (OP-05).
    OwnerGuard,
    /// Our own identity stays.
    OwnIdentity,
    /// The product lets nobody remove a holder of this role.
    NotRemovable,
    /// The role is protected, and `grantableRoles` does not name it.
    ProtectedRole,
    /// The mails of this hour are used up.
    MailBudget,
    /// One person had as many automatic invitation mails as one person gets.
    MailCap,
    /// The service takes no more mails to the address for a while.
    AddressLimit,
    /// The invitation expired, and all its renewals did too.
    RenewalSpent,
    /// The service carries a role or a state that we do not know.
    NotUnderstood,
    /// The service is disabled: only removals and revocations work (NP-15).
    ServiceDisabled,
    /// The team is not at the service yet.
    TeamNotThere,
    /// The team's subscription is over: people can only be taken out (CT-13).
    TeamInactive,
    /// The setup of the team is not complete (CT-03).
    TeamPending,
    /// The declaration names a team that the account does not have.
    TeamNotFound,
    /// The team that was there is gone.
    TeamLost,
    /// Another declaration has the team already.
    TeamTaken,
    /// The team is being linked to another subscription.
    TeamChanging,
    /// The person comes into another team first, then leaves this one.
    MovesFirst,
    /// The person is invited to another team of the account.
    InvitedElsewhere,
    /// The invitation to an earlier address of the person is withdrawn first.
    EarlierFirst,
    /// The service has two rows of one person, under two addresses.
    TwoRows,
    /// Somebody else has the address by which the service knew the person.
    Parted,
    /// The account has another team of this name.
    TeamNameTaken,
    /// The account has no such subscription that runs.
    SubscriptionNotFound,
    /// No seat is free (OP-03).
    SeatLimit,
    /// The client lacks a seat for its agency (NC-04).
    NoFreeSeat,
    /// The account may not ask clients for access (NC-01).
    NotAgency,
    /// A change of owner needs somebody who is a member (DO-09).
    NotMemberYet,
    /// Another change of owner waits: there is one at a time.
    OwnerChangeWaits,
    /// The change of owner was declined, withdrawn, or not answered in time.
    OwnerChangeEnded,
    /// A change of owner of the person is withdrawn before.
    OwnerChangeFirst,
    /// The service did not list its changes of owner.
    OwnerChangesUnread,
    /// Only the client ends what it granted (NC-10).
    OnlyClientEnds,
    /// The account service has no such category of mail.
    NoSuchCategory,
    /// The service neither remembers idempotency keys nor refuses a second invitation.
    UnsafeMail,
    /// The service knows nobody who is trimmed.
    NoTrimmedState,
    /// What is made at the service carries no reference of ours.
    NoReference,
    /// The person is at a domain of `autoJoin` of which nobody knows that it is still verified.
    DomainUnproved,
}

impl Rule {
    /// Reason of a condition, label of a metric, word of JSON output; never renamed.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Observing => Reason::Observing,
            Self::InviteOnly => Reason::InviteOnly,
            Self::RemovalBrake => Reason::RemovalHeld,
            Self::EmptySource => Reason::EmptySource,
            Self::LedgerLost => Reason::LedgerLost,
            Self::ReadUntrusted => Reason::ReadUntrusted,
            Self::Settling => Reason::Settling,
            Self::OwnerGuard => Reason::OwnerGuard,
            Self::OwnIdentity => Reason::OwnIdentity,
            Self::NotRemovable => Reason::NotRemovable,
            Self::ProtectedRole => Reason::ProtectedRole,
            Self::MailBudget => Reason::MailBudget,
            Self::MailCap => Reason::MailCap,
            Self::AddressLimit => Reason::AddressRateLimited,
            Self::RenewalSpent => Reason::RenewalSpent,
            Self::NotUnderstood => Reason::NotUnderstood,
            Self::ServiceDisabled => Reason::ServiceDisabled,
            Self::TeamNotThere => Reason::TeamNotThere,
            Self::TeamInactive => Reason::TeamInactive,
            Self::TeamPending => Reason::TeamPending,
            Self::TeamNotFound => Reason::TeamNotFound,
            Self::TeamLost => Reason::TeamLost,
            Self::TeamTaken => Reason::TeamTaken,
            Self::TeamChanging => Reason::TeamChanging,
            Self::MovesFirst => Reason::MovesFirst,
            Self::InvitedElsewhere => Reason::InvitedElsewhere,
            Self::EarlierFirst => Reason::EarlierAddressFirst,
            Self::TwoRows => Reason::TwoAddresses,
            Self::Parted => Reason::EarlierAddressTaken,
            Self::TeamNameTaken => Reason::TeamNameTaken,
            Self::SubscriptionNotFound => Reason::SubscriptionNotFound,
            Self::SeatLimit => Reason::SeatLimitReached,
            Self::NoFreeSeat => Reason::NoFreeSeat,
            Self::NotAgency => Reason::NotAnAgency,
            Self::NotMemberYet => Reason::NotMemberYet,
            Self::OwnerChangeWaits => Reason::OwnerChangeWaits,
            Self::OwnerChangeEnded => Reason::OwnerChangeEnded,
            Self::OwnerChangeFirst => Reason::OwnerChangeFirst,
            Self::OwnerChangesUnread => Reason::OwnerChangesUnread,
            Self::OnlyClientEnds => Reason::OnlyClientEnds,
            Self::NoSuchCategory | Self::UnsafeMail | Self::NoTrimmedState | Self::NoReference => {
                Reason::CapabilityMissing
            }
            Self::DomainUnproved => Reason::DomainUnproved,
        }
    }

    /// What holds it, and the way out, as a sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::ReadUntrusted => {
                "people are missing at the account service, and nothing says why; a second complete \
                 look that agrees is believed, or approve by the digest that they are gone"
            }
            Self::UnsafeMail => {
                "the account service neither remembers idempotency keys nor refuses a second \
                 invitation of one person: a mail could go out twice, so none is sent; use a \
                 service that does one of the two"
            }
            Self::NoTrimmedState => {
                "the account service has no state for trimmed members: trimming would remove \
                 them; set spec.onSeatShortage to Hold, or use a service that has"
            }
            Self::NoReference => {
                "the account service keeps no reference of ours: a team that is made could not be \
                 found again; make it there and put its id into spec.teamId"
            }
            Self::NoSuchCategory => {
                "the account service has no such category of mail; use the same version of the \
                 profile on both sides"
            }
            other => other.reason().says(),
        }
    }

    /// True if nothing goes on until a person acts.
    #[must_use]
    pub fn needs_person(self) -> bool {
        match self {
            Self::InviteOnly
            | Self::RemovalBrake
            | Self::EmptySource
            | Self::LedgerLost
            | Self::ReadUntrusted
            | Self::OwnerGuard
            | Self::OwnIdentity
            | Self::NotRemovable
            | Self::ProtectedRole
            | Self::RenewalSpent
            | Self::NotUnderstood
            | Self::ServiceDisabled
            | Self::TeamInactive
            | Self::TeamPending
            | Self::TeamNotFound
            | Self::TeamLost
            | Self::TeamTaken
            | Self::TeamNameTaken
            | Self::SubscriptionNotFound
            | Self::SeatLimit
            | Self::NoFreeSeat
            | Self::NotAgency
            | Self::NotMemberYet
            | Self::TwoRows
            | Self::Parted
            | Self::OwnerChangeEnded
            | Self::NoSuchCategory
            | Self::UnsafeMail
            | Self::NoTrimmedState
            | Self::NoReference
            | Self::DomainUnproved => true,
            Self::Observing
            | Self::Settling
            | Self::MailBudget
            | Self::MailCap
            | Self::TeamNotThere
            | Self::TeamChanging
            | Self::MovesFirst
            | Self::InvitedElsewhere
            | Self::EarlierFirst
            | Self::AddressLimit
            | Self::OwnerChangeWaits
            | Self::OwnerChangeFirst
            | Self::OwnerChangesUnread
            | Self::OnlyClientEnds => false,
        }
    }
}
