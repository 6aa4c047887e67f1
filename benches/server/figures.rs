//! Time of pages and invitations, service and floor in turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use seatkeeper::server::Floor;
use seatkeeper::wire::NewInvitation;
use serde_json::Value;

use crate::report::{Figure, Report, median};
use crate::store;
use crate::world::{Caller, ROLE, TOKEN, World};

/// Rows of a page.
pub const PAGE: usize = 1000;
/// Lines of a batch.
const BATCH: usize = 100;
/// Clients that invite at once.
const CLIENTS: usize = 16;

/// What else is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// Nothing.
    Nothing,
    /// Other accounts.
    Others,
}

/// Number of the next person.
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn people(count: usize) -> Vec<String> {
    let from = NEXT.fetch_add(count, Ordering::Relaxed);
    (from..from + count).map(|n| format!("person-{n}@example.com")).collect()
}

/// Times of the two, in turn; which of them begins changes with each round.
#[derive(Debug, Default)]
pub struct Turns {
    /// Of the service.
    pub service: Vec<Duration>,
    /// Of the floor.
    pub floor: Vec<Duration>,
}

impl Turns {
    async fn of(
        rounds: usize,
        service: impl AsyncFn() -> Duration,
        floor: impl AsyncFn() -> Duration,
    ) -> Self {
        let mut turns = Self::default();
        for round in 0..=rounds {
            let (of_service, of_floor) = if round % 2 == 0 {
                let of_service = service().await;
                (of_service, floor().await)
            } else {
                let of_floor = floor().await;
                (service().await, of_floor)
            };
            // The first round warms up.
            if round > 0 {
                turns.service.push(of_service);
                turns.floor.push(of_floor);
            }
        }
        turns
    }

    /// Medians of service and floor.
    fn medians(self) -> (f64, f64) {
        (median(self.service), median(self.floor))
    }
}

/// All figures of one store as it is now.
pub async fn measure(world: &World, at: (&'static str, Around), report: &mut Report) {
    let (caller, floor) = (world.caller(), world.floor().await);
    report.figures.push(pages(&caller, &floor, at, report).await);
    let before = (caller.total("invitations").await, rows(world).await);
    let single = singles(world, &floor, at, report).await;
    store::analyze(&world.database).await;
    let batch = batches(&caller, &floor, at, report).await;
    report.figures.extend([single, batch]);
    let sizes = report.sizes;
    let turn = CLIENTS * sizes.invitations + sizes.batches * BATCH;
    let sent = (2 * (sizes.rounds + 1) * turn) as u64;
    // Every call made its rows, and `total` counts them.
    assert_eq!(caller.total("invitations").await, before.0 + sent);
    assert_eq!(rows(world).await, before.1.map(|rows| rows + sent));
}

/// Rows that an invitation makes: itself, its mail, its entry in the audit log.
async fn rows(world: &World) -> [u64; 3] {
    let tables = ["invitations", "outbox", "audit_events where action = 'invitation.created'"];
    let [invitations, mails, events] = tables.map(|table| store::count(&world.database, table));
    [invitations.await, mails.await, events.await]
}

async fn pages(
    caller: &Caller,
    floor: &Floor,
    at: (&'static str, Around),
    report: &Report,
) -> Figure {
    let (pages, size) = (report.sizes.pages, u32::try_from(PAGE).unwrap());
    let items = |text: String| {
        let page: Value = serde_json::from_str(&text).unwrap();
        page["items"].as_array().unwrap().clone()
    };
    let served = items(caller.page("acme", TOKEN, "members", PAGE).await);
    assert_eq!((served.len(), served), (PAGE, items(floor.members(size).await.unwrap())));
    let turns = Turns::of(
        report.sizes.rounds,
        async || {
            let began = Instant::now();
            for _ in 0..pages {
                caller.page("acme", TOKEN, "members", PAGE).await;
            }
            began.elapsed()
        },
        async || {
            let began = Instant::now();
            for _ in 0..pages {
                floor.members(size).await.unwrap();
            }
            began.elapsed()
        },
    );
    let (service, floor) = turns.await.medians();
    let of_one = |seconds: f64| seconds * 1000.0 / pages as f64;
    let name = format!("a page of {PAGE} of {} members", report.sizes.members);
    Figure::time(name, at, of_one(service), of_one(floor))
}

async fn singles(
    world: &World,
    floor: &Floor,
    at: (&'static str, Around),
    report: &Report,
) -> Figure {
    let each = report.sizes.invitations;
    let callers: Vec<_> = (0..CLIENTS).map(|_| world.caller()).collect();
    let turns = Turns::of(
        report.sizes.rounds,
        async || {
            at_once(callers.iter().cloned().map(|caller| async move {
                for email in people(each) {
                    caller.invite(&email).await;
                }
            }))
            .await
        },
        async || {
            at_once(callers.iter().map(|_| floor.clone()).map(|floor| async move {
                for email in people(each) {
                    floor.invite(&email, &invitation(&email)).await.unwrap();
                }
            }))
            .await
        },
    );
    let (service, floor) = turns.await.medians();
    let in_a_second = |seconds: f64| (CLIENTS * each) as f64 / seconds;
    let name = format!("single invitations, {CLIENTS} clients");
    Figure::rate(name, at, in_a_second(service), in_a_second(floor))
}

async fn batches(
    caller: &Caller,
    floor: &Floor,
    at: (&'static str, Around),
    report: &Report,
) -> Figure {
    let batches = report.sizes.batches;
    let turns = Turns::of(
        report.sizes.rounds,
        async || {
            let began = Instant::now();
            for _ in 0..batches {
                caller.invite_many(&people(BATCH)).await;
            }
            began.elapsed()
        },
        async || {
            let began = Instant::now();
            for _ in 0..batches {
                let emails = people(BATCH);
                floor.insert_batch(&emails[0], &emails, ROLE).await.unwrap();
            }
            began.elapsed()
        },
    );
    let (service, floor) = turns.await.medians();
    let in_a_second = |seconds: f64| (batches * BATCH) as f64 / seconds;
    let name = format!("invitations in batches of {BATCH}");
    Figure::rate(name, at, in_a_second(service), in_a_second(floor))
}

/// How long it takes until all of these are done that begin at once.
async fn at_once<F: Future<Output = ()> + Send + 'static>(
    work: impl Iterator<Item = F>,
) -> Duration {
    let work: Vec<_> = work.collect();
    let began = Instant::now();
    for task in join_all(work.into_iter().map(tokio::spawn)).await {
        task.unwrap();
    }
    began.elapsed()
}

fn invitation(email: &str) -> NewInvitation {
    NewInvitation {
        email: email.to_owned(),
        role: ROLE.to_owned(),
        team: None,
        name: None,
        require_secure_sign_in: false,
        external_ref: None,
        message: None,
        expires_in_seconds: None,
    }
}
