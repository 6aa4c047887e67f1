//! Clients of an agency, and websites.

mod grants;
mod login;
mod races;
mod requests;
mod websites;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::Settings;
use serde_json::{Value, json};

use crate::service::{
    Answer, Browser, Mail, OTHER_TOKEN, PASSWORD, Page, SEED, TOKEN, TestService, VENDOR_TOKEN,
    text,
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
    press(browser, &page).await
}

async fn press(browser: &mut Browser, page: &Page) -> Page {
    let account = page.html.split("<option value=\"").nth(1).expect("an account to choose");
    let account = account.split('"').next().unwrap().to_owned();
    let action = format!("{}/approve", page.path);
    browser.submit(page, &action, &[("account", &account)]).await
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
