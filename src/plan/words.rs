//! The closed words of a plan: rules, stops and states. Each goes into conditions, metrics and JSON
//! output, so none is ever renamed.

use std::fmt;

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
            Self::NoSuchCategory => "CapabilityMissing",
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
            Self::NoSuchCategory => {
                "the account service has no such category of mail; use the same version of the profile \
                 on both sides"
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
            | Self::OwnerChangeEnded
            | Self::NoSuchCategory => true,
            Self::Observing
            | Self::Settling
            | Self::MailBudget
            | Self::MailCap
            | Self::TeamNotThere
            | Self::TeamChanging
            | Self::MovesFirst
            | Self::InvitedElsewhere
            | Self::AddressLimit
            | Self::OwnerChangeWaits
            | Self::OwnerChangeFirst
            | Self::OwnerChangesUnread
            | Self::OnlyClientEnds => false,
        }
    }
}

/// Why nothing at all may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `spec.suspend` is set.
    Suspended,
    /// Another installation manages the account.
    ClaimedByOther,
    /// The account carries a claim from here, and the ledger that knows of it is gone.
    LedgerLost,
    /// The read may not be used to conclude absence.
    ReadUntrusted(Distrust),
}

impl Stop {
    /// Reason of a condition, word of JSON output; never renamed.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Suspended => "Suspended",
            Self::ClaimedByOther => "ClaimedByOther",
            Self::LedgerLost => "LedgerLost",
            Self::ReadUntrusted(_) => "ReadUntrusted",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended => f.write_str("spec.suspend is set; nothing is written"),
            Self::ClaimedByOther => f.write_str(
                "another installation manages this account; run from there, use its ledger, or take the \
                 account over: seatkeeper claim --take",
            ),
            Self::LedgerLost => f.write_str(
                "the account is claimed from here, and the ledger that goes with the claim is gone: \
                 nothing is written until it is back, or a person approves what would be done without \
                 it; who said no, or was mailed, is not known any more",
            ),
            Self::ReadUntrusted(distrust) => write!(
                f,
                "the answer of the account service is not trusted: {distrust}; nothing is removed \
                 and nobody invited until a complete read agrees"
            ),
        }
    }
}

/// Why a read is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The service answered for another account than the pinned one.
    OtherAccount,
    /// Rows, `total` and seat counts do not agree.
    CountsDiffer {
        /// Which count.
        what: &'static str,
        /// As the rows have it.
        rows: u64,
        /// As the service says.
        said: u64,
    },
    /// Rows came twice.
    Duplicates(u64),
    /// Fewer people than the brake allows to be missing; a second read that agrees is believed.
    Shrunk {
        /// People at the last trusted read.
        before: u64,
        /// People now.
        now: u64,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherAccount => f.write_str("the service answered for another account"),
            Self::CountsDiffer { what, rows, said } => {
                write!(f, "the service lists {rows} {what} and says that there are {said}")
            }
            Self::Duplicates(n) => write!(f, "{n} rows came twice"),
            Self::Shrunk { before, now } => {
                write!(f, "{before} people at the last trusted look, {now} now")
            }
        }
    }
}

/// State of one person: the words of `status.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not there yet.
    Planned,
    /// Waits for a seat.
    Queued,
    /// Being sent, or the outcome is unknown and it is still safe to repeat.
    Sending,
    /// The outcome is unknown and it is no longer safe to repeat.
    InDoubt,
    /// Waits for the person.
    Pending,
    /// Becoming an owner: waits for the present one.
    AwaitingConfirmation,
    /// Becoming an owner: waits for the person.
    AwaitingAcceptance,
    /// A member.
    Active,
    /// Still there, and no longer declared or declared absent.
    Removing,
    /// The invitation was not accepted in time.
    Expired,
    /// The invitation could not be delivered.
    Failed,
    /// The invitation vanished for a cause that we do not know.
    Lost,
    /// Declined, left or removed by a person.
    OptedOut,
    /// Access is off for want of a seat.
    Trimmed,
    /// Not there, as declared.
    Absent,
}

impl State {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::Queued => "Queued",
            Self::Sending => "Sending",
            Self::InDoubt => "InDoubt",
            Self::Pending => "Pending",
            Self::AwaitingConfirmation => "AwaitingConfirmation",
            Self::AwaitingAcceptance => "AwaitingAcceptance",
            Self::Active => "Active",
            Self::Removing => "Removing",
            Self::Expired => "Expired",
            Self::Failed => "Failed",
            Self::Lost => "Lost",
            Self::OptedOut => "OptedOut",
            Self::Trimmed => "Trimmed",
            Self::Absent => "Absent",
        }
    }

    /// True if nothing goes on for this person until somebody acts.
    #[must_use]
    pub fn needs_person(self) -> bool {
        match self {
            Self::Queued
            | Self::InDoubt
            | Self::Failed
            | Self::Lost
            | Self::OptedOut
            | Self::Trimmed => true,
            Self::Planned
            | Self::Sending
            | Self::Pending
            | Self::AwaitingConfirmation
            | Self::AwaitingAcceptance
            | Self::Active
            | Self::Removing
            | Self::Expired
            | Self::Absent => false,
        }
    }

    /// What the state means and the way out, as a sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Planned => "not there yet",
            Self::Queued => Rule::SeatLimit.message(),
            Self::Sending => "the invitation is being sent; its outcome is not known yet",
            Self::InDoubt => {
                "it is not known whether the invitation was sent, and too late to ask again safely; \
                 ask the person, then send it anew by a new value of the annotation seatkeeper.dev/resend, \
                 or apply --resend"
            }
            Self::Pending => "waits for the person to accept",
            Self::AwaitingConfirmation => {
                "waits for the present owner to confirm, by the link in a mail"
            }
            Self::AwaitingAcceptance => "waits for the person to accept, by the link in a mail",
            Self::Active => "is a member",
            Self::Removing => "no longer declared, or declared absent; access ends",
            Self::Absent => "not there, as declared",
            Self::Expired => "the invitation was not accepted in time; it is sent again by itself",
            Self::Failed => {
                "the invitation could not be delivered; check the address, then send it again by a \
                 new value of the annotation seatkeeper.dev/resend, or apply --resend"
            }
            Self::Lost => {
                "the invitation vanished at the account service; invite again by a new value of the \
                 annotation seatkeeper.dev/resend, or apply --resend"
            }
            Self::OptedOut => {
                "declined, left or was removed by a person; raise inviteEpoch to invite again"
            }
            Self::Trimmed => {
                "access is off for want of a seat; comes back by itself, in order, when seats return"
            }
        }
    }
}
