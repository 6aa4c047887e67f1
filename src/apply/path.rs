//! The path that operator and command line share: observe → plan, then apply → report.

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::apply::audit::{Audited, Declarers};
use crate::apply::joining;
use crate::apply::{ApplyError, Context, Job, Outcome, Report, apply};
use crate::backend::{Backend, BackendError};
use crate::domain::desired::Desired;
use crate::domain::keys::AccountKey;
use crate::domain::ledger_view::{FirstWanted, LedgerView};
use crate::domain::observed::Observed;
use crate::domain::policy::Policy;
use crate::ledger::Ledger;
use crate::plan::action::Action;
use crate::plan::ladder::{Ladder, ladder};
use crate::plan::{Distrust, Input, Plan, PlanError, Stop, plan};
use crate::profile::Profile;

/// Looks in a row at an account whose counts do not agree: somebody may just be accepting. Counts
/// that agree cost one look.
const LOOKS: u32 = 3;

/// One account, as it is declared.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The account service.
    pub backend: &'a dyn Backend,
    /// Id or short name of the account there.
    pub account: &'a AccountKey,
    /// The rules of the product.
    pub profile: &'a Profile,
    /// How far we may go.
    pub policy: &'a Policy,
    /// What the manifests ask for.
    pub desired: &'a Desired,
    /// Where we run: UID of the cluster's `kube-system` namespace, or `file`.
    pub fingerprint: &'a str,
    /// Who declares what, for the audit record.
    pub declarers: &'a dyn Declarers,
}

/// One look at an account, and what it leads to.
#[derive(Debug)]
pub struct Look {
    /// What the service holds.
    pub observed: Observed,
    /// What the ledger knows.
    pub view: LedgerView,
    /// What is to be done.
    pub plan: Plan,
    /// Lists that could not be read: what they hold is left as it is, and all else goes on.
    pub unread: Unread,
    /// What each mode that writes would do, in mode `Observe`.
    pub ladder: Ladder,
}

/// Lists beside the people that could not be read, and why.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// Clients of an agency.
    pub clients: Option<Arc<BackendError>>,
    /// Categories of mail.
    pub categories: Option<Arc<BackendError>>,
    /// Changes of owner.
    pub owner_changes: Option<Arc<BackendError>>,
    /// Domains.
    pub domains: Option<Arc<BackendError>>,
    /// Join requests.
    pub join_requests: Option<Arc<BackendError>>,
    /// Suggestions.
    pub suggestions: Option<Arc<BackendError>>,
}

impl Unread {
    /// True if every list was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists().iter().all(|(_, error)| error.is_none())
    }

    /// Why those who ask to come in, or are suggested, could not be read.
    #[must_use]
    pub fn asking(&self) -> Option<&BackendError> {
        self.join_requests.as_deref().or(self.suggestions.as_deref())
    }

    /// Every list, and why it could not be read.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, Option<&BackendError>); 6] {
        let Self { clients, categories, owner_changes, domains, join_requests, suggestions } = self;
        [
            ("the clients", clients.as_deref()),
            ("the categories of mail", categories.as_deref()),
            ("the changes of owner", owner_changes.as_deref()),
            ("the domains", domains.as_deref()),
            ("the join requests", join_requests.as_deref()),
            ("the suggestions", suggestions.as_deref()),
        ]
    }
}

/// What a run led to.
#[derive(Debug)]
pub struct Ran {
    /// What became of the plan.
    pub report: Report,
    /// The planner's word on the account as it is after the run: the source of every status. Empty
    /// of actions, unless something failed.
    pub settled: Plan,
    /// Lists that could not be read: what they hold is left as it is, and all else goes on.
    pub unread: Unread,
    /// What each mode that writes would do, in mode `Observe`.
    pub ladder: Ladder,
}

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum LookError {
    /// The account could not be read whole.
    #[error("could not read the account")]
    Observe(#[source] BackendError),
    /// The plan breaks an invariant.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Why a run ended without a report.
#[derive(Debug, Error)]
pub enum RunError {
    /// The ledger could not be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The plan after the run breaks an invariant.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Reads the account and plans. Writes nothing.
///
/// `first_wanted`: when the operator first saw each removal wanted; `None` for a one-shot run.
///
/// # Errors
///
/// [`LookError`] when the account could not be read whole, or the plan must not run.
pub async fn look(
    subject: &Subject<'_>,
    ledger: &mut Ledger,
    first_wanted: Option<FirstWanted>,
    now: &(dyn Fn() -> Timestamp + Send + Sync),
) -> Result<Look, LookError> {
    let mut left = LOOKS;
    loop {
        let observed = subject.backend.observe(subject.account, subject.profile).await;
        let mut observed = observed.map_err(LookError::Observe)?;
        let mut unread = Unread::default();
        if !subject.desired.clients.is_empty() || ledger.follows_clients() {
            let clients = subject.backend.client_accesses(&observed.account.key).await;
            observed.client_accesses = read_or_not(clients, &mut unread.clients)?;
        }
        if !subject.desired.recipients.categories.is_empty() || ledger.follows_recipients() {
            let categories = subject.backend.categories(&observed.account.key).await;
            observed.categories = read_or_not(categories, &mut unread.categories)?;
        }
        let becoming = subject.desired.people.values();
        let mut becoming = becoming.filter(|member| subject.profile.changes_owner(&member.role));
        if becoming.next().is_some() || ledger.follows_owner_changes() {
            let changes = subject.backend.ownership_changes(&observed.account.key).await;
            observed.ownership_changes = read_or_not(changes, &mut unread.owner_changes)?;
        }
        let account = observed.account.key.clone();
        observed.joining = joining::read(subject, &account, ledger, &mut unread).await?;
        let now = now();
        let desired = subject.desired.bound(&observed.teams, &ledger.teams());
        let looked = |ledger: &mut Ledger, observed: &Observed| LedgerView {
            first_wanted: first_wanted.clone(),
            ..view(subject, ledger, &desired, observed, now)
        };
        let mut view = looked(ledger, &observed);
        let mut plan = plan(&input(subject, &desired, &observed, &view, now))?;
        if let Some(since) = unexplained_since(&plan, &view) {
            let endings = subject.backend.endings(&observed, since).await;
            observed.evidence.endings = read_or_not(endings, &mut None)?.flatten();
            view = looked(ledger, &observed);
            plan = self::plan(&input(subject, &desired, &observed, &view, now))?;
        }
        left -= 1;
        let moving = matches!(
            plan.stop,
            Some(Stop::ReadUntrusted(Distrust::CountsDiffer { .. } | Distrust::Older { .. }))
        );
        if !moving || left == 0 {
            let ladder = ladder(&input(subject, &desired, &observed, &view, now))?;
            return Ok(Look { observed, view, plan, unread, ladder });
        }
    }
}

/// Where the feed is to be read from, if a look has fewer people than it should: it may show how they
/// went.
fn unexplained_since(plan: &Plan, view: &LedgerView) -> Option<u64> {
    let shrunk = matches!(plan.stop, Some(Stop::ReadUntrusted(Distrust::Shrunk { .. })));
    view.baseline.filter(|_| shrunk)?.as_of
}

/// True if the service would answer nothing else either; any other answer to one list is no news of
/// the others.
fn is_of_all(error: &BackendError) -> bool {
    match error {
        BackendError::Unreachable(_)
        | BackendError::RateLimited { .. }
        | BackendError::Unavailable { .. }
        | BackendError::Unauthorized => true,
        BackendError::AddressLimited { .. }
        | BackendError::Failed { .. }
        | BackendError::Forbidden { .. }
        | BackendError::NoSuchAccount
        | BackendError::Changed { .. }
        | BackendError::Rejected { .. }
        | BackendError::Malformed { .. } => false,
    }
}

/// The list, or why it could not be read.
pub(super) fn read_or_not<T>(
    list: Result<T, BackendError>,
    unread: &mut Option<Arc<BackendError>>,
) -> Result<Option<T>, LookError> {
    match list {
        Ok(list) => Ok(Some(list)),
        Err(error) if is_of_all(&error) => Err(LookError::Observe(error)),
        Err(error) => {
            *unread = Some(Arc::new(error));
            Ok(None)
        }
    }
}

/// Runs what a look led to, then asks the planner again about the account as it is now.
///
/// # Errors
///
/// [`RunError`] when the ledger could not be written; what the service refused is in the report.
pub async fn run(
    subject: &Subject<'_>,
    ledger: &mut Ledger,
    look: Look,
    context: Context<'_>,
    on_done: &(dyn Fn(&Action, &Outcome) + Send + Sync),
) -> Result<Ran, RunError> {
    let Look { observed, view: before, plan, unread, ladder } = look;
    let teams = ledger.teams();
    let desired = subject.desired.bound(&observed.teams, &teams);
    let Subject { backend, declarers, .. } = *subject;
    let audited = Audited { backend, desired: &desired, declarers };
    let job = Job {
        backend: &audited,
        account: subject.account,
        profile: subject.profile,
        plan: &plan,
        observed: &observed,
        context,
        on_done,
    };
    let report = apply(ledger, &job).await?;
    if plan.is_empty() {
        return Ok(Ran { report, settled: plan, unread, ladder });
    }
    let now = (context.now)();
    let desired = subject.desired.bound(&report.after.teams, &ledger.teams());
    let view = view(subject, ledger, &desired, &report.after, now);
    let view = LedgerView { first_wanted: before.first_wanted, ..view };
    let settled = self::plan(&input(subject, &desired, &report.after, &view, now))?;
    Ok(Ran { report, settled, unread, ladder })
}

fn view(
    subject: &Subject<'_>,
    ledger: &mut Ledger,
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
) -> LedgerView {
    let mut view = ledger.view(desired.named().iter(), observed, now);
    ledger.view_names(desired, &mut view);
    ledger.view_clients(&desired.clients, observed, now, &mut view);
    ledger.view_recipients(desired, observed, &mut view);
    LedgerView { fingerprint: Some(subject.fingerprint.to_owned()), ..view }
}

fn input<'a>(
    subject: &Subject<'a>,
    desired: &'a Desired,
    observed: &'a Observed,
    ledger: &'a LedgerView,
    now: Timestamp,
) -> Input<'a> {
    let Subject {
        backend: _,
        account: _,
        profile,
        policy,
        desired: _,
        fingerprint: _,
        declarers: _,
    } = *subject;
    Input { desired, observed, profile, policy, ledger, now }
}
