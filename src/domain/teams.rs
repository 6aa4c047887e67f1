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
/// that carries its reference, else the one that it was before (`known`), if that carries none any
/// more. A team belongs to one accepted declaration: the one that it was made for, or that had it
/// before, keeps it from one that names it. A declaration that is not valid, or on its way out, holds
/// the same team beside it: its people are known by it.
#[must_use]
pub fn bindings(
    desired: &BTreeMap<TeamRef, DesiredTeam>,
    observed: &BTreeMap<TeamId, ObservedTeam>,
    known: &BTreeMap<TeamRef, TeamId>,
) -> BTreeMap<TeamRef, TeamId> {
    let owners = owners(observed, known);
    let mut bound = BTreeMap::new();
    let accepted = |team: &&DesiredTeam| !team.passive;
    let keeps = |reference: &TeamRef| {
        desired.get(reference).filter(accepted).is_some_and(|team| team.id.is_none())
    };
    for (reference, team) in desired {
        let named = team.id.as_ref().filter(|id| observed.contains_key(*id));
        let free = |id: &&TeamId| {
            let owner = owners.get(*id).filter(|owner| keeps(owner));
            team.passive || owner.is_none_or(|owner| *owner == reference)
        };
        if let Some(id) = named.filter(free) {
            bound.insert(reference.clone(), id.clone());
        }
    }
    let taken: BTreeSet<TeamId> = bound
        .iter()
        .filter(|(reference, _)| desired.get(*reference).is_some_and(|team| !team.passive))
        .map(|(_, id)| id.clone())
        .collect();
    for (id, reference) in owners {
        let Some(team) = desired.get(reference).filter(|team| team.id.is_none()) else { continue };
        if team.passive || !taken.contains(id) {
            bound.entry(reference.clone()).or_insert_with(|| id.clone());
        }
    }
    bound
}

/// Whom each team was made for, or had it before.
fn owners<'a>(
    observed: &'a BTreeMap<TeamId, ObservedTeam>,
    known: &'a BTreeMap<TeamRef, TeamId>,
) -> BTreeMap<&'a TeamId, &'a TeamRef> {
    let before: BTreeMap<&TeamId, &TeamRef> =
        known.iter().map(|(reference, id)| (id, reference)).collect();
    let owner = |(id, team): (&'a TeamId, &'a ObservedTeam)| {
        let owner = team.reference.as_ref().or_else(|| before.get(id).copied());
        owner.map(|owner| (id, owner))
    };
    observed.iter().filter_map(owner).collect()
}

/// Teams that no declaration has now, and that one without a team would be called as, or had before.
/// Until a person says which is meant, nobody loses a place in them: the declaration may only have
/// moved, or have a typing error.
#[must_use]
pub fn contested(
    desired: &BTreeMap<TeamRef, DesiredTeam>,
    observed: &BTreeMap<TeamId, ObservedTeam>,
    known: &BTreeMap<TeamRef, TeamId>,
    bound: &BTreeMap<TeamRef, TeamId>,
) -> BTreeSet<TeamId> {
    let taken: BTreeSet<&TeamId> = bound.values().collect();
    let unbound = || desired.iter().filter(|(reference, _)| !bound.contains_key(*reference));
    let names: BTreeSet<&str> = unbound().map(|(_, team)| team.name.as_str()).collect();
    let before: BTreeSet<&TeamId> = unbound().filter_map(|(r, _)| known.get(r)).collect();
    let free = observed.iter().filter(|(id, _)| !taken.contains(id));
    let wanted = free.filter(|(id, team)| names.contains(&*team.name) || before.contains(id));
    wanted.map(|(id, _)| id.clone()).collect()
}

impl Desired {
    /// The same with the teams that are at the service under their ids.
    #[must_use]
    pub fn bound(
        &self,
        observed: &BTreeMap<TeamId, ObservedTeam>,
        known: &BTreeMap<TeamRef, TeamId>,
    ) -> Cow<'_, Self> {
        let bound = bindings(&self.teams, observed, known);
        if bound.is_empty() {
            return Cow::Borrowed(self);
        }
        let key = |key: MemberKey| key.bound(|reference| bound.get(reference).cloned());
        let mut desired = self.clone();
        let people = std::mem::take(&mut desired.people).into_iter();
        desired.people = people.map(|(of, member)| (key(of), member)).collect();
        let absent = std::mem::take(&mut desired.absent).into_iter();
        desired.absent = absent.map(|(of, absence)| (key(of), absence)).collect();
        let frozen = std::mem::take(&mut desired.frozen).into_iter();
        let frozen = frozen.map(key);
        // Who is declared by a valid object is declared, whatever another one of the team says.
        desired.frozen = frozen.filter(|key| !desired.people.contains_key(key)).collect();
        Cow::Owned(desired)
    }
}

impl MemberKey {
    /// The same with the id of a declared team, where `id` knows it.
    #[must_use]
    pub fn bound(self, id: impl FnOnce(&TeamRef) -> Option<TeamId>) -> Self {
        let Self { person, team } = self;
        let team = team.map(|team| match team {
            TeamKey::Declared(reference) => {
                id(&reference).map_or(TeamKey::Declared(reference), TeamKey::Known)
            }
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
