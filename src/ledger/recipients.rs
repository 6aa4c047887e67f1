//! Whom we made a recipient of which category of mail, by salted hash: stored before the call, so
//! that we take back what we set, and nothing that a person chose.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::desired::{Desired, Origin};
use crate::domain::identity::{EmailAddress, PersonHash};
use crate::domain::keys::CategoryName;
use crate::domain::ledger_view::LedgerView;
use crate::domain::observed::Observed;
use crate::domain::recipients::ExactRecord;
use crate::ledger::Ledger;
use crate::plan::notification::RecipientLearn;

impl Ledger {
    /// True if the account service has to be asked for categories even where none is declared: we
    /// made somebody a recipient.
    #[must_use]
    pub fn follows_recipients(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// When the declaration that lets nobody else be chosen was first seen; `None` for one that never
    /// counted.
    pub(super) fn exact_first_seen(&self, origin: &Origin) -> Option<Timestamp> {
        let mut exact = self.head.as_ref()?.exact.values();
        Some(exact.find(|exact| exact.declared_by == origin.object())?.first_seen)
    }

    /// Adds to a view what is known of the people that are declared or members.
    pub fn view_recipients(&self, desired: &Desired, observed: &Observed, view: &mut LedgerView) {
        let Some(head) = &self.head else { return };
        let categories = desired.recipients.categories.values();
        let declared = categories.flat_map(|category| category.recipients.keys());
        let members = observed.members.keys().map(|key| &key.person);
        for person in declared.chain(members).chain(desired.formerly.keys()) {
            if let Some(set) = self.recipients.get(&person.hashed(&head.salt)) {
                view.recipients.insert(person.clone(), set.clone());
            }
        }
        let exact = head.exact.iter();
        view.exact =
            exact.map(|(name, exact)| (CategoryName(name.clone()), exact.into())).collect();
    }

    /// Takes over what a plan learned of recipients. Who is neither declared nor a member is
    /// forgotten: the service forgot what we set too.
    pub(crate) fn learn_recipients(&mut self, learn: &RecipientLearn) {
        let RecipientLearn { records, seen, exact } = learn;
        for (person, set) in records {
            self.put_recipient(person, set.clone());
        }
        if let (Some(head), Some(exact)) = (&mut self.head, exact) {
            head.exact = exact.iter().map(|(name, exact)| (name.0.clone(), exact.into())).collect();
        }
        let (Some(head), Some(seen)) = (&self.head, seen) else { return };
        let seen: BTreeSet<_> = seen.iter().map(|person| person.hashed(&head.salt)).collect();
        let gone: Vec<PersonHash> =
            self.recipients.keys().filter(|hash| !seen.contains(*hash)).cloned().collect();
        for hash in gone {
            self.changed.insert(self.layout.page_of(&hash));
            self.recipients.remove(&hash);
        }
    }

    /// What we made a person a recipient of.
    pub(crate) fn recipient(&self, person: &EmailAddress) -> BTreeSet<CategoryName> {
        let hash = self.head.as_ref().map(|head| person.hashed(&head.salt));
        hash.and_then(|hash| self.recipients.get(&hash)).cloned().unwrap_or_default()
    }

    /// Stores what we made a person a recipient of.
    pub(crate) fn put_recipient(&mut self, person: &EmailAddress, set: BTreeSet<CategoryName>) {
        let Some(head) = &self.head else { return };
        let hash = person.hashed(&head.salt);
        let old = match set.is_empty() {
            true => self.recipients.remove(&hash),
            false => self.recipients.insert(hash.clone(), set.clone()),
        };
        if old.unwrap_or_default() != set {
            self.changed.insert(self.layout.page_of(&hash));
        }
    }

    /// Forgets what we set: it stays as it is.
    pub(super) fn let_go_of_recipients(&mut self) {
        let all: BTreeMap<_, _> = std::mem::take(&mut self.recipients);
        self.changed.extend(all.keys().map(|hash| self.layout.page_of(hash)));
    }
}

/// Categories as they are stored.
pub(super) fn names(set: &BTreeSet<CategoryName>) -> BTreeSet<String> {
    set.iter().map(|category| category.0.clone()).collect()
}

/// [`ExactRecord`] as it is stored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredExact {
    pub declared_by: String,
    pub first_seen: Timestamp,
}

impl From<&ExactRecord> for StoredExact {
    fn from(record: &ExactRecord) -> Self {
        let ExactRecord { declared_by, first_seen } = record.clone();
        Self { declared_by, first_seen }
    }
}

impl From<&StoredExact> for ExactRecord {
    fn from(stored: &StoredExact) -> Self {
        let StoredExact { declared_by, first_seen } = stored.clone();
        Self { declared_by, first_seen }
    }
}
