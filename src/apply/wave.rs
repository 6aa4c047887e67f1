//! Sends, up to 64 a wave: each stored under its key before the call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::apply::outcome::{NotRun, Outcome, stops};
use crate::apply::run::{Progress, is_send};
use crate::apply::{ANSWERED, Job, SENDING};
use crate::backend::BackendError;
use crate::domain::keys::{InvitationId, RequestKey, RoleName};
use crate::domain::ledger_view::{Cause, OpenSend};
use crate::domain::particulars::Particulars;
use crate::failpoint::hit;
use crate::ledger::{Ledger, NewSend, OPEN_SENDS_MAX, WAVE_SENDS_MAX};
use crate::plan::action::Action;

/// One send.
#[derive(Clone, Debug)]
pub(super) struct Send {
    /// Place of the action in the plan.
    index: usize,
    /// The action, with the role of the first call.
    action: Action,
    /// What is stored.
    record: NewSend,
    /// An earlier call under this key may have taken effect.
    repeated: bool,
}

/// The sends of a run, wave by wave; those in doubt first.
pub(super) struct Waves {
    waves: VecDeque<Vec<Send>>,
    /// The wave that comes next does not fit beside what is in doubt.
    full: bool,
}

impl Waves {
    /// Deals the sends of a plan to waves.
    pub fn of(job: &Job<'_>, ledger: &Ledger, now: Timestamp, progress: &mut Progress<'_>) -> Self {
        let mut sends = Vec::new();
        for (index, action) in job.plan.actions.iter().enumerate().filter(|(_, a)| is_send(a)) {
            match prepare(job, ledger, index, action, now) {
                Some(send) => sends.push(send),
                None => progress.done(index, Outcome::NotRun(NotRun::InDoubt)),
            }
        }
        sends.sort_by_key(|send| !send.repeated);
        let waves = sends.chunks(WAVE_SENDS_MAX).map(<[Send]>::to_vec).collect();
        Self { waves, full: false }
    }

    /// Gives every send a place in a wave.
    pub fn place(&self, ledger: &mut Ledger, now: Timestamp) {
        for (turn, wave) in (1..).zip(&self.waves) {
            for send in wave {
                ledger.place(&send.record, turn, now);
            }
        }
    }

    /// The next wave; `None` after the last, and when it does not fit beside what is in doubt.
    pub fn next(&mut self, ledger: &Ledger) -> Option<Vec<Send>> {
        let new = self.waves.front()?.iter().filter(|send| !send.repeated).count();
        self.full = ledger.open_sends() + new > OPEN_SENDS_MAX;
        if self.full {
            return None;
        }
        self.waves.pop_front()
    }

    /// Says of the waves that were not opened that nothing was sent.
    pub fn give_up(self, progress: &mut Progress<'_>) {
        let why = if self.full { NotRun::TooManyInDoubt } else { NotRun::Stopped };
        for send in self.waves.into_iter().flatten() {
            if !send.repeated {
                progress.unsent(&send.record.person);
            }
            progress.done(send.index, Outcome::NotRun(why));
        }
    }
}

/// Prepares one send: under the key of the open one, if there is one for this cause. `None`: the
/// service may have forgotten that key.
fn prepare(
    job: &Job<'_>,
    ledger: &Ledger,
    index: usize,
    action: &Action,
    now: Timestamp,
) -> Option<Send> {
    let person = action.person();
    let (cause, key) = action.invitation_mail()?;
    let open = ledger.open_send_of(person);
    // A person who asks again for someone in doubt has decided: that is a new cause.
    let asked_again =
        |sent: Cause| key.is_none() && (cause.epoch, cause.attempt) > (sent.epoch, sent.attempt);
    if let Some(open) = open.filter(|open| now < open.not_after || !asked_again(open.cause)) {
        if now >= open.not_after {
            return None;
        }
        let action = as_before(action, &open)?;
        let OpenSend { key, role, cause, resend, for_owner, not_after } = open;
        let person = person.clone();
        let record = NewSend { person, key, role, cause, resend, for_owner, not_after };
        return Some(Send { index, action, record, repeated: true });
    }
    let retention = SignedDuration::try_from(job.context.retention).unwrap_or(SignedDuration::MAX);
    let (role, resend) = target(action)?;
    let record = NewSend {
        person: person.clone(),
        key: key.cloned().unwrap_or_else(|| RequestKey(Uuid::new_v4().to_string())),
        role: role.clone(),
        cause,
        resend,
        for_owner: matches!(action, Action::ChangeOwner { .. }),
        not_after: now.saturating_add(retention).unwrap_or(Timestamp::MAX),
    };
    Some(Send { index, action: action.clone(), record, repeated: false })
}

/// Role of a send, and the invitation that it sends again with its mails so far.
type Target<'a> = (&'a RoleName, Option<(InvitationId, u32)>);

fn target(action: &Action) -> Option<Target<'_>> {
    match action {
        Action::Invite { role, .. } | Action::ChangeOwner { role, .. } => Some((role, None)),
        Action::Resend { role, invitation, .. } => {
            Some((role, Some((invitation.id.clone(), invitation.sent))))
        }
        Action::RevokeInvitation { .. }
        | Action::Trim { .. }
        | Action::Remove { .. }
        | Action::ChangeRole { .. }
        | Action::CancelOwnerChange { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::Reinstate { .. }
        | Action::Add { .. }
        | Action::Approve { .. } => None,
    }
}

/// The same call as the open one; `None` where the plan asks for another.
fn as_before(action: &Action, open: &OpenSend) -> Option<Action> {
    let OpenSend { key, role, cause, resend, for_owner, not_after: _ } = open.clone();
    let (person, key) = (action.person().clone(), Some(key));
    match (resend, action) {
        (None, Action::ChangeOwner { member, .. }) if for_owner => {
            let member = member.clone();
            Some(Action::ChangeOwner { person, member, role, cause, key })
        }
        (_, Action::ChangeOwner { .. }) => None,
        _ if for_owner => None,
        // Under a key that was used the service answers another body with a refusal: then the mail
        // went out with the words of that time.
        (None, _) => {
            let particulars = particulars(action);
            Some(Action::Invite { person, role, particulars, cause, key })
        }
        (Some((before, _)), Action::Resend { invitation, .. }) if before == invitation.id => {
            let invitation = invitation.clone();
            Some(Action::Resend { person, invitation, role, cause, key })
        }
        (Some(_), _) => None,
    }
}

/// What the invitation of an action says besides address and role.
fn particulars(action: &Action) -> Particulars {
    match action {
        Action::Invite { particulars, .. } | Action::Add { particulars, .. } => particulars.clone(),
        _ => Particulars::default(),
    }
}

/// Opens a wave in the ledger; the next head write stores it.
pub(super) fn open(ledger: &mut Ledger, sends: &[Send], now: Timestamp) {
    let mails = sends.iter().filter(|send| !send.repeated).count();
    let records: Vec<NewSend> = sends.iter().map(|send| send.record.clone()).collect();
    ledger.open_wave(&records, u32::try_from(mails).unwrap_or(u32::MAX), now);
}

/// Sends a wave that is stored, some at a time. Known outcomes leave the open wave in memory and
/// go with the next head write; the others stay.
pub(super) async fn send(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
    sends: &[Send],
) {
    let stopped = AtomicBool::new(progress.is_stopped());
    let calls = sends.iter().map(|send| call(job, send, progress.obstacle(&send.action), &stopped));
    let calls: Vec<_> = calls.collect();
    let mut answers = stream::iter(calls).buffer_unordered(job.context.in_flight.max(1));
    while let Some((send, outcome)) = answers.next().await {
        let person = &send.record.person;
        if let Outcome::Refused(BackendError::AddressLimited { wait }) = &outcome {
            ledger.wait_for(person, (job.context.now)(), *wait);
        }
        match answered(send.repeated, &outcome) {
            Known::Sent => ledger.close_send(person),
            Known::NotSent => {
                ledger.close_send(person);
                progress.unsent(person);
                if !send.repeated {
                    ledger.refund_mail();
                }
            }
            Known::No => {}
        }
        progress.done(send.index, outcome);
    }
}

/// One call, unless something forbids it when its turn comes.
async fn call<'s>(
    job: &Job<'_>,
    send: &'s Send,
    obstacle: Option<NotRun>,
    stopped: &AtomicBool,
) -> (&'s Send, Outcome) {
    let too_old = (job.context.now)() >= send.record.not_after;
    // Without deduplication the first call is the only one; it has no time to keep.
    let only_call = job.context.retention.is_zero() && !send.repeated;
    let obstacle = match obstacle {
        Some(why) => Some(why),
        None if stopped.load(Ordering::Relaxed) => Some(NotRun::Stopped),
        None if too_old && !only_call => Some(NotRun::InDoubt),
        None => None,
    };
    if let Some(why) = obstacle {
        return (send, Outcome::NotRun(why));
    }
    hit(SENDING);
    let answer = job.backend.execute(job.account, &send.action, &send.record.key).await;
    hit(ANSWERED);
    let outcome = Outcome::of(answer);
    if outcome.error().is_some_and(stops) {
        stopped.store(true, Ordering::Relaxed);
    }
    (send, outcome)
}

/// What an answer says of the calls under one key, this one and any before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
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
pub(super) fn answered(repeated: bool, outcome: &Outcome) -> Known {
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
