//! Tear-down of other namespaces and of our kinds, on a control plane of its own.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use seatkeeper::api;
use serde_json::json;

use crate::operator_namespaces::{TILL, account, allow, there};
use crate::operator_world::World;
use crate::service::{Browser, VENDOR_TOKEN, client};

/// The account is an agency, and the squad asks a client for access.
async fn ask_a_client(world: &World) {
    let url = format!("{}/v1/accounts/acme", world.base);
    let call = client().patch(url).bearer_auth(VENDOR_TOKEN).header("if-match", "*");
    let answer = call.json(&json!({"agency": true})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let access = format!(
        "apiVersion: seatkeeper.dev/v1alpha1
kind: ClientAccess
metadata: {{name: bakery, namespace: shop}}
spec: {{accountRef: {{name: acme, namespace: {}}}, clientEmail: eva@example.com, role: developer}}
",
        world.namespace
    );
    world.apply_in("shop", &access).await;
    let ready = async || there(world, "cla/bakery", "Ready").await == "True/Requested";
    world.until("the client is asked", ready).await;
}

// rule: OP-08
#[tokio::test]
async fn the_namespace_of_a_squad_goes_without_the_service_and_nobody_is_removed_later() {
    let mut world = account().await;
    world.apply_in("shop", &TILL.replace("WEB", &world.namespace)).await;
    allow(&world, r#"{"from":"All"}"#).await;
    for person in ["bo", "cyd"] {
        let link = world.link_to(person).await;
        Browser::new(&world.base).accept_by_sign_in(&link).await;
    }
    let ready = async || there(&world, "membership/cyd", "Ready").await == "True/Active";
    world.until("cyd is active", ready).await;
    // Nothing waits, so that only the tear-down itself stands between people and their removal.
    let at_once = r#"{"spec":{"onTeardown":"Revoke","removals":{"settle":"0s"}}}"#;
    world.k(&["patch", "account", "acme", "--type=merge", "-p", at_once]).await;
    ask_a_client(&world).await;
    world.looks_again(1).await;

    let address = world.stop_service().await;
    world.k(&["delete", "namespace", "shop", "--timeout=60s"]).await;
    world.start_service(&address).await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active cyd:biller:active");
    assert_eq!(world.read("/client-access").await["items"][0]["state"], "requested");

    // The kind of Accounts: what they said before counts.
    world.k(&["delete", "crd", "accounts.seatkeeper.dev", "--timeout=60s"]).await;
    assert_eq!(world.people().await, "bo:developer:active cyd:biller:active");
}

// rule: OP-08
#[tokio::test]
async fn all_kinds_deleted_at_once_leave_nothing_behind_and_remove_nobody() {
    let mut world = account().await;
    allow(&world, r#"{"from":"All"}"#).await;
    world.apply_in("shop", &TILL.replace("WEB", &world.namespace)).await;
    for person in ["bo", "cyd"] {
        let link = world.link_to(person).await;
        Browser::new(&world.base).accept_by_sign_in(&link).await;
    }
    let ready = async || there(&world, "membership/cyd", "Ready").await == "True/Active";
    world.until("cyd is active", ready).await;
    let at_once = r#"{"spec":{"removals":{"settle":"0s"}}}"#;
    world.k(&["patch", "account", "acme", "--type=merge", "-p", at_once]).await;
    world.looks_again(1).await;
    let address = world.stop_service().await;
    for (_, crd) in api::crds() {
        let name = crd.metadata.name.unwrap();
        world.k(&["delete", "crd", &name, "--wait=false"]).await;
    }
    let none = async || world.k(&["get", "crd", "-o", "name"]).await;
    world.until("all kinds are gone", async || !none().await.contains("seatkeeper")).await;
    world.start_service(&address).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active cyd:biller:active");
}
