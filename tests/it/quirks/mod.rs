//! What real services do that no contract says, played before the real service: what a user of
//! `apply` sees, that nothing is taken away on a bad read, and that nobody is mailed twice.
//!
//! Each quirk has an account of its own, in which one run changes a role, changes the role of an
//! invitation, removes a member, withdraws an invitation and invites somebody. The run meets the quirk;
//! the runs after it do not, and find everything as it should be.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod reads;
mod writes;

use std::fmt::Write as _;

use futures::{StreamExt as _, stream};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::cli_run::{Desk, service_now};
use crate::scripted::{Answer, Bend, Scripted, Seen};
use crate::service::TestService;

/// What services say that nobody may ever repeat.
const CANARY: &str = "upstream-canary";

/// Quirks that are played at one time.
const AT_ONE_TIME: usize = 3;

/// Something that a service does.
struct Quirk {
    /// In short.
    name: &'static str,
    /// Method and resource of the requests that meet it.
    on: &'static str,
    how: How,
    /// Exit code of `apply`.
    code: i32,
    /// A part of what it says.
    says: &'static str,
    /// Nothing is written to the account by that run.
    still: bool,
    /// A row that the run leaves as it is.
    keeps: &'static str,
}

/// How it is done.
#[derive(Clone, Copy)]
enum How {
    /// The service is not asked. The argument is where a thief listens.
    Instead(fn(&str) -> Answer),
    /// The service is asked something else.
    Asked(fn(&str) -> String),
    /// The service is asked something else, and answers this.
    Changed(fn(&str) -> String, fn(Answer) -> Answer),
    /// The service does what it is asked, and answers this.
    Answered(fn(Answer) -> Answer),
    /// The same; the argument is where a thief listens.
    Lured(fn(Answer, &str) -> Answer),
}

/// Method and resource of a request: `GET members`, `POST revoke`, `GET account`.
fn kind(request: &Seen) -> String {
    let (method, path) = request.line.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap();
    let segments: Vec<&str> = path.split('/').skip(3).collect();
    let resource = match segments[..] {
        [_] => "account",
        [_, list] | [_, list, _] => list,
        [.., verb] => verb,
        [] => "",
    };
    format!("{method} {resource}")
}

fn token(account: &str) -> String {
    format!("token-of-the-account-{account}")
}

/// An account with its owner, and two members that nobody declared yet.
fn seed(account: &str) -> String {
    format!(
        "  - name: {account}
    slug: {account}
    profile: nitropack
    owner: {{email: owner@{account}.example}}
    subscriptions: [scale]
    tokens: [{{token: {}, scopes: [read, invite, change, remove, billing, manage]}}]
    members:
      - {{email: ana@{account}.example, role: developer}}
      - {{email: bo@{account}.example, role: developer}}
",
        token(account)
    )
}

/// Declares people, as `ana developer`.
fn declare(desk: &Desk, account: &str, people: &[&str]) {
    let mut team = "apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: core, namespace: web}
spec:
  accountRef: {name: acme}
  defaultRole: developer
  roster:
"
    .to_owned();
    for person in people {
        let (person, role) = person.split_once(' ').unwrap();
        writeln!(team, "    - {{email: {person}@{account}.example, role: {role}}}").unwrap();
    }
    desk.write("git/team.yaml", &team);
}

/// The desk of an account: two members are adopted, two people invited.
async fn begin(service: &TestService, account: &str) -> Desk {
    let desk = Desk::new(&service.base, &token(account));
    desk.delete("git/membership.yaml");
    desk.replace("git/account.yaml", "accountId: acme", &format!("accountId: {account}"));
    desk.replace("git/account.yaml", "mode: Manage", "mode: Manage\n  removals: {maxCount: 5}");
    declare(&desk, account, &["ana developer", "bo developer", "cyd biller", "eve developer"]);
    desk.exits(0, &["apply"]).await;
    declare(&desk, account, &["ana biller", "cyd developer", "dan developer"]);
    desk
}

/// Rows of a list, as `ana biller active`.
async fn rows(service: &TestService, account: &str, list: &str) -> Vec<String> {
    let call = service.call(Method::GET, &format!("/v1/accounts/{account}/{list}"));
    let answer = call.token(&token(account)).send().await.expect(StatusCode::OK);
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let row = |row: &Value| {
        let email = word(row, "email");
        let person = email.split('@').next().unwrap();
        format!("{person} {} {}", word(row, "role"), word(row, "state"))
    };
    let mut rows: Vec<String> = answer["items"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

/// Whom invitations went to, in order.
async fn mailed(service: &TestService, account: &str) -> Vec<String> {
    let domain = format!("@{account}.example");
    let mails = service.mails().await.into_iter().filter(|mail| mail.template == "invitation");
    let mut to: Vec<String> =
        mails.filter_map(|mail| mail.to.strip_suffix(&domain).map(ToOwned::to_owned)).collect();
    to.sort();
    to
}

/// Everything of an account that a run could have changed.
async fn state(service: &TestService, account: &str) -> String {
    let members = rows(service, account, "members").await;
    let invitations = rows(service, account, "invitations").await;
    format!("{members:?} {invitations:?} {:?}", mailed(service, account).await)
}

/// Plays one quirk; what is wrong with what came of it.
async fn play(service: &TestService, account: &str, quirk: &Quirk) -> Option<String> {
    let desk = begin(service, account).await;
    let before = state(service, account).await;
    let thief = Scripted::start(|_| Answer::problem(404, "not-found")).await;
    let (on, how, stolen) = (quirk.on, quirk.how, thief.base().to_owned());
    let between = Scripted::before(&service.base, move |request| {
        let path = request.line.split(' ').nth(1).unwrap();
        (kind(request) == on).then(|| match how {
            How::Instead(answer) => Bend::Instead(answer(&stolen)),
            How::Asked(other) => Bend::Asked(other(path)),
            How::Changed(other, bend) => Bend::Changed(other(path), Box::new(bend)),
            How::Answered(bend) => Bend::Answered(Box::new(bend)),
            How::Lured(bend) => {
                let thief = stolen.clone();
                Bend::Answered(Box::new(move |answer| bend(answer, &thief)))
            }
        })
    })
    .await;
    desk.replace("git/account-class.yaml", &service.base, between.base());
    let said = desk.run(&["apply", "--timeout", "6s"]).await;
    let all = format!("{}{}", said.out, said.err);
    let mut wrong = String::new();
    if said.code != Some(quirk.code) || !all.contains(quirk.says) {
        let _ = writeln!(
            wrong,
            "exit {:?}\n{all}-- expected: exit {}, {}",
            said.code, quirk.code, quirk.says
        );
    }
    let met = between.seen().iter().any(|request| kind(request) == quirk.on);
    let after = state(service, account).await;
    for (so, what) in [
        (!met, "no request met it"),
        (quirk.still && after != before, "something was changed"),
        (!after.contains(quirk.keeps), "who is not understood was touched"),
        (all.contains(CANARY), "words of the service are repeated"),
        (!thief.seen().is_empty(), "somebody else was asked"),
    ] {
        if so {
            let _ = writeln!(wrong, "{what}: {all}");
        }
    }
    desk.replace("git/account-class.yaml", between.base(), &service.base);
    let _ = write!(wrong, "{}", converges(service, account, &desk).await);
    (!wrong.is_empty()).then(|| format!("== {}\n{wrong}", quirk.name))
}

/// Runs it until nothing is left to do; what is not as it should be then.
async fn converges(service: &TestService, account: &str, desk: &Desk) -> String {
    let mut said = desk.run(&["apply"]).await;
    for _ in 0..2 {
        said = desk.run(&["apply"]).await;
    }
    let mut wrong = String::new();
    if said.code != Some(0) || !said.out.contains("nothing to change") {
        let _ = writeln!(wrong, "later: exit {:?}\n{}{}", said.code, said.out, said.err);
    }
    let expected = "[\"ana biller active\", \"owner owner active\"] \
                    [\"cyd developer pending\", \"dan developer pending\"] \
                    [\"cyd\", \"dan\", \"eve\"]";
    let found = state(service, account).await;
    if found != expected {
        let _ = writeln!(wrong, "later:    {found}\nexpected: {expected}");
    }
    wrong
}

/// Plays them all, some at one time.
async fn check(quirks: &[Quirk]) {
    let accounts: Vec<String> = (0..quirks.len()).map(|n| format!("q{n}")).collect();
    let seeds: String = accounts.iter().map(|account| seed(account)).collect();
    let service = service_now(&format!("accounts:\n{seeds}")).await;
    let plays = quirks.iter().zip(&accounts).map(|(quirk, account)| play(&service, account, quirk));
    let plays: Vec<_> = plays.collect();
    let wrong: Vec<_> = stream::iter(plays).buffer_unordered(AT_ONE_TIME).collect().await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    service.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// rule: OP-07
#[tokio::test]
async fn a_read_that_is_odd_takes_nothing_away_and_mails_nobody_twice() {
    check(reads::QUIRKS).await;
}

// rule: OP-02
#[tokio::test]
async fn a_write_that_is_answered_oddly_is_done_once() {
    check(writes::QUIRKS).await;
}
