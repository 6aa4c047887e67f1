//! The story of one team through the operator: the real API server, the real account service, and
//! people with a browser.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use crate::operator_world::World;
use crate::service::{Browser, PASSWORD};

/// `ana` and `bo` in the roster.
const ROSTER: &str = "{email: ana@example.com, role: admin}, {email: bo@example.com}";
/// The same, `bo` raised.
const RAISED: &str = "{email: ana@example.com, role: admin}, {email: bo@example.com, role: admin}";
/// `bo` is gone.
const WITHOUT_BO: &str = "{email: ana@example.com, role: admin}";
/// Trim who is over the limit.
const TRIM: &str = ", onSeatShortage: Trim";

/// Three people are declared, invited, and accept, each in another way.
async fn three_accept(world: &World) {
    world.declare("", ROSTER).await;
    world.declare_member("cyd", "biller").await;
    world.becomes("membership/cyd", "Pending").await;
    world.join("ana").await;
    let link = world.link_to("bo").await;
    Browser::new(&world.base).accept_by_sign_in(&link).await;
    let mut cyd = Browser::new(&world.base);
    cyd.sign_in("cyd@example.com", PASSWORD).await;
    cyd.accept_signed_in(&world.link_to("cyd").await).await;
    world.becomes("membership/cyd", "Active").await;
    world
        .until("the team is complete", async || {
            world.get("team/core").await["status"]["counts"]["active"] == 2
        })
        .await;
    assert_eq!(world.mails("invitation").len(), 3);
}

// rule: OP-01
#[tokio::test]
async fn once_everything_matches_the_operator_writes_nothing_anywhere() {
    let world = World::start("growth").await;
    three_accept(&world).await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(2).await;

    let ok = "seatkeeper_reconciles_total{result=\"ok\"}";
    let (reconciles, writes, audited) =
        (world.figure(ok).await, world.writes(), world.audited_writes());
    assert!(!audited.is_empty(), "the audit log does not know the operator");
    world
        .until("three more reconciles, by the operator's own figures", async || {
            world.figure(ok).await >= reconciles + 3
        })
        .await;
    world.looks_again(1).await;

    assert_eq!(world.writes(), writes, "writes to the service");
    assert_eq!(world.audited_writes()[audited.len()..], [] as [String; 0], "writes to Kubernetes");
}

// rule: NP-07
// rule: OP-04
// rule: OP-07
// rule: OP-08
// rule: OP-10
#[tokio::test]
async fn the_story_of_one_team_comes_true_through_the_operator() {
    let mut world = World::new("business, growth").await;
    world.start_operator("trace").await;
    three_accept(&world).await;
    let columns = world.k(&["get", "memberships"]).await;
    assert_eq!(
        columns.split_whitespace().take(7).collect::<Vec<_>>(),
        ["NAME", "TEAM", "EMAIL", "ROLE", "STATE", "READY", "AGE"]
    );
    assert!(columns.contains("cyd@example.com   biller   Active   True"), "{columns}");

    a_role_is_raised(&world).await;
    a_fourth_person_waits(&world).await;
    a_smaller_plan_trims_and_a_larger_brings_back(&world).await;
    a_deletion_ends_access_and_the_next_are_held(&world).await;
    an_approval_lets_them_run(&world).await;

    nothing_private_was_said(&world).await;
    assert!(world.stop_operator().await, "the operator did not end well");
}

async fn a_role_is_raised(world: &World) {
    let was = world.member("bo").await;
    world.declare("", RAISED).await;
    world.until("bo is admin", async || world.member("bo").await["role"] == "admin").await;
    let is = world.member("bo").await;
    for kept in ["id", "added_at", "joined_at"] {
        assert_eq!(was[kept], is[kept], "{kept} was not kept");
    }
}

async fn a_fourth_person_waits(world: &World) {
    world.declare_member("dan", "developer").await;
    world.becomes("membership/dan", "Queued").await;
    let dan = world.get("membership/dan").await;
    assert_eq!(dan["status"]["position"], 1);
    let message = dan["status"]["message"].as_str().unwrap();
    for way_out in ["remove someone", "withdraw a pending invitation", "upgrade"] {
        assert!(message.contains(way_out), "{message}");
    }
    assert_eq!(world.condition("membership/dan", "Stalled").await, "True/SeatLimitReached");
    assert!(world.kstatus("memberships").await.contains("membership/dan Failed"));
    assert_eq!(world.mails("invitation").len(), 3);
}

async fn a_smaller_plan_trims_and_a_larger_brings_back(world: &World) {
    world.declare(TRIM, RAISED).await;
    let before = world.people_by_age().await;
    let earliest = before[0].clone();
    world.cancel("growth").await;
    world
        .until("two are trimmed", async || {
            world.get("account/acme").await["status"]["seats"]["trimmed"] == 2
        })
        .await;
    let after = world.people_by_age().await;
    let people = after.join(" ");
    assert_eq!(after[0], earliest, "the earliest-added stays: {people}");
    assert_eq!(people.matches(":trimmed").count(), 2, "{people}");
    let cyd = world.get("membership/cyd").await;
    let trimmed = people.contains("cyd:biller:trimmed");
    assert_eq!(cyd["status"]["state"], if trimmed { "Trimmed" } else { "Active" });

    world.subscribe("scale").await;
    world.becomes("membership/dan", "Pending").await;
    assert_eq!(world.people().await.matches(":active").count(), 3);
    assert_eq!(world.mails("invitation").len(), 4, "nobody who came back was invited");
    assert_eq!(world.mails("reinstated").len(), 2);
}

async fn a_deletion_ends_access_and_the_next_are_held(world: &World) {
    world.k(&["delete", "membership", "cyd", "--wait=false"]).await;
    world.gone("membership/cyd").await;
    assert_eq!(world.member("cyd").await, serde_json::Value::Null, "access ends first");

    let writes = world.writes();
    world.k(&["delete", "membership", "dan", "--wait=false"]).await;
    world.declare(TRIM, WITHOUT_BO).await;
    world
        .until("two removals are held", async || {
            world.get("account/acme").await["status"]["held"]["removals"] == 2
        })
        .await;
    world.becomes("membership/dan", "Removing").await;
    world.looks_again(3).await;
    assert_eq!(world.writes(), writes, "what is held does not run");
    assert_eq!(world.state("account/acme").await, "Held");
    assert_eq!(world.condition("account/acme", "Stalled").await, "True/RemovalHeld");
    assert_eq!(world.kstatus("accounts").await, "account/acme Failed");
    assert_eq!(world.condition("membership/dan", "Synced").await, "False/RemovalHeld");
}

async fn an_approval_lets_them_run(world: &World) {
    let writes = world.writes();
    let wrong = "seatkeeper.dev/approve=0123456789abcdef";
    world.k(&["annotate", "--overwrite", "account", "acme", wrong]).await;
    world.looks_again(2).await;
    assert_eq!(world.writes(), writes, "another digest approves nothing");

    let held = world.get("account/acme").await["status"]["held"].clone();
    let approve = format!("seatkeeper.dev/approve={}", held["digest"].as_str().unwrap());
    world.k(&["annotate", "--overwrite", "account", "acme", &approve]).await;
    world.gone("membership/dan").await;
    world.until("only ana stays", async || world.people().await == "ana:admin:active").await;
    world.becomes("account/acme", "Synced").await;
    assert_eq!(world.read("/seats").await["breakdown"]["pending"], 0);
    world.is_current().await;
}

/// Neither the token nor an address is where it must not be, even in the most talkative log.
async fn nothing_private_was_said(world: &World) {
    let said = world.everything_said().await;
    for (place, text) in &said {
        assert!(text.len() > 100, "{place} is empty");
        assert!(!text.contains(&world.token), "the token is in the {place}");
        let named = text.contains("@example.com");
        assert_eq!(named, *place == "objects", "an address in the {place}: {named}");
    }
    let (_, events) = said.iter().find(|(place, _)| *place == "events").unwrap();
    for reason in ["RemovalHeld", "SeatLimitReached", "Recovered"] {
        assert!(events.contains(reason), "no event {reason}");
    }
}

// rule: OP-02
#[tokio::test]
async fn a_new_value_of_the_annotation_sends_one_mail_more_and_then_nothing() {
    let world = World::start("growth").await;
    world.declare("", WITHOUT_BO).await;
    world.declare_member("bo", "developer").await;
    world.becomes("membership/bo", "Pending").await;
    for (word, mails) in [("please", 1), ("once-more", 2)] {
        let word = format!("seatkeeper.dev/resend={word}");
        world.k(&["annotate", "--overwrite", "membership", "bo", &word]).await;
        world.until("it is sent again", async || world.mails("resend").len() == mails).await;
        world.becomes("membership/bo", "Pending").await;
        world.looks_again(2).await;
        let writes = (world.writes(), world.audited_writes().len());
        // Whatever else changes at the object: the word was heeded.
        world.k(&["label", "--overwrite", "membership", "bo", &format!("n={mails}")]).await;
        world.looks_again(3).await;
        assert_eq!(world.mails("resend").len(), mails);
        assert_eq!(world.writes(), writes.0, "writes to the service");
        let mine = world.audited_writes()[writes.1..].to_vec();
        assert_eq!(mine, [] as [String; 0], "writes to Kubernetes");
    }
    assert_eq!(world.mails("resend").iter().filter(|mail| mail.to != "bo@example.com").count(), 0);
}
