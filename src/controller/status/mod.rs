//! What every object says of itself after a reconcile. Everything here is pure but `write`.

mod account;
mod client_access;
mod conditions;
mod domains;
mod membership;
mod notification_subscription;
mod page;
mod person;
mod table;
mod team;
mod unreadable;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::Resource as _;

use crate::api::AccountState;
use crate::apply::{ClientOutcomes, DomainOutcomes, Outcome, RecipientOutcomes, TeamOutcomes};
use crate::backend::{BackendError, Retry};
use crate::controller::error::{ReconcileError, backend_state};
use crate::controller::queue::Next;
use crate::controller::reach;
use crate::controller::release::{self, Verdict};
use crate::controller::round::Round;
use crate::controller::status::conditions::{Say, time};
use crate::domain::capability::Capability;
use crate::domain::desired::Origin;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{CategoryName, TeamRef};
use crate::domain::observed::Observed;
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;
use crate::manifests::{ObjectKey, RELEASE_ANNOTATION, Resolved};
use crate::plan::action::Action;
use crate::plan::ladder::Ladder;
use crate::plan::{Plan, Stop};
use crate::profile::Profile;

pub use page::{is_on_page, page};
pub use write::{write_all, write_strays};

/// A look that came to its end.
pub struct Looked {
    /// The planner's word on the account as it is now.
    pub plan: Plan,
    /// The account as it is now.
    pub observed: Observed,
    /// How far we may go.
    pub mode: Mode,
    /// What the service does not promise.
    pub missing: BTreeSet<Capability>,
    /// What each mode that writes would do, in mode `Observe`.
    pub ladder: Ladder,
    /// What the service did not do, by person.
    pub refused: BTreeMap<MemberKey, Trouble>,
    /// What it did not do, by client.
    pub refused_clients: BTreeMap<EmailAddress, Trouble>,
    /// What it did not do, by category and recipient.
    pub refused_recipients: BTreeMap<(CategoryName, EmailAddress), Trouble>,
    /// Why the categories of mail could not be read.
    pub categories_unread: Option<Trouble>,
    /// What it did not do with domains.
    pub refused_domains: Vec<Trouble>,
    /// Why the domains could not be read.
    pub domains_unread: Option<Trouble>,
    /// Why join requests or suggestions could not be read: nobody of them is let in meanwhile.
    pub asking_unread: Option<Trouble>,
    /// What the service refused of single teams.
    pub refused_teams: BTreeMap<TeamRef, Trouble>,
    /// Why the clients could not be read.
    pub clients_unread: Option<Trouble>,
    /// What stopped the run before its end.
    pub stopped: Option<Trouble>,
    /// When to try again after that.
    pub retry: Option<Next>,
}

/// Something that the service did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// For machines.
    pub reason: Reason,
    /// For people.
    pub message: String,
    /// What it makes of the account.
    pub state: AccountState,
    /// Trying again changes nothing: a person must act.
    pub is_final: bool,
}

impl From<&BackendError> for Trouble {
    fn from(error: &BackendError) -> Self {
        Self {
            reason: error.reason(),
            message: format!("{error}; {}", error.hint()),
            state: backend_state(error),
            is_final: error.retry() == Retry::OnChange,
        }
    }
}

impl Trouble {
    /// What became of actions that were not done. Of an address that takes no mail for a while the
    /// plan says until when.
    pub fn of(outcomes: &[(Action, Outcome)]) -> BTreeMap<MemberKey, Self> {
        let troubled = outcomes.iter().filter_map(|(action, outcome)| {
            of_outcome(outcome).map(|error| (action.person().clone(), Self::from(error)))
        });
        troubled.collect()
    }

    /// What the service refused of single teams.
    pub fn of_teams(outcomes: &TeamOutcomes) -> BTreeMap<TeamRef, Self> {
        let errors = outcomes.iter().filter_map(|(action, outcome)| {
            Some((action.reference()?.clone(), Self::from(outcome.error()?)))
        });
        errors.collect()
    }

    /// What became of actions on clients that were not done.
    pub fn of_clients(outcomes: &ClientOutcomes) -> BTreeMap<EmailAddress, Self> {
        let troubled = outcomes.iter().filter_map(|(action, outcome)| {
            of_outcome(outcome).map(|error| (action.client().clone(), Self::from(error)))
        });
        troubled.collect()
    }
}

impl Trouble {
    /// What became of actions on domains that were not done.
    pub fn of_domains(outcomes: &DomainOutcomes) -> Vec<Self> {
        outcomes.iter().filter_map(|(_, outcome)| outcome.error().map(Self::from)).collect()
    }

    /// What became of actions on recipients that were not done.
    pub fn of_recipients(
        outcomes: &RecipientOutcomes,
    ) -> BTreeMap<(CategoryName, EmailAddress), Self> {
        let troubled = outcomes.iter().filter_map(|(action, outcome)| {
            let key = (action.category.clone(), action.person.clone());
            outcome.error().map(|error| (key, Self::from(error)))
        });
        troubled.collect()
    }
}

/// What the service did not do, unless the plan that follows says it.
fn of_outcome(outcome: &Outcome) -> Option<&BackendError> {
    outcome.error().filter(|error| !matches!(error, BackendError::AddressLimited { .. }))
}

/// What a reconcile found.
pub enum Finding {
    /// The account was looked at.
    Looked(Box<Looked>),
    /// It was not.
    Failed(ReconcileError),
}

impl Finding {
    /// True if the account was looked at, and what is to be done was done.
    pub fn settles(&self) -> bool {
        matches!(self, Self::Looked(looked) if looked.plan.stop.is_none())
    }

    /// The look, if its word on people may be believed.
    pub fn looked(&self) -> Result<&Looked, Trouble> {
        match self {
            Self::Looked(looked) => match &looked.plan.stop {
                Some(stop @ Stop::ReadUntrusted(_)) => Err(Trouble {
                    reason: stop.reason(),
                    message: stop.to_string(),
                    state: AccountState::ReadUntrusted,
                    is_final: false,
                }),
                Some(Stop::Suspended | Stop::ClaimedByOther | Stop::LedgerLost) | None => {
                    Ok(looked)
                }
            },
            Self::Failed(error) => {
                let state = error.state().unwrap_or(AccountState::Unreachable);
                let (message, is_final) = (error.says(), error.needs_person());
                Err(Trouble { reason: error.reason(), message, state, is_final })
            }
        }
    }
}

/// Everything that statuses are made of.
pub struct Picture<'a> {
    /// What is declared.
    pub resolved: &'a Resolved,
    /// The profile, if there is one.
    pub profile: Option<&'a Profile>,
    /// What was found.
    pub finding: &'a Finding,
    /// What becomes of the objects that are being deleted.
    pub verdicts: &'a BTreeMap<ObjectKey, Verdict>,
    /// When each deleted object that waits for an account out of reach goes without it.
    pub ends: BTreeMap<ObjectKey, Timestamp>,
    /// The same for the Account.
    pub account_ends: Option<Timestamp>,
    /// Declared people by object.
    pub people: BTreeMap<ObjectKey, Vec<(&'a MemberKey, &'a Origin)>>,
}

impl<'a> Picture<'a> {
    /// A picture of one account.
    pub fn new(
        round: &'a Round,
        finding: &'a Finding,
        verdicts: &'a BTreeMap<ObjectKey, Verdict>,
    ) -> Self {
        let Round { resolved, profile, fetched, .. } = round;
        let mut people: BTreeMap<ObjectKey, Vec<_>> = BTreeMap::new();
        let desired = &resolved.desired;
        let present = desired.people.iter().map(|(person, member)| (person, &member.origin));
        let absent = desired.absent.iter().map(|(person, absence)| (person, &absence.origin));
        for (person, origin) in present.chain(absent) {
            let key = ObjectKey {
                kind: origin.kind,
                namespace: origin.namespace.clone(),
                name: origin.name.clone(),
            };
            people.entry(key).or_default().push((person, origin));
        }
        let profile = profile.as_deref();
        let waiting = verdicts.iter().filter(|(key, verdict)| {
            verdict.stays() && reach::of_object(round, finding, key).is_some()
        });
        let ends_at = |key: &ObjectKey| release::ends_at(round, fetched.metadata(key)?);
        let ends = waiting.filter_map(|(key, _)| Some((key.clone(), ends_at(key)?))).collect();
        let account_ends = reach::of_account(finding)
            .and_then(|_| release::ends_at(round, fetched.account.meta()));
        Self { resolved, profile, finding, verdicts, ends, account_ends, people }
    }

    /// What cannot be said of an object that is not looked at; of a deleted one with the way out.
    pub fn unknown(&self, key: &ObjectKey, trouble: &Trouble) -> Say {
        let wait = self.verdicts.get(key).map(|_| way_out(self.ends.get(key).copied()));
        Say::unknown(trouble.reason, format!("{}{}", trouble.message, wait.unwrap_or_default()))
    }
}

/// How long a deleted object waits, and how it goes at once.
fn way_out(ends: Option<Timestamp>) -> String {
    let until = ends.map(|at| format!("at {}, or ", time(at).0)).unwrap_or_default();
    format!(
        "; it is being deleted and waits to take back what it gave: it goes without that {until}at once \
         with the annotation {RELEASE_ANNOTATION}"
    )
}

/// A count as statuses carry it.
fn number(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

/// The text, or as much of it as fits into `max` characters.
fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}
