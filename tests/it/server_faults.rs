//! What the service does when what it stands on gives way: its database, its disk.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::process::Command;

use jiff::SignedDuration;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::cli_run::{Desk, serve_under};
use crate::postgres::{OwnServer, Stop};
use crate::service::{Answer, SEED, TOKEN, TestService, client, mails_in};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";

/// Fewest kilobytes of a file at which the service can start; the write-ahead log grows past it.
const FILE_LIMIT_KIB: u32 = 2_000;

async fn invite(service: &TestService, name: &str) -> Answer {
    let body = json!({ "email": format!("{name}@example.com"), "role": "biller" });
    service.call(Method::POST, INVITATIONS).token(TOKEN).key(name).json(&body).send().await
}

async fn probe(service: &TestService, path: &str) -> StatusCode {
    service.http.get(format!("{}{path}", service.base)).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_and_comes_back_loses_and_doubles_nothing() {
    let server = OwnServer::start_new().await;
    let url = server.database().await.url;
    let service = TestService::start_as(SEED, |settings| {
        settings.database = seatkeeper::server::Database::Postgres(url.into());
    })
    .await;
    let first = invite(&service, "ana").await.expect(StatusCode::CREATED);
    service.mails().await;

    server.stop(Stop::Immediate).await;
    let gone = invite(&service, "ben").await;
    assert_eq!(gone.header("retry-after"), "1");
    let problem = gone.refused(503, "unavailable");
    assert_eq!(problem["retryable"], true);
    assert!(!problem.to_string().contains("postgres"), "nothing of the inside: {problem}");
    assert_eq!(probe(&service, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(probe(&service, "/livez").await, StatusCode::OK);

    server.start().await;
    let again = invite(&service, "ana").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body["id"], first["id"]);
    invite(&service, "ben").await.expect(StatusCode::CREATED);
    assert_eq!(probe(&service, "/readyz").await, StatusCode::OK);
    assert_eq!(service.list(INVITATIONS).await.len(), 2);
    assert_eq!(service.mails().await.len(), 2);
    service.stop().await;
}

async fn post(http: &Client, url: &str, n: usize) -> (StatusCode, Value) {
    // A long reference fills the log faster.
    let reference = "r".repeat(128);
    let body = json!({
        "email": format!("p{n}@example.com"), "role": "biller", "external_ref": reference,
    });
    let call = http.post(format!("{url}{INVITATIONS}")).bearer_auth(TOKEN);
    let answer =
        call.header("idempotency-key", format!("key-{n}")).json(&body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// The limit on the size of files stands for the full disk: a write past it fails as there.
#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_loses_nothing() {
    let home = Desk::empty();
    home.write("seed.yaml", &SEED.replace("[growth]", "[custom]"));
    let limits = format!(r#"trap "" XFSZ; ulimit -S -f {FILE_LIMIT_KIB}; exec "$0" "$@""#);
    let process = serve_under(&home, &["bash", "-c", &limits], &[]).await;
    let http = client();

    let mut taken = 0;
    let refused = loop {
        let (status, body) = post(&http, &process.url, taken).await;
        if status != StatusCode::CREATED {
            break (status, body);
        }
        taken += 1;
        assert!(taken < 2_000, "the disk never filled");
    };
    assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.1);
    assert_eq!(refused.1["code"], "unavailable");
    let list = |http: Client, url: String| async move {
        let call = http.get(format!("{url}{INVITATIONS}?page_size=1000")).bearer_auth(TOKEN);
        call.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let before = list(http.clone(), process.url.clone()).await;
    assert_eq!(before["total"], taken, "what was answered is there, what was refused is not");

    let room = Command::new("prlimit")
        .args(["--pid", &process.id().to_string(), "--fsize=unlimited:"])
        .status();
    assert!(room.unwrap().success());
    let (status, body) = post(&http, &process.url, taken).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let after = list(http.clone(), process.url.clone()).await;
    assert_eq!(after["total"], taken + 1);
    let wanted = taken + 1;
    for _ in 0..300 {
        if mails_in(&home.path("data/spool")).len() == wanted {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(mails_in(&home.path("data/spool")).len(), wanted, "one mail each");
}

/// Steps of the clock, as after a wrong start or a leap: nothing is mailed twice, no key is
/// forgotten, no link that was dead comes back to life.
#[tokio::test]
async fn a_clock_that_steps_back_and_forth_repeats_nothing_and_revives_nothing() {
    let service = TestService::start().await;
    let first = invite(&service, "ana").await.expect(StatusCode::CREATED);
    assert_eq!(service.mails().await.len(), 1);
    let link = service.link_to("ana@example.com").await;
    let day = SignedDuration::from_hours(24);

    service.clock.advance(-(day * 2));
    let again = invite(&service, "ana").await;
    assert_eq!((again.header("idempotency-replayed"), &again.body["id"]), ("true", &first["id"]));
    invite(&service, "ben").await.expect(StatusCode::CREATED);
    assert_eq!(service.mails().await.len(), 2);
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_u64()).collect();
    assert!(positions.is_sorted(), "{positions:?}");

    service.pass(day * 40).await;
    let dead = service.browser().open(&link).await;
    assert_eq!(dead.status, StatusCode::GONE);
    service.pass(-(day * 40)).await;
    let still = service.browser().open(&link).await;
    assert_eq!(still.status, StatusCode::GONE, "what was expired stays so");
    assert_eq!(service.list(&format!("{INVITATIONS}?state=expired")).await.len(), 2);
    assert_eq!(service.mails().await.len(), 2);
    service.stop().await;
}
