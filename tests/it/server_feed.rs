//! The feed of changes: order, gaps, long poll, retention.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use seatkeeper::server::Database;
use serde_json::{Value, json};

use crate::service::{Kind, OTHER_TOKEN, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const CHANGES: &str = "/v1/accounts/acme/changes";

/// One account without a limit of people.
const ROOMY: &str = r"
accounts:
  - name: Acme
    slug: acme
    profile: generic
    owner: {email: owner@example.com, name: Olga}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

async fn feed(service: &TestService, query: &str) -> Value {
    service.get(&format!("{CHANGES}{query}")).await.expect(StatusCode::OK)
}

fn positions(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|entry| entry["position"].as_u64().unwrap()).collect()
}

async fn rename(service: &TestService, name: &str) {
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&json!({ "name": name })).send().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_feed_says_what_whom_and_who_and_no_more() {
    let service = TestService::start().await;
    let member = service.join("ana@example.com", "biller").await;
    let page = feed(&service, "").await;
    assert_eq!(positions(&page), (1..=6).collect::<Vec<_>>());
    assert_eq!((page["next_cursor"].as_u64(), page["as_of"].as_u64()), (Some(6), Some(6)));
    let joined = &page["items"][5];
    assert_eq!((&joined["action"], &joined["subject"]), (&json!("member.joined"), &member["id"]));
    let fields: Vec<_> = joined.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["action", "actor", "at", "position", "subject"]);
    assert!(!page.to_string().contains('@'), "no address: {page}");

    let page = feed(&service, "?after=2&page_size=3").await;
    assert_eq!(positions(&page), [3, 4, 5]);
    assert_eq!((page["next_cursor"].as_u64(), page["as_of"].as_u64()), (Some(5), Some(6)));
    let vendor = service.call(Method::GET, CHANGES).token(VENDOR_TOKEN).send().await;
    assert_eq!(positions(&vendor.expect(StatusCode::OK)).len(), 6);
    let other = service.call(Method::GET, CHANGES).token(OTHER_TOKEN).send().await;
    other.refused(404, "not-found");
    for query in ["?wait=26", "?page_size=0", "?after=-1", "?since=1"] {
        service.get(&format!("{CHANGES}{query}")).await.refused(400, "invalid-request");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_account_read_says_its_position_and_how_the_feed_names_who_asks() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    let page = feed(&service, "").await;
    assert_eq!(account["as_of"], page["as_of"]);
    let last = page["items"].as_array().unwrap().last().unwrap();
    assert_eq!(account["caller"]["actor"], last["actor"]);
    rename(&service, "Acme 2").await;
    let later = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(later["as_of"].as_u64(), account["as_of"].as_u64().map(|position| position + 1));
    service.stop().await;
}

#[tokio::test]
async fn what_is_listed_and_what_the_feed_says_after_it_is_everything() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let list = service.get("/v1/accounts/acme/members").await.expect(StatusCode::OK);
    let as_of = list["as_of"].as_u64().unwrap();
    assert_eq!(positions(&feed(&service, &format!("?after={as_of}")).await), [0_u64; 0]);
    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;
    let page = feed(&service, &format!("?after={as_of}")).await;
    let actions: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions, ["invitation.accepted", "member.joined"]);
    service.stop().await;
}

#[tokio::test]
async fn who_waits_is_answered_as_soon_as_something_changes() {
    let service = TestService::start().await;
    let as_of = feed(&service, "").await["as_of"].as_u64().unwrap();
    let query = format!("?after={as_of}&wait=25");
    let began = Instant::now();
    let (page, ()) = tokio::join!(feed(&service, &query), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        rename(&service, "Acme 2").await;
    });
    assert_eq!(positions(&page), [as_of + 1]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    let began = Instant::now();
    let page = feed(&service, &format!("?after={}&wait=1", as_of + 1)).await;
    assert_eq!((positions(&page), page["next_cursor"].as_u64()), (vec![], Some(as_of + 1)));
    assert!(began.elapsed() >= Duration::from_secs(1));
    service.stop().await;
}

#[tokio::test]
async fn a_change_of_another_process_is_seen_too() {
    let folder = tempfile::tempdir().unwrap();
    let database = Kind::Postgres.database(folder.path()).await;
    let on = |database: Database| TestService::start_as(SEED, move |all| all.database = database);
    let (one, two) = (on(database.clone()).await, on(database).await);
    let as_of = feed(&one, "").await["as_of"].as_u64().unwrap();
    let query = format!("?after={as_of}&wait=25");
    let began = Instant::now();
    let (page, ()) = tokio::join!(feed(&one, &query), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        rename(&two, "Acme 2").await;
    });
    assert_eq!(positions(&page), [as_of + 1]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn who_waits_holds_no_connection_and_ends_at_the_stop() {
    let service = TestService::start().await;
    let as_of = feed(&service, "").await["as_of"].as_u64().unwrap();
    let url = format!("{}{CHANGES}?after={as_of}&wait=25", service.base);
    let waiting = (0..60).map(|_| {
        let request = service.http.get(&url).bearer_auth(TOKEN);
        tokio::spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    service.get("/v1/accounts/acme/members").await.expect(StatusCode::OK);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    for answer in join_all(waiting).await {
        assert_eq!(answer.unwrap()["items"], json!([]));
    }
}

#[tokio::test]
async fn who_lost_the_right_while_waiting_gets_nothing() {
    let service = TestService::start().await;
    let as_of = feed(&service, "").await["as_of"].as_u64().unwrap();
    let url = format!("{CHANGES}?after={as_of}&wait=25");
    let (answer, ()) = tokio::join!(service.get(&url), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // All tokens are over by then.
        service.clock.advance(jiff::SignedDuration::from_hours(24 * 366));
        service.running().run_due().await.unwrap();
    });
    answer.refused(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test]
async fn what_the_feed_has_forgotten_must_be_listed_again() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.sql("update accounts set forgotten = 2 where slug = 'acme'").await;
    let forget = "delete from audit_events where position <= 2 \
                  and account_id = (select id from accounts where slug = 'acme')";
    service.sql(forget).await;
    for query in ["", "?after=1", "?after=99&wait=25"] {
        service.get(&format!("{CHANGES}{query}")).await.refused(410, "feed-too-old");
    }
    assert_eq!(positions(&feed(&service, "?after=2").await), [3, 4]);
    service.stop().await;
}

/// Follows the feed from its beginning until `last` has happened.
async fn follow_to(service: &TestService, last: u64) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), 0);
    while after < last {
        let page = feed(service, &format!("?after={after}&wait=5&page_size=7")).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        let next = page["next_cursor"].as_u64().unwrap();
        assert!(next >= after && next <= page["as_of"].as_u64().unwrap(), "{page}");
        after = next;
    }
    seen
}

async fn invite(service: &TestService, email: String) {
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN).key(&email);
    let body = json!({ "email": email, "role": "member" });
    call.json(&body).send().await.expect(StatusCode::CREATED);
}

fn ids(items: &Value) -> BTreeSet<String> {
    items.as_array().unwrap().iter().map(|row| text(&row["id"])).collect()
}

#[tokio::test]
async fn nothing_is_missed_while_several_processes_write() {
    const WRITERS: usize = 6;
    const EACH: usize = 12;
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let processes = if kind == Kind::Postgres { 3 } else { 1 };
        let mut services = Vec::new();
        for _ in 0..processes {
            let database = database.clone();
            let service = TestService::start_as(ROOMY, |settings| settings.database = database);
            services.push(service.await);
        }
        let before = feed(&services[0], "").await["as_of"].as_u64().unwrap();
        let last = before + (WRITERS * EACH) as u64;
        let writers = join_all((0..WRITERS).map(|writer| {
            let service = &services[writer % services.len()];
            async move {
                for number in 0..EACH {
                    invite(service, format!("w{writer}n{number}@example.com")).await;
                }
            }
        }));
        let lister = async {
            let reader = services.last().unwrap();
            let mut lists = Vec::new();
            loop {
                let path = "/v1/accounts/acme/invitations?page_size=1000";
                let list = reader.get(path).await.expect(StatusCode::OK);
                let is_last = list["as_of"] == last;
                lists.push(list);
                if is_last {
                    return lists;
                }
            }
        };
        let readers = join_all(services.iter().map(|service| follow_to(service, last)));
        let (_, lists, followed) = tokio::join!(writers, lister, readers);
        for seen in &followed {
            assert_eq!(seen, &followed[0], "{kind:?}: all readers see the same order");
            let order: Vec<_> =
                seen.iter().map(|entry| entry["position"].as_u64().unwrap()).collect();
            assert_eq!(order, (1..=last).collect::<Vec<_>>(), "{kind:?}");
        }
        let all = ids(&lists.last().unwrap()["items"]);
        assert_eq!(all.len(), WRITERS * EACH);
        for list in &lists {
            let as_of = list["as_of"].as_u64().unwrap();
            let mut known = ids(&list["items"]);
            assert_eq!(known.len() as u64, as_of - before, "{kind:?}: a list is of one moment");
            let later = followed[0].iter().filter(|entry| entry["position"].as_u64() > Some(as_of));
            known.extend(later.map(|entry| text(&entry["subject"])));
            assert_eq!(known, all, "{kind:?}: the list of {as_of} and the feed after it");
        }
        for service in services {
            service.stop().await;
        }
    }
}
