//! Meters: usage counted against the plan (CT-14).

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server_permissions::{CATALOGUE, with_teams};
use crate::service::{Answer, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

async fn report(service: &TestService, meter: &str, body: Value) -> Answer {
    let path = format!("/v1/accounts/acme/meters/{meter}");
    service.call(Method::POST, &path).token(VENDOR_TOKEN).new_key().json(&body).send().await
}

async fn used(service: &TestService, meter: &str) -> Value {
    let path = format!("/v1/accounts/acme/meters/{meter}");
    service.get(&path).await.expect(StatusCode::OK)["items"].clone()
}

/// The nitropack account on a plan that includes 10 of its meter, which goes on when it is full.
async fn metered() -> TestService {
    let text = include_str!("../../profiles/nitropack.yaml");
    let text =
        text.replacen("growth:   {seats: 3}", "growth:   {seats: 3, meters: {resources: 10}}", 1);
    TestService::start_as(SEED, |settings| {
        let profile = seatkeeper::profile::read("nitropack.yaml", &text).unwrap();
        assert_eq!(profile.plans[3].meters["resources"], 10);
        settings.profiles.insert("nitropack".to_owned(), Arc::new(profile));
    })
    .await
}

// rule: CT-14
#[tokio::test]
async fn usage_is_counted_against_the_subscription_and_refused_when_it_is_full() {
    let service = TestService::start_with(CATALOGUE).await;
    with_teams(&service).await;
    let in_team = |amount: i64| json!({ "amount": amount, "team": "tea_run" });
    let usage = report(&service, "catalogues", in_team(2)).await.expect(StatusCode::OK);
    assert_eq!((&usage["used"], &usage["limit"]), (&json!(2), &json!(3)));
    assert_eq!((&usage["plan"], &usage["unit"]), (&json!("starter"), &json!("count")));
    let check = json!({ "member": "mem_run", "permission": "catalogues.create" });
    let may = async || {
        let call = service.call(Method::POST, "/v1/accounts/acme/permission-checks");
        call.token(TOKEN).json(&check).send().await.expect(StatusCode::OK)
    };
    assert_eq!(may().await, json!({ "allowed": true }));
    report(&service, "catalogues", in_team(2)).await.refused(409, "meter-full");
    let by_subscription = json!({ "amount": 1, "subscription": usage["subscription"] });
    report(&service, "catalogues", by_subscription).await.expect(StatusCode::OK);
    assert_eq!(may().await, json!({ "allowed": false, "reason": "meter_full" }));
    report(&service, "catalogues", in_team(-1)).await.expect(StatusCode::OK);
    assert_eq!(may().await["allowed"], true);
    assert_eq!(used(&service, "catalogues").await[0]["used"], 2);
    assert_eq!(used(&service, "orders").await[0]["used"], 0, "each meter is counted by itself");

    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    let all = account["usage"].as_array().unwrap();
    let row = all.iter().find(|usage| usage["meter"] == "catalogues").unwrap();
    assert_eq!((&row["used"], &row["limit"]), (&json!(2), &json!(3)));

    for (body, pointer) in [
        (json!({ "amount": 1 }), ""),
        (json!({ "amount": 1, "team": "tea_gone" }), "/team"),
        (json!({ "amount": 1, "subscription": "sub_gone" }), "/subscription"),
        (in_team(-3), "/amount"),
    ] {
        let problem = report(&service, "catalogues", body).await.refused(400, "invalid-request");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let new = json!({ "amount": 1, "team": "tea_new" });
    report(&service, "catalogues", new).await.refused(409, "team-pending");
    report(&service, "unknown", in_team(1)).await.refused(404, "not-found");
    report(&service, "users", in_team(1)).await.refused(400, "invalid-request");
    let call = service.call(Method::POST, "/v1/accounts/acme/meters/orders").token(TOKEN);
    call.new_key().json(&in_team(1)).send().await.refused(403, "forbidden");

    service.cancel("starter").await;
    service.pass(jiff::SignedDuration::from_hours(31 * 24)).await;
    report(&service, "catalogues", in_team(1)).await.refused(409, "team-inactive");
    report(&service, "catalogues", in_team(-1)).await.expect(StatusCode::OK);
    service.stop().await;
}

// rule: NP-10
#[tokio::test]
async fn a_meter_that_goes_on_is_counted_over_its_limit_and_warns_once_per_crossing() {
    let service = metered().await;
    let owner = text(&service.member("owner@example.com").await["id"]);
    let path = format!("/v1/accounts/acme/notification-categories/usage/recipients/{owner}");
    let chosen = service.call(Method::PUT, &path).token(TOKEN).send().await;
    assert_eq!(chosen.status, StatusCode::NO_CONTENT);
    let told = async || {
        let mails = service.mails().await;
        let mails = mails.iter().filter(|mail| mail.template == "usage");
        mails.map(|mail| mail.to.clone()).collect::<Vec<_>>().len()
    };
    for (amount, used, mails) in [
        (7, 7, 0),
        (1, 8, 1),
        (1, 9, 1),
        (6, 15, 2),
        (3, 18, 2),
        (-9, 9, 2),
        (-5, 4, 2),
        (4, 8, 3),
        (2, 10, 4),
    ] {
        let usage = report(&service, "resources", json!({ "amount": amount })).await;
        assert_eq!(usage.expect(StatusCode::OK)["used"], used);
        assert_eq!(told().await, mails, "at {used}");
    }
    let mails = service.mails().await;
    let last = mails.last().unwrap();
    assert_eq!(last.to, "owner@example.com");
    assert!(last.text.contains("10 of 10") || last.text.contains("10"), "{}", last.text);
    let subscription = json!({ "amount": 1, "subscription": "sub_x" });
    report(&service, "resources", subscription).await.refused(400, "invalid-request");
    service.stop().await;
}

// rule: NP-10
#[tokio::test]
async fn usage_that_goes_up_and_down_around_a_threshold_warns_once() {
    let service = metered().await;
    let owner = text(&service.member("owner@example.com").await["id"]);
    let path = format!("/v1/accounts/acme/notification-categories/usage/recipients/{owner}");
    let chosen = service.call(Method::PUT, &path).token(TOKEN).send().await;
    assert_eq!(chosen.status, StatusCode::NO_CONTENT);
    let mut told = Vec::new();
    for amount in [8, -1, 1, -1, 1, -1, 1, 2, -1, 1, -2, 2, -4, 2, 2] {
        report(&service, "resources", json!({ "amount": amount })).await.expect(StatusCode::OK);
        let mails = service.mails().await;
        told.push(mails.iter().filter(|mail| mail.template == "usage").count());
    }
    // 8 7 8 7 8 7 8, 10 9 10, 8 has fallen from 10, 10; 6 from both: 8, 10.
    assert_eq!(told, [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5]);
    service.stop().await;
}

#[tokio::test]
async fn a_report_that_is_repeated_under_its_key_counts_once() {
    let service = metered().await;
    for _ in 0..2 {
        let call = service.call(Method::POST, "/v1/accounts/acme/meters/resources");
        let call = call.token(VENDOR_TOKEN).key("report-1").json(&json!({ "amount": 3 }));
        assert_eq!(call.send().await.expect(StatusCode::OK)["used"], 3);
    }
    let reports = (0..20).map(|_| report(&service, "resources", json!({ "amount": 1 })));
    futures::future::join_all(reports).await;
    assert_eq!(used(&service, "resources").await[0]["used"], 23);
    service.stop().await;
}

#[tokio::test]
async fn people_are_counted_from_the_seats() {
    let seed = SEED.replace("profile: nitropack", "profile: portal").replace("growth", "team");
    let service = TestService::start_with(&seed).await;
    let people = used(&service, "seats").await;
    assert_eq!((&people[0]["used"], &people[0]["limit"]), (&json!(1), &json!(10)));
    service.invite("ana@example.com", "member").await.expect(StatusCode::CREATED);
    assert_eq!(used(&service, "seats").await[0]["used"], 2);
    service.stop().await;
}
