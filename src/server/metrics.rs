//! Figures of the service for Prometheus. Labels come from closed lists: routes, statuses, words.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::telemetry::Registry;

/// Labels of closed words.
type Labels = Vec<(&'static str, &'static str)>;

/// The figures.
pub(crate) struct Metrics {
    /// Where they are collected.
    pub registry: Registry,
    /// Requests by class of status.
    pub requests: Family<Labels, Counter>,
    /// Mails by outcome.
    pub mails: Family<Labels, Counter>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let registry = Registry::default();
        let (requests, mails) = (Family::default(), Family::default());
        registry.register("server_requests", "Requests answered", &requests);
        registry.register("server_mails", "Mails that left the outbox", &mails);
        Self { registry, requests, mails }
    }
}
