//! The account service for tests: started on a free port with a clock that stands still, a browser,
//! and a reader of its mails. The latter two also work with a service in another process.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use seatkeeper::profile::{built_in, built_in_names};
use seatkeeper::server::{
    ConfirmPlans, Database, Dns, InviteLimits, Limits, MailSettings, Running, Seed, Settings, start,
};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tempfile::TempDir;

use crate::postgres;

/// Token of the account `acme` with every scope.
pub const TOKEN: &str = "acme-token-of-all-scopes";
/// Token of the account `acme` that only reads.
pub const READ_TOKEN: &str = "acme-token-for-reading";
/// Token of the account `other`.
pub const OTHER_TOKEN: &str = "other-token-of-all-scopes";
/// Token of the vendor.
pub const VENDOR_TOKEN: &str = "vendor-token-for-tests";
/// Password of everyone whom the seed gives one.
pub const PASSWORD: &str = "correct horse battery";

/// Two accounts of the profile `nitropack`: `acme` on the plan Growth (3 seats) and `other` without
/// a plan, and a person `ben@example.com` who has a user and is in neither.
pub const SEED: &str = r#"
vendorTokens:
  - token: vendor-token-for-tests
users:
  - {email: ben@example.com, name: Ben, password: correct horse battery}
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com, name: Olga, password: correct horse battery}
    subscriptions: [growth]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-for-reading, scopes: [read]}
      - {token: acme-token-that-only-grows, scopes: [read, invite]}
      - {token: acme-token-without-removals, scopes: [read, invite, change]}
  - name: Other
    slug: other
    profile: nitropack
    owner: {email: owner@other.example, name: Otto, password: correct horse battery}
    tokens:
      - {token: other-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

/// How long a call has to get to where it waits for its account.
const BEHIND: Duration = Duration::from_millis(300);

/// A clock that moves only when told.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    /// Noon of a day in 2026.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-02-10T12:00:00Z".parse().unwrap())))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    /// Moves it on.
    pub fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

/// HTTP for tests: ring as the provider, no redirects followed.
pub fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test helper may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

/// Which database a service keeps its data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A fresh database on the server that tests share.
    Postgres,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// The one that `SEATKEEPER_TEST_DATABASE` names; SQLite without it.
    #[expect(clippy::disallowed_methods, reason = "says what the whole run is on")]
    pub fn of_this_run() -> Self {
        match std::env::var("SEATKEEPER_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::Postgres,
            Ok("sqlite") | Err(_) => Self::Sqlite,
            Ok(other) => panic!("SEATKEEPER_TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }

    /// A new database.
    pub async fn database(self, folder: &Path) -> Database {
        match self {
            Self::Sqlite => Database::Sqlite(folder.join("seatkeeper.db")),
            Self::Postgres => Database::Postgres(postgres::database().await.url.into()),
        }
    }
}

/// A running service.
pub struct TestService {
    /// `http://127.0.0.1:…`
    pub base: String,
    /// The clock of the service.
    pub clock: TestClock,
    /// Database, key, spool and request log are in here.
    pub folder: Arc<TempDir>,
    /// HTTP.
    pub http: Client,
    running: Running,
    settings: Settings,
}

impl TestService {
    /// Starts with [`SEED`].
    pub async fn start() -> Self {
        Self::start_with(SEED).await
    }

    /// Starts with a seed.
    pub async fn start_with(seed: &str) -> Self {
        Self::start_as(seed, |_| ()).await
    }

    /// Starts with a seed and other settings.
    pub async fn start_as(seed: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = TestClock::new();
        let mut settings = settings(folder.path(), seed, &clock);
        settings.database = Kind::of_this_run().database(folder.path()).await;
        change(&mut settings);
        Self::open(settings, clock, folder).await
    }

    /// Starts on what another service has left in this folder.
    pub async fn start_on(settings: Settings, folder: Arc<TempDir>) -> Self {
        Self::open(settings, TestClock::new(), folder).await
    }

    async fn open(settings: Settings, clock: TestClock, folder: Arc<TempDir>) -> Self {
        let running = start(settings.clone()).await.expect("the service starts");
        let base = format!("http://{}", running.address());
        Self { base, clock, folder, http: client(), running, settings }
    }

    /// Stops it and starts it again on the same data; it listens elsewhere then.
    pub async fn restart(self) -> Self {
        let Self { clock, folder, running, settings, .. } = self;
        running.stop().await;
        Self::open(settings, clock, folder).await
    }

    /// Stops it; gives the folder with its data.
    pub async fn stop(self) -> Arc<TempDir> {
        self.running.stop().await;
        self.folder
    }

    /// What it was started with.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// The service itself.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// A connection to the database of the service, past the service.
    pub async fn database(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match &self.settings.database {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(url) => url.expose_secret().to_owned(),
        };
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        if let Database::Sqlite(_) = &self.settings.database {
            sqlx::query("pragma busy_timeout = 10000").execute(&mut connection).await.unwrap();
        }
        connection
    }

    /// Holds the row of an account, as a change of it does, until the connection says `commit`.
    pub async fn hold(&self, slug: &str) -> AnyConnection {
        let mut conn = self.database().await;
        let (begin, lock) = match &self.settings.database {
            Database::Sqlite(_) => ("begin immediate", ""),
            Database::Postgres(_) => ("begin", " for update"),
        };
        sqlx::query(begin).execute(&mut conn).await.unwrap();
        let text = format!("select id from accounts where slug = $1{lock}");
        sqlx::query(AssertSqlSafe(text)).bind(slug).execute(&mut conn).await.unwrap();
        conn
    }

    /// Lets `call` begin and wait for the account while this statement, which is part of an earlier
    /// change of it, is under way.
    pub async fn behind<T>(
        &self,
        slug: &str,
        change: &'static str,
        call: impl Future<Output = T>,
    ) -> T {
        let mut conn = self.hold(slug).await;
        let changed = async {
            tokio::time::sleep(BEHIND).await;
            sqlx::query(change).execute(&mut conn).await.unwrap();
            sqlx::query("commit").execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        };
        tokio::join!(call, changed).0
    }

    /// Runs a statement on the database, past the service.
    pub async fn sql(&self, statement: &'static str) {
        let mut conn = self.database().await;
        sqlx::query(statement).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    /// Everything that the database holds, as text.
    pub async fn stored(&self) -> String {
        let mut conn = self.database().await;
        match &self.settings.database {
            Database::Sqlite(path) => {
                let fold = "pragma wal_checkpoint(truncate)";
                sqlx::query(fold).execute(&mut conn).await.unwrap();
                String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
            }
            Database::Postgres(_) => {
                let names =
                    "select cast(tablename as text) from pg_tables where schemaname = 'public'";
                let tables: Vec<String> =
                    sqlx::query_scalar(names).fetch_all(&mut conn).await.unwrap();
                let mut all = String::new();
                for table in tables {
                    let text = format!("select cast(t as text) from {table} t");
                    let rows = sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut conn).await;
                    let rows: Vec<String> = rows.unwrap();
                    all.extend(rows);
                }
                all
            }
        }
    }

    /// Moves the clock and does what is due then. An account that the background holds at the moment
    /// is left to it, and waited for.
    pub async fn pass(&self, time: SignedDuration) {
        self.clock.advance(time);
        for _ in 0..50 {
            if self.running.run_due().await.unwrap() == 0 {
                return;
            }
        }
    }

    /// A call of the account API.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call { request: self.http.request(method, format!("{}{path}", self.base)) }
    }

    /// GET with the token of `acme`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).token(TOKEN).send().await
    }

    /// The whole list behind `path`, as seen by the token of `acme`.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await.expect(StatusCode::OK);
        assert_eq!(answer["next_cursor"], Value::Null, "more than one page");
        answer["items"].as_array().unwrap().clone()
    }

    /// Invites to `acme` under a key of the person's own.
    pub async fn invite(&self, email: &str, role: &str) -> Answer {
        self.call(Method::POST, "/v1/accounts/acme/invitations")
            .token(TOKEN)
            .key(&format!("invite-{}-{role}", email.escape_unicode()))
            .json(&serde_json::json!({ "email": email, "role": role }))
            .send()
            .await
    }

    /// Invites, and the person signs up through the mailed link; gives the member.
    pub async fn join(&self, email: &str, role: &str) -> Value {
        self.invite(email, role).await.expect(StatusCode::CREATED);
        self.browser().accept_by_sign_up(&self.link_to(email).await).await;
        self.member(email).await
    }

    /// The member of `acme` with this address.
    pub async fn member(&self, email: &str) -> Value {
        let members = self.list("/v1/accounts/acme/members").await;
        members.into_iter().find(|row| row["email"] == email).expect("a member")
    }

    /// Picks a plan for `acme`, as the vendor; gives the subscription.
    pub async fn subscribe(&self, plan: &str) -> Value {
        self.call(Method::POST, "/v1/accounts/acme/subscriptions")
            .token(VENDOR_TOKEN)
            .new_key()
            .json(&serde_json::json!({ "plan": plan }))
            .send()
            .await
            .expect(StatusCode::CREATED)
    }

    /// Cancels the newest subscription of `acme` to this plan.
    pub async fn cancel(&self, plan: &str) -> Value {
        let held = self.list("/v1/accounts/acme/subscriptions").await;
        let row = held.iter().rev().find(|row| row["plan"] == plan && row["state"] == "active");
        let row = row.expect("a subscription to the plan");
        let path = format!("/v1/accounts/acme/subscriptions/{}/cancel", text(&row["id"]));
        self.call(Method::POST, &path)
            .token(TOKEN)
            .new_key()
            .if_match(&text(&row["etag"]))
            .send()
            .await
            .expect(StatusCode::OK)
    }

    /// Seats of `acme`.
    pub async fn seats(&self) -> Value {
        self.get("/v1/accounts/acme/seats").await.expect(StatusCode::OK)
    }

    /// Members of `acme` but the owner, as `ana:developer:active`, in the order of their ids.
    pub async fn people(&self) -> String {
        let members = self.list("/v1/accounts/acme/members").await;
        let members = members.iter().filter(|row| row["role"] != "owner");
        let people = members.map(|row| {
            let name = text(&row["email"]);
            let (name, _) = name.split_once('@').unwrap();
            format!("{name}:{}:{}", text(&row["role"]), text(&row["state"]))
        });
        people.collect::<Vec<_>>().join(" ")
    }

    /// Mails so far, oldest first; everything that was queued is out.
    pub async fn mails(&self) -> Vec<Mail> {
        self.running.deliver_due().await.unwrap();
        mails_in(&self.folder.path().join("spool"))
    }

    /// The link of the last mail to this address.
    pub async fn link_to(&self, email: &str) -> String {
        let mails = self.mails().await;
        let mail = mails.iter().rev().find(|mail| mail.to == email).expect("a mail");
        mail.link.clone().expect("a link")
    }

    /// A browser without a history.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.base)
    }

    /// Lines of the request log.
    pub fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("requests.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The folder that a service with these settings writes its mails to.
pub fn spool_of(settings: &Settings) -> &Path {
    match &settings.mail {
        MailSettings::Spool(folder) => folder,
        MailSettings::Smtp(_) => panic!("the mails go to a server"),
    }
}

/// Settings of a service in this folder.
pub fn settings(folder: &Path, seed: &str, clock: &TestClock) -> Settings {
    let clock = clock.clone();
    let profiles =
        built_in_names().iter().map(|name| ((*name).to_owned(), built_in(name).unwrap())).collect();
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        max_connections: NonZeroU32::MAX,
        trusted_proxies: Vec::new(),
        limits: Limits::NONE,
        database: Database::Sqlite(folder.join("seatkeeper.db")),
        public_url: None,
        secret_key_file: folder.join("secret.key"),
        mail: MailSettings::Spool(folder.join("spool")),
        profiles,
        seed: Some(Seed { file: PathBuf::from("seed.yaml"), text: seed.to_owned() }),
        request_log: Some(folder.join("requests.jsonl")),
        confirm_plans: ConfirmPlans::Vendor,
        dns: Arc::new(Dns::of_the_system()),
        invite_limits: InviteLimits {
            per_account_hour: NonZeroU32::new(2000).unwrap(),
            per_address_day: NonZeroU32::new(10).unwrap(),
        },
        audit_retention: Some(SignedDuration::from_hours(24 * 400)),
        now: Arc::new(move || clock.now()),
    }
}

/// The text of a JSON string.
pub fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// A call that is put together.
pub struct Call {
    request: RequestBuilder,
}

impl Call {
    /// A call of this request.
    pub fn new(request: RequestBuilder) -> Self {
        Self { request }
    }

    /// With a bearer token.
    pub fn token(self, token: &str) -> Self {
        Self { request: self.request.bearer_auth(token) }
    }

    /// With an idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With an idempotency key that nobody has used.
    pub fn new_key(self) -> Self {
        self.key(&uuid::Uuid::new_v4().to_string())
    }

    /// With `If-Match`.
    pub fn if_match(self, etag: &str) -> Self {
        self.header("if-match", etag)
    }

    /// With a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value) }
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        Self { request: self.request.json(body) }
    }

    /// With any body.
    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self { request: self.request.body(body) }
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        let response = self.request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, body }
    }
}

/// An answer of the account API.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// JSON; null if there was none.
    pub body: Value,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Asserts status and code of a refusal; gives its body.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        let said = (self.status.as_u16(), self.body["code"].as_str());
        assert_eq!(said, (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body
    }

    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A person's browser: cookies, pages and the forms on them.
pub struct Browser {
    base: String,
    http: Client,
    cookies: BTreeMap<String, String>,
}

/// What the browser shows.
#[derive(Debug)]
pub struct Page {
    /// Status.
    pub status: StatusCode,
    /// HTML.
    pub html: String,
    /// Where it was redirected from, or the path asked for.
    pub path: String,
}

impl Browser {
    /// A browser for the service at `base`.
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), http: client(), cookies: BTreeMap::new() }
    }

    /// The values of its cookies.
    pub fn cookie_values(&self) -> impl Iterator<Item = String> {
        self.cookies.values().cloned()
    }

    /// Opens a path or a link, following redirects inside the service.
    pub async fn open(&mut self, path: &str) -> Page {
        let mut path = path.strip_prefix(&self.base).unwrap_or(path).to_owned();
        for _ in 0..5 {
            let request = self.http.get(format!("{}{path}", self.base));
            let (page, next) = self.load(request, path).await;
            match next {
                Some(next) => path = next,
                None => return page,
            }
        }
        unreachable!("the service redirects in a circle")
    }

    /// Fills in the form with this action on a page and sends it; follows a redirect.
    pub async fn submit(&mut self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let mark = page.mark(action).expect("a form with this action");
        let mut form = vec![("mark", mark.as_str())];
        form.extend_from_slice(fields);
        self.post(action, &form).await
    }

    /// Sends a form as it is.
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let body: String =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let (page, next) = self.load(request, path.to_owned()).await;
        match next {
            Some(next) => self.open(&next).await,
            None => page,
        }
    }

    async fn load(&mut self, request: RequestBuilder, path: String) -> (Page, Option<String>) {
        let response = request.header(COOKIE, self.cookies()).send().await.expect("a page");
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (pair, _) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let next = response.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        // The templates write every slash of a value as an entity.
        let html = response.text().await.unwrap().replace("&#x2f;", "/");
        (Page { status, html, path }, next)
    }

    /// The `Cookie` header that it sends.
    pub fn cookies(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Signs in.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        let page = self.open("/signin").await;
        self.submit(&page, "/signin", &[("email", email), ("password", password)]).await
    }

    /// Follows an invitation's link and accepts with these fields; gives what is shown then.
    pub async fn accept(&mut self, link: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.open(link).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        let action = format!("{}/accept", page.path);
        self.submit(&page, &action, fields).await
    }

    /// Follows the link of someone without a user: signs up and accepts.
    pub async fn accept_by_sign_up(&mut self, link: &str) -> Page {
        let page = self.accept(link, &[("name", "New Person"), ("password", PASSWORD)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        page
    }

    /// Follows the link of someone with a user: signs in and accepts.
    pub async fn accept_by_sign_in(&mut self, link: &str) -> Page {
        let page = self.accept(link, &[("password", PASSWORD)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        page
    }

    /// Follows the link while signed in as its person: accepts.
    pub async fn accept_signed_in(&mut self, link: &str) -> Page {
        let page = self.accept(link, &[]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        page
    }
}

impl Page {
    /// The mark of the form with this action; `None` if there is no such form.
    pub fn mark(&self, action: &str) -> Option<String> {
        let start = self.html.find(&format!("action=\"{action}\""))?;
        let form = &self.html[start..];
        let form = &form[..form.find("</form>")?];
        let value = form.split("name=\"mark\" value=\"").nth(1)?;
        Some(value[..value.find('"')?].to_owned())
    }

    /// The visible text, tags and styles left out, white space folded.
    pub fn text(&self) -> String {
        let body = self.html.split("<body>").nth(1).unwrap_or(&self.html);
        let mut text = String::new();
        for part in body.split('<') {
            let part = part.split_once('>').map_or("", |(_, text)| text);
            text.push_str(part);
            text.push(' ');
        }
        let text = text.replace("&#x27;", "'").replace("&amp;", "&");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The row of the member list with this address, as text; empty if there is none.
    pub fn row(&self, email: &str) -> String {
        let rows = self.html.split("<tr data-kind").skip(1);
        let row =
            rows.map(|row| row.split("</tr>").next().unwrap()).find(|row| row.contains(email));
        let Some(row) = row else { return String::new() };
        Self { status: self.status, html: format!("<body><tr {row}"), path: String::new() }.text()
    }
}

/// One mail of the spool.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Name of the file.
    pub file: String,
    /// Name of the template, from the file's name.
    pub template: String,
    /// Address.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The first line of the text that is a link.
    pub link: Option<String>,
    /// The file as it is.
    pub raw: String,
}

/// Mails in a spool folder, oldest first.
pub fn mails_in(spool: &Path) -> Vec<Mail> {
    let mut files: Vec<_> =
        fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files.iter().map(|path| read_mail(path)).collect()
}

fn read_mail(path: &Path) -> Mail {
    let raw = fs::read_to_string(path).unwrap();
    let (headers, body) = raw.split_once("\r\n\r\n").expect("headers and body");
    let header = |name: &str| {
        let line = headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    };
    let part = body.split("Content-Type: text/plain").nth(1).expect("a text part");
    let (part_headers, content) = part.split_once("\r\n\r\n").unwrap();
    let content = content.split("\r\n--").next().unwrap();
    let text = if part_headers.contains("quoted-printable") {
        quoted_printable(content)
    } else {
        assert!(!part_headers.contains("base64"), "a text part in base64");
        content.to_owned()
    };
    let file = path.file_name().unwrap().to_str().unwrap().to_owned();
    let template = file.trim_end_matches(".eml")[27..].to_owned();
    let link = text.lines().find(|line| line.starts_with("http")).map(str::to_owned);
    Mail { file, template, to: header("To"), subject: header("Subject"), text, link, raw }
}

fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'=' {
            let digits = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}
