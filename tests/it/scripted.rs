//! An account service that answers what a test tells it to, right or wrong, and writes down every
//! request. It listens on a loopback port and knows nothing of the client.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use seatkeeper::backend::account_api::AccountApi;
use seatkeeper::backend::transport::Reqwest;
use seatkeeper::backend::{Backend as _, BackendError};
use seatkeeper::domain::keys::AccountKey;
use seatkeeper::domain::observed::Observed;
use seatkeeper::profile::{Profile, built_in};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// The credential of every client here: it must show up in the header and nowhere else.
pub const TOKEN: &str = "tok-canary-7f3a";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method, path and query.
    pub line: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: String,
}

impl Seen {
    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// What the service says to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    delay: Duration,
    manner: Manner,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// At once.
    Whole,
    /// Half of it; then the connection ends.
    Cut,
    /// Byte by byte, with this pause between two.
    Drip(Duration),
}

/// What comes of a request that somebody in between sees first.
pub enum Bend {
    /// It is answered here, and never gets to the service.
    Instead(Answer),
    /// This path and query is asked for; the answer is given as it is.
    Asked(String),
    /// This path and query is asked for, and this is made of the answer.
    Changed(String, Box<dyn FnOnce(Answer) -> Answer + Send>),
    /// It is passed on, and this is made of the answer.
    Answered(Box<dyn FnOnce(Answer) -> Answer + Send>),
}

impl Answer {
    /// A success.
    pub fn json(body: &Value) -> Self {
        Self::text(200, "application/json", &body.to_string())
    }

    /// Any text.
    pub fn text(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let (delay, manner) = (Duration::ZERO, Manner::Whole);
        Self { status, headers, body: body.to_owned(), delay, manner }
    }

    /// A problem document with this code.
    pub fn problem(status: u16, code: &str) -> Self {
        let body = json!({
            "type": "about:blank", "title": "no", "status": status, "code": code,
            "detail": "words of the service", "retryable": false, "request_id": "req_1",
        });
        Self::text(status, "application/problem+json", &body.to_string())
    }

    /// The same with a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with its JSON changed.
    pub fn edit(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut body = serde_json::from_str(&self.body).expect("JSON to change");
        edit(&mut body);
        self.body = body.to_string();
        self
    }

    /// The same, cut off in the middle of its body.
    pub fn cut(mut self) -> Self {
        self.manner = Manner::Cut;
        self
    }

    /// The same, byte by byte.
    pub fn dripping(mut self, pause: Duration) -> Self {
        self.manner = Manner::Drip(pause);
        self
    }

    /// The same under another status.
    pub fn under(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same after a while.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    async fn send(self) -> Response {
        tokio::time::sleep(self.delay).await;
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        let body = match self.manner {
            Manner::Whole => Body::from(self.body),
            Manner::Cut => {
                let half = Bytes::copy_from_slice(&self.body.as_bytes()[..self.body.len() / 2]);
                Body::from_stream(stream::iter([Ok(half), Err("cut off")]))
            }
            Manner::Drip(pause) => {
                let bytes = stream::iter(self.body.into_bytes()).then(move |byte| async move {
                    tokio::time::sleep(pause).await;
                    Ok::<_, &str>(Bytes::from(vec![byte]))
                });
                Body::from_stream(bytes)
            }
        };
        response.body(body).unwrap()
    }

    /// Passes a request on to the service at `base`, under the path and query `to`.
    async fn of(base: &str, to: &str, request: &Seen) -> Self {
        let method = request.line.split(' ').next().unwrap().parse().unwrap();
        let mut headers = request.headers.clone();
        headers.remove(http::header::HOST);
        let call = crate::service::client().request(method, format!("{base}{to}"));
        let answer = call.headers(headers).body(request.body.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        let passed = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let framing = ["transfer-encoding", "content-length", "connection"];
            let name = name.as_str().to_owned();
            let value = value.to_str().unwrap().to_owned();
            (!framing.contains(&name.as_str())).then_some((name, value))
        };
        let headers = answer.headers().iter().filter_map(passed).collect();
        let body = answer.text().await.unwrap();
        Self { status, headers, body, delay: Duration::ZERO, manner: Manner::Whole }
    }
}

/// The running service; it ends with the value.
pub struct Scripted {
    url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// Starts a service that answers each request by `script`.
    pub async fn start(script: impl Fn(&Seen) -> Answer + Clone + Send + Sync + 'static) -> Self {
        Self::serve(move |request| {
            let answer = script(&request);
            async move { answer }
        })
        .await
    }

    /// Stands in front of the service at `base`; `None`: the answer is that of the service.
    pub async fn before(
        base: &str,
        bend: impl Fn(&Seen) -> Option<Bend> + Clone + Send + Sync + 'static,
    ) -> Self {
        let base = base.to_owned();
        Self::serve(move |request| {
            let (base, bend) = (base.clone(), bend(&request));
            async move {
                let asked = request.line.split(' ').nth(1).unwrap();
                match bend {
                    None => Answer::of(&base, asked, &request).await,
                    Some(Bend::Instead(answer)) => answer,
                    Some(Bend::Asked(other)) => Answer::of(&base, &other, &request).await,
                    Some(Bend::Changed(other, bend)) => {
                        bend(Answer::of(&base, &other, &request).await)
                    }
                    Some(Bend::Answered(bend)) => bend(Answer::of(&base, asked, &request).await),
                }
            }
        })
        .await
    }

    async fn serve<F>(script: impl Fn(Seen) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send,
    {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::clone(&seen);
        let answer = async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let request = Seen {
                line: format!("{} {}", head.method, head.uri),
                headers: head.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            log.lock().unwrap().push(request.clone());
            script(request).await.send().await
        };
        let router = Router::new().fallback(move |request| {
            let answer = answer.clone();
            async move { answer(request).await }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: Url::parse(&url).unwrap(), seen, task }
    }

    /// Where it listens: `http://127.0.0.1:…`.
    pub fn base(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// A client of this service.
    pub fn client(&self) -> AccountApi {
        client(&self.url)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A client of whatever listens at `url`.
pub fn client(url: &Url) -> AccountApi {
    let transport = Arc::new(Reqwest::new(url, None).expect("a loopback address"));
    AccountApi::new(transport, &SecretString::from(TOKEN)).expect("a token")
}

/// An account of the profile `nitropack`.
pub fn account(id: &str, slug: &str) -> Value {
    json!({
        "id": id, "slug": slug, "name": "Acme", "etag": "\"1\"", "profile": "nitropack",
        "profile_digest": "0", "state": "active", "created_at": "2026-01-01T00:00:00Z",
        "seats": {
            "limit": 3, "used": 1, "source": "growth",
            "breakdown": {"owner": 1, "active": 1, "pending": 0, "trimmed": 0},
        },
        "subscriptions": [], "caller": {"scopes": ["read"]},
    })
}

/// A member.
pub fn member(id: &str, email: &str) -> Value {
    json!({
        "id": id, "etag": "\"1\"", "email": email, "role": "developer", "state": "active",
        "added_at": "2026-01-01T00:00:00Z", "joined_at": "2026-01-02T00:00:00Z",
    })
}

/// An invitation.
pub fn invitation(id: &str, email: &str, state: &str) -> Value {
    json!({
        "id": id, "etag": "\"1\"", "email": email, "role": "developer", "state": state,
        "created_at": "2026-01-01T00:00:00Z", "expires_at": "2026-02-01T00:00:00Z",
        "last_sent_at": "2026-01-01T00:00:00Z", "send_count": 1, "delivery": "sent",
        "actions": [],
    })
}

/// The last page of a list.
pub fn page(items: &[Value]) -> Value {
    json!({"items": items, "total": items.len(), "as_of": 7})
}

/// A value with one field set, by JSON pointer's first segment.
pub fn with(mut value: Value, field: &str, to: Value) -> Value {
    value[field] = to;
    value
}

/// Answers by path, and a healthy account with one member for every other path.
pub async fn service(answers: &[(&str, Answer)]) -> Scripted {
    let answers: BTreeMap<String, Answer> =
        answers.iter().map(|(line, answer)| ((*line).to_owned(), answer.clone())).collect();
    Scripted::start(move |seen| {
        let path = seen.line.split('?').next().unwrap();
        let scripted = answers.get(&seen.line).or_else(|| answers.get(path));
        scripted.cloned().unwrap_or_else(|| healthy(path))
    })
    .await
}

/// What a healthy service with one member answers.
pub fn healthy(line: &str) -> Answer {
    Answer::json(&match line {
        "GET /v1/accounts/acc_1" => account("acc_1", "acme"),
        "GET /v1/accounts/acc_1/members" => page(&[member("mem_1", "ana@example.com")]),
        "GET /v1/accounts/acc_1/invitations" => page(&[]),
        _ => return Answer::problem(404, "not-found"),
    })
}

/// Reads account `acc_1`.
pub async fn observe(api: &AccountApi) -> Result<Observed, BackendError> {
    api.observe(&AccountKey::from("acc_1"), &nitropack()).await
}

/// The profile of the account.
pub fn nitropack() -> Arc<Profile> {
    built_in("nitropack").unwrap()
}

/// The words of a whole error: message, every cause, and `Debug`.
pub fn words(error: &BackendError) -> String {
    let mut words = format!("{error:?}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
