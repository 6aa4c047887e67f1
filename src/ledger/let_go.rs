//! Forgets that people are ours, without a look at the account: nobody loses anything by it.

use std::collections::BTreeSet;

use crate::domain::desired::DeletionPolicy;
use crate::domain::identity::{EmailAddress, MemberKey, PersonHash};
use crate::domain::keys::CategoryName;
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

    /// Lets go of one client: a request that waits is nobody's to withdraw any more. Recorded with the
    /// next write of the pages.
    pub fn let_go_of_client(&mut self, client: &EmailAddress) {
        let Some(head) = &self.head else { return };
        let hash = client.hashed(&head.salt);
        if self.clients.remove(&hash).is_some() {
            self.changed.insert(self.layout.page_of(&hash));
        }
    }

    /// Lets go of the recipients of one category that we set, but for those who are still `declared`.
    /// Recorded with the next write of the pages.
    pub fn let_go_of_category<'a>(
        &mut self,
        category: &CategoryName,
        declared: impl Iterator<Item = &'a EmailAddress>,
    ) {
        let Some(head) = &self.head else { return };
        let declared: BTreeSet<_> = declared.map(|person| person.hashed(&head.salt)).collect();
        let others = self.recipients.iter_mut().filter(|(hash, _)| !declared.contains(*hash));
        for (hash, set) in others {
            if set.remove(category) {
                self.changed.insert(self.layout.page_of(hash));
            }
        }
        self.recipients.retain(|_, set| !set.is_empty());
    }

    /// Lets go of everyone but the `declared`, and of clients likewise. Recorded with the next write of
    /// the pages.
    pub fn let_go_of_others<'a>(
        &mut self,
        declared: impl Iterator<Item = &'a MemberKey>,
        clients: impl Iterator<Item = &'a EmailAddress>,
    ) {
        let Some(head) = &self.head else { return };
        let clients: BTreeSet<_> = clients.map(|client| client.hashed(&head.salt)).collect();
        let declared: BTreeSet<_> =
            declared.map(|person| self.bound(person).hashed(&head.salt)).collect();
        // Whose row bears another address is known by it, and found by whoever is declared.
        let others = self.people.iter().filter(|(hash, entry)| {
            entry.record.owned && entry.declared_as.is_none() && !declared.contains(*hash)
        });
        let others: Vec<PersonHash> = others.map(|(hash, _)| hash.clone()).collect();
        for hash in others {
            self.let_go_of_hash(&hash);
        }
        let others = self.clients.keys().filter(|hash| !clients.contains(*hash));
        let others: Vec<PersonHash> = others.cloned().collect();
        for hash in others {
            self.changed.insert(self.layout.page_of(&hash));
            self.clients.remove(&hash);
        }
    }

    /// Records who was let go of, if anybody was.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it could not be recorded.
    pub async fn record_let_go(&mut self) -> Result<(), LedgerError> {
        match self.pages_differ() {
            true => self.write_pages().await,
            false => Ok(()),
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
