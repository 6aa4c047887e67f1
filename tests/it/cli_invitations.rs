//! The life of invitations by command line, against the real service and a real mail server, on a
//! clock that both share: months pass in a test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::sync::Arc;

use clap::Parser as _;
use jiff::SignedDuration;
use seatkeeper::cli::args::Command;
use seatkeeper::cli::{self, Cli, Io};
use seatkeeper::server::{MailSettings, Settings};
use serde_json::Value;

use crate::cli_run::Desk;
use crate::mail_peer::Peer;
use crate::server_mail::{come_back, link_in, smtp};
use crate::service::{SEED, TOKEN, TestService, text};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long the links of this product work.
const LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The annotation that sends again.
const RESEND: &str = "seatkeeper.dev/resend";

/// A service, its mail server and a folder of manifests.
struct Story {
    service: TestService,
    peer: Peer,
    desk: Desk,
}

impl Story {
    /// Three people are declared; an invitation that expired is renewed once, after an hour.
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with a service that is set up in another way.
    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let peer = Peer::start();
        let mail = MailSettings::Smtp(smtp(peer.port));
        let service = TestService::start_as(SEED, |settings| {
            settings.mail = mail;
            change(settings);
        })
        .await;
        let desk = Desk::new(&service.base, TOKEN);
        let renew = "mode: Manage\n  invitations: {renew: {attempts: 1, every: 1h}}";
        desk.replace("git/account.yaml", "mode: Manage", renew);
        Self { service, peer, desk }
    }

    /// Runs a command at the time of the service; gives exit code, stdout and stderr.
    async fn run(&self, words: &[&str]) -> (u8, String, String) {
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
        self.service.running().deliver_due().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match exit {
            Ok(exit) => (exit.code(), text(out), text(err)),
            Err(error) => (1, text(out), format!("{error:#}")),
        }
    }

    /// Runs a command that ends so; gives its lines after the heading.
    async fn says(&self, code: u8, words: &[&str]) -> Vec<String> {
        let (exit, out, err) = self.run(words).await;
        assert_eq!(exit, code, "{words:?}\n{out}\n{err}");
        out.lines().skip(1).map(str::to_owned).collect()
    }

    /// Mails that this person got.
    fn mails(&self, person: &str) -> usize {
        self.peer.taken_for().iter().filter(|to| *to == person).count()
    }

    /// The last mail that this person got.
    fn last_mail(&self, person: &str) -> (String, String) {
        let taken = self.peer.taken().into_iter().rfind(|mail| mail.to == person).unwrap();
        (taken.from, taken.raw)
    }

    async fn accepts(&self, person: &str) {
        self.service.browser().accept_by_sign_up(&link_in(&self.last_mail(person).1)).await;
    }

    async fn declines(&self, person: &str) {
        let mut browser = self.service.browser();
        let page = browser.open(&link_in(&self.last_mail(person).1)).await;
        let action = format!("{}/decline", page.path);
        assert!(browser.submit(&page, &action, &[]).await.status.is_success());
    }

    async fn row(&self, person: &str) -> Value {
        let rows = self.service.list("/v1/accounts/acme/invitations").await;
        rows.into_iter().find(|row| row["email"] == person).unwrap()
    }
}

// rule: OP-02
// rule: X16
#[tokio::test]
async fn an_invitation_expires_is_renewed_is_spent_and_is_sent_again_by_a_persons_word() {
    let story = Story::new().await;
    let ana = "ana@example.com";
    story.says(0, &["apply"]).await;
    for person in ["bo@example.com", "cyd@example.com"] {
        story.accepts(person).await;
    }
    let first = story.row(ana).await;
    let nothing = ["nothing to change; seats 3 of 3".to_owned()];
    assert_eq!(story.says(0, &["apply"]).await, nothing);

    story.service.pass(LIFETIME).await;
    let due = story.service.clock.now() + HOUR;
    assert_eq!(story.says(0, &["apply"]).await, ["nothing to change; seats 2 of 3"]);
    let status = story.says(0, &["status"]).await;
    let line = status.iter().find(|line| line.starts_with(ana)).unwrap();
    assert!(line.contains("Expired") && line.contains("sent again at 20"), "{line}");
    assert_eq!(story.mails(ana), 1, "not before {due}");

    story.service.pass(HOUR).await;
    let resends = "+ resend the invitation of ana@example.com as admin";
    let summary = "+ 1 invitation (1 mail, in 1 wave); seats 2 → 3 of 3";
    assert_eq!(story.says(3, &["plan"]).await, [resends, summary]);
    assert_eq!(story.says(0, &["apply"]).await, [resends, "1 done; seats 3 of 3"]);
    let renewed = story.row(ana).await;
    for kept in ["id", "created_at"] {
        assert_eq!(renewed[kept], first[kept], "{kept}");
    }
    assert_eq!((story.mails(ana), &renewed["send_count"]), (2, &2.into()));
    let noted = story.desk.ledger();
    assert_eq!(story.says(0, &["apply"]).await, nothing);
    let once_more = story.says(0, &["apply"]).await;
    assert_eq!((once_more, story.mails(ana)), (nothing.to_vec(), 2));
    assert_eq!(story.says(0, &["apply"]).await, nothing);
    assert_ne!(noted, "-");

    story.service.pass(LIFETIME + DAY).await;
    let said = story.says(4, &["apply"]).await;
    let spent = said.iter().find(|line| line.starts_with("! ana@example.com: Expired: ")).unwrap();
    assert!(spent.contains("nor were its renewals") && spent.contains("--resend"), "{spent}");
    story.service.pass(DAY * 9).await;
    story.says(4, &["apply"]).await;
    assert_eq!(story.mails(ana), 2, "nothing more by itself");

    let said = story.says(0, &["apply", "--resend", ana]).await;
    assert_eq!(said, [resends, "1 done; seats 3 of 3"]);
    assert_eq!(story.mails(ana), 3);
    story.accepts(ana).await;
    let member = story.service.member(ana).await;
    assert_eq!(member["added_at"], first["created_at"], "the date added stays");
    assert_eq!(story.says(0, &["apply"]).await, nothing);
    let (_, _, err) = story.run(&["apply", "--resend", ana]).await;
    assert_eq!(err, "note: --resend ana@example.com sends nothing: Active: is a member\n");
    assert_eq!(story.mails(ana), 3);
    story.service.stop().await;
}

// rule: OP-02
#[tokio::test]
async fn what_bounced_waits_for_a_person_and_a_no_stays_one() {
    let story = Story::new().await;
    let (ana, bo) = ("ana@example.com", "bo@example.com");
    story.says(0, &["apply"]).await;
    story.accepts("cyd@example.com").await;
    come_back(&story.service, &story.last_mail(ana).0).await;
    story.declines(bo).await;
    for _ in 0..3 {
        let said = story.says(4, &["apply"]).await;
        let line = |start: &str| said.iter().any(|line| line.starts_with(start));
        assert!(line("! ana@example.com: Failed: the invitation could not be delivered"));
        assert!(line("! bo@example.com: OptedOut: declined"), "{said:?}");
        story.service.pass(DAY * 8).await;
    }
    assert_eq!((story.mails(ana), story.mails(bo)), (1, 1), "nobody is mailed by itself");

    let words = ["apply", "--resend", ana, "--resend", bo];
    let (code, out, err) = story.run(&words).await;
    assert_eq!(code, 4, "{out}");
    assert!(out.contains("+ resend the invitation of ana@example.com as admin\n"), "{out}");
    assert!(err.starts_with("note: --resend bo@example.com sends nothing: OptedOut: "), "{err}");
    assert_eq!((story.mails(ana), story.mails(bo)), (2, 1));
    assert_eq!(text(&story.row(ana).await["state"]), "pending");

    let (code, _, err) = story.run(&["apply", "--resend", "eve@example.com"]).await;
    let wanted = "--resend eve@example.com: the files declare no such person\n  hint: ";
    assert!(code == 1 && err.starts_with(wanted), "{err}");
    story.desk.replace(
        "git/team.yaml",
        "email: bo@example.com",
        "email: bo@example.com\n      inviteEpoch: 1",
    );
    story.says(0, &["apply"]).await;
    assert_eq!((story.mails(ana), story.mails(bo)), (2, 2), "a new epoch ends a no");
    story.service.stop().await;
}

// rule: OP-02
#[tokio::test]
async fn a_word_of_the_command_line_and_one_in_a_file_lead_to_one_mail_each_in_any_order() {
    let story = Story::new().await;
    let ana = "ana@example.com";
    story.says(0, &["apply"]).await;
    let (plain, word) = ("namespace: web\n", format!("annotations: {{{RESEND}: once}}\n"));
    story.desk.replace("git/team.yaml", plain, &format!("{plain}  {word}"));
    story.says(0, &["apply"]).await;
    assert_eq!(story.mails(ana), 2, "the word of the file");
    for said in 1..=2 {
        story.says(0, &["apply", "--resend", ana]).await;
        assert_eq!(story.mails(ana), 2 + said, "the word of the command line");
        for _ in 0..2 {
            story.says(0, &["apply"]).await;
        }
        assert_eq!(story.mails(ana), 2 + said, "the word of the file is heeded");
    }
    for (from, to) in [("once", "twice"), ("twice", "once")] {
        story.service.pass(DAY * 2).await;
        let annotation = |word: &str| format!("{RESEND}: {word}");
        story.desk.replace("git/team.yaml", &annotation(from), &annotation(to));
        story.says(0, &["apply"]).await;
    }
    assert_eq!(story.mails(ana), 5, "a word that comes back is not a new one");
    story.service.stop().await;
}

// rule: OP-02
#[tokio::test]
async fn a_limit_of_one_address_is_said_holds_up_nobody_else_and_its_window_is_kept() {
    let two = 2.try_into().unwrap();
    let story = Story::with(|settings| settings.invite_limits.per_address_day = two).await;
    let (ana, bo) = ("ana@example.com", "bo@example.com");
    story.says(0, &["apply"]).await;
    story.says(0, &["apply", "--resend", ana]).await;
    let (code, out, err) = story.run(&["apply", "--resend", ana, "--resend", bo]).await;
    let refused = "! refused: resend the invitation of ana@example.com as admin: the account service \
                   takes no more mails to this address for ";
    assert!(code == 1 && out.contains(refused), "{out}\n{err}");
    assert_eq!((story.mails(ana), story.mails(bo)), (2, 2));

    let resends = || {
        let requests = story.service.requests();
        requests.iter().filter(|line| text(&line["route"]).ends_with("/resend")).count()
    };
    let before = resends();
    let said = story.says(0, &["apply", "--resend", ana]).await;
    assert!(said.iter().any(|line| line.contains("(AddressRateLimited: ")), "{said:?}");
    assert_eq!(resends(), before, "nothing is sent inside its window");
    story.service.pass(DAY + HOUR).await;
    story.says(0, &["apply", "--resend", ana]).await;
    assert_eq!((story.mails(ana), story.mails(bo)), (3, 2));
    story.service.stop().await;
}
