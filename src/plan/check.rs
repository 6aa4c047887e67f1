//! Invariants of a finished plan, asserted in release builds too: a defect of the planner must
//! not reach a person.

use std::collections::BTreeSet;

use crate::domain::ledger_view::{Ownership, PersonRecord};
use crate::domain::observed::MemberState;
use crate::domain::policy::Mode;
use crate::plan::action::{Action, EndCause};
use crate::plan::brake::{budget, fits_ahead};
use crate::plan::draft::{Draft, is_absence, price};
use crate::plan::guards::{ends_role, holders};
use crate::plan::mails::waits;
use crate::plan::members::is_of_another;
use crate::plan::names::Names;
use crate::plan::{Approval, Input, Plan, PlanError, domains, source};

/// Walks the plan once, in order. Time O(n log n).
///
/// # Errors
///
/// [`PlanError::Broken`] with the first invariant that does not hold.
pub(super) fn check(input: &Input<'_>, names: &Names, plan: &Plan) -> Result<(), PlanError> {
    let checks: [(&str, bool); 9] = [
        ("nothing is written in mode Observe", mode_holds(input, plan)),
        ("one action a person", one_each(plan)),
        ("actions are in order", plan.actions.is_sorted_by_key(Action::order)),
        ("only what is ours is taken away", ours_only(input, names, plan)),
        ("who has a declaration that is not valid stays as they are", frozen_stay(input, plan)),
        ("seats are never exceeded", seats_hold(input, names, plan)),
        ("owners never fall below the minimum", owners_stay(input, plan)),
        ("removals stay within the brake", brake_holds(input, names, plan)),
        ("no cause is mailed twice, and nobody too often", mails_hold(input, plan)),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        Some((what, _)) => Err(PlanError::Broken(what)),
        None => Ok(()),
    }
}

fn mode_holds(input: &Input<'_>, plan: &Plan) -> bool {
    let mode = input.policy.mode;
    let adds = |action: &Action| {
        matches!(
            action,
            Action::Add { .. }
                | Action::Approve { .. }
                | Action::Invite { .. }
                | Action::Resend { .. }
                | Action::Reinstate { .. }
        )
    };
    match mode {
        Mode::Observe => plan.actions.is_empty(),
        Mode::Invite => plan.actions.iter().all(adds),
        Mode::Manage | Mode::Exclusive => true,
    }
}

fn one_each(plan: &Plan) -> bool {
    let people: BTreeSet<_> = plan.actions.iter().map(Action::person).collect();
    people.len() == plan.actions.len()
}

fn ours_only(input: &Input<'_>, names: &Names, plan: &Plan) -> bool {
    let ours = |person, record: &PersonRecord| {
        record.owned && !is_of_another(input.observed, person, record)
    };
    let owned = |person| input.ledger.people.get(person).is_some_and(|record| ours(person, record));
    let declared = |person| input.desired.people.contains_key(person);
    plan.actions.iter().all(|action| {
        let person = action.person();
        match action {
            Action::Remove { cause: EndCause::NotOurs, .. }
            | Action::RevokeInvitation { cause: EndCause::NotOurs, .. } => {
                input.policy.mode == Mode::Exclusive
                    && !declared(person)
                    && !domains::counts_as_declared(input, person)
                    && !domains::is_in_question(input, person)
            }
            Action::Remove { cause: EndCause::Absent | EndCause::Ended, .. }
            | Action::RevokeInvitation { cause: EndCause::Absent | EndCause::Ended, .. } => {
                input.desired.absent.contains_key(person) && !declared(person)
            }
            Action::RevokeInvitation { cause: EndCause::Renamed, .. } => {
                names.meant(person).is_some_and(declared)
            }
            Action::Remove { .. }
            | Action::RevokeInvitation { cause: EndCause::NotDeclared, .. } => {
                owned(person) && !declared(person)
            }
            Action::RevokeInvitation { cause: EndCause::SeatShortage, .. }
            | Action::Trim { .. } => {
                (owned(person) || declared(person))
                    && !input.policy.never_trim.contains(&person.person)
            }
            Action::CancelOwnerChange { .. } => {
                let known = input.ledger.people.get(person);
                known.is_some_and(|record| record.ownership == Ownership::Asked)
            }
            Action::ChangeRole { .. }
            | Action::ChangeOwner { .. }
            | Action::ChangeInvitedRole { .. }
            | Action::Reinstate { .. }
            | Action::Resend { .. }
            | Action::Add { .. }
            | Action::Approve { .. }
            | Action::Invite { .. } => declared(person),
        }
    })
}

fn frozen_stay(input: &Input<'_>, plan: &Plan) -> bool {
    plan.actions.iter().all(|action| !input.desired.is_frozen(action.person()))
}

/// At every prefix: what takes a seat finds one (OP-03).
fn seats_hold(input: &Input<'_>, names: &Names, plan: &Plan) -> bool {
    let mut draft = Draft::new(input, names);
    plan.actions.iter().all(|action| {
        let (pool, takes) = (draft.pool_of(action.person()), draft.seats_of(action) > 0);
        draft.act(action.clone());
        !takes || draft.pools.limit(&pool).allows(draft.pools.used(&pool))
    })
}

/// At every prefix: no role falls below its least number of holders (OP-05).
fn owners_stay(input: &Input<'_>, plan: &Plan) -> bool {
    let mut holders = holders(input);
    plan.actions.iter().all(|action| {
        let active = input
            .observed
            .members
            .get(action.person())
            .is_some_and(|member| member.state == MemberState::Active);
        let Some(role) = ends_role(input.observed, action).filter(|_| active) else { return true };
        let least = input.profile.role(&role).map_or(0, |role| role.min_holders);
        let left = holders.entry(role).or_insert(0);
        *left = left.saturating_sub(1);
        least == 0 || *left >= least
    })
}

fn brake_holds(input: &Input<'_>, names: &Names, plan: &Plan) -> bool {
    if matches!(plan.learn.approval, Approval::Used(_)) {
        return true;
    }
    let (allowed, spent) = budget(input);
    let unpaid = plan.actions.iter().filter(|action| {
        let record = input.ledger.people.get(action.person());
        price(action).is_some_and(|price| record.is_none_or(|record| record.paid != Some(price)))
    });
    let unpaid: Vec<&Action> = unpaid.collect();
    let undeclared = unpaid.iter().any(|action| source::is_undeclared(action));
    let emptied = undeclared && source::is_over(input, source::gone(input, names));
    let count = unpaid.len() as u64;
    let ahead = unpaid.iter().all(|action| is_absence(action)) && fits_ahead(input, count);
    unpaid.is_empty() || ahead || (!emptied && spent.saturating_add(count) <= allowed)
}

/// A new key only for a cause that no mail was sent for, and only as often as the caps say; an old
/// key only for what it was drawn for (OP-02).
fn mails_hold(input: &Input<'_>, plan: &Plan) -> bool {
    plan.actions.iter().all(|action| {
        let Some((cause, key)) = action.invitation_mail() else { return true };
        let open = input.ledger.open_sends.get(action.person());
        if key.is_some() {
            return open.is_some_and(|send| Some(&send.key) == key && send.cause == cause);
        }
        let Some(record) = input.ledger.people.get(action.person()) else { return true };
        let known = (record.epoch, record.mails.attempts);
        let open = open.map_or(known, |send| (send.cause.epoch, send.cause.attempt));
        (cause.epoch, cause.attempt) > known.max(open)
            && waits(&record.mails, cause, false, input.now).is_none()
    })
}
