//! Teams of an account that has many: what is declared of them, and what the service holds.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::desired::Desired;
use crate::domain::identity::{MemberKey, TeamKey};
use crate::domain::keys::{ETag, SubscriptionId, TeamId, TeamRef};

/// One declared team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTeam {
    /// The team at the service that the declaration names; `None`: the one that carries the
    /// declaration's reference, made if there is none.
    pub id: Option<TeamId>,
    /// Name for people.
    pub name: String,
    /// Subscription that it is linked to, where teams are.
    pub subscription: Option<SubscriptionId>,
    /// The declaration is being deleted, or not valid: the team is known by it, and neither made nor
    /// changed.
    pub passive: bool,
}

/// One team at the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedTeam {
    /// Version of the row.
    pub etag: ETag,
    /// Name for people.
    pub name: String,
    /// Reference of the declaration that it was made for.
    pub reference: Option<TeamRef>,
    /// Subscription that it is linked to.
    pub subscription: Option<SubscriptionId>,
    /// Whether people can be let in.
    pub state: TeamState,
}

/// Whether a team is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamState {
    /// Open.
    Active,
    /// Its subscription is over: people can only be taken out (CT-13).
    Inactive,
    /// Its setup is not complete (CT-03).
    Pending,
    /// A word that we do not know: not understood, not touched.
    Unknown,
}

/// The team at the service of each declared one: the one that the declaration names, else the one
/// that carries its reference. A team belongs to one declaration only; the one that names it counts.
#[must_use]
pub fn bindings(
    desired: &BTreeMap<TeamRef, DesiredTeam>,
    observed: &BTreeMap<TeamId, ObservedTeam>,
) -> BTreeMap<TeamRef, TeamId> {
    let named = desired.iter().filter_map(|(reference, team)| {
        let id = team.id.as_ref().filter(|id| observed.contains_key(*id))?;
        Some((reference.clone(), id.clone()))
    });
    let mut bound: BTreeMap<TeamRef, TeamId> = named.collect();
    let taken: BTreeSet<TeamId> = bound.values().cloned().collect();
    for (id, team) in observed.iter().filter(|(id, _)| !taken.contains(*id)) {
        let Some(reference) = &team.reference else { continue };
        if desired.get(reference).is_some_and(|team| team.id.is_none()) {
            bound.entry(reference.clone()).or_insert_with(|| id.clone());
        }
    }
    bound
}

impl Desired {
    /// The same with the teams that are at the service under their ids.
    #[must_use]
    pub fn bound(&self, observed: &BTreeMap<TeamId, ObservedTeam>) -> Cow<'_, Self> {
        let bound = bindings(&self.teams, observed);
        if bound.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut desired = self.clone();
        let people = std::mem::take(&mut desired.people).into_iter();
        desired.people = people.map(|(key, member)| (key.bound(&bound), member)).collect();
        let absent = std::mem::take(&mut desired.absent).into_iter();
        desired.absent = absent.map(|(key, absence)| (key.bound(&bound), absence)).collect();
        let frozen = std::mem::take(&mut desired.frozen).into_iter();
        desired.frozen = frozen.map(|key| key.bound(&bound)).collect();
        Cow::Owned(desired)
    }
}

impl MemberKey {
    /// The same with the id of a declared team that is at the service.
    #[must_use]
    pub fn bound(self, bound: &BTreeMap<TeamRef, TeamId>) -> Self {
        let Self { person, team } = self;
        let team = team.map(|team| match team {
            TeamKey::Declared(reference) => match bound.get(&reference) {
                Some(id) => TeamKey::Known(id.clone()),
                None => TeamKey::Declared(reference),
            },
            TeamKey::Known(id) => TeamKey::Known(id),
        });
        Self { person, team }
    }

    /// The team, if it is at the service.
    #[must_use]
    pub fn team_id(&self) -> Option<&TeamId> {
        match &self.team {
            Some(TeamKey::Known(id)) => Some(id),
            Some(TeamKey::Declared(_)) | None => None,
        }
    }
}
