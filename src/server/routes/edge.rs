//! The outermost layer: request id, deadline, panics, the form of errors, log, figures.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, DATE, REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::server::Service;
use crate::server::error::{ApiError, Failure};
use crate::server::pages;
use crate::server::request_log::Line;
use crate::server::routes::{limit, path};
use crate::wire::PROBLEM_JSON;

/// How long a request may take.
const DEADLINE: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps every route.
pub(crate) async fn edge(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let id = format!("req_{}", service.ids.next_ulid(service.now()));
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_default();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());

    let impossible = has_nul(request.uri());
    let answered = async {
        if impossible { ApiError::NotFound.into_response() } else { next.run(request).await }
    };
    let answered = AssertUnwindSafe(answered).catch_unwind();
    let mut response = match tokio::time::timeout(DEADLINE, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => ApiError::Panicked.into_response(),
        Err(_late) => ApiError::Deadline.into_response(),
    };
    if let Some(error) = take_error(&response) {
        report(&error, &id, &route);
        let mut rendered = render(&service, error, &id, &method, &path);
        limit::carry(response.headers(), rendered.headers_mut());
        response = rendered;
    }
    protect(response.headers_mut());
    date(service.now(), response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    note(&service, &method, &route, &path, response.status(), &id);
    response
}

/// True if programs call this path; the others are for people.
pub(crate) fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Nothing that the service knows has a NUL, and PostgreSQL takes none. Queries of the API are
/// refused with their place instead.
fn has_nul(uri: &Uri) -> bool {
    let said = if is_api(uri.path()) { None } else { uri.query() };
    [Some(uri.path()), said].into_iter().flatten().any(|text| text.contains("%00"))
}

fn take_error(response: &Response) -> Option<ApiError> {
    let Failure(slot) = response.extensions().get::<Failure>()?;
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Only what is ours to mend goes to the log, with its causes.
fn report(error: &ApiError, id: &str, route: &str) {
    if error.kind().status.is_server_error() {
        let error = error as &dyn std::error::Error;
        tracing::error!(request.id = id, route, error, "a request failed");
    }
}

/// When the answer was made, by the clock that all its times are of (RFC 9110, 6.6.1).
fn date(now: Timestamp, headers: &mut HeaderMap) {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Some(value) = text.ok().and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(DATE, value);
    }
}

/// Links are credentials and lists name people: no cache keeps an answer, and no other site hears
/// where the browser was.
fn protect(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Problem details for programs, a page for people; with the time to wait, if waiting helps.
fn render(service: &Service, error: ApiError, id: &str, method: &Method, path: &str) -> Response {
    let wait = match error {
        ApiError::RateLimited { seconds, .. } => Some(seconds),
        _ => error.kind().retryable.then_some(1),
    };
    let mut response =
        if is_api(path) { problem(error, id) } else { page(service, &error, method, path) };
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

fn page(service: &Service, error: &ApiError, method: &Method, path: &str) -> Response {
    if matches!(error, ApiError::Unauthenticated) {
        let back = if *method == Method::GET { path } else { "/" };
        return pages::go_to(&pages::sign_in_path(back));
    }
    service.pages.error(error.kind().status, error)
}

fn problem(error: ApiError, id: &str) -> Response {
    let status = error.kind().status;
    let body = serde_json::to_string(&error.problem(id.to_owned())).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn note(service: &Service, method: &Method, route: &str, path: &str, status: StatusCode, id: &str) {
    let class = match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    service.metrics.requests.get_or_create(&vec![("status", class)]).inc();
    // A link is a credential, what matched nothing may hold one too, and what is no id may be an
    // address.
    let secret = route.is_empty() || route.contains("{token}");
    let plain = path.split('/').skip(1).all(path::is_key);
    let path = if secret || !plain { route } else { path };
    tracing::debug!(request.id = id, %method, route, status = status.as_u16(), "answered");
    if let Some(log) = &service.request_log {
        let (at, method, status) = (service.now(), method.as_str(), status.as_u16());
        log.write(&Line { at, method, route, path, status, request_id: id });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::pending;
    use std::net::SocketAddr;
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use axum::Router;
    use axum::body::{Body, Bytes, to_bytes};
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use jiff::Timestamp;
    use tempfile::TempDir;
    use tokio::time::Instant;
    use tower::ServiceExt as _;

    use super::{DEADLINE, edge};
    use crate::server::{
        ConfirmPlans, Database, Dns, InviteLimits, Limits, MailSettings, Service, Settings, run,
    };

    async fn service(folder: &TempDir) -> Arc<Service> {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            max_connections: NonZeroU32::MIN,
            trusted_proxies: Vec::new(),
            limits: Limits::NONE,
            database: Database::Sqlite(folder.path().join("seatkeeper.db")),
            public_url: None,
            secret_key_file: folder.path().join("secret.key"),
            mail: MailSettings::Spool(folder.path().join("spool")),
            profiles: BTreeMap::new(),
            seed: None,
            request_log: None,
            confirm_plans: ConfirmPlans::Vendor,
            dns: Arc::new(Dns::of_the_system()),
            invite_limits: InviteLimits {
                per_account_hour: NonZeroU32::MIN,
                per_address_day: NonZeroU32::MIN,
            },
            audit_retention: None,
            now: Arc::new(|| Timestamp::from_second(1_800_000_000).unwrap()),
        };
        run::open(settings, "http://127.0.0.1").await.unwrap()
    }

    async fn never() -> StatusCode {
        pending().await
    }

    async fn panics() -> StatusCode {
        panic!("the panic that this test asks for")
    }

    async fn reads(body: Bytes) -> String {
        body.len().to_string()
    }

    /// Routes under the layer; from here on time passes only where everything waits.
    async fn stand(folder: &TempDir) -> Router {
        let service = service(folder).await;
        let routes = || {
            Router::new()
                .route("/never", get(never))
                .route("/panics", get(panics))
                .route("/reads", get(reads))
        };
        tokio::time::pause();
        routes().nest("/v1", routes()).layer(from_fn_with_state(service, edge))
    }

    /// Status, type and text of the answer, and whether it took as long as the deadline.
    async fn answer(router: &Router, request: Request) -> (StatusCode, String, String, bool) {
        let began = Instant::now();
        let response = router.clone().oneshot(request).await.unwrap();
        let late = began.elapsed() >= DEADLINE;
        assert!(response.headers().contains_key("x-request-id"));
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let status = response.status();
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, kind, String::from_utf8(text.to_vec()).unwrap(), late)
    }

    fn get_of(path: &str, body: Body) -> Request {
        Request::get(path).body(body).unwrap()
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_answered_at_the_deadline() {
        let folder = TempDir::new().unwrap();
        let router = stand(&folder).await;
        let (status, kind, text, late) = answer(&router, get_of("/v1/never", Body::empty())).await;
        assert_eq!((status.as_u16(), kind.as_str()), (503, "application/problem+json"));
        assert!(text.contains("\"code\":\"deadline\"") && late, "{text}");
        let (status, kind, text, late) = answer(&router, get_of("/never", Body::empty())).await;
        assert_eq!((status.as_u16(), kind.as_str()), (503, "text/html; charset=utf-8"));
        assert!(text.contains("The service could not do this") && late, "{text}");
    }

    #[tokio::test]
    async fn a_body_that_comes_too_slowly_holds_its_request_no_longer_than_the_deadline() {
        let folder = TempDir::new().unwrap();
        let router = stand(&folder).await;
        let body = || {
            let bytes = futures::stream::unfold(0, |sent| async move {
                tokio::time::sleep(DEADLINE / 10).await;
                Some((Ok::<_, std::io::Error>("a"), sent + 1))
            });
            Body::from_stream(bytes)
        };
        let (status, _, text, late) = answer(&router, get_of("/v1/reads", body())).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("\"code\":\"deadline\"") && late, "{text}");
        let (status, _, text, late) = answer(&router, get_of("/v1/reads", Body::from("abc"))).await;
        assert_eq!((status, text.as_str(), late), (StatusCode::OK, "3", false));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_says_nothing_of_the_inside() {
        let folder = TempDir::new().unwrap();
        let router = stand(&folder).await;
        let (status, kind, text, late) = answer(&router, get_of("/v1/panics", Body::empty())).await;
        assert_eq!((status.as_u16(), kind.as_str()), (500, "application/problem+json"));
        assert!(text.contains("\"code\":\"internal\"") && !late, "{text}");
        assert!(!text.contains("asks for"), "{text}");
        let (status, kind, text, _) = answer(&router, get_of("/panics", Body::empty())).await;
        assert_eq!((status.as_u16(), kind.as_str()), (500, "text/html; charset=utf-8"));
        assert!(!text.contains("asks for"), "{text}");
    }
}
