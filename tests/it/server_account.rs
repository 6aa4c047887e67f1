//! What an owner decides about an account: secure sign-in, its end, its client's record; and
//! invitations in bulk.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, TOKEN, TestService, VENDOR_TOKEN, text};
use crate::teams::{self, Org};

/// An account where secure sign-in can be required: Gus signs in by Google, the others by password.
const SEED: &str = r#"
vendorTokens:
  - token: vendor-token-for-tests
users:
  - {email: gus@example.com, name: Gus, password: correct horse battery, signIn: google}
accounts:
  - name: Acme
    slug: acme
    profile: digitalocean
    owner: {email: olga@example.com, name: Olga, password: correct horse battery, signIn: github}
    members:
      - {email: gus@example.com, name: Gus, role: member}
      - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-that-only-grows, scopes: [read, invite]}
      - {token: acme-token-for-reading, scopes: [read]}
      - {token: token-of-mia-with-all-scopes, email: mia@example.com, scopes: [read, invite, change, remove, billing, manage]}
  - name: Portal
    slug: portal
    profile: portal
    owner: {email: otto@example.com, name: Otto, password: correct horse battery}
    subscriptions: [team]
    members:
      - {email: ada@example.com, name: Ada, role: admin, password: correct horse battery}
    tokens:
      - {token: portal-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-ada-with-all-scopes, email: ada@example.com, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-otto-with-all-scopes, email: otto@example.com, scopes: [read, invite, change, remove, billing, manage]}
  - name: Pack
    slug: pack
    profile: nitropack
    owner: {email: nina@example.com, name: Nina, password: correct horse battery}
    members:
      - {email: abe@example.com, name: Abe, role: admin, password: correct horse battery}
    tokens:
      - {token: token-of-abe-with-all-scopes, email: abe@example.com, scopes: [read, invite, change, remove, billing, manage]}
      - {token: pack-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

const PORTAL: &str = "portal-token-of-all-scopes";
const PACK: &str = "pack-token-of-all-scopes";
const MIA: &str = "token-of-mia-with-all-scopes";

async fn start() -> TestService {
    TestService::start_with(SEED).await
}

async fn get(service: &TestService, token: &str, path: &str) -> Answer {
    service.call(Method::GET, path).token(token).send().await
}

async fn patch(service: &TestService, slug: &str, token: &str, body: &Value) -> Answer {
    let path = format!("/v1/accounts/{slug}");
    service.call(Method::PATCH, &path).token(token).if_match("*").json(body).send().await
}

async fn batch(service: &TestService, slug: &str, token: &str, body: &Value) -> Answer {
    let path = format!("/v1/accounts/{slug}/invitations/batch");
    let key = uuid::Uuid::new_v4().to_string();
    service.call(Method::POST, &path).token(token).key(&key).json(body).send().await
}

async fn told(service: &TestService, template: &str) -> Vec<String> {
    let mails = service.mails().await;
    mails.into_iter().filter(|mail| mail.template == template).map(|mail| mail.to).collect()
}

// rule: X13
#[tokio::test]
async fn who_has_no_secure_sign_in_keeps_access_until_the_next_sign_in_and_is_told() {
    let service = start().await;
    let mut before = service.browser();
    before.sign_in("mia@example.com", PASSWORD).await;
    service.clock.advance(SignedDuration::from_secs(1));
    let on = json!({ "secure_sign_in_required": true });
    let account = patch(&service, "acme", TOKEN, &on).await.expect(StatusCode::OK);
    assert_eq!(account["secure_sign_in_required"], true);
    assert_eq!(told(&service, "secure-sign-in-required").await, ["mia@example.com"]);
    service.clock.advance(SignedDuration::from_secs(1));

    assert_eq!(before.open("/accounts/acme").await.status, StatusCode::OK);
    get(&service, MIA, "/v1/accounts/acme").await.expect(StatusCode::OK);
    let mut next = service.browser();
    next.sign_in("mia@example.com", PASSWORD).await;
    let page = next.open("/accounts/acme").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text().contains("more than a password"), "{}", page.text());
    let mut gus = service.browser();
    gus.sign_in("gus@example.com", PASSWORD).await;
    assert_eq!(gus.open("/accounts/acme").await.status, StatusCode::OK);

    // A token made since then is no way around it.
    let body = json!({ "kind": "personal", "name": "Way", "scopes": ["read"] });
    let made = service.call(Method::POST, "/v1/accounts/acme/tokens").token(MIA).json(&body);
    let secret = text(&made.send().await.expect(StatusCode::CREATED)["secret"]);
    get(&service, &secret, "/v1/accounts/acme").await.refused(403, "secure-sign-in-required");

    let off = json!({ "secure_sign_in_required": false });
    patch(&service, "acme", TOKEN, &off).await.expect(StatusCode::OK);
    let log = service.list("/v1/accounts/acme/audit-events").await;
    let log = log.iter().filter(|event| event["action"] == "account.secure_sign_in");
    let said: Vec<_> = log.map(|event| (&event["before"], &event["after"])).collect();
    let (on, off) = (json!(true), json!(false));
    assert_eq!(said, [(&off, &on), (&on, &off)]);
    assert_eq!(next.open("/accounts/acme").await.status, StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn secure_sign_in_is_required_only_where_the_product_has_it_and_by_who_manages_the_account() {
    let service = start().await;
    let on = json!({ "secure_sign_in_required": true });
    patch(&service, "pack", PACK, &on).await.refused(409, "not-offered");
    patch(&service, "acme", MIA, &on).await.refused(403, "forbidden");
    patch(&service, "acme", "acme-token-that-only-grows", &on).await.refused(403, "scope-missing");
    patch(&service, "acme", VENDOR_TOKEN, &on).await.refused(403, "forbidden");
    service.sql("update accounts set disabled = 1 where slug = 'acme'").await;
    patch(&service, "acme", TOKEN, &on).await.refused(409, "service-disabled");
    let account = get(&service, TOKEN, "/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(account["secure_sign_in_required"], false);
    service.stop().await;
}

#[tokio::test]
async fn the_vendor_alone_says_which_account_is_an_agency() {
    let service = start().await;
    let on = json!({ "agency": true });
    patch(&service, "pack", PACK, &on).await.refused(403, "forbidden");
    patch(&service, "acme", VENDOR_TOKEN, &on).await.refused(409, "not-offered");
    let account = patch(&service, "pack", VENDOR_TOKEN, &on).await.expect(StatusCode::OK);
    assert_eq!(account["agency"], true);
    let both = json!({ "agency": false, "name": "Mine" });
    patch(&service, "pack", VENDOR_TOKEN, &both).await.refused(403, "forbidden");
    service.stop().await;
}

// rule: DO-05
#[tokio::test]
async fn owners_see_how_each_member_signs_in_and_members_do_not() {
    let service = start().await;
    let members = "/v1/accounts/acme/members";
    let shown = |answer: Answer| {
        let body = answer.expect(StatusCode::OK);
        let rows = body["items"].as_array().unwrap().clone();
        rows.iter().map(|row| row["sign_in_method"].clone()).collect::<Vec<_>>()
    };
    let of_owner = shown(get(&service, TOKEN, members).await);
    assert_eq!(of_owner, [json!("github"), json!("google"), json!("email")]);
    let of_member = shown(get(&service, MIA, members).await);
    assert_eq!(of_member, [Value::Null, Value::Null, Value::Null]);
    let gus = service.member("gus@example.com").await;
    let path = format!("{members}/{}", text(&gus["id"]));
    assert_eq!(
        get(&service, TOKEN, &path).await.expect(StatusCode::OK)["sign_in_method"],
        "google"
    );
    assert_eq!(get(&service, MIA, &path).await.body["sign_in_method"], Value::Null);
    // The etag that came with the method serves for a change.
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match(&text(&gus["etag"]));
    call.json(&json!({ "role": "biller" })).send().await.expect(StatusCode::OK);
    service.stop().await;
}

// rule: DO-06
#[tokio::test]
async fn several_addresses_are_invited_at_once_and_secure_sign_in_may_be_required_with_it() {
    let service = start().await;
    let body = json!({
        "emails": ["one@example.com", "two@example.com", "One@example.com"],
        "role": "biller",
        "require_secure_sign_in": true,
    });
    let grower = "acme-token-that-only-grows";
    batch(&service, "acme", grower, &body).await.refused(403, "scope-missing");
    let done = batch(&service, "acme", TOKEN, &body).await.expect(StatusCode::OK);
    assert_eq!((&done["created"], &done["refused"]), (&json!(2), &json!(1)));
    assert_eq!(done["items"][2]["problem"]["code"], "invitation-already-pending");
    assert_eq!(told(&service, "invitation").await, ["one@example.com", "two@example.com"]);
    let invited = service.list("/v1/accounts/acme/invitations").await;
    assert!(invited.iter().all(|row| row["role"] == "biller"), "one role: {invited:?}");
    let account = get(&service, TOKEN, "/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(account["secure_sign_in_required"], true);
    assert_eq!(told(&service, "secure-sign-in-required").await, ["mia@example.com"]);
    // Where it is required already, nothing more is needed to say so again.
    let again =
        json!({ "emails": ["six@example.com"], "role": "biller", "require_secure_sign_in": true });
    batch(&service, "acme", grower, &again).await.expect(StatusCode::OK);
    assert_eq!(told(&service, "secure-sign-in-required").await.len(), 1);
    service.stop().await;
}

// rule: X13
#[tokio::test]
async fn one_invitation_may_require_secure_sign_in_of_the_whole_team_too() {
    let service = start().await;
    let body =
        json!({ "email": "one@example.com", "role": "biller", "require_secure_sign_in": true });
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN).key("k");
    call.json(&body).send().await.expect(StatusCode::CREATED);
    let account = get(&service, TOKEN, "/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(account["secure_sign_in_required"], true);
    assert_eq!(told(&service, "secure-sign-in-required").await, ["mia@example.com"]);
    service.stop().await;
}

// rule: PO-03
#[tokio::test]
async fn bad_and_repeated_lines_are_reported_one_by_one_and_the_good_ones_go_out() {
    let service = start().await;
    let lines = [
        "a@example.com",
        "not an address",
        " A@Example.com ",
        "ada@example.com",
        "b@example.com",
        "",
        "b@example.com",
    ];
    let body = json!({ "emails": lines, "role": "member" });
    let done = batch(&service, "portal", PORTAL, &body).await.expect(StatusCode::OK);
    assert_eq!((&done["created"], &done["refused"]), (&json!(2), &json!(5)));
    let items = done["items"].as_array().unwrap();
    let said: Vec<_> = items
        .iter()
        .map(|item| match item["problem"]["code"].as_str() {
            Some(code) => format!("{} {code}", text(&item["problem"]["pointer"])),
            None => text(&item["invitation"]["email"]),
        })
        .collect();
    assert_eq!(
        said,
        [
            "a@example.com",
            "/emails/1 invalid-request",
            "/emails/2 invitation-already-pending",
            "/emails/3 already-member",
            "b@example.com",
            "/emails/5 invalid-request",
            "/emails/6 invitation-already-pending",
        ]
    );
    let first = text(&items[0]["invitation"]["id"]);
    assert!(text(&items[2]["problem"]["existing"]["href"]).ends_with(&first));
    assert_eq!(told(&service, "invitation").await, ["a@example.com", "b@example.com"]);
    service.stop().await;
}

#[tokio::test]
async fn seats_of_a_batch_are_taken_in_the_order_of_its_lines() {
    let service = start().await;
    let lines: Vec<_> = (0..12).map(|at| format!("p{at}@example.com")).collect();
    let body = json!({ "emails": lines, "role": "member" });
    let done = batch(&service, "portal", PORTAL, &body).await.expect(StatusCode::OK);
    // Ten seats, of which owner and admin have two.
    assert_eq!((&done["created"], &done["refused"]), (&json!(8), &json!(4)));
    let items = done["items"].as_array().unwrap();
    assert!(items[..8].iter().all(|item| item["problem"] == Value::Null));
    assert!(items[8..].iter().all(|item| item["problem"]["code"] == "seat-limit-reached"));
    service.stop().await;
}

#[tokio::test]
async fn a_batch_is_one_call_under_one_key_and_refused_as_a_whole_where_all_of_it_is_wrong() {
    let service = start().await;
    let body = json!({ "emails": ["a@example.com"], "role": "member" });
    let path = "/v1/accounts/portal/invitations/batch";
    let call = || service.call(Method::POST, path).token(PORTAL).json(&body);
    call().send().await.refused(400, "idempotency-key-required");
    let first = call().key("k").send().await.expect(StatusCode::OK);
    let again = call().key("k").send().await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(StatusCode::OK), first);
    assert_eq!(told(&service, "invitation").await.len(), 1);

    let with = |field: &str, value: Value| {
        let mut body = json!({ "emails": ["z@example.com"], "role": "member" });
        body[field] = value;
        body
    };
    for (body, pointer) in [
        (with("emails", json!([])), "/emails"),
        (with("emails", json!(vec!["z@example.com"; 501])), "/emails"),
        (with("role", json!("emperor")), "/role"),
        (with("external_ref", json!("x")), "/external_ref"),
    ] {
        let refused =
            batch(&service, "portal", PORTAL, &body).await.refused(400, "invalid-request");
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    let owner = with("role", json!("owner"));
    batch(&service, "portal", PORTAL, &owner).await.refused(409, "role-not-invitable");
    let one = json!({ "emails": ["z@example.com"], "role": "developer" });
    batch(&service, "pack", PACK, &one).await.refused(409, "not-offered");
    let reader = "acme-token-for-reading";
    let one = json!({ "emails": ["z@example.com"], "role": "member" });
    batch(&service, "acme", reader, &one).await.refused(403, "scope-missing");
    assert_eq!(told(&service, "invitation").await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn an_account_and_an_address_get_no_more_invitation_mails_than_the_limits_say() {
    let service = TestService::start_as(SEED, |settings| {
        settings.invite_limits.per_account_hour = 3.try_into().unwrap();
        settings.invite_limits.per_address_day = 2.try_into().unwrap();
    })
    .await;
    service.invite("a@example.com", "member").await.expect(StatusCode::CREATED);
    let resend = async || {
        let row = service.list("/v1/accounts/acme/invitations").await[0].clone();
        let path = format!("/v1/accounts/acme/invitations/{}/resend", text(&row["id"]));
        let key = uuid::Uuid::new_v4().to_string();
        let call = service.call(Method::POST, &path).token(TOKEN).key(&key);
        call.if_match(&text(&row["etag"])).send().await
    };
    service.clock.advance(SignedDuration::from_mins(30));
    resend().await.expect(StatusCode::OK);
    let refused = resend().await;
    assert_eq!(refused.header("retry-after"), (23 * 3600 + 1801).to_string());
    refused.refused(429, "rate-limited");
    // The account's own bucket is the next to be empty; lines of a batch say so one by one.
    let body = json!({ "emails": ["b@example.com", "c@example.com"], "role": "member" });
    let done = batch(&service, "acme", TOKEN, &body).await.expect(StatusCode::OK);
    assert_eq!(done["items"][1]["problem"]["code"], "rate-limited");
    assert_eq!(done["items"][1]["problem"]["retryable"], true);
    let refused = service.invite("d@example.com", "member").await;
    assert_eq!(refused.header("retry-after"), "1801");
    service.clock.advance(SignedDuration::from_mins(31));
    service.invite("d@example.com", "member").await.expect(StatusCode::CREATED);
    service.stop().await;
}

// rule: DO-06
#[tokio::test]
async fn a_batch_that_invites_nobody_requires_secure_sign_in_of_nobody() {
    let service = start().await;
    let account = async || get(&service, TOKEN, "/v1/accounts/acme").await.body;
    let batch_of = async |emails: Value| {
        let body = json!({ "emails": emails, "role": "member", "require_secure_sign_in": true });
        batch(&service, "acme", TOKEN, &body).await
    };
    let before = account().await;
    let done = batch_of(json!(["no address", "mia@example.com"])).await.expect(StatusCode::OK);
    assert_eq!((&done["created"], &done["refused"]), (&json!(0), &json!(2)));
    assert_eq!(account().await["secure_sign_in_required"], before["secure_sign_in_required"]);
    assert_eq!(told(&service, "secure-sign-in-required").await, [""; 0]);
    let done = batch_of(json!(["no address", "new@example.com"])).await.expect(StatusCode::OK);
    assert_eq!(done["created"], 1);
    assert_ne!(account().await["secure_sign_in_required"], before["secure_sign_in_required"]);
    assert_eq!(told(&service, "secure-sign-in-required").await, ["mia@example.com"]);
    service.stop().await;
}

#[tokio::test]
async fn a_refused_line_of_a_batch_leaves_nothing_behind() {
    let rules =
        include_str!("../../profiles/catalogue.yaml").replace("bulk: none", "bulk: lines").replace(
            "  team-admin:\n    scope: team\n",
            "  team-admin:\n    scope: team\n    holders: {max: 2}\n",
        );
    let profile = seatkeeper::profile::read("p.yaml", &rules).expect("a profile");
    let service = TestService::start_as(teams::SEED, |settings| {
        settings.profiles.insert("catalogue".to_owned(), profile.into());
    });
    let org = Org { service: service.await };
    let team = org.id("Design").await;
    // Pia is in the account already, so she would be added at once; Tom and Ted are all there may be.
    let body = json!({ "emails": ["pia@example.com"], "role": "team-admin", "team": team });
    let done = batch(&org.service, "acme", TOKEN, &body).await.expect(StatusCode::OK);
    assert_eq!(done["items"][0]["problem"]["code"], "role-holders");
    assert_eq!(org.service.list(teams::INVITATIONS).await, Vec::<Value>::new());
    org.stop().await;
}

#[tokio::test]
async fn a_batch_with_lines_that_find_no_seat_tells_those_who_may_invite() {
    let service = start().await;
    let lines: Vec<_> = (0..9).map(|at| format!("p{at}@example.com")).collect();
    let body = json!({ "emails": lines, "role": "member" });
    let done = batch(&service, "portal", PORTAL, &body).await.expect(StatusCode::OK);
    assert_eq!((&done["created"], &done["refused"]), (&json!(8), &json!(1)));
    assert_eq!(told(&service, "seats-short").await, ["ada@example.com", "otto@example.com"]);
    batch(&service, "portal", PORTAL, &body).await.expect(StatusCode::OK);
    assert_eq!(told(&service, "seats-short").await.len(), 2, "once a day");
    service.stop().await;
}

// rule: PO-05
#[tokio::test]
async fn only_the_owner_deletes_the_account_and_nothing_of_it_is_found_afterwards() {
    let service = start().await;
    let path = "/v1/accounts/portal";
    let invite = json!({ "emails": ["new@example.com"], "role": "member" });
    batch(&service, "portal", PORTAL, &invite).await.expect(StatusCode::OK);
    let link = service.link_to("new@example.com").await;
    let delete = |token: &'static str| service.call(Method::DELETE, path).token(token);
    let ada = "token-of-ada-with-all-scopes";
    delete(ada).if_match("*").send().await.refused(403, "forbidden");
    delete(VENDOR_TOKEN).if_match("*").send().await.refused(403, "forbidden");
    // An admin of another product manages the account, and is no owner for that.
    let pack = service.call(Method::DELETE, "/v1/accounts/pack");
    let pack = pack.token("token-of-abe-with-all-scopes").if_match("*").send().await;
    pack.refused(403, "forbidden");
    let otto = "token-of-otto-with-all-scopes";
    delete(otto).send().await.refused(428, "if-match-required");
    delete(otto).if_match("\"99\"").send().await.refused(412, "stale");
    let etag = text(&get(&service, otto, path).await.expect(StatusCode::OK)["etag"]);
    assert_eq!(delete(otto).if_match(&etag).send().await.status, StatusCode::NO_CONTENT);

    for token in [otto, ada, PORTAL] {
        get(&service, token, path).await.refused(401, "unauthenticated");
    }
    get(&service, VENDOR_TOKEN, path).await.refused(404, "not-found");
    assert_eq!(told(&service, "removed").await, ["otto@example.com", "ada@example.com"]);
    let mut browser = service.browser();
    browser.sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(browser.open("/accounts/portal").await.status, StatusCode::NOT_FOUND);
    assert!(!browser.open("/").await.text().contains("Portal"));
    assert_eq!(service.browser().open(&link).await.status, StatusCode::NOT_FOUND);
    assert!(service.stored().await.contains("account.deleted"), "what happened in it is kept");
    // Nothing of it falls due, and its short name is free.
    service.pass(SignedDuration::from_hours(24 * 60)).await;
    assert_eq!(service.running().run_due().await.unwrap(), 0);
    let body = json!({ "name": "New", "slug": "portal", "profile": "portal", "owner_email": "n@example.com" });
    let open = service.call(Method::POST, "/v1/accounts").token(VENDOR_TOKEN).json(&body);
    open.send().await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn the_clients_record_is_written_under_its_version_and_is_no_change_of_the_account() {
    let service = start().await;
    let path = "/v1/accounts/acme/client-state";
    let before = service.get("/v1/accounts/acme").await.expect(StatusCode::OK)["etag"].clone();
    service.get(path).await.refused(404, "not-found");
    let put = |body: &'static str| {
        let call = service.call(Method::PUT, path).token(TOKEN);
        call.header("content-type", "application/json").body(body)
    };
    put("{}").send().await.refused(428, "if-match-required");
    put("{}").if_match("\"1\"").send().await.refused(412, "stale");
    let first = put(r#"{"z":1,"a":12345678901234567890.5}"#).header("if-none-match", "*").send();
    let first = first.await;
    assert_eq!((first.status, first.header("etag")), (StatusCode::NO_CONTENT, "\"1\""));
    put("{}").header("if-none-match", "*").send().await.refused(412, "stale");
    let read = service.http.get(format!("{}{path}", service.base)).bearer_auth(TOKEN);
    assert_eq!(
        read.send().await.unwrap().text().await.unwrap(),
        r#"{"z":1,"a":12345678901234567890.5}"#
    );
    let second = put("[2]").if_match("\"1\"").send().await;
    assert_eq!((second.status, second.header("etag")), (StatusCode::NO_CONTENT, "\"2\""));
    put("[3]").if_match("\"1\"").send().await.refused(412, "stale");
    put("not json").if_match("\"2\"").send().await.refused(400, "not-json");
    let same = service.call(Method::GET, path).token(TOKEN).header("if-none-match", "\"2\"");
    assert_eq!(same.send().await.status, StatusCode::NOT_MODIFIED);
    get(&service, MIA, path).await.refused(403, "forbidden");
    get(&service, "acme-token-for-reading", path).await.refused(403, "scope-missing");
    get(&service, PORTAL, path).await.refused(404, "not-found");
    assert_eq!(service.get("/v1/accounts/acme").await.body["etag"], before);
    service.stop().await;
}

#[tokio::test]
async fn the_audit_log_forgets_what_is_older_than_its_retention_and_nothing_else() {
    let service = TestService::start_as(SEED, |settings| {
        settings.audit_retention = Some(SignedDuration::from_hours(24 * 30));
    })
    .await;
    let log = "/v1/accounts/acme/audit-events";
    let before = service.list(log).await.len();
    service.pass(SignedDuration::from_hours(24 * 29)).await;
    assert_eq!(service.list(log).await.len(), before);
    service.invite("a@example.com", "member").await.expect(StatusCode::CREATED);
    service.pass(SignedDuration::from_hours(24)).await;
    let rows = service.list(log).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["action"], "invitation.created");
    let page = service.get(log).await.expect(StatusCode::OK);
    assert_eq!((&page["total"], &page["as_of"]), (&json!(1), &rows[0]["position"]));
    service.stop().await;
}
