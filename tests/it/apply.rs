//! `apply`: what it writes, in which order, and that no kill, loss or refusal sends a mail twice.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use seatkeeper::apply::{ApplyError, NotRun, Outcome};
use seatkeeper::backend::BackendError;
use seatkeeper::domain::desired::Desired;
use seatkeeper::domain::keys::{AccountKey, MemberId, ResendMark};
use seatkeeper::domain::observed::{InvitationState, MemberState, RoleSeen, SeatLimit};
use seatkeeper::ledger::{Fault, Ledger, LedgerError, Part, Step};
use seatkeeper::plan::State;
use seatkeeper::plan::action::Action;

use crate::world::{
    RETENTION, Trouble, World, address, declare, declare_as, member, outcomes, people, unreachable,
};

fn refused() -> BackendError {
    BackendError::Rejected { code: "role-not-invitable".into() }
}

fn failed() -> BackendError {
    BackendError::Failed { status: 502 }
}

fn limited() -> BackendError {
    BackendError::RateLimited { wait: Duration::from_secs(30) }
}

/// Runs until nothing is left to do; five runs are enough for anything.
async fn settle(world: &World, desired: &Desired) {
    for _ in 0..5 {
        world.run_through(desired).await;
    }
}

/// Head writes and page writes of a first run with so many people.
async fn writes(n: usize) -> (u64, u64) {
    let world = World::new();
    let report = world.run_through(&declare(&people(n))).await;
    assert!(report.is_complete());
    assert_eq!(world.service.all_mails(), n);
    (report.writes.head, report.writes.pages)
}

#[tokio::test]
async fn head_writes_are_the_waves_and_one() {
    assert_eq!(writes(1).await, (2, 1));
    assert_eq!(writes(64).await, (2, 1));
    assert_eq!(writes(65).await, (3, 1));
    assert_eq!(writes(1_000).await, (17, 1));
}

#[tokio::test]
async fn a_plan_with_nothing_to_do_and_nothing_to_learn_writes_nothing() {
    let world = World::new();
    let desired = declare(&people(3));
    world.run_through(&desired).await;
    world.service.accept_all();
    let second = world.run_through(&desired).await;
    assert_eq!((second.writes.head, second.writes.pages), (0, 1), "the acceptances are noted");
    assert!(second.outcomes.is_empty());
    let before = world.store.written().len();
    let third = world.run_through(&desired).await;
    assert_eq!((third.writes.head, third.writes.pages), (0, 0));
    assert_eq!(world.store.written().len(), before);
}

#[tokio::test]
async fn a_look_after_the_run_finds_nothing_new() {
    let world = World::new();
    let desired = declare(&people(70));
    let first = world.run_through(&desired).await;
    assert_eq!(first.after, world.service.observed(), "the report says what is there");
    let second = world.run_through(&desired).await;
    assert_eq!((second.writes.head, second.writes.pages), (0, 0));
}

#[tokio::test]
async fn the_ledger_is_written_before_the_first_call_and_the_claim_comes_before_the_first_send() {
    let world = World::new();
    let report = world.run_through(&declare(&people(1))).await;
    let page = Part::parse("page-01").unwrap();
    assert_eq!(world.store.written(), [Part::Head, page, Part::Head]);
    assert_eq!(world.service.calls(), ["Claim", "Invite p0@example.com"]);
    let claim = world.service.observed().account.claim;
    assert!(claim.is_some());
    assert_eq!(report.after.account.claim, claim);
}

/// Kills a run at each of its points in turn, then runs on until all is settled.
async fn kill_everywhere(n: usize, in_first_run: impl Fn(&World)) {
    let desired = declare(&people(n));
    let world = World::new();
    in_first_run(&world);
    world.kill.arm(0);
    world.run_through(&desired).await;
    let points = world.kill.points();
    assert!(points > 2 * n as u64, "{points} points");
    for at in 1..=points {
        let world = World::new();
        in_first_run(&world);
        world.kill.arm(at);
        assert!(world.run(&desired).await.is_none(), "point {at} was not reached");
        world.kill.arm(0);
        world.service.heal();
        settle(&world, &desired).await;
        for person in people(n) {
            let mails = world.service.mails(&person).len();
            assert_eq!(mails, 1, "{person} got {mails} mails after a kill at point {at}");
        }
        let last = world.run_through(&desired).await;
        assert_eq!((last.writes.head, last.writes.pages), (0, 0), "point {at} never settles");
    }
}

// rule: OP-02
#[tokio::test]
async fn a_run_killed_at_any_point_sends_each_mail_once() {
    kill_everywhere(3, |_| ()).await;
}

// rule: OP-02
#[tokio::test]
async fn a_run_of_several_waves_killed_at_any_point_sends_each_mail_once() {
    kill_everywhere(70, |_| ()).await;
}

// rule: OP-02
#[tokio::test]
async fn a_kill_beside_an_answer_that_is_lost_sends_each_mail_once() {
    let first = &people(1)[0];
    kill_everywhere(3, |world| world.service.trouble(first, Trouble::AnswerLost)).await;
    kill_everywhere(3, |world| world.service.trouble(first, Trouble::Late)).await;
}

// rule: OP-02
#[tokio::test]
async fn what_a_killed_run_sent_and_someone_else_withdrew_is_not_sent_again() {
    let desired = declare(&people(66));
    let world = World::new();
    world.kill.arm(0);
    world.run_through(&desired).await;
    for at in 1..=world.kill.points() {
        let world = World::new();
        world.kill.arm(at);
        assert!(world.run(&desired).await.is_none());
        world.kill.arm(0);
        world.service.change(|observed| observed.invitations.clear());
        // As many vanish as the brake lets a trusted read lose only if both looks agree.
        world.run_through(&desired).await;
        world.wait(SignedDuration::from_mins(1));
        settle(&world, &desired).await;
        for person in people(66) {
            assert_eq!(world.service.mails(&person).len(), 1, "{person}, killed at {at}");
        }
    }
}

/// A run of two waves that is killed before the second is opened.
async fn cut_short() -> (World, Desired) {
    let world = World::new();
    let desired = declare(&people(70));
    let heads = AtomicU64::new(0);
    let full = move |step: Step| match step {
        Step::Write(Part::Head) if heads.fetch_add(1, Ordering::SeqCst) == 1 => Fault::Full,
        _ => Fault::None,
    };
    let store = world.store.with_faults(Arc::new(full));
    world.run_with(&desired, Box::new(store)).await.unwrap().unwrap_err();
    assert_eq!(world.service.all_mails(), 64);
    world.wait(SignedDuration::from_hours(2));
    world.policy.lock().unwrap().invitations_per_hour = Some(2);
    (world, desired)
}

// rule: OP-02
#[tokio::test]
async fn who_had_a_place_in_a_wave_that_was_never_opened_is_invited_later() {
    let (world, desired) = cut_short().await;
    world.kill.arm(0);
    world.run_through(&desired).await;
    let points = world.kill.points();
    for at in 1..=points {
        let (world, desired) = cut_short().await;
        world.kill.arm(at);
        assert!(world.run(&desired).await.is_none());
        world.kill.arm(0);
        for _ in 0..6 {
            world.wait(SignedDuration::from_hours(2));
            world.run_through(&desired).await;
        }
        for person in people(70) {
            assert_eq!(world.service.mails(&person).len(), 1, "{person}, killed at {at}");
        }
    }
}

#[tokio::test]
async fn a_look_that_answers_a_send_in_doubt_ends_the_doubt() {
    let world = World::new();
    let desired = declare(&people(2));
    world.service.trouble(&people(1)[0], Trouble::AnswerLost);
    world.run_through(&desired).await;
    world.service.heal();
    let heads = || {
        let head = world.store.parts().into_iter().find(|sealed| sealed.part == Part::Head);
        head.unwrap().content
    };
    assert!(heads().contains(r#""sends":[{"#));
    settle(&world, &desired).await;
    assert!(heads().contains(r#""sends":[]"#));
    let written = world.store.written().len();
    settle(&world, &desired).await;
    assert_eq!(world.store.written().len(), written);
}

// rule: OP-02
#[tokio::test]
async fn two_kills_in_a_row_send_each_mail_once() {
    let desired = declare(&people(2));
    for first in 1..30 {
        for second in 1..30 {
            let world = World::new();
            world.kill.arm(first);
            let _ = world.run(&desired).await;
            world.kill.arm(second);
            let _ = world.run(&desired).await;
            world.kill.arm(0);
            settle(&world, &desired).await;
            for person in people(2) {
                assert_eq!(world.service.mails(&person).len(), 1, "kills at {first}, {second}");
            }
        }
    }
}

// rule: OP-02
#[tokio::test]
async fn a_send_in_doubt_is_repeated_under_the_same_key_and_role() {
    let world = World::new();
    let ana = address("ana@example.com");
    world.service.trouble(&ana, Trouble::Late);
    let report = world.run_through(&declare(std::slice::from_ref(&ana))).await;
    assert_eq!(outcomes(&report), ["Invite ana@example.com: Unknown Unreachable"]);
    assert!(report.stopped().is_some());
    assert_eq!(world.service.mails(&ana).len(), 0);
    world.service.heal();
    let now_biller = declare_as(std::slice::from_ref(&ana), "biller", 0);
    let report = world.run_through(&now_biller).await;
    assert!(report.is_complete());
    settle(&world, &now_biller).await;
    let mails = world.service.mails(&ana);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].1.as_str(), "developer", "the body of the first call");
    let role = world.service.observed().invitations[&ana].role.clone();
    assert_eq!(role, RoleSeen::Known("biller".into()), "changed in place once it is known");
}

// rule: OP-02
#[tokio::test]
async fn a_send_in_doubt_that_is_too_old_waits_for_a_person() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    world.service.trouble(&ana, Trouble::Says(unreachable));
    world.run_through(&desired).await;
    world.service.heal();
    world.wait(SignedDuration::try_from(RETENTION).unwrap());
    settle(&world, &desired).await;
    assert_eq!(world.service.mails(&ana).len(), 0);
    assert_eq!(
        world.service.calls().len(),
        2,
        "the claim and the first call: {:?}",
        world.service.calls()
    );
}

#[tokio::test]
async fn time_that_passes_between_the_ledger_and_the_call_counts() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    let clock = Arc::clone(&world.clock);
    let sleeps = move |step: Step| {
        if step == Step::Write(Part::Head) {
            clock.fetch_add(RETENTION.as_secs().cast_signed(), Ordering::SeqCst);
        }
        Fault::None
    };
    let store = world.store.with_faults(Arc::new(sleeps));
    let report = world.run_with(&desired, Box::new(store)).await.unwrap().unwrap();
    assert_eq!(outcomes(&report), ["Invite ana@example.com: NotRun InDoubt"]);
    assert_eq!(world.service.all_mails(), 0);
    settle(&world, &desired).await;
    assert_eq!(world.service.all_mails(), 1, "nothing was sent: a new key is safe");
}

#[tokio::test]
async fn a_process_that_slept_past_the_keys_life_does_not_send() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    let mut ledger = Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
    let (plan, observed) = world.plan(&desired, &mut ledger).await;
    world.service.trouble(&ana, Trouble::Says(unreachable));
    world.apply(&mut ledger, &plan, &observed).await.unwrap();
    world.service.heal();
    let mut ledger = Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
    let (plan, observed) = world.plan(&desired, &mut ledger).await;
    world.wait(SignedDuration::try_from(RETENTION).unwrap());
    let report = world.apply(&mut ledger, &plan, &observed).await.unwrap();
    assert_eq!(outcomes(&report), ["Invite ana@example.com: NotRun InDoubt"]);
    assert_eq!(world.service.mails(&ana).len(), 0);
}

// rule: OP-02
#[tokio::test]
async fn an_invitation_that_was_sent_and_vanished_is_not_sent_again() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    world.run_through(&desired).await;
    world.service.change(|observed| observed.invitations.clear());
    settle(&world, &desired).await;
    assert_eq!(world.service.mails(&ana).len(), 1);
    settle(&world, &declare_as(std::slice::from_ref(&ana), "developer", 1)).await;
    assert_eq!(world.service.mails(&ana).len(), 2, "a person asked again");
}

// rule: OP-02
#[tokio::test]
async fn a_declined_invitation_whose_answer_was_lost_is_not_sent_again() {
    let world = World::new();
    let ana = address("ana@example.com");
    world.service.trouble(&ana, Trouble::AnswerLost);
    world.run_through(&declare(std::slice::from_ref(&ana))).await;
    world.service.heal();
    world.service.change(|observed| {
        observed.invitations.get_mut(&ana).unwrap().state = InvitationState::Declined;
    });
    settle(&world, &declare(std::slice::from_ref(&ana))).await;
    assert_eq!(world.service.mails(&ana).len(), 1);
}

#[tokio::test]
async fn who_declined_and_is_asked_for_again_gets_one_mail_for_it_whatever_is_lost() {
    let world = World::new();
    let ana = address("ana@example.com");
    world.run_through(&declare(std::slice::from_ref(&ana))).await;
    world.service.change(|observed| {
        observed.invitations.get_mut(&ana).unwrap().state = InvitationState::Declined;
    });
    settle(&world, &declare(std::slice::from_ref(&ana))).await;
    world.wait(SignedDuration::from_hours(48));
    let again = declare_as(std::slice::from_ref(&ana), "developer", 1);
    world.service.trouble(&ana, Trouble::Says(unreachable));
    world.run_through(&again).await;
    world.run_through(&again).await;
    world.service.heal();
    settle(&world, &again).await;
    assert_eq!(world.service.mails(&ana).len(), 2);
}

#[tokio::test]
async fn a_refusal_of_one_person_stops_nobody_else() {
    let world = World::new();
    let everyone = people(70);
    let desired = declare(&everyone);
    world.service.trouble(&everyone[5], Trouble::Says(refused));
    let report = world.run_through(&desired).await;
    assert!(report.stopped().is_none());
    assert!(!report.is_complete());
    assert_eq!(world.service.all_mails(), 69);
    assert_eq!(report.writes.pages, 2, "the page is set right before the head forgets");
    world.service.heal();
    world.run_through(&desired).await;
    assert_eq!(world.service.mails(&everyone[5]).len(), 1, "tried again once it can work");
    assert_eq!(world.service.all_mails(), 70);
}

#[tokio::test]
async fn a_service_that_fails_for_one_person_stops_nobody_else() {
    let world = World::new();
    let everyone = people(200);
    let desired = declare(&everyone);
    world.service.trouble(&everyone[5], Trouble::Says(failed));
    world.run_through(&desired).await;
    assert_eq!(world.service.all_mails(), 199);
    world.run_through(&desired).await;
    world.service.heal();
    settle(&world, &desired).await;
    assert_eq!(world.service.all_mails(), 200);
}

#[tokio::test]
async fn a_service_that_fails_for_everyone_is_left_alone_after_two_waves() {
    let world = World::new();
    let everyone = people(300);
    let desired = declare(&everyone);
    everyone.iter().for_each(|person| world.service.trouble(person, Trouble::Says(failed)));
    for _ in 0..3 {
        let before = world.service.calls().len();
        let report = world.run_through(&desired).await;
        assert!(world.service.calls().len() - before <= 128 + 1, "two waves and the claim");
        let too_many =
            |outcome: &Outcome| matches!(outcome, Outcome::NotRun(NotRun::TooManyInDoubt));
        assert_eq!(
            report.outcomes.iter().filter(|(_, outcome)| too_many(outcome)).count(),
            300 - 128
        );
    }
    world.service.heal();
    settle(&world, &desired).await;
    for person in &everyone {
        assert_eq!(world.service.mails(person).len(), 1, "{person}");
    }
}

#[tokio::test]
async fn what_stops_a_run_leaves_the_rest_for_the_next() {
    let causes: [fn() -> BackendError; 4] =
        [limited, unreachable, || BackendError::Unauthorized, || BackendError::NoSuchAccount];
    for cause in causes {
        let world = World::new();
        let everyone = people(200);
        let desired = declare(&everyone);
        world.service.trouble(&everyone[70], Trouble::Says(cause));
        let report = world.run_through(&desired).await;
        assert_eq!(report.stopped().unwrap().reason(), cause().reason());
        let begun = world.service.calls().len() - 1;
        assert!(begun < 64 + 64, "{begun} calls begun");
        let not_run = |outcome: &Outcome| matches!(outcome, Outcome::NotRun(NotRun::Stopped));
        let waiting = report.outcomes.iter().filter(|(_, outcome)| not_run(outcome)).count();
        assert_eq!(waiting, 200 - begun);
        assert_eq!(report.writes.head, 3, "two waves were opened");
        world.service.heal();
        settle(&world, &desired).await;
        for person in &everyone {
            assert_eq!(world.service.mails(person).len(), 1, "{person}");
        }
    }
}

// rule: OP-02
#[tokio::test]
async fn a_refusal_of_the_credential_keeps_a_send_in_doubt() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    world.service.trouble(&ana, Trouble::Stuck);
    world.run_through(&desired).await;
    for cause in [limited as fn() -> BackendError, || BackendError::Unauthorized] {
        world.service.trouble(&ana, Trouble::Says(cause));
        world.run_through(&desired).await;
    }
    world.service.heal();
    world.run_through(&desired).await;
    world.service.arrive();
    settle(&world, &desired).await;
    assert_eq!(world.service.mails(&ana).len(), 1, "the first call came last, under the same key");
}

#[tokio::test]
async fn without_a_claim_nothing_runs() {
    let world = World::new();
    let desired = declare(&people(3));
    let stale = || BackendError::Changed { code: "stale".into() };
    world.service.claim_trouble(Trouble::Says(stale));
    let report = world.run_through(&desired).await;
    assert_eq!(report.stopped().unwrap().reason().as_str(), "ChangedMeanwhile");
    assert_eq!(world.service.calls(), ["Claim"]);
    world.service.heal();
    settle(&world, &desired).await;
    assert_eq!(world.service.all_mails(), 3);
}

/// A team of four developers, of whom the plan removes one and invites another.
async fn exchange() -> (World, Desired) {
    let world = World::new();
    world.service.change(|observed| observed.account.seats.limit = SeatLimit::Seats(4));
    world.run_through(&declare(&people(4))).await;
    world.service.accept_all();
    world.run_through(&declare(&people(4))).await;
    let next: Vec<_> = people(5).split_off(1);
    (world, declare(&next))
}

// rule: OP-04
#[tokio::test]
async fn nobody_new_is_invited_before_who_was_trimmed_is_back() {
    let world = World::new();
    world.service.change(|observed| observed.account.seats.limit = SeatLimit::Seats(4));
    world.run_through(&declare(&people(2))).await;
    world.service.accept_all();
    let next = declare(&people(3));
    let first = people(1)[0].clone();
    world.service.change(|observed| {
        observed.members.get_mut(&first).unwrap().state = MemberState::Trimmed;
    });
    world.service.trouble(&first, Trouble::Says(failed));
    let report = world.run_through(&next).await;
    assert_eq!(
        outcomes(&report),
        [
            "Reinstate p0@example.com: Unknown BackendFailed",
            "Invite p2@example.com: NotRun TrimmedMembersWait"
        ]
    );
    world.service.heal();
    settle(&world, &next).await;
    assert_eq!(world.service.mails(&people(3)[2]).len(), 1);
}

// rule: OP-03
#[tokio::test]
async fn nobody_is_invited_to_a_seat_that_was_not_freed() {
    let (world, next) = exchange().await;
    world.service.trouble(&people(1)[0], Trouble::Says(failed));
    let report = world.run_through(&next).await;
    assert_eq!(
        outcomes(&report),
        [
            "Remove p0@example.com: Unknown BackendFailed",
            "Invite p4@example.com: NotRun SeatNotFreed"
        ]
    );
    world.service.heal();
    settle(&world, &next).await;
    assert_eq!(world.service.mails(&people(5)[4]).len(), 1);
    assert_eq!(world.service.observed().account.seats.used, 4);
}

#[tokio::test]
async fn a_removal_that_failed_keeps_nobody_out_while_seats_are_free() {
    let (world, next) = exchange().await;
    world.service.change(|observed| observed.account.seats.limit = SeatLimit::Seats(5));
    world.service.trouble(&people(1)[0], Trouble::Says(refused));
    let report = world.run_through(&next).await;
    assert_eq!(
        outcomes(&report),
        ["Remove p0@example.com: Refused BackendRejected", "Invite p4@example.com: Done"]
    );
    assert_eq!(world.service.observed().account.seats.used, 5);
}

async fn loaded(world: &World) -> Ledger {
    Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap()
}

#[tokio::test]
async fn a_refused_invitation_does_not_use_up_the_mails_of_the_hour() {
    let world = World::new();
    let declared = declare(&people(1));
    world.service.trouble(&people(1)[0], Trouble::Says(refused));
    for _ in 0..3 {
        world.run_through(&declared).await;
    }
    let mut ledger = loaded(&world).await;
    let view = ledger.view(declared.people.keys(), &world.service.observed(), world.now());
    assert_eq!(view.mails_sent.iter().map(|spend| spend.count).sum::<u32>(), 0);
    world.service.heal();
    world.run_through(&declared).await;
    let view =
        loaded(&world).await.view(declared.people.keys(), &world.service.observed(), world.now());
    assert_eq!(view.mails_sent.iter().map(|spend| spend.count).sum::<u32>(), 1);
}

#[tokio::test]
async fn a_removal_killed_at_any_point_ends_and_is_never_taken_for_a_leave() {
    let (world, next) = exchange().await;
    world.kill.arm(0);
    world.run_through(&next).await;
    let points = world.kill.points();
    for at in 1..=points {
        let (world, next) = exchange().await;
        world.kill.arm(at);
        assert!(world.run(&next).await.is_none());
        world.kill.arm(0);
        settle(&world, &next).await;
        let observed = world.service.observed();
        assert!(!observed.members.contains_key(&people(1)[0]), "kill at {at}");
        assert_eq!(world.service.mails(&people(5)[4]).len(), 1, "kill at {at}");
        // Declared again: an end that was ours is not the person's own.
        world.service.change(|observed| observed.account.seats.limit = SeatLimit::Unlimited);
        settle(&world, &declare(&people(5))).await;
        assert_eq!(world.service.mails(&people(1)[0]).len(), 1, "one a day, kill at {at}");
        world.wait(SignedDuration::from_hours(24));
        settle(&world, &declare(&people(5))).await;
        assert_eq!(world.service.mails(&people(1)[0]).len(), 2, "kill at {at}");
    }
}

// rule: OP-07
#[tokio::test]
async fn removals_are_paid_before_they_run_and_count_in_the_window() {
    let world = World::new();
    let everyone = people(6);
    world.run_through(&declare(&everyone)).await;
    world.service.accept_all();
    world.run_through(&declare(&everyone)).await;
    let report = world.run_through(&declare(&everyone[2..])).await;
    assert_eq!((report.writes.head, report.writes.pages), (2, 1));
    assert_eq!(outcomes(&report).len(), 2);
    // Two of three are spent: two more are held, and no rerun changes that.
    for _ in 0..3 {
        world.run_through(&declare(&everyone[4..])).await;
    }
    assert_eq!(world.service.observed().members.len(), 1 + 4);
}

// rule: OP-07
#[tokio::test]
async fn a_removal_that_was_paid_and_failed_is_not_paid_again() {
    let world = World::new();
    let everyone = people(4);
    world.run_through(&declare(&everyone)).await;
    world.service.accept_all();
    world.run_through(&declare(&everyone)).await;
    let next = declare(&everyone[3..]);
    for person in &everyone[..3] {
        world.service.trouble(person, Trouble::Says(failed));
    }
    world.run_through(&next).await;
    world.service.heal();
    world.run_through(&next).await;
    assert_eq!(world.service.observed().members.len(), 2, "the owner and the last");
}

#[tokio::test]
async fn a_run_that_was_faster_leaves_the_slower_one_nothing_to_send() {
    let world = World::new();
    let desired = declare(&people(3));
    let mut slow = Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
    let (plan, observed) = world.plan(&desired, &mut slow).await;
    world.run_through(&desired).await;
    let calls = world.service.calls().len();
    let error = world.apply(&mut slow, &plan, &observed).await.unwrap_err();
    assert!(matches!(error, ApplyError::Conflict(_)), "{error:?}");
    assert_eq!(world.service.calls().len(), calls, "nothing was called");
    assert_eq!(world.service.all_mails(), 3);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_sends_nothing() {
    let world = World::new();
    let desired = declare(&people(3));
    let full = |step: Step| if matches!(step, Step::Write(_)) { Fault::Full } else { Fault::None };
    let store = world.store.with_faults(Arc::new(full));
    let error = world.run_with(&desired, Box::new(store)).await.unwrap().unwrap_err();
    assert!(matches!(error, ApplyError::Ledger(LedgerError::Write { .. })), "{error:?}");
    assert!(world.service.calls().is_empty());
    assert!(world.store.parts().is_empty());
}

#[tokio::test]
async fn a_ledger_of_another_account_is_refused() {
    let world = World::new();
    let desired = declare(&people(1));
    world.run_through(&desired).await;
    let other = Ledger::load(Box::new(world.store.clone()), &"bakery".into()).await.unwrap_err();
    assert!(matches!(other, LedgerError::OtherAccount { .. }), "{other:?}");
    assert!(Ledger::load(Box::new(world.store.clone()), &"acc_1".into()).await.is_ok());
    // The service answers for another account: nothing is sent or learned.
    world.service.change(|observed| observed.account.key = AccountKey::from("acc_2"));
    let written = world.store.written().len();
    let report = world.run_through(&declare(&people(2))).await;
    assert!(report.outcomes.is_empty());
    assert_eq!(world.store.written().len(), written);
}

#[tokio::test]
async fn keys_never_stand_in_debug_output() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    world.service.trouble(&ana, Trouble::AnswerLost);
    world.run_through(&desired).await;
    let (key, _) = &world.service.mails(&ana)[0];
    let mut ledger = Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
    world.service.heal();
    world.service.change(|observed| observed.invitations.clear());
    let (plan, observed) = world.plan(&desired, &mut ledger).await;
    let repeats = |action: &Action| matches!(action, Action::Invite { key: Some(_), .. });
    assert!(plan.actions.iter().all(repeats) && !plan.actions.is_empty());
    let view = ledger.view(desired.people.keys(), &observed, world.now());
    let report = world.apply(&mut ledger, &plan, &observed).await.unwrap();
    for text in
        [format!("{plan:?}"), format!("{view:?}"), format!("{ledger:?}"), format!("{report:?}")]
    {
        assert!(!text.contains(key.as_str()), "a key in {text}");
    }
}

#[tokio::test]
async fn an_owner_is_not_lowered_while_the_new_one_was_not_raised() {
    let world = World::new();
    let report_of = |actions: Vec<Action>| {
        let world = &world;
        async move {
            let mut ledger =
                Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
            let (mut plan, observed) = world.plan(&declare(&[]), &mut ledger).await;
            plan.actions = actions;
            world.apply(&mut ledger, &plan, &observed).await.unwrap()
        }
    };
    let cyd = address("cyd@example.com");
    let owner = address("owner@example.com");
    world.service.change(|observed| {
        let at = observed.members[&owner].added_at;
        let id = MemberId("mem_cyd".into());
        observed.members.insert(cyd.clone(), member(id, RoleSeen::Known("admin".into()), at));
    });
    world.service.trouble(&cyd, Trouble::Says(refused));
    let change = |person: &_, from: &str, to: &str, direction| Action::ChangeRole {
        person: seatkeeper::domain::identity::MemberKey::clone(person),
        member: seatkeeper::plan::action::MemberRow {
            id: MemberId("mem".into()),
            etag: "0".into(),
            added_at: world.now(),
        },
        from: from.into(),
        to: to.into(),
        direction,
    };
    use seatkeeper::plan::action::Direction;
    let actions = vec![
        change(&cyd, "admin", "owner", Direction::Raise),
        change(&owner, "owner", "admin", Direction::Lower),
    ];
    let report = report_of(actions).await;
    assert_eq!(
        outcomes(&report),
        [
            "ChangeRole cyd@example.com: Refused BackendRejected",
            "ChangeRole owner@example.com: NotRun OwnerNotRaised",
        ]
    );
    let owner = world.service.observed().members[&owner].clone();
    assert_eq!(owner.role, RoleSeen::Known("owner".into()));
    assert_eq!(owner.state, MemberState::Active);
}

/// Three people were invited, and nobody took it in time.
async fn expired() -> (World, Desired) {
    let (world, declared) = (World::new(), declare(&people(3)));
    world.run_through(&declared).await;
    world.wait(SignedDuration::from_hours(24 * 38));
    world.service.change(|observed| {
        for invitation in observed.invitations.values_mut() {
            invitation.state = InvitationState::Expired;
        }
    });
    (world, declared)
}

// rule: OP-02
#[tokio::test]
async fn a_renewal_killed_at_any_point_is_mailed_once_and_counted_once() {
    let (world, declared) = expired().await;
    world.kill.arm(0);
    let report = world.run_through(&declared).await;
    assert_eq!(outcomes(&report)[0], "Resend p0@example.com: Done");
    let points = world.kill.points();
    assert!(points > 10, "{points}");
    for at in 1..=points {
        let (world, declared) = expired().await;
        world.kill.arm(at);
        assert!(world.run(&declared).await.is_none());
        world.kill.arm(0);
        settle(&world, &declared).await;
        let mut ledger = loaded(&world).await;
        let view = ledger.view(declared.people.keys(), &world.service.observed(), world.now());
        for person in people(3) {
            assert_eq!(world.service.mails(&person).len(), 2, "kill at {at}");
            let mails = &view.people[&person].mails;
            let counted = (mails.attempts, mails.renewals, mails.automatic.len());
            assert_eq!(counted, (2, 1, 2), "kill at {at}");
        }
    }
}

// rule: OP-02
#[tokio::test]
async fn a_renewal_whose_answer_is_lost_is_repeated_under_its_key_and_then_in_doubt() {
    let (world, declared) = expired().await;
    let person = &people(1)[0];
    world.service.trouble(person, Trouble::AnswerLost);
    world.run_through(&declared).await;
    world.service.heal();
    settle(&world, &declared).await;
    assert_eq!(world.service.mails(person).len(), 2, "the look answers it");

    let (world, declared) = expired().await;
    world.service.trouble(person, Trouble::Says(unreachable));
    for _ in 0..2 {
        world.run_through(&declared).await;
    }
    assert_eq!(world.service.mails(person).len(), 1);
    world.wait(SignedDuration::try_from(RETENTION).unwrap());
    world.service.heal();
    let report = world.run_through(&declared).await;
    assert!(report.outcomes.iter().all(|(action, _)| action.person() != person));
    let (plan, _) = world.plan(&declared, &mut loaded(&world).await).await;
    assert_eq!(plan.people[person].state, State::InDoubt);

    let mut asked = declared.clone();
    asked.people.get_mut(person).unwrap().resend = Some(ResendMark(7));
    for _ in 0..3 {
        world.run_through(&asked).await;
    }
    assert_eq!(world.service.mails(person).len(), 2, "a person's word ends it, once");
}

// rule: OP-02
#[tokio::test]
async fn a_limit_of_one_address_holds_up_that_person_only_and_its_window_is_kept() {
    let world = World::new();
    let everyone = people(70);
    let slow = &everyone[5];
    let full = || BackendError::AddressLimited { wait: Duration::from_secs(10 * 3600) };
    world.service.trouble(slow, Trouble::Says(full));
    let desired = declare(&everyone);
    let report = world.run_through(&desired).await;
    assert!(report.stopped().is_none() && !report.is_complete());
    assert_eq!((world.service.all_mails(), report.writes.head), (69, 3));

    world.service.heal();
    for _ in 0..3 {
        let mut ledger = Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
        let (plan, _) = world.plan(&desired, &mut ledger).await;
        assert_eq!(plan.held[0].rule.reason().as_str(), "AddressRateLimited");
        assert_eq!(plan.next_at, Some("2026-03-01T22:00:00Z".parse().unwrap()));
        world.run_through(&desired).await;
        world.wait(SignedDuration::from_hours(3));
        // Who comes and goes meanwhile is not held up.
        let (gone, gone_one) = everyone.split_last().unwrap();
        world.run_through(&declare(gone_one)).await;
        assert!(!world.service.observed().invitations.contains_key(gone));
        world.run_through(&desired).await;
    }
    let asked =
        |calls: Vec<String>| calls.iter().filter(|call| call.ends_with(" p5@example.com")).count();
    assert_eq!(asked(world.service.calls()), 1, "nothing is sent inside its window");
    world.wait(SignedDuration::from_hours(1));
    world.run_through(&desired).await;
    assert_eq!(world.service.mails(slow).len(), 1);
}
