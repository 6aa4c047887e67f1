//! The claim on the account, as far as the ledger has to know of it: recorded before it is put there.

use crate::domain::observed::Claim;
use crate::ledger::Ledger;

impl Ledger {
    /// A person decided to put our claim in place of `held`. Recorded with the next write of the head,
    /// so that a run that is killed before it is done can be told from one of somebody else.
    pub(crate) fn take_from(&mut self, held: &Claim) {
        if let Some(head) = &mut self.head {
            head.takes_from = Some(held.into());
        }
    }

    /// Our claim is on the account.
    pub(crate) fn is_claimed(&mut self) {
        if let Some(head) = &mut self.head {
            head.takes_from = None;
        }
    }
}
