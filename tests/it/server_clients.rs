//! Clients of an agency, and websites.

use std::sync::Arc;

use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::profile::built_in;
use seatkeeper::server::{Database, Settings};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::service::{
    Answer, Browser, Kind, Mail, OTHER_TOKEN, PASSWORD, Page, READ_TOKEN, SEED, TOKEN, TestService,
    VENDOR_TOKEN, text,
};

const CLIENTS: &str = "/v1/accounts/acme/client-access";
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A service where `acme` is an agency.
async fn start() -> TestService {
    start_as(|_| ()).await
}

async fn start_as(change: impl FnOnce(&mut Settings)) -> TestService {
    let service = TestService::start_as(SEED, change).await;
    set_agency(&service, true).await.expect(StatusCode::OK);
    service
}

async fn set_agency(service: &TestService, agency: bool) -> Answer {
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(VENDOR_TOKEN);
    call.if_match("*").json(&json!({ "agency": agency })).send().await
}

async fn ask(service: &TestService, email: &str, role: &str) -> Answer {
    let call = service.call(Method::POST, CLIENTS).token(TOKEN);
    let key = format!("ask-{email}-{role}-{}", service.clock.now());
    call.key(&key).json(&json!({ "email": email, "role": role })).send().await
}

async fn asked(service: &TestService, email: &str, role: &str) -> Value {
    ask(service, email, role).await.expect(StatusCode::CREATED)
}

/// The newest row of this address, as the agency sees it.
async fn client(service: &TestService, email: &str) -> Value {
    let rows = service.list(CLIENTS).await;
    rows.into_iter().rev().find(|row| row["email"] == email).expect("a client")
}

async fn transition(service: &TestService, token: &str, path: &str, etag: &str) -> Answer {
    let key = format!("{path}-{etag}-{}", service.clock.now());
    service.call(Method::POST, path).token(token).key(&key).if_match(etag).send().await
}

/// Members of `other`, as seen by its own token.
async fn members_of_other(service: &TestService) -> Vec<Value> {
    let call = service.call(Method::GET, "/v1/accounts/other/members").token(OTHER_TOKEN);
    let page = call.send().await.expect(StatusCode::OK);
    page["items"].as_array().unwrap().clone()
}

/// The place of the agency in `other`.
async fn agency_of_other(service: &TestService) -> Value {
    let members = members_of_other(service).await;
    members.into_iter().find(|row| row["principal"] == "account").expect("the agency")
}

/// Signs in as the owner of `other` and grants what the last mail asks for.
async fn grant(service: &TestService) -> Browser {
    let link = service.link_to("owner@other.example").await;
    let mut otto = service.browser();
    otto.sign_in("owner@other.example", PASSWORD).await;
    let page = approve(&mut otto, &link).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    otto
}

/// Presses the button of a request's page, in the first account that it offers.
async fn approve(browser: &mut Browser, link: &str) -> Page {
    let page = browser.open(link).await;
    let account = page.html.split("<option value=\"").nth(1).expect("an account to choose");
    let account = account.split('"').next().unwrap().to_owned();
    let action = format!("{}/approve", page.path);
    browser.submit(&page, &action, &[("account", &account)]).await
}

/// A client that granted access with this role; gives its row.
async fn granted(service: &TestService, role: &str) -> Value {
    asked(service, "owner@other.example", role).await;
    grant(service).await;
    client(service, "owner@other.example").await
}

async fn sign_in(service: &TestService, email: &str) -> Browser {
    let mut browser = service.browser();
    browser.sign_in(email, PASSWORD).await;
    browser
}

/// Follows "Log in as" on the page of clients; gives the page that the link leads to.
async fn login_page(browser: &mut Browser, row: &Value) -> Page {
    let page = browser.open("/accounts/acme/clients").await;
    let action = format!("/accounts/acme/clients/{}/log-in", text(&row["id"]));
    browser.submit(&page, &action, &[]).await
}

async fn log_in(browser: &mut Browser, row: &Value) -> Page {
    let page = login_page(browser, row).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    browser.submit(&page, &page.path, &[]).await
}

async fn report(service: &TestService, account: &str, url: &str, state: &str) -> Answer {
    let path = format!("/v1/accounts/{account}/websites");
    let call = service.call(Method::POST, &path).token(VENDOR_TOKEN);
    call.json(&json!({ "url": url, "state": state })).send().await
}

fn results(mails: &[Mail]) -> Vec<&Mail> {
    mails.iter().filter(|mail| mail.template == "access-result").collect()
}

// rule: NC-01
#[tokio::test]
async fn an_agency_asks_a_client_by_address_for_the_role_it_wants() {
    let service = TestService::start().await;
    let email = "Cleo@Example.com";
    ask(&service, email, "developer").await.refused(409, "not-an-agency");
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&json!({ "agency": true })).send().await.refused(403, "forbidden");
    set_agency(&service, true).await.expect(StatusCode::OK);

    ask(&service, email, "owner").await.refused(400, "invalid-request");
    ask(&service, "nobody", "developer").await.refused(400, "invalid-request");
    let call = service.call(Method::POST, CLIENTS).token(READ_TOKEN).key("k");
    let body = json!({ "email": email, "role": "admin" });
    call.json(&body).send().await.refused(403, "scope-missing");
    let call = service.call(Method::POST, CLIENTS).token(TOKEN).json(&body);
    call.send().await.refused(400, "idempotency-key-required");

    for role in ["biller", "developer", "admin"] {
        let row = asked(&service, &format!("{role}@example.com"), role).await;
        assert_eq!((&row["role"], &row["state"]), (&json!(role), &json!("requested")));
        assert_eq!(row["actions"], json!(["resend", "remove"]));
    }
    let row = asked(&service, email, "admin").await;
    assert_eq!(row["email"], "cleo@example.com");
    let again = ask(&service, "cleo@EXAMPLE.com", "biller").await;
    let again = again.refused(409, "client-access-already-open");
    let href = text(&again["existing"]["href"]);
    assert_eq!(service.get(&href).await.expect(StatusCode::OK)["id"], row["id"]);
    let mails = service.mails().await;
    assert_eq!(mails.iter().filter(|mail| mail.to == "cleo@example.com").count(), 1);
    assert_eq!(mails.last().unwrap().template, "access-requested");
    assert_eq!(client(&service, "cleo@example.com").await["delivery"], "sent");
    service.stop().await;
}

#[tokio::test]
async fn a_product_without_agencies_offers_no_client_access() {
    let service = TestService::start_with(
        &SEED.replace("nitropack", "portal").replace("    subscriptions: [growth]\n", ""),
    )
    .await;
    set_agency(&service, true).await.expect(StatusCode::OK);
    ask(&service, "cleo@example.com", "admin").await.refused(409, "not-offered");
    service.stop().await;
}

// rule: NC-02
// rule: NC-03
#[tokio::test]
async fn a_client_without_an_account_signs_up_and_gets_one_only_when_it_approves() {
    let service = start().await;
    asked(&service, "cleo@example.com", "developer").await;
    let link = service.link_to("cleo@example.com").await;
    let mut cleo = service.browser();
    let page = cleo.open(&link).await;
    assert!(page.text().contains("Acme asks for access"), "{}", page.text());
    assert!(page.text().contains("Dashboard, Analytics"), "{}", page.text());
    assert_eq!(page.mark(&format!("{}/approve", page.path)), None, "nobody is signed in");
    let forged = format!("{}/approve", page.path);
    let mark = page.mark(&format!("{}/sign-up", page.path)).unwrap();
    let early = cleo.post(&forged, &[("mark", &mark), ("name", "Cleo Ltd")]).await;
    assert!(early.text().contains("Sign in"), "{}", early.text());

    let page = cleo.open(&link).await;
    let action = format!("{}/sign-up", page.path);
    let page = cleo.submit(&page, &action, &[("name", "Cleo"), ("password", PASSWORD)]).await;
    assert_eq!(client(&service, "cleo@example.com").await["state"], "requested");
    assert!(page.text().contains("Name of your account"), "{}", page.text());
    let action = format!("{}/approve", page.path);
    let page = cleo.submit(&page, &action, &[("name", "Cleo & Söhne")]).await;

    let row = page.row("owner@example.com");
    for word in ["Acme", "agency", "developer"] {
        assert!(row.contains(word), "{row}");
    }
    let row = client(&service, "cleo@example.com").await;
    assert_eq!((&row["state"], &row["role_held"]), (&json!("granted"), &json!("developer")));
    assert_eq!(row["client"]["name"], "Cleo & Söhne");
    assert_eq!(row["actions"], json!(["log-in"]));
    let mails = service.mails().await;
    let [result] = results(&mails)[..] else { panic!("one result") };
    assert_eq!(result.to, "owner@example.com");
    assert!(result.subject.contains("approved"), "{}", result.subject);
    assert_eq!(cleo.open(&link).await.status, StatusCode::GONE);
    service.stop().await;
}

// rule: NC-02
// rule: NC-03
#[tokio::test]
async fn a_client_with_an_account_signs_in_and_must_approve_before_the_tag_goes() {
    let service = start().await;
    asked(&service, "owner@other.example", "admin").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    let list = agency.open("/accounts/acme/clients").await;
    assert!(list.row("owner@other.example").contains("Requested"), "{}", list.text());

    let link = service.link_to("owner@other.example").await;
    let mut otto = service.browser();
    let page = otto.open(&link).await;
    assert!(page.html.contains("/signin?next=/grant/"), "{}", page.html);
    let page = otto.open(&format!("/signin?next={}", page.path)).await;
    let fields = [("email", "owner@other.example"), ("password", PASSWORD)];
    let next = link.strip_prefix(&service.base).unwrap();
    let page = otto.submit(&page, "/signin", &[("next", next), fields[0], fields[1]]).await;
    assert!(page.text().contains("Grant access"), "{}", page.text());
    let list = agency.open("/accounts/acme/clients").await;
    assert!(list.row("owner@other.example").contains("Requested"), "{}", list.text());

    let page = approve(&mut otto, &link).await;
    assert!(page.path.starts_with("/accounts/other/members"), "{}", page.path);
    let list = agency.open("/accounts/acme/clients").await;
    let row = list.row("owner@other.example");
    assert!(!row.contains("Requested") && row.contains("Other"), "{row}");
    let seats = service.call(Method::GET, "/v1/accounts/other/seats").token(OTHER_TOKEN);
    let seats = seats.send().await.expect(StatusCode::OK);
    assert_eq!((&seats["used"], &seats["breakdown"]["client_access"]), (&json!(1), &json!(1)));
    for (token, account, action) in
        [(TOKEN, "acme", "client_access.granted"), (OTHER_TOKEN, "other", "member.added")]
    {
        let path = format!("/v1/accounts/{account}/audit-events?page_size=1000");
        let log = service.call(Method::GET, &path).token(token).send().await;
        let log = log.expect(StatusCode::OK);
        let last = log["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["action"], action, "the log of {account}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_client_can_say_no_and_be_asked_again() {
    let service = start().await;
    asked(&service, "cleo@example.com", "developer").await;
    let link = service.link_to("cleo@example.com").await;
    let mut cleo = service.browser();
    let page = cleo.open(&link).await;
    let page = cleo.submit(&page, &format!("{}/reject", page.path), &[]).await;
    assert!(page.text().contains("You have said no"), "{}", page.text());
    assert_eq!(client(&service, "cleo@example.com").await["state"], "rejected");
    let mails = service.mails().await;
    assert!(results(&mails)[0].subject.contains("rejected"), "{}", results(&mails)[0].subject);
    assert_eq!(cleo.open(&link).await.status, StatusCode::GONE);
    let next = asked(&service, "cleo@example.com", "biller").await;
    assert_eq!(client(&service, "cleo@example.com").await["id"], next["id"]);
    service.stop().await;
}

// rule: NC-04
#[tokio::test]
async fn without_a_free_seat_a_client_cannot_grant_and_the_request_stays() {
    let service = start().await;
    let invite = service.call(Method::POST, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let body = json!({ "email": "ina@example.com", "role": "biller" });
    let invited = invite.key("i").json(&body).send().await.expect(StatusCode::CREATED);
    asked(&service, "owner@other.example", "admin").await;
    let link = service.link_to("owner@other.example").await;
    let mut otto = sign_in(&service, "owner@other.example").await;
    for hours in [0, 1, 24] {
        service.clock.advance(SignedDuration::from_hours(hours));
        let page = approve(&mut otto, &link).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        for way_out in ["remove a member", "upgrade the plan"] {
            assert!(page.text().contains(way_out), "{}", page.text());
        }
    }
    assert_eq!(client(&service, "owner@other.example").await["state"], "requested");
    assert_eq!(members_of_other(&service).await.len(), 1);
    let mails = service.mails().await;
    assert_eq!(results(&mails).len(), 2, "once a day");
    assert!(results(&mails)[0].subject.contains("no-seat"), "{}", results(&mails)[0].subject);

    let path = format!("/v1/accounts/other/invitations/{}/revoke", text(&invited["id"]));
    transition(&service, OTHER_TOKEN, &path, "*").await.expect(StatusCode::OK);
    assert_eq!(approve(&mut otto, &link).await.status, StatusCode::OK);
    assert_eq!(client(&service, "owner@other.example").await["state"], "granted");
    service.stop().await;
}

// rule: NC-05
#[tokio::test]
async fn the_agency_sees_every_client_it_asked_with_level_websites_and_status() {
    let service = start().await;
    asked(&service, "cleo@example.com", "biller").await;
    report(&service, "other", "https://shop.example/", "connected")
        .await
        .expect(StatusCode::CREATED);
    granted(&service, "developer").await;
    let rows = service.list(CLIENTS).await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (text(&row["email"]), text(&row["role"]), text(&row["state"]), &row["health"]))
        .collect();
    let seen = format!("{seen:?}");
    for word in ["cleo@example.com", "biller", "requested", "no_data", "granted", "all_good"] {
        assert!(seen.contains(word), "{seen}");
    }
    assert_eq!(rows[1]["website_count"], 1);
    assert_eq!(rows[1]["websites"][0]["url"], "https://shop.example/");
    let path = format!("{CLIENTS}?state=granted");
    assert_eq!(service.list(&path).await.len(), 1);
    let mut agency = sign_in(&service, "owner@example.com").await;
    let page = agency.open("/accounts/acme/clients").await;
    let row = page.row("owner@other.example");
    for word in ["Other", "developer", "https://shop.example/", "All good", "Log in as"] {
        assert!(row.contains(word), "{row}");
    }

    let foreign = service.call(Method::GET, CLIENTS).token(OTHER_TOKEN).send().await;
    foreign.refused(404, "not-found");
    service.join("dev@example.com", "developer").await;
    let mut dev = sign_in(&service, "dev@example.com").await;
    assert_eq!(dev.open("/accounts/acme/clients").await.status, StatusCode::FORBIDDEN);
    service.stop().await;
}

// rule: NC-06
#[tokio::test]
async fn the_client_alone_changes_the_role_and_the_agency_sees_the_one_it_has() {
    let service = start().await;
    let row = granted(&service, "admin").await;
    let member = agency_of_other(&service).await;
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    let patch = |token: &'static str| {
        let call = service.call(Method::PATCH, &path).token(token).if_match("*");
        call.json(&json!({ "role": "biller" })).send()
    };
    patch(TOKEN).await.refused(404, "not-found");
    patch(OTHER_TOKEN).await.expect(StatusCode::OK);

    let now = client(&service, "owner@other.example").await;
    assert_eq!((&now["role"], &now["role_held"]), (&json!("admin"), &json!("biller")));
    assert_ne!(now["etag"], row["etag"]);
    service.pass(SECOND).await;
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    let entry = log.last().unwrap();
    assert_eq!(entry["action"], "client_access.changed");
    let held = (&entry["before"]["role_held"], &entry["after"]["role_held"]);
    assert_eq!(held, (&json!("admin"), &json!("biller")));

    // Removing it ends the access; the agency can ask again, before the service looks by itself.
    let call = service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    let now = client(&service, "owner@other.example").await;
    assert_eq!((&now["state"], &now["health"]), (&json!("ended"), &json!("no_data")));
    asked(&service, "owner@other.example", "developer").await;
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    let actions: Vec<_> = log.iter().rev().take(2).map(|row| text(&row["action"])).collect();
    assert_eq!(actions, ["client_access.requested", "client_access.ended"]);
    service.pass(SECOND).await;
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    assert_eq!(log.last().unwrap()["action"], "client_access.requested", "it is noted once");
    service.stop().await;
}

#[tokio::test]
async fn an_agency_trimmed_at_its_client_is_paused_and_comes_back() {
    let service = start().await;
    let row = granted(&service, "developer").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    log_in(&mut agency, &row).await;
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::OK);
    let member = agency_of_other(&service).await;
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    // With the account claimed, nobody comes back at once.
    let claim = json!({ "claim": { "installation_id": "inst-1", "fingerprint": "file" } });
    let call = service.call(Method::PATCH, "/v1/accounts/other").token(OTHER_TOKEN);
    call.if_match("*").json(&claim).send().await.expect(StatusCode::OK);
    transition(&service, OTHER_TOKEN, &format!("{path}/trim"), "*").await.expect(StatusCode::OK);
    let now = client(&service, "owner@other.example").await;
    assert_eq!((&now["state"], &now["actions"]), (&json!("trimmed"), &json!([])));
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    let mut otto = sign_in(&service, "owner@other.example").await;
    let page = otto.open("/accounts/other/members").await;
    assert!(page.row("owner@example.com").contains("paused"), "{}", page.text());
    let reinstate = transition(&service, OTHER_TOKEN, &format!("{path}/reinstate"), "*").await;
    reinstate.expect(StatusCode::OK);
    assert_eq!(client(&service, "owner@other.example").await["state"], "granted");
    service.stop().await;
}

// rule: NC-07
#[tokio::test]
async fn websites_of_a_client_are_listed_and_searched_once_it_has_granted() {
    let service = start().await;
    for at in 0..12 {
        let url = format!("https://shop-{at:02}.example/100%25_A");
        report(&service, "other", &url, "connected").await.expect(StatusCode::CREATED);
    }
    report(&service, "acme", "https://own.example", "connected").await.expect(StatusCode::CREATED);
    let row = asked(&service, "owner@other.example", "biller").await;
    let path = format!("{CLIENTS}/{}/websites", text(&row["id"]));
    assert!(service.list(&path).await.is_empty(), "requested");
    assert_eq!(row["website_count"], 0);
    grant(&service).await;

    let row = client(&service, "owner@other.example").await;
    assert_eq!(row["website_count"], 12);
    assert_eq!(row["websites"].as_array().unwrap().len(), 10);
    assert_eq!(service.list(&path).await.len(), 12);
    for (text, found) in [("SHOP-03", 1), ("shop-1", 2), ("100%25_a", 12), ("_00", 0), ("own", 0)] {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        assert_eq!(service.list(&format!("{path}?q={query}")).await.len(), found, "{text}");
    }
    let first = service.get(&format!("{path}?page_size=5&q=shop")).await.expect(StatusCode::OK);
    assert_eq!((first["items"].as_array().unwrap().len(), &first["total"]), (5, &json!(12)));
    assert_eq!(service.list("/v1/accounts/acme/websites?q=own").await.len(), 1);
    let foreign = service.call(Method::GET, &path).token(OTHER_TOKEN).send().await;
    foreign.refused(404, "not-found");
    service.stop().await;
}

// rule: NC-08
#[tokio::test]
async fn the_status_of_a_client_is_the_worst_that_holds() {
    let service = start().await;
    granted(&service, "biller").await;
    let health = async || client(&service, "owner@other.example").await["health"].clone();
    assert_eq!(health().await, "no_data");
    let mut sites = Vec::new();
    for at in 0..3 {
        let url = format!("https://shop-{at}.example");
        let site = report(&service, "other", &url, "connected").await.expect(StatusCode::CREATED);
        sites.push(format!("/v1/accounts/other/websites/{}", text(&site["id"])));
    }
    assert_eq!(health().await, "all_good");
    let set = async |at: usize, state: &str| {
        let call = service.call(Method::PATCH, &sites[at]).token(VENDOR_TOKEN).if_match("*");
        call.json(&json!({ "state": state })).send().await.expect(StatusCode::OK)
    };
    set(0, "not_connected").await;
    assert_eq!(health().await, "not_connected");
    set(1, "major_issue").await;
    assert_eq!(health().await, "major_issue");
    set(0, "connected").await;
    assert_eq!(health().await, "major_issue");
    set(1, "connected").await;
    assert_eq!(health().await, "all_good");
    for site in &sites {
        let call = service.call(Method::DELETE, site).token(VENDOR_TOKEN).if_match("*");
        call.send().await.expect(StatusCode::NO_CONTENT);
    }
    assert_eq!(health().await, "no_data");
    service.stop().await;
}

#[tokio::test]
async fn only_the_vendor_reports_websites_and_recipients_are_told_when_one_is_lost() {
    // A profile whose developers always receive what is about websites.
    let service = start_as(|settings| {
        let mut profile = (*built_in("nitropack").unwrap()).clone();
        let developer = profile.roles.iter_mut().find(|role| role.name.as_str() == "developer");
        developer.unwrap().receives.insert("website-status".to_owned());
        settings.profiles.insert("nitropack".to_owned(), Arc::new(profile));
    })
    .await;
    service.join("dev@example.com", "developer").await;
    service.join("bil@example.com", "biller").await;
    let path = "/v1/accounts/acme/websites";
    let body = json!({ "url": "https://Shop.example", "state": "connected" });
    let own = service.call(Method::POST, path).token(TOKEN).json(&body).send().await;
    own.refused(403, "forbidden");
    let site = report(&service, "acme", "https://Shop.example", "connected").await;
    let site = site.expect(StatusCode::CREATED);
    assert_eq!(site["url"], "https://shop.example/");
    report(&service, "acme", "HTTPS://shop.example/", "connected")
        .await
        .refused(409, "website-taken");
    for bad in ["ftp://shop.example", "shop", "https://u:p@shop.example", "javascript:alert(1)"] {
        report(&service, "acme", bad, "connected").await.refused(400, "invalid-request");
    }
    report(&service, "acme", "https://a.example", "gone").await.refused(400, "invalid-request");

    let row = format!("{path}/{}", text(&site["id"]));
    let set = async |state: &str, etag: &str| {
        let call = service.call(Method::PATCH, &row).token(VENDOR_TOKEN).if_match(etag);
        call.json(&json!({ "state": state })).send().await
    };
    set("not_connected", &text(&site["etag"])).await.expect(StatusCode::OK);
    set("major_issue", &text(&site["etag"])).await.refused(412, "stale");
    set("major_issue", "*").await.expect(StatusCode::OK);
    set("connected", "*").await.expect(StatusCode::OK);
    set("major_issue", "*").await.expect(StatusCode::OK);
    let mails = service.mails().await;
    let told: Vec<_> = mails.iter().filter(|mail| mail.template == "website-status").collect();
    assert_eq!(told.len(), 2, "each time it leaves connected");
    assert!(told.iter().all(|mail| mail.to == "dev@example.com"));
    assert!(told[0].subject.contains("https://shop.example/"), "{}", told[0].subject);
    let foreign = format!("/v1/accounts/other/websites/{}", text(&site["id"]));
    let call = service.call(Method::PATCH, &foreign).token(VENDOR_TOKEN).if_match("*");
    let foreign = call.json(&json!({ "state": "connected" })).send().await;
    foreign.refused(404, "not-found");
    service.stop().await;
}

// rule: NC-09
#[tokio::test]
async fn a_request_is_sent_again_by_the_same_link_and_only_while_it_waits() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "biller").await;
    let link = service.link_to("owner@other.example").await;
    let path = format!("{CLIENTS}/{}/resend", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("k");
    call.send().await.refused(428, "if-match-required");
    service.clock.advance(DAY);
    let again = transition(&service, TOKEN, &path, &text(&row["etag"])).await;
    let again = again.expect(StatusCode::OK);
    assert_eq!(again["send_count"], 2);
    assert_eq!(service.link_to("owner@other.example").await, link);
    transition(&service, TOKEN, &path, &text(&row["etag"])).await.refused(412, "stale");
    let foreign = format!("/v1/accounts/other/client-access/{}/resend", text(&row["id"]));
    transition(&service, OTHER_TOKEN, &foreign, "*").await.refused(404, "not-found");
    grant(&service).await;
    transition(&service, TOKEN, &path, "*").await.refused(409, "row-state");
    let mails = service.mails().await;
    assert_eq!(mails.iter().filter(|mail| mail.template == "access-requested").count(), 2);
    service.stop().await;
}

// rule: NC-10
#[tokio::test]
async fn a_request_is_withdrawn_only_while_it_waits_and_its_link_is_dead_then() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "biller").await;
    let link = service.link_to("owner@other.example").await;
    let remove = async |row: &Value, token: &str| {
        let path = format!("{CLIENTS}/{}", text(&row["id"]));
        service.call(Method::DELETE, &path).token(token).if_match("*").send().await
    };
    remove(&row, "acme-token-without-removals").await.refused(403, "scope-missing");
    remove(&row, TOKEN).await.expect(StatusCode::NO_CONTENT);
    remove(&row, TOKEN).await.refused(409, "row-state");
    assert!(service.list(CLIENTS).await.is_empty());
    assert_eq!(service.list(&format!("{CLIENTS}?state=removed")).await.len(), 1);
    let mut otto = sign_in(&service, "owner@other.example").await;
    let page = otto.open(&link).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert!(page.text().contains("Nothing was changed"), "{}", page.text());

    let row = granted(&service, "biller").await;
    remove(&row, TOKEN).await.refused(409, "row-state");
    let mut agency = sign_in(&service, "owner@example.com").await;
    let page = agency.open("/accounts/acme/clients").await;
    assert!(!page.row("owner@other.example").contains("Remove"), "{}", page.text());
    service.stop().await;
}

// rule: NC-11
#[tokio::test]
async fn logging_in_as_a_client_gives_a_session_there_with_the_granted_role_and_no_more() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "admin").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    let list = agency.open("/accounts/acme/clients").await;
    assert!(!list.row("owner@other.example").contains("Log in as"), "{}", list.text());
    let forced = format!("/accounts/acme/clients/{}/log-in", text(&row["id"]));
    let mark = list.mark("/accounts/acme/clients").unwrap();
    let early = agency.post(&forced, &[("mark", &mark)]).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "{}", early.text());
    grant(&service).await;
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND);

    let page = login_page(&mut agency, &row).await;
    assert!(page.text().contains("Log in as Other"), "{}", page.text());
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "GET only asks");
    let page = agency.submit(&page, &page.path, &[]).await;
    assert_eq!((page.status, page.path.as_str()), (StatusCode::OK, "/accounts/other"));
    assert!(page.text().contains("admin"), "{}", page.text());
    assert_eq!(agency.open("/accounts/acme").await.status, StatusCode::OK, "one's own goes on");

    // With the role: an admin invites, and what was invited can be accepted.
    let call = service.call(Method::POST, "/v1/accounts/other/subscriptions").token(VENDOR_TOKEN);
    call.json(&json!({ "plan": "growth" })).send().await.expect(StatusCode::CREATED);
    let list = "/accounts/other/members";
    let page = agency.open(list).await;
    let fields = [("email", "ina@example.com"), ("role", "biller")];
    let page = agency.submit(&page, list, &fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    service.browser().accept_by_sign_up(&service.link_to("ina@example.com").await).await;
    let log = service.call(Method::GET, "/v1/accounts/other/audit-events?page_size=1000");
    let log = log.token(OTHER_TOKEN).send().await.expect(StatusCode::OK);
    let member = text(&agency_of_other(&service).await["id"]);
    for action in ["client_access.logged_in", "invitation.created"] {
        let rows = log["items"].as_array().unwrap();
        let entry = rows.iter().find(|row| row["action"] == action).unwrap();
        assert_eq!(entry["actor"], format!("member:{member}"), "{action}");
    }
    // And no more: the clients of the client are not the agency's.
    let clients = agency.open("/accounts/other/clients").await;
    assert_eq!(clients.status, StatusCode::FORBIDDEN);
    let page = agency.open("/accounts/other").await;
    let page = agency.submit(&page, "/leave-client", &[]).await;
    assert!(page.text().contains("Your accounts"), "{}", page.text());
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    service.stop().await;
}

// rule: NC-11
#[tokio::test]
async fn a_login_link_works_once_within_a_minute_for_its_person_alone() {
    let service = start().await;
    let row = granted(&service, "developer").await;
    service.join("ada@example.com", "admin").await;
    let mut owner = sign_in(&service, "owner@example.com").await;
    let mut ada = sign_in(&service, "ada@example.com").await;

    let page = login_page(&mut owner, &row).await;
    let stolen = ada.open(&page.path).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND, "{}", stolen.text());
    let mark = ada.open("/").await.mark("/signout").unwrap();
    let stolen = ada.post(&page.path, &[("mark", &mark)]).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND, "{}", stolen.text());
    let nobody = service.browser().open(&page.path).await;
    assert!(nobody.path.starts_with("/signin"), "{}", nobody.path);

    owner.submit(&page, &page.path, &[]).await;
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK);
    let twice = owner.submit(&page, &page.path, &[]).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND, "{}", twice.text());

    let page = login_page(&mut ada, &row).await;
    service.clock.advance(SignedDuration::from_secs(60));
    let late = ada.submit(&page, &page.path, &[]).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND, "{}", late.text());
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    log_in(&mut ada, &row).await;
    service.clock.advance(SignedDuration::from_hours(8));
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "over");
    service.stop().await;
}

// rule: NC-11
#[tokio::test]
async fn one_login_link_used_by_two_requests_at_once_gives_one_session() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let row = granted(&service, "developer").await;
        let mut browser = sign_in(&service, "owner@example.com").await;
        let page = login_page(&mut browser, &row).await;
        let mark = page.mark(&page.path).unwrap();
        let cookies = browser.cookies();
        let tries = join_all((0..8).map(|_| {
            let body = format!("mark={mark}");
            let request = service.http.post(format!("{}{}", service.base, page.path));
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.header("cookie", &cookies).body(body).send()
        }))
        .await;
        let won = tries
            .into_iter()
            .filter(|answer| answer.as_ref().unwrap().headers().contains_key("location"));
        assert_eq!(won.count(), 1, "{kind:?}");
        service.stop().await;
    }
}

// rule: NC-11
#[tokio::test]
async fn a_session_at_a_client_ends_with_the_row_the_person_and_the_flag_and_does_not_come_back() {
    let service = start().await;
    let row = granted(&service, "developer").await;
    service.join("ada@example.com", "admin").await;
    let mut owner = sign_in(&service, "owner@example.com").await;
    let mut ada = sign_in(&service, "ada@example.com").await;
    log_in(&mut owner, &row).await;
    log_in(&mut ada, &row).await;
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::OK);

    // The right is lost, and had again.
    let member = service.member("ada@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    for (role, status) in [("biller", StatusCode::NOT_FOUND), ("admin", StatusCode::OK)] {
        let call = service.call(Method::PATCH, &path).token(TOKEN).if_match("*");
        call.json(&json!({ "role": role })).send().await.expect(StatusCode::OK);
        assert_eq!(ada.open("/accounts/other").await.status, status, "{role}");
    }
    // The person.
    let call = service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    service.invite("ada@example.com", "developer").await.expect(StatusCode::CREATED);
    let again = service.member("owner@example.com").await;
    assert_eq!(again["role"], "owner");
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK, "others stay");
    // The flag.
    for agency in [false, true] {
        set_agency(&service, agency).await.expect(StatusCode::OK);
        assert_eq!(owner.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "{agency}");
    }
    // The row.
    log_in(&mut owner, &row).await;
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK);
    let member = agency_of_other(&service).await;
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    let call = service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    assert_eq!(owner.open("/accounts/acme").await.status, StatusCode::OK);
    service.stop().await;
}

/// Puts a personal token into the database.
async fn personal_token(database: &Database, account: &Value, address: &str, token: &str) {
    sqlx::any::install_default_drivers();
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres(url) => url.expose_secret().to_owned(),
    };
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    sqlx::query(
        "insert into tokens (hash, id, kind, account_id, name, scopes, made_by, address, \
         created_at, expires_at) values ($1, $2, 'personal', $3, 'test', 'read invite', 'seed', \
         $4, 0, 9000000000000000)",
    )
    .bind(&hash)
    .bind(format!("tok_{token}"))
    .bind(account["id"].as_str().unwrap())
    .bind(address)
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
}

// rule: NC-11
#[tokio::test]
async fn a_login_link_is_made_for_a_person_and_is_a_secret() {
    let mut database = None;
    let service = start_as(|settings| database = Some(settings.database.clone())).await;
    let row = granted(&service, "developer").await;
    let path = format!("{CLIENTS}/{}/login-link", text(&row["id"]));
    let make = |token: &'static str, key: &'static str| {
        service.call(Method::POST, &path).token(token).key(key).send()
    };
    make(TOKEN, "program").await.refused(403, "forbidden");
    make(VENDOR_TOKEN, "vendor").await.refused(403, "forbidden");
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    let database = database.unwrap();
    personal_token(&database, &account, "owner@example.com", "personal-of-the-owner").await;
    let made = make("personal-of-the-owner", "k").await.expect(StatusCode::CREATED);
    make("personal-of-the-owner", "k").await.refused(409, "secret-not-repeatable");
    let link = text(&made["link"]);
    assert!(link.starts_with(&service.base), "{link}");
    let mut owner = sign_in(&service, "owner@example.com").await;
    let page = owner.open(&link).await;
    owner.submit(&page, &page.path, &[]).await;
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK);
    let token = link.rsplit('/').next().unwrap();
    assert!(service.requests().iter().all(|line| !line.to_string().contains(token)));
    service.stop().await;
}

#[tokio::test]
async fn a_link_for_another_address_is_refused() {
    let service = start().await;
    asked(&service, "owner@other.example", "developer").await;
    let link = service.link_to("owner@other.example").await;
    let mut ben = sign_in(&service, "ben@example.com").await;
    let page = ben.open(&link).await;
    assert!(page.text().contains("sign out first"), "{}", page.text());
    let mark = page.mark("/signout").unwrap();
    for action in ["approve", "reject", "sign-up"] {
        let fields = [("mark", mark.as_str()), ("name", "Mine"), ("password", PASSWORD)];
        let page = ben.post(&format!("{}/{action}", page.path), &fields).await;
        assert!(!page.path.contains("/accounts/"), "{action}: {}", page.text());
    }
    assert_eq!(client(&service, "owner@other.example").await["state"], "requested");
    let forged = link.replacen("-1-", "-2-", 1);
    assert_eq!(ben.open(&forged).await.status, StatusCode::NOT_FOUND);
    let (head, _) = link.rsplit_once('-').unwrap();
    let forged = format!("{head}-{}", "0".repeat(32));
    assert_eq!(ben.open(&forged).await.status, StatusCode::NOT_FOUND);
    service.stop().await;
}

#[tokio::test]
async fn approving_by_two_sessions_at_once_gives_one_grant() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let call = service.call(Method::POST, "/v1/accounts/other/subscriptions");
        let call = call.token(VENDOR_TOKEN).json(&json!({ "plan": "scale" }));
        call.send().await.expect(StatusCode::CREATED);
        let row = asked(&service, "owner@other.example", "developer").await;
        let link = service.link_to("owner@other.example").await;
        let mut one = sign_in(&service, "owner@other.example").await;
        let mut two = sign_in(&service, "owner@other.example").await;
        let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
        let (one, two, api) = tokio::join!(
            approve(&mut one, &link),
            approve(&mut two, &link),
            transition(&service, OTHER_TOKEN, &path, "*"),
        );
        let mut answers = [one.status, two.status, api.status];
        answers.sort();
        // A page that comes late shows what is: that the agency has access.
        assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1);
        let members = members_of_other(&service).await;
        assert_eq!(members.iter().filter(|row| row["principal"] == "account").count(), 1);
        let mails = service.mails().await;
        assert_eq!(results(&mails).len(), 1, "{kind:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn of_a_grant_and_an_invitation_for_the_last_seat_one_wins() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let row = asked(&service, "owner@other.example", "developer").await;
        let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
        let invite = service.call(Method::POST, "/v1/accounts/other/invitations");
        let body = json!({ "email": "ina@example.com", "role": "biller" });
        let (granted, invited) = tokio::join!(
            transition(&service, OTHER_TOKEN, &path, "*"),
            invite.token(OTHER_TOKEN).key("i").json(&body).send(),
        );
        let ok = [granted.status, invited.status].iter().filter(|s| s.is_success()).count();
        assert_eq!(ok, 1, "{kind:?}: {granted:?} {invited:?}");
        let seats = service.call(Method::GET, "/v1/accounts/other/seats").token(OTHER_TOKEN);
        assert_eq!(seats.send().await.expect(StatusCode::OK)["used"], 1);
        service.stop().await;
    }
}

#[tokio::test]
async fn two_agencies_that_grant_each_other_access_at_once_do_not_wait_for_each_other() {
    let service = start_as(|_| ()).await;
    let call = service.call(Method::PATCH, "/v1/accounts/other").token(VENDOR_TOKEN);
    call.if_match("*").json(&json!({ "agency": true })).send().await.expect(StatusCode::OK);
    let there = asked(&service, "owner@other.example", "developer").await;
    let call = service.call(Method::POST, "/v1/accounts/other/client-access").token(OTHER_TOKEN);
    let body = json!({ "email": "owner@example.com", "role": "developer" });
    let here = call.key("k").json(&body).send().await.expect(StatusCode::CREATED);
    let path = |account: &str, row: &Value| {
        format!("/v1/accounts/{account}/access-requests/{}/approve", text(&row["id"]))
    };
    let (acme, other) = (path("acme", &here), path("other", &there));
    let (one, two) = tokio::join!(
        transition(&service, TOKEN, &acme, "*"),
        transition(&service, OTHER_TOKEN, &other, "*"),
    );
    one.expect(StatusCode::OK);
    two.expect(StatusCode::OK);
    service.stop().await;
}

// rule: NC-03
#[tokio::test]
async fn a_request_shows_only_in_accounts_where_the_person_asked_may_grant_it() {
    let seed = SEED.replace(
        "    profile: nitropack\n    owner: {email: owner@other.example",
        "    profile: nitropack\n    members: [{email: ben@example.com, role: developer}]\n    \
         owner: {email: owner@other.example",
    );
    let service = TestService::start_with(&seed).await;
    set_agency(&service, true).await.expect(StatusCode::OK);
    let to_ben = asked(&service, "ben@example.com", "biller").await;
    let to_otto = asked(&service, "owner@other.example", "biller").await;
    let requests = "/v1/accounts/other/access-requests";
    let list = async |token: &str| {
        let answer = service.call(Method::GET, requests).token(token).send().await;
        answer.expect(StatusCode::OK)["items"].as_array().unwrap().clone()
    };
    let rows = list(OTHER_TOKEN).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&row["id"], &row["agency"]["name"]), (&to_otto["id"], &json!("Acme")));
    let own = service.list("/v1/accounts/acme/access-requests").await;
    assert!(own.is_empty(), "nobody asks oneself");

    let decide = async |row: &Value, token: &str, verb: &str| {
        let path = format!("{requests}/{}/{verb}", text(&row["id"]));
        transition(&service, token, &path, "*").await
    };
    for verb in ["approve", "reject"] {
        decide(&to_ben, OTHER_TOKEN, verb).await.refused(404, "not-found");
        decide(&to_otto, TOKEN, verb).await.refused(404, "not-found");
        decide(&to_otto, VENDOR_TOKEN, verb).await.refused(403, "forbidden");
        let path = format!("/v1/accounts/acme/access-requests/{}/{verb}", text(&to_otto["id"]));
        transition(&service, TOKEN, &path, "*").await.refused(404, "not-found");
    }
    // Ben may invite nobody there: the page opens an account of his own.
    let mut ben = sign_in(&service, "ben@example.com").await;
    let page = ben.open(&service.link_to("ben@example.com").await).await;
    assert!(page.text().contains("Name of your account"), "{}", page.text());
    decide(&to_otto, OTHER_TOKEN, "reject").await.expect(StatusCode::OK);
    decide(&to_otto, OTHER_TOKEN, "approve").await.refused(409, "row-state");
    assert_eq!(client(&service, "owner@other.example").await["state"], "rejected");
    assert!(list(OTHER_TOKEN).await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn an_approval_under_the_same_key_is_given_again() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "developer").await;
    let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
    let approve = |key: &'static str| {
        service.call(Method::POST, &path).token(OTHER_TOKEN).key(key).if_match("*").send()
    };
    let first = approve("k").await.expect(StatusCode::OK);
    assert_eq!(first["state"], "granted");
    let again = approve("k").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(StatusCode::OK), first);
    approve("other").await.refused(409, "row-state");
    service.stop().await;
}
