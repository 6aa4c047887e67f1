//! Reasons of conditions: one closed list, each with what it means and, after the semicolon, what to do
//! next. Part of the API: none is ever renamed.

use std::fmt;

macro_rules! reasons {
    ($($name:ident: $says:literal,)*) => {
        /// Why a condition is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $says] $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The reason of this word.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
            }

            /// What it means, and what to do next, as a sentence for people.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

reasons! {
    Accepted: "the declaration is valid, and what it names exists",
    InvalidSpec:
        "a value is not of the form it must have; correct the field that the message names",
    InvalidAddress: "a text is no e-mail address; correct it",
    UnknownRole:
        "the profile has no such role, or none is given where one is needed; name one of the \
         roles that the message lists",
    RoleNotHere:
        "a role of the whole account is given for a team, or the other way round; name the Team \
         or the Account that goes with the role",
    RoleNotInvitable: "no invitation gives this role; declare one that an invitation can give",
    RoleNotGrantable:
        "the role is protected; name it in spec.grantableRoles of the Account, or declare another",
    UnknownCategory:
        "the profile has no such category of mail; name one of those that the message lists",
    NotFound: "what the declaration names is not there; make it, or correct the name",
    Conflict:
        "another declaration says this already, and the older one counts; delete one of the two",
    DeclaredAbsent:
        "another declaration says that the person must not be there, which counts more; delete \
         one of the two",
    NotAllowedHere:
        "a declaration of this namespace may not say this; move it, or allow the namespace where \
         the message says",
    UnknownProfile:
        "the AccountClass names a profile that there is not; name one that is built in, or a \
         ConfigMap",
    InvalidProfile:
        "the ConfigMap of the profile is not there, or holds no profile; correct it: `seatkeeper \
         profile check` says what is wrong",
    ProfileCannot:
        "the profile cannot do what is asked for; take the field out, or use another profile",
    NotServed: "this version does not do this yet; take the field out",
    ParentNotAccepted:
        "the Account or Team that this belongs to is not accepted; correct that one first",
    Unreadable:
        "an object cannot be read, and what it declares stays as it is; correct the field that \
         the message names",
    SecretNotFound:
        "the Secret of spec.credentialsSecretRef is missing, or has no such key; make it in the \
         namespace of the Account: it is read again by itself",
    InvalidToken:
        "the Secret holds no token that can be sent; put the token into it as one line of text",
    InvalidClass:
        "the account service of the AccountClass cannot be used; check its URL and caBundle",
    NotAMember:
        "a recipient is no member, is not invited, and no Team or Membership declares the person; \
         declare the person there, or take the recipient out",
    RoleNotOpen:
        "a recipient has a role that the category is not open to; change the role, or take the \
         recipient out",
    NotAccepted: "nobody looked, because the declaration is not valid; `Accepted` says why",
    Synced: "the account matches what is declared",
    Pending: "waits for the person to accept",
    AwaitingConfirmation: "waits for the present owner to confirm, by the link in a mail",
    AwaitingAcceptance: "waits for the person to accept, by the link in a mail",
    Active: "is a member",
    Absent: "not there, as declared",
    Requested: "waits for the client to grant access",
    Granted: "the client granted access",
    Withdrawn:
        "the request was withdrawn; only a new value of the annotation seatkeeper.dev/resend, or \
         another ClientAccess, asks again",
    Waiting: "who is not a member yet becomes a recipient by joining",
    Planned: "something is to be done, and follows by itself",
    RoleDiffers: "the account service has another role; it is changed by itself",
    Sending: "a mail is being sent, and its outcome is not known yet; it follows by itself",
    Removing: "no longer declared, or declared absent; the access ends by itself",
    Undeclared: "a recipient is not declared, and the policy is Exact; is taken away by itself",
    Expired: "the invitation was not accepted in time; it is sent again by itself",
    InDoubt:
        "it is not known whether a mail was sent, and too late to ask again safely; ask the \
         person, then send it anew by a new value of the annotation seatkeeper.dev/resend, or \
         apply --resend",
    Failed:
        "the invitation could not be delivered; check the address, then send it again by a new \
         value of the annotation seatkeeper.dev/resend, or apply --resend",
    Lost:
        "the invitation vanished at the account service; invite again by a new value of the \
         annotation seatkeeper.dev/resend, or apply --resend",
    OptedOut: "declined, left or was removed by a person; raise inviteEpoch to invite again",
    Rejected:
        "the client said no, or took the access away; only a new value of the annotation \
         seatkeeper.dev/resend, or another ClientAccess, asks again",
    DomainLapsed:
        "its TXT record is gone, and nobody joins by it; publish the record again, or take the \
         domain out of spec.autoJoin",
    DomainTaken:
        "another account has verified it; have it taken away there, or take it out of \
         spec.autoJoin: it is asked about again once a day",
    Suspended: "spec.suspend is set, and nothing is written; set it to false to go on",
    ClaimedByOther:
        "another installation manages this account; run from there, use its ledger, or take the \
         account over: seatkeeper claim --take",
    Observing: "mode Observe writes nothing; raise spec.mode to let it run",
    InviteOnly: "mode Invite only adds people; raise spec.mode to Manage",
    RemovalHeld:
        "more removals than spec.removals allows in its window; approve the held set by its \
         digest, raise the limit, or declare the people again",
    EmptySource:
        "more than half of the declared people are gone at once, and more than \
         spec.removals.maxCount; check that no file is missing and declare them again, or, if it \
         is meant, approve the held set by its digest",
    LedgerLost:
        "the record of what was sent, and of who said no, is gone; bring the ledger back, or \
         approve by the digest what would be done without it",
    ReadUntrusted:
        "the answer of the account service is not trusted, so that nobody is removed or invited; \
         a later complete look that agrees is believed, or, where the message names a digest, \
         approve it",
    Settling: "waits for spec.removals.settle, so that a mass deletion shows whole",
    OwnerGuard: "the account would have too few owners; make somebody else owner first",
    OwnIdentity:
        "this is the member that our own credential belongs to; use a token of somebody else, or \
         declare the person as they are",
    NotRemovable:
        "the product lets nobody remove a holder of this role; give the role to somebody else \
         first",
    ProtectedRole: "the role is protected; name it in spec.grantableRoles of the Account",
    MailBudget: "the invitations of this hour are used up; the rest follows by itself",
    MailCap:
        "one person gets one automatic invitation a day and three in 90 days; it follows by \
         itself, or at once with a new value of the annotation seatkeeper.dev/resend, or apply \
         --resend",
    AddressRateLimited:
        "the account service takes no more mails to this address for now; it follows by itself",
    RenewalSpent:
        "the invitation was not accepted in time, nor were its renewals; send it again by a new \
         value of the annotation seatkeeper.dev/resend, or apply --resend, or raise inviteEpoch",
    NotUnderstood:
        "the account service shows a role or state that this version does not know, and nothing \
         of it is changed; use a version that knows it, and the same profile on both sides",
    ServiceDisabled:
        "the service is disabled for want of a paid subscription; pick a plan to go on",
    TeamNotThere: "the team is not at the account service yet; its people follow when it is",
    TeamInactive:
        "the team is inactive, because its subscription is over: people can only be taken out; \
         renew the subscription, or link the team to another one",
    TeamPending: "the team has no subscription yet; name one in spec.subscription of the Team",
    TeamNotFound:
        "the account has no team with the id in spec.teamId; correct the id, or leave it out to \
         have a team made",
    TeamLost:
        "the team is gone at the account service, nobody knows why; name another one in \
         spec.teamId, or declare it anew by a Team of another name",
    TeamTaken:
        "another Team object has the team with the id in spec.teamId already; delete one of the \
         two, or correct the id",
    TeamChanging: "the team is being linked to another subscription; its people follow",
    MovesFirst:
        "this is the person's last place in the account: they come into the other team first",
    InvitedElsewhere:
        "the person is invited to another team of the account; once they have accepted, they are \
         added to this one without a mail",
    EarlierAddressFirst:
        "the invitation to the person's earlier address is withdrawn first; this follows",
    TwoAddresses:
        "the account service has this person under two addresses, each with a seat; nothing is \
         taken away by itself: end one of the two there, or take the old address out of \
         `formerly` to have its access end",
    EarlierAddressTaken:
        "the account service knew this person by an address that somebody else is declared by \
         now, so that nothing is sent by itself: where both are one person, list that address in \
         `formerly` and delete the other declaration; else have the invitation sent by a new \
         value of the annotation seatkeeper.dev/resend, or apply --resend, or raise inviteEpoch",
    TeamNameTaken:
        "the account has a team of this name that nobody declared; put its id into spec.teamId to \
         adopt it, or give another spec.displayName",
    SubscriptionNotFound:
        "the account has no running subscription with the id in spec.subscription; correct the \
         id, or have the subscription renewed",
    SeatLimitReached:
        "no seat is free; remove someone, withdraw a pending invitation, or upgrade the plan",
    NoFreeSeat: "the client has no free seat, and access is off; have it upgrade, or remove a member",
    NotAnAgency: "the account may not ask clients for access; ask the vendor to make it an agency",
    NotMemberYet:
        "only a member can become an owner; declare a role that an invitation can give, and this \
         one once the person is a member",
    OwnerChangeWaits:
        "another change of owner waits for its answers, and there is one at a time; this follows \
         by itself",
    OwnerChangeEnded:
        "the change of owner was declined, withdrawn or not answered in time, or the role was \
         taken away again; ask again by a new value of the annotation seatkeeper.dev/resend, or \
         apply --resend, or raise inviteEpoch",
    OwnerChangeFirst: "the change of owner is withdrawn first; this follows with the next run",
    OwnerChangesUnread: "the account service did not list its changes of owner; it is asked again",
    OnlyClientEnds: "only the client can end access that it granted; ask the client",
    CapabilityMissing:
        "the account service lacks what this needs; the message says what, and how to do without",
    DomainUnproved:
        "the person is at a domain of spec.autoJoin that is not verified, or the domains could \
         not be read; nobody there is removed before: publish its TXT record, or take the domain \
         out",
    Unreachable:
        "the account service could not be reached; check that it runs and that the class names \
         its URL: it is tried again by itself",
    BackendRateLimited:
        "the account service asked for fewer requests; it is tried again after the time that it \
         asked for",
    BackendFailed: "the account service failed; it is tried again by itself",
    CredentialsRefused:
        "the account service refused the token; put one that is still good into the Secret",
    Forbidden: "the token may not do this; use one with the scopes that this needs",
    NoSuchAccount:
        "the account service has no such account; check spec.accountId, and that the token is of \
         that account",
    ChangedMeanwhile: "the account changed since the last look; it is looked at again by itself",
    BackendRejected:
        "the account service said no; the code in the message says to what: correct the \
         declaration, or settle it there",
    MalformedAnswer:
        "the answer of the account service cannot be used; check that the URL of the class is \
         that of an account service: it is tried again by itself",
    ProfileMismatch:
        "the account service keeps other rules than the profile; use the same version of the \
         profile on both sides",
    LedgerConflict: "another run works on the ledger of the account; it is tried again by itself",
    LedgerNewer: "the ledger was written by a newer version; use that version",
    LedgerOfOtherAccount:
        "the ledger is that of another account; set spec.accountId back, or declare the other \
         account by an Account of another name",
    LedgerTooLarge:
        "the ledger is larger than the cluster keeps; split the account's people, and report it",
    LedgerUnreadable: "the ledger could not be read; it is tried again by itself",
    LedgerUnwritable:
        "the ledger could not be written, so that nothing was sent; it is tried again by itself",
    PlanBroken:
        "a plan would have broken a rule, and nothing of it ran; this is a defect: please report \
         it",
    ClusterUnreachable: "the cluster did not answer, or said no; it is tried again by itself",
    Superseded:
        "the Account was deleted or made anew while it was looked at; it is looked at again by \
         itself",
    TimedOut: "the reconcile took too long; it goes on by itself from where it was",
    Panicked:
        "the reconcile hit a defect of this program; it is tried again by itself: please report \
         it",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
