//! Who is next: two queues, one for what changed and one for what is due, each first come first
//! served, each key in one place at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// So many changes go first while a sweep waits: a busy account must not stop all sweeps.
const CHANGES_IN_A_ROW: u32 = 8;

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Something changed; goes first.
    Change,
    /// Its time has come.
    Sweep,
}

/// When a key that ran wants to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After this time, or when something changes.
    After(Duration),
    /// After a pause that grows with each failure, or when something changes.
    Backoff,
    /// The same, but after this time at the latest.
    BackoffWithin(Duration),
    /// Not before this time, whatever changes: the other side asked for it.
    NotBefore(Duration),
    /// Only when something changes.
    OnChange,
}

impl Next {
    /// The same, but after `most` at the latest, unless the other side asked for more.
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        match self {
            Self::After(wait) => Self::After(wait.min(most)),
            Self::Backoff => Self::BackoffWithin(most),
            Self::BackoffWithin(wait) => Self::BackoffWithin(wait.min(most)),
            Self::NotBefore(wait) => Self::NotBefore(wait),
            Self::OnChange => Self::After(most),
        }
    }
}

/// Keys that wait.
pub struct Queue<K> {
    state: Mutex<State<K>>,
    wake: Notify,
}

struct State<K> {
    entries: BTreeMap<K, Entry>,
    changes: VecDeque<K>,
    sweeps: VecDeque<K>,
    timers: BTreeSet<(Instant, K)>,
    /// Changes that went first since the last sweep.
    in_a_row: u32,
}

#[derive(Default)]
struct Entry {
    /// The queue that it stands in.
    place: Option<Lane>,
    /// Since when it waits for its turn, then how long it did.
    waits_since: Option<Instant>,
    waited: Duration,
    running: bool,
    /// Something changed while it ran.
    again: bool,
    /// When it is due.
    timer: Option<Instant>,
    /// Nothing runs before.
    not_before: Option<Instant>,
    failures: u32,
    /// When the pause after the last failure ends.
    pause_ends: Option<Instant>,
}

impl<K: Clone + Ord + Hash> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            entries: BTreeMap::new(),
            changes: VecDeque::new(),
            sweeps: VecDeque::new(),
            timers: BTreeSet::new(),
            in_a_row: 0,
        };
        Self { state: Mutex::new(state), wake: Notify::new() }
    }
}

impl<K: Clone + Ord + Hash> Queue<K> {
    /// Something changed: `key` runs as soon as it can, and again if it runs now.
    pub fn change(&self, key: &K) {
        let mut state = self.lock();
        let entry = state.entries.entry(key.clone()).or_default();
        if entry.running {
            entry.again = true;
        } else if let Some(at) = entry.not_before.filter(|at| *at > Instant::now()) {
            state.set_timer(key, at);
        } else {
            state.enqueue(key, Lane::Change);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Something changed that may settle by itself: `key` runs after `wait`, unless it waits or runs
    /// already.
    pub fn change_later(&self, key: &K, wait: Duration) {
        let mut state = self.lock();
        let entry = state.entries.entry(key.clone()).or_default();
        if entry.running {
            entry.again = true;
        } else if entry.place.is_none() && entry.timer.is_none() {
            state.set_timer(key, Instant::now() + wait);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The next key, once there is one. Whoever takes it says [`Queue::finish`] at the end. Safe to
    /// give up; meant for one caller at a time.
    pub async fn next(&self) -> K {
        loop {
            let due = {
                let mut state = self.lock();
                state.promote(Instant::now());
                if let Some(key) = state.pop() {
                    return key;
                }
                state.timers.first().map(|(at, _)| *at)
            };
            let woken = self.wake.notified();
            match due {
                Some(at) => tokio::select! {
                    biased;
                    () = woken => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => woken.await,
            }
        }
    }

    /// `key` ran and wants to run again at `next`.
    pub fn finish(&self, key: &K, next: Next) {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(key) else { return };
        entry.running = false;
        let changed = std::mem::take(&mut entry.again);
        entry.not_before = None;
        let at = match next {
            Next::After(wait) => Some(now + wait),
            Next::NotBefore(wait) => {
                entry.not_before = Some(now + wait);
                entry.not_before
            }
            Next::Backoff => Some(entry.pause(key, now)),
            Next::BackoffWithin(most) => Some(entry.pause(key, now).min(now + most)),
            Next::OnChange => None,
        };
        if !matches!(next, Next::Backoff | Next::BackoffWithin(_)) {
            (entry.failures, entry.pause_ends) = (0, None);
        }
        let may_run = entry.not_before.is_none();
        match at {
            _ if changed && may_run => state.enqueue(key, Lane::Change),
            Some(at) => state.set_timer(key, at),
            None => {
                state.entries.remove(key);
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Nothing runs any more: what was cut off is to run again.
    pub fn restart(&self) {
        let mut state = self.lock();
        let cut = state.entries.iter_mut().filter(|(_, entry)| entry.running);
        let cut: Vec<K> = cut
            .map(|(key, entry)| {
                (entry.running, entry.again) = (false, false);
                key.clone()
            })
            .collect();
        cut.iter().for_each(|key| state.enqueue(key, Lane::Change));
        drop(state);
        self.wake.notify_one();
    }

    /// Keys that wait for their turn now.
    pub fn depth(&self) -> usize {
        self.lock().entries.values().filter(|entry| entry.place.is_some()).count()
    }

    /// How long a key that runs waited for its turn.
    pub fn waited(&self, key: &K) -> Duration {
        self.lock().entries.get(key).map(|entry| entry.waited).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// When to try again after a failure. A run that a change brought forward does not make the
    /// pause longer.
    fn pause(&mut self, key: &impl Hash, now: Instant) -> Instant {
        if let Some(ends) = self.pause_ends.filter(|ends| *ends > now) {
            return ends;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let ends = now + pause.mul_f64(jitter(&(key, self.failures)));
        self.pause_ends = Some(ends);
        ends
    }
}

/// A factor between 0.8 and 1.0, so that many who failed together do not come back together.
pub fn jitter(of: &impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 1_000).unwrap_or(0);
    0.8 + 0.2 * f64::from(share) / 1_000.0
}

impl<K: Clone + Ord> State<K> {
    /// Puts a key in a queue; a change overtakes a sweep of the same key.
    fn enqueue(&mut self, key: &K, lane: Lane) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.place.is_some_and(|place| place <= lane) {
            return;
        }
        entry.waits_since.get_or_insert_with(Instant::now);
        // A sweep that a change overtakes leaves a place behind that `pop` passes over.
        entry.place = Some(lane);
        if let Some(at) = entry.timer.take() {
            self.timers.remove(&(at, key.clone()));
        }
        match lane {
            Lane::Change => self.changes.push_back(key.clone()),
            Lane::Sweep => self.sweeps.push_back(key.clone()),
        }
    }

    fn set_timer(&mut self, key: &K, at: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        if let Some(old) = entry.timer.replace(at) {
            self.timers.remove(&(old, key.clone()));
        }
        self.timers.insert((at, key.clone()));
    }

    /// Moves what is due into the queue of sweeps.
    fn promote(&mut self, now: Instant) {
        while let Some((at, key)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.timer = None;
            }
            self.enqueue(&key, Lane::Sweep);
        }
    }

    fn pop(&mut self) -> Option<K> {
        loop {
            let sweep_first = self.in_a_row >= CHANGES_IN_A_ROW && !self.sweeps.is_empty();
            let (lane, key) = if sweep_first || self.changes.is_empty() {
                self.in_a_row = 0;
                (Lane::Sweep, self.sweeps.pop_front()?)
            } else {
                self.in_a_row += 1;
                (Lane::Change, self.changes.pop_front()?)
            };
            if let Some(entry) = self.entries.get_mut(&key)
                && entry.place == Some(lane)
            {
                entry.place = None;
                entry.waited = entry.waits_since.take().map(|at| at.elapsed()).unwrap_or_default();
                entry.running = true;
                return Some(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, timeout};

    use super::{LONGEST_PAUSE, Next, Queue};

    const SECOND: Duration = Duration::from_secs(1);

    async fn is_empty(queue: &Queue<&'static str>) -> bool {
        timeout(Duration::from_millis(1), queue.next()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_overtakes_sweeps_and_each_key_runs_once() {
        let queue = Queue::default();
        for key in ["a", "b", "c"] {
            queue.change(&key);
            let key = queue.next().await;
            queue.finish(&key, Next::After(SECOND));
        }
        tokio::time::advance(2 * SECOND).await;
        queue.change(&"c");
        queue.change(&"c");
        queue.change(&"new");
        let mut order = Vec::new();
        while let Ok(key) = timeout(Duration::from_millis(1), queue.next()).await {
            order.push(key);
        }
        assert_eq!(order, ["c", "new", "a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_while_it_runs_runs_again_and_never_twice_at_once() {
        let queue = Queue::default();
        queue.change(&"a");
        assert_eq!(queue.next().await, "a");
        queue.change(&"a");
        assert!(is_empty(&queue).await);
        queue.finish(&"a", Next::After(600 * SECOND));
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn busy_accounts_do_not_starve_the_sweeps() {
        let queue = Queue::default();
        queue.change(&"quiet");
        let quiet = queue.next().await;
        queue.finish(&quiet, Next::After(SECOND));
        queue.change(&"busy");
        tokio::time::advance(2 * SECOND).await;
        let mut runs = 0;
        loop {
            let key = queue.next().await;
            if key == "quiet" {
                break;
            }
            queue.change(&key);
            queue.finish(&key, Next::After(SECOND));
            runs += 1;
            assert!(runs < 100, "the sweep never came");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn under_overload_every_key_gets_its_turn() {
        // 200 keys that are always due, served one by one: each runs as often as any other.
        let queue = Queue::default();
        for key in 0..200_u32 {
            queue.change_later(&key, Duration::ZERO);
        }
        let mut runs = vec![0_u32; 200];
        for turn in 0..2_400 {
            let key = queue.next().await;
            // The first runs are changes, mixed with sweeps that are due again already.
            runs[key as usize] += u32::from(turn >= 400);
            tokio::time::advance(Duration::from_millis(100)).await;
            queue.finish(&key, Next::After(SECOND));
        }
        assert_eq!((runs.iter().min(), runs.iter().max()), (Some(&10), Some(&10)));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_and_a_change_does_not_make_them_longer() {
        let queue = Queue::default();
        queue.change(&"a");
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let key = queue.next().await;
            queue.finish(&key, Next::Backoff);
            let from = Instant::now();
            // Somebody edits: it runs at once and fails again; the pause stays what it was.
            queue.change(&"a");
            let key = queue.next().await;
            assert_eq!(from, Instant::now());
            queue.finish(&key, Next::Backoff);
            let key = queue.next().await;
            pauses.push(from.elapsed());
            queue.finish(&key, Next::Backoff);
            queue.change(&"a");
        }
        assert!(pauses[0] >= Duration::from_millis(1_600) && pauses[0] <= 2 * SECOND, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(*pauses.last().unwrap() >= LONGEST_PAUSE.mul_f64(0.8), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_at_the_latest_when_something_is_due() {
        let queue = Queue::default();
        queue.change(&"a");
        for _ in 0..12 {
            let key = queue.next().await;
            let from = Instant::now();
            queue.finish(&key, Next::Backoff.within(7 * SECOND));
            queue.next().await;
            assert!(from.elapsed() <= 7 * SECOND);
            queue.finish(&key, Next::OnChange.within(SECOND));
        }
        assert_eq!(Next::NotBefore(9 * SECOND).within(SECOND), Next::NotBefore(9 * SECOND));
        assert_eq!(Next::After(9 * SECOND).within(SECOND), Next::After(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_runs_while_the_other_side_asks_to_wait() {
        let queue = Queue::default();
        queue.change(&"a");
        let key = queue.next().await;
        queue.change(&"a");
        queue.finish(&key, Next::NotBefore(30 * SECOND));
        let from = Instant::now();
        queue.change(&"a");
        assert_eq!(queue.next().await, "a");
        assert_eq!(from.elapsed(), 30 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_settle_by_itself_runs_once_and_later() {
        let queue = Queue::default();
        let from = Instant::now();
        queue.change_later(&"a", SECOND);
        tokio::time::advance(SECOND / 2).await;
        queue.change_later(&"a", SECOND);
        assert_eq!(queue.next().await, "a");
        assert_eq!(from.elapsed(), SECOND);
        assert!(is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_cut_off_runs_again_once() {
        let queue = Queue::default();
        queue.change(&"a");
        queue.change(&"b");
        assert_eq!(queue.next().await, "a");
        queue.change(&"a");
        assert_eq!(queue.next().await, "b");
        queue.finish(&"b", Next::OnChange);
        queue.restart();
        assert_eq!(queue.next().await, "a");
        queue.finish(&"a", Next::OnChange);
        assert!(is_empty(&queue).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_change_only_does_not_come_back() {
        let queue = Queue::default();
        queue.change(&"a");
        let key = queue.next().await;
        queue.finish(&key, Next::OnChange);
        tokio::time::advance(10_000 * SECOND).await;
        assert!(is_empty(&queue).await);
        queue.change(&"a");
        assert_eq!(queue.next().await, "a");
    }
}
