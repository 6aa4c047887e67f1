//! Members and their roles: what is wanted for each person, before guards and seats have spoken.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::desired::{AbsenceCause, DeletionPolicy, DesiredMember};
use crate::domain::identity::MemberKey;
use crate::domain::keys::{RoleName, TeamId, TeamRef};
use crate::domain::ledger_view::{MailRecord, Ownership, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, MemberState, Observed, ObservedMember};
use crate::domain::policy::Mode;
use crate::domain::teams::{bindings, contested};
use crate::plan::action::{Action, Direction, EndCause};
use crate::plan::draft::{Draft, member_row, revoke};
use crate::plan::pools::closed;
use crate::plan::{Input, Outlook, Rule, State, domains, invitations, names, owners};

impl Outlook {
    /// A person in this state, with nothing more to say.
    pub(super) fn new(state: State) -> Self {
        Self {
            state,
            rule: None,
            position: None,
            member: None,
            role_seen: None,
            role_differs: false,
            sent_at: None,
            expires_at: None,
            attempts: 0,
            next_action_at: None,
            ends_at: None,
            declared_as: None,
            remembered: false,
        }
    }
}

/// Places everyone that is declared, then who must not be there, then everyone that is not declared.
pub(super) fn classify(draft: &mut Draft<'_>) {
    let desired = draft.input.desired;
    for (person, wanted) in &desired.people {
        let mut record = record_of(draft, person, wanted);
        let observed = draft.input.observed;
        match (observed.members.get(person), observed.invitations.get(person)) {
            (member, _) if owners::becomes(draft.input, wanted, member) => {
                owners::declared(draft, person, wanted, &mut record);
            }
            (Some(member), _) => declared_member(draft, person, wanted, member, &mut record),
            (None, Some(invitation)) => {
                invitations::invited(draft, person, wanted, invitation, &mut record);
            }
            (None, None) => invitations::absent(draft, person, wanted, &mut record),
        }
        let mails = record.mails.attempts;
        if let Some(outlook) = draft.people.get_mut(person) {
            outlook.ends_at = wanted.ends_at;
            if outlook.member.is_none() {
                outlook.attempts = mails;
            }
        }
        draft.timers.extend(wanted.ends_at);
        draft.records.insert(person.clone(), record);
    }
    absent(draft);
    names::withdraw(draft);
    undeclared(draft);
    names::note(draft);
}

/// What the ledger knows of a declared person; first sight is now where it knows nothing.
fn record_of(draft: &Draft<'_>, person: &MemberKey, wanted: &DesiredMember) -> PersonRecord {
    let known = names::record(draft, person);
    let mut record = known.unwrap_or_else(|| PersonRecord {
        epoch: wanted.invite_epoch,
        // What was written before we knew of anyone asks for nothing more than the first mail.
        mails: MailRecord { marks: Vec::from_iter(wanted.resend), ..MailRecord::default() },
        ..unknown(draft.input.now)
    });
    record.owned = true;
    let object = Some(wanted.origin.object());
    if record.declared_by.is_some() && record.declared_by != object {
        // Who is handed over gets no mail: what the other object says is old.
        record.mails.heed(wanted.resend);
    }
    record.declared_by = object;
    record.parted |= draft.names.is_parted(&person.person);
    record.held = false;
    record.deletion_policy = wanted.deletion_policy;
    record
}

/// A declared person who is a member: adopted by the matching declaration, then kept at the role.
fn declared_member(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    member: &ObservedMember,
    record: &mut PersonRecord,
) {
    let seen = member.role.known().cloned();
    let state = match member.state {
        MemberState::Trimmed => State::Trimmed,
        MemberState::Active | MemberState::Unknown => State::Active,
    };
    let mut outlook = Outlook::new(state);
    outlook.member = Some(member.id.clone());
    outlook.role_differs = seen.as_ref() != Some(&wanted.role);
    outlook.role_seen = seen.clone();
    let differs = outlook.role_differs;
    let known = if member.state == MemberState::Unknown { None } else { seen };
    if known.is_none() {
        outlook.rule = Some(Rule::NotUnderstood);
    }
    draft.people.insert(person.clone(), outlook);
    (record.opted_out, record.lost, record.mails.given_up) = (false, false, false);
    (record.renamed, record.parted) = (false, false);
    record.mails.heed(wanted.resend);
    record.epoch = record.epoch.max(wanted.invite_epoch);
    record.seen = seen_as(member);
    let Some(from) = known else { return };
    if !may_touch(draft, &from) {
        record.owned = draft.input.ledger.people.get(person).is_some_and(|known| known.owned);
    }
    let holds = !differs && draft.input.profile.changes_owner(&from);
    record.ownership = match record.ownership {
        _ if holds => Ownership::Held,
        // Withdrawn while it waits.
        Ownership::Asked => Ownership::Asked,
        Ownership::None | Ownership::Held | Ownership::Over => Ownership::None,
    };
    if state == State::Trimmed {
        let action = Action::Reinstate { person: person.clone(), member: member_row(member) };
        if draft.input.profile.is_owner(&from) {
            // Owners are never trimmed: whatever this is, we do not know it.
            draft.hold_back(action, Rule::NotUnderstood);
        } else if !record.owned {
            draft.hold_back(action, Rule::ProtectedRole);
        } else {
            draft.trimmed.push(action);
        }
    } else if differs {
        change_role(draft, person, member, from, &wanted.role);
    }
}

/// Wants another role for a member.
fn change_role(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    member: &ObservedMember,
    from: RoleName,
    to: &RoleName,
) {
    let profile = draft.input.profile;
    let lowers = profile.rank(to) > profile.rank(&from);
    let immutable = [&from, to].iter().any(|r| profile.role(r).is_none_or(|role| role.immutable));
    let touchable = may_touch(draft, &from) && may_give(draft, to);
    let action = Action::ChangeRole {
        person: person.clone(),
        member: member_row(member),
        from,
        to: to.clone(),
        direction: if lowers { Direction::Lower } else { Direction::Raise },
    };
    if let Some(rule) = closed(draft.input, person) {
        draft.hold_back(action, rule);
    } else if immutable || !touchable {
        draft.hold_back(action, Rule::ProtectedRole);
    } else if !draft.allows(Mode::Manage) {
        draft.hold_back(action, Rule::InviteOnly);
    } else if lowers {
        draft.endings.push(action);
    } else {
        draft.changes.push(action);
    }
}

/// True if declarations may adopt, lower or remove who holds `role`.
pub(super) fn may_touch(draft: &Draft<'_>, role: &RoleName) -> bool {
    let protected = draft.input.profile.role(role).is_none_or(|role| role.protected);
    !protected || draft.input.policy.grantable_roles.contains(role)
}

/// True if a declaration may give `role`, by an invitation or by a change of role.
pub(super) fn may_give(draft: &Draft<'_>, role: &RoleName) -> bool {
    may_touch(draft, role) && draft.input.profile.role(role).is_some_and(|role| role.invitable)
}

/// Ends whatever somebody has who must not be there, whoever put them there.
fn absent(draft: &mut Draft<'_>) {
    let desired = draft.input.desired;
    for (person, absence) in &desired.absent {
        if desired.is_frozen(person) {
            continue;
        }
        draft.people.insert(person.clone(), Outlook::new(State::Absent));
        let record = draft.input.ledger.people.get(person).cloned();
        let observed = draft.input.observed;
        let there = observed.members.contains_key(person);
        if record.is_none() && !there && !observed.invitations.contains_key(person) {
            continue;
        }
        let cause = match absence.cause {
            AbsenceCause::Declared => EndCause::Absent,
            AbsenceCause::Ended => EndCause::Ended,
        };
        let record = record.unwrap_or_else(|| unknown(draft.input.now));
        end(draft, person, record, cause);
    }
}

/// Ends what is ours and no longer declared (OP-08), and in mode `Exclusive` what was never
/// declared (OP-06). Who is held in place by a declaration that is not valid stays as they are.
fn undeclared(draft: &mut Draft<'_>) {
    let observed = draft.input.observed;
    let people = observed.members.keys().chain(observed.invitations.keys());
    let mut people: Vec<MemberKey> = people
        .filter(|person| !draft.input.desired.people.contains_key(*person))
        .filter(|person| !draft.input.desired.absent.contains_key(*person))
        .filter(|person| !draft.input.desired.is_frozen(person))
        .filter(|person| draft.names.meant(person).is_none())
        .cloned()
        .collect();
    people.sort();
    people.dedup();
    let teams = DeclaredTeams::of(draft.input);
    for person in people.into_iter().filter(|key| !teams.contest(key)) {
        let mut known = draft.input.ledger.people.get(&person).cloned();
        if let Some(record) =
            known.as_mut().filter(|record| is_of_another(observed, &person, record))
        {
            (record.owned, record.paid, record.held) = (false, None, false);
            draft.records.insert(person.clone(), record.clone());
        }
        match known {
            Some(record) if record.owned => no_longer_declared(draft, &person, record),
            // Whom a declaration left behind on purpose stays, in this mode too (OP-08).
            Some(record) if record.deletion_policy == DeletionPolicy::Retain => {}
            _ if domains::counts_as_declared(draft.input, &person) => {}
            known if draft.input.policy.mode == Mode::Exclusive && teams.hold(&person) => {
                let record = known.unwrap_or_else(|| unknown(draft.input.now));
                end(draft, &person, record, EndCause::NotOurs);
            }
            _ => {}
        }
    }
}

/// The teams that mode `Exclusive` is about: the account as a whole, and those that are declared. A
/// team that nobody declared is somebody else's.
struct DeclaredTeams {
    held: BTreeSet<TeamId>,
    contested: BTreeSet<TeamId>,
}

impl DeclaredTeams {
    fn of(input: &Input<'_>) -> Self {
        let Input { desired, observed, ledger, .. } = *input;
        let bound = bindings(&desired.teams, &observed.teams, &ledger.teams);
        let contested = contested(&desired.teams, &observed.teams, &ledger.teams, &bound);
        let stays =
            |reference: &TeamRef| desired.teams.get(reference).is_some_and(|team| !team.passive);
        let held = bound.into_iter().filter(|(reference, _)| stays(reference)).map(|(_, id)| id);
        Self { held: held.collect(), contested }
    }

    fn hold(&self, key: &MemberKey) -> bool {
        key.team_id().is_none_or(|id| self.held.contains(id))
    }

    fn contest(&self, key: &MemberKey) -> bool {
        key.team_id().is_some_and(|id| self.contested.contains(id))
    }
}

fn no_longer_declared(draft: &mut Draft<'_>, person: &MemberKey, mut record: PersonRecord) {
    if record.deletion_policy == DeletionPolicy::Retain || !draft.allows(Mode::Manage) {
        (record.owned, record.paid, record.held) = (false, None, false);
        draft.records.insert(person.clone(), record);
        return;
    }
    end(draft, person, record, EndCause::NotDeclared);
}

/// Wants the end of whatever the person has.
pub(super) fn end(
    draft: &mut Draft<'_>,
    person: &MemberKey,
    mut record: PersonRecord,
    cause: EndCause,
) {
    record.held = false;
    let observed = draft.input.observed;
    let mut outlook = Outlook::new(State::Removing);
    let (members, invitations) = (&observed.members, &observed.invitations);
    let (action, role, known) = match (members.get(person), invitations.get(person)) {
        (Some(member), _) => {
            record.seen = seen_as(member);
            outlook.member = Some(member.id.clone());
            let member_row = member_row(member);
            let action = Action::Remove { person: person.clone(), member: member_row, cause };
            (action, &member.role, member.state != MemberState::Unknown)
        }
        (None, Some(invitation)) if invitation.state.waits() => {
            record.seen = Seen::Invited;
            let known = invitation.state == InvitationState::Pending;
            (revoke(person, invitation, cause), &invitation.role, known)
        }
        (None, _) => {
            (record.owned, record.seen, record.paid) = (false, Seen::Never, None);
            (record.mails.renewals, record.mails.given_up) = (0, false);
            draft.records.insert(person.clone(), record);
            return;
        }
    };
    outlook.role_seen = role.known().cloned();
    let profile = draft.input.profile;
    let removable = |role: &RoleName| profile.role(role).is_some_and(|role| role.removable);
    let rule = match role.known() {
        Some(role) if profile.is_owner(role) && cause == EndCause::NotOurs => return,
        None => Some(Rule::NotUnderstood),
        Some(_) if !known => Some(Rule::NotUnderstood),
        Some(role) if !removable(role) => Some(Rule::NotRemovable),
        Some(role) if !may_touch(draft, role) => Some(Rule::ProtectedRole),
        Some(_) if !draft.allows(Mode::Manage) => Some(Rule::InviteOnly),
        Some(_) if cause == EndCause::NotOurs && domains::is_in_question(draft.input, person) => {
            Some(Rule::DomainUnproved)
        }
        Some(_) => None,
    };
    if rule == Some(Rule::NotRemovable) && cause == EndCause::NotDeclared {
        // Left as they are and said once (OP-08): from now on not ours.
        (record.owned, record.paid) = (false, None);
    }
    draft.people.insert(person.clone(), outlook);
    draft.records.insert(person.clone(), record);
    match rule {
        Some(rule) => draft.hold_back(action, rule),
        None => draft.endings.push(action),
    }
}

/// How a member is remembered.
pub(super) fn seen_as(member: &ObservedMember) -> Seen {
    match member.state {
        _ if member.agency => Seen::Agency,
        MemberState::Trimmed => Seen::Trimmed,
        MemberState::Active | MemberState::Unknown => Seen::Member,
    }
}

/// True if an agency is where the record has a person, or a person where it has an agency: what we
/// declared is gone, and what is there is not ours.
pub(super) fn is_of_another(
    observed: &Observed,
    person: &MemberKey,
    record: &PersonRecord,
) -> bool {
    let member = observed.members.get(person);
    member.is_some_and(|member| member.agency != (record.seen == Seen::Agency))
}

/// The record of someone that the ledger knows nothing of.
pub(super) fn unknown(now: Timestamp) -> PersonRecord {
    PersonRecord {
        first_seen: now,
        declared_by: None,
        owned: false,
        seen: Seen::Never,
        epoch: 0,
        opted_out: false,
        lost: false,
        renamed: false,
        parted: false,
        deletion_policy: DeletionPolicy::Revoke,
        held: false,
        paid: None,
        ownership: Ownership::None,
        mails: MailRecord::default(),
    }
}
