//! Clients of an agency: who is asked for access, and whose request is withdrawn (NC-01 to NC-10).
//!
//! Each declaration asks once. Once access is granted the client alone decides about it: the role it
//! really gave is shown and never fought over (NC-06), and the end of a declaration lets it go
//! (NC-10).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::clients::{
    ClientRecord, ClientSeen, ClientState, DesiredClient, ObservedClient,
};
use crate::domain::identity::EmailAddress;
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::client_access::{
    ClientAction, ClientOutlook, ClientPlan, HeldClient, RequestRow, Standing, WithdrawCause,
};
use crate::plan::draft::Draft;
use crate::plan::{Input, Plan, Rule, Stop, guards, seats};

/// Plans the requests of one account, after the people of `main`: they share mails and brake.
///
/// n clients declared or observed. Time O(n log n).
pub(super) fn plan(input: &Input<'_>, main: &Plan) -> ClientPlan {
    let (Some(rows), false) =
        (&input.observed.client_accesses, matches!(main.stop, Some(Stop::ReadUntrusted(_))))
    else {
        return ClientPlan::default();
    };
    let mut draft = Clients::new(input, rows);
    for (client, wanted) in &input.desired.clients.declared {
        draft.declared(client, wanted);
    }
    draft.undeclared();
    draft.finish(main)
}

/// A plan for clients in the making.
struct Clients<'a> {
    input: &'a Input<'a>,
    rows: &'a BTreeMap<EmailAddress, ObservedClient>,
    records: BTreeMap<EmailAddress, Option<ClientRecord>>,
    timers: BTreeSet<Timestamp>,
    withdrawals: Vec<ClientAction>,
    /// Mails with the age of their declaration.
    mails: Vec<(Timestamp, ClientAction)>,
    plan: ClientPlan,
}

impl<'a> Clients<'a> {
    fn new(input: &'a Input<'a>, rows: &'a BTreeMap<EmailAddress, ObservedClient>) -> Self {
        Self {
            input,
            rows,
            records: BTreeMap::new(),
            timers: BTreeSet::new(),
            withdrawals: Vec::new(),
            mails: Vec::new(),
            plan: ClientPlan::default(),
        }
    }

    /// Places a declared client.
    fn declared(&mut self, client: &EmailAddress, wanted: &DesiredClient) {
        let known = self.input.ledger.clients.get(client);
        let known = known.filter(|record| record.declared_by == wanted.declaration);
        let mut record = known.cloned().unwrap_or_else(|| ClientRecord {
            first_seen: self.input.now,
            declared_by: wanted.declaration.clone(),
            seen: ClientSeen::Never,
            ending: false,
            resent: wanted.resend.clone(),
        });
        match self.rows.get(client) {
            Some(row) if row.state.is_open() => self.open(client, wanted, row, &mut record),
            // A no to an earlier declaration does not count for this one.
            Some(row) if is_answer(row, &record) => {
                record.seen = match (record.seen, row.state) {
                    (ClientSeen::Withdrawn, _) | (_, ClientState::Removed) => ClientSeen::Withdrawn,
                    _ => ClientSeen::Rejected,
                };
                self.over(client, &record);
            }
            Some(_) | None => self.absent(client, wanted, &mut record),
        }
        self.records.insert(client.clone(), Some(record));
    }

    /// Places a client that was asked, or gave access.
    fn open(
        &mut self,
        client: &EmailAddress,
        wanted: &DesiredClient,
        row: &ObservedClient,
        record: &mut ClientRecord,
    ) {
        let (standing, seen) = match row.state {
            ClientState::Granted | ClientState::Trimmed => (Standing::Granted, ClientSeen::Granted),
            _ => (Standing::Requested, ClientSeen::Requested),
        };
        (record.seen, record.ending) = (seen, false);
        let role = row.role_held.as_ref().unwrap_or(&row.role);
        let mut outlook = ClientOutlook {
            standing,
            rule: match row.state {
                ClientState::Trimmed => Some(Rule::NoFreeSeat),
                ClientState::Unknown => Some(Rule::NotUnderstood),
                _ => None,
            },
            row: Some(row.clone()),
            role_differs: *role != wanted.role,
            withdraw_at: None,
        };
        if row.state == ClientState::Requested {
            let wait = wanted.withdraw_after;
            outlook.withdraw_at = wait.map(|wait| Draft::after(row.last_sent_at, wait));
            self.timers.extend(outlook.withdraw_at);
            self.waiting(client, wanted, row, record, outlook.withdraw_at);
        }
        self.plan.clients.insert(client.clone(), outlook);
    }

    /// A request that waits: withdrawn when its time is over, sent again when somebody asks.
    fn waiting(
        &mut self,
        client: &EmailAddress,
        wanted: &DesiredClient,
        row: &ObservedClient,
        record: &mut ClientRecord,
        withdraw_at: Option<Timestamp>,
    ) {
        let again = self.input.ledger.client_sends.get(client);
        let again = again.filter(|send| send.resend_of.is_some()).cloned();
        let asked = wanted.resend.is_some() && wanted.resend != record.resent;
        if asked || again.is_some() {
            record.resent = wanted.resend.clone().or_else(|| record.resent.clone());
            let client = client.clone();
            let action = ClientAction::Resend { client, request: request(row), again };
            self.mails.push((record.first_seen, action));
        } else if withdraw_at.is_some_and(|at| at <= self.input.now) {
            self.withdraw(client, row, WithdrawCause::NoAnswer);
        }
    }

    /// Places a declared client whom nobody waits for at the service.
    fn absent(&mut self, client: &EmailAddress, wanted: &DesiredClient, record: &mut ClientRecord) {
        match record.seen {
            ClientSeen::Never => {}
            ClientSeen::Requested | ClientSeen::Granted | ClientSeen::Withdrawn => {
                (record.seen, record.ending) = (ClientSeen::Withdrawn, false);
                return self.over(client, record);
            }
            ClientSeen::Rejected => return self.over(client, record),
        }
        let reference = wanted.declaration.reference();
        let open = self.input.ledger.client_sends.get(client);
        let open = open.filter(|send| send.resend_of.is_none());
        let again = open.filter(|send| self.input.now < send.not_after).cloned();
        let standing = match (&again, open) {
            (Some(_), _) => Standing::Sending,
            (None, Some(send)) if send.reference == reference => Standing::InDoubt,
            (None, _) => Standing::Planned,
        };
        self.plan.clients.insert(client.clone(), ClientOutlook::new(standing));
        if standing != Standing::InDoubt {
            let (client, role) = (client.clone(), wanted.role.clone());
            let role = again.as_ref().map_or(role, |send| send.role.clone());
            let reference = again.as_ref().map_or(reference, |send| send.reference.clone());
            let action = ClientAction::Request { client, role, reference, again };
            self.mails.push((record.first_seen, action));
        }
    }

    /// A client that is not asked again.
    fn over(&mut self, client: &EmailAddress, record: &ClientRecord) {
        let standing = match record.seen {
            ClientSeen::Rejected => Standing::Rejected,
            _ => Standing::Withdrawn,
        };
        self.plan.clients.insert(client.clone(), ClientOutlook::new(standing));
    }

    /// Clients whose declaration is gone: a request that waits is withdrawn, all else is let go.
    fn undeclared(&mut self) {
        let Input { desired, ledger, policy, .. } = *self.input;
        let clients = &desired.clients;
        for (client, record) in &ledger.clients {
            if clients.declared.contains_key(client) || clients.frozen.contains(client) {
                continue;
            }
            let Some(row) = self.rows.get(client) else { continue };
            let ours = record.seen != ClientSeen::Never
                || row.external_ref.as_ref() == Some(&record.declared_by.reference());
            let mut outlook = ClientOutlook::new(Standing::Removing);
            outlook.row = Some(row.clone());
            match row.state {
                ClientState::Requested if ours && policy.mode != Mode::Invite => {
                    self.plan.clients.insert(client.clone(), outlook);
                    self.records.insert(client.clone(), Some(record.clone()));
                    self.withdraw(client, row, WithdrawCause::NotDeclared);
                }
                ClientState::Granted | ClientState::Trimmed if ours => {
                    (outlook.standing, outlook.rule) =
                        (Standing::Granted, Some(Rule::OnlyClientEnds));
                    self.plan.clients.insert(client.clone(), outlook);
                    self.records.insert(client.clone(), None);
                }
                _ => self.let_go(client, record),
            }
        }
    }

    /// Forgets a client; a no to a file stays.
    fn let_go(&mut self, client: &EmailAddress, record: &ClientRecord) {
        let is_no = matches!(record.seen, ClientSeen::Rejected | ClientSeen::Withdrawn);
        let may_arrive = self.input.ledger.client_sends.contains_key(client);
        if !(may_arrive || (is_no && record.declared_by.uid.is_none())) {
            self.records.insert(client.clone(), None);
        }
    }

    fn withdraw(&mut self, client: &EmailAddress, row: &ObservedClient, cause: WithdrawCause) {
        let (client, request) = (client.clone(), request(row));
        self.withdrawals.push(ClientAction::Withdraw { client, request, cause });
    }

    /// Lets mode, brake, service and mail budget speak, and says what the ledger has to learn.
    fn finish(mut self, main: &Plan) -> ClientPlan {
        let Input { policy, ledger, desired, .. } = *self.input;
        self.brake(main);
        self.mails.sort_by_key(|(first_seen, action)| {
            (action.again().is_none(), *first_seen, action.client().clone())
        });
        self.budget(main);
        if main.stop.is_some() {
            self.plan.actions.clear();
            self.plan.held.clear();
            return self.plan;
        }
        if policy.mode == Mode::Observe {
            for action in std::mem::take(&mut self.plan.actions) {
                self.hold_back(action, Rule::Observing);
            }
            return self.plan;
        }
        self.keep_unsent();
        self.records.retain(|client, record| ledger.clients.get(client) != record.as_ref());
        let declared = desired.clients.declared.keys().chain(&desired.clients.frozen);
        self.plan.learn.seen = Some(declared.chain(self.rows.keys()).cloned().collect());
        self.plan.learn.records = self.records;
        self.plan.next_at = self.timers.range(self.input.now..).next().copied();
        self.plan
    }

    /// Withdrawals: from mode `Manage` on; those of ended declarations within the brake, all or
    /// none.
    fn brake(&mut self, main: &Plan) {
        let mode = self.input.policy.mode;
        let (allowed, spent) = guards::budget(self.input);
        let ended = |action: &ClientAction| {
            matches!(action, ClientAction::Withdraw { cause: WithdrawCause::NotDeclared, .. })
        };
        let paid = |client: &EmailAddress| {
            self.input.ledger.clients.get(client).is_some_and(|record| record.ending)
        };
        let unpaid = |action: &ClientAction| ended(action) && !paid(action.client());
        let price = self.withdrawals.iter().filter(|action| unpaid(action)).count() as u64;
        let spent = spent.saturating_add(u64::from(main.learn.brake_spent));
        let too_many = price > 0 && spent.saturating_add(price) > allowed;
        for action in std::mem::take(&mut self.withdrawals) {
            if mode == Mode::Invite {
                self.hold_back(action, Rule::InviteOnly);
            } else if too_many && unpaid(&action) {
                self.hold_back(action, Rule::RemovalBrake);
            } else {
                if mode != Mode::Observe
                    && let Some(Some(record)) = self.records.get_mut(action.client())
                {
                    self.plan.learn.brake_spent += u32::from(ended(&action) && !record.ending);
                    record.ending = true;
                }
                self.plan.actions.push(action);
            }
        }
    }

    /// Mails: while the account is an agency that is enabled, and mails are left. One that somebody
    /// asked for by hand waits for no budget.
    fn budget(&mut self, main: &Plan) {
        let account = &self.input.observed.account;
        let (left, next_mail) = seats::mails_left(self.input);
        let new = |action: &&Action| action.invitation_mail().is_some_and(|(_, key)| key.is_none());
        let invitations = main.actions.iter().filter(new).count();
        let invitations = u32::try_from(invitations).unwrap_or(u32::MAX);
        let mut left = left.map(|left| left.saturating_sub(invitations));
        for (_, action) in std::mem::take(&mut self.mails) {
            let repeats = action.again().is_some();
            let waits = matches!(action, ClientAction::Request { .. }) && !repeats;
            if !account.agency {
                self.hold_back(action, Rule::NotAgency);
            } else if account.disabled {
                self.hold_back(action, Rule::ServiceDisabled);
            } else if waits && left == Some(0) {
                self.hold_back(action, Rule::MailBudget);
                self.timers.extend(next_mail);
            } else {
                left = left.map(|left| left.saturating_sub(u32::from(!repeats)));
                self.plan.actions.push(action);
            }
        }
    }

    /// What a mail that is held was to be remembered as sent with counts when it goes.
    fn keep_unsent(&mut self) {
        for HeldClient { action, .. } in &self.plan.held {
            let ClientAction::Resend { client, .. } = action else { continue };
            let known = self.input.ledger.clients.get(client);
            if let (Some(Some(record)), Some(known)) = (self.records.get_mut(client), known) {
                record.resent.clone_from(&known.resent);
            }
        }
    }

    fn hold_back(&mut self, action: ClientAction, rule: Rule) {
        if let Some(outlook) = self.plan.clients.get_mut(action.client()) {
            outlook.rule = Some(rule);
        }
        self.plan.held.push(HeldClient { action, rule });
    }
}

/// True if a row that is over is the end of this declaration's request.
fn is_answer(row: &ObservedClient, record: &ClientRecord) -> bool {
    let reference = record.declared_by.reference();
    record.seen != ClientSeen::Never || row.external_ref == Some(reference)
}

/// The row of a request, for an action.
fn request(row: &ObservedClient) -> RequestRow {
    RequestRow { id: row.id.clone(), etag: row.etag.clone() }
}
