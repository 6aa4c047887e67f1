//! How far an account is known, and which of its changes are our own.
//!
//! A change wakes the account unless the last look began after it, or it is ours. Ours is what both
//! holds for: the service names our credential as its actor, and its subject is a row that a write
//! of ours was answered for since that look. So none of somebody else is passed over:
//! - every entry is judged for itself, by its own position, actor and subject: one between two of
//!   ours is seen like any other;
//! - who shares our credential, a write of ours whose answer never came, and what the service does
//!   to other rows because of ours all wake: their subjects are no rows that we know of;
//! - nothing is judged while a run is under way: what it writes stands in the feed before its
//!   answer is here.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::backend::feed::Change;
use crate::domain::keys::AccountKey;
use crate::domain::observed::Observed;

/// How far one account is known. Copies share it.
#[derive(Clone)]
pub struct Place(Arc<watch::Sender<State>>);

#[derive(Default)]
struct State {
    /// Runs under way.
    busy: u32,
    /// Where to go on from; `None`: only the next look says.
    start: Option<Start>,
    /// Actor of what we do, as the feed names it.
    actor: Option<String>,
    /// Rows that writes of ours were answered for since the last look.
    ours: BTreeSet<String>,
}

/// Where to follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The account, by its id.
    pub account: AccountKey,
    /// All up to here is known.
    pub position: u64,
}

/// What entries of the feed mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Something changed that no look has seen.
    News,
    /// Nothing that we do not know.
    Known,
}

/// A run is under way until this is dropped.
pub struct Busy(Place);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.busy = state.busy.saturating_sub(1));
    }
}

impl Place {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// A run begins.
    pub fn busy(&self) -> Busy {
        self.0.send_modify(|state| state.busy += 1);
        Busy(self.clone())
    }

    /// A look is complete: what happened before it began is known, our own writes among it.
    pub fn looked(&self, observed: &Observed) {
        let account = observed.account.key.clone();
        let start = observed.evidence.as_of.map(|position| Start { account, position });
        self.0.send_modify(|state| {
            state.start = start;
            state.actor.clone_from(&observed.evidence.actor);
            state.ours.clear();
        });
    }

    /// A write of ours to the row `id` was answered with yes.
    pub fn wrote(&self, id: &str) {
        self.0.send_modify(|state| {
            state.ours.insert(id.to_owned());
        });
    }

    /// A write of ours to the account itself was answered with yes.
    pub fn wrote_account(&self) {
        self.0.send_modify(|state| {
            let id = state.start.as_ref().map(|start| start.account.as_str().to_owned());
            state.ours.extend(id);
        });
    }

    /// Waits until no run is under way and there is somewhere to follow from.
    pub async fn start(&self) -> Start {
        let mut state = self.0.subscribe();
        loop {
            let free = |state: &State| state.busy == 0 && state.start.is_some();
            // The sender is ours: it cannot be gone.
            let Ok(state) = state.wait_for(free).await else { continue };
            if let Some(start) = &state.start {
                return start.clone();
            }
        }
    }

    /// Says what entries mean, once no run is under way, and goes on behind them. Each is judged
    /// once.
    pub async fn judge(&self, from: &Start, entries: &[Change]) -> Meaning {
        self.until_idle().await;
        let mut meaning = Meaning::Known;
        self.0.send_modify(|state| {
            // Without it a look is asked for already; of another account the look told all.
            let Some(start) = state.start.as_mut().filter(|s| s.account == from.account) else {
                return;
            };
            let is_ours = |entry: &Change| {
                state.actor.as_ref() == Some(&entry.actor) && state.ours.contains(&entry.subject)
            };
            let known = start.position;
            if entries.iter().any(|entry| entry.position > known && !is_ours(entry)) {
                meaning = Meaning::News;
            }
            let last = entries.last().map_or(known, |entry| entry.position);
            start.position = known.max(last);
        });
        meaning
    }

    /// The feed does not reach back to `from`. True if only a look helps: none was made since.
    pub async fn lost(&self, from: &Start) -> bool {
        self.until_idle().await;
        self.0.send_if_modified(|state| {
            let lost = state.start.as_ref() == Some(from);
            if lost {
                state.start = None;
            }
            lost
        })
    }

    async fn until_idle(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.0.subscribe().wait_for(|state| state.busy == 0).await;
    }
}
