//! The account service behind a trait. Adapters hold no plan logic and never retry a write.

pub mod account_api;
mod call;
mod client_state;
mod clients;
mod domains;
mod endings;
pub mod feed;
mod joining;
pub mod memory;
mod owners;
pub mod pace;
mod pages;
mod problem;
mod recipients;
mod rows;
mod rules;
mod teams;
pub mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::domain::capability::Capability;
use crate::domain::clients::ObservedClient;
use crate::domain::domains::{DomainName, ObservedDomain};
use crate::domain::endings::Endings;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{AccountKey, CategoryName, ETag, InstallationId, RequestKey, TeamId};
use crate::domain::observed::{
    Claim, Observed, ObservedAccount, ObservedInvitation, ObservedMember,
};
use crate::domain::ownership::ObservedOwnershipChange;
use crate::domain::reason::Reason;
use crate::domain::recipients::ObservedCategory;
use crate::domain::teams::ObservedTeam;
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;
use crate::plan::domains::DomainAction;
use crate::plan::notification::RecipientAction;
use crate::plan::teams::TeamAction;
use crate::profile::Profile;

/// The account service, as far as this program needs it: one read and one write.
///
/// Every adapter passes `tests/it/contract.rs`.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Reads one account whole. Pages are followed to the end: a partial answer is an error,
    /// because the planner would take a missing row for a person who left. Roles and states that
    /// `profile` does not know come back as unknown.
    async fn observe(
        &self,
        account: &AccountKey,
        profile: &Profile,
    ) -> Result<Observed, BackendError>;

    /// Reads from the feed of changes whose membership or invitation somebody else ended between the
    /// feed position `after` and the end of `look`. `None`: the service does not say.
    async fn endings(&self, look: &Observed, after: u64) -> Result<Option<Endings>, BackendError>;

    /// Feed position of the last of our writes that were answered since this was last asked, where
    /// the service says it: a look that began before it does not show what we did.
    fn take_written(&self) -> Option<u64>;

    /// Reads which guarantees the service gives, and its rules; cached by the caller.
    async fn guarantees(&self, account: &AccountKey) -> Result<Guarantees, BackendError>;

    /// Runs one action, once. `key` is sent as `Idempotency-Key` with every POST. An action that
    /// already took effect answers `Ok`: a member who is gone is removed.
    async fn execute(
        &self,
        account: &AccountKey,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Executed, BackendError>;

    /// Runs one action on a team or on the account, once, under the rules of [`Backend::execute`].
    async fn execute_team(
        &self,
        account: &AccountKey,
        action: &TeamAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError>;

    /// Reads the clients of an agency whole; of several rows of one client the one that counts.
    async fn client_accesses(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError>;

    /// Runs one action on a client, once, under the rules of [`Backend::execute`].
    async fn execute_client(
        &self,
        account: &AccountKey,
        action: &ClientAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError>;

    /// Reads the changes of owner of the account whole, those that ended too.
    async fn ownership_changes(
        &self,
        account: &AccountKey,
    ) -> Result<Vec<ObservedOwnershipChange>, BackendError>;

    /// Reads the categories of mail whole, with everyone who receives them.
    async fn categories(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError>;

    /// Runs one action on a recipient, once. One that already took effect answers `Ok`.
    async fn execute_recipient(
        &self,
        account: &AccountKey,
        action: &RecipientAction,
    ) -> Result<Executed, BackendError>;

    /// Reads the domains of the account whole.
    async fn domains(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError>;

    /// Runs one action on a domain, once, under the rules of [`Backend::execute`]. A record that is
    /// not there yet, and a domain of another account, answer `Ok`.
    async fn execute_domain(
        &self,
        account: &AccountKey,
        action: &DomainAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError>;

    /// Reads the open join requests whole.
    async fn join_requests(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError>;

    /// Reads whole whom members suggest for which teams.
    async fn suggestions(&self, account: &AccountKey) -> Result<BTreeSet<MemberKey>, BackendError>;

    /// Puts our claim on the account, if its row is still at `etag`; in place of that of `replaces`, or
    /// where nobody else's is. Gives the account's new version.
    async fn claim(
        &self,
        account: &AccountKey,
        claim: &Claim,
        replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError>;
}

/// What a service answered to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// The member as it is now.
    Member(ObservedMember),
    /// The invitation as it is now.
    Invitation(ObservedInvitation),
    /// The team as it is now.
    Team(TeamId, Box<ObservedTeam>),
    /// The account as it is now.
    Account(Box<ObservedAccount>),
    /// The change of owner as it is now.
    OwnershipChange(Box<ObservedOwnershipChange>),
    /// The client as it is now.
    Client(Box<ObservedClient>),
    /// The member is a recipient.
    Recipient,
    /// The domain as it is now.
    Domain(Box<ObservedDomain>),
    /// The record of the domain is not there.
    Unproved,
    /// Another account has verified the domain.
    Taken,
    /// It is gone.
    Gone,
}

/// Which guarantees a service gives, and the rules that it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// How long an idempotency key is remembered; zero: not at all.
    pub key_retention: Duration,
    /// What it does not promise.
    pub missing: BTreeSet<Capability>,
    /// The rules that it keeps; compared with our profile by meaning.
    pub rules: ServiceRules,
}

impl Guarantees {
    /// Whether the account can hold a claim.
    #[must_use]
    pub fn claims(&self) -> bool {
        !self.missing.contains(&Capability::Claims)
    }

    /// How long a key may be repeated: what the service remembers, less an hour for clocks that
    /// differ and calls that linger. Zero: it does not deduplicate.
    #[must_use]
    pub fn repeatable_for(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(3600);
        self.key_retention.checked_sub(MARGIN).unwrap_or(self.key_retention / 2)
    }
}

/// The rules of an account as the service says them, for comparison by meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRules {
    /// Role names, highest first, each with whether an invitation can give it.
    pub roles: Vec<(String, bool)>,
    /// Plan names, lowest tier first, with their seats (`None`: unlimited).
    pub plans: Vec<(String, Option<u32>)>,
    /// What takes a seat, sorted.
    pub counts: Vec<String>,
    /// What a shrinking limit does.
    pub on_shrink: String,
}

/// Why the account service did not do what was asked.
///
/// Messages say what was tried and leave the cause to `source()`. No message holds an address, a
/// token or a body.
#[derive(Debug, Error)]
pub enum BackendError {
    /// The service could not be reached, or did not answer in time. A write may have arrived.
    #[error("could not reach the account service")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// The service asked for fewer requests.
    #[error("the account service limits requests for {wait:?}")]
    RateLimited {
        /// Time to wait, from `Retry-After`.
        wait: Duration,
    },
    /// The service takes no mail to this address for a while; others are not held up.
    #[error("the account service takes no more mails to this address for {wait:?}")]
    AddressLimited {
        /// Time to wait, from `Retry-After`.
        wait: Duration,
    },
    /// The service failed (5xx). A write may have taken effect.
    #[error("the account service failed with status {status}")]
    Failed {
        /// HTTP status.
        status: u16,
    },
    /// The service is busy or still at work on the same request, and asked to wait (409, 503 with
    /// `Retry-After`). A write may have taken effect, other than with [`Self::RateLimited`].
    #[error("the account service is not available for {wait:?}")]
    Unavailable {
        /// Time to wait, from `Retry-After`.
        wait: Duration,
    },
    /// The credential was refused (401). A new Secret helps, waiting does not.
    #[error("the account service refused the credentials")]
    Unauthorized,
    /// The credential may not do this (403).
    #[error("the account service does not allow this to the credential: {code}")]
    Forbidden {
        /// Word of the answer.
        code: String,
    },
    /// The account is not there (404).
    #[error("the account service has no such account")]
    NoSuchAccount,
    /// The row changed since the last look (409, 412): look again.
    #[error("the account changed since the last look: {code}")]
    Changed {
        /// Word of the answer.
        code: String,
    },
    /// The service understood and said no.
    #[error("the account service rejected the request: {code}")]
    Rejected {
        /// Word of the answer.
        code: String,
    },
    /// The answer is not what the API promises: HTML, half a page, another account, too large.
    #[error("the account service gave an answer that cannot be used: {what}")]
    Malformed {
        /// What is wrong with it; never content of the answer.
        what: &'static str,
    },
}

/// Refusals that only say that the account is fuller, or otherwise other, than when we looked.
const PASSING: &[&str] = &[
    "role-holders",
    "seat-limit-reached",
    "service-disabled",
    "trimmed-members-wait",
    "unknown-user",
];

/// When another try can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After a growing pause.
    Backoff,
    /// After this pause.
    After(Duration),
    /// At once, after a fresh look.
    LookAgain,
    /// Not before something else changes.
    OnChange,
}

impl BackendError {
    /// Says when another try can succeed.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_) | Self::Failed { .. } | Self::Malformed { .. } => Retry::Backoff,
            Self::RateLimited { wait }
            | Self::AddressLimited { wait }
            | Self::Unavailable { wait } => Retry::After(*wait),
            Self::Changed { .. } => Retry::LookAgain,
            // Somebody was faster than our plan: the next look plans around it.
            Self::Rejected { code } if PASSING.contains(&code.as_str()) => Retry::LookAgain,
            Self::Unauthorized
            | Self::Forbidden { .. }
            | Self::NoSuchAccount
            | Self::Rejected { .. } => Retry::OnChange,
        }
    }

    /// Reason of the `Synced` condition and label of metrics. Part of the API: never renamed.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreachable(_) => Reason::Unreachable,
            Self::RateLimited { .. } => Reason::BackendRateLimited,
            Self::AddressLimited { .. } => Reason::AddressRateLimited,
            Self::Failed { .. } | Self::Unavailable { .. } => Reason::BackendFailed,
            Self::Unauthorized => Reason::CredentialsRefused,
            Self::Forbidden { .. } => Reason::Forbidden,
            Self::NoSuchAccount => Reason::NoSuchAccount,
            Self::Changed { .. } => Reason::ChangedMeanwhile,
            Self::Rejected { .. } => Reason::BackendRejected,
            Self::Malformed { .. } => Reason::MalformedAnswer,
        }
    }

    /// What to do next, for the `hint:` line and the messages of conditions.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Failed { .. } | Self::Unavailable { .. } => {
                "check that the service runs and that the class names its URL; try again later, \
                 nothing is lost and nothing is sent twice"
            }
            Self::RateLimited { .. } => "try again after that time",
            Self::AddressLimited { .. } => "it follows after that time; nobody else waits for it",
            Self::Unauthorized => "put a token that is still good into the Secret",
            Self::Forbidden { .. } => "use a token with the scopes that this needs",
            Self::NoSuchAccount => "check spec.accountId, and that the token is of that account",
            Self::Changed { .. } => "try again: the run starts over from a fresh look",
            Self::Rejected { .. } => {
                "the code says what the service will not do; correct the declaration, or settle it there"
            }
            Self::Malformed { .. } => {
                "check that the URL is that of an account service and that nothing in between \
                 answers in its place"
            }
        }
    }

    /// True if a write that ended so may have taken effect: its key is kept and repeated (OP-02).
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Failed { .. }
            | Self::Unavailable { .. }
            | Self::Malformed { .. } => true,
            Self::RateLimited { .. }
            | Self::AddressLimited { .. }
            | Self::Unauthorized
            | Self::Forbidden { .. }
            | Self::NoSuchAccount
            | Self::Changed { .. }
            | Self::Rejected { .. } => false,
        }
    }
}
