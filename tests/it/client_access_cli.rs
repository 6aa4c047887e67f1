//! Clients of an agency by command line: asked, granted on the page, shown, let go. The program is a
//! process of its own; what happened is read from the service and its mails.

#![expect(clippy::expect_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli_run::{Desk, Said, service_now, values};
use crate::service::{OTHER_TOKEN, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const OTTO: &str = "owner@other.example";

/// An agency without people of its own but the owner, and its folder.
struct Agency {
    service: TestService,
    desk: Desk,
}

/// A file that declares one client.
fn client_file(name: &str, email: &str, rest: &str) -> String {
    format!(
        "apiVersion: seatkeeper.dev/v1alpha1
kind: ClientAccess
metadata: {{name: {name}, namespace: web}}
spec: {{accountRef: {{name: acme}}, clientEmail: {email}, role: developer{rest}}}
"
    )
}

impl Agency {
    async fn new() -> Self {
        Self::of(SEED).await
    }

    async fn of(seed: &str) -> Self {
        let service = service_now(seed).await;
        let call = service.call(Method::PATCH, "/v1/accounts/acme").token(VENDOR_TOKEN);
        call.if_match("*").json(&json!({"agency": true})).send().await.expect(StatusCode::OK);
        let desk = Desk::new(&service.base, TOKEN);
        for name in ["team", "membership"] {
            desk.delete(&format!("git/{name}.yaml"));
        }
        Self { service, desk }
    }

    /// Declares `other`.
    fn declare(&self, name: &str, rest: &str) {
        self.desk.write(&format!("git/{name}.yaml"), &client_file(name, OTTO, rest));
    }

    /// The client signs in and presses the button of the last request.
    /// A person asks for one more mail.
    fn says(&self, name: &str, word: &str) {
        let meta = format!("namespace: web, annotations: {{seatkeeper.dev/resend: {word}}}}}");
        let file = client_file(name, OTTO, "").replace("namespace: web}", &meta);
        self.desk.write(&format!("git/{name}.yaml"), &file);
    }

    async fn answer(&self, word: &str) {
        let link = self.service.link_to(OTTO).await;
        let mut otto = self.service.browser();
        otto.sign_in(OTTO, PASSWORD).await;
        let page = otto.open(&link).await;
        let account = page.html.split("<option value=\"").nth(1).expect("an account to choose");
        let account = account.split('"').next().expect("its id").to_owned();
        let action = format!("{}/{word}", page.path);
        let page = otto.submit(&page, &action, &[("account", &account)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    }

    /// Requests mailed so far.
    async fn asked(&self) -> usize {
        self.service.mails().await.iter().filter(|mail| mail.template == "access-requested").count()
    }

    async fn rows(&self) -> Vec<Value> {
        self.service.list("/v1/accounts/acme/client-access").await
    }

    /// Writes that the service was asked for so far.
    fn writes(&self) -> usize {
        let requests = self.service.requests();
        let api = requests.iter().filter(|line| text(&line["route"]).starts_with("/v1/"));
        api.filter(|line| line["method"] != "GET").count()
    }

    /// An `apply` that finds nothing to do: it ends with `code` and writes nothing anywhere (OP-01).
    async fn is_quiet(&self, code: i32) -> Said {
        let (writes, ledger) = (self.writes(), self.desk.ledger());
        let said = self.desk.exits(code, &["apply"]).await;
        assert_eq!((self.writes(), self.desk.ledger()), (writes, ledger), "{}", said.out);
        said
    }
}

// rule: NC-01
// rule: NC-05
// rule: NC-06
// rule: NC-08
// rule: NC-10
// rule: OP-01
#[tokio::test]
async fn a_client_is_asked_once_grants_is_shown_and_is_only_let_go() {
    let agency = Agency::new().await;
    agency.declare("bakery", "");
    let plan = agency.desk.exits(3, &["plan"]).await;
    assert_eq!(
        plan.out,
        "account web/acme (Acme): growth, mode Manage\n\
         + ask owner@other.example for access as developer\n\
         + 1 client request (1 mail); seats 0 → 0 of 3\n"
    );
    assert_eq!((agency.asked().await, agency.desk.ledger()), (0, "-".to_owned()));

    let said = agency.desk.exits(0, &["apply"]).await;
    assert!(said.out.contains("+ ask owner@other.example for access as developer\n1 done"));
    assert_eq!(agency.asked().await, 1);
    let said = agency.desk.exits(0, &["status"]).await;
    let line = "owner@other.example  Requested   -           NoData";
    assert!(said.out.contains(line), "{}", said.out);
    agency.is_quiet(0).await;

    agency.answer("approve").await;
    for (url, state) in [("https://a.example", "connected"), ("https://b.example", "not_connected")]
    {
        let call = agency.service.call(Method::POST, "/v1/accounts/other/websites");
        let call = call.token(VENDOR_TOKEN).json(&json!({"url": url, "state": state}));
        call.send().await.expect(StatusCode::CREATED);
    }
    agency.desk.exits(0, &["apply"]).await;
    let said = agency.desk.exits(0, &["status"]).await;
    let line = "owner@other.example  Granted     developer   NotConnected  2 https://a.example";
    assert!(said.out.contains(line), "{}", said.out);
    agency.is_quiet(0).await;

    the_client_changes_the_role(&agency).await;

    agency.desk.delete("git/bakery.yaml");
    let said = agency.desk.exits(0, &["apply"]).await;
    assert!(said.out.contains("nothing to change"), "{}", said.out);
    assert_eq!(agency.rows().await[0]["state"], "granted");
    agency.is_quiet(0).await;
    assert_eq!(agency.asked().await, 1);
    agency.service.stop().await;
}

/// The role is the client's: it is shown, and nothing is written.
async fn the_client_changes_the_role(agency: &Agency) {
    let members = "/v1/accounts/other/members";
    let call = agency.service.call(Method::GET, members).token(OTHER_TOKEN);
    let page = call.send().await.expect(StatusCode::OK);
    let rows = page["items"].as_array().expect("rows").clone();
    let place = rows.iter().find(|row| row["principal"] == "account").expect("the agency");
    let path = format!("{members}/{}", text(&place["id"]));
    let call = agency.service.call(Method::PATCH, &path).token(OTHER_TOKEN).if_match("*");
    call.json(&json!({"role": "biller"})).send().await.expect(StatusCode::OK);

    agency.is_quiet(0).await;
    let said = agency.desk.exits(0, &["plan", "--output", "json"]).await;
    let client = &values(&said.out)["clientAccess"]["clients"][0];
    assert_eq!(client["roleHeld"], "biller");
    assert_eq!((&client["roleDiffers"], &client["state"]), (&json!(true), &json!("Granted")));
}

// rule: OP-06
#[tokio::test]
async fn an_agency_at_the_address_of_a_member_is_counted_and_stays_when_the_member_goes() {
    let owner = "    owner: {email: owner@other.example";
    let seed = SEED.replace(owner, &format!("    subscriptions: [growth]\n{owner}"));
    let agency = Agency::of(&seed).await;
    let olga = "owner@example.com";
    let client = Desk::new(&agency.service.base, OTHER_TOKEN);
    client.delete("git/membership.yaml");
    client.replace("git/account.yaml", "accountId: acme", "accountId: other");
    let team = |roster: &str| {
        let spec = format!("spec: {{accountRef: {{name: acme}}, roster: [{roster}]}}");
        let kind = "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team";
        client.write(
            "git/team.yaml",
            &format!("{kind}\nmetadata: {{name: core, namespace: web}}\n{spec}\n"),
        );
    };
    team(&format!("{{email: {olga}, role: developer}}"));
    client.exits(0, &["apply"]).await;
    let link = agency.service.link_to(olga).await;
    let mut browser = agency.service.browser();
    browser.sign_in(olga, PASSWORD).await;
    let page = browser.open(&link).await;
    browser.submit(&page, &format!("{}/accept", page.path), &[]).await;
    client.exits(0, &["apply"]).await;

    agency.declare("bakery", "");
    agency.desk.exits(0, &["apply"]).await;
    agency.answer("approve").await;
    let places = async || {
        let call = agency.service.call(Method::GET, "/v1/accounts/other/members");
        let page = call.token(OTHER_TOKEN).send().await.expect(StatusCode::OK);
        let rows = page["items"].as_array().expect("rows").clone();
        let mut rows: Vec<_> = rows.iter().filter(|row| row["email"] == olga).collect();
        rows.sort_by_key(|row| text(&row["principal"]));
        rows.iter().map(|row| text(&row["principal"])).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(places().await, "account person");
    let said = client.exits(0, &["apply"]).await;
    assert!(said.out.contains("nothing to change; seats 2 of 3"), "{}", said.out);

    team("");
    let said = client.exits(0, &["apply"]).await;
    assert!(said.out.contains("- remove owner@example.com\n1 done"), "{}", said.out);
    assert_eq!(places().await, "account");
    for _ in 0..2 {
        let said = client.exits(0, &["apply"]).await;
        assert!(said.out.contains("nothing to change; seats 1 of 3"), "{}", said.out);
    }
    assert_eq!(places().await, "account", "nobody declared the agency");
    agency.service.stop().await;
}

// rule: NC-10
#[tokio::test]
async fn a_deletion_before_the_grant_withdraws_the_request_and_a_file_made_anew_asks_again() {
    let agency = Agency::new().await;
    agency.declare("bakery", "");
    agency.desk.exits(0, &["apply"]).await;
    agency.desk.delete("git/bakery.yaml");
    let plan = agency.desk.exits(3, &["plan"]).await;
    assert!(plan.out.contains("- withdraw the request to owner@other.example\n"), "{}", plan.out);
    agency.desk.exits(0, &["apply"]).await;
    assert!(agency.rows().await.is_empty());
    agency.is_quiet(0).await;

    // One mail a day by itself; a person's word does not wait.
    agency.declare("bakery", "");
    let said = agency.desk.exits(0, &["apply"]).await;
    assert!(
        said.out.contains("! held: ask owner@other.example for access as developer (MailCap: ")
    );
    agency.is_quiet(0).await;
    assert_eq!(agency.asked().await, 1);
    agency.says("bakery", "now");
    agency.desk.exits(0, &["apply"]).await;
    assert_eq!(agency.asked().await, 2);
    agency.is_quiet(0).await;
    agency.service.stop().await;
}

#[tokio::test]
async fn a_no_is_remembered_for_the_name_and_a_new_name_asks_again() {
    let agency = Agency::new().await;
    agency.declare("bakery", "");
    agency.desk.exits(0, &["apply"]).await;
    agency.answer("reject").await;
    let said = agency.desk.exits(4, &["apply"]).await;
    assert!(
        said.out.contains("! owner@other.example: Rejected: the client said no"),
        "{}",
        said.out
    );
    agency.is_quiet(4).await;

    agency.desk.delete("git/bakery.yaml");
    agency.desk.exits(0, &["apply"]).await;
    agency.declare("bakery", "");
    agency.is_quiet(4).await;

    // A throw-away runner without the ledger knows its own request again.
    let runner = Desk::new(&agency.service.base, TOKEN);
    runner.delete("git/team.yaml");
    runner.delete("git/membership.yaml");
    runner.write("git/bakery.yaml", &client_file("bakery", OTTO, ""));
    let said = runner.exits(4, &["status"]).await;
    assert!(said.out.contains("owner@other.example  Rejected"), "{}", said.out);

    agency.says("bakery", "\"they called us\"");
    agency.desk.exits(0, &["apply"]).await;
    assert_eq!(agency.asked().await, 2, "a person's word ends a no");
    agency.is_quiet(0).await;
    agency.answer("reject").await;
    agency.desk.exits(4, &["apply"]).await;
    agency.is_quiet(4).await;

    agency.desk.delete("git/bakery.yaml");
    agency.declare("bakery-again", "");
    let said = agency.desk.exits(0, &["apply"]).await;
    assert!(said.out.contains("(MailCap: "), "another object asks tomorrow: {}", said.out);
    agency.says("bakery-again", "today");
    agency.desk.exits(0, &["apply"]).await;
    assert_eq!(agency.asked().await, 3);
    agency.is_quiet(0).await;
    agency.service.stop().await;
}

#[tokio::test]
async fn a_request_without_an_answer_is_withdrawn_and_not_asked_again() {
    let agency = Agency::new().await;
    agency.declare("bakery", ", withdrawAfter: 1s");
    agency.desk.exits(0, &["apply"]).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let plan = agency.desk.exits(3, &["plan"]).await;
    let line = "- withdraw the request to owner@other.example: no answer in time\n";
    assert!(plan.out.contains(line), "{}", plan.out);
    agency.desk.exits(0, &["apply"]).await;
    assert!(agency.rows().await.is_empty());
    let said = agency.desk.exits(0, &["status"]).await;
    assert!(said.out.contains("owner@other.example  Withdrawn"), "{}", said.out);
    agency.is_quiet(0).await;
    assert_eq!(agency.asked().await, 1);
    agency.service.stop().await;
}

// rule: NC-09
#[tokio::test]
async fn a_new_value_of_the_annotation_sends_a_request_again_once() {
    let agency = Agency::new().await;
    agency.declare("bakery", "");
    agency.desk.exits(0, &["apply"]).await;
    for (value, mails) in [("first", 2), ("second", 3)] {
        agency.says("bakery", value);
        let said = agency.desk.exits(0, &["apply"]).await;
        let line = "+ send the request to owner@other.example again\n";
        assert!(said.out.contains(line), "{}", said.out);
        assert_eq!(agency.asked().await, mails);
        agency.is_quiet(0).await;
    }
    agency.answer("approve").await;
    agency.says("bakery", "third");
    agency.desk.exits(0, &["apply"]).await;
    assert_eq!(agency.asked().await, 3, "only a request that waits is sent again");
    agency.service.stop().await;
}

// rule: OP-06
#[tokio::test]
async fn a_request_made_by_hand_is_adopted_without_a_mail_and_others_are_left() {
    let agency = Agency::new().await;
    for email in [OTTO, "ben@example.com"] {
        let call = agency.service.call(Method::POST, "/v1/accounts/acme/client-access");
        let call = call.token(TOKEN).new_key().json(&json!({"email": email, "role": "admin"}));
        call.send().await.expect(StatusCode::CREATED);
    }
    agency.declare("bakery", "");
    agency.desk.exits(0, &["apply"]).await;
    agency.is_quiet(0).await;
    assert_eq!(agency.asked().await, 2, "the two by hand");
    agency.desk.delete("git/bakery.yaml");
    agency.desk.exits(0, &["apply"]).await;
    let rows = agency.rows().await;
    assert_eq!(rows.iter().map(|row| text(&row["email"])).collect::<Vec<_>>(), ["ben@example.com"]);
    agency.service.stop().await;
}

#[tokio::test]
async fn who_is_no_agency_asks_nobody_and_is_told_whom_to_ask() {
    let agency = Agency::new().await;
    let call = agency.service.call(Method::PATCH, "/v1/accounts/acme").token(VENDOR_TOKEN);
    call.if_match("*").json(&json!({"agency": false})).send().await.expect(StatusCode::OK);
    agency.declare("bakery", "");
    let said = agency.desk.exits(4, &["apply"]).await;
    assert!(said.out.contains("(NotAnAgency: the account may not ask clients"), "{}", said.out);
    agency.is_quiet(4).await;
    agency.service.stop().await;
}

// rule: OP-02
#[tokio::test]
async fn a_run_that_is_killed_between_any_two_steps_asks_a_client_once() {
    for point in ["apply.opened", "apply.sending", "apply.answered", "apply.closing"] {
        let agency = Agency::new().await;
        agency.declare("bakery", "");
        let mut command = agency.desk.command(&["apply"]);
        let killed = command.env("SEATKEEPER_FAILPOINT", point).output().await.expect("a run");
        assert!(!killed.status.success(), "{point} was not passed");
        agency.desk.exits(0, &["apply"]).await;
        assert_eq!(agency.asked().await, 1, "killed at {point}");
        agency.is_quiet(0).await;
        agency.service.stop().await;
    }
}

#[tokio::test]
async fn accounts_without_clients_are_not_asked_for_any() {
    let agency = Agency::new().await;
    agency.desk.exits(0, &["apply"]).await;
    agency.service.clock.advance(SignedDuration::from_mins(1));
    let reads = agency.service.requests();
    let asked = reads.iter().filter(|line| text(&line["route"]).contains("client-access")).count();
    assert_eq!(asked, 0);
    agency.service.stop().await;
}
