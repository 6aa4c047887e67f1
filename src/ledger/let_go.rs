//! Forgets that people are ours, without a look at the account: nobody loses anything by it.

use crate::domain::desired::DeletionPolicy;
use crate::domain::identity::{MemberKey, PersonHash};
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::record::Entry;

impl Ledger {
    /// Lets go of one person: what was declared of them is over, and they stay as they are.
    /// Recorded with the next write of the pages.
    pub fn let_go_of(&mut self, person: &MemberKey) {
        let Some(head) = &self.head else { return };
        let person = self.bound(person);
        let hash = person.hashed(&head.salt);
        for hash in self.known_elsewhere(&person).into_iter().chain([hash]) {
            self.let_go_of_hash(&hash);
        }
    }

    /// Lets go of everyone, and records it.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it could not be recorded.
    pub async fn let_go_of_all(&mut self) -> Result<(), LedgerError> {
        let everyone: Vec<PersonHash> = self.people.keys().cloned().collect();
        for hash in everyone {
            self.let_go_of_hash(&hash);
        }
        self.let_go_of_clients();
        self.let_go_of_recipients();
        self.write_pages().await
    }

    /// Forgets every client: their requests stay as they are.
    fn let_go_of_clients(&mut self) {
        let all: Vec<PersonHash> = self.clients.keys().cloned().collect();
        for hash in all {
            self.changed.insert(self.layout.page_of(&hash));
            self.clients.remove(&hash);
        }
    }

    fn let_go_of_hash(&mut self, hash: &PersonHash) {
        let Some(mut entry) = self.people.get(hash).cloned() else { return };
        let record = &mut entry.record;
        (record.owned, record.held, record.paid) = (false, false, None);
        record.deletion_policy = DeletionPolicy::Retain;
        self.put(hash.clone(), Entry { declared_as: None, ..entry });
    }
}
