//! What an inviter writes to a person, and lifetimes of single invitations.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{TOKEN, TestService, text};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";
const ANA: &str = "ana@example.com";
/// A text that would be a link, markup or a template, if anybody let it.
const HOSTILE: &str = "<b>see</b> https://evil.example/login {{ link }} & more";

async fn invite(service: &TestService, more: Value) -> crate::service::Answer {
    let mut body = json!({ "email": ANA, "role": "developer" });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    service.call(Method::POST, INVITATIONS).token(TOKEN).new_key().json(&body).send().await
}

async fn resend(service: &TestService, row: &Value) -> Value {
    let path = format!("{INVITATIONS}/{}/resend", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).new_key().if_match("*");
    call.send().await.expect(StatusCode::OK)
}

/// The text without the characters that keep mail programs from making links.
fn plain(text: &str) -> String {
    text.replace('\u{200b}', "")
}

// rule: CT-05
#[tokio::test]
async fn what_the_inviter_writes_is_in_each_mail_and_on_the_page_and_in_no_log() {
    let service = TestService::start().await;
    let more = json!({ "name": "Ana Lee", "message": "For the launch, ticket OPS-12" });
    let row = invite(&service, more).await.expect(StatusCode::CREATED);
    assert_eq!(row["message"], "For the launch, ticket OPS-12");
    resend(&service, &row).await;
    let mails = service.mails().await;
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert!(mail.text.contains("Hello Ana Lee,"), "{}", mail.text);
        assert!(mail.text.contains("They write: “For the launch, ticket OPS-12”"), "{}", mail.text);
        assert!(!mail.subject.contains("OPS-12"), "{}", mail.subject);
    }
    let link = service.link_to(ANA).await;
    let page = service.browser().open(&link).await;
    assert!(page.html.contains("For the launch, ticket OPS-12"), "{}", page.html);

    let path = format!("{INVITATIONS}/{}", text(&row["id"]));
    assert_eq!(service.get(&path).await.expect(StatusCode::OK)["message"], row["message"]);
    for place in ["audit-events", "changes"] {
        let told = service.get(&format!("/v1/accounts/acme/{place}")).await;
        assert!(told.body.to_string().contains(&text(&row["id"])), "{place}");
        assert!(!told.body.to_string().contains("OPS-12"), "{place}: {}", told.body);
    }
}

#[tokio::test]
async fn what_the_inviter_writes_is_text_and_never_a_link() {
    let service = TestService::start().await;
    invite(&service, json!({ "name": HOSTILE, "message": HOSTILE }))
        .await
        .expect(StatusCode::CREATED);
    let mails = service.mails().await;
    let mail = mails.last().expect("a mail");
    assert!(!mail.text.contains("https://evil") && !mail.text.contains("evil.example"));
    assert!(plain(&mail.text).contains(HOSTILE), "{}", mail.text);
    let link = service.link_to(ANA).await;
    let page = service.browser().open(&link).await;
    assert!(!page.html.contains("<b>see") && !page.html.contains("href=\"https://evil"));
    assert!(page.html.contains("&lt;b&gt;see"), "{}", page.html);
}

#[tokio::test]
async fn nobody_who_says_nothing_is_greeted() {
    let service = TestService::start().await;
    invite(&service, json!({})).await.expect(StatusCode::CREATED);
    let mails = service.mails().await;
    let mail = mails.last().expect("a mail");
    assert!(!mail.text.contains("Hello") && !mail.text.contains("They write"), "{}", mail.text);
    assert!(mail.text.starts_with("You are invited to join"), "{}", mail.text);
}

// rule: CT-11
#[tokio::test]
async fn an_invitation_lasts_as_long_as_was_asked_and_a_resend_renews_it_by_the_same_time() {
    let service = TestService::start().await;
    let row = invite(&service, json!({ "expires_in_seconds": 3600 })).await;
    let row = row.expect(StatusCode::CREATED);
    let hour = SignedDuration::from_hours(1);
    assert_eq!(row["expires_at"], json!((service.clock.now() + hour).to_string()));
    let link = service.link_to(ANA).await;
    service.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(service.browser().open(&link).await.status, StatusCode::GONE);
    let again = resend(&service, &row).await;
    assert_eq!(again["expires_at"], json!((service.clock.now() + hour).to_string()));
    assert_eq!(again["created_at"], row["created_at"]);
}

#[tokio::test]
async fn what_no_mail_could_keep_or_show_is_refused_with_its_field() {
    let service = TestService::start().await;
    let long = "x".repeat(501);
    let cases = [
        ("message", json!("two\nlines"), "/message"),
        ("message", json!("  "), "/message"),
        ("message", json!(""), "/message"),
        ("message", json!(long), "/message"),
        ("expires_in_seconds", json!(59), "/expires_in_seconds"),
        ("expires_in_seconds", json!(31_536_001), "/expires_in_seconds"),
    ];
    for (name, value, pointer) in cases {
        let refused =
            invite(&service, json!({ name: value })).await.refused(400, "invalid-request");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let long = invite(&service, json!({ "expires_in_seconds": 31_536_000 })).await;
    let long = long.expect(StatusCode::CREATED);
    let time = |key: &str| long[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lives = time("expires_at").duration_since(time("created_at"));
    assert_eq!(lives.as_hours(), 30 * 24, "no longer than the profile says");
    assert_eq!(service.mails().await.len(), 1);
}

#[tokio::test]
async fn another_message_under_the_same_key_is_another_request() {
    let service = TestService::start().await;
    let send = async |message: &str| {
        let body = json!({ "email": ANA, "role": "developer", "message": message });
        service.call(Method::POST, INVITATIONS).token(TOKEN).key("k-1").json(&body).send().await
    };
    send("first").await.expect(StatusCode::CREATED);
    send("second").await.refused(422, "idempotency-key-reused");
    send("first").await.expect(StatusCode::CREATED);
    assert_eq!(service.mails().await.len(), 1);
}
