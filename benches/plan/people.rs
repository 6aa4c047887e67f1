//! Accounts of any size, for the benchmark and for the tests that count what a plan costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use seatkeeper::domain::desired::{DeletionPolicy, Desired, DesiredMember, Origin, OriginKind};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::joining::Joining;
use seatkeeper::domain::ledger_view::{LedgerView, Ownership, PersonRecord, Seen};
use seatkeeper::domain::observed::{
    MemberState, Observed, ObservedAccount, ObservedMember, ObservedSeats, ReadEvidence, RoleSeen,
    SeatLimit,
};
use seatkeeper::domain::policy::{
    InvitationPolicy, Mode, OnLost, OnSeatShortage, Policy, RemovalPolicy,
};
use seatkeeper::plan::Input;
use seatkeeper::plan::simulate::recount;
use seatkeeper::profile::{Profile, built_in};

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Each tenth person is declared and not there.
    New,
    /// Each tenth person is there, and no longer declared: the brake holds it.
    Gone,
}

impl Change {
    /// Every change with its name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("no change", Self::Nothing),
        ("each 10th new", Self::New),
        ("each 10th gone", Self::Gone),
    ];
}

/// Everything that a plan is made of.
pub struct Account {
    desired: Desired,
    observed: Observed,
    profile: Arc<Profile>,
    policy: Policy,
    ledger: LedgerView,
}

impl Account {
    /// An account of so many people.
    pub fn of(people: usize, change: Change) -> Self {
        let profile = built_in("nitropack").unwrap();
        let all_but =
            |without: Change| (0..people).filter(move |n| change != without || n % 10 != 0);
        Self {
            desired: desired(all_but(Change::Gone)),
            observed: observed(all_but(Change::New), &profile),
            policy: policy(),
            ledger: ledger(all_but(Change::New)),
            profile,
        }
    }

    /// What the planner is asked.
    pub fn input(&self) -> Input<'_> {
        let Self { desired, observed, profile, policy, ledger } = self;
        Input { desired, observed, profile, policy, ledger, now: Timestamp::UNIX_EPOCH }
    }
}

fn person(n: usize) -> MemberKey {
    EmailAddress::parse(&format!("person-{n}@example.com")).unwrap().into()
}

fn desired(people: impl Iterator<Item = usize>) -> Desired {
    let member = |n| DesiredMember {
        name: None,
        message: None,
        role: "developer".into(),
        invite_epoch: 0,
        resend: None,
        said: None,
        deletion_policy: DeletionPolicy::Revoke,
        ends_at: None,
        priority: 0,
        origin: Origin {
            kind: OriginKind::Team,
            namespace: "web".into(),
            name: format!("team-{}", n / 2000),
            position: Some(n % 2000),
        },
    };
    let people = people.map(|n| (person(n), member(n))).collect();
    Desired { people, ..Desired::default() }
}

fn observed(people: impl Iterator<Item = usize>, profile: &Profile) -> Observed {
    let member = |n: usize| ObservedMember {
        id: format!("mem_{n}").as_str().into(),
        etag: "1".into(),
        role: RoleSeen::Known("developer".into()),
        state: MemberState::Active,
        added_at: Timestamp::UNIX_EPOCH,
        joined_at: Timestamp::UNIX_EPOCH,
        agency: false,
    };
    let mut observed = Observed {
        account: ObservedAccount {
            key: "acc_1".into(),
            name: "Acme".into(),
            etag: "1".into(),
            claim: None,
            seats: ObservedSeats {
                limit: SeatLimit::Unlimited,
                used: 0,
                owner: 0,
                active: 0,
                pending: 0,
                trimmed: 0,
                enforce_at: None,
                pools: BTreeMap::new(),
            },
            subscriptions: Vec::new(),
            disabled: false,
            secure_sign_in: false,
            agency: false,
            caller: None,
        },
        members: people.map(|n| (person(n), member(n))).collect(),
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

fn ledger(people: impl Iterator<Item = usize>) -> LedgerView {
    let record = |n: usize| PersonRecord {
        renamed: false,
        parted: false,
        first_seen: Timestamp::UNIX_EPOCH,
        declared_by: Some(format!("Team web/team-{}", n / 2000)),
        owned: true,
        seen: Seen::Member,
        epoch: 0,
        opted_out: false,
        lost: false,
        deletion_policy: DeletionPolicy::Revoke,
        held: false,
        paid: None,
        ownership: Ownership::None,
        mails: Default::default(),
    };
    LedgerView { people: people.map(|n| (person(n), record(n))).collect(), ..LedgerView::default() }
}

fn policy() -> Policy {
    Policy {
        mode: Mode::Manage,
        suspend: false,
        removals: RemovalPolicy {
            max_count: 3,
            max_percent: 10,
            max_total: 50,
            window: Duration::from_secs(86_400),
            settle: Duration::from_secs(30),
        },
        invitations: InvitationPolicy {
            expires_in: None,
            renewals: 2,
            every: Duration::from_secs(7 * 86_400),
            on_lost: OnLost::Hold,
        },
        on_seat_shortage: OnSeatShortage::Hold,
        never_trim: std::collections::BTreeSet::new(),
        grantable_roles: std::collections::BTreeSet::default(),
        invitations_per_hour: None,
        approval: None,
        missing: std::collections::BTreeSet::new(),
    }
}
