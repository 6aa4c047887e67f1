//! Bad input, one folder a case in `tests/bad/`: what is said, the exit code, and that neither the
//! ledger nor the service was written to.
//!
//! A folder's `*.yaml` stand in place of, or beside, those of the example. `expected.txt` is exit
//! code, stdout and stderr; run with `SEATKEEPER_BLESS=1` to write it anew, then read it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli_run::{Desk, Said, said, service_now};
use crate::scripted::{Answer, Scripted, Seen};
use crate::service::{OTHER_TOKEN, READ_TOKEN, SEED, TOKEN, TestService, text};

/// Wrong files.
const FILES: &[&str] = &[
    "all-at-once",
    "all-unreadable",
    "client-access",
    "client-access-not-offered",
    "client-declared-twice",
    "client-of-no-account",
    "declared-twice",
    "duplicate-keys",
    "malformed-yaml",
    "no-such-account",
    "no-such-class",
    "no-such-team",
    "profile-not-there",
    "profile-of-a-text",
    "profile-twice",
    "recipient-who-is-no-member",
    "recipients",
    "recipients-exact-twice",
    "recipients-not-offered",
    "recipients-of-no-team",
    "release-after",
    "role-not-grantable",
    "secret-empty",
    "secret-missing",
    "secret-of-two-words",
    "teardown",
    "unknown-field",
    "unknown-kind",
    "unknown-role",
    "wrong-address",
];

/// A service that refuses, or does not answer as it should.
const SERVICE: &[&str] = &[
    "answer-empty-list",
    "answer-half-a-page",
    "answer-html",
    "answer-no-categories",
    "answer-nobody-left",
    "answer-of-another-account",
    "client-list-missing",
    "service-down",
    "service-slow",
    "service-without-deduplication",
    "token-refused",
    "token-that-only-reads",
    "token-without-read",
];

/// A ledger that cannot be used.
const LEDGER: &[&str] = &[
    "disk-full",
    "ledger-cut-in-half",
    "ledger-deleted",
    "ledger-edited",
    "ledger-of-another-account",
    "ledger-without-a-page",
    "two-applies-at-once",
];

/// A token that may do anything but look.
const BLIND_TOKEN: &str = "acme-token-that-does-not-read";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

/// The account as it is before each case: three people invited, and the ledger of that.
struct World {
    service: TestService,
    before: Desk,
    /// What the service says to each read of a run.
    answers: BTreeMap<String, String>,
}

impl World {
    async fn new() -> Self {
        let blind = format!("      - {{token: {BLIND_TOKEN}, scopes: [invite, change, remove]}}\n");
        let last = "      - {token: acme-token-for-reading, scopes: [read]}\n";
        let service = service_now(&SEED.replace(last, &format!("{last}{blind}"))).await;
        let before = Desk::new(&service.base, TOKEN);
        before.exits(0, &["apply"]).await;
        assert_eq!(service.mails().await.len(), 3);
        let account = service.get("/v1/accounts/acme").await.body;
        let lists = format!("/v1/accounts/{}", text(&account["id"]));
        let mut answers = BTreeMap::new();
        for path in [
            "/v1/capabilities".to_owned(),
            "/v1/accounts/acme/roles".to_owned(),
            "/v1/accounts/acme".to_owned(),
            format!("{lists}/invitations?page_size=1000"),
            format!("{lists}/members?page_size=1000"),
        ] {
            let answer = service.get(&path).await.body;
            answers.insert(format!("GET {path}"), answer.to_string());
        }
        Self { service, before, answers }
    }

    /// A folder with the files of a case and a copy of the ledger.
    fn desk(&self, case: &str) -> Desk {
        let desk = Desk::new(&self.service.base, TOKEN);
        for entry in fs::read_dir(folder().join(case)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let name = path.file_name().unwrap().to_str().unwrap();
                desk.write(&format!("git/{name}"), &fs::read_to_string(&path).unwrap());
            }
        }
        for entry in fs::read_dir(self.before.path("ledger")).unwrap() {
            let entry = entry.unwrap();
            let name = format!("ledger/{}", entry.file_name().to_str().unwrap());
            desk.write(&name, &fs::read_to_string(entry.path()).unwrap());
        }
        desk
    }

    /// A service that answers as the real one does, but for what `fault` says otherwise.
    async fn faulty(&self, fault: Fault) -> Scripted {
        let answers = self.answers.clone();
        Scripted::start(move |seen: &Seen| match answers.get(&seen.line) {
            None => Answer::problem(404, "not-found"),
            Some(answer) => fault(&seen.line, answer)
                .unwrap_or_else(|| Answer::text(200, "application/json", answer)),
        })
        .await
    }

    /// Writes that the service was asked for and did.
    fn writes(&self) -> usize {
        let requests = self.service.requests();
        let written = |line: &&Value| line["method"] != "GET" && line["status"] != 403;
        requests.iter().filter(written).count()
    }

    /// Runs the case.
    async fn run(&self, case: &str) -> (Desk, String, Said) {
        let desk = self.desk(case);
        if SERVICE.contains(&case) {
            return self.run_service(case, desk).await;
        }
        match case {
            "secret-missing" | "all-at-once" => desk.delete("secrets/acme-token/token"),
            "secret-empty" => desk.write("secrets/acme-token/token", "\n"),
            "secret-of-two-words" => desk.write("secrets/acme-token/token", "a token"),
            "disk-full" => symlink("/dev/full", desk.path("ledger/head.json.new")).unwrap(),
            "ledger-of-another-account" => {
                desk.replace("git/account.yaml", "accountId: acme", "accountId: other");
                desk.write("secrets/acme-token/token", OTHER_TOKEN);
            }
            "ledger-cut-in-half" => {
                let head = fs::read_to_string(desk.path("ledger/head.json")).unwrap();
                desk.write("ledger/head.json", &head[..head.len() / 2]);
            }
            "ledger-deleted" => fs::remove_dir_all(desk.path("ledger")).unwrap(),
            "ledger-edited" => {
                let names = fs::read_dir(desk.path("ledger")).unwrap();
                let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
                let page = names.filter(|name| name.starts_with("page-")).min().unwrap();
                let text = fs::read_to_string(desk.path(&format!("ledger/{page}"))).unwrap();
                assert!(text.contains("epoch\\\":0"), "{text}");
                desk.write(
                    &format!("ledger/{page}"),
                    &text.replacen("epoch\\\":0", "epoch\\\":1", 1),
                );
            }
            "ledger-without-a-page" => {
                let files = fs::read_dir(desk.path("ledger")).unwrap();
                let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
                let pages: Vec<_> = names.filter(|name| name.starts_with("page-")).collect();
                assert!(!pages.is_empty());
                pages.iter().for_each(|page| desk.delete(&format!("ledger/{page}")));
            }
            "two-applies-at-once" => return self.run_two(desk).await,
            _ => assert!(FILES.contains(&case), "{case} is in no list"),
        }
        let ledger = desk.ledger();
        let said = desk.run(&["apply"]).await;
        (desk, ledger, said)
    }

    /// Runs a case of [`SERVICE`].
    async fn run_service(&self, case: &str, desk: Desk) -> (Desk, String, Said) {
        let token = match case {
            "token-refused" => "not-a-token-of-this-service",
            "token-without-read" => BLIND_TOKEN,
            "token-that-only-reads" => READ_TOKEN,
            _ => TOKEN,
        };
        desk.write("secrets/acme-token/token", token);
        let mut service = None;
        if token == TOKEN {
            let faulty = self.faulty(fault(case)).await;
            desk.replace("git/account-class.yaml", &self.service.base, faulty.base());
            service = Some(faulty).filter(|_| case != "service-down");
        }
        let command = match case {
            "service-slow" => ["apply", "--timeout", "300ms"],
            // A second such answer would be believed: `apply` notes the first.
            "answer-nobody-left" | "client-list-missing" | "service-without-deduplication" => {
                ["plan", "--timeout", "5s"]
            }
            _ => ["apply", "--timeout", "5s"],
        };
        let ledger = desk.ledger();
        let said = desk.run(&command).await;
        let seen = service.map_or(Vec::new(), |service| service.seen());
        assert!(seen.iter().all(|seen| seen.line.starts_with("GET ")), "{case}: {seen:#?}");
        if case == "token-that-only-reads" {
            // What was refused is only put off: a good token goes on from this ledger.
            desk.write("secrets/acme-token/token", TOKEN);
            let said = desk.exits(0, &["apply"]).await;
            assert!(said.out.ends_with("1 done; seats 3 of 3\n"), "{}", said.out);
            assert_eq!(self.service.mails().await.len(), 3, "no second mail");
        }
        (desk, ledger, said)
    }

    /// The second of two runs, while the first waits for a slow service.
    async fn run_two(&self, desk: Desk) -> (Desk, String, Said) {
        let slowly: Fault = Arc::new(|_, answer| {
            let answer = Answer::text(200, "application/json", answer);
            Some(answer.after(Duration::from_millis(800)))
        });
        let service = self.faulty(slowly).await;
        desk.replace("git/account-class.yaml", &self.service.base, service.base());
        let ledger = desk.ledger();
        let first = tokio::spawn(desk.command(&["apply"]).output());
        while service.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = desk.run(&["apply"]).await;
        let first = said(first.await.unwrap().unwrap());
        assert_eq!((first.code, first.err.as_str()), (Some(0), ""), "the first goes on");
        (desk, ledger, second)
    }
}

/// What a service says to a read (method and path, and the true answer) instead.
type Fault = Arc<dyn Fn(&str, &str) -> Option<Answer> + Send + Sync>;

/// What is wrong with the service of a case.
fn fault(case: &str) -> Fault {
    let in_members = |answer: fn(&str) -> Answer| -> Fault {
        Arc::new(move |line, real| line.contains("/members").then(|| answer(real)))
    };
    match case {
        // What the service is not told to answer it does not have.
        "service-down" | "answer-no-categories" | "client-list-missing" => Arc::new(|_, _| None),
        "service-slow" => in_members(|_| Answer::json(&json!({})).after(Duration::from_secs(20))),
        "answer-html" => {
            in_members(|_| Answer::text(200, "text/html", "<h1>Welcome to the proxy</h1>"))
        }
        "answer-half-a-page" => {
            in_members(|real| Answer::text(200, "application/json", &real[..real.len() / 2]))
        }
        "answer-empty-list" => in_members(|real| Answer::json(&emptied(real))),
        "answer-nobody-left" => Arc::new(|line, real| match line {
            "GET /v1/accounts/acme" => Some(Answer::json(&deserted(real))),
            _ => line.contains("page_size").then(|| Answer::json(&emptied(real))),
        }),
        "answer-of-another-account" => Arc::new(another),
        "service-without-deduplication" => Arc::new(|line, real| {
            let mut promises: Value = serde_json::from_str(real).unwrap();
            promises["idempotency_retention_seconds"] = json!(0);
            promises["unique_pending"] = json!(false);
            (line == "GET /v1/capabilities").then(|| Answer::json(&promises))
        }),
        _ => panic!("{case} is in no list"),
    }
}

/// A list without rows, and without a total that gives it away.
fn emptied(answer: &str) -> Value {
    let mut list: Value = serde_json::from_str(answer).unwrap();
    list["items"] = json!([]);
    list["total"] = json!(0);
    list
}

/// An account whose seats agree with empty lists.
fn deserted(answer: &str) -> Value {
    let mut account: Value = serde_json::from_str(answer).unwrap();
    account["seats"]["used"] = json!(0);
    for count in account["seats"]["breakdown"].as_object_mut().unwrap().values_mut() {
        *count = json!(0);
    }
    account
}

/// The account under another id, its lists with it.
fn another(line: &str, answer: &str) -> Option<Answer> {
    (line == "GET /v1/accounts/acme").then(|| {
        let mut account: Value = serde_json::from_str(answer).unwrap();
        account["id"] = json!("acc_of_somebody_else");
        account["slug"] = json!("somebody-else");
        Answer::json(&account)
    })
}

/// What a run said, without what differs from run to run.
fn shown(said: &Said, world: &World) -> String {
    let account = world.answers.get("GET /v1/accounts/acme").unwrap();
    let account: Value = serde_json::from_str(account).unwrap();
    let mut shown = format!("exit {}\n", said.code.unwrap());
    let _ = write!(shown, "--- stdout\n{}--- stderr\n{}", said.out, said.err);
    let shown = shown.replace(&text(&account["id"]), "acc_1");
    // A digest holds the claim, which is new in each account.
    match shown.split_once("held set ").and_then(|(_, rest)| rest.split_once(':')) {
        Some((digest, _)) => shown.replace(&digest.to_owned(), "DIGEST"),
        None => shown,
    }
}

/// Runs cases and compares what they say; all that differ are shown.
async fn check(cases: &[&str]) {
    let world = World::new().await;
    let mut wrong = String::new();
    for case in cases {
        let writes = world.writes();
        let (desk, ledger, said) = world.run(case).await;
        if *case != "token-that-only-reads" {
            assert_eq!(world.writes(), writes, "{case}: a write of the service");
            assert_eq!(without_links(&desk.ledger()), without_links(&ledger), "{case}: the ledger");
        }
        let (path, shown) = (folder().join(case).join("expected.txt"), shown(&said, &world));
        if std::env::var_os("SEATKEEPER_BLESS").is_some() {
            fs::write(&path, &shown).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if shown != expected {
            let _ = writeln!(wrong, "== {case}\n{shown}== expected\n{expected}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The files of a ledger without the one that stands for a full disk.
fn without_links(ledger: &str) -> String {
    ledger.lines().filter(|line| !line.starts_with("head.json.new ")).collect()
}

#[tokio::test]
async fn wrong_files_are_refused_with_every_problem_at_its_place() {
    check(FILES).await;
}

// rule: OP-07
#[tokio::test]
async fn a_service_that_refuses_or_answers_wrong_changes_nothing() {
    check(SERVICE).await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_used_stops_everything() {
    check(LEDGER).await;
}

#[test]
fn every_folder_of_bad_input_is_run() {
    let lists = FILES.iter().chain(SERVICE).chain(LEDGER);
    let listed: BTreeSet<String> = lists.map(|case| (*case).to_owned()).collect();
    let folders = fs::read_dir(folder()).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), listed);
}
