//! The chart's admission policies: who may give a protected role, approve, and write a ledger.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use crate::operator_world::{OPERATOR, World, membership};

/// A namespace with the policies, and two users who may write what is declared. Only `boss` has the
/// verbs of the policies.
async fn governed() -> World {
    let world = World::new("growth").await;
    let space = &world.namespace;
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/seatkeeper");
    let mut helm = Command::new("helm");
    helm.args(["template", space]).arg(chart).args(["--set", "image.repository=none"]);
    helm.args(["--set", &format!("watchNamespace={space}")]);
    let rendered = helm.args(["--show-only", "templates/admission.yaml"]).output().await.unwrap();
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    world.apply(&String::from_utf8(rendered.stdout).unwrap()).await;

    let write = ["get", "list", "create", "update", "patch", "delete"];
    let write = json!({"apiGroups": ["seatkeeper.dev"], "resources": ["*"], "verbs": write});
    let grant = json!({"apiGroups": ["seatkeeper.dev"], "resources": ["memberships", "teams"],
        "verbs": ["grant-admin"]});
    let approve = json!({"apiGroups": ["seatkeeper.dev"], "resources": ["accounts"],
        "verbs": ["approve"]});
    for (user, rules) in [("lead", json!([write])), ("boss", json!([write, grant, approve]))] {
        let version = "rbac.authorization.k8s.io/v1";
        let meta = json!({"name": user, "namespace": space});
        let group = "rbac.authorization.k8s.io";
        let role = json!({"apiVersion": version, "kind": "Role", "metadata": meta, "rules": rules});
        let binding = json!({"apiVersion": version, "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}]});
        world.apply(&format!("{role}\n---\n{binding}")).await;
    }
    let probe = membership(space, "probe", "admin", "");
    fs::write(world.file("probe.yaml"), probe).unwrap();
    let probe = world.file("probe.yaml");
    let probe = ["apply", "--dry-run=server", "--as", "lead", "-f", probe.to_str().unwrap()];
    world
        .until("the policies count", async || world.kubectl(&probe).await.1.contains("protected"))
        .await;
    world
}

/// Applies as that user; what the cluster said, or nothing where it took it.
async fn refused(world: &World, user: &str, manifest: &str) -> String {
    let file = world.file("change.yaml");
    fs::write(&file, manifest).unwrap();
    let arguments = ["apply", "--server-side", "--as", user, "-f", file.to_str().unwrap()];
    let (taken, said) = world.kubectl(&arguments).await;
    if taken { String::new() } else { said }
}

/// That the change is refused to who lacks the verb, in words that say why.
async fn needs_admin(world: &World, manifest: &str) {
    let said = refused(world, "lead", manifest).await;
    assert!(said.contains("admin is a protected role"), "{said:?}");
    assert!(!said.contains("budget"), "{said}");
}

/// That the user may do it.
async fn may(world: &World, user: &str, manifest: &str) {
    assert_eq!(refused(world, user, manifest).await, "");
}

#[tokio::test]
async fn a_membership_with_a_protected_role_needs_the_verb_and_all_else_does_not() {
    let world = governed().await;
    let of = |role: &str, rest: &str| membership(&world.namespace, "bo", role, rest);
    may(&world, "lead", &of("developer", "")).await;
    needs_admin(&world, &of("admin", "")).await;
    may(&world, "boss", &of("admin", "")).await;

    may(&world, "lead", &of("admin", ", priority: 5")).await;
    needs_admin(&world, &of("admin", ", formerly: [eve@example.com]")).await;
    let other = of("admin", ", formerly: [bo@example.com]");
    needs_admin(&world, &other.replace("email: bo@", "email: eve@")).await;
    may(&world, "lead", &of("admin", ", state: Absent")).await;
    needs_admin(&world, &of("admin", "")).await;
    may(&world, "lead", &of("developer", "")).await;
    needs_admin(&world, &of("admin", "")).await;

    may(&world, "boss", &of("admin", ", expiresAt: '2030-01-01T00:00:00Z'")).await;
    needs_admin(&world, &of("admin", "")).await;

    // What is being deleted can go, whoever lets it.
    let mark = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    world.k(&["patch", "membership", "bo", "--type=merge", "-p", mark]).await;
    world.k(&["delete", "membership", "bo", "--wait=false"]).await;
    let bare = r#"{"metadata":{"finalizers":null},"spec":{"email":"bo@example.com"}}"#;
    world.k(&["--as", "lead", "patch", "membership", "bo", "--type=merge", "-p", bare]).await;
    world.gone("membership/bo").await;
}

/// A Team with people of no role, then more lines.
fn team(world: &World, standard: &str, people: usize, more: &str) -> String {
    let mut text = format!(
        "apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {{name: core, namespace: {}}}
spec:
  accountRef: {{name: acme}}
  defaultRole: {standard}
  roster:
",
        world.namespace
    );
    for i in 0..people {
        let _ = writeln!(
            text,
            "    - {{email: somebody-{i:04}@department-of-things.example.com, firstName: Some, \
             lastName: Body}}"
        );
    }
    text + more
}

#[tokio::test]
async fn a_roster_of_two_thousand_lines_is_judged_by_its_protected_ones() {
    let world = governed().await;
    let ana = "    - {email: ana@example.com, role: admin}\n";
    let bo = "    - {email: bo@example.com, role: admin}\n";
    let small = |more: &str| team(&world, "developer", 1998, more);
    needs_admin(&world, &small(ana)).await;
    may(&world, "boss", &small(&format!("{ana}{bo}"))).await;
    may(&world, "lead", &small(&format!("{bo}{ana}"))).await;
    may(&world, "lead", &team(&world, "developer", 1990, &format!("{bo}{ana}"))).await;
    may(&world, "lead", &small(bo)).await;
    needs_admin(&world, &small(&format!("{ana}{bo}"))).await;
    needs_admin(&world, &small(&bo.replace("bo@", "eve@"))).await;
    needs_admin(&world, &small(&bo.replace(", role", ", formerly: [eve@example.com], role"))).await;

    // By the default role, all two thousand.
    let all = team(&world, "admin", 2000, "");
    needs_admin(&world, &all).await;
    may(&world, "boss", &all).await;
    may(&world, "lead", &all.replace("lastName: Body", "lastName: Bodies")).await;
    needs_admin(&world, &all.replace("somebody-0000", "somebody-else")).await;
    may(&world, "boss", &all.replace("somebody-0000", "somebody-else")).await;
    may(&world, "lead", &team(&world, "developer", 2000, "")).await;
}

#[tokio::test]
async fn an_approval_needs_the_verb_and_a_ledger_the_operator() {
    let world = governed().await;
    world.declare("", "").await;
    let approve = |digest: &'static str| {
        let word = format!("seatkeeper.dev/approve={digest}");
        let world = &world;
        async move |user: &str| {
            world
                .kubectl(&["--as", user, "annotate", "--overwrite", "account", "acme", &word])
                .await
        }
    };
    let (taken, said) = approve("1234")("lead").await;
    assert!(!taken && said.contains("needs the verb approve on accounts"), "{said}");
    let (taken, said) = approve("1234")("boss").await;
    assert!(taken, "{said}");
    let (taken, said) = approve("1234")("lead").await;
    assert!(taken, "what stands there already: {said}");
    let (taken, _) = approve("5678")("lead").await;
    assert!(!taken, "another set");
    let suspend = ["--as", "lead", "patch", "account", "acme", "--type=merge"];
    world.k(&[&suspend[..], &["-p", r#"{"spec":{"suspend":true}}"#]].concat()).await;
    world.k(&["--as", "lead", "annotate", "account", "acme", "seatkeeper.dev/approve-"]).await;

    // Not even when it goes: that is when a tear-down waits for an approval.
    let hold = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    world.k(&["patch", "account", "acme", "--type=merge", "-p", hold]).await;
    world.k(&["--as", "lead", "delete", "account", "acme", "--wait=false"]).await;
    let (taken, said) = approve("9abc")("lead").await;
    assert!(!taken && said.contains("verb approve"), "{said}");
    let let_go = r#"{"metadata":{"finalizers":null}}"#;
    world.k(&["--as", "lead", "patch", "account", "acme", "--type=merge", "-p", let_go]).await;

    let ledger = json!({"apiVersion": "seatkeeper.dev/v1alpha1", "kind": "AccountLedger",
        "metadata": {"name": "acme", "namespace": world.namespace},
        "spec": {"accountId": "acme", "part": "head", "checksum": "0".repeat(64), "content": "{}"}});
    for user in ["lead", "boss"] {
        let said = refused(&world, user, &ledger.to_string()).await;
        assert!(said.contains("AccountLedgers are written by the operator only"), "{said:?}");
    }
    fs::write(world.file("ledger.yaml"), ledger.to_string()).unwrap();
    let file = world.file("ledger.yaml");
    world.k(&["create", "--as", OPERATOR, "-f", file.to_str().unwrap()]).await;
    world.k(&["patch", "accountledger", "acme", "--type=merge", "-p", hold]).await;
    world.k(&["delete", "accountledger", "acme", "--wait=false"]).await;
    let edit = ["--as", "lead", "patch", "accountledger", "acme", "--type=merge", "-p"];
    let (taken, said) =
        world.kubectl(&[&edit[..], &[r#"{"spec":{"content":"[]"}}"#]].concat()).await;
    assert!(!taken && said.contains("written by the operator only"), "{said}");
    world.k(&[&edit[..], &[let_go]].concat()).await;
}
