//! The way between the operator and everything else: each call has a number, and one of them can go
//! wrong.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body as KubeBody;
use seatkeeper::backend::transport::{Transport, TransportError};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::simulation::cluster::Cluster;
use crate::simulation::fault::{Fault, Faults};
use crate::simulation::habit::Habit;
use crate::simulation::service::Service;

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Cluster,
    Service,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub side: Side,
    pub method: Method,
    pub path: String,
    /// Of a list whose answer is many rows.
    pub watch: bool,
}

/// A call and how it went.
#[derive(Clone, Debug)]
pub struct Passed {
    pub point: Point,
    pub at: Instant,
    /// Which operator called.
    pub life: usize,
    /// Status of the answer that was given; 0: none.
    pub status: u16,
    /// The fault that it met.
    pub fault: Option<Fault>,
    /// The code of a problem document.
    pub code: String,
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("the connection broke")]
pub struct Lost;

type Perform = Arc<dyn Fn() -> BoxFuture<'static, Response<Vec<u8>>> + Send + Sync>;

/// The calls of one world.
pub struct Wire {
    cluster: Arc<Cluster>,
    service: Arc<Service>,
    state: Mutex<State>,
    /// The calls that go wrong.
    faults: Faults,
    /// What the operator does that it must not.
    habit: Option<Habit>,
    /// The operator was killed.
    pub killed: Notify,
}

#[derive(Default)]
struct State {
    passed: Vec<Passed>,
    /// Operators that were started; only the last one is alive.
    life: usize,
    dead: bool,
    /// What was seen to be wrong.
    wrong: Vec<String>,
    /// Last answers to reads.
    known: BTreeMap<String, Response<Vec<u8>>>,
}

const LATENCY: Duration = Duration::from_millis(2);
/// After which a call arrives that nobody waits for any more.
const LATE: Duration = Duration::from_secs(45);

impl Point {
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }

    fn line(&self) -> String {
        format!("{:?} {} {}", self.side, self.method, self.path)
    }
}

impl Wire {
    pub fn new(
        cluster: Arc<Cluster>,
        service: Arc<Service>,
        faults: Faults,
        habit: Option<Habit>,
    ) -> Arc<Self> {
        let (state, killed) = (Mutex::default(), Notify::new());
        Arc::new(Self { cluster, service, state, faults, habit, killed })
    }

    /// A new operator is started; what is left of the ones before reaches nobody any more.
    pub fn new_life(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.life += 1;
        state.dead = false;
        state.life
    }

    /// The operator is killed.
    pub fn kill(&self) {
        self.state.lock().unwrap().dead = true;
        self.killed.notify_one();
    }

    pub fn passed(&self) -> Vec<Passed> {
        self.state.lock().unwrap().passed.clone()
    }

    /// What was seen to be wrong, by the number of the invariant.
    pub fn wrong(&self) -> Vec<String> {
        self.state.lock().unwrap().wrong.clone()
    }

    /// True if an operator that died is started again.
    pub fn revives(&self) -> bool {
        self.habit != Some(Habit::StaysDead)
    }

    /// How long to wait for what may never come; not long where it is known not to.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.habit.is_some() { 20 } else { 40 * 60 })
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().passed.len()
    }

    /// Who is killed waits for ever.
    async fn stay_dead(&self, life: usize) {
        let gone = {
            let state = self.state.lock().unwrap();
            state.dead || state.life != life
        };
        if gone {
            pending::<()>().await;
        }
    }

    async fn pass(
        &self,
        life: usize,
        point: Point,
        perform: Perform,
    ) -> Result<Response<Vec<u8>>, Lost> {
        sleep(LATENCY).await;
        self.stay_dead(life).await;
        let (number, stale) = {
            let mut state = self.state.lock().unwrap();
            let number = state.passed.len();
            let stale = state.known.get(&point.line()).cloned();
            state.passed.push(Passed {
                point: point.clone(),
                at: Instant::now(),
                life,
                status: 0,
                fault: None,
                code: String::new(),
            });
            (number, stale)
        };
        let applies = Fault::of(&point);
        let fault = self.faults.get(&number).map(|place| applies[place % applies.len()]);
        if let Some(fault) = fault {
            self.state.lock().unwrap().passed[number].fault = Some(fault);
        }
        let answer = self.meet(fault, &point, stale, perform).await;
        if let Ok(answer) = &answer {
            let mut state = self.state.lock().unwrap();
            state.passed[number].status = answer.status().as_u16();
            if answer.status().is_client_error() {
                let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
                state.passed[number].code = said["code"].as_str().unwrap_or_default().to_owned();
            }
            if fault.is_none() && !point.writes() && answer.status().is_success() {
                state.known.insert(point.line(), answer.clone());
            }
        }
        sleep(LATENCY).await;
        self.stay_dead(life).await;
        answer
    }

    async fn meet(
        &self,
        fault: Option<Fault>,
        point: &Point,
        stale: Option<Response<Vec<u8>>>,
        perform: Perform,
    ) -> Result<Response<Vec<u8>>, Lost> {
        let Some(fault) = fault else { return Ok(perform().await) };
        match fault {
            Fault::CrashBefore => {
                self.kill();
                pending().await
            }
            Fault::CrashAfter => {
                perform().await;
                self.kill();
                pending().await
            }
            Fault::Refused => Err(Lost),
            Fault::AnswerLost => {
                perform().await;
                Err(Lost)
            }
            Fault::Late => {
                tokio::spawn(async move {
                    sleep(LATE).await;
                    perform().await;
                });
                Err(Lost)
            }
            Fault::Stale => Ok(match stale {
                Some(stale) => stale,
                None => perform().await,
            }),
            Fault::Answer(status) => Ok(fault.answer(point.side, status)),
            Fault::Malformed | Fault::Truncated | Fault::Empty | Fault::Repeated => {
                Ok(fault.spoil(perform().await))
            }
        }
    }

    /// A client of the cluster for the operator of this life.
    pub fn client(self: &Arc<Self>, life: usize) -> kube::Client {
        let wire = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<KubeBody>| {
            let wire = Arc::clone(&wire);
            Box::pin(async move { wire.ask_cluster(life, request).await })
        });
        kube::Client::new(service, "seatkeeper-system")
    }

    async fn ask_cluster(
        self: Arc<Self>,
        life: usize,
        request: Request<KubeBody>,
    ) -> Result<Response<Body>, Lost> {
        let (head, body) = request.into_parts();
        let mut body = body.collect_bytes().await.map_err(|_| Lost)?.to_vec();
        let path = head.uri.path_and_query().unwrap().to_string();
        if path.starts_with("/apis/authorization.k8s.io/") {
            let allowed = br#"{"spec": {}, "status": {"allowed": true}}"#;
            return Ok(Response::new(Body::from(allowed.to_vec())));
        }
        if path.starts_with("/apis/coordination.k8s.io/") {
            // The Lease is written by the clock: no part of the story.
            return Ok(self.cluster.answer(Request::from_parts(head, body)));
        }
        let watch = path.contains("watch=true");
        let path = if watch { head.uri.path().to_owned() } else { path };
        let point =
            Point { side: Side::Cluster, method: head.method.clone(), path: path.clone(), watch };
        if let Some(habit) = self.habit {
            habit.instead(&path, &mut body);
        }
        let request = Request::from_parts(head, body);
        if self.habit.is_some_and(|habit| habit.skips(&path)) {
            return Ok(self.cluster.answer(request));
        }
        let (cluster, asked) = (Arc::clone(&self.cluster), request.clone());
        let perform: Perform = Arc::new(move || {
            let (cluster, asked) = (Arc::clone(&cluster), asked.clone());
            Box::pin(async move {
                if watch {
                    return Response::new(Vec::new());
                }
                let (head, body) = cluster.answer(asked).into_parts();
                Response::from_parts(head, to_bytes(body, usize::MAX).await.unwrap().to_vec())
            })
        });
        let answer = self.pass(life, point, perform).await?;
        if watch && answer.status().is_success() && answer.body().is_empty() {
            return Ok(self.cluster.answer(request));
        }
        if answer.status().is_success() {
            self.judge(&path, request.body());
        }
        Ok(answer.map(Body::from))
    }

    /// I13: who is said to be active is active, unless a fault has shown an old answer.
    fn judge(&self, path: &str, body: &[u8]) {
        let Some(rest) = path.split_once("/memberships/").map(|(_, rest)| rest) else { return };
        let Some((name, _)) = rest.split_once("/status") else { return };
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let object = self.cluster.object("memberships", Some("web"), name);
        let email = object["spec"]["email"].as_str().unwrap_or_default().to_lowercase();
        let mut state = self.state.lock().unwrap();
        let was_fooled = state.passed.iter().any(|passed| passed.fault == Some(Fault::Stale));
        if said["status"]["state"] != "Active" || was_fooled {
            return;
        }
        let members = self.service.list("/members");
        if !members.iter().any(|row| row["email"] == email && row["state"] == "active") {
            state.wrong.push(format!("I13: {name} is said to be active"));
        }
    }

    /// A transport to the account service for the operator of this life.
    pub fn transport(self: &Arc<Self>, life: usize) -> Arc<dyn Transport> {
        Arc::new(ToService { wire: Arc::clone(self), life })
    }
}

struct ToService {
    wire: Arc<Wire>,
    life: usize,
}

impl ToService {
    async fn one(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Lost> {
        let path = request.uri().path_and_query().unwrap().to_string();
        let point =
            Point { side: Side::Service, method: request.method().clone(), path, watch: false };
        let service = Arc::clone(&self.wire.service);
        let perform: Perform = Arc::new(move || {
            let (service, asked) = (Arc::clone(&service), request.clone());
            Box::pin(async move { service.answer(asked).await })
        });
        self.wire.pass(self.life, point, perform).await
    }
}

#[async_trait]
impl Transport for ToService {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let broken = |lost| TransportError::Broken(Box::new(lost));
        let answer = self.one(request.clone()).await.map_err(broken)?;
        for more in self.wire.habit.iter().flat_map(|habit| habit.then(&request, &answer)) {
            self.one(more).await.map_err(broken)?;
        }
        Ok(answer)
    }
}
