//! The clock is set, forwards and back, between two runs: nobody is mailed twice for one cause, and no
//! budget is free before its time.

use jiff::SignedDuration;
use seatkeeper::domain::desired::Desired;
use seatkeeper::domain::observed::InvitationState;

use crate::world::{Trouble, World, address, declare, declare_as, outcomes, people, unreachable};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Runs until nothing is left to do.
async fn settle(world: &World, desired: &Desired) {
    for _ in 0..3 {
        world.run_through(desired).await;
    }
}

// rule: OP-02
#[tokio::test]
async fn a_send_in_doubt_is_never_repeated_once_the_clock_went_back_behind_it() {
    for back in [HOUR, DAY, YEAR] {
        let world = World::new();
        let ana = address("ana@example.com");
        let desired = declare(std::slice::from_ref(&ana));
        world.service.trouble(&ana, Trouble::Says(unreachable));
        world.run_through(&desired).await;
        world.service.heal();
        world.wait(-back);
        settle(&world, &desired).await;
        // The clock passes the time of the send again: nobody knows how often it was set meanwhile.
        world.wait(back + HOUR);
        settle(&world, &desired).await;
        assert_eq!(world.service.calls().len(), 2, "the claim and the first call");
        let decided = declare_as(std::slice::from_ref(&ana), "developer", 1);
        settle(&world, &decided).await;
        assert_eq!(world.service.mails(&ana).len(), 1, "a person decided");
    }
}

// rule: OP-02
#[tokio::test]
async fn a_clock_that_is_set_back_by_minutes_repeats_under_the_same_key() {
    let world = World::new();
    let ana = address("ana@example.com");
    let desired = declare(std::slice::from_ref(&ana));
    world.service.trouble(&ana, Trouble::AnswerLost);
    world.run_through(&desired).await;
    world.service.heal();
    world.service.change(|observed| observed.invitations.clear());
    world.wait(SignedDuration::from_mins(-4));
    let report = world.run_through(&desired).await;
    assert_eq!(outcomes(&report), ["Invite ana@example.com: Done"]);
    assert_eq!(world.service.mails(&ana).len(), 1);
}

// rule: OP-02
#[tokio::test]
async fn each_mail_has_its_own_cause_however_often_the_clock_is_set() {
    let world = World::new();
    let five = people(5);
    let desired = declare(&five);
    world.run_through(&desired).await;
    for step in [DAY, -DAY, YEAR, -YEAR, -DAY, DAY, -HOUR, HOUR] {
        world.wait(step);
        settle(&world, &desired).await;
        assert_eq!(world.service.all_mails(), 5, "who waits is not asked again");
    }
    let expire = || {
        world.service.change(|observed| {
            for invitation in observed.invitations.values_mut() {
                invitation.state = InvitationState::Expired;
            }
        });
    };
    expire();
    world.wait(YEAR);
    settle(&world, &desired).await;
    assert_eq!(world.service.all_mails(), 10, "each is renewed once, not once for each week");
    world.wait(-YEAR);
    expire();
    settle(&world, &desired).await;
    assert_eq!(world.service.all_mails(), 10, "a mail of the future keeps the caps");
}

// rule: OP-07
#[tokio::test]
async fn what_the_brake_was_spent_on_is_spent_after_the_clock_went_back() {
    for back in [HOUR, DAY, YEAR] {
        let world = World::new();
        let ten = people(10);
        world.run_through(&declare(&ten)).await;
        let seven = declare(&ten[3..]);
        assert_eq!(world.run_through(&seven).await.outcomes.len(), 3);
        world.wait(-back);
        let four = declare(&ten[6..]);
        settle(&world, &four).await;
        assert_eq!(world.service.observed().invitations.len(), 7, "back by {back}");
        world.wait(back);
        settle(&world, &four).await;
        assert_eq!(world.service.observed().invitations.len(), 7, "and again");
    }
}

/// A look by which the service's clock says the same as ours.
async fn confirmed(world: &World, desired: &Desired) {
    let now = world.now();
    world.service.change(|observed| observed.evidence.answered_at = Some(now));
    world.run_through(desired).await;
    world.service.change(|observed| observed.evidence.answered_at = None);
}

// rule: OP-02
// rule: OP-07
#[tokio::test]
async fn a_year_that_never_was_holds_nothing_for_longer_than_it_is_meant_to() {
    let world = World::new();
    let ten = people(10);
    let desired = declare(&ten);
    world.run_through(&desired).await;
    let seven = declare(&ten[3..]);
    assert_eq!(world.run_through(&seven).await.outcomes.len(), 3);
    world.wait(-YEAR);
    confirmed(&world, &seven).await;

    // The window and the day begin when the right time is seen.
    let four = declare(&ten[6..]);
    world.service.change(|observed| {
        for invitation in observed.invitations.values_mut() {
            (invitation.state, invitation.expires_at) = (InvitationState::Expired, world.now());
        }
    });
    world.wait(SignedDuration::from_hours(23));
    settle(&world, &four).await;
    assert_eq!(world.service.all_mails(), 10);
    world.wait(SignedDuration::from_hours(8 * 24));
    settle(&world, &four).await;
    assert_eq!(world.service.all_mails(), 14, "the four that are declared are asked again");
    assert!(!ten[3..6].iter().any(|person| world.service.observed().members.contains_key(person)));
}
