//! The planner on clients of an agency: cases in values.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use seatkeeper::domain::clients::{
    ClientRecord, ClientSeen, ClientSend, ClientState, Declaration, DesiredClient, Health,
    ObservedClient,
};
use seatkeeper::domain::desired::{Desired, Origin, OriginKind};
use seatkeeper::domain::identity::EmailAddress;
use seatkeeper::domain::joining::Joining;
use seatkeeper::domain::keys::{
    ClientAccessId, ETag, HoldDigest, MemberId, RequestKey, ResendMark, RoleName,
};
use seatkeeper::domain::ledger_view::{
    Baseline, Cause, FirstWanted, HoldRecord, LedgerView, MailRecord, Spend,
};
use seatkeeper::domain::observed::{
    Observed, ObservedAccount, ObservedSeats, ReadEvidence, RoleSeen, SeatLimit,
};
use seatkeeper::domain::policy::{Mode, Policy};
use seatkeeper::plan::simulate::recount;
use seatkeeper::plan::{Input, Plan, plan};
use seatkeeper::profile::{Profile, built_in};

use crate::world::{member, policy};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// An agency whose owner is its only member.
struct Case {
    profile: Arc<Profile>,
    policy: Policy,
    desired: Desired,
    observed: Observed,
    ledger: LedgerView,
    now: Timestamp,
}

fn client(name: &str) -> EmailAddress {
    EmailAddress::parse(&format!("{name}@client.example")).unwrap()
}

fn declaration(name: &str) -> Declaration {
    Declaration { object: format!("ClientAccess agency/{name}") }
}

impl Case {
    fn new(mode: Mode) -> Self {
        let profile = built_in("nitropack").unwrap();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let owner = member(MemberId("mem_owner".into()), RoleSeen::Known("owner".into()), now);
        let (limit, used, owners) = (SeatLimit::Seats(3), 0, 0);
        let seats = ObservedSeats {
            limit,
            used,
            owner: owners,
            active: 0,
            pending: 0,
            trimmed: 0,
            enforce_at: None,
            pools: BTreeMap::new(),
        };
        let account = ObservedAccount {
            key: "acc_1".into(),
            name: "Acme".into(),
            etag: "1".into(),
            claim: None,
            seats,
            subscriptions: Vec::new(),
            disabled: false,
            secure_sign_in: false,
            agency: true,
            caller: None,
        };
        let mut observed = Observed {
            account,
            members: BTreeMap::from([(client("us").into(), owner)]),
            invitations: BTreeMap::new(),
            teams: BTreeMap::new(),
            client_accesses: Some(BTreeMap::new()),
            ownership_changes: None,
            categories: None,
            joining: Joining::default(),
            evidence: ReadEvidence::default(),
        };
        recount(&mut observed, &profile);
        let mut invitations = policy().invitations;
        invitations.renewals = 0;
        let policy = Policy { mode, invitations_per_hour: Some(3), invitations, ..policy() };
        let ledger = LedgerView {
            baseline: Some(Baseline { people: 1, smaller: None, as_of: None }),
            ..LedgerView::default()
        };
        Self { profile, policy, desired: Desired::default(), observed, ledger, now }
    }

    fn declare(&mut self, name: &str) -> &mut DesiredClient {
        let (kind, namespace) = (OriginKind::ClientAccess, "agency".to_owned());
        let wanted = DesiredClient {
            role: "developer".into(),
            withdraw_after: None,
            declaration: declaration(name),
            resend: None,
            origin: Origin { kind, namespace, name: name.to_owned(), position: None },
        };
        self.desired.clients.declared.entry(client(name)).or_insert(wanted)
    }

    fn row(&mut self, name: &str, state: ClientState) -> &mut ObservedClient {
        let row = ObservedClient {
            id: ClientAccessId(format!("cla_{name}")),
            etag: ETag::from("1"),
            role: RoleName::from("developer"),
            role_held: None,
            state,
            health: Health::NoData,
            website_count: 0,
            websites: Vec::new(),
            created_at: self.now - HOUR,
            last_sent_at: self.now - HOUR,
            external_ref: None,
        };
        let rows = self.observed.client_accesses.as_mut().unwrap();
        rows.entry(client(name)).or_insert(row)
    }

    fn known(&mut self, name: &str, seen: ClientSeen) {
        let record = ClientRecord {
            declared_by: Some(declaration(name)),
            seen,
            ..ClientRecord::new(self.now - HOUR, MailRecord::default())
        };
        self.ledger.clients.insert(client(name), record);
    }

    /// A mail to a client of which nobody knows whether it went out.
    fn doubt(&mut self, name: &str, not_after: Timestamp) {
        self.known(name, ClientSeen::Never);
        let send = ClientSend {
            key: RequestKey::from("stored"),
            role: RoleName::from("developer"),
            reference: declaration(name).reference(),
            cause: Cause { attempt: 1, ..Cause::default() },
            resend_of: None,
            after: None,
            at: self.now - HOUR,
            not_after,
        };
        self.ledger.client_sends.insert(client(name), send);
    }

    fn plan(&self) -> Plan {
        let Self { profile, policy, desired, observed, ledger, now } = self;
        plan(&Input { desired, observed, profile, policy, ledger, now: *now }).unwrap()
    }

    /// Actions, then what is held, then where each client stands.
    fn says(&self) -> String {
        let plan = self.plan().clients;
        let mut text = String::new();
        for action in &plan.actions {
            let _ = writeln!(text, "{action}");
        }
        for held in &plan.held {
            let _ = writeln!(text, "! {} ({})", held.action, held.rule.reason());
        }
        for (client, outlook) in &plan.clients {
            let rule = outlook.rule.map_or("", |rule| rule.reason().as_str());
            let name = client.as_str().split('@').next().unwrap();
            let _ = writeln!(text, "{name}: {} {rule}", outlook.standing.as_str());
        }
        text.replace("@client.example", "").replace(" \n", "\n")
    }
}

#[test]
fn requests_share_the_mails_of_the_hour_oldest_declaration_first() {
    let mut case = Case::new(Mode::Manage);
    for name in ["ana", "bob", "cyd"] {
        case.declare(name);
    }
    case.known("cyd", ClientSeen::Never);
    case.ledger.mails_sent = vec![Spend { at: case.now - HOUR / 2, count: 2 }];
    assert_eq!(
        case.says(),
        "+ ask cyd for access as developer\n\
         ! + ask ana for access as developer (MailBudget)\n\
         ! + ask bob for access as developer (MailBudget)\n\
         ana: Planned MailBudget\nbob: Planned MailBudget\ncyd: Planned\n"
    );
    assert_eq!(case.plan().next_at, Some(case.now + HOUR / 2));
}

#[test]
fn each_step_of_the_ladder_may_do_more_to_clients() {
    let says = |mode| {
        let mut case = Case::new(mode);
        case.declare("ana");
        case.declare("bob").withdraw_after = Some(Duration::from_mins(30));
        case.row("bob", ClientState::Requested);
        case.row("cyd", ClientState::Requested);
        case.known("cyd", ClientSeen::Requested);
        (case.says(), case.plan().clients.learn)
    };
    let (said, learn) = says(Mode::Observe);
    assert_eq!(
        said,
        "! - withdraw the request to bob: no answer in time (Observing)\n\
         ! - withdraw the request to cyd (Observing)\n\
         ! + ask ana for access as developer (Observing)\n\
         ana: Planned Observing\nbob: Requested Observing\ncyd: Removing Observing\n"
    );
    assert!(learn.records.is_empty() && learn.seen.is_none(), "{learn:?}");
    let (said, learn) = says(Mode::Invite);
    assert_eq!(
        said,
        "+ ask ana for access as developer\n\
         ! - withdraw the request to bob: no answer in time (InviteOnly)\n\
         ana: Planned\nbob: Requested InviteOnly\n"
    );
    assert_eq!(learn.records[&client("cyd")], None, "below Manage a deletion lets go");
    let (said, learn) = says(Mode::Manage);
    assert_eq!(
        said,
        "- withdraw the request to bob: no answer in time\n\
         - withdraw the request to cyd\n\
         + ask ana for access as developer\n\
         ana: Planned\nbob: Requested\ncyd: Removing\n"
    );
    assert_eq!(learn.brake_spent, 2, "both pay, also the answer that did not come in time");
}

// rule: OP-07
#[test]
fn more_ended_declarations_than_the_brake_allows_withdraw_nothing() {
    let mut case = Case::new(Mode::Manage);
    for name in ["ana", "bob", "cyd", "dan"] {
        case.row(name, ClientState::Requested);
        case.known(name, ClientSeen::Requested);
    }
    let plan = case.plan().clients;
    assert_eq!((plan.actions.len(), plan.held.len(), plan.learn.brake_spent), (0, 4, 0));
    assert!(plan.held.iter().all(|held| held.rule.reason().as_str() == "RemovalHeld"));
    case.ledger.clients.get_mut(&client("dan")).unwrap().ending = true;
    let plan = case.plan().clients;
    assert_eq!((plan.actions.len(), plan.held.len(), plan.learn.brake_spent), (4, 0, 3));
    case.ledger.brake_spent = vec![Spend { at: case.now - HOUR, count: 1 }];
    let plan = case.plan().clients;
    assert_eq!((plan.actions.len(), plan.held.len()), (1, 3), "who was paid for before goes");
}

// rule: OP-06
#[test]
fn clients_that_nobody_declared_are_not_touched() {
    let mut case = Case::new(Mode::Exclusive);
    case.row("ana", ClientState::Requested);
    case.row("bob", ClientState::Granted);
    assert_eq!(case.says(), "");
    case.desired.clients.frozen.insert(client("cyd"));
    case.known("cyd", ClientSeen::Requested);
    case.row("cyd", ClientState::Requested);
    assert_eq!(case.says(), "", "a declaration that is not valid leaves its client as it is");
}

// rule: OP-02
#[test]
fn a_mail_in_doubt_is_repeated_under_its_key_and_later_not_at_all() {
    let mut case = Case::new(Mode::Manage);
    case.declare("ana");
    case.doubt("ana", case.now + HOUR);
    let plan = case.plan().clients;
    assert_eq!(plan.actions[0].again().unwrap().key, RequestKey::from("stored"));
    assert!(case.says().ends_with("ana: Sending\n"), "{}", case.says());
    case.policy.invitations_per_hour = Some(0);
    assert_eq!(case.plan().clients.actions.len(), 1, "its mail is paid for");

    case.doubt("ana", case.now - HOUR / 2);
    assert_eq!(case.says(), "ana: InDoubt\n");
    case.policy.invitations_per_hour = None;
    case.declare("ana").declaration = declaration("another");
    assert_eq!(case.says(), "+ ask ana for access as developer\nana: Planned\n");
}

// rule: NC-10
#[test]
fn what_was_granted_is_let_go_and_forgotten() {
    let mut case = Case::new(Mode::Exclusive);
    for (name, state) in [("ana", ClientState::Granted), ("bob", ClientState::Trimmed)] {
        case.row(name, state);
        case.known(name, ClientSeen::Granted);
    }
    assert_eq!(case.says(), "ana: Granted OnlyClientEnds\nbob: Granted OnlyClientEnds\n");
    let records = case.plan().clients.learn.records;
    assert!(records.values().all(Option::is_none) && records.len() == 2, "{records:?}");
}

// rule: NC-06
#[test]
fn the_role_that_the_client_gave_is_shown_and_left() {
    let mut case = Case::new(Mode::Exclusive);
    case.declare("ana");
    case.row("ana", ClientState::Granted).role_held = Some("biller".into());
    assert_eq!(case.says(), "ana: Granted\n");
    assert!(case.plan().clients.clients[&client("ana")].role_differs);
    case.declare("bob");
    case.row("bob", ClientState::Trimmed);
    assert!(case.says().ends_with("bob: Granted NoFreeSeat\n"), "{}", case.says());
}

#[test]
fn a_no_counts_for_the_declaration_that_got_it() {
    let mut case = Case::new(Mode::Manage);
    case.declare("ana");
    case.row("ana", ClientState::Rejected);
    assert_eq!(case.says(), "+ ask ana for access as developer\nana: Planned\n", "an earlier no");
    case.known("ana", ClientSeen::Requested);
    assert_eq!(case.says(), "ana: Rejected\n");
    case.ledger.clients.clear();
    case.row("ana", ClientState::Rejected).external_ref = Some(declaration("ana").reference());
    assert_eq!(case.says(), "ana: Rejected\n", "without a ledger, by the reference");
    case.observed.client_accesses.as_mut().unwrap().clear();
    case.known("ana", ClientSeen::Requested);
    assert_eq!(case.says(), "ana: Withdrawn\n", "withdrawn by hand");
}

#[test]
fn a_read_that_is_not_trusted_and_a_suspended_account_ask_nobody() {
    let mut case = Case::new(Mode::Manage);
    case.declare("ana");
    case.observed.evidence.member_total = 7;
    assert_eq!(case.says(), "");
    case.observed.evidence.member_total = 1;
    case.policy.suspend = true;
    assert_eq!(case.says(), "ana: Planned\n");
    case.policy.suspend = false;
    case.observed.account.disabled = true;
    case.row("bob", ClientState::Requested);
    case.known("bob", ClientSeen::Requested);
    assert_eq!(
        case.says(),
        "- withdraw the request to bob\n\
         ! + ask ana for access as developer (ServiceDisabled)\n\
         ana: Planned ServiceDisabled\nbob: Removing\n"
    );
}

// rule: OP-02
#[test]
fn a_client_gets_one_automatic_mail_a_day_and_three_in_90_days_and_a_persons_word_passes() {
    let mut case = Case::new(Mode::Manage);
    case.policy.invitations_per_hour = None;
    case.declare("ana");
    let capped = "! + ask ana for access as developer (MailCap)\nana: Planned MailCap\n";
    let asks = "+ ask ana for access as developer\nana: Planned\n";
    let now = case.now;
    let mailed = |case: &mut Case, ago: &[i64]| {
        let automatic = ago.iter().map(|hours| now - HOUR * i32::try_from(*hours).unwrap());
        let mails = MailRecord { automatic: automatic.collect(), ..MailRecord::default() };
        case.ledger.clients.insert(client("ana"), ClientRecord::new(now, mails));
    };
    mailed(&mut case, &[23]);
    assert_eq!((case.says(), case.plan().next_at), (capped.to_owned(), Some(now + HOUR)));
    mailed(&mut case, &[24]);
    assert_eq!(case.says(), asks);
    mailed(&mut case, &[24 * 80, 24 * 70, 24 * 60]);
    assert_eq!((case.says(), case.plan().next_at), (capped.to_owned(), Some(now + HOUR * 240)));
    case.declare("ana").resend = Some(ResendMark::of("now"));
    assert_eq!(case.says(), asks, "somebody decided it");
    let known = case.ledger.clients.get_mut(&client("ana")).unwrap();
    known.mails.decided = vec![now - HOUR; 3];
    assert_eq!(case.says(), capped, "a fourth word in 90 days keeps the caps");
    let known = case.ledger.clients.get_mut(&client("ana")).unwrap();
    known.mails = MailRecord { not_before: Some(now + HOUR), ..MailRecord::default() };
    let waits = "! + ask ana for access as developer (AddressRateLimited)\n\
                 ana: Planned AddressRateLimited\n";
    assert_eq!((case.says(), case.plan().next_at), (waits.to_owned(), Some(now + HOUR)));
}

#[test]
fn a_no_stays_for_the_name_until_a_person_says_otherwise() {
    let mut case = Case::new(Mode::Manage);
    // After a restore: another object of the same name, and a ledger that knows nothing.
    case.declare("ana").resend = Some(ResendMark::of("old"));
    case.row("ana", ClientState::Ended).external_ref = Some(declaration("ana").reference());
    assert_eq!(case.says(), "ana: Rejected\n", "an old word is none");
    case.known("ana", ClientSeen::Rejected);
    case.ledger.clients.get_mut(&client("ana")).unwrap().mails.heed([ResendMark::of("old")]);
    assert_eq!(case.says(), "ana: Rejected\n");
    case.declare("ana").resend = Some(ResendMark::of("new"));
    assert_eq!(case.says(), "+ ask ana for access as developer\nana: Planned\n");

    // In doubt: the row of the no is no answer to the request that came after it.
    let after = case.row("ana", ClientState::Ended).id.clone();
    case.doubt("ana", case.now + HOUR);
    case.ledger.client_sends.get_mut(&client("ana")).unwrap().after = Some(after);
    assert!(case.says().ends_with("ana: Sending\n"), "{}", case.says());
}

// rule: OP-07
#[test]
fn withdrawals_and_people_share_one_brake_are_held_and_approved_together() {
    let mut case = Case::new(Mode::Manage);
    case.ledger.brake_spent = vec![Spend { at: case.now - HOUR, count: 2 }];
    case.row("ana", ClientState::Requested);
    case.known("ana", ClientSeen::Requested);
    let late = case.declare("bob");
    late.withdraw_after = Some(Duration::from_mins(30));
    case.row("bob", ClientState::Requested);
    let plan = case.plan();
    let hold = plan.hold.clone().unwrap();
    assert_eq!((hold.removals, hold.allowed, hold.spent), (2, 3, 2));
    let held = "! - withdraw the request to ana (RemovalHeld)\n\
                ! - withdraw the request to bob: no answer in time (RemovalHeld)\n\
                ana: Removing RemovalHeld\nbob: Requested RemovalHeld\n";
    assert_eq!(
        case.says().lines().collect::<std::collections::BTreeSet<_>>(),
        held.lines().collect()
    );
    let learned = plan.clients.learn;
    assert!(learned.records.values().flatten().all(|record| record.held), "{learned:?}");
    assert_eq!(learned.brake_spent, 0);

    // The window slides; what was held stays held.
    case.ledger.brake_spent.clear();
    for (name, record) in learned.records {
        case.ledger.clients.insert(name, record.unwrap());
    }
    case.ledger.hold =
        Some(HoldRecord { digest: hold.digest.clone(), allowed: 3, emptied_under: None });
    assert!(case.plan().clients.actions.is_empty());
    case.policy.approval = Some(HoldDigest("0000000000000000".into()));
    assert!(case.plan().clients.actions.is_empty(), "another set");
    case.policy.approval = Some(hold.digest);
    let plan = case.plan();
    assert_eq!((plan.clients.actions.len(), plan.clients.learn.brake_spent), (2, 2));
    assert!(plan.hold.is_none());
    case.policy.approval = None;
    case.policy.removals.max_count = 4;
    assert_eq!(case.plan().clients.actions.len(), 2, "a raised limit releases");
}

// rule: OP-07
#[test]
fn in_the_operator_the_end_of_a_declaration_settles_so_that_a_mass_deletion_shows_whole() {
    let mut case = Case::new(Mode::Manage);
    case.row("ana", ClientState::Requested);
    case.known("ana", ClientSeen::Requested);
    case.ledger.first_wanted = Some(FirstWanted::default());
    let settled = case.now + SignedDuration::from_secs(30);
    assert_eq!(case.says(), "! - withdraw the request to ana (Settling)\nana: Removing Settling\n");
    assert_eq!(case.plan().next_at, Some(settled));
    let since = BTreeMap::from([(client("ana"), case.now)]);
    case.ledger.first_wanted = Some(FirstWanted { clients: since, ..FirstWanted::default() });
    case.now = settled;
    assert_eq!(case.says(), "- withdraw the request to ana\nana: Removing\n");
}
