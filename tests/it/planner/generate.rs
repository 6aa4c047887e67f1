//! Generated accounts: small, and with everything that can be true of a person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use seatkeeper::domain::desired::{
    Absence, AbsenceCause, DeletionPolicy, Desired, DesiredMember, Origin, OriginKind,
};
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::joining::Joining;
use seatkeeper::domain::keys::{
    AccountKey, ETag, HoldDigest, InstallationId, InvitationId, MemberId, OwnershipChangeId,
    RequestKey, ResendMark, RoleName,
};
use seatkeeper::domain::ledger_view::{
    Baseline, Cause, FirstWanted, HoldRecord, LedgerView, MailRecord, Nameless, OpenSend,
    Ownership, Paid, PersonRecord, Seen, Spend,
};
use seatkeeper::domain::observed::{
    InvitationState, MemberState, Observed, ObservedAccount, ObservedInvitation, ObservedMember,
    ObservedSeats, ReadEvidence, RoleSeen, SeatLimit,
};
use seatkeeper::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use seatkeeper::domain::policy::{
    InvitationPolicy, Mode, OnLost, OnSeatShortage, Policy, RemovalPolicy,
};
use seatkeeper::plan::people;
use seatkeeper::plan::simulate::recount;
use seatkeeper::plan::{Input, Plan, PlanError, plan};
use seatkeeper::profile::Profile;

use super::effects::is_owner_answered;
use super::organisation::organisation;
use super::profiles;
use super::words::{person, time};

/// Who asks, as the service names us.
const US: &str = "token:ours";
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
            let place = person.team.as_ref().map_or("", |team| team.as_str());
            writeln!(f, "declared {person} {place}: {} {}", member.role, member.invite_epoch)?;
        }
        for (old, present) in &desired.formerly {
            writeln!(f, "{present} formerly {old}")?;
        }
        writeln!(f, "frozen {:?}", desired.frozen)?;
        writeln!(f, "absent {:?}", desired.absent.keys())?;
        for (reference, team) in &desired.teams {
            writeln!(f, "declared {reference}: {team:?}")?;
        }
        for (id, team) in &observed.teams {
            writeln!(f, "team {id}: {team:?}")?;
        }
        writeln!(f, "owner changes {:?}", observed.ownership_changes)?;
        for (person, row) in &observed.members {
            let place = person.team.as_ref().map_or("", |team| team.as_str());
            writeln!(
                f,
                "member {person} {place}: {:?} {:?} {}",
                row.role, row.state, row.added_at
            )?;
        }
        for (person, row) in &observed.invitations {
            let place = person.team.as_ref().map_or("", |team| team.as_str());
            let ObservedInvitation { role, state, created_at, .. } = row;
            writeln!(f, "invited {person} {place}: {role:?} {state:?} {created_at}")?;
        }
        writeln!(f, "{policy:?}\n{ledger:?}")
    }
}

impl World {
    /// Plans.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let Self { desired, observed, profile, policy, ledger, now, called: _ } = self;
        let desired = &desired.bound(&observed.teams, &ledger.teams);
        let ledger = &viewed(desired, observed, ledger);
        plan(&Input { desired, observed, profile, policy, ledger, now: *now })
    }

    /// Who is declared has which place: the row's own address, or the present one of the person.
    pub fn person_of(&self, row: &MemberKey) -> MemberKey {
        let Self { desired, observed, ledger, .. } = self;
        if let Some(present) = desired.formerly.get(&row.person) {
            return row.at(present);
        }
        let known = ledger.declared_as.get(row).map(|declared| row.at(desired.present(declared)));
        let there = |key: &MemberKey| {
            let waits = |row: &ObservedInvitation| {
                matches!(row.state, InvitationState::Pending | InvitationState::Unknown)
            };
            observed.members.contains_key(key) || observed.invitations.get(key).is_some_and(waits)
        };
        let free = !desired.addresses().contains(&row.person);
        known.filter(|key| free && !there(key)).unwrap_or_else(|| row.clone())
    }

    /// Puts declared teams that are at the service under their ids.
    pub fn bind(&mut self) {
        let Self { desired, observed, ledger, .. } = self;
        *desired = desired.bound(&observed.teams, &ledger.teams).into_owned();
    }
}

/// The ledger as a look shows it: of an address that nobody names it does not know the words.
fn viewed(desired: &Desired, observed: &Observed, ledger: &LedgerView) -> LedgerView {
    let mut view = ledger.clone();
    let named: BTreeSet<MemberKey> = desired.named().into_iter().collect();
    for (row, declared) in &ledger.declared_as {
        let is_declared = desired.addresses().contains(desired.present(declared));
        if !is_declared {
            view.declared_as.remove(row);
        }
        let there = observed.members.contains_key(row) || observed.invitations.contains_key(row);
        if there || named.contains(row) {
            continue;
        }
        view.declared_as.remove(row);
        let (record, send) = (view.people.remove(row), view.open_sends.remove(row));
        let person = desired.present(declared).clone();
        if let Some(record) = record.filter(|_| is_declared) {
            let place = MemberKey { person, team: row.team.clone() };
            view.nameless.entry(place).or_default().push(Nameless { record, send });
        }
    }
    view
}

/// What is true of one person.
#[derive(Clone, Debug)]
pub struct Life {
    declared: Declared,
    place: Place,
    record: Option<PersonRecord>,
    /// A send whose outcome is unknown; `true`: its key is still good.
    open_send: Option<bool>,
    wanted_before: Option<i64>,
    /// A change of owner: where it stands, since which day, and whether it was ours.
    becoming: Option<(OwnershipState, i64, bool)>,
}

impl Life {
    /// The same without a declaration.
    pub fn undeclared(self) -> Self {
        Self { declared: Declared::No, ..self }
    }

    /// The same where nobody is invited.
    pub fn beyond_invitations(self) -> Self {
        let place = match self.place {
            Place::Invited { .. } => Place::Nowhere,
            place => place,
        };
        Self { place, ..self }
    }

    /// The same of somebody who can be neither there nor known, because there is no such place.
    pub fn nowhere(self) -> Self {
        let (place, record, open_send) = (Place::Nowhere, None, None);
        Self { place, record, open_send, becoming: None, ..self }
    }
}

#[derive(Clone, Debug)]
enum Declared {
    No,
    Frozen,
    Absent(AbsenceCause),
    Yes(DeclaredLife),
}

#[derive(Clone, Debug)]
struct DeclaredLife {
    role: String,
    epoch: i64,
    retain: bool,
    resend: Option<u64>,
    priority: i32,
    /// Hours until the declaration ends.
    ends_in: Option<i64>,
}

#[derive(Clone, Debug)]
enum Place {
    Nowhere,
    Member { role: Option<String>, state: MemberState, day: i64 },
    Invited { role: Option<String>, state: InvitationState, day: i64 },
}

/// Any account that a plan may meet.
pub fn world() -> impl Strategy<Value = World> {
    prop_oneof![3 => account(), 2 => organisation()]
}

/// An account without teams of its own.
fn account() -> impl Strategy<Value = World> {
    // Not `prop_flat_map`: a failure would be made small by trying each case anew, for hours.
    Union::new(["nitropack", "portal", "club", "digitalocean"].map(|profile| {
        let lives = prop::collection::vec(life(roles(profile)), 0..=PEOPLE);
        let account = (limit(), any::<bool>(), prop::bool::weighted(0.1));
        let finish = (prop::bool::weighted(0.2), prop::bool::weighted(0.9));
        let account = ((lives, renames()), account, policy(), ledger(), finish);
        account.prop_map(move |((lives, renames), account, policy, ledger, finish)| {
            let lives = (&lives[..], &renames[..]);
            assemble(profiles::profile(profile), lives, account, (policy, ledger), finish)
        })
    }))
}

/// An earlier address of a person, as far as the rest lets it be one.
#[derive(Clone, Debug)]
pub struct Rename {
    /// Numbers of the people whose addresses are the earlier and the present one.
    pair: (usize, usize),
    /// A declaration lists it.
    listed: bool,
    /// The ledger knows it.
    known: bool,
}

/// Some earlier addresses.
pub fn renames() -> impl Strategy<Value = Vec<Rename>> {
    let rename = ((0..PEOPLE, 0..PEOPLE), any::<bool>(), any::<bool>());
    let rename = rename.prop_map(|(pair, listed, known)| Rename { pair, listed, known });
    prop::collection::vec(rename, 0..5)
}

/// Makes addresses earlier ones. Who is declared has the address; a person has one present address.
pub fn rename(world: &mut World, renames: &[Rename]) {
    let World { desired, ledger, .. } = world;
    for Rename { pair: (old, present), listed, known } in renames {
        let address = |n| person(&format!("p{n}@example.com")).person;
        let (old, present) = (address(old), address(present));
        let declared = desired.addresses();
        let (is_declared, is_person) = (declared.contains(&old), declared.contains(&present));
        let taken = desired.formerly.contains_key(&old);
        if old == present || !is_person {
            continue;
        }
        if *listed && !is_declared && !taken {
            desired.formerly.insert(old.clone(), present.clone());
        }
        let owned = ledger.people.iter().filter(|(key, record)| key.person == old && record.owned);
        if *known {
            let rows: Vec<_> = owned.map(|(key, _)| (key.clone(), present.clone())).collect();
            ledger.declared_as.extend(rows);
        }
    }
}

fn roles(profile: &str) -> Vec<String> {
    let roles = profiles::profile(profile).roles;
    roles.into_iter().map(|role| role.name.0).collect()
}

/// Anything that can be true of a person where these roles are given.
pub fn life(roles: Vec<String>) -> impl Strategy<Value = Life> {
    let state = select(vec![
        OwnershipState::Unconfirmed,
        OwnershipState::Unaccepted,
        OwnershipState::Done,
        OwnershipState::Ended,
        OwnershipState::Ended,
        OwnershipState::Unknown,
    ]);
    (
        declared(roles.clone()),
        place(roles),
        prop::option::weighted(0.7, record()),
        prop::option::weighted(0.15, any::<bool>()),
        prop::option::of(0..60_i64),
        prop::option::weighted(0.15, (state, 20..31_i64, any::<bool>())),
    )
        .prop_map(|(declared, place, record, open_send, wanted_before, becoming)| Life {
            declared,
            place,
            record,
            open_send,
            wanted_before,
            becoming,
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
            prop::option::weighted(0.2, 1..100_i64),
        )
            .prop_map(|(role, epoch, retain, resend, priority, ends_in)| {
                Declared::Yes(DeclaredLife { role, epoch, retain, resend, priority, ends_in })
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
    let ownership = vec![Ownership::None, Ownership::Asked, Ownership::Held, Ownership::Over];
    let seen = (seen, mails(), select(ownership));
    (prop::bool::weighted(0.8), seen, 0..=1_i64, paid, flags, 0..5_i64).prop_map(
        |(owned, (seen, mails, ownership), epoch, paid, (opted_out, lost, retain, held), day)| {
            PersonRecord {
                declared_by: None,
                first_seen: day_of_january(day + 1),
                owned,
                seen,
                epoch,
                opted_out,
                lost,
                renamed: false,
                parted: false,
                deletion_policy: deletion_policy(retain),
                held,
                paid,
                ownership,
                mails,
            }
        },
    )
}

fn deletion_policy(retain: bool) -> DeletionPolicy {
    if retain { DeletionPolicy::Retain } else { DeletionPolicy::Revoke }
}

fn limit() -> impl Strategy<Value = SeatLimit> {
    prop_oneof![1 => Just(SeatLimit::Unlimited), 6 => (0..9_u32).prop_map(SeatLimit::Seats)]
}

pub fn policy() -> impl Strategy<Value = Policy> {
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
pub fn ledger() -> impl Strategy<Value = LedgerView> {
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
            baseline: has_baseline.then_some(Baseline { people: 0, smaller: None, as_of: None }),
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

pub fn now() -> Timestamp {
    time("2026-02-01")
}

fn day_of_january(day: i64) -> Timestamp {
    time("2026-01-01") + SignedDuration::from_hours(24 * (day - 1))
}

fn assemble(
    profile: Profile,
    (lives, renames): (&[Life], &[Rename]),
    (limit, has_owner, disabled): (SeatLimit, bool, bool),
    (policy, ledger): (Policy, LedgerView),
    (has_caller, reads_changes): (bool, bool),
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
    rename(&mut world, renames);
    finish(&mut world, has_caller, reads_changes);
    world
}

/// Puts one person everywhere that the life says.
pub fn settle_in(world: &mut World, person: &MemberKey, life: &Life, position: usize) {
    let Life { declared, place, record, open_send, wanted_before, becoming } = life.clone();
    declare(world, person, declared, position);
    let id = match &person.team {
        None => person.to_string(),
        Some(team) => format!("{person}/{}", team.as_str()),
    };
    match place {
        Place::Nowhere => {}
        Place::Member { role, state, day } => {
            let row = member_row(&id, role, state, day);
            world.observed.members.insert(person.clone(), row);
        }
        Place::Invited { role, state, day } => {
            let row = invitation_row(&id, role, state, day);
            world.observed.invitations.insert(person.clone(), row);
        }
    }
    if let Some(record) = record {
        world.ledger.people.insert(person.clone(), record);
    }
    if let Some(is_good) = open_send {
        open(world, person, is_good);
    }
    if let (Some(wanted), Some(ago)) = (&mut world.ledger.first_wanted, wanted_before) {
        wanted.people.insert(person.clone(), now() - SignedDuration::from_secs(ago));
    }
    let role = world.profile.roles.iter().find(|role| world.profile.changes_owner(&role.name));
    let member = world.observed.members.get(person);
    if let (Some(role), Some(member), Some((state, day, ours))) = (role, member, becoming) {
        let rows = world.observed.ownership_changes.get_or_insert_default();
        let is_busy = state.is_open() && rows.iter().any(|row| row.state.is_open());
        rows.push(ObservedOwnershipChange {
            id: OwnershipChangeId(format!("own_{id}")),
            etag: ETag::from("1"),
            role: role.name.clone(),
            member: member.id.clone(),
            state: if is_busy { OwnershipState::Ended } else { state },
            requested_by: if ours { US } else { "token:other" }.to_owned(),
            created_at: day_of_january(day),
            expires_at: day_of_january(day + 14),
        });
    }
}

fn declare(world: &mut World, person: &MemberKey, declared: Declared, position: usize) {
    match declared {
        Declared::No => {}
        Declared::Frozen => {
            world.desired.frozen.insert(person.clone());
        }
        Declared::Absent(cause) => {
            let origin = desired_member("member".into(), 0, false, position).origin;
            world.desired.absent.insert(person.clone(), Absence { cause, origin });
        }
        Declared::Yes(life) => {
            let DeclaredLife { role, epoch, retain, resend, priority, ends_in } = life;
            let ends_at = ends_in.map(|hours| now() + SignedDuration::from_hours(hours));
            let member = desired_member(role, epoch, retain, position);
            let resend = resend.map(ResendMark);
            let member = DesiredMember { resend, priority, ends_at, ..member };
            world.desired.people.insert(person.clone(), member);
        }
    }
}

/// A send whose outcome is unknown, unless the look answers it.
fn open(world: &mut World, person: &MemberKey, is_good: bool) {
    let wanted = world.desired.people.get(person).map(|wanted| wanted.role.clone());
    let owner = wanted.filter(|role| world.profile.changes_owner(role));
    let is_answered = world.observed.members.contains_key(person)
        || world.observed.invitations.get(person).is_some_and(|row| {
            matches!(row.state, InvitationState::Pending | InvitationState::Unknown)
        });
    if is_answered && owner.is_none() {
        return;
    }
    let minutes = SignedDuration::from_mins(if is_good { 30 } else { -30 });
    let key = RequestKey(format!("open-{person}"));
    let cause = Cause { attempt: 9, ..Cause::default() };
    // On a row that is over it is sent again, or beside it something new.
    let even = world.observed.members.len().is_multiple_of(2);
    let row = world.observed.invitations.get(person).filter(|_| even && owner.is_none());
    let resend = row.map(|row| (row.id.clone(), row.sent));
    let for_owner = owner.is_some();
    let role = owner.unwrap_or_else(|| world.profile.roles.last().unwrap().name.clone());
    let send = OpenSend { key, role, cause, resend, for_owner, not_after: now() + minutes };
    world.ledger.open_sends.insert(person.clone(), send);
}

/// What follows from the rest: counts, the baseline, our own row, the digest of an approval.
pub fn finish(world: &mut World, has_caller: bool, reads_changes: bool) {
    let changes = std::mem::take(&mut world.observed.ownership_changes);
    world.observed.ownership_changes = reads_changes.then(|| changes.unwrap_or_default());
    world.observed.evidence.actor = Some(US.to_owned());
    let World { observed, ledger, .. } = world;
    ledger.open_sends.retain(|person, send| !is_owner_answered(observed, person, send, now()));
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

pub fn empty_account(limit: SeatLimit, disabled: bool) -> Observed {
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

pub fn member_row(
    name: &str,
    role: Option<String>,
    state: MemberState,
    day: i64,
) -> ObservedMember {
    let (id, etag) = (MemberId(format!("mem_{name}")), ETag::from("1"));
    let added_at = day_of_january(day);
    let (role, joined_at) = (role_seen(role), added_at);
    ObservedMember { id, etag, role, state, added_at, joined_at, agency: false }
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
