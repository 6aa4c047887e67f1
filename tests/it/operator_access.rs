//! What the operator is allowed: the roles of the chart, and what it says of a role that lacks something.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use serde_json::{Value, json};

use crate::operator_world::World;

/// The rules of a role of the chart, without one verb on each of these resources.
async fn rules(world: &World, role: &[&str], without: &[(&str, &str)]) -> Value {
    let said = world.k(&[&["get"], role, &["-o", "json"]].concat()).await;
    let mut rules = serde_json::from_str::<Value>(&said).unwrap()["rules"].take();
    for rule in rules.as_array_mut().unwrap() {
        for (verb, resource) in without {
            if rule["resources"][0] == *resource {
                rule["verbs"].as_array_mut().unwrap().retain(|known| known != verb);
            }
        }
    }
    rules.as_array_mut().unwrap().retain(|rule| rule["verbs"] != json!([]));
    rules
}

/// Makes a user who has the rights of the chart in the namespace of the test, but for `without`.
async fn make_user(world: &World, without: &[(&str, &str)]) {
    let space = &world.namespace;
    let user = json!({"kind": "ServiceAccount", "name": "operator", "namespace": space});
    let wide = rules(world, &["clusterrole", "seatkeeper-system:seatkeeper"], without).await;
    let home = rules(world, &["role", "seatkeeper", "-n", "seatkeeper-system"], without).await;
    let of = |kind: &str, rules: &Value| {
        let meta = json!({"name": space, "namespace": space});
        let reference =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": space});
        let version = "rbac.authorization.k8s.io/v1";
        let role = json!({"apiVersion": version, "kind": kind, "metadata": meta, "rules": rules});
        let binding = json!({"apiVersion": version, "kind": format!("{kind}Binding"),
            "metadata": meta, "roleRef": reference, "subjects": [user]});
        format!("{role}\n---\n{binding}\n---\n")
    };
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "operator", "namespace": space}});
    world.apply(&format!("{}{}{account}", of("ClusterRole", &wide), of("Role", &home))).await;
}

/// The kubeconfig of that user, its namespace as home.
async fn log_in(world: &mut World) {
    let token = world.k(&["create", "token", "operator"]).await;
    let path = world.file("operator.kubeconfig");
    let known = fs::read_to_string(world.operator_kubeconfig()).unwrap();
    let lines = known.lines().map(|line| match line.trim_start() {
        text if text.starts_with("token:") => format!("      token: {}", token.trim()),
        text if text.starts_with("context:") => {
            line.replace("namespace: seatkeeper-system", &format!("namespace: {}", world.namespace))
        }
        _ => line.to_owned(),
    });
    fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    world.operator_takes(path);
}

#[tokio::test]
async fn an_operator_that_lacks_rights_says_exactly_which_and_ends() {
    let mut world = World::new("growth").await;
    let without = [("patch", "teams/status"), ("get", "secrets")];
    make_user(&world, &without).await;
    log_in(&mut world).await;

    world.start_operator_with("info", &[]).await;
    world.operator_dies("the look at its rights").await;
    let log = fs::read_to_string(world.file("operator.log")).unwrap();
    let missing: Vec<_> = log.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    let space = &world.namespace;
    assert_eq!(
        missing,
        [
            "error: the cluster does not let this operator do all that it has to:",
            &format!("  get secrets in namespace {space}: to read the token that an Account names"),
            &format!(
                "  patch teams.seatkeeper.dev/status in namespace {space}: to write the status"
            ),
            "  hint: give its user the roles of the chart (helm upgrade --install seatkeeper \
             charts/seatkeeper), or these rights",
        ]
    );

    make_user(&world, &[]).await;
    world.start_operator("info").await;
}
