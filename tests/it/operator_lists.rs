//! A list beside the people fails: it is said where it matters, people go on, and nothing in it is
//! touched. On the real API server and the real account service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::operator_world::{World, manifests};
use crate::scripted::{Answer, Bend, Scripted, Seen};
use crate::service::{VENDOR_TOKEN, client};

/// Stands before the service of `world`; while `fails`, it has no such list.
async fn between(world: &World, list: &'static str, fails: &Arc<AtomicBool>) -> Scripted {
    let fails = Arc::clone(fails);
    Scripted::before(&world.base, move |request: &Seen| {
        let is_list = request.line.starts_with("GET ") && request.line.contains(list);
        (is_list && fails.load(Ordering::Relaxed))
            .then(|| Bend::Instead(Answer::problem(500, "internal")))
    })
    .await
}

// rule: OP-01
#[tokio::test]
async fn people_go_on_while_the_clients_cannot_be_read_and_no_client_is_asked() {
    let world = World::start("growth").await;
    let url = format!("{}/v1/accounts/acme", world.base);
    let call = client().patch(url).bearer_auth(VENDOR_TOKEN).header("if-match", "*");
    let answer = call.json(&json!({"agency": true})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let fails = Arc::new(AtomicBool::new(true));
    let between = between(&world, "/client-access", &fails).await;
    let roster = "{email: ana@example.com}";
    world.apply(&manifests(&world.namespace, between.base(), "", roster)).await;
    world
        .apply(&format!(
            "apiVersion: seatkeeper.dev/v1alpha1
kind: ClientAccess
metadata: {{name: bakery, namespace: {}}}
spec: {{accountRef: {{name: acme}}, clientEmail: bo@example.com, role: developer}}
",
            world.namespace
        ))
        .await;
    world.until("ana is invited", async || world.mails("invitation").len() == 1).await;
    world.says("cla/bakery", "Synced", "Unknown/BackendFailed").await;
    world.declare_member("cyd", "developer").await;
    world.becomes("membership/cyd", "Pending").await;
    assert_eq!(world.mails("access-requested").len(), 0);
    fails.store(false, Ordering::Relaxed);
    world.becomes("cla/bakery", "Requested").await;
    world.becomes("account/acme", "Synced").await;
    assert_eq!((world.mails("invitation").len(), world.mails("access-requested").len()), (2, 1));
}

// rule: OP-01
#[tokio::test]
async fn people_go_on_while_the_categories_cannot_be_read_and_no_recipient_is_set() {
    let world = World::start("growth").await;
    let fails = Arc::new(AtomicBool::new(true));
    let between = between(&world, "/notification-categories", &fails).await;
    let roster = "{email: ana@example.com}";
    world.apply(&manifests(&world.namespace, between.base(), "", roster)).await;
    world
        .apply(&format!(
            "apiVersion: seatkeeper.dev/v1alpha1
kind: NotificationSubscription
metadata: {{name: billing, namespace: {}}}
spec: {{teamRef: {{name: core}}, category: billing, recipients: [{roster}]}}
",
            world.namespace
        ))
        .await;
    world.join("ana").await;
    world.says("notificationsubscription/billing", "Synced", "False/BackendFailed").await;
    world.declare_member("cyd", "developer").await;
    world.becomes("membership/cyd", "Pending").await;
    fails.store(false, Ordering::Relaxed);
    world.becomes("notificationsubscription/billing", "Synced").await;
    world.becomes("account/acme", "Synced").await;
    let list = world.read("/notification-categories").await;
    assert!(list.to_string().contains("\"chosen\":true"), "{list}");
}
