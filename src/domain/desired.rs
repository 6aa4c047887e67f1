//! What the manifests ask for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::clients::DesiredClients;
use crate::domain::domains::DomainName;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{ResendMark, RoleName, TeamRef};
use crate::domain::recipients::DesiredRecipients;
use crate::domain::teams::DesiredTeam;

/// Everything that is declared for one account, after `resolve`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Declared people. One entry a person; who declared it wins by age (see [`Origin`]).
    pub people: BTreeMap<MemberKey, DesiredMember>,
    /// People that must not be there, none of them in `people`.
    pub absent: BTreeMap<MemberKey, Absence>,
    /// People whose declaration is there but not valid (an unknown role, a squad that is not
    /// accepted): they are left exactly as they are.
    pub frozen: BTreeSet<MemberKey>,
    /// The present address of each earlier one: the same person, in every team.
    pub formerly: BTreeMap<EmailAddress, EmailAddress>,
    /// Of these people nothing is known but the address: they are left as they are in every team.
    pub frozen_everywhere: BTreeSet<EmailAddress>,
    /// Teams, where an account has many.
    pub teams: BTreeMap<TeamRef, DesiredTeam>,
    /// Whether everyone must sign in by more than a password; `None`: not declared.
    pub secure_sign_in: Option<bool>,
    /// Domains whose people join by themselves.
    pub join_domains: BTreeSet<DomainName>,
    /// Clients of an agency.
    pub clients: DesiredClients,
    /// Recipients of categories of mail.
    pub recipients: DesiredRecipients,
}

impl Desired {
    /// The present address of a person.
    #[must_use]
    pub fn present<'a>(&'a self, address: &'a EmailAddress) -> &'a EmailAddress {
        self.formerly.get(address).unwrap_or(address)
    }

    /// The earlier addresses of each person that has some.
    #[must_use]
    pub fn earlier(&self) -> BTreeMap<&EmailAddress, Vec<&EmailAddress>> {
        let mut earlier: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (old, present) in &self.formerly {
            earlier.entry(present).or_default().push(old);
        }
        earlier
    }

    /// Everyone that a declaration names, by present and by earlier addresses.
    #[must_use]
    pub fn named(&self) -> Vec<MemberKey> {
        let earlier = self.earlier();
        let keys = self.people.keys().chain(self.absent.keys()).chain(&self.frozen);
        let all = keys.flat_map(|key| {
            let old = earlier.get(&key.person).into_iter().flatten();
            let old = old.map(|old| key.at(old));
            old.chain([key.clone()])
        });
        all.collect()
    }

    /// True if the person stays exactly as they are.
    #[must_use]
    pub fn is_frozen(&self, key: &MemberKey) -> bool {
        let everywhere = self.frozen_everywhere.contains(&key.person);
        let absence = self.absent.get(key).map(|absence| absence.cause);
        absence != Some(AbsenceCause::Declared)
            && (self.frozen.contains(key) || everywhere && !self.people.contains_key(key))
    }
}

/// One declared person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredMember {
    /// Role of the profile.
    pub role: RoleName,
    /// Raised by a person to invite again someone who declined, left or was lost.
    pub invite_epoch: i64,
    /// A person's word to send the invitation again; a new value is a new decision.
    pub resend: Option<ResendMark>,
    /// The same, said for one run beside what is declared.
    pub said: Option<ResendMark>,
    /// What the end of the declaration does.
    pub deletion_policy: DeletionPolicy,
    /// When the declaration ends.
    pub ends_at: Option<Timestamp>,
    /// Who is new and has the higher one goes first.
    pub priority: i32,
    /// Name of the person, for the invitation.
    pub name: Option<String>,
    /// Why the person is invited, for the invitation.
    pub message: Option<String>,
    /// The declaration.
    pub origin: Origin,
}

/// A person that must not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Why.
    pub cause: AbsenceCause,
    /// The declaration.
    pub origin: Origin,
}

/// Why a person must not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AbsenceCause {
    /// A declaration says so. It stands against every other one.
    Declared,
    /// The declaration has ended, and no other keeps the person.
    Ended,
}

impl DesiredMember {
    /// Every word to send the invitation again.
    pub fn words(&self) -> impl Iterator<Item = ResendMark> {
        [self.said, self.resend].into_iter().flatten()
    }
}

/// What becomes of a person when the declaration goes (OP-08).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeletionPolicy {
    /// Access ends, then the declaration goes.
    #[default]
    Revoke,
    /// The person stays as they are and is no longer ours.
    Retain,
}

/// Where a person is declared. Ordered by name: ties of age are broken by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Kind of the declaring object.
    pub kind: OriginKind,
    /// Namespace of the object; for files without one, `default`.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Position in the roster, from 0; `None` for a Membership.
    pub position: Option<usize>,
}

impl Origin {
    /// The declaring object, as `Team web/core`: the roster position is not part of it.
    #[must_use]
    pub fn object(&self) -> String {
        format!("{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

/// Kinds that declare people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginKind {
    /// A `ClientAccess`: declares a client of an agency.
    ClientAccess,
    /// A `Membership`.
    Membership,
    /// A `NotificationSubscription`: declares recipients of a category of mail.
    NotificationSubscription,
    /// A line in the roster of a `Team`.
    Team,
}

impl OriginKind {
    /// The kind as manifests name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientAccess => "ClientAccess",
            Self::Membership => "Membership",
            Self::NotificationSubscription => "NotificationSubscription",
            Self::Team => "Team",
        }
    }
}
