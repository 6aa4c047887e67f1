//! `account`: the account service keeps the ledger with the account, for runners that keep nothing.
//!
//! All parts are one document, written at the version that was read. What belongs together goes in one
//! write: the head that opens a wave and the pages that a killed run must not forget are stored both or
//! neither. So a run writes max(1, waves) + 1 times, however many pages there are.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::ledger::error::LedgerError;
use crate::ledger::store::{LedgerStore, Part, SealedPart, StoredPart, Version};

/// The one document that a service keeps with an account.
#[async_trait]
pub trait ClientState: Send + Sync {
    /// Reads it, with its version; `None`: there is none yet.
    async fn read(&self) -> Result<Option<(Vec<u8>, String)>, StateError>;

    /// Writes it whole if it is still at `expected` (`None`: not there), once; gives its new version.
    async fn put(&self, body: Vec<u8>, expected: Option<&str>) -> Result<String, StateError>;
}

/// Why the document could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another run was there first.
    #[error("it was changed by another run")]
    Changed,
    /// The service keeps no document of that size.
    #[error("it is larger than the service takes")]
    TooLarge,
    /// Anything else.
    #[error(transparent)]
    Other(Box<dyn StdError + Send + Sync>),
}

/// A ledger that the account service keeps.
pub struct AccountStore {
    state: Box<dyn ClientState>,
    writable: bool,
    document: Mutex<Document>,
}

/// The document as it is to be.
#[derive(Default)]
struct Document {
    /// Version of what is stored.
    version: Option<String>,
    parts: BTreeMap<Part, SealedPart>,
    gathering: bool,
    /// It differs from what is stored.
    changed: bool,
}

/// The document as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDocument {
    parts: BTreeMap<String, StoredPart>,
}

impl AccountStore {
    /// A store that `plan` and `status` read.
    #[must_use]
    pub fn to_read(state: Box<dyn ClientState>) -> Self {
        Self { state, writable: false, document: Mutex::default() }
    }

    /// A store that `apply` reads and writes.
    #[must_use]
    pub fn to_write(state: Box<dyn ClientState>) -> Self {
        Self { state, writable: true, document: Mutex::default() }
    }

    fn named() -> String {
        "account".to_owned()
    }

    /// Changes one part that is still at `expected`.
    async fn change(
        &self,
        part: Part,
        expected: Option<&Version>,
        to: Option<SealedPart>,
    ) -> Result<(), LedgerError> {
        if !self.writable {
            return Err(LedgerError::ReadOnly { place: self.place(part) });
        }
        let mut document = self.document.lock().await;
        let there = document.parts.get(&part).map(version);
        if there.as_ref() != expected {
            return Err(LedgerError::Conflict { place: self.place(part) });
        }
        match to {
            Some(sealed) => document.parts.insert(part, sealed),
            None => document.parts.remove(&part),
        };
        document.changed = true;
        if document.gathering { Ok(()) } else { self.store(&mut document).await }
    }

    async fn store(&self, document: &mut Document) -> Result<(), LedgerError> {
        let stored = document.parts.iter();
        let parts =
            stored.map(|(part, sealed)| (part.to_string(), sealed.clone().into())).collect();
        let place = Self::named();
        let body = serde_json::to_vec(&StoredDocument { parts })
            .map_err(|source| LedgerError::Write { place: place.clone(), source: source.into() })?;
        let written = self.state.put(body, document.version.as_deref()).await;
        document.version = Some(written.map_err(|error| match error {
            StateError::Changed => LedgerError::Conflict { place },
            StateError::TooLarge => LedgerError::TooLarge { place },
            StateError::Other(source) => LedgerError::Write { place, source },
        })?);
        document.changed = false;
        Ok(())
    }
}

/// Parts change only with their content.
fn version(sealed: &SealedPart) -> Version {
    Version(sealed.checksum.clone())
}

#[async_trait]
impl LedgerStore for AccountStore {
    async fn load(&self) -> Result<Vec<(SealedPart, Version)>, LedgerError> {
        let place = Self::named();
        let read = self
            .state
            .read()
            .await
            .map_err(|error| LedgerError::Read { place: place.clone(), source: error.into() })?;
        let Some((body, etag)) = read else { return Ok(Vec::new()) };
        let damaged = |what| LedgerError::Damaged { place: place.clone(), what };
        let stored: StoredDocument = serde_json::from_slice(&body)
            .map_err(|_| damaged("the service keeps something else for this account"))?;
        let mut document = Document { version: Some(etag), ..Document::default() };
        for (name, stored) in stored.parts {
            let sealed = Part::parse(&name).and_then(|part| stored.into_sealed(part));
            let sealed = sealed.ok_or(damaged("it holds another part than its name says"))?;
            document.parts.insert(sealed.part, sealed);
        }
        let parts = document.parts.values();
        let parts = parts.map(|sealed| (sealed.clone(), version(sealed))).collect();
        *self.document.lock().await = document;
        Ok(parts)
    }

    async fn write(
        &self,
        part: &SealedPart,
        expected: Option<&Version>,
    ) -> Result<Version, LedgerError> {
        self.change(part.part, expected, Some(part.clone())).await?;
        Ok(version(part))
    }

    async fn delete(&self, part: Part, expected: &Version) -> Result<(), LedgerError> {
        self.change(part, Some(expected), None).await
    }

    async fn gather(&self) {
        self.document.lock().await.gathering = true;
    }

    async fn flush(&self) -> Result<(), LedgerError> {
        let mut document = self.document.lock().await;
        document.gathering = false;
        if document.changed { self.store(&mut document).await } else { Ok(()) }
    }

    fn place(&self, part: Part) -> String {
        format!("account:{part}")
    }
}
