//! The account service: the real code in this process, on a thread and a runtime of its own, and on
//! the clock of the world. A call of it takes no time of that clock, so nothing happens beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request, Response};
use jiff::Timestamp;
use seatkeeper::server::{Settings, Still, still};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt as _;

use crate::service::{Mail, PASSWORD, Page, TestClock, mails_in, settings};

/// The operator's token.
pub const TOKEN: &str = "token-of-the-operator";
/// The token of what people do.
const OTHERS: &str = "token-of-the-people";
const VENDOR: &str = "token-of-the-vendor";

/// Everyone with a user. Who is not in the account may be invited to it.
const PEOPLE: &[&str] = &["owner", "ana", "bo", "cyd", "dan", "eve", "zoe"];

fn seed() -> String {
    let user = |name: &&str| {
        format!("  - {{email: {name}@example.com, name: {name}, password: {PASSWORD}}}\n")
    };
    let users: String = PEOPLE[1..].iter().map(user).collect();
    format!(
        "vendorTokens:\n  - token: {VENDOR}\nusers:\n{users}accounts:\n  - name: Acme\n    slug: acme\n    \
         profile: nitropack\n    owner: {{email: owner@example.com, name: Olga, password: {PASSWORD}}}\n    \
         subscriptions: [business, growth]\n    tokens:\n      \
         - {{token: {TOKEN}, scopes: [read, invite, change, remove, billing, manage]}}\n      \
         - {{token: {OTHERS}, scopes: [read, invite, change, remove, billing, manage]}}\n"
    )
}

/// A service that was prepared once: its files, and who is signed in with which cookies.
struct Prepared {
    folder: TempDir,
    cookies: BTreeMap<String, String>,
}

type Job = Box<dyn FnOnce(&Runtime, &Inside) + Send>;

/// What lives on the thread of the service.
struct Inside {
    still: Still,
    router: Router,
}

/// The service.
pub struct Service {
    jobs: Sender<Job>,
    folder: TempDir,
    micros: Arc<AtomicI64>,
    /// The second in which due work was done last.
    done: AtomicI64,
    changed: Notify,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// In memory where there is such a place.
fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        tempfile::tempdir_in(shared).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn settings_in(folder: &Path, seed: &str, micros: &Arc<AtomicI64>) -> Settings {
    let mut settings = settings(folder, seed, &TestClock::new());
    if seed.is_empty() {
        settings.seed = None;
    }
    settings.request_log = None;
    let micros = Arc::clone(micros);
    settings.now =
        Arc::new(move || Timestamp::from_microsecond(micros.load(Ordering::SeqCst)).unwrap());
    settings
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn prepared(start: Timestamp) -> &'static Prepared {
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let prepare = move || {
            let folder = folder();
            let micros = Arc::new(AtomicI64::new(start.as_microsecond()));
            let runtime = runtime();
            let cookies = runtime.block_on(async {
                let still = still(settings_in(folder.path(), &seed(), &micros)).await.unwrap();
                let router = still.router();
                let mut cookies = BTreeMap::new();
                for name in PEOPLE {
                    cookies.insert((*name).to_owned(), sign_in(&router, name).await);
                }
                still.close().await;
                cookies
            });
            Prepared { folder, cookies }
        };
        std::thread::spawn(prepare).join().unwrap()
    })
}

/// Signs in; gives the cookies.
async fn sign_in(router: &Router, name: &str) -> String {
    let (page, first) = visit(router, Request::get("/signin"), "", "").await;
    let mark = page.mark("/signin").unwrap();
    let form =
        form(&[("mark", &mark), ("email", &format!("{name}@example.com")), ("password", PASSWORD)]);
    let (page, second) = visit(router, Request::post("/signin"), &first, &form).await;
    assert!(page.status.is_redirection(), "{}", page.html);
    format!("{first}; {second}")
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Opens a page; gives it and the cookies that it sets.
async fn visit(
    router: &Router,
    request: http::request::Builder,
    cookies: &str,
    form: &str,
) -> (Page, String) {
    let request = request
        .header("cookie", cookies)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .unwrap();
    let path = request.uri().path().to_owned();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let set = answer.headers().get_all("set-cookie").iter();
    let set = set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    let set: Vec<String> = set.collect();
    let html = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let html = String::from_utf8_lossy(&html).replace("&#x2f;", "/");
    (Page { status, html, path }, set.join("; "))
}

impl Service {
    /// A fresh copy of the prepared service; `now` is read with each call.
    pub fn start(start: Timestamp, now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Arc<Self> {
        let prepared = prepared(start);
        let folder = folder();
        for file in ["seatkeeper.db", "secret.key"] {
            fs::copy(prepared.folder.path().join(file), folder.path().join(file)).unwrap();
        }
        let micros = Arc::new(AtomicI64::new(now().as_microsecond()));
        let settings = settings_in(folder.path(), "", &micros);
        let (jobs, todo) = channel::<Job>();
        std::thread::spawn(move || {
            let runtime = runtime();
            let inside = runtime.block_on(async {
                let still = still(settings).await.unwrap();
                Inside { router: still.router(), still }
            });
            while let Ok(job) = todo.recv() {
                job(&runtime, &inside);
            }
            runtime.block_on(inside.still.close());
        });
        Arc::new(Self {
            jobs,
            folder,
            micros,
            done: AtomicI64::new(0),
            changed: Notify::new(),
            now,
        })
    }

    /// Runs on the thread of the service, at this moment of the world; ours stands still meanwhile,
    /// and with it the clock.
    fn on<T: Send + 'static>(
        &self,
        changes: bool,
        job: impl AsyncFnOnce(&Inside) -> T + Send + 'static,
    ) -> T {
        let (answer, wait) = sync_channel(1);
        let now = (self.now)();
        self.micros.store(now.as_microsecond(), Ordering::SeqCst);
        let is_new_second = self.done.swap(now.as_second(), Ordering::SeqCst) != now.as_second();
        let job: Job = Box::new(move |runtime, inside| {
            let result = runtime.block_on(async {
                let mut is_due = changes;
                while is_new_second && inside.still.run_due().await.unwrap() > 0 {
                    is_due = true;
                }
                let result = job(inside).await;
                if is_due {
                    inside.still.deliver_due().await.unwrap();
                }
                result
            });
            answer.send(result).unwrap();
        });
        self.jobs.send(job).unwrap();
        let result = wait.recv().unwrap();
        if changes {
            self.changed.notify_waiters();
        }
        result
    }

    /// Answers one request.
    pub async fn answer(&self, mut request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let (wait, path) = without_wait(request.uri().to_string());
        *request.uri_mut() = path.parse().unwrap();
        let until = Instant::now() + Duration::from_secs(wait);
        loop {
            let asked = request.clone().map(Body::from);
            let changes = asked.method() != Method::GET;
            let (head, body) = self.on(changes, async move |inside| {
                let answer = inside.router.clone().oneshot(asked).await.unwrap();
                let (head, body) = answer.into_parts();
                (head, to_bytes(body, usize::MAX).await.unwrap().to_vec())
            });
            let nothing = || {
                serde_json::from_slice(&body)
                    .is_ok_and(|b: Value| b["items"] == Value::Array(vec![]))
            };
            if wait == 0 || !nothing() || Instant::now() >= until {
                return Response::from_parts(head, body);
            }
            let _ = timeout_at(until, self.changed.notified()).await;
        }
    }

    /// Calls the account API as people do.
    fn call(&self, token: &str, method: Method, path: &str, etag: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/accounts/acme{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("by-hand-{path}-{body}").replace(['"', ' '], ""));
        let request = if etag.is_empty() { request } else { request.header("if-match", etag) };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = request.body(Body::from(body)).unwrap();
        self.on(request.method() != Method::GET, async move |inside| {
            let answer = inside.router.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
            serde_json::from_slice(&body).unwrap_or_default()
        })
    }

    /// Rows of a list.
    pub fn list(&self, path: &str) -> Vec<Value> {
        let page = self.call(OTHERS, Method::GET, path, "", &Value::Null);
        page["items"].as_array().unwrap().clone()
    }

    /// Id of the account, and who the operator is there.
    pub fn identity(&self) -> (String, String) {
        let account = self.call(TOKEN, Method::GET, "", "", &Value::Null);
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (word(&account["id"]), word(&account["caller"]["actor"]))
    }

    /// Somebody of the account invites.
    pub fn invite(&self, name: &str, role: &str) {
        let body = serde_json::json!({"email": format!("{name}@example.com"), "role": role});
        self.call(OTHERS, Method::POST, "/invitations", "", &body);
    }

    /// The vendor confirms a plan.
    pub fn subscribe(&self, plan: &str) {
        self.call(VENDOR, Method::POST, "/subscriptions", "", &serde_json::json!({"plan": plan}));
    }

    /// Somebody of the account cancels a plan.
    pub fn cancel(&self, plan: &str) {
        let held = self.list("/subscriptions");
        let row = held.iter().rev().find(|row| row["plan"] == plan && row["state"] == "active");
        let row = row.unwrap();
        let path = format!("/subscriptions/{}/cancel", row["id"].as_str().unwrap());
        self.call(OTHERS, Method::POST, &path, row["etag"].as_str().unwrap(), &Value::Null);
    }

    /// A person follows the link of their last invitation and answers it: `accept` or `decline`.
    pub fn respond(&self, name: &str, word: &'static str) {
        let email = format!("{name}@example.com");
        let mails = self.mails();
        let mail =
            mails.iter().rev().find(|mail| mail.to == email && mail.template == "invitation");
        let link = mail.expect("an invitation").link.clone().unwrap();
        let path = link.split_once("localhost").unwrap().1.to_owned();
        let cookies = prepared(Timestamp::UNIX_EPOCH).cookies[name].clone();
        self.on(true, async move |inside| {
            let (page, _) = visit(&inside.router, Request::get(&path), &cookies, "").await;
            let action = format!("{path}/{word}");
            let mark = page.mark(&action).unwrap_or_else(|| panic!("{}", page.text()));
            let form = form(&[("mark", &mark)]);
            let (page, _) = visit(&inside.router, Request::post(&action), &cookies, &form).await;
            assert!(!page.status.is_client_error(), "{}", page.text());
        });
    }

    /// Where the operator of this world writes its log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("operator.log")
    }

    /// What it has written there.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// All mails so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        let spool: PathBuf = self.folder.path().join("spool");
        if spool.is_dir() { mails_in(&spool) } else { Vec::new() }
    }
}

/// Takes `wait` out of a query.
fn without_wait(path: String) -> (u64, String) {
    let Some((before, rest)) = path.split_once("&wait=") else { return (0, path) };
    let end = rest.find('&').unwrap_or(rest.len());
    (rest[..end].parse().unwrap(), format!("{before}{}", &rest[end..]))
}
