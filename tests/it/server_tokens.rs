//! Tokens of an account and of its members.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, TestService, VENDOR_TOKEN, text};

const SEED: &str = r#"
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: portal
    owner: {email: olga@example.com, name: Olga, password: correct horse battery}
    subscriptions: [team]
    members:
      - {email: ada@example.com, name: Ada, role: admin, password: correct horse battery}
      - {email: max@example.com, name: Max, role: member, password: correct horse battery}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-without-billing, scopes: [read, invite, manage]}
      - {token: acme-token-for-reading, scopes: [read]}
      - {token: token-of-olga-with-all-scopes, email: olga@example.com, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-ada-with-all-scopes, email: ada@example.com, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-max-with-all-scopes, email: max@example.com, scopes: [read, invite, change, remove, billing, manage]}
  - name: Other
    slug: other
    profile: portal
    owner: {email: otto@example.com, name: Otto, password: correct horse battery}
    tokens:
      - {token: other-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

const TOKENS: &str = "/v1/accounts/acme/tokens";
const ACME: &str = "acme-token-of-all-scopes";
const OLGA: &str = "token-of-olga-with-all-scopes";
const ADA: &str = "token-of-ada-with-all-scopes";
const MAX: &str = "token-of-max-with-all-scopes";
const OTHER: &str = "other-token-of-all-scopes";

async fn make(service: &TestService, by: &str, kind: &str, scopes: &[&str]) -> Answer {
    make_of(service, by, &json!({ "kind": kind, "name": "Backup job", "scopes": scopes })).await
}

async fn make_of(service: &TestService, by: &str, body: &Value) -> Answer {
    service.call(Method::POST, TOKENS).token(by).json(body).send().await
}

async fn read_as(service: &TestService, token: &str, path: &str) -> Answer {
    service.call(Method::GET, path).token(token).send().await
}

async fn remove_member(service: &TestService, email: &str) {
    let row = service.member(email).await;
    let path = format!("/v1/accounts/acme/members/{}", text(&row["id"]));
    let call = service.call(Method::DELETE, &path).token(ACME).if_match(&text(&row["etag"]));
    assert_eq!(call.send().await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_token_is_made_with_a_secret_that_is_shown_once_and_works_until_it_is_taken_away() {
    let service = TestService::start_with(SEED).await;
    let body = json!({ "kind": "account", "name": "Backup job", "scopes": ["read"] });
    let create = || service.call(Method::POST, TOKENS).token(ACME).key("make").json(&body).send();
    let made = create().await.expect(StatusCode::CREATED);
    let secret = text(&made["secret"]);
    assert!(secret.starts_with("skt_") && secret.len() > 40, "{secret}");
    create().await.refused(409, "secret-not-repeatable");
    let created: jiff::Timestamp = text(&made["created_at"]).parse().unwrap();
    let expires: jiff::Timestamp = text(&made["expires_at"]).parse().unwrap();
    assert_eq!(expires.duration_since(created), SignedDuration::from_hours(90 * 24));

    read_as(&service, &secret, "/v1/accounts/acme").await.expect(StatusCode::OK);
    make_of(&service, &secret, &body).await.refused(403, "scope-missing");
    let listed = service.list(TOKENS).await;
    let row = listed.iter().find(|row| row["id"] == made["id"]).unwrap();
    assert_eq!(row["secret"], Value::Null);
    let log = serde_json::to_string(&service.list("/v1/accounts/acme/audit-events").await).unwrap();
    assert!(log.contains("token.made") && !log.contains(&secret), "{log}");

    let path = format!("{TOKENS}/{}", text(&made["id"]));
    let take = service.call(Method::DELETE, &path).token(ACME).if_match(&text(&row["etag"]));
    assert_eq!(take.send().await.status, StatusCode::NO_CONTENT);
    read_as(&service, &secret, "/v1/accounts/acme").await.refused(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test]
async fn a_token_works_no_longer_than_it_was_made_for() {
    let service = TestService::start_with(SEED).await;
    let body = |days: u32| json!({ "kind": "account", "name": "Job", "scopes": ["read"], "expires_in_days": days });
    let made = make_of(&service, ACME, &body(1)).await.expect(StatusCode::CREATED);
    let secret = text(&made["secret"]);
    service.clock.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    read_as(&service, &secret, "/v1/accounts/acme").await.expect(StatusCode::OK);
    service.clock.advance(SignedDuration::from_secs(1));
    read_as(&service, &secret, "/v1/accounts/acme").await.refused(401, "unauthenticated");
    for days in [0, 367] {
        let refused = make_of(&service, ACME, &body(days)).await.refused(400, "invalid-request");
        assert_eq!(refused["errors"][0]["pointer"], "/expires_in_days");
    }
    service.stop().await;
}

#[tokio::test]
async fn no_token_makes_one_that_may_more_than_itself() {
    let service = TestService::start_with(SEED).await;
    let narrow = "acme-token-without-billing";
    make(&service, narrow, "account", &["read", "billing"]).await.refused(403, "scope-missing");
    make(&service, narrow, "account", &["read", "remove"]).await.refused(403, "scope-missing");
    make(&service, narrow, "account", &["read", "manage"]).await.expect(StatusCode::CREATED);
    let reader = "acme-token-for-reading";
    make(&service, reader, "account", &["read"]).await.refused(403, "scope-missing");
    // What reaches as far as an owner is made by owners only.
    make(&service, ADA, "account", &["read"]).await.refused(403, "forbidden");
    make(&service, MAX, "account", &["read"]).await.refused(403, "forbidden");
    make(&service, OLGA, "account", &["read"]).await.expect(StatusCode::CREATED);
    // A personal token is a person's.
    make(&service, ACME, "personal", &["read"]).await.refused(403, "forbidden");
    make(&service, VENDOR_TOKEN, "personal", &["read"]).await.refused(403, "forbidden");
    make(&service, VENDOR_TOKEN, "account", &["read"]).await.refused(403, "forbidden");
    make(&service, OTHER, "account", &["read"]).await.refused(404, "not-found");
    make(&service, ACME, "vendor", &["read"]).await.refused(400, "invalid-request");
    service.stop().await;
}

#[tokio::test]
async fn no_token_of_an_account_makes_one_that_lasts_longer_than_itself() {
    let service = TestService::start_with(SEED).await;
    let body = |days: u32| {
        let scopes = ["read", "manage"];
        json!({ "kind": "account", "name": "Job", "scopes": scopes, "expires_in_days": days })
    };
    let made = make_of(&service, OLGA, &body(2)).await.expect(StatusCode::CREATED);
    let secret = text(&made["secret"]);
    for days in [3, 366] {
        let refused = make_of(&service, &secret, &body(days)).await.refused(400, "invalid-request");
        assert_eq!(refused["errors"][0]["pointer"], "/expires_in_days");
    }
    let next = make_of(&service, &secret, &body(2)).await.expect(StatusCode::CREATED);
    assert_eq!(next["expires_at"], made["expires_at"]);
    service.clock.advance(SignedDuration::from_secs(1));
    make_of(&service, &secret, &body(2)).await.refused(400, "invalid-request");
    make_of(&service, &secret, &body(1)).await.expect(StatusCode::CREATED);
    // An owner, in person, does.
    make_of(&service, OLGA, &body(366)).await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn a_personal_token_may_what_the_present_role_may_and_no_more_than_its_scopes() {
    let service = TestService::start_with(SEED).await;
    let made = make(&service, ADA, "personal", &["read", "invite"]).await;
    let secret = text(&made.expect(StatusCode::CREATED)["secret"]);
    let invite = |email: &'static str| {
        let body = json!({ "email": email, "role": "member" });
        let call = service.call(Method::POST, "/v1/accounts/acme/invitations").token(&secret);
        call.key(email).json(&body).send()
    };
    invite("one@example.com").await.expect(StatusCode::CREATED);
    read_as(&service, &secret, TOKENS).await.refused(403, "scope-missing");
    let ada = service.member("ada@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&ada["id"]));
    let demote = service.call(Method::PATCH, &path).token(ACME).if_match(&text(&ada["etag"]));
    demote.json(&json!({ "role": "member" })).send().await.expect(StatusCode::OK);
    invite("two@example.com").await.refused(403, "forbidden");
    read_as(&service, &secret, "/v1/accounts/acme/members").await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn removal_ends_that_persons_sessions_and_personal_tokens_in_that_scope() {
    let service = TestService::start_with(SEED).await;
    let made = make(&service, MAX, "personal", &["read", "manage"]).await;
    let secret = text(&made.expect(StatusCode::CREATED)["secret"]);
    let mut max = service.browser();
    max.sign_in("max@example.com", PASSWORD).await;
    assert_eq!(max.open("/accounts/acme/members").await.status, StatusCode::OK);
    remove_member(&service, "max@example.com").await;
    assert_eq!(max.open("/accounts/acme/members").await.status, StatusCode::NOT_FOUND);
    for token in [MAX, &secret] {
        read_as(&service, token, "/v1/accounts/acme").await.refused(401, "unauthenticated");
    }
    // Whoever comes back begins anew.
    let body = json!({ "email": "max@example.com", "role": "member" });
    let again = service.call(Method::POST, "/v1/accounts/acme/invitations").token(ACME);
    again.key("again").json(&body).send().await.expect(StatusCode::CREATED);
    max.accept_signed_in(&service.link_to("max@example.com").await).await;
    read_as(&service, &secret, "/v1/accounts/acme").await.refused(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test]
async fn everybody_sees_and_takes_away_their_own_tokens_and_managers_all() {
    let service = TestService::start_with(SEED).await;
    let own = make(&service, MAX, "personal", &["read"]).await.expect(StatusCode::CREATED);
    let theirs = make(&service, ADA, "personal", &["read"]).await.expect(StatusCode::CREATED);
    let listed = read_as(&service, MAX, TOKENS).await.expect(StatusCode::OK);
    assert_eq!(listed["total"], 2);
    let mut emails = listed["items"].as_array().unwrap().iter().map(|row| text(&row["email"]));
    assert!(emails.all(|email| email == "max@example.com"), "{listed}");
    assert_eq!(read_as(&service, OLGA, TOKENS).await.expect(StatusCode::OK)["total"], 8);
    let take = |by: &'static str, row: &Value| {
        let path = format!("{TOKENS}/{}", text(&row["id"]));
        service.call(Method::DELETE, &path).token(by).if_match(&text(&row["etag"])).send()
    };
    take(MAX, &theirs).await.refused(404, "not-found");
    take(OTHER, &theirs).await.refused(404, "not-found");
    assert_eq!(take(MAX, &own).await.status, StatusCode::NO_CONTENT);
    assert_eq!(take(ACME, &theirs).await.status, StatusCode::NO_CONTENT);
    service.stop().await;
}

#[tokio::test]
async fn an_account_token_outlives_its_maker_and_the_page_that_removes_the_person_names_it() {
    let seed = SEED.replace("profile: portal", "profile: generic");
    let seed = seed.replace("    subscriptions: [team]\n", "");
    let service = TestService::start_with(&seed).await;
    // A second owner, so that the first can go.
    let ada = service.member("ada@example.com").await;
    let body = json!({ "member": ada["id"] });
    let ask = service.call(Method::POST, "/v1/accounts/acme/ownership-changes").token(ACME);
    ask.key("ask").json(&body).send().await.expect(StatusCode::CREATED);
    for email in ["olga@example.com", "ada@example.com"] {
        let link = service.link_to(email).await;
        let mut browser = service.browser();
        browser.sign_in(email, PASSWORD).await;
        let page = browser.open(&link).await;
        browser.submit(&page, &format!("{}/accept", page.path), &[]).await;
    }
    let made = make(&service, ADA, "account", &["read", "manage"]).await;
    let made = made.expect(StatusCode::CREATED);
    let secret = text(&made["secret"]);
    let next = json!({ "kind": "account", "name": "Its successor", "scopes": ["read", "manage"] });
    let next = make_of(&service, &secret, &next).await.expect(StatusCode::CREATED);
    assert_eq!(next["made_by"], made["made_by"]);
    let third = json!({ "kind": "account", "name": "The next", "scopes": ["read"] });
    make_of(&service, &text(&next["secret"]), &third).await.expect(StatusCode::CREATED);
    let mut olga = service.browser();
    olga.sign_in("olga@example.com", PASSWORD).await;
    let path = format!("/accounts/acme/members/{}/remove", text(&ada["id"]));
    let page = olga.open(&path).await;
    assert!(
        page.text().contains("keep working: Backup job, Its successor, The next."),
        "{}",
        page.text()
    );
    olga.submit(&page, &path, &[]).await;
    read_as(&service, &secret, "/v1/accounts/acme").await.expect(StatusCode::OK);
    read_as(&service, ADA, "/v1/accounts/acme").await.refused(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test]
async fn unknown_and_forbidden_fields_of_a_token_are_refused() {
    let service = TestService::start_with(SEED).await;
    for (field, value) in [
        ("secret", json!("skt_of_my_own_choice_0000000000")),
        ("email", json!("olga@example.com")),
        ("made_by", json!("service")),
        ("id", json!("tok_1")),
        ("account_id", json!("acc_1")),
        ("scopes", json!([])),
        ("scopes", json!(["read", "read"])),
        ("scopes", json!(["root"])),
        ("name", json!("")),
        ("kind", json!("everything")),
    ] {
        let mut body = json!({ "kind": "account", "name": "Job", "scopes": ["read"] });
        body[field] = value;
        let refused = make_of(&service, ACME, &body).await.refused(400, "invalid-request");
        let pointer = text(&refused["errors"][0]["pointer"]);
        assert!(pointer.starts_with(&format!("/{field}")), "{pointer}");
    }
    service.stop().await;
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let service = TestService::start_with(SEED).await;
    let made = make(&service, ACME, "account", &["read"]).await.expect(StatusCode::CREATED);
    let secret = text(&made["secret"]);
    let other = if secret.ends_with('0') { "1" } else { "0" };
    let other = format!("{}{other}", &secret[..secret.len() - 1]);
    for forged in [other.as_str(), "skt_", "", &secret.to_uppercase(), &text(&made["id"])] {
        read_as(&service, forged, "/v1/accounts/acme").await.refused(401, "unauthenticated");
    }
    service.stop().await;
}
