//! Guards: each holds actions back and says which rule. Source: OP-05, OP-06, OP-07.

use std::collections::BTreeMap;

use crate::domain::keys::RoleName;
use crate::domain::observed::{MemberState, Observed};
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::claims::{Claimed, claimed};
use crate::plan::draft::Draft;
use crate::plan::trust::Trust;
use crate::plan::{Input, Rule, Stop};

/// Why nothing at all may be written.
pub(super) fn stop(input: &Input<'_>, trust: &Trust) -> Option<Stop> {
    let policy = input.policy;
    if let Some(distrust) = &trust.distrust {
        return Some(Stop::ReadUntrusted(distrust.clone()));
    }
    if policy.mode > Mode::Observe && claimed(input) == Claimed::ByOther {
        return Some(Stop::ClaimedByOther);
    }
    policy.suspend.then_some(Stop::Suspended)
}

/// Owner guard (OP-05): never fewer confirmed holders than the profile's minimum, counted on what
/// would be left; never our own identity.
pub(super) fn owners(draft: &mut Draft<'_>) {
    let mut holders = holders(draft.input);
    for action in std::mem::take(&mut draft.endings) {
        match ends_role(draft.input.observed, &action) {
            Some(_) if is_caller(draft.input, &action) => {
                draft.hold_back(action, Rule::OwnIdentity);
            }
            Some(role) if !leaves_enough(draft.input, &mut holders, &role) => {
                draft.hold_back(action, Rule::OwnerGuard);
            }
            Some(_) | None => draft.endings.push(action),
        }
    }
    most_holders(draft);
}

/// Holds back raises to a role that already has its most holders; an ownership changes hands in
/// two confirmed steps, not by a change of role.
fn most_holders(draft: &mut Draft<'_>) {
    let mut holders = holders(draft.input);
    for action in std::mem::take(&mut draft.changes) {
        let Action::ChangeRole { to, .. } = &action else {
            draft.changes.push(action);
            continue;
        };
        let most = draft.input.profile.role(to).and_then(|role| role.max_holders);
        let count = holders.entry(to.clone()).or_insert(0);
        if most.is_some_and(|most| *count >= most) {
            draft.hold_back(action, Rule::OwnerGuard);
        } else {
            *count += 1;
            draft.changes.push(action);
        }
    }
}

/// Confirmed holders of each role.
pub(super) fn holders(input: &Input<'_>) -> BTreeMap<RoleName, u32> {
    let mut holders = BTreeMap::new();
    for member in input.observed.members.values() {
        if let (MemberState::Active, Some(role)) = (member.state, member.role.known()) {
            *holders.entry(role.clone()).or_insert(0) += 1;
        }
    }
    holders
}

/// The role that somebody who has it now would no longer have.
pub(super) fn ends_role(observed: &Observed, action: &Action) -> Option<RoleName> {
    let ends =
        matches!(action, Action::Remove { .. } | Action::Trim { .. } | Action::ChangeRole { .. });
    let member = observed.members.get(action.person()).filter(|_| ends)?;
    member.role.known().cloned()
}

fn is_caller(input: &Input<'_>, action: &Action) -> bool {
    let member = input.observed.members.get(action.person());
    member.is_some_and(|member| input.observed.account.caller.as_ref() == Some(&member.id))
}

fn leaves_enough(
    input: &Input<'_>,
    holders: &mut BTreeMap<RoleName, u32>,
    role: &RoleName,
) -> bool {
    let least = input.profile.role(role).map_or(0, |role| role.min_holders);
    let Some(count) = holders.get_mut(role) else { return true };
    if least > 0 && *count <= least {
        return false;
    }
    *count = count.saturating_sub(1);
    true
}

/// In the operator a removal waits from first sight, so that a mass deletion is seen as one plan.
/// Lower roles and trims do not wait.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let Some(first_wanted) = &draft.input.ledger.first_wanted else { return };
    for action in std::mem::take(&mut draft.endings) {
        let since = first_wanted.people.get(action.person()).copied().unwrap_or(draft.input.now);
        let settled_at = Draft::after(since, draft.input.policy.removals.settle);
        if matches!(action, Action::ChangeRole { .. }) || draft.input.now >= settled_at {
            draft.endings.push(action);
        } else {
            draft.timers.insert(settled_at);
            draft.unsettled.push(action);
        }
    }
}
