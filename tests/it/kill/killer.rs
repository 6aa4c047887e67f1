//! Stands between the operator, its cluster and the service, counts the calls and kills at one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{RwLock, mpsc, oneshot};

use crate::cli_run::forward;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// The operator.
    Operator,
    /// The service.
    Service,
}

/// Whom the operator calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The API server: its writes count, but neither the Lease nor the questions after our rights.
    Cluster,
    /// The account service: all calls count but the long polls of the feed.
    Service,
}

/// On which side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before it arrives.
    Before,
    /// After it was carried out, before its answer comes back.
    After,
}

/// A numbered point of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Who is killed there.
    pub victim: Victim,
    /// Whose calls are counted.
    pub side: Side,
    /// Which call of that side, from 1.
    pub call: usize,
    /// Before or after.
    pub when: When,
}

/// An order to kill and start again; it is answered once that is done.
pub type Order = oneshot::Sender<()>;

/// Counts, and kills once.
pub struct Killer {
    point: Option<Point>,
    fired: AtomicBool,
    cluster_calls: AtomicUsize,
    service_calls: AtomicUsize,
    orders: mpsc::Sender<Order>,
    /// Held by who needs the service, and by who kills it until it runs again.
    pub alive: RwLock<()>,
}

impl Killer {
    /// A killer and the orders that it gives.
    pub fn new(point: Option<Point>) -> (Arc<Self>, mpsc::Receiver<Order>) {
        let (orders, taken) = mpsc::channel(1);
        let killer = Self {
            point,
            fired: AtomicBool::new(false),
            cluster_calls: AtomicUsize::new(0),
            service_calls: AtomicUsize::new(0),
            orders,
            alive: RwLock::new(()),
        };
        (Arc::new(killer), taken)
    }

    /// Calls so far.
    pub fn calls(&self) -> BTreeMap<Side, usize> {
        let cluster = self.cluster_calls.load(Ordering::SeqCst);
        let service = self.service_calls.load(Ordering::SeqCst);
        [(Side::Cluster, cluster), (Side::Service, service)].into()
    }

    /// True if the point was reached.
    pub fn has_killed(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    /// Serves what `pass` passes on; gives the address.
    pub async fn serve(
        self: &Arc<Self>,
        side: Side,
        pass: impl AsyncPass,
    ) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (killer, pass) = (Arc::clone(self), Arc::new(pass));
        let router = Router::new().fallback(move |request: Request| {
            let (killer, pass) = (Arc::clone(&killer), Arc::clone(&pass));
            async move { killer.answer(side, request, &*pass).await }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (url, serving)
    }

    async fn answer(&self, side: Side, request: Request, pass: &impl AsyncPass) -> Response {
        if !counts(side, &request) {
            return pass.pass(request).await;
        }
        let calls = match side {
            Side::Cluster => &self.cluster_calls,
            Side::Service => &self.service_calls,
        };
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let here = self.point.filter(|point| point.side == side && point.call == call);
        let when = here.filter(|_| !self.fired.swap(true, Ordering::SeqCst)).map(|here| here.when);
        if when == Some(When::Before) {
            return self.kill().await;
        }
        let answer = pass.pass(request).await;
        if when == Some(When::After) {
            // The answer is whole: what it stands for is done.
            let _ = axum::body::to_bytes(answer.into_body(), 1 << 24).await;
            return self.kill().await;
        }
        answer
    }

    /// Has the victim killed and started again; what was asked gets no answer.
    async fn kill(&self) -> Response {
        let (done, is_done) = oneshot::channel();
        self.orders.send(done).await.expect("somebody who kills");
        let _ = is_done.await;
        let error = std::io::Error::other("killed");
        let stream = futures::stream::once(async { Err::<Vec<u8>, _>(error) });
        let response = Response::builder().header(header::CONTENT_LENGTH, "100");
        response.body(Body::from_stream(stream)).unwrap()
    }
}

/// True if a call is a point of the story.
fn counts(side: Side, request: &Request) -> bool {
    match side {
        // The Lease is written by the clock, and who starts anew asks after its rights again.
        Side::Cluster => {
            let path = request.uri().path();
            let asks = path.starts_with("/apis/authorization.k8s.io/");
            request.method() != Method::GET && !asks && !path.contains("/leases")
        }
        Side::Service => !request.uri().query().is_some_and(|query| query.contains("wait=")),
    }
}

/// Passes calls on.
pub trait AsyncPass: Send + Sync + 'static {
    /// The answer.
    fn pass(&self, request: Request) -> impl Future<Output = Response> + Send;
}

/// To the service at an address.
pub struct ToService(pub String);

impl AsyncPass for ToService {
    async fn pass(&self, request: Request) -> Response {
        match forward(&self.0, request).await {
            Some(answer) => answer,
            None => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

/// To the API server, as the user of the client.
pub struct ToCluster(pub Client);

impl AsyncPass for ToCluster {
    async fn pass(&self, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        head.headers.remove(header::AUTHORIZATION);
        head.headers.remove(header::HOST);
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let request = http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
        match self.0.send(request).await {
            Ok(answer) => answer.map(Body::new),
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}
