//! What goes wrong, and that it goes wrong alone.

use std::fs;

use serde_json::{Value, json};

use crate::operator_world::{World, manifests};

const ANA: &str = "{email: ana@example.com, role: admin}";

#[tokio::test]
async fn a_missing_secret_is_said_and_its_arrival_noticed() {
    let world = World::start("growth").await;
    world.k(&["delete", "secret", "acme-token"]).await;
    world.declare("", ANA).await;
    world.says("account/acme", "Accepted", "False/SecretNotFound").await;
    assert_eq!(world.state("account/acme").await, "Rejected");
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/SecretNotFound");
    world.secret(&world.token.clone()).await;
    world.becomes("account/acme", "Synced").await;
    assert_eq!(world.condition("account/acme", "Stalled").await, "");
}

#[tokio::test]
async fn a_refused_token_waits_for_a_person_and_a_new_one_counts() {
    let world = World::start("growth").await;
    world.secret("not-the-token").await;
    world.declare("", ANA).await;
    world.becomes("account/acme", "CredentialsRefused").await;
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/CredentialsRefused");
    assert_eq!(world.condition("account/acme", "Ready").await, "False/CredentialsRefused");
    world.secret(&world.token.clone()).await;
    world.becomes("account/acme", "Synced").await;
}

#[tokio::test]
async fn a_service_that_is_down_is_said_at_the_account_and_statuses_stand() {
    let mut world = World::start("growth").await;
    world.declare("", ANA).await;
    world.declare_member("bo", "developer").await;
    world.becomes("membership/bo", "Pending").await;
    let before = world.get("membership/bo").await["metadata"]["resourceVersion"].clone();
    let address = world.stop_service().await;
    world.becomes("account/acme", "Unreachable").await;
    assert_eq!(world.condition("account/acme", "Synced").await, "False/Unreachable");
    assert_eq!(world.condition("account/acme", "Stalled").await, "", "waiting helps");
    let after = world.get("membership/bo").await["metadata"]["resourceVersion"].clone();
    assert_eq!(before, after);
    world.start_service(&address).await;
    world.becomes("account/acme", "Synced").await;
    assert_eq!(world.mails("invitation").len(), 2);
}

#[tokio::test]
async fn a_service_with_other_rules_than_the_profile_is_not_touched() {
    let world = World::start("growth").await;
    world.declare("", ANA).await;
    // The Account may be looked at before its Team is there.
    world.until("ana is invited", async || world.mails("invitation").len() == 1).await;
    world.becomes("account/acme", "Synced").await;
    let writes = world.writes();
    let class = format!(r#"{{"spec":{{"profile":"{}"}}}}"#, "generic");
    world.k(&["patch", "accountclass", &world.namespace, "--type=merge", "-p", &class]).await;
    world.becomes("account/acme", "ProfileMismatch").await;
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/ProfileMismatch");
    assert_eq!(world.writes(), writes);
}

/// The profile of a ConfigMap counts as a built-in one does, from its arrival on; a text that is none
/// is said, with its place.
#[tokio::test]
async fn a_profile_of_ones_own_is_read_from_its_config_map() {
    let world = World::start("growth").await;
    let space = &world.namespace;
    let at = format!("profileConfigMapRef: {{namespace: {space}, name: rules}}");
    let text = manifests(space, &world.base, "", ANA).replace("profile: nitropack", &at);
    world.apply(&text).await;
    world.says("account/acme", "Accepted", "False/InvalidProfile").await;
    let said = async |word: &str| {
        let conditions = world.get("account/acme").await["status"]["conditions"].clone();
        conditions.to_string().contains(word)
    };
    assert!(said("which is not there").await);
    let map = |profile: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "rules", "namespace": space},
            "data": {"profile.yaml": profile},
        })
        .to_string()
    };
    let own = fs::read_to_string("profiles/nitropack.yaml").unwrap();
    world.apply(&map(&own.replace("roles:", "rolls:"))).await;
    world.until("the fault is said", async || said("key profile.yaml:").await).await;
    assert_eq!(world.writes(), 0);
    world.apply(&map(&own)).await;
    world.becomes("account/acme", "Synced").await;
    world.until("ana is invited", async || world.mails("invitation").len() == 1).await;
}

#[tokio::test]
async fn a_reference_to_nothing_is_said_and_its_arrival_noticed() {
    let world = World::start("growth").await;
    world.declare_member("bo", "developer").await;
    world.says("membership/bo", "Accepted", "False/NotFound").await;
    assert_eq!(world.get("membership/bo").await["status"]["state"], Value::Null);
    world.declare("", ANA).await;
    world.becomes("membership/bo", "Pending").await;
    assert_eq!(world.condition("membership/bo", "Ready").await, "True/Pending");
}

#[tokio::test]
async fn mode_observe_reports_and_writes_nothing() {
    let world = World::start("growth").await;
    let manifests = manifests(&world.namespace, &world.base, "", ANA);
    world.apply(&manifests.replace("mode: Manage", "mode: Observe")).await;
    world.becomes("account/acme", "Observing").await;
    world.says("account/acme", "Ready", "True/Observing").await;
    world.looks_again(2).await;
    assert_eq!(world.writes(), 0);
    assert_eq!(world.mails("invitation").len(), 0);
    for object in ["account/acme", "team/core"] {
        assert!(world.get(object).await["metadata"]["finalizers"].is_null(), "{object}");
    }
    let ledgers = world.k(&["get", "accountledgers", "-o", "name"]).await;
    assert_eq!(ledgers.trim(), "", "no ledger");
}

#[tokio::test]
async fn suspend_writes_nothing_to_the_service() {
    let world = World::start("growth").await;
    world.declare(", suspend: true", ANA).await;
    world.becomes("account/acme", "Suspended").await;
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/Suspended");
    world.looks_again(2).await;
    assert_eq!(world.writes(), 0);
    world.declare("", ANA).await;
    world.becomes("account/acme", "Synced").await;
    assert_eq!(world.mails("invitation").len(), 1);
}

#[tokio::test]
async fn the_operator_is_ready_only_when_it_may_watch_and_alive_all_the_while() {
    let world = World::start("growth").await;
    assert_eq!(world.probe("/livez").await.0, 200);
    assert_eq!(world.probe("/readyz").await.0, 200);
    world.declare("", ANA).await;
    world.becomes("account/acme", "Synced").await;
    let wanted = [
        "seatkeeper_reconciles_total{result=\"ok\"}",
        "seatkeeper_reconcile_duration_seconds_bucket",
        "seatkeeper_backend_calls_total{call=\"Invite\",outcome=\"ok\"} 1",
        "seatkeeper_seats{kind=\"used\"} 1",
        "seatkeeper_seats{kind=\"limit\"} 3",
        "seatkeeper_queue_depth 0",
    ];
    let said = async || {
        let (_, figures) = world.probe("/metrics").await;
        wanted.iter().all(|figure| figures.contains(figure))
    };
    world.until("the figures count one invitation", said).await;
    let (_, figures) = world.probe("/metrics").await;
    assert!(!figures.contains(&world.namespace), "a name in a label\n{figures}");
}
