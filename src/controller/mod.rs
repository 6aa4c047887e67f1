//! The Kubernetes loop: one reconcile an account, two queues, statuses, events, finalizers.
//!
//! May touch the cluster, and the account service through `apply` only. Holds no rule about people:
//! those are the planner's.

mod access;
mod account;
mod cache;
mod clients;
mod context;
mod error;
mod events;
mod feed;
mod fetch;
mod finalizers;
mod lease;
mod let_go;
mod mark;
mod metrics;
mod object;
mod orphans;
mod queue;
mod reach;
mod release;
mod report;
mod round;
mod session;
mod spaces;
mod status;
mod strays;
mod wake;
mod watch;
mod work;

use std::collections::BTreeSet;
use std::future::{Future, IntoFuture as _};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::watch as signal;
use tokio_util::sync::CancellationToken;

use crate::controller::access::Places;
use crate::controller::cache::{Cache, Change};
use crate::controller::clients::call;
use crate::controller::context::{Caches, Context, MANAGER};
use crate::controller::lease::{Elector, Fence, Figures, Terms, lead};
use crate::controller::metrics::Metrics;
use crate::controller::watch::{SLOW_START, watch};
use crate::telemetry::{Readiness, Registry, probes};

pub use clients::Clients;
pub use context::{Clock, Connect};
pub use error::{ClusterError, ControllerError};
pub use session::connect;
pub use status::{is_on_page, page};

/// Kinds that are watched.
const KINDS: usize = 7;

/// How the operator runs.
pub struct Settings {
    /// The cluster.
    pub clients: Clients,
    /// How account services are reached.
    pub connect: Connect,
    /// The only namespace to look at; `None`: all of them.
    pub namespace: Option<String>,
    /// The only classes whose Accounts are kept; none: all of them.
    pub classes: BTreeSet<String>,
    /// By which replicas agree who acts.
    pub lease: LeaseSettings,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub listener: TcpListener,
    /// Accounts that are reconciled at one time.
    pub at_one_time: usize,
    /// The clock.
    pub now: Clock,
}

/// By which replicas agree who acts.
pub struct LeaseSettings {
    /// Namespace of the Lease; `None`: our own.
    pub namespace: Option<String>,
    /// Name of the Lease; `None`: by what the instance keeps.
    pub name: Option<String>,
    /// This process: no two have the same.
    pub holder: String,
    /// How long it lasts without a renewal, in whole seconds.
    pub lasts: Duration,
}

/// Runs the operator until `stop`, then lets what runs come to its end.
///
/// # Errors
///
/// [`ControllerError`] when it could not start, or a part of it ended that must not: the process
/// should then end, and be started again.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), ControllerError> {
    let Settings { clients, connect, namespace, classes, lease, listener, at_one_time, now } =
        settings;
    let fence = Fence::fallen_down();
    let home = clients.writer.default_namespace().to_owned();
    let terms = terms(lease, &home, namespace.as_deref(), &classes);
    let lease_in = terms.namespace.clone();
    let registry = Registry::default();
    let (lease, figures) = (clients.lease.clone(), Figures::new(&registry));
    let elector = Elector::new(lease, terms, fence.clone(), figures, Arc::clone(&now));
    let clients = clients.behind(&fence);
    let (started, ready) = signal::channel(0_usize);
    let serving = serve(listener, registry.clone(), ready.clone(), stop.clone());

    let caring = async {
        let Some(fingerprint) = fingerprint(&clients, &stop).await? else { return Ok(()) };
        let only = namespace.as_deref();
        let places = Places { home: &home, lease: &lease_in, only };
        access::check(&clients.reader, places, &stop).await?;
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        let recorder = Recorder::new(clients.writer.clone(), reporter);
        let metrics = Metrics::new(&registry);
        let stopping = stop.clone();
        let mut ctx = Context::new(clients, recorder, metrics, now, fingerprint, stopping);
        (ctx.only, ctx.classes, ctx.home) = (namespace, classes, home);
        ctx.connect = lease::fenced(connect, fence);
        let ctx = Arc::new(ctx);
        tokio::select! {
            biased;
            ended = watch_all(&ctx, started) => Err(ended),
            () = care(ctx.clone(), ready, elector, at_one_time, stop.clone()) => Ok(()),
        }
    };
    tokio::select! {
        biased;
        served = serving => served,
        cared = caring => cared,
    }
}

/// Where the Lease of this instance is.
fn terms(
    lease: LeaseSettings,
    home: &str,
    only: Option<&str>,
    classes: &BTreeSet<String>,
) -> Terms {
    let LeaseSettings { namespace, name, holder, lasts } = lease;
    let namespace = namespace.unwrap_or_else(|| home.to_owned());
    let name = name.unwrap_or_else(|| lease::name(only, classes));
    Terms { namespace, name, holder, lasts }
}

/// UID of the namespace that every cluster has from its first hour on, asked for until it comes;
/// `None`: stopped meanwhile.
async fn fingerprint(
    clients: &Clients,
    stop: &CancellationToken,
) -> Result<Option<String>, ControllerError> {
    let namespaces: Api<Namespace> = Api::all(clients.reader.clone());
    loop {
        let found = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            found = call("read namespace kube-system", namespaces.get("kube-system")) => found,
        };
        match found {
            Ok(namespace) => return Ok(Some(namespace.metadata.uid.unwrap_or_default())),
            Err(error) if matches!(error.code(), Some(401 | 403)) => {
                return Err(ControllerError::Fingerprint(error));
            }
            Err(error) => tracing::warn!(error = %error, "cannot reach the cluster; trying again"),
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
}

/// Waits for every watch, then takes part in the election, and works while it leads.
async fn care(
    ctx: Arc<Context>,
    mut ready: signal::Receiver<usize>,
    elector: Elector,
    at_one_time: usize,
    stop: CancellationToken,
) {
    let all_started = async {
        let started = ready.wait_for(|kinds| *kinds >= KINDS);
        let slow = tokio::time::timeout(SLOW_START, started).await.is_err();
        if slow {
            tracing::warn!("not every kind is watched yet; nothing is done before");
            let _ = ready.wait_for(|kinds| *kinds >= KINDS).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return,
        () = all_started => {}
    }
    tracing::info!("every watch has started");
    lead(ctx, elector, at_one_time, stop).await;
}

/// Watches every kind; comes back only if one of the watches ended.
async fn watch_all(ctx: &Arc<Context>, started: signal::Sender<usize>) -> ControllerError {
    let Caches {
        namespaces,
        classes,
        accounts,
        teams,
        memberships,
        client_accesses,
        subscriptions,
    } = ctx.caches.clone();
    let own = ctx.only.as_ref().map(|name| format!("metadata.name={name}"));
    let own = watcher::Config { field_selector: own, ..watcher::Config::default() };
    let reader = &ctx.clients.reader;
    let namespaces_ended = watch(Api::all(reader.clone()), own, namespaces, started.clone(), |c| {
        wake::namespace(ctx, c);
    });
    let any = watcher::Config::default();
    let classes_ended =
        watch(Api::all(reader.clone()), any, classes, started.clone(), |c| wake::class(ctx, c));
    let accounts_ended = watch_scoped(ctx, accounts, started.clone(), wake::account);
    let teams_ended = watch_scoped(ctx, teams, started.clone(), wake::team);
    let memberships_ended = watch_scoped(ctx, memberships, started.clone(), wake::membership);
    let clients_ended = watch_scoped(ctx, client_accesses, started.clone(), wake::client_access);
    let subscriptions_ended = watch_scoped(ctx, subscriptions, started, wake::subscription);
    let part = tokio::select! {
        biased;
        () = namespaces_ended => "the watch of Namespaces",
        () = classes_ended => "the watch of AccountClasses",
        () = accounts_ended => "the watch of Accounts",
        () = teams_ended => "the watch of Teams",
        () = memberships_ended => "the watch of Memberships",
        () = clients_ended => "the watch of ClientAccesses",
        () = subscriptions_ended => "the watch of NotificationSubscriptions",
    };
    ControllerError::Ended { part }
}

/// Watches a kind in the only namespace, or in all.
async fn watch_scoped<K>(
    ctx: &Context,
    cache: Arc<Cache<K>>,
    started: signal::Sender<usize>,
    wake: fn(&Context, &Change<K>),
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let reader = ctx.clients.reader.clone();
    let api = match &ctx.only {
        Some(namespace) => Api::namespaced(reader, namespace),
        None => Api::all(reader),
    };
    watch(api, watcher::Config::default(), cache, started, |change| wake(ctx, change)).await;
}

/// Serves the probes and the figures. They go on while running work comes to its end.
fn serve(
    listener: TcpListener,
    registry: Registry,
    ready: signal::Receiver<usize>,
    stop: CancellationToken,
) -> impl Future<Output = Result<(), ControllerError>> {
    let readiness: Readiness = Arc::new(move || {
        let ready = *ready.borrow() >= KINDS && !stop.is_cancelled();
        Box::pin(async move { ready })
    });
    let server = axum::serve(listener, probes(readiness, registry));
    async move { server.into_future().await.map_err(ControllerError::Probes) }
}
