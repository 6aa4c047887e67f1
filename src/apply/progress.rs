//! A run as far as it got.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::mail::{Mail, To};
use crate::apply::outcome::{NotRun, Outcome, Report, stops};
use crate::apply::teams::TeamOutcomes;
use crate::apply::{DomainOutcomes, Job, RecipientOutcomes};
use crate::backend::{BackendError, Executed};
use crate::domain::identity::MemberKey;
use crate::domain::keys::SubscriptionId;
use crate::domain::observed::{MemberState, Observed};
use crate::ledger::{Ledger, Writes};
use crate::plan::action::{Action, Direction};
use crate::plan::people;
use crate::plan::simulate::{recount, step};
use crate::plan::teams::TeamAction;

/// A run as far as it got.
pub(super) struct Progress<'a> {
    job: &'a Job<'a>,
    outcomes: Vec<Option<Outcome>>,
    pub after: Observed,
    pub claim_error: Option<BackendError>,
    teams: TeamOutcomes,
    clients: Vec<Option<Outcome>>,
    pub recipients: RecipientOutcomes,
    pub domains: DomainOutcomes,
    stopped: bool,
    /// Seats of each pool that the plan counted on and that were not freed.
    not_freed: BTreeMap<Option<SubscriptionId>, u32>,
    owner_not_raised: bool,
    /// People whose place or invitation may have ended: nobody knows yet.
    maybe_gone: Vec<MemberKey>,
    /// People whose invitation under an earlier address was not withdrawn.
    not_withdrawn: BTreeSet<MemberKey>,
    /// Somebody who was trimmed could not be brought back.
    not_reinstated: bool,
    /// Mails that had a place in a wave and were not sent.
    pub unsent: Vec<Mail>,
    /// People that were added at once.
    pub added: Vec<MemberKey>,
}

impl<'a> Progress<'a> {
    pub fn new(job: &'a Job<'a>) -> Self {
        Self {
            job,
            outcomes: job.plan.actions.iter().map(|_| None).collect(),
            after: job.observed.clone(),
            claim_error: None,
            teams: TeamOutcomes::new(),
            clients: job.plan.clients.actions.iter().map(|_| None).collect(),
            recipients: RecipientOutcomes::new(),
            domains: DomainOutcomes::new(),
            stopped: false,
            not_freed: BTreeMap::new(),
            owner_not_raised: false,
            maybe_gone: Vec::new(),
            not_withdrawn: BTreeSet::new(),
            not_reinstated: false,
            unsent: Vec::new(),
            added: Vec::new(),
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped || self.claim_error.is_some()
    }

    /// Notes how far the feed has come by what we wrote: our picture has it, a look must have it too.
    pub fn note_written(&mut self, ledger: &mut Ledger) {
        let written = self.job.backend.take_written();
        ledger.wrote(written);
        let as_of = &mut self.after.evidence.as_of;
        *as_of = as_of.map(|as_of| as_of.max(written.unwrap_or_default()));
    }

    /// People that the next look has at least: whose end is not known may be gone by our own doing.
    pub fn least_people(&self) -> u64 {
        if self.maybe_gone.is_empty() {
            return people(&self.after);
        }
        let mut least = self.after.clone();
        for person in &self.maybe_gone {
            least.members.remove(person);
            least.invitations.remove(person);
        }
        people(&least)
    }

    /// Why an action may not run now.
    pub fn obstacle(&self, action: &Action) -> Option<NotRun> {
        let is_new =
            matches!(action, Action::Add { .. } | Action::Approve { .. } | Action::Invite { .. });
        let takes_seat =
            is_new || matches!(action, Action::Reinstate { .. } | Action::Resend { .. });
        if self.is_stopped() {
            Some(NotRun::Stopped)
        } else if takes_seat && self.lacks_seats(action) {
            Some(NotRun::SeatNotFreed)
        } else if takes_seat && self.not_withdrawn.contains(action.person()) {
            Some(NotRun::EarlierLeft)
        } else if is_new && self.not_reinstated {
            Some(NotRun::TrimmedFirst)
        } else if self.owner_not_raised && self.ends_owner(action) {
            Some(NotRun::OwnerNotRaised)
        } else {
            None
        }
    }

    /// Why a mail may not be sent now.
    pub fn obstacle_of(&self, mail: &Mail) -> Option<NotRun> {
        match &mail.to {
            To::Person(action, _) => self.obstacle(action),
            To::Client(..) => self.is_stopped().then_some(NotRun::Stopped),
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

    /// Takes an outcome.
    pub fn done(&mut self, index: usize, outcome: Outcome) {
        let Some(action) = self.job.plan.actions.get(index) else { return };
        if matches!(outcome, Outcome::Unknown(_))
            && matches!(action, Action::Remove { .. } | Action::RevokeInvitation { .. })
        {
            self.maybe_gone.push(action.person().clone());
        }
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

    /// Takes the outcome of a mail.
    pub fn mailed(&mut self, mail: &Mail, outcome: Outcome) {
        match mail.to {
            To::Person(..) => self.done(mail.index, outcome),
            To::Client(..) => self.client_done(mail.index, outcome),
        }
    }

    /// Whose mail was not sent is as they were before they had a place in a wave.
    pub fn unplace(&mut self, ledger: &mut Ledger) {
        for mail in std::mem::take(&mut self.unsent) {
            mail.unplace(ledger);
        }
    }

    /// Takes the outcome of an action on a client.
    pub fn client_done(&mut self, index: usize, outcome: Outcome) {
        let action = self.job.plan.clients.actions.get(index);
        if let (Some(action), Some(rows)) = (action, &mut self.after.client_accesses) {
            match &outcome {
                Outcome::Done(Executed::Client(row)) => {
                    rows.insert(action.client().clone(), (**row).clone());
                }
                Outcome::Done(_) if action.takes_away() => drop(rows.remove(action.client())),
                _ => {}
            }
        }
        self.stopped |= outcome.error().is_some_and(stops);
        if let Some(slot) = self.clients.get_mut(index) {
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
            Action::Reinstate { .. } => self.not_reinstated = true,
            Action::ChangeRole { to, direction: Direction::Raise, .. } => {
                self.owner_not_raised |= self.job.profile.is_owner(to);
            }
            Action::ChangeRole { .. }
            | Action::CancelOwnerChange { .. }
            | Action::ChangeInvitedRole { .. }
            | Action::ChangeOwner { .. }
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
    pub fn finish_all(&mut self) {
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

    pub fn report(mut self, before: Writes, now: Writes) -> Report {
        self.finish_all();
        Report {
            outcomes: with_outcomes(&self.job.plan.actions, self.outcomes),
            teams: self.teams,
            clients: with_outcomes(&self.job.plan.clients.actions, self.clients),
            recipients: self.recipients,
            domains: self.domains,
            after: self.after,
            claim_error: self.claim_error,
            writes: Writes { head: now.head - before.head, pages: now.pages - before.pages },
        }
    }
}

/// Each action with what became of it; what has no outcome did not run.
fn with_outcomes<A: Clone>(actions: &[A], outcomes: Vec<Option<Outcome>>) -> Vec<(A, Outcome)> {
    let outcomes = outcomes.into_iter();
    let outcomes = outcomes.map(|one| one.unwrap_or(Outcome::NotRun(NotRun::Stopped)));
    actions.iter().cloned().zip(outcomes).collect()
}
