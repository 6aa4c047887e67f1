//! One change at the account service: a closed set with one total order and one text form.

use std::cmp::Reverse;
use std::fmt;

use jiff::Timestamp;

use crate::domain::identity::MemberKey;
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{ETag, InvitationId, MemberId, OwnershipChangeId, RequestKey, RoleName};
use crate::domain::ledger_view::Cause;
use crate::domain::particulars::Particulars;

/// One change at the account service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Withdraws an invitation that is not accepted.
    RevokeInvitation {
        /// The person.
        person: MemberKey,
        /// The invitation.
        invitation: InvitationRow,
        /// Why.
        cause: EndCause,
    },
    /// Turns a member's access off for want of a seat; row, join date and notes stay (X18).
    Trim {
        /// The person.
        person: MemberKey,
        /// The member.
        member: MemberRow,
    },
    /// Ends a membership.
    Remove {
        /// The person.
        person: MemberKey,
        /// The member.
        member: MemberRow,
        /// Why.
        cause: EndCause,
    },
    /// Changes a member's role; seat and join date stay (NP-07).
    ChangeRole {
        /// The person.
        person: MemberKey,
        /// The member.
        member: MemberRow,
        /// Role at the last look.
        from: RoleName,
        /// Role from now on.
        to: RoleName,
        /// Whether the new role ranks below the old one.
        direction: Direction,
    },
    /// Withdraws a change of owner that waits and is no longer declared.
    CancelOwnerChange {
        /// The person who was to become an owner.
        person: MemberKey,
        /// The change.
        change: OwnerChangeRow,
    },
    /// Changes the role of a pending invitation in place; no mail (X15).
    ChangeInvitedRole {
        /// The person.
        person: MemberKey,
        /// The invitation.
        invitation: InvitationRow,
        /// Role at the last look.
        from: RoleName,
        /// Role from now on.
        to: RoleName,
    },
    /// Gives a trimmed member access again, without an invitation (X18).
    Reinstate {
        /// The person.
        person: MemberKey,
        /// The member.
        member: MemberRow,
    },
    /// Asks the present owner to make a member an owner: one mail (DO-09).
    ChangeOwner {
        /// The person who is to become an owner.
        person: MemberKey,
        /// A place of the person, by which the service knows them.
        member: MemberId,
        /// The role.
        role: RoleName,
        /// What the mail is sent for.
        cause: Cause,
        /// Key of an earlier call whose outcome is unknown, as in [`Action::Invite`].
        key: Option<RequestKey>,
    },
    /// Sends an invitation that is there again: one mail. The date added stays; an expired one takes
    /// its seat again.
    Resend {
        /// The person.
        person: MemberKey,
        /// The invitation.
        invitation: InvitationRow,
        /// Its role.
        role: RoleName,
        /// What the mail is sent for.
        cause: Cause,
        /// Key of an earlier call whose outcome is unknown, as in [`Action::Invite`].
        key: Option<RequestKey>,
    },
    /// Gives a person who is in the account a further place at once, without an invitation (CT-05).
    Add {
        /// The person, and the team.
        person: MemberKey,
        /// Role of the place.
        role: RoleName,
        /// Name of the person.
        particulars: Particulars,
        /// What it is done for: it opens an epoch as a mail does.
        cause: Cause,
    },
    /// Approves the open join request of a person, who is a member at once, with the role of joining
    /// (X6). No invitation, and no mail to the person.
    Approve {
        /// The person.
        person: MemberKey,
        /// The request.
        request: ObservedJoinRequest,
        /// Role that is declared; a higher one follows by a change of role.
        role: RoleName,
        /// What it is done for: it opens an epoch as a mail does.
        cause: Cause,
    },
    /// Sends an invitation: one mail.
    Invite {
        /// The person.
        person: MemberKey,
        /// Role that acceptance gives.
        role: RoleName,
        /// What it says besides.
        particulars: Particulars,
        /// What the mail is sent for.
        cause: Cause,
        /// Key of an earlier call whose outcome is unknown, repeated as it is (OP-02); `None`: a
        /// new key is drawn and stored before the call.
        key: Option<RequestKey>,
    },
}

/// A member as last seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberRow {
    /// Id.
    pub id: MemberId,
    /// Version, sent as `If-Match`.
    pub etag: ETag,
    /// Decides the order of trims and reinstatements (X16).
    pub added_at: Timestamp,
}

/// A change of owner as last seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerChangeRow {
    /// Id.
    pub id: OwnershipChangeId,
    /// Version, sent as `If-Match`.
    pub etag: ETag,
}

/// An invitation as last seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvitationRow {
    /// Id.
    pub id: InvitationId,
    /// Version, sent as `If-Match`.
    pub etag: ETag,
    /// Decides the order of withdrawals for want of a seat.
    pub created_at: Timestamp,
    /// Mails of it so far: one more says that a resend took effect.
    pub sent: u32,
}

/// Why access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndCause {
    /// The declaration is gone (OP-08).
    NotDeclared,
    /// Nobody ever declared the person, and the mode is `Exclusive` (OP-06).
    NotOurs,
    /// A declaration says that the person must not be there.
    Absent,
    /// The declaration has ended.
    Ended,
    /// The person is declared by another address now.
    Renamed,
    /// The seats are fewer than the people (OP-04).
    SeatShortage,
}

/// Whether a change of role gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The new role ranks higher.
    Raise,
    /// The new role ranks lower: bounded by the removal brake.
    Lower,
}

/// Place in the order of a run: what frees a seat goes before what takes one (OP-03). Between [`Phase::RevokeInvitation`] and [`Phase::ChangeRole`] nothing takes a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// [`Action::RevokeInvitation`]
    RevokeInvitation,
    /// [`Action::Trim`]
    Trim,
    /// [`Action::Remove`]
    Remove,
    /// [`Action::ChangeRole`]
    ChangeRole,
    /// [`Action::CancelOwnerChange`]
    CancelOwnerChange,
    /// [`Action::ChangeInvitedRole`]
    ChangeInvitedRole,
    /// [`Action::Reinstate`]
    Reinstate,
    /// [`Action::ChangeOwner`]
    ChangeOwner,
    /// [`Action::Resend`]
    Resend,
    /// [`Action::Add`]
    Add,
    /// [`Action::Approve`]
    Approve,
    /// [`Action::Invite`]
    Invite,
}

impl Action {
    /// The person that it is about.
    #[must_use]
    pub fn person(&self) -> &MemberKey {
        match self {
            Self::RevokeInvitation { person, .. }
            | Self::Trim { person, .. }
            | Self::Remove { person, .. }
            | Self::ChangeRole { person, .. }
            | Self::CancelOwnerChange { person, .. }
            | Self::ChangeInvitedRole { person, .. }
            | Self::Reinstate { person, .. }
            | Self::ChangeOwner { person, .. }
            | Self::Resend { person, .. }
            | Self::Add { person, .. }
            | Self::Approve { person, .. }
            | Self::Invite { person, .. } => person,
        }
    }

    /// Place in the order of a run.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            Self::RevokeInvitation { .. } => Phase::RevokeInvitation,
            Self::Trim { .. } => Phase::Trim,
            Self::Remove { .. } => Phase::Remove,
            Self::ChangeRole { .. } => Phase::ChangeRole,
            Self::CancelOwnerChange { .. } => Phase::CancelOwnerChange,
            Self::ChangeOwner { .. } => Phase::ChangeOwner,
            Self::ChangeInvitedRole { .. } => Phase::ChangeInvitedRole,
            Self::Reinstate { .. } => Phase::Reinstate,
            Self::Resend { .. } => Phase::Resend,
            Self::Add { .. } => Phase::Add,
            Self::Approve { .. } => Phase::Approve,
            Self::Invite { .. } => Phase::Invite,
        }
    }

    /// Word for metrics, logs and JSON output; never renamed.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RevokeInvitation { .. } => "RevokeInvitation",
            Self::Trim { .. } => "Trim",
            Self::Remove { .. } => "Remove",
            Self::ChangeRole { .. } => "ChangeRole",
            Self::CancelOwnerChange { .. } => "CancelOwnerChange",
            Self::ChangeOwner { .. } => "ChangeOwner",
            Self::ChangeInvitedRole { .. } => "ChangeInvitedRole",
            Self::Reinstate { .. } => "Reinstate",
            Self::Resend { .. } => "Resend",
            Self::Add { .. } => "Add",
            Self::Approve { .. } => "ApproveJoinRequest",
            Self::Invite { .. } => "Invite",
        }
    }

    /// Key of the total order. Withdrawals for want of a seat go newest first, trims latest-added
    /// first, reinstatements earliest-added first; invitations keep the order that they are given
    /// in, which is that of the queue.
    #[must_use]
    pub fn order(&self) -> (Phase, Reverse<Option<Timestamp>>, Option<Timestamp>) {
        let (latest_first, earliest_first) = match self {
            Self::RevokeInvitation { invitation, cause: EndCause::SeatShortage, .. } => {
                (Some(invitation.created_at), None)
            }
            Self::Trim { member, .. } => (Some(member.added_at), None),
            Self::Reinstate { member, .. } => (None, Some(member.added_at)),
            Self::RevokeInvitation { .. }
            | Self::Remove { .. }
            | Self::ChangeRole { .. }
            | Self::CancelOwnerChange { .. }
            | Self::ChangeInvitedRole { .. }
            | Self::ChangeOwner { .. }
            | Self::Resend { .. }
            | Self::Add { .. }
            | Self::Approve { .. }
            | Self::Invite { .. } => (None, None),
        };
        (self.phase(), Reverse(latest_first), earliest_first)
    }

    /// What it mails an invitation or a question for, and the key of an earlier call; `None`: it
    /// mails neither.
    #[must_use]
    pub fn invitation_mail(&self) -> Option<(Cause, Option<&RequestKey>)> {
        match self {
            Self::Invite { cause, key, .. }
            | Self::Resend { cause, key, .. }
            | Self::ChangeOwner { cause, key, .. } => Some((*cause, key.as_ref())),
            Self::RevokeInvitation { .. }
            | Self::Trim { .. }
            | Self::Remove { .. }
            | Self::ChangeRole { .. }
            | Self::CancelOwnerChange { .. }
            | Self::ChangeInvitedRole { .. }
            | Self::Reinstate { .. }
            | Self::Add { .. }
            | Self::Approve { .. } => None,
        }
    }

    /// What the person is let in for; `None`: it lets nobody in.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Add { cause, .. } | Self::Approve { cause, .. } => Some(*cause),
            Self::ChangeOwner { .. } => None,
            _ => self.invitation_mail().map(|(cause, _)| cause),
        }
    }

    /// Why the person's access or invitation ends; `None`: it does not.
    #[must_use]
    pub fn end_cause(&self) -> Option<EndCause> {
        match self {
            Self::RevokeInvitation { cause, .. } | Self::Remove { cause, .. } => Some(*cause),
            Self::Trim { .. } => Some(EndCause::SeatShortage),
            Self::ChangeRole { .. }
            | Self::CancelOwnerChange { .. }
            | Self::ChangeInvitedRole { .. }
            | Self::Reinstate { .. }
            | Self::ChangeOwner { .. }
            | Self::Resend { .. }
            | Self::Add { .. }
            | Self::Approve { .. }
            | Self::Invite { .. } => None,
        }
    }

    /// True if a person loses something: bounded by the removal brake (OP-07).
    #[must_use]
    pub fn takes_away(&self) -> bool {
        match self {
            Self::RevokeInvitation { .. } | Self::Trim { .. } | Self::Remove { .. } => true,
            Self::ChangeRole { direction, .. } => *direction == Direction::Lower,
            Self::CancelOwnerChange { .. }
            | Self::ChangeInvitedRole { .. }
            | Self::Reinstate { .. }
            | Self::ChangeOwner { .. }
            | Self::Resend { .. }
            | Self::Add { .. }
            | Self::Approve { .. }
            | Self::Invite { .. } => false,
        }
    }
}

impl fmt::Display for Action {
    /// One line of a plan: `+ invite ana@example.com as developer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RevokeInvitation { person, cause, .. } => {
                write!(f, "- withdraw the invitation of {person}{}", why(*cause))
            }
            Self::Trim { person, .. } => write!(f, "- trim {person}: too few seats"),
            Self::Remove { person, cause, .. } => write!(f, "- remove {person}{}", why(*cause)),
            Self::ChangeRole { person, from, to, .. } => {
                write!(f, "~ change {person} from {from} to {to}")
            }
            Self::ChangeInvitedRole { person, from, to, .. } => {
                write!(f, "~ change the invitation of {person} from {from} to {to}")
            }
            Self::CancelOwnerChange { person, .. } => {
                write!(f, "- withdraw the change that makes {person} an owner")
            }
            Self::Reinstate { person, .. } => write!(f, "+ reinstate {person}"),
            Self::ChangeOwner { person, role, key, .. } => {
                let again = if key.is_some() { " (again, under the same key)" } else { "" };
                write!(f, "~ ask the owner to make {person} {role}{again}")
            }
            Self::Resend { person, role, key, .. } => {
                let again = if key.is_some() { " (again, under the same key)" } else { "" };
                write!(f, "+ resend the invitation of {person} as {role}{again}")
            }
            Self::Add { person, role, .. } => write!(f, "+ add {person} as {role}"),
            Self::Approve { person, role, .. } => {
                write!(f, "+ let {person} join as {role}, as they asked to")
            }
            Self::Invite { person, role, key: None, .. } => {
                write!(f, "+ invite {person} as {role}")
            }
            Self::Invite { person, role, key: Some(_), .. } => {
                write!(f, "+ invite {person} as {role} (again, under the same key)")
            }
        }
    }
}

/// Why access ends, behind a line of a plan; empty where that is plain.
fn why(cause: EndCause) -> &'static str {
    match cause {
        EndCause::NotDeclared | EndCause::NotOurs => "",
        EndCause::Absent => ": declared absent",
        EndCause::Ended => ": the declaration has ended",
        EndCause::Renamed => ": the address is an earlier one",
        EndCause::SeatShortage => ": too few seats",
    }
}
