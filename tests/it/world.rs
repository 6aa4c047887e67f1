//! One account for the tests of `apply` and of the ledger: a service that counts mails, a ledger,
//! the real planner between them, and a switch that kills the run at any point.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use seatkeeper::apply::{ApplyError, Context, Job, Outcome, Report, apply};
use seatkeeper::backend::{Backend, BackendError, Executed, Guarantees};
use seatkeeper::domain::clients::{ClientState, Health, ObservedClient};
use seatkeeper::domain::desired::{Desired, DesiredMember, Origin, OriginKind};
use seatkeeper::domain::domains::{DomainName, ObservedDomain};
use seatkeeper::domain::endings::Endings;
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::joining::{Joining, ObservedJoinRequest};
use seatkeeper::domain::keys::{
    AccountKey, CategoryName, ClientAccessId, ETag, InstallationId, MemberId, RequestKey, RoleName,
};
use seatkeeper::domain::observed::{
    Claim, MemberState, Observed, ObservedAccount, ObservedMember, ObservedSeats, ReadEvidence,
    RoleSeen, SeatLimit,
};
use seatkeeper::domain::ownership::ObservedOwnershipChange;
use seatkeeper::domain::policy::{
    InvitationPolicy, Mode, OnLost, OnSeatShortage, Policy, RemovalPolicy,
};
use seatkeeper::domain::recipients::ObservedCategory;
use seatkeeper::ledger::{Fault, Ledger, LedgerStore, MemoryStore};
use seatkeeper::plan::action::Action;
use seatkeeper::plan::client_access::ClientAction;
use seatkeeper::plan::domains::DomainAction;
use seatkeeper::plan::notification::RecipientAction;
use seatkeeper::plan::simulate::{recount, step};
use seatkeeper::plan::teams::TeamAction;
use seatkeeper::plan::{Input, Plan, plan};
use seatkeeper::profile::{Profile, built_in};
use tokio::sync::Notify;

/// How long keys may be repeated.
pub const RETENTION: Duration = Duration::from_secs(23 * 3600);

pub fn address(text: &str) -> MemberKey {
    EmailAddress::parse(text).unwrap().into()
}

/// `p0@example.com`, `p1@example.com`, …
pub fn people(n: usize) -> Vec<MemberKey> {
    (0..n).map(|i| address(&format!("p{i}@example.com"))).collect()
}

/// Declares these people as developers.
pub fn declare(people: &[MemberKey]) -> Desired {
    declare_as(people, "developer", 0)
}

pub fn declare_as(people: &[MemberKey], role: &str, epoch: i64) -> Desired {
    let member = |position| DesiredMember {
        name: None,
        message: None,
        role: role.into(),
        invite_epoch: epoch,
        resend: None,
        said: None,
        deletion_policy: Default::default(),
        ends_at: None,
        priority: 0,
        origin: Origin {
            kind: OriginKind::Team,
            namespace: "web".into(),
            name: "core".into(),
            position: Some(position),
        },
    };
    let people = people.iter().enumerate().map(|(i, person)| (person.clone(), member(i)));
    Desired { people: people.collect(), ..Desired::default() }
}

/// Kills the run at one of its points: before or after any call of service or store.
#[derive(Default)]
pub struct Kill {
    at: AtomicU64,
    points: AtomicU64,
    killed: Notify,
}

impl Kill {
    /// Kills at the nth point from now on; 0: never.
    pub fn arm(&self, at: u64) {
        self.points.store(0, Ordering::SeqCst);
        self.at.store(at, Ordering::SeqCst);
    }

    /// Points passed since it was armed.
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::SeqCst)
    }

    /// Passes a point; true: this is the end.
    fn pass(&self) -> bool {
        let point = self.points.fetch_add(1, Ordering::SeqCst) + 1;
        let end = point == self.at.load(Ordering::SeqCst);
        if end {
            self.killed.notify_one();
        }
        end
    }

    async fn point(&self) {
        if self.pass() {
            std::future::pending::<()>().await;
        }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// It takes effect; the answer is lost.
    AnswerLost,
    /// The answer is lost; it takes effect after the next look.
    Late,
    /// The answer is lost; it takes effect when [`Service::arrive`] says so.
    Stuck,
    /// The service answers this, without an effect.
    Says(fn() -> BackendError),
}

pub fn unreachable() -> BackendError {
    BackendError::Unreachable("lost".into())
}

/// An account service that deduplicates by key, as the real one does, and by nothing else: what a
/// wrong client does shows in the mails.
pub struct Service {
    state: Mutex<State>,
    kill: Arc<Kill>,
}

struct State {
    profile: Arc<Profile>,
    observed: Observed,
    now: Timestamp,
    answers: BTreeMap<RequestKey, (RoleName, Executed)>,
    mails: BTreeMap<MemberKey, Vec<(RequestKey, RoleName)>>,
    calls: Vec<String>,
    looks: u64,
    late: Vec<(Action, RequestKey)>,
    stuck: Vec<(Action, RequestKey)>,
    troubles: BTreeMap<MemberKey, Trouble>,
    clients: BTreeMap<EmailAddress, ObservedClient>,
    claim_trouble: Option<Trouble>,
}

impl State {
    fn perform(&mut self, action: &Action, key: &RequestKey) -> Executed {
        if let Action::Invite { role, .. } | Action::Resend { role, .. } = action
            && let Some((before, answer)) = self.answers.get(key)
        {
            assert_eq!(before, role, "one key, two bodies");
            return answer.clone();
        }
        step(&mut self.observed, action, &self.profile, self.now);
        recount(&mut self.observed, &self.profile);
        let person = action.person();
        let member = self.observed.members.get(person).cloned().map(Executed::Member);
        let invitation = self.observed.invitations.get(person).cloned().map(Executed::Invitation);
        let answer = member.or(invitation).unwrap_or(Executed::Gone);
        if let Action::Invite { role, .. } | Action::Resend { role, .. } = action {
            self.answers.insert(key.clone(), (role.clone(), answer.clone()));
            self.mails.entry(person.clone()).or_default().push((key.clone(), role.clone()));
        }
        answer
    }
}

impl State {
    fn perform_client(&mut self, action: &ClientAction, key: &RequestKey) -> Executed {
        let (client, now) = (action.client().clone(), self.now);
        if let Some((_, answer)) = self.answers.get(key) {
            return answer.clone();
        }
        let mut row = self.clients.get(&client).cloned();
        match action {
            ClientAction::Withdraw { .. } => {
                self.clients.remove(&client);
                return Executed::Gone;
            }
            ClientAction::Resend { .. } => row.as_mut().unwrap().last_sent_at = now,
            ClientAction::Request { role, reference, .. } => {
                assert!(row.is_none_or(|row| !row.state.is_open()), "asked twice");
                row = Some(requested(&client, role, reference, now));
            }
        }
        let row = row.unwrap();
        let (role, answer) = (row.role.clone(), Executed::Client(Box::new(row.clone())));
        self.answers.insert(key.clone(), (role.clone(), answer.clone()));
        self.mails.entry(client.clone().into()).or_default().push((key.clone(), role));
        self.clients.insert(client, row);
        answer
    }
}

/// A request that waits.
fn requested(
    client: &EmailAddress,
    role: &RoleName,
    reference: &str,
    now: Timestamp,
) -> ObservedClient {
    ObservedClient {
        id: ClientAccessId(format!("cla_{client}_{}", now.as_second())),
        etag: ETag("0".into()),
        role: role.clone(),
        role_held: None,
        state: ClientState::Requested,
        health: Health::NoData,
        website_count: 0,
        websites: Vec::new(),
        created_at: now,
        last_sent_at: now,
        external_ref: Some(reference.to_owned()),
    }
}

impl Service {
    /// Changes the clients of the account behind our back.
    pub fn change_clients(&self, change: impl FnOnce(&mut BTreeMap<EmailAddress, ObservedClient>)) {
        self.with(|state| change(&mut state.clients));
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    /// Changes the account behind our back.
    pub fn change(&self, change: impl FnOnce(&mut Observed)) {
        self.with(|state| {
            change(&mut state.observed);
            let profile = Arc::clone(&state.profile);
            recount(&mut state.observed, &profile);
        });
    }

    /// Everyone who was invited accepts.
    pub fn accept_all(&self) {
        self.change(|observed| {
            for (person, invitation) in std::mem::take(&mut observed.invitations) {
                let id = MemberId(format!("mem_{person}"));
                observed.members.insert(person, member(id, invitation.role, invitation.created_at));
            }
        });
    }

    /// The next calls for this person go wrong, until [`Self::heal`].
    pub fn trouble(&self, person: &MemberKey, trouble: Trouble) {
        self.with(|state| state.troubles.insert(person.clone(), trouble));
    }

    /// What was stuck on its way arrives.
    pub fn arrive(&self) {
        self.with(|state| {
            for (action, key) in std::mem::take(&mut state.stuck) {
                state.perform(&action, &key);
            }
        });
    }

    pub fn claim_trouble(&self, trouble: Trouble) {
        self.with(|state| state.claim_trouble = Some(trouble));
    }

    pub fn heal(&self) {
        self.with(|state| {
            state.troubles.clear();
            state.claim_trouble = None;
        });
    }

    /// Mails that this person got: key and role of each.
    pub fn mails(&self, person: &MemberKey) -> Vec<(RequestKey, RoleName)> {
        self.with(|state| state.mails.get(person).cloned().unwrap_or_default())
    }

    /// Mails of everyone.
    pub fn all_mails(&self) -> usize {
        self.with(|state| state.mails.values().map(Vec::len).sum())
    }

    /// Calls that write, in order, as `Remove ana@example.com`.
    pub fn calls(&self) -> Vec<String> {
        self.with(|state| state.calls.clone())
    }

    pub fn observed(&self) -> Observed {
        self.with(|state| state.observed.clone())
    }
}

#[async_trait]
impl Backend for Service {
    async fn observe(
        &self,
        _account: &AccountKey,
        _profile: &Profile,
    ) -> Result<Observed, BackendError> {
        self.kill.point().await;
        let seen = self.with(|state| {
            let seen = state.observed.clone();
            state.looks += 1;
            // What was on its way arrives when a second look did not see it.
            if state.looks % 2 == 0 {
                for (action, key) in std::mem::take(&mut state.late) {
                    state.perform(&action, &key);
                }
            }
            seen
        });
        self.kill.point().await;
        Ok(seen)
    }

    async fn endings(
        &self,
        _look: &Observed,
        _after: u64,
    ) -> Result<Option<Endings>, BackendError> {
        Ok(None)
    }

    fn take_written(&self) -> Option<u64> {
        None
    }

    async fn guarantees(&self, _account: &AccountKey) -> Result<Guarantees, BackendError> {
        Err(unreachable())
    }

    async fn execute(
        &self,
        _account: &AccountKey,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        self.kill.point().await;
        let answer = self.with(|state| {
            state.calls.push(format!("{} {}", action.kind(), action.person()));
            match state.troubles.get(action.person()).copied() {
                None => Ok(state.perform(action, key)),
                Some(Trouble::Says(error)) => Err(error()),
                Some(Trouble::AnswerLost) => {
                    state.perform(action, key);
                    Err(unreachable())
                }
                Some(Trouble::Stuck) => {
                    state.stuck.push((action.clone(), key.clone()));
                    Err(unreachable())
                }
                Some(Trouble::Late) => {
                    state.late.push((action.clone(), key.clone()));
                    Err(unreachable())
                }
            }
        });
        self.kill.point().await;
        answer
    }

    async fn execute_team(
        &self,
        _account: &AccountKey,
        _action: &TeamAction,
        _key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        Err(unreachable())
    }

    async fn client_accesses(
        &self,
        _account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError> {
        self.kill.point().await;
        Ok(self.with(|state| state.clients.clone()))
    }

    async fn execute_client(
        &self,
        _account: &AccountKey,
        action: &ClientAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        self.kill.point().await;
        let answer = self.with(|state| {
            state.calls.push(format!("{} {}", action.kind(), action.client()));
            match state.troubles.get(&MemberKey::from(action.client().clone())).copied() {
                None => Ok(state.perform_client(action, key)),
                Some(Trouble::Says(error)) => Err(error()),
                Some(Trouble::AnswerLost | Trouble::Late | Trouble::Stuck) => {
                    state.perform_client(action, key);
                    Err(unreachable())
                }
            }
        });
        self.kill.point().await;
        answer
    }

    async fn ownership_changes(
        &self,
        _account: &AccountKey,
    ) -> Result<Vec<ObservedOwnershipChange>, BackendError> {
        self.kill.point().await;
        Ok(self.with(|state| state.observed.ownership_changes.clone()).unwrap_or_default())
    }

    async fn categories(
        &self,
        _account: &AccountKey,
    ) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError> {
        Err(unreachable())
    }

    async fn execute_recipient(
        &self,
        _account: &AccountKey,
        _action: &RecipientAction,
    ) -> Result<Executed, BackendError> {
        Err(unreachable())
    }

    async fn domains(
        &self,
        _account: &AccountKey,
    ) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError> {
        Err(unreachable())
    }

    async fn execute_domain(
        &self,
        _account: &AccountKey,
        _action: &DomainAction,
        _key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        Err(unreachable())
    }

    async fn join_requests(
        &self,
        _account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError> {
        Err(unreachable())
    }

    async fn suggestions(
        &self,
        _account: &AccountKey,
    ) -> Result<BTreeSet<MemberKey>, BackendError> {
        Err(unreachable())
    }

    async fn claim(
        &self,
        _account: &AccountKey,
        claim: &Claim,
        _replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError> {
        self.kill.point().await;
        let answer = self.with(|state| {
            state.calls.push("Claim".to_owned());
            if let Some(Trouble::Says(error)) = state.claim_trouble {
                return Err(error());
            }
            assert_eq!(state.observed.account.etag, *etag);
            state.observed.account.claim = Some(claim.clone());
            Ok(etag.clone())
        });
        self.kill.point().await;
        answer
    }
}

pub fn member(id: MemberId, role: RoleSeen, added_at: Timestamp) -> ObservedMember {
    ObservedMember {
        id,
        etag: ETag("0".into()),
        role,
        state: MemberState::Active,
        added_at,
        joined_at: added_at,
        agency: false,
    }
}

/// An account with its owner.
pub fn account(profile: &Profile, now: Timestamp) -> Observed {
    let owner = member(MemberId("mem_owner".into()), RoleSeen::Known("owner".into()), now);
    let seats = ObservedSeats {
        limit: SeatLimit::Unlimited,
        used: 0,
        owner: 0,
        active: 0,
        pending: 0,
        trimmed: 0,
        enforce_at: None,
        pools: BTreeMap::new(),
    };
    let mut observed = Observed {
        account: ObservedAccount {
            key: "acc_1".into(),
            name: "Acme".into(),
            etag: ETag("7".into()),
            claim: None,
            seats,
            subscriptions: Vec::new(),
            disabled: false,
            secure_sign_in: false,
            agency: true,
            caller: None,
        },
        members: BTreeMap::from([(address("owner@example.com"), owner)]),
        invitations: BTreeMap::new(),
        teams: BTreeMap::new(),
        client_accesses: None,
        ownership_changes: None,
        categories: None,
        joining: Joining::default(),
        evidence: ReadEvidence::default(),
    };
    recount(&mut observed, profile);
    observed
}

/// One account, its service, its ledger and the rules.
pub struct World {
    pub profile: Arc<Profile>,
    pub service: Service,
    pub store: MemoryStore,
    pub kill: Arc<Kill>,
    pub policy: Mutex<Policy>,
    /// The clock, in seconds.
    pub clock: Arc<AtomicI64>,
}

impl World {
    pub fn new() -> Self {
        let profile = built_in("nitropack").unwrap();
        let kill = Arc::new(Kill::default());
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let state = State {
            profile: Arc::clone(&profile),
            observed: account(&profile, now),
            now,
            answers: BTreeMap::new(),
            mails: BTreeMap::new(),
            calls: Vec::new(),
            looks: 0,
            late: Vec::new(),
            stuck: Vec::new(),
            troubles: BTreeMap::new(),
            clients: BTreeMap::new(),
            claim_trouble: None,
        };
        let store = MemoryStore::default();
        let hooked = Arc::clone(&kill);
        let store = store.with_faults(Arc::new(move |_| match (hooked.pass(), hooked.pass()) {
            (true, _) => Fault::CrashBefore,
            (false, true) => Fault::CrashAfter,
            (false, false) => Fault::None,
        }));
        Self {
            service: Service { state: Mutex::new(state), kill: Arc::clone(&kill) },
            profile,
            store,
            kill,
            policy: Mutex::new(policy()),
            clock: Arc::new(AtomicI64::new(now.as_second())),
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    /// Time passes.
    pub fn wait(&self, time: SignedDuration) {
        self.clock.fetch_add(time.as_secs(), Ordering::SeqCst);
        let now = self.now();
        self.service.with(|state| state.now = now);
    }

    /// Looks, plans and applies, with the ledger loaded anew, as a process does. `None`: killed.
    pub async fn run(&self, desired: &Desired) -> Option<Result<Report, ApplyError>> {
        self.run_with(desired, Box::new(self.store.clone())).await
    }

    pub async fn run_with(
        &self,
        desired: &Desired,
        store: Box<dyn LedgerStore>,
    ) -> Option<Result<Report, ApplyError>> {
        let killed = self.kill.killed.notified();
        let work = async {
            let mut ledger = Ledger::load(store, &"acme".into()).await?;
            let (plan, observed) = self.plan(desired, &mut ledger).await;
            self.apply(&mut ledger, &plan, &observed).await
        };
        tokio::select! {
            biased;
            () = killed => None,
            report = work => Some(report),
        }
    }

    /// The same, for a run that must get through.
    pub async fn run_through(&self, desired: &Desired) -> Report {
        self.run(desired).await.unwrap().unwrap()
    }

    pub async fn plan(&self, desired: &Desired, ledger: &mut Ledger) -> (Plan, Observed) {
        let now = self.now();
        let account = "acme".into();
        let mut observed = self.service.observe(&account, &self.profile).await.unwrap();
        if !desired.clients.is_empty() || ledger.follows_clients() {
            observed.client_accesses = Some(self.service.client_accesses(&account).await.unwrap());
        }
        let declared = desired.people.keys().chain(&desired.frozen);
        let mut view = ledger.view(declared, &observed, now);
        ledger.view_clients(&desired.clients, &observed, now, &mut view);
        let policy = self.policy.lock().unwrap().clone();
        let input = Input {
            desired,
            observed: &observed,
            profile: &self.profile,
            policy: &policy,
            ledger: &view,
            now,
        };
        (plan(&input).unwrap(), observed)
    }

    pub async fn apply(
        &self,
        ledger: &mut Ledger,
        plan: &Plan,
        observed: &Observed,
    ) -> Result<Report, ApplyError> {
        let job = Job {
            backend: &self.service,
            account: &"acme".into(),
            profile: &self.profile,
            plan,
            observed,
            context: Context {
                now: &|| self.now(),
                fingerprint: "file",
                in_flight: 8,
                retention: RETENTION,
                claims: true,
                brake_window: Duration::from_secs(24 * 3600),
            },
            on_done: &|_, _| {},
        };
        apply(ledger, &job).await
    }
}

pub fn policy() -> Policy {
    Policy {
        mode: Mode::Manage,
        suspend: false,
        removals: RemovalPolicy {
            max_count: 3,
            max_percent: 10,
            max_total: 50,
            window: Duration::from_secs(24 * 3600),
            settle: Duration::from_secs(30),
        },
        on_seat_shortage: OnSeatShortage::Hold,
        never_trim: std::collections::BTreeSet::new(),
        grantable_roles: Default::default(),
        invitations: InvitationPolicy {
            expires_in: None,
            renewals: 2,
            every: Duration::from_secs(7 * 24 * 3600),
            on_lost: OnLost::Hold,
        },
        invitations_per_hour: None,
        approval: None,
        missing: std::collections::BTreeSet::new(),
    }
}

/// Outcomes as text, one line each: `Invite p0@example.com: Done`.
pub fn outcomes(report: &Report) -> Vec<String> {
    let text = |outcome: &Outcome| match outcome {
        Outcome::Done(_) => "Done".to_owned(),
        Outcome::Refused(error) => format!("Refused {}", error.reason()),
        Outcome::Unknown(error) => format!("Unknown {}", error.reason()),
        Outcome::NotRun(why) => format!("NotRun {}", why.reason()),
    };
    let line = |(action, outcome): &(Action, Outcome)| {
        format!("{} {}: {}", action.kind(), action.person(), text(outcome))
    };
    report.outcomes.iter().map(line).collect()
}
