//! Rules of the product that the account service keeps by itself, whoever its client is.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::ConfirmPlans;
use serde_json::{Value, json};

use crate::service::{OTHER_TOKEN, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn invite_many(service: &TestService, people: u32) {
    for at in 0..people {
        let email = format!("p{at}@example.com");
        service.invite(&email, "developer").await.expect(StatusCode::CREATED);
        service.clock.advance(SignedDuration::from_secs(1));
    }
}

/// Three members who were added in the order ana, ben, cyd.
async fn three_members(service: &TestService) {
    for (email, role) in [
        ("ana@example.com", "biller"),
        ("ben2@example.com", "developer"),
        ("cyd@example.com", "admin"),
    ] {
        service.join(email, role).await;
        service.clock.advance(SignedDuration::from_mins(1));
    }
}

async fn claim(service: &TestService) {
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    let claim = json!({ "claim": { "installation_id": "inst-1", "fingerprint": "file" } });
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN);
    call.if_match(&text(&account["etag"])).json(&claim).send().await.expect(StatusCode::OK);
}

// rule: NP-03
#[tokio::test]
async fn each_plan_has_its_number_of_members_and_the_owner_is_not_one_of_them() {
    for (plan, seats) in
        [("free", Some(1)), ("business", Some(1)), ("growth", Some(3)), ("scale", Some(10))]
    {
        let seed = SEED.replace("subscriptions: [growth]", &format!("subscriptions: [{plan}]"));
        let service = TestService::start_with(&seed).await;
        assert_eq!(service.seats().await["limit"], json!(seats), "{plan}");
        invite_many(&service, seats.unwrap()).await;
        let refused = service.invite("more@example.com", "developer").await;
        let detail = text(&refused.refused(409, "seat-limit-reached")["detail"]);
        for way_out in ["remove a member", "revoke a pending invitation", "upgrade the plan"] {
            assert!(detail.contains(way_out), "{detail}");
        }
        let used = service.seats().await;
        assert_eq!((&used["used"], &used["breakdown"]["owner"]), (&json!(seats), &json!(1)));
        service.stop().await;
    }
    let custom = SEED.replace("subscriptions: [growth]", "subscriptions: [custom]");
    let service = TestService::start_with(&custom).await;
    invite_many(&service, 25).await;
    assert_eq!(service.seats().await["limit"], Value::Null);
    service.stop().await;
}

// rule: NP-03
// rule: NP-04
#[tokio::test]
async fn without_a_subscription_one_member_of_any_role_fits_and_an_admin_can_pick_the_plan() {
    let automatic = |settings: &mut seatkeeper::server::Settings| {
        settings.confirm_plans = ConfirmPlans::Auto;
    };
    let service = TestService::start_as(SEED, automatic).await;
    let invite_as = |email: &'static str, role: &'static str| {
        let call = service.call(Method::POST, "/v1/accounts/other/invitations");
        call.token(OTHER_TOKEN).key(email).json(&json!({ "email": email, "role": role })).send()
    };
    let invite = |email: &'static str| invite_as(email, "admin");
    for (email, role) in [("bil@example.com", "biller"), ("dev@example.com", "developer")] {
        let row = invite_as(email, role).await.expect(StatusCode::CREATED);
        let revoke = format!("/v1/accounts/other/invitations/{}/revoke", text(&row["id"]));
        let call = service.call(Method::POST, &revoke).token(OTHER_TOKEN).if_match("*");
        call.send().await.expect(StatusCode::OK);
    }
    invite("ada@example.com").await.expect(StatusCode::CREATED);
    invite("two@example.com").await.refused(409, "seat-limit-reached");

    let mut ada = service.browser();
    ada.accept_by_sign_up(&service.link_to("ada@example.com").await).await;
    let page = ada.open("/accounts/other").await;
    assert!(page.text().contains("Plan none"), "{}", page.text());
    let action = "/accounts/other/subscriptions";
    let page = ada.submit(&page, action, &[("plan", "growth")]).await;
    assert!(page.text().contains("Plan growth"), "{}", page.text());
    invite("three@example.com").await.expect(StatusCode::CREATED);
    service.stop().await;
}

// rule: NP-04
#[tokio::test]
async fn whoever_opens_an_account_is_its_owner() {
    let service = TestService::start().await;
    let new = json!({
        "name": "New", "slug": "new", "profile": "nitropack", "owner_email": "Una@Example.com",
    });
    let open = || service.call(Method::POST, "/v1/accounts").token(VENDOR_TOKEN).json(&new);
    let account = open().key("k").send().await.expect(StatusCode::CREATED);
    assert_eq!(account["seats"]["breakdown"]["owner"], 1);
    assert_eq!(account["seats"]["source"], "none");
    let again = open().key("k").send().await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    open().key("other").send().await.refused(409, "slug-taken");
    let by_account =
        service.call(Method::POST, "/v1/accounts").token(TOKEN).json(&new).send().await;
    by_account.refused(403, "forbidden");
    service.stop().await;
}

// rule: NP-09
#[tokio::test]
async fn a_removal_is_asked_for_first_and_ends_access_at_once() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "admin").await.expect(StatusCode::CREATED);
    let mut ana = service.browser();
    ana.accept_by_sign_up(&service.link_to("ana@example.com").await).await;
    assert_eq!(ana.open("/accounts/acme").await.status, StatusCode::OK);
    let member = service.member("ana@example.com").await;

    let mut owner = service.browser();
    owner.sign_in("owner@example.com", PASSWORD).await;
    let action = format!("/accounts/acme/members/{}/remove", text(&member["id"]));
    let page = owner.open(&action).await;
    assert!(page.text().contains("Remove ana@example.com from Acme?"), "{}", page.text());
    assert_eq!(service.people().await, "ana:admin:active", "asking removes nobody");
    owner.submit(&page, &action, &[]).await;

    assert_eq!(service.people().await, "");
    assert_eq!(ana.open("/accounts/acme").await.status, StatusCode::NOT_FOUND);
    let deleted = service.list("/v1/accounts/acme/members?state=deleted").await;
    assert_eq!(
        (&deleted[0]["email"], &deleted[0]["ended_by"]),
        (&member["email"], &json!("member"))
    );
    assert_eq!(service.seats().await["used"], 0);
    service.stop().await;
}

// rule: NP-02
// rule: NP-12
#[tokio::test]
async fn what_is_not_granted_stays_locked_on_the_page_and_is_refused() {
    let service = TestService::start().await;
    let menus = [
        ("biller", "Invoices Billing", "Dashboard Analytics Websites Integrations Settings Team"),
        (
            "developer",
            "Dashboard Analytics Integrations Settings",
            "Websites Invoices Billing Team",
        ),
    ];
    for (role, open, locked) in menus {
        let email = format!("{role}@example.com");
        service.invite(&email, role).await.expect(StatusCode::CREATED);
        let mut person = service.browser();
        let home = person.accept_by_sign_up(&service.link_to(&email).await).await;
        for entry in open.split(' ') {
            assert!(home.html.contains(&format!("<li>{entry}</li>")), "{role}: {entry}");
        }
        for entry in locked.split(' ') {
            let item = format!("<li class=\"locked\" aria-disabled=\"true\">{entry}</li>");
            assert!(home.html.contains(&item), "{role}: {entry} is not locked");
        }
        let page = person.open("/accounts/acme/members").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text());
        let mark = home.mark("/signout").unwrap();
        let form = [("mark", mark.as_str()), ("email", "x@example.com"), ("role", "biller")];
        let page = person.post("/accounts/acme/members", &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text());
    }
    assert_eq!(service.list("/v1/accounts/acme/invitations").await, Vec::<Value>::new());

    service.invite("admin@example.com", "admin").await.expect(StatusCode::CREATED);
    let mut admin = service.browser();
    let home = admin.accept_by_sign_up(&service.link_to("admin@example.com").await).await;
    assert!(!home.html.contains("class=\"locked\""), "an admin has full control");
    assert_eq!(admin.open("/accounts/acme/members").await.status, StatusCode::OK);
    service.stop().await;
}

// rule: NP-13
#[tokio::test]
async fn the_highest_tier_sets_the_limit_and_cancelling_a_lower_one_changes_nothing() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    three_members(&service).await;
    let (seats, people) = (service.seats().await, service.people().await);
    assert_eq!((&seats["limit"], &seats["source"]), (&json!(3), &json!("growth")));
    let mails = service.mails().await.len();

    service.cancel("business").await;
    assert_eq!((service.seats().await, service.people().await), (seats, people));
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(account["state"], "active");
    let told: Vec<_> =
        service.mails().await.split_off(mails).into_iter().map(|mail| mail.template).collect();
    assert_eq!(told, ["billing"], "who receives billing hears of it, and nobody else of anything");
    service.stop().await;
}

// rule: NP-14
#[tokio::test]
async fn shrink_trims_by_date_added_whatever_the_role_owners_kept() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    three_members(&service).await;
    service.cancel("growth").await;
    assert_eq!(
        service.people().await,
        "ana:biller:active ben2:developer:trimmed cyd:admin:trimmed"
    );
    let seats = service.seats().await;
    assert_eq!((&seats["limit"], &seats["used"]), (&json!(1), &json!(1)));
    assert_eq!(
        seats["breakdown"],
        json!({"owner": 1, "active": 1, "pending": 0, "trimmed": 2, "client_access": 0})
    );
    let owner = service.member("owner@example.com").await;
    assert_eq!(owner["state"], "active", "owners are kept");
    service.stop().await;
}

#[tokio::test]
async fn a_shrink_revokes_pending_invitations_first_newest_first() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    service.join("ana@example.com", "biller").await;
    service.clock.advance(SignedDuration::from_mins(1));
    for email in ["two@example.com", "three@example.com"] {
        service.invite(email, "developer").await.expect(StatusCode::CREATED);
        service.clock.advance(SignedDuration::from_mins(1));
    }
    service.cancel("growth").await;
    assert_eq!(service.people().await, "ana:biller:active");
    assert_eq!(service.list("/v1/accounts/acme/invitations").await, Vec::<Value>::new());
    let revoked = service.list("/v1/accounts/acme/invitations?state=revoked").await;
    assert_eq!(revoked.len(), 2);
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let order: Vec<_> = events
        .iter()
        .filter(|event| event["action"] == "invitation.revoked")
        .map(|event| text(&event["before"]["email"]))
        .collect();
    assert_eq!(order, ["three@example.com", "two@example.com"]);
    service.stop().await;
}

// rule: NP-15
#[tokio::test]
async fn the_last_paid_subscription_ends_with_its_period_and_then_the_service_is_disabled() {
    let service = TestService::start().await;
    let ana = service.join("ana@example.com", "biller").await;
    let ending = service.cancel("growth").await;
    assert_eq!(ending["state"], "ending");
    assert_eq!(ending["ends_at"], ending["period_end"]);
    assert_eq!(service.seats().await["limit"], 3, "the plan holds until the end of the period");
    service.pass(DAY * 29).await;
    service.invite("last@example.com", "biller").await.expect(StatusCode::CREATED);

    service.pass(DAY).await;
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!((&account["state"], &account["seats"]["limit"]), (&json!("disabled"), &json!(1)));
    service.invite("more@example.com", "biller").await.refused(409, "service-disabled");
    let claim = json!({ "claim": { "installation_id": "one", "fingerprint": "here" } });
    let patch = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN);
    let claim = patch.if_match(&text(&account["etag"])).json(&claim).send().await;
    claim.expect(StatusCode::OK); // An operator may still remove people.
    let path = format!("/v1/accounts/acme/members/{}", text(&ana["id"]));
    let etag = text(&ana["etag"]);
    let patch = service.call(Method::PATCH, &path).token(TOKEN).if_match(&etag);
    patch.json(&json!({ "role": "admin" })).send().await.refused(409, "service-disabled");
    let mut owner = service.browser();
    let page = owner.sign_in("owner@example.com", PASSWORD).await;
    assert_eq!(page.status, StatusCode::OK, "signing in works");
    assert!(owner.open("/accounts/acme").await.text().contains("is disabled"));
    let remove = service.call(Method::DELETE, &path).token(TOKEN).if_match(&etag).send().await;
    remove.expect(StatusCode::NO_CONTENT);

    service.subscribe("business").await;
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(account["state"], "active");
    service.invite("more@example.com", "biller").await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn a_subscription_that_nobody_cancels_renews_by_itself() {
    let service = TestService::start().await;
    let before = service.list("/v1/accounts/acme/subscriptions").await[0].clone();
    service.pass(DAY * 70).await;
    let after = service.list("/v1/accounts/acme/subscriptions").await[0].clone();
    assert_eq!(after["state"], "active");
    let end = |row: &Value| text(&row["period_end"]).parse::<jiff::Timestamp>().unwrap();
    assert_eq!(end(&after), end(&before) + DAY * 60);
    assert_eq!(service.get("/v1/accounts/acme").await.body["state"], "active");
    service.stop().await;
}

#[tokio::test]
async fn a_new_plan_lifts_a_pending_end() {
    let service = TestService::start().await;
    service.cancel("growth").await;
    service.subscribe("scale").await;
    service.pass(DAY * 31).await;
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(
        (&account["state"], &account["seats"]["source"]),
        (&json!("active"), &json!("scale"))
    );
    service.stop().await;
}

// rule: X7
#[tokio::test]
async fn pending_invitations_take_a_seat_and_give_it_back_when_revoked_declined_or_expired() {
    let service = TestService::start().await;
    invite_many(&service, 3).await;
    service.invite("more@example.com", "biller").await.refused(409, "seat-limit-reached");

    let waiting = service.list("/v1/accounts/acme/invitations").await;
    let revoke = format!("/v1/accounts/acme/invitations/{}/revoke", text(&waiting[0]["id"]));
    let call = service.call(Method::POST, &revoke).token(TOKEN);
    call.if_match(&text(&waiting[0]["etag"])).send().await.expect(StatusCode::OK);
    assert_eq!(service.seats().await["used"], 2);

    let mut browser = service.browser();
    let page = browser.open(&service.link_to("p1@example.com").await).await;
    browser.submit(&page, &format!("{}/decline", page.path), &[]).await;
    assert_eq!(service.seats().await["used"], 1);

    service.clock.advance(DAY * 31);
    assert_eq!(service.seats().await["used"], 0, "an overdue one counts no more, swept or not");
    service.stop().await;
}

// rule: X16
#[tokio::test]
async fn people_are_trimmed_by_the_date_they_were_invited_not_by_the_date_they_joined() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    for email in ["ana@example.com", "ben2@example.com"] {
        service.invite(email, "developer").await.expect(StatusCode::CREATED);
        service.clock.advance(SignedDuration::from_hours(1));
    }
    service.browser().accept_by_sign_up(&service.link_to("ben2@example.com").await).await;
    service.clock.advance(DAY);
    let waiting = service.list("/v1/accounts/acme/invitations").await[0].clone();
    let resend = format!("/v1/accounts/acme/invitations/{}/resend", text(&waiting["id"]));
    let call = service.call(Method::POST, &resend).token(TOKEN).key("again");
    let resent = call.if_match(&text(&waiting["etag"])).send().await.expect(StatusCode::OK);
    assert_eq!(resent["created_at"], waiting["created_at"], "a renewed invitation keeps its date");
    service.clock.advance(DAY);
    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;

    service.cancel("growth").await;
    assert_eq!(service.member("ana@example.com").await["state"], "active");
    assert_eq!(service.member("ben2@example.com").await["state"], "trimmed");
    service.stop().await;
}

// rule: X18
#[tokio::test]
async fn trimmed_people_keep_their_place_and_come_back_in_order_without_an_invitation() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    three_members(&service).await;
    let before = service.member("cyd@example.com").await;
    service.cancel("growth").await;
    let trimmed = service.member("cyd@example.com").await;
    assert_eq!(trimmed["trimmed_at"], json!(service.clock.now().to_string()));
    for kept in ["id", "role", "added_at", "joined_at"] {
        assert_eq!(trimmed[kept], before[kept], "{kept}");
    }
    let mut cyd = service.browser();
    cyd.sign_in("cyd@example.com", PASSWORD).await;
    assert_eq!(cyd.open("/accounts/acme").await.status, StatusCode::NOT_FOUND, "access is off");
    service.invite("new@example.com", "biller").await.refused(409, "trimmed-members-wait");

    let ana = service.member("ana@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&ana["id"]));
    let call = service.call(Method::DELETE, &path).token(TOKEN);
    call.if_match(&text(&ana["etag"])).send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(service.people().await, "ben2:developer:active cyd:admin:trimmed");

    service.subscribe("growth").await;
    assert_eq!(service.people().await, "ben2:developer:active cyd:admin:active");
    assert_eq!(cyd.open("/accounts/acme").await.status, StatusCode::OK, "access is on");
    let mails = service.mails().await;
    let told = |template: &str| {
        let mails = mails.iter().filter(|mail| mail.template == template);
        mails.map(|mail| mail.to.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(told("invitation").len(), 3, "nobody was invited again");
    assert_eq!(told("trimmed"), ["cyd@example.com", "ben2@example.com"]);
    assert_eq!(told("reinstated"), ["ben2@example.com", "cyd@example.com"]);
    service.stop().await;
}

// rule: X18
#[tokio::test]
async fn in_a_claimed_account_a_shrink_is_announced_and_enforced_a_day_later() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    three_members(&service).await;
    claim(&service).await;
    let now = service.clock.now();
    service.cancel("growth").await;
    let seats = service.seats().await;
    assert_eq!(seats["over_limit_since"], json!(now.to_string()));
    assert_eq!(seats["enforce_at"], json!((now + DAY).to_string()));
    service.pass(SignedDuration::from_hours(23)).await;
    assert_eq!(service.seats().await["breakdown"]["trimmed"], 0, "the operator decides first");

    service.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(
        service.people().await,
        "ana:biller:active ben2:developer:trimmed cyd:admin:trimmed"
    );
    let seats = service.seats().await;
    assert_eq!((&seats["over_limit_since"], &seats["enforce_at"]), (&Value::Null, &Value::Null));

    service.subscribe("scale").await;
    assert_eq!(service.seats().await["breakdown"]["trimmed"], 2, "the operator brings them back");
    service.pass(SignedDuration::from_hours(23)).await;
    assert_eq!(service.seats().await["breakdown"]["trimmed"], 2);
    service.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(service.seats().await["breakdown"]["trimmed"], 0, "after a day the service does");
    service.stop().await;
}

// rule: X18
#[tokio::test]
async fn an_operator_may_trim_before_the_day_is_over_and_bring_people_back_itself() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    three_members(&service).await;
    claim(&service).await;
    service.cancel("growth").await;
    for email in ["cyd@example.com", "ben2@example.com"] {
        act(&service, email, "trim").await.expect(StatusCode::OK);
    }
    let seats = service.seats().await;
    assert_eq!((&seats["enforce_at"], &seats["used"]), (&Value::Null, &json!(1)));
    act(&service, "ben2@example.com", "reinstate").await.refused(409, "seat-limit-reached");

    service.subscribe("growth").await;
    let back = act(&service, "ben2@example.com", "reinstate").await.expect(StatusCode::OK);
    assert_eq!((&back["state"], &back["trimmed_at"]), (&json!("active"), &Value::Null));
    act(&service, "ben2@example.com", "reinstate").await.refused(409, "member-state");
    service.stop().await;
}

async fn act(service: &TestService, email: &str, verb: &str) -> crate::service::Answer {
    let member = service.member(email).await;
    let path = format!("/v1/accounts/acme/members/{}/{verb}", text(&member["id"]));
    let key = format!("{verb}-{email}-{}", text(&member["etag"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key(&key);
    call.if_match(&text(&member["etag"])).send().await
}

// rule: X15
#[tokio::test]
async fn the_role_of_a_pending_invitation_changes_in_place_without_a_mail() {
    let service = TestService::start().await;
    let before = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/invitations/{}", text(&before["id"]));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match(&text(&before["etag"]));
    let after = call.json(&json!({ "role": "admin" })).send().await.expect(StatusCode::OK);
    assert_eq!((&after["role"], &after["id"]), (&json!("admin"), &before["id"]));
    assert_eq!(service.mails().await.len(), 1);
    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;
    assert_eq!(service.people().await, "ana:admin:active");
    service.stop().await;
}

// rule: OP-09
#[tokio::test]
async fn another_spelling_of_an_address_is_the_same_person() {
    let service = TestService::start().await;
    let first = service.invite("Ana@Bücher.example", "biller").await.expect(StatusCode::CREATED);
    assert_eq!(first["email"], "ana@xn--bcher-kva.example");
    let again = service.invite("ANA@xn--BCHER-kva.example", "biller").await;
    let problem = again.refused(409, "invitation-already-pending");
    let href = text(&problem["existing"]["href"]);
    assert_eq!(service.get(&href).await.expect(StatusCode::OK)["id"], first["id"]);
    service.browser().accept_by_sign_up(&service.link_to("ana@xn--bcher-kva.example").await).await;
    let again = service.invite("ana@BÜCHER.example", "admin").await;
    let problem = again.refused(409, "already-member");
    let href = text(&problem["existing"]["href"]);
    assert_eq!(service.get(&href).await.expect(StatusCode::OK)["role"], "biller");
    assert_eq!(service.mails().await.len(), 1);
    service.stop().await;
}
