//! People whom the service shows no more, in a cluster: nothing is concluded before a person has said
//! that they are gone.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::operator_world::{World, manifests};
use crate::service::text;

const FIVE: &str = "{email: p1@example.com}, {email: p2@example.com}, {email: p3@example.com}, \
                    {email: p4@example.com}, {email: p5@example.com}";

/// Invitations that wait for their person.
async fn pending(world: &World) -> Value {
    world.read("/seats").await["breakdown"]["pending"].clone()
}

/// Five people are invited, and two looks that agree would have to be an hour apart.
async fn five() -> World {
    let world = World::start("custom").await;
    let manifests = manifests(&world.namespace, &world.base, "", FIVE);
    world.apply(&manifests.replace("settle: 2s", "settle: 1h")).await;
    world.until("five are invited", async || pending(&world).await == 5).await;
    world.until("five are mailed", async || world.mails("invitation").len() == 5).await;
    world.becomes("account/acme", "Synced").await;
    world
}

/// All invitations are missing in what the service answers; its feed knows nothing of it.
async fn lose(world: &World) {
    let file = world.file("data").join("seatkeeper.db");
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.unwrap();
    for statement in [
        "delete from invitations",
        "update tallies set entries = 0 where list = 'invitations' and state = 'pending'",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

// rule: OP-07
#[tokio::test]
async fn people_who_are_missing_wait_for_an_approval_by_digest() {
    let world = five().await;
    lose(&world).await;
    world.becomes("account/acme", "ReadUntrusted").await;
    assert_eq!(world.condition("account/acme", "Synced").await, "False/ReadUntrusted");
    let writes = world.writes();
    let status = world.get("account/acme").await["status"].clone();
    let digest = text(&status["held"]["digest"]);
    assert_eq!((&status["held"]["absent"], &status["held"]["removals"]), (&5.into(), &0.into()));
    let message = status["conditions"].to_string();
    assert!(message.contains(&format!("seatkeeper.dev/approve={digest}")), "{message}");

    let namespace = world.namespace.clone();
    let account = ["approve", "acme", "-n", &namespace];
    let said = world.exits(4, &account).await;
    let first = format!(
        "Account {namespace}/acme: held set {digest}: 5 missing\n  ReadUntrusted: p1@example.com, "
    );
    assert!(said.out.starts_with(&first), "{}", said.out);
    world.exits(1, &[&account[..], &["--digest", "0123456789abcdef"]].concat()).await;
    world.looks_again(2).await;
    assert_eq!(
        (world.state("account/acme").await, world.writes()),
        ("ReadUntrusted".into(), writes)
    );

    world.exits(0, &[&account[..], &["--digest", &digest]].concat()).await;
    world.until("it goes on", async || world.state("account/acme").await != "ReadUntrusted").await;
    world.looks_again(2).await;
    let status = world.get("account/acme").await["status"].clone();
    assert_eq!(status["held"]["digest"], Value::Null, "{status}");
    assert_eq!(world.mails("invitation").len(), 5, "who vanished is not invited again");
}

// rule: OP-07
#[tokio::test]
async fn people_who_were_ended_by_somebody_else_are_explained_by_the_feed() {
    let world = five().await;
    let scopes = ["read", "invite", "change", "remove"];
    let new = json!({ "kind": "account", "name": "other", "scopes": scopes });
    let other = text(&world.call(&world.token, Method::POST, "/tokens", &new).await["secret"]);
    let rows = world.read("/invitations").await["items"].as_array().unwrap().clone();
    for row in rows {
        let url =
            format!("{}/v1/accounts/acme/invitations/{}/revoke", world.base, text(&row["id"]));
        let call = crate::service::client().post(url).bearer_auth(&other);
        let answer = call.header("if-match", text(&row["etag"])).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    world
        .until("all of them are known as lost", async || {
            let counts = world.get("team/core").await["status"]["counts"].clone();
            counts["pending"] == 0 && counts["problems"] == 5
        })
        .await;
    assert_ne!(world.state("account/acme").await, "ReadUntrusted");
    assert_eq!(world.mails("invitation").len(), 5);
}
