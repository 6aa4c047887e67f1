//! The API server in memory answers as a real one: the same requests to both, and the answers of the
//! real one in a file (`SEATKEEPER_BLESS=1` writes it anew, on a control plane).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::cluster as real;
use crate::simulation::cluster::Cluster;

const OURS: &str = "/apis/seatkeeper.dev/v1alpha1/namespaces/NS";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What is asked: a name for the answer, method, path, type, body. `NS` is the namespace, `UID:name`
/// and `VERSION:name` are those of the object in an earlier answer, `NEXT:name` goes on with a list.
type Ask = (&'static str, &'static str, String, &'static str, Value);

fn membership(name: &str) -> Value {
    json!({
        "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership",
        "metadata": {"name": name, "namespace": "NS"},
        "spec": {"teamRef": {"name": "core"}, "email": format!("{name}@example.com"),
                 "role": "developer", "deletionPolicy": "Revoke"},
    })
}

fn ledger(name: &str, version: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "AccountLedger",
        "metadata": {"name": name, "namespace": "NS", "labels": {"seatkeeper.dev/ledger": "acme"}},
        "spec": {"accountId": "acme", "part": "head", "checksum": "0".repeat(64), "content": "{}"},
    });
    if let Some(version) = version {
        object["metadata"]["resourceVersion"] = version.into();
        object["spec"]["content"] = "[]".into();
    }
    object
}

fn status(uid: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership",
        "metadata": {"name": "ana", "namespace": "NS", "uid": uid}, "status": status,
    })
}

fn event() -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"name": "ana.1", "namespace": "NS"},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "seatkeeper",
        "reportingInstance": "one", "action": "Reconcile", "reason": "Recovered", "type": "Normal",
        "note": "in order", "regarding": {"kind": "Membership", "name": "ana", "namespace": "NS"},
    })
}

/// Namespaces, creations, and what is not there.
fn beginnings() -> Vec<Ask> {
    let space = "/api/v1/namespaces".to_owned();
    let (members, ledgers) = (format!("{OURS}/memberships"), format!("{OURS}/accountledgers"));
    let mut with_status = membership("ana");
    with_status["status"] = json!({"state": "Pending"});
    let mut nowhere = membership("ana");
    nowhere["metadata"] = json!({"name": "ana"});
    let secret =
        json!({"metadata": {"name": "token"}, "data": {"token": "dG9rZW4="}, "type": "Opaque"});
    vec![
        ("space", "POST", space.clone(), JSON, json!({"metadata": {"name": "NS"}})),
        ("read the space", "GET", format!("{space}/NS"), JSON, Value::Null),
        ("no such object", "GET", format!("{members}/nobody"), JSON, Value::Null),
        ("no such space", "POST", members.replace("NS", "NS-none"), JSON, nowhere),
        ("no such kind", "GET", format!("{OURS}/things/a"), JSON, Value::Null),
        ("ana", "POST", members.clone(), JSON, with_status),
        ("made twice", "POST", members.clone(), JSON, membership("ana")),
        ("bo", "POST", members, JSON, membership("bo")),
        ("head", "POST", ledgers.clone(), JSON, ledger("acme", None)),
        ("page", "POST", ledgers, JSON, ledger("acme.page-01", None)),
        ("secret", "POST", format!("{space}/NS/secrets"), JSON, secret),
        ("read the secret", "GET", format!("{space}/NS/secrets/token"), JSON, Value::Null),
        ("no such secret", "GET", format!("{space}/NS/secrets/none"), JSON, Value::Null),
    ]
}

/// Writes by version, by merge and by apply.
fn writes() -> Vec<Ask> {
    let (ana, bo) = (format!("{OURS}/memberships/ana"), format!("{OURS}/memberships/bo"));
    let head = format!("{OURS}/accountledgers/acme");
    let marks = |uid: &str, version: &str, finalizers: &[&str]| json!({"metadata": {"uid": uid, "resourceVersion": version, "finalizers": finalizers}});
    let told = ana.clone() + "/status?force=true&fieldManager=";
    let say = |word: &str| told.clone() + word;
    let full = json!({"state": "Pending", "role": "developer", "observedGeneration": 1});
    let mark = ["seatkeeper.dev/membership"];
    let mut role = membership("bo");
    role["spec"]["role"] = "admin".into();
    vec![
        ("replaced", "PUT", head.clone(), JSON, ledger("acme", Some("VERSION:head"))),
        ("replaced too late", "PUT", head.clone(), JSON, ledger("acme", Some("VERSION:head"))),
        ("replaced blindly", "PUT", head, JSON, ledger("acme", None)),
        ("marked", "PATCH", ana.clone(), MERGE, marks("UID:ana", "VERSION:ana", &mark)),
        ("marked again", "PATCH", ana.clone(), MERGE, marks("UID:ana", "VERSION:marked", &mark)),
        ("marked too late", "PATCH", ana.clone(), MERGE, marks("UID:ana", "VERSION:ana", &[])),
        ("another ana", "PATCH", ana.clone(), MERGE, marks("UID:bo", "VERSION:marked", &[])),
        ("told", "PATCH", say("us"), APPLY, status("UID:ana", &full)),
        ("told again", "PATCH", say("us"), APPLY, status("UID:ana", &full)),
        ("told less", "PATCH", say("us"), APPLY, status("UID:ana", &json!({"state": "Active"}))),
        ("told of another", "PATCH", say("us"), APPLY, status("UID:bo", &full)),
        (
            "told of nobody",
            "PATCH",
            say("us").replace("/ana", "/nobody"),
            APPLY,
            json!({"apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership",
                   "metadata": {"name": "nobody", "namespace": "NS", "uid": "UID:ana"},
                   "status": full}),
        ),
        ("another role", "PATCH", bo.clone(), MERGE, json!({"spec": role["spec"]})),
        ("the same role", "PATCH", bo, MERGE, json!({"spec": role["spec"]})),
        ("event", "POST", "/apis/events.k8s.io/v1/namespaces/NS/events".into(), JSON, event()),
        (
            "event again",
            "PATCH",
            "/apis/events.k8s.io/v1/namespaces/NS/events/ana.1".into(),
            MERGE,
            json!({"series": {"count": 2, "lastObservedTime": "2026-01-02T00:00:00.000000Z"}}),
        ),
    ]
}

/// Lists, deletions and watches.
fn ends() -> Vec<Ask> {
    let (members, ledgers) = (format!("{OURS}/memberships"), format!("{OURS}/accountledgers"));
    let (ana, page) = (format!("{members}/ana"), format!("{ledgers}/acme.page-01"));
    let at = |version: &str| json!({"preconditions": {"resourceVersion": version}});
    let label = "labelSelector=seatkeeper.dev%2Fledger%3Dacme";
    let nothing = Value::Null;
    let release = json!({"metadata": {"uid": "UID:ana", "finalizers": []}});
    let watch = |since: &str| {
        format!(
            "{members}?watch=true&resourceVersion={since}&timeoutSeconds=1&allowWatchBookmarks=true"
        )
    };
    vec![
        ("first page", "GET", format!("{members}?limit=1"), JSON, nothing.clone()),
        (
            "second page",
            "GET",
            format!("{members}?limit=1&continue=NEXT:first page"),
            JSON,
            nothing.clone(),
        ),
        ("by label", "GET", format!("{ledgers}?{label}"), JSON, nothing.clone()),
        ("by another label", "GET", format!("{ledgers}?{label}2"), JSON, nothing.clone()),
        ("metadata only", "GET", ledgers, METADATA, nothing.clone()),
        (
            "by name",
            "GET",
            "/api/v1/namespaces?fieldSelector=metadata.name%3DNS".into(),
            JSON,
            nothing.clone(),
        ),
        ("deleted too late", "DELETE", page.clone(), JSON, at("1")),
        ("deleted", "DELETE", page.clone(), JSON, at("VERSION:page")),
        ("deleted twice", "DELETE", page, JSON, nothing.clone()),
        ("deleted but marked", "DELETE", ana.clone(), JSON, nothing.clone()),
        ("deleted and still marked", "DELETE", ana.clone(), JSON, nothing.clone()),
        ("released", "PATCH", ana.clone(), MERGE, release),
        ("gone", "GET", ana, JSON, nothing.clone()),
        ("watched", "GET", watch("VERSION:marked"), JSON, nothing.clone()),
        ("watched from long ago", "GET", watch("1"), JSON, nothing),
    ]
}

/// The answers, with what differs from time to time named.
async fn play(client: &Client, namespace: &str) -> Value {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut versions: Vec<String> = Vec::new();
    let mut said = Vec::new();
    for (name, method, path, content, body) in
        beginnings().into_iter().chain(writes()).chain(ends())
    {
        let fill = |text: &str| {
            let mut text = text.to_owned();
            for (word, value) in known.iter().rev() {
                text = text.replace(word, value);
            }
            text.replace("NS", namespace)
        };
        let body = if body.is_null() { Vec::new() } else { fill(&body.to_string()).into_bytes() };
        let header = if content == METADATA { "accept" } else { "content-type" };
        let request = Request::builder().method(method).uri(fill(&path).replace(' ', "%20"));
        let request = request.header(header, content).body(Body::from(body)).unwrap();
        let response = client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut answers: Vec<Value> = lines
            .map(|line| serde_json::from_slice(line).unwrap_or_else(|_| text_of(line)))
            .collect();
        answers.retain(|line| line["type"] != "BOOKMARK");
        let metadata =
            &answers.first().map(|answer| answer["metadata"].clone()).unwrap_or_default();
        for (word, field) in [("UID", "uid"), ("VERSION", "resourceVersion"), ("NEXT", "continue")]
        {
            if let Some(value) = metadata[field].as_str() {
                known.insert(format!("{word}:{name}"), value.to_owned());
            }
        }
        answers.iter_mut().for_each(|answer| plain(answer, &mut versions));
        let answers = serde_json::to_string(&answers).unwrap().replace(namespace, "NS");
        let answers: Value = serde_json::from_str(&answers).unwrap();
        said.push(json!({"request": name, "status": code, "answer": answers}));
    }
    said.into()
}

fn text_of(line: &[u8]) -> Value {
    String::from_utf8_lossy(line).into()
}

/// Names what differs from server to server: versions by their order, UIDs, times, messages.
fn plain(value: &mut Value, versions: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        value.as_array_mut().into_iter().flatten().for_each(|value| plain(value, versions));
        return;
    };
    if fields.get("kind").is_some_and(|kind| kind == "Status") {
        fields.remove("message");
        if let Some(details) = fields.get_mut("details").and_then(Value::as_object_mut) {
            details.remove("causes");
        }
    }
    let is_list = fields.get("kind").and_then(Value::as_str).is_some_and(|k| k.ends_with("List"));
    if is_list && let Some(metadata) = fields.get_mut("metadata") {
        metadata["resourceVersion"] = "of the list".into();
    }
    for noise in
        ["managedFields", "deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedSource"]
    {
        fields.remove(noise);
    }
    if fields.get("continue").is_some_and(|token| token == "") {
        fields.remove("continue");
    }
    for (key, value) in fields.iter_mut() {
        match key.as_str() {
            "uid" => *value = "a uid".into(),
            "creationTimestamp" | "deletionTimestamp" if value.is_string() => {
                *value = "a time".into()
            }
            "continue" => *value = "a token".into(),
            "resourceVersion" if value != "of the list" => {
                let version = value.as_str().unwrap().to_owned();
                let known = versions.iter().position(|known| *known == version);
                let place = known.unwrap_or_else(|| {
                    versions.push(version);
                    versions.len() - 1
                });
                *value = format!("version {place}").into();
            }
            _ => plain(value, versions),
        }
    }
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/simulation/requests.json")
}

/// Both as text, so that a difference shows its line.
#[track_caller]
fn compare(said: &Value) {
    let expected: Value = serde_json::from_slice(&fs::read(recorded()).unwrap()).unwrap();
    let pairs = said.as_array().unwrap().iter().zip(expected.as_array().unwrap());
    let differ: Vec<String> = pairs
        .filter(|(said, expected)| said != expected)
        .map(|(said, expected)| format!("{said}\n  not\n{expected}"))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
    assert_eq!(said.as_array().map(Vec::len), expected.as_array().map(Vec::len));
}

#[tokio::test(start_paused = true)]
async fn the_cluster_in_memory_answers_44_requests_as_the_real_one_did() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let cluster = Cluster::new(Arc::new(move || now));
    cluster.compact();
    compare(&play(&cluster.client(), "in-memory").await);
}

#[tokio::test]
async fn a_real_cluster_answers_the_44_requests_as_it_did_when_they_were_recorded() {
    let client = real::client().await;
    let own = format!("requests-{}", uuid::Uuid::new_v4().simple());
    let said = play(&client, &own).await;
    assert_eq!(said.as_array().unwrap().len(), 44);
    if std::env::var_os("SEATKEEPER_BLESS").is_some() {
        fs::write(recorded(), serde_json::to_string_pretty(&said).unwrap() + "\n").unwrap();
    }
    compare(&said);
}
