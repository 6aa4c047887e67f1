//! The operator and the feed of changes: who changes the account at its service is noticed long
//! before the resync, and what we change ourselves wakes nobody.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::operator_world::{World, manifests};
use crate::service::{Browser, client, text};

const ANA: &str = "{email: ana@example.com, role: admin}";

/// Applies class, account and team, with a resync that no test waits for.
async fn declare(world: &World, rest: &str, roster: &str) {
    let manifests = manifests(&world.namespace, &world.base, rest, roster);
    world.apply(&manifests.replace("resync: 5s", "resync: 1h")).await;
}

/// Polls that were answered so far, by status.
fn polls(world: &World, status: u16) -> usize {
    let requests = world.requests();
    let polls = requests.iter().filter(|r| is_poll(r) && r["status"] == status);
    polls.count()
}

fn is_poll(request: &Value) -> bool {
    request["route"].as_str().is_some_and(|route| route.ends_with("/changes"))
}

/// Another token of the account: id and secret.
async fn other_token(world: &World) -> (String, String) {
    let scopes = ["read", "invite", "change", "remove", "billing", "manage"];
    let new = json!({ "kind": "account", "name": "other", "scopes": scopes });
    let made = world.call(&world.token, Method::POST, "/tokens", &new).await;
    (text(&made["id"]), text(&made["secret"]))
}

/// Somebody else changes the account, in a way that is nobody's business. Polls that wait show in no
/// log: now they are answered.
async fn rename(world: &World, other: &str, name: &str) {
    let url = format!("{}/v1/accounts/acme", world.base);
    let request = client().patch(url).bearer_auth(other).header("if-match", "*");
    let answer = request.json(&json!({ "name": name })).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Waits until nothing is looked at any more.
async fn quiet(world: &World) {
    loop {
        let looks = world.looks();
        tokio::time::sleep(Duration::from_secs(3)).await;
        if world.looks() == looks {
            return;
        }
    }
}

#[tokio::test]
async fn what_somebody_else_changes_at_the_service_is_noticed_within_seconds() {
    let world = World::start("growth").await;
    declare(&world, "", ANA).await;
    world.declare_member("bo", "developer").await;
    world.becomes("membership/bo", "Pending").await;
    quiet(&world).await;

    let began = Instant::now();
    world.join("ana").await;
    world
        .until("the team shows who joined", async || {
            world.get("team/core").await["status"]["counts"]["active"] == 1
        })
        .await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    quiet(&world).await;
    let began = Instant::now();
    world.subscribe("scale").await;
    world
        .until("the status shows the plan", async || {
            world.get("account/acme").await["status"]["plan"] == "scale"
        })
        .await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    quiet(&world).await;
    assert!(world.figure("seatkeeper_feed_polls_total{outcome=\"Changed\"}").await >= 2);
}

// rule: OP-01
#[tokio::test]
async fn what_we_change_ourselves_wakes_nobody() {
    let world = World::start("custom").await;
    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    let (_, other) = other_token(&world).await;
    quiet(&world).await;

    let (looks, known) = (world.looks(), polls(&world, 200));
    let mut roster = ANA.to_owned();
    for n in 0..10 {
        write!(roster, ", {{email: p{n}@example.com}}").unwrap();
    }
    declare(&world, "", &roster).await;
    world.until("all are invited", async || world.mails("invitation").len() == 11).await;
    quiet(&world).await;
    assert!(polls(&world, 200) > known, "the feed told of our changes");
    assert_eq!(world.looks() - looks, 1, "one look by the declaration, none by the feed");

    let looks = world.looks();
    rename(&world, &other, "Acme 2").await;
    world.until("a look", async || world.looks() > looks).await;
}

#[tokio::test]
async fn a_feed_that_does_not_reach_back_is_met_by_a_look() {
    let mut world = World::start("growth").await;
    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    quiet(&world).await;
    let looks = world.looks();

    let address = world.stop_service().await;
    let database = format!("sqlite://{}", world.file("data").join("seatkeeper.db").display());
    forget_all(&database).await;
    world.start_service(&address).await;
    world.until("the feed is too old", async || polls(&world, 410) == 1).await;
    world.until("a look", async || world.looks() > looks).await;
    quiet(&world).await;
    assert_eq!(world.looks(), looks + 1);

    let began = Instant::now();
    world.join("ana").await;
    world
        .until("the team shows who joined", async || {
            world.get("team/core").await["status"]["counts"]["active"] == 1
        })
        .await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(polls(&world, 410), 1);
}

/// As if retention had taken the whole feed, and something had happened since.
async fn forget_all(database: &str) {
    use sqlx::Connection as _;
    let mut connection = sqlx::SqliteConnection::connect(database).await.unwrap();
    for sql in [
        "delete from audit_events",
        "update accounts set position = position + 100, forgotten = position + 100",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_service_that_restarts_is_followed_again_and_what_happened_meanwhile_is_noticed() {
    let mut world = World::start("growth").await;
    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    let link = world.link_to("ana").await;
    quiet(&world).await;

    let looks = world.looks();
    let address = world.stop_service().await;
    world.start_service(&address).await;
    // Before the operator is back: nobody waits for an answer.
    Browser::new(&world.base).accept_by_sign_up(&link).await;
    let began = Instant::now();
    world
        .until("the team shows who joined", async || {
            world.get("team/core").await["status"]["counts"]["active"] == 1
        })
        .await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(world.looks() > looks);
    assert_eq!(world.condition("account/acme", "Synced").await, "True/Synced");
}

#[tokio::test]
async fn the_polls_end_with_account_and_class_and_while_suspended_and_with_the_operator() {
    let mut world = World::start("growth").await;
    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    let (_, other) = other_token(&world).await;
    quiet(&world).await;

    declare(&world, ", suspend: true", ANA).await;
    world.becomes("account/acme", "Suspended").await;
    nobody_polls(&world, &other, "Suspended").await;

    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    quiet(&world).await;
    let looks = world.looks();
    rename(&world, &other, "Acme 2").await;
    world.until("it is followed again", async || world.looks() > looks).await;
    quiet(&world).await;

    world.k(&["delete", "accountclass", &world.namespace]).await;
    world.becomes("account/acme", "Rejected").await;
    nobody_polls(&world, &other, "Classless").await;
    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    quiet(&world).await;

    world.k(&["delete", "account", "acme"]).await;
    world.gone("account/acme").await;
    nobody_polls(&world, &other, "Deleted").await;

    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    quiet(&world).await;
    let began = Instant::now();
    assert!(world.stop_operator().await, "the operator did not end well");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// A change of the account is answered to nobody.
async fn nobody_polls(world: &World, other: &str, name: &str) {
    let (looks, answered) = (world.looks(), polls(world, 200));
    rename(world, other, name).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((world.looks(), polls(world, 200)), (looks, answered), "{name}");
}

#[tokio::test]
async fn a_credential_that_is_withdrawn_is_said_soon_and_a_new_one_is_followed() {
    let world = World::start("growth").await;
    declare(&world, "", ANA).await;
    world.becomes("account/acme", "Synced").await;
    quiet(&world).await;
    let tokens = world.read("/tokens").await;
    let old = text(&tokens["items"][0]["id"]);
    let (_, other) = other_token(&world).await;
    quiet(&world).await;

    let url = format!("{}/v1/accounts/acme/tokens/{old}", world.base);
    let request = client().delete(url).bearer_auth(&other).header("if-match", "*");
    assert!(request.send().await.unwrap().status().is_success());
    world.becomes("account/acme", "CredentialsRefused").await;
    let refused = polls(&world, 401);
    assert_eq!(refused, 1);

    world.secret(&other).await;
    declare(&world, "", &format!("{ANA}, {{email: bo@example.com}}")).await;
    world.becomes("account/acme", "Synced").await;
    quiet(&world).await;
    let looks = world.looks();
    rename(&world, &other, "Acme 2").await;
    world.until("it is followed again", async || world.looks() > looks).await;
    assert_eq!(polls(&world, 401), refused);
}
