//! The small YAML of a folder case, read into the planner's input.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Span, Timestamp};
use seatkeeper::domain::capability::Capability;
use seatkeeper::domain::desired::{
    Absence, AbsenceCause, DeletionPolicy, Desired, DesiredMember, Origin, OriginKind,
};
use seatkeeper::domain::endings::Endings;
use seatkeeper::domain::identity::{EmailAddress, MemberKey, PersonHash};
use seatkeeper::domain::keys::{
    AccountKey, ETag, HoldDigest, InstallationId, InvitationId, MemberId, OwnershipChangeId,
    PlanName, RequestKey, ResendMark, RoleName, SubscriptionId, TeamId, TeamRef,
};
use seatkeeper::domain::ledger_view::{
    Baseline, Cause, FirstWanted, HoldRecord, LedgerView, MailRecord, Nameless, OpenSend,
    Ownership, Paid, PersonRecord, Seen, Spend,
};
use seatkeeper::domain::observed::{
    Claim, InvitationState, MemberState, Observed, ObservedAccount, ObservedInvitation,
    ObservedMember, ObservedSeats, ObservedSubscription, PoolSeats, ReadEvidence, RoleSeen,
    SeatLimit,
};
use seatkeeper::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use seatkeeper::domain::policy::{
    InvitationPolicy, Mode, OnLost, OnSeatShortage, Policy, RemovalPolicy,
};
use seatkeeper::domain::teams::{DesiredTeam, ObservedTeam, TeamState};
use seatkeeper::plan::simulate::{recount, simulate};
use seatkeeper::plan::{Input, Plan, plan};
use seatkeeper::profile::Profile;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::joining::{self, JoiningFile};
use super::profiles;
use super::words::{Words, at_service, person, team_ref, time};

/// In place of a digest: the one that the plan shows before anybody approves.
const SHOWN: &str = "shown";
/// The object that declares whoever is not declared by a Membership.
pub const ROSTER: &str = "Team default/core";
/// The account of every case.
const ACCOUNT: &str = "acc_1";
/// Our installation.
const INSTALLATION: &str = "inst_ours";

/// Everything that a plan is made of.
#[derive(Clone)]
pub struct Case {
    desired: Desired,
    observed: Observed,
    profile: Profile,
    policy: Policy,
    ledger: LedgerView,
    now: Timestamp,
}

impl Case {
    /// Reads a folder.
    pub fn read(folder: &Path) -> Self {
        let settings: Settings = required(folder, "policy.yaml");
        let now = time(&settings.now);
        let profile = profiles::profile(&settings.profile);
        let desired = required::<DesiredFile>(folder, "desired.yaml").into_desired();
        let observed = required::<ObservedFile>(folder, "observed.yaml").into_observed(&profile);
        let ledger = optional::<LedgerFile>(folder, "ledger.yaml").unwrap_or_default();
        let ledger = ledger.into_ledger(now);
        let policy = settings.into_policy();
        let mut case = Self { desired, observed, profile, policy, ledger, now };
        case.fill_in_the_digest();
        case
    }

    /// Plans.
    pub fn plan(&self) -> Plan {
        let Self { desired, observed, profile, policy, ledger, now } = self;
        let desired = &desired.bound(&observed.teams, &ledger.teams);
        let input = Input { desired, observed, profile, policy, ledger, now: *now };
        let planned = plan(&input).expect("a sound plan");
        assert_eq!(plan(&input).expect("a sound plan"), planned, "the same again");
        planned
    }

    /// What the service holds.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// What the service holds once the plan has run.
    pub fn after(&self) -> Observed {
        simulate(&self.observed, &self.plan().actions, &self.profile, self.now)
    }

    /// The digest that is approved.
    pub fn approval(&self) -> Option<HoldDigest> {
        self.policy.approval.clone()
    }

    /// The same, with another approval.
    pub fn approve(&self, digest: HoldDigest) -> Self {
        let mut case = self.clone();
        case.policy.approval = Some(digest);
        case
    }

    /// The same, when so many approvals were used or lapsed.
    pub fn with_hold_number(&self, number: u64) -> Self {
        let mut case = self.clone();
        case.ledger.hold_number = number;
        case
    }

    /// Puts the digest that people would see in place of the word `shown`.
    fn fill_in_the_digest(&mut self) {
        let is_shown = |digest: &HoldDigest| digest.as_str() == SHOWN;
        let approval = self.policy.approval.take();
        let seen = self.ledger.approval_seen.take();
        let shown = self.plan().hold.map(|hold| hold.digest);
        let fill = |digest: HoldDigest| {
            if is_shown(&digest) { shown.clone().expect("a held set") } else { digest }
        };
        self.policy.approval = approval.map(fill);
        self.ledger.approval_seen = seen.map(|(digest, at)| (fill(digest), at));
    }
}

fn required<T: DeserializeOwned>(folder: &Path, name: &str) -> T {
    optional(folder, name).unwrap_or_else(|| panic!("{}: no {name}", folder.display()))
}

fn optional<T: DeserializeOwned>(folder: &Path, name: &str) -> Option<T> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).ok()?;
    Some(serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// `desired.yaml`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DesiredFile {
    /// `ADDRESS ROLE [epoch=N] [resend=TEXT] [priority=N] [ends=TIME] [retain] [membership=NAME]`: a line of the roster of team `core`,
    /// or a Membership.
    #[serde(default)]
    people: Vec<String>,
    /// `ADDRESS [ended]`: people that must not be there.
    #[serde(default)]
    absent: Vec<String>,
    /// `EARLIER PRESENT`: addresses of one person.
    #[serde(default)]
    formerly: Vec<String>,
    /// Addresses with a declaration that is not valid.
    #[serde(default)]
    frozen: Vec<String>,
    /// `NAME [id=ID] [name=NAME] [subscription=PLAN] [passive]`: a Team of an account that has many.
    #[serde(default)]
    teams: Vec<String>,
    secure_sign_in: Option<bool>,
    /// Domains whose people join.
    #[serde(default)]
    join_domains: Vec<String>,
}

impl DesiredFile {
    fn into_desired(self) -> Desired {
        let lines = self.people.iter().enumerate();
        let people = lines.map(|(position, line)| declared(position, line)).collect();
        let absent = self.absent.iter().map(|line| absence(line)).collect();
        let frozen = self.frozen.iter().map(|address| person(address)).collect();
        let teams = self.teams.iter().map(|line| desired_team(line)).collect();
        let secure_sign_in = self.secure_sign_in;
        let formerly = self.formerly.iter().map(|line| {
            let (old, present) = line.split_once(' ').expect("two addresses");
            (person(old).person, person(present).person)
        });
        let formerly = formerly.collect();
        let join_domains = self.join_domains.iter().map(|text| joining::name(text)).collect();
        let rest = Desired { formerly, join_domains, ..Desired::default() };
        Desired { people, absent, frozen, teams, secure_sign_in, ..rest }
    }
}

fn absence(line: &str) -> (MemberKey, Absence) {
    let mut words = Words::of(line);
    let person = words.person();
    let ended = words.flag("ended");
    let cause = if ended { AbsenceCause::Ended } else { AbsenceCause::Declared };
    words.end();
    let (kind, namespace) = (OriginKind::Membership, "default".into());
    let origin = Origin { kind, namespace, name: "absent".into(), position: None };
    (person, Absence { cause, origin })
}

fn desired_team(line: &str) -> (TeamRef, DesiredTeam) {
    let mut words = Words::of(line);
    let reference = words.next();
    let team = DesiredTeam {
        id: words.named("id").map(TeamId),
        name: words.named("name").unwrap_or_else(|| reference.clone()),
        subscription: words.named("subscription").map(|plan| SubscriptionId(format!("sub_{plan}"))),
        passive: words.flag("passive"),
    };
    words.end();
    (team_ref(&reference), team)
}

/// `NAME [name=NAME] [by=REFERENCE] [subscription=PLAN] [inactive | pending | unknown]`
fn observed_team(line: &str) -> (TeamId, ObservedTeam) {
    let mut words = Words::of(line);
    let id = words.next();
    let state = match (words.flag("inactive"), words.flag("pending"), words.flag("unknown")) {
        (true, _, _) => TeamState::Inactive,
        (_, true, _) => TeamState::Pending,
        (_, _, true) => TeamState::Unknown,
        _ => TeamState::Active,
    };
    let team = ObservedTeam {
        etag: ETag::from("1"),
        name: words.named("name").unwrap_or_else(|| id.clone()),
        reference: words.named("by").map(|name| team_ref(&name)),
        subscription: words.named("subscription").map(|plan| SubscriptionId(format!("sub_{plan}"))),
        state,
    };
    words.end();
    (TeamId(format!("team_{id}")), team)
}

fn declared(position: usize, line: &str) -> (MemberKey, DesiredMember) {
    let mut words = Words::of(line);
    let person = words.person();
    let (kind, name, position) = match words.named("membership") {
        Some(name) => (OriginKind::Membership, name, None),
        None => (OriginKind::Team, "core".to_owned(), Some(position)),
    };
    let deletion_policy = deletion_policy(&mut words);
    let member = DesiredMember {
        invite_epoch: words.number("epoch").unwrap_or(0),
        resend: words.named("resend").map(|text| ResendMark::of(&text)),
        said: None,
        deletion_policy,
        ends_at: words.time("ends"),
        priority: words.number("priority").map_or(0, |n| n.try_into().unwrap()),
        name: None,
        message: None,
        origin: Origin { kind, namespace: "default".into(), name, position },
        role: RoleName(words.next()),
    };
    words.end();
    (person, member)
}

fn deletion_policy(words: &mut Words) -> DeletionPolicy {
    if words.flag("retain") { DeletionPolicy::Retain } else { DeletionPolicy::Revoke }
}

/// `observed.yaml`. Counts are those of the rows, unless `said` has others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObservedFile {
    /// A number or `unlimited`.
    seats: String,
    /// `ADDRESS ROLE added=TIME [trimmed | unknown] [agency]`; role `?`: a word that we do not know.
    #[serde(default)]
    members: Vec<String>,
    /// Agencies at the address of somebody who is there as well; lines as of `members`.
    #[serde(default)]
    beside: Vec<String>,
    /// `ADDRESS ROLE created=TIME [expires=TIME] [sent=N] [expired | failed | declined | unknown]`.
    #[serde(default)]
    invitations: Vec<String>,
    /// `PLAN [until=TIME]`.
    #[serde(default)]
    subscriptions: Vec<String>,
    /// Installation that claimed the account; unset: ours.
    claim: Option<String>,
    /// Nobody claimed the account.
    #[serde(default)]
    unclaimed: bool,
    #[serde(default)]
    disabled: bool,
    account: Option<String>,
    /// Address of the member that our token belongs to.
    caller: Option<String>,
    enforce_at: Option<String>,
    /// See [`observed_team`].
    #[serde(default)]
    teams: Vec<String>,
    /// `PLAN SEATS`: seats of a subscription.
    #[serde(default)]
    pools: BTreeMap<String, String>,
    #[serde(default)]
    secure_sign_in: bool,
    /// See [`owner_change`]; unset: not read.
    owner_changes: Option<Vec<String>>,
    #[serde(default)]
    joining: JoiningFile,
    #[serde(default)]
    said: Said,
    /// Feed position at which the look began.
    as_of: Option<u64>,
    /// What the feed says; unset: not asked, or it does not reach back.
    feed: Option<FeedFile>,
}

/// What the feed says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FeedFile {
    /// Addresses of people whose row ended, and not by us.
    #[serde(default)]
    ended: Vec<String>,
    /// Ids of rows that were made.
    #[serde(default)]
    made: BTreeSet<String>,
}

impl FeedFile {
    fn into_endings(self) -> Endings {
        let people = self.ended.iter().map(|address| at_service(person(address))).collect();
        Endings { people, made: self.made }
    }
}

/// What the answers say of themselves, where it differs from the rows.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Said {
    members: Option<u64>,
    invitations: Option<u64>,
    owner: Option<u32>,
    active: Option<u32>,
    pending: Option<u32>,
    trimmed: Option<u32>,
    used: Option<u32>,
    duplicates: Option<u64>,
    /// Time of the service's clock.
    at: Option<String>,
    /// Used seats of subscriptions, by plan.
    #[serde(default)]
    pools: BTreeMap<String, u32>,
}

impl ObservedFile {
    fn into_observed(self, profile: &Profile) -> Observed {
        let members: BTreeMap<_, _> = self.members.iter().map(|line| member(line)).collect();
        let beside = self.beside.iter().map(|line| member(line).1).collect();
        let caller = self.caller.map(|address| members[&person(&address)].id.clone());
        let claim = self.claim.unwrap_or_else(|| INSTALLATION.into());
        let claim = Claim { installation: InstallationId(claim), fingerprint: "file".into() };
        let owner_changes = self.owner_changes.iter().flatten();
        let owner_changes =
            self.owner_changes.is_some().then(|| owner_changes.map(|line| owner_change(line)));
        let mut observed = Observed {
            account: ObservedAccount {
                key: AccountKey(self.account.unwrap_or_else(|| ACCOUNT.into())),
                name: "Acme".into(),
                etag: ETag::from("1"),
                claim: (!self.unclaimed).then_some(claim),
                seats: empty_seats(&self.seats, self.enforce_at.map(|text| time(&text))),
                subscriptions: self.subscriptions.iter().map(|line| subscription(line)).collect(),
                disabled: self.disabled,
                secure_sign_in: self.secure_sign_in,
                agency: false,
                caller,
            },
            members,
            invitations: self.invitations.iter().map(|line| invitation(line)).collect(),
            teams: self.teams.iter().map(|line| observed_team(line)).collect(),
            client_accesses: None,
            ownership_changes: owner_changes.map(Iterator::collect),
            categories: None,
            joining: self.joining.into_joining(),
            evidence: ReadEvidence {
                beside,
                as_of: self.as_of,
                endings: self.feed.map(FeedFile::into_endings),
                ..ReadEvidence::default()
            },
        };
        for (plan, seats) in &self.pools {
            let pool = PoolSeats { limit: seat_limit(seats), used: 0 };
            let pools = &mut observed.account.seats.pools;
            pools.insert(SubscriptionId(format!("sub_{plan}")), pool);
        }
        recount(&mut observed, profile);
        self.said.overwrite(&mut observed);
        observed
    }
}

impl Said {
    fn overwrite(self, observed: &mut Observed) {
        let (seats, evidence) = (&mut observed.account.seats, &mut observed.evidence);
        evidence.member_total = self.members.unwrap_or(evidence.member_total);
        evidence.invitation_total = self.invitations.unwrap_or(evidence.invitation_total);
        evidence.duplicates = self.duplicates.unwrap_or(0);
        evidence.answered_at = self.at.map(|at| time(&at));
        seats.owner = self.owner.unwrap_or(seats.owner);
        seats.active = self.active.unwrap_or(seats.active);
        seats.pending = self.pending.unwrap_or(seats.pending);
        seats.trimmed = self.trimmed.unwrap_or(seats.trimmed);
        seats.used = self.used.unwrap_or(seats.used);
        for (plan, used) in self.pools {
            let pool = seats.pools.get_mut(&SubscriptionId(format!("sub_{plan}")));
            pool.expect("a pool").used = used;
        }
    }
}

fn seat_limit(limit: &str) -> SeatLimit {
    match limit {
        "unlimited" => SeatLimit::Unlimited,
        number => SeatLimit::Seats(number.parse().unwrap()),
    }
}

fn empty_seats(limit: &str, enforce_at: Option<Timestamp>) -> ObservedSeats {
    let limit = seat_limit(limit);
    ObservedSeats {
        limit,
        used: 0,
        owner: 0,
        active: 0,
        pending: 0,
        trimmed: 0,
        enforce_at,
        pools: BTreeMap::new(),
    }
}

fn subscription(line: &str) -> ObservedSubscription {
    let mut words = Words::of(line);
    let (ends_at, plan) = (words.time("until"), words.next());
    words.end();
    ObservedSubscription {
        id: SubscriptionId(format!("sub_{plan}")),
        plan: PlanName(plan),
        ends_at,
    }
}

fn role_seen(word: String) -> RoleSeen {
    if word == "?" { RoleSeen::Unknown } else { RoleSeen::Known(RoleName(word)) }
}

fn member(line: &str) -> (MemberKey, ObservedMember) {
    let mut words = Words::of(line);
    let person = words.person();
    let state = match (words.flag("trimmed"), words.flag("unknown")) {
        (true, _) => MemberState::Trimmed,
        (_, true) => MemberState::Unknown,
        _ => MemberState::Active,
    };
    let added_at = words.time("added").expect("added=");
    let id = words.named("id").unwrap_or_else(|| format!("mem_{person}"));
    let agency = words.flag("agency");
    let role = role_seen(words.next());
    words.end();
    let (id, etag, joined_at) = (MemberId(id), ETag::from("1"), added_at);
    (at_service(person), ObservedMember { id, etag, role, state, added_at, joined_at, agency })
}

/// `ADDRESS ROLE at=TIME [by=ACTOR] [unaccepted | done | ended | unknown]`
fn owner_change(line: &str) -> ObservedOwnershipChange {
    let mut words = Words::of(line);
    let person = words.person();
    let state = [
        ("unaccepted", OwnershipState::Unaccepted),
        ("done", OwnershipState::Done),
        ("ended", OwnershipState::Ended),
        ("unknown", OwnershipState::Unknown),
    ];
    let state = state.into_iter().find(|(word, _)| words.flag(word));
    let created_at = words.time("at").expect("at=");
    let row = ObservedOwnershipChange {
        id: OwnershipChangeId(format!("own_{person}")),
        etag: ETag::from("1"),
        role: RoleName(words.next()),
        member: MemberId(format!("mem_{person}")),
        state: state.map_or(OwnershipState::Unconfirmed, |(_, state)| state),
        requested_by: words.named("by").unwrap_or_default(),
        created_at,
        expires_at: created_at + SignedDuration::from_hours(7 * 24),
    };
    words.end();
    row
}

fn invitation(line: &str) -> (MemberKey, ObservedInvitation) {
    let mut words = Words::of(line);
    let person = at_service(words.person());
    let state = [
        ("expired", InvitationState::Expired),
        ("failed", InvitationState::Failed),
        ("declined", InvitationState::Declined),
        ("unknown", InvitationState::Unknown),
    ];
    let state = state.into_iter().find(|(word, _)| words.flag(word));
    let created_at = words.time("created").expect("created=");
    let month = SignedDuration::from_hours(30 * 24);
    let invitation = ObservedInvitation {
        id: InvitationId(format!("inv_{person}")),
        etag: ETag::from("1"),
        state: state.map_or(InvitationState::Pending, |(_, state)| state),
        created_at,
        expires_at: words.time("expires").unwrap_or_else(|| created_at + month),
        sent: words.named("sent").map_or(1, |count| count.parse().unwrap()),
        role: role_seen(words.next()),
    };
    words.end();
    (person, invitation)
}

/// `policy.yaml`: the Account's spec, the class's limits, the profile and the time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    now: String,
    #[serde(default = "default_profile")]
    profile: String,
    #[serde(default = "default_mode")]
    mode: String,
    #[serde(default)]
    suspend: bool,
    #[serde(default)]
    removals: Removals,
    #[serde(default = "default_shortage")]
    on_seat_shortage: String,
    #[serde(default)]
    grantable_roles: Vec<String>,
    /// Addresses.
    #[serde(default)]
    never_trim: Vec<String>,
    invitations_per_hour: Option<u32>,
    #[serde(default)]
    renew: Renew,
    #[serde(default)]
    invite_again: bool,
    /// Digest of the approved set, or `shown`.
    approve: Option<String>,
    /// What the service does not promise.
    #[serde(default)]
    missing: Vec<String>,
}

fn default_profile() -> String {
    "nitropack".into()
}

fn default_mode() -> String {
    "Manage".into()
}

fn default_shortage() -> String {
    "Hold".into()
}

/// Defaults as in the Account's schema.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Removals {
    max_count: u32,
    max_percent: u32,
    max_total: u32,
    window: String,
    settle: String,
}

impl Default for Removals {
    fn default() -> Self {
        let (window, settle) = ("24h".into(), "30s".into());
        Self { max_count: 3, max_percent: 10, max_total: 50, window, settle }
    }
}

/// Defaults as in the Account's schema.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Renew {
    attempts: u32,
    every: String,
}

impl Default for Renew {
    fn default() -> Self {
        Self { attempts: 2, every: "168h".into() }
    }
}

impl Settings {
    fn into_policy(self) -> Policy {
        let Removals { max_count, max_percent, max_total, window, settle } = self.removals;
        let (window, settle) = (duration(&window), duration(&settle));
        Policy {
            mode: match self.mode.as_str() {
                "Observe" => Mode::Observe,
                "Invite" => Mode::Invite,
                "Manage" => Mode::Manage,
                "Exclusive" => Mode::Exclusive,
                other => panic!("no mode {other}"),
            },
            suspend: self.suspend,
            removals: RemovalPolicy { max_count, max_percent, max_total, window, settle },
            on_seat_shortage: match self.on_seat_shortage.as_str() {
                "Hold" => OnSeatShortage::Hold,
                "Trim" => OnSeatShortage::Trim,
                other => panic!("no onSeatShortage {other}"),
            },
            invitations: InvitationPolicy {
                expires_in: None,
                renewals: self.renew.attempts,
                every: duration(&self.renew.every),
                on_lost: if self.invite_again { OnLost::InviteAgain } else { OnLost::Hold },
            },
            never_trim: self.never_trim.iter().map(|address| person(address).person).collect(),
            grantable_roles: self.grantable_roles.into_iter().map(RoleName).collect(),
            invitations_per_hour: self.invitations_per_hour,
            approval: self.approve.map(HoldDigest),
            missing: self.missing.iter().map(|word| capability(word)).collect(),
        }
    }
}

fn capability(word: &str) -> Capability {
    let known = Capability::ALL.into_iter().find(|capability| capability.as_str() == word);
    known.unwrap_or_else(|| panic!("no capability {word}"))
}

fn duration(text: &str) -> Duration {
    let span: Span = text.parse().unwrap();
    let duration = span.total(jiff::Unit::Second).unwrap();
    Duration::from_secs_f64(duration)
}

/// `ledger.yaml`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LedgerFile {
    /// `ADDRESS [ours] [never|invited|member|trimmed] [first=TIME] [epoch=N] [optedOut] [lost]
    /// [parted] [retain] [held] [paid=end|trim|lower] [membership=NAME] [attempts=N] [renewals=N] [givenUp]
    /// [mailed=TIME,…] [decided=TIME,…] [resend=TEXT] [notBefore=TIME]`.
    #[serde(default)]
    people: Vec<String>,
    /// `ROW ADDRESS`: adopted for who is declared by that address.
    #[serde(default)]
    declared_as: Vec<String>,
    /// As `people`, of an earlier address that nobody names, by the declared one.
    #[serde(default)]
    nameless: Vec<String>,
    /// `ADDRESS KEY ROLE epoch=N [attempt=N] [resend] notAfter=TIME`.
    #[serde(default)]
    open_sends: Vec<String>,
    /// `N at=TIME`.
    #[serde(default)]
    brake_spent: Vec<String>,
    /// `COUNT at=TIME`: of these, what went ahead of a held set.
    #[serde(default)]
    brake_ahead: Vec<String>,
    /// `N at=TIME`.
    #[serde(default)]
    mails_sent: Vec<String>,
    /// `N [smaller=N at=TIME] [asOf=POSITION]`.
    baseline: Option<String>,
    /// Highest limit under which the set was held.
    held_under: Option<u64>,
    /// `maxCount` when it was held for an empty source.
    emptied_under: Option<u32>,
    /// People that are ours and neither declared nor at the service.
    #[serde(default)]
    out_of_sight: u64,
    /// See [`gone`]: people that only the ledger knows.
    #[serde(default)]
    gone: Vec<String>,
    /// The last run was cut off.
    #[serde(default)]
    cut_off: bool,
    /// People that we ended in a run that was cut off.
    #[serde(default)]
    ended_by_us: u64,
    /// Feed position of our last write.
    written: Option<u64>,
    #[serde(default)]
    hold_number: u64,
    /// `DIGEST at=TIME`; or `shown at=TIME`.
    approval_seen: Option<String>,
    /// Address to time; there at all: the operator, which waits for settling.
    first_wanted: Option<BTreeMap<String, String>>,
    /// Installation whose claim a person decided to replace.
    takes_from: Option<String>,
    /// The ledger was lost: it knows no installation.
    #[serde(default)]
    lost: bool,
    /// Names of declared teams that were at the service.
    #[serde(default)]
    teams: Vec<String>,
    /// See [`joining::record`].
    #[serde(default)]
    domains: Vec<String>,
}

impl LedgerFile {
    fn into_ledger(self, now: Timestamp) -> LedgerView {
        let first_wanted = self.first_wanted.map(|wanted| {
            wanted.into_iter().map(|(address, at)| (person(&address), time(&at))).collect()
        });
        LedgerView {
            fingerprint: None,
            takes_from: self.takes_from.map(|installation| Claim {
                installation: InstallationId(installation),
                fingerprint: "file".into(),
            }),
            installation: (!self.lost).then(|| InstallationId::from(INSTALLATION)),
            pinned_account: (!self.lost).then(|| AccountKey::from(ACCOUNT)),
            people: self.people.iter().map(|line| record(line, now)).collect(),
            open_sends: self.open_sends.iter().map(|line| open_send(line)).collect(),
            teams: self
                .teams
                .iter()
                .map(|name| (team_ref(name), TeamId(format!("team_{name}"))))
                .collect(),
            declared_as: self.declared_as.iter().map(|line| adopted(line)).collect(),
            nameless: self.nameless.iter().map(|line| nameless(line, now)).collect(),
            domains: self.domains.iter().map(|line| joining::record(line)).collect(),
            clients: BTreeMap::new(),
            client_sends: BTreeMap::new(),
            brake_ahead: self.brake_ahead.iter().map(|line| spend(line)).collect(),
            recipients: BTreeMap::new(),
            exact: BTreeMap::new(),
            brake_spent: self.brake_spent.iter().map(|line| spend(line)).collect(),
            mails_sent: self.mails_sent.iter().map(|line| spend(line)).collect(),
            baseline: self.baseline.map(|line| baseline(&line)),
            hold: self.held_under.map(|allowed| HoldRecord {
                digest: HoldDigest::from("an earlier one"),
                allowed,
                emptied_under: self.emptied_under,
            }),
            hold_number: self.hold_number,
            approval_seen: self.approval_seen.map(|line| {
                let mut words = Words::of(&line);
                (HoldDigest(words.next()), words.time("at").expect("at="))
            }),
            out_of_sight: self.out_of_sight,
            gone: self.gone.iter().map(|line| gone(line)).collect(),
            cut_off: self.cut_off,
            ended_by_us: self.ended_by_us,
            written: self.written,
            first_wanted: first_wanted
                .map(|people| FirstWanted { people, ..FirstWanted::default() }),
        }
    }
}

fn adopted(line: &str) -> (MemberKey, EmailAddress) {
    let (row, address) = line.split_once(' ').expect("two addresses");
    (at_service(person(row)), person(address).person)
}

fn nameless(line: &str, now: Timestamp) -> (MemberKey, Vec<Nameless>) {
    let (person, record) = record(line, now);
    (person, vec![Nameless { record, send: None }])
}

fn record(line: &str, now: Timestamp) -> (MemberKey, PersonRecord) {
    let mut words = Words::of(line);
    let person = at_service(words.person());
    let seen = [
        ("invited", Seen::Invited),
        ("member", Seen::Member),
        ("trimmed", Seen::Trimmed),
        ("agency", Seen::Agency),
    ];
    let seen = seen.into_iter().find(|(word, _)| words.flag(word));
    words.flag("never");
    let declared_by = words
        .named("membership")
        .map_or_else(|| ROSTER.to_owned(), |name| format!("Membership default/{name}"));
    let record = PersonRecord {
        declared_by: Some(declared_by),
        first_seen: words.time("first").unwrap_or(now),
        owned: words.flag("ours"),
        seen: seen.map_or(Seen::Never, |(_, seen)| seen),
        epoch: words.number("epoch").unwrap_or(0),
        opted_out: words.flag("optedOut"),
        lost: words.flag("lost"),
        renamed: words.flag("renamed"),
        parted: words.flag("parted"),
        deletion_policy: deletion_policy(&mut words),
        held: words.flag("held"),
        paid: words.named("paid").map(|what| match what.as_str() {
            "end" => Paid::End,
            "trim" => Paid::Trim,
            "lower" => Paid::Lower,
            other => panic!("paid={other}?"),
        }),
        ownership: words.named("owner").map_or(Ownership::None, |what| match what.as_str() {
            "asked" => Ownership::Asked,
            "held" => Ownership::Held,
            "over" => Ownership::Over,
            other => panic!("owner={other}?"),
        }),
        mails: mails(&mut words),
    };
    words.end();
    (person, record)
}

fn mails(words: &mut Words) -> MailRecord {
    let times = |text: Option<String>| {
        text.into_iter().flat_map(|text| text.split(',').map(time).collect::<Vec<_>>()).collect()
    };
    let mut count = |name| words.named(name).map_or(0, |count| count.parse().unwrap());
    MailRecord {
        attempts: count("attempts"),
        renewals: count("renewals"),
        given_up: words.flag("givenUp"),
        automatic: times(words.named("mailed")),
        decided: times(words.named("decided")),
        marks: words.named("resend").iter().map(|text| ResendMark::of(text)).collect(),
        not_before: words.time("notBefore"),
    }
}

fn open_send(line: &str) -> (MemberKey, OpenSend) {
    let mut words = Words::of(line);
    let person = at_service(words.person());
    let (key, role) = (RequestKey(words.next()), RoleName(words.next()));
    let epoch = words.number("epoch").unwrap_or(0);
    let attempt = words.named("attempt").map_or(1, |count| count.parse().unwrap());
    let cause = Cause { epoch, attempt, ..Cause::default() };
    let resend = words.flag("resend").then(|| (InvitationId(format!("inv_{person}")), 1));
    let for_owner = words.flag("forOwner");
    let not_after = words.time("notAfter").expect("notAfter=");
    words.end();
    (person, OpenSend { key, role, cause, resend, for_owner, not_after })
}

fn spend(line: &str) -> Spend {
    let mut words = Words::of(line);
    let spend = Spend { count: words.next().parse().unwrap(), at: words.time("at").expect("at=") };
    words.end();
    spend
}

fn baseline(line: &str) -> Baseline {
    let mut words = Words::of(line);
    let people = words.next().parse().unwrap();
    let smaller = words.named("smaller").map(|count| count.parse().unwrap());
    let smaller = smaller.map(|count| (count, words.time("at").expect("at=")));
    let as_of = position(words.named("asOf"));
    words.end();
    Baseline { people, smaller, as_of }
}

/// A feed position.
fn position(text: Option<String>) -> Option<u64> {
    text.map(|text| text.parse().unwrap())
}

/// `HASH [ended]`
fn gone(line: &str) -> (PersonHash, bool) {
    let mut words = Words::of(line);
    let (ended, hash) = (words.flag("ended"), words.next());
    words.end();
    (PersonHash(hash), ended)
}

/// Names of the folders in `folder`.
pub fn folders(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}
