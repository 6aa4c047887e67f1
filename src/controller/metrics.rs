//! Figures of the operator. Labels are words of closed sets, never names of objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
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
    pending: Family<Labels<1>, Gauge>,
    drift: Family<Labels<1>, Gauge>,
    mails: Family<Labels<1>, Counter>,
    oldest_look: Gauge,
    depth: Gauge,
    wait: Histogram,
    in_flight: Gauge,
    /// What each account adds to the sums.
    accounts: Arc<Mutex<BTreeMap<Name, Share>>>,
    /// When each account was looked at last.
    looks: Arc<Mutex<BTreeMap<Name, Timestamp>>>,
}

/// What one account adds to the sums over all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Actions held, by rule.
    pub held: BTreeMap<&'static str, i64>,
    /// Seats, by what they are: used, free, limit, queued, trimmed.
    pub seats: BTreeMap<&'static str, i64>,
    /// Invitations that wait, by age.
    pub pending: BTreeMap<&'static str, i64>,
    /// What differs between declared and seen, by kind of difference.
    pub drift: BTreeMap<&'static str, i64>,
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
            pending: Family::default(),
            drift: Family::default(),
            mails: Family::default(),
            oldest_look: Gauge::default(),
            depth: Gauge::default(),
            wait: Histogram::new(exponential_buckets(0.005, 2.0, 18)),
            in_flight: Gauge::default(),
            accounts: Arc::default(),
            looks: Arc::default(),
        };
        metrics.register(registry);
        metrics
    }

    fn register(&self, registry: &Registry) {
        let Self {
            reconciles,
            duration,
            calls,
            polls,
            held,
            seats,
            pending,
            drift,
            mails,
            oldest_look,
            depth,
            wait,
            in_flight,
            accounts: _,
            looks: _,
        } = self;
        registry.register("reconciles", "Reconciles of accounts, by result", reconciles);
        registry.register("reconcile_duration_seconds", "Time of one reconcile", duration);
        registry.register("backend_calls", "Calls to account services, by outcome", calls);
        registry.register("feed_polls", "Polls of the feeds of changes, by outcome", polls);
        registry.register("held_actions", "Actions that a rule holds back", held);
        registry.register("seats", "Seats of all accounts", seats);
        registry.register("queue_depth", "Accounts that wait for their turn", depth);
        registry.register("pending_invitations", "Invitations that wait, by age", pending);
        registry.register("drift", "What differs between declared and seen", drift);
        registry.register("mails", "Mails sent, by the action that sent them", mails);
        let help = "When the account that waits longest was looked at last; 0 without accounts";
        registry.register("oldest_look_timestamp_seconds", help, oldest_look);
        registry.register("queue_wait_seconds", "Time that one account waited for its turn", wait);
        registry.register("reconciles_in_flight", "Reconciles that run now", in_flight);
    }

    /// An action sent a mail.
    pub fn mailed(&self, kind: &'static str) {
        self.mails.get_or_create(&[("kind", kind)]).inc();
    }

    /// One account waited so long for its turn.
    pub fn waited(&self, wait: Duration) {
        self.wait.observe(wait.as_secs_f64());
    }

    /// An account was looked at.
    pub fn looked(&self, account: &Name, at: Timestamp) {
        self.looks(|looks| {
            looks.insert(account.clone(), at);
        });
    }

    /// An account is to be looked at; it counts from now unless it was looked at before.
    pub fn is_looked_after(&self, account: &Name, now: Timestamp) {
        self.looks(|looks| {
            looks.entry(account.clone()).or_insert(now);
        });
    }

    /// An account is not to be looked at any more: it is gone, or its declaration is not valid.
    pub fn forget_look(&self, account: &Name) {
        self.looks(|looks| {
            looks.remove(account);
        });
    }

    fn looks(&self, change: impl FnOnce(&mut BTreeMap<Name, Timestamp>)) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut looks);
        self.oldest_look.set(looks.values().min().map_or(0, |at| at.as_second()));
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
        self.looks(BTreeMap::clear);
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
        shift(&self.pending, "age", &old.pending, &new.pending);
        shift(&self.drift, "kind", &old.drift, &new.drift);
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

    use jiff::Timestamp;

    use super::{Metrics, Share};
    use crate::controller::cache::Name;
    use crate::telemetry::Registry;

    #[test]
    fn the_oldest_look_is_that_of_the_account_that_waits_longest() {
        let registry = Registry::default();
        let metrics = Metrics::new(&registry);
        let [first, second] = ["acme", "other"].map(|name| Name::new("web", name));
        let [one, two, three] = [100, 200, 300].map(|at| Timestamp::from_second(at).unwrap());
        let oldest = |is: i64| {
            let text = registry.text();
            let line = format!("seatkeeper_oldest_look_timestamp_seconds {is}\n");
            assert!(text.contains(&line), "{text}");
        };
        oldest(0);
        metrics.is_looked_after(&first, one);
        metrics.looked(&second, two);
        oldest(100);
        metrics.looked(&first, three);
        metrics.is_looked_after(&first, one);
        oldest(200);
        metrics.forget_look(&second);
        oldest(300);
    }

    #[test]
    fn sums_follow_the_accounts_and_name_none_of_them() {
        let registry = Registry::default();
        let metrics = Metrics::new(&registry);
        let share = |used| Share {
            held: [("RemovalHeld", used)].into(),
            seats: [("used", used)].into(),
            ..Share::default()
        };
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

    #[test]
    fn who_stands_by_counts_no_account() {
        let registry = Registry::default();
        let metrics = Metrics::new(&registry);
        let acme = Name::new("web", "acme");
        let share = Share { seats: [("used", 3)].into(), ..Share::default() };
        metrics.share(&acme, Some(share));
        metrics.looked(&acme, "2026-11-23T06:00:00Z".parse().unwrap());
        metrics.began();
        metrics.forget();
        let text = registry.text();
        assert!(text.contains("seatkeeper_seats{kind=\"used\"} 0\n"), "{text}");
        assert!(text.contains("seatkeeper_oldest_look_timestamp_seconds 0\n"), "{text}");
        assert!(text.contains("seatkeeper_reconciles_in_flight 0\n"), "{text}");
    }
}
