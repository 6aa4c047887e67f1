//! `--ledger account`: the service keeps the ledger, and each run is on a machine of its own.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reqwest::Method;
use seatkeeper::apply;
use seatkeeper::backend::BackendError;
use seatkeeper::backend::account_api::AccountApi;
use seatkeeper::backend::transport::Reqwest;
use seatkeeper::domain::keys::AccountKey;
use seatkeeper::ledger::{AccountStore, ClientState, Ledger, LedgerError, LedgerStore, StateError};
use seatkeeper::ledger::{MemoryStore, Part, SealedPart};

use serde_json::Value;

use crate::cli_run::{Desk, Said, said, service_now};
use crate::service::{TOKEN, TestService, text};

const SEED: &str = r"
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com}
    subscriptions: [scale]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-that-reads, scopes: [read]}
";

/// One run on a machine that knows nothing.
async fn run(service: &TestService, arguments: &[&str], failpoint: &str) -> Said {
    let desk = Desk::new(&service.base, TOKEN);
    let mut command = desk.command_with("account", arguments);
    if !failpoint.is_empty() {
        command.env("SEATKEEPER_FAILPOINT", failpoint);
    }
    let said = said(command.output().await.unwrap());
    assert_eq!(desk.ledger(), "-", "nothing is kept here");
    said
}

/// Writes of the ledger so far.
fn puts(service: &TestService) -> usize {
    let requests = service.requests();
    let puts = requests.iter().filter(|line| line["method"] == "PUT");
    puts.filter(|line| text(&line["route"]).ends_with("/client-state")).count()
}

#[tokio::test]
async fn a_runner_that_keeps_nothing_finds_its_ledger_at_the_service_in_two_writes_a_run() {
    let service = service_now(SEED).await;
    let plan = run(&service, &["plan"], "").await;
    assert_eq!((plan.code, puts(&service)), (Some(3), 0), "{}{}", plan.out, plan.err);
    let first = run(&service, &["apply"], "").await;
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    assert_eq!((service.mails().await.len(), puts(&service)), (3, 2), "one wave");
    run(&service, &["apply"], "").await;
    let learned = puts(&service);
    let again = run(&service, &["apply"], "").await;
    assert!(again.out.ends_with("nothing to change; seats 3 of 10\n"), "{}", again.out);
    assert_eq!((service.mails().await.len(), puts(&service)), (3, learned));

    let desk = Desk::new(&service.base, "acme-token-that-reads");
    let said = said(desk.command_with("account", &["plan"]).output().await.unwrap());
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("could not read the ledger account"), "{}", said.err);
    let said =
        crate::cli_run::said(desk.command_with("accounts", &["plan"]).output().await.unwrap());
    assert!(said.err.contains("hint: file:PATH, kube:NAMESPACE/NAME, or account"), "{}", said.err);
    service.stop().await;
}

#[tokio::test]
async fn a_check_without_the_ledger_marks_what_only_the_ledger_knows() {
    let service = service_now(SEED).await;
    run(&service, &["apply"], "").await;
    let desk = Desk::new(&service.base, "acme-token-that-reads");
    desk.replace(
        "git/team.yaml",
        "    - email: bo@example.com\n",
        "    - email: zoe@example.com\n",
    );
    desk.replace("git/membership.yaml", "role: biller", "role: admin");
    let said = desk.exits(3, &["plan"]).await;
    assert_eq!(
        said.out,
        "account web/acme (Acme): scale, mode Manage\n\
         ~ change the invitation of cyd@example.com from biller to admin\n\
         ? + invite zoe@example.com as developer\n\
         ? not declared, at the service: 1; removed if they are ours\n\
         ? means that only the ledger knows: who is ours, said no, or was mailed; give it with --ledger \
         kube:NAMESPACE/NAME, file:PATH or account\n\
         ! ClaimedByOther: another installation manages this account; run from there, use its ledger, \
         or take the account over: seatkeeper claim --take\n\
         nothing to do now; seats 3 → 3 of 10\n"
    );
    assert_eq!(desk.ledger(), "-");
    let known = run(&service, &["plan"], "").await;
    assert!(!known.out.contains('?'), "{}", known.out);
    service.stop().await;
}

// rule: OP-02
#[tokio::test]
async fn a_runner_that_is_killed_anywhere_is_followed_by_one_that_mails_nobody_twice() {
    // Nothing but sends, in one wave.
    let not_passed = ["apply.acting", "apply.acted", "apply.wave-opened"];
    for point in apply::FAILPOINTS.iter().filter(|point| !not_passed.contains(point)) {
        let service = service_now(SEED).await;
        let killed = run(&service, &["apply"], point).await;
        assert_eq!(killed.signal, Some(6), "{point}: {}{}", killed.out, killed.err);
        for _ in 0..2 {
            let said = run(&service, &["apply"], "").await;
            assert_eq!(said.code, Some(0), "{point}: {}{}", said.out, said.err);
        }
        let mut to: Vec<String> = service.mails().await.into_iter().map(|mail| mail.to).collect();
        to.sort();
        let everyone = ["ana@example.com", "bo@example.com", "cyd@example.com"];
        assert_eq!(to, everyone, "{point}");
        service.stop().await;
    }
}

/// A document and its version.
type Versioned = (Vec<u8>, u64);

/// A document in memory, with a limit on its size.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Versioned>>>);

#[async_trait]
impl ClientState for Kept {
    async fn read(&self) -> Result<Option<(Vec<u8>, String)>, StateError> {
        let kept = self.0.lock().unwrap().clone();
        Ok(kept.map(|(body, version)| (body, version.to_string())))
    }

    async fn put(&self, body: Vec<u8>, expected: Option<&str>) -> Result<String, StateError> {
        let mut kept = self.0.lock().unwrap();
        let version = kept.as_ref().map_or(0, |(_, version)| *version);
        let there = kept.as_ref().map(|(_, version)| version.to_string());
        if there.as_deref() != expected {
            return Err(StateError::Changed);
        }
        if body.len() > 4096 {
            return Err(StateError::TooLarge);
        }
        *kept = Some((body, version + 1));
        Ok((version + 1).to_string())
    }
}

fn part(name: &str, content: &str) -> SealedPart {
    SealedPart::seal(Part::parse(name).unwrap(), "acc_1", content.to_owned())
}

#[tokio::test]
async fn of_two_runners_one_writes_and_what_belongs_together_is_stored_at_once_or_not_at_all() {
    let kept = Kept::default();
    let store = || AccountStore::to_write(Box::new(kept.clone()));
    let (first, second) = (store(), store());
    assert!(first.load().await.unwrap().is_empty() && second.load().await.unwrap().is_empty());
    first.gather().await;
    first.write(&part("head", "1"), None).await.unwrap();
    first.write(&part("page-01", "1"), None).await.unwrap();
    assert!(kept.read().await.unwrap().is_none(), "not before both are there");
    first.flush().await.unwrap();
    assert_eq!(store().load().await.unwrap().len(), 2);
    let late = second.write(&part("head", "2"), None).await;
    assert!(matches!(late, Err(LedgerError::Conflict { .. })));

    let (large, again) = (store(), store());
    let parts = large.load().await.unwrap();
    large.gather().await;
    large.write(&part("head", "3"), Some(&parts[0].1)).await.unwrap();
    large.write(&part("page-01", &"x".repeat(5000)), Some(&parts[1].1)).await.unwrap();
    let error = large.flush().await.unwrap_err();
    assert!(matches!(error, LedgerError::TooLarge { .. }));
    assert!(error.hint().contains("--ledger file:PATH"), "{}", error.hint());
    let parts = again.load().await.unwrap();
    assert_eq!(parts[0].0.content, "1", "neither");
    again.delete(Part::parse("page-01").unwrap(), &parts[1].1).await.unwrap();
    assert_eq!(store().load().await.unwrap().len(), 1);
    let reader = AccountStore::to_read(Box::new(kept.clone()));
    let written = reader.write(&part("head", "4"), None).await;
    assert!(matches!(written, Err(LedgerError::ReadOnly { .. })));

    *kept.0.lock().unwrap() = Some((b"{\"of\":\"somebody else\"}".to_vec(), 9));
    let read = Ledger::load(Box::new(store()), &AccountKey::from("acme")).await;
    assert!(matches!(read, Err(LedgerError::Damaged { .. })));
    assert!(MemoryStore::default().flush().await.is_ok(), "others have nothing to flush");
}

/// A file with a team of so many people.
fn crowd(people: usize) -> String {
    let head = "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {name: NAME, namespace: web}\n\
                spec:\n  accountRef: {name: acme}\n  defaultRole: developer\n  roster:\n";
    let mut file = String::new();
    for person in 0..people {
        if person % 2000 == 0 {
            let name = format!("crowd-{person}");
            let _ = write!(file, "---\n{}", head.replace("NAME", &name));
        }
        let _ = writeln!(file, "    - email: person{person}@example.com");
    }
    file
}

// rule: OP-02
#[tokio::test]
async fn a_ledger_that_has_outgrown_the_service_mails_nobody_and_stays_as_it_was() {
    let service = service_now(&SEED.replace("scale", "custom")).await;
    let desk = Desk::new(&service.base, TOKEN);
    let run = async |code: i32| {
        let said = said(desk.command_with("account", &["apply"]).output().await.unwrap());
        assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
        said
    };
    run(0).await;
    run(0).await;
    let record = async || service.get("/v1/accounts/acme/client-state").await.body;
    let before = record().await;
    desk.write("git/crowd.yaml", &crowd(8000));
    let said = run(1).await;
    assert_eq!(
        said.err,
        "error: the ledger account is larger than the account service takes\n  \
         hint: nothing more was sent; keep the ledger in a folder (--ledger file:PATH) or run the operator, \
         and take the account over from there: seatkeeper claim --take\n"
    );
    assert_eq!((service.mails().await.len(), record().await), (3, before));
    desk.delete("git/crowd.yaml");
    let said = run(0).await;
    assert!(said.out.ends_with("nothing to change; seats 3 of unlimited\n"), "{}", said.out);
    service.stop().await;
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_by_the_service_in_words_that_are_told_apart() {
    let service = service_now(SEED).await;
    let transport = Reqwest::new(&service.base.parse().unwrap(), None).unwrap();
    let api = AccountApi::new(Arc::new(transport), &TOKEN.into()).unwrap();
    let acme = AccountKey::from("acme");
    assert!(api.client_state(&acme).await.unwrap().is_none());
    let large = format!("\"{}\"", "x".repeat(1024 * 1024)).into_bytes();
    match api.put_client_state(&acme, large.clone(), None).await {
        Err(BackendError::Rejected { code }) => assert_eq!(code, "body-too-large"),
        other => panic!("{other:?}"),
    }
    let call = service.call(Method::PUT, "/v1/accounts/acme/client-state").token(TOKEN);
    let text: Value = serde_json::from_slice(&large).unwrap();
    call.header("if-none-match", "*").json(&text).send().await.refused(413, "body-too-large");
    let etag = api.put_client_state(&acme, b"{}".to_vec(), None).await.unwrap();
    let second = api.put_client_state(&acme, b"{}".to_vec(), None).await;
    assert!(matches!(second, Err(BackendError::Changed { .. })), "{second:?}");
    let next = api.put_client_state(&acme, b"[]".to_vec(), Some(&etag)).await.unwrap();
    assert_eq!(api.client_state(&acme).await.unwrap(), Some((b"[]".to_vec(), next)));
    service.stop().await;
}
