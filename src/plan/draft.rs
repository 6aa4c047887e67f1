//! A plan in the making.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::{EmailAddress, MemberKey, TeamKey};
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{RequestKey, RoleName, SubscriptionId};
use crate::domain::ledger_view::{Cause, HoldRecord, Paid, PersonRecord};
use crate::domain::observed::{InvitationState, MemberState, ObservedInvitation, ObservedMember};
use crate::domain::particulars::Particulars;
use crate::domain::policy::Mode;
use crate::plan::action::{Action, EndCause, InvitationRow, MemberRow};
use crate::plan::brake::Brake;
use crate::plan::claims::{Claimed, claimed};
use crate::plan::client_access::ClientPlan;
use crate::plan::client_ends::ClientEnd;
use crate::plan::domains::DomainPlan;
use crate::plan::joining::Waiting;
use crate::plan::names::Names;
use crate::plan::notification::RecipientPlan;
use crate::plan::pools::{PoolKey, Pools, pool_of};
use crate::plan::teams::TeamPlan;
use crate::plan::trust::Trust;
use crate::plan::{
    Held, Hold, HoldCause, Input, Learn, Outlook, Plan, Rule, SeatForecast, Shortage, State,
};
use crate::plan::{owners, remembered};
use crate::profile::{Counted, KnownUser};

/// A plan in the making: what is wanted, before the guards and the seat ledger have spoken.
pub(super) struct Draft<'a> {
    pub input: &'a Input<'a>,
    /// Which rows are whose.
    pub names: &'a Names,
    /// People with access somewhere in the account, where such people are added at once.
    known: BTreeSet<EmailAddress>,
    /// Everyone that is declared, and everyone that is ours and no longer declared.
    pub people: BTreeMap<MemberKey, Outlook>,
    /// What the ledger should know of them.
    pub records: BTreeMap<MemberKey, PersonRecord>,
    /// Removals, withdrawals and lower roles that are wanted.
    pub endings: Vec<Action>,
    /// Endings that wait for their settling time.
    pub unsettled: Vec<Action>,
    /// Withdrawals of requests to clients, which pass the brake with the endings.
    pub client_ends: Vec<ClientEnd>,
    /// Raised roles and roles of pending invitations.
    pub changes: Vec<Action>,
    /// Trimmed members that are declared.
    pub trimmed: Vec<Action>,
    /// People to invite.
    pub candidates: Vec<Candidate>,
    /// Members to become owners.
    pub becoming: Vec<owners::Candidate>,
    /// What will be done.
    pub actions: Vec<Action>,
    /// What will not.
    pub held: Vec<Held>,
    /// The set that waits for approval.
    pub hold: Option<Hold>,
    /// Number of that set: rises when an approval is used or lapses.
    pub hold_number: u64,
    /// Who the service will trim.
    pub shortage: Option<Shortage>,
    /// Seats once `actions` have run.
    pub pools: Pools,
    /// People that wait for a seat.
    pub queued: u32,
    /// Pools that a team is being linked to, or from.
    pub changing: BTreeSet<PoolKey>,
    /// The next timers.
    pub timers: BTreeSet<Timestamp>,
}

/// Someone to invite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// Place in the queue.
    pub order: (Turn, Reverse<i32>, Timestamp, Option<usize>, String),
    /// The person.
    pub person: MemberKey,
    /// The key to repeat.
    pub key: Option<RequestKey>,
    /// Role of the call.
    pub role: RoleName,
    /// What a new invitation says besides.
    pub particulars: Particulars,
    /// What the mail is sent for.
    pub cause: Cause,
    /// The invitation that is sent again; `None`: a new one is made.
    pub resend: Option<InvitationRow>,
    /// The join request of the person, which is approved in place of an invitation.
    pub request: Option<ObservedJoinRequest>,
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// A send whose outcome is unknown: its seat and its mail are reserved already.
    Repeated,
    /// An invitation that was sent before, earliest first.
    Resent,
    /// Somebody new: highest priority first, then oldest declaration.
    New,
}

impl Candidate {
    /// The action that it asks for; `known`: the person is in the account already and is added
    /// without an invitation (CT-05).
    pub fn into_action(self, known: bool) -> Action {
        let Self { order: _, person, key, role, particulars, cause, resend, request } = self;
        if let Some(request) = request {
            return Action::Approve { person, request, role, cause };
        }
        match (resend, key) {
            (Some(invitation), key) => Action::Resend { person, invitation, role, cause, key },
            (None, None) if known => Action::Add { person, role, particulars, cause },
            (None, key) => Action::Invite { person, role, particulars, cause, key },
        }
    }
}

/// Seats of each pool that are kept for somebody.
#[derive(Debug, Default)]
pub(super) struct Reserved(BTreeMap<PoolKey, u32>);

impl Reserved {
    /// Those of a pool.
    pub fn of(&self, pool: &PoolKey) -> u32 {
        self.0.get(pool).copied().unwrap_or(0)
    }

    /// Keeps so many more.
    pub fn add(&mut self, pool: PoolKey, seats: u32) -> u32 {
        let kept = self.0.entry(pool).or_insert(0);
        *kept += seats;
        *kept
    }
}

impl<'a> Draft<'a> {
    pub fn new(input: &'a Input<'a>, names: &'a Names) -> Self {
        Self {
            input,
            names,
            known: known(input),
            people: BTreeMap::new(),
            records: BTreeMap::new(),
            endings: Vec::new(),
            unsettled: Vec::new(),
            client_ends: Vec::new(),
            changes: Vec::new(),
            trimmed: Vec::new(),
            candidates: Vec::new(),
            becoming: Vec::new(),
            actions: Vec::new(),
            held: Vec::new(),
            hold: None,
            hold_number: input.ledger.hold_number,
            shortage: None,
            pools: Pools::of(input.observed, input.profile),
            queued: 0,
            changing: BTreeSet::new(),
            timers: BTreeSet::new(),
        }
    }

    /// Holds an action back and says so at its person.
    pub fn hold_back(&mut self, action: Action, rule: Rule) {
        if let Some(outlook) = self.people.get_mut(action.person()) {
            outlook.rule = Some(rule);
        }
        self.held.push(Held { action, rule });
    }

    /// True if the person is in the account, and the product adds such people at once.
    pub fn is_known(&self, person: &EmailAddress) -> bool {
        self.known.contains(person)
    }

    /// True if the mode allows `needed`; in mode `Observe` everything is planned, then held.
    pub fn allows(&self, needed: Mode) -> bool {
        let mode = self.input.policy.mode;
        mode == Mode::Observe || mode >= needed
    }

    /// How many seats an action frees (negative) or takes in its pool.
    pub fn seats_of(&self, action: &Action) -> i64 {
        let key = action.person();
        self.pools.seats_of(&self.pool_of(key), &key.person, self.places_of(action))
    }

    /// The pool that a place counts in.
    pub fn pool_of(&self, key: &MemberKey) -> PoolKey {
        pool_of(self.input.observed, self.input.profile, key)
    }

    /// True if a seat is free for an action besides `reserved` ones of its pool.
    pub fn has_seat(&self, action: &Action, reserved: &Reserved) -> bool {
        let pool = self.pool_of(action.person());
        self.pools.has_seat(&pool, reserved.of(&pool))
    }

    /// How many places that take a seat an action frees (negative) or takes.
    fn places_of(&self, action: &Action) -> i64 {
        let takes = |counted| i64::from(self.input.profile.counts(counted));
        match action {
            Action::RevokeInvitation { .. } => -takes(Counted::Pending),
            Action::Trim { .. } => -takes(Counted::Active),
            Action::Remove { person, .. } => {
                -i64::from(self.input.observed.members.get(person).is_some_and(|member| {
                    member.state != MemberState::Trimmed && takes(self.counted(member)) > 0
                }))
            }
            Action::Reinstate { .. } => takes(Counted::Active),
            Action::Resend { person, .. } => {
                let row = self.input.observed.invitations.get(person);
                let waits = row.is_some_and(|row| row.state == InvitationState::Pending);
                if waits { 0 } else { takes(Counted::Pending) }
            }
            Action::Invite { .. } => takes(Counted::Pending),
            Action::Add { role, .. } => takes(self.counted_role(role)),
            Action::Approve { .. } => takes(Counted::Active),
            Action::ChangeRole { from, to, .. } => {
                takes(self.counted_role(to)) - takes(self.counted_role(from))
            }
            Action::CancelOwnerChange { .. }
            | Action::ChangeInvitedRole { .. }
            | Action::ChangeOwner { .. } => 0,
        }
    }

    /// What a member counts as.
    fn counted(&self, member: &ObservedMember) -> Counted {
        member.role.known().map_or(Counted::Active, |role| self.counted_role(role))
    }

    fn counted_role(&self, role: &RoleName) -> Counted {
        if self.input.profile.is_owner(role) { Counted::Owner } else { Counted::Active }
    }

    /// Does an action: counts its seats.
    pub fn act(&mut self, action: Action) {
        let (key, places) = (action.person(), self.places_of(&action));
        self.pools.take(&self.pool_of(key), &key.person, places);
        self.actions.push(action);
    }

    /// A time this long after `at`, or never.
    pub fn after(at: Timestamp, wait: std::time::Duration) -> Timestamp {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        at.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Seats now and after the plan, the account's and those of its subscriptions.
    pub fn forecast(&self) -> (SeatForecast, BTreeMap<SubscriptionId, SeatForecast>) {
        let seats = &self.input.observed.account.seats;
        let mut forecasts = self.pools.forecasts();
        let own = forecasts.remove(&None).map_or(seats.used, |own| own.after);
        let own = SeatForecast {
            before: seats.used,
            after: own,
            limit: seats.limit,
            queued: self.queued,
        };
        let pools = forecasts.into_iter().filter_map(|(pool, seats)| Some((pool?, seats)));
        (own, pools.collect())
    }

    /// Puts everything in order and says what the ledger has to learn.
    pub fn finish(mut self, trust: Trust, brake: Brake) -> Plan {
        if self.input.policy.mode == Mode::Observe {
            self.observe_only();
        }
        self.actions.sort_by_key(Action::order);
        self.held.sort_by_key(|held| held.action.order());
        let learn = self.learn(&trust, &brake);
        self.timers.extend(trust.next_at);
        self.timers.extend(self.announced());
        let next_at = self.timers.range(self.input.now..).next().copied();
        let (seats, pools) = self.forecast();
        Plan {
            seats,
            pools,
            actions: self.actions,
            held: self.held,
            stop: None,
            people: self.people,
            hold: self.hold,
            shortage: self.shortage,
            next_at,
            learn,
            teams: TeamPlan::default(),
            clients: ClientPlan::default(),
            recipients: RecipientPlan::default(),
            domains: DomainPlan::default(),
            waiting: Waiting::default(),
            names: Names::default(),
        }
    }

    /// Mode `Observe`: the plan is made as in `Manage`, and all of it is held.
    fn observe_only(&mut self) {
        for action in std::mem::take(&mut self.actions) {
            self.hold_back(action, Rule::Observing);
        }
        self.pools = Pools::of(self.input.observed, self.input.profile);
    }

    fn learn(&mut self, trust: &Trust, brake: &Brake) -> Learn {
        let Input { ledger, policy, .. } = *self.input;
        if policy.mode == Mode::Observe {
            return Learn::default();
        }
        let (mut brake_spent, mut brake_ahead) = (0, 0);
        for action in &self.actions {
            let Some(record) = self.records.get_mut(action.person()) else { continue };
            if let Some(cause) = action.cause() {
                (record.epoch, record.opted_out, record.lost) = (cause.epoch, false, false);
                record.mails.given_up = false;
            }
            if let Some(paid) = price(action) {
                let unpaid = u32::from(record.paid != Some(paid));
                brake_spent += unpaid;
                brake_ahead += if brake.ahead && is_absence(action) { unpaid } else { 0 };
                record.paid = Some(paid);
            }
        }
        // Where nothing can be done yet, nothing is to be remembered.
        let there = |key: &MemberKey| !matches!(key.team, Some(TeamKey::Declared(_)));
        let declared_as = remembered::learn(self, &self.records);
        self.records.retain(|key, record| there(key) && ledger.people.get(key) != Some(record));
        // The highest limit under which the set was held: a limit that falls and comes back with
        // the number of people is not one that a person raised.
        let before = ledger.hold.as_ref().map_or(0, |hold| hold.allowed);
        let hold = self.hold.as_ref().map(|hold| HoldRecord {
            digest: hold.digest.clone(),
            allowed: hold.allowed.max(before),
            emptied_under: match hold.why {
                HoldCause::EmptySource(_) => Some(policy.removals.max_count),
                HoldCause::RemovalBrake
                | HoldCause::LedgerLost
                | HoldCause::ReadUntrusted { .. } => None,
            },
        });
        Learn {
            records: std::mem::take(&mut self.records),
            forget_absent: true,
            baseline: trust.baseline,
            hold: (hold != ledger.hold).then_some(hold),
            approval: brake.approval.clone(),
            claim: matches!(claimed(self.input), Claimed::Free | Claimed::Taking),
            brake_spent,
            brake_ahead,
            teams: None,
            declared_as,
        }
    }

    /// Ends that the service has announced: of invitations, of subscriptions, of patience.
    fn announced(&self) -> Vec<Timestamp> {
        let account = &self.input.observed.account;
        let pending = self
            .people
            .values()
            .filter(|outlook| outlook.state == State::Pending)
            .filter_map(|outlook| outlook.expires_at);
        let ends = account.subscriptions.iter().filter_map(|subscription| subscription.ends_at);
        pending.chain(ends).chain(account.seats.enforce_at).collect()
    }
}

fn known(input: &Input<'_>) -> BTreeSet<EmailAddress> {
    if input.profile.invitations.known_user != KnownUser::AddAtOnce {
        return BTreeSet::new();
    }
    let members = input.observed.members.iter();
    let active = members.filter(|(_, row)| row.state == MemberState::Active);
    active.map(|(key, _)| key.person.clone()).collect()
}

/// True if it ends what a declaration says must not be there.
pub(super) fn is_absence(action: &Action) -> bool {
    action.end_cause() == Some(EndCause::Absent)
}

/// What the brake pays for an action.
pub(super) fn price(action: &Action) -> Option<Paid> {
    match action {
        Action::RevokeInvitation { .. } | Action::Remove { .. } => Some(Paid::End),
        Action::Trim { .. } => Some(Paid::Trim),
        Action::ChangeRole { .. } => action.takes_away().then_some(Paid::Lower),
        Action::CancelOwnerChange { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::Reinstate { .. }
        | Action::ChangeOwner { .. }
        | Action::Resend { .. }
        | Action::Add { .. }
        | Action::Approve { .. }
        | Action::Invite { .. } => None,
    }
}

/// The row of a member, for an action.
pub(super) fn member_row(member: &ObservedMember) -> MemberRow {
    MemberRow { id: member.id.clone(), etag: member.etag.clone(), added_at: member.added_at }
}

/// The row of an invitation, for an action.
pub(super) fn invitation_row(invitation: &ObservedInvitation) -> InvitationRow {
    InvitationRow {
        id: invitation.id.clone(),
        etag: invitation.etag.clone(),
        created_at: invitation.created_at,
        sent: invitation.sent,
    }
}

/// Withdraws an invitation.
pub(super) fn revoke(
    person: &MemberKey,
    invitation: &ObservedInvitation,
    cause: EndCause,
) -> Action {
    Action::RevokeInvitation {
        person: person.clone(),
        invitation: invitation_row(invitation),
        cause,
    }
}
