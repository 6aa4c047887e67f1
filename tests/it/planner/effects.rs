//! What a run leaves in the ledger, on values: a model of the ledger's own writes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::keys::{ETag, InstallationId, RequestKey, RoleName, TeamId};
use seatkeeper::domain::ledger_view::{Cause, LedgerView, OpenSend, Seen, Spend};
use seatkeeper::domain::observed::{Claim, InvitationState, Observed};
use seatkeeper::domain::teams::{ObservedTeam, TeamState};
use seatkeeper::plan::action::{Action, InvitationRow};
use seatkeeper::plan::simulate::{recount, simulate};
use seatkeeper::plan::teams::TeamAction;
use seatkeeper::plan::{Approval, Learn, Plan};

use super::generate::World;

/// For how long a key is repeated.
const KEY_LASTS: SignedDuration = SignedDuration::from_hours(23);

/// The write of the head that opens the wave: budgets, approval, hold, keys.
pub fn write_head(world: &mut World, plan: &Plan, round: usize) {
    let Learn {
        records: _,
        forget_absent: _,
        baseline,
        hold,
        approval,
        claim: _,
        brake_spent,
        brake_ahead,
        teams,
        declared_as: _,
    } = &plan.learn;
    let (ledger, now) = (&mut world.ledger, world.now);
    ledger.installation = Some(installation());
    ledger.pinned_account = Some(world.observed.account.key.clone());
    ledger.baseline = baseline.or(ledger.baseline);
    if let Some(hold) = hold {
        ledger.hold = hold.clone();
    }
    if let Some(teams) = teams {
        ledger.teams = teams.clone();
    }
    match approval {
        Approval::None => {}
        Approval::Seen(digest) => ledger.approval_seen = Some((digest.clone(), now)),
        Approval::Used(_) | Approval::Lapsed(_) => ledger.hold_number += 1,
    }
    if *brake_spent > 0 {
        ledger.brake_spent.push(Spend { at: now, count: *brake_spent });
    }
    if *brake_ahead > 0 {
        ledger.brake_ahead.push(Spend { at: now, count: *brake_ahead });
    }
    let sends = new_sends(plan, round, world.now);
    if !sends.is_empty() {
        let count = u32::try_from(sends.len()).unwrap();
        world.ledger.mails_sent.push(Spend { at: world.now, count });
    }
    world.ledger.open_sends.extend(sends);
}

fn new_sends(plan: &Plan, round: usize, now: Timestamp) -> BTreeMap<MemberKey, OpenSend> {
    let sends = plan.actions.iter().filter_map(|action| match action {
        Action::Invite { person, role, cause, key: None, .. } => {
            Some(new_send(person, role, *cause, None, round, now))
        }
        Action::Resend { person, role, cause, key: None, invitation } => {
            Some(new_send(person, role, *cause, Some(invitation), round, now))
        }
        Action::ChangeOwner { person, role, cause, key: None, .. } => {
            let (person, send) = new_send(person, role, *cause, None, round, now);
            Some((person, OpenSend { for_owner: true, ..send }))
        }
        _ => None,
    });
    sends.collect()
}

fn new_send(
    person: &MemberKey,
    role: &RoleName,
    cause: Cause,
    resend: Option<&InvitationRow>,
    round: usize,
    now: Timestamp,
) -> (MemberKey, OpenSend) {
    let (role, not_after) = (role.clone(), now + KEY_LASTS);
    let key = RequestKey(format!("{round}-{person}"));
    let resend = resend.map(|row| (row.id.clone(), row.sent));
    (person.clone(), OpenSend { key, role, cause, resend, for_owner: false, not_after })
}

/// The write of the pages, before the first send. What an invitation changes of its person counts
/// only once the outcome is known (see [`close_send`]).
pub fn write_pages(world: &mut World, plan: &Plan) {
    for action in plan.actions.iter().filter(|action| action.invitation_mail().is_some()) {
        world.called.insert(action.person().clone(), world.now);
    }
    let World { desired, observed, ledger, .. } = world;
    let LedgerView { people, open_sends, declared_as, .. } = ledger;
    let invites = plan.actions.iter().filter(|a| a.invitation_mail().is_some());
    let inviting: BTreeSet<_> = invites.map(Action::person).collect();
    for (person, record) in &plan.learn.records {
        let mut record = record.clone();
        if let Some(known) = people.get(person).filter(|_| inviting.contains(person)) {
            (record.seen, record.epoch, record.paid) = (known.seen, known.epoch, known.paid);
            (record.opted_out, record.lost) = (known.opted_out, known.lost);
            (record.mails, record.ownership) = (known.mails.clone(), known.ownership);
        }
        people.insert(person.clone(), record);
    }
    for (row, person) in &plan.learn.declared_as {
        match person {
            Some(person) => declared_as.insert(row.clone(), person.clone()),
            None => declared_as.remove(row),
        };
    }
    declared_as.retain(|row, _| people.get(row).is_some_and(|record| record.owned));
    if plan.learn.forget_absent {
        people.retain(|person, _| {
            let known = declared_as.get(person);
            known.is_some_and(|declared| desired.is_frozen_somewhere(declared))
                || desired.people.contains_key(person)
                || desired.absent.contains_key(person)
                || desired.frozen.contains(person)
                || observed.members.contains_key(person)
                || observed.invitations.contains_key(person)
                || open_sends.contains_key(person)
        });
    }
}

/// The outcome of a send is known: the person was mailed for that cause, at the time of the last
/// call.
pub fn close_send(world: &mut World, person: &MemberKey) {
    let Some(send) = world.ledger.open_sends.remove(person) else { return };
    let at = world.called.get(person).copied().unwrap_or(send.not_after - KEY_LASTS);
    if let Some(record) = world.ledger.people.get_mut(person) {
        *record = match send.for_owner {
            true => record.asked_owner(send.cause, at),
            false => record.mailed(send.cause, at),
        };
    }
}

/// Drops the sends that a look answers.
pub fn settle_sends(world: &mut World) {
    let World { observed, ledger, now, .. } = world;
    let answered = ledger.open_sends.iter().filter(|(person, send)| {
        if send.for_owner {
            return is_owner_answered(observed, person, send, *now);
        }
        let row = observed.invitations.get(*person);
        observed.members.contains_key(*person)
            || row.is_some_and(|row| match &send.resend {
                Some((id, sent)) => row.id != *id || row.sent > *sent,
                None => {
                    let at = send.not_after - KEY_LASTS;
                    row.state == InvitationState::Pending || row.created_at >= at
                }
            })
    });
    let answered: Vec<_> = answered.map(|(person, _)| person.clone()).collect();
    for person in answered {
        close_send(world, &person);
    }
}

/// True if a look answers the question for an owner, or it can no longer arrive.
pub fn is_owner_answered(
    observed: &Observed,
    person: &MemberKey,
    send: &OpenSend,
    now: Timestamp,
) -> bool {
    let rows = observed.ownership_changes.iter().flatten();
    let mut places = observed.members.iter().filter(|(key, _)| key.person == person.person);
    let answered = places.any(|(_, member)| {
        let mut rows = rows.clone().filter(|row| row.member == member.id);
        member.role.known() == Some(&send.role)
            || rows.any(|row| row.state.is_open() || row.created_at >= send.not_after - KEY_LASTS)
    });
    send.for_owner && (answered || now >= send.not_after)
}

/// Runs a plan to its end; every outcome is known.
pub fn run(world: &mut World, plan: &Plan, round: usize) {
    write_head(world, plan, round);
    write_pages(world, plan);
    if plan.learn.claim {
        claim(world);
    }
    plan.teams.actions.iter().for_each(|action| change_team(world, action));
    world.observed = simulate(&world.observed, &plan.actions, &world.profile, world.now);
    for action in &plan.actions {
        close_send(world, action.person());
        if matches!(action, Action::Add { .. }) {
            added(world, action.person());
        }
    }
    world.bind();
}

/// A person was added at once: who is gone later left.
pub fn added(world: &mut World, person: &MemberKey) {
    if let Some(record) = world.ledger.people.get_mut(person) {
        record.seen = Seen::Member;
    }
}

/// Does to a team, or to the account, what the service would.
pub fn change_team(world: &mut World, action: &TeamAction) {
    let (teams, account) = (&mut world.observed.teams, &mut world.observed.account);
    match action {
        TeamAction::Create { reference, name, subscription } => {
            let state = if subscription.is_some() { TeamState::Active } else { TeamState::Pending };
            let team = ObservedTeam {
                etag: ETag::from("1"),
                name: name.clone(),
                reference: Some(reference.clone()),
                subscription: subscription.clone(),
                state,
            };
            teams.insert(TeamId(format!("team_{}", reference.as_str().replace('/', "_"))), team);
        }
        TeamAction::Edit { id, name, subscription, .. } => {
            let team = teams.get_mut(id).expect("a team that was seen");
            if let Some((_, name)) = name {
                team.name.clone_from(name);
            }
            if let Some(subscription) = subscription {
                (team.subscription, team.state) = (Some(subscription.clone()), TeamState::Active);
            }
        }
        TeamAction::SecureSignIn { required, .. } => account.secure_sign_in = *required,
    }
    recount(&mut world.observed, &world.profile);
}

/// Puts our claim on the account.
pub fn claim(world: &mut World) {
    let (installation, fingerprint) = (installation(), "file".into());
    world.observed.account.claim = Some(Claim { installation, fingerprint });
}

fn installation() -> InstallationId {
    InstallationId::from("inst_ours")
}
