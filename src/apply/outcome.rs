//! What became of a plan.

use crate::apply::{ClientOutcomes, DomainOutcomes, RecipientOutcomes, TeamOutcomes};
use crate::backend::{BackendError, Executed};
use crate::domain::observed::Observed;
use crate::ledger::Writes;
use crate::plan::action::Action;
use crate::plan::domains::DomainAction;

/// What became of one action.
#[derive(Debug)]
pub enum Outcome {
    /// Done; what the service answered.
    Done(Executed),
    /// The service said no; nothing changed.
    Refused(BackendError),
    /// It may have taken effect. A send stays in the ledger's open wave and is repeated under the
    /// same key.
    Unknown(BackendError),
    /// It was not tried.
    NotRun(NotRun),
}

/// Why an action was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotRun {
    /// An earlier answer stopped the run.
    Stopped,
    /// A seat that it needs was not freed (OP-03).
    SeatNotFreed,
    /// Who was trimmed comes back before anyone new, and somebody did not (OP-04).
    TrimmedFirst,
    /// A new owner was not raised, so the old one stays (OP-05).
    OwnerNotRaised,
    /// The invitation to an earlier address of the person was not withdrawn.
    EarlierLeft,
    /// The service may have forgotten the key: a person must look.
    InDoubt,
    /// Too many sends are in doubt.
    TooManyInDoubt,
}

impl NotRun {
    /// Word for logs and JSON output; never renamed.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Stopped => "Stopped",
            Self::SeatNotFreed => "SeatNotFreed",
            Self::TrimmedFirst => "TrimmedMembersWait",
            Self::OwnerNotRaised => "OwnerNotRaised",
            Self::EarlierLeft => "EarlierAddressLeft",
            Self::InDoubt => "InDoubt",
            Self::TooManyInDoubt => "TooManyInDoubt",
        }
    }
}

/// What became of a plan.
#[derive(Debug)]
pub struct Report {
    /// Each action of the plan, in its order.
    pub outcomes: Vec<(Action, Outcome)>,
    /// Each action on a team or on the account, in its order.
    pub teams: TeamOutcomes,
    /// Each action on a client, in its order.
    pub clients: ClientOutcomes,
    /// Each action on a recipient, in its order.
    pub recipients: RecipientOutcomes,
    /// Each action on a domain, in its order.
    pub domains: DomainOutcomes,
    /// The account as far as the answers say: the look, and what was done since.
    pub after: Observed,
    /// Why the claim was not put on the account; nothing ran then.
    pub claim_error: Option<BackendError>,
    /// Writes of the ledger in this run.
    pub writes: Writes,
}

impl Report {
    /// The answer that stopped the run before its end.
    #[must_use]
    pub fn stopped(&self) -> Option<&BackendError> {
        self.claim_error.as_ref().or_else(|| self.errors().find(|error| stops(error)))
    }

    /// What became of every action.
    fn all(&self) -> impl Iterator<Item = &Outcome> {
        let of_teams = self.teams.iter().map(|(_, outcome)| outcome);
        let of_people = self.outcomes.iter().map(|(_, outcome)| outcome);
        let of_clients = self.clients.iter().map(|(_, outcome)| outcome);
        let of_recipients = self.recipients.iter().map(|(_, outcome)| outcome);
        let of_domains = self.domains.iter().map(|(_, outcome)| outcome);
        of_teams.chain(of_people).chain(of_clients).chain(of_recipients).chain(of_domains)
    }

    /// What the service did not do.
    pub fn errors(&self) -> impl Iterator<Item = &BackendError> {
        self.all().filter_map(Outcome::error)
    }

    /// True if every action was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.claim_error.is_none() && self.all().all(Outcome::is_done)
    }

    /// True if something follows with the next look: the people of teams that came to be or changed,
    /// the end of old places of people that were added to another team, a higher role of somebody who
    /// joined, the people of a domain that was verified.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let added = |(action, outcome): &(Action, Outcome)| {
            matches!(action, Action::Add { .. } | Action::Approve { .. }) && outcome.is_done()
        };
        let verified = |(_, outcome): &(DomainAction, Outcome)| {
            matches!(outcome, Outcome::Done(Executed::Domain(_)))
        };
        self.teams.iter().any(|(_, outcome)| outcome.is_done())
            || self.outcomes.iter().any(added)
            || self.domains.iter().any(verified)
    }
}

impl Outcome {
    /// Sorts an answer.
    pub(super) fn of(answer: Result<Executed, BackendError>) -> Self {
        match answer {
            Ok(executed) => Self::Done(executed),
            Err(error) if error.outcome_unknown() => Self::Unknown(error),
            Err(error) => Self::Refused(error),
        }
    }

    /// What became of it, in one word for logs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "Done",
            Self::Refused(error) | Self::Unknown(error) => error.reason().as_str(),
            Self::NotRun(why) => why.reason(),
        }
    }

    /// True if it was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// Why the service did not do it, if it was asked.
    #[must_use]
    pub fn error(&self) -> Option<&BackendError> {
        match self {
            Self::Refused(error) | Self::Unknown(error) => Some(error),
            Self::Done(_) | Self::NotRun(_) => None,
        }
    }
}

/// True if nothing else should be tried after this answer: the next call would fare the same, or
/// the plan is out of date.
pub(super) fn stops(error: &BackendError) -> bool {
    match error {
        BackendError::Unreachable(_)
        | BackendError::RateLimited { .. }
        | BackendError::Unavailable { .. }
        | BackendError::Unauthorized
        | BackendError::NoSuchAccount
        | BackendError::Changed { .. }
        | BackendError::Malformed { .. } => true,
        BackendError::AddressLimited { .. }
        | BackendError::Failed { .. }
        | BackendError::Forbidden { .. }
        | BackendError::Rejected { .. } => false,
    }
}
