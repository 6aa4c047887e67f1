//! The closed words of a plan: rules, stops and states. Each goes into conditions, metrics and JSON
//! output, so none is ever renamed.

mod rule;
mod state;

use std::fmt;

use jiff::Timestamp;

use crate::domain::reason::Reason;

pub use rule::Rule;
pub use state::State;

/// Why nothing at all may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `spec.suspend` is set.
    Suspended,
    /// Another installation manages the account.
    ClaimedByOther,
    /// The account carries a claim from here, and the ledger that knows of it is gone.
    LedgerLost,
    /// The read may not be used to conclude absence.
    ReadUntrusted(Distrust),
}

impl Stop {
    /// Reason of a condition, word of JSON output.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Suspended => Reason::Suspended,
            Self::ClaimedByOther => Reason::ClaimedByOther,
            Self::LedgerLost => Reason::LedgerLost,
            Self::ReadUntrusted(_) => Reason::ReadUntrusted,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended | Self::ClaimedByOther => f.write_str(self.reason().says()),
            Self::LedgerLost => f.write_str(
                "the account is claimed from here, and the ledger that goes with the claim is gone: \
                 nothing is written until it is back, or a person approves what would be done without \
                 it; who said no, or was mailed, is not known any more",
            ),
            Self::ReadUntrusted(distrust) => write!(
                f,
                "the answer of the account service is not trusted: {distrust}; nothing is removed \
                 and nobody invited until a complete read agrees"
            ),
        }
    }
}

/// Why a read is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The service answered for another account than the pinned one.
    OtherAccount,
    /// Rows, `total` and seat counts do not agree.
    CountsDiffer {
        /// Which count.
        what: &'static str,
        /// As the rows have it.
        rows: u64,
        /// As the service says.
        said: u64,
    },
    /// Its clock and ours are far apart: one of them was set wrong.
    ClocksDiffer {
        /// As the service says.
        service: Timestamp,
        /// As we have it.
        ours: Timestamp,
    },
    /// Rows came twice.
    Duplicates(u64),
    /// It began before what we know: from a copy that is behind, or a service that was restored.
    Older {
        /// Feed position of the last trusted read, or of our last write.
        known: u64,
        /// Feed position of this one.
        as_of: u64,
    },
    /// More people are missing than the brake allows, and nothing says why.
    Shrunk {
        /// People at the last trusted read.
        before: u64,
        /// People now.
        now: u64,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherAccount => f.write_str("the service answered for another account"),
            Self::CountsDiffer { what, rows, said } => {
                write!(f, "the service lists {rows} {what} and says that there are {said}")
            }
            Self::Older { known, as_of } => write!(
                f,
                "it is of change {as_of} of the account, and change {known} was there before: a \
                 copy that is behind, or a service that was restored"
            ),
            Self::ClocksDiffer { service, ours } => write!(
                f,
                "its clock says {service:.0} and ours {ours:.0}; set the one that is wrong"
            ),
            Self::Duplicates(n) => write!(f, "{n} rows came twice"),
            Self::Shrunk { before, now } => {
                write!(f, "{before} people at the last trusted look, {now} now")
            }
        }
    }
}
