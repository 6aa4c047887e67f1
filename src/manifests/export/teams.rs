//! Teams with their rosters, and who does not go into one.

use serde_json::{Value, json};

use crate::api;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{RoleName, TeamId};
use crate::domain::observed::Observed;
use crate::domain::teams::ObservedTeam;
use crate::manifests::export::name::Taken;
use crate::manifests::export::object::{Writer, left_out};
use crate::manifests::export::people::People;
use crate::profile::{Profile, TeamSubscription};
use crate::yaml::WriteError;

/// Most people of one Team object.
const ROSTER: usize = 2000;

/// Longest name that a Team can have.
const MAX_NAME_CHARS: usize = 100;

/// Somebody with their role.
type Person<'a> = (&'a EmailAddress, &'a RoleName);

/// Writes the Teams of an account that is one team; gives the name of the first.
pub fn one(
    writer: &mut Writer<'_>,
    observed: &Observed,
    people: &People<'_>,
) -> Result<String, WriteError> {
    let all = people.of(None);
    let mut rosters: Vec<&[Person<'_>]> = all.chunks(ROSTER).collect();
    if rosters.is_empty() {
        rosters.push(&[]);
    }
    for (index, roster) in rosters.into_iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
        let mut spec = json!({"accountRef": writer.account_ref(), "roster": lines(roster)});
        if index == 0 && observed.account.secure_sign_in {
            spec["requireSecureSignIn"] = json!(true);
        }
        let name = format!("{}{number}", writer.names.name);
        writer.file::<api::Team>(&format!("team{number}"), &[], vec![(name, spec)])?;
    }
    Ok(writer.names.name.to_owned())
}

/// Writes the teams of an account that has many, and who holds a role in the account as a whole;
/// gives the name of the first Team.
pub fn many(
    writer: &mut Writer<'_>,
    profile: &Profile,
    observed: &Observed,
    people: &People<'_>,
) -> Result<Option<String>, WriteError> {
    let (mut taken, mut members) = (Taken::default(), Taken::default());
    let mut first = None;
    for (id, team) in &observed.teams {
        if let Some(why) = obstacle(profile, team) {
            let whole = format!("team {:?} {why}: it and its people stay as they are", team.name);
            writer.exported.left_out.push(whole);
            continue;
        }
        let name = taken.name(&team.name, id.as_str());
        let gone = people.left_out_of(Some(id));
        let in_team = |why: &String| format!("{why} (team {:?})", team.name);
        writer.exported.left_out.extend(gone.iter().map(in_team));
        let all = people.of(Some(id));
        let (roster, more) = all.split_at(all.len().min(ROSTER));
        let mut spec = team_spec(writer, id, team);
        spec["roster"] = json!(lines(roster));
        if first.is_none() && observed.account.secure_sign_in {
            spec["requireSecureSignIn"] = json!(true);
        }
        let objects = vec![(name.clone(), spec)];
        writer.file::<api::Team>(&format!("team-{name}"), &left_out(&gone), objects)?;
        let reference = json!({"teamRef": {"name": name}});
        memberships(writer, &mut members, &format!("memberships-{name}"), &reference, more)?;
        writer.exported.counts.teams += 1;
        first = first.or(Some(name));
    }
    let account = json!({"accountRef": writer.account_ref()});
    memberships(writer, &mut members, "memberships", &account, &people.of(None))?;
    Ok(first)
}

/// Why a team cannot be declared; `None`: it can.
pub fn obstacle(profile: &Profile, team: &ObservedTeam) -> Option<&'static str> {
    let needs =
        profile.team.is_some_and(|rules| rules.subscription == TeamSubscription::ExactlyOne);
    if needs && team.subscription.is_none() {
        Some("has no subscription yet")
    } else if team.name.is_empty() || team.name.chars().count() > MAX_NAME_CHARS {
        Some("has a name that a Team cannot have")
    } else {
        None
    }
}

fn team_spec(writer: &Writer<'_>, id: &TeamId, team: &ObservedTeam) -> Value {
    let mut spec = json!({
        "accountRef": writer.account_ref(),
        "teamId": id.as_str(),
        "displayName": team.name,
    });
    if let Some(subscription) = &team.subscription {
        spec["subscription"] = json!(subscription.as_str());
    }
    spec
}

/// Writes a file of Memberships, if there is anybody to put into it.
fn memberships(
    writer: &mut Writer<'_>,
    taken: &mut Taken,
    file: &str,
    reference: &Value,
    people: &[Person<'_>],
) -> Result<(), WriteError> {
    if people.is_empty() {
        return Ok(());
    }
    let objects = people.iter().map(|(person, role)| {
        let mut spec = reference.clone();
        spec["email"] = json!(person.as_str());
        spec["role"] = json!(role.as_str());
        (taken.name(person.as_str(), "person"), spec)
    });
    let objects = objects.collect();
    writer.file::<api::Membership>(file, &[], objects)
}

/// Lines of a roster.
fn lines(people: &[Person<'_>]) -> Vec<Value> {
    let line =
        |(person, role): &Person<'_>| json!({"email": person.as_str(), "role": role.as_str()});
    people.iter().map(line).collect()
}
