//! Plan → text or JSON. The same lines for `plan` and for `apply`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::domain::observed::SeatLimit;
use crate::plan::action::Action;
use crate::plan::{Held, Plan, Rule, State};

/// Sends of one wave; as the ledger opens them.
const WAVE: usize = 64;

/// The plan as text: a line for each action, for each thing held and for each person that waits for
/// somebody, then its blast radius.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for action in &plan.actions {
        let _ = writeln!(text, "{action}");
    }
    text.push_str(&waiting(plan));
    let _ = writeln!(text, "{}", summary(plan));
    text
}

/// What does not go on by itself: held actions, people that wait, the hold, the stop.
#[must_use]
pub fn waiting(plan: &Plan) -> String {
    let mut text = String::new();
    for held in &plan.held {
        let _ = writeln!(text, "{}", held_line(plan, held));
    }
    let held: Vec<_> = plan.held.iter().map(|held| held.action.person()).collect();
    for (person, outlook) in &plan.people {
        if !outlook.state.needs_person() || held.contains(&person) {
            continue;
        }
        let _ =
            writeln!(text, "! {person}: {}: {}", outlook.state.as_str(), outlook.state.message());
    }
    if let Some(shortage) = &plan.shortage {
        let when = shortage.enforce_at.map_or_else(String::new, |at| format!(" at {at}"));
        let people: Vec<String> =
            shortage.people.iter().take(10).map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "! {} more people than seats; the service will trim{when}: {}",
            shortage.people.len(),
            people.join(", ")
        );
    }
    if let Some(hold) = &plan.hold {
        let _ = writeln!(
            text,
            "! held set {}: {} removals, {} lower roles; {} of {} removals of this window are \
             used\n  hint: to let exactly this set run once: seatkeeper apply … --approve {}",
            hold.digest, hold.removals, hold.changes, hold.spent, hold.allowed, hold.digest
        );
    }
    if let Some(stop) = &plan.stop {
        let _ = writeln!(text, "! {}: {stop}", stop.reason());
    }
    text
}

fn held_line(plan: &Plan, held: &Held) -> String {
    let Held { action, rule } = held;
    let outlook = plan.people.get(action.person());
    let state = outlook.map(|outlook| outlook.state);
    match (rule, state, outlook.and_then(|outlook| outlook.position)) {
        (Rule::SeatLimit, Some(State::Queued), Some(position)) => {
            format!("! {}: Queued, position {position}: {}", action.person(), rule.message())
        }
        (Rule::SeatLimit, Some(State::Trimmed), _) => {
            format!("! {}: Trimmed: {}", action.person(), State::Trimmed.message())
        }
        _ => {
            let line = action.to_string();
            let what = line.trim_start_matches(['+', '-', '~', ' ']);
            format!("! held: {what} ({}: {})", rule.reason(), rule.message())
        }
    }
}

/// The blast radius in one line:
/// `+ 3 invitations (3 mails, in 1 wave), ~ 1 role change (1 mail), - 2 removals (2 mails); seats 0 → 3 of 3; 1 queued`.
#[must_use]
pub fn summary(plan: &Plan) -> String {
    let count =
        |wanted: &dyn Fn(&Action) -> bool| plan.actions.iter().filter(|a| wanted(a)).count();
    let invitations = count(&|action| matches!(action, Action::Invite { .. }));
    let back = count(&|action| matches!(action, Action::Reinstate { .. }));
    let changes = count(&|action| matches!(action, Action::ChangeRole { .. }));
    let quiet = count(&|action| matches!(action, Action::ChangeInvitedRole { .. }));
    let removals = count(&Action::takes_away)
        - count(&|action| matches!(action, Action::ChangeRole { .. }) && action.takes_away());
    let mut parts = Vec::new();
    if invitations > 0 {
        let waves = invitations.div_ceil(WAVE);
        parts.push(format!(
            "+ {} ({}, in {})",
            many(invitations, "invitation"),
            many(invitations, "mail"),
            many(waves, "wave")
        ));
    }
    if back > 0 {
        parts.push(format!("+ {} ({})", many(back, "reinstatement"), many(back, "mail")));
    }
    if changes + quiet > 0 {
        parts.push(format!(
            "~ {} ({})",
            many(changes + quiet, "role change"),
            many(changes, "mail")
        ));
    }
    if removals > 0 {
        let mails = count(&|action| matches!(action, Action::Remove { .. } | Action::Trim { .. }));
        parts.push(format!("- {} ({})", many(removals, "removal"), many(mails, "mail")));
    }
    if parts.is_empty() {
        parts.push("nothing to change".to_owned());
    }
    let seats = plan.seats;
    let limit = match seats.limit {
        SeatLimit::Seats(limit) => limit.to_string(),
        SeatLimit::Unlimited => "unlimited".to_owned(),
    };
    let mut line =
        format!("{}; seats {} → {} of {limit}", parts.join(", "), seats.before, seats.after);
    if seats.queued > 0 {
        let _ = write!(line, "; {} queued", seats.queued);
    }
    if let Some(hold) = &plan.hold {
        let _ = write!(line, "; {} held", hold.removals + hold.changes);
    }
    line
}

fn many(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The plan as JSON. Fields are only ever added.
#[must_use]
pub fn json(plan: &Plan) -> Value {
    let seats = plan.seats;
    json!({
        "actions": plan.actions.iter().map(action_json).collect::<Vec<_>>(),
        "held": plan.held.iter().map(|held| {
            let mut value = action_json(&held.action);
            value["rule"] = json!(held.rule.reason());
            value["message"] = json!(held.rule.message());
            value
        }).collect::<Vec<_>>(),
        "people": plan.people.iter().map(|(person, outlook)| json!({
            "email": person.as_str(),
            "state": outlook.state.as_str(),
            "rule": outlook.rule.map(Rule::reason),
            "position": outlook.position,
            "memberId": outlook.member.as_ref().map(ToString::to_string),
            "role": outlook.role_seen.as_ref().map(ToString::to_string),
            "sentAt": outlook.sent_at,
            "expiresAt": outlook.expires_at,
        })).collect::<Vec<_>>(),
        "seats": {
            "before": seats.before,
            "after": seats.after,
            "limit": match seats.limit { SeatLimit::Seats(n) => Some(n), SeatLimit::Unlimited => None },
            "queued": seats.queued,
        },
        "hold": plan.hold.as_ref().map(|hold| json!({
            "digest": hold.digest.as_str(),
            "removals": hold.removals,
            "changes": hold.changes,
            "allowed": hold.allowed,
            "spent": hold.spent,
        })),
        "stop": plan.stop.as_ref().map(|stop| json!({
            "reason": stop.reason(),
            "message": stop.to_string(),
        })),
        "summary": summary(plan),
    })
}

/// One action as JSON.
#[must_use]
pub fn action_json(action: &Action) -> Value {
    let (role, from) = match action {
        Action::ChangeRole { from, to, .. } | Action::ChangeInvitedRole { from, to, .. } => {
            (Some(to), Some(from))
        }
        Action::Invite { role, .. } => (Some(role), None),
        Action::RevokeInvitation { .. }
        | Action::Trim { .. }
        | Action::Remove { .. }
        | Action::Reinstate { .. } => (None, None),
    };
    json!({
        "kind": action.kind(),
        "email": action.person().as_str(),
        "role": role.map(ToString::to_string),
        "from": from.map(ToString::to_string),
        "text": action.to_string(),
    })
}
