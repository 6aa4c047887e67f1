//! Many teams in an account through the operator: the real API server, the real account service.

use serde_json::{Value, json};

use crate::operator_world::{World, manifests};

/// An organisation with one team, which shares Starter (5 seats).
const ORGANISATION: &str = "profile: catalogue
    subscriptions: [starter, growth]
    teams:
      - name: Design
        subscription: starter
        members:
          - {email: tom@example.com, name: Tom, role: team-admin}
          - {email: mia@example.com, name: Mia, role: member}";

async fn organisation() -> (World, String, String) {
    let mut world = World::of(ORGANISATION).await;
    world.start_operator("info").await;
    let account = manifests(&world.namespace, &world.base, "", "");
    let account =
        account.replace("nitropack", "catalogue").replace(", grantableRoles: [admin]", "");
    let end = account.rfind("---").unwrap_or(account.len());
    world.apply(&account[..end]).await;
    let held = world.read("/subscriptions").await;
    let of = |plan: &str| {
        let mut rows = held["items"].as_array().into_iter().flatten();
        let row = rows.find(|row| row["plan"] == plan).cloned().unwrap_or_default();
        row["id"].as_str().unwrap_or_default().to_owned()
    };
    (world, of("starter"), of("growth"))
}

/// A Team; `spec` goes under it.
fn team(world: &World, name: &str, spec: &str, roster: &str) -> String {
    format!(
        "---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {{name: {name}, namespace: {}}}
spec: {{accountRef: {{name: acme}}, {spec}, roster: [{roster}]}}
",
        world.namespace
    )
}

/// People of a team as `tom:team-admin`, in order of their names.
async fn people(world: &World, team: &Value) -> String {
    let path = format!("/members?team={}", team.as_str().unwrap_or_default());
    let rows = world.read(&path).await;
    let name = |row: &Value| row["email"].as_str().unwrap_or_default().replace("@example.com", "");
    let rows = rows["items"].as_array().into_iter().flatten();
    let mut people: Vec<_> =
        rows.map(|row| format!("{}:{}", name(row), row["role"].as_str().unwrap_or("?"))).collect();
    people.sort();
    people.join(" ")
}

// rule: OP-01
// rule: OP-08
// rule: CT-01
// rule: CT-05
#[tokio::test]
async fn teams_are_made_adopted_and_emptied_as_declared_and_then_nothing_is_written() {
    let (world, starter, growth) = organisation().await;
    let design = world.read("/teams").await["items"][0]["id"].clone();
    let adopted = format!(
        "displayName: Design, teamId: {}, subscription: {starter}",
        design.as_str().unwrap_or_default()
    );
    let roster =
        "{email: tom@example.com, role: team-admin}, {email: mia@example.com, role: member}";
    world.apply(&team(&world, "design", &adopted, roster)).await;
    let print = format!("displayName: Print, subscription: {growth}, defaultRole: member");
    let roster = "{email: mia@example.com}, {email: bo@example.com}";
    world.apply(&team(&world, "print", &print, roster)).await;
    world.becomes("team/print", "Active").await;
    world.says("team/print", "Ready", "True/Synced").await;
    let status = world.get("team/print").await["status"].clone();
    assert_eq!(status["subscription"], growth.as_str());
    world
        .until("Mia is in, Bo is invited", async || {
            let counts = world.get("team/print").await["status"]["counts"].clone();
            counts["active"] == 1 && counts["pending"] == 1
        })
        .await;
    assert_eq!(people(&world, &status["teamId"]).await, "mia:member");
    let columns = world.k(&["get", "teams"]).await;
    assert!(columns.contains("STATE"), "{columns}");
    world.join("bo").await;
    world
        .until("Bo is in", async || {
            world.get("team/print").await["status"]["counts"]["active"] == 2
        })
        .await;
    assert_eq!(world.mails("invitation").len(), 1);
    world.is_quiet().await;

    // Who is in two teams leaves one of them with its declaration.
    world.k(&["delete", "team", "print", "--timeout=60s"]).await;
    assert_eq!(people(&world, &status["teamId"]).await, "");
    assert_eq!(people(&world, &design).await, "mia:member tom:team-admin");
    world.is_quiet().await;
}

#[tokio::test]
async fn a_team_that_cannot_be_made_says_why_and_what_to_do() {
    let (world, starter, _) = organisation().await;
    let taken = format!("displayName: Design, subscription: {starter}");
    world.apply(&team(&world, "design", &taken, "{email: bo@example.com, role: member}")).await;
    world.says("team/design", "Stalled", "True/TeamNameTaken").await;
    world
        .apply(&team(&world, "lost", &format!("teamId: team_no, subscription: {starter}"), ""))
        .await;
    world.says("team/lost", "Stalled", "True/TeamNotFound").await;
    world.apply(&team(&world, "bare", "displayName: Bare", "")).await;
    world.says("team/bare", "Accepted", "False/ProfileCannot").await;
    let membership = format!(
        "---\napiVersion: seatkeeper.dev/v1alpha1\nkind: Membership\nmetadata: {{name: cyd, namespace: {}}}\n\
         spec: {{accountRef: {{name: acme}}, email: cyd@example.com, role: member}}\n",
        world.namespace
    );
    world.apply(&membership).await;
    world.says("membership/cyd", "Accepted", "False/RoleNotHere").await;
    assert_eq!(world.get("team/design").await["status"]["state"], json!("Pending"));
    assert_eq!(world.mails("invitation").len(), 0, "nobody is invited to what is not there");
}
