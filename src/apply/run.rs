//! The steps of a run.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::apply::claim::{claim, prepare};
use crate::apply::clients;
use crate::apply::domains;
use crate::apply::outcome::{NotRun, Outcome, Report, stops};
use crate::apply::recipients;
use crate::apply::teams::{self, TeamOutcomes};
use crate::apply::wave::{self, Waves};
use crate::apply::{
    ACTED, ACTING, ApplyError, BEGIN, CLAIMED, CLOSED, CLOSING, ClientOutcomes, DomainOutcomes,
    Job, OPENED, RECORDED, RecipientOutcomes, WAVE_OPENED, WAVE_SENT,
};
use crate::backend::{BackendError, Executed};
use crate::domain::identity::MemberKey;
use crate::domain::keys::{RequestKey, SubscriptionId};
use crate::domain::observed::{MemberState, Observed};
use crate::failpoint::hit;
use crate::ledger::{Ledger, Writes};
use crate::plan::action::{Action, Direction};
use crate::plan::simulate::{recount, step};
use crate::plan::teams::TeamAction;
use crate::plan::{Approval, Distrust, Learn, Stop, people};

/// Runs a plan; see [`crate::apply::apply`].
pub(super) async fn run(ledger: &mut Ledger, job: &Job<'_>) -> Result<Report, ApplyError> {
    let before = ledger.writes();
    let mut progress = Progress::new(job);
    if job.plan.actions.is_empty() {
        learn_only(ledger, job, &mut progress).await?;
        teams::run(job, &mut progress).await;
    } else {
        act(ledger, job, &mut progress).await?;
    }
    let stopped = progress.is_stopped();
    progress.clients = clients::run(ledger, job, &mut progress.after, stopped).await?;
    let mut errors = progress.clients.iter().filter_map(|(_, outcome)| outcome.error());
    let stopped = stopped || errors.any(stops);
    progress.recipients = recipients::run(ledger, job, &mut progress.after, stopped).await?;
    let mut errors = progress.recipients.iter().filter_map(|(_, outcome)| outcome.error());
    let stopped = stopped || errors.any(stops);
    progress.domains = domains::run(ledger, job, &mut progress.after, stopped).await?;
    Ok(progress.report(before, ledger.writes()))
}

/// Records what a plan without actions learned.
async fn learn_only(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    if has_nothing_to_learn(ledger, job) {
        return Ok(());
    }
    ledger.pin(&job.observed.account.key)?;
    ledger.learn(&job.plan.learn, &BTreeSet::new(), (job.context.now)());
    prepare(ledger, job);
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

/// True if nothing is to be written, or nothing may be.
fn has_nothing_to_learn(ledger: &Ledger, job: &Job<'_>) -> bool {
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
    job.plan.stop == other || !(news || tidies)
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
    let inviting = job.plan.actions.iter().filter(|action| is_send(action));
    let inviting: BTreeSet<&MemberKey> = inviting.map(Action::person).collect();
    ledger.learn(&job.plan.learn, &inviting, now);
    ledger.spend_brake(job.plan.learn.brake_spent, now, job.context.brake_window);
    ledger.spend_ahead(job.plan.learn.brake_ahead, now, job.context.brake_window);
    let mut waves = Waves::of(job, ledger, now, progress);
    waves.place(ledger, now);

    prepare(ledger, job);

    let mut sends = waves.next(ledger).unwrap_or_default();
    wave::open(ledger, &sends, now);
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
    loop {
        wave::send(ledger, job, progress, &sends).await;
        hit(WAVE_SENT);
        if progress.is_stopped() {
            break;
        }
        let Some(next) = waves.next(ledger) else { break };
        sends = next;
        wave::open(ledger, &sends, (job.context.now)());
        ledger.write_head().await?;
        hit(WAVE_OPENED);
    }
    waves.give_up(progress);
    close(ledger, job, progress, baseline_known).await
}

/// Writes what is known at the end.
async fn close(
    ledger: &mut Ledger,
    job: &Job<'_>,
    progress: &mut Progress<'_>,
    baseline_known: bool,
) -> Result<(), ApplyError> {
    progress.finish_all();
    for person in std::mem::take(&mut progress.unsent) {
        ledger.unplace(&person);
    }
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
    ledger.close(trusted.then(|| people(&progress.after)));
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

/// A run as far as it got.
pub(super) struct Progress<'a> {
    job: &'a Job<'a>,
    outcomes: Vec<Option<Outcome>>,
    pub after: Observed,
    pub claim_error: Option<BackendError>,
    teams: TeamOutcomes,
    clients: ClientOutcomes,
    recipients: RecipientOutcomes,
    domains: DomainOutcomes,
    stopped: bool,
    /// Seats of each pool that the plan counted on and that were not freed.
    not_freed: BTreeMap<Option<SubscriptionId>, u32>,
    owner_not_raised: bool,
    /// People whose invitation under an earlier address was not withdrawn.
    not_withdrawn: BTreeSet<MemberKey>,
    /// People that had a place in a wave, and to whom nothing was sent.
    unsent: Vec<MemberKey>,
    /// People that were added at once.
    added: Vec<MemberKey>,
}

impl<'a> Progress<'a> {
    fn new(job: &'a Job<'a>) -> Self {
        Self {
            job,
            outcomes: job.plan.actions.iter().map(|_| None).collect(),
            after: job.observed.clone(),
            claim_error: None,
            teams: TeamOutcomes::new(),
            clients: ClientOutcomes::new(),
            recipients: RecipientOutcomes::new(),
            domains: DomainOutcomes::new(),
            stopped: false,
            not_freed: BTreeMap::new(),
            owner_not_raised: false,
            not_withdrawn: BTreeSet::new(),
            unsent: Vec::new(),
            added: Vec::new(),
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped || self.claim_error.is_some()
    }

    /// Why an action may not run now.
    pub fn obstacle(&self, action: &Action) -> Option<NotRun> {
        let takes_seat = matches!(
            action,
            Action::Reinstate { .. }
                | Action::Resend { .. }
                | Action::Add { .. }
                | Action::Approve { .. }
                | Action::Invite { .. }
        );
        if self.is_stopped() {
            Some(NotRun::Stopped)
        } else if takes_seat && self.lacks_seats(action) {
            Some(NotRun::SeatNotFreed)
        } else if takes_seat && self.not_withdrawn.contains(action.person()) {
            Some(NotRun::EarlierLeft)
        } else if self.owner_not_raised && self.ends_owner(action) {
            Some(NotRun::OwnerNotRaised)
        } else {
            None
        }
    }

    /// True if the person has a seat that the action was to free.
    fn uses_seat(&self, action: &Action) -> bool {
        let member = self.after.members.get(action.person());
        member.is_none_or(|member| member.state != MemberState::Trimmed)
    }

    /// True if what the plan lets in no longer fits, because of seats that were not freed.
    fn lacks_seats(&self, action: &Action) -> bool {
        let (plan, pool) = (self.job.plan, self.pool_of(action));
        let not_freed = self.not_freed.get(&pool).copied().unwrap_or(0);
        let seats = pool.and_then(|pool| plan.pools.get(&pool)).unwrap_or(&plan.seats);
        not_freed > 0 && !seats.limit.allows(seats.after.saturating_add(not_freed))
    }

    /// The subscription whose seats an action is about; `None`: the account's.
    fn pool_of(&self, action: &Action) -> Option<SubscriptionId> {
        let team = self.after.teams.get(action.person().team_id()?)?;
        let subscription = team.subscription.as_ref()?;
        self.job.plan.pools.contains_key(subscription).then(|| subscription.clone())
    }

    /// True if an owner would no longer be one.
    fn ends_owner(&self, action: &Action) -> bool {
        let member = self.after.members.get(action.person());
        let role = member.and_then(|member| member.role.known());
        action.takes_away() && role.is_some_and(|role| self.job.profile.is_owner(role))
    }

    /// Nothing was sent to this person in this run.
    pub fn unsent(&mut self, person: &MemberKey) {
        self.unsent.push(person.clone());
    }

    /// Takes an outcome.
    pub fn done(&mut self, index: usize, outcome: Outcome) {
        let Some(action) = self.job.plan.actions.get(index) else { return };
        match &outcome {
            Outcome::Done(executed) => self.take_effect(action, executed),
            Outcome::Refused(_) | Outcome::Unknown(_) | Outcome::NotRun(_) => self.failed(action),
        }
        self.stopped |= outcome.error().is_some_and(stops);
        (self.job.on_done)(action, &outcome);
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(outcome);
        }
    }

    fn failed(&mut self, action: &Action) {
        let (uses_seat, pool) = (self.uses_seat(action), self.pool_of(action));
        self.not_withdrawn.extend(self.job.plan.names.meant(action.person()).cloned());
        match action {
            Action::RevokeInvitation { .. } | Action::Trim { .. } | Action::Remove { .. } => {
                let not_freed = self.not_freed.entry(pool).or_insert(0);
                *not_freed += u32::from(uses_seat);
            }
            Action::ChangeRole { to, direction: Direction::Raise, .. } => {
                self.owner_not_raised |= self.job.profile.is_owner(to);
            }
            Action::ChangeRole { .. }
            | Action::CancelOwnerChange { .. }
            | Action::ChangeInvitedRole { .. }
            | Action::ChangeOwner { .. }
            | Action::Reinstate { .. }
            | Action::Resend { .. }
            | Action::Add { .. }
            | Action::Approve { .. }
            | Action::Invite { .. } => {}
        }
    }

    /// Does to our picture what was done to the account, with the row that the service answered.
    fn take_effect(&mut self, action: &Action, executed: &Executed) {
        step(&mut self.after, action, self.job.profile, (self.job.context.now)());
        let person = action.person();
        if matches!(action, Action::Add { .. } | Action::Approve { .. }) {
            self.added.push(person.clone());
        }
        match executed {
            Executed::Member(member) => {
                self.after.invitations.remove(person);
                self.after.members.insert(person.clone(), member.clone());
            }
            Executed::Invitation(invitation) => {
                self.after.invitations.insert(person.clone(), invitation.clone());
            }
            Executed::OwnershipChange(row) => {
                let rows = self.after.ownership_changes.get_or_insert_default();
                // What the step made up gives way to the row of the service.
                rows.retain(|other| !(other.member == row.member && other.state.is_open()));
                rows.push((**row).clone());
            }
            Executed::Client(_)
            | Executed::Recipient
            | Executed::Domain(_)
            | Executed::Unproved
            | Executed::Taken
            | Executed::Team(..)
            | Executed::Account(_)
            | Executed::Gone => {}
        }
    }

    /// Takes the outcome of an action on a team or on the account.
    pub fn team_done(&mut self, action: TeamAction, outcome: Outcome) {
        match &outcome {
            Outcome::Done(Executed::Team(id, team)) => {
                self.after.teams.insert(id.clone(), (**team).clone());
            }
            Outcome::Done(Executed::Account(account)) => {
                self.after.account.secure_sign_in = account.secure_sign_in;
                self.after.account.etag = account.etag.clone();
            }
            _ => {}
        }
        self.stopped |= outcome.error().is_some_and(stops);
        self.teams.push((action, outcome));
    }

    /// Says of everything without an outcome that it did not run.
    fn finish_all(&mut self) {
        for index in 0..self.outcomes.len() {
            if self.outcomes.get(index).is_some_and(Option::is_none) {
                self.done(index, Outcome::NotRun(NotRun::Stopped));
            }
        }
        let of_teams = self.teams.iter().map(|(_, outcome)| outcome);
        if self.outcomes.iter().flatten().chain(of_teams).any(Outcome::is_done) {
            recount(&mut self.after, self.job.profile);
        }
    }

    fn report(mut self, before: Writes, now: Writes) -> Report {
        self.finish_all();
        let actions = self.job.plan.actions.iter().cloned();
        let outcomes = self
            .outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or(Outcome::NotRun(NotRun::Stopped)));
        Report {
            outcomes: actions.zip(outcomes).collect(),
            teams: self.teams,
            clients: self.clients,
            recipients: self.recipients,
            domains: self.domains,
            after: self.after,
            claim_error: self.claim_error,
            writes: Writes { head: now.head - before.head, pages: now.pages - before.pages },
        }
    }
}
