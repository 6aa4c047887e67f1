//! What a declaration of a person can say besides address and role, on the real API server and the
//! real service.

use std::time::Duration;

use jiff::Timestamp;

use crate::operator_world::{World, membership};
use crate::service::Browser;

/// Two members: `ana` by the roster, `bo` by a Membership.
async fn two_members() -> World {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com, role: admin}").await;
    world.declare_member("bo", "developer").await;
    world.join("ana").await;
    let link = world.link_to("bo").await;
    Browser::new(&world.base).accept_by_sign_in(&link).await;
    world.becomes("membership/bo", "Active").await;
    world.becomes("account/acme", "Synced").await;
    world
}

fn gone(world: &World, person: &str) -> String {
    let email = format!("email: {person}@example.com, state: Absent");
    membership(&world.namespace, "gone", "developer", "").replace("email: gone@example.com", &email)
}

// rule: OP-06
#[tokio::test]
async fn absent_ends_access_and_its_own_end_does_nothing() {
    let world = two_members().await;
    world.apply(&gone(&world, "bo")).await;
    world.becomes("membership/gone", "Absent").await;
    world.says("membership/gone", "Ready", "True/Absent").await;
    world.says("membership/bo", "Accepted", "False/DeclaredAbsent").await;
    assert_eq!(world.people().await, "ana:admin:active");
    world.k(&["delete", "membership", "bo"]).await;
    world.k(&["delete", "membership", "gone"]).await;
    world.looks_again(3).await;
    assert_eq!(world.people().await, "ana:admin:active");
    assert_eq!(world.mails("invitation").len(), 2);
}

// rule: OP-08
#[tokio::test]
async fn access_ends_at_its_date_by_itself() {
    let world = two_members().await;
    #[expect(clippy::disallowed_methods, reason = "the operator reads the real clock")]
    let soon = Timestamp::now() + Duration::from_secs(12);
    let soon = soon.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let ends = membership(&world.namespace, "bo", "developer", &format!(", expiresAt: '{soon}'"));
    world.apply(&ends).await;
    world
        .until("the end is announced", async || {
            world.get("membership/bo").await["status"]["expiresAt"] == soon.as_str()
        })
        .await;
    assert_eq!(world.state("membership/bo").await, "Active");
    world.becomes("membership/bo", "Absent").await;
    world.says("membership/bo", "Ready", "True/Absent").await;
    assert_eq!(world.people().await, "ana:admin:active");
}
