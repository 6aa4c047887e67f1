//! Who is declared by which object, in which role, and which declaration of a person counts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::desired::{
    Absence, AbsenceCause, DeletionPolicy, Desired, DesiredMember, Origin,
};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{ResendMark, RoleName};
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::quote;
use crate::manifests::terms::list;
use crate::manifests::terms::unknown_role;
use crate::profile::{Profile, Scope, Teams};

/// What roles may be given.
#[derive(Clone, Copy)]
pub struct Roles<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Protected roles that this account's declarations may give.
    pub grantable: &'a BTreeSet<RoleName>,
}

/// One declaration of one person.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The person.
    pub person: MemberKey,
    /// The address as it was written.
    pub email: String,
    /// Where.
    pub origin: Origin,
    /// Role, or why the declaration is not valid.
    pub role: Result<Said, Rejection>,
    /// Raised to invite again.
    pub invite_epoch: i64,
    /// A person's word to send the invitation again.
    pub resend: Option<ResendMark>,
    /// What the end of the declaration does.
    pub deletion_policy: DeletionPolicy,
    /// When the declaration ends.
    pub ends_at: Option<Timestamp>,
    /// Who is new and has the higher one goes first.
    pub priority: i32,
    /// Name of the person, for the invitation.
    pub name: Option<String>,
    /// Why the person is invited.
    pub message: Option<String>,
    /// Earlier addresses of the person.
    pub formerly: Vec<EmailAddress>,
    /// When the declaration was first seen; `None`: now.
    pub first_seen: Option<Timestamp>,
    /// That is not of the present address, but of an earlier one at most.
    pub borrowed: bool,
}

/// What a declaration that is valid says of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// To be there, in this role.
    Present(RoleName),
    /// Not to be there.
    Absent,
}

/// A declaration that lost against another one.
#[derive(Clone, Debug)]
pub struct Loser {
    /// The declaration.
    pub origin: Origin,
    /// The address as it was written.
    pub email: String,
    /// Why.
    pub rejection: Rejection,
}

impl Roles<'_> {
    /// The role that `text` names.
    ///
    /// # Errors
    ///
    /// It is not one of the profile's, holds elsewhere than `scope` (where an account has many
    /// teams), cannot be given at all, or is protected and the account's `grantableRoles`
    /// does not name it.
    pub fn check(self, text: &str, pointer: String, scope: Scope) -> Result<RoleName, Rejection> {
        let name = RoleName(text.to_owned());
        let Some(role) = self.profile.role(&name) else {
            return Err(unknown_role(self.profile, text, pointer));
        };
        if self.profile.teams == Teams::Many && role.scope != scope {
            return Err(not_here(&name, role.scope, pointer));
        }
        if !role.invitable && role.ownership_change.is_none() {
            let message = format!("role `{name}` cannot be given by an invitation");
            let invitable = self.profile.roles.iter().filter(|role| role.invitable);
            let hint =
                format!("roles that can: {}", list(invitable.map(|role| role.name.as_str())));
            return Err(Rejection::new(Reason::RoleNotInvitable, pointer, message, hint));
        }
        if role.protected && !self.grantable.contains(&name) {
            let message = format!("role `{name}` is protected");
            let hint = format!("add `{name}` to spec.grantableRoles of the Account");
            return Err(Rejection::new(Reason::RoleNotGrantable, pointer, message, hint));
        }
        Ok(name)
    }
}

/// A role that holds in a team, given for the account, or the other way round.
fn not_here(name: &RoleName, scope: Scope, pointer: String) -> Rejection {
    let (message, hint) = match scope {
        Scope::Account => (
            format!("role `{name}` holds for the whole account, not in one team"),
            "give it by a Membership with accountRef",
        ),
        Scope::Team => (
            format!("role `{name}` holds in a team, not for the whole account"),
            "give it by a Membership with teamRef, or in the roster of a Team",
        ),
    };
    Rejection::new(Reason::RoleNotHere, pointer, message, hint)
}

/// Reads an address.
///
/// # Errors
///
/// It cannot be the address of a mailbox.
pub fn address(text: &str, pointer: String) -> Result<EmailAddress, Rejection> {
    EmailAddress::parse(text).map_err(|error| {
        let message = format!("{} {error}", quote(text));
        let hint = "write it as `name@example.com`";
        Rejection::new(Reason::InvalidAddress, pointer, message, hint)
    })
}

/// Chooses for each person the declaration that counts: one that says `Absent` beats every other;
/// one that has ended counts only where there is no other; then the one that was first seen first; ties by
/// position in the roster, then by name, then by kind. The choice does not depend on the order of
/// `candidates`.
///
/// If the one that counts is not valid, the person is left as is: a younger declaration must not
/// take over because someone broke the older. Of people declared for a role that changes hands and
/// has a most of holders, the oldest declarations count; the others stay as they are. Time
/// O(n log n).
pub fn choose(
    candidates: Vec<Candidate>,
    profile: Option<&Profile>,
    now: Timestamp,
) -> (Desired, Vec<Loser>) {
    let mut by_person: BTreeMap<MemberKey, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_person.entry(candidate.person.clone()).or_default().push(candidate);
    }
    let (mut desired, mut losers) = (Desired::default(), Vec::new());
    let mut holders: BTreeMap<RoleName, Vec<Candidate>> = BTreeMap::new();
    for (person, mut candidates) in by_person {
        candidates.sort_by(|a, b| standing(a, now).cmp(&standing(b, now)));
        let mut candidates = candidates.into_iter();
        let Some(winner) = candidates.next() else { continue };
        let standing = standing(&winner, now).0;
        let others = candidates.filter(|loser| loser.role.is_ok() && !has_ended(loser, now));
        losers.extend(others.filter_map(|loser| lost(loser, standing, &winner.origin)));
        match &winner.role {
            Ok(Said::Present(role))
                if standing == Standing::Present && most_holders(profile, role).is_some() =>
            {
                holders.entry(role.clone()).or_default().push(winner);
            }
            _ => count(&mut desired, person, winner, standing),
        }
    }
    for (role, mut candidates) in holders {
        candidates.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let most = most_holders(profile, &role).unwrap_or(usize::MAX);
        for loser in candidates.split_off(most.min(candidates.len())) {
            desired.frozen.insert(loser.person.clone());
            losers.push(one_too_many(loser, &role, candidates.first()));
        }
        for winner in candidates {
            count(&mut desired, winner.person.clone(), winner, Standing::Present);
        }
    }
    (desired, losers)
}

/// What a declaration weighs against others of the same person; the least counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It says `Absent`.
    Absent,
    /// It says `Present`, or is not valid.
    Present,
    /// It has ended.
    Ended,
}

fn standing(candidate: &Candidate, now: Timestamp) -> (Standing, impl Ord + '_) {
    let standing = match &candidate.role {
        Ok(Said::Absent) => Standing::Absent,
        Ok(Said::Present(_)) if has_ended(candidate, now) => Standing::Ended,
        Ok(Said::Present(_)) | Err(_) => Standing::Present,
    };
    (standing, rank(candidate))
}

fn has_ended(candidate: &Candidate, now: Timestamp) -> bool {
    let present = matches!(candidate.role, Ok(Said::Present(_)));
    present && candidate.ends_at.is_some_and(|at| at <= now)
}

/// Enters the declaration that counts.
fn count(desired: &mut Desired, person: MemberKey, winner: Candidate, standing: Standing) {
    let absence = |cause| Absence { cause, origin: winner.origin.clone() };
    match (winner.role, standing) {
        (Err(_), _) => {
            desired.frozen.insert(person);
        }
        (Ok(Said::Absent), _) => {
            desired.absent.insert(person, absence(AbsenceCause::Declared));
        }
        (Ok(Said::Present(_)), Standing::Ended) => {
            desired.absent.insert(person, absence(AbsenceCause::Ended));
        }
        (Ok(Said::Present(role)), Standing::Absent | Standing::Present) => {
            let member = DesiredMember {
                role,
                invite_epoch: winner.invite_epoch,
                resend: winner.resend,
                said: None,
                deletion_policy: winner.deletion_policy,
                ends_at: winner.ends_at,
                priority: winner.priority,
                name: winner.name,
                message: winner.message,
                origin: winner.origin,
            };
            desired.people.insert(person, member);
        }
    }
}

/// Most holders of a role that only a change of owner gives.
fn most_holders(profile: Option<&Profile>, role: &RoleName) -> Option<usize> {
    let profile = profile.filter(|profile| profile.changes_owner(role))?;
    profile.role(role)?.max_holders.and_then(|most| usize::try_from(most).ok())
}

/// Order of declarations of one person; the least counts.
pub fn rank(candidate: &Candidate) -> impl Ord + '_ {
    let Origin { kind, namespace, name, position } = &candidate.origin;
    let age = candidate.first_seen;
    (age.is_none(), candidate.borrowed, age, position.unwrap_or(0), name, kind, namespace)
}

/// Why a declaration that is valid does not count; `None`: another one says the same.
fn lost(loser: Candidate, standing: Standing, winner: &Origin) -> Option<Loser> {
    if loser.role == Ok(Said::Absent) {
        return None;
    }
    let pointer = match loser.origin.position {
        Some(position) => format!("/spec/roster/{position}/email"),
        None => "/spec/email".to_owned(),
    };
    let (person, winner) = (&loser.person, describe(winner));
    let rejection = if standing == Standing::Absent {
        let message = format!("`{person}` is declared absent by {winner}");
        let hint = "that beats every other declaration: delete it to have the person back";
        Rejection::new(Reason::DeclaredAbsent, pointer, message, hint)
    } else {
        let message = format!("`{person}` is declared already by {winner}");
        let hint = "keep one of the two; the older counts";
        Rejection::new(Reason::Conflict, pointer, message, hint)
    };
    Some(Loser { origin: loser.origin, email: loser.email, rejection })
}

/// Why a declaration of one holder more than the role has does not count.
fn one_too_many(loser: Candidate, role: &RoleName, winner: Option<&Candidate>) -> Loser {
    let pointer = match loser.origin.position {
        Some(position) => format!("/spec/roster/{position}/role"),
        None => "/spec/role".to_owned(),
    };
    let winner =
        winner.map_or_else(String::new, |winner| format!(" by {}", describe(&winner.origin)));
    let message = format!("somebody else is declared `{role}` already{winner}");
    let hint =
        format!("the account has one `{role}` at a time: keep one of the two; the older counts");
    let rejection = Rejection::new(Reason::Conflict, pointer, message, hint);
    Loser { origin: loser.origin, email: loser.email, rejection }
}

/// A declaration in words: `Team web/core (spec.roster[3])`.
pub fn describe(origin: &Origin) -> String {
    let Origin { kind, namespace, name, position } = origin;
    let object = ObjectKey { kind: *kind, namespace: namespace.clone(), name: name.clone() };
    match position {
        Some(position) => format!("{object} (spec.roster[{position}])"),
        None => object.to_string(),
    }
}
