//! What each step of the mode ladder would do, asked while the mode is `Observe`.

use crate::domain::policy::{Mode, Policy};
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;
use crate::plan::domains::DomainAction;
use crate::plan::notification::RecipientAction;
use crate::plan::teams::TeamAction;
use crate::plan::{Input, Plan, PlanError, plan};

/// The modes that write, each with the plan that it would have of this look.
pub type Ladder = Vec<(Mode, Plan)>;

/// Plans each step above `Observe`; empty in any other mode. Time O(n log n).
///
/// # Errors
///
/// As [`plan`].
pub fn ladder(input: &Input<'_>) -> Result<Ladder, PlanError> {
    if input.policy.mode != Mode::Observe {
        return Ok(Ladder::new());
    }
    let step = |mode| {
        let policy = Policy { mode, ..input.policy.clone() };
        Ok((mode, plan(&Input { policy: &policy, ..*input })?))
    };
    [Mode::Invite, Mode::Manage, Mode::Exclusive].into_iter().map(step).collect()
}

/// How much a plan does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Radius {
    /// People let in or asked, teams made, recipients added.
    pub additions: usize,
    /// Roles, owners, teams and settings changed.
    pub changes: usize,
    /// Places, invitations, requests and recipients taken away.
    pub removals: usize,
    /// What a rule holds back.
    pub held: usize,
}

impl Radius {
    /// Counts a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let held = plan.held.len()
            + plan.teams.held.len()
            + plan.clients.held.len()
            + plan.recipients.held.len()
            + plan.domains.held.len();
        let mut radius = Self { held, ..Self::default() };
        for action in &plan.actions {
            *radius.of_people(action) += 1;
        }
        for action in &plan.teams.actions {
            let makes = matches!(action, TeamAction::Create { .. });
            *(if makes { &mut radius.additions } else { &mut radius.changes }) += 1;
        }
        for action in &plan.domains.actions {
            *match action {
                DomainAction::Add { .. } => &mut radius.additions,
                DomainAction::Verify { .. } | DomainAction::LetJoin { .. } => &mut radius.changes,
                DomainAction::Remove { .. } => &mut radius.removals,
            } += 1;
        }
        let clients = plan.clients.actions.iter().map(ClientAction::takes_away);
        let recipients = plan.recipients.actions.iter().map(RecipientAction::takes_away);
        for takes_away in clients.chain(recipients) {
            *(if takes_away { &mut radius.removals } else { &mut radius.additions }) += 1;
        }
        radius
    }

    fn of_people(&mut self, action: &Action) -> &mut usize {
        match action {
            Action::Invite { .. }
            | Action::Add { .. }
            | Action::Approve { .. }
            | Action::Resend { .. }
            | Action::Reinstate { .. } => &mut self.additions,
            Action::ChangeRole { .. }
            | Action::ChangeInvitedRole { .. }
            | Action::ChangeOwner { .. }
            | Action::CancelOwnerChange { .. } => &mut self.changes,
            Action::RevokeInvitation { .. } | Action::Trim { .. } | Action::Remove { .. } => {
                &mut self.removals
            }
        }
    }
}
