//! What a run leaves in the ledger, on values: a model of the ledger's own writes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use seatkeeper::domain::identity::EmailAddress;
use seatkeeper::domain::keys::{InstallationId, RequestKey};
use seatkeeper::domain::ledger_view::{HoldRecord, LedgerView, OpenSend, Seen, Spend};
use seatkeeper::domain::observed::{Claim, InvitationState};
use seatkeeper::plan::action::Action;
use seatkeeper::plan::simulate::simulate;
use seatkeeper::plan::{Approval, Learn, Plan};

use super::generate::World;

/// For how long a key is repeated.
const KEY_LASTS: SignedDuration = SignedDuration::from_hours(23);

/// The write of the head that opens the wave: budgets, approval, hold, keys.
pub fn write_head(world: &mut World, plan: &Plan, round: usize) {
    let Learn { records: _, forget_absent: _, baseline, hold, approval, claim: _, brake_spent } =
        &plan.learn;
    let (ledger, now) = (&mut world.ledger, world.now);
    ledger.installation = Some(installation());
    ledger.pinned_account = Some(world.observed.account.key.clone());
    ledger.baseline = baseline.or(ledger.baseline);
    if let Some(hold) = hold {
        ledger.hold = hold.clone().map(|(digest, allowed)| HoldRecord { digest, allowed });
    }
    match approval {
        Approval::None => {}
        Approval::Seen(digest) => ledger.approval_seen = Some((digest.clone(), now)),
        Approval::Used(_) | Approval::Lapsed(_) => ledger.hold_number += 1,
    }
    if *brake_spent > 0 {
        ledger.brake_spent.push(Spend { at: now, count: *brake_spent });
    }
    let sends = new_sends(plan, round, world.now);
    if !sends.is_empty() {
        let count = u32::try_from(sends.len()).unwrap();
        world.ledger.mails_sent.push(Spend { at: world.now, count });
    }
    world.ledger.open_sends.extend(sends);
}

fn new_sends(plan: &Plan, round: usize, now: jiff::Timestamp) -> BTreeMap<EmailAddress, OpenSend> {
    let sends = plan.actions.iter().filter_map(|action| match action {
        Action::Invite { person, role, epoch, key: None } => {
            let (role, epoch, not_after) = (role.clone(), *epoch, now + KEY_LASTS);
            let key = RequestKey(format!("{round}-{person}"));
            Some((person.clone(), OpenSend { key, role, epoch, not_after }))
        }
        _ => None,
    });
    sends.collect()
}

/// The write of the pages, before the first send. What an invitation changes of its person counts
/// only once the outcome is known (see [`close_send`]).
pub fn write_pages(world: &mut World, plan: &Plan) {
    let World { desired, observed, ledger, .. } = world;
    let LedgerView { people, open_sends, .. } = ledger;
    let invites = plan.actions.iter().filter(|a| matches!(a, Action::Invite { .. }));
    let inviting: BTreeSet<_> = invites.map(Action::person).collect();
    for (person, record) in &plan.learn.records {
        let mut record = record.clone();
        if let Some(known) = people.get(person).filter(|_| inviting.contains(person)) {
            (record.seen, record.epoch, record.paid) = (known.seen, known.epoch, known.paid);
            (record.opted_out, record.lost) = (known.opted_out, known.lost);
        }
        people.insert(person.clone(), record);
    }
    if plan.learn.forget_absent {
        people.retain(|person, _| {
            desired.people.contains_key(person)
                || desired.frozen.contains(person)
                || observed.members.contains_key(person)
                || observed.invitations.contains_key(person)
                || open_sends.contains_key(person)
        });
    }
}

/// The outcome of a send is known: the person was invited in that epoch.
pub fn close_send(ledger: &mut LedgerView, person: &EmailAddress) {
    let Some(send) = ledger.open_sends.remove(person) else { return };
    if let Some(record) = ledger.people.get_mut(person) {
        (record.seen, record.epoch, record.paid) = (Seen::Invited, send.epoch, None);
        (record.opted_out, record.lost) = (false, false);
    }
}

/// Drops the sends that a look answers.
pub fn settle_sends(world: &mut World) {
    let World { observed, ledger, .. } = world;
    let sent = ledger.open_sends.iter().map(|(person, send)| (person, send.not_after - KEY_LASTS));
    let answered = sent.filter(|(person, at)| {
        let invitation = observed.invitations.get(*person);
        observed.members.contains_key(*person)
            || invitation
                .is_some_and(|row| row.state == InvitationState::Pending || row.created_at >= *at)
    });
    let answered: Vec<_> = answered.map(|(person, _)| person.clone()).collect();
    for person in answered {
        close_send(ledger, &person);
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
        close_send(&mut world.ledger, action.person());
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
