//! Figures of the operator. Labels are words of closed sets, never names of objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::controller::cache::Name;
use crate::telemetry::Registry;

/// One label.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The operator's figures. Copies share the same figures.
#[derive(Clone)]
pub struct Metrics {
    reconciles: Family<Labels<1>, Counter>,
    duration: Histogram,
    calls: Family<Labels<2>, Counter>,
    polls: Family<Labels<1>, Counter>,
    held: Family<Labels<1>, Gauge>,
    seats: Family<Labels<1>, Gauge>,
    depth: Gauge,
    in_flight: Gauge,
    /// What each account adds to the sums.
    accounts: Arc<Mutex<BTreeMap<Name, Share>>>,
}

/// What one account adds to the sums over all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Actions held, by rule.
    pub held: BTreeMap<&'static str, i64>,
    /// Seats, by what they are: used, limit, queued, trimmed.
    pub seats: BTreeMap<&'static str, i64>,
}

impl Metrics {
    /// Makes the figures and adds them to `registry`.
    pub fn new(registry: &Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            duration: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            calls: Family::default(),
            polls: Family::default(),
            held: Family::default(),
            seats: Family::default(),
            depth: Gauge::default(),
            in_flight: Gauge::default(),
            accounts: Arc::default(),
        };
        let Self { reconciles, duration, calls, polls, held, seats, depth, in_flight, accounts: _ } =
            &metrics;
        registry.register("reconciles", "Reconciles of accounts, by result", reconciles);
        registry.register("reconcile_duration_seconds", "Time of one reconcile", duration);
        registry.register("backend_calls", "Calls to account services, by outcome", calls);
        registry.register("feed_polls", "Polls of the feeds of changes, by outcome", polls);
        registry.register("held_actions", "Actions that a rule holds back", held);
        registry.register("seats", "Seats of all accounts", seats);
        registry.register("queue_depth", "Accounts that wait for their turn", depth);
        registry.register("reconciles_in_flight", "Reconciles that run now", in_flight);
        metrics
    }

    /// One reconcile began.
    pub fn began(&self) {
        self.in_flight.inc();
    }

    /// One reconcile ended with `result`: `ok`, or the reason of its failure.
    pub fn ended(&self, result: &'static str, took: Duration) {
        self.in_flight.dec();
        self.reconciles.get_or_create(&[("result", result)]).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// One call to an account service ended.
    pub fn called(&self, call: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&[("call", call), ("outcome", outcome)]).inc();
    }

    /// One poll of a feed of changes ended.
    pub fn polled(&self, outcome: &'static str) {
        self.polls.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// So many accounts wait.
    pub fn waiting(&self, accounts: usize) {
        self.depth.set(i64::try_from(accounts).unwrap_or(i64::MAX));
    }

    /// All accounts are somebody else's now, and nothing runs: what was cut off did not say so.
    pub fn forget(&self) {
        self.in_flight.set(0);
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<Name> = accounts.keys().cloned().collect();
        drop(accounts);
        names.iter().for_each(|name| self.share(name, None));
    }

    /// Takes over what one account adds to the sums; `None`: it is gone.
    pub fn share(&self, account: &Name, share: Option<Share>) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let old = match share.clone() {
            Some(share) => accounts.insert(account.clone(), share),
            None => accounts.remove(account),
        };
        drop(accounts);
        let old = old.unwrap_or_default();
        let new = share.unwrap_or_default();
        shift(&self.held, "rule", &old.held, &new.held);
        shift(&self.seats, "kind", &old.seats, &new.seats);
    }
}

/// Moves sums by the difference between two shares.
fn shift(
    sums: &Family<Labels<1>, Gauge>,
    label: &'static str,
    old: &BTreeMap<&'static str, i64>,
    new: &BTreeMap<&'static str, i64>,
) {
    for (word, value) in old {
        sums.get_or_create(&[(label, word)]).dec_by(*value);
    }
    for (word, value) in new {
        sums.get_or_create(&[(label, word)]).inc_by(*value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Metrics, Share};
    use crate::controller::cache::Name;
    use crate::telemetry::Registry;

    #[test]
    fn sums_follow_the_accounts_and_name_none_of_them() {
        let registry = Registry::default();
        let metrics = Metrics::new(&registry);
        let share =
            |used| Share { held: [("RemovalHeld", used)].into(), seats: [("used", used)].into() };
        metrics.share(&Name::new("web", "acme"), Some(share(3)));
        metrics.share(&Name::new("web", "other"), Some(share(4)));
        metrics.share(&Name::new("web", "acme"), Some(share(1)));
        metrics.began();
        metrics.ended("ok", Duration::from_millis(20));
        let text = registry.text();
        assert!(text.contains("seatkeeper_seats{kind=\"used\"} 5\n"), "{text}");
        assert!(text.contains("seatkeeper_held_actions{rule=\"RemovalHeld\"} 5\n"), "{text}");
        assert!(text.contains("seatkeeper_reconciles_total{result=\"ok\"} 1\n"), "{text}");
        metrics.share(&Name::new("web", "other"), None);
        let text = registry.text();
        assert!(text.contains("seatkeeper_seats{kind=\"used\"} 1\n"), "{text}");
        assert!(!text.contains("acme") && !text.contains("web"), "{text}");
    }
}
