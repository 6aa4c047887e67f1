//! Figures of the lease.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::telemetry::Registry;

/// Whether we lead, and how writing the Lease goes.
pub struct Figures {
    leader: Gauge,
    writes: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Figures {
    /// Makes the figures and adds them to `registry`.
    pub fn new(registry: &Registry) -> Self {
        let figures = Self { leader: Gauge::default(), writes: Family::default() };
        registry.register("leader", "1 while this process acts, else 0", &figures.leader);
        registry.register("lease_renewals", "Writes of the Lease, by outcome", &figures.writes);
        figures
    }

    /// Whether we lead.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// A write of the Lease ended: `ok`, `conflict` (somebody else wrote it) or `failed`.
    pub fn wrote(&self, outcome: &'static str) {
        self.writes.get_or_create(&[("outcome", outcome)]).inc();
    }
}
