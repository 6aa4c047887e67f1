//! Reads a ledger and refuses what cannot be trusted.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use crate::domain::keys::{AccountKey, CategoryName};
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::pages::{Layout, PageNumber};
use crate::ledger::record::{Entry, FORMAT, Format, Head, Page, person_hash};
use crate::ledger::store::{LedgerStore, Part, SealedPart, Version};

impl Ledger {
    /// Reads the whole ledger of the account that is declared as `declared`; one that is not there
    /// is empty. Nothing is created.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when a part is cut, edited, missing, of another account or of a newer
    /// version: nothing may be built on a part of a ledger.
    pub async fn load(
        store: Box<dyn LedgerStore>,
        declared: &AccountKey,
    ) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            store,
            declared: declared.clone(),
            head: None,
            stored: None,
            layout: Layout::default(),
            pages: BTreeMap::new(),
            people: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            clients: BTreeMap::new(),
            recipients: BTreeMap::new(),
            changed: BTreeSet::new(),
            repairs: BTreeSet::new(),
            viewed: None,
            writes: super::Writes::default(),
        };
        ledger.read_parts().await?;
        Ok(ledger)
    }

    /// Forgets what was not stored and reads the ledger anew, after another run was faster.
    ///
    /// # Errors
    ///
    /// As [`Ledger::load`].
    pub async fn reload(&mut self) -> Result<(), LedgerError> {
        (self.head, self.stored, self.viewed) = (None, None, None);
        self.pages.clear();
        self.people.clear();
        self.elsewhere.clear();
        self.clients.clear();
        self.recipients.clear();
        self.changed.clear();
        self.repairs.clear();
        self.read_parts().await
    }

    async fn read_parts(&mut self) -> Result<(), LedgerError> {
        let parts = self.store.load().await?;
        let (heads, pages): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(sealed, _)| sealed.part == Part::Head);
        for (sealed, version) in heads {
            self.take_head(&sealed, version)?;
        }
        self.take_pages(pages)?;
        self.undo_unopened();
        Ok(())
    }

    fn take_head(&mut self, sealed: &SealedPart, version: Version) -> Result<(), LedgerError> {
        let head: Head = self.unseal(sealed)?;
        if head.account != sealed.account {
            return Err(self.damaged(Part::Head, "it names two accounts"));
        }
        let declared = self.declared.as_str();
        if head.account != declared && head.declared != declared {
            return Err(LedgerError::OtherAccount {
                place: self.store.place(Part::Head),
                pinned: head.account,
                asked: declared.to_owned(),
            });
        }
        self.stored = Some((head.clone(), version));
        self.head = Some(head);
        Ok(())
    }

    fn take_pages(&mut self, pages: Vec<(SealedPart, Version)>) -> Result<(), LedgerError> {
        let mut sorted = BTreeMap::new();
        for (sealed, version) in pages {
            if let Part::Page(number) = sealed.part {
                sorted.insert(number, (sealed, version));
            }
        }
        let Some(head) = &self.head else {
            return match sorted.is_empty() {
                true => self.lay_out(&BTreeSet::new(), false),
                false => Err(self.damaged(Part::Head, "it is missing, and pages of it are there")),
            };
        };
        let paged = head.paged;
        for (number, (sealed, version)) in &sorted {
            self.take_page(*number, sealed, version)?;
        }
        self.lay_out(&sorted.into_keys().collect(), paged)
    }

    /// Takes the people of one page. Pages come in order: deeper ones replace those above.
    fn take_page(
        &mut self,
        number: PageNumber,
        sealed: &SealedPart,
        version: &Version,
    ) -> Result<(), LedgerError> {
        let part = Part::Page(number);
        let page: Page = self.unseal(sealed)?;
        let ours = self.head.as_ref().is_some_and(|head| {
            head.installation == page.installation && head.account == sealed.account
        });
        if !ours {
            return Err(self.damaged(part, "it belongs to another ledger"));
        }
        let below: Vec<_> =
            self.people.range(number.range()).map(|(hash, _)| hash.clone()).collect();
        for hash in below {
            self.people.remove(&hash);
        }
        for (hash, stored) in page.people {
            let hash = person_hash(&hash).filter(|hash| number.covers(hash));
            let Some(hash) = hash else {
                return Err(self.damaged(part, "it holds people of another page"));
            };
            let entry = Entry::from(stored);
            self.note_elsewhere(&hash, &entry);
            self.people.insert(hash, entry);
        }
        self.clients.retain(|hash, _| !number.covers(hash));
        for (hash, stored) in page.clients {
            let hash = person_hash(&hash).filter(|hash| number.covers(hash));
            let Some(hash) = hash else {
                return Err(self.damaged(part, "it holds clients of another page"));
            };
            self.clients.insert(hash, stored.into());
        }
        self.recipients.retain(|hash, _| !number.covers(hash));
        for (hash, stored) in page.recipients {
            let hash = person_hash(&hash).filter(|hash| number.covers(hash));
            let Some(hash) = hash else {
                return Err(self.damaged(part, "it holds recipients of another page"));
            };
            self.recipients.insert(hash, stored.into_iter().map(CategoryName).collect());
        }
        self.pages.insert(number, (version.clone(), sealed.checksum.clone()));
        Ok(())
    }

    fn lay_out(&mut self, stored: &BTreeSet<PageNumber>, paged: bool) -> Result<(), LedgerError> {
        let layout = match stored.is_empty() {
            true if !paged => Layout::fresh(),
            true => return Err(self.damaged(Part::Page(PageNumber::ROOT), "it is missing")),
            false => Layout::of(stored)
                .map_err(|page| self.damaged(Part::Page(page), "it is missing"))?,
        };
        self.repairs.extend(layout.leaves.iter().filter(|page| !stored.contains(*page)));
        if stored.is_empty() {
            self.repairs.clear();
        }
        self.layout = layout;
        Ok(())
    }

    /// Places in waves that were never opened: nothing was sent. They go before a wave is opened
    /// that could bear the same number.
    fn undo_unopened(&mut self) {
        let Some(head) = &self.head else { return };
        let open: BTreeMap<&str, _> =
            head.sends.iter().map(|send| (send.person.as_str(), send.to_view())).collect();
        for (hash, entry) in &mut self.people {
            let unopened = entry.invite.is_some_and(|invite| {
                let send = open.get(hash.0.as_str());
                invite.wave > head.wave && !send.is_some_and(|send| invite.is_of(send))
            });
            if unopened {
                entry.invite = None;
                self.repairs.insert(self.layout.page_of(hash));
            }
        }
        let open: BTreeMap<&str, _> =
            head.client_sends.iter().map(|send| (send.client.as_str(), send.to_view())).collect();
        for (hash, entry) in &mut self.clients {
            if entry.undo_after(head.wave, open.get(hash.0.as_str())) {
                self.repairs.insert(self.layout.page_of(hash));
            }
        }
    }

    /// Checks a part and reads its content.
    fn unseal<T: DeserializeOwned>(&self, sealed: &SealedPart) -> Result<T, LedgerError> {
        if !sealed.is_whole() {
            return Err(self.damaged(sealed.part, "its checksum does not match its content"));
        }
        let not_ours = |_| self.damaged(sealed.part, "its content is not that of a ledger");
        let Format { format_version } = serde_json::from_str(&sealed.content).map_err(not_ours)?;
        if format_version != FORMAT {
            let place = self.store.place(sealed.part);
            return Err(LedgerError::Newer { place, found: format_version });
        }
        serde_json::from_str(&sealed.content).map_err(not_ours)
    }

    fn damaged(&self, part: Part, what: &'static str) -> LedgerError {
        LedgerError::Damaged { place: self.store.place(part), what }
    }
}
