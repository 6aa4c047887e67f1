//! Plan → text or JSON. The same lines for `plan` and for `apply`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::apply::{Outcome, Report, Unread};
use crate::backend::BackendError;
use crate::cli::summary::summary;
use crate::cli::words::{held_json, many};
use crate::cli::{absent, clients, domains, recipients, teams};
use crate::domain::identity::{MemberKey, TeamKey};
use crate::domain::observed::{Observed, SeatLimit};
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::teams::TeamPlan;
use crate::plan::{Approval, Emptied, Held, Hold, HoldCause, Plan, Rule, State, Stop};
use crate::profile::Profile;

/// First line of every answer: `account web/acme (Acme): growth, mode Manage`.
#[must_use]
pub fn heading(name: &str, observed: &Observed, mode: Mode) -> String {
    let account = &observed.account;
    let plans: Vec<String> = account
        .subscriptions
        .iter()
        .map(|subscription| match subscription.ends_at {
            Some(at) => format!("{} (ends {at})", subscription.plan),
            None => subscription.plan.to_string(),
        })
        .collect();
    let plans = if plans.is_empty() { "no subscription".to_owned() } else { plans.join(", ") };
    let disabled = if account.disabled { ", disabled" } else { "" };
    format!("account {name} ({}): {plans}{disabled}, mode {mode:?}", account.name)
}

/// Everyone that is declared, a line each, then the seats.
#[must_use]
pub fn status(plan: &Plan, observed: &Observed) -> String {
    let mut text = String::new();
    let width = plan.people.keys().map(|person| person.person.as_str().chars().count()).max();
    let width = width.unwrap_or(0).max("EMAIL".len());
    if !plan.people.is_empty() {
        let _ = writeln!(text, "{:width$}  {:12}  {:10}  NOTE", "EMAIL", "STATE", "ROLE");
    }
    for (person, outlook) in &plan.people {
        let role = outlook.role_seen.as_ref().map_or("-", |role| role.as_str());
        let note = match (outlook.position, outlook.rule) {
            (Some(position), _) => format!("position {position}"),
            (None, Some(rule)) => rule.reason().to_string(),
            (None, None) if outlook.next_action_at.is_some() => {
                outlook.next_action_at.map_or_else(String::new, |at| format!("sent again at {at}"))
            }
            (None, None) if outlook.role_differs => "another role is declared".to_owned(),
            (None, None) => String::new(),
        };
        let (state, place) = (outlook.state.as_str(), plan.teams.place(person));
        let ends = outlook.ends_at.map_or_else(String::new, |at| format!(" ends at {at}"));
        let declared = outlook.declared_as.as_ref();
        let declared = declared.map_or_else(String::new, |now| format!(" declared as {now}"));
        let why = if outlook.remembered { ", though no formerly lists this address" } else { "" };
        let note = format!("{note}{place}{ends}{declared}{why}");
        let line =
            format!("{:width$}  {state:12}  {role:10}  {}", person.person.as_str(), note.trim());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push_str(&teams::status(plan));
    text.push_str(&clients::status(&plan.clients));
    text.push_str(&recipients::status(&plan.recipients));
    text.push_str(&domains::status(&plan.domains));
    text.push_str(&waiting(plan));
    let seats = &observed.account.seats;
    let _ = writeln!(
        text,
        "seats {} of {}: {} active, {} pending; {} trimmed, {} queued",
        seats.used,
        limit(seats.limit),
        seats.active,
        seats.pending,
        seats.trimmed,
        plan.seats.queued
    );
    text
}

/// One action on a person with what became of it.
#[must_use]
pub fn outcome(plan: &TeamPlan, action: &Action, outcome: &Outcome) -> String {
    told(&line(plan, action), outcome)
}

/// One line of a plan with what became of it.
#[must_use]
pub fn told(line: &str, outcome: &Outcome) -> String {
    let what = unsigned(line);
    match outcome {
        Outcome::Done(_) => line.to_owned(),
        Outcome::Refused(error) => format!("! refused: {what}: {error}"),
        Outcome::Unknown(error) => {
            format!("! not known whether it took effect: {what}: {error}; the next run finds out")
        }
        Outcome::NotRun(why) => format!("! not done: {what} ({})", why.reason()),
    }
}

/// One line of a plan, with the team where an account has many.
fn line(plan: &TeamPlan, action: &Action) -> String {
    format!("{action}{}", plan.place(action.person()))
}

/// The action without the sign in front.
fn without_sign(plan: &TeamPlan, action: &Action) -> String {
    unsigned(&line(plan, action))
}

/// A line of a plan without the sign in front.
pub(super) fn unsigned(line: &str) -> String {
    line.trim_start_matches(['+', '-', '~', ' ']).to_owned()
}

/// Why a run did not do all it should, each cause once, with its way out.
#[must_use]
pub fn causes(report: &Report) -> String {
    let mut causes = BTreeMap::new();
    for error in report.claim_error.iter().chain(report.errors()) {
        causes.entry(error.reason()).or_insert(error);
    }
    let mut text = String::new();
    for (reason, error) in causes {
        let chain = chain(error);
        let _ = writeln!(text, "error: {reason}: {chain}\n  hint: {}", error.hint());
    }
    text
}

/// An error and what caused it.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// What is said on stderr of an answer that is not trusted; empty if it is.
#[must_use]
pub fn distrust(plan: &Plan) -> &'static str {
    match &plan.stop {
        Some(Stop::ReadUntrusted(_)) => {
            "error: ReadUntrusted: nothing was done\n  hint: try again; if it stays so, compare with \
             what the service itself shows\n"
        }
        Some(Stop::Suspended | Stop::ClaimedByOther | Stop::LedgerLost) | None => "",
    }
}

/// What is said of lists that could not be read; empty if all were.
#[must_use]
pub fn unread(unread: &Unread) -> String {
    let lists = unread.lists().into_iter();
    let failed = lists.filter_map(|(what, error)| Some((what, error?)));
    let said = failed.map(|(what, error)| {
        format!(
            "error: {}: {what} could not be read, and all in them is left as it is: {}\n  hint: {}\n",
            error.reason(),
            chain(error),
            error.hint()
        )
    });
    said.collect()
}

/// Adds to a plan as JSON why lists could not be read: null if they were.
pub fn add_unread(value: &mut Value, unread: &Unread) {
    let reason = |error: &Option<Arc<BackendError>>| error.as_deref().map(|e| e.reason().as_str());
    value["clientAccess"]["unread"] = json!(reason(&unread.clients));
    value["recipients"]["unread"] = json!(reason(&unread.categories));
    value["ownerChanges"] = json!({ "unread": reason(&unread.owner_changes) });
    value["autoJoin"]["unread"] = json!({
        "domains": reason(&unread.domains),
        "joinRequests": reason(&unread.join_requests),
        "suggestions": reason(&unread.suggestions),
    });
}

/// Last line of `apply`.
#[must_use]
pub fn after(plan: &Plan, done: usize, failed: usize) -> String {
    let seats = plan.seats;
    let mut line = match (done, failed) {
        (0, 0) => nothing(plan).to_owned(),
        (done, 0) => format!("{done} done"),
        (done, failed) => format!("{done} done, {failed} not done"),
    };
    for (id, pool) in &plan.pools {
        let _ = write!(line, "; seats of {id} {} of {}", pool.before, limit(pool.limit));
    }
    if plan.pools.is_empty() {
        let _ = write!(line, "; seats {} of {}", seats.before, limit(seats.limit));
    }
    if seats.queued > 0 {
        let _ = write!(line, "; {} queued", seats.queued);
    }
    if let Some(held) = plan.hold.as_ref().and_then(Hold::actions) {
        let _ = write!(line, "; {held} held");
    }
    line
}

pub(super) fn limit(limit: SeatLimit) -> String {
    match limit {
        SeatLimit::Seats(limit) => limit.to_string(),
        SeatLimit::Unlimited => "unlimited".to_owned(),
    }
}

/// The plan as text: a line for each action, for each thing held and for each person that waits for
/// somebody, then its blast radius.
#[must_use]
pub fn text(plan: &Plan, profile: &Profile) -> String {
    let mut text = String::new();
    for action in &plan.teams.actions {
        let _ = writeln!(text, "{action}");
    }
    for action in &plan.actions {
        let _ = writeln!(text, "{}", line(&plan.teams, action));
    }
    for action in &plan.clients.actions {
        let _ = writeln!(text, "{action}");
    }
    for action in &plan.recipients.actions {
        let _ = writeln!(text, "{action}");
    }
    for action in &plan.domains.actions {
        let _ = writeln!(text, "{action}");
    }
    text.push_str(&ending(plan));
    text.push_str(&waiting(plan));
    let _ = writeln!(text, "{}", summary(plan, profile));
    text
}

/// Whose declaration ends, the next first, and when.
fn ending(plan: &Plan) -> String {
    let people = plan.people.iter();
    let mut ends: Vec<_> =
        people.filter_map(|(person, outlook)| Some((outlook.ends_at?, person))).collect();
    ends.sort();
    let line = |(at, person): &(_, &MemberKey)| {
        format!("~ access of {person}{} ends at {at}\n", plan.teams.place(person))
    };
    ends.iter().map(line).collect()
}

/// What does not go on by itself: held actions, people that wait, the hold, the stop.
#[must_use]
pub fn waiting(plan: &Plan) -> String {
    let mut text = teams::waiting(&plan.teams);
    for held in &plan.held {
        let _ = writeln!(text, "{}", held_line(plan, held));
    }
    // Who has a line already needs no second one.
    let acted = plan.actions.iter().chain(plan.held.iter().map(|held| &held.action));
    let said: BTreeSet<_> = acted.map(Action::person).collect();
    for (person, outlook) in &plan.people {
        if outlook.needs_person() && !said.contains(person) {
            let state = outlook.state.as_str();
            let place = plan.teams.place(person);
            let _ = writeln!(text, "! {person}{place}: {state}: {}", outlook.message());
        }
    }
    text.push_str(&clients::waiting(&plan.clients));
    text.push_str(&recipients::waiting(&plan.recipients));
    text.push_str(&domains::waiting(plan));
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
        text.push_str(&hold_lines(hold));
    }
    if let Some(stop) = &plan.stop {
        let _ = writeln!(text, "! {}: {stop}", stop.reason());
    }
    text
}

/// What waits for approval, why, and the ways out.
fn hold_lines(hold: &Hold) -> String {
    let (why, ways_out) = match hold.why {
        HoldCause::ReadUntrusted { absent } => return absent::text(hold, absent),
        HoldCause::RemovalBrake => (
            format!(
                "{} of the {} removals that spec.removals allows in its window are used",
                hold.spent, hold.allowed
            ),
            "; or raise the limit, or declare the people again",
        ),
        HoldCause::EmptySource(Emptied { gone, declared }) => (
            format!(
                "{gone} of the {declared} people that were declared are gone: is a file missing?"
            ),
            "; or declare the people again",
        ),
        HoldCause::LedgerLost => ("the ledger is lost".to_owned(), "; or bring the ledger back"),
    };
    let Hold { digest, additions, removals, changes, .. } = hold;
    let (removals, changes) = (*removals as usize, *changes as usize);
    let additions = match (hold.why, *additions as usize) {
        (HoldCause::LedgerLost, n) => format!("{}, ", many(n, "addition")),
        _ => String::new(),
    };
    format!(
        "! held set {digest}: {additions}{}, {}; {why}\n  hint: let exactly this set run, once: \
         seatkeeper apply … --approve {digest}{ways_out}\n",
        many(removals, "removal"),
        many(changes, "lower role"),
    )
}

fn held_line(plan: &Plan, held: &Held) -> String {
    let Held { action, rule } = held;
    let outlook = plan.people.get(action.person());
    let state = outlook.map(|outlook| outlook.state);
    let place = plan.teams.place(action.person());
    match (rule, state, outlook.and_then(|outlook| outlook.position)) {
        (Rule::SeatLimit, Some(State::Queued), Some(position)) => {
            format!("! {}{place}: Queued, position {position}: {}", action.person(), rule.message())
        }
        (Rule::SeatLimit, Some(State::Trimmed), _) => {
            format!("! {}: Trimmed: {}", action.person(), State::Trimmed.message())
        }
        _ => {
            let what = without_sign(&plan.teams, action);
            match rule {
                // Its way out is said once, with the digest of the set.
                Rule::RemovalBrake | Rule::EmptySource | Rule::LedgerLost => {
                    format!("! held: {what} ({})", rule.reason())
                }
                _ => format!("! held: {what} ({}: {})", rule.reason(), rule.message()),
            }
        }
    }
}

/// What is said of an approval that let nothing run; `None` if it did, or none was given.
#[must_use]
pub fn approval(plan: &Plan, given: Option<&str>) -> Option<String> {
    let given = given?;
    let why = match (&plan.learn.approval, &plan.hold) {
        (Approval::Used(_), _) => return None,
        (Approval::Lapsed(_), _) => "it was first given more than an hour ago".to_owned(),
        (Approval::None | Approval::Seen(_), Some(hold)) => {
            format!("the held set is {}", hold.digest)
        }
        (Approval::None | Approval::Seen(_), None) => "no set is held".to_owned(),
    };
    Some(format!("--approve {given} approved nothing: {why}"))
}

/// What is said of a `--resend` that sends nothing; `None` if it does, or if its line says why not.
#[must_use]
pub fn resend(plan: &Plan, person: &MemberKey) -> Option<String> {
    let held = plan.held.iter().map(|held| &held.action);
    if plan.stop.is_some() || plan.actions.iter().chain(held).any(|a| a.person() == person) {
        return None;
    }
    let outlook = plan.outlook(person)?;
    let (state, message) = (outlook.state.as_str(), outlook.message());
    Some(format!("--resend {person} sends nothing: {state}: {message}"))
}

/// What is said where nothing runs.
pub(super) fn nothing(plan: &Plan) -> &'static str {
    let others_held =
        plan.clients.held.len() + plan.recipients.held.len() + plan.domains.held.len();
    if plan.held.is_empty() && others_held == 0 && plan.stop.is_none() {
        "nothing to change"
    } else {
        "nothing to do now"
    }
}

/// The plan as JSON. Fields are only ever added.
#[must_use]
pub fn json(plan: &Plan, profile: &Profile) -> Value {
    let seats = plan.seats;
    json!({
        "actions": plan.actions.iter().map(action_json).collect::<Vec<_>>(),
        "held": plan.held.iter().map(|Held { action, rule }| {
            held_json(action_json(action), *rule, rule.message())
        }).collect::<Vec<_>>(),
        "people": plan.people.iter().map(|(person, outlook)| json!({
            "email": person.person.as_str(),
            "team": person.team.as_ref().map(TeamKey::as_str),
            "state": outlook.state.as_str(),
            "rule": outlook.rule.map(|rule| rule.reason().as_str()),
            "position": outlook.position,
            "memberId": outlook.member.as_ref().map(ToString::to_string),
            "role": outlook.role_seen.as_ref().map(ToString::to_string),
            "sentAt": outlook.sent_at,
            "expiresAt": outlook.expires_at,
            "attempts": outlook.attempts,
            "nextActionAt": outlook.next_action_at,
            "endsAt": outlook.ends_at,
            "declaredAs": outlook.declared_as.as_ref().map(ToString::to_string),
            "remembered": outlook.remembered,
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
            "rule": hold.rule().reason().as_str(),
            "gone": emptied(hold).map(|emptied| emptied.gone),
            "declaredBefore": emptied(hold).map(|emptied| emptied.declared),
            "absent": absent::count(hold),
            "absentPeople": hold.absent.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
        "stop": plan.stop.as_ref().map(|stop| json!({
            "reason": stop.reason().as_str(),
            "message": stop.to_string(),
        })),
        "pools": plan.pools.iter().map(|(subscription, seats)| json!({
            "subscription": subscription.as_str(),
            "before": seats.before,
            "after": seats.after,
            "limit": match seats.limit { SeatLimit::Seats(n) => Some(n), SeatLimit::Unlimited => None },
        })).collect::<Vec<_>>(),
        "teams": teams::json(plan),
        "clientAccess": clients::json(&plan.clients),
        "recipients": recipients::json(&plan.recipients),
        "autoJoin": domains::json(plan),
        "summary": summary(plan, profile),
    })
}

fn emptied(hold: &Hold) -> Option<Emptied> {
    match hold.why {
        HoldCause::EmptySource(emptied) => Some(emptied),
        HoldCause::RemovalBrake | HoldCause::LedgerLost | HoldCause::ReadUntrusted { .. } => None,
    }
}

/// One action as JSON.
#[must_use]
pub fn action_json(action: &Action) -> Value {
    let (role, from) = match action {
        Action::ChangeRole { from, to, .. } | Action::ChangeInvitedRole { from, to, .. } => {
            (Some(to), Some(from))
        }
        Action::ChangeOwner { role, .. }
        | Action::Resend { role, .. }
        | Action::Add { role, .. }
        | Action::Approve { role, .. }
        | Action::Invite { role, .. } => (Some(role), None),
        Action::RevokeInvitation { .. }
        | Action::CancelOwnerChange { .. }
        | Action::Trim { .. }
        | Action::Remove { .. }
        | Action::Reinstate { .. } => (None, None),
    };
    json!({
        "kind": action.kind(),
        "email": action.person().person.as_str(),
        "team": action.person().team.as_ref().map(TeamKey::as_str),
        "role": role.map(ToString::to_string),
        "from": from.map(ToString::to_string),
        "text": action.to_string(),
    })
}
