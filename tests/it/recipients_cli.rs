//! Recipients of categories of mail by command line: set, waited for, taken back. The program is a
//! process of its own; what happened is read from the service.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli_run::{Desk, Said, service_now, values};
use crate::service::{SEED, TOKEN, TestService, text};

const CATEGORIES: &str = "/v1/accounts/acme/notification-categories";

/// The account of the example, whose three people are invited, and its folder.
struct Mail {
    service: TestService,
    desk: Desk,
}

impl Mail {
    async fn new() -> Self {
        let service = service_now(SEED).await;
        let desk = Desk::new(&service.base, TOKEN);
        desk.exits(0, &["apply"]).await;
        Self { service, desk }
    }

    /// The same, once these people have joined.
    async fn with(people: &[&str]) -> Self {
        let mail = Self::new().await;
        for person in people {
            mail.joins(person).await;
        }
        mail
    }

    async fn joins(&self, person: &str) {
        let link = self.service.link_to(&format!("{person}@example.com")).await;
        self.service.browser().accept_by_sign_up(&link).await;
    }

    /// Declares recipients of `billing`; `rest` goes under the spec.
    fn declare(&self, name: &str, rest: &str) {
        let file = format!(
            "apiVersion: seatkeeper.dev/v1alpha1
kind: NotificationSubscription
metadata: {{name: {name}, namespace: web}}
spec: {{teamRef: {{name: core}}, category: billing, {rest}}}
"
        );
        self.desk.write(&format!("git/{name}.yaml"), &file);
    }

    /// Somebody of the account chooses, or no longer chooses, a recipient of `billing`.
    async fn choose(&self, method: Method, person: &str) {
        let member = self.service.member(&format!("{person}@example.com")).await;
        let path = format!("{CATEGORIES}/billing/recipients/{}", text(&member["id"]));
        let answer = self.service.call(method, &path).token(TOKEN).send().await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    }

    /// Who receives `billing`: `+` where somebody chose, `*` where the role does.
    async fn receive(&self) -> String {
        let list = self.service.get(CATEGORIES).await.expect(StatusCode::OK);
        let rows = list["items"].as_array().unwrap();
        let billing = rows.iter().find(|row| row["name"] == "billing").unwrap();
        let members = self.service.list("/v1/accounts/acme/members").await;
        let mut names: Vec<String> = Vec::new();
        for recipient in billing["recipients"].as_array().unwrap() {
            let row = members.iter().find(|row| row["id"] == recipient["member"]).unwrap();
            let name = text(&row["email"]).split('@').next().unwrap().to_owned();
            let sign = |word: &str, sign| if recipient[word] == true { sign } else { "" };
            names.push(format!("{name}{}{}", sign("chosen", "+"), sign("implied", "*")));
        }
        names.sort();
        names.join(" ")
    }

    /// Writes that the service was asked for so far.
    fn writes(&self) -> usize {
        let requests = self.service.requests();
        let api = requests.iter().filter(|line| text(&line["route"]).starts_with("/v1/"));
        api.filter(|line| line["method"] != "GET").count()
    }

    /// An `apply` that does these lines and no more.
    async fn does(&self, lines: &[&str]) -> Said {
        let writes = self.writes();
        let said = self.desk.exits(0, &["apply"]).await;
        let done = said.out.lines().filter(|line| line.starts_with(['+', '-', '~', '!']));
        assert_eq!(done.collect::<Vec<_>>(), lines, "{}", said.out);
        assert_eq!(self.writes() - writes, lines.len(), "one write a line");
        said
    }

    /// An `apply` that finds nothing to do: it ends with `code` and writes nothing anywhere (OP-01).
    async fn is_quiet(&self, code: i32) -> Said {
        let (writes, ledger) = (self.writes(), self.desk.ledger());
        let said = self.desk.exits(code, &["apply"]).await;
        assert_eq!((self.writes(), self.desk.ledger()), (writes, ledger), "{}", said.out);
        said
    }
}

// rule: NP-10
// rule: NP-11
// rule: X17
// rule: OP-01
#[tokio::test]
async fn recipients_wait_until_they_join_are_set_once_and_taken_back_with_the_file() {
    let mail = Mail::new().await;
    let recipients = "{email: Ana@Example.com}, {membershipRef: {name: cyd-core}}";
    mail.declare("billing-mail", &format!("recipients: [{recipients}]"));
    let said = mail.desk.exits(0, &["status"]).await;
    assert!(said.out.contains("CATEGORY  STATE         RECIPIENT\n"), "{}", said.out);
    assert!(said.out.contains("billing   Waiting       ana@example.com\n"), "{}", said.out);
    assert!(said.out.contains("billing   Waiting       cyd@example.com\n"), "{}", said.out);
    mail.is_quiet(0).await;

    // A biller receives it by role: nothing is to be done, nor can anybody undo it.
    mail.joins("ana").await;
    mail.joins("cyd").await;
    let plan = mail.desk.exits(3, &["plan"]).await;
    let line = "+ billing: ana@example.com\n+ 1 recipient; seats 3 → 3 of 3\n";
    assert!(plan.out.ends_with(line), "{}", plan.out);
    let said = mail.does(&["+ billing: ana@example.com"]).await;
    assert!(said.out.ends_with("1 done; seats 3 of 3\n"), "{}", said.out);
    assert_eq!(mail.receive().await, "ana+ cyd*");
    mail.is_quiet(0).await;
    let said = mail.desk.exits(0, &["status"]).await;
    assert!(said.out.contains("billing   Receives      ana@example.com\n"), "{}", said.out);
    assert!(said.out.contains("billing   Implied       cyd@example.com\n"), "{}", said.out);

    // Whoever takes ana off by hand takes off what is declared.
    mail.choose(Method::DELETE, "ana").await;
    mail.does(&["+ billing: ana@example.com"]).await;

    mail.desk.delete("git/billing-mail.yaml");
    let plan = mail.desk.exits(3, &["plan"]).await;
    assert!(plan.out.contains("\n- billing: ana@example.com\n- 1 recipient;"), "{}", plan.out);
    mail.does(&["- billing: ana@example.com"]).await;
    assert_eq!(mail.receive().await, "cyd*");
    mail.is_quiet(0).await;
    mail.service.stop().await;
}

// rule: X17
#[tokio::test]
async fn additive_leaves_whom_a_person_chose_and_exact_takes_them_away() {
    let mail = Mail::with(&["ana", "bo", "cyd"]).await;
    mail.choose(Method::PUT, "bo").await;
    mail.choose(Method::PUT, "ana").await;
    mail.declare("billing-mail", "recipients: [{email: ana@example.com}]");
    mail.desk.exits(0, &["apply"]).await;
    mail.is_quiet(0).await;
    assert_eq!(mail.receive().await, "ana+ bo+ cyd*");

    mail.declare("billing-mail", "policy: Exact, recipients: [{email: ana@example.com}]");
    mail.does(&["- billing: bo@example.com"]).await;
    assert_eq!(mail.receive().await, "ana+ cyd*");
    mail.is_quiet(0).await;

    // Somebody else chose ana before: the file that goes does not take her along.
    mail.desk.delete("git/billing-mail.yaml");
    mail.does(&[]).await;
    assert_eq!(mail.receive().await, "ana+ cyd*");
    mail.is_quiet(0).await;
    mail.service.stop().await;
}

// rule: X17
#[tokio::test]
async fn of_two_files_that_name_somebody_one_can_go() {
    let mail = Mail::with(&["ana"]).await;
    for name in ["billing-mail", "more-billing-mail"] {
        mail.declare(name, "recipients: [{email: ana@example.com}]");
    }
    mail.does(&["+ billing: ana@example.com"]).await;
    mail.desk.delete("git/billing-mail.yaml");
    mail.is_quiet(0).await;
    mail.desk.delete("git/more-billing-mail.yaml");
    mail.does(&["- billing: ana@example.com"]).await;
    mail.is_quiet(0).await;
    mail.service.stop().await;
}

// rule: NP-11
#[tokio::test]
async fn a_role_that_changes_in_the_same_run_counts_as_it_will_be() {
    let mail = Mail::with(&["cyd"]).await;
    mail.declare("billing-mail", "recipients: [{membershipRef: {name: cyd-core}}]");
    mail.does(&[]).await;
    mail.is_quiet(0).await;
    mail.desk.replace("git/membership.yaml", "role: biller", "role: developer");
    let change = "~ change cyd@example.com from biller to developer";
    mail.does(&[change, "+ billing: cyd@example.com"]).await;
    assert_eq!(mail.receive().await, "cyd+");
    mail.is_quiet(0).await;

    // Back again she receives it twice over, and what we set waits for the next change.
    mail.desk.replace("git/membership.yaml", "role: developer", "role: biller");
    mail.does(&["~ change cyd@example.com from developer to biller"]).await;
    mail.desk.delete("git/billing-mail.yaml");
    mail.does(&[]).await;
    mail.is_quiet(0).await;
    assert_eq!(mail.receive().await, "cyd+*");
    mail.desk.replace("git/membership.yaml", "role: biller", "role: developer");
    mail.does(&["~ change cyd@example.com from biller to developer", "- billing: cyd@example.com"])
        .await;
    assert_eq!(mail.receive().await, "");
    mail.is_quiet(0).await;
    mail.service.stop().await;
}

#[tokio::test]
async fn who_goes_and_comes_back_is_set_again_and_then_all_is_quiet() {
    let mail = Mail::with(&["ana", "cyd"]).await;
    mail.declare("billing-mail", "recipients: [{email: ana@example.com}]");
    mail.does(&["+ billing: ana@example.com"]).await;
    let member = mail.service.member("ana@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    let call = mail.service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
    assert!(call.send().await.status.is_success());
    mail.desk.exits(4, &["apply"]).await;
    mail.is_quiet(4).await;
    let said = mail.desk.exits(4, &["status"]).await;
    assert!(said.out.contains("billing   Waiting       ana@example.com\n"), "{}", said.out);

    mail.service.invite("ana@example.com", "admin").await.expect(StatusCode::CREATED);
    let link = mail.service.link_to("ana@example.com").await;
    mail.service.browser().accept_by_sign_in(&link).await;
    mail.desk.exits(0, &["apply"]).await;
    assert_eq!(mail.receive().await, "ana+ cyd*");
    mail.is_quiet(0).await;
    mail.service.stop().await;
}

#[tokio::test]
async fn below_mode_manage_nobody_is_taken_away_and_what_was_set_is_let_go() {
    let mail = Mail::with(&["ana", "bo"]).await;
    mail.declare("billing-mail", "recipients: [{email: ana@example.com}]");
    mail.does(&["+ billing: ana@example.com"]).await;
    mail.desk.replace("git/account.yaml", "mode: Manage", "mode: Observe");
    mail.declare("billing-mail", "recipients: [{email: bo@example.com}]");
    let said = mail.is_quiet(0).await;
    assert!(said.out.contains("! held: billing: bo@example.com (Observing:"), "{}", said.out);
    assert!(said.out.contains("! held: billing: ana@example.com (Observing:"), "{}", said.out);

    mail.desk.replace("git/account.yaml", "mode: Observe", "mode: Invite");
    mail.does(&["+ billing: bo@example.com"]).await;
    assert_eq!(mail.receive().await, "ana+ bo+");
    mail.is_quiet(0).await;
    mail.desk.replace("git/account.yaml", "mode: Invite", "mode: Manage");
    mail.is_quiet(0).await;
    assert_eq!(mail.receive().await, "ana+ bo+", "ana was let go");
    mail.service.stop().await;
}

#[tokio::test]
async fn the_plan_as_json_names_every_recipient() {
    let mail = Mail::with(&["ana", "cyd"]).await;
    mail.declare(
        "billing-mail",
        "recipients: [{email: ana@example.com}, {email: zoe@example.com}]",
    );
    let said = mail.desk.exits(3, &["plan", "--output", "json"]).await;
    let mut recipients = values(&said.out)["recipients"].clone();
    let implied = recipients["categories"][0]["implied"].take();
    assert_eq!(implied[0]["email"], "cyd@example.com");
    let action = json!({
        "kind": "AddRecipient", "category": "billing", "email": "ana@example.com",
        "text": "+ billing: ana@example.com",
    });
    let of = |email: &str, state: &str| json!({"email": email, "state": state, "rule": null});
    let wanted = [of("ana@example.com", "Planned"), of("zoe@example.com", "NotAMember")];
    assert_eq!(
        recipients,
        json!({
            "actions": [action], "held": [], "unread": null,
            "categories": [{"category": "billing", "recipients": wanted, "implied": Value::Null}],
        })
    );
    // One who cannot be one does not keep the others from it.
    let said = mail.desk.exits(4, &["apply"]).await;
    let line = "! billing: zoe@example.com: NotAMember: is no member, is not invited";
    assert!(said.out.contains(line), "{}", said.out);
    assert_eq!(mail.receive().await, "ana+ cyd*");
    mail.is_quiet(4).await;
    mail.service.stop().await;
}

// rule: OP-01
#[tokio::test]
async fn a_run_that_is_killed_between_any_two_steps_is_finished_by_the_next() {
    for point in ["apply.acting", "apply.acted"] {
        let mail = Mail::with(&["ana"]).await;
        mail.declare("billing-mail", "recipients: [{email: ana@example.com}]");
        for done in ["ana+", ""] {
            let mut command = mail.desk.command(&["apply"]);
            let killed = command.env("SEATKEEPER_FAILPOINT", point).output().await.unwrap();
            assert!(!killed.status.success(), "{point} was not passed");
            mail.desk.exits(0, &["apply"]).await;
            assert_eq!(mail.receive().await, done, "killed at {point}");
            mail.is_quiet(0).await;
            mail.desk.write("git/billing-mail.yaml", "");
        }
        mail.service.stop().await;
    }
}

#[tokio::test]
async fn accounts_without_recipients_are_not_asked_for_categories() {
    let mail = Mail::with(&["ana"]).await;
    mail.desk.exits(0, &["apply"]).await;
    let requests = mail.service.requests();
    let asked = requests.iter().filter(|line| text(&line["route"]).contains("notification"));
    assert_eq!(asked.count(), 0);
    mail.service.stop().await;
}
