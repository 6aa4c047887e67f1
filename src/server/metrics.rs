//! Figures of the service for Prometheus. Labels come from closed lists: routes, statuses, words.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

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
    /// Passwords hashed: one for each that is tried, whether anyone has the address or not.
    pub passwords: Counter,
    /// Open connections.
    pub connections: Gauge,
    /// Connections refused for want of a place.
    pub refused_connections: Counter,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let registry = Registry::default();
        let (requests, mails) = (Family::default(), Family::default());
        registry.register("server_requests", "Requests answered", &requests);
        registry.register("server_mails", "Mails that left the outbox", &mails);
        let (passwords, refused_connections) = (Counter::default(), Counter::default());
        let connections = Gauge::default();
        registry.register("server_passwords", "Passwords hashed", &passwords);
        registry.register("server_connections", "Open connections", &connections);
        let refused = "Connections refused for want of a place";
        registry.register("server_refused_connections", refused, &refused_connections);
        Self { registry, requests, mails, passwords, connections, refused_connections }
    }
}
