//! What the end of an Account, of its namespace, of its service and of its credentials does to people
//! and to objects: everything goes, and nobody loses anything unless that was asked for before.

use serde_json::Value;

use crate::operator_world::{World, membership};
use crate::service::Browser;

const KINDS: &str =
    "memberships,teams,clientaccesses,notificationsubscriptions,accounts,accountledgers";
const ALL: &str = "ana:admin:active bo:developer:active";

/// A world with the team of `ana`, and `bo` by a Membership; both are members. `rest` goes under the
/// Account's spec.
async fn two_members(rest: &str) -> World {
    let world = World::start("growth").await;
    world.declare(rest, "{email: ana@example.com, role: admin}").await;
    world.declare_member("bo", "developer").await;
    world.join("ana").await;
    let link = world.link_to("bo").await;
    Browser::new(&world.base).accept_by_sign_in(&link).await;
    world.becomes("membership/bo", "Active").await;
    world.becomes("account/acme", "Synced").await;
    world
}

async fn patch(world: &World, object: &str, patch: &str) {
    world.k(&["patch", object, "--type=merge", "-p", patch]).await;
}

async fn delete(world: &World, what: &[&str]) {
    world.k(&[&["delete", "--wait=false"], what].concat()).await;
}

async fn uid(world: &World, object: &str) -> String {
    world.get(object).await["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

/// What the record of orphans says of an object.
async fn orphan(world: &World, uid: &str) -> String {
    let said = world
        .k(&["get", "configmap", "seatkeeper-orphans", "-n", "seatkeeper-system", "-o", "json"])
        .await;
    let map: Value = serde_json::from_str(&said).unwrap_or_default();
    map["data"][uid].as_str().unwrap_or_default().to_owned()
}

/// Reasons of the events so far, of one object.
async fn events(world: &World, object: &str) -> String {
    let field = format!("--field-selector=involvedObject.name={object}");
    world.k(&["get", "events", &field, "-o=jsonpath={.items[*].reason}"]).await
}

async fn everything_is_gone(world: &World) {
    world
        .until("nothing is left", async || world.k(&["get", KINDS, "-o", "name"]).await.is_empty())
        .await;
}

// rule: OP-08
#[tokio::test]
async fn revoke_takes_back_what_an_account_gave_but_from_who_is_retained() {
    let world = two_members(", onTeardown: Revoke").await;
    let retain = membership(&world.namespace, "cyd", "biller", ", deletionPolicy: Retain");
    world.apply(&retain).await;
    let link = world.link_to("cyd").await;
    Browser::new(&world.base).accept_by_sign_in(&link).await;
    world.becomes("membership/cyd", "Active").await;

    delete(&world, &["account", "acme"]).await;
    world.gone("account/acme").await;
    assert_eq!(world.people().await, "cyd:biller:active");
    assert!(events(&world, "acme").await.contains("Revoked"));
    world.k(&["delete", "team,membership", "--all", "--timeout=30s"]).await;
    assert_eq!(world.people().await, "cyd:biller:active");
}

// rule: OP-07
// rule: OP-08
#[tokio::test]
async fn revoke_goes_through_the_brake_and_a_person_may_think_better_of_it() {
    let world = two_members(", onTeardown: Revoke").await;
    let nobody = r#"{"spec":{"removals":{"maxCount":0,"maxPercent":0}}}"#;
    patch(&world, "account/acme", nobody).await;
    world.looks_again(1).await;
    delete(&world, &["account", "acme"]).await;
    let removals = async || world.get("account/acme").await["status"]["held"]["removals"].clone();
    world.until("both are held", async || removals().await == 2).await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, ALL);

    patch(&world, "account/acme", r#"{"spec":{"onTeardown":"Retain"}}"#).await;
    world.gone("account/acme").await;
    assert_eq!(world.people().await, ALL);
    assert!(events(&world, "acme").await.contains("LetGo"));
}

// rule: OP-07
// rule: OP-08
#[tokio::test]
async fn a_person_approves_what_a_tear_down_takes_back() {
    let world = two_members(", onTeardown: Revoke").await;
    let nobody = r#"{"spec":{"removals":{"maxCount":0,"maxPercent":0}}}"#;
    patch(&world, "account/acme", nobody).await;
    world.looks_again(1).await;
    delete(&world, &["namespace", &world.namespace]).await;
    let held = async || world.get("account/acme").await["status"]["held"].clone();
    world.until("both are held", async || held().await["removals"] == 2).await;
    let digest = held().await["digest"].as_str().unwrap_or_default().to_owned();
    let ns = world.namespace.clone();
    world.exits(0, &["approve", "acme", "-n", &ns, "--digest", &digest]).await;
    world
        .until("the namespace is gone", async || !world.kubectl(&["get", "namespace", &ns]).await.0)
        .await;
    assert_eq!(world.people().await, "");
}

// rule: OP-08
#[tokio::test]
async fn a_namespace_whose_account_says_revoke_takes_its_people_along_though_its_secret_goes_first()
{
    let world = two_members(", onTeardown: Revoke").await;
    delete(&world, &["secret", "acme-token"]).await;
    world.says("account/acme", "Accepted", "False/SecretNotFound").await;
    world.k(&["delete", "namespace", &world.namespace, "--timeout=60s"]).await;
    assert_eq!(world.people().await, "");
}

// rule: OP-08
#[tokio::test]
async fn revoke_counts_only_if_it_was_said_before_the_deletion() {
    let mut world = two_members("").await;
    assert!(world.stop_operator().await);
    delete(&world, &["account", "acme"]).await;
    patch(&world, "account/acme", r#"{"spec":{"onTeardown":"Revoke"}}"#).await;
    world.start_operator("info").await;
    world.gone("account/acme").await;
    world.k(&["delete", "team,membership", "--all", "--timeout=30s"]).await;
    assert_eq!(world.people().await, ALL);
}

// rule: OP-08
#[tokio::test]
async fn a_declaration_waits_for_a_lost_secret_only_for_a_while_and_a_record_says_so() {
    let world = two_members(", releaseAfter: 6s").await;
    let uid = uid(&world, "membership/bo").await;
    world.k(&["delete", "secret", "acme-token"]).await;
    delete(&world, &["membership", "bo"]).await;
    world.becomes("membership/bo", "Removing").await;
    let message = world.get("membership/bo").await["status"]["message"].to_string();
    let ends = world.get("membership/bo").await["metadata"]["deletionTimestamp"].to_string();
    assert!(message.contains("it goes without that at 2"), "{message} for {ends}");
    assert!(message.contains("seatkeeper.dev/release"), "{message}");
    world.gone("membership/bo").await;
    assert_eq!(world.people().await, ALL);
    let orphan = orphan(&world, &uid).await;
    let account = format!("account: {}/acme", world.namespace);
    for said in
        ["kind: Membership", "name: bo", "reason: SecretNotFound", "accountId: acme", &account]
    {
        assert!(orphan.contains(said), "{said} in {orphan}");
    }
    assert!(!orphan.contains('@') && !orphan.contains(&world.token), "{orphan}");
    assert!(events(&world, "bo").await.contains("Released"));

    // What the deletion asked for is done as soon as it can be.
    let token = world.token.clone();
    world.secret(&token).await;
    world.until("bo is removed", async || world.people().await == "ana:admin:active").await;
}

// rule: OP-08
#[tokio::test]
async fn an_account_whose_service_is_gone_goes_after_a_while_and_a_record_says_so() {
    let mut world = two_members(", onTeardown: Revoke, releaseAfter: 6s").await;
    let uid = uid(&world, "account/acme").await;
    let address = world.stop_service().await;
    delete(&world, &["account", "acme"]).await;
    world.says("account/acme", "Synced", "False/Unreachable").await;
    let waits = world.get("account/acme").await;
    let text = waits["status"]["conditions"].to_string();
    assert!(waits.is_null() || text.contains("it goes without that at 2"), "{text}");
    world.gone("account/acme").await;
    let orphan = orphan(&world, &uid).await;
    assert!(orphan.contains("kind: Account") && orphan.contains("reason: Unreachable"), "{orphan}");
    world.k(&["delete", "team,membership,accountledger", "--all", "--timeout=30s"]).await;
    everything_is_gone(&world).await;
    world.start_service(&address).await;
    assert_eq!(world.people().await, ALL);
}

// rule: OP-08
#[tokio::test]
async fn an_account_whose_class_is_gone_counts_as_gone() {
    let world = two_members(", onTeardown: Revoke, releaseAfter: 6s").await;
    let uid = uid(&world, "account/acme").await;
    world.k(&["delete", "accountclass", &world.namespace]).await;
    world.says("account/acme", "Accepted", "False/NotFound").await;
    world.k(&["delete", "namespace", &world.namespace, "--timeout=60s"]).await;
    assert!(orphan(&world, &uid).await.contains("reason: NotFound"));
    assert_eq!(world.people().await, ALL);
}

// rule: OP-08
#[tokio::test]
async fn a_namespace_goes_at_once_though_secret_class_and_service_are_gone() {
    let mut world = two_members("").await;
    let address = world.stop_service().await;
    world.k(&["delete", "secret", "acme-token"]).await;
    world.k(&["delete", "accountclass", &world.namespace]).await;
    world.k(&["delete", "namespace", &world.namespace, "--timeout=60s"]).await;
    world.start_service(&address).await;
    assert_eq!(world.people().await, ALL);
}

// rule: OP-08
#[tokio::test]
async fn a_person_lets_an_object_go_at_once_by_an_annotation() {
    let mut world = two_members("").await;
    let uid = uid(&world, "membership/bo").await;
    let address = world.stop_service().await;
    world.k(&["annotate", "membership", "bo", "seatkeeper.dev/release=early"]).await;
    world.looks_again(0).await;
    assert_ne!(world.get("membership/bo").await, Value::Null, "nobody deleted it yet");
    delete(&world, &["membership", "bo"]).await;
    world.gone("membership/bo").await;
    assert!(orphan(&world, &uid).await.contains("reason: Asked"));

    // At the Account it counts for all that is deleted.
    delete(&world, &["team", "core"]).await;
    world.says("team/core", "Synced", "Unknown/Unreachable").await;
    world.k(&["annotate", "account", "acme", "seatkeeper.dev/release=now"]).await;
    world.gone("team/core").await;
    assert!(events(&world, "core").await.contains("Released"));
    delete(&world, &["account", "acme"]).await;
    world.gone("account/acme").await;
    world.start_service(&address).await;
    assert_eq!(world.people().await, ALL);
}

// rule: OP-08
#[tokio::test]
async fn a_suspended_account_keeps_deleted_declarations_and_goes_itself_without_touching_anybody() {
    let world = two_members(", onTeardown: Revoke, releaseAfter: 8s").await;
    patch(&world, "account/acme", r#"{"spec":{"suspend":true}}"#).await;
    world.becomes("account/acme", "Suspended").await;
    delete(&world, &["membership", "bo"]).await;
    world.says("membership/bo", "Synced", "Unknown/Suspended").await;
    assert_ne!(world.get("membership/bo").await, Value::Null);
    delete(&world, &["account", "acme"]).await;
    delete(&world, &["team", "core"]).await;
    world.k(&["delete", "accountledger", "--all", "--timeout=60s"]).await;
    everything_is_gone(&world).await;
    assert_eq!(world.people().await, ALL);
}

// rule: OP-08
#[tokio::test]
async fn everything_that_is_deleted_at_once_goes_and_takes_nobody_along() {
    let world = two_members("").await;
    let kinds =
        "memberships,teams,clientaccesses,notificationsubscriptions,accounts,accountledgers";
    delete(&world, &[&format!("{kinds},secrets"), "--all"]).await;
    delete(&world, &["accountclass", &world.namespace]).await;
    everything_is_gone(&world).await;
    assert_eq!(world.people().await, ALL);
    let log = std::fs::read_to_string(world.file("requests.jsonl")).unwrap_or_default();
    assert!(!log.contains("\"DELETE\""), "something was taken away");
}

// rule: OP-08
#[tokio::test]
async fn below_mode_manage_a_deleted_account_is_forgotten_as_soon_as_it_is_gone() {
    let world = two_members("").await;
    patch(&world, "account/acme", r#"{"spec":{"mode":"Invite"}}"#).await;
    let marked = async || !world.get("account/acme").await["metadata"]["finalizers"].is_null();
    world.until("the marks are taken off", async || !marked().await).await;
    world.k(&["delete", "account", "acme"]).await;
    let told = async || events(&world, "acme").await.contains("LetGo");
    world.until("an event says so", told).await;
    world.k(&["delete", "membership", "bo"]).await;
    world.declare("", "{email: ana@example.com, role: admin}").await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(4).await;
    assert_eq!(world.people().await, ALL);
}
