//! Withdrawals of requests to clients: through the brake with what people lose (OP-07).

use jiff::Timestamp;

use crate::domain::policy::Mode;
use crate::plan::Rule;
use crate::plan::client_access::{ClientAction, WithdrawCause};
use crate::plan::clients::Clients;
use crate::plan::draft::Draft;

/// A withdrawal that is not paid for yet, and what the brake says of it.
#[derive(Debug)]
pub(super) struct ClientEnd {
    /// The withdrawal.
    pub action: ClientAction,
    /// It was part of the held set when we last looked.
    pub was_held: bool,
    /// When it has settled, if it has not.
    settles_at: Option<Timestamp>,
    /// The rule that holds it.
    rule: Option<Rule>,
}

impl ClientEnd {
    /// The brake holds it.
    pub fn hold(&mut self, rule: Rule) {
        self.rule = Some(rule);
    }

    /// The brake lets it run; one that was not approved settles first.
    pub fn release(&mut self, approved: bool) {
        self.rule = self.settles_at.filter(|_| !approved).map(|_| Rule::Settling);
    }

    /// Its line in the digest of the set.
    pub fn line(&self) -> String {
        match &self.action {
            ClientAction::Withdraw { request, .. } => format!("withdraw {}", request.id),
            ClientAction::Resend { client, .. } => format!("resend {client}"),
            ClientAction::Request { client, .. } => format!("request {client}"),
        }
    }
}

impl Clients<'_> {
    /// Withdrawals for the brake. Those that were paid for run, as far as the mode allows.
    pub fn ends(&mut self) -> Vec<ClientEnd> {
        let mut ends = Vec::new();
        for action in std::mem::take(&mut self.withdrawals) {
            let known = self.input.ledger.clients.get(action.client());
            if self.input.policy.mode == Mode::Invite {
                self.hold_back(action, Rule::InviteOnly);
            } else if known.is_some_and(|record| record.ending) {
                self.plan.actions.push(action);
            } else {
                let was_held = known.is_some_and(|record| record.held);
                let settles_at = self.settles_at(&action);
                ends.push(ClientEnd { action, was_held, settles_at, rule: None });
            }
        }
        ends
    }

    /// In the operator the end of a declaration waits from first sight, as that of a person's does.
    fn settles_at(&self, action: &ClientAction) -> Option<Timestamp> {
        let ClientAction::Withdraw { client, cause: WithdrawCause::NotDeclared, .. } = action
        else {
            return None;
        };
        let since = self.input.ledger.first_wanted.as_ref()?.clients.get(client).copied();
        let since = since.unwrap_or(self.input.now);
        let settled_at = Draft::after(since, self.input.policy.removals.settle);
        Some(settled_at).filter(|at| *at > self.input.now)
    }

    /// Does what the brake lets run, and pays for it.
    pub fn end(&mut self, ends: Vec<ClientEnd>) {
        let pays = self.input.policy.mode != Mode::Observe;
        for ClientEnd { action, settles_at, rule, .. } in ends {
            let record = self.records.get_mut(action.client()).and_then(Option::as_mut);
            match (rule, record) {
                (Some(rule), record) => {
                    if let Some(record) = record {
                        record.held = matches!(rule, Rule::RemovalBrake | Rule::EmptySource);
                    }
                    self.timers.extend(settles_at.filter(|_| rule == Rule::Settling));
                    self.hold_back(action, rule);
                    continue;
                }
                (None, Some(record)) if pays => {
                    record.ending = true;
                    self.plan.learn.brake_spent += 1;
                }
                (None, _) => {}
            }
            self.plan.actions.push(action);
        }
    }
}
