//! Whom the service shows no more, by command line: its feed says how they went, or a person says that
//! they are gone, or nothing is concluded.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::cli_run::{Desk, service_now, values};
use crate::scripted::{Answer, Bend, Scripted, Seen};
use crate::service::{TOKEN, TestService, text};

const SEED: &str = r"
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com}
    subscriptions: [custom]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-of-somebody-else, scopes: [read, invite, change, remove]}
";

/// What somebody else at the account acts with.
const OTHER: &str = "acme-token-of-somebody-else";

/// Eight members, `p1@example.com` to `p8@example.com`, declared and adopted.
struct Story {
    service: TestService,
    desk: Desk,
}

impl Story {
    async fn new() -> Self {
        let service = service_now(SEED).await;
        let desk = Desk::new(&service.base, TOKEN);
        desk.delete("git/membership.yaml");
        let mode = "mode: Manage\n  removals: {settle: 1h}";
        desk.replace("git/account.yaml", "mode: Manage", mode);
        let story = Self { service, desk };
        story.declare(&["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]);
        for n in 1..=8 {
            let row = format!(
                "insert into members (id, account_id, address, role, state, added_at, joined_at) \
                 select 'mem_{n}', id, 'p{n}@example.com', 'developer', 'active', created_at, \
                 created_at from accounts where slug = 'acme'"
            );
            story.sql(row).await;
        }
        let tally = "insert into tallies select id, 'members', '', 'person', 'developer', 'active', 8 \
                     from accounts where slug = 'acme'";
        story.sql(tally.to_owned()).await;
        story.desk.exits(0, &["apply"]).await;
        story
    }

    fn declare(&self, people: &[&str]) {
        let people: String =
            people.iter().map(|name| format!("    - email: {name}@example.com\n")).collect();
        let head = "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\n\
                    metadata: {name: core, namespace: web}\n\
                    spec:\n  accountRef: {name: acme}\n  defaultRole: developer\n  roster:\n";
        self.desk.write("git/team.yaml", &format!("{head}{people}"));
    }

    async fn sql(&self, statement: String) {
        let mut connection = self.service.database().await;
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// People are missing in what the service answers, which is whole by itself; its feed knows
    /// nothing of it.
    async fn lose(&self, people: &[&str]) {
        for name in people {
            self.sql(format!("delete from members where address = '{name}@example.com'")).await;
        }
        let fewer = format!(
            "update tallies set entries = entries - {} where list = 'members' and role = 'developer'",
            people.len()
        );
        self.sql(fewer).await;
    }

    /// Somebody else removes people by the service's API.
    async fn remove(&self, people: &[&str]) {
        for name in people {
            let row = self.service.member(&format!("{name}@example.com")).await;
            let path = format!("/v1/accounts/acme/members/{}", text(&row["id"]));
            let call = self.service.call(Method::DELETE, &path).token(OTHER);
            let answer = call.if_match(&text(&row["etag"])).send().await;
            assert!(!answer.header("feed-position").is_empty(), "a change says where it stands");
            answer.expect(StatusCode::NO_CONTENT);
        }
    }

    /// How often something was read.
    fn reads(&self, route: &str) -> usize {
        let requests = self.service.requests();
        requests.iter().filter(|line| text(&line["route"]).ends_with(route)).count()
    }

    /// Changes that were asked for.
    fn writes(&self) -> usize {
        self.service.requests().iter().filter(|line| line["method"] != "GET").count()
    }

    async fn digest(&self) -> String {
        let plan = self.desk.exits(1, &["plan", "-o", "json"]).await;
        text(&values(&plan.out)["hold"]["digest"])
    }
}

// rule: OP-02
// rule: OP-07
#[tokio::test]
async fn a_team_that_lost_half_of_its_people_is_explained_by_the_feed_and_remembers_them() {
    let story = Story::new().await;
    story.desk.exits(0, &["apply"]).await;
    assert_eq!(story.reads("/changes"), 0, "nobody is missing");
    story.remove(&["p1", "p2", "p3", "p4", "p5"]).await;
    let writes = story.writes();
    let said = story.desk.exits(4, &["apply"]).await;
    for n in 1..=5 {
        let line = format!("! p{n}@example.com: OptedOut: ");
        assert!(said.out.contains(&line), "{}", said.out);
    }
    assert!(said.out.ends_with("nothing to change; seats 3 of unlimited\n"), "{}", said.out);
    assert_eq!(story.reads("/changes"), 1, "the feed is read once");
    story.desk.exits(4, &["apply"]).await;
    assert_eq!((story.reads("/changes"), story.writes()), (1, writes));
    assert!(story.service.mails().await.iter().all(|mail| mail.template != "invitation"));
}

// rule: OP-07
#[tokio::test]
async fn people_that_are_missing_without_a_cause_are_held_until_a_person_says_that_they_are_gone() {
    let story = Story::new().await;
    story.declare(&["p1", "p2", "p3", "p4", "p5", "p6", "p7", "new"]);
    story.lose(&["p1", "p2", "p3", "p4", "p5"]).await;
    let writes = story.writes();
    let digest = story.digest().await;
    let plan = story.desk.exits(1, &["plan"]).await;
    let held = format!(
        "! held set {digest}: 5 missing: p1@example.com, p2@example.com, p3@example.com, \
         p4@example.com, p5@example.com\n  hint: compare with the account service; if it is so, let \
         just this be believed, once: seatkeeper apply … --approve {digest}; whoever was a \
         member then counts as having left, and is not invited again by itself\n\
         ! ReadUntrusted: the answer of the account service is not trusted: 9 people at the last \
         trusted look, 4 now; "
    );
    assert!(plan.out.contains(&held), "{}", plan.out);
    let wrong = story.desk.exits(1, &["apply", "--approve", "0123456789abcdef"]).await;
    let note = "note: --approve 0123456789abcdef approved nothing: the held set is ";
    assert!(wrong.err.starts_with(&format!("{note}{digest}\n")), "{}", wrong.err);
    assert_eq!(story.writes(), writes, "nobody was removed, nobody invited");

    // One more is missing: the digest is of another set.
    story.lose(&["p6"]).await;
    let other = story.desk.exits(1, &["apply", "--approve", &digest]).await;
    assert!(other.err.contains("approved nothing: the held set is"), "{}", other.err);
    let digest = story.digest().await;
    let said = story.desk.exits(4, &["apply", "--approve", &digest]).await;
    assert!(said.out.contains("! p6@example.com: OptedOut: "), "{}", said.out);
    assert!(said.out.contains("+ invite new@example.com as developer\n"), "{}", said.out);
    let mails = story.service.mails().await;
    let invited = mails.iter().filter(|mail| mail.template == "invitation");
    let invited: Vec<&str> = invited.map(|mail| mail.to.as_str()).collect();
    assert_eq!(invited, ["new@example.com"], "who is gone is not invited again");
    let again = story.desk.exits(4, &["apply", "--approve", &digest]).await;
    assert!(again.err.contains("approved nothing: no set is held"), "{}", again.err);
}

// rule: OP-07
#[tokio::test]
async fn a_feed_that_explains_some_of_those_who_are_missing_explains_none() {
    let story = Story::new().await;
    story.remove(&["p1", "p2", "p3", "p4"]).await;
    story.lose(&["p5"]).await;
    let ledger = story.desk.ledger();
    let plan = story.desk.exits(1, &["plan"]).await;
    assert!(plan.out.contains(": 5 missing: p1@example.com, "), "{}", plan.out);
    assert_eq!(story.desk.ledger(), ledger);
    assert_eq!(story.reads("/changes"), 1);
}

// rule: OP-07
#[tokio::test]
async fn an_answer_from_before_our_last_write_is_not_trusted() {
    let story = Story::new().await;
    let lists =
        format!("/v1/accounts/{}", text(&story.service.get("/v1/accounts/acme").await.body["id"]));
    let mut old = BTreeMap::new();
    for path in [
        "/v1/capabilities".to_owned(),
        "/v1/accounts/acme/roles".to_owned(),
        "/v1/accounts/acme".to_owned(),
        format!("{lists}/invitations?page_size=1000"),
        format!("{lists}/members?page_size=1000"),
    ] {
        let answer = story.service.get(&path).await.body;
        old.insert(format!("GET {path}"), answer.to_string());
    }
    story.declare(&["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "new"]);
    story.desk.exits(0, &["apply"]).await;

    let copy = Scripted::start(move |seen: &Seen| match old.get(&seen.line) {
        Some(answer) => Answer::text(200, "application/json", answer),
        None => Answer::problem(404, "not-found"),
    });
    let copy = copy.await;
    let service = story.service.base.as_str();
    let url = copy.base();
    story.desk.replace("git/account-class.yaml", service, url);
    let ledger = story.desk.ledger();
    let said = story.desk.exits(1, &["apply"]).await;
    assert!(
        said.out.contains("a copy that is behind, or a service that was restored"),
        "{}",
        said.out
    );
    assert_eq!(story.desk.ledger(), ledger, "nothing is learned of it");
    assert!(copy.seen().iter().all(|seen| seen.line.starts_with("GET ")));
    story.desk.replace("git/account-class.yaml", url, service);
    story.desk.exits(0, &["apply"]).await;
    assert_eq!(story.service.mails().await.len(), 1);
}

// rule: OP-07
#[tokio::test]
async fn removals_of_which_nobody_knows_whether_they_took_effect_hold_up_nothing() {
    let story = Story::new().await;
    let between = Scripted::before(&story.service.base, |request: &Seen| {
        let fails = |answer: Answer| answer.under(500);
        request.line.starts_with("DELETE ").then(|| Bend::Answered(Box::new(fails)))
    });
    let between = between.await;
    story.desk.replace("git/account-class.yaml", &story.service.base, between.base());
    story.declare(&["p1", "p2"]);
    let plan = story.desk.exits(4, &["plan", "-o", "json"]).await;
    let digest = text(&values(&plan.out)["hold"]["digest"]);
    let said = story.desk.run(&["apply", "--approve", &digest]).await;
    assert!(said.out.contains("not known whether it took effect"), "{}", said.out);
    let rows = story.service.list("/v1/accounts/acme/members").await;
    assert_eq!(rows.len(), 3, "they took effect: {rows:?}");
    let said = story.desk.exits(0, &["apply"]).await;
    assert!(said.out.contains("nothing to change"), "{}", said.out);
    story.service.stop().await;
}
