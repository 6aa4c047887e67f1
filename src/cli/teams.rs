//! Teams and settings of the account as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::render::{limit, unsigned};
use crate::cli::words::{held_json, signed};
use crate::domain::teams::TeamState;
use crate::plan::teams::{TeamAction, TeamPlan};
use crate::plan::{Plan, Rule};

/// What a rule holds, a line each.
#[must_use]
pub fn waiting(plan: &TeamPlan) -> String {
    let mut text = String::new();
    for (action, rule) in &plan.held {
        let what = unsigned(&action.to_string());
        let _ = writeln!(text, "! held: {what} ({}: {})", rule.reason(), rule.message());
    }
    text
}

/// Every declared team, a line each, then the seats of each subscription.
#[must_use]
pub fn status(plan: &Plan) -> String {
    let (mut text, teams) = (String::new(), &plan.teams.teams);
    let width = teams.keys().map(|reference| reference.as_str().chars().count()).max();
    let Some(width) = width.map(|width| width.max("TEAM".len())) else { return text };
    let _ = writeln!(text, "{:width$}  {:8}  {:31}  SUBSCRIPTION", "TEAM", "STATE", "ID");
    for (reference, team) in teams {
        let id = team.id.as_ref().map_or("-", |id| id.as_str());
        let subscription = team.subscription.as_ref().map_or("-", |id| id.as_str());
        let state = team.state.map_or("-", word);
        let reference = reference.as_str();
        let _ = writeln!(text, "{reference:width$}  {state:8}  {id:31}  {subscription}");
    }
    for (subscription, seats) in &plan.pools {
        let (used, limit) = (seats.before, limit(seats.limit));
        let _ = writeln!(text, "seats of {subscription}: {used} of {limit}");
    }
    text
}

/// The word for a state; never renamed.
fn word(state: TeamState) -> &'static str {
    match state {
        TeamState::Active => "Active",
        TeamState::Inactive => "Inactive",
        TeamState::Pending => "Pending",
        TeamState::Unknown => "Unknown",
    }
}

/// The blast radius: `+ 1 team`, `~ 2 teams`.
#[must_use]
pub fn summary(plan: &TeamPlan) -> Vec<String> {
    let count = |kind: &str| plan.actions.iter().filter(|action| action.kind() == kind).count();
    signed([
        ("+", count("CreateTeam"), "team", "teams"),
        ("~", count("EditTeam"), "team", "teams"),
        ("~", count("RequireSecureSignIn"), "setting", "settings"),
    ])
}

/// Teams as JSON. Fields are only ever added.
#[must_use]
pub fn json(plan: &Plan) -> Value {
    let held =
        |(action, rule): &(TeamAction, Rule)| held_json(action_json(action), *rule, rule.message());
    let teams = plan.teams.teams.iter().map(|(reference, team)| {
        json!({
            "team": reference.as_str(),
            "id": team.id.as_ref().map(ToString::to_string),
            "state": team.state.map(word),
            "subscription": team.subscription.as_ref().map(ToString::to_string),
            "rule": team.rule.map(|rule| rule.reason().as_str()),
        })
    });
    json!({
        "actions": plan.teams.actions.iter().map(action_json).collect::<Vec<_>>(),
        "held": plan.teams.held.iter().map(held).collect::<Vec<_>>(),
        "teams": teams.collect::<Vec<_>>(),
    })
}

/// One action as JSON.
#[must_use]
pub fn action_json(action: &TeamAction) -> Value {
    json!({
        "kind": action.kind(),
        "team": action.reference().map(ToString::to_string),
        "text": action.to_string(),
    })
}
