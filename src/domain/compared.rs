//! Comparisons of addresses, counted in unit tests only: what work on people costs, without a clock.

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::domain::identity::EmailAddress;

thread_local! {
    static COMPARED: Cell<u64> = const { Cell::new(0) };
}

/// Comparisons of addresses, equality among them, that `work` makes in this thread.
pub(crate) fn comparisons<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = COMPARED.get();
    let done = work();
    (done, COMPARED.get() - before)
}

fn count() {
    COMPARED.set(COMPARED.get() + 1);
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        count();
        self.as_str() == other.as_str()
    }
}

impl Ord for EmailAddress {
    fn cmp(&self, other: &Self) -> Ordering {
        count();
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for EmailAddress {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for EmailAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}
