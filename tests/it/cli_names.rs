//! Names, reasons, lifetimes and earlier addresses of people by command line, against the real
//! service. The program is a process of its own; what happened is read from the service.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{fs, slice};

use reqwest::StatusCode;
use serde_json::Value;

use crate::cli_run::{Desk, service_now, values};
use crate::service::{SEED, TOKEN, TestService};

const TEAM: &str = "git/team.yaml";
const OLD: &str = "bo@example.com";
const NEW: &str = "bo@new.example.com";

/// An account and a folder that declares one person in it.
struct Story {
    service: TestService,
    desk: Desk,
}

impl Story {
    /// `line`: what the roster says of the person besides the address.
    async fn new(line: &str) -> Self {
        let service = service_now(SEED).await;
        let desk = Desk::new(&service.base, TOKEN);
        desk.delete("git/membership.yaml");
        let story = Self { service, desk };
        story.declare(&format!("email: {OLD}{line}"));
        story
    }

    fn declare(&self, line: &str) {
        self.declare_all(slice::from_ref(&line));
    }

    fn declare_all(&self, lines: &[&str]) {
        let lines: String = lines.iter().map(|line| format!("    - {{{line}}}\n")).collect();
        let roster =
            if lines.is_empty() { "  roster: []\n".into() } else { format!("  roster:\n{lines}") };
        let team = format!(
            "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {{name: core, namespace: \
             web}}\nspec:\n  accountRef: {{name: acme}}\n  defaultRole: developer\n{roster}"
        );
        self.desk.write(TEAM, &team);
    }

    async fn apply(&self, code: i32) -> String {
        let said = self.desk.exits(code, &["apply"]).await;
        format!("{}{}", said.out, said.err)
    }

    /// Runs that have nothing to do write nothing.
    async fn is_settled(&self, code: i32) {
        self.apply(code).await;
        let (writes, noted) = (self.writes(), self.desk.ledger());
        for _ in 0..2 {
            self.apply(code).await;
        }
        assert_eq!((self.writes(), self.desk.ledger()), (writes, noted), "nothing is written");
    }

    fn writes(&self) -> usize {
        self.service.requests().iter().filter(|request| request["method"] != "GET").count()
    }

    async fn invited(&self) -> Vec<String> {
        let rows = self.service.list("/v1/accounts/acme/invitations?state=pending").await;
        rows.iter().map(|row| row["email"].as_str().unwrap().to_owned()).collect()
    }

    async fn members(&self) -> Vec<String> {
        let rows = self.service.list("/v1/accounts/acme/members").await;
        let rows = rows.iter().filter(|row| row["role"] != "owner");
        rows.map(|row| row["email"].as_str().unwrap().to_owned()).collect()
    }

    async fn mails(&self, person: &str) -> usize {
        self.service.mails().await.iter().filter(|mail| mail.to == person).count()
    }

    async fn accepts(&self, person: &str) {
        let link = self.service.link_to(person).await;
        self.service.browser().accept_by_sign_up(&link).await;
    }

    async fn status(&self, code: i32) -> Value {
        values(&self.desk.exits(code, &["status", "--output", "json"]).await.out)
    }
}

// rule: OP-01
// rule: CT-05
#[tokio::test]
async fn names_and_a_reason_are_in_the_invitation_and_a_change_of_them_sends_nothing() {
    let said = ", firstName: Bo, lastName: ' Lee ', reason: 'For the launch, ticket OPS-12'";
    let story = Story::new(said).await;
    let out = story.apply(0).await;
    assert!(!out.contains("OPS-12"), "{out}");
    let mails = story.service.mails().await;
    assert!(mails[0].text.contains("Hello Bo Lee,"), "{}", mails[0].text);
    assert!(mails[0].text.contains("ticket OPS-12"), "{}", mails[0].text);
    story.declare(&format!("email: {OLD}, firstName: Robert, reason: Something else"));
    story.is_settled(0).await;
    story.accepts(OLD).await;
    story.declare(&format!("email: {OLD}, lastName: Li"));
    story.is_settled(0).await;
    assert_eq!(story.mails(OLD).await, 1);
    for file in fs::read_dir(story.desk.path("ledger")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("OPS-12") && !text.contains("Lee"), "not in the ledger");
    }
}

// rule: OP-02
// rule: OP-03
#[tokio::test]
async fn a_renamed_invitation_moves_to_the_new_address_with_one_mail() {
    let story = Story::new("").await;
    story.apply(0).await;
    let old_link = story.service.link_to(OLD).await;
    story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
    let out = story.apply(0).await;
    let withdrawn = format!("- withdraw the invitation of {OLD}: the address is an earlier one");
    let (first, then) = (out.find(&withdrawn), out.find(&format!("+ invite {NEW} as developer")));
    assert!(first.is_some() && first < then, "{out}");
    assert_eq!(story.invited().await, [NEW]);
    assert_eq!(story.service.browser().open(&old_link).await.status, StatusCode::GONE);
    story.is_settled(0).await;
    assert_eq!((story.mails(OLD).await, story.mails(NEW).await), (1, 1));

    // Dropped later, the earlier address changes nothing any more.
    story.accepts(NEW).await;
    story.declare(&format!("email: {NEW}"));
    story.is_settled(0).await;
    assert_eq!(story.members().await, [NEW]);
    assert_eq!((story.mails(OLD).await, story.mails(NEW).await), (1, 1));
}

// rule: OP-09
// rule: OP-08
#[tokio::test]
async fn a_renamed_member_stays_and_leaves_with_the_declaration() {
    let story = Story::new("").await;
    story.apply(0).await;
    story.accepts(OLD).await;
    story.apply(0).await;
    story.declare(&format!("email: {NEW}, formerly: [{OLD}], role: biller"));
    let out = story.apply(0).await;
    assert!(out.contains(&format!("~ change {OLD} from developer to biller")), "{out}");
    story.is_settled(0).await;
    assert_eq!(story.members().await, [OLD]);
    let status = story.status(0).await;
    let person = &status["people"][0];
    assert_eq!((&person["email"], &person["state"]), (&OLD.into(), &"Active".into()), "{status}");
    assert_eq!(person["declaredAs"], NEW);
    let text = story.desk.exits(0, &["status"]).await.out;
    assert!(text.contains(&format!("declared as {NEW}")), "{text}");
    assert_eq!(story.mails(NEW).await, 0);

    story.declare_all(&[]);
    story.apply(0).await;
    assert!(story.members().await.is_empty(), "access ends under the earlier address");
}

// rule: NP-10
#[tokio::test]
async fn a_recipient_that_is_renamed_stays_one() {
    let story = Story::new("").await;
    story.apply(0).await;
    story.accepts(OLD).await;
    let billing = "apiVersion: seatkeeper.dev/v1alpha1
kind: NotificationSubscription
metadata: {name: usage-mail, namespace: web}
spec: {teamRef: {name: core}, category: usage, recipients: [{email: WHO}]}
";
    story.desk.write("git/mail.yaml", &billing.replace("WHO", OLD));
    story.apply(0).await;
    let receives = async || {
        let rows = story.service.list("/v1/accounts/acme/notification-categories").await;
        let row = rows.into_iter().find(|row| row["name"] == "usage").unwrap();
        row["recipients"].as_array().unwrap().len()
    };
    let before = receives().await;
    let writes = story.writes();
    for who in [OLD, NEW] {
        story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
        story.desk.write("git/mail.yaml", &billing.replace("WHO", who));
        story.is_settled(0).await;
        assert_eq!((receives().await, story.writes()), (before, writes), "{who}");
    }
    story.desk.delete("git/mail.yaml");
    story.apply(0).await;
    assert!(receives().await < before, "what we set is taken back");
}

// rule: OP-09
#[tokio::test]
async fn who_says_no_under_one_address_is_not_asked_under_another() {
    let story = Story::new("").await;
    story.apply(0).await;
    let mut browser = story.service.browser();
    let page = browser.open(&story.service.link_to(OLD).await).await;
    browser.submit(&page, &format!("{}/decline", page.path), &[]).await;
    story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
    story.apply(4).await;
    story.is_settled(4).await;
    assert_eq!((story.mails(OLD).await, story.mails(NEW).await), (1, 0));
    story.declare(&format!("email: {NEW}, formerly: [{OLD}], inviteEpoch: 1"));
    story.apply(0).await;
    assert_eq!((story.mails(OLD).await, story.mails(NEW).await), (1, 1));
}

#[tokio::test]
async fn addresses_of_somebody_else_are_refused_with_both_lines() {
    let story = Story::new("").await;
    let wrong = async |lines: &[&str]| {
        story.declare_all(lines);
        story.desk.exits(1, &["plan"]).await.err
    };
    let said =
        wrong(&["email: ana@example.com, formerly: [bo@example.com]", "email: Bo@example.com"])
            .await;
    let both = "git/team.yaml:8:43: spec.roster[0].formerly[0]: `bo@example.com` is the present \
                address in Team web/core (spec.roster[1])";
    assert!(said.contains(both), "{said}");
    let said = wrong(&[
        "email: ana@example.com, formerly: [x@example.com]",
        "email: bo@example.com, formerly: [y@example.com, x@example.com]",
    ])
    .await;
    assert!(said.contains("spec.roster[1].formerly[1]: `x@example.com` is an earlier address of somebody else in Team web/core (spec.roster[0])"), "{said}");
    let said = wrong(&["email: ana@example.com, formerly: [ANA@example.com]"]).await;
    assert!(said.contains("spec.roster[0].formerly[0]: `ana@example.com` is the present address, not an earlier one"), "{said}");
    assert_eq!(story.writes(), 0);
}

// rule: CT-11
#[tokio::test]
async fn invitations_last_as_declared_and_no_longer_than_the_product_says() {
    let story = Story::new("").await;
    let set = "mode: Manage\n  invitations: {expiresIn: 31d}";
    story.desk.replace("git/account.yaml", "mode: Manage", set);
    let said = story.desk.exits(1, &["plan"]).await.err;
    let both = "spec.invitations.expiresIn: `31d` is longer than an invitation of profile \
                `nitropack` lasts: `30d`";
    assert!(said.contains(both), "{said}");
    story.desk.replace("git/account.yaml", "expiresIn: 31d", "expiresIn: 2h");
    story.apply(0).await;
    let rows = story.service.list("/v1/accounts/acme/invitations").await;
    let time = |name: &str| rows[0][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("expires_at").duration_since(time("created_at")).as_secs(), 7200);
    let status = story.status(0).await;
    assert_eq!(status["people"][0]["expiresAt"], rows[0]["expires_at"]);
    story.is_settled(0).await;
}

// rule: OP-02
// rule: OP-08
#[tokio::test]
async fn a_renamed_member_stays_the_same_person_when_formerly_goes_before_the_service_knows() {
    let story = Story::new("").await;
    story.apply(0).await;
    story.accepts(OLD).await;
    story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
    story.apply(0).await;
    story.declare(&format!("email: {NEW}"));
    let out = story.apply(0).await;
    assert!(out.contains("nothing to change"), "{out}");
    story.is_settled(0).await;
    assert_eq!(story.members().await, [OLD]);
    let status = story.status(0).await;
    let person = &status["people"][0];
    assert_eq!((&person["declaredAs"], &person["remembered"]), (&NEW.into(), &true.into()));
    let text = story.desk.exits(0, &["status"]).await.out;
    let why = format!("declared as {NEW}, though no formerly lists this address");
    assert!(text.contains(&why), "{text}");
    for file in fs::read_dir(story.desk.path("ledger")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("bo@"), "no address is in the ledger");
    }

    // Somebody else has the old address by now: the row is theirs, and nobody is mailed for it.
    story.declare_all(&[&format!("email: {NEW}"), &format!("email: {OLD}")]);
    let out = story.apply(4).await;
    assert!(out.contains("EarlierAddressTaken"), "{out}");
    story.is_settled(4).await;
    story.declare(&format!("email: {NEW}"));
    let out = story.apply(4).await;
    assert!(out.contains(&format!("- remove {OLD}")), "who is no longer declared goes: {out}");
    assert_eq!((story.mails(NEW).await, story.invited().await.len()), (0, 0));
    story.declare(&format!("email: {NEW}, inviteEpoch: 1"));
    story.apply(0).await;
    assert_eq!((story.mails(NEW).await, story.invited().await), (1, vec![NEW.to_owned()]));
    story.is_settled(0).await;
}

// rule: OP-08
#[tokio::test]
async fn who_is_declared_by_no_address_any_more_is_removed_under_the_one_of_the_row() {
    let story = Story::new("").await;
    story.apply(0).await;
    story.accepts(OLD).await;
    story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
    story.apply(0).await;
    story.declare(&format!("email: {NEW}"));
    story.apply(0).await;
    story.declare_all(&[]);
    let out = story.apply(0).await;
    assert!(out.contains(&format!("- remove {OLD}")), "{out}");
    assert!(story.members().await.is_empty());
    // Declared again the person is new.
    story.declare(&format!("email: {NEW}"));
    story.apply(0).await;
    assert_eq!(story.invited().await, [NEW]);
    story.is_settled(0).await;
}

// rule: OP-02
#[tokio::test]
async fn who_left_under_the_old_address_is_not_invited_under_the_new_one_when_formerly_is_gone() {
    let story = Story::new("").await;
    story.apply(0).await;
    story.accepts(OLD).await;
    story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
    story.apply(0).await;
    let member = story.service.member(OLD).await;
    let path = format!("/v1/accounts/acme/members/{}", member["id"].as_str().unwrap());
    let call = story.service.call(reqwest::Method::DELETE, &path).token(TOKEN).if_match("*");
    assert!(call.send().await.status.is_success());
    story.declare(&format!("email: {NEW}"));
    story.apply(4).await;
    assert_eq!(story.status(4).await["people"][0]["state"], "OptedOut");
    story.is_settled(4).await;
    assert_eq!(story.mails(NEW).await, 0);
}

// rule: OP-02
#[tokio::test]
async fn where_the_old_invitation_cannot_be_withdrawn_the_new_one_is_not_sent() {
    let story = Story::new("").await;
    story.apply(0).await;
    story.desk.write("secrets/acme-token/token", "acme-token-without-removals");
    story.declare(&format!("email: {NEW}, formerly: [{OLD}]"));
    let said = story.desk.run(&["apply"]).await;
    assert_ne!(said.code, Some(0), "{}", said.out);
    let withdrawn = format!("! refused: withdraw the invitation of {OLD}");
    let not_sent = format!("! not done: invite {NEW} as developer (EarlierAddressLeft)");
    assert!(said.out.contains(&withdrawn), "{}{}", said.out, said.err);
    assert!(said.out.contains(&not_sent), "{}{}", said.out, said.err);
    assert_eq!((story.invited().await, story.mails(NEW).await), (vec![OLD.to_owned()], 0));
    story.desk.write("secrets/acme-token/token", TOKEN);
    story.apply(0).await;
    assert_eq!((story.invited().await, story.mails(NEW).await), (vec![NEW.to_owned()], 1));
    story.is_settled(0).await;
}
