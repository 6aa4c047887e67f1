//! Sixteen clients at once, on both databases: there are never two winners. Every client has
//! connections of its own, and the service runs on several threads.

#![expect(clippy::expect_used, reason = "test helpers")]

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use seatkeeper::server::{Database, Settings};
use serde_json::{Value, json};
use sqlx::AnyConnection;

use crate::service::{Kind, Mail, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, client, text};

/// How many call at once.
pub const CLIENTS: usize = 16;
const INVITATIONS: &str = "/v1/accounts/acme/invitations";

/// A service with this seed on this database.
pub async fn service_on(kind: Kind, seed: &str) -> TestService {
    service_with(kind, seed, |_| ()).await
}

/// As [`service_on`], with other settings.
pub async fn service_with(
    kind: Kind,
    seed: &str,
    change: impl FnOnce(&mut Settings),
) -> TestService {
    let folder = std::env::temp_dir();
    let postgres = match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some(kind.database(&folder).await),
    };
    TestService::start_as(seed, |settings| {
        settings.database = postgres.unwrap_or_else(|| {
            let data = settings.secret_key_file.parent().expect("a folder");
            Database::Sqlite(data.join("races.db"))
        });
        change(settings);
    })
    .await
}

/// The statuses of sixteen calls that were sent at once, each from a client of its own.
pub async fn at_once<F>(call: impl Fn(usize) -> F) -> Vec<StatusCode>
where
    F: Future<Output = StatusCode> + Send + 'static,
{
    let tasks = (0..CLIENTS).map(|at| tokio::spawn(call(at)));
    join_all(tasks).await.into_iter().map(|status| status.expect("a call")).collect()
}

/// How many of these there are.
pub fn count(statuses: &[StatusCode], wanted: StatusCode) -> usize {
    statuses.iter().filter(|status| **status == wanted).count()
}

/// One POST of JSON by a client of its own.
async fn post(url: String, key: String, body: Value) -> StatusCode {
    let call = client().request(Method::POST, url).bearer_auth(TOKEN);
    call.header("idempotency-key", key).json(&body).send().await.expect("an answer").status()
}

// rule: OP-03
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_parallel_invitations_for_the_last_seat_one_wins() {
    for kind in Kind::ALL {
        let service = service_on(kind, &SEED.replace("[growth]", "[business]")).await;
        let url = format!("{}{INVITATIONS}", service.base);
        let statuses = at_once(|at| {
            let body = json!({ "email": format!("p{at}@example.com"), "role": "biller" });
            post(url.clone(), format!("key-{at}"), body)
        })
        .await;
        assert_eq!(count(&statuses, StatusCode::CREATED), 1, "{kind:?}: {statuses:?}");
        assert_eq!(count(&statuses, StatusCode::CONFLICT), CLIENTS - 1, "{kind:?}: {statuses:?}");
        let seats = service.seats().await;
        assert_eq!((&seats["used"], &seats["limit"]), (&json!(1), &json!(1)), "{kind:?}");
        let invited = |mail: &&Mail| mail.to.starts_with('p');
        assert_eq!(service.mails().await.iter().filter(invited).count(), 1, "{kind:?}");
        service.stop().await;
    }
}

// rule: OP-02
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_calls_under_one_key_are_one_invitation_and_one_answer() {
    for kind in Kind::ALL {
        let service = service_on(kind, SEED).await;
        let url = format!("{}{INVITATIONS}", service.base);
        let body = json!({ "email": "ana@example.com", "role": "biller" });
        let statuses = at_once(|_| post(url.clone(), "one-key".to_owned(), body.clone())).await;
        assert_eq!(count(&statuses, StatusCode::CREATED), CLIENTS, "{kind:?}: {statuses:?}");
        assert_eq!(service.list(INVITATIONS).await.len(), 1, "{kind:?}");
        assert_eq!(service.mails().await.len(), 1, "{kind:?}");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_sessions_that_accept_at_once_one_becomes_the_member() {
    for kind in Kind::ALL {
        let service = service_on(kind, SEED).await;
        service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
        let link = service.link_to("ben@example.com").await;
        // Signed in beforehand, so that all that is left to do at once is the acceptance.
        let mut ready = Vec::new();
        for _ in 0..CLIENTS {
            let mut browser = service.browser();
            browser.sign_in("ben@example.com", PASSWORD).await;
            let page = browser.open(&link).await;
            ready.push((browser, page));
        }
        let tasks = ready.into_iter().map(|(mut browser, page)| {
            tokio::spawn(async move {
                browser.submit(&page, &format!("{}/accept", page.path), &[]).await.status
            })
        });
        let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(count(&answers, StatusCode::OK), 1, "{kind:?}: {answers:?}");
        assert_eq!(service.people().await, "ben:biller:active", "{kind:?}");
        assert_eq!(service.seats().await["used"], 1, "{kind:?}");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_version_is_changed_by_one_of_sixteen() {
    for kind in Kind::ALL {
        let service = service_on(kind, SEED).await;
        let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
        let url = format!("{}{INVITATIONS}/{}", service.base, text(&row["id"]));
        let etag = text(&row["etag"]);
        let statuses = at_once(|at| {
            let (url, etag) = (url.clone(), etag.clone());
            let role = ["developer", "admin"][at % 2];
            async move {
                let call = client().request(Method::PATCH, url).bearer_auth(TOKEN);
                let call = call.header("if-match", etag).json(&json!({ "role": role }));
                call.send().await.expect("an answer").status()
            }
        })
        .await;
        assert_eq!(count(&statuses, StatusCode::OK), 1, "{kind:?}: {statuses:?}");
        assert_eq!(count(&statuses, StatusCode::PRECONDITION_FAILED), CLIENTS - 1, "{kind:?}");
        service.stop().await;
    }
}

async fn run(conn: &mut AnyConnection, statement: &'static str) {
    sqlx::query(statement).execute(conn).await.expect("a statement that runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_parallel_openings_under_one_key_all_have_the_answer_of_the_first() {
    for kind in Kind::ALL {
        let service = service_on(kind, SEED).await;
        let url = format!("{}/v1/accounts", service.base);
        let open = |key: &'static str| {
            let call = client().post(url.clone()).bearer_auth(VENDOR_TOKEN);
            let body = json!({
                "name": "New", "slug": "new", "profile": "nitropack", "owner_email": "una@example.com",
            });
            call.header("idempotency-key", key).json(&body).send()
        };
        // On PostgreSQL the first is held just before its end, so that others stand behind it.
        let mut held = service.database().await;
        if kind == Kind::Postgres {
            run(&mut held, "begin").await;
            run(&mut held, "lock table answers in exclusive mode").await;
        }
        let tasks: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(open("k"))).collect();
        if kind == Kind::Postgres {
            let waiting = "select count(*) from pg_stat_activity \
                           where datname = current_database() and wait_event_type = 'Lock'";
            let waiting = async |conn: &mut AnyConnection| -> i64 {
                sqlx::query_scalar(waiting).fetch_one(conn).await.expect("a count")
            };
            while waiting(&mut held).await < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            run(&mut held, "commit").await;
        }
        let mut ids = Vec::new();
        for answer in join_all(tasks).await {
            let answer = answer.expect("a call").expect("an answer");
            assert_eq!(answer.status(), StatusCode::CREATED, "{kind:?}");
            ids.push(text(&answer.json::<Value>().await.expect("JSON")["id"]));
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{kind:?}");
        let other = open("other").await.expect("an answer");
        assert_eq!(other.status(), StatusCode::CONFLICT, "{kind:?}: the slug is taken");
        service.stop().await;
    }
}
