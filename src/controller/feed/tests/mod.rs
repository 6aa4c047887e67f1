mod cluster;
mod hour;
mod service;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend as _;
use crate::backend::account_api::AccountApi;
use crate::backend::feed::POLL_DEADLINE;
use crate::backend::transport::Transport;
use crate::controller::cache::Name;
use crate::controller::feed::tests::service::{ACTOR, Answer, Service, answer, entries, nothing};
use crate::controller::feed::{Follower, Line, Place, Places};
use crate::controller::metrics::Metrics;
use crate::controller::queue::{Next, Queue};
use crate::domain::keys::AccountKey;
use crate::profile;
use crate::telemetry::Registry;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// An account that is followed, and the queue that is woken.
struct Scene {
    service: Arc<Service>,
    api: AccountApi,
    place: Place,
    queue: Arc<Queue<Name>>,
    follower: Follower,
    registry: Registry,
    stop: CancellationToken,
}

fn acme() -> Name {
    Name::new("web", "acme")
}

fn client(service: &Arc<Service>) -> AccountApi {
    let transport: Arc<dyn Transport> = Arc::clone(service) as Arc<dyn Transport>;
    AccountApi::new(transport, &SecretString::from("token")).unwrap()
}

impl Scene {
    /// Looks once, and follows from there.
    async fn start(as_of: u64, polls: Vec<Answer>) -> Self {
        let service = Service::new(as_of, 1, polls);
        let (registry, place, stop) = (Registry::default(), Place::new(), CancellationToken::new());
        let queue = Arc::new(Queue::default());
        let woken = Arc::clone(&queue);
        let line = Line::new(
            acme(),
            client(&service).with_deadline(POLL_DEADLINE),
            place.clone(),
            Arc::new(Places::default()),
            Metrics::new(&registry),
            Box::new(move || woken.change(&acme())),
        );
        let follower = Follower::start(line, Some(1), &stop);
        let api = client(&service);
        let scene = Self { service, api, place, queue, follower, registry, stop };
        scene.look().await;
        sleep(Duration::from_millis(1)).await; // The first poll is under way.
        scene
    }

    async fn look(&self) {
        let profile = profile::built_in("nitropack").unwrap();
        let observed = self.api.observe(&AccountKey::from("acc_1"), &profile).await.unwrap();
        self.place.looked(&observed);
    }

    /// The account runs as the operator makes it run, with `resync`, until `end`; gives when each
    /// run began, in seconds.
    async fn run(&self, resync: Duration, end: Duration) -> Vec<u64> {
        let mut runs = Vec::new();
        let left = end.saturating_sub(self.service.began.elapsed());
        let _ = timeout(left, async {
            self.queue.change_later(&acme(), resync);
            loop {
                let name = self.queue.next().await;
                runs.push(self.service.began.elapsed().as_secs());
                let busy = self.place.busy();
                self.look().await;
                drop(busy);
                self.queue.finish(&name, Next::After(resync));
            }
        })
        .await;
        runs
    }

    fn polled(&self, outcome: &str) -> bool {
        let line = format!("seatkeeper_feed_polls_total{{outcome=\"{outcome}\"}}");
        self.registry.text().contains(&line)
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_by_somebody_else_wakes_the_account_once_and_the_feed_goes_on_from_the_look() {
    let scene = Scene::start(7, vec![entries(&[(8, "member:mem_2", "mem_3")])]).await;
    *scene.service.as_of.lock().unwrap() = 9;
    assert_eq!(scene.run(HOUR, 10 * MINUTE).await, [1]);
    assert_eq!(scene.service.polls()[..3], [(0, 7), (2, 9), (27, 9)]);
    assert!(scene.polled("Changed"));
}

#[tokio::test(start_paused = true)]
async fn our_own_changes_wake_nobody_and_one_between_two_of_ours_does() {
    let ours = [(8, ACTOR, "inv_1"), (9, ACTOR, "acc_1"), (10, ACTOR, "inv_2")];
    let scene = Scene::start(7, vec![entries(&ours)]).await;
    for id in ["inv_1", "inv_2"] {
        scene.place.wrote(id);
    }
    scene.place.wrote_account();
    assert_eq!(scene.run(HOUR, MINUTE).await, [] as [u64; 0]);
    assert_eq!(scene.service.polls()[..2], [(0, 7), (2, 10)]);

    let between = [(8, ACTOR, "inv_1"), (9, "member:mem_2", "inv_1"), (10, ACTOR, "inv_2")];
    // Somebody with the same credential, or what came of a write of ours at another row.
    let other_row = [(8, ACTOR, "inv_1"), (9, ACTOR, "mem_9")];
    for changes in [&between[..], &other_row[..]] {
        let scene = Scene::start(7, vec![entries(changes)]).await;
        for id in ["inv_1", "inv_2"] {
            scene.place.wrote(id);
        }
        assert_eq!(scene.run(HOUR, MINUTE).await, [1], "{changes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_writes_are_ours_until_the_next_look_only() {
    let scene = Scene::start(7, vec![nothing(7, 25 * SECOND), entries(&[(9, ACTOR, "inv_1")])]);
    let scene = scene.await;
    scene.place.wrote("inv_1");
    scene.look().await;
    assert_eq!(scene.run(HOUR, MINUTE).await, [26]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_run_is_under_way_is_judged_after_it() {
    // The feed tells of our write before its answer is here.
    let scene = Scene::start(7, vec![entries(&[(8, ACTOR, "inv_1")])]).await;
    let busy = scene.place.busy();
    sleep(5 * SECOND).await;
    scene.place.wrote("inv_1");
    drop(busy);
    assert_eq!(scene.run(HOUR, MINUTE).await, [] as [u64; 0]);

    // A look that began after the change saw it; one that began before did not.
    for (as_of, runs) in [(8, &[][..]), (7, &[5][..])] {
        let scene = Scene::start(7, vec![entries(&[(8, "member:mem_2", "mem_3")])]).await;
        let busy = scene.place.busy();
        sleep(5 * SECOND).await;
        *scene.service.as_of.lock().unwrap() = as_of;
        scene.look().await;
        drop(busy);
        assert_eq!(scene.run(HOUR, MINUTE).await, runs, "a look of {as_of}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_too_old_is_met_by_a_look_and_the_feed_begins_there() {
    let scene = Scene::start(7, vec![answer(410, &[], "feed-too-old")]).await;
    // As after a restore: positions are smaller than before.
    *scene.service.as_of.lock().unwrap() = 3;
    assert_eq!(scene.run(HOUR, MINUTE).await, [0]);
    assert_eq!(scene.service.polls(), [(0, 7), (0, 3), (25, 3), (50, 3)]);
    assert!(scene.polled("TooOld"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_always_says_too_old_is_asked_ever_less_often() {
    let polls = (0..1000).map(|_| answer(410, &[], "feed-too-old")).collect();
    let scene = Scene::start(7, polls).await;
    scene.run(2 * HOUR, HOUR).await;
    let polls = scene.service.polls().len();
    assert!(polls < 90, "{polls}");
}

#[tokio::test(start_paused = true)]
async fn failures_make_pauses_that_grow_and_what_the_service_asks_for_is_kept() {
    let failed = || answer(503, &[], "unavailable");
    let scene = Scene::start(7, vec![failed(), failed(), failed(), failed()]).await;
    scene.run(HOUR, MINUTE).await;
    let times: Vec<u64> = scene.service.polls().iter().map(|(at, _)| *at).collect();
    assert!(times[1] <= 2 && times[4] >= 24 && times[4] <= 30, "{times:?}");

    for status in [429, 503] {
        let asked = answer(status, &[("retry-after", "40")], "rate-limited");
        let scene = Scene::start(7, vec![asked]).await;
        assert_eq!(scene.run(HOUR, MINUTE).await, [] as [u64; 0]);
        assert_eq!(scene.service.polls(), [(0, 7), (40, 7)], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_ends_the_polls_until_the_spec_changes() {
    for status in [401, 403] {
        let scene = Scene::start(7, vec![answer(status, &[], "forbidden")]).await;
        assert_eq!(scene.run(2 * HOUR, HOUR).await, [0], "the status must say it");
        assert_eq!(scene.service.polls().len(), 1, "{status}");
        assert!(scene.follower.stands(Some(1)) && !scene.follower.stands(Some(2)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_feed_is_asked_once_an_hour() {
    for (status, code, runs) in
        [(404, "no-route", &[][..]), (405, "method-not-allowed", &[]), (404, "not-found", &[0])]
    {
        let scene = Scene::start(7, vec![answer(status, &[], code)]).await;
        assert_eq!(scene.run(2 * HOUR, HOUR / 2).await, runs, "{code}");
        assert_eq!(scene.service.polls().len(), 1, "{code}");
        assert!(scene.follower.stands(Some(2)));
        scene.run(2 * HOUR, HOUR + MINUTE).await;
        assert!(scene.service.polls().len() > 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_wait_is_asked_no_more_often_than_one_that_does() {
    let polls = (0..1000).map(|_| nothing(7, Duration::ZERO)).collect();
    let scene = Scene::start(7, polls).await;
    assert_eq!(scene.run(2 * HOUR, HOUR).await, [] as [u64; 0]);
    let polls = scene.service.polls().len();
    assert!((140..150).contains(&polls), "{polls}");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_leads_nowhere_is_a_failure() {
    let back = json!({"items": [{
        "position": 7, "at": "2026-01-01T00:00:00Z", "actor": "x", "action": "x", "subject": "x",
    }], "next_cursor": 7, "as_of": 7});
    let gap = json!({"items": [], "next_cursor": 9, "as_of": 9});
    let polls = vec![
        Answer(200, vec![], back, Duration::ZERO),
        Answer(200, vec![], gap, Duration::ZERO),
        Answer(200, vec![], json!([]), Duration::ZERO),
    ];
    let scene = Scene::start(7, polls).await;
    assert_eq!(scene.run(HOUR, MINUTE).await, [] as [u64; 0]);
    let polls = scene.service.polls();
    assert!(polls[3].0 >= 10 && polls.iter().all(|(_, after)| *after == 7), "{polls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_poll_ends_at_once_with_its_account_and_with_the_operator() {
    let scene = Scene::start(7, vec![]).await;
    sleep(MINUTE).await;
    scene.stop.cancel();
    sleep(Duration::from_millis(1)).await;
    assert!(!scene.follower.stands(Some(2)));

    let Scene { service, follower, .. } = Scene::start(7, vec![]).await;
    sleep(MINUTE).await;
    let polls = service.polls().len();
    drop(follower);
    sleep(HOUR).await;
    assert_eq!((polls, service.polls().len()), (3, 3));
    assert_eq!(Arc::strong_count(&service), 1, "the client of the polls is gone");
}

#[tokio::test(start_paused = true)]
async fn many_accounts_share_the_places_and_each_is_asked_as_often_as_one() {
    const LINES: usize = 200;
    let service = Service::new(7, 1, vec![]);
    let (places, registry) = (Arc::new(Places::default()), Registry::default());
    let metrics = Metrics::new(&registry);
    let profile = profile::built_in("nitropack").unwrap();
    let observed = client(&service).observe(&AccountKey::from("acc_1"), &profile).await.unwrap();
    let followers: Vec<Follower> = (0..LINES)
        .map(|n| {
            let place = Place::new();
            place.looked(&observed);
            let api = client(&service).with_deadline(POLL_DEADLINE);
            let name = Name::new("web", format!("a{n}"));
            let (places, metrics) = (Arc::clone(&places), metrics.clone());
            let line = Line::new(name, api, place, places, metrics, Box::new(|| ()));
            Follower::start(line, None, &CancellationToken::new())
        })
        .collect();
    sleep(HOUR).await;
    let polls = service.polls().len();
    assert!((LINES * 130..=LINES * 145).contains(&polls), "{polls}");
    assert_eq!(followers.len(), LINES);
}
