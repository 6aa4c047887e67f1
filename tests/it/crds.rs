//! The committed definitions in `crds/`: equal to the types, and bounded everywhere.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use std::fs;
use std::path::PathBuf;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use seatkeeper::api;
use seatkeeper::yaml;
use serde_json::Value;

/// The folder of the committed definitions.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crds")
}

/// The schema of the one version of a definition.
fn schema(crd: &CustomResourceDefinition) -> Value {
    let version = &crd.spec.versions[0];
    serde_json::to_value(version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap())
        .unwrap()
}

/// Calls `visit` with the path of every schema under `schema`, itself included.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            walk(&format!("{path}.{name}"), property, visit);
        }
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{path}[]"), items, visit);
    }
}

/// Paths of all schemas of all kinds for which `wrong` says so.
fn find(wrong: &dyn Fn(&str, &Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (_, crd) in api::crds() {
        let root = schema(&crd);
        for part in ["spec", "status"] {
            if let Some(below) = root["properties"].get(part) {
                walk(&format!("{}.{part}", crd.spec.names.kind), below, &mut |path, schema| {
                    if wrong(path, schema) {
                        found.push(path.to_owned());
                    }
                });
            }
        }
    }
    found
}

#[test]
fn the_committed_definitions_are_those_of_the_types() {
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("crds");
    fs::create_dir_all(&fresh).unwrap();
    let (mut names, mut stale) = (Vec::new(), Vec::new());
    for (name, crd) in api::crds() {
        let committed = fs::read_to_string(folder().join(name)).unwrap_or_default();
        let generated = yaml::write(&crd).unwrap();
        fs::write(fresh.join(name), &generated).unwrap();
        if committed != generated {
            stale.push(name);
        }
        names.push(name.to_owned());
    }
    assert!(stale.is_empty(), "not what the types say: {stale:?}; run `make crds`");
    let mut files: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, names, "crds/ holds other files than the kinds there are");
}

#[test]
fn every_text_and_every_list_has_a_limit() {
    let unbounded = find(&|_, schema| match schema["type"].as_str() {
        Some("string") => {
            schema.get("maxLength").is_none()
                && schema.get("enum").is_none()
                && schema.get("format").and_then(Value::as_str) != Some("date-time")
        }
        Some("array") => schema.get("maxItems").is_none(),
        _ => false,
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_has_a_type_and_is_explained() {
    assert_eq!(find(&|_, schema| schema.get("type").is_none()), Vec::<String>::new());
    let silent = find(&|path, schema| {
        !path.ends_with("[]") && schema["description"].as_str().is_none_or(str::is_empty)
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn nothing_is_nullable_and_no_list_is_left_without_a_merge_rule() {
    let nullable = find(&|_, schema| {
        schema.get("nullable").is_some()
            || schema["enum"].as_array().is_some_and(|words| words.contains(&Value::Null))
    });
    assert_eq!(nullable, Vec::<String>::new());
    let lists = find(&|_, schema| {
        schema["type"] == "array" && schema.get("x-kubernetes-list-type").is_none()
    });
    assert_eq!(lists, Vec::<String>::new());
}

#[test]
fn integers_have_a_format_that_the_api_server_knows() {
    let odd = find(&|_, schema| {
        schema["type"] == "integer" && !matches!(schema["format"].as_str(), Some("int32" | "int64"))
    });
    assert_eq!(odd, Vec::<String>::new());
}

#[test]
fn every_rule_has_a_message() {
    let mute = find(&|_, schema| {
        schema["x-kubernetes-validations"].as_array().is_some_and(|rules| {
            rules.iter().any(|rule| rule["message"].as_str().is_none_or(str::is_empty))
        })
    });
    assert_eq!(mute, Vec::<String>::new());
}

#[test]
fn a_new_object_has_the_status_of_one_that_nobody_looked_at() {
    for (name, crd) in api::crds() {
        let root = schema(&crd);
        let Some(status) = root["properties"].get("status") else {
            assert!(["accountclasses.yaml", "accountledgers.yaml"].contains(&name), "{name}");
            continue;
        };
        assert_eq!(status["default"], serde_json::json!({"observedGeneration": -1}), "{name}");
        assert!(crd.spec.versions[0].subresources.as_ref().unwrap().status.is_some(), "{name}");
    }
}

/// The heads of the columns that `kubectl get` shows after NAME.
fn columns(kind: &str) -> Vec<String> {
    let (_, crd) =
        api::crds().into_iter().find(|(_, crd)| crd.spec.names.kind == kind).expect("a kind");
    let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap_or_default();
    columns.into_iter().filter(|c| c.priority.unwrap_or(0) == 0).map(|c| c.name).collect()
}

#[test]
fn the_columns_are_what_a_person_looks_for() {
    assert_eq!(columns("Membership"), ["Team", "Email", "Role", "State", "Ready", "Age"]);
    assert_eq!(columns("Account"), ["Account", "Mode", "Seats", "State", "Ready", "Age"]);
    assert_eq!(
        columns("Team"),
        ["Account", "State", "Declared", "Active", "Pending", "Queued", "Problems", "Ready", "Age"]
    );
    assert_eq!(
        columns("ClientAccess"),
        ["Client", "Role", "State", "Held", "Health", "Ready", "Age"]
    );
    assert_eq!(
        columns("NotificationSubscription"),
        ["Team", "Category", "Policy", "Recipients", "State", "Ready", "Age"]
    );
    assert_eq!(columns("AccountClass"), ["Profile", "URL", "Age"]);
    assert_eq!(columns("AccountLedger"), ["Account", "Part", "Age"]);
}

#[test]
fn kinds_have_short_names_and_a_category() {
    let mut seen = Vec::new();
    for (_, crd) in api::crds() {
        let names = crd.spec.names;
        let (short, category) =
            (names.short_names.unwrap_or_default(), names.categories.unwrap_or_default());
        seen.push(format!("{} {short:?} {category:?} {}", names.kind, crd.spec.scope));
    }
    assert_eq!(
        seen,
        [
            r#"AccountClass ["acctclass"] ["seatkeeper"] Cluster"#,
            r#"AccountLedger ["acctledger"] [] Namespaced"#,
            r#"Account ["acct"] ["seatkeeper"] Namespaced"#,
            r#"ClientAccess ["cla"] ["seatkeeper"] Namespaced"#,
            r#"Membership ["mbr"] ["seatkeeper"] Namespaced"#,
            r#"NotificationSubscription ["nsub"] ["seatkeeper"] Namespaced"#,
            r#"Team ["team"] ["seatkeeper"] Namespaced"#,
        ]
    );
}
