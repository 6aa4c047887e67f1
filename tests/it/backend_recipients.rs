//! The account API client on categories of mail: a list is whole or an error, and each write is one
//! request.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::time::Duration;

use seatkeeper::backend::account_api::AccountApi;
use seatkeeper::backend::{Backend as _, BackendError, Executed};
use seatkeeper::domain::identity::EmailAddress;
use seatkeeper::domain::keys::{AccountKey, MemberId};
use seatkeeper::domain::recipients::ReceivesBy;
use seatkeeper::plan::notification::{RecipientAction, RecipientChange};
use serde_json::{Value, json};

use crate::scripted::{Answer, Scripted, Seen, account, service};

const LIST: &str = "GET /v1/accounts/acc_1/notification-categories";
const ROW: &str = "/v1/accounts/acc_1/notification-categories/billing/recipients/mem_1";

fn action(change: RecipientChange) -> RecipientAction {
    let person = EmailAddress::parse("ana@example.com").unwrap();
    RecipientAction { category: "billing".into(), change, person, member: "mem_1".into() }
}

async fn execute(api: &AccountApi, change: RecipientChange) -> Result<Executed, BackendError> {
    api.execute_recipient(&AccountKey::from("acc_1"), &action(change)).await
}

/// A category `billing` with these members.
fn category(members: &[&str]) -> Value {
    let recipients =
        members.iter().map(|id| json!({"member": id, "implied": false, "chosen": true}));
    json!({
        "name": "billing", "title": "Billing", "about": "billing", "open_to": ["biller"],
        "recipients": recipients.collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn categories_are_read_whole_or_not_at_all() {
    let read = async |answer: Answer| {
        let service = service(&[(LIST, answer)]).await;
        service.client().categories(&AccountKey::from("acc_1")).await
    };
    let list = |items: &[Value]| Answer::json(&json!({"items": items}));
    let rows = read(list(&[category(&["mem_1"])])).await.unwrap();
    let billing = &rows[&"billing".into()];
    assert!(billing.open_to.contains(&"biller".into()));
    let chosen = ReceivesBy { implied: false, chosen: true };
    assert_eq!(billing.recipients[&MemberId::from("mem_1")], chosen);
    for (answer, said) in [
        (list(&[category(&[]), category(&[])]), "a row that came twice"),
        (list(&[category(&["mem_1", "mem_1"])]), "a row that came twice"),
        (list(&[category(&["../owner"])]), "Malformed"),
        (Answer::text(200, "text/html", "<h1>Welcome to the proxy</h1>"), "Malformed"),
        (Answer::json(&json!({"items": [{"name": "billing"}]})), "Malformed"),
        // The account itself is there: it was read a moment ago.
        (Answer::problem(404, "not-found"), "Rejected { code: \"not-found\" }"),
        (Answer::problem(403, "scope-missing"), "Forbidden { code: \"scope-missing\" }"),
    ] {
        let error = format!("{:?}", read(answer).await.unwrap_err());
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn each_action_on_a_recipient_is_one_request_whatever_is_answered() {
    for answer in [
        Answer::problem(500, "internal"),
        Answer::problem(503, "unavailable").with("retry-after", "0"),
        Answer::text(307, "text/plain", "").with("location", "/v1/elsewhere"),
        Answer::text(200, "text/html", "<h1>Sign in</h1>"),
        Answer::text(204, "text/plain", "").after(Duration::from_secs(60)),
    ] {
        let service = Scripted::start(move |_| answer.clone()).await;
        let api = service.client().with_deadline(Duration::from_millis(300));
        for (change, sent) in [(RecipientChange::Add, 1), (RecipientChange::Remove, 2)] {
            let error = execute(&api, change).await.unwrap_err();
            assert!(error.outcome_unknown(), "{change:?}: {error:?}");
            assert_eq!(service.seen().len(), sent, "{change:?} was sent again");
        }
        let lines: Vec<String> = service.seen().iter().map(|seen| seen.line.clone()).collect();
        assert_eq!(lines, [format!("PUT {ROW}"), format!("DELETE {ROW}")]);
    }
}

#[tokio::test]
async fn a_recipient_is_set_or_gone_only_where_the_service_says_so() {
    let done = Scripted::start(|_| Answer::text(204, "text/plain", "")).await;
    let api = done.client();
    assert_eq!(execute(&api, RecipientChange::Add).await.unwrap(), Executed::Recipient);
    assert_eq!(execute(&api, RecipientChange::Remove).await.unwrap(), Executed::Gone);

    // The member left meanwhile: nobody to set, and nobody to take away.
    let gone = Scripted::start(|seen: &Seen| match seen.line.starts_with("GET") {
        true => Answer::json(&account("acc_1", "acme")),
        false => Answer::problem(404, "not-found"),
    })
    .await;
    let error = execute(&gone.client(), RecipientChange::Add).await.unwrap_err();
    assert_eq!(format!("{error:?}"), r#"Changed { code: "not-found" }"#);
    let answer = execute(&gone.client(), RecipientChange::Remove).await;
    assert_eq!(answer.unwrap(), Executed::Gone);

    let hidden = Scripted::start(|_| Answer::problem(404, "not-found")).await;
    let error = execute(&hidden.client(), RecipientChange::Remove).await.unwrap_err();
    assert!(matches!(error, BackendError::NoSuchAccount), "{error:?}");
}
