//! What `profile check` says of a profile that is right.

use std::collections::BTreeMap;

use crate::domain::keys::RoleName;
use crate::domain::observed::SeatLimit;
use crate::profile::Word as _;
use crate::profile::builtin::built_in_text;
use crate::profile::{Counted, OnShrink, Plan, Profile, Reach, Role, Teams, read};
use crate::yaml::Problem;

/// Checks a profile: everything that is wrong, or a summary for people.
#[must_use]
pub fn check(file: &str, text: &str) -> (Vec<Problem>, String) {
    match read(file, text) {
        Ok(profile) => (Vec::new(), summary(&profile)),
        Err(problems) => (problems, String::new()),
    }
}

/// Checks a profile that comes with the program; `None` if there is none of that name.
#[must_use]
pub fn check_built_in(name: &str) -> Option<(Vec<Problem>, String)> {
    let (file, text) = built_in_text(name)?;
    Some(check(&file, text))
}

/// Roles with rank and reach, plans with seats, what counts.
fn summary(profile: &Profile) -> String {
    let teams = match profile.teams {
        Teams::One => "one team per account",
        Teams::Many => "many teams per account",
    };
    let mut lines = vec![format!("{} ({}), {teams}", profile.name, profile.title)];
    lines.push("roles, highest first:".to_owned());
    let width = profile.roles.iter().map(|role| role.name.as_str().len()).max().unwrap_or(0);
    for (rank, role) in profile.roles.iter().enumerate() {
        let name = role.name.as_str();
        lines.push(format!("  {rank}  {name:<width$}  {}", role_line(profile, role)));
    }
    lines.push("plans, lowest tier first:".to_owned());
    let width = profile.plans.iter().map(|plan| plan.name.as_str().len()).max().unwrap_or(0);
    for plan in &profile.plans {
        lines.push(format!("  {:<width$}  {}", plan.name.as_str(), plan_line(plan)));
    }
    lines.push(seats_line(profile));
    lines.push(format!("digest: {}", profile.digest));
    lines.join("\n") + "\n"
}

/// What is special about a role, and on whom it acts.
fn role_line(profile: &Profile, role: &Role) -> String {
    let manage = &profile.manage;
    let mut parts = Vec::new();
    match (role.min_holders, role.max_holders) {
        (0, None) => (),
        (min, Some(max)) if min == max => parts.push(format!("exactly {min}")),
        (min, None) => parts.push(format!("at least {min}")),
        (min, Some(max)) => parts.push(format!("{min} to {max}")),
    }
    let marks = [
        (role.protected, "protected"),
        (!role.invitable, "not by invitation"),
        (role.immutable, "immutable"),
        (!role.removable, "not removable"),
    ];
    parts.extend(marks.into_iter().filter(|(set, _)| *set).map(|(_, text)| text.to_owned()));
    let verbs =
        [("invites", &manage.invite), ("changes", &manage.change), ("removes", &manage.remove)];
    let reach = |(verb, map): (&str, &BTreeMap<RoleName, Reach>)| {
        map.get(&role.name).map(|reach| match reach {
            Reach::Lower => format!("{verb} lower"),
            Reach::Own => format!("{verb} own and lower"),
        })
    };
    parts.extend(verbs.into_iter().filter_map(reach));
    if parts.is_empty() { "acts on nobody".to_owned() } else { parts.join(", ") }
}

/// Seats of a plan.
fn plan_line(plan: &Plan) -> String {
    let seats = match plan.seats {
        SeatLimit::Seats(1) => "1 seat".to_owned(),
        SeatLimit::Seats(seats) => format!("{seats} seats"),
        SeatLimit::Unlimited => "unlimited".to_owned(),
    };
    if plan.paid { seats } else { format!("{seats}, not paid") }
}

/// What takes a seat and what a shrinking limit does.
fn seats_line(profile: &Profile) -> String {
    let counts: Vec<&str> = profile.seats.counts.iter().copied().map(Counted::word).collect();
    if counts.is_empty() {
        return "seats: not counted".to_owned();
    }
    let shrink = match profile.seats.on_shrink {
        OnShrink::TrimLatestAdded => "a shrinking limit trims the latest-added",
        OnShrink::Keep => "a shrinking limit leaves everybody who is there",
    };
    format!("seats: {} count one each; {shrink}", counts.join(", "))
}
