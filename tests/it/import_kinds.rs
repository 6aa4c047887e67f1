//! `seatkeeper import` of accounts of every profile, with people, teams, clients and recipients in
//! every state: what it writes adopts all of them, in mode Exclusive too, without a mail and without
//! a write but the claim.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli_run::{Desk, Said, program, said};
use crate::service::{OTHER_TOKEN, PASSWORD, TOKEN, TestService, VENDOR_TOKEN, text};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Token of `leo@example.com`, who leaves by himself.
const LEO: &str = "personal-token-of-leo";

/// An account `acme`; `rest` goes under it.
fn seed(profile: &str, rest: &str) -> String {
    format!(
        "vendorTokens: [{{token: {VENDOR_TOKEN}}}]
users:
  - {{email: cleo@example.com, name: Cleo, password: {PASSWORD}}}
accounts:
  - name: Acme
    slug: acme
    profile: {profile}
    owner: {{email: olga@example.com, name: Olga, password: {PASSWORD}}}
    tokens:
      - {{token: {TOKEN}, scopes: [read, invite, change, remove, billing, manage]}}
      - {{token: {LEO}, email: leo@example.com, scopes: [read, invite, change, remove]}}
{rest}"
    )
}

/// People of an account that is one team, in these roles.
fn members(roster: &str) -> String {
    let lines = roster.split(", ").map(|line| {
        let (name, role) = line.split_once(' ').unwrap();
        format!(
            "      - {{email: {name}@example.com, name: {name}, role: {role}, password: {PASSWORD}}}\n"
        )
    });
    format!("    members:\n{}", lines.collect::<String>())
}

/// An account with a past, and an empty folder.
struct Import {
    service: TestService,
    desk: Desk,
}

impl Import {
    /// The account as it was 60 days ago.
    async fn start(seed: &str) -> Self {
        let service = TestService::start_with(seed).await;
        #[expect(clippy::disallowed_methods, reason = "the program reads the real clock too")]
        let now = jiff::Timestamp::now();
        service.pass(now.duration_since(service.clock.now()) - DAY * 60).await;
        Self { service, desk: Desk::empty() }
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> Value {
        let call = self.service.call(Method::POST, &format!("/v1/accounts/{path}")).token(token);
        let answer = call.if_match("*").new_key().json(body).send().await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer.body
    }

    async fn id(&self, name: &str) -> String {
        text(&self.service.member(&format!("{name}@example.com")).await["id"])
    }

    /// Invites; `rest` is more of the body.
    async fn invite(&self, name: &str, role: &str, rest: Value) {
        let mut body = json!({"email": format!("{name}@example.com"), "role": role});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        self.post(TOKEN, "acme/invitations", &body).await;
    }

    /// Presses a button of the page behind the last mail.
    async fn presses(&self, person: &str, word: &str, fields: &[(&str, &str)]) {
        let link = self.service.link_to(person).await;
        let mut browser = self.service.browser();
        if !word.starts_with("decline") {
            browser.sign_in(person, PASSWORD).await;
        }
        let page = browser.open(&link).await;
        let page = browser.submit(&page, &format!("{}/{word}", page.path), fields).await;
        assert!(page.status.is_success(), "{}", page.text());
    }

    /// People whose invitations are over, and one who left and one who was removed: then the present.
    async fn ages(&self, role: &str, rest: Value) {
        self.invite("late", role, rest.clone()).await;
        self.invite("dora", role, rest.clone()).await;
        self.presses("dora@example.com", "decline", &[]).await;
        let leo = self.id("leo").await;
        self.post(LEO, &format!("acme/members/{leo}/leave"), &json!({})).await;
        let rex = self.id("rex").await;
        let path = format!("/v1/accounts/acme/members/{rex}");
        let call = self.service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
        assert!(call.send().await.status.is_success());
        self.service.pass(DAY * 60).await;
        self.invite("pia", role, rest).await;
    }

    async fn run(&self, account: &str, token: &str) -> Said {
        self.desk.write("secrets/acme-token/token", token);
        let mut command = program();
        command.current_dir(self.desk.path("."));
        command.args(["import", "--url", &self.service.base, "--account", account]);
        command.args(["--name", "acme", "--namespace", "web", "--output-dir", "git"]);
        command.args(["--token-file", "secrets/acme-token/token"]);
        said(command.output().await.unwrap())
    }

    /// Writes that the service was asked for so far.
    fn writes(&self) -> Vec<Value> {
        let requests = self.service.requests().into_iter();
        let api = requests.filter(|line| text(&line["route"]).starts_with("/v1/"));
        api.filter(|line| line["method"] != "GET").collect()
    }

    /// Imports, and adopts in mode Exclusive: the claim is the only write, nobody is mailed, and a
    /// second run writes nothing anywhere. Gives what the import said. `code`: how a run ends.
    async fn round_trip(&self, account: &str, token: &str, code: i32) -> String {
        let (writes, mails) = (self.writes().len(), self.service.mails().await.len());
        let done = self.run(account, token).await;
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_eq!(self.writes().len(), writes, "an import writes nothing");
        let checked = "checked: even mode Exclusive would change nothing\n";
        assert!(done.err.contains(checked), "{}", done.err);

        self.desk.replace("git/account.yaml", "mode: Observe", "mode: Exclusive");
        for command in ["plan", "apply"] {
            let said = self.desk.exits(code, &[command]).await;
            let acts = |line: &&str| line.starts_with(['+', '-', '~']);
            let acts: Vec<_> = said.out.lines().filter(acts).collect();
            assert_eq!(acts, [""; 0], "{}", said.out);
        }
        let claim = self.writes().split_off(writes);
        assert_eq!(claim.len(), 1, "the claim: {claim:#?}");
        assert_eq!(claim[0]["method"], "PATCH", "{claim:#?}");
        assert_eq!(claim[0]["route"], "/v1/accounts/{account}", "{claim:#?}");
        let ledger = self.desk.ledger();
        self.desk.exits(code, &["apply"]).await;
        assert_eq!(self.writes().len(), writes + 1, "the second run is silent");
        assert_eq!(self.desk.ledger(), ledger);
        assert_eq!(self.service.mails().await.len(), mails, "nobody is told of any of it");
        done.err
    }
}

/// An agency: one of its people has no seat, one is invited, four are gone; of its clients one granted,
/// one is asked, two are over; two recipients were chosen.
async fn agency() -> Import {
    let rest = members("ana admin, bil biller, cyd developer, leo biller, rex biller")
        + "    subscriptions: [growth, scale]
  - name: Other
    slug: other
    profile: nitropack
    subscriptions: [growth]
    owner: {email: otto@other.example, name: Otto, password: correct horse battery}
    tokens:
      - {token: other-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";
    let import = Import::start(&seed("nitropack", &rest)).await;
    let service = &import.service;
    let agency = service.call(Method::PATCH, "/v1/accounts/acme").token(VENDOR_TOKEN);
    let agency = agency.if_match("*").json(&json!({"agency": true}));
    agency.send().await.expect(StatusCode::OK);
    import.ages("developer", json!({})).await;
    for (person, role) in [
        ("otto@other.example", "admin"),
        ("cleo@example.com", "biller"),
        ("wil@c.example", "biller"),
    ] {
        let body = json!({"email": person, "role": role});
        let row = import.post(TOKEN, "acme/client-access", &body).await;
        if person.starts_with("wil") {
            let path = format!("/v1/accounts/acme/client-access/{}", text(&row["id"]));
            let call = service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
            assert!(call.send().await.status.is_success());
        }
    }
    let other = service.call(Method::GET, "/v1/accounts/other").token(OTHER_TOKEN).send().await;
    let other = text(&other.expect(StatusCode::OK)["id"]);
    import.presses("otto@other.example", "approve", &[("account", &other)]).await;
    import.presses("cleo@example.com", "reject", &[]).await;
    let body = json!({"email": "zed@client.example", "role": "developer"});
    import.post(TOKEN, "acme/client-access", &body).await;
    for person in ["ana", "olga"] {
        let id = import.id(person).await;
        let path = format!("/v1/accounts/acme/notification-categories/usage/recipients/{id}");
        let call = service.call(Method::PUT, &path).token(TOKEN).send().await;
        assert_eq!(call.status, StatusCode::NO_CONTENT, "{}", call.body);
    }
    // Three seats for Ana, Bil and Pia: Cyd waits.
    let cyd = import.id("cyd").await;
    import.post(TOKEN, &format!("acme/members/{cyd}/trim"), &json!({})).await;
    service.cancel("scale").await;
    import
}

// rule: OP-01
// rule: OP-06
// rule: NC-10
#[tokio::test]
async fn an_agency_is_adopted_with_trimmed_pending_and_former_people_clients_and_recipients() {
    let import = agency().await;
    let said = import.round_trip("acme", TOKEN, 4).await;
    for note in [
        "olga@example.com is owner: no declaration gives that role",
        "dora@example.com declined the invitation",
        "late@example.com did not answer the invitation in time",
        "client cleo@example.com said no",
    ] {
        assert!(said.contains(&format!("note: not declared: {note}\n")), "{said}");
    }
    let end =
        "4 people, 2 clients, 2 recipients declared; the token goes into the Secret acme-token\n";
    assert!(said.ends_with(end), "{said}");
    for gone in ["leo", "rex", "wil"] {
        assert!(!said.contains(&format!(" {gone}@")), "who left is not there: {said}");
    }
    let account = import.desk.read("git/account.yaml");
    assert!(account.contains("#   dora@example.com declined the invitation\n"), "{account}");
    let clients = import.desk.read("git/clients.yaml");
    assert!(clients.contains("#   client cleo@example.com said no\n"), "{clients}");
    assert_eq!(clients.matches("clientEmail: ").count(), 2, "{clients}");
    let mail = import.desk.read("git/recipients.yaml");
    assert!(mail.contains("category: usage") && !mail.contains("billing"), "{mail}");
    import.service.stop().await;
}

/// What an agency holds in a client's account is adopted there as a member.
// rule: NC-06
#[tokio::test]
async fn a_client_adopts_its_agency_as_a_member_keeps_it_and_never_invites_it() {
    let rest = "    subscriptions: [growth]
  - name: Other
    slug: other
    profile: nitropack
    subscriptions: [growth]
    owner: {email: otto@other.example, name: Otto, password: correct horse battery}
    tokens:
      - {token: other-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";
    let rest = members("leo biller") + rest;
    let import = Import::start(&seed("nitropack", &rest)).await;
    let agency = import.service.call(Method::PATCH, "/v1/accounts/acme").token(VENDOR_TOKEN);
    let agency = agency.if_match("*").json(&json!({"agency": true}));
    agency.send().await.expect(StatusCode::OK);
    let body = json!({"email": "otto@other.example", "role": "developer"});
    import.post(TOKEN, "acme/client-access", &body).await;
    let other = import.service.call(Method::GET, "/v1/accounts/other").token(OTHER_TOKEN);
    let other = text(&other.send().await.expect(StatusCode::OK)["id"]);
    import.presses("otto@other.example", "approve", &[("account", &other)]).await;
    import.service.pass(DAY * 60).await; // The program reads the real clock.

    import.round_trip("other", OTHER_TOKEN, 0).await;
    let team = import.desk.read("git/team.yaml");
    assert!(team.contains("email: olga@example.com"), "the agency's contact: {team}");

    // The client ends it by hand: what is declared does not bring it back.
    let rows = import.service.call(Method::GET, "/v1/accounts/other/members").token(OTHER_TOKEN);
    let rows = rows.send().await.expect(StatusCode::OK);
    let rows = rows["items"].as_array().unwrap().clone();
    let place = rows.iter().find(|row| row["principal"] == "account").unwrap();
    let path = format!("/v1/accounts/other/members/{}", text(&place["id"]));
    let end = import.service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    assert!(end.send().await.status.is_success());
    let mails = import.service.mails().await.len();
    let said = import.desk.exits(4, &["apply"]).await;
    assert!(said.out.contains("olga@example.com: OptedOut"), "{}", said.out);
    assert_eq!(import.service.mails().await.len(), mails);
    import.service.stop().await;
}

// rule: OP-05
// rule: DO-09
#[tokio::test]
async fn owners_one_to_be_and_required_secure_sign_in_are_adopted() {
    let rest = members("mia member, bil biller, leo biller, rex biller");
    let import = Import::start(&seed("digitalocean", &rest)).await;
    import.ages("modifier", json!({})).await;
    let call = import.service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&json!({"secure_sign_in_required": true})).send().await.expect(StatusCode::OK);
    let mia = import.id("mia").await;
    import.post(TOKEN, "acme/ownership-changes", &json!({"member": mia})).await;

    import.round_trip("acme", TOKEN, 0).await;
    let team = import.desk.read("git/team.yaml");
    assert!(team.contains("requireSecureSignIn: true"), "{team}");
    assert_eq!(team.matches("role: owner").count(), 2, "Olga and Mia: {team}");
    let status = import.desk.exits(0, &["status"]).await;
    assert!(status.out.contains("AwaitingConfirmation"), "{}", status.out);
    let account = import.desk.read("git/account.yaml");
    assert!(account.contains("grantableRoles:\n  - owner\n"), "{account}");
    import.service.stop().await;
}

// rule: OP-05
#[tokio::test]
async fn an_ownership_that_is_about_to_move_stays_as_it_is_until_a_person_says_what_follows() {
    let rest =
        members("adam admin, max member, leo member, rex member") + "    subscriptions: [team]\n";
    let import = Import::start(&seed("portal", &rest)).await;
    import.ages("member", json!({})).await;
    let adam = import.id("adam").await;
    import.post(TOKEN, "acme/ownership-changes", &json!({"member": adam})).await;

    let said = import.round_trip("acme", TOKEN, 0).await;
    let waits = "a change that makes adam@example.com owner waits for its answer: once it is done, \
                 give them that role here, and the former one admin";
    assert!(said.contains(waits), "{said}");
    import.service.stop().await;
}

#[tokio::test]
async fn a_generic_account_is_adopted_with_its_owner() {
    let rest = members("ana admin, leo member, rex member");
    let import = Import::start(&seed("generic", &rest)).await;
    import.ages("member", json!({})).await;
    let said = import.round_trip("acme", TOKEN, 0).await;
    assert!(
        said.ends_with("3 people declared; the token goes into the Secret acme-token\n"),
        "{said}"
    );
    import.service.stop().await;
}

// rule: OP-01
// rule: CT-01
#[tokio::test]
async fn an_organisation_is_adopted_with_teams_that_work_that_do_not_and_company_admins() {
    let team = |name: &str, subscription: &str, roster: &str| {
        let people =
            members(roster).replace("    members:\n", "").replace("      -", "          -");
        let under = if subscription.is_empty() {
            String::new()
        } else {
            format!("        subscription: {subscription}\n")
        };
        format!("      - name: {name}\n{under}        members:\n{people}")
    };
    let rest = "    subscriptions: [starter, growth]\n    teams:\n".to_owned()
        + &team("Design", "growth", "tom team-admin, mia member, leo member, rex member")
        + &team("日本", "growth", "mia member")
        + &team("Print", "starter", "ida member");
    let import = Import::start(&seed("catalogue", &rest)).await;
    let teams = import.service.list("/v1/accounts/acme/teams").await;
    let design = text(&teams.iter().find(|team| team["name"] == "Design").unwrap()["id"]);
    import.service.cancel("starter").await;
    import.ages("member", json!({"team": design})).await;
    let bare = json!({"name": "Bare"});
    import.post(TOKEN, "acme/teams", &bare).await;
    let mia = import.id("mia").await;
    import.post(TOKEN, "acme/ownership-changes", &json!({"member": mia})).await;

    let said = import.round_trip("acme", TOKEN, 0).await;
    for note in [
        "dora@example.com declined the invitation (team \"Design\")",
        "late@example.com did not answer the invitation in time (team \"Design\")",
        "team \"Bare\" has no subscription yet: it and its people stay as they are",
    ] {
        assert!(said.contains(&format!("note: not declared: {note}\n")), "{said}");
    }
    assert!(said.contains("5 people, 3 teams declared"), "{said}");
    let members = import.desk.read("git/memberships.yaml");
    assert_eq!(members.matches("role: company-admin").count(), 2, "Olga and Mia: {members}");
    let design = import.desk.read("git/team-design.yaml");
    assert!(design.contains("#   dora@example.com declined the invitation\n"), "{design}");
    let status = import.desk.exits(0, &["status"]).await;
    assert!(status.out.contains("AwaitingConfirmation"), "{}", status.out);
    import.service.stop().await;
}
