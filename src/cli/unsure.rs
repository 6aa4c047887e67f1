//! What can be said of an account that others manage, where their ledger is not at hand: a change is
//! checked on a machine that keeps nothing. What only the ledger knows is marked with `?`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::cli::session::Session;
use crate::domain::identity::MemberKey;
use crate::domain::observed::{InvitationState, Observed, RoleSeen};
use crate::plan::action::Action;
use crate::plan::{Plan, Rule};

/// What would be done by who has the ledger, a line each, and what `?` means; `plan` is one in mode
/// `Observe`.
#[must_use]
pub fn text(session: &Session, plan: &Plan, observed: &Observed) -> String {
    let mut text = String::new();
    for held in plan.held.iter().filter(|held| held.rule == Rule::Observing) {
        let mark = if needs_ledger(&held.action) { "? " } else { "" };
        let _ = writeln!(text, "{mark}{}", held.action);
    }
    match undeclared(session, observed) {
        0 => {}
        n => {
            let _ = writeln!(text, "? not declared, at the service: {n}; removed if they are ours");
        }
    }
    text.push_str(
        "? means that only the ledger knows: who is ours, said no, or was mailed; give it with --ledger \
         kube:NAMESPACE/NAME, file:PATH or account\n",
    );
    text
}

/// People at the service that nobody declares, owners aside.
fn undeclared(session: &Session, observed: &Observed) -> usize {
    let desired = session.desired.bound(&observed.teams, &session.ledger.teams());
    let owner = |role: &RoleSeen| role.known().is_some_and(|role| session.profile.is_owner(role));
    let members = observed.members.iter().filter(|(_, member)| !owner(&member.role));
    let open = |state| state == InvitationState::Pending;
    let invited = observed.invitations.iter().filter(|(_, row)| open(row.state));
    let people = members.map(|(person, _)| person).chain(invited.map(|(person, _)| person));
    let people: BTreeSet<_> = people.collect();
    let declared = |key: &MemberKey| desired.people.contains_key(key) || desired.is_frozen(key);
    let present = |key: &MemberKey| key.at(desired.present(&key.person));
    let others = people.into_iter();
    others.filter(|person| !declared(person) && !declared(&present(person))).count()
}

/// True if the ledger may know that this was done, or must not be.
fn needs_ledger(action: &Action) -> bool {
    match action {
        Action::Invite { .. }
        | Action::Resend { .. }
        | Action::Add { .. }
        | Action::Approve { .. }
        | Action::ChangeOwner { .. }
        | Action::RevokeInvitation { .. }
        | Action::Trim { .. }
        | Action::Remove { .. } => true,
        Action::ChangeRole { .. }
        | Action::CancelOwnerChange { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::Reinstate { .. } => false,
    }
}
