//! One reconcile of one account: fetch → resolve → observe → plan → apply → report.
//!
//! Every run starts from nothing and does not ask why it runs, so that the next run finishes what
//! a stopped one left.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;

use crate::apply::{self, Declarers, Look, Outcome, Ran, Subject, Version};
use crate::controller::cache::Name;
use crate::controller::context::{Context, Memory, Winners};
use crate::controller::error::{Failure, ReconcileError, retry};
use crate::controller::queue::{Next, jitter};
use crate::controller::round::Round;
use crate::controller::session::Session;
use crate::controller::status::{Finding, Looked, Trouble};
use crate::controller::{fetch, let_go, mark, reach, release, report};
use crate::domain::desired::Origin;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::AccountKey;
use crate::domain::ledger_view::FirstWanted;
use crate::domain::policy::Policy;
use crate::ledger::{KubeStore, Ledger};
use crate::manifests::ObjectKey;
use crate::plan::Plan;
use crate::plan::action::{Action, EndCause};
use crate::plan::client_access::ClientAction;
use crate::profile::Profile;

/// Longest reconcile; what is cut goes on from where it was.
const DEADLINE: Duration = Duration::from_secs(300);
/// Nothing is looked at again sooner, unless something changes.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Makes one account at its service match its declarations, and records how that went.
///
/// # Errors
///
/// The first failure; the status says it too.
pub async fn reconcile(ctx: &Context, name: &Name) -> Result<Next, Failure> {
    let mut memory = ctx.take_memory(name);
    let mut fetched = fetch::cached(ctx, name);
    if fetched.as_ref().is_some_and(|fetched| !ctx.keeps(&fetched.account)) {
        ctx.metrics.share(name, None);
        ctx.metrics.forget_look(name);
        return Ok(Next::OnChange); // Another instance keeps it.
    }
    let unread = match &mut fetched {
        Some(fetched) => fetch::profile(ctx, fetched, &mut memory.profile).await.err(), // cluster: read
        None => None,
    };
    let round = fetched.and_then(|fetched| Round::of(fetched, &memory.winners, (ctx.now)()));
    let Some(mut round) = round else {
        ctx.metrics.share(name, None);
        ctx.metrics.forget_look(name);
        let_go::vanished(ctx, name).await?; // cluster: write
        return Ok(Next::OnChange);
    };
    if let Err(error) = round.look_around(ctx).await {
        // cluster: read
        ctx.keep_memory(name, memory);
        return Err(error.into());
    }
    if let Some(verdict) = release::at_once(&round) {
        ctx.metrics.share(name, None);
        ctx.metrics.forget_look(name);
        let_go::account(ctx, name, &round, verdict).await?; // cluster: write
        return Ok(Next::OnChange);
    }
    let outcome = match unread {
        Some(error) if memory.profile.is_empty() => {
            // Nothing can be said of what is declared: what stands in the statuses says it best.
            ctx.keep_memory(name, memory);
            return Err(ReconcileError::Cluster(error).into());
        }
        Some(error) => Err(ReconcileError::Cluster(error)),
        None => within_limits(sync(ctx, name, &mut round, &mut memory)).await,
    };
    let finding = match outcome {
        Ok(looked) => Finding::Looked(Box::new(looked)),
        Err(error) => Finding::Failed(error),
    };
    if let Finding::Failed(error) = &finding {
        leave_feed(&mut memory, error);
    }
    ended(ctx, name, round, memory, finding).await
}

/// Whoever follows the feed of an account that is not kept stops. The token is remembered where only
/// its Secret is gone: a Secret that is deleted with its account does not stop what is under way.
fn leave_feed(memory: &mut Memory, error: &ReconcileError) {
    match error {
        ReconcileError::SecretMissing => {
            if let Some(session) = &mut memory.session {
                session.unfollow();
            }
        }
        error if error.is_rejection() => memory.session = None,
        _ => {}
    }
}

/// Reports what was found, lets go of what is settled, and says when to look again.
async fn ended(
    ctx: &Context,
    name: &Name,
    mut round: Round,
    mut memory: Memory,
    finding: Finding,
) -> Result<Next, Failure> {
    let now = (ctx.now)();
    let wall = reach::of_account(&finding).is_some();
    memory.wall_since = wall.then(|| memory.wall_since.unwrap_or(now));
    round.wall_since = memory.wall_since;
    if !finding.settles() {
        round.forgot = let_go::kept(ctx, name, &round).await; // cluster: write
    }
    let told = report::report(ctx, name, &round, &finding).await; // cluster: write
    let verdict = release::of_account(&round, &finding, now);
    if let Some(verdict) = verdict.filter(|verdict| !verdict.stays()) {
        ctx.metrics.share(name, None);
        let gone = match told {
            Ok(()) => let_go::account(ctx, name, &round, verdict).await, // cluster: write
            Err(error) => Err(error),
        };
        if gone.is_err() {
            ctx.keep_memory(name, memory); // The token may be nowhere else any more.
        }
        return Ok(gone.map(|()| Next::OnChange)?);
    }
    let mut next = next(name, &round, &finding, now);
    if let Some(at) = release::next_at(&round, &finding) {
        next = next.within(Duration::try_from(at.duration_since(now)).unwrap_or(SHORTEST_WAIT));
    }
    ctx.keep_memory(name, memory);
    if let Finding::Failed(error) = finding {
        return Err(Failure { error, next }); // The first failure is the one to report.
    }
    told?;
    Ok(next)
}

/// Runs the steps of one reconcile. Only `run` changes the account.
async fn sync(
    ctx: &Context,
    name: &Name,
    round: &mut Round,
    memory: &mut Memory,
) -> Result<Looked, ReconcileError> {
    let _busy = memory.session.as_ref().map(Session::busy);
    let (policy, class, profile) = round.terms()?;
    let account = AccountKey(round.fetched.account.spec.account_id.clone());
    let last = &mut memory.session;
    let mut session = Session::open(ctx, last, &round.fetched.account, &class, &profile).await?; // cluster: read
    session.check(&account, &profile).await?; // backend: read, once
    let session = memory.session.insert(session);
    let _busy = session.busy();
    if policy.suspend || round.fetched.ends() {
        session.unfollow();
    } else {
        session.follow(ctx, name, round.fetched.account.metadata.generation)?;
    }
    let bench = Bench { ctx, name, session, account: &account };

    let mut ledger = bench.ledger(round, &mut memory.winners).await?; // cluster: read
    let mut seen = bench.look(round, &mut ledger, &mut memory.first_wanted).await?; // backend: read
    if seen.plan.takes_away() {
        round.renew(ctx, &memory.winners).await?; // cluster: read, from a majority
        ledger = bench.ledger(round, &mut memory.winners).await?;
        seen = bench.look(round, &mut ledger, &mut memory.first_wanted).await?;
    }
    if round.was_released() {
        ledger.record_let_go().await?; // cluster: write
    }
    mark::declarations(ctx, name, round).await?; // cluster: write
    let ran = bench.run(round, &mut ledger, seen).await?; // backend: write
    let Ran { report, settled, unread, ladder } = ran;
    let wrote = report.writes.head + report.writes.pages > 0;
    let (policy, ..) = round.terms()?;
    mark::ledger(ctx, name, &policy, &mut memory.guarded, wrote).await;
    Ok(Looked {
        plan: settled,
        mode: policy.mode,
        ladder,
        refused: Trouble::of(&report.outcomes),
        refused_teams: Trouble::of_teams(&report.teams),
        refused_clients: Trouble::of_clients(&report.clients),
        refused_recipients: Trouble::of_recipients(&report.recipients),
        clients_unread: unread.clients.as_deref().map(Trouble::from),
        categories_unread: unread.categories.as_deref().map(Trouble::from),
        refused_domains: Trouble::of_domains(&report.domains),
        domains_unread: unread.domains.as_deref().map(Trouble::from),
        asking_unread: unread.asking().map(Trouble::from),
        stopped: report.stopped().map(Trouble::from),
        retry: report.stopped().map(retry),
        observed: report.after,
        missing: session.missing(),
    })
}

/// What all steps of one reconcile need.
struct Bench<'a> {
    ctx: &'a Context,
    name: &'a Name,
    session: &'a Session,
    account: &'a AccountKey,
}

impl Bench<'_> {
    /// Loads the ledger and consults it. People whose declaration says so on its way out are let go.
    async fn ledger(
        &self,
        round: &mut Round,
        winners: &mut Winners,
    ) -> Result<Ledger, ReconcileError> {
        let Name { namespace, name } = self.name;
        let store = KubeStore::new(self.ctx.clients.writer.clone(), namespace, name);
        let mut ledger = Ledger::load(Box::new(store), self.account).await?;
        round.consult(&ledger, winners, (self.ctx.now)());
        round.forget_kept(&mut ledger);
        Ok(ledger)
    }

    /// Looks and plans, and remembers since when the end of each access is wanted.
    async fn look(
        &self,
        round: &Round,
        ledger: &mut Ledger,
        first_wanted: &mut FirstWanted,
    ) -> Result<Look, ReconcileError> {
        let (policy, profile) = self.terms(round)?;
        let subject = self.subject(round, &policy, &profile);
        let look =
            apply::look(&subject, ledger, Some(first_wanted.clone()), &*self.ctx.now).await?;
        if look.plan.stop.is_none() {
            *first_wanted = still_wanted(&look.plan, first_wanted, (self.ctx.now)());
        }
        Ok(look)
    }

    async fn run(
        &self,
        round: &Round,
        ledger: &mut Ledger,
        look: Look,
    ) -> Result<Ran, ReconcileError> {
        let (policy, profile) = self.terms(round)?;
        let subject = self.subject(round, &policy, &profile);
        let context = apply::Context {
            now: &*self.ctx.now,
            fingerprint: &self.ctx.fingerprint,
            in_flight: apply::IN_FLIGHT,
            retention: self.session.retention(),
            claims: self.session.claims(),
            brake_window: policy.removals.window,
        };
        let metrics = &self.ctx.metrics;
        let on_done = |action: &Action, outcome: &Outcome| {
            if outcome.is_done() && action.invitation_mail().is_some() {
                metrics.mailed(action.kind());
            }
            self.skipped(action.kind(), outcome);
        };
        let ran = apply::run(&subject, ledger, look, context, &on_done).await?;
        let apply::Report { teams, clients, recipients, domains, .. } = &ran.report;
        for (action, outcome) in clients {
            if outcome.is_done() && action.cause().is_some() {
                metrics.mailed(action.kind());
            }
        }
        let clients = clients.iter().map(|(action, outcome)| (action.kind(), outcome));
        let teams = teams.iter().map(|(action, outcome)| (action.kind(), outcome));
        let recipients = recipients.iter().map(|(action, outcome)| (action.kind(), outcome));
        let domains = domains.iter().map(|(action, outcome)| (action.kind(), outcome));
        for (kind, outcome) in clients.chain(teams).chain(recipients).chain(domains) {
            self.skipped(kind, outcome);
        }
        Ok(ran)
    }

    /// Logs an action that was not tried; the others are in the audit record.
    fn skipped(&self, kind: &'static str, outcome: &Outcome) {
        let Outcome::NotRun(why) = outcome else { return };
        let Name { namespace, name } = self.name;
        let result = why.reason();
        tracing::info!(
            account.namespace = namespace,
            account.name = name,
            action.kind = kind,
            result,
            "{kind} {result}",
        );
    }

    /// How far we may go, with this service.
    fn terms(&self, round: &Round) -> Result<(Policy, Arc<Profile>), ReconcileError> {
        let (mut policy, _, profile) = round.terms()?;
        policy.missing = self.session.missing();
        Ok((policy, profile))
    }

    fn subject<'b>(
        &'b self,
        round: &'b Round,
        policy: &'b Policy,
        profile: &'b Profile,
    ) -> Subject<'b> {
        Subject {
            backend: self.session.backend(),
            account: self.account,
            profile,
            policy,
            desired: &round.resolved.desired,
            fingerprint: &self.ctx.fingerprint,
            declarers: round,
        }
    }
}

impl Declarers for Round {
    fn account(&self) -> (String, String) {
        let Name { namespace, name } = Name::of(&self.fetched.account.metadata);
        (namespace, name)
    }

    fn version(&self, of: Option<&Origin>) -> Version {
        let object = match of {
            None => Some(&self.fetched.account.metadata),
            Some(Origin { kind, namespace, name, position: _ }) => {
                let (namespace, name) = (namespace.clone(), name.clone());
                self.fetched.metadata(&ObjectKey { kind: *kind, namespace, name })
            }
        };
        let (uid, generation) =
            object.map_or((None, None), |object| (object.uid.clone(), object.generation));
        Version { uid, generation, line: None }
    }

    fn leaving(&self, person: &EmailAddress) -> Option<Origin> {
        let mut leaving = self.resolved.leaving.iter();
        leaving.find(|leaving| leaving.person.person == *person).map(|found| found.origin.clone())
    }
}

/// When each end was first wanted, for those that still are; anew where the clock has gone back since.
fn still_wanted(plan: &Plan, before: &FirstWanted, now: Timestamp) -> FirstWanted {
    let held = plan.held.iter().map(|held| &held.action);
    let ends = |action: &&Action| match action {
        Action::RevokeInvitation { cause, .. } | Action::Remove { cause, .. } => match cause {
            EndCause::NotDeclared
            | EndCause::NotOurs
            | EndCause::Absent
            | EndCause::Ended
            | EndCause::Renamed => true,
            EndCause::SeatShortage => false,
        },
        Action::Trim { .. }
        | Action::ChangeRole { .. }
        | Action::CancelOwnerChange { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::ChangeOwner { .. }
        | Action::Reinstate { .. }
        | Action::Resend { .. }
        | Action::Add { .. }
        | Action::Approve { .. }
        | Action::Invite { .. } => false,
    };
    let people = plan.actions.iter().chain(held).filter(ends).map(Action::person);
    let held = plan.clients.held.iter().map(|held| &held.action);
    let clients = plan.clients.actions.iter().chain(held).filter(|action| action.takes_away());
    FirstWanted {
        people: since(people, &before.people, now),
        clients: since(clients.map(ClientAction::client), &before.clients, now),
    }
}

fn since<'a, K: Clone + Ord + 'a>(
    wanted: impl Iterator<Item = &'a K>,
    before: &BTreeMap<K, Timestamp>,
    now: Timestamp,
) -> BTreeMap<K, Timestamp> {
    let since = |key| before.get(key).copied().filter(|at| *at <= now).unwrap_or(now);
    wanted.map(|key| (key.clone(), since(key))).collect()
}

/// Runs the steps, but not for ever, and not into the ground.
async fn within_limits(
    steps: impl Future<Output = Result<Looked, ReconcileError>>,
) -> Result<Looked, ReconcileError> {
    let steps = AssertUnwindSafe(tokio::time::timeout(DEADLINE, steps)).catch_unwind();
    match steps.await {
        Ok(Ok(looked)) => looked,
        Ok(Err(_elapsed)) => Err(ReconcileError::TimedOut),
        Err(_panic) => Err(ReconcileError::Panicked),
    }
}

/// When to look again without a change: at the next timer of the plan, else after the resync time.
fn next(name: &Name, round: &Round, finding: &Finding, now: Timestamp) -> Next {
    let looked = match finding {
        Finding::Failed(error) => return error.retry(),
        Finding::Looked(looked) => looked,
    };
    if let Some(retry) = looked.retry {
        return retry;
    }
    let of_people = looked.refused.values().chain(looked.refused_clients.values());
    let of_others = looked.refused_teams.values().chain(looked.refused_recipients.values());
    let of_others = of_others.chain(&looked.refused_domains);
    let unread = looked.clients_unread.iter().chain(&looked.categories_unread);
    let unread = unread.chain(&looked.domains_unread).chain(&looked.asking_unread);
    let mut refused = of_people.chain(of_others).chain(unread).peekable();
    let nothing_refused = refused.peek().is_none();
    let left = !looked.plan.is_empty();
    if refused.any(|trouble| !trouble.is_final) || (nothing_refused && left) {
        return Next::Backoff;
    }
    // Up to a tenth later, so that accounts that began together do not stay together.
    let resync = round.resolved.resync.mul_f64(1.0 + (jitter(name) - 0.8) / 2.0);
    let timer = looked.plan.next_at.map(|at| {
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        wait.max(SHORTEST_WAIT)
    });
    Next::After(timer.map_or(resync, |timer| timer.min(resync)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{since, within_limits};
    use crate::controller::error::ReconcileError;

    #[test]
    fn an_end_that_was_first_wanted_by_a_clock_ahead_is_first_wanted_now() {
        let [past, now, future] = ["2026-02-01", "2026-02-02", "2027-02-02"]
            .map(|day| format!("{day}T12:00:00Z").parse().unwrap());
        let before = BTreeMap::from([("ana", past), ("bo", future)]);
        let wanted = ["ana", "bo", "cyd"];
        let after = BTreeMap::from([("ana", past), ("bo", now), ("cyd", now)]);
        assert_eq!(since(wanted.iter(), &before, now), after);
    }

    #[tokio::test]
    async fn a_panic_in_one_reconcile_is_an_error_of_that_reconcile() {
        let outcome = within_limits(async { panic!("a defect") }).await;
        assert!(matches!(outcome, Err(ReconcileError::Panicked)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reconcile_that_hangs_is_given_up() {
        let outcome = within_limits(std::future::pending()).await;
        assert!(matches!(outcome, Err(ReconcileError::TimedOut)));
    }
}
