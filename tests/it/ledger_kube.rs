//! The ledger as objects of a cluster, against an API server of a few lines: names, labels,
//! versions and what is refused. The real API server is the cluster tests' business.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use seatkeeper::ledger::{KubeStore, Ledger, LedgerError};
use serde_json::{Value, json};

use crate::world::{World, address, declare, people};

/// Objects by name, with the versions that the API server gives.
#[derive(Clone, Default)]
struct Cluster {
    objects: Arc<Mutex<BTreeMap<String, Value>>>,
    requests: Arc<Mutex<Vec<String>>>,
    /// What every write is answered with, if anything.
    refusal: Arc<Mutex<Option<(StatusCode, &'static str)>>>,
}

impl Cluster {
    fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let path = parts.uri.path().to_owned();
                let query = parts.uri.query().unwrap_or_default().to_owned();
                let (status, answer) = cluster.answer(&parts.method, &path, &query, body);
                let answer = Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, Infallible>(Response::builder().status(status).body(answer).unwrap())
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, method: &Method, path: &str, query: &str, body: Value) -> (StatusCode, Value) {
        let kind = "/apis/seatkeeper.dev/v1alpha1/namespaces/web/accountledgers";
        let name = path.strip_prefix(kind).unwrap().trim_start_matches('/').to_owned();
        self.requests.lock().unwrap().push(format!("{method} {name}"));
        let mut objects = self.objects.lock().unwrap();
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let next = self.requests.lock().unwrap().len().to_string();
        if let (false, Some((code, said))) = (*method == Method::GET, *self.refusal.lock().unwrap())
        {
            return status(code, said);
        }
        if *method == Method::POST {
            let name = body["metadata"]["name"].as_str().unwrap().to_owned();
            return match objects.contains_key(&name) {
                true => status(StatusCode::CONFLICT, "AlreadyExists"),
                false => (StatusCode::CREATED, put(&mut objects, name, body, &next)),
            };
        }
        if name.is_empty() {
            let label = query.split("labelSelector=seatkeeper.dev%2Fledger%3D").nth(1).unwrap();
            let label = label.split('&').next().unwrap();
            let labelled = |object: &&Value| {
                object["metadata"]["labels"]["seatkeeper.dev/ledger"].as_str() == Some(label)
            };
            let items: Vec<_> = objects.values().filter(labelled).cloned().collect();
            return (StatusCode::OK, json!({"metadata": {"resourceVersion": "1"}, "items": items}));
        }
        let Some(there) = objects.get(&name).cloned() else {
            return status(StatusCode::NOT_FOUND, "NotFound");
        };
        match *method {
            Method::GET => (StatusCode::OK, there),
            Method::PUT if version(&body) == version(&there) => {
                (StatusCode::OK, put(&mut objects, name, body, &next))
            }
            Method::DELETE if body["preconditions"]["resourceVersion"] == version(&there) => {
                objects.remove(&name);
                (StatusCode::OK, there)
            }
            _ => status(StatusCode::CONFLICT, "Conflict"),
        }
    }

    fn store(&self) -> Box<KubeStore> {
        Box::new(KubeStore::new(self.client(), "web", "acme"))
    }

    fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        change(self.objects.lock().unwrap().get_mut(name).unwrap());
    }
}

fn put(
    objects: &mut BTreeMap<String, Value>,
    name: String,
    mut object: Value,
    version: &str,
) -> Value {
    object["metadata"]["resourceVersion"] = json!(version);
    objects.insert(name, object.clone());
    object
}

fn status(code: StatusCode, reason: &str) -> (StatusCode, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": reason, "message": reason, "code": code.as_u16(),
    });
    (code, status)
}

async fn load(cluster: &Cluster) -> Result<Ledger, LedgerError> {
    Ledger::load(cluster.store(), &"acme".into()).await
}

#[tokio::test]
async fn a_run_writes_a_head_and_a_page_and_the_next_finds_them() {
    let (world, cluster) = (World::new(), Cluster::default());
    let desired = declare(&people(70));
    let report = world.run_with(&desired, cluster.store()).await.unwrap().unwrap();
    assert_eq!((report.writes.head, report.writes.pages), (3, 1));
    assert_eq!(cluster.names(), ["acme", "acme.page-01"]);
    let requests = cluster.requests.lock().unwrap().clone();
    let expected = ["GET ", "GET acme", "POST ", "POST ", "PUT acme", "PUT acme"];
    assert_eq!(requests, expected, "two reads, and each write once");
    world.service.accept_all();
    let report = world.run_with(&desired, cluster.store()).await.unwrap().unwrap();
    assert_eq!((report.writes.head, report.writes.pages), (0, 1));
    assert_eq!(world.service.all_mails(), 70);
}

#[tokio::test]
async fn a_head_that_another_run_wrote_is_a_conflict() {
    let (world, cluster) = (World::new(), Cluster::default());
    let desired = declare(&[address("ana@example.com")]);
    let mut fresh = load(&cluster).await.unwrap();
    let (plan, observed) = world.plan(&desired, &mut fresh).await;
    world.run_with(&desired, cluster.store()).await.unwrap().unwrap();
    let error = world.apply(&mut fresh, &plan, &observed).await.unwrap_err();
    assert!(matches!(error.ledger(), LedgerError::Conflict { .. }), "{error:?}");
    let more = declare(&people(2));
    let mut known = load(&cluster).await.unwrap();
    let (plan, observed) = world.plan(&more, &mut known).await;
    cluster.change("acme", |object| object["metadata"]["resourceVersion"] = json!("999"));
    let error = world.apply(&mut known, &plan, &observed).await.unwrap_err();
    assert!(matches!(error.ledger(), LedgerError::Conflict { .. }), "{error:?}");
    assert_eq!(world.service.all_mails(), 1);
}

#[tokio::test]
async fn an_object_that_is_too_large_is_refused_with_the_way_out_and_nobody_is_mailed() {
    let too_large = "etcdserver: request is too large";
    for (code, said, reason) in [
        (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "LedgerTooLarge"),
        (StatusCode::INTERNAL_SERVER_ERROR, too_large, "LedgerTooLarge"),
        (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "LedgerUnwritable"),
    ] {
        let (world, cluster) = (World::new(), Cluster::default());
        world.run_with(&declare(&people(1)), cluster.store()).await.unwrap().unwrap();
        let before = cluster.objects.lock().unwrap().clone();
        *cluster.refusal.lock().unwrap() = Some((code, said));
        let refused = world.run_with(&declare(&people(3)), cluster.store()).await.unwrap();
        let error = refused.unwrap_err();
        assert_eq!(error.ledger().reason().as_str(), reason);
        if reason == "LedgerTooLarge" {
            assert_eq!(
                error.ledger().to_string(),
                "the ledger kube:web/acme is larger than the API server takes"
            );
            let hint = "declare fewer teams and domains for one account";
            assert!(error.ledger().hint().contains(hint), "{}", error.ledger().hint());
        }
        assert_eq!(world.service.all_mails(), 1);
        assert_eq!(*cluster.objects.lock().unwrap(), before, "the old ledger is whole");
    }
}

type Spoil = fn(&mut Value);

#[tokio::test]
async fn objects_that_were_changed_by_hand_count_as_lost() {
    let (world, cluster) = (World::new(), Cluster::default());
    world.run_with(&declare(&people(2)), cluster.store()).await.unwrap().unwrap();
    let whole = cluster.objects.lock().unwrap().clone();
    let spoil: [(&str, Spoil, &str); 4] = [
        ("acme", |object| object["spec"]["content"] = json!("{}"), "checksum"),
        ("acme", |object| object["spec"]["accountId"] = json!("acc_2"), "checksum"),
        ("acme.page-01", |object| object["spec"]["part"] = json!("page-02"), "another part"),
        ("acme.page-01", |object| object["metadata"]["labels"] = json!({}), "missing"),
    ];
    for (name, spoil, what) in spoil {
        cluster.change(name, spoil);
        let error = load(&cluster).await.unwrap_err();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().contains(&format!("kube:web/{name}")), "{error}");
        *cluster.objects.lock().unwrap() = whole.clone();
    }
    cluster.change("acme", |object| object["metadata"]["labels"] = json!({}));
    load(&cluster).await.unwrap();
}

#[tokio::test]
async fn what_others_put_on_the_objects_stays() {
    let (world, cluster) = (World::new(), Cluster::default());
    world.run_with(&declare(&people(1)), cluster.store()).await.unwrap().unwrap();
    cluster.change("acme", |object| object["metadata"]["finalizers"] = json!(["example.com/x"]));
    world.run_with(&declare(&people(2)), cluster.store()).await.unwrap().unwrap();
    let objects = cluster.objects.lock().unwrap();
    assert_eq!(objects["acme"]["metadata"]["finalizers"], json!(["example.com/x"]));
}

#[tokio::test]
async fn the_ledger_of_another_account_with_a_longer_name_is_not_taken_for_ours() {
    let (world, cluster) = (World::new(), Cluster::default());
    let store = |name: &str| Box::new(KubeStore::new(cluster.client(), "web", name));
    world.run_with(&declare(&people(1)), store("acme-01")).await.unwrap().unwrap();
    let ledger = Ledger::load(store("acme"), &"acme".into()).await.unwrap();
    assert_eq!(ledger.installation(), None);
    assert_eq!(cluster.names(), ["acme-01", "acme-01.page-01"]);
}

#[tokio::test]
async fn a_cluster_without_the_kind_is_an_error_and_not_an_empty_ledger() {
    let service = tower::service_fn(|_: Request<Body>| async {
        let (code, answer) = status(StatusCode::NOT_FOUND, "NotFound");
        let answer = Body::from(serde_json::to_vec(&answer).unwrap());
        Ok::<_, Infallible>(Response::builder().status(code).body(answer).unwrap())
    });
    let store = KubeStore::new(Client::new(service, "default"), "web", "acme");
    let error = Ledger::load(Box::new(store), &"acme".into()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Read { .. }), "{error:?}");
}
