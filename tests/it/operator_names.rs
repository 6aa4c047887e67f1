//! Earlier addresses of people on the real API server and the real service.

use crate::operator_world::{World, membership};
use crate::service::Browser;

/// The Membership `dee` with this address, and what else its spec says.
fn renamed(world: &World, address: &str, rest: &str) -> String {
    membership(&world.namespace, "dee", "developer", rest)
        .replace("email: dee@example.com", &format!("email: {address}@example.com"))
}

async fn one_invited() -> World {
    let world = World::start("growth").await;
    world.declare("", "").await;
    world.apply(&renamed(&world, "dee", ", firstName: Dee, reason: 'Ticket OPS-12'")).await;
    world.link_to("dee").await;
    world.becomes("membership/dee", "Pending").await;
    world
}

// rule: OP-02
// rule: OP-09
#[tokio::test]
async fn a_membership_may_be_renamed_and_its_invitation_moves() {
    let world = one_invited().await;
    assert!(world.mails("invitation")[0].text.contains("Hello Dee,"));
    let file = world.file("renamed.yaml");
    std::fs::write(&file, renamed(&world, "dana", "")).expect("a file");
    let path = file.display().to_string();
    let (taken, said) = world.kubectl(&["apply", "-f", &path]).await;
    assert!(!taken && said.contains("add the old one to formerly"), "{said}");

    world.apply(&renamed(&world, "dana", ", formerly: [DEE@example.com]")).await;
    let link = world.link_to("dana").await;
    world.becomes("membership/dee", "Pending").await;
    Browser::new(&world.base).accept_by_sign_up(&link).await;
    world.becomes("membership/dee", "Active").await;
    world.looks_again(3).await;
    world.is_quiet().await;
    assert_eq!(world.people().await, "dana:developer:active");
    assert_eq!(world.mails("invitation").len(), 2);
}

// rule: OP-08
#[tokio::test]
async fn a_member_who_was_renamed_is_known_by_the_earlier_address_and_leaves_with_the_object() {
    let world = one_invited().await;
    world.join("dee").await;
    world.becomes("membership/dee", "Active").await;
    world.apply(&renamed(&world, "dana", ", formerly: [dee@example.com]")).await;
    world
        .until("the earlier address is said", async || {
            world.get("membership/dee").await["status"]["knownAs"] == "dee@example.com"
        })
        .await;
    world.says("membership/dee", "Ready", "True/Active").await;
    world.is_quiet().await;
    assert_eq!(world.people().await, "dee:developer:active");
    // The ledger knows who it is when no declaration lists the earlier address any more.
    world.apply(&renamed(&world, "dana", "")).await;
    world
        .until("that only the ledger knows is said", async || {
            let status = world.get("membership/dee").await["status"].clone();
            status["knownAs"] == "dee@example.com"
                && status["conditions"].to_string().contains("does not list any more")
        })
        .await;
    world.looks_again(3).await;
    world.is_quiet().await;
    assert_eq!(world.people().await, "dee:developer:active");
    assert_eq!(world.mails("invitation").len(), 1);
    world.k(&["delete", "membership", "dee", "--wait=false"]).await;
    world.gone("membership/dee").await;
    assert_eq!(world.people().await, "", "the access goes before the object");
}
