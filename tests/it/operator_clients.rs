//! Clients of an agency through the operator: the real API server, the real account service, and
//! clients with a browser.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use reqwest::Method;
use serde_json::{Value, json};

use crate::operator_world::World;
use crate::service::{Browser, PASSWORD, VENDOR_TOKEN, client};

/// A ClientAccess of the account `acme`; `rest` goes under its spec.
fn client_access(world: &World, name: &str, person: &str, role: &str, rest: &str) -> String {
    format!(
        "---
apiVersion: seatkeeper.dev/v1alpha1
kind: ClientAccess
metadata: {{name: {name}, namespace: {}}}
spec: {{accountRef: {{name: acme}}, clientEmail: {person}@example.com, role: {role}{rest}}}
",
        world.namespace
    )
}

/// The account `acme` is an agency; `rest` goes under its spec.
async fn agency(rest: &str) -> World {
    let world = World::start("growth").await;
    let url = format!("{}/v1/accounts/acme", world.base);
    let call = client().patch(url).bearer_auth(VENDOR_TOKEN).header("if-match", "*");
    let answer = call.json(&json!({"agency": true})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    world.declare(rest, "").await;
    world
}

/// Signs in, opens the last request and presses a button.
async fn answers(world: &World, person: &str, word: &str) {
    let email = format!("{person}@example.com");
    let mails = world.mails("access-requested");
    let mail = mails.iter().rev().find(|mail| mail.to == email).expect("a request");
    let mut browser = Browser::new(&world.base);
    browser.sign_in(&email, PASSWORD).await;
    let page = browser.open(mail.link.as_ref().unwrap()).await;
    let action = format!("{}/{word}", page.path);
    let page = browser.submit(&page, &action, &[("name", "Bo's Bakery")]).await;
    assert!(page.status.is_success(), "{}", page.text());
}

/// The row of a client as the agency sees it.
async fn row(world: &World, person: &str) -> Value {
    let email = format!("{person}@example.com");
    let rows = world.read("/client-access").await;
    let row = rows["items"].as_array().unwrap().iter().rev().find(|row| row["email"] == email);
    row.cloned().unwrap_or(Value::Null)
}

async fn website(world: &World, account: &str, url: &str, state: &str) {
    let path = format!("{}/v1/accounts/{account}/websites", world.base);
    let call = client().request(Method::POST, path).bearer_auth(VENDOR_TOKEN);
    let call = call.header("idempotency-key", url).json(&json!({"url": url, "state": state}));
    assert!(call.send().await.unwrap().status().is_success());
}

// rule: NC-06
// rule: NC-08
// rule: NC-10
// rule: OP-01
// rule: OP-08
#[tokio::test]
async fn a_client_is_asked_grants_is_shown_and_let_go_and_then_nothing_is_written() {
    let world = agency("").await;
    world.apply(&client_access(&world, "bakery", "bo", "developer", ", withdrawAfter: 30d")).await;
    world.becomes("cla/bakery", "Requested").await;
    world.says("cla/bakery", "Ready", "True/Requested").await;
    let columns = world.k(&["get", "cla"]).await;
    assert_eq!(
        columns.split_whitespace().take(8).collect::<Vec<_>>(),
        ["NAME", "CLIENT", "ROLE", "STATE", "HELD", "HEALTH", "READY", "AGE"]
    );
    let object = world.get("cla/bakery").await;
    assert_eq!(object["metadata"]["finalizers"], json!(["seatkeeper.dev/client-access"]));
    assert_ne!(object["status"]["withdrawAt"], Value::Null);

    answers(&world, "bo", "approve").await;
    world.becomes("cla/bakery", "Granted").await;
    let account = row(&world, "bo").await["client"]["id"].as_str().unwrap().to_owned();
    website(&world, &account, "https://bakery.example", "not_connected").await;
    world
        .until("the website is shown", async || {
            world.get("cla/bakery").await["status"]["websiteCount"] == 1
        })
        .await;
    let status = world.get("cla/bakery").await["status"].clone();
    assert_eq!(status["roleHeld"], "developer");
    assert_eq!(status["health"], "NotConnected");
    assert_eq!(status["websites"], json!(["https://bakery.example/"]));
    assert_eq!(world.mails("access-requested").len(), 1);

    world.is_quiet().await;

    world.k(&["delete", "cla", "bakery", "--timeout=60s"]).await;
    world.looks_again(2).await;
    assert_eq!(row(&world, "bo").await["state"], "granted");
    let events = world.k(&["get", "events", "-o", "json"]).await;
    assert!(events.contains("only the client can end access that it granted"), "{events}");
    world.is_quiet().await;
}

// rule: OP-08
#[tokio::test]
async fn a_deletion_before_the_grant_withdraws_and_after_a_no_only_a_person_asks_again() {
    let world = agency("").await;
    let declaration = client_access(&world, "bakery", "bo", "developer", "");
    world.apply(&declaration).await;
    world.becomes("cla/bakery", "Requested").await;
    world.k(&["delete", "cla", "bakery", "--timeout=60s"]).await;
    assert_eq!(row(&world, "bo").await, Value::Null);

    world.apply(&declaration).await;
    world.says("cla/bakery", "Synced", "False/MailCap").await;
    world.k(&["annotate", "cla", "bakery", "seatkeeper.dev/resend=1"]).await;
    world.becomes("cla/bakery", "Requested").await;
    answers(&world, "bo", "reject").await;
    world.becomes("cla/bakery", "Rejected").await;
    world.says("cla/bakery", "Stalled", "True/Rejected").await;
    world.looks_again(2).await;
    assert_eq!(world.mails("access-requested").len(), 2);

    world.k(&["delete", "cla", "bakery", "--timeout=60s"]).await;
    world.apply(&declaration).await;
    world.becomes("cla/bakery", "Rejected").await;
    world.looks_again(2).await;
    assert_eq!(world.mails("access-requested").len(), 2, "the same name is the same declaration");
    world.k(&["annotate", "cla", "bakery", "seatkeeper.dev/resend=2"]).await;
    world.becomes("cla/bakery", "Requested").await;
    world.looks_again(2).await;
    assert_eq!(world.mails("access-requested").len(), 3);
}

// rule: NC-10
// rule: OP-08
#[tokio::test]
async fn the_end_of_an_agency_withdraws_what_waits_and_leaves_what_was_granted() {
    let world = agency(", onTeardown: Revoke").await;
    let bakery = client_access(&world, "bakery", "bo", "developer", "");
    world.apply(&(bakery + &client_access(&world, "club", "cyd", "developer", ""))).await;
    world.becomes("cla/bakery", "Requested").await;
    world.becomes("cla/club", "Requested").await;
    answers(&world, "bo", "approve").await;
    world.becomes("cla/bakery", "Granted").await;
    world.k(&["delete", "namespace", &world.namespace, "--timeout=60s"]).await;
    assert_eq!(row(&world, "bo").await["state"], "granted");
    assert_eq!(row(&world, "cyd").await, Value::Null);
}

#[tokio::test]
async fn what_cannot_be_asked_says_why_and_nobody_is_asked() {
    let world = agency("").await;
    let first = client_access(&world, "bakery", "bo", "developer", "");
    world.apply(&first).await;
    world.becomes("cla/bakery", "Requested").await;
    let twin = client_access(&world, "a-twin", "BO", "admin", "");
    let owner = client_access(&world, "owner", "cyd", "owner", "");
    let stray =
        client_access(&world, "stray", "dan", "admin", "").replace("name: acme}", "name: akme}");
    world.apply(&format!("{twin}{owner}{stray}")).await;
    world.says("cla/a-twin", "Accepted", "False/Conflict").await;
    world.says("cla/owner", "Accepted", "False/RoleNotInvitable").await;
    world.says("cla/stray", "Accepted", "False/NotFound").await;
    for name in ["a-twin", "owner", "stray"] {
        let message = world.get(&format!("cla/{name}")).await["status"]["message"].clone();
        assert!(message.as_str().unwrap().contains("; "), "no way out: {message}");
        world.k(&["delete", "cla", name, "--timeout=60s"]).await;
    }
    let admin = first.replace("role: developer", "role: admin");
    let path = world.file("admin.yaml");
    std::fs::write(&path, admin).unwrap();
    let (changed, said) = world.kubectl(&["apply", "-f", path.to_str().unwrap()]).await;
    assert!(!changed && said.contains("role cannot change"), "{said}");
    assert_eq!(world.mails("access-requested").len(), 1);
    assert_eq!(row(&world, "bo").await["state"], "requested");
}

// rule: OP-07
#[tokio::test]
async fn a_mass_deletion_of_requests_is_held_whole_and_runs_once_a_person_approves_it() {
    let world = agency("").await;
    let people = ["ann", "ben", "cat", "dan"];
    for person in people {
        world.apply(&client_access(&world, person, person, "developer", "")).await;
    }
    for person in people {
        world.becomes(&format!("cla/{person}"), "Requested").await;
    }
    world.becomes("account/acme", "Synced").await;
    let writes = world.writes();
    world.k(&["delete", "cla", "--all", "--wait=false"]).await;
    world.says("cla/ann", "Synced", "False/RemovalHeld").await;
    world.looks_again(2).await;
    assert_eq!(world.writes(), writes, "what is held does not run");
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/RemovalHeld");
    let held = world.get("account/acme").await["status"]["held"].clone();
    assert_eq!(held["removals"], 4);
    let approve = format!("seatkeeper.dev/approve={}", held["digest"].as_str().unwrap());
    world.k(&["annotate", "--overwrite", "account", "acme", &approve]).await;
    for person in people {
        world.gone(&format!("cla/{person}")).await;
        assert_eq!(row(&world, person).await, Value::Null);
    }
    world.becomes("account/acme", "Synced").await;
}
