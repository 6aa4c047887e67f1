//! Recipients of categories of mail, last of all: whose role was just changed is there as it is now.
//! Whom we are about to make a recipient is stored as ours before the call.

use std::collections::BTreeSet;

use crate::apply::outcome::{NotRun, Outcome, stops};
use crate::apply::{ACTED, ACTING, ApplyError, Job};
use crate::domain::keys::CategoryName;
use crate::domain::observed::Observed;
use crate::domain::recipients::ReceivesBy;
use crate::failpoint::hit;
use crate::ledger::Ledger;
use crate::plan::notification::{RecipientAction, RecipientChange};

/// What became of each action, in the order of the plan.
pub type RecipientOutcomes = Vec<(RecipientAction, Outcome)>;

/// Runs the plan's actions on recipients; `stopped`: nothing may be tried any more.
pub(super) async fn run(
    ledger: &mut Ledger,
    job: &Job<'_>,
    after: &mut Observed,
    stopped: bool,
) -> Result<RecipientOutcomes, ApplyError> {
    let plan = &job.plan.recipients;
    let news = !plan.learn.records.is_empty() || plan.learn.exact.is_some();
    let tidies = plan.learn.seen.is_some() && ledger.installation().is_some();
    if stopped || !(news || tidies || !plan.actions.is_empty()) {
        let not_run = |action: &RecipientAction| (action.clone(), Outcome::NotRun(NotRun::Stopped));
        return Ok(plan.actions.iter().map(not_run).collect());
    }
    ledger.pin(&job.observed.account.key)?;
    let before: Vec<_> =
        plan.actions.iter().map(|action| ledger.recipient(&action.person)).collect();
    ledger.learn_recipients(&plan.learn);
    ledger.write_news().await?;
    take_roles(job, after);
    let mut outcomes = RecipientOutcomes::new();
    let mut stopped = false;
    for (action, before) in plan.actions.iter().zip(&before) {
        let outcome = match stopped {
            true => Outcome::NotRun(NotRun::Stopped),
            false => call(job, action).await,
        };
        stopped |= outcome.error().is_some_and(stops);
        settle(ledger, action, before, &outcome);
        if outcome.is_done() {
            take_effect(action, after);
        }
        outcomes.push((action.clone(), outcome));
    }
    ledger.write_news().await?;
    Ok(outcomes)
}

async fn call(job: &Job<'_>, action: &RecipientAction) -> Outcome {
    hit(ACTING);
    let answer = job.backend.execute_recipient(job.account, action).await;
    hit(ACTED);
    Outcome::of(answer)
}

/// What was not done is not ours; what may have been done is.
fn settle(
    ledger: &mut Ledger,
    action: &RecipientAction,
    before: &BTreeSet<CategoryName>,
    outcome: &Outcome,
) {
    let mut set = ledger.recipient(&action.person);
    let changed = match (action.change, outcome) {
        (RecipientChange::Add, Outcome::Refused(_) | Outcome::NotRun(_)) => {
            !before.contains(&action.category) && set.remove(&action.category)
        }
        (RecipientChange::Remove, Outcome::Done(_)) => set.remove(&action.category),
        (RecipientChange::Add, Outcome::Done(_) | Outcome::Unknown(_))
        | (RecipientChange::Remove, _) => false,
    };
    if changed {
        ledger.put_recipient(&action.person, set);
    }
}

/// Does to our picture what was done to the account.
fn take_effect(action: &RecipientAction, after: &mut Observed) {
    let categories = after.categories.iter_mut();
    for category in categories.filter_map(|all| all.get_mut(&action.category)) {
        let by = category.recipients.entry(action.member.clone()).or_default();
        by.chosen = action.change == RecipientChange::Add;
        category.recipients.retain(|_, by| by.implied || by.chosen);
    }
}

/// Whose role this run changed receives by role what the new one says.
fn take_roles(job: &Job<'_>, after: &mut Observed) {
    let Observed { members, categories, .. } = after;
    for (key, member) in members {
        let old = job.observed.members.get(key).and_then(|member| member.role.known());
        let Some(role) = member.role.known().filter(|role| old != Some(*role)) else { continue };
        let Some(role) = job.profile.role(role) else { continue };
        for (name, category) in categories.iter_mut().flatten() {
            let by = category.recipients.entry(member.id.clone()).or_insert(ReceivesBy::default());
            by.implied = role.receives.contains(name.as_str());
            category.recipients.retain(|_, by| by.implied || by.chosen);
        }
    }
}
