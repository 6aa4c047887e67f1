//! The clients of an agency, after its people: withdrawals, then mails in waves. Each mail is stored
//! under its key before the call, as an invitation is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::apply::outcome::{NotRun, Outcome, stops};
use crate::apply::wave::{Known, answered};
use crate::apply::{ACTED, ACTING, ANSWERED, ApplyError, CLOSED, CLOSING, Job, OPENED, SENDING};
use crate::backend::{BackendError, Executed};
use crate::domain::clients::ClientSend;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::RequestKey;
use crate::domain::observed::Observed;
use crate::failpoint::hit;
use crate::ledger::{Ledger, OPEN_SENDS_MAX, WAVE_SENDS_MAX};
use crate::plan::client_access::{ClientAction, ClientPlan};

/// One mail.
struct Mail<'a> {
    action: &'a ClientAction,
    send: ClientSend,
}

impl Mail<'_> {
    /// An earlier call under its key may have taken effect.
    fn repeats(&self) -> bool {
        self.action.again().is_some()
    }
}

/// What became of each action, in the order of the plan.
pub type ClientOutcomes = Vec<(ClientAction, Outcome)>;

/// Runs the plan's actions on clients; `stopped`: nothing may be tried any more.
pub(super) async fn run(
    ledger: &mut Ledger,
    job: &Job<'_>,
    after: &mut Observed,
    stopped: bool,
) -> Result<ClientOutcomes, ApplyError> {
    let plan = &job.plan.clients;
    let news = !plan.learn.records.is_empty() || !plan.actions.is_empty();
    let tidies = plan.learn.seen.is_some() && ledger.installation().is_some();
    if stopped || !(news || tidies) {
        let not_run = |action: &ClientAction| (action.clone(), Outcome::NotRun(NotRun::Stopped));
        return Ok(plan.actions.iter().map(not_run).collect());
    }
    ledger.pin(&job.observed.account.key)?;
    ledger.learn_clients(&plan.learn, (job.context.now)());
    if plan.actions.is_empty() {
        ledger.write_news().await?;
        return Ok(Vec::new());
    }
    act(ledger, job, after).await
}

/// Runs a plan with actions.
async fn act(
    ledger: &mut Ledger,
    job: &Job<'_>,
    after: &mut Observed,
) -> Result<ClientOutcomes, ApplyError> {
    let ClientPlan { actions, learn, .. } = &job.plan.clients;
    let now = (job.context.now)();
    let (withdrawals, mails): (Vec<_>, Vec<_>) =
        actions.iter().partition(|action| action.takes_away());
    let mails: Vec<Mail<'_>> =
        mails.into_iter().filter_map(|action| mail(job, action, now)).collect();
    let mut outcomes = BTreeMap::new();
    ledger.spend_brake(learn.brake_spent, now, job.context.brake_window);
    let mut waves = mails.chunks(WAVE_SENDS_MAX);
    let mut is_first = true;
    let unsent = loop {
        let next = waves.next().unwrap_or_default();
        let fits = fits(ledger, next);
        let wave = if fits { next } else { &[] };
        if !is_first && wave.is_empty() {
            break if fits { NotRun::Stopped } else { NotRun::TooManyInDoubt };
        }
        open(ledger, wave, now);
        ledger.write_head().await?;
        hit(OPENED);
        ledger.write_pages().await?;
        let mut stopped = false;
        if is_first {
            stopped = withdraw(ledger, job, &withdrawals, after, &mut outcomes).await;
        }
        stopped |= send(ledger, job, wave, stopped, after, &mut outcomes).await;
        if stopped {
            break NotRun::Stopped;
        }
        if !fits {
            break NotRun::TooManyInDoubt;
        }
        is_first = false;
    };
    close(ledger).await?;
    let outcome = |action: &ClientAction| {
        let outcome = outcomes.remove(action.client());
        (action.clone(), outcome.unwrap_or(Outcome::NotRun(unsent)))
    };
    Ok(actions.iter().map(outcome).collect())
}

/// True if a wave fits beside what is in doubt.
fn fits(ledger: &Ledger, wave: &[Mail<'_>]) -> bool {
    let new = wave.iter().filter(|mail| !mail.repeats()).count();
    ledger.client_sends() + new <= OPEN_SENDS_MAX
}

/// Prepares a mail, if the action is one.
fn mail<'a>(job: &Job<'_>, action: &'a ClientAction, now: Timestamp) -> Option<Mail<'a>> {
    if let Some(send) = action.again() {
        return Some(Mail { action, send: send.clone() });
    }
    let (role, reference, resend_of, after) = match action {
        ClientAction::Withdraw { .. } => return None,
        ClientAction::Resend { request, .. } => {
            ("".into(), String::new(), Some(request.id.clone()), None)
        }
        ClientAction::Request { role, reference, after, .. } => {
            (role.clone(), reference.clone(), None, after.clone())
        }
    };
    let retention = SignedDuration::try_from(job.context.retention).unwrap_or(SignedDuration::MAX);
    let send = ClientSend {
        key: RequestKey(Uuid::new_v4().to_string()),
        role,
        reference,
        cause: action.cause()?,
        resend_of,
        after,
        at: now,
        not_after: now.saturating_add(retention).unwrap_or(Timestamp::MAX),
    };
    Some(Mail { action, send })
}

/// Opens a wave in the ledger; the next writes store it.
fn open(ledger: &mut Ledger, wave: &[Mail<'_>], now: Timestamp) {
    let new = wave.iter().filter(|mail| !mail.repeats()).count();
    let sends: Vec<_> =
        wave.iter().map(|mail| (mail.action.client().clone(), mail.send.clone())).collect();
    ledger.open_client_wave(&sends, u32::try_from(new).unwrap_or(u32::MAX), now);
}

/// Withdraws requests, one by one; true if an answer stops the run.
async fn withdraw(
    ledger: &mut Ledger,
    job: &Job<'_>,
    withdrawals: &[&ClientAction],
    after: &mut Observed,
    outcomes: &mut BTreeMap<EmailAddress, Outcome>,
) -> bool {
    for action in withdrawals {
        let key = RequestKey(Uuid::new_v4().to_string());
        hit(ACTING);
        let outcome = Outcome::of(job.backend.execute_client(job.account, action, &key).await);
        hit(ACTED);
        if outcome.is_done() {
            if let Some(rows) = &mut after.client_accesses {
                rows.remove(action.client());
            }
            if let ClientAction::Withdraw { client, cause, .. } = action {
                ledger.withdrew(client, *cause, (job.context.now)());
            }
        }
        let ends = outcome.error().is_some_and(stops);
        outcomes.insert(action.client().clone(), outcome);
        if ends {
            return true;
        }
    }
    false
}

/// Sends a wave that is stored, some at a time; true if an answer stops the run.
async fn send(
    ledger: &mut Ledger,
    job: &Job<'_>,
    wave: &[Mail<'_>],
    stopped: bool,
    after: &mut Observed,
    outcomes: &mut BTreeMap<EmailAddress, Outcome>,
) -> bool {
    let stopped = AtomicBool::new(stopped);
    let calls: Vec<_> = wave.iter().map(|mail| call(job, mail, &stopped)).collect();
    let mut answers = stream::iter(calls).buffer_unordered(job.context.in_flight.max(1));
    while let Some((mail, outcome)) = answers.next().await {
        let client = mail.action.client();
        if let Outcome::Refused(BackendError::AddressLimited { wait }) = &outcome {
            ledger.wait_for_client(client, (job.context.now)(), *wait);
        }
        match answered(mail.repeats(), &outcome) {
            Known::Sent => ledger.close_client_send(client),
            Known::NotSent => {
                ledger.unask(client);
                if !mail.repeats() {
                    ledger.refund_mail();
                }
            }
            Known::No => {}
        }
        if let (Outcome::Done(Executed::Client(row)), Some(rows)) =
            (&outcome, &mut after.client_accesses)
        {
            rows.insert(client.clone(), (**row).clone());
        }
        outcomes.insert(client.clone(), outcome);
    }
    stopped.load(Ordering::Relaxed)
}

/// One call, unless something forbids it when its turn comes.
async fn call<'m>(
    job: &Job<'_>,
    mail: &'m Mail<'m>,
    stopped: &AtomicBool,
) -> (&'m Mail<'m>, Outcome) {
    let too_old = (job.context.now)() >= mail.send.not_after;
    // Without deduplication the first call is the only one; it has no time to keep.
    let only_call = job.context.retention.is_zero() && !mail.repeats();
    if stopped.load(Ordering::Relaxed) {
        return (mail, Outcome::NotRun(NotRun::Stopped));
    }
    if too_old && !only_call {
        return (mail, Outcome::NotRun(NotRun::InDoubt));
    }
    hit(SENDING);
    let answer = job.backend.execute_client(job.account, mail.action, &mail.send.key).await;
    hit(ANSWERED);
    let outcome = Outcome::of(answer);
    if outcome.error().is_some_and(stops) {
        stopped.store(true, Ordering::Relaxed);
    }
    (mail, outcome)
}

/// Writes what is known at the end: what was sent stays in the head until its record is stored.
async fn close(ledger: &mut Ledger) -> Result<(), ApplyError> {
    if ledger.pages_differ() {
        ledger.write_pages().await?;
    }
    hit(CLOSING);
    if ledger.head_differs() {
        ledger.write_head().await?;
    }
    hit(CLOSED);
    Ok(())
}
