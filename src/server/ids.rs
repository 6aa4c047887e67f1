//! Ids that sort by age, and random secrets.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;
use uuid::Uuid;

/// Makes ids. Within one process each is greater than the one before, as long as the clock does
/// not step back; ties of time are then broken in the order in which things happened.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    last: Mutex<Ulid>,
}

impl Ids {
    /// A new id with `prefix` (`mem`, `inv`, …).
    pub fn next(&self, prefix: &str, now: Timestamp) -> String {
        format!("{prefix}_{}", self.next_ulid(now))
    }

    /// A new id without a prefix.
    pub fn next_ulid(&self, now: Timestamp) -> Ulid {
        let millisecond = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let fresh = Ulid::from_parts(millisecond, Uuid::new_v4().as_u128());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match last.increment() {
            Some(after) if last.timestamp_ms() == millisecond => after,
            _ => fresh,
        };
        *last = next;
        next
    }
}

/// A secret of 244 random bits: session, browser mark, key.
pub(crate) fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// What the store keeps of a secret.
pub(crate) fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Ids;

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_they_were_made() {
        let (ids, now) = (Ids::default(), Timestamp::from_second(1_800_000_000).unwrap());
        let made: Vec<_> = (0..100).map(|_| ids.next("mem", now)).collect();
        let mut sorted = made.clone();
        sorted.sort();
        assert_eq!(made, sorted);
    }
}
