//! How often service and cluster are asked and written to for an account of 10 000 people, counted in
//! the service's request log and in the API server's audit log.

use std::fmt::Write as _;

use crate::operator_world::{World, manifests};

const PEOPLE: usize = 9_999;
/// People of a Team object.
const TEAM: usize = 2_000;

/// A Team of the account `acme` with these people.
fn team(world: &World, name: &str, people: impl Iterator<Item = String>) -> String {
    let mut text = format!(
        "---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {{name: {name}, namespace: {}}}
spec:
  accountRef: {{name: acme}}
  defaultRole: developer
  roster:
",
        world.namespace
    );
    for person in people {
        let _ = writeln!(text, "  - email: {person}@example.com");
    }
    text
}

fn old(people: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    people.map(|n| format!("p{n}"))
}

// rule: OP-01
// rule: OP-07
#[tokio::test]
async fn fifty_in_and_fifty_out_of_10_000_cost_two_looks_and_100_writes() {
    let mut account = "profile: nitropack\n    subscriptions: [custom]\n    members:\n".to_owned();
    for n in 0..PEOPLE {
        let _ = writeln!(account, "      - {{email: p{n}@example.com, role: developer}}");
    }
    let mut world = World::of(account.trim_end()).await;
    let spec = manifests(&world.namespace, &world.base, "", "");
    let spec = spec.replace("resync: 5s", "resync: 1h").replace("{settle: 2s}", "{settle: 0s}");
    let end = spec.rfind("---").unwrap_or(spec.len());
    world.apply(&spec[..end]).await;
    for (n, start) in (0..PEOPLE).step_by(TEAM).enumerate() {
        let people = old(start..(start + TEAM).min(PEOPLE));
        world.apply(&team(&world, &format!("team-{n}"), people)).await;
    }
    world.start_operator("info").await;
    world.becomes("account/acme", "Synced").await;
    world.says("team/team-4", "Ready", "True/Synced").await;

    let reads = |world: &World| {
        let requests = world.requests().into_iter();
        let lists = |line: &&serde_json::Value| {
            let route = line["route"].as_str().unwrap_or_default();
            line["method"] == "GET" && !route.contains("changes")
        };
        requests.filter(|line| lists(&line)).count()
    };
    // What woke it last is looked at before we count.
    let mut asked = 0;
    while asked != reads(&world) {
        asked = reads(&world);
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }
    let wrote = world.writes();
    let people = old(50..TEAM).chain((0..50).map(|n| format!("new{n}")));
    world.apply(&team(&world, "team-0", people)).await;
    world
        .until("fifty are invited, fifty are gone", async || {
            let counts = world.get("team/team-0").await["status"]["counts"].clone();
            counts["pending"] == 50 && world.writes() >= wrote + 100
        })
        .await;
    assert_eq!(world.writes() - wrote, 100);
    assert_eq!(reads(&world) - asked, 2 * 12, "two looks of 12 reads");
}
