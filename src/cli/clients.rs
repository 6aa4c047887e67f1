//! Clients of an agency as text and as JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::render::unsigned;
use crate::cli::words::{held_json, many};
use crate::domain::clients::Health;
use crate::plan::client_access::{
    ClientAction, ClientOutlook, ClientPlan, HeldClient, Standing, client_message,
};

/// What does not go on by itself, a line each.
#[must_use]
pub fn waiting(plan: &ClientPlan) -> String {
    let mut text = String::new();
    for held in &plan.held {
        let what = unsigned(&held.action.to_string());
        let _ = writeln!(text, "! held: {what} ({}: {})", held.rule.reason(), held.message());
    }
    let acted = plan.actions.iter().chain(plan.held.iter().map(|held| &held.action));
    let said: BTreeSet<_> = acted.map(ClientAction::client).collect();
    for (client, outlook) in plan.clients.iter().filter(|(client, _)| !said.contains(client)) {
        let standing = outlook.standing;
        if let Some(rule) = outlook.rule.filter(|rule| rule.needs_person()) {
            let _ = writeln!(text, "! {client}: {}: {}", rule.reason(), client_message(rule));
        } else if standing.needs_person() {
            let _ = writeln!(text, "! {client}: {}: {}", standing.as_str(), standing.message());
        }
    }
    text
}

/// Every declared client, a line each.
#[must_use]
pub fn status(plan: &ClientPlan) -> String {
    let mut text = String::new();
    let width = plan.clients.keys().map(|client| client.as_str().chars().count()).max();
    let Some(width) = width.map(|width| width.max("CLIENT".len())) else { return text };
    let heading = ["STATE", "ROLE", "HEALTH", "WEBSITES"];
    let [state, role, health, sites] = heading;
    let _ = writeln!(text, "{:width$}  {state:10}  {role:10}  {health:12}  {sites}", "CLIENT");
    for (client, outlook) in &plan.clients {
        let row = outlook.row.as_ref();
        let held = row.and_then(|row| row.role_held.as_ref()).map_or("-", |role| role.as_str());
        let health = row.map_or("-", |row| health_word(row.health));
        let mut sites = match row {
            Some(row) if outlook.standing == Standing::Granted => {
                format!("{} {}", row.website_count, row.websites.join(" "))
            }
            _ => String::new(),
        };
        if outlook.role_differs {
            sites = format!("{} (another role is declared)", sites.trim_end());
        }
        let state = outlook.standing.as_str();
        let line = format!(
            "{:width$}  {state:10}  {held:10}  {health:12}  {}",
            client.as_str(),
            sites.trim()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// How a client's websites are doing.
fn health_word(health: Health) -> &'static str {
    match health {
        Health::NoData => "NoData",
        Health::MajorIssue => "MajorIssue",
        Health::NotConnected => "NotConnected",
        Health::AllGood => "AllGood",
        Health::Unknown => "-",
    }
}

/// The blast radius: `+ 1 client request (1 mail)`.
#[must_use]
pub fn summary(plan: &ClientPlan) -> Vec<String> {
    let (ends, mails): (Vec<_>, Vec<_>) =
        plan.actions.iter().partition(|action| action.takes_away());
    let mut parts = Vec::new();
    if !mails.is_empty() {
        let n = mails.len();
        parts.push(format!("+ {} ({})", many(n, "client request"), many(n, "mail")));
    }
    if !ends.is_empty() {
        parts.push(format!("- {}", many(ends.len(), "client request")));
    }
    parts
}

/// Clients as JSON. Fields are only ever added.
#[must_use]
pub fn json(plan: &ClientPlan) -> Value {
    let outlook = |outlook: &ClientOutlook| {
        let row = outlook.row.as_ref();
        json!({
            "state": outlook.standing.as_str(),
            "rule": outlook.rule.map(|rule| rule.reason().as_str()),
            "roleHeld": row.and_then(|row| row.role_held.as_ref()).map(ToString::to_string),
            "roleDiffers": outlook.role_differs,
            "health": row.map(|row| health_word(row.health)),
            "websiteCount": row.map(|row| row.website_count),
            "websites": row.map(|row| row.websites.clone()),
            "askedAt": row.map(|row| row.last_sent_at),
            "withdrawAt": outlook.withdraw_at,
        })
    };
    let held = |held: &HeldClient| held_json(action_json(&held.action), held.rule, held.message());
    json!({
        "actions": plan.actions.iter().map(action_json).collect::<Vec<_>>(),
        "held": plan.held.iter().map(held).collect::<Vec<_>>(),
        "clients": plan.clients.iter().map(|(client, of)| {
            let mut value = outlook(of);
            value["email"] = json!(client.as_str());
            value
        }).collect::<Vec<_>>(),
    })
}

/// One action as JSON.
#[must_use]
pub fn action_json(action: &ClientAction) -> Value {
    let role = match action {
        ClientAction::Request { role, .. } => Some(role.to_string()),
        ClientAction::Withdraw { .. } | ClientAction::Resend { .. } => None,
    };
    json!({
        "kind": action.kind(),
        "email": action.client().as_str(),
        "role": role,
        "text": action.to_string(),
    })
}
