//! Every rule of the schemas, with objects that it takes and objects that it refuses: offline, as
//! the command line checks files, and on a real API server.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::core::cel::Validator;
use kube::{Client, ResourceExt as _};
use seatkeeper::api;
use serde_json::{Value, json};

use crate::cluster;

/// One rule of one field.
struct Case {
    kind: &'static str,
    /// The field, as `spec.removals.window`.
    path: &'static str,
    /// Message of the rule.
    message: &'static str,
    /// Value before the change, for rules that compare; `None`: the object is new.
    old: Option<Value>,
    accepted: Vec<Value>,
    refused: Vec<Value>,
}

/// A rule that forbids any change.
fn fixed(
    kind: &'static str,
    path: &'static str,
    message: &'static str,
    values: [Value; 2],
) -> Case {
    let [old, new] = values;
    Case { kind, path, message, old: Some(old.clone()), accepted: vec![old], refused: vec![new] }
}

/// Every rule that there is.
fn cases() -> Vec<Case> {
    [
        class_cases(),
        account_cases(),
        time_cases(),
        name_cases(),
        client_cases(),
        recipient_cases(),
        people_cases(),
        place_cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Rules of AccountClass.
fn class_cases() -> Vec<Case> {
    vec![
        Case {
            kind: "AccountClass",
            path: "spec.backend.accountApi.url",
            message: "must be https, or http to localhost, 127.0.0.1 or [::1]",
            old: None,
            accepted: vec![
                json!("https://accounts.example.com"),
                json!("https://accounts.example.com:8443/api/v1"),
                json!("https://10.0.0.1"),
                json!("http://localhost:8080"),
                json!("http://127.0.0.1"),
                json!("http://[::1]:8080/x"),
            ],
            refused: vec![
                json!("http://accounts.example.com"),
                json!("http://localhost.example.com"),
                json!("http://127.0.0.1.example.com"),
                json!("http://127.0.0.2"),
                json!("http://10.0.0.1"),
                json!("http://[::2]"),
                json!("http://localhost:8080:80"),
                json!("https://[::1"),
            ],
        },
        Case {
            kind: "AccountClass",
            path: "spec.backend.accountApi.caBundle",
            message: "must be certificates in PEM form",
            old: None,
            accepted: vec![json!("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")],
            refused: vec![json!("AA=="), json!("-----BEGIN PRIVATE KEY-----")],
        },
        profile_case(),
        allowed_namespaces("AccountClass"),
        allowed_namespaces("Account"),
    ]
}

/// The rules of a class come from one place.
fn profile_case() -> Case {
    let class = |more: Value| {
        let mut spec = spec("AccountClass");
        spec.as_object_mut().unwrap().remove("profile");
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let map = json!({"namespace": "platform", "name": "club", "key": "club.yaml"});
    Case {
        kind: "AccountClass",
        path: "spec",
        message: "needs exactly one of profile and profileConfigMapRef",
        old: None,
        accepted: vec![
            class(json!({"profile": "nitropack"})),
            class(json!({"profileConfigMapRef": map})),
        ],
        refused: vec![
            class(json!({})),
            class(json!({"profile": "nitropack", "profileConfigMapRef": map})),
        ],
    }
}

/// Who may name an object of this kind.
fn allowed_namespaces(kind: &'static str) -> Case {
    let selector = json!({"matchLabels": {"tier": "front"}});
    Case {
        kind,
        path: "spec.allowedNamespaces",
        message: "selector goes with `from: Selector`, and that needs one",
        old: None,
        accepted: vec![
            json!({}),
            json!({"from": "All"}),
            json!({"from": "Selector", "selector": selector}),
            json!({"from": "Selector", "selector": {}}),
        ],
        refused: vec![
            json!({"from": "All", "selector": selector}),
            json!({"selector": selector}),
            json!({"from": "Selector"}),
        ],
    }
}

/// Rules of Account.
fn account_cases() -> Vec<Case> {
    vec![
        fixed(
            "Account",
            "spec.className",
            "className cannot change: delete the Account and make a new one",
            [json!("nitropack"), json!("portal")],
        ),
        fixed(
            "Account",
            "spec.accountId",
            "accountId cannot change: delete the Account and make a new one",
            [json!("acme"), json!("acne")],
        ),
        Case {
            kind: "Account",
            path: "spec.autoJoin.domains",
            message: "each domain must be written as acme.com: no address, no URL, not a single word",
            old: None,
            accepted: vec![json!(["acme.com"]), json!(["Bücher.Example", "mail.example.co.uk."])],
            refused: vec![
                json!(["com"]),
                json!(["acme.com", "localhost"]),
                json!(["ana@acme.com"]),
                json!(["https://acme.com"]),
                json!(["acme .com"]),
            ],
        },
    ]
}

/// Rules of times in an Account.
fn time_cases() -> Vec<Case> {
    vec![
        Case {
            kind: "Account",
            path: "spec.resync",
            message: "must be at least 5s",
            old: None,
            accepted: ["5s", "05s", "10s", "40s", "1m", "10m", "1h", "1d"]
                .map(Value::from)
                .to_vec(),
            refused: ["0s", "4s", "00004s", "0m", "0h", "00d"].map(Value::from).to_vec(),
        },
        Case {
            kind: "Account",
            path: "spec.releaseAfter",
            message: "must be longer than zero",
            old: None,
            accepted: vec![json!("1s"), json!("1h"), json!("10d")],
            refused: vec![json!("0s"), json!("000h"), json!("0d")],
        },
        Case {
            kind: "Account",
            path: "spec.removals.window",
            message: "must be longer than zero",
            old: None,
            accepted: vec![json!("1s"), json!("24h"), json!("10d")],
            refused: vec![json!("0s"), json!("000h"), json!("0d")],
        },
        Case {
            kind: "Account",
            path: "spec.invitations.renew.every",
            message: "must be longer than zero",
            old: None,
            accepted: vec![json!("1s"), json!("7d")],
            refused: vec![json!("0s"), json!("00d")],
        },
        Case {
            kind: "Account",
            path: "spec.invitations.expiresIn",
            message: "must be at least 1m",
            old: None,
            accepted: ["60s", "100s", "1m", "2h", "7d"].map(Value::from).to_vec(),
            refused: ["0s", "59s", "00009s", "0m", "00d"].map(Value::from).to_vec(),
        },
    ]
}

/// Rules of ClientAccess.
fn client_cases() -> Vec<Case> {
    vec![
        fixed(
            "ClientAccess",
            "spec.accountRef",
            "accountRef cannot change: delete the ClientAccess and make a new one",
            [json!({"name": "agency"}), json!({"name": "other"})],
        ),
        fixed(
            "ClientAccess",
            "spec.clientEmail",
            "clientEmail cannot change: delete the ClientAccess and make a new one",
            [json!("ana@example.com"), json!("bo@example.com")],
        ),
        fixed(
            "ClientAccess",
            "spec.role",
            "role cannot change: only the client can change it once access is granted",
            [json!("admin"), json!("developer")],
        ),
    ]
}

/// Rules of NotificationSubscription.
fn recipient_cases() -> Vec<Case> {
    let (email, reference) = (json!("ana@example.com"), json!({"name": "ana-core"}));
    vec![
        fixed(
            "NotificationSubscription",
            "spec.teamRef",
            "teamRef cannot change: delete the NotificationSubscription and make a new one",
            [json!({"name": "core"}), json!({"name": "late"})],
        ),
        fixed(
            "NotificationSubscription",
            "spec.category",
            "category cannot change: delete the NotificationSubscription and make a new one",
            [json!("billing"), json!("usage")],
        ),
        Case {
            kind: "NotificationSubscription",
            path: "spec.recipients[]",
            message: "give exactly one of email and membershipRef",
            old: None,
            accepted: vec![json!({"email": email}), json!({"membershipRef": reference})],
            refused: vec![json!({}), json!({"email": email, "membershipRef": reference})],
        },
    ]
}

/// Rules of Team, Membership and AccountLedger.
fn people_cases() -> Vec<Case> {
    let name = |name: &str| json!({"name": name});
    vec![
        fixed(
            "Team",
            "spec.accountRef",
            "accountRef cannot change: delete the Team and make a new one",
            [name("acme"), name("acne")],
        ),
        fixed(
            "Membership",
            "spec.teamRef",
            "teamRef cannot change: delete the Membership and make a new one",
            [name("core"), name("late")],
        ),
        Case {
            kind: "Membership",
            path: "spec.inviteEpoch",
            message: "inviteEpoch may only rise",
            old: Some(json!(3)),
            accepted: vec![json!(3), json!(4), json!(2_000_000_000_000_i64)],
            refused: vec![json!(2), json!(0)],
        },
        fixed(
            "AccountLedger",
            "spec.accountId",
            "accountId cannot change",
            [json!("acc_1"), json!("acc_2")],
        ),
        fixed(
            "AccountLedger",
            "spec.part",
            "part cannot change",
            [json!("head"), json!("page-00")],
        ),
    ]
}

/// Rules of the whole spec of a Team and of a Membership.
fn place_cases() -> Vec<Case> {
    let name = |name: &str| json!({"name": name});
    vec![
        Case {
            kind: "Membership",
            path: "spec",
            message: "needs exactly one of teamRef and accountRef",
            old: None,
            accepted: vec![
                placed(json!({"teamRef": name("core")})),
                placed(json!({"accountRef": name("acme")})),
            ],
            refused: vec![
                placed(json!({})),
                placed(json!({"teamRef": name("core"), "accountRef": name("acme")})),
            ],
        },
        fixed(
            "Membership",
            "spec",
            "teamRef and accountRef cannot change: delete the Membership and make a new one",
            [placed(json!({"teamRef": name("core")})), placed(json!({"accountRef": name("acme")}))],
        ),
        fixed(
            "Membership",
            "spec",
            "accountRef cannot change: delete the Membership and make a new one",
            [
                placed(json!({"accountRef": name("acme")})),
                placed(json!({"accountRef": name("acne")})),
            ],
        ),
        Case {
            kind: "Team",
            path: "spec",
            message: "teamId cannot change once it is set: delete the Team and make a new one",
            old: Some(json!({"accountRef": name("acme"), "teamId": "team_1"})),
            accepted: vec![json!({"accountRef": name("acme"), "teamId": "team_1"})],
            refused: vec![
                json!({"accountRef": name("acme"), "teamId": "team_2"}),
                json!({"accountRef": name("acme")}),
            ],
        },
    ]
}

/// Rules of addresses that change.
fn name_cases() -> Vec<Case> {
    let called = |email: &str, formerly: &[&str]| {
        let mut spec = placed(json!({"teamRef": {"name": "core"}, "email": email}));
        if !formerly.is_empty() {
            spec["formerly"] = json!(formerly);
        }
        spec
    };
    vec![
        Case {
            kind: "Membership",
            path: "spec",
            message: "email may change only to another address of the same person: add the old one \
                      to formerly, or delete the Membership and make a new one",
            old: Some(called("ana@example.com", &[])),
            accepted: vec![
                called("ana@example.com", &["a@example.com"]),
                called("Ana@Example.com", &[]),
                called("ana@new.example.com", &["x@example.com", "ANA@example.com"]),
            ],
            refused: vec![
                called("bo@example.com", &[]),
                called("bo@example.com", &["an@example.com"]),
            ],
        },
        Case {
            kind: "Membership",
            path: "spec",
            message: "formerly holds earlier addresses only, not email itself",
            old: None,
            accepted: vec![called("ana@example.com", &["ana@old.example.com"])],
            refused: vec![called("ana@example.com", &["x@example.com", "ANA@example.com"])],
        },
    ]
}

/// The spec of a Membership in this place.
fn placed(place: Value) -> Value {
    let mut spec = json!({"email": "ana@example.com", "role": "admin"});
    for (name, value) in place.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    spec
}

/// A spec of a kind that is in order.
fn spec(kind: &str) -> Value {
    match kind {
        "AccountClass" => json!({
            "profile": "nitropack",
            "backend": {"accountApi": {"url": "https://accounts.example.com"}},
        }),
        "Account" => json!({
            "className": "nitropack", "accountId": "acme", "mode": "Manage", "removals": {},
            "invitations": {"renew": {}},
            "credentialsSecretRef": {"name": "acme-token", "key": "token"},
        }),
        "Team" => json!({"accountRef": {"name": "acme"}}),
        "ClientAccess" => json!({
            "accountRef": {"name": "agency"}, "clientEmail": "ana@example.com", "role": "admin",
        }),
        "Membership" => json!({
            "teamRef": {"name": "core"}, "email": "ana@example.com", "role": "admin",
        }),
        "NotificationSubscription" => json!({"teamRef": {"name": "core"}, "category": "billing"}),
        _ => json!({
            "accountId": "acc_1", "part": "head", "checksum": "0123456789abcdef", "content": "{}",
        }),
    }
}

/// An object of a kind whose field at `path` has `value`; `[]` at its end: the only item.
fn object(kind: &str, name: &str, path: &str, value: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "seatkeeper.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec(kind),
    });
    let (path, value) = match path.strip_suffix("[]") {
        Some(list) => (list, json!([value])),
        None => (path, value.clone()),
    };
    let field = path.split('.').fold(&mut object, |value, step| &mut value[step]);
    *field = value;
    object
}

/// The definition of a kind.
fn definition(kind: &str) -> CustomResourceDefinition {
    api::crds().into_iter().map(|(_, crd)| crd).find(|crd| crd.spec.names.kind == kind).unwrap()
}

/// The schema of a kind.
fn schema(kind: &str) -> Value {
    let version = definition(kind).spec.versions.remove(0);
    serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

/// Objects of a kind, in the namespace if it has one.
fn objects(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let crd = definition(kind);
    let gvk = GroupVersionKind::gvk(api::GROUP, api::VERSION, kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &crd.spec.names.plural);
    if crd.spec.scope == "Cluster" {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}

/// Adds the field and message of every rule under `schema`.
fn rules(kind: &str, path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        found.insert(format!("{kind} {path}: {}", rule["message"].as_str().unwrap()));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        rules(kind, format!("{path}.{name}").trim_start_matches('.'), property, found);
    }
    if let Some(items) = schema.get("items") {
        rules(kind, &format!("{path}[]"), items, found);
    }
}

#[test]
fn every_rule_has_a_case() {
    let mut found = BTreeSet::new();
    for (_, crd) in api::crds() {
        let kind = &crd.spec.names.kind;
        rules(kind, "", &schema(kind), &mut found);
    }
    let tried: BTreeSet<String> = cases()
        .iter()
        .map(|case| format!("{} {}: {}", case.kind, case.path, case.message))
        .collect();
    assert_eq!(found, tried);
}

#[test]
fn rules_hold_offline() {
    for case in cases() {
        let schema = schema(case.kind);
        let old = case.old.as_ref().map(|old| object(case.kind, "x", case.path, old));
        let check = |value: &Value| {
            let new = object(case.kind, "x", case.path, value);
            Validator::new().validate(&schema, &new, old.as_ref())
        };
        for value in &case.accepted {
            assert!(check(value).is_ok(), "{} {} refused {value}", case.kind, case.path);
        }
        for value in &case.refused {
            let errors = check(value).expect_err(&format!("{} took {value}", case.path)).into_vec();
            let messages: Vec<&str> = errors.iter().map(|error| &*error.message).collect();
            assert_eq!(messages, [case.message], "{} {value}", case.path);
            assert_eq!(errors[0].field_path, case.path.replace("[]", "[0]"), "{value}");
        }
    }
}

/// What the API server says to a new object, or to the change of `old`; nothing is kept.
async fn ask(api: &Api<DynamicObject>, old: Option<&Value>, new: Value) -> Result<(), String> {
    let dry_run = PostParams { dry_run: true, field_manager: None };
    let mut new: DynamicObject = serde_json::from_value(new).unwrap();
    let answer = if let Some(old) = old {
        let old: DynamicObject = serde_json::from_value(old.clone()).unwrap();
        let name = old.name_any();
        let stored = match api.get_opt(&name).await.unwrap() {
            Some(stored) => stored,
            None => api.create(&PostParams::default(), &old).await.unwrap(),
        };
        new.metadata.resource_version = stored.metadata.resource_version;
        api.replace(&name, &dry_run, &new).await
    } else {
        api.create(&dry_run, &new).await
    };
    match answer {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 422 => Err(status.message),
        Err(error) => unreachable!("no answer to a question: {error}"),
    }
}

#[tokio::test]
async fn rules_hold_on_the_api_server() {
    let client = cluster::client().await;
    let namespace = cluster::namespace(&client).await;
    for (position, case) in cases().into_iter().enumerate() {
        let api = objects(&client, &namespace, case.kind);
        let name = format!("{namespace}-{position}");
        let old = case.old.as_ref().map(|old| object(case.kind, &name, case.path, old));
        for value in &case.accepted {
            let answer = ask(&api, old.as_ref(), object(case.kind, &name, case.path, value)).await;
            assert_eq!(answer, Ok(()), "{} {} {value}", case.kind, case.path);
        }
        for value in &case.refused {
            let answer = ask(&api, old.as_ref(), object(case.kind, &name, case.path, value)).await;
            let message = answer.expect_err(&format!("{} took {value}", case.path));
            assert!(message.contains(case.message), "{} {value}: {message}", case.path);
            let path = case.path.replace("[]", "[0]");
            assert!(message.contains(&path), "{path} {value}: {message}");
        }
    }
}

/// Values that no field takes, rules of CEL aside.
fn beyond_limits() -> Vec<(&'static str, &'static str, Value)> {
    let long = "x".repeat(255);
    let line = json!({"email": "ana@example.com"});
    vec![
        ("AccountClass", "spec.backend.accountApi.url", json!("https://user:secret@example.com")),
        ("AccountClass", "spec.backend.accountApi.url", json!("https://example.com/?a=b")),
        (
            "AccountClass",
            "spec.backend.accountApi.url",
            json!("https://example.com\\@evil.example"),
        ),
        ("AccountClass", "spec.backend.accountApi.url", json!("file:///etc/passwd")),
        ("AccountClass", "spec.limits", json!({"invitationsPerHour": 0})),
        ("AccountClass", "spec.profile", json!("")),
        ("Account", "spec.accountId", json!("../other")),
        ("Account", "spec.mode", json!("manage")),
        ("Account", "spec.mode", Value::Null),
        ("Account", "spec.autoJoin", json!({})),
        ("Account", "spec.autoJoin", json!({"domains": []})),
        ("Account", "spec.autoJoin.domains", json!(["acme.com", "acme.com"])),
        ("Account", "spec.resync", json!("1w")),
        ("Account", "spec.resync", json!("1h30m")),
        ("Account", "spec.removals.maxPercent", json!(101)),
        ("Account", "spec.removals.maxCount", json!(-1)),
        ("Account", "spec.invitations.renew.attempts", json!(-1)),
        ("Account", "spec.invitations.renew.attempts", json!(11)),
        ("Account", "spec.invitations.onLost", json!("Again")),
        ("Account", "spec.grantableRoles", json!(["admin", "admin"])),
        ("Account", "spec.credentialsSecretRef.key", json!("../token")),
        ("Team", "spec.roster", Value::from(vec![line.clone(); 2001])),
        ("Team", "spec.roster", json!([{"email": long}])),
        ("Team", "spec.roster", json!([{"email": "ana@example.com", "inviteEpoch": -1}])),
        ("ClientAccess", "spec.withdrawAfter", json!("30")),
        ("Membership", "spec.role", json!("")),
        ("Membership", "spec.email", json!("x@")),
        ("Membership", "spec.inviteEpoch", json!(1.5)),
        ("Membership", "spec.teamRef.name", json!("Core")),
        ("NotificationSubscription", "spec.policy", json!("exact")),
        ("NotificationSubscription", "spec.recipients", Value::from(vec![line.clone(); 501])),
        ("AccountLedger", "spec.content", json!("x".repeat(524_289))),
        ("AccountLedger", "spec.part", json!("page-1")),
        ("AccountClass", "spec.limits", json!({"requestsPerSecond": 0})),
        ("AccountClass", "spec.profileConfigMapRef", json!({"namespace": "a.b", "name": "club"})),
    ]
}

#[tokio::test]
async fn forms_and_limits_hold_on_the_api_server() {
    let client = cluster::client().await;
    let namespace = cluster::namespace(&client).await;
    for (kind, path, value) in beyond_limits() {
        let api = objects(&client, &namespace, kind);
        let answer = ask(&api, None, object(kind, "limit", path, &value)).await;
        let message = answer.expect_err(&format!("{kind} {path} took {value}"));
        assert!(message.contains(path), "{kind} {path}: {message}");
    }
    let line = json!({"email": "ana@example.com"});
    let accepted = [
        ("Team", "spec.roster", Value::from(vec![line; 2000])),
        ("AccountLedger", "spec.content", json!("x".repeat(524_288))),
        ("AccountClass", "spec.limits", json!({"invitationsPerHour": 1_000_000})),
        ("AccountClass", "spec.limits", json!({"requestsPerSecond": 100_000})),
    ];
    for (kind, path, value) in accepted {
        let api = objects(&client, &namespace, kind);
        assert_eq!(ask(&api, None, object(kind, "limit", path, &value)).await, Ok(()), "{kind}");
    }
}

#[tokio::test]
async fn a_new_object_says_that_nobody_looked_at_it() {
    let client = cluster::client().await;
    let namespace = cluster::namespace(&client).await;
    for kind in ["Account", "Team", "Membership", "NotificationSubscription"] {
        let api = objects(&client, &namespace, kind);
        let new = object(kind, "new", "spec.ignored", &Value::Null);
        let new: DynamicObject = serde_json::from_value(new).unwrap();
        api.create(&PostParams::default(), &new).await.unwrap();
        let stored = api.get("new").await.unwrap();
        assert_eq!(stored.data["status"], json!({"observedGeneration": -1}), "{kind}");
    }
}

#[tokio::test]
async fn defaults_are_the_same_in_files_and_on_the_api_server() {
    let client = cluster::client().await;
    let namespace = cluster::namespace(&client).await;
    let accounts: Api<api::Account> = Api::namespaced(client, &namespace);
    let sparse = object("Account", "sparse", "spec.removals", &json!({"maxCount": 9}));
    let typed: api::Account = serde_json::from_value(sparse).unwrap();
    let sent: DynamicObject = serde_json::from_value(object(
        "Account",
        "sparse",
        "spec.removals",
        &json!({"maxCount": 9, "maxPercent": null}),
    ))
    .unwrap();
    let untyped = objects(&accounts.clone().into_client(), &namespace, "Account");
    untyped.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!(accounts.get("sparse").await.unwrap().spec, typed.spec);
    let raw = untyped.get("sparse").await.unwrap().data;
    assert_eq!(raw["spec"]["removals"]["window"], json!("24h"));
    assert_eq!(raw["spec"]["removals"]["maxPercent"], json!(10));
    assert_eq!(raw["spec"]["onSeatShortage"], json!("Hold"));
    assert_eq!(raw["spec"]["resync"], json!("10m"));
}

/// A status of a kind with every field that there is.
fn full_status(kind: &str) -> Value {
    let conditions = json!([{
        "type": "Ready", "status": "True", "reason": "Synced", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
    }]);
    match kind {
        "Account" => json!({
            "observedGeneration": 1, "conditions": conditions, "state": "Held", "plan": "growth",
            "subscriptions": [{"plan": "growth", "endsAt": "2026-02-01T00:00:00Z"}],
            "seats": {"used": 3, "limit": 3, "owner": 1, "active": 2, "pending": 1, "trimmed": 0,
                      "queued": 1},
            "usage": "3/3",
            "domains": [{"name": "acme.com", "state": "Pending", "message": "waits",
                         "txtRecord": {"name": "_seatkeeper-challenge.acme.com",
                                       "value": "seatkeeper-verify=abc"}}],
            "joinRequests": 1,
            "held": {"digest": "0123456789abcdef", "additions": 0, "changes": 0, "removals": 4,
                     "mails": 4, "rules": [{"rule": "RemovalHeld", "count": 4,
                                            "names": ["ana@example.com"]}]},
        }),
        "Team" => json!({
            "observedGeneration": 1, "conditions": conditions,
            "counts": {"declared": 2, "active": 1, "pending": 0, "queued": 1, "trimmed": 0,
                       "problems": 1, "suggestions": 2, "joinRequests": 1},
            "firstProblems": [{"email": "bo@example.com", "state": "Queued", "position": 1,
                               "message": "no seat is free"}],
        }),
        "NotificationSubscription" => json!({
            "observedGeneration": 1, "conditions": conditions, "state": "Waiting",
            "counts": {"declared": 2, "waiting": 1, "implied": 1},
            "waiting": ["ana@example.com"], "implied": ["mem_1"], "message": "waits",
        }),
        _ => json!({
            "observedGeneration": 1, "conditions": conditions, "state": "Queued", "position": 1,
            "memberId": "mem_1", "role": "admin", "message": "no seat is free",
            "invitation": {"sentAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-02-01T00:00:00Z"},
        }),
    }
}

/// The status as our type reads and writes it.
fn through_type(kind: &str, status: Value) -> Value {
    match kind {
        "Account" => {
            serde_json::to_value(serde_json::from_value::<api::AccountStatus>(status).unwrap())
        }
        "Team" => serde_json::to_value(serde_json::from_value::<api::TeamStatus>(status).unwrap()),
        "NotificationSubscription" => serde_json::to_value(
            serde_json::from_value::<api::NotificationSubscriptionStatus>(status).unwrap(),
        ),
        _ => serde_json::to_value(serde_json::from_value::<api::MembershipStatus>(status).unwrap()),
    }
    .unwrap()
}

#[tokio::test]
async fn a_full_status_is_stored_as_our_types_write_it() {
    let client = cluster::client().await;
    let namespace = cluster::namespace(&client).await;
    for kind in ["Account", "Team", "Membership", "NotificationSubscription"] {
        let api = objects(&client, &namespace, kind);
        let new = object(kind, "full", "spec.ignored", &Value::Null);
        let new: DynamicObject = serde_json::from_value(new).unwrap();
        api.create(&PostParams::default(), &new).await.unwrap();
        let status = through_type(kind, full_status(kind));
        assert_eq!(status, full_status(kind), "{kind}: a field is lost in our type");
        let patch = json!({
            "apiVersion": "seatkeeper.dev/v1alpha1", "kind": kind,
            "metadata": {"name": "full"}, "status": status,
        });
        let params = PatchParams::apply("seatkeeper").force();
        api.patch_status("full", &params, &Patch::Apply(&patch)).await.unwrap();
        let stored = api.get("full").await.unwrap();
        assert_eq!(stored.data["status"], status, "{kind}: a field is not in the schema");
        // An empty status of ours takes back all that it set.
        let empty = json!({
            "apiVersion": "seatkeeper.dev/v1alpha1", "kind": kind, "metadata": {"name": "full"},
        });
        api.patch_status("full", &params, &Patch::Apply(&empty)).await.unwrap();
        let stored = api.get("full").await.unwrap();
        assert_eq!(stored.data["status"], json!({"observedGeneration": -1}), "{kind}");
    }
}

/// What kubectl says.
fn kubectl(args: &[&str]) -> String {
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(cluster::kubeconfig())
        .args(args)
        .output()
        .expect("kubectl is in the PATH of tests/controlplane/run.sh with");
    let error = String::from_utf8_lossy(&output.stderr);
    format!("{}{error}", String::from_utf8_lossy(&output.stdout))
}

/// Text in one line: kubectl breaks lines where they get long.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn kubectl_explains_the_fields_and_shows_the_columns() {
    let client = cluster::client().await;
    let namespace = cluster::namespace(&client).await;
    let ana = object("Membership", "ana", "spec.ignored", &Value::Null);
    let ana: DynamicObject = serde_json::from_value(ana).unwrap();
    let api = objects(&client, &namespace, "Membership");
    api.create(&PostParams::default(), &ana).await.unwrap();

    // The server publishes what `explain` reads a moment after it serves a new kind.
    let deadline = Instant::now() + Duration::from_secs(30);
    let explained = loop {
        let explained = unbroken(&kubectl(&["explain", "mbr.spec.email"]));
        if explained.contains("Address that the invitation goes to") || Instant::now() > deadline {
            break explained;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(explained.contains("Address that the invitation goes to"), "{explained}");
    let mode = unbroken(&kubectl(&["explain", "acct.spec.mode"]));
    assert!(mode.contains("`Observe` writes nothing"), "{mode}");

    let table = kubectl(&["get", "mbr", "-n", &namespace]);
    let words = |line: usize| -> Vec<&str> {
        table.lines().nth(line).unwrap_or_default().split_whitespace().collect()
    };
    assert_eq!(words(0), ["NAME", "TEAM", "EMAIL", "ROLE", "STATE", "READY", "AGE"]);
    assert_eq!(words(1)[..4], ["ana", "core", "ana@example.com", "admin"]);
    for short in ["acct", "team", "mbr", "acctclass", "acctledger", "seatkeeper"] {
        let answer = kubectl(&["get", short, "-n", &namespace]);
        assert!(!answer.contains("error"), "{short}: {answer}");
    }
}
