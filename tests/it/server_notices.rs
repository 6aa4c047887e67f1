//! Notices: mails about subscriptions, seats and invitations; plans that wait for the vendor.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::ConfirmPlans;
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};
use crate::teams::{CARA, MIA, Org, TEAMS, TOM};

const SUBSCRIPTIONS: &str = "/v1/accounts/acme/subscriptions";
const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn pick(service: &TestService, token: &str, plan: &str) -> Answer {
    let call = service.call(Method::POST, SUBSCRIPTIONS).token(token).new_key();
    call.json(&json!({ "plan": plan })).send().await
}

async fn act(service: &TestService, token: &str, row: &Value, verb: &str) -> Answer {
    let path = format!("{SUBSCRIPTIONS}/{}/{verb}", text(&row["id"]));
    service.call(Method::POST, &path).token(token).new_key().if_match("*").send().await
}

/// Addresses of the mails of a kind, oldest first.
async fn told(service: &TestService, template: &str) -> Vec<String> {
    let mails = service.mails().await;
    let mails = mails.into_iter().filter(|mail| mail.template == template);
    mails.map(|mail| mail.to).collect()
}

async fn plan_of_seats(service: &TestService) -> String {
    text(&service.seats().await["source"])
}

#[tokio::test]
async fn a_paid_plan_that_a_person_picks_waits_for_the_vendor() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    let mut ana = service.browser();
    ana.sign_in("ana@example.com", PASSWORD).await;
    let page = ana.open("/accounts/acme").await;
    let page = ana.submit(&page, "/accounts/acme/subscriptions", &[("plan", "scale")]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("scale was picked and waits for confirmation"), "{}", page.text());
    assert_eq!(plan_of_seats(&service).await, "growth", "nothing changes yet");
    assert_eq!(told(&service, "billing").await, [""; 0]);
    let held = service.list(SUBSCRIPTIONS).await;
    let row = &held[1];
    assert_eq!((&row["plan"], &row["state"]), (&json!("scale"), &json!("requested")));
    pick(&service, TOKEN, "scale").await.refused(409, "subscription-state");
    act(&service, TOKEN, row, "confirm").await.refused(403, "forbidden");
    act(&service, TOKEN, row, "renew").await.refused(409, "subscription-state");

    service.clock.advance(DAY);
    let confirmed = act(&service, VENDOR_TOKEN, row, "confirm").await.expect(StatusCode::OK);
    assert_eq!((&confirmed["state"], &confirmed["id"]), (&json!("active"), &row["id"]));
    assert_ne!(confirmed["period_end"], row["period_end"], "it runs from now on");
    assert_eq!(plan_of_seats(&service).await, "scale");
    assert_eq!(told(&service, "billing").await, ["ana@example.com"]);
    act(&service, VENDOR_TOKEN, row, "confirm").await.refused(409, "subscription-state");

    // Picked by the vendor, what waits is confirmed; and it can be withdrawn.
    let custom = pick(&service, TOKEN, "custom").await.expect(StatusCode::CREATED);
    let by_vendor = pick(&service, VENDOR_TOKEN, "custom").await.expect(StatusCode::CREATED);
    assert_eq!((&by_vendor["id"], &by_vendor["state"]), (&custom["id"], &json!("active")));
    let business = pick(&service, TOKEN, "business").await.expect(StatusCode::CREATED);
    let withdrawn = act(&service, TOKEN, &business, "cancel").await.expect(StatusCode::OK);
    assert_eq!(withdrawn["state"], "ended");
    assert_eq!(told(&service, "billing").await.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_plan_that_is_not_paid_and_a_service_without_a_vendor_wait_for_nobody() {
    let service = TestService::start().await;
    let free = pick(&service, TOKEN, "free").await.expect(StatusCode::CREATED);
    assert_eq!(free["state"], "active");
    service.stop().await;
    let auto = |settings: &mut seatkeeper::server::Settings| {
        settings.confirm_plans = ConfirmPlans::Auto;
    };
    let service = TestService::start_as(SEED, auto).await;
    let scale = pick(&service, TOKEN, "scale").await.expect(StatusCode::CREATED);
    assert_eq!(scale["state"], "active");
    service.stop().await;
}

#[tokio::test]
async fn a_requested_plan_does_not_bring_back_a_disabled_account() {
    let service = TestService::start().await;
    service.cancel("growth").await;
    service.pass(DAY * 31).await;
    let row = pick(&service, TOKEN, "growth").await.expect(StatusCode::CREATED);
    let state = async || service.get("/v1/accounts/acme").await.body["state"].clone();
    assert_eq!(state().await, "disabled");
    act(&service, VENDOR_TOKEN, &row, "confirm").await.expect(StatusCode::OK);
    assert_eq!(state().await, "active");
    service.stop().await;
}

// rule: NP-10
#[tokio::test]
async fn who_receives_billing_is_told_of_each_step_and_of_an_end_that_is_near_once() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    service.join("bea@example.com", "developer").await;
    service.cancel("growth").await;
    assert_eq!(told(&service, "billing").await.len(), 1, "cancelled");
    service.pass(DAY * 22).await;
    assert_eq!(told(&service, "billing").await.len(), 1);
    for _ in 0..3 {
        service.pass(DAY).await;
    }
    assert_eq!(told(&service, "billing").await.len(), 2, "the end is near");
    let held = service.list(SUBSCRIPTIONS).await;
    act(&service, TOKEN, &held[0], "renew").await.expect(StatusCode::OK);
    assert_eq!(told(&service, "billing").await.len(), 3, "renewed");
    service.cancel("growth").await;
    service.pass(DAY).await;
    assert_eq!(told(&service, "billing").await.len(), 4, "cancelled: that mail names the day");
    let held = service.list(SUBSCRIPTIONS).await;
    act(&service, TOKEN, &held[0], "renew").await.expect(StatusCode::OK);
    service.pass(DAY * 30).await;
    let all = told(&service, "billing").await;
    assert_eq!(all.len(), 6, "renewed by hand, then by itself");
    assert!(all.iter().all(|to| to == "ana@example.com"), "{all:?}");
    service.stop().await;
}

#[tokio::test]
async fn those_who_may_invite_are_told_once_a_day_that_seats_are_short() {
    let service = TestService::start().await;
    service.join("ana@example.com", "admin").await;
    service.join("bea@example.com", "biller").await;
    service.invite("cleo@example.com", "developer").await.expect(StatusCode::CREATED);
    let refused = async |number: usize| {
        let email = format!("late{number}@example.com");
        service.invite(&email, "developer").await.refused(409, "seat-limit-reached");
    };
    for number in 0..3 {
        refused(number).await;
    }
    let mut expected = vec!["ana@example.com", "owner@example.com"];
    assert_eq!(told(&service, "seats-short").await, expected);
    service.clock.advance(DAY - SignedDuration::from_secs(1));
    refused(3).await;
    assert_eq!(told(&service, "seats-short").await, expected);
    service.clock.advance(SignedDuration::from_secs(1));
    let mut ana = service.browser();
    ana.sign_in("ana@example.com", PASSWORD).await;
    let page = ana.open("/accounts/acme/members").await;
    let fields = [("email", "late@example.com"), ("role", "developer")];
    let page = ana.submit(&page, "/accounts/acme/members", &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    expected.extend(expected.clone());
    assert_eq!(told(&service, "seats-short").await, expected, "from the page too");
    let open = service.list("/v1/accounts/acme/invitations").await;
    assert_eq!(open.len(), 1, "the refused ones left nothing else");
    service.stop().await;
}

#[tokio::test]
async fn the_inviter_is_told_that_nobody_accepted_in_time() {
    let service = TestService::start().await;
    service.join("ana@example.com", "admin").await;
    let mut ana = service.browser();
    ana.sign_in("ana@example.com", PASSWORD).await;
    let page = ana.open("/accounts/acme/members").await;
    let fields = [("email", "bea@example.com"), ("role", "biller")];
    ana.submit(&page, "/accounts/acme/members", &fields).await;
    service.invite("by-token@example.com", "biller").await.expect(StatusCode::CREATED);
    service.pass(DAY * 29).await;
    assert_eq!(told(&service, "invitation-expired").await, [""; 0]);
    for _ in 0..3 {
        service.pass(DAY).await;
    }
    assert_eq!(told(&service, "invitation-expired").await, ["ana@example.com"]);
    let mails = service.mails().await;
    let mail = mails.iter().rev().find(|mail| mail.template == "invitation-expired").unwrap();
    assert!(mail.text.contains("bea@example.com"), "{}", mail.text);
    service.stop().await;
}

#[tokio::test]
async fn the_inviter_is_told_too_when_an_overdue_invitation_gives_way_to_a_new_one() {
    let service = TestService::start().await;
    service.join("ana@example.com", "admin").await;
    let mut ana = service.browser();
    ana.sign_in("ana@example.com", PASSWORD).await;
    let page = ana.open("/accounts/acme/members").await;
    let fields = [("email", "bea@example.com"), ("role", "biller")];
    ana.submit(&page, "/accounts/acme/members", &fields).await;
    // The worker has not looked yet.
    service.clock.advance(DAY * 31);
    service.invite("bea@example.com", "developer").await.expect(StatusCode::CREATED);
    assert_eq!(told(&service, "invitation-expired").await, ["ana@example.com"]);
    service.pass(DAY).await;
    assert_eq!(told(&service, "invitation-expired").await, ["ana@example.com"], "once");
    service.stop().await;
}

// rule: CT-15
#[tokio::test]
async fn whoever_may_invite_to_a_team_is_told_once_a_day_that_its_seats_are_short() {
    let org = Org::start().await;
    let told = async || {
        let mut all = told(&org.service, "seats-short").await;
        all.sort();
        all
    };
    // Starter has 5 seats; Tom, Ted, Mia and Pia have four of them.
    org.suggest(MIA, "Design", "late@example.com").await.expect(StatusCode::CREATED);
    org.invite(CARA, "Print", "last@example.com", "member").await.expect(StatusCode::CREATED);
    let path = format!("{TEAMS}/{}/suggestions", org.id("Design").await);
    let open = org.get(TOM, &path).await.expect(StatusCode::OK)["items"][0].clone();
    let approve = format!("/v1/accounts/acme/suggestions/{}/approve", text(&open["id"]));
    assert_eq!(told().await, [""; 0]);
    org.act(TOM, &approve, &open["etag"]).await.refused(409, "seat-limit-reached");
    let design = ["cara@example.com", "ted@example.com", "tom@example.com"];
    assert_eq!(told().await, design, "nobody of other teams");
    org.invite(TOM, "Design", "x@example.com", "member").await.refused(409, "seat-limit-reached");
    assert_eq!(told().await, design, "once");

    org.service.clock.advance(DAY);
    org.invite(CARA, "Print", "x@example.com", "member").await.refused(409, "seat-limit-reached");
    let mut all = [design.as_slice(), &["cara@example.com"]].concat();
    all.sort_unstable();
    assert_eq!(told().await, all, "Print has no team admin");

    org.service.clock.advance(DAY);
    org.add(CARA, "Design", "cara@example.com", "member").await.refused(409, "seat-limit-reached");
    all.extend(design);
    all.sort_unstable();
    assert_eq!(told().await, all, "from a person who is added at once too");
    org.stop().await;
}
