//! Domains that we put in, and those whose record was looked for: in the head, by name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::domains::{DomainName, DomainRecord};
use crate::ledger::Ledger;
use crate::ledger::record::is_false;

impl Ledger {
    /// True if the account service has to be asked for its domains even where none is declared: we
    /// may have one to take away.
    #[must_use]
    pub fn follows_domains(&self) -> bool {
        self.head.as_ref().is_some_and(|head| !head.domains.is_empty())
    }

    /// What is known of each domain.
    pub(crate) fn domains(&self) -> BTreeMap<DomainName, DomainRecord> {
        let stored = self.head.iter().flat_map(|head| &head.domains);
        let known = stored
            .filter_map(|(name, stored)| Some((DomainName::parse(name).ok()?, stored.into())));
        known.collect()
    }

    /// Takes over what is known of all domains.
    pub(crate) fn learn_domains(&mut self, domains: &BTreeMap<DomainName, DomainRecord>) {
        let Some(head) = &mut self.head else { return };
        let stored = domains.iter().map(|(name, record)| (name.to_string(), record.into()));
        head.domains = stored.collect();
    }

    /// Takes over what became of a domain.
    pub(crate) fn settle_domain(&mut self, name: &DomainName, record: &DomainRecord) {
        let Some(head) = &mut self.head else { return };
        if *record == DomainRecord::default() {
            head.domains.remove(name.as_str());
        } else {
            head.domains.insert(name.to_string(), record.into());
        }
    }
}

/// [`DomainRecord`] as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredDomain {
    #[serde(default, skip_serializing_if = "is_false")]
    made: bool,
    #[serde(default)]
    tries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tried_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_false")]
    taken: bool,
}

impl From<&DomainRecord> for StoredDomain {
    fn from(record: &DomainRecord) -> Self {
        let DomainRecord { made, tries, tried_at, taken } = record.clone();
        Self { made, tries, tried_at, taken }
    }
}

impl From<&StoredDomain> for DomainRecord {
    fn from(stored: &StoredDomain) -> Self {
        let StoredDomain { made, tries, tried_at, taken } = stored.clone();
        Self { made, tries, tried_at, taken }
    }
}
