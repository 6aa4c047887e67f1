//! `seatkeeper release`: everything can be deleted without the operator, and nobody is touched.

use serde_json::Value;

use crate::operator_world::World;

const KINDS: &str = "accounts,teams,memberships,accountledgers";

/// A world with ana as a member and bo invited, everything marked.
async fn marked() -> World {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com, role: admin}").await;
    world.declare_member("bo", "developer").await;
    world.join("ana").await;
    world.becomes("account/acme", "Synced").await;
    world.becomes("membership/bo", "Pending").await;
    world.until("the ledger is marked", async || ours(&world).await.contains("ledger")).await;
    world
}

/// Our finalizers in the namespace.
async fn ours(world: &World) -> String {
    world.k(&["get", KINDS, "-o=jsonpath={.items[*].metadata.finalizers[*]}"]).await
}

// rule: OP-08
#[tokio::test]
async fn what_is_released_can_be_deleted_without_the_operator_and_nobody_is_touched() {
    let mut world = marked().await;
    assert!(world.stop_operator().await);
    let (before, writes) = (ours(&world).await, world.writes());
    let ns = world.namespace.clone();

    let said = world.exits(0, &["release", "--all", "-n", &ns, "--dry-run"]).await;
    assert!(said.err.contains("Membership: 1 object with our finalizers"), "{}", said.err);
    assert_eq!(ours(&world).await, before, "a dry run changes nothing");
    let said = world.exits(1, &["release", "--all", "-n", &ns]).await;
    assert!(said.err.contains("hint: --yes releases it without a question"), "{}", said.err);
    assert_eq!(ours(&world).await, before, "nobody confirmed it");

    world.exits(0, &["release", "membership/bo", "-n", &ns, "--yes"]).await;
    assert!(!ours(&world).await.contains("seatkeeper.dev/membership"));
    assert!(ours(&world).await.contains("seatkeeper.dev/team"));
    world.k(&["delete", "team", "core", "--wait=false"]).await;
    let said = world.exits(0, &["release", "--all", "-n", &ns, "--yes"]).await;
    assert!(said.out.contains("Account: 1 object released"), "{}", said.out);
    assert_eq!(ours(&world).await, "");
    assert_eq!(world.get("team/core").await, Value::Null);
    assert_ne!(world.get("accountledger/acme").await["spec"]["content"], Value::Null);
    let said = world.exits(0, &["release", "--all", "-n", &ns, "--yes"]).await;
    assert_eq!(said.out, "nothing carries our finalizers\n");
    world.k(&["delete", "namespace", &ns, "--timeout=60s"]).await;
    assert_eq!(world.people().await, "ana:admin:active");
    assert_eq!(world.writes(), writes);
}

// rule: OP-08
#[tokio::test]
async fn what_goes_after_a_release_ends_nobody_once_an_operator_is_back() {
    let mut world = marked().await;
    assert!(world.stop_operator().await);
    let ns = world.namespace.clone();
    world.exits(0, &["release", "--all", "-n", &ns, "--yes"]).await;
    world.k(&["delete", "team/core"]).await;
    world.k(&["delete", "membership/bo"]).await;
    let writes = world.writes();

    world.start_operator("info").await;
    world.until("it is marked again", async || ours(&world).await.contains("account")).await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, "ana:admin:active");
    assert_eq!(world.mails("removed").len(), 0);
    assert_eq!(world.writes(), writes, "bo's invitation waits on");
}

// rule: OP-08
#[tokio::test]
async fn a_running_operator_is_noticed_and_is_stopped_if_that_is_asked_for() {
    let mut world = marked().await;
    let ns = world.namespace.clone();
    let said = world.exits(1, &["release", "--all", "-n", &ns, "--yes"]).await;
    assert!(said.err.contains("an operator runs, and puts them back"), "{}", said.err);
    assert!(ours(&world).await.contains("seatkeeper.dev/account"));

    let deployment = format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: operator, namespace: {ns}}}, \
         spec: {{replicas: 2, selector: {{matchLabels: {{a: b}}}}, template: {{metadata: \
         {{labels: {{a: b}}}}, spec: {{containers: [{{name: operator, image: none}}]}}}}}}}}"
    );
    world.apply(&deployment).await;
    assert!(world.stop_operator().await);
    let place = format!("{ns}/operator");
    let stop = ["release", "--all", "-n", &ns, "--yes", "--stop-operator", &place];
    world.exits(0, &stop).await;
    assert_eq!(world.get("deployment/operator").await["spec"]["replicas"], 0);
    assert_eq!(ours(&world).await, "");
}

#[tokio::test]
async fn what_is_to_be_released_is_named_or_all_of_it() {
    let world = World::new("growth").await;
    let ns = world.namespace.clone();
    let said = world.exits(2, &["release"]).await;
    assert!(said.err.contains("--all"), "{}", said.err);
    world.exits(2, &["release", "--all", "team/core"]).await;
    let said = world.exits(2, &["release", "secret/acme-token"]).await;
    assert!(said.err.contains("give it as account/NAME"), "{}", said.err);
    let said = world.exits(1, &["release", "team/core", "-n", &ns, "--yes"]).await;
    assert!(said.err.contains(&format!("the cluster has no Team {ns}/core")), "{}", said.err);
}
