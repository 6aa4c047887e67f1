//! Becoming an owner, by command line against the real service: the present owner confirms, the
//! person accepts, each by the link of one mail, and nobody is asked twice.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::StatusCode;
use seatkeeper::apply;
use serde_json::Value;

use crate::cli_run::{Desk, service_now, values};
use crate::service::{PASSWORD, TOKEN, TestService, text};

const OF_ONE_TEAM: &str = "
accounts:
  - name: Acme
    slug: acme
    profile: PROFILE
    owner: {email: olga@example.com, name: Olga, password: correct horse battery}
    members:
      - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}
      - {email: ben@example.com, name: Ben, role: member, password: correct horse battery}
    subscriptions: [SUBSCRIPTION]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

const OF_MANY_TEAMS: &str = "
accounts:
  - name: Acme
    slug: acme
    profile: catalogue
    owner: {email: cara@example.com, name: Cara, password: correct horse battery}
    subscriptions: [starter]
    teams:
      - name: Design
        subscription: starter
        members:
          - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// An account, and a folder with its manifests.
struct Story {
    service: TestService,
    desk: Desk,
}

impl Story {
    async fn start(seed: &str, profile: &str, grantable: &str) -> Self {
        let service = service_now(seed).await;
        let desk = Desk::new(&service.base, TOKEN);
        for file in ["git/membership.yaml", "git/team.yaml"] {
            desk.delete(file);
        }
        let class = desk.read("git/account-class.yaml").replace("nitropack", profile);
        desk.write("git/account-class.yaml", &class);
        let account = desk.read("git/account.yaml").replace("nitropack", profile);
        let lines = account.lines().map(|line| match line.contains("grantable") {
            true => format!("  grantableRoles: [{grantable}]"),
            false => line.to_owned(),
        });
        desk.write("git/account.yaml", &(lines.collect::<Vec<_>>().join("\n") + "\n"));
        Self { service, desk }
    }

    async fn of_one_team(profile: &str, subscription: &str) -> Self {
        let seed = OF_ONE_TEAM.replace("PROFILE", profile);
        let seed = match subscription {
            "" => seed.replace("    subscriptions: [SUBSCRIPTION]\n", ""),
            plan => seed.replace("SUBSCRIPTION", plan),
        };
        Self::start(&seed, profile, if profile == "portal" { "owner, admin" } else { "owner" })
            .await
    }

    /// Declares a person in this role; the first declared is the older.
    fn declare(&self, name: &str, role: &str) {
        self.desk.write(
            &format!("git/{name}.yaml"),
            &format!(
                "apiVersion: seatkeeper.dev/v1alpha1\nkind: Membership\nmetadata: {{name: {name}, \
                 namespace: web}}\nspec:\n  accountRef: {{name: acme}}\n  email: \
                 {name}@example.com\n  role: {role}\n"
            ),
        );
    }

    /// Applies; the lines between the heading and the end.
    async fn apply(&self, code: i32) -> Vec<String> {
        let said = self.desk.exits(code, &["apply"]).await;
        said.out.lines().skip(1).map(ToOwned::to_owned).collect()
    }

    /// State of a person, and the rule that holds the next step back.
    async fn state(&self, name: &str) -> String {
        let said = self.desk.run(&["status", "-o", "json"]).await;
        let status = values(&said.out);
        let people = status["people"].as_array().unwrap().clone();
        let email = format!("{name}@example.com");
        let person = people.iter().find(|row| row["email"] == email.as_str()).unwrap().clone();
        let rule = person["rule"].as_str().map(|rule| format!(" {rule}")).unwrap_or_default();
        format!("{}{rule}", text(&person["state"]))
    }

    /// Roles at the service, as `ben:member mia:owner`.
    async fn roles(&self) -> String {
        let rows = self.service.list("/v1/accounts/acme/members").await;
        let name = |row: &Value| text(&row["email"]).split_once('@').unwrap().0.to_owned();
        let mut roles: Vec<_> =
            rows.iter().map(|row| format!("{}:{}", name(row), text(&row["role"]))).collect();
        roles.sort();
        roles.join(" ")
    }

    /// Follows the link of the last mail to a person.
    async fn answers(&self, name: &str, how: &str) {
        let email = format!("{name}@example.com");
        let link = self.service.link_to(&email).await;
        let mut browser = self.service.browser();
        browser.sign_in(&email, PASSWORD).await;
        let page = browser.open(&link).await;
        let page = browser.submit(&page, &format!("{}/{how}", page.path), &[]).await;
        let answered = [StatusCode::OK, StatusCode::GONE];
        assert!(answered.contains(&page.status), "{}", page.text());
    }

    async fn mails(&self) -> Vec<String> {
        let mails = self.service.mails().await;
        mails.iter().map(|mail| format!("{} {}", mail.template, mail.to)).collect()
    }

    /// Another run writes nothing, to the service or the ledger (OP-01).
    async fn is_silent(&self, code: i32) {
        let writes = || {
            let requests = self.service.requests();
            let api = requests.iter().filter(|line| text(&line["route"]).starts_with("/v1/"));
            api.filter(|line| line["method"] != "GET").count()
        };
        let before = (writes(), self.desk.ledger(), self.service.mails().await.len());
        self.desk.exits(code, &["apply"]).await;
        let after = (writes(), self.desk.ledger(), self.service.mails().await.len());
        assert!(after == before, "something was written");
    }
}

// rule: DO-09
// rule: X11
// rule: OP-01
// rule: OP-02
#[tokio::test]
async fn a_member_becomes_owner_by_two_links_and_nobody_is_asked_twice() {
    let story = Story::of_one_team("digitalocean", "").await;
    story.declare("mia", "member");
    story.apply(0).await;
    story.declare("mia", "owner");
    let plan = story.desk.exits(3, &["plan"]).await;
    assert!(plan.out.contains("~ 1 change of owner (1 mail)"), "{}", plan.out);
    let done = story.apply(0).await;
    assert!(done.contains(&"~ ask the owner to make mia@example.com owner".to_owned()), "{done:?}");
    assert_eq!(story.mails().await, ["ownership-confirm olga@example.com"]);
    assert_eq!(story.state("mia").await, "AwaitingConfirmation");
    assert_eq!(story.roles().await, "ben:member mia:member olga:owner");
    story.is_silent(0).await;

    story.answers("olga", "accept").await;
    assert_eq!(story.state("mia").await, "AwaitingAcceptance");
    story.is_silent(0).await;
    story.answers("mia", "accept").await;
    assert_eq!(story.state("mia").await, "Active");
    assert_eq!(story.roles().await, "ben:member mia:owner olga:owner");
    story.apply(0).await;
    story.is_silent(0).await;
    let asked = story.mails().await.into_iter().filter(|mail| mail.contains("confirm"));
    assert_eq!(asked.count(), 1);
    story.service.stop().await;
}

// rule: OP-02
#[tokio::test]
async fn killed_anywhere_in_a_run_the_owner_is_asked_by_exactly_one_mail() {
    let mut killed = Vec::new();
    for point in apply::FAILPOINTS {
        let story = Story::of_one_team("digitalocean", "").await;
        story.declare("mia", "member");
        story.apply(0).await;
        story.declare("mia", "owner");
        let mut command = story.desk.command(&["apply"]);
        let output = command.env("SEATKEEPER_FAILPOINT", point).output().await.unwrap();
        if output.status.code().is_none() {
            killed.push(*point);
            story.apply(0).await;
            story.apply(0).await;
            assert_eq!(story.mails().await, ["ownership-confirm olga@example.com"], "{point}");
            assert_eq!(story.state("mia").await, "AwaitingConfirmation", "{point}");
            story.is_silent(0).await;
        }
        story.service.stop().await;
    }
    for point in ["apply.opened", "apply.recorded", "apply.sending", "apply.answered"] {
        assert!(killed.contains(&point), "{killed:?}");
    }
}

// rule: DO-09
// rule: OP-02
#[tokio::test]
async fn a_no_to_a_change_of_owner_is_remembered_until_a_person_asks_again() {
    let story = Story::of_one_team("digitalocean", "").await;
    story.declare("mia", "owner");
    story.apply(0).await;
    story.answers("olga", "decline").await;
    let held = story.apply(4).await.join("\n");
    assert!(held.contains("(OwnerChangeEnded: "), "{held}");
    assert_eq!(story.state("mia").await, "Active OwnerChangeEnded");
    story.is_silent(4).await;
    assert_eq!(story.mails().await.len(), 1);

    story.desk.exits(0, &["apply", "--resend", "mia@example.com"]).await;
    assert_eq!(story.state("mia").await, "AwaitingConfirmation");
    assert_eq!(story.mails().await.len(), 2);
    story.is_silent(0).await;
    story.service.stop().await;
}

// rule: OP-08
#[tokio::test]
async fn a_change_of_owner_that_is_no_longer_declared_is_withdrawn() {
    let story = Story::of_one_team("digitalocean", "").await;
    story.declare("mia", "owner");
    story.apply(0).await;
    story.declare("mia", "modifier");
    let done = story.apply(0).await.join("\n");
    assert!(done.contains("- withdraw the change that makes mia@example.com an owner"), "{done}");
    story.apply(0).await;
    assert_eq!(story.roles().await, "ben:member mia:modifier olga:owner");
    let rows = story.service.list("/v1/accounts/acme/ownership-changes").await;
    assert_eq!(rows.iter().map(|row| text(&row["state"])).collect::<Vec<_>>(), ["cancelled"]);
    story.apply(0).await;
    story.is_silent(0).await;
    story.service.stop().await;
}

// rule: PO-04
// rule: OP-05
#[tokio::test]
async fn where_the_role_moves_the_older_declaration_counts_and_the_former_owner_stays_until_then() {
    let story = Story::of_one_team("portal", "team").await;
    story.declare("olga", "owner");
    story.apply(0).await;
    story.declare("mia", "owner");
    let said = story.desk.exits(1, &["plan"]).await;
    assert!(said.err.contains("somebody else is declared `owner` already"), "{}", said.err);
    assert!(story.mails().await.is_empty());

    story.declare("olga", "admin");
    let done = story.apply(4).await.join("\n");
    assert!(done.contains("~ ask the owner to make mia@example.com owner"), "{done}");
    assert!(done.contains("(OwnerGuard: "), "the last owner is not lowered: {done}");
    story.answers("olga", "accept").await;
    story.apply(4).await;
    assert_eq!(story.roles().await, "ben:member mia:member olga:owner");
    story.answers("mia", "accept").await;
    assert_eq!(story.roles().await, "ben:member mia:owner olga:admin");
    story.apply(0).await;
    story.is_silent(0).await;
    story.service.stop().await;
}

// rule: CT-07
// rule: X3
#[tokio::test]
async fn somebody_with_a_place_in_a_team_becomes_company_admin() {
    let story = Story::start(OF_MANY_TEAMS, "catalogue", "company-admin").await;
    story.declare("zoe", "company-admin");
    let held = story.apply(4).await.join("\n");
    assert_eq!(story.state("zoe").await, "Planned NotMemberYet", "{held}");
    assert!(story.mails().await.is_empty());
    story.desk.delete("git/zoe.yaml");

    story.declare("mia", "company-admin");
    story.apply(0).await;
    assert_eq!(story.state("mia").await, "AwaitingConfirmation");
    story.answers("cara", "accept").await;
    story.answers("mia", "accept").await;
    assert_eq!(story.state("mia").await, "Active");
    story.apply(0).await;
    story.is_silent(0).await;
    story.service.stop().await;
}
