//! Domains and joining by them (PO-11, X6).

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::{Admin, Dns, DnsError, Resolver, Settings, TokenOf};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;
use tokio::net::UdpSocket;

use crate::service::{Answer, OTHER_TOKEN, PASSWORD, TOKEN, TestService, VENDOR_TOKEN, text};

const DOMAINS: &str = "/v1/accounts/acme/domains";
const REQUESTS: &str = "/v1/accounts/acme/join-requests";

/// `acme` and `other` of the profile `portal`, the first with ten seats, the second with one.
const SEED: &str = r"
vendorTokens:
  - token: vendor-token-for-tests
users:
  - {email: ben@example.com, name: Ben, password: correct horse battery}
accounts:
  - name: Acme
    slug: acme
    profile: portal
    owner: {email: owner@acme.example, name: Olga, password: correct horse battery}
    subscriptions: [team]
    members:
      - {email: eve@example.com, name: Eve, role: member}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-for-reading, scopes: [read]}
  - name: Other
    slug: other
    profile: portal
    owner: {email: owner@other.example, name: Otto, password: correct horse battery}
    tokens:
      - {token: other-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
  - name: Plain
    slug: plain
    profile: nitropack
    owner: {email: owner@plain.example, name: Pia}
    tokens:
      - {token: plain-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// Records by name; a name that is down does not answer.
#[derive(Clone, Default)]
pub struct FakeDns(Arc<Mutex<BTreeMap<String, Option<String>>>>);

impl FakeDns {
    /// Publishes the record that proves a domain.
    pub fn publish(&self, domain: &Value) {
        let (name, value) = (&domain["challenge"]["name"], &domain["challenge"]["value"]);
        self.0.lock().unwrap().insert(text(name), Some(text(value)));
    }

    fn put(&self, name: &str, value: Option<&str>) {
        self.0.lock().unwrap().insert(name.to_owned(), value.map(str::to_owned));
    }

    /// Takes a record away.
    pub fn withdraw(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
}

#[async_trait]
impl Resolver for FakeDns {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        match self.0.lock().unwrap().get(name) {
            Some(Some(value)) => Ok(vec!["v=spf1 -all".to_owned(), value.clone()]),
            Some(None) => Err(DnsError::Late),
            None => Ok(vec![]),
        }
    }
}

async fn start_with(change: impl FnOnce(&mut Settings)) -> (TestService, FakeDns) {
    let dns = FakeDns::default();
    let used = Arc::new(dns.clone());
    let service = TestService::start_as(SEED, |settings| {
        settings.dns = used;
        change(settings);
    });
    (service.await, dns)
}

async fn start() -> (TestService, FakeDns) {
    start_with(|_| ()).await
}

async fn add_as(service: &TestService, token: &str, account: &str, name: &str) -> Answer {
    let path = format!("/v1/accounts/{account}/domains");
    let call = service.call(Method::POST, &path).token(token);
    call.json(&json!({ "name": name })).send().await
}

async fn add(service: &TestService, name: &str) -> Value {
    add_as(service, TOKEN, "acme", name).await.expect(StatusCode::CREATED)
}

async fn verify_as(service: &TestService, token: &str, account: &str, id: &Value) -> Answer {
    let path = format!("/v1/accounts/{account}/domains/{}/verify", text(id));
    service.call(Method::POST, &path).token(token).if_match("*").send().await
}

async fn verify(service: &TestService, id: &Value) -> Answer {
    verify_as(service, TOKEN, "acme", id).await
}

async fn auto_join(service: &TestService, id: &Value, on: bool) -> Value {
    let path = format!("{DOMAINS}/{}", text(id));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match("*");
    call.json(&json!({ "auto_join": on })).send().await.expect(StatusCode::OK)
}

/// A verified domain of `acme` whose people join.
async fn joinable(service: &TestService, dns: &FakeDns, name: &str) -> Value {
    let domain = add(service, name).await;
    dns.publish(&domain);
    verify(service, &domain["id"]).await.expect(StatusCode::OK);
    auto_join(service, &domain["id"], true).await
}

#[tokio::test]
async fn a_verification_is_answered_again_under_its_key_while_the_dns_is_down() {
    let (service, dns) = start().await;
    let domain = add(&service, "example.com").await;
    dns.publish(&domain);
    let path = format!("{DOMAINS}/{}/verify", text(&domain["id"]));
    let verify = |token: &'static str| {
        let call = service.call(Method::POST, &path).token(token);
        call.key("verify").if_match("*").send()
    };
    let first = verify(TOKEN).await.expect(StatusCode::OK);
    dns.put(&text(&domain["challenge"]["name"]), None);
    let again = verify(TOKEN).await;
    assert_eq!(again.header("idempotency-replayed"), "true", "{}", again.body);
    assert_eq!(again.expect(StatusCode::OK), first);
    verify("acme-token-for-reading").await.refused(403, "scope-missing");
    service.stop().await;
}

/// Signs up on the page, through the mailed link.
pub async fn sign_up(service: &TestService, email: &str) {
    let mut browser = service.browser();
    let page = browser.open("/signup").await;
    browser.submit(&page, "/signup", &[("email", email)]).await;
    let page = browser.open(&service.link_to(&email.to_lowercase()).await).await;
    let action = page.path.clone();
    let page = browser.submit(&page, &action, &[("name", "New"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
}

async fn decide(service: &TestService, request: &Value, verb: &str) -> Answer {
    let path = format!("{REQUESTS}/{}/{verb}", text(&request["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN);
    call.if_match(&text(&request["etag"])).send().await
}

async fn domain(service: &TestService) -> Value {
    service.list(DOMAINS).await[0].clone()
}

#[tokio::test]
async fn a_domain_is_proved_by_its_record_and_by_nothing_else() {
    let (service, dns) = start().await;
    let row = add(&service, "Example.COM.").await;
    assert_eq!((&row["name"], &row["state"]), (&json!("example.com"), &json!("pending")));
    assert_eq!(row["challenge"]["name"], "_seatkeeper-challenge.example.com");
    let value = text(&row["challenge"]["value"]);
    assert!(value.starts_with("seatkeeper-verify=") && value.len() > 60, "{value}");
    let of_another = add(&service, "example.org").await["challenge"]["value"].clone();
    assert_ne!(of_another, row["challenge"]["value"]);

    verify(&service, &row["id"]).await.refused(409, "challenge-missing");
    dns.put("_seatkeeper-challenge.example.com", of_another.as_str());
    verify(&service, &row["id"]).await.refused(409, "challenge-missing");
    dns.put("_seatkeeper-challenge.example.com", None);
    let problem = verify(&service, &row["id"]).await.refused(503, "dns-failed");
    assert_eq!(problem["retryable"], true);
    assert_eq!(domain(&service).await, row, "nothing has changed");
    dns.publish(&row);
    let verified = verify(&service, &row["id"]).await.expect(StatusCode::OK);
    assert_eq!((&verified["state"], &verified["auto_join"]), (&json!("verified"), &json!(false)));

    let path = format!("{DOMAINS}/{}", text(&row["id"]));
    let patch = service.call(Method::PATCH, &path).token(TOKEN).if_match(&text(&row["etag"]));
    patch.json(&json!({ "auto_join": true })).send().await.refused(412, "stale");
    let read = service.call(Method::DELETE, &path).token("acme-token-for-reading").if_match("*");
    read.send().await.refused(403, "scope-missing");
    let remove = service.call(Method::DELETE, &path).token(TOKEN);
    let removed = remove.if_match(&text(&verified["etag"])).send().await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(service.list(DOMAINS).await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_name_is_that_of_a_domain_in_its_one_spelling() {
    let (service, _) = start().await;
    for (name, canonical) in [
        ("Bücher.Example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVB.example", ""),
        ("mail.example.co.uk.", "mail.example.co.uk"),
        ("com", ""),
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("127.1", ""),
        ("0x7f.0x1", ""),
        ("::1", ""),
        ("[::1]", ""),
        ("ana@example.com", ""),
        ("a..example", ""),
        ("exa_mple.com", ""),
        ("exa mple.com", ""),
        (".example.com", ""),
        ("", ""),
    ] {
        let answer = add_as(&service, TOKEN, "acme", name).await;
        if canonical.is_empty() {
            let problem = answer.refused(400, "invalid-request");
            assert_eq!(problem["errors"][0]["pointer"], "/name", "{name}");
        } else {
            assert_eq!(answer.expect(StatusCode::CREATED)["name"], canonical, "{name}");
        }
    }
    let long = format!("{}.example", ["a".repeat(60).as_str(); 4].join("."));
    add_as(&service, TOKEN, "acme", &long).await.refused(400, "invalid-request");
    add(&service, "example.com").await;
    add_as(&service, TOKEN, "acme", "EXAMPLE.com").await.refused(409, "row-state");
    service.stop().await;
}

#[tokio::test]
async fn a_product_without_joining_by_domain_takes_none() {
    let (service, _) = start().await;
    let token = "plain-token-of-all-scopes";
    add_as(&service, token, "plain", "example.com").await.refused(409, "not-offered");
    service.stop().await;
}

#[tokio::test]
async fn a_verified_domain_belongs_to_one_account_matches_exactly_is_re_checked_daily() {
    let (service, dns) = start().await;
    let ours = joinable(&service, &dns, "example.com").await;
    let theirs = add_as(&service, OTHER_TOKEN, "other", "example.com").await;
    let theirs = theirs.expect(StatusCode::CREATED);
    dns.publish(&theirs);
    let taken = verify_as(&service, OTHER_TOKEN, "other", &theirs["id"]).await;
    taken.refused(409, "domain-taken");
    dns.publish(&ours);

    for email in ["sub@mail.example.com", "not@notexample.com", "up@com.example"] {
        sign_up(&service, email).await;
    }
    assert_eq!(service.people().await, "eve:member:active");

    // A day without an answer, a day with one: nothing is lost.
    let day = SignedDuration::from_hours(24);
    dns.put("_seatkeeper-challenge.example.com", None);
    service.pass(day).await;
    let checked_at = domain(&service).await["checked_at"].clone();
    assert_eq!(checked_at, ours["checked_at"]);
    for _ in 0..5 {
        service.pass(day).await;
    }
    assert_eq!(domain(&service).await["state"], "verified");
    dns.publish(&ours);
    service.pass(SignedDuration::from_hours(1)).await;
    assert_ne!(domain(&service).await["checked_at"], checked_at);

    // Gone for two days and back; then gone for three.
    for (there, state) in [
        (false, "verified"),
        (false, "verified"),
        (true, "verified"),
        (false, "verified"),
        (false, "verified"),
        (false, "lapsed"),
    ] {
        match there {
            true => dns.publish(&ours),
            false => dns.withdraw("_seatkeeper-challenge.example.com"),
        }
        service.pass(day).await;
        assert_eq!(domain(&service).await["state"], state);
        service.pass(SignedDuration::from_secs(1)).await;
    }
    sign_up(&service, "late@example.com").await;
    assert_eq!(service.people().await, "eve:member:active");
    assert_eq!(service.list(REQUESTS).await, Vec::<Value>::new());
    dns.publish(&theirs);
    let taken = verify_as(&service, OTHER_TOKEN, "other", &theirs["id"]).await;
    taken.expect(StatusCode::OK);
    dns.publish(&ours);
    verify(&service, &ours["id"]).await.refused(409, "domain-taken");
    service.stop().await;
}

// rule: PO-11
#[tokio::test]
async fn who_signs_up_with_an_address_in_a_verified_domain_is_a_member_and_takes_a_seat() {
    let (service, dns) = start().await;
    let row = joinable(&service, &dns, "example.com").await;
    let used = service.seats().await["used"].as_u64().unwrap();
    sign_up(&service, "Ana@EXAMPLE.com").await;
    let ana = service.member("ana@example.com").await;
    assert_eq!((&ana["role"], &ana["state"]), (&json!("member"), &json!("active")));
    assert_eq!(service.seats().await["used"], used + 1);
    let mails = service.mails().await;
    assert!(mails.iter().all(|mail| mail.template != "invitation"), "without an invitation");

    // An invitation of another account proves the address too.
    let plan = service.call(Method::POST, "/v1/accounts/other/subscriptions").token(VENDOR_TOKEN);
    plan.new_key().json(&json!({ "plan": "team" })).send().await.expect(StatusCode::CREATED);
    let invite = service.call(Method::POST, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let body = json!({ "email": "cleo@example.com", "role": "member" });
    invite.key("1").json(&body).send().await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_up(&service.link_to("cleo@example.com").await).await;
    assert_eq!(service.member("cleo@example.com").await["role"], "member");

    // Switched off, nobody joins.
    auto_join(&service, &row["id"], false).await;
    sign_up(&service, "dan@example.com").await;
    assert_eq!(service.people().await, "eve:member:active ana:member:active cleo:member:active");
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let joined: Vec<_> = events.iter().filter(|event| event["subject"] == ana["id"]).collect();
    assert_eq!((joined.len(), &joined[0]["actor"]), (1, &json!("service")));
    service.stop().await;
}

#[tokio::test]
async fn every_change_of_a_domain_and_of_who_asks_to_join_has_an_audit_row() {
    let (service, dns) = start().await;
    let from = service.list("/v1/accounts/acme/audit-events").await.len();
    let row = joinable(&service, &dns, "example.com").await;
    service.cancel("team").await;
    for name in ["ana", "bea"] {
        sign_up(&service, &format!("{name}@example.com")).await;
    }
    service.subscribe("team").await;
    let requests = service.list(REQUESTS).await;
    for (request, verb) in requests.iter().zip(["approve", "reject"]) {
        decide(&service, request, verb).await.expect(StatusCode::OK);
    }
    dns.withdraw("_seatkeeper-challenge.example.com");
    for _ in 0..3 {
        service.pass(SignedDuration::from_hours(24)).await;
    }
    let path = format!("{DOMAINS}/{}", text(&row["id"]));
    let remove = service.call(Method::DELETE, &path).token(TOKEN).if_match("*").send().await;
    remove.expect(StatusCode::NO_CONTENT);
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let told = events[from..].iter().map(|event| {
        let side = |side: &Value| if side.is_null() { '-' } else { '+' };
        format!("{} {}{}", text(&event["action"]), side(&event["before"]), side(&event["after"]))
    });
    let told: Vec<_> = told.filter(|told| !told.starts_with("subscription.")).collect();
    assert_eq!(
        told,
        [
            "domain.created -+",
            "domain.verified ++",
            "domain.changed ++",
            "join_request.created -+",
            "join_request.created -+",
            "join_request.approved ++",
            "member.added -+",
            "join_request.rejected ++",
            "domain.lapsed ++",
            "domain.removed +-",
        ]
    );
    service.stop().await;
}

#[tokio::test]
async fn who_is_invited_already_joins_by_the_invitation() {
    let (service, dns) = start().await;
    joinable(&service, &dns, "example.com").await;
    service.invite("ana@example.com", "admin").await.expect(StatusCode::CREATED);
    let link = service.link_to("ana@example.com").await;
    sign_up(&service, "ana@example.com").await;
    assert_eq!(service.people().await, "eve:member:active");
    service.browser().accept_by_sign_in(&link).await;
    assert_eq!(service.people().await, "eve:member:active ana:admin:active");
    service.stop().await;
}

// rule: X6
#[tokio::test]
async fn at_a_full_account_a_join_request_waits_for_those_who_may_invite() {
    let (service, dns) = start().await;
    joinable(&service, &dns, "example.com").await;
    service.cancel("team").await;
    for name in ["ana", "bea"] {
        sign_up(&service, &format!("{name}@example.com")).await;
    }
    assert_eq!(service.people().await, "eve:member:active");
    let mails = service.mails().await;
    let told = mails.iter().filter(|mail| mail.template == "seats-short");
    let told: Vec<_> = told.map(|mail| mail.to.as_str()).collect();
    assert_eq!(told, ["owner@acme.example"], "those who may invite hear of it");
    let requests = service.list(REQUESTS).await;
    let emails: Vec<_> = requests.iter().map(|row| text(&row["email"])).collect();
    assert_eq!(emails, ["ana@example.com", "bea@example.com"]);
    assert_eq!(
        (&requests[0]["domain"], &requests[0]["state"]),
        (&json!("example.com"), &json!("open"))
    );
    let reader = service.call(Method::GET, REQUESTS).token("acme-token-for-reading").send().await;
    reader.refused(403, "scope-missing");
    decide(&service, &requests[0], "approve").await.refused(409, "seat-limit-reached");

    service.subscribe("team").await;
    let approved = decide(&service, &requests[0], "approve").await.expect(StatusCode::OK);
    assert_eq!(approved["state"], "approved");
    decide(&service, &requests[0], "reject").await.refused(412, "stale");
    decide(&service, &approved, "reject").await.refused(409, "row-state");
    decide(&service, &requests[1], "reject").await.expect(StatusCode::OK);
    assert_eq!(service.people().await, "eve:member:active ana:member:active");
    assert_eq!(service.list(REQUESTS).await, Vec::<Value>::new());
    assert_eq!(service.list(&format!("{REQUESTS}?state=rejected")).await.len(), 1);
    service.stop().await;
}

// rule: X6
#[tokio::test]
async fn a_profile_can_let_people_in_over_the_limit() {
    let text = include_str!("../../profiles/portal.yaml");
    let text = text.replace("overLimit: request", "overLimit: allow");
    let (service, dns) = start_with(|settings| {
        let profile = seatkeeper::profile::read("portal.yaml", &text).unwrap();
        settings.profiles.insert("portal".to_owned(), Arc::new(profile));
    })
    .await;
    joinable(&service, &dns, "example.com").await;
    service.cancel("team").await;
    sign_up(&service, "ana@example.com").await;
    assert_eq!(service.people().await, "eve:member:active ana:member:active");
    assert_eq!(service.list(REQUESTS).await, Vec::<Value>::new());
    service.stop().await;
}

/// Asks for a person, under a key of its own.
async fn ask_for(service: &TestService, token: &str, account: &str, email: &str) -> Answer {
    let path = format!("/v1/accounts/{account}/join-requests");
    let call = service.call(Method::POST, &path).token(token).new_key();
    call.json(&json!({ "email": email })).send().await
}

#[tokio::test]
async fn one_person_who_waits_to_join_and_is_invited_takes_one_seat() {
    let (service, dns) = start().await;
    joinable(&service, &dns, "example.com").await;
    service.cancel("team").await;
    for email in ["ana@example.com", "bea@example.com"] {
        sign_up(&service, email).await;
    }
    service.subscribe("team").await;
    let used = async || service.seats().await["used"].as_u64().unwrap();
    let before = used().await;
    let body = json!({ "email": "ana@example.com", "role": "admin", "external_ref": "ref-of-ana" });
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN).new_key();
    let invited = call.json(&body).send().await.expect(StatusCode::CREATED);
    let link_of_ana = service.link_to("ana@example.com").await;
    service.invite("bea@example.com", "member").await.expect(StatusCode::CREATED);
    let link = service.link_to("bea@example.com").await;
    // The plan is full but for the seats that the invitations hold.
    for number in 0.. {
        let answer = service.invite(&format!("p{number}@example.com"), "member").await;
        if answer.status != StatusCode::CREATED {
            break;
        }
    }
    service.clock.advance(SignedDuration::from_hours(1));

    // The invitation has a role that somebody chose: the request gives way to it.
    let requests = service.list(REQUESTS).await;
    let full = used().await;
    let refused = decide(&service, &requests[0], "approve").await;
    let refused = refused.refused(409, "invitation-already-pending");
    let path = format!("/invitations/{}", text(&invited["id"]));
    assert!(text(&refused["existing"]["href"]).ends_with(&path), "{refused}");
    assert_eq!((used().await, full), (10, 10));

    // Accepted: the request waits for nobody any more.
    service.browser().accept_by_sign_in(&link_of_ana).await;
    let ana = service.member("ana@example.com").await;
    assert_eq!((&ana["role"], &ana["external_ref"]), (&json!("admin"), &json!("ref-of-ana")));
    assert_eq!(ana["added_at"], invited["created_at"]);
    service.browser().accept_by_sign_in(&link).await;
    assert_eq!(service.list(REQUESTS).await, Vec::<Value>::new());
    assert_eq!(service.list(&format!("{REQUESTS}?state=approved")).await.len(), 2);
    assert_eq!((used().await, before), (10, 2));
    service.stop().await;
}

#[tokio::test]
async fn approving_a_join_request_does_not_undo_an_invitation_beyond_the_reach_of_who_approves() {
    let eve = "{email: eve@example.com, name: Eve, role: ";
    let token = "    tokens:\n      - {token: personal-token-of-eve, email: eve@example.com, \
                 scopes: [read, invite]}\n";
    let seed = SEED
        .replacen(&format!("{eve}member}}"), &format!("{eve}admin, password: {PASSWORD}}}"), 1)
        .replacen("    tokens:\n", token, 1);
    let dns = FakeDns::default();
    let used = Arc::new(dns.clone());
    let service = TestService::start_as(&seed, |settings| settings.dns = used).await;
    joinable(&service, &dns, "example.com").await;
    service.cancel("team").await;
    sign_up(&service, "zed@example.com").await;
    service.subscribe("team").await;
    let request = service.list(REQUESTS).await[0].clone();
    // Where only the owner acts on admins.
    let invited = service.invite("zed@example.com", "admin").await.expect(StatusCode::CREATED);
    let path = format!("{REQUESTS}/{}/approve", text(&request["id"]));
    let call = service.call(Method::POST, &path).token("personal-token-of-eve").if_match("*");
    call.send().await.refused(409, "invitation-already-pending");
    let path = format!("/v1/accounts/acme/invitations/{}", text(&invited["id"]));
    assert_eq!(service.get(&path).await.expect(StatusCode::OK)["state"], "pending");
    service.browser().accept_by_sign_in(&service.link_to("zed@example.com").await).await;
    assert_eq!(service.people().await, "eve:admin:active zed:admin:active");
    service.stop().await;
}

// rule: X6
#[tokio::test]
async fn who_signed_up_before_the_domain_was_verified_can_be_asked_for() {
    let (service, dns) = start().await;
    sign_up(&service, "ana@example.com").await;
    let ask = async |email: &str| ask_for(&service, TOKEN, "acme", email).await;
    let said = ask("ana@example.com").await.refused(400, "invalid-request");
    let outside = json!({
        "pointer": "/email", "detail": "is not at a verified domain of this account",
    });
    assert_eq!(said["errors"][0], outside);
    let domain = joinable(&service, &dns, "example.com").await;
    auto_join(&service, &domain["id"], false).await;
    // Of people elsewhere nothing is said, whether they have signed up or not.
    for email in ["owner@other.example", "nobody@other.example", "x@sub.example.com"] {
        assert_eq!(ask(email).await.refused(400, "invalid-request")["errors"][0], outside);
    }
    ask("nobody@example.com").await.refused(409, "unknown-user");
    ask("eve@example.com").await.refused(409, "already-member");
    ask_for(&service, "acme-token-for-reading", "acme", "ana@example.com")
        .await
        .refused(403, "scope-missing");
    ask_for(&service, VENDOR_TOKEN, "acme", "ana@example.com").await.refused(403, "forbidden");
    ask_for(&service, OTHER_TOKEN, "acme", "ana@example.com").await.refused(404, "not-found");
    let plain = "plain-token-of-all-scopes";
    ask_for(&service, plain, "plain", "ana@example.com").await.refused(409, "not-offered");

    let row = ask("Ana@EXAMPLE.com").await.expect(StatusCode::CREATED);
    assert_eq!((&row["state"], &row["email"]), (&json!("open"), &json!("ana@example.com")));
    assert_eq!((&row["domain"], &row["name"]), (&json!("example.com"), &json!("New")));
    ask("ana@example.com").await.refused(409, "row-state");
    assert_eq!(service.people().await, "eve:member:active", "somebody decides");
    decide(&service, &row, "reject").await.expect(StatusCode::OK);
    let row = ask("ana@example.com").await.expect(StatusCode::CREATED);
    decide(&service, &row, "approve").await.expect(StatusCode::OK);
    assert_eq!(service.people().await, "eve:member:active ana:member:active");
    service.stop().await;
}

#[tokio::test]
async fn who_waits_for_a_seat_is_told_to_those_who_may_invite_when_asked_for_and_when_let_in() {
    let (service, dns) = start().await;
    let told = async || {
        let mails = service.mails().await;
        let mails = mails.into_iter().filter(|mail| mail.template == "seats-short");
        mails.map(|mail| mail.to).collect::<Vec<_>>()
    };
    let domain = joinable(&service, &dns, "example.com").await;
    auto_join(&service, &domain["id"], false).await;
    sign_up(&service, "ana@example.com").await;
    service.cancel("team").await;
    let row = ask_for(&service, TOKEN, "acme", "ana@example.com").await.expect(StatusCode::CREATED);
    assert_eq!(told().await, ["owner@acme.example"]);
    service.clock.advance(SignedDuration::from_hours(24));
    decide(&service, &row, "approve").await.refused(409, "seat-limit-reached");
    assert_eq!(told().await, ["owner@acme.example"; 2]);
    service.stop().await;
}

#[tokio::test]
async fn who_was_removed_does_not_come_back_by_a_domain_alone() {
    let (service, dns) = start().await;
    joinable(&service, &dns, "example.com").await;
    let path = format!(
        "/v1/accounts/acme/members/{}",
        text(&service.member("eve@example.com").await["id"])
    );
    let remove = service.call(Method::DELETE, &path).token(TOKEN).if_match("*").send().await;
    assert_eq!(remove.status, StatusCode::NO_CONTENT);
    sign_up(&service, "eve@example.com").await;
    assert_eq!(service.people().await, "");
    let requests = service.list(REQUESTS).await;
    assert_eq!(requests.len(), 1);
    decide(&service, &requests[0], "approve").await.expect(StatusCode::OK);
    assert_eq!(service.people().await, "eve:member:active");
    service.stop().await;
}

#[tokio::test]
async fn a_user_has_no_rights_accepts_nothing_and_joins_nothing_by_domain_until_the_address_is_verified()
 {
    let (service, dns) = start().await;
    joinable(&service, &dns, "example.com").await;
    let mut thief = service.browser();
    let page = thief.open("/signup").await;
    thief.submit(&page, "/signup", &[("email", "ana@example.com")]).await;
    let page = thief.sign_in("ana@example.com", PASSWORD).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(thief.open("/accounts/acme").await.path, "/signin?next=%2Faccounts%2Facme");
    // Nor by a token: Eve is a member and has never signed up.
    put_token(&service, "eve@example.com", "early-token-of-eve").await;
    let read = || service.call(Method::GET, "/v1/accounts/acme").token("early-token-of-eve").send();
    read().await.refused(401, "unauthenticated");
    let unproved = "insert into users (id, address, name, created_at) \
                    values ('usr_eve', 'eve@example.com', 'Eve', 0)";
    service.sql(unproved).await;
    read().await.refused(401, "unauthenticated");
    // A link for one address proves no other.
    let link = service.link_to("ana@example.com").await;
    let token = link.rsplit('/').next().unwrap();
    let address: String = "bob@example.com".bytes().map(|byte| format!("{byte:02x}")).collect();
    let (_, rest) = token.split_once('-').unwrap();
    let forged = thief.open(&format!("/v/{address}-{rest}")).await;
    assert_eq!(forged.status, StatusCode::NOT_FOUND);
    service.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(service.people().await, "eve:member:active");
    assert_eq!(service.list(REQUESTS).await, Vec::<Value>::new());

    let (mut ana, mut late) = (service.browser(), service.browser());
    let (page, late_page) = (ana.open(&link).await, late.open(&link).await);
    assert_eq!(service.people().await, "eve:member:active", "the link alone is no sign-up");
    let action = page.path.clone();
    ana.submit(&page, &action, &[("name", "Ana"), ("password", PASSWORD)]).await;
    assert_eq!(service.people().await, "eve:member:active ana:member:active");
    let fields = [("name", "Eve"), ("password", "another long password")];
    let second = late.submit(&late_page, &action, &fields).await;
    assert_eq!(second.status, StatusCode::NOT_FOUND, "a link is used up: {}", second.text());
    let page = late.sign_in("ana@example.com", "another long password").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    service.stop().await;
}

/// Puts in a personal token of this address for every account where it is a member.
async fn put_token(service: &TestService, address: &str, token: &str) {
    let mut conn = service.database().await;
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let sql = "insert into tokens (hash, id, kind, account_id, name, scopes, made_by, address, \
               created_at, expires_at) select $1, $2, 'personal', account_id, 'early', \
               'read manage', 'service', address, 0, 9000000000000000 \
               from members where address = $3";
    let query = sqlx::query(sql).bind(hash).bind(format!("tok_{token}")).bind(address);
    query.execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn verifying_discards_earlier_credentials_and_sessions() {
    let (service, _) = start().await;
    let body = json!({
        "name": "New", "slug": "new", "profile": "portal", "owner_email": "zoe@example.org",
    });
    let open = service.call(Method::POST, "/v1/accounts").token(VENDOR_TOKEN).json(&body);
    open.send().await.expect(StatusCode::CREATED);
    let admin = Admin::open(service.settings()).await.unwrap();
    let zoe = TokenOf::Member { account: "new".to_owned(), email: "zoe@example.org".to_owned() };
    let scopes = ["read".to_owned()];
    let make = || admin.create_token(&zoe, "by hand", &scopes, 1);
    let refused = make().await.unwrap_err().to_string();
    assert!(refused.contains("verified the address"), "{refused}");
    let read = async |token: &str, slug: &str| {
        let path = format!("/v1/accounts/{slug}");
        service.call(Method::GET, &path).token(token).send().await
    };
    put_token(&service, "zoe@example.org", "early-token-of-zoe").await;

    // One that is there without proof, with a session, whatever made them.
    for sql in [
        "insert into users (id, address, name, created_at) \
         values ('usr_zoe', 'zoe@example.org', 'Not Zoe', 0)",
        "insert into sessions (hash, user_id, created_at, expires_at) \
         values ('early', 'usr_zoe', 0, 9000000000000000)",
    ] {
        service.sql(sql).await;
    }
    let mut browser = service.browser();
    let page = browser.open("/signup").await;
    browser.submit(&page, "/signup", &[("email", "zoe@example.org")]).await;
    let page = browser.open(&service.link_to("zoe@example.org").await).await;
    let action = page.path.clone();
    browser.submit(&page, &action, &[("name", "Zoe"), ("password", PASSWORD)]).await;
    assert_eq!(browser.open("/accounts/new").await.status, StatusCode::OK);
    read("early-token-of-zoe", "new").await.refused(401, "unauthenticated");
    let mut conn = service.database().await;
    let early = sqlx::query("select hash from sessions where hash = 'early'");
    assert!(early.fetch_optional(&mut conn).await.unwrap().is_none(), "the session is over");
    conn.close().await.unwrap();
    let made = make().await.unwrap();
    read(made.secret.expose_secret(), "new").await.expect(StatusCode::OK);

    // The same by an invitation's link.
    put_token(&service, "eve@example.com", "early-token-of-eve").await;
    let call = service.call(Method::POST, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let body = json!({ "email": "eve@example.com", "role": "member" });
    let subscribed = service.call(Method::POST, "/v1/accounts/other/subscriptions");
    let subscribed = subscribed.token(VENDOR_TOKEN).new_key().json(&json!({ "plan": "team" }));
    subscribed.send().await.expect(StatusCode::CREATED);
    call.key("eve").json(&body).send().await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_up(&service.link_to("eve@example.com").await).await;
    read("early-token-of-eve", "acme").await.refused(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test]
async fn who_signed_up_when_the_service_crashed_joins_after_it() {
    let (service, dns) = start().await;
    joinable(&service, &dns, "example.com").await;
    let arrive = "insert into arrivals (address, account_id, created_at) \
                  select 'ben@example.com', id, 1 from accounts where slug = 'acme'";
    service.sql(arrive).await;
    service.running().run_due().await.unwrap();
    assert_eq!(service.people().await, "eve:member:active ben:member:active");
    service.stop().await;
}

/// A DNS server on loopback: `there.example` has the record, `down.example` fails, others are not.
async fn dns_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 1500];
        loop {
            let (size, peer) = socket.recv_from(&mut bytes).await.unwrap();
            let asked = Message::from_vec(&bytes[..size]).unwrap();
            let query = asked.queries[0].clone();
            let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
            answer.add_query(query.clone());
            match query.name().to_utf8().as_str() {
                "_seatkeeper-challenge.there.example." => {
                    let pieces = vec!["seatkeeper-".to_owned(), "verify=abc".to_owned()];
                    let data = RData::TXT(TXT::new(pieces));
                    answer.add_answer(Record::from_rdata(query.name().clone(), 300, data));
                }
                "_seatkeeper-challenge.down.example." => {
                    answer.metadata.response_code = ResponseCode::ServFail;
                }
                "_seatkeeper-challenge.empty.example." => (),
                _ => answer.metadata.response_code = ResponseCode::NXDomain,
            }
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn the_dns_itself_is_asked_and_what_it_does_not_say_is_not_taken_for_missing() {
    let dns = Dns::at(dns_server().await);
    let there = dns.txt("_seatkeeper-challenge.there.example").await.unwrap();
    assert_eq!(there, ["seatkeeper-verify=abc"]);
    for name in ["empty.example", "gone.example"] {
        let found = dns.txt(&format!("_seatkeeper-challenge.{name}")).await.unwrap();
        assert_eq!(found, [""; 0], "{name}");
    }
    assert!(dns.txt("_seatkeeper-challenge.down.example").await.is_err());
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(Dns::at(nobody).txt("_seatkeeper-challenge.there.example").await.is_err());
}
