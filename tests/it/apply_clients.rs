//! `apply` on the clients of an agency: no kill, loss or refusal mails a client twice, and none keeps
//! the others waiting.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::time::Duration;

use jiff::SignedDuration;
use seatkeeper::apply::{NotRun, Outcome};
use seatkeeper::backend::BackendError;
use seatkeeper::domain::clients::{ClientState, Declaration, DesiredClient};
use seatkeeper::domain::desired::{Desired, Origin, OriginKind};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::keys::ResendMark;
use seatkeeper::ledger::Ledger;

use crate::world::{Trouble, World, people};

fn client(n: usize) -> EmailAddress {
    EmailAddress::parse(&format!("c{n}@client.example")).unwrap()
}

fn key(n: usize) -> MemberKey {
    client(n).into()
}

/// Declares these clients.
fn declare(clients: impl IntoIterator<Item = usize>) -> Desired {
    let mut desired = Desired::default();
    for n in clients {
        let (kind, namespace) = (OriginKind::ClientAccess, "agency".to_owned());
        let origin = Origin { kind, namespace, name: format!("c{n}"), position: None };
        let declaration = Declaration { object: origin.object() };
        let (role, withdraw_after, resend) = ("developer".into(), None, None);
        let wanted = DesiredClient { role, withdraw_after, declaration, resend, origin };
        desired.clients.declared.insert(client(n), wanted);
    }
    desired
}

/// Declares so many people, and so many clients.
fn declare_both(n: usize, clients: usize) -> Desired {
    Desired { clients: declare(0..clients).clients, ..crate::world::declare(&people(n)) }
}

fn failed() -> BackendError {
    BackendError::Failed { status: 502 }
}

/// Mails that the ledger counts for a client.
async fn counted(world: &World, desired: &Desired, n: usize) -> usize {
    let mut ledger = Ledger::load(Box::new(world.store.clone()), &"acme".into()).await.unwrap();
    let (_, observed) = world.plan(desired, &mut ledger).await;
    let mut view = ledger.view(desired.people.keys(), &observed, world.now());
    ledger.view_clients(&desired.clients, &observed, world.now(), &mut view);
    let mails = &view.clients[&client(n)].mails;
    mails.automatic.len() + mails.decided.len()
}

// rule: OP-02
#[tokio::test]
async fn a_run_killed_at_any_point_asks_each_client_once_and_counts_it_once() {
    let desired = declare(0..3);
    let world = World::new();
    world.kill.arm(0);
    world.run_through(&desired).await;
    let points = world.kill.points();
    assert!(points > 6, "{points} points");
    for at in 1..=points {
        for lost in [false, true] {
            let world = World::new();
            if lost {
                world.service.trouble(&key(1), Trouble::AnswerLost);
            }
            world.kill.arm(at);
            if world.run(&desired).await.is_some() {
                continue; // The lost answer ended the run before.
            }
            world.kill.arm(0);
            world.service.heal();
            for _ in 0..3 {
                world.run_through(&desired).await;
            }
            for n in 0..3 {
                assert_eq!(world.service.mails(&key(n)).len(), 1, "c{n}, killed at {at}");
                assert_eq!(counted(&world, &desired, n).await, 1, "c{n}, killed at {at}");
            }
            let last = world.run_through(&desired).await;
            assert_eq!((last.writes.head, last.writes.pages), (0, 0), "{at} never settles");
        }
    }
}

#[tokio::test]
async fn people_and_clients_share_their_waves_and_the_order_is_ends_people_clients() {
    for (n, clients, heads) in [(0, 65, 3), (32, 32, 2), (40, 40, 3), (1, 1, 2)] {
        let world = World::new();
        let report = world.run_through(&declare_both(n, clients)).await;
        assert!(report.is_complete());
        assert_eq!(world.service.all_mails(), n + clients);
        assert_eq!((report.writes.head, report.writes.pages), (heads, 1), "{n} and {clients}");
    }
    let world = World::new();
    world.run_through(&declare([1])).await;
    let mut desired = declare_both(1, 1);
    desired.clients = declare([0]).clients;
    world.run_through(&desired).await;
    let calls = world.service.calls();
    let expected = [
        "Claim",
        "RequestClientAccess c1@client.example",
        "WithdrawClientRequest c1@client.example",
        "Invite p0@example.com",
        "RequestClientAccess c0@client.example",
    ];
    assert_eq!(calls, expected);
}

/// Kills a run at each of its points in turn, then runs on until all is settled.
async fn kill_everywhere(n: usize, clients: usize, in_first_run: impl Fn(&World)) {
    let desired = declare_both(n, clients);
    let world = World::new();
    in_first_run(&world);
    world.kill.arm(0);
    world.run_through(&desired).await;
    let points = world.kill.points();
    assert!(points > (n + clients) as u64, "{points} points");
    for at in 1..=points {
        let world = World::new();
        in_first_run(&world);
        world.kill.arm(at);
        let _ = world.run(&desired).await;
        world.kill.arm(0);
        world.service.heal();
        for _ in 0..4 {
            world.run_through(&desired).await;
        }
        for person in people(n).into_iter().chain((0..clients).map(key)) {
            assert_eq!(world.service.mails(&person).len(), 1, "{person}, killed at {at}");
        }
        let last = world.run_through(&desired).await;
        assert_eq!((last.writes.head, last.writes.pages), (0, 0), "{at} never settles");
    }
}

// rule: OP-02
#[tokio::test]
async fn a_run_to_people_and_clients_killed_at_any_point_mails_each_once() {
    kill_everywhere(60, 6, |_| ()).await;
    let lost = |world: &World| world.service.trouble(&key(1), Trouble::AnswerLost);
    kill_everywhere(2, 2, lost).await;
}

// rule: OP-02
#[tokio::test]
async fn who_was_refused_in_a_run_that_was_killed_later_counts_as_not_mailed() {
    let refused = || BackendError::Rejected { code: "role-not-invitable".into() };
    kill_everywhere(60, 6, |world| {
        world.service.trouble(&people(2)[1], Trouble::Says(refused));
        world.service.trouble(&key(1), Trouble::Says(refused));
    })
    .await;
}

#[tokio::test]
async fn what_stops_the_people_stops_the_clients_and_nobody_counts_as_asked() {
    let world = World::new();
    let desired = declare_both(70, 2);
    world.service.trouble(&people(1)[0], Trouble::Says(|| BackendError::Unauthorized));
    world.policy.lock().unwrap().invitations_per_hour = Some(72);
    let report = world.run_through(&desired).await;
    assert!(report.stopped().is_some());
    assert!(!world.service.calls().iter().any(|call| call.contains("client.example")));
    let stopped = |outcome: &Outcome| matches!(outcome, Outcome::NotRun(NotRun::Stopped));
    assert!(report.clients.iter().all(|(_, outcome)| stopped(outcome)));
    world.service.heal();
    world.run_through(&desired).await;
    assert_eq!(world.service.all_mails(), 72, "what was not sent is not spent of the budget");
}

// rule: OP-02
#[tokio::test]
async fn a_limit_of_one_client_holds_up_nobody_else_and_one_of_the_account_everybody() {
    let world = World::new();
    let desired = declare(0..70);
    let full = || BackendError::AddressLimited { wait: Duration::from_secs(10 * 3600) };
    world.service.trouble(&key(5), Trouble::Says(full));
    let report = world.run_through(&desired).await;
    assert!(report.stopped().is_none());
    assert_eq!(world.service.all_mails(), 69);
    world.service.heal();
    world.wait(SignedDuration::from_hours(9));
    world.run_through(&desired).await;
    assert!(world.service.mails(&key(5)).is_empty(), "nothing is sent inside its window");
    world.wait(SignedDuration::from_hours(1));
    world.run_through(&desired).await;
    assert_eq!(world.service.mails(&key(5)).len(), 1);

    let limited = || BackendError::RateLimited { wait: Duration::from_secs(30) };
    world.service.trouble(&key(100), Trouble::Says(limited));
    // The hundredth is the first of those that are new, by name.
    let report = world.run_through(&declare(0..200)).await;
    assert!(report.stopped().is_some());
    assert!(world.service.all_mails() < 70 + 64, "the waves after it are left");
}

#[tokio::test]
async fn doubtful_mails_keep_no_withdrawal_waiting() {
    let world = World::new();
    world.run_through(&declare([0])).await;
    for n in 1..=70 {
        world.service.trouble(&key(n), Trouble::Says(failed));
    }
    world.run_through(&declare(0..=70)).await;
    // Nobody can say any more whether those were asked.
    world.wait(SignedDuration::from_hours(24));
    let report = world.run_through(&declare(1..=134)).await;
    let calls = world.service.calls();
    assert!(calls.contains(&"WithdrawClientRequest c0@client.example".to_owned()), "{calls:?}");
    let waits = |outcome: &&Outcome| matches!(outcome, Outcome::NotRun(NotRun::TooManyInDoubt));
    assert_eq!(report.clients.iter().map(|(_, outcome)| outcome).filter(waits).count(), 64);
}

#[tokio::test]
async fn a_no_is_not_asked_again_after_a_deletion_a_restore_or_a_lost_ledger() {
    let world = World::new();
    let desired = declare([0]);
    world.run_through(&desired).await;
    world.service.change_clients(|rows| {
        rows.get_mut(&client(0)).unwrap().state = ClientState::Rejected;
    });
    world.run_through(&desired).await;
    world.run_through(&declare([])).await;
    world.wait(SignedDuration::from_hours(24 * 100));
    world.run_through(&declare([])).await;
    world.run_through(&desired).await;
    assert_eq!(world.service.mails(&key(0)).len(), 1, "made anew under its name");

    let mut again = desired.clone();
    let wanted = again.clients.declared.get_mut(&client(0)).unwrap();
    wanted.resend = Some(ResendMark::of("they called us"));
    for _ in 0..3 {
        world.run_through(&again).await;
    }
    assert_eq!(world.service.mails(&key(0)).len(), 2, "a person decided it, once");
}

#[tokio::test]
async fn a_client_that_is_declared_again_and_again_is_not_mailed_each_time() {
    let world = World::new();
    for day in 0..5 {
        world.run_through(&declare([0])).await;
        world.run_through(&declare([])).await;
        world.run_through(&declare([0])).await;
        assert_eq!(world.service.mails(&key(0)).len(), 3.min(day + 1), "day {day}");
        world.run_through(&declare([])).await;
        world.wait(SignedDuration::from_hours(24));
    }
}
