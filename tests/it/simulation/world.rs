//! One world: a cluster, an account service, an operator that is started again when it dies, and a
//! clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use seatkeeper::controller::{Clients, LeaseSettings, Settings, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::simulation::cluster::{Clock, Cluster};
use crate::simulation::fault::Faults;
use crate::simulation::habit::Habit;
use crate::simulation::scenario::{Scenario, Step, objects};
use crate::simulation::service::{Service, TOKEN};
use crate::simulation::wire::{Passed, Side, Wire};

/// Time in which a world without faults comes to rest after a chapter.
const REST: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(10);
/// How long the cluster takes to start the operator again.
const RESTART: Duration = Duration::from_secs(5);
/// Three resyncs.
const QUIET: Duration = Duration::from_secs(18 * 60);

/// The world at rest: people and objects, as lines.
pub type Picture = Vec<String>;

/// What a history came to.
pub struct History {
    /// The world at the end of each chapter.
    pub pictures: Vec<Picture>,
    /// Every call, in order.
    pub passed: Vec<Passed>,
    /// Calls before the last chapter had come to rest.
    pub told: usize,
    /// Mails as `template to`, sorted.
    pub mails: Vec<String>,
    /// The audit log of the service.
    pub effects: Vec<Value>,
    /// Id of the account, and who the operator is at the service.
    pub account: String,
    pub actor: String,
    /// Statuses and events.
    pub objects: String,
    /// What the operator logged.
    pub log: String,
    /// What was seen to be wrong meanwhile.
    pub wrong: Vec<String>,
    /// The first chapter that did not come to what was expected, and how far it came.
    pub stuck: Option<String>,
    /// How often a person had to approve what came to be held.
    pub approvals: usize,
}

pub struct World {
    pub cluster: Arc<Cluster>,
    pub service: Arc<Service>,
    pub wire: Arc<Wire>,
    supervisor: JoinHandle<()>,
}

impl World {
    pub fn new(faults: Faults, habit: Option<Habit>) -> Self {
        let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let began = Instant::now();
        let clock: Clock = Arc::new(move || start + began.elapsed());
        let cluster = Cluster::new(Arc::clone(&clock));
        let service = Service::start(start, Arc::clone(&clock));
        for name in ["web", "seatkeeper-system"] {
            cluster.put("namespaces", &json!({"metadata": {"name": name}}));
        }
        let token = json!({"metadata": {"name": "acme-token", "namespace": "web"},
                           "data": {"token": base64(TOKEN)}});
        cluster.put("secrets", &token);
        let wire = Wire::new(Arc::clone(&cluster), Arc::clone(&service), faults, habit);
        let supervisor = tokio::spawn(supervise(Arc::clone(&wire), clock));
        Self { cluster, service, wire, supervisor }
    }

    fn happen(&self, step: &Step) {
        match *step {
            Step::Apply(yaml) => objects(yaml).iter().for_each(|object| self.apply(object)),
            Step::Delete(plural, name) => self.cluster.remove(plural, Some("web"), name),
            Step::Respond(name, word) => self.service.respond(name, word),
            Step::Invite(name, role) => self.service.invite(name, role),
            Step::Subscribe(plan) => self.service.subscribe(plan),
            Step::Cancel(plan) => self.service.cancel(plan),
            Step::Approve => {
                let account = self.cluster.object("accounts", Some("web"), "acme");
                let digest = account["status"]["held"]["digest"].as_str().unwrap().to_owned();
                self.annotate("accounts", "acme", "seatkeeper.dev/approve", &digest);
            }
            Step::Annotate(plural, name, key, value) => self.annotate(plural, name, key, value),
        }
    }

    fn apply(&self, object: &Value) {
        let plural = match object["kind"].as_str().unwrap() {
            "AccountClass" => "accountclasses".to_owned(),
            "ClientAccess" => "clientaccesses".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        self.cluster.put(&plural, object);
    }

    fn annotate(&self, plural: &str, name: &str, key: &str, value: &str) {
        self.cluster.annotate(plural, "web", name, key, value);
    }

    /// People and objects, as they are.
    fn picture(&self) -> Picture {
        let word = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
        let mut lines = Vec::new();
        for (path, what) in [("/members", "member"), ("/invitations", "invitation")] {
            for row in self.service.list(path) {
                let (email, role, state) =
                    (word(&row, "email"), word(&row, "role"), word(&row, "state"));
                lines.push(format!("{what} {email} {role} {state}"));
            }
        }
        for plural in ["accounts", "teams", "memberships"] {
            for object in self.cluster.objects(plural) {
                let (name, status) = (&object["metadata"]["name"], &object["status"]);
                let conditions = status["conditions"].as_array().into_iter().flatten();
                let said = conditions.map(|c| {
                    format!("{}={}/{}", word(c, "type"), word(c, "status"), word(c, "reason"))
                });
                let said: Vec<String> = said.collect();
                let mark = object["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
                let current = status["observedGeneration"] == object["metadata"]["generation"];
                let line = format!(
                    "{plural} {name} {} counts {} marks {mark} current {current} {}",
                    word(status, "state"),
                    status["counts"],
                    said.join(" "),
                );
                lines.push(line);
            }
        }
        lines.extend(self.mails());
        lines.sort();
        lines
    }

    /// Mails that come of what the operator does, as `mail template address`.
    fn mails(&self) -> Vec<String> {
        let ours = ["invitation", "resend", "role-changed", "removed", "trimmed", "reinstated"];
        let mails = self.service.mails().into_iter();
        let mails = mails.filter(|mail| ours.contains(&mail.template.as_str()));
        mails.map(|mail| format!("mail {} {}", mail.template, mail.to)).collect()
    }

    /// Lives through a scenario. With `expected`, each chapter ends when the world looks as it did
    /// there, or never.
    pub async fn live(self, scenario: &Scenario, expected: Option<&[Picture]>) -> History {
        let (mut pictures, mut stuck, mut approvals) = (Vec::new(), None, 0);
        for (place, (name, steps)) in scenario.chapters.iter().enumerate() {
            steps.iter().for_each(|step| self.happen(step));
            // Until the fault all is as without it, the time of each call too.
            sleep(REST).await;
            let picture = match expected {
                None => self.picture(),
                Some(expected) => match self.becomes(&expected[place], &mut approvals).await {
                    Ok(picture) => picture,
                    Err(difference) => {
                        stuck = Some(format!("chapter \"{name}\": {difference}"));
                        break;
                    }
                },
            };
            pictures.push(picture);
        }
        let told = self.wire.count();
        if stuck.is_none() {
            sleep(QUIET).await;
        }
        let history = self.end(pictures, told, stuck);
        History { approvals, ..history }
    }

    /// True if a set waits for a person.
    fn is_held(&self) -> bool {
        let account = self.cluster.object("accounts", Some("web"), "acme");
        account["status"]["held"]["digest"].is_string()
    }

    async fn becomes(&self, expected: &Picture, approvals: &mut usize) -> Result<Picture, String> {
        // Longer than the longest pause after failures.
        let patience = self.wire.patience();
        let (end, held) = (Instant::now() + patience, Instant::now() + patience / 4);
        let mut asked = false;
        loop {
            let picture = self.picture();
            if picture == *expected {
                return Ok(picture);
            }
            // What is held says so, and goes on with a person.
            if Instant::now() >= held && !asked && self.is_held() {
                (asked, *approvals) = (true, *approvals + 1);
                self.happen(&Step::Approve);
            }
            sleep(PAUSE).await;
            if Instant::now() >= end {
                let only = |these: &Picture, those: &Picture| -> Vec<String> {
                    these.iter().filter(|line| !those.contains(line)).cloned().collect()
                };
                let (is, misses) = (only(&picture, expected), only(expected, &picture));
                return Err(format!("is\n  {}\n not\n  {}", is.join("\n  "), misses.join("\n  ")));
            }
        }
    }

    pub fn end(self, pictures: Vec<Picture>, told: usize, stuck: Option<String>) -> History {
        self.supervisor.abort();
        let mut mails = self.mails();
        mails.sort();
        let mut objects = String::new();
        for plural in ["accounts", "teams", "memberships", "events"] {
            for object in self.cluster.objects(plural) {
                objects.push_str(&object.to_string());
                objects.push('\n');
            }
        }
        let effects = self.service.list("/audit-events?page_size=1000");
        let (account, actor) = self.service.identity();
        let (passed, wrong, log) = (self.wire.passed(), self.wire.wrong(), self.service.log());
        History {
            pictures,
            passed,
            told,
            mails,
            effects,
            account,
            actor,
            objects,
            log,
            wrong,
            stuck,
            approvals: 0,
        }
    }
}

impl History {
    /// Calls that changed something, or could have, from a place on.
    pub fn writes(&self, from: usize) -> Vec<String> {
        let writes = self.passed[from..].iter().filter(|passed| passed.point.method != Method::GET);
        writes.map(|p| format!("{:?} {} {}", p.point.side, p.point.method, p.point.path)).collect()
    }

    /// The faults that came.
    pub fn met(&self) -> Vec<String> {
        let met = self.passed.iter().enumerate().filter_map(|(at, passed)| {
            let Passed { point, fault, .. } = passed;
            Some(format!("{at}:{:?} {} {}", (*fault)?, point.method, point.path))
        });
        met.collect()
    }

    /// The history as text: what was called, by whom, with which end.
    pub fn text(&self) -> String {
        let line = |passed: &Passed| {
            let Passed { point, status, code, fault, at, life } = passed;
            let side = if point.side == Side::Cluster { "cluster" } else { "service" };
            let at = at.duration_since(self.passed[0].at).as_millis();
            let met = fault.map(|fault| format!("{fault:?}")).unwrap_or_default();
            format!("{life} {at} {side} {} {} {status} {code} {met}\n", point.method, point.path)
        };
        self.passed.iter().map(line).collect()
    }
}

/// Starts the operator, and starts it again whenever it is killed or ends.
async fn supervise(wire: Arc<Wire>, clock: Clock) {
    loop {
        let life = wire.new_life();
        let client = wire.client(life);
        let stop = CancellationToken::new();
        let to_service = Arc::clone(&wire);
        let settings = Settings {
            clients: Clients { reader: client.clone(), writer: client.clone(), lease: client },
            connect: Box::new(move |_| Ok(to_service.transport(life))),
            namespace: None,
            classes: BTreeSet::new(),
            // Who starts again holds what it held: how replicas take turns is shown elsewhere.
            lease: LeaseSettings {
                namespace: None,
                name: None,
                holder: "operator".to_owned(),
                lasts: Duration::from_secs(300),
            },
            listener: TcpListener::bind(("127.0.0.1", 0)).await.unwrap(),
            at_one_time: 4,
            now: Arc::clone(&clock),
        };
        tokio::select! {
            biased;
            () = wire.killed.notified() => {}
            _ = run(settings, stop.clone()) => {}
        }
        wire.kill();
        if !wire.revives() {
            return;
        }
        let _ = tokio::time::timeout(Duration::ZERO, wire.killed.notified()).await;
        sleep(RESTART).await;
    }
}

/// As Secrets hold it.
fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            encoded.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    encoded
}
