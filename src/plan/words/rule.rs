//! Rules that hold single actions back.

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
    pub fn reason(self) -> &'static str {
        match self {
            Self::Observing => "Observing",
            Self::InviteOnly => "InviteOnly",
            Self::RemovalBrake => "RemovalHeld",
            Self::EmptySource => "EmptySource",
            Self::LedgerLost => "LedgerLost",
            Self::ReadUntrusted => "ReadUntrusted",
            Self::Settling => "Settling",
            Self::OwnerGuard => "OwnerGuard",
            Self::OwnIdentity => "OwnIdentity",
            Self::NotRemovable => "NotRemovable",
            Self::ProtectedRole => "ProtectedRole",
            Self::MailBudget => "MailBudget",
            Self::MailCap => "MailCap",
            Self::AddressLimit => "AddressRateLimited",
            Self::RenewalSpent => "RenewalSpent",
            Self::NotUnderstood => "NotUnderstood",
            Self::ServiceDisabled => "ServiceDisabled",
            Self::TeamNotThere => "TeamNotThere",
            Self::TeamInactive => "TeamInactive",
            Self::TeamPending => "TeamPending",
            Self::TeamNotFound => "TeamNotFound",
            Self::TeamLost => "TeamLost",
            Self::TeamTaken => "TeamTaken",
            Self::TeamChanging => "TeamChanging",
            Self::MovesFirst => "MovesFirst",
            Self::InvitedElsewhere => "InvitedElsewhere",
            Self::EarlierFirst => "EarlierAddressFirst",
            Self::TwoRows => "TwoAddresses",
            Self::Parted => "EarlierAddressTaken",
            Self::TeamNameTaken => "TeamNameTaken",
            Self::SubscriptionNotFound => "SubscriptionNotFound",
            Self::SeatLimit => "SeatLimitReached",
            Self::NoFreeSeat => "NoFreeSeat",
            Self::NotAgency => "NotAnAgency",
            Self::NotMemberYet => "NotMemberYet",
            Self::OwnerChangeWaits => "OwnerChangeWaits",
            Self::OwnerChangeEnded => "OwnerChangeEnded",
            Self::OwnerChangeFirst => "OwnerChangeFirst",
            Self::OwnerChangesUnread => "OwnerChangesUnread",
            Self::OnlyClientEnds => "OnlyClientEnds",
            Self::NoSuchCategory | Self::UnsafeMail | Self::NoTrimmedState | Self::NoReference => {
                "CapabilityMissing"
            }
            Self::DomainUnproved => "DomainUnproved",
        }
    }

    /// What holds it, and the way out, as a sentence for people.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one sentence for each rule")]
    pub fn message(self) -> &'static str {
        match self {
            Self::Observing => "mode Observe writes nothing; raise spec.mode to let it run",
            Self::InviteOnly => "mode Invite only adds people; raise spec.mode to Manage",
            Self::RemovalBrake => {
                "more removals than spec.removals allows in its window; approve the held set by its \
                 digest, raise the limit, or declare the people again"
            }
            Self::EmptySource => {
                "more than half of the declared people are gone at once, and more than \
                 spec.removals.maxCount: check that no file is missing and declare them again, or, if it \
                 is meant, approve the held set by its digest"
            }
            Self::LedgerLost => {
                "the record of what was sent, and of who said no, is gone; bring the ledger back, or \
                 approve by the digest what would be done without it"
            }
            Self::ReadUntrusted => {
                "people are missing at the account service, and nothing says why; a second complete \
                 look that agrees is believed, or approve by the digest that they are gone"
            }
            Self::Settling => "waits for spec.removals.settle, so that a mass deletion shows whole",
            Self::OwnerGuard => {
                "the account would have too few owners; make somebody else owner first"
            }
            Self::OwnIdentity => "this is the member that our own credential belongs to",
            Self::NotRemovable => {
                "the product lets nobody remove a holder of this role; give the role to somebody \
                 else first"
            }
            Self::ProtectedRole => {
                "the role is protected; name it in spec.grantableRoles of the Account"
            }
            Self::MailBudget => {
                "the invitations of this hour are used up; the rest follows by itself"
            }
            Self::MailCap => {
                "one person gets one automatic invitation a day and three in 90 days; it follows by \
                 itself, or at once with a new value of the annotation seatkeeper.dev/resend, or \
                 apply --resend"
            }
            Self::AddressLimit => {
                "the account service takes no more mails to this address for now; it follows by itself"
            }
            Self::RenewalSpent => {
                "the invitation was not accepted in time, nor were its renewals; send it again by a \
                 new value of the annotation seatkeeper.dev/resend, or apply --resend, or raise \
                 inviteEpoch"
            }
            Self::NotUnderstood => {
                "the account service shows a role or state that this version does not know; nothing \
                 is changed until it does"
            }
            Self::ServiceDisabled => {
                "the service is disabled for want of a paid subscription; pick a plan to go on"
            }
            Self::TeamNotThere => {
                "the team is not at the account service yet; its people follow when it is"
            }
            Self::TeamInactive => {
                "the team is inactive, because its subscription is over: people can only be taken \
                 out; renew the subscription, or link the team to another one"
            }
            Self::TeamPending => {
                "the team has no subscription yet; name one in spec.subscription of the Team"
            }
            Self::TeamNotFound => {
                "the account has no team with the id in spec.teamId; correct the id, or leave it \
                 out to have a team made"
            }
            Self::TeamLost => {
                "the team is gone at the account service, nobody knows why; name another one in \
                 spec.teamId, or declare it anew by a Team of another name"
            }
            Self::TeamTaken => {
                "another Team object has the team with the id in spec.teamId already; delete one of \
                 the two, or correct the id"
            }
            Self::TeamChanging => {
                "the team is being linked to another subscription; its people follow"
            }
            Self::MovesFirst => {
                "this is the person's last place in the account: they come into the other team first"
            }
            Self::InvitedElsewhere => {
                "the person is invited to another team of the account; once they have accepted, they \
                 are added to this one without a mail"
            }
            Self::EarlierFirst => {
                "the invitation to the person's earlier address is withdrawn first; this follows"
            }
            Self::TwoRows => {
                "the account service has this person under two addresses, each with a seat; nothing \
                 is taken away by itself: end one of the two there, or take the old address out of \
                 `formerly` to have its access end"
            }
            Self::Parted => {
                "the account service knew this person by an address that somebody else is declared \
                 by now, so that nothing is sent by itself: where both are one person, list that \
                 address in `formerly` and delete the other declaration; else have the invitation \
                 sent by a new value of the annotation seatkeeper.dev/resend, or apply --resend, or \
                 raise inviteEpoch"
            }
            Self::TeamNameTaken => {
                "the account has a team of this name that nobody declared; put its id into \
                 spec.teamId to adopt it, or give another spec.displayName"
            }
            Self::SubscriptionNotFound => {
                "the account has no running subscription with the id in spec.subscription; correct \
                 the id, or have the subscription renewed"
            }
            Self::SeatLimit => {
                "no seat is free; remove someone, withdraw a pending invitation, or upgrade the plan"
            }
            Self::NoFreeSeat => {
                "the client has no free seat: access is off until it upgrades or removes a member"
            }
            Self::NotAgency => {
                "the account may not ask clients for access; ask the vendor to make it an agency"
            }
            Self::NotMemberYet => {
                "only a member can become an owner; declare a role that an invitation can give, and \
                 this one once the person is a member"
            }
            Self::OwnerChangeWaits => {
                "another change of owner waits for its answers, and there is one at a time; this \
                 follows by itself"
            }
            Self::OwnerChangeEnded => {
                "the change of owner was declined, withdrawn or not answered in time, or the role \
                 was taken away again; ask again by a new value of the annotation \
                 seatkeeper.dev/resend, or apply --resend, or raise inviteEpoch"
            }
            Self::OwnerChangeFirst => {
                "the change of owner is withdrawn first; this follows with the next run"
            }
            Self::OwnerChangesUnread => {
                "the account service did not list its changes of owner; it is asked again"
            }
            Self::OnlyClientEnds => "only the client can end access that it granted",
            Self::UnsafeMail => {
                "the account service neither remembers idempotency keys nor refuses a second \
                 invitation of one person: a mail could go out twice, so none is sent; use a service \
                 that does one of the two"
            }
            Self::NoTrimmedState => {
                "the account service has no state for trimmed members: trimming would remove them; \
                 set spec.onSeatShortage to Hold, or use a service that has"
            }
            Self::NoReference => {
                "the account service keeps no reference of ours: a team that is made could not be \
                 found again; make it there and put its id into spec.teamId"
            }
            Self::NoSuchCategory => {
                "the account service has no such category of mail; use the same version of the profile \
                 on both sides"
            }
            Self::DomainUnproved => {
                "the person is at a domain of spec.autoJoin that is not verified, or the domains could \
                 not be read; nobody there is removed before: publish its TXT record, or take the \
                 domain out"
            }
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
