//! A story of each product whose account is one team, by command line against the real service:
//! people are invited, join, change and leave as declared, and then nothing is written anywhere.

use reqwest::StatusCode;

use crate::cli_run::{Desk, service_now};
use crate::service::{TOKEN, TestService, text};

/// An account of a product, and a folder with its manifests.
struct Story {
    service: TestService,
    desk: Desk,
}

impl Story {
    /// An account `acme` of this profile with these subscriptions, and a team with this roster.
    async fn of(profile: &str, subscriptions: &str, roster: &str) -> Self {
        let service = service_now(&format!(
            "accounts:\n  - name: Acme\n    slug: acme\n    profile: {profile}\n    \
             owner: {{email: owner@example.com, name: Olga, password: correct horse battery}}\n    \
             subscriptions: [{subscriptions}]\n    tokens:\n      - {{token: {TOKEN}, \
             scopes: [read, invite, change, remove, billing, manage]}}\n"
        ))
        .await;
        let desk = Desk::new(&service.base, TOKEN);
        desk.delete("git/membership.yaml");
        let class = desk.read("git/account-class.yaml");
        let class = class.replace("nitropack", profile);
        desk.write("git/account-class.yaml", &class);
        let account = desk.read("git/account.yaml").replace("nitropack", profile);
        desk.write("git/account.yaml", &account.replace("  grantableRoles: [admin] # admin is a protected role: only accounts that list it here give it\n", ""));
        let story = Self { service, desk };
        story.declare(roster);
        story
    }

    /// Lets the account give a protected role.
    fn grant(&self, role: &str) {
        let mode = "  mode: Manage\n";
        let grantable = format!("{mode}  grantableRoles: [{role}]\n");
        self.desk.replace("git/account.yaml", mode, &grantable);
    }

    /// Declares these people, as `name role` each.
    fn declare(&self, roster: &str) {
        let lines = roster.split(", ").map(|line| {
            let (name, role) = line.split_once(' ').unwrap_or((line, ""));
            format!("    - {{email: {name}@example.com, role: {role}}}\n")
        });
        let lines: String = lines.collect();
        self.desk.write(
            "git/team.yaml",
            &format!(
                "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {{name: core, \
                 namespace: web}}\nspec:\n  accountRef: {{name: acme}}\n  roster:\n{lines}"
            ),
        );
    }

    /// Applies; the lines between the heading and the end, in order of their text.
    async fn apply(&self, code: i32) -> Vec<String> {
        let said = self.desk.exits(code, &["apply"]).await;
        let mut lines: Vec<_> = said.out.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    async fn accept(&self, names: &[&str]) {
        for name in names {
            let link = self.service.link_to(&format!("{name}@example.com")).await;
            self.service.browser().accept_by_sign_up(&link).await;
        }
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
        assert_eq!((writes(), self.desk.ledger(), self.service.mails().await.len()), before);
    }

    /// Members, and their roles.
    async fn people(&self) -> String {
        let mut people: Vec<_> =
            self.service.people().await.split(' ').map(str::to_owned).collect();
        people.sort();
        people.join(" ")
    }
}

// rule: OP-01
// rule: DO-03
#[tokio::test]
async fn digitalocean_any_number_of_people_in_any_role_but_the_owners() {
    let team = "ana biller, bo modifier, cyd resource-viewer, dan member, eve billing-viewer";
    let story = Story::of("digitalocean", "", team).await;
    let plan = story.desk.exits(3, &["plan"]).await;
    let end = "+ 5 invitations (5 mails, in 1 wave); seats 0 → 0 of unlimited";
    assert_eq!(plan.out.lines().last(), Some(end));
    story.apply(0).await;
    story.accept(&["ana", "bo", "cyd", "dan", "eve"]).await;
    story.is_silent().await;

    story.declare("ana biller, bo member, cyd resource-viewer, dan member, fay member");
    let done = story.apply(0).await;
    assert_eq!(
        done,
        [
            "+ invite fay@example.com as member",
            "- remove eve@example.com",
            "3 done; seats 0 of unlimited",
            "~ change bo@example.com from modifier to member",
        ]
    );
    story.accept(&["fay"]).await;
    story.is_silent().await;
    let people = "ana:biller:active bo:member:active cyd:resource-viewer:active \
                  dan:member:active fay:member:active";
    assert_eq!(story.people().await, people);
    story.service.stop().await;
}

// rule: PO-02
// rule: PO-10
#[tokio::test]
async fn portal_admins_need_leave_and_a_smaller_plan_touches_nobody() {
    let team = "ana admin, bo member, cyd member";
    let story = Story::of("portal", "team", team).await;
    let refused = story.desk.exits(1, &["plan"]).await;
    assert!(refused.err.contains("role `admin` is protected"), "{}", refused.err);
    story.grant("admin");
    story.apply(0).await;
    story.accept(&["ana", "bo", "cyd"]).await;
    story.is_silent().await;

    story.service.cancel("team").await;
    story.declare("ana admin, bo member, cyd member, dan member");
    let queued = story.apply(4).await;
    assert!(queued.iter().any(|line| line.contains("dan@example.com: Queued")), "{queued:?}");
    let people = "ana:admin:active bo:member:active cyd:member:active";
    assert_eq!(story.people().await, people, "people who are there stay");
    story.declare("ana admin, bo member");
    story.apply(0).await;
    assert_eq!(story.people().await, "ana:admin:active bo:member:active");
    story.is_silent().await;
    story.service.stop().await;
}

// rule: PO-06
#[tokio::test]
async fn generic_invites_changes_and_removes_as_declared() {
    let story = Story::of("generic", "", "ana member, bo member").await;
    story.apply(0).await;
    story.accept(&["ana"]).await;
    story.grant("admin");
    story.declare("ana admin, cyd member");
    let done = story.apply(0).await;
    for line in [
        "+ invite cyd@example.com as member",
        "- withdraw the invitation of bo@example.com",
        "~ change ana@example.com from member to admin",
    ] {
        assert!(done.contains(&line.to_owned()), "{done:?}");
    }
    assert_eq!(done.len(), 4, "and the line of the end");
    story.accept(&["cyd"]).await;
    story.is_silent().await;
    assert_eq!(story.people().await, "ana:admin:active cyd:member:active");
    let withdrawn = story.service.get("/v1/accounts/acme/invitations?state=revoked").await;
    assert_eq!(withdrawn.expect(StatusCode::OK)["total"], 1);
    story.service.stop().await;
}
