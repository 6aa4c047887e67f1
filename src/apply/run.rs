//! The steps of a run.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::apply::claim::{claim, prepare};
use crate::apply::mail::Mail;
use crate::apply::outcome::{Outcome, Report, stops};
use crate::apply::progress::Progress;
use crate::apply::wave::{self, Waves};
use crate::apply::{
    ACTED, ACTING, ApplyError, BEGIN, CLAIMED, CLOSED, CLOSING, Job, OPENED, RECORDED, WAVE_OPENED,
    WAVE_SENT, clients, domains, recipients, teams,
};
use crate::domain::identity::MemberKey;
use crate::domain::keys::RequestKey;
use crate::failpoint::hit;
use crate::ledger::Ledger;
use crate::plan::action::Action;
use crate::plan::{Approval, Distrust, Learn, Stop, people};

/// Runs a plan; see [`crate::apply::apply`].
pub(super) async fn run(ledger: &mut Ledger, job: &Job<'_>) -> Result<Report, ApplyError> {
    let before = ledger.writes();
    let mut progress = Progress::new(job);
    if job.plan.actions.is_empty() && job.plan.clients.actions.is_empty() {
        learn_only(ledger, job, &mut progress).await?;
        teams::run(job, &mut progress).await;
    } else {
        act(ledger, job, &mut progress).await?;
    }
    let stopped = progress.is_stopped();
    progress.recipients = recipients::run(ledger, job, &mut progress.after, stopped).await?;
    let mut errors = progress.recipients.iter().filter_map(|(_, outcome)| outcome.error());
    let stopped = stopped || errors.any(stops);
    progress.domains = domains::run(ledger, job, &mut progress.after, stopped).await?;
    progress.note_written(ledger);
    Ok(progress.report(before, ledger.writes()))
}

/// Records what a plan without actions learned.
async fn learn_only(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    let (of_people, of_clients) = (learns(ledger, job), learns_of_clients(ledger, job));
    if !(of_people || of_clients) {
        return Ok(());
    }
    let now = (job.context.now)();
    ledger.pin(&job.observed.account.key)?;
    if of_people {
        ledger.learn(&job.plan.learn, &BTreeSet::new(), now);
        prepare(ledger, job);
    }
    ledger.learn_clients(&job.plan.clients.learn, now);
    ledger.gather().await;
    ledger.write_news().await?;
    ledger.flush().await?;
    claim(ledger, job, progress).await;
    // Only a claim that was taken over is in the head until it is done.
    if ledger.head_differs() {
        ledger.write_head().await?;
    }
    Ok(())
}

/// True if something of people or of the account is to be written, and may be.
fn learns(ledger: &Ledger, job: &Job<'_>) -> bool {
    let Learn {
        records,
        forget_absent,
        baseline,
        hold,
        approval,
        claim,
        brake_spent: _,
        brake_ahead: _,
        teams,
        declared_as,
    } = &job.plan.learn;
    let news = !records.is_empty()
        || !declared_as.is_empty()
        || baseline.is_some()
        || hold.is_some()
        || teams.is_some()
        || *approval != Approval::None
        || (*claim && job.context.claims);
    // Only a plan that may write forgets, and only a ledger that is there can.
    let tidies = *forget_absent && ledger.installation().is_some();
    let other = Some(Stop::ReadUntrusted(Distrust::OtherAccount));
    job.plan.stop != other && (news || tidies)
}

/// True if something of clients is to be written.
fn learns_of_clients(ledger: &Ledger, job: &Job<'_>) -> bool {
    let learn = &job.plan.clients.learn;
    !learn.records.is_empty() || (learn.seen.is_some() && ledger.installation().is_some())
}

/// Runs a plan with actions.
async fn act(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    let now = (job.context.now)();
    ledger.pin(&job.observed.account.key)?;
    ledger.write_repairs().await?;
    let baseline_known = ledger.settled_baseline() == Some(people(job.observed));
    learn(ledger, job, now);
    let mut waves = Waves::of(job, ledger, now, progress);
    waves.place(ledger, now);

    prepare(ledger, job);

    let mut mails = waves.next(ledger).unwrap_or_default();
    wave::open(ledger, &mails, now);
    hit(BEGIN);
    ledger.gather().await;
    ledger.write_head().await?;
    hit(OPENED);
    ledger.write_pages().await?;
    ledger.flush().await?;
    hit(RECORDED);
    claim(ledger, job, progress).await;
    hit(CLAIMED);
    teams::run(job, progress).await;
    one_by_one(job, progress).await;
    clients::withdraw(ledger, job, progress).await;
    loop {
        wave::send(ledger, job, progress, &mails).await;
        hit(WAVE_SENT);
        if progress.is_stopped() {
            break;
        }
        let Some(next) = waves.next(ledger) else { break };
        mails = next;
        open_next(ledger, &mails, progress, (job.context.now)()).await?;
        hit(WAVE_OPENED);
    }
    waves.give_up(progress);
    close(ledger, job, progress, baseline_known).await
}

/// Takes over what the plan learned, and spends what its actions cost of the brake.
fn learn(ledger: &mut Ledger, job: &Job<'_>, now: Timestamp) {
    let (plan, window) = (job.plan, job.context.brake_window);
    let inviting = plan.actions.iter().filter(|action| is_send(action));
    let inviting: BTreeSet<&MemberKey> = inviting.map(Action::person).collect();
    ledger.learn(&plan.learn, &inviting, now);
    ledger.learn_clients(&plan.clients.learn, now);
    ledger.spend_brake(plan.learn.brake_spent + plan.clients.learn.brake_spent, now, window);
    ledger.spend_ahead(plan.learn.brake_ahead, now, window);
}

/// Opens a wave after the first. Who was not mailed is noted before the head lets go of their sends:
/// from then on their pages alone would say that they were.
async fn open_next(
    ledger: &mut Ledger,
    wave: &[Mail],
    progress: &mut Progress<'_>,
    now: Timestamp,
) -> Result<(), ApplyError> {
    wave::open(ledger, wave, now);
    progress.note_written(ledger);
    ledger.gather().await;
    if !progress.unsent.is_empty() {
        progress.unplace(ledger);
        ledger.write_pages().await?;
    }
    ledger.write_head().await?;
    ledger.flush().await?;
    Ok(())
}

/// Writes what is known at the end.
async fn close(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
    baseline_known: bool,
) -> Result<(), ApplyError> {
    progress.finish_all();
    progress.unplace(ledger);
    for person in std::mem::take(&mut progress.added) {
        ledger.added(&person);
    }
    ledger.gather().await;
    if ledger.pages_differ() {
        ledger.write_pages().await?;
    }
    let trusted = match &job.plan.learn.baseline {
        Some(baseline) => baseline.smaller.is_none(),
        None => baseline_known,
    };
    ledger.close(trusted.then(|| progress.least_people()), job.observed.evidence.as_of);
    progress.note_written(ledger);
    hit(CLOSING);
    ledger.write_head().await?;
    ledger.flush().await?;
    hit(CLOSED);
    Ok(())
}

/// Runs what is not a send, in order.
async fn one_by_one(job: &Job<'_>, progress: &mut Progress<'_>) {
    for (index, action) in job.plan.actions.iter().enumerate() {
        if is_send(action) {
            continue;
        }
        if let Some(why) = progress.obstacle(action) {
            progress.done(index, Outcome::NotRun(why));
            continue;
        }
        let key = RequestKey(Uuid::new_v4().to_string());
        hit(ACTING);
        let answer = job.backend.execute(job.account, action, &key).await;
        hit(ACTED);
        progress.done(index, Outcome::of(answer));
    }
}

/// True if the action mails: it needs a stored key.
pub(super) fn is_send(action: &Action) -> bool {
    action.invitation_mail().is_some()
}
