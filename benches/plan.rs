//! Time and peak memory of planning, reported only: `make bench`.
//!
//! Each row is one process-wide round: a plan of n people that changes nothing, and one that
//! invites every tenth. Times are medians; memory is the peak resident size (Linux) so far.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its table")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
use seatkeeper::plan::simulate::recount;
use seatkeeper::plan::{Input, plan};
use seatkeeper::profile::{Profile, built_in};

const ROUNDS: usize = 7;

fn person(n: usize) -> MemberKey {
    EmailAddress::parse(&format!("person-{n}@example.com")).unwrap().into()
}

fn desired(people: usize) -> Desired {
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
    let people = (0..people).map(|n| (person(n), member(n))).collect();
    Desired { people, ..Desired::default() }
}

/// Everyone but each `missing`-th person is a member.
fn observed(people: usize, missing: Option<usize>, profile: &Profile) -> Observed {
    let there = (0..people).filter(|n| missing.is_none_or(|every| n % every != 0));
    let member = |n: usize| ObservedMember {
        id: format!("mem_{n}").as_str().into(),
        etag: "1".into(),
        role: RoleSeen::Known("developer".into()),
        state: MemberState::Active,
        added_at: Timestamp::UNIX_EPOCH,
        joined_at: Timestamp::UNIX_EPOCH,
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
        members: there.map(|n| (person(n), member(n))).collect(),
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

fn ledger(people: usize, missing: Option<usize>) -> LedgerView {
    let known = (0..people).filter(|n| missing.is_none_or(|every| n % every != 0));
    let record = |n: usize| PersonRecord {
        renamed: false,
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
    LedgerView { people: known.map(|n| (person(n), record(n))).collect(), ..LedgerView::default() }
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

/// Median time of a plan, and how many actions it has.
fn measure(people: usize, missing: Option<usize>) -> (Duration, usize) {
    let profile = built_in("nitropack").unwrap();
    let (desired, observed) = (desired(people), observed(people, missing, &profile));
    let (ledger, policy) = (ledger(people, missing), policy());
    let input = Input {
        desired: &desired,
        observed: &observed,
        profile: &profile,
        policy: &policy,
        ledger: &ledger,
        now: Timestamp::UNIX_EPOCH,
    };
    let mut actions = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            actions = plan(&input).unwrap().actions.len();
            start.elapsed()
        })
        .collect();
    times.sort();
    (times[ROUNDS / 2], actions)
}

/// Peak resident size of this process in MiB; `None` where the system does not say.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn main() {
    println!(
        "{:>8}  {:>14}  {:>8}  {:>10}  {:>9}",
        "people", "plan", "actions", "time ms", "peak MiB"
    );
    for people in [1_000, 10_000, 100_000] {
        for (name, missing) in [("no change", None), ("each 10th new", Some(10))] {
            let (time, actions) = measure(people, missing);
            let peak = peak_mib().map_or_else(|| "-".to_owned(), |mib| mib.to_string());
            let time = time.as_secs_f64() * 1000.0;
            println!("{people:>8}  {name:>14}  {actions:>8}  {time:>10.1}  {peak:>9}");
        }
    }
}
