//! Recipients of categories of mail as text and as JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::render::unsigned;
use crate::cli::words::{held_json, signed};
use crate::plan::Rule;
use crate::plan::notification::{
    CategoryOutlook, HeldRecipient, RecipientAction, RecipientPlan, recipient_message,
};

/// What does not go on by itself, a line each.
#[must_use]
pub fn waiting(plan: &RecipientPlan) -> String {
    let mut text = String::new();
    for held in &plan.held {
        let what = unsigned(&held.action.to_string());
        let _ = writeln!(text, "! held: {what} ({}: {})", held.rule.reason(), held.message());
    }
    let said = plan.held.iter().map(|held| (&held.action.category, &held.action.person));
    let said: BTreeSet<_> = said.collect();
    for (category, outlook) in &plan.categories {
        for (person, of) in &outlook.recipients {
            let why = match (of.state, of.rule) {
                _ if said.contains(&(category, person)) => continue,
                (_, Some(rule)) => (rule.reason().as_str(), recipient_message(rule)),
                (state, None) if state.is_wrong() => (state.as_str(), state.message()),
                (_, None) => continue,
            };
            let (reason, message) = why;
            let _ = writeln!(text, "! {category}: {person}: {reason}: {message}");
        }
    }
    text
}

/// True if a recipient waits for somebody to act.
#[must_use]
pub fn needs_person(plan: &RecipientPlan) -> bool {
    let mut recipients = plan.categories.values().flat_map(|outlook| outlook.recipients.values());
    recipients.any(|of| of.state.is_wrong() || of.rule.is_some_and(Rule::needs_person))
}

/// Every recipient that is declared or receives a declared category by role, a line each.
#[must_use]
pub fn status(plan: &RecipientPlan) -> String {
    let mut text = String::new();
    let width = plan.categories.keys().map(|category| category.as_str().chars().count()).max();
    let Some(width) = width.map(|width| width.max("CATEGORY".len())) else { return text };
    let _ = writeln!(text, "{:width$}  {:12}  RECIPIENT", "CATEGORY", "STATE");
    for (category, outlook) in &plan.categories {
        let category = category.as_str();
        for (person, of) in &outlook.recipients {
            let _ = writeln!(text, "{category:width$}  {:12}  {person}", of.state.as_str());
        }
        for name in by_role(outlook) {
            let _ = writeln!(text, "{category:width$}  {:12}  {name}", "Implied");
        }
    }
    text
}

/// Who receives a category by role and is not declared as a recipient.
fn by_role(outlook: &CategoryOutlook) -> impl Iterator<Item = &str> {
    outlook.implied.iter().filter_map(|(member, person)| match person {
        Some(person) if outlook.recipients.contains_key(person) => None,
        Some(person) => Some(person.as_str()),
        None => Some(member.as_str()),
    })
}

/// The blast radius: `+ 2 recipients`.
#[must_use]
pub fn summary(plan: &RecipientPlan) -> Vec<String> {
    let (go, come): (Vec<_>, Vec<_>) = plan.actions.iter().partition(|action| action.takes_away());
    let (one, more) = ("recipient", "recipients");
    signed([("+", come.len(), one, more), ("-", go.len(), one, more)])
}

/// Recipients as JSON. Fields are only ever added.
#[must_use]
pub fn json(plan: &RecipientPlan) -> Value {
    let held =
        |held: &HeldRecipient| held_json(action_json(&held.action), held.rule, held.message());
    json!({
        "actions": plan.actions.iter().map(action_json).collect::<Vec<_>>(),
        "held": plan.held.iter().map(held).collect::<Vec<_>>(),
        "categories": plan.categories.iter().map(|(category, outlook)| json!({
            "category": category.as_str(),
            "recipients": outlook.recipients.iter().map(|(person, of)| json!({
                "email": person.as_str(),
                "state": of.state.as_str(),
                "rule": of.rule.map(|rule| rule.reason().as_str()),
            })).collect::<Vec<_>>(),
            "implied": outlook.implied.iter().map(|(member, person)| json!({
                "memberId": member.as_str(),
                "email": person.as_ref().map(|person| person.as_str()),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

/// One action as JSON.
#[must_use]
pub fn action_json(action: &RecipientAction) -> Value {
    json!({
        "kind": action.kind(),
        "category": action.category.as_str(),
        "email": action.person.as_str(),
        "text": action.to_string(),
    })
}
