//! What a declaration of a person can say besides address and role, by command line against the real
//! service, on a clock that both share.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::sync::Arc;

use clap::Parser as _;
use jiff::SignedDuration;
use seatkeeper::cli::args::Command;
use seatkeeper::cli::{self, Cli, Io};

use crate::cli_run::Desk;
use crate::service::{SEED, TOKEN, TestService};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A service and a folder of manifests.
struct Story {
    service: TestService,
    desk: Desk,
}

impl Story {
    async fn new() -> Self {
        let service = TestService::start_with(SEED).await;
        let desk = Desk::new(&service.base, TOKEN);
        Self { service, desk }
    }

    /// Runs a command at the time of the service; it ends with this code. Gives its lines after the
    /// heading, those of stderr behind them.
    async fn says(&self, code: u8, words: &[&str]) -> Vec<String> {
        let path = |name: &str| self.desk.path(name).display().to_string();
        let (git, ledger, secrets) = (path("git"), path("ledger"), path("secrets"));
        let ledger = format!("file:{ledger}");
        let (command, rest) = words.split_first().unwrap();
        let line = ["seatkeeper", command, "-f", &git, "--ledger", &ledger, "--secrets", &secrets];
        let cli = Cli::try_parse_from(line.iter().chain(rest)).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let clock = self.service.clock.clone();
        let now = Arc::new(move || clock.now());
        let mut io = Io { out: &mut out, err: &mut err, now };
        let exit = match cli.command {
            Command::Plan(args) => cli::plan::plan(&args, &mut io).await,
            Command::Status(args) => cli::plan::status(&args, &mut io).await,
            Command::Apply(args) => cli::apply::apply(&args, &mut io).await,
            other => panic!("{other:?}"),
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(out), text(err));
        assert_eq!(exit.unwrap().code(), code, "{words:?}\n{out}\n{err}");
        out.lines().skip(1).chain(err.lines()).map(str::to_owned).collect()
    }

    async fn accept(&self, names: &[&str]) {
        for name in names {
            let link = self.service.link_to(&format!("{name}@example.com")).await;
            self.service.browser().accept_by_sign_up(&link).await;
        }
    }

    /// A Membership in a file of its own; `spec` is a part of a flow mapping.
    fn member(&self, name: &str, spec: &str) {
        self.desk.write(
            &format!("git/{name}.yaml"),
            &format!(
                "apiVersion: seatkeeper.dev/v1alpha1\nkind: Membership\nmetadata: {{name: {name}, \
                 namespace: web}}\nspec: {{teamRef: {{name: core}}, role: developer, {spec}}}\n"
            ),
        );
    }

    async fn invitations(&self) -> usize {
        let mails = self.service.mails().await;
        mails.iter().filter(|mail| mail.template == "invitation").count()
    }
}

// rule: OP-01
// rule: OP-06
#[tokio::test]
async fn who_is_declared_absent_goes_whoever_put_them_there_and_comes_back_when_that_is_withdrawn()
{
    let story = Story::new().await;
    story.says(0, &["apply"]).await;
    story.accept(&["ana", "bo", "cyd"]).await;
    story.says(0, &["apply"]).await;
    story.member("gone", "email: BO@example.com, state: Absent");
    let removes = "- remove bo@example.com: declared absent";
    let plan = story.says(3, &["plan"]).await;
    assert_eq!(plan, [removes, "- 1 removal (1 mail); seats 3 → 2 of 3"], "and no problem");
    assert_eq!(story.says(0, &["apply"]).await, [removes, "1 done; seats 2 of 3"]);
    assert_eq!(story.says(0, &["apply"]).await, ["nothing to change; seats 2 of 3"]);
    let status = story.says(0, &["status"]).await;
    assert!(status.iter().any(|line| line.starts_with("bo@example.com   Absent")), "{status:#?}");

    // Somebody invites them by hand: they must not be there.
    story.service.invite("bo@example.com", "developer").await;
    let withdraws = "- withdraw the invitation of bo@example.com: declared absent";
    assert_eq!(story.says(0, &["apply"]).await, [withdraws, "1 done; seats 2 of 3"]);

    story.service.pass(DAY).await;
    story.desk.delete("git/gone.yaml");
    let invites = "+ invite bo@example.com as developer";
    assert_eq!(story.says(0, &["apply"]).await, [invites, "1 done; seats 3 of 3"]);
    story.service.stop().await;
}

// rule: OP-07
#[tokio::test]
async fn one_who_is_declared_absent_does_not_wait_behind_a_held_set() {
    let story = Story::new().await;
    let mode = "mode: Manage\n  removals: {maxCount: 1, maxPercent: 0}";
    story.desk.replace("git/account.yaml", "mode: Manage", mode);
    story.says(0, &["apply"]).await;
    story.accept(&["ana", "bo", "cyd"]).await;
    story.says(0, &["apply"]).await;
    story.desk.delete("git/membership.yaml");
    story.desk.replace("git/team.yaml", "    - email: ana@example.com\n      role: admin\n", "");
    let held = story.says(4, &["apply"]).await;
    assert_eq!(held.iter().filter(|line| line.starts_with("! held: ")).count(), 2, "{held:#?}");

    story.member("gone", "email: bo@example.com, state: Absent");
    let done = story.says(4, &["apply"]).await;
    assert!(done.contains(&"- remove bo@example.com: declared absent".to_owned()), "{done:#?}");
    assert!(done.contains(&"1 done; seats 2 of 3; 2 held".to_owned()), "{done:#?}");

    // The next one in the same window is held with the rest.
    story.member("gone-ana", "email: ana@example.com, state: Absent");
    let done = story.says(4, &["apply"]).await;
    assert!(done.contains(&"nothing to do now; seats 2 of 3; 2 held".to_owned()), "{done:#?}");
    story.service.stop().await;
}

// rule: OP-08
#[tokio::test]
async fn access_ends_at_its_date_unless_another_declaration_keeps_the_person() {
    let story = Story::new().await;
    let until = |days: i32| story.service.clock.now() + DAY * days;
    let (ends, later) = (until(10), until(20));
    story.desk.delete("git/membership.yaml");
    story.member("cyd", &format!("email: cyd@example.com, expiresAt: {ends}"));
    let line = "- email: bo@example.com";
    let with_end = format!("{line}\n      expiresAt: {later}");
    story.desk.replace("git/team.yaml", line, &with_end);
    let plan = story.says(3, &["plan"]).await;
    let said = format!("~ access of cyd@example.com ends at {ends}");
    let next = format!("~ access of bo@example.com ends at {later}");
    let at = plan.iter().position(|line| *line == said).unwrap();
    assert_eq!(plan[at + 1], next, "the next end first: {plan:#?}");
    story.says(0, &["apply"]).await;
    story.accept(&["ana", "bo", "cyd"]).await;
    story.service.pass(DAY * 9).await;
    assert_eq!(story.says(0, &["apply"]).await, ["nothing to change; seats 3 of 3"]);

    // A second declaration of cyd without an end keeps her: nothing happens, nobody is mailed.
    story.member("keeps", "email: cyd@example.com");
    story.service.pass(DAY * 2).await;
    assert_eq!(story.says(0, &["apply"]).await, ["nothing to change; seats 3 of 3"]);
    story.desk.delete("git/keeps.yaml");
    let removes = "- remove cyd@example.com: the declaration has ended";
    assert_eq!(story.says(0, &["apply"]).await, [removes, "1 done; seats 2 of 3"]);
    assert_eq!(story.says(0, &["apply"]).await, ["nothing to change; seats 2 of 3"]);
    assert_eq!(story.invitations().await, 3);
    story.service.stop().await;
}

// rule: OP-03
#[tokio::test]
async fn a_higher_priority_is_invited_first() {
    let story = Story::new().await;
    story.member("dan", "email: dan@example.com, priority: 5");
    let planned = story.says(3, &["plan"]).await;
    assert_eq!(planned[0], "+ invite dan@example.com as developer", "{planned:#?}");
    let applied = story.says(4, &["apply"]).await;
    let queued: Vec<_> = applied.iter().filter(|line| line.contains("Queued")).collect();
    assert!(queued.len() == 1 && !queued[0].contains("dan@"), "{applied:#?}");
    story.service.stop().await;
}

#[tokio::test]
async fn a_time_or_an_address_that_is_none_is_named_with_its_place() {
    let story = Story::new().await;
    story.desk.replace("git/team.yaml", "bo@example.com", "bo@example.com\n      expiresAt: 31.3.");
    story.desk.replace("git/account.yaml", "mode: Manage", "mode: Manage\n  neverTrim: [boss]");
    let said = story.says(1, &["plan"]).await;
    let time =
        "spec.roster[1].expiresAt: `31.3.` is not a time; write it as `2027-03-31T00:00:00Z`";
    assert!(said.iter().any(|line| line.contains(time)), "{said:#?}");
    story.desk.replace("git/team.yaml", "\n      expiresAt: 31.3.", "");
    let said = story.says(1, &["plan"]).await;
    let address = "spec.neverTrim[0]: `boss` is not an e-mail address";
    assert!(said.iter().any(|line| line.contains(address)), "{said:#?}");
    story.service.stop().await;
}
