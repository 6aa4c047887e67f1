//! The outermost layer: request id, deadline, panics, the form of errors, log, figures.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;

use crate::server::Service;
use crate::server::error::{ApiError, Failure};
use crate::server::pages;
use crate::server::request_log::Line;
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

    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(DEADLINE, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => ApiError::Panicked.into_response(),
        Err(_late) => ApiError::Deadline.into_response(),
    };
    if let Some(error) = take_error(&response) {
        report(&error, &id, &route);
        response = render(&service, error, &id, &method, &path);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    note(&service, &method, &route, &path, response.status(), &id);
    response
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

/// Problem details for programs, a page for people.
fn render(service: &Service, error: ApiError, id: &str, method: &Method, path: &str) -> Response {
    let status = error.kind().status;
    if !path.starts_with("/v1") {
        if matches!(error, ApiError::Unauthenticated) {
            let back = if *method == Method::GET { path } else { "/" };
            return pages::go_to(&pages::sign_in_path(back));
        }
        return service.pages.error(status, &error);
    }
    let retryable = error.kind().retryable;
    let body = serde_json::to_string(&error.problem(id.to_owned())).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if retryable {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
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
    // A link is a credential, and what matched nothing may hold one too.
    let secret = route.is_empty() || route.contains("{token}");
    let path = if secret { route } else { path };
    tracing::debug!(request.id = id, %method, route, status = status.as_u16(), "answered");
    if let Some(log) = &service.request_log {
        let (at, method, status) = (service.now(), method.as_str(), status.as_u16());
        log.write(&Line { at, method, route, path, status, request_id: id });
    }
}
