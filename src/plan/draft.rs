//! A plan in the making.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::EmailAddress;
use crate::domain::keys::{RequestKey, RoleName};
use crate::domain::ledger_view::{Cause, HoldRecord, Paid, PersonRecord};
use crate::domain::observed::{InvitationState, MemberState, ObservedInvitation, ObservedMember};
use crate::domain::policy::Mode;
use crate::plan::action::{Action, EndCause, InvitationRow, MemberRow};
use crate::plan::claims::{Claimed, claimed};
use crate::plan::client_access::ClientPlan;
use crate::plan::guards::{Brake, Trust};
use crate::plan::{
    Held, Hold, HoldCause, Input, Learn, Outlook, Plan, Rule, SeatForecast, Shortage, State,
};
use crate::profile::Counted;

/// A plan in the making: what is wanted, before the guards and the seat ledger have spoken.
pub(super) struct Draft<'a> {
    pub input: &'a Input<'a>,
    /// Everyone that is declared, and everyone that is ours and no longer declared.
    pub people: BTreeMap<EmailAddress, Outlook>,
    /// What the ledger should know of them.
    pub records: BTreeMap<EmailAddress, PersonRecord>,
    /// Removals, withdrawals and lower roles that are wanted.
    pub endings: Vec<Action>,
    /// Endings that wait for their settling time.
    pub unsettled: Vec<Action>,
    /// Raised roles and roles of pending invitations.
    pub changes: Vec<Action>,
    /// Trimmed members that are declared.
    pub trimmed: Vec<Action>,
    /// People to invite.
    pub candidates: Vec<Candidate>,
    /// What will be done.
    pub actions: Vec<Action>,
    /// What will not.
    pub held: Vec<Held>,
    /// The set that waits for approval.
    pub hold: Option<Hold>,
    /// Who the service will trim.
    pub shortage: Option<Shortage>,
    /// Seats used once `actions` have run.
    pub used: u32,
    /// People that wait for a seat.
    pub queued: u32,
    /// The next timers.
    pub timers: BTreeSet<Timestamp>,
}

/// Someone to invite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// Place in the queue.
    pub order: (Turn, Timestamp, Option<usize>, String),
    /// The person.
    pub person: EmailAddress,
    /// The key to repeat.
    pub key: Option<RequestKey>,
    /// Role of the call.
    pub role: RoleName,
    /// What the mail is sent for.
    pub cause: Cause,
    /// The invitation that is sent again; `None`: a new one is made.
    pub resend: Option<InvitationRow>,
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// A send whose outcome is unknown: its seat and its mail are reserved already.
    Repeated,
    /// An invitation that was sent before, earliest first.
    Resent,
    /// Somebody new, oldest declaration first.
    New,
}

impl Candidate {
    /// The action that it asks for.
    pub fn into_action(self) -> Action {
        let Self { order: _, person, key, role, cause, resend } = self;
        match resend {
            Some(invitation) => Action::Resend { person, invitation, role, cause, key },
            None => Action::Invite { person, role, cause, key },
        }
    }
}

impl<'a> Draft<'a> {
    pub fn new(input: &'a Input<'a>) -> Self {
        Self {
            input,
            people: BTreeMap::new(),
            records: BTreeMap::new(),
            endings: Vec::new(),
            unsettled: Vec::new(),
            changes: Vec::new(),
            trimmed: Vec::new(),
            candidates: Vec::new(),
            actions: Vec::new(),
            held: Vec::new(),
            hold: None,
            shortage: None,
            used: input.observed.account.seats.used,
            queued: 0,
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

    /// True if the mode allows `needed`; in mode `Observe` everything is planned, then held.
    pub fn allows(&self, needed: Mode) -> bool {
        let mode = self.input.policy.mode;
        mode == Mode::Observe || mode >= needed
    }

    /// How many seats an action frees (negative) or takes.
    pub fn seats_of(&self, action: &Action) -> i64 {
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
            Action::ChangeRole { from, to, .. } => {
                takes(self.counted_role(to)) - takes(self.counted_role(from))
            }
            Action::ChangeInvitedRole { .. } => 0,
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
        let used = i64::from(self.used) + self.seats_of(&action);
        self.used = u32::try_from(used).unwrap_or(0);
        self.actions.push(action);
    }

    /// A time this long after `at`, or never.
    pub fn after(at: Timestamp, wait: std::time::Duration) -> Timestamp {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        at.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    pub fn forecast(&self, after: u32) -> SeatForecast {
        let seats = &self.input.observed.account.seats;
        SeatForecast { before: seats.used, after, limit: seats.limit, queued: self.queued }
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
        Plan {
            seats: self.forecast(self.used),
            actions: self.actions,
            held: self.held,
            stop: None,
            people: self.people,
            hold: self.hold,
            shortage: self.shortage,
            next_at,
            learn,
            clients: ClientPlan::default(),
        }
    }

    /// Mode `Observe`: the plan is made as in `Manage`, and all of it is held.
    fn observe_only(&mut self) {
        for action in std::mem::take(&mut self.actions) {
            self.hold_back(action, Rule::Observing);
        }
        self.used = self.input.observed.account.seats.used;
    }

    fn learn(&mut self, trust: &Trust, brake: &Brake) -> Learn {
        let Input { ledger, policy, .. } = *self.input;
        if policy.mode == Mode::Observe {
            return Learn::default();
        }
        let mut brake_spent = 0;
        for action in &self.actions {
            let Some(record) = self.records.get_mut(action.person()) else { continue };
            if let Some((cause, _)) = action.invitation_mail() {
                (record.epoch, record.opted_out, record.lost) = (cause.epoch, false, false);
                record.mails.given_up = false;
            }
            if let Some(paid) = price(action) {
                brake_spent += u32::from(record.paid != Some(paid));
                record.paid = Some(paid);
            }
        }
        self.records.retain(|person, record| ledger.people.get(person) != Some(record));
        // The highest limit under which the set was held: a limit that falls and comes back with
        // the number of people is not one that a person raised.
        let before = ledger.hold.as_ref().map_or(0, |hold| hold.allowed);
        let hold = self.hold.as_ref().map(|hold| HoldRecord {
            digest: hold.digest.clone(),
            allowed: hold.allowed.max(before),
            emptied_under: match hold.why {
                HoldCause::EmptySource(_) => Some(policy.removals.max_count),
                HoldCause::RemovalBrake | HoldCause::LedgerLost => None,
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

/// What the brake pays for an action.
pub(super) fn price(action: &Action) -> Option<Paid> {
    match action {
        Action::RevokeInvitation { .. } | Action::Remove { .. } => Some(Paid::End),
        Action::Trim { .. } => Some(Paid::Trim),
        Action::ChangeRole { .. } => action.takes_away().then_some(Paid::Lower),
        Action::ChangeInvitedRole { .. }
        | Action::Reinstate { .. }
        | Action::Resend { .. }
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
    person: &EmailAddress,
    invitation: &ObservedInvitation,
    cause: EndCause,
) -> Action {
    Action::RevokeInvitation {
        person: person.clone(),
        invitation: invitation_row(invitation),
        cause,
    }
}
