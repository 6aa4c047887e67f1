//! Teams of other namespaces, on a control plane of their own, because the operator looks at all.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use seatkeeper::api;

use crate::operator_world::{Plane, World};
use crate::service::Browser;

/// Team `till` of namespace `shop` with bo, and a Membership of it with cyd.
pub const TILL: &str = "apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: till, namespace: shop}
spec: {accountRef: {name: acme, namespace: WEB}, defaultRole: developer, roster: [{email: bo@example.com}]}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: cyd, namespace: shop}
spec: {teamRef: {name: till}, email: cyd@example.com, role: biller}
";

/// An account with ana, whose class and namespaces are there, looked at everywhere.
pub async fn account() -> World {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::own(folder.path()).await;
    let mut world = World::on(plane, folder, "growth").await;
    for (_, crd) in api::crds() {
        world.apply(&serde_json::to_string(&crd).unwrap()).await;
    }
    world.k(&["create", "namespace", "shop"]).await;
    world.everywhere = true;
    world.start_operator("info").await;
    world.declare("", "{email: ana@example.com, role: admin}").await;
    world.join("ana").await;
    world.becomes("account/acme", "Synced").await;
    world
}

/// A condition of an object of namespace `shop`.
pub async fn there(world: &World, object: &str, condition: &str) -> String {
    let path = format!("-o=jsonpath={{.status.conditions[?(@.type=='{condition}')].status}}");
    let reason = format!("-o=jsonpath={{.status.conditions[?(@.type=='{condition}')].reason}}");
    let status = world.k(&["get", "-n", "shop", object, &path]).await;
    format!("{status}/{}", world.k(&["get", "-n", "shop", object, &reason]).await)
}

pub async fn allow(world: &World, allowed: &str) {
    let patch = format!("{{\"spec\":{{\"allowedNamespaces\":{allowed}}}}}");
    world.k(&["patch", "account", "acme", "--type=merge", "-p", &patch]).await;
}

// rule: OP-06
// rule: OP-08
#[tokio::test]
async fn an_account_takes_what_the_namespaces_declare_that_it_allows() {
    let world = account().await;
    world.apply_in("shop", &TILL.replace("WEB", &world.namespace)).await;
    let denied = async || there(&world, "team/till", "Accepted").await == "False/NotAllowedHere";
    world.until("the team is not allowed", denied).await;
    world.looks_again(2).await;
    assert_eq!(world.mails("invitation").len(), 1, "only ana is invited");

    allow(&world, r#"{"from":"Selector","selector":{"matchLabels":{"tier":"front"}}}"#).await;
    world.looks_again(2).await;
    assert_eq!(there(&world, "team/till", "Accepted").await, "False/NotAllowedHere");
    world.k(&["label", "namespace", "shop", "tier=front"]).await;
    for person in ["bo", "cyd"] {
        let link = world.link_to(person).await;
        Browser::new(&world.base).accept_by_sign_in(&link).await;
    }
    let ready = async || there(&world, "membership/cyd", "Ready").await == "True/Active";
    world.until("cyd is active", ready).await;
    let all = "ana:admin:active bo:developer:active cyd:biller:active";

    // Nobody loses a place because a label is lost.
    let at_once = r#"{"spec":{"removals":{"settle":"0s"}}}"#;
    world.k(&["patch", "account", "acme", "--type=merge", "-p", at_once]).await;
    world.k(&["label", "namespace", "shop", "tier-"]).await;
    world.until("the team is not allowed", denied).await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, all);
    world.k(&["label", "namespace", "shop", "tier=front"]).await;
    world
        .until("the team is back", async || {
            there(&world, "team/till", "Ready").await.starts_with("True")
        })
        .await;

    // A declaration that ends takes back what it gave, wherever it stood.
    world.k(&["delete", "-n", "shop", "membership", "cyd", "--timeout=60s"]).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");

    // Who deletes a namespace did not decide about people.
    world.k(&["delete", "namespace", "shop", "--timeout=60s"]).await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, "ana:admin:active bo:developer:active");
    world.becomes("account/acme", "Synced").await;
}
