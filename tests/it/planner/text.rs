//! A plan as text: what a person would want to know of it, complete and in order.

use std::fmt::Write as _;

use seatkeeper::domain::desired::DeletionPolicy;
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::ledger_view::{
    HoldRecord, MailRecord, Ownership, Paid, PersonRecord, Seen,
};
use seatkeeper::domain::observed::SeatLimit;
use seatkeeper::plan::{Approval, Emptied, Hold, HoldCause, Learn, Outlook, Plan, Stop};

use super::joining;
use super::read::ROSTER;
use super::words::key_text;

/// Writes everything that a plan says.
pub fn of(plan: &Plan) -> String {
    let Plan {
        actions: _,
        held: _,
        stop,
        people,
        seats,
        pools,
        hold,
        shortage,
        next_at,
        learn,
        teams: _,
        clients: _,
        recipients: _,
        domains: _,
        waiting: _,
        names: _,
    } = plan;
    let mut text = String::new();
    let limit = match seats.limit {
        SeatLimit::Seats(limit) => limit.to_string(),
        SeatLimit::Unlimited => "unlimited".into(),
    };
    let _ = writeln!(text, "seats {} → {} of {limit}", seats.before, seats.after);
    for (id, pool) in pools {
        let SeatLimit::Seats(limit) = pool.limit else { continue };
        let _ = writeln!(text, "seats of {id} {} → {} of {limit}", pool.before, pool.after);
    }
    if seats.queued > 0 {
        let _ = writeln!(text, "{} queued", seats.queued);
    }
    if let Some(stop) = stop {
        let _ = writeln!(text, "stopped: {}", stop_text(stop));
    }
    text.push_str(&actions_text(plan));
    text.push_str(&hold.as_ref().map(hold_text).unwrap_or_default());
    if let Some(shortage) = shortage {
        let people: Vec<_> = shortage.people.iter().map(ToString::to_string).collect();
        let when = shortage.enforce_at.map_or("later".to_owned(), |at| at.to_string());
        let _ = writeln!(text, "the service will trim {when}: {}", people.join(", "));
    }
    for (person, outlook) in people {
        let _ = writeln!(text, "{}: {}", key_text(person), outlook_text(outlook));
    }
    for line in joining::text(plan) {
        let _ = writeln!(text, "{line}");
    }
    for line in learn_text(learn) {
        let _ = writeln!(text, "learn: {line}");
    }
    if let Some(at) = next_at {
        let _ = writeln!(text, "next look: {at}");
    }
    text
}

/// What is done and what is held, a line each.
fn actions_text(plan: &Plan) -> String {
    let Plan { actions, held, teams, .. } = plan;
    let mut text = String::new();
    for action in &teams.actions {
        let _ = writeln!(text, "{action}");
    }
    for (action, rule) in &teams.held {
        let _ = writeln!(text, "! held, {}: {action}", rule.reason());
    }
    for action in actions {
        let _ = writeln!(text, "{action}{}", teams.place(action.person()));
    }
    for held in held {
        let place = teams.place(held.action.person());
        let _ = writeln!(text, "! held, {}: {}{place}", held.rule.reason(), held.action);
    }
    text
}

/// What waits for approval, and why.
fn hold_text(hold: &Hold) -> String {
    let mut text = String::new();
    assert_eq!(hold.digest.as_str().len(), 16, "a digest of 16 hex digits");
    let (removals, changes) = (hold.removals, hold.changes);
    let (allowed, spent) = (hold.allowed, hold.spent);
    if let HoldCause::EmptySource(Emptied { gone, declared }) = hold.why {
        let _ = writeln!(text, "{gone} of {declared} declared people are gone");
    }
    let people = format!("{removals} removals, {changes} lower roles");
    let _ = match hold.why {
        HoldCause::ReadUntrusted { absent } => {
            let names: Vec<_> = hold.absent.iter().map(key_text).collect();
            let names =
                if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            writeln!(text, "waits for approval: {absent} missing{names}")
        }
        HoldCause::LedgerLost => {
            writeln!(text, "waits for approval: {} additions, {people}", hold.additions)
        }
        HoldCause::RemovalBrake | HoldCause::EmptySource(_) => writeln!(
            text,
            "waits for approval: {people}; {allowed} allowed in the window, {spent} of them spent"
        ),
    };
    text
}

fn stop_text(stop: &Stop) -> String {
    match stop {
        Stop::ReadUntrusted(distrust) => format!("{}, {distrust}", stop.reason()),
        Stop::Suspended | Stop::ClaimedByOther | Stop::LedgerLost => stop.reason().to_string(),
    }
}

fn outlook_text(outlook: &Outlook) -> String {
    let Outlook {
        state,
        rule,
        position,
        member: _,
        role_seen,
        role_differs,
        sent_at: _,
        expires_at: _,
        attempts,
        next_action_at,
        ends_at,
        declared_as,
        remembered,
    } = outlook;
    let mut text = state.as_str().to_owned();
    if let Some(position) = position {
        let _ = write!(text, ", position {position}");
    }
    if let Some(role) = role_seen {
        let _ = write!(text, ", {role}");
    }
    if *role_differs {
        text.push_str(", not as declared");
    }
    if let Some(rule) = rule {
        let _ = write!(text, " ({})", rule.reason());
    }
    if *attempts > 0 {
        let _ = write!(text, ", mailed {attempts}");
    }
    if let Some(at) = next_action_at {
        let _ = write!(text, ", next {at}");
    }
    if let Some(at) = ends_at {
        let _ = write!(text, ", ends {at}");
    }
    if let Some(address) = declared_as {
        let _ = write!(text, ", declared as {address}");
    }
    if *remembered {
        text.push_str(", by the ledger");
    }
    text
}

fn learn_text(learn: &Learn) -> Vec<String> {
    let Learn {
        records,
        forget_absent: _,
        baseline,
        hold,
        approval,
        claim,
        brake_spent,
        brake_ahead,
        teams,
        declared_as,
    } = learn;
    let mut lines: Vec<String> =
        records.iter().map(|(person, record)| record_text(person, record)).collect();
    for (row, person) in declared_as {
        let person = person.as_ref().map_or_else(|| "nobody else".to_owned(), ToString::to_string);
        lines.push(format!("{} is a row of {person}", key_text(row)));
    }
    if let Some(baseline) = baseline {
        let smaller = baseline.smaller.map(|(count, at)| format!(", {count} at {at}"));
        let as_of = baseline.as_of.map(|position| format!(", as of {position}"));
        let (smaller, as_of) = (smaller.unwrap_or_default(), as_of.unwrap_or_default());
        lines.push(format!("baseline {}{smaller}{as_of}", baseline.people));
    }
    match hold {
        None => {}
        Some(None) => lines.push("nothing is held any more".into()),
        Some(Some(HoldRecord { digest: _, allowed, emptied_under })) => {
            let emptied = emptied_under.map(|max| format!(", for an empty source, under {max}"));
            let emptied = emptied.unwrap_or_default();
            lines.push(format!("a set is held under a limit of {allowed}{emptied}"));
        }
    }
    match approval {
        Approval::None => {}
        Approval::Seen(_) => lines.push("approval seen".into()),
        Approval::Used(_) => lines.push("approval used".into()),
        Approval::Lapsed(_) => lines.push("approval lapsed".into()),
    }
    for (reference, id) in teams.iter().flatten() {
        lines.push(format!("team {reference} is {id}"));
    }
    if *claim {
        lines.push("claim the account".into());
    }
    if *brake_spent > 0 {
        lines.push(format!("{brake_spent} spent of the brake"));
    }
    if *brake_ahead > 0 {
        lines.push(format!("{brake_ahead} of them ahead of a held set"));
    }
    lines
}

/// A record in the words of `ledger.yaml`.
fn record_text(person: &MemberKey, record: &PersonRecord) -> String {
    let PersonRecord {
        first_seen: _,
        declared_by,
        owned,
        seen,
        epoch,
        opted_out,
        lost,
        renamed,
        parted,
        deletion_policy,
        held,
        paid,
        ownership,
        mails,
    } = record;
    let mut text = key_text(person);
    let seen = match seen {
        Seen::Never => "never",
        Seen::Invited => "invited",
        Seen::Member => "member",
        Seen::Trimmed => "trimmed",
        Seen::Agency => "agency",
    };
    let _ = write!(text, "{} {seen}", if *owned { " ours" } else { "" });
    if *epoch != 0 {
        let _ = write!(text, " epoch={epoch}");
    }
    let retain = *deletion_policy == DeletionPolicy::Retain;
    let said = [(*opted_out, "optedOut"), (*lost, "lost"), (*renamed, "renamed")];
    let flags = [(*parted, "parted"), (retain, "retain"), (*held, "held")];
    let flags = said.into_iter().chain(flags);
    for (_, word) in flags.filter(|(is_set, _)| *is_set) {
        let _ = write!(text, " {word}");
    }
    let declared_by = declared_by.as_deref().filter(|object| *object != ROSTER);
    if let Some(name) = declared_by.and_then(|object| object.strip_prefix("Membership default/")) {
        let _ = write!(text, " membership={name}");
    }
    match paid {
        None => {}
        Some(Paid::End) => text.push_str(" paid=end"),
        Some(Paid::Trim) => text.push_str(" paid=trim"),
        Some(Paid::Lower) => text.push_str(" paid=lower"),
    }
    match ownership {
        Ownership::None => {}
        Ownership::Asked => text.push_str(" owner=asked"),
        Ownership::Held => text.push_str(" owner=held"),
        Ownership::Over => text.push_str(" owner=over"),
    }
    text + &mails_text(mails)
}

fn mails_text(mails: &MailRecord) -> String {
    let MailRecord { attempts, renewals, given_up, automatic, decided, marks, not_before } = mails;
    let counts = [("attempts", *attempts), ("renewals", *renewals)];
    let counts = counts.into_iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!(" {word}={n}"));
    let mut text: String = counts.collect();
    if *given_up {
        text.push_str(" givenUp");
    }
    for (word, times) in [("mailed", automatic), ("decided", decided)] {
        let times: Vec<_> = times.iter().map(ToString::to_string).collect();
        if !times.is_empty() {
            let _ = write!(text, " {word}={}", times.join(","));
        }
    }
    if let Some(until) = not_before {
        let _ = write!(text, " notBefore={until}");
    }
    if !marks.is_empty() {
        text.push_str(" heeded");
    }
    text
}
