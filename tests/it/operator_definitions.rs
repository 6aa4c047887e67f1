//! Definitions that are missing, or not those of this version: on a control plane of its own,
//! because definitions are there for all.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use seatkeeper::api;
use serde_json::Value;

use crate::operator_world::{Plane, World, membership};
use crate::service::Browser;

const ANA: &str = "{email: ana@example.com, role: admin}";

/// Installs our kinds; roles of Memberships may be numbers, as if a later version allowed it.
async fn install_later_definitions(world: &World) {
    for (file, crd) in api::crds() {
        let mut crd = serde_json::to_value(&crd).unwrap();
        if file == "memberships.yaml" {
            let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            schema["properties"]["spec"]["properties"]["role"] =
                serde_json::json!({"description": "a role", "x-kubernetes-int-or-string": true});
        }
        world.apply(&crd.to_string()).await;
    }
}

#[tokio::test]
async fn missing_definitions_are_waited_for_and_a_later_object_stops_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::own(folder.path()).await;
    let mut world = World::on(plane, folder, "growth").await;

    world.start_operator_with("info", &[]).await;
    let log = || fs::read_to_string(world.file("operator.log")).unwrap();
    world
        .until("the log says what is missing", async || {
            log().contains("the cluster does not know the kind Membership: install the definitions")
        })
        .await;
    assert_eq!(world.probe("/livez").await.0, 200);
    assert_eq!(world.probe("/readyz").await.0, 503);
    install_later_definitions(&world).await;
    world.until("the operator is ready", async || world.probe("/readyz").await.0 == 200).await;

    world.declare("", ANA).await;
    world.declare_member("bo", "developer").await;
    let link = world.link_to("bo").await;
    Browser::new(&world.base).accept_by_sign_in(&link).await;
    world.becomes("membership/bo", "Active").await;

    world.apply(&membership(&world.namespace, "bo", "7", "")).await;
    world.says("membership/bo", "Accepted", "False/Unreadable").await;
    let message = world.get("membership/bo").await["status"]["conditions"][0]["message"].clone();
    assert!(message.as_str().unwrap().contains("spec.role"), "{message}");
    world.declare_member("cyd", "biller").await;
    world.becomes("membership/cyd", "Pending").await;
    world.looks_again(4).await;
    assert_eq!(world.people().await, "bo:developer:active", "bo was left as he is");

    world.k(&["delete", "membership", "bo", "--wait=false"]).await;
    world.gone("membership/bo").await;
    assert_eq!(world.member("bo").await, Value::Null, "its deletion ends the access all the same");
}

#[tokio::test]
async fn deleting_the_definitions_removes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::own(folder.path()).await;
    let mut world = World::on(plane, folder, "growth").await;
    for (_, crd) in api::crds() {
        world.apply(&serde_json::to_string(&crd).unwrap()).await;
    }
    world.start_operator("info").await;
    world.declare("", ANA).await;
    world.declare_member("bo", "developer").await;
    let link = world.link_to("bo").await;
    Browser::new(&world.base).accept_by_sign_in(&link).await;
    world.becomes("membership/bo", "Active").await;
    let writes = world.writes();

    world.k(&["delete", "crd", "memberships.seatkeeper.dev", "--timeout=60s"]).await;
    world.looks_again(2).await;
    assert_eq!(world.people().await, "bo:developer:active");
    assert_eq!(world.writes(), writes, "something was taken away");

    for (_, crd) in api::crds() {
        world.apply(&serde_json::to_string(&crd).unwrap()).await;
    }
    world.looks_again(3).await;
    assert_eq!(world.people().await, "bo:developer:active", "definitions made anew");
    assert_eq!(world.writes(), writes, "something was taken away later");
}
