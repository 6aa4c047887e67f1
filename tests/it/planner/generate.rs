//! Generated accounts: small, and with everything that can be true of a person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use seatkeeper::domain::desired::{
    Absence, AbsenceCause, DeletionPolicy, Desired, DesiredMember, Origin, OriginKind,
};
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::joining::Joining;
use seatkeeper::domain::keys::{
    AccountKey, ETag, HoldDigest, InstallationId, InvitationId, MemberId, RequestKey, ResendMark,
    RoleName,
};
use seatkeeper::domain::ledger_view::{
    Baseline, Cause, FirstWanted, HoldRecord, LedgerView, MailRecord, OpenSend, Ownership, Paid,
    PersonRecord, Seen, Spend,
};
use seatkeeper::domain::observed::{
    InvitationState, MemberState, Observed, ObservedAccount, ObservedInvitation, ObservedMember,
    ObservedSeats, ReadEvidence, RoleSeen, SeatLimit,
};
use seatkeeper::domain::policy::{
    InvitationPolicy, Mode, OnLost, OnSeatShortage, Policy, RemovalPolicy,
};
use seatkeeper::plan::guards::people;
use seatkeeper::plan::simulate::recount;
use seatkeeper::plan::{Input, Plan, PlanError, plan};
use seatkeeper::profile::Profile;

use super::profiles;
use super::words::{person, time};

/// People of an account, at most; the owner comes on top.
const PEOPLE: usize = 7;

/// Everything that a plan is made of.
#[derive(Clone)]
pub struct World {
    pub desired: Desired,
    pub observed: Observed,
    pub profile: Profile,
    pub policy: Policy,
    pub ledger: LedgerView,
    pub now: Timestamp,
    /// When each person was last mailed, or may have been.
    pub called: BTreeMap<MemberKey, Timestamp>,
}

impl fmt::Debug for World {
    /// One line for each person and part: what a person needs to see why a plan is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { desired, observed, profile, policy, ledger, now, called: _ } = self;
        writeln!(f, "{} at {now}, {:?}", profile.name, observed.account)?;
        for (person, member) in &desired.people {
            writeln!(f, "declared {person}: {} {}", member.role, member.invite_epoch)?;
        }
        writeln!(f, "frozen {:?}", desired.frozen)?;
        for (person, row) in &observed.members {
            writeln!(f, "member {person}: {:?} {:?} {}", row.role, row.state, row.added_at)?;
        }
        for (person, row) in &observed.invitations {
            writeln!(f, "invited {person}: {:?} {:?} {}", row.role, row.state, row.created_at)?;
        }
        writeln!(f, "{policy:?}\n{ledger:?}")
    }
}

impl World {
    /// Plans.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let Self { desired, observed, profile, policy, ledger, now, called: _ } = self;
        plan(&Input { desired, observed, profile, policy, ledger, now: *now })
    }
}

/// What is true of one person.
#[derive(Clone, Debug)]
struct Life {
    declared: Declared,
    place: Place,
    record: Option<PersonRecord>,
    /// A send whose outcome is unknown; `true`: its key is still good.
    open_send: Option<bool>,
    wanted_before: Option<i64>,
}

#[derive(Clone, Debug)]
enum Declared {
    No,
    Frozen,
    Absent(AbsenceCause),
    Yes { role: String, epoch: i64, retain: bool, resend: Option<u64>, priority: i32 },
}

#[derive(Clone, Debug)]
enum Place {
    Nowhere,
    Member { role: Option<String>, state: MemberState, day: i64 },
    Invited { role: Option<String>, state: InvitationState, day: i64 },
}

/// Any account that a plan may meet.
pub fn world() -> impl Strategy<Value = World> {
    let profile = select(vec!["nitropack", "portal", "club"]);
    profile.prop_flat_map(|profile| {
        let roles: Vec<String> = roles(profile);
        let lives = prop::collection::vec(life(roles), 0..=PEOPLE);
        let account =
            (limit(), any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.2));
        (lives, account, policy(), ledger()).prop_map(move |(lives, account, policy, ledger)| {
            assemble(profiles::profile(profile), &lives, account, policy, ledger)
        })
    })
}

fn roles(profile: &str) -> Vec<String> {
    let roles = profiles::profile(profile).roles;
    roles.into_iter().map(|role| role.name.0).collect()
}

fn life(roles: Vec<String>) -> impl Strategy<Value = Life> {
    (
        declared(roles.clone()),
        place(roles),
        prop::option::weighted(0.7, record()),
        prop::option::weighted(0.15, any::<bool>()),
        prop::option::of(0..60_i64),
    )
        .prop_map(|(declared, place, record, open_send, wanted_before)| Life {
            declared,
            place,
            record,
            open_send,
            wanted_before,
        })
}

fn declared(roles: Vec<String>) -> impl Strategy<Value = Declared> {
    prop_oneof![
        2 => Just(Declared::No),
        1 => Just(Declared::Frozen),
        1 => select(vec![AbsenceCause::Declared, AbsenceCause::Declared, AbsenceCause::Ended])
            .prop_map(Declared::Absent),
        6 => (
            select(roles),
            0..=1_i64,
            prop::bool::weighted(0.2),
            prop::option::of(0..3_u64),
            -1..=1_i32,
        )
            .prop_map(|(role, epoch, retain, resend, priority)| Declared::Yes {
                role,
                epoch,
                retain,
                resend,
                priority,
            }),
    ]
}

fn place(roles: Vec<String>) -> impl Strategy<Value = Place> {
    let member = select(vec![
        MemberState::Active,
        MemberState::Active,
        MemberState::Active,
        MemberState::Trimmed,
        MemberState::Trimmed,
        MemberState::Unknown,
    ]);
    let invitation = select(vec![
        InvitationState::Pending,
        InvitationState::Pending,
        InvitationState::Pending,
        InvitationState::Expired,
        InvitationState::Failed,
        InvitationState::Declined,
        InvitationState::Unknown,
    ]);
    let role = prop::option::weighted(0.95, select(roles));
    prop_oneof![
        3 => Just(Place::Nowhere),
        4 => (role.clone(), member, 2..9_i64)
            .prop_map(|(role, state, day)| Place::Member { role, state, day }),
        3 => (role, invitation, 2..9_i64)
            .prop_map(|(role, state, day)| Place::Invited { role, state, day }),
    ]
}

fn record() -> impl Strategy<Value = PersonRecord> {
    let seen = select(vec![Seen::Never, Seen::Invited, Seen::Member, Seen::Trimmed]);
    let paid = select(vec![None, None, None, Some(Paid::End), Some(Paid::Trim), Some(Paid::Lower)]);
    let flags =
        (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let seen = (seen, mails());
    (prop::bool::weighted(0.8), seen, 0..=1_i64, paid, flags, 0..5_i64).prop_map(
        |(owned, (seen, mails), epoch, paid, (opted_out, lost, retain, held), day)| PersonRecord {
            declared_by: None,
            first_seen: day_of_january(day + 1),
            owned,
            seen,
            epoch,
            opted_out,
            lost,
            renamed: false,
            deletion_policy: deletion_policy(retain),
            held,
            paid,
            ownership: Ownership::None,
            mails,
        },
    )
}

fn deletion_policy(retain: bool) -> DeletionPolicy {
    if retain { DeletionPolicy::Retain } else { DeletionPolicy::Revoke }
}

fn limit() -> impl Strategy<Value = SeatLimit> {
    prop_oneof![1 => Just(SeatLimit::Unlimited), 6 => (0..9_u32).prop_map(SeatLimit::Seats)]
}

fn policy() -> impl Strategy<Value = Policy> {
    let mode = select(vec![
        Mode::Observe,
        Mode::Invite,
        Mode::Manage,
        Mode::Manage,
        Mode::Manage,
        Mode::Exclusive,
    ]);
    let removals = (0..8_u32, select(vec![0, 10, 50]), 0..4_u32);
    let grantable = prop::collection::btree_set(select(vec!["owner", "admin"]), 0..=2);
    let shortage = select(vec![OnSeatShortage::Hold, OnSeatShortage::Trim, OnSeatShortage::Trim]);
    let approves = prop::bool::weighted(0.2);
    let invitations = invitations();
    let more = (prop::option::of(0..4_u32), invitations);
    (mode, removals, grantable, shortage, more, approves).prop_map(
        |(
            mode,
            (max_count, max_percent, max_total),
            grantable,
            on_seat_shortage,
            (mails, invitations),
            approves,
        )| {
            let day = Duration::from_secs(86_400);
            let settle = Duration::from_secs(30);
            Policy {
                mode,
                suspend: false,
                invitations,
                removals: RemovalPolicy { max_count, max_percent, max_total, window: day, settle },
                on_seat_shortage,
                never_trim: BTreeSet::from([person("p1@example.com").person]),
                grantable_roles: grantable.into_iter().map(RoleName::from).collect(),
                invitations_per_hour: mails,
                approval: approves.then(|| HoldDigest::from("shown")),
                missing: BTreeSet::new(),
            }
        },
    )
}

fn invitations() -> impl Strategy<Value = InvitationPolicy> {
    let on_lost = select(vec![OnLost::Hold, OnLost::InviteAgain]);
    (0..3_u32, select(vec![3_600, 86_400]), on_lost).prop_map(|(renewals, seconds, on_lost)| {
        InvitationPolicy {
            expires_in: None,
            renewals,
            every: Duration::from_secs(seconds),
            on_lost,
        }
    })
}

fn mails() -> impl Strategy<Value = MailRecord> {
    let times = || prop::collection::vec(0..100_i64, 0..=3);
    let counts = (0..3_u32, 0..3_u32, prop::bool::weighted(0.1), prop::option::of(0..3_u64));
    (counts, times(), times()).prop_map(
        |((attempts, renewals, given_up, mark), automatic, decided)| {
            let (automatic, decided) = (days_ago(automatic), days_ago(decided));
            let marks = mark.map(ResendMark).into_iter().collect();
            let not_before = None;
            MailRecord { attempts, renewals, given_up, automatic, decided, marks, not_before }
        },
    )
}

/// Times, oldest first.
fn days_ago(mut days: Vec<i64>) -> Vec<Timestamp> {
    days.sort_unstable_by_key(|days| std::cmp::Reverse(*days));
    days.into_iter().map(|days| now() - SignedDuration::from_hours(24 * days)).collect()
}

/// The account's part of the ledger; the people's parts come with them.
fn ledger() -> impl Strategy<Value = LedgerView> {
    let spends = || prop::collection::vec((0..30_i64, 1..3_u32), 0..2);
    let emptied_under = prop::option::weighted(0.3, 0..8_u32);
    let hold = prop::option::weighted(0.2, (0..6_u64, emptied_under));
    let brakes = (spends(), spends());
    (brakes, spends(), hold, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((brake, ahead), mails, hold, waits, is_new, has_baseline)| LedgerView {
            fingerprint: None,
            installation: (!is_new).then(|| InstallationId::from("inst_ours")),
            pinned_account: (!is_new).then(|| AccountKey::from("acc_1")),
            brake_spent: brake.into_iter().map(spend).collect(),
            brake_ahead: ahead.into_iter().map(spend).collect(),
            mails_sent: mails.into_iter().map(spend).collect(),
            baseline: has_baseline.then_some(Baseline { people: 0, smaller: None }),
            hold: hold.map(|(allowed, emptied_under)| HoldRecord {
                digest: HoldDigest::from("earlier"),
                allowed,
                emptied_under,
            }),
            first_wanted: waits.then(FirstWanted::default),
            ..LedgerView::default()
        },
    )
}

fn spend((hours_ago, count): (i64, u32)) -> Spend {
    Spend { at: now() - SignedDuration::from_hours(hours_ago), count }
}

fn now() -> Timestamp {
    time("2026-02-01")
}

fn day_of_january(day: i64) -> Timestamp {
    time("2026-01-01") + SignedDuration::from_hours(24 * (day - 1))
}

fn assemble(
    profile: Profile,
    lives: &[Life],
    (limit, has_owner, disabled, has_caller): (SeatLimit, bool, bool, bool),
    policy: Policy,
    ledger: LedgerView,
) -> World {
    let people: Vec<_> =
        (0..lives.len()).map(|n| person(&format!("p{n}@example.com"))).zip(lives).collect();
    let mut world = World {
        desired: Desired::default(),
        observed: empty_account(limit, disabled),
        profile,
        policy,
        ledger,
        now: now(),
        called: BTreeMap::new(),
    };
    if has_owner {
        let owner = member_row("owner", Some("owner".into()), MemberState::Active, 1);
        world.observed.members.insert(person("owner@example.com"), owner);
    }
    for (position, (person, life)) in people.into_iter().enumerate() {
        settle_in(&mut world, &person, life, position);
    }
    finish(&mut world, has_caller);
    world
}

/// Puts one person everywhere that the life says.
fn settle_in(world: &mut World, person: &MemberKey, life: &Life, position: usize) {
    let Life { declared, place, record, open_send, wanted_before } = life.clone();
    match declared {
        Declared::No => {}
        Declared::Frozen => {
            world.desired.frozen.insert(person.clone());
        }
        Declared::Absent(cause) => {
            let origin = desired_member("member".into(), 0, false, position).origin;
            world.desired.absent.insert(person.clone(), Absence { cause, origin });
        }
        Declared::Yes { role, epoch, retain, resend, priority } => {
            let member = desired_member(role, epoch, retain, position);
            let member = DesiredMember { resend: resend.map(ResendMark), priority, ..member };
            world.desired.people.insert(person.clone(), member);
        }
    }
    match place {
        Place::Nowhere => {}
        Place::Member { role, state, day } => {
            let row = member_row(person.person.as_str(), role, state, day);
            world.observed.members.insert(person.clone(), row);
        }
        Place::Invited { role, state, day } => {
            let row = invitation_row(person.person.as_str(), role, state, day);
            world.observed.invitations.insert(person.clone(), row);
        }
    }
    if let Some(record) = record {
        world.ledger.people.insert(person.clone(), record);
    }
    let is_answered = world.observed.members.contains_key(person)
        || world.observed.invitations.get(person).is_some_and(|row| {
            matches!(row.state, InvitationState::Pending | InvitationState::Unknown)
        });
    if let Some(is_good) = open_send.filter(|_| !is_answered) {
        let minutes = SignedDuration::from_mins(if is_good { 30 } else { -30 });
        let key = RequestKey(format!("open-{person}"));
        let role = world.profile.roles.last().unwrap().name.clone();
        let cause = Cause { attempt: 9, ..Cause::default() };
        // On a row that is over it is sent again, or beside it something new.
        let row = world
            .observed
            .invitations
            .get(person)
            .filter(|_| world.observed.members.len().is_multiple_of(2));
        let resend = row.map(|row| (row.id.clone(), row.sent));
        let send =
            OpenSend { key, role, cause, resend, for_owner: false, not_after: now() + minutes };
        world.ledger.open_sends.insert(person.clone(), send);
    }
    if let (Some(wanted), Some(ago)) = (&mut world.ledger.first_wanted, wanted_before) {
        wanted.people.insert(person.clone(), now() - SignedDuration::from_secs(ago));
    }
}

/// What follows from the rest: counts, the baseline, our own row, the digest of an approval.
fn finish(world: &mut World, has_caller: bool) {
    recount(&mut world.observed, &world.profile);
    if has_caller {
        world.observed.account.caller =
            world.observed.members.values().next().map(|row| row.id.clone());
    }
    if let Some(baseline) = &mut world.ledger.baseline {
        baseline.people = people(&world.observed);
    }
    if world.policy.approval.take().is_some() {
        let shown = world.plan().ok().and_then(|plan| plan.hold).map(|hold| hold.digest);
        world.policy.approval = shown;
    }
}

fn empty_account(limit: SeatLimit, disabled: bool) -> Observed {
    let (used, owner, active, pending, trimmed) = (0, 0, 0, 0, 0);
    let seats = ObservedSeats {
        limit,
        used,
        owner,
        active,
        pending,
        trimmed,
        enforce_at: None,
        pools: BTreeMap::new(),
    };
    Observed {
        account: ObservedAccount {
            key: AccountKey::from("acc_1"),
            name: "Acme".into(),
            etag: ETag::from("1"),
            claim: None,
            seats,
            subscriptions: Vec::new(),
            disabled,
            secure_sign_in: false,
            agency: false,
            caller: None,
        },
        members: BTreeMap::new(),
        invitations: BTreeMap::new(),
        teams: BTreeMap::new(),
        client_accesses: None,
        ownership_changes: None,
        categories: None,
        joining: Joining::default(),
        evidence: ReadEvidence::default(),
    }
}

fn desired_member(role: String, epoch: i64, retain: bool, position: usize) -> DesiredMember {
    let (namespace, name) = ("default".to_owned(), "core".to_owned());
    DesiredMember {
        role: RoleName(role),
        invite_epoch: epoch,
        resend: None,
        said: None,
        deletion_policy: deletion_policy(retain),
        ends_at: None,
        priority: 0,
        name: None,
        message: None,
        origin: Origin { kind: OriginKind::Team, namespace, name, position: Some(position) },
    }
}

fn role_seen(role: Option<String>) -> RoleSeen {
    role.map_or(RoleSeen::Unknown, |role| RoleSeen::Known(RoleName(role)))
}

fn member_row(name: &str, role: Option<String>, state: MemberState, day: i64) -> ObservedMember {
    let (id, etag) = (MemberId(format!("mem_{name}")), ETag::from("1"));
    let added_at = day_of_january(day);
    ObservedMember { id, etag, role: role_seen(role), state, added_at, joined_at: added_at }
}

fn invitation_row(
    name: &str,
    role: Option<String>,
    state: InvitationState,
    day: i64,
) -> ObservedInvitation {
    let (id, etag) = (InvitationId(format!("inv_{name}")), ETag::from("1"));
    let created_at = day_of_january(day);
    let expires_at = created_at + SignedDuration::from_hours(24 * 30);
    ObservedInvitation { id, etag, role: role_seen(role), state, created_at, expires_at, sent: 1 }
}

/// People whose row differs between two looks.
pub fn changed(before: &Observed, after: &Observed) -> BTreeSet<MemberKey> {
    let all = [before, after];
    let people = all.iter().flat_map(|o| o.members.keys().chain(o.invitations.keys()));
    people
        .filter(|person| {
            before.members.get(*person) != after.members.get(*person)
                || before.invitations.get(*person) != after.invitations.get(*person)
        })
        .cloned()
        .collect()
}
