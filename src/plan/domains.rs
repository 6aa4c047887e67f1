//! Domains whose people join by themselves (PO-11): put in, asked about until their record is found,
//! taken away again if we put them in. Nobody loses access by any of this.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::domains::{DomainName, DomainRecord, DomainState, ObservedDomain, TxtRecord};
use crate::domain::identity::MemberKey;
use crate::domain::keys::{DomainId, ETag};
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;
use crate::plan::draft::Draft as People;
use crate::plan::{Hold, Input, Plan, Rule, Stop};

/// When a record that was not found is looked for again, doubled each time, and the longest wait.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// When a domain of another account is asked about again.
const TAKEN_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// One change of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainAction {
    /// Puts it in, with its people joining once it is verified.
    Add {
        /// The domain.
        domain: DomainName,
    },
    /// Has its record looked up.
    Verify {
        /// The domain.
        domain: DomainName,
        /// Its row.
        row: DomainRow,
    },
    /// Lets its people join.
    LetJoin {
        /// The domain.
        domain: DomainName,
        /// Its row.
        row: DomainRow,
    },
    /// Takes it away. Who joined by it stays.
    Remove {
        /// The domain.
        domain: DomainName,
        /// Its row.
        row: DomainRow,
    },
}

/// A domain as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRow {
    /// Id.
    pub id: DomainId,
    /// Version, sent as `If-Match`.
    pub etag: ETag,
}

impl DomainAction {
    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        match self {
            Self::Add { domain }
            | Self::Verify { domain, .. }
            | Self::LetJoin { domain, .. }
            | Self::Remove { domain, .. } => domain,
        }
    }

    /// Word for metrics, logs and JSON output; never renamed.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Add { .. } => "AddDomain",
            Self::Verify { .. } => "VerifyDomain",
            Self::LetJoin { .. } => "LetJoinByDomain",
            Self::Remove { .. } => "RemoveDomain",
        }
    }
}

impl fmt::Display for DomainAction {
    /// One line of a plan: `+ add domain acme.com`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { domain } => write!(f, "+ add domain {domain}"),
            Self::Verify { domain, .. } => write!(f, "~ check the record of domain {domain}"),
            Self::LetJoin { domain, .. } => write!(f, "~ let people join by domain {domain}"),
            Self::Remove { domain, .. } => write!(f, "- take domain {domain} away"),
        }
    }
}

/// What is to be done with domains, what is held back, and what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainPlan {
    /// What to do, in order, after everything with people.
    pub actions: Vec<DomainAction>,
    /// What a rule stopped.
    pub held: Vec<(DomainAction, Rule)>,
    /// Every declared domain, as far as the domains could be read.
    pub domains: BTreeMap<DomainName, DomainOutlook>,
    /// When a record is looked for again.
    pub next_at: Option<Timestamp>,
    /// Records for the ledger, if they are other than it has.
    pub learn: Option<BTreeMap<DomainName, DomainRecord>>,
}

/// What is known of one declared domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainOutlook {
    /// Where it stands.
    pub state: DomainStanding,
    /// The record that proves it; `None`: the domain is not there yet.
    pub record: Option<TxtRecord>,
    /// When the record is looked for again.
    pub check_at: Option<Timestamp>,
}

/// Where a declared domain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainStanding {
    /// Not there yet.
    Planned,
    /// Waits for its record.
    Pending,
    /// Its people join.
    Verified,
    /// Its record is gone.
    Lapsed,
    /// Another account has verified it.
    Taken,
    /// The service shows a state that we do not know.
    NotUnderstood,
}

impl DomainStanding {
    /// Word of a status and of JSON output; never renamed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::Pending => "Pending",
            Self::Verified => "Verified",
            Self::Lapsed => "Lapsed",
            Self::Taken => "Taken",
            Self::NotUnderstood => "NotUnderstood",
        }
    }

    /// Reason of a condition while a person must act.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Lapsed => Some(Reason::DomainLapsed),
            Self::Taken => Some(Reason::DomainTaken),
            Self::NotUnderstood => Some(Rule::NotUnderstood.reason()),
            Self::Planned | Self::Pending | Self::Verified => None,
        }
    }

    /// What it means and the way out, as a sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Planned => "not there yet",
            Self::Pending => {
                "waits for its TXT record: publish it, and it is found by itself within an hour"
            }
            Self::Verified => "verified: its people join; leave the TXT record there",
            Self::Lapsed => Reason::DomainLapsed.says(),
            Self::Taken => Reason::DomainTaken.says(),
            Self::NotUnderstood => Rule::NotUnderstood.message(),
        }
    }
}

/// Plans the domains of one account. Time O(n log n) in domains.
pub(super) fn plan(input: &Input<'_>, main: &Plan) -> DomainPlan {
    let Input { desired, observed, ledger, policy, .. } = *input;
    let untrusted = matches!(main.stop, Some(Stop::ReadUntrusted(_)));
    let Some(rows) = observed.joining.domains.as_ref().filter(|_| !untrusted) else {
        return DomainPlan::default();
    };
    let mut draft = Draft {
        input,
        stopped: main.stop.is_some(),
        holds: main.hold.as_ref().map(Hold::rule),
        plan: DomainPlan::default(),
        records: ledger.domains.clone(),
    };
    for domain in &desired.join_domains {
        match rows.get(domain) {
            Some(row) => draft.declared(domain, row),
            None => {
                draft.place(domain, DomainStanding::Planned, None);
                draft.want(DomainAction::Add { domain: domain.clone() });
            }
        }
    }
    let others = ledger.domains.iter().filter(|(name, _)| !desired.join_domains.contains(*name));
    for (domain, record) in others {
        let row = rows.get(domain).filter(|_| record.made && policy.mode != Mode::Invite);
        match row.map(|row| (domain.clone(), row_of(row))) {
            Some((domain, row)) => draft.want(DomainAction::Remove { domain, row }),
            // Not ours, gone, or let go.
            None => drop(draft.records.remove(domain)),
        }
    }
    draft.finish()
}

/// A plan for domains in the making.
struct Draft<'a> {
    input: &'a Input<'a>,
    /// Nothing at all may be written.
    stopped: bool,
    /// What holds ends of access until a person approves them: a domain goes with its people.
    holds: Option<Rule>,
    plan: DomainPlan,
    /// What the ledger should know.
    records: BTreeMap<DomainName, DomainRecord>,
}

impl Draft<'_> {
    /// Places a declared domain that is there.
    fn declared(&mut self, domain: &DomainName, row: &ObservedDomain) {
        let record = self.records.entry(domain.clone()).or_default();
        let due = due(record, self.input.now);
        let (state, waits) = match row.state {
            DomainState::Verified => (DomainStanding::Verified, false),
            DomainState::Pending if record.taken => (DomainStanding::Taken, true),
            DomainState::Pending => (DomainStanding::Pending, true),
            DomainState::Lapsed => (DomainStanding::Lapsed, true),
            DomainState::Unknown => (DomainStanding::NotUnderstood, false),
        };
        if state == DomainStanding::Verified {
            *record = DomainRecord { made: record.made, ..DomainRecord::default() };
        }
        self.place(domain, state, Some(row));
        let (domain, row_seen) = (domain.clone(), row_of(row));
        if waits && due.is_none_or(|due| due <= self.input.now) {
            self.want(DomainAction::Verify { domain, row: row_seen });
        } else if waits {
            if let Some(outlook) = self.plan.domains.get_mut(&domain) {
                outlook.check_at = due;
            }
            self.plan.next_at = self.plan.next_at.into_iter().chain(due).min();
        } else if state == DomainStanding::Verified && !row.auto_join {
            self.want(DomainAction::LetJoin { domain, row: row_seen });
        }
    }

    fn place(&mut self, domain: &DomainName, state: DomainStanding, row: Option<&ObservedDomain>) {
        let record = row.map(|row| row.record.clone());
        let outlook = DomainOutlook { state, record, check_at: None };
        self.plan.domains.insert(domain.clone(), outlook);
    }

    /// Lets mode and service speak.
    fn want(&mut self, action: DomainAction) {
        let Input { policy, observed, now, .. } = *self.input;
        let takes_away = matches!(action, DomainAction::Remove { .. });
        let record = self.records.entry(action.domain().clone()).or_default();
        let changes = matches!(action, DomainAction::LetJoin { .. }) && !record.made;
        if self.stopped {
            return;
        }
        let rule = match policy.mode {
            Mode::Observe => Some(Rule::Observing),
            Mode::Invite if changes => Some(Rule::InviteOnly),
            _ if observed.account.disabled && !takes_away => Some(Rule::ServiceDisabled),
            Mode::Invite | Mode::Manage | Mode::Exclusive => self.holds.filter(|_| takes_away),
        };
        if let Some(rule) = rule {
            return self.plan.held.push((action, rule));
        }
        match action {
            DomainAction::Add { .. } => {
                *record = DomainRecord { made: true, tried_at: Some(now), ..Default::default() };
            }
            DomainAction::Verify { .. } => {
                record.tries = record.tries.saturating_add(1);
                record.tried_at = Some(now);
            }
            DomainAction::LetJoin { .. } | DomainAction::Remove { .. } => {}
        }
        self.plan.actions.push(action);
    }

    fn finish(mut self) -> DomainPlan {
        let ledger = self.input.ledger;
        self.records.retain(|_, record| *record != DomainRecord::default());
        let writes = self.input.policy.mode > Mode::Observe && !self.stopped;
        let news = writes && self.records != ledger.domains;
        self.plan.learn = news.then_some(self.records);
        self.plan
    }
}

/// When the record of a domain is to be looked for; `None`: it never was, as far as the clock says.
fn due(record: &DomainRecord, now: Timestamp) -> Option<Timestamp> {
    let (first, longest) = AGAIN;
    let wait = match record.taken {
        true => TAKEN_AGAIN,
        false => first.saturating_mul(2_u32.saturating_pow(record.tries)).min(longest),
    };
    record.tried_at.filter(|at| *at <= now).map(|at| People::after(at, wait))
}

fn row_of(row: &ObservedDomain) -> DomainRow {
    DomainRow { id: row.id.clone(), etag: row.etag.clone() }
}

/// True if a person whom nobody declared counts as declared, because the account declares and has
/// verified their domain. Who has a protected role does not.
pub(super) fn counts_as_declared(input: &Input<'_>, person: &MemberKey) -> bool {
    of_declared_domain(input, person) == Some(true)
}

/// True if a person would count as declared, but nobody knows whether the domain is still verified:
/// they are left until it is, or is no longer declared.
pub(super) fn is_in_question(input: &Input<'_>, person: &MemberKey) -> bool {
    of_declared_domain(input, person) == Some(false)
}

/// Whether the declared domain of a person is verified; `None`: they are at none, or their role is
/// protected.
fn of_declared_domain(input: &Input<'_>, person: &MemberKey) -> Option<bool> {
    let Input { desired, observed, profile, .. } = *input;
    let domain = desired.join_domains.get(person.person.domain());
    let domain = domain.filter(|_| person.team.is_none())?;
    let member = observed.members.get(person).map(|member| &member.role);
    let role = member.or_else(|| Some(&observed.invitations.get(person)?.role))?;
    let role = profile.role(role.known()?).filter(|role| !role.protected);
    let row = observed.joining.domains.as_ref().and_then(|rows| rows.get(domain));
    role.map(|_| row.is_some_and(|row| row.state == DomainState::Verified))
}
