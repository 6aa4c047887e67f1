//! The operator as people run it: the real binary, the real API server, and the real account
//! service in a process of its own. Each test has its own namespace, class, service and operator.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::cli_run::{self, Said};
use crate::cluster;
use crate::service::{Browser, Mail, PASSWORD, VENDOR_TOKEN, client, mails_in};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// User of the operator: the ServiceAccount of the chart.
pub const OPERATOR: &str = "system:serviceaccount:seatkeeper-system:seatkeeper";

/// Everything of one test.
pub struct World {
    /// The cluster.
    plane: Plane,
    /// The namespace of the test; also the name of its class.
    pub namespace: String,
    /// The token of the account: a canary that must not appear anywhere.
    pub token: String,
    /// Files of this test.
    pub folder: TempDir,
    /// `http://127.0.0.1:…`
    pub base: String,
    /// The operator looks at every namespace: only on a control plane of the test's own.
    pub everywhere: bool,
    service: Option<Child>,
    operator: Option<Child>,
    /// A second operator; it ends with the value.
    beside: Option<Child>,
    /// Where the operator answers.
    pub probes: String,
}

/// The control plane of a test.
pub struct Plane {
    /// Its administrator.
    pub admin: PathBuf,
    /// The operator's user.
    pub operator: PathBuf,
    /// Runs it, if it is the test's own; it ends with its input.
    _runner: Option<Child>,
}

impl Plane {
    /// The one that all tests share, our kinds installed.
    async fn shared() -> Self {
        cluster::client().await;
        let admin = cluster::kubeconfig();
        let operator = std::env::var_os("SEATKEEPER_TEST_OPERATOR_KUBECONFIG");
        Self { operator: operator.map_or_else(|| admin.clone(), Into::into), admin, _runner: None }
    }

    /// One of the test's own, nothing installed, that writes where it is into `folder`.
    pub async fn own(folder: &Path) -> Self {
        cluster::kubeconfig(); // Says what to do where there is none to build one from.
        let place = folder.join("plane");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane/run.sh");
        let mut command = Command::new(script);
        command.args(["with", "sh", "-c"]).arg(
            "printf '%s\\n%s\\n' \"$SEATKEEPER_TEST_KUBECONFIG\" \
             \"$SEATKEEPER_TEST_OPERATOR_KUBECONFIG\" >\"$0.new\" && mv \"$0.new\" \"$0\" && cat",
        );
        command.arg(&place).stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        let runner = command.spawn().unwrap();
        let end = Instant::now() + 2 * PATIENCE;
        let text = loop {
            if let Ok(text) = fs::read_to_string(&place) {
                break text;
            }
            assert!(Instant::now() < end, "the control plane did not start");
            tokio::time::sleep(PAUSE).await;
        };
        let mut lines = text.lines().map(PathBuf::from);
        let (admin, operator) = (lines.next().unwrap(), lines.next().unwrap());
        Self { admin, operator, _runner: Some(runner) }
    }
}

/// What a team of these people looks like; `rest` goes under the Account's spec.
pub fn manifests(namespace: &str, base: &str, rest: &str, roster: &str) -> String {
    format!(
        "apiVersion: seatkeeper.dev/v1alpha1
kind: AccountClass
metadata: {{name: {namespace}}}
spec: {{profile: nitropack, backend: {{accountApi: {{url: '{base}'}}}}}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Account
metadata: {{name: acme, namespace: {namespace}}}
spec: {{className: {namespace}, accountId: acme, credentialsSecretRef: {{name: acme-token, key: token}},
  mode: Manage, grantableRoles: [admin], resync: 5s, removals: {{settle: 2s}}{rest}}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {{name: core, namespace: {namespace}}}
spec: {{accountRef: {{name: acme}}, defaultRole: developer, roster: [{roster}]}}
"
    )
}

/// A Membership of the team `core`; `rest` goes under its spec.
pub fn membership(namespace: &str, person: &str, role: &str, rest: &str) -> String {
    format!(
        "---
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {{name: {person}, namespace: {namespace}}}
spec: {{teamRef: {{name: core}}, email: {person}@example.com, role: {role}{rest}}}
"
    )
}

impl World {
    /// A namespace with the Secret, and the account service with `plans`. The operator is not
    /// started yet.
    pub async fn new(plans: &str) -> Self {
        Self::on(Plane::shared().await, tempfile::tempdir().unwrap(), plans).await
    }

    /// [`World::new`] on a certain control plane.
    pub async fn on(plane: Plane, folder: TempDir, plans: &str) -> Self {
        Self::with(plane, folder, &format!("profile: nitropack\n    subscriptions: [{plans}]"), "")
            .await
    }

    /// [`World::new`] with another account: `account` goes under it in the seed.
    pub async fn of(account: &str) -> Self {
        Self::beside(account, "").await
    }

    /// [`World::of`] with more accounts behind it in the seed.
    pub async fn beside(account: &str, others: &str) -> Self {
        Self::with(Plane::shared().await, tempfile::tempdir().unwrap(), account, others).await
    }

    async fn with(plane: Plane, folder: TempDir, account: &str, others: &str) -> Self {
        let namespace = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let token = format!("canary-{namespace}-{}", uuid::Uuid::new_v4().simple());
        let seed = format!(
            "vendorTokens: [{{token: {VENDOR_TOKEN}}}]
users:
  - {{email: bo@example.com, name: Bo, password: {PASSWORD}}}
  - {{email: cyd@example.com, name: Cyd, password: {PASSWORD}}}
accounts:
  - name: Acme
    slug: acme
    {account}
    owner: {{email: owner@example.com, name: Olga, password: {PASSWORD}}}
    tokens:
      - {{token: {token}, scopes: [read, invite, change, remove, billing, manage]}}
{others}"
        );
        fs::write(folder.path().join("seed.yaml"), seed).unwrap();
        let mut world = Self {
            plane,
            namespace,
            token,
            folder,
            base: String::new(),
            everywhere: false,
            service: None,
            operator: None,
            beside: None,
            probes: String::new(),
        };
        world.start_service("127.0.0.1:0").await;
        world.k(&["create", "namespace", &world.namespace]).await;
        let token = world.token.clone();
        world.secret(&token).await;
        world
    }

    /// [`World::new`], with the operator running.
    pub async fn start(plans: &str) -> Self {
        let mut world = Self::new(plans).await;
        world.start_operator("info").await;
        world
    }

    /// A file of this test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a token into the Secret.
    pub async fn secret(&self, token: &str) {
        let manifest = format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: acme-token, namespace: {}}}, \
             stringData: {{token: {token}}}}}",
            self.namespace
        );
        self.apply(&manifest).await;
    }

    /// Starts the service on an address; with port 0 on a free one.
    pub async fn start_service(&mut self, listen: &str) {
        self.start_service_with(listen, &[]).await;
    }

    /// As [`World::start_service`], with more arguments.
    pub async fn start_service_with(&mut self, listen: &str, more: &[&str]) {
        let (child, base) = self.service_process(listen, more).await;
        (self.service, self.base) = (Some(child), base);
    }

    /// A running service, and where it answers.
    pub async fn service_process(&self, listen: &str, more: &[&str]) -> (Child, String) {
        let address = self.file("address");
        let _ = fs::remove_file(&address);
        let mut command = program(&self.file("server.log"), "warn");
        command.args(["server", "--listen", listen, "--data-dir"]).arg(self.file("data"));
        command.arg("--seed").arg(self.file("seed.yaml"));
        command.arg("--request-log").arg(self.file("requests.jsonl"));
        command.arg("--address-file").arg(&address).args(more);
        let child = command.spawn().unwrap();
        (child, self.written(&address).await)
    }

    /// Takes the running operator and service, to kill them.
    pub fn processes(&mut self) -> (Child, Child) {
        let operator = self.operator.take().expect("an operator");
        (operator, self.service.take().expect("a service"))
    }

    /// The kubeconfig of the operator.
    pub fn operator_kubeconfig(&self) -> &Path {
        &self.plane.operator
    }

    /// The operator started from now on takes this kubeconfig.
    pub fn operator_takes(&mut self, kubeconfig: PathBuf) {
        self.plane.operator = kubeconfig;
    }

    /// Ends the service; gives the address that it listened on.
    pub async fn stop_service(&mut self) -> String {
        let child = self.service.take().expect("a service");
        assert!(terminate(child).await, "the service did not end well");
        self.base.trim_start_matches("http://").to_owned()
    }

    /// Starts the operator, for the namespace of this test only, and waits until it is ready.
    pub async fn start_operator(&mut self, log: &str) {
        self.start_operator_with(log, &[]).await;
        self.until("the operator is ready", async || self.probe("/readyz").await.0 == 200).await;
    }

    /// Starts the operator with these arguments before the subcommand.
    pub async fn start_operator_with(&mut self, log: &str, arguments: &[&str]) {
        let (child, probes) = self.operator_process(log, arguments).await;
        (self.operator, self.probes) = (Some(child), probes);
    }

    /// Starts a second operator that knows nothing of the first, and waits until it is ready.
    pub async fn start_operator_beside(&mut self) {
        let (child, probes) = self.operator_process("info", &[]).await;
        let first = std::mem::replace(&mut self.probes, probes);
        self.until("it is ready", async || self.probe("/readyz").await.0 == 200).await;
        (self.beside, self.probes) = (Some(child), first);
    }

    /// A running operator, and where it answers.
    pub async fn operator_process(&self, log: &str, arguments: &[&str]) -> (Child, String) {
        // A Lease of its own, so that it waits for none that was killed and none beside it.
        let lease = format!("{}-{}", self.namespace, uuid::Uuid::new_v4().simple());
        let kubeconfig = &self.plane.operator;
        self.operator_with(kubeconfig, log, arguments, &["--lease-name", &lease]).await
    }

    /// A running operator with these arguments before and after the subcommand, and where it answers.
    pub async fn operator_with(
        &self,
        kubeconfig: &Path,
        log: &str,
        before: &[&str],
        after: &[&str],
    ) -> (Child, String) {
        let address = self.file("probes");
        let _ = fs::remove_file(&address);
        let mut command = program(&self.file("operator.log"), log);
        command.env("KUBECONFIG", kubeconfig).args(before).arg("operator");
        command.args(["--listen", "127.0.0.1:0"]).args(after);
        if !self.everywhere {
            command.args(["--namespace", &self.namespace]);
        }
        command.arg("--address-file").arg(&address);
        let child = command.spawn().unwrap();
        (child, self.written(&address).await)
    }

    /// Waits until the operator is dead; `point`: where it was to be killed.
    pub async fn operator_dies(&mut self, point: &str) {
        let mut child = self.operator.take().expect("an operator");
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{point} was not passed")).unwrap();
        assert!(!ended.success());
    }

    /// Ends the operator as Kubernetes does; true if it ended well.
    pub async fn stop_operator(&mut self) -> bool {
        terminate(self.operator.take().expect("an operator")).await
    }

    /// The first line of a file, once it is there.
    async fn written(&self, path: &Path) -> String {
        let line = || fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'));
        self.until("an address is written", async || line().is_some()).await;
        line().unwrap().trim().to_owned()
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !so().await {
            assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}\n{}", self.tail().await);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The last that operator and cluster said.
    async fn tail(&self) -> String {
        let mut said = self.kubectl(&["get", "accounts,teams,memberships", "-o", "yaml"]).await.1;
        for name in ["operator.log", "server.log"] {
            let log = fs::read_to_string(self.file(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            let _ = write!(said, "\n{name}, latest first:\n{}", lines.join("\n"));
        }
        said
    }

    /// kubectl as the administrator.
    fn kubectl_command(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.plane.admin).args(["--namespace", &self.namespace]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs kubectl in the namespace of the test; success and what it said.
    pub async fn kubectl(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = self.kubectl_command();
        let output = command.args(arguments).output().await.expect("kubectl");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// Runs kubectl, which must succeed; gives what it said.
    pub async fn k(&self, arguments: &[&str]) -> String {
        let (success, said) = self.kubectl(arguments).await;
        assert!(success, "kubectl {arguments:?}: {said}");
        said
    }

    /// Runs a command of our program as the administrator; it ends with this code.
    pub async fn exits(&self, code: i32, arguments: &[&str]) -> Said {
        let mut command = cli_run::program();
        command.env("KUBECONFIG", &self.plane.admin).current_dir(self.folder.path());
        let said = cli_run::said(command.args(arguments).output().await.unwrap());
        assert_eq!(said.code, Some(code), "{arguments:?}\n{}\n{}", said.out, said.err);
        said
    }

    /// `kubectl apply --server-side`.
    pub async fn apply(&self, manifests: &str) {
        self.apply_in(&self.namespace, manifests).await;
    }

    /// `kubectl apply --server-side` in another namespace.
    pub async fn apply_in(&self, namespace: &str, manifests: &str) {
        let mut command = self.kubectl_command();
        command.args(["apply", "--server-side", "--force-conflicts", "-n", namespace, "-f", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl");
        child.stdin.take().unwrap().write_all(manifests.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Applies class, account and team; `rest` goes under the Account's spec.
    pub async fn declare(&self, rest: &str, roster: &str) {
        self.apply(&manifests(&self.namespace, &self.base, rest, roster)).await;
    }

    /// Applies a Membership.
    pub async fn declare_member(&self, person: &str, role: &str) {
        self.apply(&membership(&self.namespace, person, role, "")).await;
    }

    /// An object as `kind/name`; null if it is not there.
    pub async fn get(&self, object: &str) -> Value {
        let said = self.k(&["get", object, "--ignore-not-found", "-o", "json"]).await;
        let object = serde_json::from_str(&said).unwrap_or(Value::Null);
        says_known_words(&object);
        object
    }

    /// What kstatus makes of all objects of these kinds: `account/acme Current`, one a line, sorted.
    pub async fn kstatus(&self, kinds: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kstatus/build.sh");
        let built = Command::new(script).output().await.unwrap();
        let program = String::from_utf8(built.stdout).unwrap();
        let list: Value =
            serde_json::from_str(&self.k(&["get", kinds, "-o", "json"]).await).unwrap();
        let objects: Vec<_> =
            list["items"].as_array().unwrap().iter().map(Value::to_string).collect();
        let mut command = Command::new(program.trim());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program that asks kstatus");
        child.stdin.take().unwrap().write_all(objects.join("\n").as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        let said = said.replace(&format!(" {}/", self.namespace), "/");
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// Every object that people declare is in order, as kstatus sees it.
    pub async fn is_current(&self) {
        let said = self.kstatus("accounts,teams,memberships,cla,nsub").await;
        let other: Vec<_> = said.lines().filter(|line| !line.ends_with(" Current")).collect();
        assert!(!said.is_empty() && other.is_empty(), "{other:?}");
    }

    /// Events about our kinds so far: `Warning RemovalHeld Account/acme`, sorted; one that came again
    /// counts again.
    pub async fn events(&self) -> Vec<String> {
        let list: Value =
            serde_json::from_str(&self.k(&["get", "events", "-o", "json"]).await).unwrap();
        let events = list["items"].as_array().unwrap().iter().flat_map(|event| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let about = &event["involvedObject"];
            let (kind, name) = (word(&about["kind"]), word(&about["name"]));
            let (type_, reason) = (word(&event["type"]), word(&event["reason"]));
            let times = event["series"]["count"].as_u64().unwrap_or(1);
            (0..times).map(move |_| format!("{type_} {reason} {kind}/{name}"))
        });
        let mut events: Vec<_> = events.collect();
        events.sort();
        events
    }

    /// The operator's audit record.
    pub fn audit(&self) -> Vec<String> {
        let log = fs::read_to_string(self.file("operator.log")).unwrap();
        log.lines().filter(|line| line.contains("seatkeeper::audit")).map(str::to_owned).collect()
    }

    /// `status.state` of an object.
    pub async fn state(&self, object: &str) -> String {
        self.get(object).await["status"]["state"].as_str().unwrap_or_default().to_owned()
    }

    /// A condition of an object, as `False/RemovalHeld`.
    pub async fn condition(&self, object: &str, type_: &str) -> String {
        let object = self.get(object).await;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == type_);
        found.map_or_else(String::new, |condition| {
            let word = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", word("status"), word("reason"))
        })
    }

    /// Waits for a state.
    pub async fn becomes(&self, object: &str, state: &str) {
        let what = format!("{object} becomes {state}");
        self.until(&what, async || self.state(object).await == state).await;
    }

    /// Waits for a condition.
    pub async fn says(&self, object: &str, type_: &str, say: &str) {
        let what = format!("{object} says {type_}={say}");
        self.until(&what, async || self.condition(object, type_).await == say).await;
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, object: &str) {
        let what = format!("{object} is gone");
        self.until(&what, async || self.get(object).await == Value::Null).await;
    }

    /// Calls the account API of the account `acme`.
    pub async fn call(&self, token: &str, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/accounts/acme{path}", self.base);
        let mut request = client().request(method.clone(), url).bearer_auth(token);
        if method != Method::GET {
            let key = uuid::Uuid::new_v4().to_string();
            request = request.header("idempotency-key", key).json(body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Reads from the account API.
    pub async fn read(&self, path: &str) -> Value {
        self.call(&self.token, Method::GET, path, &Value::Null).await
    }

    /// Members but the owner, as `ana:developer:active`, by name.
    pub async fn people(&self) -> String {
        let mut people: Vec<String> = self.people_by_age().await;
        people.sort();
        people.join(" ")
    }

    /// Members but the owner, earliest added first.
    pub async fn people_by_age(&self) -> Vec<String> {
        let members = self.read("/members").await;
        let mut rows: Vec<Value> = members["items"].as_array().unwrap().clone();
        rows.retain(|row| row["role"] != "owner");
        let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.sort_by_key(|row| (word(row, "added_at"), word(row, "id")));
        let people = rows.iter().map(|row| {
            let email = word(row, "email");
            let name = email.split('@').next().unwrap();
            format!("{name}:{}:{}", word(row, "role"), word(row, "state"))
        });
        people.collect()
    }

    /// The row of one member.
    pub async fn member(&self, person: &str) -> Value {
        let members = self.read("/members").await;
        let email = format!("{person}@example.com");
        let row = members["items"].as_array().unwrap().iter().find(|row| row["email"] == email);
        row.cloned().unwrap_or(Value::Null)
    }

    /// Picks a plan, as the vendor.
    pub async fn subscribe(&self, plan: &str) {
        self.call(VENDOR_TOKEN, Method::POST, "/subscriptions", &json!({"plan": plan})).await;
    }

    /// Cancels the newest subscription to a plan.
    pub async fn cancel(&self, plan: &str) {
        let held = self.read("/subscriptions").await;
        let held = held["items"].as_array().unwrap();
        let row = held.iter().rev().find(|r| r["plan"] == plan && r["state"] == "active").unwrap();
        let (id, etag) = (row["id"].as_str().unwrap(), row["etag"].as_str().unwrap());
        let url = format!("{}/v1/accounts/acme/subscriptions/{id}/cancel", self.base);
        let request = client().post(url).bearer_auth(&self.token).header("if-match", etag);
        let request = request.header("idempotency-key", uuid::Uuid::new_v4().to_string());
        assert!(request.json(&json!({})).send().await.unwrap().status().is_success());
    }

    /// Mails of a template so far.
    pub fn mails(&self, template: &str) -> Vec<Mail> {
        let mut mails = mails_in(&self.file("data").join("spool"));
        mails.retain(|mail| mail.template == template);
        mails
    }

    /// The link of the last invitation to a person, once it is there.
    pub async fn link_to(&self, person: &str) -> String {
        let email = format!("{person}@example.com");
        let link = || {
            let mails = self.mails("invitation");
            mails.iter().rev().find(|mail| mail.to == email).and_then(|mail| mail.link.clone())
        };
        self.until(&format!("a mail to {person}"), async || link().is_some()).await;
        link().unwrap()
    }

    /// A person without a user signs up through the link.
    pub async fn join(&self, person: &str) {
        let link = self.link_to(person).await;
        Browser::new(&self.base).accept_by_sign_up(&link).await;
    }

    /// Writes that the service was asked for so far.
    pub fn writes(&self) -> usize {
        let requests = self.requests();
        requests.iter().filter(|r| r["method"] != "GET" && is_api(r)).count()
    }

    /// Lines of the service's request log.
    pub fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file("requests.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Reads of the member list so far: each look has one.
    pub fn looks(&self) -> usize {
        let route = |r: &Value| r["route"].as_str().unwrap_or_default().to_owned();
        let requests = self.requests();
        requests.iter().filter(|r| r["method"] == "GET" && route(r).ends_with("/members")).count()
    }

    /// Three more looks write nothing, neither to the service nor to Kubernetes (OP-01).
    pub async fn is_quiet(&self) {
        self.becomes("account/acme", "Synced").await;
        self.looks_again(2).await;
        let (writes, audited) = (self.writes(), self.audited_writes());
        assert!(!audited.is_empty(), "the audit log does not know the operator");
        self.looks_again(3).await;
        assert_eq!(self.writes(), writes, "writes to the service");
        assert_eq!(
            self.audited_writes()[audited.len()..],
            [] as [String; 0],
            "writes to Kubernetes"
        );
    }

    /// Waits until the operator has looked `times` more.
    pub async fn looks_again(&self, times: usize) {
        let since = self.looks();
        self.until("more looks", async || self.looks() >= since + times).await;
    }

    /// Asks the operator; status and body.
    pub async fn probe(&self, path: &str) -> (u16, String) {
        probe(&self.probes, path).await
    }

    /// A figure of the operator; 0 if it is not there.
    pub async fn figure(&self, name: &str) -> u64 {
        figure(&self.probes, name).await
    }

    /// Writes of the operator to this namespace so far, from the API server's own record.
    pub fn audited_writes(&self) -> Vec<String> {
        let ours = |object: &Value| object["namespace"] == self.namespace.as_str();
        audited_writes(ours)
    }

    /// Everything that the operator said so far: log, figures, statuses, events.
    pub async fn everything_said(&self) -> Vec<(&'static str, String)> {
        let log = fs::read_to_string(self.file("operator.log")).unwrap();
        let (_, metrics) = self.probe("/metrics").await;
        let objects = self.k(&["get", "accounts,teams,memberships,accountledgers", "-o", "json"]);
        let events = self.k(&["get", "events", "-o", "json"]);
        vec![
            ("log", log),
            ("metrics", metrics),
            ("objects", objects.await),
            ("events", events.await),
        ]
    }
}

/// Asks an operator; status and body.
pub async fn probe(probes: &str, path: &str) -> (u16, String) {
    match client().get(format!("{probes}{path}")).send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap()),
        Err(_) => (0, String::new()),
    }
}

/// A figure of an operator; 0 if it is not there.
pub async fn figure(probes: &str, name: &str) -> u64 {
    let (_, text) = probe(probes, "/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

/// Writes of operators to such objects so far, from the API server's own record.
pub fn audited_writes(is_meant: impl Fn(&Value) -> bool) -> Vec<String> {
    let path = std::env::var_os("SEATKEEPER_TEST_AUDIT_LOG").expect("the audit log");
    let text = fs::read_to_string(path).unwrap();
    let writes = text.lines().filter_map(|line| {
        let entry: Value = serde_json::from_str(line).ok()?;
        let object = &entry["objectRef"];
        let ours = entry["user"]["username"] == OPERATOR && is_meant(object);
        let verb = entry["verb"].as_str()?;
        let reads = ["get", "list", "watch"].contains(&verb);
        (ours && !reads).then(|| format!("{verb} {}/{}", object["resource"], object["name"]))
    });
    writes.collect()
}

/// Whatever the conditions of an object say is on the page of all that they can say.
fn says_known_words(object: &Value) {
    let kind = object["kind"].as_str().unwrap_or_default();
    for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
        let word = |key: &str| condition[key].as_str().unwrap_or_default();
        let (type_, status, reason) = (word("type"), word("status"), word("reason"));
        assert!(
            seatkeeper::controller::is_on_page(kind, type_, status, reason),
            "{kind}: {type_}={status} {reason} is not in docs/conditions.md"
        );
    }
}

/// True if a line of the request log is of the account API.
fn is_api(request: &Value) -> bool {
    request["route"].as_str().is_some_and(|route| route.starts_with("/v1/"))
}

/// Our program; what it says goes to a file.
fn program(log: &Path, level: &str) -> Command {
    let said = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatkeeper"));
    command.args(["--log", level]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    command
}

/// Asks a process to end; true if it ended with success in time.
pub async fn terminate(mut child: Child) -> bool {
    let id = child.id().expect("a running process").to_string();
    let asked = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
    assert!(asked.success());
    match tokio::time::timeout(PATIENCE, child.wait()).await {
        Ok(status) => status.unwrap().success(),
        Err(_) => panic!("a process did not end"),
    }
}
