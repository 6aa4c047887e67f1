//! Logs, the metrics registry, `/livez`, `/readyz` and `/metrics`; for server and operator.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Metric;
use tracing_subscriber::EnvFilter;

/// How long `/readyz` waits for what it asks; whoever probes does not wait for ever either.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("the log filter cannot be read")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// Logs were started before.
    #[error("logs are started already")]
    Started(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The filter, with the lines of `target` unless it speaks of them itself.
#[must_use]
pub fn always_with(filter: &str, target: &str) -> String {
    if filter.contains(target) {
        return filter.to_owned();
    }
    format!("{filter},{target}=info")
}

/// Starts logs on standard error. `filter` as in `info,seatkeeper=debug`.
///
/// # Errors
///
/// [`TelemetryError`] when the filter cannot be read, or logs were started before.
pub fn start_logs(filter: &str, format: LogFormat, colour: bool) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter).map_err(TelemetryError::Filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(TelemetryError::Started)
}

/// Figures for Prometheus. Copies share the same figures.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<prometheus_client::registry::Registry>>);

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// Adds a figure; its name gets the prefix `seatkeeper_`.
    pub fn register(&self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(format!("seatkeeper_{name}"), help, metric.clone());
    }

    /// All figures in the text form of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if encode(&mut text, &registry).is_err() {
            text.clear();
            // Writing to a string does not fail.
            let _ = writeln!(text, "# figures could not be written");
        }
        text
    }
}

/// Says whether the process can do its work now.
pub type Readiness = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// `/livez` (the process runs), `/readyz` (`ready` says so) and `/metrics`.
pub fn probes(ready: Readiness, registry: Registry) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(move || answer_ready(ready.clone())))
        .route("/metrics", get(move || answer_metrics(registry.clone())))
}

async fn answer_ready(ready: Readiness) -> impl IntoResponse {
    let ready = tokio::time::timeout(READY_WITHIN, ready()).await;
    if ready == Ok(true) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn answer_metrics(registry: Registry) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], registry.text())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt as _;

    use super::{Readiness, Registry, probes};

    async fn ready(ready: Readiness) -> StatusCode {
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        probes(ready, Registry::default()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_say_that_it_is_ready_is_not() {
        let says = |word| -> Readiness { Arc::new(move || Box::pin(async move { word })) };
        assert_eq!(ready(says(true)).await, StatusCode::OK);
        assert_eq!(ready(says(false)).await, StatusCode::SERVICE_UNAVAILABLE);
        let silent: Readiness = Arc::new(|| Box::pin(std::future::pending()));
        assert_eq!(ready(silent).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
