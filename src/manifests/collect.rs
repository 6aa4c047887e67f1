//! Reads every person out of the objects of one account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api;
use crate::api::Membership;
use crate::api::Team;
use crate::domain::desired::{DeletionPolicy, Origin};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{ResendMark, RoleName};
use crate::manifests::accounts::Declarations;
use crate::manifests::people::Candidate;
use crate::manifests::people::Roles;
use crate::manifests::people::Said;
use crate::manifests::people::address;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::resolve::FirstSeen;
use crate::manifests::resolve::Leaving;
use crate::manifests::resolve::Outcome;
use crate::manifests::resolve::RejectedLine;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::membership_key;
use crate::manifests::source::namespace;
use crate::manifests::source::team_key;
use crate::manifests::source::team_of;
use crate::manifests::teams;
use crate::manifests::terms::RESEND_ANNOTATION;
use crate::manifests::terms::grantable_roles;
use crate::profile::{Profile, Scope, Teams};

/// What the objects of one account declare.
#[derive(Debug, Default)]
pub struct Collected {
    /// Declarations of people, several of one person among them.
    pub candidates: Vec<Candidate>,
    /// People of objects that belong to no account, where it cannot be known which team they mean.
    pub frozen_everywhere: BTreeSet<EmailAddress>,
    /// People of objects that are being deleted.
    pub leaving: Vec<Leaving>,
    /// Acceptance of each object.
    pub outcomes: BTreeMap<ObjectKey, Outcome>,
}

/// Reads every team and membership.
pub fn collect(
    declarations: &Declarations,
    profile: Option<&Profile>,
    first_seen: FirstSeen<'_>,
) -> Collected {
    let grantable = grantable_roles(&declarations.account.object.spec);
    let roles = profile.map(|profile| Roles { profile, grantable: &grantable });
    let refused = profile.map(|profile| teams::refused(&declarations.teams, profile));
    let refused = refused.unwrap_or_default();
    let namespace = namespace(&*declarations.account.object);
    let collected = Collected::default();
    let distant = &declarations.distant;
    let mut collector = Collector { roles, first_seen, refused, namespace, distant, collected };
    for team in &declarations.teams {
        collector.team(&team.object);
    }
    let going: BTreeSet<ObjectKey> = declarations
        .teams
        .iter()
        .filter(|team| team.object.metadata.deletion_timestamp.is_some())
        .map(|team| team_key(&team.object))
        .collect();
    for membership in &declarations.memberships {
        collector.membership(&membership.object, &going);
    }
    for team in &declarations.stray_teams {
        collector.stray_team(&team.object);
    }
    for membership in &declarations.stray_memberships {
        collector.stray_membership(&membership.object);
    }
    collector.collected
}

/// Why an object of an account that is not accepted is not accepted either.
pub fn account_not_accepted() -> Rejection {
    let message = "the Account is not accepted";
    let hint = "see the Account's condition Accepted";
    Rejection::new(Reason::ParentNotAccepted, "", message, hint)
}

/// Why the people of an object that belongs to no account are left as they are.
fn stray() -> Rejection {
    Rejection::new(Reason::NotFound, "", "belongs to no Account", "correct its reference")
}

/// The state of reading.
struct Collector<'a> {
    /// What roles may be given; `None` while there is no profile.
    roles: Option<Roles<'a>>,
    /// Age of declarations.
    first_seen: FirstSeen<'a>,
    /// Teams that the profile does not allow, or that are in each other's way.
    refused: BTreeMap<ObjectKey, Rejection>,
    /// Namespace of the Account.
    namespace: String,
    /// Strays that keep only whom they declared here before.
    distant: &'a BTreeSet<ObjectKey>,
    /// What was read.
    collected: Collected,
}

/// What a declaration says of a person besides the role.
#[derive(Clone)]
struct Line<'a> {
    /// The address as it was written.
    email: &'a str,
    /// Raised to invite again.
    invite_epoch: i64,
    /// A person's word to send the invitation again.
    resend: Option<ResendMark>,
    /// What the end of the declaration does.
    deletion_policy: DeletionPolicy,
    /// When the declaration ends.
    ends_at: Option<Timestamp>,
    /// Who is new and has the higher one goes first.
    priority: i32,
    /// Name of the person.
    name: Option<String>,
    /// Why the person is invited.
    message: Option<&'a str>,
    /// Earlier addresses of the person.
    formerly: &'a [EmailAddress],
}

impl<'a> Line<'a> {
    /// What a line of a roster says; the rest is said of the whole team.
    fn of_roster(line: &'a api::RosterLine, team: &Team, formerly: &'a [EmailAddress]) -> Self {
        Self {
            email: &line.email,
            invite_epoch: line.invite_epoch,
            resend: resend(team),
            deletion_policy: deletion_policy(team.spec.deletion_policy),
            ends_at: line.expires_at.as_ref().map(|at| at.0),
            priority: line.priority,
            name: full_name(line.first_name.as_deref(), line.last_name.as_deref()),
            message: line.reason.as_deref(),
            formerly,
        }
    }

    /// What a membership says.
    fn of_membership(membership: &'a Membership, formerly: &'a [EmailAddress]) -> Self {
        let spec = &membership.spec;
        Self {
            email: &spec.email,
            invite_epoch: spec.invite_epoch,
            resend: resend(membership),
            deletion_policy: deletion_policy(spec.deletion_policy),
            ends_at: spec.expires_at.as_ref().map(|at| at.0),
            priority: spec.priority,
            name: full_name(spec.first_name.as_deref(), spec.last_name.as_deref()),
            message: spec.reason.as_deref(),
            formerly,
        }
    }

    /// What can be said of a person of an object that belongs to no account.
    fn stray(email: &'a str, formerly: &'a [EmailAddress]) -> Self {
        Self {
            email,
            invite_epoch: 0,
            resend: None,
            deletion_policy: DeletionPolicy::Retain,
            ends_at: None,
            priority: 0,
            name: None,
            message: None,
            formerly,
        }
    }
}

/// First and last name as one, without blanks around them.
fn full_name(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let words: Vec<&str> = [first, last].into_iter().flatten().map(str::trim).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

impl Collector<'_> {
    /// Reads a team.
    fn team(&mut self, team: &Team) {
        let key = team_key(team);
        let outcome = if team.metadata.deletion_timestamp.is_some() {
            self.leaving_team(&key, team);
            Outcome::accepted()
        } else {
            self.live_team(&key, team)
        };
        self.collected.outcomes.insert(key, outcome);
    }

    /// Reads the people of a team that is being deleted.
    fn leaving_team(&mut self, key: &ObjectKey, team: &Team) {
        for (position, line) in team.spec.roster.iter().enumerate() {
            if let Ok(person) = EmailAddress::parse(&line.email) {
                let (formerly, _) = formerly(&line.formerly, Some(&person), "");
                let person = self.key(person, Some(key));
                let policy = team.spec.deletion_policy;
                self.leave(origin(key, Some(position)), person, formerly, policy);
            }
        }
    }

    /// Reads the people of a team. A line that is not valid is reported, and the good ones go on
    /// (PO-03).
    fn live_team(&mut self, key: &ObjectKey, team: &Team) -> Outcome {
        let default = team
            .spec
            .default_role
            .as_deref()
            .map(|role| self.check(role, "/spec/defaultRole".to_owned(), Scope::Team));
        let allowed = self.refused.get(key).cloned().map_or(Ok(()), Err);
        let accepted = allowed.and(default.clone().transpose().map(|_| ()));
        let mut lines = Vec::new();
        for (position, line) in team.spec.roster.iter().enumerate() {
            let role = match (&line.role, &default) {
                (Some(role), _) => {
                    self.check(role, format!("/spec/roster/{position}/role"), Scope::Team)
                }
                (None, Some(default)) => default.clone(),
                (None, None) => Err(no_role(position)),
            };
            let pointer = format!("/spec/roster/{position}");
            let person = address(&line.email, format!("{pointer}/email"));
            let (formerly, old) = formerly(&line.formerly, person.as_ref().ok(), &pointer);
            let wrong = [person.as_ref().err(), role.as_ref().err()].into_iter().flatten();
            for wrong in wrong.chain(&old) {
                // What is wrong with the whole object is said once, of the object.
                if wrong.pointer.starts_with("/spec/roster") {
                    let (email, rejection) = (line.email.clone(), wrong.clone());
                    lines.push(RejectedLine { position, email, rejection });
                }
            }
            if let Ok(person) = person {
                let said = Line::of_roster(line, team, &formerly);
                let valid = old.into_iter().next().map_or(Ok(()), Err);
                let role = accepted.clone().and(valid).and(role).map(Said::Present);
                let person = self.key(person, Some(key));
                self.declare(origin(key, Some(position)), person, role, said);
            }
        }
        Outcome { accepted, more: Vec::new(), lines }
    }

    /// Reads a membership; `going` are the teams that are being deleted.
    fn membership(&mut self, membership: &Membership, going: &BTreeSet<ObjectKey>) {
        let key = membership_key(membership);
        let person = address(&membership.spec.email, "/spec/email".to_owned());
        let (formerly, old) = formerly(&membership.spec.formerly, person.as_ref().ok(), "/spec");
        let policy = membership.spec.deletion_policy;
        let team = team_of(membership);
        if membership.metadata.deletion_timestamp.is_some() {
            // An end of `state: Absent` does nothing.
            if let (Ok(person), api::Wanted::Present) = (person, membership.spec.state) {
                let person = self.key(person, team.as_ref());
                self.leave(origin(&key, None), person, formerly, policy);
            }
            self.collected.outcomes.insert(key, Outcome::accepted());
            return;
        }
        if let Err(rejection) = self.may_say_absent(&key, membership) {
            // Nobody elsewhere takes away by it, nor keeps others from what they declare.
            self.collected.outcomes.insert(key, Outcome::with(vec![rejection]));
            return;
        }
        let scope = if team.is_some() { Scope::Team } else { Scope::Account };
        let allowed = team.as_ref().map_or(Ok(()), |team| self.team_stays(team, going));
        let role = allowed.and_then(|()| self.said(membership, scope));
        let wrong = [person.as_ref().err(), role.as_ref().err()].into_iter().flatten();
        let outcome = Outcome::with(wrong.chain(&old).cloned().collect());
        if let Ok(person) = person {
            let said = Line::of_membership(membership, &formerly);
            let valid = old.into_iter().next().map_or(Ok(()), Err);
            let role = valid.and(role);
            let person = self.key(person, team.as_ref());
            self.declare(origin(&key, None), person, role, said);
        }
        self.collected.outcomes.insert(key, outcome);
    }

    /// Reads the people of a team that belongs to no account: they are left as they are.
    fn stray_team(&mut self, team: &Team) {
        if team.metadata.deletion_timestamp.is_some() {
            return;
        }
        let key = team_key(team);
        for (position, line) in team.spec.roster.iter().enumerate() {
            self.stray(&key, Some(position), Some(&key), (&line.email, &line.formerly));
        }
    }

    /// Reads the person of a membership that belongs to no account: left as they are.
    fn stray_membership(&mut self, membership: &Membership) {
        if membership.metadata.deletion_timestamp.is_none() {
            let (key, team) = (membership_key(membership), team_of(membership));
            let spec = &membership.spec;
            self.stray(&key, None, team.as_ref(), (&spec.email, &spec.formerly));
        }
    }

    /// Declares a person of an object that belongs to no account.
    fn stray(
        &mut self,
        object: &ObjectKey,
        position: Option<usize>,
        team: Option<&ObjectKey>,
        (email, earlier): (&str, &[String]),
    ) {
        let Ok(person) = EmailAddress::parse(email) else { return };
        let (mut formerly, _) = formerly(earlier, Some(&person), "");
        let origin = origin(object, position);
        // Only what a distant object declared while it counted is kept for it.
        let is_distant = self.distant.contains(object);
        let kept = |address: &EmailAddress| {
            let key = self.key(address.clone(), team);
            !is_distant || (self.first_seen)(Some(&key), &origin).is_some()
        };
        formerly.retain(kept);
        let person = Some(person).filter(kept);
        if self.has_many_teams() {
            self.collected.frozen_everywhere.extend(formerly.into_iter().chain(person));
        } else if let Some(person) = person {
            let said = Line::stray(email, &formerly);
            self.declare(origin, person.into(), Err(stray()), said);
        } else {
            for old in formerly {
                let said = Line::stray(old.as_str(), &[]);
                self.declare(origin.clone(), old.clone().into(), Err(stray()), said);
            }
        }
    }

    /// Refuses a membership of a team that is being deleted or not accepted.
    fn team_stays(&self, team: &ObjectKey, going: &BTreeSet<ObjectKey>) -> Result<(), Rejection> {
        let (message, hint) = if going.contains(team) {
            let hint = "delete this Membership too, or make the Team again";
            (format!("Team `{}` is being deleted", team.name), hint)
        } else if self.refused.contains_key(team) {
            (format!("Team `{}` is not accepted", team.name), "see the Team's condition Accepted")
        } else {
            return Ok(());
        };
        Err(Rejection::new(Reason::ParentNotAccepted, "/spec/teamRef/name", message, hint))
    }

    /// Refuses `state: Absent` outside of the Account's own namespace: it beats declarations of others.
    fn may_say_absent(&self, key: &ObjectKey, object: &Membership) -> Result<(), Rejection> {
        if object.spec.state == api::Wanted::Present || key.namespace == self.namespace {
            return Ok(());
        }
        let message = "`Absent` counts only in the namespace of the Account";
        let hint = format!("declare it in namespace `{}`", self.namespace);
        Err(Rejection::new(Reason::NotAllowedHere, "/spec/state", message, hint))
    }

    /// What a membership says of its person. Who is to be absent needs no role.
    fn said(&self, membership: &Membership, scope: Scope) -> Result<Said, Rejection> {
        match membership.spec.state {
            api::Wanted::Absent => Ok(Said::Absent),
            api::Wanted::Present => {
                self.check(&membership.spec.role, "/spec/role".to_owned(), scope).map(Said::Present)
            }
        }
    }

    fn has_many_teams(&self) -> bool {
        self.roles.is_some_and(|roles| roles.profile.teams == Teams::Many)
    }

    /// Whom a declaration means: the person in the team, where an account has many.
    fn key(&self, person: EmailAddress, team: Option<&ObjectKey>) -> MemberKey {
        teams::member_key(person, team, self.roles.map(|roles| roles.profile))
    }

    /// Checks a role; without a profile no role is known.
    fn check(&self, role: &str, pointer: String, scope: Scope) -> Result<RoleName, Rejection> {
        match self.roles {
            Some(roles) => roles.check(role, pointer, scope),
            None => Err(account_not_accepted()),
        }
    }

    /// Adds a declaration.
    fn declare(
        &mut self,
        origin: Origin,
        person: MemberKey,
        role: Result<Said, Rejection>,
        said: Line<'_>,
    ) {
        let earlier = said.formerly.iter().map(|old| person.at(old));
        let seen = |person: &MemberKey| (self.first_seen)(Some(person), &origin);
        let own = seen(&person);
        let borrowed = own.is_none();
        let first_seen = own.or_else(|| earlier.filter_map(|key| seen(&key)).min());
        let candidate = Candidate {
            person,
            email: said.email.to_owned(),
            origin,
            role,
            invite_epoch: said.invite_epoch,
            resend: said.resend,
            deletion_policy: said.deletion_policy,
            ends_at: said.ends_at,
            priority: said.priority,
            name: said.name,
            message: said.message.map(str::to_owned),
            formerly: said.formerly.to_vec(),
            first_seen,
            borrowed,
        };
        self.collected.candidates.push(candidate);
    }

    /// Adds a person whose declaration goes.
    fn leave(
        &mut self,
        origin: Origin,
        person: MemberKey,
        formerly: Vec<EmailAddress>,
        policy: api::DeletionPolicy,
    ) {
        let deletion_policy = deletion_policy(policy);
        self.collected.leaving.push(Leaving { origin, person, formerly, deletion_policy });
    }
}

/// The earlier addresses of a person, and what is wrong with them.
fn formerly(
    texts: &[String],
    person: Option<&EmailAddress>,
    pointer: &str,
) -> (Vec<EmailAddress>, Vec<Rejection>) {
    let (mut earlier, mut wrong) = (Vec::new(), Vec::new());
    for (position, text) in texts.iter().enumerate() {
        let pointer = format!("{pointer}/formerly/{position}");
        match address(text, pointer.clone()) {
            Ok(old) if Some(&old) == person => {
                let message = format!("`{old}` is the present address, not an earlier one");
                let hint = "take it out of `formerly`";
                wrong.push(Rejection::new(Reason::InvalidSpec, pointer, message, hint));
            }
            Ok(old) => earlier.push(old),
            Err(rejection) => wrong.push(rejection),
        }
    }
    (earlier, wrong)
}

/// Why a roster line without a role is not valid.
fn no_role(position: usize) -> Rejection {
    let pointer = format!("/spec/roster/{position}");
    let hint = "give the line a `role`, or the Team a `defaultRole`";
    Rejection::new(Reason::UnknownRole, pointer, "gives no role", hint)
}

/// The word by which a person has the object's invitations sent again.
pub(super) fn resend(object: &impl kube::Resource) -> Option<ResendMark> {
    let text = object.annotations().get(RESEND_ANNOTATION)?.trim();
    (!text.is_empty()).then(|| ResendMark::of(text))
}

/// A place in an object.
fn origin(key: &ObjectKey, position: Option<usize>) -> Origin {
    let ObjectKey { kind, namespace, name } = key.clone();
    Origin { kind, namespace, name, position }
}

/// The policy as a word of the problem.
fn deletion_policy(policy: api::DeletionPolicy) -> DeletionPolicy {
    match policy {
        api::DeletionPolicy::Revoke => DeletionPolicy::Revoke,
        api::DeletionPolicy::Retain => DeletionPolicy::Retain,
    }
}
