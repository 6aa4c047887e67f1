//! Clients of an agency: who is asked for access, and whose request is withdrawn (NC-01 to NC-10).
//!
//! Each declaration asks once. Once access is granted the client alone decides about it: the role it
//! really gave is shown and never fought over (NC-06), and the end of a declaration lets it go
//! (NC-10). After a no only a person asks again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::clients::{
    ClientRecord, ClientSeen, ClientSend, ClientState, DesiredClient, ObservedClient,
};
use crate::domain::identity::EmailAddress;
use crate::domain::ledger_view::Cause;
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::client_access::{
    ClientAction, ClientOutlook, ClientPlan, HeldClient, RequestRow, Standing, WithdrawCause,
};
use crate::plan::client_ends::ClientEnd;
use crate::plan::draft::Draft;
use crate::plan::mails::{are_unsafe, passes, remembered, says_again, waits};
use crate::plan::{Input, Plan, Rule, seats};

/// A plan for clients in the making.
pub(super) struct Clients<'a> {
    pub(super) input: &'a Input<'a>,
    rows: &'a BTreeMap<EmailAddress, ObservedClient>,
    pub(super) records: BTreeMap<EmailAddress, Option<ClientRecord>>,
    pub(super) timers: BTreeSet<Timestamp>,
    pub(super) withdrawals: Vec<ClientAction>,
    /// Mails with the age of their declaration.
    mails: Vec<(Timestamp, ClientAction)>,
    pub(super) plan: ClientPlan,
}

impl<'a> Clients<'a> {
    /// Places every client; `None` where they were not read.
    ///
    /// n clients declared or observed. Time O(n log n).
    pub fn of(input: &'a Input<'a>) -> Option<Self> {
        let mut draft = Self {
            input,
            rows: input.observed.client_accesses.as_ref()?,
            records: BTreeMap::new(),
            timers: BTreeSet::new(),
            withdrawals: Vec::new(),
            mails: Vec::new(),
            plan: ClientPlan::default(),
        };
        for (client, wanted) in &input.desired.clients.declared {
            draft.declared(client, wanted);
        }
        draft.undeclared();
        Some(draft)
    }

    /// Places a declared client.
    fn declared(&mut self, client: &EmailAddress, wanted: &DesiredClient) {
        let row = self.rows.get(client);
        let waiting = row.filter(|row| row.state.is_open());
        let mut record = self.record_of(client, wanted, waiting.is_some());
        match waiting {
            Some(row) => self.open(client, wanted, row, &mut record),
            None => self.absent(client, wanted, row, &mut record),
        }
        self.records.insert(client.clone(), Some(record));
    }

    /// What the ledger knows of a declared client. What was written at an object before it counted
    /// asks for nothing more than the first mail, nor for any where the client was asked before.
    fn record_of(
        &self,
        client: &EmailAddress,
        wanted: &DesiredClient,
        is_open: bool,
    ) -> ClientRecord {
        let declared_by = Some(wanted.declaration.clone());
        let known = self.input.ledger.clients.get(client);
        if let Some(known) = known.filter(|record| record.declared_by == declared_by) {
            return ClientRecord { held: false, ..known.clone() };
        }
        let mut mails = known.map(|record| record.mails.clone()).unwrap_or_default();
        if known.is_none() || is_open {
            mails.heed(wanted.resend);
        }
        ClientRecord { declared_by, ..ClientRecord::new(self.input.now, mails) }
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
        record.seen = seen;
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
        let mut ends = false;
        if row.state == ClientState::Requested {
            let wait = wanted.withdraw_after;
            outlook.withdraw_at = wait.map(|wait| Draft::after(row.last_sent_at, wait));
            self.timers.extend(outlook.withdraw_at);
            ends = self.waiting(client, wanted, row, record, outlook.withdraw_at);
        }
        record.ending &= ends;
        self.plan.clients.insert(client.clone(), outlook);
    }

    /// A request that waits: withdrawn when its time is over, sent again when somebody asks. True
    /// if it is withdrawn.
    fn waiting(
        &mut self,
        client: &EmailAddress,
        wanted: &DesiredClient,
        row: &ObservedClient,
        record: &ClientRecord,
        withdraw_at: Option<Timestamp>,
    ) -> bool {
        let again = self.input.ledger.client_sends.get(client);
        let again = again.filter(|send| send.resend_of.is_some());
        if self.says_again(wanted, record, again) || again.is_some() {
            let (client, again) = (client.clone(), again.cloned());
            let cause = again.as_ref().map_or(self.cause(wanted, record, true), |send| send.cause);
            let action = ClientAction::Resend { client, request: request(row), cause, again };
            self.mails.push((record.first_seen, action));
            return false;
        }
        let ends = withdraw_at.is_some_and(|at| at <= self.input.now);
        if ends {
            self.withdraw(client, row, WithdrawCause::NoAnswer);
        }
        ends
    }

    /// Places a declared client whom nobody waits for at the service; `row`: an older request, which
    /// is over.
    fn absent(
        &mut self,
        client: &EmailAddress,
        wanted: &DesiredClient,
        row: Option<&ObservedClient>,
        record: &mut ClientRecord,
    ) {
        record.ending = false;
        let open = self.input.ledger.client_sends.get(client);
        let open = open.filter(|send| send.resend_of.is_none());
        let said = self.says_again(wanted, record, open);
        if let Some(send) = open {
            if self.input.now < send.not_after {
                return self.repeat(client, send, record);
            }
            if send.reference == wanted.declaration.reference() && !said {
                let outlook = ClientOutlook::new(Standing::InDoubt);
                return drop(self.plan.clients.insert(client.clone(), outlook));
            }
        }
        record.seen = answer(wanted, row, record);
        if record.is_over() && !said {
            let no = record.seen == ClientSeen::Rejected;
            let standing = if no { Standing::Rejected } else { Standing::Withdrawn };
            self.plan.clients.insert(client.clone(), ClientOutlook::new(standing));
            return;
        }
        let action = ClientAction::Request {
            client: client.clone(),
            role: wanted.role.clone(),
            reference: wanted.declaration.reference(),
            after: row.map(|row| row.id.clone()),
            cause: self.cause(wanted, record, said),
            again: None,
        };
        self.plan.clients.insert(client.clone(), ClientOutlook::new(Standing::Planned));
        self.mails.push((record.first_seen, action));
    }

    /// Asks again what may have been asked, under the same key.
    fn repeat(&mut self, client: &EmailAddress, send: &ClientSend, record: &ClientRecord) {
        let ClientSend { role, reference, after, cause, .. } = send.clone();
        let (again, to) = (Some(send.clone()), client.clone());
        let action = ClientAction::Request { client: to, role, reference, after, cause, again };
        self.plan.clients.insert(client.clone(), ClientOutlook::new(Standing::Sending));
        self.mails.push((record.first_seen, action));
    }

    /// True if a person has said anew that the client is to be asked again.
    fn says_again(
        &self,
        wanted: &DesiredClient,
        record: &ClientRecord,
        open: Option<&ClientSend>,
    ) -> bool {
        says_again(wanted.resend.into_iter(), &record.mails, open.map(|send| send.cause))
    }

    /// What the next mail to a client is sent for.
    fn cause(&self, wanted: &DesiredClient, record: &ClientRecord, decided: bool) -> Cause {
        Cause {
            attempt: record.mails.attempts.saturating_add(1),
            decided: decided && passes(&record.mails, self.input.now),
            mark: wanted.resend,
            ..Cause::default()
        }
    }

    /// Clients whose declaration is gone: a request that waits is withdrawn, all else is let go.
    fn undeclared(&mut self) {
        let Input { desired, ledger, policy, .. } = *self.input;
        let clients = &desired.clients;
        for (client, record) in &ledger.clients {
            if clients.declared.contains_key(client) || clients.frozen.contains(client) {
                continue;
            }
            let (Some(row), Some(declaration)) = (self.rows.get(client), &record.declared_by)
            else {
                continue;
            };
            let ours = record.seen != ClientSeen::Never
                || row.external_ref.as_ref() == Some(&declaration.reference());
            let mut outlook = ClientOutlook::new(Standing::Removing);
            outlook.row = Some(row.clone());
            match row.state {
                ClientState::Requested if ours && policy.mode != Mode::Invite => {
                    self.plan.clients.insert(client.clone(), outlook);
                    let record = ClientRecord { held: false, ..record.clone() };
                    self.records.insert(client.clone(), Some(record));
                    self.withdraw(client, row, WithdrawCause::NotDeclared);
                }
                ClientState::Granted | ClientState::Trimmed if ours => {
                    (outlook.standing, outlook.rule) =
                        (Standing::Granted, Some(Rule::OnlyClientEnds));
                    self.plan.clients.insert(client.clone(), outlook);
                    self.let_go(client, record);
                }
                _ => self.let_go(client, record),
            }
        }
    }

    /// Forgets a client, but for its mails; a no stays.
    fn let_go(&mut self, client: &EmailAddress, record: &ClientRecord) {
        let may_arrive = self.input.ledger.client_sends.contains_key(client);
        if !(may_arrive || record.is_over()) {
            let mails = Some(&record.mails).filter(|mails| remembered(mails, self.input.now));
            let left = mails.map(|mails| ClientRecord::new(record.first_seen, mails.clone()));
            self.records.insert(client.clone(), left);
        }
    }

    fn withdraw(&mut self, client: &EmailAddress, row: &ObservedClient, cause: WithdrawCause) {
        let (client, request) = (client.clone(), request(row));
        self.withdrawals.push(ClientAction::Withdraw { client, request, cause });
    }

    /// Lets mode, service and mail budget speak beside `main`, the plan of the people, and says what
    /// the ledger has to learn. `ends`: what the brake said of withdrawals.
    pub fn finish(mut self, main: &Plan, ends: Vec<ClientEnd>) -> ClientPlan {
        let Input { policy, ledger, desired, .. } = *self.input;
        self.end(ends);
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
        self.records.retain(|client, record| ledger.clients.get(client) != record.as_ref());
        let declared = desired.clients.declared.keys().chain(&desired.clients.frozen);
        self.plan.learn.seen = Some(declared.chain(self.rows.keys()).cloned().collect());
        self.plan.learn.records = self.records;
        self.plan.next_at = self.timers.range(self.input.now..).next().copied();
        self.plan
    }

    /// Mails: while the account is an agency that is enabled, mails are left, and the client did not
    /// get as many as one gets.
    fn budget(&mut self, main: &Plan) {
        let account = &self.input.observed.account;
        let (left, next_mail) = seats::mails_left(self.input);
        let new = |action: &&Action| action.invitation_mail().is_some_and(|(_, key)| key.is_none());
        let invitations = main.actions.iter().filter(new).count();
        let invitations = u32::try_from(invitations).unwrap_or(u32::MAX);
        let mut left = left.map(|left| left.saturating_sub(invitations));
        for (_, action) in std::mem::take(&mut self.mails) {
            let repeats = action.again().is_some();
            let until = self.waits(&action);
            if !account.agency {
                self.hold_back(action, Rule::NotAgency);
            } else if account.disabled {
                self.hold_back(action, Rule::ServiceDisabled);
            } else if are_unsafe(self.input.policy) {
                self.hold_back(action, Rule::UnsafeMail);
            } else if let Some((until, rule)) = until {
                self.timers.insert(until);
                self.hold_back(action, rule);
            } else if !repeats && left == Some(0) {
                self.timers.extend(next_mail);
                self.hold_back(action, Rule::MailBudget);
            } else {
                left = left.map(|left| left.saturating_sub(u32::from(!repeats)));
                self.plan.actions.push(action);
            }
        }
    }

    /// When the mails of one client let a mail go, and the rule that holds it until then.
    fn waits(&self, action: &ClientAction) -> Option<(Timestamp, Rule)> {
        let record = self.records.get(action.client())?.as_ref()?;
        waits(&record.mails, action.cause()?, action.again().is_some(), self.input.now)
    }

    pub(super) fn hold_back(&mut self, action: ClientAction, rule: Rule) {
        if let Some(outlook) = self.plan.clients.get_mut(action.client()) {
            outlook.rule = Some(rule);
        }
        self.plan.held.push(HeldClient { action, rule });
    }
}

/// What became of the request of a declaration that does not wait any more. A no to another object
/// does not count for this one.
fn answer(
    wanted: &DesiredClient,
    row: Option<&ObservedClient>,
    record: &ClientRecord,
) -> ClientSeen {
    let is_ours = |row: &&ObservedClient| {
        let reference = Some(wanted.declaration.reference());
        record.seen != ClientSeen::Never || row.external_ref == reference
    };
    match (record.seen, row.filter(is_ours).map(|row| row.state)) {
        (ClientSeen::Withdrawn, _) | (_, Some(ClientState::Removed)) => ClientSeen::Withdrawn,
        (ClientSeen::Rejected, _) | (_, Some(_)) => ClientSeen::Rejected,
        (ClientSeen::Requested | ClientSeen::Granted, None) => ClientSeen::Withdrawn,
        (ClientSeen::Never, None) => ClientSeen::Never,
    }
}

/// The row of a request, for an action.
fn request(row: &ObservedClient) -> RequestRow {
    RequestRow { id: row.id.clone(), etag: row.etag.clone() }
}
