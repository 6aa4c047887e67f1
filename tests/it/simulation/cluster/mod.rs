//! An API server in memory: what ours asks of one, answered as a real one answers.

mod kinds;
mod patch;
mod store;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use kinds::{Kind, Target};
use store::{Key, Refusal, Store, Write};

/// Reads the clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The API server.
pub struct Cluster {
    store: Mutex<Store>,
    changed: Notify,
    now: Clock,
}

/// Which objects a list or watch is about.
#[derive(Clone, Debug)]
pub struct Selection {
    kind: &'static Kind,
    namespace: String,
    name: Option<String>,
    labels: Vec<(String, String)>,
}

impl Selection {
    fn takes(&self, key: &Key, object: &Value) -> bool {
        let labelled =
            |(label, value): &(String, String)| object["metadata"]["labels"][label] == **value;
        key.kind == self.kind
            && (self.namespace.is_empty() || key.namespace == self.namespace)
            && self.name.as_ref().is_none_or(|name| *name == key.name)
            && self.labels.iter().all(labelled)
    }
}

/// The query of a request.
type Query = BTreeMap<String, String>;

impl Cluster {
    /// One with the namespaces that every cluster has, and our kinds.
    pub fn new(now: Clock) -> Arc<Self> {
        let cluster = Self { store: Mutex::default(), changed: Notify::new(), now };
        let cluster = Arc::new(cluster);
        for name in ["default", "kube-system"] {
            cluster.put("namespaces", &json!({"metadata": {"name": name}}));
        }
        for name in kinds::of_ours() {
            cluster.put(kinds::DEFINITIONS, &json!({"metadata": {"name": name}}));
        }
        cluster
    }

    /// A client of it.
    pub fn client(self: &Arc<Self>) -> kube::Client {
        let cluster = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let cluster = Arc::clone(&cluster);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await?.to_vec();
                Ok::<_, kube::Error>(cluster.answer(Request::from_parts(head, body)))
            }
        });
        kube::Client::new(service, "default")
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// Answers one request.
    pub fn answer(self: &Arc<Self>, request: Request<Vec<u8>>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let query: Query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let kind = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let partial = kind("accept").is_some_and(|accept| accept.contains("PartialObjectMeta"));
        let how = kind("content-type").unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Some(target) = kinds::target(head.uri.path()) else {
            let text = Body::from("404 page not found\n");
            return Response::builder().status(404).body(text).unwrap();
        };
        if head.method == Method::GET && query.get("watch").is_some_and(|w| w == "true" || w == "1")
        {
            return self.watch(&target, &query);
        }
        let answer = match (&head.method, &target.name) {
            (&Method::GET, Some(name)) => self.store().get(&target.key(name)).map(|o| (200, o)),
            (&Method::GET, None) => self.list(&target, &query).map(|list| (200, list)),
            (&Method::POST, None) => self.create(&target, body).map(|object| (201, object)),
            (&Method::DELETE, Some(name)) => self.delete(&target.key(name), &body),
            (method, Some(name)) => {
                self.write(&target.key(name), &target, method, &how, &query, &body)
            }
            _ => unimplemented!("{} {}", head.method, head.uri),
        };
        match answer {
            Ok((code, object)) if partial => reply(code, &metadata_of(object)),
            Ok((code, object)) => reply(code, &object),
            Err(refusal) => refuse(&refusal),
        }
    }

    fn create(&self, target: &Target, object: Value) -> Result<Value, Refusal> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let created = self.store().create(target.key(&name), object, (self.now)())?;
        self.changed.notify_waiters();
        Ok(created)
    }

    fn write(
        &self,
        key: &Key,
        target: &Target,
        method: &Method,
        content: &str,
        query: &Query,
        body: &Value,
    ) -> Result<(u16, Value), Refusal> {
        let manager = query.get("fieldManager").map(String::as_str).unwrap_or_default();
        let how = match (method, content) {
            (&Method::PUT, _) => Write::Replace,
            (_, "application/merge-patch+json") => Write::Merge,
            (_, content) if content.starts_with("application/apply-patch") => Write::Apply(manager),
            _ => unimplemented!("{method} {content}"),
        };
        let is_new = matches!(how, Write::Apply(_)) && self.store().get(key).is_err();
        if is_new && target.sub.is_empty() && !body["metadata"]["uid"].is_string() {
            return Ok((201, self.create(target, body.clone())?));
        }
        let written = self.store().write(key, &target.sub, how, body)?;
        self.settle();
        Ok((200, written))
    }

    fn delete(&self, key: &Key, options: &Value) -> Result<(u16, Value), Refusal> {
        let (object, gone) = self.store().delete(key, options, (self.now)())?;
        self.settle();
        if !gone {
            return Ok((200, object));
        }
        let Key { kind, name, .. } = key;
        let mut details =
            json!({"name": name, "kind": kind.plural, "uid": object["metadata"]["uid"]});
        if !kind.group.is_empty() {
            details["group"] = kind.group.clone().into();
        }
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details,
        });
        Ok((200, status))
    }

    /// Does what controllers do, and tells who watches.
    fn settle(&self) {
        self.store().clear_namespaces((self.now)());
        self.changed.notify_waiters();
    }

    fn selection(target: &Target, query: &Query) -> Selection {
        let labels = query.get("labelSelector").map(String::as_str).unwrap_or_default();
        let labels = labels.split(',').filter_map(|pair| pair.split_once('='));
        let field = query.get("fieldSelector").map(String::as_str).unwrap_or_default();
        Selection {
            kind: target.kind,
            namespace: target.namespace.clone(),
            name: field.strip_prefix("metadata.name=").map(str::to_owned),
            labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect(),
        }
    }

    fn list(&self, target: &Target, query: &Query) -> Result<Value, Refusal> {
        let (store, selection) = (self.store(), Self::selection(target, query));
        let (version, after) = match query.get("continue").filter(|token| !token.is_empty()) {
            None => (store.version, None),
            Some(token) => {
                let (version, after) = token.split_once(' ').ok_or_else(bad_token)?;
                (version.parse().map_err(|_| bad_token())?, Some(after.to_owned()))
            }
        };
        let place = |key: &Key| format!("{}/{}", key.namespace, key.name);
        let all = store.objects.iter().filter(|(key, object)| selection.takes(key, object));
        let rest: Vec<(&Key, &Value)> =
            all.filter(|(key, _)| after.as_ref().is_none_or(|after| place(key) > *after)).collect();
        let limit = query.get("limit").and_then(|limit| limit.parse().ok());
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX).min(rest.len());
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if limit < rest.len() {
            metadata["continue"] = format!("{version} {}", place(rest[limit - 1].0)).into();
            metadata["remainingItemCount"] = (rest.len() - limit).into();
        }
        let mut items: Vec<Value> =
            rest[..limit].iter().map(|(_, object)| (*object).clone()).collect();
        if target.kind.schema.is_none() {
            let items = items.iter_mut().filter_map(Value::as_object_mut);
            items.for_each(|item| item.retain(|key, _| key != "apiVersion" && key != "kind"));
        }
        Ok(json!({
            "apiVersion": target.kind.api_version(),
            "kind": format!("{}List", target.kind.kind),
            "metadata": metadata,
            "items": items,
        }))
    }

    fn watch(self: &Arc<Self>, target: &Target, query: &Query) -> Response<Body> {
        let since = query.get("resourceVersion").and_then(|since| since.parse().ok());
        let seconds = query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
        let within = Duration::from_secs(seconds.unwrap_or(290));
        let body = watch::open(self, Self::selection(target, query), since.unwrap_or(0), within);
        Response::builder().header("content-type", "application/json").body(body).unwrap()
    }

    /// Forgets all changes so far: who watches from an earlier version must list anew.
    pub fn compact(&self) {
        let mut store = self.store();
        store.oldest = store.version;
        store.log.clear();
    }

    /// Makes an object, or changes the one that is there, as a person does.
    pub fn put(&self, plural: &str, object: &Value) {
        let key = key(
            plural,
            object["metadata"]["namespace"].as_str(),
            object["metadata"]["name"].as_str().unwrap(),
        );
        let mut store = self.store();
        let written = if store.objects.contains_key(&key) {
            store.write(&key, "", Write::Apply("person"), object)
        } else {
            store.create(key.clone(), object.clone(), (self.now)())
        };
        written.unwrap();
        drop(store);
        self.changed.notify_waiters();
    }

    /// Sets an annotation, as a person does.
    pub fn annotate(&self, plural: &str, namespace: &str, name: &str, word: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {word: value}}});
        let key = key(plural, Some(namespace), name);
        self.store().write(&key, "", Write::Merge, &patch).unwrap();
        self.changed.notify_waiters();
    }

    /// Deletes an object, as a person does.
    pub fn remove(&self, plural: &str, namespace: Option<&str>, name: &str) {
        self.delete(&key(plural, namespace, name), &Value::Null).unwrap();
    }

    /// An object; null if it is not there.
    pub fn object(&self, plural: &str, namespace: Option<&str>, name: &str) -> Value {
        self.store().get(&key(plural, namespace, name)).unwrap_or_default()
    }

    /// All objects of a kind.
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let store = self.store();
        let found = store.objects.iter().filter(|(key, _)| key.kind.plural == plural);
        found.map(|(_, object)| object.clone()).collect()
    }
}

fn key(plural: &str, namespace: Option<&str>, name: &str) -> Key {
    let namespace = namespace.unwrap_or_default().to_owned();
    Key { kind: kinds::kind(plural), namespace, name: name.to_owned() }
}

fn bad_token() -> Refusal {
    let message = "continue key is not valid".to_owned();
    Refusal { code: 400, reason: "BadRequest", message, about: None }
}

/// A list, or one object, of which only the metadata was asked for.
fn metadata_of(mut answer: Value) -> Value {
    let partial = |object: &Value| {
        json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": object["metadata"],
        })
    };
    if answer["kind"] == "Status" {
        return answer;
    }
    let Some(items) = answer["items"].as_array_mut() else { return partial(&answer) };
    for item in items {
        *item = partial(item);
    }
    answer["apiVersion"] = "meta.k8s.io/v1".into();
    answer["kind"] = "PartialObjectMetadataList".into();
    answer
}

fn reply(code: u16, object: &Value) -> Response<Body> {
    let body = Body::from(object.to_string().into_bytes());
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(body).unwrap()
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let Refusal { code, reason, message, about } = refusal;
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    if let Some((group, kind, name)) = about {
        status["details"] = json!({"name": name, "kind": kind});
        if !group.is_empty() {
            status["details"]["group"] = group.clone().into();
        }
    }
    reply(StatusCode::from_u16(*code).unwrap().as_u16(), &status)
}
