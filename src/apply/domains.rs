//! Domains, last of all. What we are about to put in is stored as ours before the call, and so is
//! that a record was looked for: nobody is mailed, and a doubtful answer is settled by the next look.

use uuid::Uuid;

use crate::apply::outcome::{NotRun, Outcome, stops};
use crate::apply::{ACTED, ACTING, ApplyError, Job};
use crate::backend::Executed;
use crate::domain::domains::DomainRecord;
use crate::domain::keys::RequestKey;
use crate::domain::observed::Observed;
use crate::failpoint::hit;
use crate::ledger::Ledger;
use crate::plan::domains::DomainAction;

/// What became of each action, in the order of the plan.
pub type DomainOutcomes = Vec<(DomainAction, Outcome)>;

/// Runs the plan's actions on domains; `stopped`: nothing may be tried any more.
pub(super) async fn run(
    ledger: &mut Ledger,
    job: &Job<'_>,
    after: &mut Observed,
    stopped: bool,
) -> Result<DomainOutcomes, ApplyError> {
    let plan = &job.plan.domains;
    if stopped || (plan.learn.is_none() && plan.actions.is_empty()) {
        let not_run = |action: &DomainAction| (action.clone(), Outcome::NotRun(NotRun::Stopped));
        return Ok(plan.actions.iter().map(not_run).collect());
    }
    ledger.pin(&job.observed.account.key)?;
    let before = ledger.domains();
    if let Some(learn) = &plan.learn {
        ledger.learn_domains(learn);
    }
    ledger.write_news().await?;
    let mut outcomes = DomainOutcomes::new();
    let mut stopped = false;
    for action in &plan.actions {
        let outcome = match stopped {
            true => Outcome::NotRun(NotRun::Stopped),
            false => call(job, action).await,
        };
        stopped |= outcome.error().is_some_and(stops);
        let known = before.get(action.domain()).cloned().unwrap_or_default();
        settle(ledger, action, known, &outcome);
        take_effect(action, &outcome, after);
        outcomes.push((action.clone(), outcome));
    }
    ledger.write_news().await?;
    Ok(outcomes)
}

async fn call(job: &Job<'_>, action: &DomainAction) -> Outcome {
    let key = RequestKey(Uuid::new_v4().to_string());
    hit(ACTING);
    let answer = job.backend.execute_domain(job.account, action, &key).await;
    hit(ACTED);
    Outcome::of(answer)
}

/// What was not put in is not ours, and what was found is looked for no more.
fn settle(ledger: &mut Ledger, action: &DomainAction, before: DomainRecord, outcome: &Outcome) {
    let made = before.made;
    let record = match (action, outcome) {
        (DomainAction::Add { .. }, Outcome::Refused(_)) | (_, Outcome::NotRun(_)) => before,
        (DomainAction::Verify { .. }, Outcome::Done(Executed::Domain(_))) => {
            DomainRecord { made, ..DomainRecord::default() }
        }
        (DomainAction::Remove { .. }, Outcome::Done(_)) => DomainRecord::default(),
        (DomainAction::Verify { domain, .. }, Outcome::Done(answer)) => {
            let asked = ledger.domains().remove(domain).unwrap_or_default();
            DomainRecord { taken: *answer == Executed::Taken, ..asked }
        }
        (_, _) => return,
    };
    ledger.settle_domain(action.domain(), &record);
}

/// Does to our picture what was done to the account.
fn take_effect(action: &DomainAction, outcome: &Outcome, after: &mut Observed) {
    let Some(rows) = &mut after.joining.domains else { return };
    match outcome {
        Outcome::Done(Executed::Domain(row)) => {
            rows.insert(action.domain().clone(), (**row).clone());
        }
        Outcome::Done(Executed::Gone) => drop(rows.remove(action.domain())),
        _ => {}
    }
}
