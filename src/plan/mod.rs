//! The pure planner: desired + observed + profile + policy + ledger → plan.
//!
//! No Kubernetes, no HTTP, no clock, no logs. Same input, same bytes.

pub mod action;
mod brake;
mod check;
mod claims;
pub mod client_access;
mod client_ends;
mod clients;
pub mod domains;
mod draft;
#[cfg(test)]
mod growth;
pub mod guards;
mod invitations;
pub mod joining;
pub mod ladder;
mod mails;
mod members;
mod moves;
pub mod names;
pub mod notification;
mod owners;
mod pools;
mod recipients;
mod remembered;
mod seats;
pub mod simulate;
mod source;
pub mod teams;
mod trust;
mod words;

use std::collections::BTreeMap;

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::desired::Desired;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{HoldDigest, MemberId, RoleName, SubscriptionId, TeamId, TeamRef};
use crate::domain::ledger_view::{Baseline, HoldRecord, LedgerView, PersonRecord};
use crate::domain::observed::{Observed, SeatLimit};
use crate::domain::policy::{Mode, Policy};
use crate::plan::action::Action;
use crate::plan::client_access::{ClientAction, ClientPlan, HeldClient};
use crate::plan::client_ends::ClientEnd;
use crate::plan::clients::Clients;
use crate::plan::domains::DomainPlan;
use crate::plan::draft::Draft;
use crate::plan::joining::Waiting;
use crate::plan::names::Names;
use crate::plan::notification::{RecipientAction, RecipientPlan};
use crate::plan::remembered::Remembered;
use crate::plan::teams::TeamPlan;
use crate::plan::trust::Trust;
use crate::profile::Profile;

pub use mails::remembered;
pub use trust::people;
pub use words::{Distrust, Rule, State, Stop};

/// Everything that a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What the manifests ask for.
    pub desired: &'a Desired,
    /// What the service holds, read after our last write.
    pub observed: &'a Observed,
    /// The rules of the product.
    pub profile: &'a Profile,
    /// How far we may go.
    pub policy: &'a Policy,
    /// What the ledger knows of everyone that is declared or observed.
    pub ledger: &'a LedgerView,
    /// The time.
    pub now: Timestamp,
}

/// Plans the steps that turn `observed` into `desired` for one account.
///
/// n people declared or observed. Output: at most one action a person, in the order of
/// [`action::Phase`]; what a rule stops is in `held`, never an error. Stopping after any action
/// breaks no rule. Equal sides give an empty plan, and the same input gives the same plan, byte for
/// byte. Time O(n log n).
///
/// # Errors
///
/// [`PlanError::Broken`] when the finished plan would break an invariant: a defect of this program,
/// found before it could hurt anyone. Nothing of such a plan may run.
///
/// Source: OP-01 to OP-09, NP-03, NP-07, NP-13, NP-14, X7, X16, X18.
pub fn plan(input: &Input<'_>) -> Result<Plan, PlanError> {
    let remembered = Remembered::of(input);
    let input = Input { desired: &remembered.desired, ..*input };
    let names = Names::of(&input, &remembered);
    let (desired, policy) = (names.desired(&input), names.policy(&input));
    let mut plan = named(&Input { desired: &desired, policy: &policy, ..input }, &names)?;
    plan.names = names;
    Ok(plan)
}

/// Plans with everybody under the address that the service knows.
fn named(input: &Input<'_>, names: &Names) -> Result<Plan, PlanError> {
    let trust = trust::trust(input);
    if let Some(stop) = guards::stop(input, &trust) {
        let clients = Clients::of(input).filter(|_| !matches!(stop, Stop::ReadUntrusted(_)));
        return Ok(with_others(
            input,
            names,
            stopped(input, names, stop, trust),
            clients,
            Vec::new(),
        ));
    }
    let team_plan = teams::plan(input);
    let mut draft = Draft::new(input, names);
    draft.changing = team_plan.changing(input.observed);
    draft.hold_number += u64::from(matches!(trust.approval, Approval::Used(_)));
    members::classify(&mut draft);
    guards::owners(&mut draft);
    moves::hold(&mut draft);
    guards::settle(&mut draft);
    owners::withdraw(&mut draft);
    let mut clients = Clients::of(input);
    draft.client_ends = clients.as_mut().map(Clients::ends).unwrap_or_default();
    let trims = seats::trims(&mut draft);
    let brake = brake::brake(&mut draft, trims);
    owners::admit(&mut draft);
    seats::admit(&mut draft);
    let client_ends = std::mem::take(&mut draft.client_ends);
    let approval = trust.approval.clone();
    let mut plan = draft.finish(trust, brake);
    plan.learn.teams = teams::learn(input, &team_plan);
    plan.teams = team_plan;
    check::check(input, names, &plan)?;
    if matches!(approval, Approval::Used(_)) {
        // It let the read be believed, and nothing else.
        plan.learn.approval = approval;
    }
    let plan = with_others(input, names, plan, clients, client_ends);
    Ok(claims::hold_if_lost(input, plan))
}

/// Adds the clients of an agency, recipients of mail, and domains.
fn with_others(
    input: &Input<'_>,
    names: &Names,
    mut plan: Plan,
    clients: Option<Clients<'_>>,
    ends: Vec<ClientEnd>,
) -> Plan {
    plan.clients = clients.map(|clients| clients.finish(&plan, ends)).unwrap_or_default();
    plan.recipients = recipients::plan(input, names, &plan);
    plan.domains = domains::plan(input, &plan);
    plan.waiting = joining::waiting(input, &plan.actions);
    let others = [plan.clients.next_at, plan.domains.next_at];
    plan.next_at = others.into_iter().chain([plan.next_at]).flatten().min();
    plan
}

/// A plan that does nothing. People are shown as they are, unless the read is not to be believed.
fn stopped(input: &Input<'_>, names: &Names, stop: Stop, trust: Trust) -> Plan {
    let mut draft = Draft::new(input, names);
    let mut learn = Learn::default();
    if matches!(stop, Stop::ReadUntrusted(_)) {
        if input.policy.mode > Mode::Observe {
            (learn.baseline, learn.approval) = (trust.baseline, trust.approval);
        }
    } else {
        members::classify(&mut draft);
    }
    let (seats, pools) = draft.forecast();
    Plan {
        actions: Vec::new(),
        held: Vec::new(),
        stop: Some(stop),
        seats,
        pools,
        teams: teams::stopped(input),
        people: draft.people,
        hold: trust.hold,
        shortage: None,
        next_at: trust.next_at,
        learn,
        clients: ClientPlan::default(),
        recipients: RecipientPlan::default(),
        domains: DomainPlan::default(),
        waiting: Waiting::default(),
        names: Names::default(),
    }
}

/// Why a plan must not run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// The finished plan breaks an invariant.
    #[error("the plan would break an invariant ({0}); nothing was done. Please report this")]
    Broken(&'static str),
}

/// What is to be done, what is held back and by which rule, and what is known of each person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What to do, in order. Stopping after any of them breaks no rule.
    pub actions: Vec<Action>,
    /// What a rule stopped, in the same order.
    pub held: Vec<Held>,
    /// Why nothing at all may be written; `actions` is empty then.
    pub stop: Option<Stop>,
    /// Everyone that is declared, and everyone that is ours and no longer declared.
    pub people: BTreeMap<MemberKey, Outlook>,
    /// Seats now and after the plan.
    pub seats: SeatForecast,
    /// The same for each subscription, where seats belong to subscriptions; `seats` counts places
    /// then.
    pub pools: BTreeMap<SubscriptionId, SeatForecast>,
    /// The set that waits for a person's approval.
    pub hold: Option<Hold>,
    /// Who the service will trim, and when, while `onSeatShortage: Hold` leaves the choice to people.
    pub shortage: Option<Shortage>,
    /// When to look again without a change; the earliest timer.
    pub next_at: Option<Timestamp>,
    /// What the ledger has to learn.
    pub learn: Learn,
    /// Teams, where an account has many, and settings of the account.
    pub teams: TeamPlan,
    /// Clients of an agency.
    pub clients: ClientPlan,
    /// Recipients of categories of mail.
    pub recipients: RecipientPlan,
    /// Domains whose people join by themselves.
    pub domains: DomainPlan,
    /// Who waits for somebody who may invite.
    pub waiting: Waiting,
    /// Which rows are whose, where a person has more than one address.
    pub names: Names,
}

impl Plan {
    /// What is known of a person, named as in a declaration: see [`Plan::known`].
    #[must_use]
    pub fn outlook(&self, key: &MemberKey) -> Option<&Outlook> {
        self.people.get(&self.known(key))
    }

    /// The key of whom a declaration names: with the team's id where it is at the service, and the
    /// address that the service knows.
    #[must_use]
    pub fn known(&self, key: &MemberKey) -> MemberKey {
        self.names.known_key(&self.teams.key(key)).clone()
    }

    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let others = self.clients.actions.is_empty()
            && self.recipients.actions.is_empty()
            && self.domains.actions.is_empty();
        self.actions.is_empty() && self.teams.actions.is_empty() && others
    }

    /// True if somebody loses something: what is declared is read anew before.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        let cancels = |action: &Action| matches!(action, Action::CancelOwnerChange { .. });
        self.actions.iter().any(|action| action.takes_away() || cancels(action))
            || self.clients.actions.iter().any(ClientAction::takes_away)
            || self.recipients.actions.iter().any(RecipientAction::takes_away)
    }
}

/// What the ledger has to learn from this look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learn {
    /// Records that differ from those in the view.
    pub records: BTreeMap<MemberKey, PersonRecord>,
    /// Records of people that are neither declared nor at the service can go.
    pub forget_absent: bool,
    /// Count to measure absence against from now on; `None`: leave it.
    pub baseline: Option<Baseline>,
    /// The held set to remember; the outer `None`: leave it.
    pub hold: Option<Option<HoldRecord>>,
    /// What became of an approval.
    pub approval: Approval,
    /// The account carries no claim yet: put ours on it before the first send.
    pub claim: bool,
    /// Removals that this plan spends of the brake's window.
    pub brake_spent: u32,
    /// Of these, ends of people declared absent that go ahead of a held set.
    pub brake_ahead: u32,
    /// Declared teams that are at the service, where that is news.
    pub teams: Option<BTreeMap<TeamRef, TeamId>>,
    /// For whom rows under another address than the declared one are adopted, where that is news.
    pub declared_as: BTreeMap<MemberKey, Option<EmailAddress>>,
}

/// What became of an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// Nothing new.
    #[default]
    None,
    /// Seen for the first time; its hour starts now.
    Seen(HoldDigest),
    /// Used by this plan: the hold's number rises, so that it cannot be used again.
    Used(HoldDigest),
    /// Older than an hour: the hold's number rises, so that it approves nothing.
    Lapsed(HoldDigest),
}

/// Something that a rule stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What would have been done.
    pub action: Action,
    /// The rule.
    pub rule: Rule,
}

/// What is known of one person, and what waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// State.
    pub state: State,
    /// The rule that holds the next step back.
    pub rule: Option<Rule>,
    /// Place in the queue, from 1; exact to 10, then by tens.
    pub position: Option<u32>,
    /// Member id at the service.
    pub member: Option<MemberId>,
    /// Role at the service.
    pub role_seen: Option<RoleName>,
    /// The declared role differs from it.
    pub role_differs: bool,
    /// When the invitation was first sent.
    pub sent_at: Option<Timestamp>,
    /// When its link stops working.
    pub expires_at: Option<Timestamp>,
    /// Mails of it that we sent in this epoch.
    pub attempts: u32,
    /// When we do the next thing for this person by ourselves.
    pub next_action_at: Option<Timestamp>,
    /// When the declaration ends.
    pub ends_at: Option<Timestamp>,
    /// The declared address, where the service knows the person by an earlier one.
    pub declared_as: Option<EmailAddress>,
    /// Only the ledger knows of that: no declaration lists the earlier address any more.
    pub remembered: bool,
}

impl Outlook {
    /// True if nothing goes on for this person until somebody acts.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        let spent = self.state == State::Expired && self.rule.is_some_and(Rule::needs_person);
        let said = matches!(self.rule, Some(Rule::NotMemberYet | Rule::TwoRows | Rule::Parted));
        self.state.needs_person() || spent || said
    }

    /// What is the matter and the way out, as a sentence for people.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match (self.state, self.rule) {
            (State::Expired, Some(rule))
            | (_, Some(rule @ (Rule::NotMemberYet | Rule::TwoRows | Rule::Parted))) => {
                rule.message()
            }
            (state, _) => state.message(),
        }
    }
}

/// Seats now and after the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatForecast {
    /// Used now.
    pub before: u32,
    /// Used after the plan.
    pub after: u32,
    /// What the plan of the account allows.
    pub limit: SeatLimit,
    /// Declared people that wait for a seat, the trimmed ahead of them not counted.
    pub queued: u32,
}

/// The set that waits for a person's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Digest by which it is approved.
    pub digest: HoldDigest,
    /// People that would be invited or let in.
    pub additions: u32,
    /// People that would lose access or an invitation.
    pub removals: u32,
    /// Roles that would be lowered.
    pub changes: u32,
    /// Removals that are allowed in a window.
    pub allowed: u64,
    /// Of these, already spent in the window that runs.
    pub spent: u64,
    /// What holds it.
    pub why: HoldCause,
    /// Declared people that a read, not trusted for it, does not have any more.
    pub absent: Vec<MemberKey>,
}

/// What holds a set that a person can approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldCause {
    /// More would be taken away than the brake allows.
    RemovalBrake,
    /// More than half of the declared people are gone: held whatever the window allows.
    EmptySource(Emptied),
    /// The account carries a claim from here, and the ledger that knows of it is gone.
    LedgerLost,
    /// People are missing, and nothing says why: approved, they count as gone.
    ReadUntrusted {
        /// How many.
        absent: u64,
    },
}

/// What became of the people that were declared last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emptied {
    /// People that are no longer declared.
    pub gone: u64,
    /// People that were.
    pub declared: u64,
}

impl Hold {
    /// Actions that it holds; `None`: it holds none, but waits for what a person knows.
    #[must_use]
    pub fn actions(&self) -> Option<u32> {
        let actions = self.additions + self.removals + self.changes;
        (self.rule() != Rule::ReadUntrusted).then_some(actions)
    }

    /// The guard that holds the set.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match self.why {
            HoldCause::RemovalBrake => Rule::RemovalBrake,
            HoldCause::EmptySource(_) => Rule::EmptySource,
            HoldCause::LedgerLost => Rule::LedgerLost,
            HoldCause::ReadUntrusted { .. } => Rule::ReadUntrusted,
        }
    }
}

/// Who the service itself will trim, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// People over the limit, in the order in which they will be hit.
    pub people: Vec<MemberKey>,
    /// When the service enforces the limit; `None`: it has not said.
    pub enforce_at: Option<Timestamp>,
}
