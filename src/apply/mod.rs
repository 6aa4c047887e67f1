//! Runs a plan against the account service through the ledger, in order. Makes no choices.
//!
//! What is to be sent is stored before the call, under a random key that the service deduplicates
//! by (OP-02). The order: the head of the ledger, which of two runs only one can write; the pages;
//! the claim; what mails nobody, one by one; the mails, to people and then to clients, wave by wave.
//! Stopping after any of these loses nothing and sends nothing twice.

mod audit;
mod claim;
mod clients;
mod domains;
mod joining;
mod mail;
mod outcome;
mod path;
mod progress;
mod recipients;
mod run;
mod teams;
mod wave;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use crate::backend::{Backend, Retry};
use crate::domain::keys::AccountKey;
use crate::domain::observed::Observed;
use crate::ledger::{Ledger, LedgerError};
use crate::plan::Plan;
use crate::plan::action::Action;
use crate::profile::Profile;

pub use audit::{Audited, Declarers, TARGET as AUDIT_TARGET, Version};
pub use claim::{TakeError, take};
pub use clients::ClientOutcomes;
pub use domains::DomainOutcomes;
pub use outcome::{NotRun, Outcome, Report};
pub use path::{Look, LookError, Ran, RunError, Subject, Unread, look, run};
pub use recipients::RecipientOutcomes;
pub use teams::TeamOutcomes;

/// Points where a debug build can be killed, in order: between ledger write, send, answer and the
/// next ledger write. Those of single actions are passed once for each.
pub const FAILPOINTS: &[&str] = &[
    BEGIN,
    OPENED,
    RECORDED,
    CLAIMED,
    ACTING,
    ACTED,
    SENDING,
    ANSWERED,
    WAVE_SENT,
    WAVE_OPENED,
    CLOSING,
    CLOSED,
];
/// Before the head is written.
const BEGIN: &str = "apply.begin";
/// The head is written, the pages are not.
const OPENED: &str = "apply.opened";
/// The pages are written.
const RECORDED: &str = "apply.recorded";
/// The claim is on the account.
const CLAIMED: &str = "apply.claimed";
/// Before an action that is not a send.
const ACTING: &str = "apply.acting";
/// After an action that is not a send.
const ACTED: &str = "apply.acted";
/// Before a send.
const SENDING: &str = "apply.sending";
/// A send is answered, and the answer is noted nowhere.
const ANSWERED: &str = "apply.answered";
/// A wave is answered, the head says it is open.
const WAVE_SENT: &str = "apply.wave-sent";
/// The next wave is open.
const WAVE_OPENED: &str = "apply.wave-opened";
/// Before the last head write.
const CLOSING: &str = "apply.closing";
/// After it.
const CLOSED: &str = "apply.closed";

/// What a plan is run with.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The account service.
    pub backend: &'a dyn Backend,
    /// The account, as it is declared.
    pub account: &'a AccountKey,
    /// The rules of the product.
    pub profile: &'a Profile,
    /// What to do.
    pub plan: &'a Plan,
    /// The look that the plan was made from.
    pub observed: &'a Observed,
    /// How to run it.
    pub context: Context<'a>,
    /// Told each outcome as it comes; actions that did not run at the end.
    pub on_done: &'a (dyn Fn(&Action, &Outcome) + Send + Sync),
}

/// Sends at one time, for operator and command line alike.
pub const IN_FLIGHT: usize = 12;

/// How plans are run.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The clock.
    pub now: &'a (dyn Fn() -> Timestamp + Send + Sync),
    /// Where this installation runs, for the claim: UID of the cluster's `kube-system` namespace,
    /// or `file`.
    pub fingerprint: &'a str,
    /// Sends at one time, 8 to 16.
    pub in_flight: usize,
    /// How long a key may be repeated: what the service remembers, less a margin. Zero: the service
    /// does not deduplicate, and a send in doubt waits for a person.
    pub retention: Duration,
    /// Whether the service can hold a claim.
    pub claims: bool,
    /// Length of the removal brake's window.
    pub brake_window: Duration,
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("account", self.account).finish_non_exhaustive()
    }
}

/// Runs a plan.
///
/// A plan with nothing to do and nothing to learn writes nothing. One that only learns writes the
/// pages that changed, and the head if that differs. Any other takes max(1, waves) + 1 writes of
/// the head and one of each page that changed, so long as every send is answered with yes.
///
/// What the service refuses or leaves open is in the [`Report`], not an error: the ledger knows it.
///
/// # Errors
///
/// [`ApplyError`] when the ledger could not be written. Before the first head write nothing was
/// done; later, what was done is in the outcomes that `on_done` was told, and the next run goes on
/// from a ledger that is loaded anew.
pub async fn apply(ledger: &mut Ledger, job: &Job<'_>) -> Result<Report, ApplyError> {
    run::run(ledger, job).await
}

/// Why a plan could not be run.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Another run was faster: look again.
    #[error("another run changed the ledger meanwhile")]
    Conflict(#[source] LedgerError),
    /// The ledger could not be used.
    #[error("could not record the run before it was done")]
    Ledger(#[source] LedgerError),
}

impl From<LedgerError> for ApplyError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict { .. } => Self::Conflict(error),
            LedgerError::InUse { .. }
            | LedgerError::Damaged { .. }
            | LedgerError::Newer { .. }
            | LedgerError::OtherAccount { .. }
            | LedgerError::TooLarge { .. }
            | LedgerError::ObjectTooLarge { .. }
            | LedgerError::ReadOnly { .. }
            | LedgerError::Read { .. }
            | LedgerError::Write { .. } => Self::Ledger(error),
        }
    }
}

impl ApplyError {
    /// The ledger's error.
    #[must_use]
    pub fn ledger(&self) -> &LedgerError {
        match self {
            Self::Conflict(error) | Self::Ledger(error) => error,
        }
    }

    /// When another try can succeed.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Conflict(_) => Retry::LookAgain,
            Self::Ledger(_) => Retry::Backoff,
        }
    }
}
