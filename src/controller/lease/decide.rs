//! Who leads, by what the Lease says. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// What a Lease said, and since when we see it say so. Clocks of others count for nothing: a holder
/// lives as long as what it writes changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    spec: LeaseSpec,
    since: Instant,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write our name into the Lease.
    Take,
    /// Another holds it.
    Wait {
        /// Who.
        holder: String,
        /// When it is over, unless it is renewed.
        rest: Duration,
    },
}

impl Seen {
    /// The Lease says `spec` now; `last`: what it said before.
    pub fn now(last: Option<Self>, spec: &LeaseSpec, now: Instant) -> Self {
        match last {
            Some(last) if last.spec == *spec => last,
            _ => Self { spec: spec.clone(), since: now },
        }
    }
}

/// Whether `me` may write its name into the Lease. A Lease that is gone counts as it was seen last: its
/// holder may not know yet. `lasts`: how long one holds that does not say it.
pub fn decide(seen: Option<&Seen>, me: &str, lasts: Duration, now: Instant) -> Decision {
    let Some(Seen { spec, since }) = seen else { return Decision::Take };
    let Some(holder) = holder(spec).filter(|holder| *holder != me) else { return Decision::Take };
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let lasts = seconds.filter(|seconds| *seconds > 0).map_or(lasts, Duration::from_secs);
    let rest = lasts.saturating_sub(now.saturating_duration_since(*since));
    if rest.is_zero() {
        return Decision::Take;
    }
    Decision::Wait { holder: holder.to_owned(), rest }
}

/// Who holds the Lease.
pub fn holder(spec: &LeaseSpec) -> Option<&str> {
    spec.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// The Lease with `me` as its holder, at `now` by our clock.
pub fn held(old: &LeaseSpec, me: &str, lasts: Duration, now: Timestamp) -> LeaseSpec {
    let same = holder(old) == Some(me);
    let now = MicroTime(unlike(old, now));
    let acquired = old.acquire_time.clone().filter(|_| same);
    let before = old.lease_transitions.unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(lasts.as_secs()).ok(),
        acquire_time: acquired.or_else(|| Some(now.clone())),
        renew_time: Some(now),
        lease_transitions: Some(before.saturating_add(i32::from(!same))),
        ..old.clone()
    }
}

/// The Lease without a holder.
pub fn released(old: &LeaseSpec, now: Timestamp) -> LeaseSpec {
    let now = unlike(old, now);
    LeaseSpec { holder_identity: None, renew_time: Some(MicroTime(now)), ..old.clone() }
}

/// A time that differs from that of the last renewal, also where the clock stands still: others see by
/// the difference that the holder lives.
fn unlike(old: &LeaseSpec, now: Timestamp) -> Timestamp {
    let last = old.renew_time.as_ref().map(|time| time.0.as_microsecond());
    if last == Some(now.as_microsecond()) { now + Duration::from_micros(1) } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(15);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn lease(holder: &str, renewed: i64) -> LeaseSpec {
        held(&LeaseSpec::default(), holder, LASTS, at(renewed))
    }

    /// Who decides what after `waited` seconds of seeing the same.
    fn check(spec: &LeaseSpec, waited: u64) -> String {
        let since = Instant::now();
        let seen = Seen::now(None, spec, since);
        match decide(Some(&seen), "me", LASTS, since + Duration::from_secs(waited)) {
            Decision::Take => "take".to_owned(),
            Decision::Wait { holder, rest } => format!("{holder} for {}s", rest.as_secs()),
        }
    }

    #[tokio::test]
    async fn a_lease_is_taken_when_it_is_free_ours_or_over() {
        assert_eq!(decide(None, "me", LASTS, Instant::now()), Decision::Take);
        assert_eq!(check(&LeaseSpec::default(), 0), "take");
        assert_eq!(
            check(&LeaseSpec { holder_identity: Some(String::new()), ..lease("a", 0) }, 0),
            "take"
        );
        assert_eq!(check(&released(&lease("other", 0), at(1)), 0), "take");
        assert_eq!(check(&lease("me", 0), 0), "take");
        assert_eq!(check(&lease("other", 0), 0), "other for 15s");
        assert_eq!(check(&lease("other", 0), 14), "other for 1s");
        assert_eq!(check(&lease("other", 0), 15), "take");
    }

    #[tokio::test]
    async fn what_the_holder_says_of_its_time_counts_and_nonsense_does_not() {
        let lasting = |seconds| LeaseSpec { lease_duration_seconds: seconds, ..lease("other", 0) };
        assert_eq!(check(&lasting(Some(60)), 20), "other for 40s");
        assert_eq!(check(&lasting(Some(3)), 3), "take");
        for nonsense in [None, Some(0), Some(-1), Some(i32::MIN)] {
            assert_eq!(check(&lasting(nonsense), 14), "other for 1s", "{nonsense:?}");
        }
    }

    /// Whatever the clocks say: a renewal from the past or the future starts the time anew, and the same
    /// words do not.
    #[tokio::test]
    async fn time_runs_since_the_lease_was_last_seen_to_change() {
        let begun = Instant::now();
        let later = begun + Duration::from_secs(10);
        let seen = Seen::now(None, &lease("other", 0), begun);
        assert_eq!(Seen::now(Some(seen.clone()), &lease("other", 0), later), seen);
        for renewed in [-100_000, 1, 100_000] {
            let changed = Seen::now(Some(seen.clone()), &lease("other", renewed), later);
            assert_eq!(changed.since, later, "{renewed}");
        }
    }

    #[test]
    fn a_renewal_keeps_since_when_and_a_change_of_holder_is_counted() {
        let first = lease("a", 0);
        assert_eq!((first.lease_transitions, first.lease_duration_seconds), (Some(1), Some(15)));
        let renewed = held(&first, "a", LASTS, at(2));
        assert_eq!(renewed.acquire_time, first.acquire_time);
        assert_eq!(
            (renewed.lease_transitions, &renewed.renew_time),
            (Some(1), &Some(MicroTime(at(2))))
        );
        let taken = held(&renewed, "b", LASTS, at(30));
        assert_eq!(
            (taken.lease_transitions, &taken.acquire_time),
            (Some(2), &Some(MicroTime(at(30))))
        );
        let again = held(&released(&taken, at(31)), "b", LASTS, at(32));
        assert_eq!(
            (again.lease_transitions, again.acquire_time),
            (Some(3), Some(MicroTime(at(32))))
        );
    }

    #[test]
    fn a_renewal_is_seen_also_while_the_clock_stands_still() {
        let first = lease("a", 0);
        let second = held(&first, "a", LASTS, at(0));
        let third = held(&second, "a", LASTS, at(0));
        assert!(first != second && second != third);
        assert_eq!(held(&third, "a", LASTS, at(-5)).renew_time, Some(MicroTime(at(-5))));
    }

    #[test]
    fn fields_of_others_stay() {
        let old = LeaseSpec { preferred_holder: Some("b".to_owned()), ..lease("a", 0) };
        assert_eq!(held(&old, "b", LASTS, at(1)).preferred_holder, old.preferred_holder);
        assert_eq!(released(&old, at(1)).preferred_holder, old.preferred_holder);
    }
}
