//! Whose the account is: the claim on it against the ledger that we have. A ledger that is gone is as
//! good as none: who said no, what was sent and who is ours is not known any more.

use sha2::{Digest as _, Sha256};

use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::brake::{hex, line};
use crate::plan::client_access::ClientLearn;
use crate::plan::notification::{HeldRecipient, RecipientLearn};
use crate::plan::teams::TeamAction;
use crate::plan::{Approval, Held, HeldClient, Hold, HoldCause, Input, Learn, Plan, Rule, Stop};

/// Whose claim is on the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// Nobody's: the first run that may write puts ours there.
    Free,
    /// Ours.
    Ours,
    /// Another's, which a person decided to replace; the run that did so was killed.
    Taking,
    /// It was made from here, and no ledger is left that knows of it.
    LedgerLost,
    /// Another installation's, or ours from another place: a copy of the ledger is at work there.
    ByOther,
}

/// Compares the claim with the ledger.
pub(super) fn claimed(input: &Input<'_>) -> Claimed {
    let ledger = input.ledger;
    let Some(claim) = &input.observed.account.claim else { return Claimed::Free };
    let elsewhere = ledger.fingerprint.as_ref().is_some_and(|here| *here != claim.fingerprint);
    match &ledger.installation {
        _ if ledger.takes_from.as_ref() == Some(claim) => Claimed::Taking,
        None if !elsewhere => Claimed::LedgerLost,
        Some(ours) if *ours == claim.installation && !elsewhere => Claimed::Ours,
        None | Some(_) => Claimed::ByOther,
    }
}

/// Holds a whole plan until a person approves it, if the ledger that goes with the claim is lost.
/// Nothing is written before; approved, it runs and puts a new claim in place of the old one.
pub(super) fn hold_if_lost(input: &Input<'_>, mut plan: Plan) -> Plan {
    let writes = input.policy.mode > Mode::Observe && plan.stop.is_none();
    if !writes || claimed(input) != Claimed::LedgerLost {
        return plan;
    }
    let hold = hold(input, &plan);
    if input.policy.approval.as_ref() == Some(&hold.digest) {
        plan.learn.approval = Approval::Used(hold.digest);
        plan.learn.claim = true;
        return plan;
    }
    for action in std::mem::take(&mut plan.actions) {
        if let Some(outlook) = plan.people.get_mut(action.person()) {
            outlook.rule = Some(Rule::LedgerLost);
        }
        plan.held.push(Held { action, rule: Rule::LedgerLost });
    }
    plan.held.sort_by_key(|held| held.action.order());
    let clients = std::mem::take(&mut plan.clients.actions).into_iter();
    plan.clients.held.extend(clients.map(|action| HeldClient { action, rule: Rule::LedgerLost }));
    for action in std::mem::take(&mut plan.teams.actions) {
        plan.teams.hold(action, Rule::LedgerLost);
    }
    plan.clients.learn = ClientLearn::default();
    let recipients = std::mem::take(&mut plan.recipients.actions).into_iter();
    let recipients = recipients.map(|action| HeldRecipient { action, rule: Rule::LedgerLost });
    plan.recipients.held.extend(recipients);
    plan.recipients.learn = RecipientLearn::default();
    let domains = std::mem::take(&mut plan.domains.actions).into_iter();
    plan.domains.held.extend(domains.map(|action| (action, Rule::LedgerLost)));
    plan.domains.learn = None;
    for seats in plan.pools.values_mut().chain([&mut plan.seats]) {
        seats.after = seats.before;
    }
    (plan.learn, plan.hold, plan.stop) = (Learn::default(), Some(hold), Some(Stop::LedgerLost));
    plan
}

/// The digest of everything that would be done, and of the claim that would be replaced: so none
/// approves twice.
fn hold(input: &Input<'_>, plan: &Plan) -> Hold {
    let mut lines: Vec<String> = plan.actions.iter().map(line).collect();
    lines.extend(plan.clients.actions.iter().map(ToString::to_string));
    lines.extend(plan.teams.actions.iter().map(TeamAction::line));
    lines.extend(plan.recipients.actions.iter().map(ToString::to_string));
    lines.extend(plan.domains.actions.iter().map(ToString::to_string));
    lines.sort();
    let account = &input.observed.account;
    let claim = account.claim.as_ref().map_or("", |claim| claim.installation.as_str());
    let text = format!("{}\nledger lost\n{claim}\n{}", account.key, lines.join("\n"));
    let count = |of: fn(&Action) -> bool| {
        let count = plan.actions.iter().filter(|action| of(action)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Hold {
        digest: hex(&Sha256::digest(text)),
        additions: count(adds),
        removals: count(ends),
        changes: count(|action| !adds(action) && !ends(action)),
        allowed: 0,
        spent: 0,
        why: HoldCause::LedgerLost,
        absent: Vec::new(),
    }
}

fn adds(action: &Action) -> bool {
    matches!(
        action,
        Action::Invite { .. }
            | Action::Add { .. }
            | Action::Approve { .. }
            | Action::Resend { .. }
            | Action::Reinstate { .. }
    )
}

fn ends(action: &Action) -> bool {
    matches!(action, Action::RevokeInvitation { .. } | Action::Trim { .. } | Action::Remove { .. })
}
