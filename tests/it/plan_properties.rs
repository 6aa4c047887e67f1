//! Properties of every plan, on generated accounts. `PROPTEST_CASES` says how many (256 if unset).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seatkeeper::domain::desired::DeletionPolicy;
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::keys::RoleName;
use seatkeeper::domain::ledger_view::{Paid, PersonRecord};
use seatkeeper::domain::observed::{MemberState, Observed, RoleSeen};
use seatkeeper::domain::policy::Mode;
use seatkeeper::plan::action::Action;
use seatkeeper::plan::simulate::simulate;
use seatkeeper::plan::{Approval, Learn, Plan};

use super::planner::effects::run;
use super::planner::generate::{World, changed, world};
use super::planner::history::{History, rounds};

/// The account before the plan and after each of its actions.
fn steps(world: &World, plan: &Plan) -> Vec<Observed> {
    let World { observed, profile, now, .. } = world;
    let prefixes = (0..=plan.actions.len()).map(|n| &plan.actions[..n]);
    prefixes.map(|actions| simulate(observed, actions, profile, *now)).collect()
}

/// People with access, by role.
fn holders(observed: &Observed) -> BTreeMap<RoleName, u32> {
    let mut holders = BTreeMap::new();
    for row in observed.members.values() {
        if let (MemberState::Active, RoleSeen::Known(role)) = (row.state, &row.role) {
            *holders.entry(role.clone()).or_insert(0) += 1;
        }
    }
    holders
}

/// What of a second plan a first one could not do in the same go: the role of somebody who came
/// back only now, or whose open send had to be repeated as it was; the mail that somebody asked for
/// of one who needed another role or whose open send was repeated first; and all that follows when
/// an owner comes or goes.
fn needed_a_second_go(world: &World, first: &Plan, next: &Plan, action: &Action) -> bool {
    let comes_second = |action: &Action| {
        matches!(
            action,
            Action::ChangeRole { .. } | Action::ChangeInvitedRole { .. } | Action::Resend { .. }
        )
    };
    first.actions.iter().chain(&next.actions).any(|other| match other {
        Action::Reinstate { person, .. }
        | Action::ChangeInvitedRole { person, .. }
        | Action::Resend { person, key: Some(_), .. }
        | Action::Invite { person, key: Some(_), .. } => {
            person == action.person() && comes_second(action)
        }
        Action::ChangeRole { from, to, .. } => {
            [from, to].iter().any(|role| world.profile.is_owner(role))
        }
        _ => false,
    })
}

proptest! {
    // rule: OP-01
    #[test]
    fn a_plan_that_ran_leaves_nothing_to_plan(mut world in world()) {
        let mut first = world.plan()?;
        for round in 0..4 {
            run(&mut world, &first, round);
            let next = world.plan()?;
            let allowed = |plan: &Plan| plan.hold.as_ref().map(|hold| hold.allowed);
            let same_brake = first.hold.is_none() || allowed(&first) == allowed(&next);
            for action in next.actions.iter().filter(|_| same_brake) {
                prop_assert!(needed_a_second_go(&world, &first, &next, action), "{action} was left\n{first:?}");
            }
            first = next;
        }
        prop_assert!(first.actions.is_empty(), "still something to do: {:?}", first.actions);
        if world.policy.mode > Mode::Observe && first.stop.is_none() {
            let quiet = Learn { forget_absent: true, ..Learn::default() };
            prop_assert_eq!(first.learn, quiet, "still something to write");
        }
    }

    #[test]
    fn equal_input_gives_equal_bytes(world in world()) {
        let again = world.clone();
        prop_assert_eq!(format!("{:?}", world.plan()?), format!("{:?}", again.plan()?));
    }

    // rule: OP-06
    #[test]
    fn what_we_do_not_own_does_not_change(world in world()) {
        let plan = world.plan()?;
        let after = steps(&world, &plan).pop().expect("at least the start");
        let World { desired, ledger, policy, profile, observed, .. } = &world;
        for person in changed(observed, &after) {
            let declared = desired.people.contains_key(&person);
            let ours = ledger.people.get(&person).is_some_and(|record| record.owned);
            prop_assert!(!desired.frozen.contains(&person), "{person} has an invalid declaration");
            prop_assert!(declared || ours || policy.mode == Mode::Exclusive, "{person} is not ours");
            let Some(row) = observed.members.get(&person) else { continue };
            prop_assert_ne!(row.state, MemberState::Unknown, "{} is not understood", person);
            let RoleSeen::Known(role) = &row.role else {
                prop_assert!(false, "{person} has a role that we do not know");
                continue;
            };
            let protected = profile.role(role).is_some_and(|role| role.protected);
            let grantable = policy.grantable_roles.contains(role);
            prop_assert!(!protected || grantable || ours, "{person} holds the protected {role}");
        }
    }

    // rule: OP-03
    #[test]
    fn seats_never_exceed_the_limit_by_an_action_of_ours(world in world()) {
        let plan = world.plan()?;
        let steps = steps(&world, &plan);
        let limit = world.observed.account.seats.limit;
        for (pair, action) in steps.windows(2).zip(&plan.actions) {
            let (before, after) = (pair[0].account.seats.used, pair[1].account.seats.used);
            prop_assert!(after <= before || limit.allows(after), "{action}: {after} of {limit:?}");
        }
        let last = steps.last().expect("at least the start");
        prop_assert_eq!(plan.seats.after, last.account.seats.used, "the forecast is what happens");
    }

    // rule: OP-05
    #[test]
    fn owners_never_fall_below_the_minimum(world in world()) {
        let plan = world.plan()?;
        let before = holders(&world.observed);
        for (n, step) in steps(&world, &plan).iter().enumerate() {
            let now = holders(step);
            for role in &world.profile.roles {
                let count = |holders: &BTreeMap<_, u32>| holders.get(&role.name).copied().unwrap_or(0);
                let least = role.min_holders.min(count(&before));
                prop_assert!(count(&now) >= least, "{} after {n} of {:?}", role.name, plan.actions);
                let most = role.max_holders.unwrap_or(u32::MAX).max(count(&before));
                prop_assert!(count(&now) <= most, "{} after {n} of {:?}", role.name, plan.actions);
            }
        }
        let caller = world.observed.account.caller.as_ref();
        let robbed = plan.actions.iter().filter(|action| action.takes_away()).any(|action| {
            world.observed.members.get(action.person()).is_some_and(|row| Some(&row.id) == caller)
        });
        prop_assert!(!robbed, "our own identity stays: {:?}", plan.actions);
    }

    // rule: OP-07
    #[test]
    fn a_plan_that_stops_anywhere_stays_within_the_brake(world in world()) {
        let plan = world.plan()?;
        let World { ledger, policy, observed, now, .. } = &world;
        let day_ago = *now - jiff::SignedDuration::from_hours(24);
        let spent: u32 = ledger.brake_spent.iter().filter(|s| s.at > day_ago).map(|s| s.count).sum();
        let people = observed.members.len() + observed.account.seats.pending as usize;
        let rules = &policy.removals;
        let share = (people as u64 * u64::from(rules.max_percent) / 100).min(rules.max_total.into());
        let allowed = share.max(rules.max_count.into());
        let kind = |action: &Action| match action {
            Action::Trim { .. } => Paid::Trim,
            Action::ChangeRole { .. } => Paid::Lower,
            _ => Paid::End,
        };
        let paid = |action: &Action| ledger.people.get(action.person()).and_then(|r| r.paid);
        let takes: Vec<&Action> = plan.actions.iter().filter(|a| a.takes_away()).collect();
        let unpaid = takes.iter().filter(|action| paid(action) != Some(kind(action))).count();
        let approved = matches!(plan.learn.approval, Approval::Used(_));
        prop_assert_eq!(plan.learn.brake_spent as usize, unpaid);
        let within = u64::from(spent) + unpaid as u64 <= allowed;
        prop_assert!(approved || unpaid == 0 || within, "{takes:?}, {spent} spent of {allowed}");
        let counts = |record: &&PersonRecord| {
            let known = record.owned && !record.opted_out && !record.lost;
            known && record.deletion_policy == DeletionPolicy::Revoke && record.paid != Some(Paid::End)
        };
        let is_declared = |person: &MemberKey| {
            world.desired.people.contains_key(person) || world.desired.frozen.contains(person)
        };
        let known = ledger.people.values().filter(counts).count();
        let gone = ledger.people.iter().filter(|(person, _)| !is_declared(person));
        let gone = gone.map(|(_, record)| record).filter(counts).count();
        let emptied = gone > rules.max_count as usize && 2 * gone > known;
        let undeclared = |action: &&&Action| {
            let ours = ledger.people.get(action.person()).is_some_and(|record| record.owned);
            ours && kind(action) == Paid::End && !is_declared(action.person())
                && paid(action) != Some(Paid::End)
        };
        let ended = takes.iter().filter(undeclared).count();
        prop_assert!(approved || !emptied || ended == 0, "{gone} of {known} are gone: {takes:?}");
        let released = ledger.hold.as_ref().is_none_or(|hold| match hold.emptied_under {
            Some(under) => under < rules.max_count,
            None => hold.allowed < allowed,
        });
        let was_held = |action: &&Action| ledger.people.get(action.person()).is_some_and(|r| r.held);
        prop_assert!(approved || released || !takes.iter().any(was_held), "held stays held");
    }

    #[test]
    fn nobody_is_acted_on_twice_and_the_mode_is_kept(world in world()) {
        let plan = world.plan()?;
        let people: BTreeSet<&MemberKey> = plan.actions.iter().map(Action::person).collect();
        prop_assert_eq!(people.len(), plan.actions.len());
        let adds = |a: &Action| {
            matches!(a, Action::Invite { .. } | Action::Resend { .. } | Action::Reinstate { .. })
        };
        match world.policy.mode {
            Mode::Observe => prop_assert!(plan.actions.is_empty() && plan.learn == Learn::default()),
            Mode::Invite => prop_assert!(plan.actions.iter().all(adds)),
            Mode::Manage | Mode::Exclusive => {}
        }
    }

    // rule: OP-02
    #[test]
    fn one_person_never_gets_two_mails_for_one_cause(world in world(), rounds in rounds()) {
        let mut history = History::of(world);
        for (number, round) in rounds.iter().enumerate() {
            history.play(round, number);
            prop_assert!(history.wrong.is_empty(), "round {number}: {:?}", history.wrong);
        }
    }
}
