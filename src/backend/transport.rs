//! One request, one answer: the narrow place below the account API client where faults are
//! injected. A transport never repeats a request: who sent a write decides about it.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response, Uri};
use reqwest::Certificate;
use reqwest::Client;
use reqwest::ClientBuilder;
use reqwest::redirect;
use reqwest::retry;
use rustls::crypto::CryptoProvider;
use thiserror::Error;
use tower::{Service, ServiceExt as _};
use url::{Host, Url};

/// Largest answer that is read. A page of 1 000 members takes about 0.5 MiB.
pub const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Time for name, connection and TLS; a host that drops packets is told from a slow service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections are closed before common servers close them (60 s and more), so that a write
/// is seldom sent into a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Carries one request to the service and its answer back.
///
/// The request's URI is a path with a query; the transport knows the host. Redirects are answers,
/// not followed: the token goes to the configured host only.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` once and reads the answer whole.
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError>;
}

/// Why there is no answer. The request may have arrived.
#[derive(Debug, Error)]
pub enum TransportError {
    /// No connection, or it broke before the whole answer was there.
    #[error("no whole answer came back")]
    Broken(#[source] Box<dyn StdError + Send + Sync>),
    /// The answer is over [`MAX_ANSWER_BYTES`]; the rest was not read.
    #[error("the answer is larger than 8 MiB")]
    TooLarge,
}

/// Why a transport could not be made from its settings.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A token must not travel in clear text over a network.
    #[error("the URL must be https, or http to a loopback address")]
    ClearText,
    /// The URL has parts that a base cannot have.
    #[error("the URL must have a host, and no user, query or fragment")]
    BaseUrl,
    /// The CA bundle holds no certificate that can be read.
    #[error("could not read the CA bundle as PEM certificates")]
    CaBundle(#[source] Option<reqwest::Error>),
    /// The TLS client could not be made.
    #[error("could not make the TLS client")]
    Client(#[source] reqwest::Error),
}

/// Speaks HTTP to a service over the network.
pub struct Reqwest {
    client: Client,
    /// Scheme, host and path prefix, without a slash at the end.
    base: String,
}

impl Reqwest {
    /// Prepares a client for `base`; connects when the first request is sent. With `ca_bundle`
    /// (PEM) only its certificates are trusted, else those of the system.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when the settings cannot work.
    pub fn new(base: &Url, ca_bundle: Option<&[u8]>) -> Result<Self, SetupError> {
        let loopback = is_loopback(base);
        match base.scheme() {
            "https" => (),
            "http" if loopback => (),
            _ => return Err(SetupError::ClearText),
        }
        let extra = !base.username().is_empty()
            || base.password().is_some()
            || base.query().is_some()
            || base.fragment().is_some();
        if extra || base.host().is_none() {
            return Err(SetupError::BaseUrl);
        }
        let mut builder = client();
        if loopback {
            builder = builder.no_proxy();
        }
        if let Some(pem) = ca_bundle {
            builder = builder.tls_certs_only(certificates(pem)?);
        }
        let client = builder.build().map_err(SetupError::Client)?;
        Ok(Self { client, base: base.as_str().trim_end_matches('/').to_owned() })
    }
}

/// The settings that are the same for every service. Of all retries one is left that cannot be
/// switched off and does no harm: a request that found its kept connection closed before a byte of
/// it was written goes out on a new one.
fn client() -> ClientBuilder {
    if CryptoProvider::get_default().is_none() {
        // Another thread may be faster; then there is a provider, which is all that is needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Client::builder()
        .user_agent(concat!("seatkeeper/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, SetupError> {
    let found = Certificate::from_pem_bundle(pem).map_err(|e| SetupError::CaBundle(Some(e)))?;
    if found.is_empty() { Err(SetupError::CaBundle(None)) } else { Ok(found) }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[async_trait]
impl Transport for Reqwest {
    async fn send(
        &self,
        mut request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, TransportError> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", self.base).parse::<Uri>().map_err(broken)?;
        let request = reqwest::Request::try_from(request).map_err(without_url)?;
        let mut answer = self.client.execute(request).await.map_err(without_url)?;

        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(without_url)? {
            if response.body().len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(TransportError::TooLarge);
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

fn broken(error: impl StdError + Send + Sync + 'static) -> TransportError {
    TransportError::Broken(Box::new(error))
}

/// URLs name accounts and members; the caller says what was tried.
fn without_url(error: reqwest::Error) -> TransportError {
    broken(error.without_url())
}

/// Calls a service in this process, without a socket: `InProcess(router)`.
pub struct InProcess<S>(pub S);

#[async_trait]
impl<S> Transport for InProcess<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    S::Future: Send,
{
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let service = self.0.clone();
        let answer = service
            .oneshot(request.map(Body::from))
            .await
            .map_err(|error| TransportError::Broken(error.into()))?;
        let (head, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, MAX_ANSWER_BYTES)
            .await
            .map_err(|_| TransportError::TooLarge)?;
        Ok(Response::from_parts(head, bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use http::Request;
    use url::Url;

    use super::{InProcess, MAX_ANSWER_BYTES, Reqwest, Transport as _, TransportError};

    #[tokio::test]
    async fn a_service_in_this_process_answers_without_a_socket() {
        let router = Router::new()
            .route("/small", get(|| async { "ok" }))
            .route("/large", get(|| async { vec![0; MAX_ANSWER_BYTES + 1] }));
        let transport = InProcess(router);
        let ask = |path| transport.send(Request::get(path).body(Vec::new()).unwrap());
        assert_eq!(ask("/small").await.unwrap().body(), b"ok");
        assert_eq!(ask("/nowhere").await.unwrap().status(), 404);
        assert!(matches!(ask("/large").await, Err(TransportError::TooLarge)));
    }

    fn check(url: &str, ca_bundle: Option<&[u8]>) -> String {
        match Reqwest::new(&Url::parse(url).unwrap(), ca_bundle) {
            Ok(transport) => transport.base,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn a_token_travels_in_clear_text_to_loopback_only() {
        assert_eq!(check("http://127.0.0.1:8080/", None), "http://127.0.0.1:8080");
        assert_eq!(check("http://[::1]:8080", None), "http://[::1]:8080");
        assert_eq!(check("http://localhost/api/", None), "http://localhost/api");
        assert_eq!(check("https://accounts.example.com", None), "https://accounts.example.com");
        for url in
            ["http://accounts.example.com", "http://10.0.0.1", "http://localhost.example.com"]
        {
            assert!(check(url, None).contains("must be https"), "{url} was taken");
        }
    }

    #[test]
    fn a_base_url_is_nothing_but_a_place() {
        for url in ["https://a:b@example.com", "https://example.com/?q", "https://example.com/#f"] {
            assert!(check(url, None).contains("no user, query or fragment"), "{url} was taken");
        }
    }

    #[test]
    fn a_ca_bundle_without_a_certificate_is_refused() {
        for pem in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let said = check("https://example.com", Some(pem.as_bytes()));
            assert!(said.starts_with("error:"), "{pem:?} was taken");
        }
    }
}
