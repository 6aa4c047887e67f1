//! The service that is measured, and one client of it.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use seatkeeper::profile::{built_in, built_in_names};
use seatkeeper::server::{
    ConfirmPlans, Database, Dns, Floor, InviteLimits, Limits, MailSettings, Running, Seed,
    Settings, start,
};
use serde_json::{Value, json};

/// Token of the account that is measured.
pub const TOKEN: &str = "acme-token-of-all-scopes";

/// Role of everyone.
pub const ROLE: &str = "member";

/// An account without a limit on seats that may send batches, and a person who can sign in.
pub const SEED: &str = "
users:
  - {email: person@example.com, password: correct horse battery}
accounts:
  - name: Acme
    slug: acme
    profile: digitalocean
    owner: {email: owner@example.com}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite]}
";

/// A service that sends no mails, without limits on requests.
pub struct World {
    /// Where its data is.
    pub database: Database,
    running: Running,
}

impl World {
    /// Starts with [`SEED`].
    pub async fn start(database: Database, folder: &Path) -> Self {
        let profiles = built_in_names()
            .iter()
            .map(|name| ((*name).to_owned(), built_in(name).unwrap()))
            .collect();
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            max_connections: NonZeroU32::MAX,
            trusted_proxies: Vec::new(),
            limits: Limits::NONE,
            database: database.clone(),
            public_url: None,
            secret_key_file: folder.join("secret.key"),
            mail: MailSettings::Spool(folder.join("spool")),
            profiles,
            seed: Some(Seed { file: PathBuf::from("seed.yaml"), text: SEED.to_owned() }),
            request_log: None,
            confirm_plans: ConfirmPlans::Vendor,
            dns: Arc::new(Dns::of_the_system()),
            invite_limits: InviteLimits {
                per_account_hour: NonZeroU32::MAX,
                per_address_day: NonZeroU32::MAX,
            },
            audit_retention: None,
            now: Arc::new(Timestamp::now),
        };
        let running = start(settings).await.unwrap();
        running.send_no_mails();
        Self { database, running }
    }

    /// A client with a connection of its own.
    pub fn caller(&self) -> Caller {
        Caller { base: format!("http://{}", self.running.address()), http: client() }
    }

    /// The same work without HTTP.
    pub async fn floor(&self) -> Floor {
        self.running.floor(TOKEN).await.unwrap()
    }

    /// Stops the service.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// HTTP that keeps its connections and follows no redirects.
pub fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

/// A client of the service.
#[derive(Clone)]
pub struct Caller {
    base: String,
    http: Client,
}

impl Caller {
    /// A client of the service at `base`.
    pub fn new(base: String) -> Self {
        Self { base, http: client() }
    }

    /// The first page of a list, as text.
    pub async fn page(&self, account: &str, token: &str, list: &str, size: usize) -> String {
        let url = format!("{}/v1/accounts/{account}/{list}?page_size={size}", self.base);
        let answer = self.http.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    /// `total` of a list.
    pub async fn total(&self, list: &str) -> u64 {
        let page: Value = serde_json::from_str(&self.page("acme", TOKEN, list, 1).await).unwrap();
        page["total"].as_u64().unwrap()
    }

    /// Invites one person.
    pub async fn invite(&self, email: &str) {
        let body = json!({ "email": email, "role": ROLE });
        let status = self.post("/v1/accounts/acme/invitations", email, &body).await.0;
        assert_eq!(status, StatusCode::CREATED);
    }

    /// Invites many people.
    pub async fn invite_many(&self, emails: &[String]) {
        let body = json!({ "emails": emails, "role": ROLE });
        let path = "/v1/accounts/acme/invitations/batch";
        let (status, answer) = self.post(path, &emails[0], &body).await;
        assert_eq!((status, &answer["created"]), (StatusCode::OK, &json!(emails.len())));
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        let call = self.http.post(format!("{}{path}", self.base)).bearer_auth(TOKEN);
        let answer = call.header("idempotency-key", key).json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Signs in by the form, as a browser without a history does.
    pub async fn sign_in(&self) {
        let url = format!("{}/signin", self.base);
        let form = self.http.get(&url).send().await.unwrap();
        let cookie = form.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let html = form.text().await.unwrap();
        let mark = html.split("name=\"mark\" value=\"").nth(1).unwrap();
        let mark = mark.split('"').next().unwrap();
        let fields = [
            ("mark", mark),
            ("email", "person@example.com"),
            ("password", "correct horse battery"),
        ];
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(fields).finish();
        let call = self.http.post(&url).header("cookie", cookie);
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        let answer = call.body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    }
}
