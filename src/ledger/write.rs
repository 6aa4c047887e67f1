//! Writes what changed: the head by version, and the pages that differ.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::pages::{MAX_PAGE_BYTES, PageNumber};
use crate::ledger::recipients::names;
use crate::ledger::record::{FORMAT, Head, Page};
use crate::ledger::store::{Part, SealedPart};

impl Ledger {
    /// True if the head says something that the stored one does not.
    pub(crate) fn head_differs(&self) -> bool {
        let stored = self.stored.as_ref().map(|(head, _)| essence(head));
        self.head.as_ref().map(essence) != stored
    }

    /// True if something was learned of a person.
    pub(crate) fn pages_differ(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Writes what was learned, if anything was: the head, then the pages.
    pub(crate) async fn write_news(&mut self) -> Result<(), LedgerError> {
        if self.head_differs() {
            self.write_head().await?;
        }
        if self.pages_differ() {
            self.write_pages().await?;
        }
        Ok(())
    }

    /// Writes the head if nobody else did since we read it.
    pub(crate) async fn write_head(&mut self) -> Result<(), LedgerError> {
        let Some(head) = &mut self.head else { return Ok(()) };
        head.paged = !self.pages.is_empty();
        let head = head.clone();
        let sealed = self.sealed(Part::Head, &head)?;
        let expected = self.stored.as_ref().map(|(_, version)| version);
        let version = self.store.write(&sealed, expected).await?;
        self.writes.head += 1;
        self.stored = Some((head, version));
        Ok(())
    }

    /// Writes what a killed run left behind, before anything else changes.
    pub(crate) async fn write_repairs(&mut self) -> Result<(), LedgerError> {
        match self.repairs.is_empty() {
            true => Ok(()),
            false => self.write_pages().await,
        }
    }

    /// What is written from here to [`Ledger::flush`] belongs together.
    pub(crate) async fn gather(&self) {
        self.store.gather().await;
    }

    /// Ends what [`Ledger::gather`] began.
    pub(crate) async fn flush(&self) -> Result<(), LedgerError> {
        self.store.flush().await
    }

    /// Writes the pages that differ from the stored ones, splitting those that grew too large,
    /// then deletes the pages that were replaced.
    pub(crate) async fn write_pages(&mut self) -> Result<(), LedgerError> {
        let mut pages = std::mem::take(&mut self.changed);
        pages.append(&mut self.repairs);
        while let Some(page) = pages.pop_first() {
            let content = self.page(page);
            let sealed = self.sealed(Part::Page(page), &content)?;
            if stored_length(&sealed.content) > MAX_PAGE_BYTES
                && let Some((low, high)) = self.layout.split(page)
            {
                if self.pages.contains_key(&page) {
                    self.layout.replaced.insert(page);
                }
                pages.extend([low, high]);
                continue;
            }
            let needless = page == PageNumber::ROOT && content.is_empty();
            self.write_page(page, &sealed, needless).await?;
        }
        self.delete_replaced().await
    }

    async fn write_page(
        &mut self,
        page: PageNumber,
        sealed: &SealedPart,
        needless: bool,
    ) -> Result<(), LedgerError> {
        let stored = self.pages.get(&page);
        let same = stored.is_some_and(|(_, checksum)| *checksum == sealed.checksum);
        if same || (needless && stored.is_none()) {
            return Ok(());
        }
        let version = self.store.write(sealed, stored.map(|(version, _)| version)).await?;
        self.writes.pages += 1;
        self.pages.insert(page, (version, sealed.checksum.clone()));
        Ok(())
    }

    async fn delete_replaced(&mut self) -> Result<(), LedgerError> {
        while let Some(page) = self.layout.replaced.first().copied() {
            if let Some((version, _)) = self.pages.get(&page) {
                self.store.delete(Part::Page(page), version).await?;
            }
            self.pages.remove(&page);
            self.layout.replaced.remove(&page);
        }
        Ok(())
    }

    fn page(&self, page: PageNumber) -> Page {
        let people: BTreeMap<_, _> = self
            .people
            .range(page.range())
            .map(|(hash, entry)| (hash.0.clone(), entry.to_stored()))
            .collect();
        let clients = self.clients.range(page.range());
        let clients = clients.map(|(hash, entry)| (hash.0.clone(), entry.into())).collect();
        let recipients = self.recipients.range(page.range());
        let recipients = recipients.map(|(hash, set)| (hash.0.clone(), names(set))).collect();
        let installation = self.head.as_ref().map(|head| head.installation.clone());
        Page {
            format_version: FORMAT,
            installation: installation.unwrap_or_default(),
            people,
            clients,
            recipients,
        }
    }

    fn sealed(&self, part: Part, content: &impl Serialize) -> Result<SealedPart, LedgerError> {
        let account = self.head.as_ref().map_or("", |head| head.account.as_str());
        let content = serde_json::to_string(content).map_err(|error| LedgerError::Write {
            place: self.store.place(part),
            source: error.into(),
        })?;
        Ok(SealedPart::seal(part, account, content))
    }
}

/// The head without what changes by the mere fact of a run.
fn essence(head: &Head) -> Head {
    Head { wave: 0, open: false, paged: false, written: None, ..head.clone() }
}

/// Bytes of a content inside another JSON text, where each quote takes two.
fn stored_length(content: &str) -> usize {
    content.len() + content.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}
