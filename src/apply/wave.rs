//! Mails, up to 64 a wave: each stored under its key before the call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;

use crate::apply::mail::{Mail, To};
use crate::apply::outcome::{NotRun, Outcome, stops};
use crate::apply::progress::Progress;
use crate::apply::{ANSWERED, Job, SENDING};
use crate::backend::BackendError;
use crate::failpoint::hit;
use crate::ledger::{Ledger, OPEN_SENDS_MAX, WAVE_SENDS_MAX};

/// The mails of a run, wave by wave: those in doubt first, then to people, then to clients.
pub(super) struct Waves {
    waves: VecDeque<Vec<Mail>>,
    /// The wave that comes next does not fit beside what is in doubt.
    full: bool,
}

impl Waves {
    /// Deals the mails of a plan to waves. New ones to people, or to clients, of which not even one
    /// wave fits beside what is in doubt are left: they keep nobody else waiting.
    pub fn of(job: &Job<'_>, ledger: &Ledger, now: Timestamp, progress: &mut Progress<'_>) -> Self {
        let mut mails = Vec::new();
        for (index, action) in job.plan.actions.iter().enumerate() {
            if action.invitation_mail().is_none() {
                continue;
            }
            match Mail::to_person(job, ledger, index, action, now) {
                Some(mail) => mails.push(mail),
                None => progress.done(index, Outcome::NotRun(NotRun::InDoubt)),
            }
        }
        let clients = job.plan.clients.actions.iter().enumerate();
        mails.extend(clients.filter_map(|(n, action)| Mail::to_client(job, n, action, now)));
        for to_clients in [false, true] {
            if !fits(ledger, &mails, to_clients) {
                let left = |mail: &mut Mail| !mail.repeats && mail.is_to_client() == to_clients;
                for mail in mails.extract_if(.., left) {
                    progress.mailed(&mail, Outcome::NotRun(NotRun::TooManyInDoubt));
                }
            }
        }
        mails.sort_by_key(|mail| !mail.repeats);
        let waves = mails.chunks(WAVE_SENDS_MAX).map(<[Mail]>::to_vec).collect();
        Self { waves, full: false }
    }

    /// Gives every mail a place in a wave.
    pub fn place(&self, ledger: &mut Ledger, now: Timestamp) {
        for (turn, wave) in (1..).zip(&self.waves) {
            for mail in wave {
                mail.place(ledger, turn, now);
            }
        }
    }

    /// The next wave; `None` after the last, and when it does not fit beside what is in doubt.
    pub fn next(&mut self, ledger: &Ledger) -> Option<Vec<Mail>> {
        let next = self.waves.front()?;
        self.full = ![false, true].into_iter().all(|to_clients| fits(ledger, next, to_clients));
        if self.full {
            return None;
        }
        self.waves.pop_front()
    }

    /// Says of the waves that were not opened that nothing was sent.
    pub fn give_up(self, progress: &mut Progress<'_>) {
        let why = if self.full { NotRun::TooManyInDoubt } else { NotRun::Stopped };
        for mail in self.waves.into_iter().flatten() {
            progress.mailed(&mail, Outcome::NotRun(why));
            if !mail.repeats {
                progress.unsent.push(mail);
            }
        }
    }
}

/// True if the new mails to people, or to clients, that one wave takes fit beside those in doubt.
fn fits(ledger: &Ledger, mails: &[Mail], to_clients: bool) -> bool {
    let new = mails.iter().filter(|mail| !mail.repeats && mail.is_to_client() == to_clients);
    let open = if to_clients { ledger.open_client_sends() } else { ledger.open_sends() };
    open + new.count().min(WAVE_SENDS_MAX) <= OPEN_SENDS_MAX
}

/// Opens a wave in the ledger; the next head write stores it.
pub(super) fn open(ledger: &mut Ledger, wave: &[Mail], now: Timestamp) {
    for mail in wave {
        match &mail.to {
            To::Person(_, record) => ledger.put_send(record, now),
            To::Client(action, send) => ledger.put_client_send(action.client(), send),
        }
    }
    let new = wave.iter().filter(|mail| !mail.repeats).count();
    ledger.open_wave(u32::try_from(new).unwrap_or(u32::MAX), now);
}

/// Sends a wave that is stored, some at a time. Known outcomes leave the open wave in memory and
/// go with the next head write; the others stay.
pub(super) async fn send(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
    wave: &[Mail],
) {
    let stopped = AtomicBool::new(progress.is_stopped());
    let calls = wave.iter().map(|mail| call(job, mail, progress.obstacle_of(mail), &stopped));
    let calls: Vec<_> = calls.collect();
    let mut answers = stream::iter(calls).buffer_unordered(job.context.in_flight.max(1));
    while let Some((mail, outcome)) = answers.next().await {
        if let Outcome::Refused(BackendError::AddressLimited { wait }) = &outcome {
            mail.wait(ledger, (job.context.now)(), *wait);
        }
        match answered(mail.repeats, &outcome) {
            Known::Sent => mail.close(ledger),
            Known::NotSent => {
                mail.close(ledger);
                progress.unsent.push(mail.clone());
                if !mail.repeats {
                    ledger.refund_mail();
                }
            }
            Known::No => {}
        }
        progress.mailed(mail, outcome);
    }
}

/// One call, unless something forbids it when its turn comes.
async fn call<'m>(
    job: &Job<'_>,
    mail: &'m Mail,
    obstacle: Option<NotRun>,
    stopped: &AtomicBool,
) -> (&'m Mail, Outcome) {
    let too_old = (job.context.now)() >= mail.not_after();
    // Without deduplication the first call is the only one; it has no time to keep.
    let only_call = job.context.retention.is_zero() && !mail.repeats;
    let obstacle = match obstacle {
        Some(why) => Some(why),
        None if stopped.load(Ordering::Relaxed) => Some(NotRun::Stopped),
        None if too_old && !only_call => Some(NotRun::InDoubt),
        None => None,
    };
    if let Some(why) = obstacle {
        return (mail, Outcome::NotRun(why));
    }
    hit(SENDING);
    let answer = mail.send(job).await;
    hit(ANSWERED);
    let outcome = Outcome::of(answer);
    if outcome.error().is_some_and(stops) {
        stopped.store(true, Ordering::Relaxed);
    }
    (mail, outcome)
}

/// What an answer says of the calls under one key, this one and any before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The mail went out.
    Sent,
    /// It did not, and will not.
    NotSent,
    /// Either.
    No,
}

/// What is known of a send after its outcome. The service looks for the key before it looks at
/// anything but the credential: a refusal of the request itself says that an earlier call under
/// the key had no effect either; any other refusal speaks of this call only.
fn answered(repeated: bool, outcome: &Outcome) -> Known {
    let error = match outcome {
        Outcome::Done(_) => return Known::Sent,
        Outcome::Unknown(_) => return Known::No,
        Outcome::NotRun(_) if repeated => return Known::No,
        Outcome::NotRun(_) => return Known::NotSent,
        Outcome::Refused(error) => error,
    };
    match error {
        BackendError::Changed { code } if code == "idempotency-key-reused" => Known::Sent,
        BackendError::Changed { .. }
        | BackendError::Rejected { .. }
        | BackendError::AddressLimited { .. } => Known::NotSent,
        BackendError::Unreachable(_)
        | BackendError::RateLimited { .. }
        | BackendError::Unavailable { .. }
        | BackendError::Failed { .. }
        | BackendError::Unauthorized
        | BackendError::Forbidden { .. }
        | BackendError::NoSuchAccount
        | BackendError::Malformed { .. } => {
            if repeated {
                Known::No
            } else {
                Known::NotSent
            }
        }
    }
}
