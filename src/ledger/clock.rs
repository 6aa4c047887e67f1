//! Instants that lie in the future: they were noted by a clock that has gone back since. They count as
//! just now, and free no budget.

use jiff::Timestamp;

use crate::domain::identity::PersonHash;
use crate::ledger::Ledger;
use crate::ledger::change::CLOCK_SKEW;
use crate::ledger::record::{Entry, Head};

/// How long a key may be repeated that was first sent `at`. Where the clock has gone back since, nobody
/// knows how old it is: never again.
pub(super) fn key_lasts(at: Timestamp, not_after: Timestamp, now: Timestamp) -> Timestamp {
    if is_ahead(at, now) { not_after.min(now) } else { not_after }
}

/// True if two clocks say the same, as far as those of two machines do.
pub(super) fn agree(one: Timestamp, other: Timestamp) -> bool {
    !is_ahead(one, other) && !is_ahead(other, one)
}

/// True if it lies further in the future than clocks of two machines differ.
fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > CLOCK_SKEW
}

impl Ledger {
    /// Notes what was spent and mailed in the future as of now. Only for a look by which the service's
    /// clock confirms ours: else it may be ours that is wrong.
    pub(super) fn past_only(&mut self, now: Timestamp) {
        if let Some(head) = &mut self.head {
            head.spent_until(now);
        }
        let ahead = self.people.iter().filter(|(_, entry)| entry.is_ahead(now));
        let ahead: Vec<(PersonHash, Entry)> =
            ahead.map(|(hash, entry)| (hash.clone(), entry.mailed_until(now))).collect();
        for (hash, entry) in ahead {
            self.put(hash, entry);
        }
    }
}

impl Head {
    fn spent_until(&mut self, now: Timestamp) {
        let windows = [&mut self.brake_spent, &mut self.brake_ahead, &mut self.mails_sent];
        for spend in windows.into_iter().flatten().filter(|spend| is_ahead(spend.at, now)) {
            spend.at = now;
        }
    }
}

impl Entry {
    fn is_ahead(&self, now: Timestamp) -> bool {
        let placed = self.invite.and_then(|invite| invite.at);
        self.record.mails.last().into_iter().chain(placed).any(|at| is_ahead(at, now))
    }

    fn mailed_until(&self, now: Timestamp) -> Self {
        let mut entry = self.clone();
        let mails = &mut entry.record.mails;
        for at in mails.automatic.iter_mut().chain(&mut mails.decided) {
            *at = now.min(*at);
        }
        if let Some(invite) = &mut entry.invite {
            invite.at = invite.at.map(|at| now.min(at));
        }
        entry
    }
}
