//! `seatkeeper apply`: the plan's lines again, each as it is done.

use std::sync::Mutex;

use anyhow::{Result, anyhow};
use serde_json::json;
use uuid::Uuid;

use crate::apply::{Context, IN_FLIGHT, Look, Outcome, Ran, RunError, Subject, run};
use crate::backend::{Guarantees, Retry};
use crate::cli::args::{ApplyArgs, Output};
use crate::cli::plan::print_json;
use crate::cli::session::{LedgerAccess, Session, exit_of_rest, open, with_hint};
use crate::cli::{Exit, Io, render};
use crate::cli::{clients, recipients, teams};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::ResendMark;
use crate::plan::action::Action;

/// Looks of one run: the account may change while we work.
const ROUNDS: usize = 3;
/// Progress is shown from this many actions on, and after each as many.
const PROGRESS: usize = 50;

/// Makes the account match the files.
///
/// # Errors
///
/// When the ledger, the service or the output stands in the way.
pub async fn apply(args: &ApplyArgs, io: &mut Io<'_>) -> Result<Exit> {
    let approve = args.approve.as_deref();
    let Some(mut session) = open(&args.plan, LedgerAccess::Write, approve, io).await? else {
        return Ok(Exit::Error);
    };
    let resend = say_again(&mut session, &args.resend)?;
    let mut done = Vec::new();
    for round in 1..=ROUNDS {
        let (guarantees, look) = session.look(io).await?;
        if round == 1 && args.plan.output == Output::Text {
            let heading = render::heading(&session.name, &look.observed, session.policy.mode);
            writeln!(io.out, "{heading}")?;
        }
        if let Some(note) = render::approval(&look.plan, approve).filter(|_| round == 1) {
            writeln!(io.err, "note: {note}")?;
        }
        for note in resend.iter().filter_map(|person| render::resend(&look.plan, person)) {
            if round == 1 {
                writeln!(io.err, "note: {note}")?;
            }
        }
        let ran = run_once(&mut session, look, &guarantees, args.plan.output, io).await?;
        let again = ran.report.stopped().is_some_and(|error| error.retry() == Retry::LookAgain);
        let goes_on =
            ran.report.goes_on() && ran.report.stopped().is_none() && !ran.settled.is_empty();
        for (action, outcome) in &ran.report.teams {
            if args.plan.output == Output::Text {
                writeln!(io.out, "{}", render::told(&action.to_string(), outcome))?;
            }
            done.push(said(teams::action_json(action), outcome));
        }
        let people = ran.report.outcomes.iter();
        done.extend(people.map(|(action, outcome)| said(render::action_json(action), outcome)));
        for (action, outcome) in &ran.report.clients {
            if args.plan.output == Output::Text {
                writeln!(io.out, "{}", render::told(&action.to_string(), outcome))?;
            }
            done.push(said(clients::action_json(action), outcome));
        }
        for (action, outcome) in &ran.report.recipients {
            if args.plan.output == Output::Text {
                writeln!(io.out, "{}", render::told(&action.to_string(), outcome))?;
            }
            done.push(said(recipients::action_json(action), outcome));
        }
        if !(again || goes_on) || round == ROUNDS {
            return finish(&session, &ran, done, args.plan.output, io);
        }
        if goes_on {
            continue;
        }
        writeln!(io.err, "the account changed meanwhile; looking again")?;
    }
    Ok(Exit::Error)
}

/// Says of these people, once, that their invitations are to be sent again.
fn say_again(session: &mut Session, people: &[String]) -> Result<Vec<MemberKey>> {
    let word = ResendMark::of(&Uuid::new_v4().to_string());
    let mut said = Vec::new();
    for text in people {
        let person = EmailAddress::parse(text)
            .map_err(|error| anyhow!("--resend {text}: {error}\n  hint: give an address"))?;
        let people = session.desired.people.iter_mut();
        let mut found = people.filter(|(key, _)| key.person == person).peekable();
        if found.peek().is_none() {
            return Err(anyhow!(
                "--resend {text}: the files declare no such person\n  hint: name somebody whom a \
                 Team or Membership of this account declares"
            ));
        }
        for (key, member) in found {
            member.said = Some(word);
            said.push(key.clone());
        }
    }
    Ok(said)
}

async fn run_once(
    session: &mut Session,
    look: Look,
    guarantees: &Guarantees,
    output: Output,
    io: &mut Io<'_>,
) -> Result<Ran> {
    let total = look.plan.actions.len();
    let Session { account, desired, policy, profile, backend, ledger, fingerprint, .. } = session;
    let subject = Subject { backend: &**backend, account, profile, policy, desired, fingerprint };
    let context = Context {
        now: &*io.now,
        fingerprint,
        in_flight: IN_FLIGHT,
        retention: guarantees.repeatable_for(),
        claims: guarantees.claims(),
        brake_window: policy.removals.window,
    };
    let teams = look.plan.teams.clone();
    let lines = Mutex::new((&mut *io.out, &mut *io.err, 0_usize));
    let on_done = |action: &Action, outcome: &Outcome| {
        let Ok(mut lines) = lines.lock() else { return };
        let (out, err, n) = &mut *lines;
        *n += 1;
        // A reader that went away must not stop a run half-way.
        if output == Output::Text {
            let _ = writeln!(out, "{}", render::outcome(&teams, action, outcome));
        }
        if total > PROGRESS && *n % PROGRESS == 0 {
            let _ = writeln!(err, "{n} of {total} done");
        }
    };
    run(&subject, ledger, look, context, &on_done).await.map_err(|error| match error {
        RunError::Apply(error) => match error {
            crate::apply::ApplyError::Conflict(cause) | crate::apply::ApplyError::Ledger(cause) => {
                with_hint(cause)
            }
        },
        RunError::Plan(error) => anyhow!(error),
    })
}

/// Says what is left, and ends.
fn finish(
    session: &Session,
    ran: &Ran,
    done: Vec<serde_json::Value>,
    output: Output,
    io: &mut Io<'_>,
) -> Result<Exit> {
    let failed = done.iter().filter(|action| action["outcome"] != "Done").count();
    match output {
        Output::Text => {
            write!(io.out, "{}", render::waiting(&ran.settled))?;
            writeln!(io.out, "{}", render::after(&ran.settled, done.len() - failed, failed))?;
        }
        Output::Json => {
            let mut value = render::json(&ran.settled, &session.profile);
            render::add_unread(&mut value, &ran.unread);
            value["done"] = json!(done);
            let writes = session.ledger.writes();
            value["ledger"] = json!({ "headWrites": writes.head, "pageWrites": writes.pages });
            print_json(session, &value, io)?;
        }
    }
    write!(io.err, "{}{}", render::causes(&ran.report), render::distrust(&ran.settled))?;
    write!(io.err, "{}", render::unread(&ran.unread))?;
    let complete = ran.report.is_complete() && ran.unread.is_empty();
    if complete { Ok(exit_of_rest(&ran.settled)) } else { Ok(Exit::Error) }
}

fn said(mut value: serde_json::Value, outcome: &Outcome) -> serde_json::Value {
    let (word, reason) = match outcome {
        Outcome::Done(_) => ("Done", None),
        Outcome::Refused(error) => ("Refused", Some(error.reason())),
        Outcome::Unknown(error) => ("Unknown", Some(error.reason())),
        Outcome::NotRun(why) => ("NotRun", Some(why.reason())),
    };
    value["outcome"] = json!(word);
    value["reason"] = json!(reason);
    value
}
