//! The socket: TLS, bounds on what a client may hold, and the stop.

mod door;
mod guarded;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::error::ServerError;

pub(crate) use door::Door;
pub use tls::TlsFiles;

/// How long a client may take for the head of a request, and how long a connection may idle.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Most header lines of a request.
const MAX_HEADERS: usize = 100;

/// How long requests under way may take when the service stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A bound socket that does not answer yet.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<tls::Tls>,
}

impl Listener {
    /// Binds the address and reads the files of TLS.
    pub async fn bind(listen: SocketAddr, files: Option<&TlsFiles>) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Listen { address: listen, source };
        let tls = match files {
            Some(files) => Some(tls::Tls::load(files).await?),
            None => None,
        };
        let socket = TcpListener::bind(listen).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Answers until the stop: then no new requests, and those under way end soon or are cut.
    pub async fn serve(
        self,
        router: Router,
        door: Door,
        stopping: CancellationToken,
    ) -> io::Result<()> {
        let handle = Handle::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = Server::from_listener(self.socket).handle(handle.clone());
        let stop = async {
            stopping.cancelled().await;
            handle.graceful_shutdown(Some(STOP_WITHIN));
        };
        let ended = match self.tls {
            None => tokio::join!(bounded(server.acceptor(door)).serve(service), stop).0,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls.config()).acceptor(door);
                let serve = bounded(server.acceptor(acceptor)).serve(service);
                tokio::join!(serve, stop, tls.follow(stopping.clone())).0
            }
        };
        if handle.connection_count() > 0 {
            tracing::warn!("some requests were cut off at the stop");
        }
        ended
    }
}

/// HTTP/1.1 with bounds.
fn bounded<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    server
}
