//! Why the ledger could not be read or written.

use crate::domain::reason::Reason;
use std::error::Error as StdError;

use thiserror::Error;

/// Why the ledger could not be read or written.
///
/// Messages name the file or object and leave the cause to `source()`; [`LedgerError::hint`] says
/// the way out. No message holds a key, an address or content.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another process holds the lock.
    #[error("the ledger {place} is in use by another run")]
    InUse {
        /// File or object.
        place: String,
    },
    /// Another run wrote this part since we read it.
    #[error("the ledger {place} was changed by another run")]
    Conflict {
        /// File or object.
        place: String,
    },
    /// A part is cut, edited or gone: it counts as lost, and nothing may be built on it.
    #[error("the ledger {place} is damaged: {what}")]
    Damaged {
        /// File or object.
        place: String,
        /// What is wrong with it; never its content.
        what: &'static str,
    },
    /// A newer version of this program wrote it.
    #[error("the ledger {place} has format {found}; this version reads format 1")]
    Newer {
        /// File or object.
        place: String,
        /// Format that was found.
        found: u32,
    },
    /// It is the ledger of another account.
    #[error("the ledger {place} belongs to account {pinned}, not to {asked}")]
    OtherAccount {
        /// File or object.
        place: String,
        /// Account whose ledger it is.
        pinned: String,
        /// Account that was asked for.
        asked: String,
    },
    /// It has outgrown its place.
    #[error("the ledger {place} is larger than the account service takes")]
    TooLarge {
        /// File or object.
        place: String,
    },
    /// A part has outgrown what the cluster keeps as one object.
    #[error("the ledger {place} is larger than the API server takes")]
    ObjectTooLarge {
        /// Object.
        place: String,
    },
    /// A store that was opened for reading was asked to write.
    #[error("the ledger {place} was opened for reading only")]
    ReadOnly {
        /// File or object.
        place: String,
    },
    /// It could not be read.
    #[error("could not read the ledger {place}")]
    Read {
        /// File or object.
        place: String,
        /// Cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// It could not be written; what was there before is still there.
    #[error("could not write the ledger {place}")]
    Write {
        /// File or object.
        place: String,
        /// Cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl LedgerError {
    /// What to do next, for the `hint:` line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "wait until the other run is over, then try again",
            Self::Conflict { .. } => "try again: the run starts over from a fresh look",
            Self::Damaged { .. } => {
                "restore it from a backup; without one, move the whole ledger away: the next run shows \
                 what it would do without it, and waits for an approval"
            }
            Self::Newer { .. } => "use the version of the program that wrote it, or a newer one",
            Self::OtherAccount { .. } => {
                "name the ledger of this account, or a place where there is none yet"
            }
            Self::TooLarge { .. } => {
                "nothing more was sent; keep the ledger in a folder (--ledger file:PATH) or run the operator, \
                 and take the account over from there: seatkeeper claim --take"
            }
            Self::ObjectTooLarge { .. } => {
                "nothing more was sent; declare fewer teams and domains for one account, or raise the limit \
                 of the cluster's store (--max-request-bytes of etcd)"
            }
            Self::ReadOnly { .. } => "this is a defect of the program; please report it",
            Self::Read { .. } => "check that the place exists and may be read",
            Self::Write { .. } => {
                "check free space and permission to write, then try again; nothing is lost"
            }
        }
    }

    /// Reason of a condition and label of metrics. Part of the API: never renamed.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::InUse { .. } | Self::Conflict { .. } => Reason::LedgerConflict,
            Self::Damaged { .. } => Reason::LedgerLost,
            Self::Newer { .. } => Reason::LedgerNewer,
            Self::OtherAccount { .. } => Reason::LedgerOfOtherAccount,
            Self::TooLarge { .. } | Self::ObjectTooLarge { .. } => Reason::LedgerTooLarge,
            Self::ReadOnly { .. } | Self::Read { .. } => Reason::LedgerUnreadable,
            Self::Write { .. } => Reason::LedgerUnwritable,
        }
    }
}
