//! Notification categories and recipients (NP-10, NP-11, X17).

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, READ_TOKEN, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const CATEGORIES: &str = "/v1/accounts/acme/notification-categories";

async fn set(service: &TestService, method: Method, category: &str, member: &Value) -> Answer {
    let path = format!("{CATEGORIES}/{category}/recipients/{}", text(member));
    service.call(method, &path).token(TOKEN).send().await
}

async fn put(service: &TestService, category: &str, member: &Value) {
    let done = set(service, Method::PUT, category, member).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.body);
}

async fn take(service: &TestService, category: &str, member: &Value) {
    let done = set(service, Method::DELETE, category, member).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.body);
}

/// Recipients of a category: `implied`, `chosen` or `both`, in the order of the members.
async fn recipients(service: &TestService, category: &str) -> Vec<(String, &'static str)> {
    let list = service.get(CATEGORIES).await.expect(StatusCode::OK);
    let row = list["items"].as_array().unwrap().iter().find(|row| row["name"] == category).unwrap();
    let recipients = row["recipients"].as_array().unwrap().iter().map(|recipient| {
        let how = match (&recipient["implied"], &recipient["chosen"]) {
            (Value::Bool(true), Value::Bool(true)) => "both",
            (Value::Bool(true), _) => "implied",
            _ => "chosen",
        };
        (text(&recipient["member"]), how)
    });
    recipients.collect()
}

async fn change_role(service: &TestService, member: &Value, role: &str) {
    let path = format!("/v1/accounts/acme/members/{}", text(member));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match("*");
    call.json(&json!({ "role": role })).send().await.expect(StatusCode::OK);
}

// rule: NP-10
#[tokio::test]
async fn members_are_made_recipients_by_category() {
    let service = TestService::start().await;
    let list = service.get(CATEGORIES).await.expect(StatusCode::OK);
    let named: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(&row["name"]), text(&row["about"])))
        .collect();
    let expected = [("billing", "billing"), ("usage", "usage"), ("website-status", "websites")];
    assert_eq!(named, expected.map(|(name, about)| (name.to_owned(), about.to_owned())));

    let ana = service.join("ana@example.com", "developer").await["id"].clone();
    for _ in 0..2 {
        put(&service, "usage", &ana).await;
    }
    assert_eq!(recipients(&service, "usage").await, [(text(&ana), "chosen")]);
    assert_eq!(recipients(&service, "website-status").await, []);
    for _ in 0..2 {
        take(&service, "usage", &ana).await;
    }
    assert_eq!(recipients(&service, "usage").await, []);
    set(&service, Method::PUT, "news", &ana).await.refused(404, "not-found");
    set(&service, Method::PUT, "usage", &json!("mem_gone")).await.refused(404, "not-found");
    let path = format!("{CATEGORIES}/usage/recipients/{}", text(&ana));
    let read = service.call(Method::PUT, &path).token(READ_TOKEN).send().await;
    read.refused(403, "scope-missing");

    // Each change is in the log; what changes nothing is not.
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let told: Vec<_> = events.iter().map(|event| text(&event["action"])).collect();
    let told: Vec<_> = told.iter().filter(|action| action.starts_with("recipient.")).collect();
    assert_eq!(told, ["recipient.added", "recipient.removed"]);
    put(&service, "usage", &ana).await;
    let member = format!("/v1/accounts/acme/members/{}", text(&ana));
    service.call(Method::DELETE, &member).token(TOKEN).if_match("*").send().await;
    assert_eq!(recipients(&service, "usage").await, []);
    set(&service, Method::PUT, "usage", &ana).await.refused(404, "not-found");
    service.stop().await;
}

// rule: NP-11
#[tokio::test]
async fn a_biller_always_receives_billing() {
    let service = TestService::start().await;
    let ana = service.join("ana@example.com", "biller").await["id"].clone();
    assert_eq!(recipients(&service, "billing").await, [(text(&ana), "implied")]);
    set(&service, Method::DELETE, "billing", &ana).await.refused(409, "recipient-implied");
    service.subscribe("scale").await;
    let mails = service.mails().await;
    let told: Vec<_> = mails.iter().filter(|mail| mail.template == "billing").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].to, "ana@example.com");
    service.stop().await;
}

// rule: X17
#[tokio::test]
async fn implied_subscriptions_follow_the_role_both_ways() {
    let service = TestService::start().await;
    let ana = service.join("ana@example.com", "developer").await["id"].clone();
    assert_eq!(recipients(&service, "billing").await, []);
    change_role(&service, &ana, "biller").await;
    assert_eq!(recipients(&service, "billing").await, [(text(&ana), "implied")]);
    change_role(&service, &ana, "developer").await;
    assert_eq!(recipients(&service, "billing").await, []);

    // Who was chosen besides stays a recipient when the role goes.
    put(&service, "billing", &ana).await;
    change_role(&service, &ana, "biller").await;
    assert_eq!(recipients(&service, "billing").await, [(text(&ana), "both")]);
    set(&service, Method::DELETE, "billing", &ana).await.refused(409, "recipient-implied");
    change_role(&service, &ana, "developer").await;
    assert_eq!(recipients(&service, "billing").await, [(text(&ana), "chosen")]);
    take(&service, "billing", &ana).await;
    assert_eq!(recipients(&service, "billing").await, []);
    service.stop().await;
}

// rule: NP-10
#[tokio::test]
async fn a_category_is_for_the_roles_that_it_is_open_to() {
    let text = include_str!("../../profiles/nitropack.yaml");
    let text = text.replacen("about: usage}", "about: usage, openTo: [owner, admin]}", 1);
    let text =
        text.replacen("growth:   {seats: 3}", "growth:   {seats: 3, meters: {resources: 10}}", 1);
    let service = TestService::start_as(SEED, |settings| {
        let profile = seatkeeper::profile::read("nitropack.yaml", &text).unwrap();
        settings.profiles.insert("nitropack".to_owned(), Arc::new(profile));
    })
    .await;
    let ana = service.join("ana@example.com", "developer").await["id"].clone();
    set(&service, Method::PUT, "usage", &ana).await.refused(409, "recipient-not-open");
    change_role(&service, &ana, "admin").await;
    put(&service, "usage", &ana).await;
    assert_eq!(recipients(&service, "usage").await.len(), 1);
    change_role(&service, &ana, "developer").await;
    assert_eq!(recipients(&service, "usage").await, [], "it counts while the role is open");
    let call = service.call(Method::POST, "/v1/accounts/acme/meters/resources");
    let call = call.token(VENDOR_TOKEN).key("report").json(&json!({ "amount": 10 }));
    call.send().await.expect(StatusCode::OK);
    assert!(service.mails().await.iter().all(|mail| mail.template != "usage"));
    service.stop().await;
}
