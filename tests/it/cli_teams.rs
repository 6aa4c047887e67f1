//! Many teams in an account, by command line against the real service: teams are made, linked,
//! renamed and filled as declared; seats are those of each subscription.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::cli_run::{Desk, service_now};
use crate::service::{TOKEN, TestService, text};

const SEED: &str = "
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: catalogue
    owner: {email: cara@example.com, name: Cara, password: correct horse battery}
    subscriptions: [starter, growth]
    teams:
      - name: Design
        subscription: starter
        members:
          - {email: tom@example.com, name: Tom, role: team-admin}
          - {email: mia@example.com, name: Mia, role: member}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// An organisation of the catalogue product, and a folder with its manifests.
struct Story {
    service: TestService,
    desk: Desk,
    starter: String,
    growth: String,
}

impl Story {
    async fn start() -> Self {
        let service = service_now(SEED).await;
        let desk = Desk::new(&service.base, TOKEN);
        for file in ["git/membership.yaml", "git/team.yaml"] {
            desk.delete(file);
        }
        let class = desk.read("git/account-class.yaml").replace("nitropack", "catalogue");
        desk.write("git/account-class.yaml", &class);
        let account = desk.read("git/account.yaml").replace("nitropack", "catalogue");
        let account: Vec<_> = account.lines().filter(|line| !line.contains("grantable")).collect();
        desk.write("git/account.yaml", &(account.join("\n") + "\n"));
        let held = service.list("/v1/accounts/acme/subscriptions").await;
        let of = |plan: &str| text(&held.iter().find(|row| row["plan"] == plan).unwrap()["id"]);
        let (starter, growth) = (of("starter"), of("growth"));
        Self { service, desk, starter, growth }
    }

    /// Declares a team with this spec and roster, as `name role` each.
    fn team(&self, name: &str, spec: &str, roster: &str) {
        let lines = roster.split(", ").filter(|line| !line.is_empty()).map(|line| {
            let (name, role) = line.split_once(' ').unwrap();
            format!("    - {{email: {name}@example.com, role: {role}}}\n")
        });
        let lines: String = lines.collect();
        let roster = if lines.is_empty() {
            "  roster: []\n".to_owned()
        } else {
            format!("  roster:\n{lines}")
        };
        self.desk.write(
            &format!("git/{name}.yaml"),
            &format!(
                "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {{name: {name}, \
                 namespace: web}}\nspec:\n  accountRef: {{name: acme}}\n  {spec}\n{roster}"
            ),
        );
    }

    /// Applies; the lines between the heading and the end.
    async fn apply(&self, code: i32) -> Vec<String> {
        let said = self.desk.exits(code, &["apply"]).await;
        let lines = said.out.lines().skip(1).map(|line| self.named(line));
        lines.collect()
    }

    /// Ids as words.
    fn named(&self, line: &str) -> String {
        line.replace(&self.starter, "STARTER").replace(&self.growth, "GROWTH")
    }

    async fn accept(&self, names: &[&str]) {
        for name in names {
            let link = self.service.link_to(&format!("{name}@example.com")).await;
            self.service.browser().accept_by_sign_up(&link).await;
        }
    }

    async fn teams(&self) -> Vec<Value> {
        self.service.list("/v1/accounts/acme/teams").await
    }

    async fn id(&self, name: &str) -> String {
        let teams = self.teams().await;
        text(&teams.iter().find(|team| team["name"] == name).unwrap()["id"])
    }

    /// People of a team as `tom:team-admin`, in order of their names.
    async fn people(&self, team: &str) -> String {
        let path = format!("/v1/accounts/acme/members?team={}", self.id(team).await);
        let rows = self.service.list(&path).await;
        let name = |row: &Value| text(&row["email"]).split_once('@').unwrap().0.to_owned();
        let people = rows.iter().map(|row| format!("{}:{}", name(row), text(&row["role"])));
        let mut people: Vec<_> = people.collect();
        people.sort();
        people.join(" ")
    }

    /// A second and a third run write nothing, to the service or the ledger (OP-01).
    async fn is_silent(&self) {
        self.desk.exits(0, &["apply"]).await;
        let writes = || {
            let requests = self.service.requests();
            let api = requests.iter().filter(|line| text(&line["route"]).starts_with("/v1/"));
            api.filter(|line| line["method"] != "GET").count()
        };
        let before = (writes(), self.desk.ledger(), self.service.mails().await.len());
        let said = self.desk.exits(0, &["apply"]).await;
        assert!(said.out.contains("nothing to change"), "{}", said.out);
        let after = (writes(), self.desk.ledger(), self.service.mails().await.len());
        assert!(after == before, "something was written");
    }
}

// rule: OP-01
// rule: CT-01
// rule: CT-05
#[tokio::test]
async fn a_team_is_made_under_its_subscription_and_its_people_follow_in_the_same_run() {
    let story = Story::start().await;
    let under = format!("displayName: Print\n  subscription: {}", story.growth);
    story.team("print", &under, "ana member, tom team-admin");
    let plan = story.desk.exits(3, &["plan"]).await;
    assert!(plan.out.contains("+ make team \"Print\" under sub_"), "{}", plan.out);
    assert!(plan.out.contains("(TeamNotThere: "), "{}", plan.out);
    let done = story.apply(0).await;
    assert_eq!(
        done,
        [
            "+ make team \"Print\" under GROWTH",
            // Tom is in the account already: he is added at once, without an invitation.
            "+ add tom@example.com as team-admin in web/print",
            "+ invite ana@example.com as member in web/print",
            "3 done; seats of STARTER 2 of 5; seats of GROWTH 2 of 25",
        ]
    );
    let print = story.id("Print").await;
    assert_eq!(story.people("Print").await, "tom:team-admin");
    let mails = story.service.mails().await;
    assert!(mails.iter().all(|mail| mail.to != "tom@example.com"), "nobody invites who is there");
    let invited = story.service.list("/v1/accounts/acme/invitations").await;
    assert_eq!(text(&invited[0]["team"]), print);
    story.accept(&["ana"]).await;
    story.is_silent().await;
    assert_eq!(story.people("Print").await, "ana:member tom:team-admin");
    assert_eq!(story.people("Design").await, "mia:member tom:team-admin", "not declared: left");
    assert_eq!(story.teams().await.len(), 2, "made once");
    story.service.stop().await;
}

// rule: OP-01
// rule: OP-06
// rule: CT-12
#[tokio::test]
async fn a_team_is_adopted_by_its_id_renamed_and_linked_and_one_person_leaves_one_team_only() {
    let story = Story::start().await;
    let design = story.id("Design").await;
    let by_name = format!("displayName: Design\n  subscription: {}", story.starter);
    story.team("design", &by_name, "tom team-admin, mia member");
    let held = story.desk.exits(4, &["plan"]).await;
    assert!(held.out.contains("(TeamNameTaken: "), "{}", held.out);

    let by_id = format!("{by_name}\n  teamId: {design}");
    story.team("design", &by_id, "tom team-admin, mia member");
    assert_eq!(
        story.apply(0).await,
        ["nothing to change; seats of STARTER 2 of 5; seats of GROWTH 0 of 25"],
        "adopted without a mail"
    );
    story.is_silent().await;

    let studio =
        format!("displayName: Studio\n  subscription: {}\n  teamId: {design}", story.growth);
    story.team("design", &studio, "tom team-admin, mia member");
    let print = format!("displayName: Print\n  subscription: {}", story.growth);
    story.team("print", &print, "mia member");
    let done = story.apply(0).await;
    assert_eq!(
        done,
        [
            "~ rename team \"Design\" to \"Studio\" and link it to GROWTH",
            "+ make team \"Print\" under GROWTH",
            "+ add mia@example.com as member in web/print",
            // Who is in two teams of one subscription takes one seat.
            "3 done; seats of STARTER 0 of 5; seats of GROWTH 2 of 25",
        ]
    );
    story.team("design", &studio, "tom team-admin");
    let done = story.apply(0).await;
    assert_eq!(
        done,
        [
            "- remove mia@example.com in web/design",
            "1 done; seats of STARTER 0 of 5; seats of GROWTH 2 of 25"
        ]
    );
    assert_eq!(story.people("Studio").await, "tom:team-admin");
    assert_eq!(story.people("Print").await, "mia:member");
    story.is_silent().await;
    story.service.stop().await;
}

// rule: OP-03
// rule: X5
#[tokio::test]
async fn the_seats_of_a_subscription_are_shared_by_its_teams_and_never_exceeded() {
    let story = Story::start().await;
    let under = format!("subscription: {}", story.starter);
    story.team("one", &under, "ana member, bo member, tom member");
    story.team("two", &under, "ana member, cyd member, dan member");
    let done = story.apply(4).await;
    let queued: Vec<_> = done.iter().filter(|line| line.contains("Queued")).collect();
    assert_eq!(queued.len(), 1, "Tom and Mia, and three of four: {done:#?}");
    assert_eq!(
        done.last().unwrap(),
        "6 done; seats of STARTER 5 of 5; seats of GROWTH 0 of 25; 1 queued"
    );
    let invited = story.service.list("/v1/accounts/acme/invitations").await;
    assert_eq!(invited.len(), 3, "Ana once, Bo, and one of two");
    story.accept(&["ana"]).await;
    let done = story.apply(4).await;
    assert_eq!(done[0], "+ add ana@example.com as member in web/two", "without a second mail");
    let seats = story.service.seats().await;
    assert_eq!(seats["pools"][0]["used"], 5);
    story.service.stop().await;
}

// rule: CT-13
#[tokio::test]
async fn an_inactive_team_lets_nobody_in_and_people_out() {
    let story = Story::start().await;
    let under = format!("subscription: {}", story.starter);
    story.team("one", &under, "mia member, tom member");
    story.apply(0).await;
    story.service.cancel("starter").await;
    let later = SignedDuration::from_hours(24 * 40);
    story.service.pass(later).await;
    story.service.clock.advance(-later); // The program reads the real clock.

    story.team("one", &under, "mia team-admin, ana member");
    let done = story.apply(4).await;
    assert!(done.contains(&"- remove tom@example.com in web/one".to_owned()), "{done:#?}");
    assert_eq!(done.iter().filter(|line| line.contains("(TeamInactive: ")).count(), 2, "{done:#?}");
    assert_eq!(story.people("one").await, "mia:member");
    story.service.stop().await;
}

// rule: OP-02
// rule: OP-08
#[tokio::test]
async fn who_was_removed_by_an_admin_stays_out_and_who_moves_keeps_access() {
    let story = Story::start().await;
    let design = story.id("Design").await;
    let adopted =
        format!("displayName: Design\n  subscription: {}\n  teamId: {design}", story.starter);
    let print = format!("displayName: Print\n  subscription: {}", story.growth);
    story.team("design", &adopted, "tom team-admin, mia member");
    story.team("print", &print, "tom member");
    story.apply(0).await;
    assert_eq!(story.people("Print").await, "tom:member");
    let path = format!("/v1/accounts/acme/members?team={}", story.id("Print").await);
    let row = story.service.list(&path).await.remove(0);
    let path = format!("/v1/accounts/acme/members/{}", text(&row["id"]));
    let call = story.service.call(Method::DELETE, &path).token(TOKEN);
    assert_eq!(call.if_match(&text(&row["etag"])).send().await.status, StatusCode::NO_CONTENT);
    let left = story.apply(4).await;
    assert!(left[0].starts_with("! tom@example.com in web/print: OptedOut: "), "{left:#?}");
    assert_eq!(story.people("Print").await, "");

    // Mia's only place is Design: she comes into Print, then leaves Design, in one run.
    story.team("design", &adopted, "tom team-admin");
    story.team("print", &print, "mia member");
    let moved = story.apply(0).await;
    assert_eq!(
        moved[..2],
        ["+ add mia@example.com as member in web/print", "- remove mia@example.com in web/design"]
    );
    assert_eq!(story.people("Print").await, "mia:member");
    assert_eq!(story.people("Design").await, "tom:team-admin");
    story.is_silent().await;
    story.service.stop().await;
}

// rule: OP-07
#[tokio::test]
async fn a_wrong_id_another_name_or_a_second_declaration_of_a_team_removes_nobody() {
    let story = Story::start().await;
    let under = format!("displayName: Print\n  subscription: {}", story.growth);
    story.team("print", &under, "tom member, mia member");
    story.apply(0).await;
    let id = story.id("Print").await;

    story.team("print", &format!("{under}\n  teamId: team_typo"), "tom member, mia member");
    let held = story.apply(4).await;
    assert!(held[0].contains("(TeamNotFound: "), "{held:#?}");
    story.team("print", &under, "tom member, mia member");
    story.team("squad", &format!("{under}\n  teamId: {id}"), "tom member");
    let held = story.apply(4).await;
    assert!(held[0].contains("(TeamTaken: "), "{held:#?}");
    story.desk.delete("git/squad.yaml");
    story.desk.delete("git/print.yaml");
    story.team("moved", &under, "tom member, mia member");
    let held = story.apply(4).await;
    assert!(held[0].contains("(TeamNameTaken: "), "{held:#?}");
    assert_eq!(story.people("Print").await, "mia:member tom:member", "nobody lost a place");

    story.team("moved", &format!("{under}\n  teamId: {id}"), "tom member, mia member");
    assert_eq!(story.apply(0).await.len(), 1, "the same team under another name");
    story.is_silent().await;
    story.service.stop().await;
}

// rule: OP-03
#[tokio::test]
async fn a_team_that_is_linked_anew_is_counted_before_anyone_else_comes() {
    let story = Story::start().await;
    let growth = format!("displayName: Far\n  subscription: {}", story.growth);
    story.team("far", &growth, "ana member, bo member");
    story.team("core", &format!("subscription: {}", story.starter), "cyd member");
    story.apply(0).await;
    let starter = format!("displayName: Far\n  subscription: {}", story.starter);
    story.team("far", &starter, "ana member, bo member");
    story.team("core", &format!("subscription: {}", story.starter), "cyd member, dan member");
    let done = story.apply(4).await;
    assert!(done[0].starts_with("~ link team"), "{done:#?}");
    assert!(
        done.iter().any(|line| line.contains("dan@example.com in web/core: Queued")),
        "{done:#?}"
    );
    assert!(done.iter().all(|line| !line.contains("refused")), "{done:#?}");
    story.team("core", &format!("subscription: {}", story.starter), "cyd member");
    story.is_silent().await;
    story.team("far", &growth, "ana member, bo member");
    let done = story.apply(0).await;
    assert_eq!(done.len(), 2, "a link by itself ends well: {done:#?}");
    story.service.stop().await;
}

// rule: CT-05
// rule: OP-09
#[tokio::test]
async fn who_was_renamed_is_added_to_another_team_at_once_under_the_address_of_their_row() {
    let story = Story::start().await;
    let under = format!("displayName: Print\n  subscription: {}", story.growth);
    story.team("print", &under, "tomas team-admin,formerly: [tom@example.com]");
    let done = story.apply(0).await;
    assert!(
        done.contains(&"+ add tom@example.com as team-admin in web/print".to_owned()),
        "{done:#?}"
    );
    assert_eq!(story.people("Print").await, "tom:team-admin");
    story.is_silent().await;
    let mails = story.service.mails().await;
    let invitations = mails.iter().filter(|mail| mail.template == "invitation");
    assert_eq!(invitations.count(), 0, "nobody is invited");

    // Without the earlier address in the line the ledger still knows who it is.
    story.team("print", &under, "tomas team-admin");
    story.is_silent().await;
    assert_eq!(story.people("Print").await, "tom:team-admin");
    assert_eq!(story.people("Design").await, "mia:member tom:team-admin", "nobody else's team");
}
