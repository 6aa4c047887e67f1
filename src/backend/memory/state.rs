//! What the service in memory holds: the account, the answers under keys, calls and faults.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::memory::rules::{self, changed};
use crate::domain::keys::{AccountKey, RequestKey};
use crate::domain::observed::Observed;
use crate::plan::action::Action;
use crate::plan::simulate;
use crate::profile::Profile;

/// The account and what was asked of it.
pub(super) struct State {
    /// The account.
    pub(super) observed: Observed,
    /// Now.
    pub(super) now: Timestamp,
    /// What was done under each key, and the answer that was given.
    pub(super) answers: BTreeMap<RequestKey, (Action, Executed)>,
    /// What took effect.
    pub(super) effects: Vec<Action>,
    /// Calls by kind.
    pub(super) calls: BTreeMap<&'static str, u64>,
    /// How the n-th call of a kind fails.
    pub(super) faults: BTreeMap<(&'static str, u64), Fault>,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request never arrives.
    Lost,
    /// The request takes effect, the answer never arrives.
    AnswerLost,
    /// The service fails before any effect.
    Failed {
        /// HTTP status, 5xx.
        status: u16,
    },
    /// The service asks for fewer requests.
    RateLimited {
        /// Time to wait.
        wait: Duration,
    },
    /// The credential is refused.
    Unauthorized,
}

/// What a request or an answer that is lost looks like.
pub(super) fn lost() -> BackendError {
    BackendError::Unreachable("an injected fault".into())
}

impl State {
    /// Counts a call; `Ok(true)`: it takes effect and its answer is lost.
    pub(super) fn arrive(&mut self, kind: &'static str) -> Result<Answer, BackendError> {
        let count = self.calls.entry(kind).or_default();
        *count += 1;
        match self.faults.remove(&(kind, *count)) {
            None => Ok(Answer::Given),
            Some(Fault::AnswerLost) => Ok(Answer::Lost),
            Some(Fault::Lost) => Err(lost()),
            Some(Fault::Failed { status }) => Err(BackendError::Failed { status }),
            Some(Fault::RateLimited { wait }) => Err(BackendError::RateLimited { wait }),
            Some(Fault::Unauthorized) => Err(BackendError::Unauthorized),
        }
    }

    /// Knows one account.
    pub(super) fn is_ours(&self, account: &AccountKey) -> Result<(), BackendError> {
        if self.observed.account.key == *account {
            Ok(())
        } else {
            Err(BackendError::NoSuchAccount)
        }
    }

    /// The answer that was given under `key`, if the action is a POST that succeeded before.
    pub(super) fn replay(
        &self,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Option<Executed>, BackendError> {
        match self.answers.get(key) {
            None => Ok(None),
            Some((before, answer)) if rules::same_request(before, action) => {
                Ok(Some(answer.clone()))
            }
            Some(_) => Err(changed("idempotency-key-reused")),
        }
    }

    /// Does `action` and remembers the answer.
    pub(super) fn perform(
        &mut self,
        action: &Action,
        key: &RequestKey,
        profile: &Profile,
    ) -> Executed {
        simulate::step(&mut self.observed, action, profile, self.now);
        simulate::recount(&mut self.observed, profile);
        self.effects.push(action.clone());
        let answer = self.answer(action);
        if rules::is_post(action) {
            self.answers.insert(key.clone(), (action.clone(), answer.clone()));
        }
        answer
    }

    fn answer(&self, action: &Action) -> Executed {
        let member = self.observed.members.get(action.person()).cloned();
        let invitation = self.observed.invitations.get(action.person()).cloned();
        let answer = match action {
            Action::RevokeInvitation { .. }
            | Action::Remove { .. }
            | Action::CancelOwnerChange { .. } => None,
            Action::ChangeOwner { .. } => {
                let rows = self.observed.ownership_changes.as_ref();
                let row = rows.and_then(|rows| rows.last()).cloned();
                row.map(|row| Executed::OwnershipChange(Box::new(row)))
            }
            Action::Trim { .. }
            | Action::ChangeRole { .. }
            | Action::Reinstate { .. }
            | Action::Add { .. }
            | Action::Approve { .. } => member.map(Executed::Member),
            Action::ChangeInvitedRole { .. } | Action::Resend { .. } | Action::Invite { .. } => {
                invitation.map(Executed::Invitation)
            }
        };
        answer.unwrap_or(Executed::Gone)
    }
}

/// What becomes of the answer to a call that arrived.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// It comes back.
    Given,
    /// It does not.
    Lost,
}
