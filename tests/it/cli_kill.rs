//! Killed at every point between ledger write, send, answer and the next ledger write; then simply
//! run again. Program and service are processes, or the real service in this one; mails are counted
//! in its spool.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::{Method, StatusCode};
use seatkeeper::{apply, ledger};
use serde_json::Value;

use crate::cli_run::{Desk, Said, service_now, values};
use crate::service::TestService;

const SIGABRT: i32 = 6;

/// A token of its own for each account.
fn token(account: &str) -> String {
    format!("token-of-the-account-{account}")
}

/// An account on a plan, with members that nobody declared yet.
fn account(name: &str, plan: &str, members: &[&str]) -> String {
    let mut seed = format!(
        "  - name: {name}\n    slug: {name}\n    profile: nitropack\n    \
         owner: {{email: owner@{name}.example}}\n    subscriptions: [{plan}]\n    \
         tokens: [{{token: {}, scopes: [read, invite, change, remove, billing, manage]}}]\n    \
         members:\n",
        token(name)
    );
    for person in members {
        writeln!(seed, "      - {{email: {person}@{name}.example, role: developer}}").unwrap();
    }
    if members.is_empty() { seed.replace("    members:\n", "") } else { seed }
}

/// A folder with a team of these people in `account`, and nobody else.
fn desk(url: &str, account: &str, people: &[String]) -> Desk {
    let desk = Desk::new(url, &token(account));
    desk.delete("git/membership.yaml");
    desk.replace("git/account.yaml", "accountId: acme", &format!("accountId: {account}"));
    let limits =
        "  profile: nitropack\n  limits: {requestsPerSecond: 100000, invitationsPerHour: 1000000}";
    desk.replace("git/account-class.yaml", "  profile: nitropack", limits);
    declare(&desk, account, people);
    desk
}

/// Declares these people.
fn declare(desk: &Desk, account: &str, people: &[String]) {
    let mut team = "\
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: core, namespace: web}
spec:
  accountRef: {name: acme}
  defaultRole: developer
  roster:
"
    .to_owned();
    if people.is_empty() {
        team.push_str("    []\n");
    }
    for person in people {
        writeln!(team, "    - email: {person}@{account}.example").unwrap();
    }
    desk.write("git/team.yaml", &team);
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Runs `apply` until it is killed at this point. False if it ended by itself.
async fn is_killed(desk: &Desk, point: &str) -> bool {
    let mut command = desk.command(&["apply"]);
    let output = command.env("SEATKEEPER_FAILPOINT", point).output().await.unwrap();
    let said = crate::cli_run::said(output);
    match said {
        Said { signal: Some(SIGABRT), .. } => true,
        Said { code: Some(_), .. } => false,
        other => panic!("{point}: {other:?}"),
    }
}

/// Mails of one kind to each address that ends in the account's domain.
async fn mails(service: &TestService, account: &str, template: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for mail in service.mails().await {
        let domain = format!("@{account}.example");
        if let (Some(person), true) = (mail.to.strip_suffix(&domain), mail.template == template) {
            *counts.entry(person.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

/// Runs it again until it is done, then once more: nothing is left to do, anywhere.
async fn converges(desk: &Desk, service: &TestService, code: i32) {
    desk.exits(code, &["apply"]).await;
    desk.exits(code, &["apply"]).await;
    let (ledger, writes) = (desk.ledger(), writes(service));
    desk.exits(code, &["apply"]).await;
    assert_eq!((desk.ledger(), self::writes(service)), (ledger, writes));
}

fn writes(service: &TestService) -> usize {
    service.requests().iter().filter(|line| line["method"] != "GET").count()
}

/// Members of the account but its owner.
async fn people(service: &TestService, account: &str) -> Vec<String> {
    let path = format!("/v1/accounts/{account}/members");
    let call = service.call(Method::GET, &path).token(&token(account));
    let list = call.send().await.expect(StatusCode::OK);
    let rows = list["items"].as_array().unwrap().iter().filter(|row| row["role"] != "owner");
    let mut people: Vec<String> = rows
        .map(|row| row["email"].as_str().unwrap().split('@').next().unwrap().to_owned())
        .collect();
    people.sort();
    people
}

/// Everybody exactly once.
fn once(people: &[String]) -> BTreeMap<String, usize> {
    people.iter().map(|person| (person.clone(), 1)).collect()
}

/// Names of accounts: one for each point and each of its hits.
struct Cases {
    accounts: Vec<String>,
    hits: usize,
}

impl Cases {
    /// A seed with an account for each.
    fn new(hits: usize, plan: &str, members: &[&str]) -> (Self, String) {
        let count = points().count() * hits;
        let accounts: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
        let seed: String = accounts.iter().map(|name| account(name, plan, members)).collect();
        (Self { accounts, hits }, format!("accounts:\n{seed}"))
    }

    /// Each point at its first, second, … hit, for as long as `kill` says that the run got there;
    /// how often each was hit.
    async fn walk(&self, kill: impl AsyncFn(&str, String) -> bool) -> BTreeMap<&'static str, u32> {
        let mut killed = BTreeMap::new();
        for (point, accounts) in points().zip(self.accounts.chunks(self.hits)) {
            for (account, hit) in accounts.iter().zip(1..) {
                if !kill(account, format!("{point}:{hit}")).await {
                    break;
                }
                killed.insert(point, hit);
            }
        }
        killed
    }
}

/// Every point of a run.
fn points() -> impl Iterator<Item = &'static str> {
    apply::FAILPOINTS.iter().chain(ledger::FAILPOINTS).copied()
}

/// Points that were never hit in a scenario.
fn not_hit(killed: &BTreeMap<&'static str, u32>) -> Vec<&'static str> {
    points().filter(|point| !killed.contains_key(point)).collect()
}

// rule: OP-02
#[tokio::test]
async fn killed_anywhere_in_a_run_of_invitations_everyone_gets_exactly_one_mail() {
    let (cases, seed) = Cases::new(4, "growth", &[]);
    let service = service_now(&seed).await;
    let people = names(&["ana", "bo", "cyd"]);
    let kill = async |account: &str, point: String| {
        let desk = desk(&service.base, account, &people);
        if !is_killed(&desk, &point).await {
            return false;
        }
        let status = desk.run(&["status"]).await;
        assert_eq!((status.code, status.err.as_str()), (Some(0), ""), "{point}");
        converges(&desk, &service, 0).await;
        assert_eq!(mails(&service, account, "invitation").await, once(&people), "{point}");
        true
    };
    let killed = cases.walk(kill).await;
    let others = ["apply.acting", "apply.acted", "apply.wave-opened"];
    assert_eq!(not_hit(&killed), others, "{killed:?}");
    assert_eq!(killed["apply.sending"], 3, "before each of the three sends");
    assert_eq!(killed["apply.answered"], 3, "after each of the three");
    assert!(killed["ledger.renamed"] >= 3, "head, page, head: {killed:?}");
}

// rule: OP-02
#[tokio::test]
async fn killed_between_two_waves_everyone_gets_exactly_one_mail() {
    let mut seed = "accounts:\n".to_owned();
    let points =
        ["apply.wave-sent:1", "apply.wave-opened:1", "apply.answered:40", "apply.sending:66"];
    let accounts = ["w0", "w1", "w2", "w3"];
    for name in accounts {
        seed.push_str(&account(name, "custom", &[]));
    }
    let service = service_now(&seed).await;
    let people: Vec<String> = (0..70).map(|n| format!("p{n}")).collect();
    for (account, point) in accounts.iter().zip(points) {
        let desk = desk(&service.base, account, &people);
        assert!(is_killed(&desk, point).await, "{point}");
        converges(&desk, &service, 0).await;
        assert_eq!(mails(&service, account, "invitation").await, once(&people), "{point}");
    }
}

// rule: OP-07
#[tokio::test]
async fn killed_in_a_run_of_removals_the_rest_runs_or_waits_for_approval_and_is_paid_once() {
    let members = ["ana", "bo", "cyd", "dan", "eve", "fay"];
    let (cases, seed) = Cases::new(3, "scale", &members);
    let service = service_now(&seed).await;
    let waited = RefCell::new(Vec::new());
    let kill = async |account: &str, point: String| {
        let desk = desk(&service.base, account, &names(&members));
        desk.exits(0, &["apply"]).await;
        // Three go, which is what the brake allows, and one comes.
        declare(&desk, account, &names(&["dan", "eve", "fay", "gil"]));
        if !is_killed(&desk, &point).await {
            return false;
        }
        let held = desk.run(&["apply"]).await.code == Some(4);
        if held {
            let people = people(&service, account).await;
            assert_eq!(people, ["ana", "bo", "cyd", "dan", "eve", "fay"], "{point}: half a set");
            let plan = values(&desk.exits(4, &["plan", "-o", "json"]).await.out);
            desk.exits(0, &["apply", "--approve", plan["hold"]["digest"].as_str().unwrap()]).await;
            waited.borrow_mut().push(point.clone());
        }
        converges(&desk, &service, 0).await;
        assert_eq!(people(&service, account).await, ["dan", "eve", "fay"], "{point}");
        let gone = names(&["ana", "bo", "cyd"]);
        assert_eq!(mails(&service, account, "removed").await, once(&gone), "{point}");
        let new = names(&["gil"]);
        assert_eq!(mails(&service, account, "invitation").await, once(&new), "{point}");
        if held {
            return true;
        }

        // All three were paid for, once: a fourth removal waits.
        declare(&desk, account, &names(&["eve", "fay", "gil"]));
        let plan = values(&desk.exits(4, &["plan", "-o", "json"]).await.out);
        let hold = (&plan["hold"]["spent"], &plan["hold"]["removals"]);
        assert_eq!(hold, (&3.into(), &1.into()), "{point}");
        true
    };
    let killed = cases.walk(kill).await;
    // Between head and page the brake is paid and nobody is marked as paid for: the safe side is
    // that nothing is removed until a person says so.
    let between = ["apply.opened:1", "ledger.written-beside:2", "ledger.renamed:1"];
    assert_eq!(waited.into_inner(), between);
    // One wave has no second.
    assert_eq!(not_hit(&killed), ["apply.wave-opened"], "{killed:?}");
    assert_eq!(killed["apply.acting"], 3, "before each of the three removals");
    assert_eq!(killed["apply.acted"], 3, "after each of the three");
}

mod service_killed {
    //! The service is killed, not the program.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::response::Response;
    use tokio::net::TcpListener;
    use tokio::sync::Mutex;

    use super::*;
    use crate::cli_run::{Process, serve};
    use crate::service::{client, mails_in};

    /// When the service dies.
    #[derive(Clone, Copy, Debug)]
    enum Dies {
        /// Before the n-th invitation reaches it.
        Before(usize),
        /// After the n-th invitation was made and mailed, before its answer comes back.
        After(usize),
    }

    /// Stands between program and service, and kills the service. One invitation at a time.
    struct Killer {
        process: Mutex<Process>,
        dies: Dies,
        invitations: AtomicUsize,
        one: Mutex<()>,
    }

    impl Killer {
        async fn pass(&self, request: Request) -> Response {
            let is_send =
                request.method() == "POST" && request.uri().path().ends_with("/invitations");
            if !is_send {
                return self.forward(request).await;
            }
            let _one = self.one.lock().await;
            let number = self.invitations.fetch_add(1, Ordering::SeqCst) + 1;
            match self.dies {
                Dies::Before(n) if n == number => self.kill().await,
                Dies::Before(_) | Dies::After(_) => (),
            }
            let answer = self.forward(request).await;
            match self.dies {
                Dies::After(n) if n == number => {
                    self.wait_for_mails().await;
                    self.kill().await;
                    broken()
                }
                Dies::Before(_) | Dies::After(_) => answer,
            }
        }

        async fn forward(&self, request: Request) -> Response {
            let url = self.process.lock().await.url.clone();
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let path = head.uri.path_and_query().unwrap().as_str();
            let mut headers = head.headers;
            headers.remove("host");
            let call = client().request(head.method, format!("{url}{path}"));
            let Ok(answer) = call.headers(headers).body(body).send().await else { return broken() };
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                if name != "transfer-encoding" && name != "connection" {
                    response = response.header(name, value);
                }
            }
            response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
        }

        /// Until the service has noted of every mail that it went out.
        async fn wait_for_mails(&self) {
            let url = self.process.lock().await.url.clone();
            for _ in 0..400 {
                let path = format!("{url}/v1/accounts/s/invitations");
                let answer = client().get(path).bearer_auth(token("s")).send().await.unwrap();
                let list: Value = answer.json().await.unwrap();
                let rows = list["items"].as_array().unwrap();
                if rows.iter().all(|row| row["delivery"] == "sent") {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            panic!("mails did not go out");
        }

        /// SIGKILL.
        async fn kill(&self) {
            self.process.lock().await.kill().await;
        }
    }

    /// An answer whose connection breaks before its end.
    fn broken() -> Response {
        let error = std::io::Error::other("killed");
        let stream = futures::stream::once(async { Err::<Vec<u8>, _>(error) });
        let response = Response::builder().header("content-length", "100");
        response.body(Body::from_stream(stream)).unwrap()
    }

    // rule: OP-02
    #[tokio::test]
    async fn when_the_service_dies_around_an_answer_everyone_still_gets_exactly_one_mail() {
        let people = names(&["ana", "bo", "cyd"]);
        for dies in [Dies::Before(1), Dies::Before(2), Dies::After(1), Dies::After(3)] {
            let home = Desk::empty();
            home.write("seed.yaml", &format!("accounts:\n{}", account("s", "growth", &[])));
            let process = Mutex::new(serve(&home, &[]).await);
            let (invitations, one) = (AtomicUsize::new(0), Mutex::new(()));
            let killer = Arc::new(Killer { process, dies, invitations, one });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let passing = Arc::clone(&killer);
            let router = Router::new().fallback(move |request| {
                let killer = Arc::clone(&passing);
                async move { killer.pass(request).await }
            });
            let proxy = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

            let desk = desk(&url, "s", &people);
            let said = desk.exits(1, &["apply"]).await;
            assert!(said.err.contains("Unreachable"), "{dies:?}: {}", said.err);
            *killer.process.lock().await = serve(&home, &[]).await;
            desk.exits(0, &["apply"]).await;
            killer.wait_for_mails().await;
            let said = desk.exits(0, &["apply"]).await;
            assert!(said.out.ends_with("nothing to change; seats 3 of 3\n"), "{}", said.out);

            let mut sent: Vec<_> = mails_in(&home.path("data/spool"))
                .into_iter()
                .map(|mail| (mail.template, mail.to))
                .collect();
            sent.sort();
            let to = |name: &str| ("invitation".to_owned(), format!("{name}@s.example"));
            assert_eq!(sent, [to("ana"), to("bo"), to("cyd")], "{dies:?}");
            proxy.abort();
        }
    }
}
