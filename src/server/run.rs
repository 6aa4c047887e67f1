//! Start, background work and stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::server::change::{domain, due};
use crate::server::error::ServerError;
use crate::server::feed::Feed;
#[cfg(feature = "bench-floor")]
use crate::server::floor::Floor;
use crate::server::ids::Ids;
use crate::server::limits::{Limiter, TIDY_EVERY};
use crate::server::link::SecretKey;
use crate::server::listen::{Door, Listener};
use crate::server::mail::{self, MailSettings};
use crate::server::metrics::Metrics;
use crate::server::pages::Pages;
use crate::server::password::Passwords;
use crate::server::request_log::RequestLog;
use crate::server::store::{Database, Store};
use crate::server::{Service, Settings, routes, seed};

/// How often due work is looked for.
const DUE_EVERY: Duration = Duration::from_secs(1);

/// How long mails under way may take when the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A service without a socket and without a background: it does what it is asked for, when it is.
#[derive(Debug)]
pub struct Still {
    service: Arc<Service>,
}

/// A service that listens.
#[derive(Debug)]
pub struct Running {
    service: Arc<Service>,
    address: std::net::SocketAddr,
    stopping: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    mailing: JoinHandle<()>,
    due: JoinHandle<()>,
    domains: JoinHandle<()>,
}

/// Opens the database, loads the seed, listens and starts the background work.
///
/// # Errors
///
/// [`ServerError`]: what could not be opened, or every problem of the seed file.
pub async fn start(settings: Settings) -> Result<Running, ServerError> {
    let listener = Listener::bind(settings.listen, settings.tls.as_ref()).await?;
    let address = listener.address();
    let max_connections = settings.max_connections;
    let service = open(settings, &format!("{}://{address}", listener.scheme())).await?;
    let stopping = service.stopping.clone();
    let door = Door::new(
        max_connections,
        service.trusted_proxies.clone(),
        service.metrics.connections.clone(),
        service.metrics.refused_connections.clone(),
    );
    let server = tokio::spawn(listener.serve(routes::router(&service), door, stopping.clone()));
    let mailing = tokio::spawn(mail::send_until(Arc::clone(&service), stopping.clone()));
    let due = tokio::spawn(do_due(Arc::clone(&service), stopping.clone()));
    let domains = tokio::spawn(recheck_domains(Arc::clone(&service), stopping.clone()));
    Ok(Running { service, address, stopping, server, mailing, due, domains })
}

/// Opens the database and loads the seed, and does nothing by itself.
///
/// # Errors
///
/// As [`start`].
pub async fn still(settings: Settings) -> Result<Still, ServerError> {
    Ok(Still { service: open(settings, "http://localhost").await? })
}

impl Still {
    /// Answers requests.
    pub fn router(&self) -> Router {
        routes::router(&self.service)
    }

    /// As [`Running::run_due`].
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn run_due(&self) -> Result<usize, ServerError> {
        run_due(&self.service).await
    }

    /// As [`Running::deliver_due`].
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn deliver_due(&self) -> Result<usize, ServerError> {
        deliver_due(&self.service).await
    }

    /// Closes the database.
    pub async fn close(self) {
        self.service.store.close().await;
    }
}

async fn run_due(service: &Arc<Service>) -> Result<usize, ServerError> {
    let accounts = due::run(service).await.map_err(ServerError::Work)?;
    domain::recheck_due(service).await.map_err(ServerError::Work)?;
    Ok(accounts)
}

async fn deliver_due(service: &Arc<Service>) -> Result<usize, ServerError> {
    let delivery = mail::deliver_due(service).await.map_err(ServerError::Work)?;
    Ok(delivery.sent)
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// The same service without a socket.
    pub fn router(&self) -> Router {
        routes::router(&self.service)
    }

    /// Does what is due now: invitations expire, periods end, announced trims happen. Gives the
    /// number of accounts that had something. The background does this too, every second.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn run_due(&self) -> Result<usize, ServerError> {
        run_due(&self.service).await
    }

    /// Sends every mail that is due now; gives how many went out. The background does this too, at
    /// once.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn deliver_due(&self) -> Result<usize, ServerError> {
        deliver_due(&self.service).await
    }

    /// Sends no mail from now on: they are queued, and that is all.
    #[cfg(feature = "bench-floor")]
    pub fn send_no_mails(&self) {
        self.mailing.abort();
    }

    /// The same work without HTTP, on the pool of this service, in the account of this token.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the token is not valid or the store failed.
    #[cfg(feature = "bench-floor")]
    pub async fn floor(&self, token: &str) -> Result<Floor, ServerError> {
        Floor::new(&self.service, token).await.map_err(ServerError::Work)
    }

    /// Takes no new requests, lets those under way end, and closes the database.
    pub async fn stop(self) {
        let Self { service, address: _, stopping, server, mailing, due, domains } = self;
        stopping.cancel();
        if !matches!(server.await, Ok(Ok(()))) {
            tracing::error!("the listener had ended before the stop");
        }
        if due.await.is_err() || domains.await.is_err() {
            tracing::error!("the background work had ended before the stop");
        }
        let abort = mailing.abort_handle();
        match tokio::time::timeout(STOP_WITHIN, mailing).await {
            Ok(Ok(())) => (),
            Ok(Err(_)) => tracing::error!("the sending of mails had ended before the stop"),
            // Who is cut off leaves what a crash leaves: nothing is lost, nothing repeated.
            Err(_) => {
                tracing::warn!("the sending of mails was cut off at the stop");
                abort.abort();
            }
        }
        service.store.close().await;
    }
}

/// Opens everything but the socket; `origin` is where it will answer.
pub(crate) async fn open(
    mut settings: Settings,
    origin: &str,
) -> Result<Arc<Service>, ServerError> {
    let seed = settings.seed.take();
    let service = assemble(settings, origin).await?;
    if let Some(seed) = seed {
        seed::load(&service, &seed).await?;
    }
    mail::take_over(&service).await.map_err(ServerError::Work)?;
    Ok(service)
}

/// Opens database, key and folders, and does nothing with them yet.
pub(super) async fn assemble(
    settings: Settings,
    origin: &str,
) -> Result<Arc<Service>, ServerError> {
    let Settings {
        listen: _,
        tls: _,
        max_connections: _,
        trusted_proxies,
        limits,
        database,
        public_url,
        secret_key_file,
        mail: mail_settings,
        profiles,
        seed: _,
        request_log,
        confirm_plans,
        dns,
        invite_limits,
        audit_retention,
        now,
    } = settings;
    let public_url = match public_url {
        Some(url) => url,
        None => Url::parse(origin).map_err(|_| ServerError::PublicUrl)?,
    };
    let host = public_host(&public_url)?;
    make_folders(&mail_settings, &database)?;
    let metrics = Metrics::new();
    let ids = Ids::default();
    let process = ids.next_ulid(now()).to_string();
    let (composer, mailer) = mail::open(&mail_settings, &host, process)?;
    Ok(Arc::new(Service {
        store: Store::open(&database).await?,
        profiles,
        key: SecretKey::load(&secret_key_file)?,
        public_url: public_url.as_str().trim_end_matches('/').to_owned(),
        composer,
        mailer,
        pages: Pages::new()?,
        ids,
        passwords: Passwords::new(metrics.passwords.clone()),
        confirm_plans,
        dns,
        request_log: request_log.map(|path| RequestLog::open(&path)).transpose()?,
        metrics,
        invite_limits,
        audit_retention,
        mail_queued: tokio::sync::Notify::new(),
        limiter: Limiter::new(limits),
        trusted_proxies,
        feed: Feed::new(),
        stopping: CancellationToken::new(),
        now,
    }))
}

fn make_folders(mail: &MailSettings, database: &Database) -> Result<(), ServerError> {
    if let MailSettings::Spool(folder) = mail {
        make_folder(folder)?;
    }
    match database {
        Database::Sqlite(path) => path.parent().map_or(Ok(()), make_folder),
        Database::Postgres(_) => Ok(()),
    }
}

fn public_host(url: &Url) -> Result<String, ServerError> {
    let plain = url.query().is_none() && url.fragment().is_none();
    match url.host_str() {
        Some(host) if plain && matches!(url.scheme(), "http" | "https") => Ok(host.to_owned()),
        _ => Err(ServerError::PublicUrl),
    }
}

fn make_folder(path: &Path) -> Result<(), ServerError> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(path)
        .map_err(|source| ServerError::Output { path: path.to_owned(), source })
}

/// Checks the domains that are due, until the stop. The DNS can be slow: nothing waits for it.
async fn recheck_domains(service: Arc<Service>, stopping: CancellationToken) {
    let mut tick = tokio::time::interval(DUE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(tick.tick()).await.is_some() {
        let checked = stopping.run_until_cancelled(domain::recheck_due(&service)).await;
        if let Some(Err(error)) = checked {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "could not check the domains that are due");
        }
    }
}

/// Does what is due, until the stop.
async fn do_due(service: Arc<Service>, stopping: CancellationToken) {
    let mut tick = tokio::time::interval(DUE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if let Err(error) = due::run(&service).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "could not do what is due");
                }
            }
            _ = tidy.tick() => service.limiter.tidy(),
            () = stopping.cancelled() => break,
        }
    }
}
