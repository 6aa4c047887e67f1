//! Properties of every plan, on generated accounts. `PROPTEST_CASES` says how many (256 if unset).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seatkeeper::domain::desired::DeletionPolicy;
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::keys::{RoleName, SubscriptionId};
use seatkeeper::domain::ledger_view::{Paid, PersonRecord};
use seatkeeper::domain::observed::{MemberState, Observed, RoleSeen, SeatLimit};
use seatkeeper::domain::policy::Mode;
use seatkeeper::plan::action::{Action, EndCause};
use seatkeeper::plan::simulate::simulate;
use seatkeeper::plan::teams::TeamAction;
use seatkeeper::plan::{Approval, Learn, Plan, Rule};
use seatkeeper::profile::KnownUser;

use super::planner::effects::{change_team, run};
use super::planner::generate::{World, changed, world};
use super::planner::history::{History, rounds};

/// The account before the plan and after each of its actions: those on teams, then those on people.
fn steps(world: &World, plan: &Plan) -> Vec<Observed> {
    let mut world = world.clone();
    let mut steps = vec![world.observed.clone()];
    for action in &plan.teams.actions {
        change_team(&mut world, action);
        steps.push(world.observed.clone());
    }
    let World { observed, profile, now, .. } = &world;
    let prefixes = (1..=plan.actions.len()).map(|n| &plan.actions[..n]);
    steps.extend(prefixes.map(|actions| simulate(observed, actions, profile, *now)));
    steps
}

/// Seats of each pool: the limit, and those in use. Those of the account, where it has no others.
fn pools(observed: &Observed) -> BTreeMap<Option<SubscriptionId>, (SeatLimit, u32)> {
    let seats = &observed.account.seats;
    if seats.pools.is_empty() {
        return BTreeMap::from([(None, (seats.limit, seats.used))]);
    }
    let pools = seats.pools.iter();
    pools.map(|(id, pool)| (Some(id.clone()), (pool.limit, pool.used))).collect()
}

/// The pool that a place counts in.
fn pool_of(observed: &Observed, key: &MemberKey) -> Option<SubscriptionId> {
    observed.teams.get(key.team_id()?)?.subscription.clone()
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
/// of one who needed another role or whose open send was repeated first; what follows a change of a
/// team, a move, or a change of owner that was withdrawn; and all that follows when an owner comes or
/// goes.
fn needed_a_second_go(world: &World, first: &Plan, next: &Plan, action: &Action) -> bool {
    let comes_second = |action: &Action| {
        matches!(
            action,
            Action::ChangeRole { .. }
                | Action::ChangeOwner { .. }
                | Action::ChangeInvitedRole { .. }
                | Action::Resend { .. }
        )
    };
    let teams_first = !first.teams.actions.is_empty();
    // Who moves to another team is in there first, and out of the old one then.
    let moved = |other: &Action| {
        matches!(other, Action::Add { .. }) && other.person().person == action.person().person
    };
    teams_first
        || first.actions.iter().any(moved)
        || first.actions.iter().chain(&next.actions).any(|other| match other {
            // The service has one change of owner at a time.
            Action::CancelOwnerChange { person, .. } => {
                person == action.person() || matches!(action, Action::ChangeOwner { .. })
            }
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
        for round in 0..8 {
            run(&mut world, &first, round);
            let next = world.plan()?;
            let allowed = |plan: &Plan| plan.hold.as_ref().map(|hold| hold.allowed);
            let same_brake = first.hold.is_none() || allowed(&first) == allowed(&next);
            for action in next.actions.iter().filter(|_| same_brake) {
                prop_assert!(needed_a_second_go(&world, &first, &next, action), "{action} was left\n{first:?}");
            }
            first = next;
        }
        prop_assert!(first.is_empty(), "still something to do: {first:?}");
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
            let named = world.person_of(&person);
            let declared =
                desired.people.contains_key(&named) || desired.absent.contains_key(&named);
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
        for (n, pair) in steps.windows(2).enumerate() {
            let before = pools(&pair[0]);
            for (pool, (limit, after)) in pools(&pair[1]) {
                let more = after > before[&pool].1;
                prop_assert!(!more || limit.allows(after), "{n}: {after} of {limit:?} in {pool:?}\n{plan:?}");
            }
        }
        let linked = plan.teams.actions.iter().any(|action| {
            matches!(action, TeamAction::Edit { subscription: Some(_), .. })
        });
        for (pool, (_, used)) in pools(steps.last().expect("at least the start")) {
            let forecast = pool.as_ref().map_or(Some(&plan.seats), |id| plan.pools.get(id));
            let forecast = forecast.map_or(used, |seats| seats.after);
            prop_assert!(linked || forecast == used, "the forecast is what happens");
        }
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
        let absence = |action: &&Action| action.end_cause() == Some(EndCause::Absent);
        let ahead_spent = ledger.brake_ahead.iter().filter(|s| s.at > day_ago);
        let ahead_spent: u32 = ahead_spent.map(|s| s.count).sum();
        let ahead = !within
            && takes.iter().all(absence)
            && ahead_spent as usize + unpaid <= rules.max_count as usize;
        prop_assert!(approved || unpaid == 0 || within || ahead, "{takes:?}, {spent} of {allowed}");
        let counts = |record: &&PersonRecord| {
            let known = record.owned && !record.opted_out && !record.lost;
            known && record.deletion_policy == DeletionPolicy::Revoke && record.paid != Some(Paid::End)
        };
        let is_declared = |person: &MemberKey| {
            let person = &world.person_of(person);
            world.desired.people.contains_key(person)
                || world.desired.absent.contains_key(person)
                || world.desired.frozen.contains(person)
        };
        let known = ledger.people.values().filter(counts).count();
        let gone = ledger.people.iter().filter(|(person, _)| !is_declared(person));
        let gone = gone.map(|(_, record)| record).filter(counts).count();
        let emptied = gone > rules.max_count as usize && 2 * gone > known;
        let undeclared = |action: &&&Action| {
            let cause = action.end_cause();
            cause == Some(EndCause::NotDeclared) && paid(action) != Some(Paid::End)
        };
        let ended = takes.iter().filter(undeclared).count();
        prop_assert!(approved || !emptied || ended == 0, "{gone} of {known} are gone: {takes:?}");
        let released = ledger.hold.as_ref().is_none_or(|hold| match hold.emptied_under {
            Some(under) => under < rules.max_count,
            None => hold.allowed < allowed,
        });
        let was_held = |action: &&Action| ledger.people.get(action.person()).is_some_and(|r| r.held);
        let held = takes.iter().copied().filter(|action| !absence(action)).any(|a| was_held(&a));
        prop_assert!(approved || released || !held, "held stays held");
    }

    /// Who is declared absent loses only, if not by that then for want of a seat; `neverTrim` spares from trims; who goes first of those that
    /// are new has the higher priority.
    #[test]
    fn who_must_not_be_there_is_never_let_in_and_priority_goes_first(world in world()) {
        let plan = world.plan()?;
        let World { desired, policy, .. } = &world;
        for action in &plan.actions {
            if desired.absent.contains_key(action.person()) {
                let cause = action.end_cause();
                let by_declaration = matches!(cause, Some(EndCause::Absent | EndCause::Ended));
                let cancels = matches!(action, Action::CancelOwnerChange { .. });
                let ends = by_declaration || cancels || cause == Some(EndCause::SeatShortage);
                prop_assert!(ends, "{action}");
            }
            let spared = policy.never_trim.contains(&action.person().person);
            prop_assert!(!spared || action.end_cause() != Some(EndCause::SeatShortage), "{action}");
        }
        // Who is invited under an earlier address keeps the place.
        let kept = |key: &MemberKey| {
            world.observed.invitations.keys().any(|row| row != key && world.person_of(row) == *key)
        };
        let new = |action: &&Action| {
            matches!(action, Action::Invite { key: None, .. }) && !kept(action.person())
        };
        let priority = |action: &Action| desired.people[action.person()].priority;
        for pool in pools(&world.observed).into_keys() {
            let of_pool = |action: &&Action| pool_of(&world.observed, action.person()) == pool;
            let invited: Vec<i32> =
                plan.actions.iter().filter(new).filter(of_pool).map(priority).collect();
            prop_assert!(invited.is_sorted_by(|a, b| a >= b), "{invited:?}");
            let queued = plan.held.iter().filter(|held| held.rule == Rule::SeatLimit);
            let queued = queued.map(|held| &held.action).filter(new).filter(of_pool);
            let (queued, last) = (queued.map(priority).max(), invited.last().copied());
            prop_assert!(queued.is_none_or(|queued| last.is_none_or(|last| last >= queued)));
        }
    }

    #[test]
    fn nobody_is_acted_on_twice_and_the_mode_is_kept(world in world()) {
        let plan = world.plan()?;
        let people: BTreeSet<&MemberKey> = plan.actions.iter().map(Action::person).collect();
        prop_assert_eq!(people.len(), plan.actions.len());
        let adds = |a: &Action| {
            matches!(
                a,
                Action::Invite { .. }
                    | Action::Add { .. }
                    | Action::Resend { .. }
                    | Action::Reinstate { .. }
            )
        };
        let alone = |a: &&Action| matches!(a, Action::Invite { key: None, .. });
        if world.profile.invitations.known_user == KnownUser::AddAtOnce {
            let invited: Vec<_> = plan.actions.iter().filter(alone).map(Action::person).collect();
            let addresses: BTreeSet<_> = invited.iter().map(|key| &key.person).collect();
            prop_assert_eq!(addresses.len(), invited.len(), "one invitation is enough");
        }
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
