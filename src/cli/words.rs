//! Numbers of things in words, and what every held action has in its JSON.

use serde_json::{Value, json};

use crate::plan::Rule;

/// `1 removal`, `2 removals`.
pub(super) fn many(n: usize, noun: &str) -> String {
    number(n, noun, &format!("{noun}s"))
}

/// `1 person`, `2 people`.
pub(super) fn number(n: usize, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// Parts of a blast radius, those of which there are none left out: `+ 1 team`, `~ 2 teams`. Each is
/// sign, number, and the noun for one and for more.
pub(super) fn signed<const N: usize>(parts: [(&str, usize, &str, &str); N]) -> Vec<String> {
    let parts = parts.into_iter().filter(|(_, n, _, _)| *n > 0);
    parts.map(|(sign, n, one, more)| format!("{sign} {}", number(n, one, more))).collect()
}

/// A held action as JSON: the action, what holds it, and the way out.
pub(super) fn held_json(mut action: Value, rule: Rule, message: &str) -> Value {
    action["rule"] = json!(rule.reason().as_str());
    action["message"] = json!(message);
    action
}
