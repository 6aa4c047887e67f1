//! What a run leaves in the ledger, on values: a model of the ledger's own writes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::keys::{InstallationId, RequestKey, RoleName};
use seatkeeper::domain::ledger_view::{Cause, LedgerView, OpenSend, Spend};
use seatkeeper::domain::observed::{Claim, InvitationState};
use seatkeeper::plan::action::{Action, InvitationRow};
use seatkeeper::plan::simulate::simulate;
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
        teams: _,
    } = &plan.learn;
    let (ledger, now) = (&mut world.ledger, world.now);
    ledger.installation = Some(installation());
    ledger.pinned_account = Some(world.observed.account.key.clone());
    ledger.baseline = baseline.or(ledger.baseline);
    if let Some(hold) = hold {
        ledger.hold = hold.clone();
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
    let LedgerView { people, open_sends, .. } = ledger;
    let invites = plan.actions.iter().filter(|a| a.invitation_mail().is_some());
    let inviting: BTreeSet<_> = invites.map(Action::person).collect();
    for (person, record) in &plan.learn.records {
        let mut record = record.clone();
        if let Some(known) = people.get(person).filter(|_| inviting.contains(person)) {
            (record.seen, record.epoch, record.paid) = (known.seen, known.epoch, known.paid);
            (record.opted_out, record.lost) = (known.opted_out, known.lost);
            record.mails = known.mails.clone();
        }
        people.insert(person.clone(), record);
    }
    if plan.learn.forget_absent {
        people.retain(|person, _| {
            desired.people.contains_key(person)
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
        *record = record.mailed(send.cause, at);
    }
}

/// Drops the sends that a look answers.
pub fn settle_sends(world: &mut World) {
    let World { observed, ledger, .. } = world;
    let answered = ledger.open_sends.iter().filter(|(person, send)| {
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

/// Runs a plan to its end; every outcome is known.
pub fn run(world: &mut World, plan: &Plan, round: usize) {
    write_head(world, plan, round);
    write_pages(world, plan);
    if plan.learn.claim {
        claim(world);
    }
    world.observed = simulate(&world.observed, &plan.actions, &world.profile, world.now);
    for action in &plan.actions {
        close_send(world, action.person());
    }
}

/// Puts our claim on the account.
pub fn claim(world: &mut World) {
    let (installation, fingerprint) = (installation(), "file".into());
    world.observed.account.claim = Some(Claim { installation, fingerprint });
}

fn installation() -> InstallationId {
    InstallationId::from("inst_ours")
}
