//! What a person does about guards, in a cluster: the commands `approve` and `resend`.

use serde_json::Value;

use crate::operator_world::World;

/// Four people.
const FOUR: &str = "{email: ana@example.com}, {email: bo@example.com}, {email: cyd@example.com}, \
                    {email: dan@example.com}";

/// Invitations that wait for their person.
async fn pending(world: &World) -> Value {
    world.read("/seats").await["breakdown"]["pending"].clone()
}

// rule: OP-07
#[tokio::test]
async fn a_team_that_lost_its_roster_ends_no_access_until_its_digest_is_approved() {
    let world = World::start("scale").await;
    world.declare("", FOUR).await;
    world.until("four are invited", async || pending(&world).await == 4).await;
    world.becomes("account/acme", "Synced").await;
    let namespace = world.namespace.clone();
    let account = ["approve", "acme", "-n", &namespace];
    let said = world.exits(0, &account).await;
    assert_eq!(said.out, format!("Account {namespace}/acme: nothing waits for an approval\n"));

    world.declare("", "").await;
    world.says("account/acme", "Stalled", "True/EmptySource").await;
    let status = world.get("account/acme").await["status"].clone();
    let digest = status["held"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(status["held"]["removals"], 4);
    let message = status["conditions"].to_string();
    assert!(message.contains("4 of the 4 people that were declared are gone"), "{message}");

    let said = world.exits(4, &account).await;
    let first = format!("Account {namespace}/acme: held set {digest}: 4 removals\n  EmptySource: ");
    assert!(said.out.starts_with(&first), "{}", said.out);
    assert!(said.err.contains(&format!("--digest {digest}")), "{}", said.err);
    let wrong = [&account[..], &["--digest", "0123456789abcdef"]].concat();
    let said = world.exits(1, &wrong).await;
    assert!(
        said.err.contains(&format!("0123456789abcdef is not what Account {namespace}/acme holds"))
    );
    let annotations = world.get("account/acme").await["metadata"]["annotations"].to_string();
    assert!(!annotations.contains("0123456789abcdef"), "{annotations}");
    let elsewhere = ["approve", "acme", "-n", "default", "--digest", &digest];
    let said = world.exits(1, &elsewhere).await;
    assert!(said.err.contains("the cluster has no Account default/acme"), "{}", said.err);
    world.looks_again(2).await;
    assert_eq!(pending(&world).await, 4);

    world.exits(0, &[&account[..], &["--digest", &digest]].concat()).await;
    world.until("the approved set ran", async || pending(&world).await == 0).await;
    world.becomes("account/acme", "Synced").await;
    let said = world.exits(1, &[&account[..], &["--digest", &digest]].concat()).await;
    assert!(said.err.contains("nothing waits for an approval"), "{}", said.err);
}

/// Takes the ledger of the account away, as a restore of the cluster without it would.
async fn lose_the_ledger(world: &World) {
    let free = r#"{"metadata":{"finalizers":null}}"#;
    let objects = world.k(&["get", "accountledgers", "-o", "name"]).await;
    for object in objects.lines() {
        world.k(&["patch", object, "--type=merge", "-p", free]).await;
    }
    world.k(&["delete", "accountledgers", "--all"]).await;
}

// rule: OP-02
#[tokio::test]
async fn a_cluster_that_lost_the_ledger_waits_until_its_digest_is_approved() {
    let mut world = World::start("growth").await;
    world.declare("", "{email: ana@example.com}").await;
    world.until("ana is invited", async || pending(&world).await == 1).await;
    world.becomes("account/acme", "Synced").await;
    assert!(world.stop_operator().await);
    lose_the_ledger(&world).await;
    world.declare_member("bo", "developer").await;

    world.start_operator("info").await;
    world.becomes("account/acme", "LedgerLost").await;
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/LedgerLost");
    let held = world.get("account/acme").await["status"]["held"].clone();
    assert_eq!((&held["additions"], &held["mails"]), (&1.into(), &1.into()), "{held}");
    world.looks_again(2).await;
    assert_eq!(world.mails("invitation").len(), 1);
    assert_eq!(world.k(&["get", "accountledgers", "-o", "name"]).await, "");

    let (namespace, digest) = (world.namespace.clone(), held["digest"].as_str().unwrap());
    world.exits(0, &["approve", "acme", "-n", &namespace, "--digest", digest]).await;
    world.becomes("membership/bo", "Pending").await;
    world.becomes("account/acme", "Synced").await;
    assert_eq!(world.mails("invitation").len(), 2);
}

// rule: OP-02
#[tokio::test]
async fn a_person_asks_for_one_more_mail_by_a_command_and_gets_one() {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com}").await;
    world.declare_member("bo", "developer").await;
    world.becomes("membership/bo", "Pending").await;
    world.until("two are invited", async || world.mails("invitation").len() == 2).await;
    world.becomes("account/acme", "Synced").await;
    let namespace = world.namespace.clone();

    let missing = ["resend", "membership/bo", "membership/zoe", "-n", &namespace];
    let said = world.exits(1, &missing).await;
    assert!(said.err.contains(&format!("the cluster has no Membership {namespace}/zoe")));
    let annotations = world.get("membership/bo").await["metadata"]["annotations"].clone();
    assert_eq!(annotations["seatkeeper.dev/resend"], Value::Null, "all or none");
    let said = world.exits(2, &["resend", "account/acme", "-n", &namespace]).await;
    assert!(said.err.contains("give it as membership/NAME, team/NAME"), "{}", said.err);

    world.exits(0, &["resend", "membership/bo", "-n", &namespace]).await;
    world.until("bo gets a second mail", async || world.mails("resend").len() == 1).await;
    world.exits(0, &["resend", "team/core", "-n", &namespace]).await;
    world.until("ana gets a second mail", async || world.mails("resend").len() == 2).await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(2).await;
    let to: Vec<String> = world.mails("resend").into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["bo@example.com", "ana@example.com"]);
    assert_eq!(world.mails("invitation").len(), 2);
}
