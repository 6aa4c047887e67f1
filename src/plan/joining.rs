//! Ways in beside invitations: open join requests that a declaration settles (X6), and how many of
//! them, and of suggestions (CT-04), wait for somebody.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::identity::MemberKey;
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{RoleName, TeamId};
use crate::domain::policy::Mode;
use crate::plan::Input;
use crate::plan::action::Action;
use crate::plan::draft::Draft;
use crate::plan::members::{may_give, may_touch};

/// Who waits for somebody who may invite, those not counted whom the plan lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Open join requests.
    pub join_requests: u32,
    /// Open suggestions by team.
    pub suggestions: BTreeMap<TeamId, u32>,
}

/// Counts who waits.
pub(super) fn waiting(input: &Input<'_>, actions: &[Action]) -> Waiting {
    let joining = &input.observed.joining;
    let coming: BTreeSet<&MemberKey> =
        actions.iter().filter(|action| action.cause().is_some()).map(Action::person).collect();
    let asks = joining.requests.iter().flat_map(BTreeMap::keys);
    let asks = asks.filter(|person| !coming.contains(&MemberKey::from((*person).clone())));
    let mut waiting = Waiting {
        join_requests: u32::try_from(asks.count()).unwrap_or(u32::MAX),
        suggestions: BTreeMap::new(),
    };
    for key in joining.suggestions.iter().flatten().filter(|key| !coming.contains(key)) {
        if let Some(team) = key.team_id() {
            *waiting.suggestions.entry(team.clone()).or_insert(0) += 1;
        }
    }
    waiting
}

/// The open join request that lets a declared person in, in place of an invitation. It gives the role
/// of joining: a higher one follows by a change of role, and for a lower one the person is invited.
pub(super) fn request(
    draft: &Draft<'_>,
    person: &MemberKey,
    role: &RoleName,
) -> Option<ObservedJoinRequest> {
    let profile = draft.input.profile;
    let gives = &profile.auto_join.as_ref()?.role;
    let requests = draft.input.observed.joining.requests.as_ref()?;
    let row = requests.get(&person.person).filter(|_| person.team.is_none())?;
    let raised = profile.rank(role) < profile.rank(gives)
        && profile.role(role).is_some_and(|role| !role.immutable)
        && draft.allows(Mode::Manage);
    let fits = role == gives || raised;
    (fits && may_touch(draft, gives) && may_give(draft, role)).then(|| row.clone())
}
