//! Where a ledger is kept: parts with versions, written only at the version that was read.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ledger::error::LedgerError;
use crate::ledger::pages::PageNumber;

/// A place that keeps the parts of one account's ledger.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Reads every part that is there, at one time as far as the place can. Creates nothing.
    async fn load(&self) -> Result<Vec<(SealedPart, Version)>, LedgerError>;

    /// Writes one part whole or not at all, if it is still at `expected` (`None`: not there), and
    /// answers with its new version. Durable once it answers. Never repeated by the store: after
    /// an error the part may have been written.
    async fn write(
        &self,
        part: &SealedPart,
        expected: Option<&Version>,
    ) -> Result<Version, LedgerError>;

    /// Deletes a part that others have replaced, if it is still at `expected`.
    async fn delete(&self, part: Part, expected: &Version) -> Result<(), LedgerError>;

    /// From here to [`LedgerStore::flush`] writes belong together: a place that keeps all parts as one
    /// may wait for it and store them at once. Others store each as it comes.
    async fn gather(&self) {}

    /// Stores what was gathered; durable once it answers.
    async fn flush(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Name of a part for messages: a path, or namespace and name.
    fn place(&self, part: Part) -> String;
}

/// A part of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Budgets, the open wave, the held set.
    Head,
    /// People.
    Page(PageNumber),
}

impl Part {
    /// Reads `head` or `page-07`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "head" {
            return Some(Self::Head);
        }
        let part = Self::Page(PageNumber::new(name.strip_prefix("page-")?.parse().ok()?)?);
        (part.to_string() == name).then_some(part)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Page(number) => write!(f, "page-{number}"),
        }
    }
}

/// Version of a stored part, opaque: a resource version, or a digest of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub String);

/// A part as JSON, for places that keep text: the same fields as the object of a cluster.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredPart {
    account_id: String,
    part: String,
    checksum: String,
    content: String,
}

impl From<SealedPart> for StoredPart {
    fn from(sealed: SealedPart) -> Self {
        let SealedPart { part, account: account_id, checksum, content } = sealed;
        Self { account_id, part: part.to_string(), checksum, content }
    }
}

impl StoredPart {
    /// The part, if it is the one that it is kept as.
    pub fn into_sealed(self, kept_as: Part) -> Option<SealedPart> {
        let Self { account_id: account, part, checksum, content } = self;
        let sealed = SealedPart { part: kept_as, account, checksum, content };
        (part == kept_as.to_string()).then_some(sealed)
    }
}

/// A part as it is stored: content under a checksum. No `Debug`: the content holds keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPart {
    /// Which part.
    pub part: Part,
    /// Id of the account at the account service.
    pub account: String,
    /// Checksum over account, part and content, in hex.
    pub checksum: String,
    /// The content as JSON text.
    pub content: String,
}

impl SealedPart {
    /// Seals content.
    #[must_use]
    pub fn seal(part: Part, account: &str, content: String) -> Self {
        let checksum = checksum(part, account, &content);
        Self { part, account: account.to_owned(), checksum, content }
    }

    /// True if nothing was cut or edited since it was sealed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.checksum == checksum(self.part, &self.account, &self.content)
    }
}

fn checksum(part: Part, account: &str, content: &str) -> String {
    hex(&Sha256::new()
        .chain_update(format!("{part}\n{account}\n"))
        .chain_update(content)
        .finalize())
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
