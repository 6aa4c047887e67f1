//! Domains as text and as JSON, and who waits beside them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::render::unsigned;
use crate::cli::words::{held_json, many, signed};
use crate::plan::domains::{DomainAction, DomainOutlook, DomainPlan, DomainStanding};
use crate::plan::{Plan, Rule};

/// What does not go on by itself, a line each; the record to publish where one is missing.
#[must_use]
pub fn waiting(plan: &Plan) -> String {
    let mut text = String::new();
    for (action, rule) in &plan.domains.held {
        let what = unsigned(&action.to_string());
        let _ = writeln!(text, "! held: {what} ({}: {})", rule.reason(), rule.message());
    }
    for (domain, DomainOutlook { state, record, check_at }) in &plan.domains.domains {
        if matches!(state, DomainStanding::Planned | DomainStanding::Verified) {
            continue;
        }
        let _ = writeln!(text, "! domain {domain}: {}: {}", state.as_str(), state.message());
        if let Some(record) = record.as_ref().filter(|_| *state != DomainStanding::Taken) {
            let _ = writeln!(text, "  hint: publish {} TXT \"{}\"", record.name, record.value);
        }
        if let Some(at) = check_at {
            let _ = writeln!(text, "  looked for again at {at}");
        }
    }
    let waiting = &plan.waiting;
    if waiting.join_requests > 0 {
        let people = many(waiting.join_requests as usize, "join request");
        let _ = writeln!(text, "{people} of people whom nobody declares, or who find no seat");
    }
    for (team, number) in &waiting.suggestions {
        let teams = plan.teams.teams.iter();
        let declared = teams.filter(|(_, outlook)| outlook.id.as_ref() == Some(team));
        let name = declared.map(|(reference, _)| reference.as_str()).next();
        let people = many(*number as usize, "suggestion");
        let _ = writeln!(text, "{people} for {}", name.unwrap_or(team.as_str()));
    }
    text
}

/// True if a domain waits for somebody to act, who is more than late with a record.
#[must_use]
pub fn needs_person(plan: &DomainPlan) -> bool {
    plan.held.iter().any(|(_, rule)| rule.needs_person())
        || plan.domains.values().any(|outlook| outlook.state.reason().is_some())
}

/// Every declared domain, a line each.
#[must_use]
pub fn status(plan: &DomainPlan) -> String {
    let mut text = String::new();
    let width = plan.domains.keys().map(|domain| domain.as_str().chars().count()).max();
    let Some(width) = width.map(|width| width.max("DOMAIN".len())) else { return text };
    let _ = writeln!(text, "{:width$}  STATE", "DOMAIN");
    for (domain, outlook) in &plan.domains {
        let _ = writeln!(text, "{:width$}  {}", domain.as_str(), outlook.state.as_str());
    }
    text
}

/// The blast radius: `+ 1 domain`.
#[must_use]
pub fn summary(plan: &DomainPlan) -> Vec<String> {
    let count = |kind: &str| plan.actions.iter().filter(|action| action.kind() == kind).count();
    signed([
        ("+", count("AddDomain"), "domain", "domains"),
        ("~", count("VerifyDomain"), "check of a domain", "checks of a domain"),
        ("~", count("LetJoinByDomain"), "domain to join by", "domains to join by"),
        ("-", count("RemoveDomain"), "domain", "domains"),
    ])
}

/// Domains and who waits as JSON. Fields are only ever added.
#[must_use]
pub fn json(plan: &Plan) -> Value {
    let held = |(action, rule): &(DomainAction, Rule)| {
        held_json(action_json(action), *rule, rule.message())
    };
    let domains = plan.domains.domains.iter().map(|(domain, outlook)| {
        json!({
            "domain": domain.as_str(),
            "state": outlook.state.as_str(),
            "txtRecord": outlook.record.as_ref().map(|record| json!({
                "name": record.name,
                "value": record.value,
            })),
            "checkAt": outlook.check_at,
        })
    });
    let suggestions = plan
        .waiting
        .suggestions
        .iter()
        .map(|(team, number)| json!({ "teamId": team.as_str(), "open": number }));
    json!({
        "actions": plan.domains.actions.iter().map(action_json).collect::<Vec<_>>(),
        "held": plan.domains.held.iter().map(held).collect::<Vec<_>>(),
        "domains": domains.collect::<Vec<_>>(),
        "joinRequests": plan.waiting.join_requests,
        "suggestions": suggestions.collect::<Vec<_>>(),
    })
}

/// One action as JSON.
#[must_use]
pub fn action_json(action: &DomainAction) -> Value {
    json!({
        "kind": action.kind(),
        "domain": action.domain().as_str(),
        "text": action.to_string(),
    })
}
