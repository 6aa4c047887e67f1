//! Plans for generated clients of an agency: what is declared of each, what the service shows, and what
//! the ledger knows, in every combination.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use seatkeeper::domain::clients::{
    ClientRecord, ClientSeen, ClientSend, ClientState, Declaration, DesiredClient, Health,
    ObservedClient,
};
use seatkeeper::domain::desired::{Desired, Origin, OriginKind};
use seatkeeper::domain::identity::EmailAddress;
use seatkeeper::domain::keys::{ClientAccessId, ETag, RequestKey, ResendMark};
use seatkeeper::domain::ledger_view::{Baseline, Cause, LedgerView, MailRecord, Spend};
use seatkeeper::domain::observed::Observed;
use seatkeeper::domain::policy::{Mode, Policy};
use seatkeeper::plan::client_access::{ClientAction, WithdrawCause};
use seatkeeper::plan::{Input, Plan, plan, remembered};
use seatkeeper::profile::built_in;

use crate::world::{account, policy};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// What there is of one client. Ages are in hours.
#[derive(Clone, Debug)]
struct Client {
    declared: Option<(bool, bool)>,
    frozen: bool,
    row: Option<(ClientState, bool, i32)>,
    record: Option<(u8, ClientSeen, Vec<i32>, bool, bool)>,
    send: Option<(i32, bool)>,
}

/// An agency and its clients.
#[derive(Clone, Debug)]
struct Agency {
    policy: Policy,
    desired: Desired,
    observed: Observed,
    ledger: LedgerView,
}

fn client() -> impl Strategy<Value = Client> {
    let states = vec![
        ClientState::Requested,
        ClientState::Granted,
        ClientState::Trimmed,
        ClientState::Rejected,
        ClientState::Removed,
        ClientState::Ended,
        ClientState::Unknown,
    ];
    let seen = vec![
        ClientSeen::Never,
        ClientSeen::Requested,
        ClientSeen::Granted,
        ClientSeen::Rejected,
        ClientSeen::Withdrawn,
    ];
    let mails = prop::collection::vec(select(vec![1_i32, 30, 500, 3000]), 0..4);
    let record = (0..3_u8, select(seen), mails, any::<bool>(), any::<bool>());
    (
        prop::option::weighted(0.7, any::<(bool, bool)>()),
        prop::bool::weighted(0.1),
        prop::option::of((select(states), any::<bool>(), 1..100_i32)),
        prop::option::weighted(0.7, record),
        prop::option::weighted(0.3, (-2..3_i32, any::<bool>())),
    )
        .prop_map(|(declared, frozen, row, record, send)| {
            let frozen = frozen && declared.is_none();
            // As the ledger keeps sends: of who was declared, until a look answers them.
            let waits = row.is_some_and(|(state, ..)| state == ClientState::Requested);
            let send = send.map(|(left, resends)| (left, resends && waits));
            let send = send.filter(|(left, resends)| {
                record.is_some() && if *resends { *left > 0 } else { row.is_none() }
            });
            Client { declared, frozen, row, record, send }
        })
}

fn agency() -> impl Strategy<Value = Agency> {
    let modes = vec![Mode::Observe, Mode::Invite, Mode::Manage, Mode::Manage, Mode::Exclusive];
    let budget = prop::option::of(0..3_u32);
    (prop::collection::vec(client(), 1..6), select(modes), budget, 0..4_u32, 0..4_u32).prop_map(
        |(clients, mode, invitations_per_hour, max_count, spent)| {
            let mut policy = Policy { mode, invitations_per_hour, ..policy() };
            (policy.removals.max_count, policy.removals.max_percent) = (max_count, 0);
            let profile = built_in("nitropack").unwrap();
            let mut agency = Agency {
                policy,
                desired: Desired::default(),
                observed: account(&profile, now()),
                ledger: LedgerView {
                    baseline: Some(Baseline { people: 1, smaller: None, as_of: None }),
                    brake_spent: vec![Spend { at: now() - HOUR, count: spent }],
                    ..LedgerView::default()
                },
            };
            agency.observed.client_accesses = Some(Default::default());
            for (n, client) in clients.iter().enumerate() {
                agency.put(n, client);
            }
            agency
        },
    )
}

impl Agency {
    fn put(&mut self, n: usize, of: &Client) {
        let client = EmailAddress::parse(&format!("c{n}@client.example")).unwrap();
        let (kind, namespace) = (OriginKind::ClientAccess, "agency".to_owned());
        let origin = Origin { kind, namespace, name: format!("c{n}"), position: None };
        let declaration = Declaration { object: origin.object() };
        let (reference, role) = (declaration.reference(), "developer".into());
        if of.frozen {
            self.desired.clients.frozen.insert(client.clone());
        }
        if let Some((said, ends)) = of.declared {
            let withdraw_after = ends.then_some(Duration::from_secs(48 * 3600));
            let resend = said.then(|| ResendMark::of("again"));
            let declaration = declaration.clone();
            let wanted = DesiredClient { role, withdraw_after, declaration, resend, origin };
            self.desired.clients.declared.insert(client.clone(), wanted);
        }
        let id = ClientAccessId(format!("cla_{n}"));
        if let Some((state, is_ours, age)) = of.row {
            let reference = is_ours.then(|| reference.clone());
            let row = row(id.clone(), state, reference, now() - HOUR * age);
            self.observed.client_accesses.as_mut().unwrap().insert(client.clone(), row);
        }
        if let Some((whose, seen, ages, ending, held)) = of.record.clone() {
            let mut automatic: Vec<_> = ages.iter().map(|age| now() - HOUR * *age).collect();
            automatic.sort();
            let attempts = u32::try_from(automatic.len()).unwrap();
            let mails = MailRecord { automatic, attempts, ..MailRecord::default() };
            let other = Declaration { object: "ClientAccess agency/other".to_owned() };
            let declared_by = [None, Some(declaration), Some(other)][usize::from(whose)].clone();
            let first_seen = now() - HOUR * 200;
            let record = ClientRecord {
                declared_by,
                seen,
                ending,
                held,
                ..ClientRecord::new(first_seen, mails)
            };
            self.ledger.clients.insert(client.clone(), record);
        }
        if let Some((left, resends)) = of.send {
            let send = ClientSend {
                key: RequestKey(format!("key_{n}")),
                role: "developer".into(),
                reference: if resends { String::new() } else { reference },
                cause: Cause { attempt: 9, ..Cause::default() },
                resend_of: resends.then_some(id),
                after: None,
                at: now() - DAY,
                not_after: now() + HOUR * left,
            };
            self.ledger.client_sends.insert(client, send);
        }
    }

    fn plan(&self) -> Plan {
        let profile = built_in("nitropack").unwrap();
        let Self { policy, desired, observed, ledger } = self;
        let input = Input { desired, observed, profile: &profile, policy, ledger, now: now() };
        plan(&input).unwrap()
    }

    /// Does what the plan says, at the service and in the ledger.
    fn run(&mut self, plan: &Plan) {
        let of = &plan.clients;
        for (client, record) in of.learn.records.clone() {
            match record {
                Some(record) => drop(self.ledger.clients.insert(client, record)),
                None => drop(self.ledger.clients.remove(&client)),
            }
        }
        if let Some(hold) = &plan.learn.hold {
            self.ledger.hold.clone_from(hold);
        }
        let count = plan.learn.brake_spent + of.learn.brake_spent;
        self.ledger.brake_spent.push(Spend { at: now(), count });
        let new = of.actions.iter().filter(|a| !a.takes_away() && a.again().is_none()).count();
        self.ledger.mails_sent.push(Spend { at: now(), count: u32::try_from(new).unwrap() });
        of.actions.iter().for_each(|action| self.act(action));
    }

    fn act(&mut self, action: &ClientAction) {
        let client = action.client().clone();
        let rows = self.observed.client_accesses.as_mut().unwrap();
        let Some(cause) = action.cause() else {
            rows.remove(&client);
            let record = self.ledger.clients.remove(&client).unwrap();
            let left = match action {
                ClientAction::Withdraw { cause: WithdrawCause::NoAnswer, .. } => {
                    let seen = ClientSeen::Withdrawn;
                    Some(ClientRecord { seen, ending: false, ..record })
                }
                _ => Some(record)
                    .filter(|record| remembered(&record.mails, now()))
                    .map(|record| ClientRecord::new(record.first_seen, record.mails)),
            };
            self.ledger.clients.extend(left.map(|record| (client, record)));
            return;
        };
        match action {
            ClientAction::Request { reference, .. } => {
                let id = ClientAccessId(format!("cla_{client}"));
                let state = ClientState::Requested;
                rows.insert(client.clone(), row(id, state, Some(reference.clone()), now()));
            }
            _ => rows.get_mut(&client).unwrap().last_sent_at = now(),
        }
        self.ledger.client_sends.remove(&client);
        let record = self.ledger.clients[&client].mailed(cause, now());
        self.ledger.clients.insert(client, record);
    }
}

fn row(
    id: ClientAccessId,
    state: ClientState,
    external_ref: Option<String>,
    at: Timestamp,
) -> ObservedClient {
    ObservedClient {
        id,
        etag: ETag::from("1"),
        role: "developer".into(),
        role_held: None,
        state,
        health: Health::NoData,
        website_count: 0,
        websites: Vec::new(),
        created_at: at,
        last_sent_at: at,
        external_ref,
    }
}

proptest! {
    #[test]
    fn a_plan_for_clients_that_ran_leaves_nothing_to_do_and_the_same_input_gives_the_same(
        agency in agency()
    ) {
        let first = agency.plan();
        prop_assert_eq!(&first, &agency.plan());
        let mut after = agency.clone();
        after.run(&first);
        // What was in doubt is repeated first; a word that was said since has a mail of its own.
        let second = after.plan();
        let repeats = first.clients.actions.iter().any(|action| action.again().is_some());
        prop_assert!(repeats || second.clients.actions.is_empty(), "{:?}", second.clients.actions);
        after.run(&second);
        let third = after.plan().clients.actions;
        prop_assert!(third.is_empty(), "{:?}", third);
    }

    // rule: OP-06
    #[test]
    fn only_declared_clients_are_asked_and_only_what_we_asked_is_withdrawn(agency in agency()) {
        let plan = agency.plan().clients;
        let clients: BTreeSet<_> = plan.actions.iter().map(ClientAction::client).collect();
        prop_assert_eq!(clients.len(), plan.actions.len(), "one action a client");
        let order: Vec<_> = plan.actions.iter().map(ClientAction::takes_away).collect();
        prop_assert!(order.is_sorted_by_key(|takes| !takes), "withdrawals first");
        let Agency { policy, desired, observed, ledger } = &agency;
        for action in &plan.actions {
            let client = action.client();
            let declared = desired.clients.declared.get(client);
            let row = observed.client_accesses.as_ref().unwrap().get(client);
            prop_assert!(policy.mode != Mode::Observe);
            prop_assert!(!desired.clients.frozen.contains(client));
            match action {
                ClientAction::Withdraw { cause, .. } => {
                    prop_assert!(policy.mode > Mode::Invite);
                    prop_assert_eq!(row.unwrap().state, ClientState::Requested);
                    let ours = ledger.clients.get(client).is_some_and(|r| r.declared_by.is_some());
                    let is_meant = match cause {
                        WithdrawCause::NotDeclared => declared.is_none() && ours,
                        WithdrawCause::NoAnswer => declared.unwrap().withdraw_after.is_some(),
                    };
                    prop_assert!(is_meant);
                }
                ClientAction::Resend { .. } => {
                    prop_assert!(declared.is_some());
                    prop_assert_eq!(row.unwrap().state, ClientState::Requested);
                }
                ClientAction::Request { .. } => {
                    prop_assert!(declared.is_some());
                    prop_assert!(row.is_none_or(|row| !row.state.is_open()));
                }
            }
        }
    }

    // rule: OP-02
    // rule: OP-07
    #[test]
    fn mails_to_clients_keep_key_caps_and_budget_and_withdrawals_the_brake(agency in agency()) {
        let plan = agency.plan().clients;
        let Agency { policy, ledger, .. } = &agency;
        let mut new = 0;
        for action in plan.actions.iter().filter(|action| !action.takes_away()) {
            let send = ledger.client_sends.get(action.client());
            if let Some(again) = action.again() {
                prop_assert_eq!(Some(again), send);
                prop_assert!(now() < again.not_after);
                continue;
            }
            new += 1;
            let cause = action.cause().unwrap();
            let mails = ledger.clients.get(action.client()).map(|record| &record.mails);
            if let Some(mails) = mails.filter(|_| !cause.decided) {
                let today = mails.automatic.iter().filter(|at| **at > now() - DAY);
                let counted = mails.automatic.iter().filter(|at| **at > now() - DAY * 90);
                prop_assert!(today.count() == 0 && counted.count() < 3, "{action}");
            }
        }
        prop_assert!(policy.invitations_per_hour.is_none_or(|most| new <= most));
        let unpaid = plan.actions.iter().filter(|action| action.takes_away());
        let unpaid = unpaid.filter(|action| !ledger.clients.get(action.client()).is_some_and(|r| r.ending));
        let unpaid = u32::try_from(unpaid.count()).unwrap();
        let spent: u32 = ledger.brake_spent.iter().map(|spend| spend.count).sum();
        prop_assert!(unpaid == 0 || spent + unpaid <= policy.removals.max_count);
        prop_assert_eq!(plan.learn.brake_spent, unpaid);
    }
}
