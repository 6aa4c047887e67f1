//! The story of one team by command line: from YAML to accepted invitations, and back. The program
//! is a process of its own; what happened is read from the service, its mails and its request log.

use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::Value;

use crate::cli_run::{Desk, Said, service_now, values};
use crate::service::{Browser, PASSWORD, TOKEN, TestService, text};

const SEED: &str = r"
vendorTokens:
  - token: vendor-token-for-tests
users:
  - {email: bo@example.com, name: Bo, password: correct horse battery}
  - {email: cyd@example.com, name: Cyd, password: correct horse battery}
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com, name: Olga, password: correct horse battery}
    subscriptions: [business, growth]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

const DAN: &str = "\
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: dan-core, namespace: web}
spec: {teamRef: {name: core}, email: dan@example.com, role: developer}
";

/// A service with the account `acme` on the plans business and growth, and a folder of manifests.
struct Story {
    service: TestService,
    desk: Desk,
    /// The browser of `cyd@example.com`, once she is signed in.
    cyd: Browser,
}

impl Story {
    /// Nobody is invited yet.
    async fn new() -> Self {
        let service = service_now(SEED).await;
        let desk = Desk::new(&service.base, TOKEN);
        let cyd = service.browser();
        Self { service, desk, cyd }
    }

    /// Three people are invited, have joined, and nothing is left to do.
    async fn team() -> Self {
        let mut story = Self::new().await;
        story.desk.exits(0, &["apply"]).await;
        story.all_accept().await;
        story.desk.exits(0, &["apply"]).await;
        story
    }

    /// Three people, three ways (NP-05).
    async fn all_accept(&mut self) {
        let Self { service, cyd, .. } = self;
        let link = async |person: &str| service.link_to(&format!("{person}@example.com")).await;
        service.browser().accept_by_sign_up(&link("ana").await).await;
        service.browser().accept_by_sign_in(&link("bo").await).await;
        cyd.sign_in("cyd@example.com", PASSWORD).await;
        cyd.accept_signed_in(&link("cyd").await).await;
        service.clock.advance(SignedDuration::from_mins(1));
    }

    /// The fourth person is declared, Growth is cancelled while Business remains, the account says
    /// `Trim`, and it is applied. Gives the names in the order in which they were added.
    async fn fourth_and_shortage(&self) -> Vec<String> {
        self.desk.write("git/dan.yaml", DAN);
        self.service.cancel("growth").await;
        self.desk.replace(
            "git/account.yaml",
            "mode: Manage",
            "mode: Manage\n  onSeatShortage: Trim",
        );
        let earliest = self.by_added_at().await;
        self.desk.exits(4, &["apply"]).await;
        earliest
    }

    /// Members but the owner, earliest-added first, as the service says it.
    async fn by_added_at(&self) -> Vec<String> {
        let rows = self.service.list("/v1/accounts/acme/members").await;
        let rows = rows.iter().filter(|row| row["role"] != "owner");
        let mut rows: Vec<_> = rows
            .map(|row| (text(&row["added_at"]), text(&row["id"]), text(&row["email"])))
            .collect();
        rows.sort();
        rows.into_iter().map(|(_, _, email)| email).collect()
    }

    /// Writes that the service was asked for so far, by whomever.
    fn writes(&self) -> usize {
        let requests = self.service.requests();
        let api = requests.iter().filter(|line| text(&line["route"]).starts_with("/v1/"));
        api.filter(|line| line["method"] != "GET").count()
    }

    /// Addressees of the mails of one kind, oldest first.
    async fn mails(&self, template: &str) -> Vec<String> {
        let mails = self.service.mails().await.into_iter();
        mails.filter(|mail| mail.template == template).map(|mail| mail.to).collect()
    }

    /// Rows on the owner's page that carry the tag `invited`.
    async fn tags(&self) -> usize {
        let mut owner = self.service.browser();
        owner.sign_in("owner@example.com", PASSWORD).await;
        owner.open("/accounts/acme/members").await.html.matches(">invited<").count()
    }
}

/// Lines after the heading, in any order: sends are answered in any.
fn sorted(said: &Said) -> Vec<&str> {
    let mut lines: Vec<&str> = said.out.lines().skip(1).collect();
    lines.sort_unstable();
    lines
}

const INVITED: [&str; 3] = [
    "+ invite ana@example.com as admin",
    "+ invite bo@example.com as developer",
    "+ invite cyd@example.com as biller",
];

// rule: OP-01
// rule: OP-02
#[tokio::test]
async fn three_are_invited_join_in_three_ways_and_then_nothing_is_written_anywhere() {
    let mut story = Story::new().await;
    let plan = story.desk.exits(3, &["plan"]).await;
    assert_eq!(
        plan.out,
        "account web/acme (Acme): business, growth, mode Manage\n\
         + invite cyd@example.com as biller\n\
         + invite ana@example.com as admin\n\
         + invite bo@example.com as developer\n\
         + 3 invitations (3 mails, in 1 wave); seats 0 → 3 of 3\n"
    );
    assert_eq!((story.writes(), story.desk.ledger().as_str()), (0, "-"), "plan wrote");

    let first = story.desk.exits(0, &["apply"]).await;
    let mut wanted = vec!["3 done; seats 3 of 3"];
    wanted.splice(0..0, INVITED);
    let mut lines = sorted(&first);
    lines.sort_by_key(|line| !line.starts_with('+'));
    assert_eq!((lines, first.err.as_str()), (wanted, ""));
    let mut invited = story.mails("invitation").await;
    invited.sort();
    assert_eq!(invited, ["ana@example.com", "bo@example.com", "cyd@example.com"]);
    assert_eq!(story.tags().await, 3);

    story.all_accept().await;
    let people = "ana:admin:active bo:developer:active cyd:biller:active";
    let mut now: Vec<_> = story.service.people().await.split(' ').map(str::to_owned).collect();
    now.sort();
    assert_eq!(now.join(" "), people);
    assert_eq!(story.tags().await, 0);

    let writes = story.writes();
    let second = story.desk.exits(0, &["apply"]).await;
    let nothing = "account web/acme (Acme): business, growth, mode Manage\n\
                   nothing to change; seats 3 of 3\n";
    assert_eq!((second.out.as_str(), story.writes()), (nothing, writes));
    let noted = story.desk.ledger();
    let third = story.desk.exits(0, &["apply"]).await;
    assert_eq!((third.out.as_str(), story.writes()), (nothing, writes));
    assert_eq!(story.desk.ledger(), noted, "bytes and times of the ledger's files");
    assert_eq!(story.service.mails().await.len(), 3, "mails of any kind");
}

// rule: NP-07
#[tokio::test]
async fn a_role_that_is_raised_in_git_changes_at_the_service_and_keeps_seat_and_join_date() {
    let story = Story::team().await;
    let (was, seats) = (story.service.member("bo@example.com").await, story.service.seats().await);
    let bo = "    - email: bo@example.com";
    story.desk.replace("git/team.yaml", bo, &format!("{bo}\n      role: admin"));
    let plan = story.desk.exits(3, &["plan"]).await;
    let line = "~ 1 role change (1 mail); seats 3 → 3 of 3";
    assert_eq!(plan.out.lines().last(), Some(line));
    let said = story.desk.exits(0, &["apply"]).await;
    assert_eq!(
        said.out,
        "account web/acme (Acme): business, growth, mode Manage\n\
         ~ change bo@example.com from developer to admin\n\
         1 done; seats 3 of 3\n"
    );
    assert_eq!(story.mails("role-changed").await, ["bo@example.com"], "the mail of the plan");
    let is = story.service.member("bo@example.com").await;
    assert_eq!((&was["role"], &is["role"]), (&"developer".into(), &"admin".into()));
    for kept in ["id", "added_at", "joined_at", "state"] {
        assert_eq!(was[kept], is[kept], "{kept}");
    }
    assert_eq!(story.service.seats().await, seats);
}

// rule: OP-03
#[tokio::test]
async fn a_fourth_person_waits_in_the_queue_and_is_told_the_ways_out() {
    let story = Story::team().await;
    story.desk.write("git/dan.yaml", DAN);
    let line = "! dan@example.com: Queued, position 1: no seat is free; remove someone, withdraw a \
                pending invitation, or upgrade the plan";
    let heading = "account web/acme (Acme): business, growth, mode Manage";
    let plan = story.desk.exits(4, &["plan"]).await;
    let end = "nothing to do now; seats 3 → 3 of 3; 1 queued";
    assert_eq!(plan.out, format!("{heading}\n{line}\n{end}\n"));
    let writes = story.writes();
    let said = story.desk.exits(4, &["apply"]).await;
    let end = "nothing to do now; seats 3 of 3; 1 queued";
    assert_eq!(said.out, format!("{heading}\n{line}\n{end}\n"));
    assert_eq!(story.writes(), writes, "the service was not even asked");
    let status = story.desk.exits(4, &["status"]).await;
    let row = "dan@example.com  Queued        -           position 1";
    assert!(status.out.lines().any(|line| line == row), "{}", status.out);
    let seats = "seats 3 of 3: 3 active, 0 pending; 0 trimmed, 1 queued";
    assert_eq!(status.out.lines().last(), Some(seats));
}

// rule: NP-13
#[tokio::test]
async fn cancelling_the_lower_of_two_plans_changes_nothing() {
    let story = Story::team().await;
    story.service.cancel("business").await;
    let ledger = story.desk.ledger();
    let said = story.desk.exits(0, &["apply"]).await;
    let nothing = "account web/acme (Acme): growth, mode Manage\nnothing to change; seats 3 of 3\n";
    assert_eq!((said.out.as_str(), story.desk.ledger()), (nothing, ledger));
}

// rule: NP-14
// rule: OP-04
// rule: X18
#[tokio::test]
async fn too_few_seats_trim_all_but_the_earliest_added_who_come_back_in_order_before_the_fourth() {
    let story = Story::team().await;
    story.desk.write("git/dan.yaml", DAN);
    story.service.cancel("growth").await;
    let writes = story.writes();
    let held = story.desk.exits(4, &["apply"]).await;
    let will = held.out.lines().find(|line| line.contains("the service will trim at 20"));
    assert!(will.is_some(), "Hold is the default\n{}", held.out);
    assert_eq!(story.writes(), writes, "nobody is trimmed unless the account says so");

    story.desk.replace("git/account.yaml", "mode: Manage", "mode: Manage\n  onSeatShortage: Trim");
    let added = story.by_added_at().await;
    let [first, second, third] = added.as_slice() else { panic!("three people, not {added:?}") };
    let plan = story.desk.exits(3, &["plan"]).await;
    let end = "- 2 removals (2 mails); seats 3 → 1 of 1; 1 queued";
    assert_eq!(plan.out.lines().last(), Some(end));
    let said = story.desk.exits(4, &["apply"]).await;
    let lines: Vec<&str> = said.out.lines().skip(1).take(2).collect();
    let trim = |person: &str| format!("- trim {person}: too few seats");
    assert_eq!(lines, [trim(third), trim(second)], "latest-added first");
    for person in [second, third] {
        let line = format!(
            "! {person}: Trimmed: access is off for want of a seat; comes back by itself, in \
             order, when seats return"
        );
        assert!(said.out.lines().any(|said| said == line), "{}", said.out);
    }
    assert_eq!(said.out.lines().last(), Some("2 done; seats 1 of 1; 1 queued"));
    assert_eq!(story.mails("trimmed").await, [third.clone(), second.clone()]);
    for (person, state) in [(first, "active"), (second, "trimmed"), (third, "trimmed")] {
        assert_eq!(story.service.member(person).await["state"], state, "{person}");
    }
    let joined = story.service.member(second).await["joined_at"].clone();
    let status = story.desk.exits(4, &["status"]).await;
    assert_eq!(status.out.lines().filter(|line| line.contains(" Trimmed ")).count(), 2);

    let sent = story.mails("invitation").await.len();
    story.service.subscribe("scale").await;
    let said = story.desk.exits(0, &["apply"]).await;
    assert_eq!(
        said.out,
        format!(
            "account web/acme (Acme): business, scale, mode Manage\n\
             + reinstate {second}\n\
             + reinstate {third}\n\
             + invite dan@example.com as developer\n\
             3 done; seats 4 of 10\n"
        )
    );
    assert_eq!(story.mails("invitation").await[sent..], ["dan@example.com"]);
    assert_eq!(story.service.member(second).await["joined_at"], joined);
}

// rule: OP-07
// rule: OP-08
#[tokio::test]
async fn a_deleted_declaration_ends_access_and_a_window_that_is_used_up_holds_the_next() {
    let mut story = Story::team().await;
    story.fourth_and_shortage().await;
    story.service.subscribe("scale").await;
    story.desk.exits(0, &["apply"]).await;
    assert_eq!(story.cyd.open("/accounts/acme").await.status, StatusCode::OK);

    story.desk.delete("git/membership.yaml");
    let said = story.desk.exits(0, &["apply"]).await;
    let end = "- remove cyd@example.com\n1 done; seats 3 of 10\n";
    assert!(said.out.ends_with(end), "{}", said.out);
    assert!(!story.service.people().await.contains("cyd"), "not at the service");
    assert_ne!(story.cyd.open("/accounts/acme").await.status, StatusCode::OK, "access ended");

    // Two trims and one removal: the default window of 3 in 24 h is used up.
    story.desk.delete("git/dan.yaml");
    story.desk.replace("git/team.yaml", "    - email: bo@example.com\n", "");
    let (writes, people) = (story.writes(), story.service.people().await);
    let said = story.desk.exits(4, &["apply"]).await;
    let held = values(&story.desk.exits(4, &["plan", "-o", "json"]).await.out);
    let digest = text(&held["hold"]["digest"]);
    let lines = format!(
        "! held: withdraw the invitation of dan@example.com (RemovalHeld)\n\
         ! held: remove bo@example.com (RemovalHeld)\n\
         ! held set {digest}: 2 removals, 0 lower roles; 3 of the 3 removals that spec.removals \
         allows in its window are used\n  \
         hint: let exactly this set run, once: seatkeeper apply … --approve {digest}; or raise \
         the limit, or declare the people again\n"
    );
    let heading = "account web/acme (Acme): business, scale, mode Manage\n";
    let end = "nothing to do now; seats 3 of 10; 2 held\n";
    assert_eq!(said.out, format!("{heading}{lines}{end}"));
    for command in ["plan", "status"] {
        let said = story.desk.exits(4, &[command]).await;
        assert!(said.out.contains(&lines), "{command}: {}", said.out);
    }
    assert_eq!((story.writes(), story.service.people().await), (writes, people));

    story.approves(&digest).await;
}

impl Story {
    /// Wrong and used digests approve nothing; the right one lets exactly its set run.
    async fn approves(&self, digest: &str) {
        let writes = self.writes();
        let wrong = self.desk.exits(4, &["apply", "--approve", "0123456789abcdef"]).await;
        let note = "note: --approve 0123456789abcdef approved nothing: the held set is";
        assert_eq!(wrong.err, format!("{note} {digest}\n"));
        assert_eq!(self.writes(), writes);

        // One more person goes: the digest is of another set.
        self.desk.replace(
            "git/team.yaml",
            "    - email: ana@example.com\n      role: admin\n",
            "    []\n",
        );
        let other = self.desk.exits(4, &["apply", "--approve", digest]).await;
        assert!(other.err.contains("approved nothing: the held set is"), "{}", other.err);
        assert_eq!(self.writes(), writes);
        self.desk.replace(
            "git/team.yaml",
            "    []\n",
            "    - email: ana@example.com\n      role: admin\n",
        );

        let now = values(&self.desk.exits(4, &["plan", "-o", "json"]).await.out);
        let digest = text(&now["hold"]["digest"]);
        let said = self.desk.exits(0, &["apply", "--approve", &digest]).await;
        let lines: Vec<&str> = said.out.lines().skip(1).collect();
        let wanted = [
            "- withdraw the invitation of dan@example.com",
            "- remove bo@example.com",
            "2 done; seats 1 of 10",
        ];
        assert_eq!(lines, wanted);
        assert_eq!(self.service.people().await, "ana:admin:active");

        // Used: the next set is not let through by it.
        self.desk.replace(
            "git/team.yaml",
            "    - email: ana@example.com\n      role: admin\n",
            "    []\n",
        );
        let writes = self.writes();
        let used = self.desk.exits(4, &["apply", "--approve", &digest]).await;
        let note = format!("note: --approve {digest} approved nothing: the held set is ");
        assert!(used.err.starts_with(&note), "{}", used.err);
        assert_eq!(self.writes(), writes);
        assert_eq!(self.service.people().await, "ana:admin:active");
    }
}

// rule: OP-06
#[tokio::test]
async fn who_was_not_declared_here_is_left_alone_unless_the_mode_is_exclusive() {
    let story = Story::new().await;
    story.service.join("zoe@example.com", "developer").await;
    story.service.invite("yan@example.com", "biller").await.expect(StatusCode::CREATED);
    story.desk.delete("git/membership.yaml");
    story.desk.replace("git/team.yaml", "    - email: bo@example.com\n", "");
    let said = story.desk.exits(0, &["apply"]).await;
    assert!(said.out.ends_with("+ invite ana@example.com as admin\n1 done; seats 3 of 3\n"));
    story.desk.replace(
        "git/team.yaml",
        "    - email: ana@example.com\n      role: admin\n",
        "    []\n",
    );
    let said = story.desk.exits(0, &["apply"]).await;
    assert!(
        said.out.ends_with("- withdraw the invitation of ana@example.com\n1 done; seats 2 of 3\n")
    );
    let pending = async || {
        let rows = story.service.list("/v1/accounts/acme/invitations?state=pending").await;
        rows.iter().map(|row: &Value| text(&row["email"])).collect::<Vec<_>>()
    };
    assert_eq!(story.service.people().await, "zoe:developer:active");
    assert_eq!(pending().await, ["yan@example.com"]);

    story.desk.replace("git/account.yaml", "mode: Manage", "mode: Exclusive");
    let said = story.desk.exits(0, &["apply"]).await;
    let end = "- withdraw the invitation of yan@example.com\n- remove zoe@example.com\n2 done; \
               seats 0 of 3\n";
    assert!(said.out.ends_with(end), "{}", said.out);
    assert_eq!((story.service.people().await.as_str(), pending().await.len()), ("", 0));
}

#[tokio::test]
async fn mode_observe_says_what_would_be_done_and_writes_nothing_anywhere() {
    let story = Story::new().await;
    story.desk.replace("git/account.yaml", "mode: Manage", "mode: Observe");
    for command in ["plan", "apply", "status"] {
        let said = story.desk.exits(0, &[command]).await;
        assert!(said.out.contains("ana@example.com"), "{command}: {}", said.out);
        assert!(said.out.contains("Observing"), "{command}: {}", said.out);
    }
    assert_eq!(story.writes(), 0);
    assert_eq!(story.desk.ledger(), "-");
    assert_eq!(story.service.mails().await.len(), 0);
    story.service.stop().await;
}
