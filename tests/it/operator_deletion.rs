//! What the deletion of objects does to people, on the real API server and the real service.

use serde_json::Value;

use crate::operator_world::{World, membership};

/// A world with the team of `ana`, and `bo` by a Membership with `rest` in its spec; both are
/// members.
async fn two_members(account: &str, rest: &str) -> World {
    let world = World::start("growth").await;
    world.declare(account, "{email: ana@example.com, role: admin}").await;
    world.apply(&membership(&world.namespace, "bo", "developer", rest)).await;
    world.join("ana").await;
    let link = world.link_to("bo").await;
    crate::service::Browser::new(&world.base).accept_by_sign_in(&link).await;
    world.becomes("membership/bo", "Active").await;
    world.becomes("account/acme", "Synced").await;
    world
}

async fn finalizers(world: &World, object: &str) -> Value {
    world.get(object).await["metadata"]["finalizers"].clone()
}

// rule: OP-08
#[tokio::test]
async fn a_deleted_declaration_stays_removing_until_the_service_has_ended_the_access() {
    let mut world = two_members("", "").await;
    assert_eq!(
        finalizers(&world, "membership/bo").await,
        Value::from(vec!["seatkeeper.dev/membership"])
    );
    let address = world.stop_service().await;
    world.k(&["delete", "membership", "bo", "--wait=false"]).await;
    world.becomes("membership/bo", "Removing").await;
    world.becomes("account/acme", "Unreachable").await;
    world.says("membership/bo", "Synced", "Unknown/Unreachable").await;
    assert_ne!(world.get("membership/bo").await, Value::Null);

    world.start_service(&address).await;
    world.gone("membership/bo").await;
    assert_eq!(world.people().await, "ana:admin:active");
    world.becomes("account/acme", "Synced").await;
}

// rule: OP-08
#[tokio::test]
async fn retain_leaves_the_person_and_lets_the_object_go() {
    let world = two_members("", ", deletionPolicy: Retain").await;
    world.k(&["delete", "membership", "bo"]).await;
    world.looks_again(4).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
}

// rule: OP-08
#[tokio::test]
async fn the_deletion_policy_of_the_last_moment_counts() {
    let mut world = two_members("", "").await;
    assert!(world.stop_operator().await);
    let retain = membership(&world.namespace, "bo", "developer", ", deletionPolicy: Retain");
    world.apply(&retain).await;
    world.k(&["delete", "membership", "bo", "--wait=false"]).await;
    world.start_operator("info").await;
    world.gone("membership/bo").await;
    world.looks_again(4).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
}

// rule: OP-08
#[tokio::test]
async fn a_person_declared_twice_stays_when_one_declaration_goes() {
    let world = two_members("", "").await;
    let twin =
        membership(&world.namespace, "bo", "developer", "").replace("name: bo,", "name: twin,");
    world.apply(&twin).await;
    world.says("membership/twin", "Accepted", "False/Conflict").await;
    world.k(&["delete", "membership", "bo"]).await;
    world.becomes("membership/twin", "Active").await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
    assert_eq!(world.mails("invitation").len(), 2, "the hand-over sends nothing");
}

// rule: OP-08
#[tokio::test]
async fn below_mode_manage_deletion_lets_go_at_once() {
    let world = two_members("", "").await;
    world
        .k(&["patch", "account", "acme", "--type=merge", "-p", r#"{"spec":{"mode":"Invite"}}"#])
        .await;
    world
        .until("the marks are taken off", async || {
            finalizers(&world, "membership/bo").await == Value::Null
                && finalizers(&world, "account/acme").await == Value::Null
        })
        .await;
    world.k(&["delete", "membership", "bo"]).await;
    world.looks_again(3).await;
    world
        .k(&["patch", "account", "acme", "--type=merge", "-p", r#"{"spec":{"mode":"Manage"}}"#])
        .await;
    world.looks_again(4).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
}

// rule: OP-08
#[tokio::test]
async fn a_deleted_account_lets_everyone_go_and_made_anew_finds_nobody_to_remove() {
    let world = two_members("", "").await;
    world.k(&["delete", "account", "acme"]).await;
    world.says("membership/bo", "Accepted", "False/ParentNotAccepted").await;
    world.k(&["delete", "membership", "bo"]).await;
    world.declare("", "{email: ana@example.com, role: admin}").await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(4).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
}

// rule: OP-08
#[tokio::test]
async fn tearing_down_a_namespace_removes_nobody_and_leaves_nothing_behind() {
    let world = two_members("", "").await;
    // Nothing waits, so that only the tear-down itself stands between people and their removal.
    let at_once = r#"{"spec":{"removals":{"settle":"0s"}}}"#;
    world.k(&["patch", "account", "acme", "--type=merge", "-p", at_once]).await;
    world.looks_again(1).await;
    world.k(&["delete", "namespace", &world.namespace, "--timeout=60s"]).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
    let log = std::fs::read_to_string(world.file("requests.jsonl")).unwrap();
    assert!(!log.contains("\"DELETE\""), "something was taken away");
}

// rule: OP-07
// rule: OP-08
#[tokio::test]
async fn many_deletions_at_once_are_seen_as_one_and_held() {
    let world = World::start("scale").await;
    let names = ["a", "b", "c", "d", "e"];
    let roster = "{email: ana@example.com, role: admin}";
    world.declare(", onSeatShortage: Hold", roster).await;
    let all: String = names.map(|n| membership(&world.namespace, n, "biller", "")).concat();
    world.apply(&all).await;
    for name in names {
        world.becomes(&format!("membership/{name}"), "Pending").await;
    }
    let writes = world.writes();
    for name in names {
        world.k(&["delete", "membership", name, "--wait=false"]).await;
    }
    world
        .until("all five are held", async || {
            world.get("account/acme").await["status"]["held"]["removals"] == 5
        })
        .await;
    world.looks_again(2).await;
    assert_eq!(world.writes(), writes, "none of them ran");
    for name in names {
        let object = world.get(&format!("membership/{name}")).await;
        assert_ne!(object, Value::Null, "{name} is to stay until its invitation is withdrawn");
    }
}
