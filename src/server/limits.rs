//! How much one caller may ask for in a while, and how often a password may be tried.
//!
//! A caller is a token that has proved itself, else the network that the call comes from. What is
//! kept of a caller goes once its bucket is full again.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::server::error::ApiError;
use crate::server::ids;

/// How often what is not needed any more is let go.
pub(crate) const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Fewest calls that may come at once.
const LEAST_BURST: u32 = 10;

/// What one caller may do; `None` is without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one token, and of one network without a valid token, in a minute. A sixth of
    /// them may come at once.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tries to sign in or to sign up, from one network and for one e-mail address, in a minute.
    pub sign_ins_per_minute: Option<NonZeroU32>,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { requests_per_minute: None, sign_ins_per_minute: None };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: NonZeroU32::new(6000),
            sign_ins_per_minute: NonZeroU32::new(20),
        }
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// The hash of a token that was valid lately.
    Token(String),
    /// Anyone else in this network.
    Network(IpAddr),
}

/// What a try to sign in is counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Tried {
    From(IpAddr),
    /// The hash of an e-mail address.
    For(String),
}

/// Where a caller stands after a call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Calls that may come at once.
    pub quota: u32,
    /// Seconds in which so many come back.
    pub window: u64,
    /// Calls that may come now.
    pub left: u32,
    /// Seconds until all have come back.
    pub full_in: u64,
}

/// Counts calls and tries.
pub(crate) struct Limiter<C: Clock = DefaultClock> {
    requests: Option<Bucket<Caller, C>>,
    sign_ins: Option<Bucket<Tried, C>>,
    proved: Mutex<Proved>,
}

/// Hashes of tokens that were valid in this minute and in the one before.
#[derive(Default)]
struct Proved {
    now: BTreeSet<String>,
    before: BTreeSet<String>,
}

impl Limiter {
    /// Counts from nothing.
    pub fn new(limits: Limits) -> Self {
        Self::with_clock(limits, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limiter<C> {
    fn with_clock(limits: Limits, clock: &C) -> Self {
        let Limits { requests_per_minute, sign_ins_per_minute } = limits;
        Self {
            requests: requests_per_minute.map(|rate| Bucket::new(rate, clock.clone())),
            sign_ins: sign_ins_per_minute.map(|rate| Bucket::new(rate, clock.clone())),
            proved: Mutex::default(),
        }
    }

    /// Counts a request. `None` if there is no limit.
    pub fn request(&self, caller: &Caller) -> Result<Option<Allowance>, ApiError> {
        self.requests.as_ref().map(|bucket| bucket.take(caller)).transpose()
    }

    /// Where a caller stands that was refused for so long.
    pub fn nothing_left(&self, seconds: u64) -> Option<Allowance> {
        let (quota, window) = self.requests.as_ref()?.policy();
        Some(Allowance { quota, window, left: 0, full_in: seconds })
    }

    /// Counts a try to sign in or up that comes from this network.
    pub fn try_from(&self, network: IpAddr) -> Result<(), ApiError> {
        self.try_sign_in(&Tried::From(network))
    }

    /// Counts a try to sign in with this e-mail address, whether anyone has it or not.
    pub fn try_for(&self, address: &str) -> Result<(), ApiError> {
        self.try_sign_in(&Tried::For(ids::hash(address)))
    }

    fn try_sign_in(&self, tried: &Tried) -> Result<(), ApiError> {
        self.sign_ins.as_ref().map_or(Ok(()), |bucket| bucket.take(tried).map(|_| ()))
    }

    /// True if the token with this hash was valid lately.
    pub fn has_proved(&self, token: &str) -> bool {
        let proved = self.proved.lock().unwrap_or_else(PoisonError::into_inner);
        proved.now.contains(token) || proved.before.contains(token)
    }

    /// Notes that the token with this hash was valid, or was not.
    pub fn note(&self, token: &str, valid: bool) {
        let mut proved = self.proved.lock().unwrap_or_else(PoisonError::into_inner);
        if !valid {
            proved.now.remove(token);
            proved.before.remove(token);
        } else if !proved.now.contains(token) {
            proved.now.insert(token.to_owned());
        }
    }

    /// Lets go of callers that have not called for a while.
    pub fn tidy(&self) {
        let mut proved = self.proved.lock().unwrap_or_else(PoisonError::into_inner);
        proved.before = std::mem::take(&mut proved.now);
        drop(proved);
        self.requests.as_ref().inspect(|bucket| bucket.tidy());
        self.sign_ins.as_ref().inspect(|bucket| bucket.tidy());
    }
}

type Counts<K, C> = RateLimiter<K, DashMapStateStore<K>, C, StateInformationMiddleware>;

/// One limit, counted for each key by itself.
struct Bucket<K: Clone + Eq + Hash, C: Clock> {
    quota: Quota,
    clock: C,
    counts: Counts<K, C>,
}

impl<K: Clone + Eq + Hash, C: Clock + Clone> Bucket<K, C> {
    fn new(per_minute: NonZeroU32, clock: C) -> Self {
        let burst = (per_minute.get() / 6).max(LEAST_BURST.min(per_minute.get()));
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        let counts = RateLimiter::new(quota, DashMapStateStore::default(), clock.clone());
        Self { quota, clock, counts }
    }

    fn policy(&self) -> (u32, u64) {
        let quota = self.quota.burst_size().get();
        (quota, seconds(self.quota.replenish_interval() * quota))
    }

    fn take(&self, key: &K) -> Result<Allowance, ApiError> {
        let (quota, window) = self.policy();
        match self.counts.check_key(key) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                let full_in = seconds(self.quota.replenish_interval() * (quota - left));
                Ok(Allowance { quota, window, left, full_in })
            }
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                Err(ApiError::RateLimited { seconds: seconds(wait).max(1), mails: None })
            }
        }
    }

    fn tidy(&self) {
        self.counts.retain_recent();
        self.counts.shrink_to_fit();
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::{Allowance, Caller, Limiter, Limits};
    use crate::server::error::ApiError;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn limiter(requests: u32, sign_ins: u32) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let limits = Limits {
            requests_per_minute: NonZeroU32::new(requests),
            sign_ins_per_minute: NonZeroU32::new(sign_ins),
        };
        (Limiter::with_clock(limits, &clock), clock)
    }

    fn wait(limiter: &Limiter<FakeRelativeClock>, caller: &Caller) -> u64 {
        match limiter.request(caller) {
            Ok(_) => 0,
            Err(ApiError::RateLimited { seconds, .. }) => seconds,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_sixth_of_a_minute_may_come_at_once_and_comes_back_evenly() {
        let (limiter, clock) = limiter(600, 1);
        let token = Caller::Token("a".to_owned());
        let first = limiter.request(&token).unwrap().unwrap();
        assert_eq!(first, Allowance { quota: 100, window: 10, left: 99, full_in: 1 });
        assert!((1..100).all(|_| wait(&limiter, &token) == 0));
        assert_eq!(wait(&limiter, &token), 1);
        assert_eq!(wait(&limiter, &Caller::Token("b".to_owned())), 0, "each for itself");
        assert_eq!(wait(&limiter, &Caller::Network(HERE)), 0, "each for itself");
        clock.advance(Duration::from_secs(1));
        assert!((0..10).all(|_| wait(&limiter, &token) == 0));
        assert_eq!(wait(&limiter, &token), 1);
        clock.advance(Duration::from_mins(5));
        assert!((0..100).all(|_| wait(&limiter, &token) == 0), "not more than the burst");
        assert_eq!(wait(&limiter, &token), 1);
    }

    #[test]
    fn who_waits_as_long_as_was_said_is_let_through() {
        let (limiter, clock) = limiter(7, 1);
        let token = Caller::Token("a".to_owned());
        for _ in 0..50 {
            let wait = wait(&limiter, &token);
            clock.advance(Duration::from_secs(wait));
            assert_eq!(if wait == 0 { 0 } else { self::wait(&limiter, &token) }, 0);
        }
    }

    #[test]
    fn passwords_are_tried_so_often_for_one_address_and_so_often_from_one_network() {
        let (limiter, clock) = limiter(1, 20);
        assert!((0..10).all(|_| limiter.try_for("ana@example.com").is_ok()));
        assert!(limiter.try_for("ana@example.com").is_err());
        assert!(limiter.try_for("bo@example.com").is_ok() && limiter.try_from(HERE).is_ok());
        assert!((1..10).all(|_| limiter.try_from(HERE).is_ok()));
        assert!(limiter.try_from(HERE).is_err());
        clock.advance(Duration::from_secs(3));
        assert!(limiter.try_for("ana@example.com").is_ok() && limiter.try_from(HERE).is_ok());
        assert!(limiter.try_for("ana@example.com").is_err() && limiter.try_from(HERE).is_err());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let limiter = Limiter::new(Limits::NONE);
        assert!((0..10_000).all(|_| limiter.try_for("ana@example.com").is_ok()));
        assert_eq!(limiter.request(&Caller::Network(HERE)).unwrap(), None);
    }

    #[test]
    fn callers_that_are_gone_take_no_memory() {
        let (limiter, clock) = limiter(600, 20);
        let callers = |limiter: &Limiter<_>| limiter.requests.as_ref().unwrap().counts.len();
        let tried = |limiter: &Limiter<_>| limiter.sign_ins.as_ref().unwrap().counts.len();
        for n in 0..10_000_u32 {
            limiter.request(&Caller::Network(IpAddr::V4(n.into()))).unwrap();
            limiter.try_for(&format!("p{n}@example.com")).unwrap();
        }
        assert_eq!((callers(&limiter), tried(&limiter)), (10_000, 10_000));
        clock.advance(Duration::from_mins(1));
        limiter.request(&Caller::Network(HERE)).unwrap();
        limiter.tidy();
        assert_eq!((callers(&limiter), tried(&limiter)), (1, 0));
    }

    #[test]
    fn a_token_is_known_while_it_is_used_and_valid() {
        let (limiter, _) = limiter(600, 20);
        limiter.note("a", true);
        limiter.tidy();
        assert!(limiter.has_proved("a"), "used in the minute before");
        limiter.note("a", true);
        limiter.tidy();
        limiter.note("b", true);
        limiter.note("b", false);
        assert!(limiter.has_proved("a") && !limiter.has_proved("b"));
        limiter.tidy();
        assert!(!limiter.has_proved("a"), "not used for a minute");
    }
}
