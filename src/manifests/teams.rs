//! What the Teams of an account say besides their people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::Team;
use crate::domain::identity::{EmailAddress, MemberKey, TeamKey};
use crate::domain::keys::{SubscriptionId, TeamId, TeamRef};
use crate::domain::teams::DesiredTeam;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::resolve::Outcome;
use crate::manifests::source::Declared;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::team_key;
use crate::profile::{Profile, TeamSubscription, Teams};

/// The reference under which a team is made.
pub fn reference(team: &ObjectKey) -> TeamRef {
    TeamRef(format!("{}/{}", team.namespace, team.name))
}

/// Whom a Membership or a line of a roster means: the person in the team, where an account has many.
#[must_use]
pub fn member_key(
    person: EmailAddress,
    team: Option<&ObjectKey>,
    profile: Option<&Profile>,
) -> MemberKey {
    let many = profile.is_some_and(|profile| profile.teams == Teams::Many);
    let team = team.filter(|_| many).map(reference);
    MemberKey { person, team: team.map(TeamKey::Declared) }
}

/// The teams of an account that has many. One that is being deleted or not accepted is known by its
/// declaration, and neither made nor changed.
pub fn teams(
    teams: &[Declared<Team>],
    profile: Option<&Profile>,
    outcomes: &BTreeMap<ObjectKey, Outcome>,
) -> BTreeMap<TeamRef, DesiredTeam> {
    if profile.is_none_or(|profile| profile.teams == Teams::One) {
        return BTreeMap::new();
    }
    let desired = teams.iter().map(|team| {
        let (key, spec) = (team_key(&team.object), &team.object.spec);
        let accepted = outcomes.get(&key).is_some_and(|outcome| outcome.accepted.is_ok());
        let desired = DesiredTeam {
            id: spec.team_id.clone().map(TeamId),
            name: spec.display_name.clone().unwrap_or_else(|| team.object.name_any()),
            subscription: spec.subscription.clone().map(SubscriptionId),
            passive: !accepted || team.object.metadata.deletion_timestamp.is_some(),
        };
        (reference(&key), desired)
    });
    desired.collect()
}

/// Whether everyone must sign in by more than a password, as the oldest Team that says it has it.
pub fn secure_sign_in(
    teams: &[Declared<Team>],
    outcomes: &BTreeMap<ObjectKey, Outcome>,
) -> Option<bool> {
    let accepted = |team: &&&Declared<Team>| {
        outcomes.get(&team_key(&team.object)).is_some_and(|outcome| outcome.accepted.is_ok())
    };
    living(teams).iter().filter(accepted).find_map(|team| team.object.spec.require_secure_sign_in)
}

/// Teams that the profile does not allow, and those in an older one's way.
pub fn refused(teams: &[Declared<Team>], profile: &Profile) -> BTreeMap<ObjectKey, Rejection> {
    let mut refused = BTreeMap::new();
    let mut named: BTreeMap<&str, ObjectKey> = BTreeMap::new();
    let mut settings: Option<(bool, ObjectKey)> = None;
    for team in living(teams) {
        let (key, spec) = (team_key(&team.object), &team.object.spec);
        let rejection = against_profile(team, profile)
            .or_else(|| conflict_of_id(spec.team_id.as_deref()?, &named))
            .or_else(|| conflict_of_settings(spec.require_secure_sign_in?, settings.as_ref()?));
        if let Some(rejection) = rejection {
            refused.insert(key, rejection);
            continue;
        }
        if let Some(id) = &spec.team_id {
            named.insert(id, key.clone());
        }
        if let Some(required) = spec.require_secure_sign_in {
            settings = settings.or(Some((required, key)));
        }
    }
    refused
}

/// Teams that are not being deleted, oldest first; ties by name.
fn living(teams: &[Declared<Team>]) -> Vec<&Declared<Team>> {
    let age = |team: &Declared<Team>| {
        let created = team.object.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created.unwrap_or(Timestamp::MAX), team_key(&team.object))
    };
    let living = teams.iter().filter(|team| team.object.metadata.deletion_timestamp.is_none());
    let mut living: Vec<_> = living.collect();
    living.sort_by_key(|team| age(team));
    living
}

/// What the profile does not allow.
fn against_profile(team: &Declared<Team>, profile: &Profile) -> Option<Rejection> {
    let spec = &team.object.spec;
    let cannot = |field: &str, message: String, hint: &str| {
        Some(Rejection::new(Reason::ProfileCannot, format!("/spec/{field}"), message, hint))
    };
    let name = &profile.name;
    let linked = profile.team.is_some_and(|rules| rules.subscription != TeamSubscription::None);
    match profile.teams {
        Teams::One if spec.team_id.is_some() => {
            let message = format!("profile `{name}` has one team in an account");
            return cannot("teamId", message, "leave the field out");
        }
        _ if spec.subscription.is_some() && !linked => {
            let message = format!("profile `{name}` links no team to a subscription");
            return cannot("subscription", message, "leave the field out");
        }
        Teams::Many if spec.subscription.is_none() && linked => {
            let message = format!("is missing: profile `{name}` links every team to one");
            return cannot("subscription", message, "name the id of a subscription, as `sub_…`");
        }
        Teams::One | Teams::Many => {}
    }
    if spec.require_secure_sign_in.is_some() && profile.secure_sign_in.is_empty() {
        let message = format!("profile `{name}` cannot require secure sign-in");
        return cannot("requireSecureSignIn", message, "leave the field out");
    }
    None
}

/// Another Team names the same team.
fn conflict_of_id(id: &str, named: &BTreeMap<&str, ObjectKey>) -> Option<Rejection> {
    let older = named.get(id)?;
    let message = format!("{older} names this team already");
    let hint = "keep one of the two; the older counts";
    Some(Rejection::new(Reason::Conflict, "/spec/teamId", message, hint))
}

/// An older Team sets the account differently.
fn conflict_of_settings(required: bool, settings: &(bool, ObjectKey)) -> Option<Rejection> {
    let (before, older) = settings;
    (required != *before).then(|| {
        let message = format!("{older} sets this differently for the whole account");
        let hint = "say the same in both, or leave it out in one; the older counts";
        Rejection::new(Reason::Conflict, "/spec/requireSecureSignIn", message, hint)
    })
}
