//! Start, background work and stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::server::change::due;
use crate::server::error::ServerError;
#[cfg(feature = "bench-floor")]
use crate::server::floor::Floor;
use crate::server::ids::Ids;
use crate::server::link::SecretKey;
use crate::server::mail::{self, Composer, Spool};
use crate::server::metrics::Metrics;
use crate::server::pages::Pages;
use crate::server::password::Passwords;
use crate::server::request_log::RequestLog;
use crate::server::store::{Database, Store};
use crate::server::{Service, Settings, routes, seed};

/// How often due work is looked for.
const DUE_EVERY: Duration = Duration::from_secs(1);

/// How long requests under way may take when the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A service that listens.
#[derive(Debug)]
pub struct Running {
    service: Arc<Service>,
    address: std::net::SocketAddr,
    stopping: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    background: JoinHandle<()>,
}

/// Opens the database, loads the seed, listens and starts the background work.
///
/// # Errors
///
/// [`ServerError`]: what could not be opened, or every problem of the seed file.
pub async fn start(settings: Settings) -> Result<Running, ServerError> {
    let listen = settings.listen;
    let failed = |source| ServerError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let service = open(settings, address).await?;
    let stopping = CancellationToken::new();
    let router = routes::router(&service);
    let stop = stopping.clone().cancelled_owned();
    let server =
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(stop).await },
        );
    let background = tokio::spawn(background(Arc::clone(&service), stopping.clone()));
    Ok(Running { service, address, stopping, server, background })
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
        due::run(&self.service).await.map_err(ServerError::Work)
    }

    /// Writes every mail that is queued now. The background does this too, at once.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn deliver_due(&self) -> Result<usize, ServerError> {
        mail::deliver_due(&self.service).await.map_err(ServerError::Work)
    }

    /// Sends no mail from now on: they are queued, and that is all.
    #[cfg(feature = "bench-floor")]
    pub fn send_no_mails(&self) {
        self.background.abort();
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
        let Self { service, address: _, stopping, server, background } = self;
        stopping.cancel();
        let abort = server.abort_handle();
        if tokio::time::timeout(STOP_WITHIN, server).await.is_err() {
            tracing::warn!("some requests were cut off at the stop");
            abort.abort();
        }
        if background.await.is_err() {
            tracing::error!("the background work had ended before the stop");
        }
        service.store.close().await;
    }
}

async fn open(
    settings: Settings,
    address: std::net::SocketAddr,
) -> Result<Arc<Service>, ServerError> {
    let Settings {
        listen: _,
        database,
        public_url,
        secret_key_file,
        spool,
        profiles,
        seed,
        request_log,
        confirm_plans,
        now,
    } = settings;
    let public_url = match public_url {
        Some(url) => url,
        None => Url::parse(&format!("http://{address}")).map_err(|_| ServerError::PublicUrl)?,
    };
    let host = public_host(&public_url)?;
    make_folder(&spool)?;
    if let Database::Sqlite(path) = &database
        && let Some(folder) = path.parent()
    {
        make_folder(folder)?;
    }
    let service = Arc::new(Service {
        store: Store::open(&database).await?,
        profiles,
        key: SecretKey::load(&secret_key_file)?,
        public_url: public_url.as_str().trim_end_matches('/').to_owned(),
        composer: Composer::new(&host)?,
        pages: Pages::new()?,
        spool: Spool::new(spool),
        ids: Ids::default(),
        passwords: Passwords::new(),
        confirm_plans,
        request_log: request_log.map(|path| RequestLog::open(&path)).transpose()?,
        metrics: Metrics::new(),
        mail_queued: tokio::sync::Notify::new(),
        now,
    });
    if let Some(seed) = seed {
        seed::load(&service, &seed).await?;
    }
    mail::settle_interrupted(&service).await.map_err(ServerError::Work)?;
    Ok(service)
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

/// Sends mails as they are queued and does what is due, until the stop; what is queued then still
/// goes out.
async fn background(service: Arc<Service>, stopping: CancellationToken) {
    let mut tick = tokio::time::interval(DUE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if let Err(error) = mail::deliver_due(&service).await {
            tracing::error!(error = &error as &dyn std::error::Error, "could not send mails");
        }
        tokio::select! {
            () = service.mail_queued.notified() => (),
            _ = tick.tick() => {
                if let Err(error) = due::run(&service).await {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "could not do what is due"
                    );
                }
            }
            () = stopping.cancelled() => break,
        }
    }
    if let Err(error) = mail::deliver_due(&service).await {
        tracing::error!(error = &error as &dyn std::error::Error, "could not send mails");
    }
}
