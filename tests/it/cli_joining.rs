//! Joining by domain, join requests and suggestions by command line against the real service: the
//! record of a domain in a DNS of the test's own, people who sign up on the pages.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli_kill::{is_killed, points};
use crate::cli_run::{Desk, program, said, service_now, values};
use crate::scripted::{Answer, Bend, Scripted, Seen};
use crate::server_domains::{FakeDns, sign_up};
use crate::service::{OTHER_TOKEN, TOKEN, TestService, text};

const DOMAINS: &str = "/v1/accounts/acme/domains";
const REQUESTS: &str = "/v1/accounts/acme/join-requests";

const SEED: &str = r"
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: portal
    owner: {email: owner@example.com, name: Olga}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-for-reading, scopes: [read]}
  - name: Other
    slug: other
    profile: portal
    owner: {email: owner@other.example, name: Otto}
    tokens:
      - {token: other-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// The example with joining by domain, its service and its DNS.
struct Story {
    service: TestService,
    dns: FakeDns,
    desk: Desk,
}

impl Story {
    /// The account has ten seats with a plan, and one for its owner without.
    async fn start(plan: Option<&str>) -> Self {
        let dns = FakeDns::default();
        let used = Arc::new(dns.clone());
        let service = TestService::start_as(SEED, |settings| settings.dns = used).await;
        #[expect(clippy::disallowed_methods, reason = "the program reads the real clock too")]
        let now = Timestamp::now();
        service.clock.advance(now.duration_since(service.clock.now()));
        if let Some(plan) = plan {
            service.subscribe(plan).await;
        }
        let desk = Desk::empty();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/joining");
        for file in ["account-class.yaml", "account.yaml", "team.yaml"] {
            let text = std::fs::read_to_string(example.join(file)).unwrap();
            desk.write(&format!("git/{file}"), &text);
        }
        desk.replace("git/account-class.yaml", "http://127.0.0.1:8080", &service.base);
        desk.write("secrets/acme-token/token", TOKEN);
        desk.delete("git/team.yaml");
        Self { service, dns, desk }
    }

    /// Declares these people as `ana@acme.example role`.
    fn people(&self, lines: &[&str]) {
        let lines = lines.iter().map(|line| {
            let (email, role) = line.split_once(' ').unwrap();
            format!("    - {{email: {email}, role: {role}}}\n")
        });
        let head = "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {name: core, \
                    namespace: web}\nspec:\n  accountRef: {name: acme}\n  roster:\n";
        self.desk.write("git/team.yaml", &format!("{head}{}", lines.collect::<String>()));
    }

    /// Applies; the lines between the heading and the end.
    async fn apply(&self, code: i32) -> Vec<String> {
        let said = self.desk.exits(code, &["apply"]).await;
        said.out.lines().skip(1).map(str::to_owned).collect()
    }

    async fn domain(&self, name: &str) -> Value {
        let rows = self.service.list(DOMAINS).await;
        rows.into_iter().find(|row| row["name"] == name).unwrap_or_default()
    }

    /// Applies until a domain is in this state at the service: its record is looked for again after
    /// longer and longer gaps.
    async fn applies_until(&self, name: &str, state: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.domain(name).await["state"] != state {
            assert!(Instant::now() < end, "{name} does not become {state}");
            self.desk.run(&["apply"]).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Members but the owner as `ana@acme.example:member`, by address.
    async fn members(&self) -> String {
        let rows = self.service.list("/v1/accounts/acme/members").await;
        let others = rows.iter().filter(|row| row["role"] != "owner");
        let named = others.map(|row| format!("{}:{}", text(&row["email"]), text(&row["role"])));
        let mut named: Vec<_> = named.collect();
        named.sort();
        named.join(" ")
    }

    /// Requests that change something, so far.
    fn writes(&self) -> usize {
        let requests = self.service.requests();
        let api = requests.iter().filter(|line| text(&line["route"]).starts_with("/v1/"));
        api.filter(|line| line["method"] != "GET").count()
    }

    /// A second and a third run write nothing, to the service or the ledger (OP-01).
    async fn is_silent(&self, code: i32) {
        self.desk.exits(code, &["apply"]).await;
        let before = (self.writes(), self.desk.ledger(), self.service.mails().await.len());
        self.desk.exits(code, &["apply"]).await;
        let after = (self.writes(), self.desk.ledger(), self.service.mails().await.len());
        assert!(after == before, "something was written");
    }

    /// A domain of another account, proved.
    async fn of_the_other(&self, name: &str) {
        let path = "/v1/accounts/other/domains";
        let call = self.service.call(Method::POST, path).token(OTHER_TOKEN);
        let row = call.json(&json!({ "name": name })).send().await.expect(StatusCode::CREATED);
        self.dns.publish(&row);
        let path = format!("{path}/{}/verify", text(&row["id"]));
        let call = self.service.call(Method::POST, &path).token(OTHER_TOKEN).if_match("*");
        call.send().await.expect(StatusCode::OK);
    }
}

// rule: PO-11
// rule: OP-01
// rule: OP-06
#[tokio::test]
async fn a_declared_domain_is_put_in_proved_and_kept_and_goes_with_its_declaration() {
    let story = Story::start(Some("team")).await;
    let plan = story.desk.exits(3, &["plan"]).await;
    assert!(plan.out.contains("+ add domain acme.example\n"), "{}", plan.out);
    assert_eq!(story.domain("acme.example").await, Value::Null);
    let done = story.apply(0).await;
    let row = story.domain("acme.example").await;
    assert_eq!((&row["state"], &row["auto_join"]), (&json!("pending"), &json!(true)));
    let record = format!(
        "  hint: publish _seatkeeper-challenge.acme.example TXT \"{}\"",
        text(&row["challenge"]["value"])
    );
    assert_eq!(done[0], "+ add domain acme.example");
    assert!(done[1].starts_with("! domain acme.example: Pending: waits for its TXT"), "{done:#?}");
    assert_eq!(done[2], record);
    // Somebody else's is left.
    let call = story.service.call(Method::POST, DOMAINS).token(TOKEN);
    call.json(&json!({ "name": "kept.example" })).send().await.expect(StatusCode::CREATED);

    story.dns.publish(&row);
    story.applies_until("acme.example", "verified").await;
    story.is_silent(0).await;
    sign_up(&story.service, "ana@acme.example").await;
    assert_eq!(story.members().await, "ana@acme.example:member");
    story.is_silent(0).await;

    let account = story.desk.read("git/account.yaml");
    let (without, _) = account.split_once("  autoJoin:").unwrap();
    story.desk.write("git/account.yaml", without);
    assert_eq!(story.apply(0).await[0], "- take domain acme.example away");
    let left = story.service.list(DOMAINS).await;
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("kept.example")));
    assert_eq!(story.members().await, "ana@acme.example:member", "who joined stays");
    story.is_silent(0).await;
    story.service.stop().await;
}

// rule: OP-06
// rule: OP-07
#[tokio::test]
async fn people_of_a_verified_domain_stay_in_mode_exclusive_and_nobody_goes_when_it_lapses() {
    let story = Story::start(Some("team")).await;
    story.apply(0).await;
    let row = story.domain("acme.example").await;
    story.dns.publish(&row);
    story.applies_until("acme.example", "verified").await;
    sign_up(&story.service, "ana@acme.example").await;
    story.service.invite("eve@example.com", "member").await.expect(StatusCode::CREATED);

    story.desk.replace("git/account.yaml", "mode: Manage", "mode: Exclusive");
    assert_eq!(story.apply(0).await[0], "- withdraw the invitation of eve@example.com");
    assert_eq!(story.members().await, "ana@acme.example:member");
    story.is_silent(0).await;

    story.dns.withdraw(&text(&row["challenge"]["name"]));
    let later = SignedDuration::from_hours(25);
    for _ in 0..4 {
        story.service.pass(later).await;
    }
    story.service.clock.advance(-later * 4); // The program reads the real clock.
    assert_eq!(story.domain("acme.example").await["state"], "lapsed");
    let held = story.apply(4).await;
    let said = |what: &str| held.iter().any(|line| line.starts_with(what));
    assert!(said("! held: remove ana@acme.example (DomainUnproved: "), "{held:#?}");
    assert!(said("! domain acme.example: Lapsed: its TXT record is gone"), "{held:#?}");
    assert_eq!(story.members().await, "ana@acme.example:member");
    story.dns.publish(&row);
    story.applies_until("acme.example", "verified").await;
    story.is_silent(0).await;
    story.service.stop().await;
}

// rule: PO-11
#[tokio::test]
async fn a_domain_of_another_account_is_said_once_and_not_asked_about_again_and_again() {
    let story = Story::start(Some("team")).await;
    story.of_the_other("acme.example").await;
    story.apply(0).await;
    story.dns.publish(&story.domain("acme.example").await);
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let said = story.desk.run(&["apply"]).await;
        if said.out.contains("! domain acme.example: Taken: another account has verified it") {
            assert_eq!(said.code, Some(4), "{}", said.err);
            break;
        }
        assert!(Instant::now() < end, "{}", said.out);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    story.is_silent(4).await;
    assert_eq!(story.domain("acme.example").await["state"], "pending");
    story.service.stop().await;
}

// rule: X6
// rule: OP-02
// rule: OP-03
#[tokio::test]
async fn who_is_declared_and_asks_to_join_a_full_account_is_let_in_without_an_invitation() {
    let story = Story::start(None).await;
    story.apply(0).await;
    story.dns.publish(&story.domain("acme.example").await);
    story.applies_until("acme.example", "verified").await;
    for name in ["ana", "bo", "eve"] {
        sign_up(&story.service, &format!("{name}@acme.example")).await;
    }
    assert_eq!(story.service.list(REQUESTS).await.len(), 3);
    story.people(&["ana@acme.example member"]);
    let queued = story.apply(4).await;
    assert!(queued[0].starts_with("! ana@acme.example: Queued, position 1: "), "{queued:#?}");
    let waits = "3 join requests of people whom nobody declares, or who find no seat";
    assert!(queued.iter().any(|line| line == waits), "{queued:#?}");

    story.service.subscribe("team").await;
    let plan = story.desk.exits(3, &["plan"]).await;
    let line = "+ let ana@acme.example join as member, as they asked to\n";
    assert!(plan.out.contains(line) && plan.out.contains("2 join requests of"), "{}", plan.out);
    assert!(plan.out.contains("+ 1 join request (0 mails); seats 1 → 2 of 10"), "{}", plan.out);
    let mails = story.service.mails().await;
    story.apply(0).await;
    assert_eq!(story.members().await, "ana@acme.example:member");
    assert_eq!(story.service.list(REQUESTS).await.len(), 2, "nobody else");
    let sent = story.service.mails().await;
    let invitations = |mails: &[crate::service::Mail]| {
        mails.iter().filter(|mail| mail.template == "invitation").count()
    };
    assert_eq!((invitations(&sent), sent.len()), (0, mails.len()), "nobody is mailed");
    story.is_silent(0).await;

    // A higher role follows in the same run.
    story.desk.replace(
        "git/account.yaml",
        "  mode: Manage",
        "  mode: Manage\n  grantableRoles: [admin]",
    );
    story.people(&["ana@acme.example member", "bo@acme.example admin"]);
    let done = story.apply(0).await;
    assert_eq!(
        done[..2],
        [
            "+ let bo@acme.example join as admin, as they asked to",
            "~ change bo@acme.example from member to admin"
        ]
    );
    assert_eq!(story.members().await, "ana@acme.example:member bo@acme.example:admin");
    story.is_silent(0).await;
    let status = values(&story.desk.exits(0, &["status", "-o", "json"]).await.out);
    assert_eq!(status["autoJoin"]["joinRequests"], 1);
    story.service.stop().await;
}

// rule: CT-04
// rule: OP-06
#[tokio::test]
async fn who_is_declared_and_suggested_is_invited_which_settles_the_suggestion_of_nobody_else() {
    const SEED: &str = "
accounts:
  - name: Acme
    slug: acme
    profile: catalogue
    owner: {email: cara@example.com, name: Cara}
    subscriptions: [starter]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";
    let service = service_now(SEED).await;
    let desk = Desk::new(&service.base, TOKEN);
    desk.delete("git/membership.yaml");
    let class = desk.read("git/account-class.yaml").replace("nitropack", "catalogue");
    desk.write("git/account-class.yaml", &class);
    let account = desk.read("git/account.yaml").replace("nitropack", "catalogue");
    let account: Vec<_> = account.lines().filter(|line| !line.contains("grantable")).collect();
    desk.write("git/account.yaml", &(account.join("\n") + "\n"));
    let held = service.list("/v1/accounts/acme/subscriptions").await;
    let team = |roster: &str| {
        format!(
            "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {{name: core, namespace: \
             web}}\nspec: {{accountRef: {{name: acme}}, subscription: {}, roster: [{roster}]}}\n",
            text(&held[0]["id"])
        )
    };
    desk.write("git/team.yaml", &team(""));
    desk.exits(0, &["apply"]).await;
    let id = text(&service.list("/v1/accounts/acme/teams").await[0]["id"]);
    let list = format!("/v1/accounts/acme/teams/{id}/suggestions");
    for name in ["ana", "eve"] {
        let call = service.call(Method::POST, &list).token(TOKEN);
        let body = json!({ "email": format!("{name}@example.com"), "role": "member" });
        call.json(&body).send().await.expect(StatusCode::CREATED);
    }
    let plan = desk.exits(0, &["plan"]).await;
    assert!(plan.out.contains("2 suggestions for web/core\n"), "{}", plan.out);

    desk.write("git/team.yaml", &team("{email: ana@example.com, role: member}"));
    let done = desk.exits(0, &["apply"]).await;
    assert!(done.out.contains("+ invite ana@example.com as member in web/core\n"), "{}", done.out);
    assert!(done.out.contains("1 suggestion for web/core\n"), "{}", done.out);
    let open = service.list(&list).await;
    assert_eq!((open.len(), &open[0]["email"]), (1, &json!("eve@example.com")));
    let approved = service.list(&format!("{list}?state=approved")).await;
    assert_eq!((approved.len(), &approved[0]["email"]), (1, &json!("ana@example.com")));
    let of_all = service.list("/v1/accounts/acme/suggestions").await;
    assert_eq!(of_all, open, "the list of the account");
    let again = desk.exits(0, &["apply"]).await;
    assert!(again.out.contains("nothing to change"), "{}", again.out);

    // Where the list fails that is said, and people go on.
    let between = without_list(&service.base, "/suggestions").await;
    desk.replace("git/account-class.yaml", &service.base, between.base());
    desk.write(
        "git/team.yaml",
        &team("{email: ana@example.com, role: member}, {email: dan@example.com, role: member}"),
    );
    let said = desk.exits(1, &["apply"]).await;
    assert!(said.out.contains("+ invite dan@example.com as member in web/core\n"), "{}", said.out);
    assert!(said.err.contains("the suggestions could not be read"), "{}", said.err);
    service.stop().await;
}

#[tokio::test]
async fn a_token_that_may_only_read_is_not_told_who_asks_and_plans_all_the_same() {
    let story = Story::start(Some("team")).await;
    story.desk.write("secrets/acme-token/token", "acme-token-for-reading");
    story.desk.replace("git/account.yaml", "mode: Manage", "mode: Observe");
    let plan = story.desk.exits(0, &["plan"]).await;
    assert!(plan.out.contains("! held: add domain acme.example (Observing: "), "{}", plan.out);
    assert_eq!(plan.err, "");
    story.service.stop().await;
}

// rule: PO-11
#[tokio::test]
async fn what_cannot_be_a_domain_to_join_by_is_said_with_its_line_and_a_way_out() {
    let story = Story::start(Some("team")).await;
    for (from, to, line, said) in [
        ("[acme.example]", "[com]", 16, "each domain must be written as acme.com"),
        ("[acme.example]", "[ana@acme.example]", 16, "each domain must be written as acme.com"),
        ("[acme.example]", "[a..example]", 16, "is not a domain that addresses can have"),
        ("[acme.example]", "[acme.example, ACME.example]", 16, "which is there already"),
        ("role: member", "role: admin", 17, "profile `portal` lets people join as `member`"),
    ] {
        let account = story.desk.read("git/account.yaml");
        story.desk.replace("git/account.yaml", from, to);
        let told = story.desk.exits(1, &["plan"]).await.err;
        assert!(told.contains(said), "{to}: {told}");
        assert!(told.contains(&format!("account.yaml:{line}:")), "{to}: {told}");
        assert!(told.contains("hint: "), "{to}: {told}");
        story.desk.write("git/account.yaml", &account);
    }
    story.desk.replace("git/account-class.yaml", "profile: portal", "profile: nitropack");
    let told = story.desk.exits(1, &["plan"]).await.err;
    assert!(told.contains("profile `nitropack` does not know joining by domain"), "{told}");
    assert!(told.contains("account.yaml:15:"), "{told}");
    story.service.stop().await;
}

// rule: OP-01
#[tokio::test]
async fn killed_while_a_domain_is_put_in_it_is_there_once_and_ours() {
    let mut hit = Vec::new();
    for point in points() {
        let story = Story::start(None).await;
        if is_killed(&story.desk, point).await {
            hit.push(point);
            story.apply(0).await;
            let rows = story.service.list(DOMAINS).await;
            let names: Vec<_> = rows.iter().map(|row| text(&row["name"])).collect();
            assert_eq!(names, ["acme.example"], "{point}");
            // It is known as ours: it goes with its declaration.
            let account = story.desk.read("git/account.yaml");
            let (without, _) = account.split_once("  autoJoin:").unwrap();
            story.desk.write("git/account.yaml", without);
            assert_eq!(story.apply(0).await[0], "- take domain acme.example away", "{point}");
            story.is_silent(0).await;
        }
        story.service.stop().await;
    }
    let of_domains = ["apply.acting", "apply.acted", "ledger.written-beside", "ledger.renamed"];
    assert!(of_domains.iter().all(|point| hit.contains(point)), "{hit:?}");
}

// rule: PO-11
// rule: OP-01
#[tokio::test]
async fn an_import_writes_the_domains_that_people_join_by_and_plans_to_nothing() {
    let story = Story::start(Some("team")).await;
    for (name, joins) in [("acme.example", true), ("mail.example", false)] {
        let body = json!({ "name": name, "auto_join": joins });
        let call = story.service.call(Method::POST, DOMAINS).token(TOKEN);
        let row = call.json(&body).send().await.expect(StatusCode::CREATED);
        story.dns.publish(&row);
        let path = format!("{DOMAINS}/{}/verify", text(&row["id"]));
        let call = story.service.call(Method::POST, &path).token(TOKEN).if_match("*");
        call.send().await.expect(StatusCode::OK);
    }
    sign_up(&story.service, "ana@acme.example").await;
    let desk = Desk::empty();
    desk.write("secrets/acme-token/token", TOKEN);
    let mut command = program();
    command.current_dir(desk.path("."));
    command.args(["import", "--url", &story.service.base, "--account", "acme"]);
    command.args(["--name", "acme", "--namespace", "web", "--output-dir", "git"]);
    command.args(["--token-file", "secrets/acme-token/token"]);
    let done = said(command.output().await.unwrap());
    assert_eq!(done.code, Some(0), "{}", done.err);
    let account = desk.read("git/account.yaml");
    let (_, joining) = account.split_once("autoJoin:").unwrap();
    assert!(joining.contains("acme.example"), "{account}");
    assert!(!account.contains("mail.example"), "nobody joins by that: {account}");
    for mode in ["mode: Observe", "mode: Manage", "mode: Exclusive"] {
        desk.replace("git/account.yaml", "mode: Observe", mode);
        let plan = desk.run(&["plan"]).await;
        let acts = |line: &&str| line.starts_with(['+', '-', '~']);
        assert_eq!(plan.out.lines().filter(acts).count(), 0, "{mode}: {}", plan.out);
        desk.replace("git/account.yaml", mode, "mode: Observe");
    }
    story.service.stop().await;
}

/// Stands before a service and fails to give a list.
async fn without_list(base: &str, list: &'static str) -> Scripted {
    Scripted::before(base, move |request: &Seen| {
        let fails = request.line.starts_with("GET ") && request.line.contains(list);
        fails.then(|| Bend::Instead(Answer::text(502, "text/html", "<h1>Bad Gateway</h1>")))
    })
    .await
}

// rule: OP-01
#[tokio::test]
async fn a_list_that_fails_is_said_and_people_go_on() {
    for (list, said) in [
        ("/domains", "the domains could not be read"),
        ("/join-requests", "the join requests could not be read"),
    ] {
        let story = Story::start(Some("team")).await;
        let between = without_list(&story.service.base, list).await;
        story.desk.replace("git/account-class.yaml", &story.service.base, between.base());
        story.people(&["ana@acme.example member"]);
        let run = story.desk.exits(1, &["apply"]).await;
        assert!(run.out.contains("+ invite ana@acme.example as member\n"), "{}", run.out);
        assert!(run.err.contains(said) && run.err.contains("is left as it is"), "{}", run.err);
        assert!(!run.err.contains("Bad Gateway"), "{}", run.err);
        let again = story.desk.exits(1, &["apply"]).await;
        assert!(again.out.contains("nothing to"), "{}", again.out);

        story.desk.replace("git/account-class.yaml", between.base(), &story.service.base);
        story.desk.exits(0, &["apply"]).await;
        assert_eq!(story.domain("acme.example").await["state"], "pending");
        let invited = story.service.mails().await;
        assert_eq!(invited.iter().filter(|mail| mail.template == "invitation").count(), 1);
        story.service.stop().await;
    }
}
