//! Who can be declared, and who is left out and why.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{RoleName, TeamId};
use crate::domain::observed::{InvitationState, MemberState, Observed, RoleSeen};
use crate::profile::{Profile, Role, Scope, Teams};

/// Everybody of an account, by team; the account as a whole has none.
#[derive(Debug, Default)]
pub struct People<'a> {
    /// Whom declarations give which role.
    declared: BTreeMap<Option<&'a TeamId>, BTreeMap<&'a EmailAddress, &'a RoleName>>,
    /// Who is not declared, and why.
    left_out: BTreeMap<Option<&'a TeamId>, Vec<String>>,
    /// Teams that are not declared.
    without: BTreeSet<&'a TeamId>,
}

impl<'a> People<'a> {
    /// Whom a declaration gives which role in a team, in order of address.
    pub fn of(&self, team: Option<&TeamId>) -> Vec<(&'a EmailAddress, &'a RoleName)> {
        let people = self.declared.get(&team).into_iter().flatten();
        people.map(|(person, role)| (*person, *role)).collect()
    }

    /// Who of a team is not declared, and why.
    pub fn left_out_of(&self, team: Option<&TeamId>) -> Vec<String> {
        self.left_out.get(&team).cloned().unwrap_or_default()
    }

    /// The same for the account as a whole.
    pub fn left_out_of_account(&self) -> Vec<String> {
        self.left_out_of(None)
    }

    /// Roles that are declared.
    pub fn roles(&self) -> BTreeSet<&'a RoleName> {
        self.here().flat_map(BTreeMap::values).copied().collect()
    }

    /// People that are declared, each once.
    pub fn count(&self) -> usize {
        self.here().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>().len()
    }

    /// Declares a person, or gives another role to one who is.
    pub fn declare(
        &mut self,
        team: Option<&'a TeamId>,
        person: &'a EmailAddress,
        role: &'a RoleName,
    ) {
        self.declared.entry(team).or_default().insert(person, role);
    }

    /// Leaves somebody out.
    pub fn leave_out(&mut self, team: Option<&'a TeamId>, why: String) {
        self.left_out.entry(team).or_default().push(why);
    }

    /// Leaves a whole team out.
    pub fn leave_team_out(&mut self, team: &'a TeamId) {
        self.without.insert(team);
    }

    /// True if the team is declared.
    pub fn has_team(&self, team: &TeamId) -> bool {
        !self.without.contains(team)
    }

    fn here(&self) -> impl Iterator<Item = &BTreeMap<&'a EmailAddress, &'a RoleName>> {
        let here = |(team, _): &(&Option<&TeamId>, _)| team.is_none_or(|team| self.has_team(team));
        self.declared.iter().filter(here).map(|(_, people)| people)
    }
}

/// Sorts members and invitations. Whose invitation is over is not declared: that would send it again.
pub fn declarable<'a>(profile: &Profile, observed: &'a Observed) -> People<'a> {
    let mut people = People::default();
    let Observed { members, invitations, teams, .. } = observed;
    for (key, member) in members {
        match member.state {
            MemberState::Unknown => {
                people.leave_out(key.team_id(), format!("{key} is in a state that is not known"));
            }
            MemberState::Active | MemberState::Trimmed => {
                let given = |role: &Role| role.invitable || role.ownership_change.is_some();
                place(&mut people, profile, (key, &member.role), given);
            }
        }
    }
    for (key, invitation) in invitations.iter().filter(|(key, _)| !members.contains_key(*key)) {
        let why = match invitation.state {
            InvitationState::Pending => {
                place(&mut people, profile, (key, &invitation.role), |role| role.invitable);
                continue;
            }
            InvitationState::Expired => "did not answer the invitation in time",
            InvitationState::Failed => "could not be reached by mail",
            InvitationState::Declined => "declined the invitation",
            InvitationState::Unknown => "has an invitation in a state that is not known",
        };
        people.leave_out(key.team_id(), format!("{key} {why}"));
    }
    for (id, team) in teams {
        if super::teams::obstacle(profile, team).is_some() {
            people.leave_team_out(id);
        }
    }
    people
}

/// Declares a person whose role a declaration can give there.
fn place<'a>(
    people: &mut People<'a>,
    profile: &Profile,
    (key, role): (&'a MemberKey, &'a RoleSeen),
    given: impl Fn(&Role) -> bool,
) {
    let team = key.team_id();
    let Some(name) = role.known() else {
        return people.leave_out(team, format!("{key} has a role that the profile does not know"));
    };
    let scope = if team.is_some() { Scope::Team } else { Scope::Account };
    let here = |role: &Role| profile.teams == Teams::One || role.scope == scope;
    if profile.role(name).is_some_and(|role| here(role) && given(role)) {
        people.declare(team, &key.person, name);
    } else {
        people.leave_out(team, format!("{key} is {name}: no declaration gives that role"));
    }
}
