//! What can be picked, what brings a disabled account back, and who adds periods (NP-15, CT-13).

#![expect(clippy::unwrap_used, reason = "test helpers")]

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use seatkeeper::server::ConfirmPlans;
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};
use crate::teams::{Org, SUBSCRIPTIONS, TEAMS};

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn pick(service: &TestService, token: &str, plan: &str) -> Answer {
    let call = service.call(Method::POST, SUBSCRIPTIONS).token(token).new_key();
    call.json(&json!({ "plan": plan })).send().await
}

async fn act(service: &TestService, token: &str, row: &Value, verb: &str) -> Answer {
    let path = format!("{SUBSCRIPTIONS}/{}/{verb}", text(&row["id"]));
    service.call(Method::POST, &path).token(token).new_key().if_match("*").send().await
}

async fn state(service: &TestService) -> String {
    text(&service.get("/v1/accounts/acme").await.body["state"])
}

fn period_end(row: &Value) -> Timestamp {
    text(&row["period_end"]).parse().unwrap()
}

// rule: NP-15
#[tokio::test]
async fn only_a_paid_plan_or_the_vendor_brings_a_disabled_account_back() {
    let service = TestService::start().await;
    service.cancel("growth").await;
    service.pass(DAY * 31).await;
    assert_eq!(state(&service).await, "disabled");
    for token in [TOKEN, VENDOR_TOKEN] {
        let refused = pick(&service, token, "none").await.refused(400, "invalid-request");
        let said = "is not a plan to pick in this account; \
                    there are free, business, growth, scale, custom";
        assert_eq!(refused["errors"][0], json!({ "pointer": "/plan", "detail": said }));
    }
    pick(&service, TOKEN, "free").await.expect(StatusCode::CREATED);
    assert_eq!(state(&service).await, "disabled", "nothing was paid");
    service.invite("ana@example.com", "biller").await.refused(409, "service-disabled");
    pick(&service, TOKEN, "growth").await.expect(StatusCode::CREATED);
    assert_eq!(state(&service).await, "disabled", "it waits for the vendor");
    pick(&service, VENDOR_TOKEN, "free").await.expect(StatusCode::CREATED);
    assert_eq!(state(&service).await, "active", "the vendor says so");
    service.stop().await;

    let auto = |settings: &mut seatkeeper::server::Settings| {
        settings.confirm_plans = ConfirmPlans::Auto;
    };
    let service = TestService::start_as(SEED, auto).await;
    service.cancel("growth").await;
    service.pass(DAY * 31).await;
    pick(&service, TOKEN, "business").await.expect(StatusCode::CREATED);
    assert_eq!(state(&service).await, "active", "it is paid");
    service.stop().await;
}

// rule: NP-15
#[tokio::test]
async fn an_account_is_disabled_once_the_last_of_its_paid_plans_has_run_out() {
    let service = TestService::start().await;
    service.cancel("growth").await;
    service.pass(DAY * 10).await;
    service.subscribe("business").await;
    let row = service.cancel("business").await;
    assert_eq!(row["state"], "ending", "nothing else renews");
    service.pass(DAY * 21).await;
    assert_eq!(state(&service).await, "active", "business is paid for another nine days");
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.pass(DAY * 10).await;
    assert_eq!(state(&service).await, "disabled");

    // Where nobody looked for a while, both end at once.
    for plan in ["growth", "business"] {
        service.subscribe(plan).await;
        assert_eq!(state(&service).await, "active");
        service.cancel(plan).await;
        service.pass(DAY * 5).await;
    }
    service.pass(DAY * 60).await;
    assert_eq!(state(&service).await, "disabled");
    service.stop().await;
}

#[tokio::test]
async fn the_page_offers_the_plans_that_can_be_picked_and_no_form_where_there_are_none() {
    let service = TestService::start().await;
    let mut olga = service.browser();
    olga.sign_in("owner@example.com", PASSWORD).await;
    let page = olga.open("/accounts/acme").await;
    assert!(page.html.contains("<option>free</option>"), "{}", page.html);
    assert!(!page.html.contains("<option>none</option>"), "{}", page.html);
    let form = "/accounts/acme/subscriptions";
    let page = olga.submit(&page, form, &[("plan", "none")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text().contains("is not a plan to pick"), "{}", page.text());
    service.stop().await;

    let seed = SEED.replace("nitropack", "generic").replace("    subscriptions: [growth]\n", "");
    let service = TestService::start_with(&seed).await;
    let mut olga = service.browser();
    olga.sign_in("owner@example.com", PASSWORD).await;
    let page = olga.open("/accounts/acme").await;
    assert_eq!((page.status, page.mark(form)), (StatusCode::OK, None), "{}", page.html);
    service.stop().await;
}

// rule: NP-15
#[tokio::test]
async fn a_person_takes_a_pending_end_back_and_only_the_vendor_adds_a_period() {
    for confirm_plans in [ConfirmPlans::Vendor, ConfirmPlans::Auto] {
        let settings = |settings: &mut seatkeeper::server::Settings| {
            settings.confirm_plans = confirm_plans;
        };
        let service = TestService::start_as(SEED, settings).await;
        let row = service.list(SUBSCRIPTIONS).await[0].clone();
        for _ in 0..3 {
            act(&service, TOKEN, &row, "renew").await.refused(409, "subscription-state");
        }
        service.cancel("growth").await;
        let renewed = act(&service, TOKEN, &row, "renew").await.expect(StatusCode::OK);
        assert_eq!((&renewed["state"], &renewed["ends_at"]), (&json!("active"), &Value::Null));
        assert_eq!(period_end(&renewed), period_end(&row));
        act(&service, TOKEN, &row, "renew").await.refused(409, "subscription-state");
        let by_vendor = act(&service, VENDOR_TOKEN, &row, "renew").await.expect(StatusCode::OK);
        assert_eq!(period_end(&by_vendor), period_end(&row) + DAY * 30);
        service.stop().await;
    }
}

// rule: CT-13
#[tokio::test]
async fn a_lapsed_subscription_that_a_person_renews_waits_for_the_vendor() {
    let org = Org::start().await;
    org.expire("starter").await;
    let row = org.subscription("starter").await;
    let waits = act(&org.service, TOKEN, &row, "renew").await.expect(StatusCode::OK);
    assert_eq!((&waits["state"], &waits["id"]), (&json!("requested"), &row["id"]));
    assert_eq!(org.team("Design").await["state"], "inactive", "visible, and inactive still");
    act(&org.service, TOKEN, &row, "confirm").await.refused(403, "forbidden");
    let withdrawn = act(&org.service, TOKEN, &row, "cancel").await.expect(StatusCode::OK);
    assert_eq!(withdrawn["state"], "ended");
    act(&org.service, TOKEN, &row, "renew").await.expect(StatusCode::OK);
    let runs = act(&org.service, VENDOR_TOKEN, &row, "confirm").await.expect(StatusCode::OK);
    assert_eq!((&runs["state"], &runs["ends_at"]), (&json!("active"), &Value::Null));
    assert_eq!(period_end(&runs), org.service.clock.now() + DAY * 30);
    let teams = org.service.list(TEAMS).await;
    assert!(teams.iter().all(|team| team["state"] == "active"), "{teams:?}");
    org.stop().await;
}

#[tokio::test]
async fn a_call_that_may_mail_of_billing_or_usage_needs_a_key() {
    let service = TestService::start().await;
    let row = text(&service.list(SUBSCRIPTIONS).await[0]["id"]);
    let of_row = |verb: &str| format!("{SUBSCRIPTIONS}/{row}/{verb}");
    for (path, body) in [
        (SUBSCRIPTIONS.to_owned(), json!({ "plan": "scale" })),
        (of_row("confirm"), Value::Null),
        (of_row("cancel"), Value::Null),
        (of_row("renew"), Value::Null),
        ("/v1/accounts/acme/meters/resources".to_owned(), json!({ "amount": 1 })),
    ] {
        let call = service.call(Method::POST, &path).token(VENDOR_TOKEN).if_match("*");
        let call = if body.is_null() { call } else { call.json(&body) };
        call.send().await.refused(400, "idempotency-key-required");
    }
    assert_eq!(service.list(SUBSCRIPTIONS).await.len(), 1);
    service.stop().await;
}
