//! Why an account could not be reconciled. Each error says its reason and when to try again.

use std::time::Duration;

use thiserror::Error;

use crate::api::AccountState;
use crate::apply::{ApplyError, LookError, RunError};
use crate::backend::account_api::InvalidToken;
use crate::backend::transport::SetupError;
use crate::backend::{BackendError, Retry};
use crate::controller::clients::api_status;
use crate::controller::queue::Next;
use crate::domain::reason::Reason;
use crate::ledger::LedgerError;
use crate::manifests::Rejection;
use crate::plan::PlanError;
use crate::yaml::Problem;

/// Why the operator could not start, or ended.
#[derive(Debug, Error)]
pub enum ControllerError {
    /// The cluster could not be asked who it is.
    #[error("could not read the cluster's identity (namespace kube-system)")]
    Fingerprint(#[source] ClusterError),
    /// The cluster does not let the operator do what it has to.
    #[error(
        "the cluster does not let this operator do all that it has to:{missing}\n  hint: give its user \
         the roles of the chart (helm upgrade --install seatkeeper charts/seatkeeper), or these rights"
    )]
    Access {
        /// A line for each right that is missing.
        missing: String,
    },
    /// The list of what the operator has to be allowed cannot be read: a defect.
    #[error("the list of rights cannot be read; please report it")]
    AccessList(Vec<Problem>),
    /// The probes could not be served.
    #[error("could not serve /livez, /readyz and /metrics")]
    Probes(#[source] std::io::Error),
    /// A part that must never end has ended.
    #[error("{part} ended; the process must be started again")]
    Ended {
        /// The part.
        part: &'static str,
    },
}

/// A call to the cluster that went wrong.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// It answered with an error, or not at all.
    #[error("could not {what}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("could not {what} in time")]
    Slow {
        /// What was tried.
        what: &'static str,
    },
}

impl ClusterError {
    /// HTTP status of the answer, if there was one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Failed { source, .. } => api_status(source).map(|status| status.code),
            Self::Slow { .. } => None,
        }
    }

    /// True if the object is not there any more.
    pub fn is_gone(&self) -> bool {
        self.code() == Some(404)
    }
}

/// Why an account could not be reconciled.
///
/// Messages are shown in conditions and logs: none holds an address, a token or an answer's text.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The account's declaration is not valid.
    #[error("the Account is not accepted")]
    NotAccepted(Rejection),
    /// The Secret is not there, or has no such key.
    #[error("{}", Reason::SecretNotFound.says())]
    SecretMissing,
    /// The token cannot be sent.
    #[error("{}", Reason::InvalidToken.says())]
    InvalidToken(#[source] InvalidToken),
    /// The class's URL or certificates cannot be used.
    #[error("{}", Reason::InvalidClass.says())]
    InvalidClass(#[source] SetupError),
    /// The service keeps other rules than our profile.
    #[error(
        "the account service keeps other rules than the profile, so use the same version of it on both \
         sides: {}",
        differences.join("; ")
    )]
    ProfileMismatch {
        /// In what they differ.
        differences: Vec<String>,
    },
    /// The account service did not answer, or said no.
    #[error("{0}")]
    Backend(#[source] BackendError),
    /// The ledger cannot be used.
    #[error("{0}")]
    Ledger(#[source] LedgerError),
    /// A plan broke an invariant; nothing of it ran.
    #[error("{0}")]
    Plan(#[source] PlanError),
    /// The cluster did not answer, or said no.
    #[error("{0}")]
    Cluster(#[source] ClusterError),
    /// Somebody's declaration cannot be read, nor whose it is: nobody may lose anything.
    #[error("an object of this namespace cannot be read, nor whom it declares; correct it first")]
    Blind,
    /// The account was deleted or made anew while it was looked at.
    #[error("{}", Reason::Superseded.says())]
    Superseded,
    /// It took longer than one reconcile may.
    #[error("{}", Reason::TimedOut.says())]
    TimedOut,
    /// A defect of this program.
    #[error("{}", Reason::Panicked.says())]
    Panicked,
}

/// A reconcile that failed, and when to try again.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: ReconcileError,
    /// When to try again.
    pub next: Next,
}

impl<E: Into<ReconcileError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let next = error.retry();
        Self { error, next }
    }
}

impl From<LookError> for ReconcileError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Observe(error) => Self::Backend(error),
            LookError::Plan(error) => Self::Plan(error),
        }
    }
}

impl From<RunError> for ReconcileError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Apply(ApplyError::Conflict(error) | ApplyError::Ledger(error)) => {
                Self::Ledger(error)
            }
            RunError::Plan(error) => Self::Plan(error),
        }
    }
}

impl From<LedgerError> for ReconcileError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<ClusterError> for ReconcileError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl ReconcileError {
    /// Reason of a condition and label of metrics. Part of the API: never renamed.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotAccepted(rejection) => rejection.reason,
            Self::SecretMissing => Reason::SecretNotFound,
            Self::InvalidToken(_) => Reason::InvalidToken,
            Self::InvalidClass(_) => Reason::InvalidClass,
            Self::ProfileMismatch { .. } => Reason::ProfileMismatch,
            Self::Backend(error) => error.reason(),
            Self::Ledger(error) => error.reason(),
            Self::Plan(_) => Reason::PlanBroken,
            Self::Cluster(_) => Reason::ClusterUnreachable,
            Self::Blind => Reason::Unreadable,
            Self::Superseded => Reason::Superseded,
            Self::TimedOut => Reason::TimedOut,
            Self::Panicked => Reason::Panicked,
        }
    }

    /// What is wrong and what to do next, for the message of a condition.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::Backend(error) => format!("{error}; {}", error.hint()),
            Self::Ledger(error) => format!("{error}; {}", error.hint()),
            Self::Cluster(error) => format!("{error}; it is tried again by itself"),
            Self::NotAccepted(_)
            | Self::SecretMissing
            | Self::InvalidToken(_)
            | Self::InvalidClass(_)
            | Self::ProfileMismatch { .. }
            | Self::Plan(_)
            | Self::Blind
            | Self::Superseded
            | Self::TimedOut
            | Self::Panicked => self.to_string(),
        }
    }

    /// When to try again. Secrets are not watched, so that nothing waits for a change alone.
    #[must_use]
    pub fn retry(&self) -> Next {
        match self {
            // Nothing tells when a ConfigMap changes.
            Self::NotAccepted(rejection) if rejection.reason == Reason::InvalidProfile => {
                Next::Backoff
            }
            Self::NotAccepted(_) => Next::OnChange,
            Self::Backend(error) => retry(error),
            Self::SecretMissing
            | Self::InvalidToken(_)
            | Self::InvalidClass(_)
            | Self::ProfileMismatch { .. }
            | Self::Ledger(_)
            | Self::Plan(_)
            | Self::Cluster(_)
            | Self::Blind
            | Self::Superseded
            | Self::TimedOut
            | Self::Panicked => Next::Backoff,
        }
    }

    /// True if the declaration itself, or what it names, is at fault: `Accepted=False`.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::NotAccepted(_)
            | Self::SecretMissing
            | Self::InvalidToken(_)
            | Self::InvalidClass(_) => true,
            Self::ProfileMismatch { .. }
            | Self::Backend(_)
            | Self::Ledger(_)
            | Self::Plan(_)
            | Self::Cluster(_)
            | Self::Blind
            | Self::Superseded
            | Self::TimedOut
            | Self::Panicked => false,
        }
    }

    /// True if trying again does not help until a person acts.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        match self {
            Self::NotAccepted(_)
            | Self::SecretMissing
            | Self::InvalidToken(_)
            | Self::InvalidClass(_)
            | Self::ProfileMismatch { .. }
            | Self::Blind
            | Self::Plan(_) => true,
            Self::Backend(error) => matches!(error.retry(), Retry::OnChange),
            Self::Ledger(error) => ledger_needs_person(error),
            Self::Cluster(_) | Self::Superseded | Self::TimedOut | Self::Panicked => false,
        }
    }

    /// True if the account is gone, or out of reach: what is deleted waits for it only for a while.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        match self {
            Self::Backend(error) => match error {
                BackendError::Unreachable(_)
                | BackendError::Failed { .. }
                | BackendError::Unavailable { .. }
                | BackendError::Unauthorized
                | BackendError::Forbidden { .. }
                | BackendError::NoSuchAccount
                | BackendError::Malformed { .. } => true,
                BackendError::RateLimited { .. }
                | BackendError::AddressLimited { .. }
                | BackendError::Changed { .. }
                | BackendError::Rejected { .. } => false,
            },
            Self::NotAccepted(_)
            | Self::SecretMissing
            | Self::InvalidToken(_)
            | Self::InvalidClass(_)
            | Self::ProfileMismatch { .. }
            | Self::Ledger(_)
            | Self::Plan(_)
            | Self::Cluster(_)
            | Self::Blind
            | Self::Superseded
            | Self::TimedOut
            | Self::Panicked => self.is_rejection(),
        }
    }

    /// What we found, in a word; `None`: what we found before still says it best.
    #[must_use]
    pub fn state(&self) -> Option<AccountState> {
        match self {
            Self::NotAccepted(_)
            | Self::SecretMissing
            | Self::InvalidToken(_)
            | Self::InvalidClass(_) => Some(AccountState::Rejected),
            Self::ProfileMismatch { .. } => Some(AccountState::ProfileMismatch),
            Self::Backend(error) => Some(backend_state(error)),
            Self::Ledger(error) if ledger_needs_person(error) => Some(AccountState::LedgerLost),
            Self::Ledger(_)
            | Self::Plan(_)
            | Self::Cluster(_)
            | Self::Blind
            | Self::Superseded
            | Self::TimedOut
            | Self::Panicked => None,
        }
    }
}

/// When to ask a service again.
pub fn retry(error: &BackendError) -> Next {
    match error.retry() {
        Retry::After(wait) => Next::NotBefore(wait.max(Duration::from_secs(1))),
        Retry::Backoff | Retry::LookAgain | Retry::OnChange => Next::Backoff,
    }
}

/// State of an account whose service did not do what was asked.
pub fn backend_state(error: &BackendError) -> AccountState {
    match error {
        BackendError::Rejected { .. } => AccountState::Held,
        BackendError::Unauthorized | BackendError::Forbidden { .. } => {
            AccountState::CredentialsRefused
        }
        BackendError::Malformed { .. } => AccountState::ReadUntrusted,
        BackendError::Unreachable(_)
        | BackendError::RateLimited { .. }
        | BackendError::AddressLimited { .. }
        | BackendError::Failed { .. }
        | BackendError::Unavailable { .. }
        | BackendError::NoSuchAccount
        | BackendError::Changed { .. } => AccountState::Unreachable,
    }
}

fn ledger_needs_person(error: &LedgerError) -> bool {
    match error {
        LedgerError::Damaged { .. }
        | LedgerError::Newer { .. }
        | LedgerError::TooLarge { .. }
        | LedgerError::ObjectTooLarge { .. }
        | LedgerError::OtherAccount { .. } => true,
        LedgerError::InUse { .. }
        | LedgerError::Conflict { .. }
        | LedgerError::ReadOnly { .. }
        | LedgerError::Read { .. }
        | LedgerError::Write { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ClusterError, ReconcileError};
    use crate::backend::BackendError;
    use crate::backend::account_api::InvalidToken;
    use crate::backend::transport::SetupError;
    use crate::ledger::LedgerError;
    use crate::plan::PlanError;

    fn place() -> String {
        "AccountLedger web/acme".to_owned()
    }

    #[test]
    fn each_failure_says_its_reason_and_what_to_do() {
        let (pinned, asked) = ("acc_1".to_owned(), "acc_2".to_owned());
        let source = || Box::new(std::io::Error::other("a cause"));
        let ledger = ReconcileError::Ledger;
        let failures = [
            (ReconcileError::SecretMissing, "SecretNotFound stalled"),
            (ReconcileError::InvalidToken(InvalidToken), "InvalidToken stalled"),
            (ReconcileError::InvalidClass(SetupError::BaseUrl), "InvalidClass stalled"),
            (
                ReconcileError::Backend(BackendError::RateLimited { wait: Duration::ZERO }),
                "BackendRateLimited",
            ),
            (ReconcileError::Backend(BackendError::Unauthorized), "CredentialsRefused stalled"),
            (ledger(LedgerError::Conflict { place: place() }), "LedgerConflict"),
            (ledger(LedgerError::Newer { place: place(), found: 9 }), "LedgerNewer stalled"),
            (
                ledger(LedgerError::OtherAccount { place: place(), pinned, asked }),
                "LedgerOfOtherAccount stalled",
            ),
            (ledger(LedgerError::Read { place: place(), source: source() }), "LedgerUnreadable"),
            (ReconcileError::Plan(PlanError::Broken("seats")), "PlanBroken stalled"),
            (ReconcileError::Cluster(ClusterError::Slow { what: "read" }), "ClusterUnreachable"),
            (ReconcileError::Superseded, "Superseded"),
        ];
        for (error, said) in failures {
            let stalled = if error.needs_person() { " stalled" } else { "" };
            assert_eq!(format!("{}{stalled}", error.reason()), said);
            let says = error.says();
            assert!(says.contains(';'), "it says nothing to do: {says}");
        }
    }
}
