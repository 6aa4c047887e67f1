//! An API server in this process: it keeps objects by path and merges what is patched.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::runtime::events::{Recorder, Reporter};
use serde_json::{Value, json};

use crate::controller::clients::Clients;

/// The API server.
#[derive(Default)]
pub struct Cluster {
    objects: Mutex<BTreeMap<String, Value>>,
    seen: Mutex<Vec<String>>,
}

impl Cluster {
    /// Clients of it.
    pub fn clients(self: &Arc<Self>) -> (Clients, Recorder) {
        let cluster = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = Arc::clone(&cluster);
            async move { Ok::<_, Infallible>(cluster.answer(request).await) }
        });
        let client = kube::Client::new(service, "web");
        let reporter = Reporter { controller: "test".to_owned(), instance: None };
        let recorder = Recorder::new(client.clone(), reporter);
        (Clients { reader: client.clone(), writer: client.clone(), lease: client }, recorder)
    }

    /// Puts an object in.
    pub fn put(&self, path: &str, object: &Value) {
        self.objects.lock().unwrap().insert(path.to_owned(), object.clone());
    }

    /// Writes so far.
    pub fn writes(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|line| !line.starts_with("GET ")).cloned().collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = head.uri.path().trim_end_matches("/status").to_owned();
        let version = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(format!("{} {}", head.method, head.uri.path()));
            seen.len()
        };
        let mut objects = self.objects.lock().unwrap();
        let found = match head.method {
            Method::GET => objects.get(&path).cloned().or_else(|| list(&objects, &path)),
            Method::POST => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
                Some(write(objects.entry(path).or_default(), &body, version))
            }
            _ => objects.get_mut(&path).map(|object| write(object, &body, version)),
        };
        let (status, answer) = match found {
            Some(object) => (200, object),
            None => (404, json!({"kind": "Status", "code": 404, "reason": "NotFound"})),
        };
        let answer = Body::from(answer.to_string().into_bytes());
        Response::builder().status(status).body(answer).unwrap()
    }
}

/// The objects of a collection; `None` where a path names one object.
fn list(objects: &BTreeMap<String, Value>, path: &str) -> Option<Value> {
    let plural = path.rsplit('/').next()?;
    let under = format!("{path}/");
    let items = objects.iter().filter(|(key, _)| key.starts_with(&under)).map(|(_, o)| o.clone());
    plural.ends_with('s').then(|| {
        json!({
            "apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"},
            "items": items.collect::<Vec<_>>(),
        })
    })
}

fn write(object: &mut Value, with: &Value, version: usize) -> Value {
    merge(object, with);
    object["metadata"]["resourceVersion"] = version.to_string().into();
    object.clone()
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
