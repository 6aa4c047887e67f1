//! `seatkeeper apply`: the plan's lines again, each as it is done.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;
use uuid::Uuid;

use crate::apply::{ApplyError, Context, IN_FLIGHT, Look, Outcome, Ran, Report, RunError, run};
use crate::backend::{Guarantees, Retry};
use crate::cli::args::{ApplyArgs, Output};
use crate::cli::plan::print_json;
use crate::cli::session::{LedgerAccess, Session, exit_of_rest, open, with_hint};
use crate::cli::{Exit, Io, render};
use crate::cli::{clients, domains, recipients, teams};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::ResendMark;
use crate::plan::action::Action;

/// Looks of one run: the account may change while we work.
const ROUNDS: usize = 3;
/// How often a look may find that another run of this account was faster.
const TRIES: u32 = 5;
/// Pause after the first time; it doubles each time, so that the other one gets done.
const PAUSE: Duration = Duration::from_millis(500);
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
        let resend = Some(&*resend).filter(|_| round == 1);
        let ran = look_and_run(&mut session, args, resend, &mut done, io).await?;
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
        for (line, value, outcome) in beside_people(&ran.report) {
            if args.plan.output == Output::Text {
                writeln!(io.out, "{}", render::told(&line, outcome))?;
            }
            done.push(said(value, outcome));
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

/// Looks and runs; where another run was faster, once more from a fresh look. `first`: whom to say
/// something of before the first run.
async fn look_and_run(
    session: &mut Session,
    args: &ApplyArgs,
    mut first: Option<&[MemberKey]>,
    done: &mut Vec<serde_json::Value>,
    io: &mut Io<'_>,
) -> Result<Ran> {
    let (mut tries, mut pause) = (0, PAUSE);
    loop {
        tries += 1;
        let (guarantees, look) = session.look(io).await?;
        if let Some(resend) = first.take() {
            introduce(session, &look, args, resend, io)?;
        }
        match run_once(session, look, &guarantees, args.plan.output, done, io).await {
            Err(RunError::Apply(ApplyError::Conflict(_))) if tries < TRIES => {
                writeln!(io.err, "another run changed the ledger meanwhile; looking again")?;
                tokio::time::sleep(pause).await;
                pause *= 2;
                session.ledger.reload().await.map_err(with_hint)?;
            }
            Err(RunError::Apply(ApplyError::Conflict(cause))) => {
                let why = format!("another run was faster {TRIES} times");
                return Err(with_hint(cause).context(why));
            }
            Err(RunError::Apply(ApplyError::Ledger(cause))) => return Err(with_hint(cause)),
            Err(RunError::Plan(error)) => return Err(error.into()),
            Ok(ran) => return Ok(ran),
        }
    }
}

/// Says what the run is about, before anything is done.
fn introduce(
    session: &Session,
    look: &Look,
    args: &ApplyArgs,
    resend: &[MemberKey],
    io: &mut Io<'_>,
) -> Result<()> {
    if args.plan.output == Output::Text {
        let heading = render::heading(&session.name, &look.observed, session.policy.mode);
        writeln!(io.out, "{heading}")?;
    }
    if let Some(note) = render::approval(&look.plan, args.approve.as_deref()) {
        writeln!(io.err, "note: {note}")?;
    }
    for note in resend.iter().filter_map(|person| render::resend(&look.plan, person)) {
        writeln!(io.err, "note: {note}")?;
    }
    Ok(())
}

/// What became of the actions that follow those on people: line, JSON and outcome of each.
fn beside_people(report: &Report) -> Vec<(String, serde_json::Value, &Outcome)> {
    let of_clients = report.clients.iter();
    let of_clients = of_clients.map(|(a, o)| (a.to_string(), clients::action_json(a), o));
    let of_recipients = report.recipients.iter();
    let of_recipients = of_recipients.map(|(a, o)| (a.to_string(), recipients::action_json(a), o));
    let of_domains = report.domains.iter();
    let of_domains = of_domains.map(|(a, o)| (a.to_string(), domains::action_json(a), o));
    of_clients.chain(of_recipients).chain(of_domains).collect()
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

/// Runs a look. `done` gets what was done before another run was faster: no report says it then.
async fn run_once(
    session: &mut Session,
    look: Look,
    guarantees: &Guarantees,
    output: Output,
    done: &mut Vec<serde_json::Value>,
    io: &mut Io<'_>,
) -> Result<Ran, RunError> {
    let total = look.plan.actions.len();
    let (subject, ledger) = session.subject();
    let context = Context {
        now: &*io.now,
        fingerprint: subject.fingerprint,
        in_flight: IN_FLIGHT,
        retention: guarantees.repeatable_for(),
        claims: guarantees.claims(),
        brake_window: subject.policy.removals.window,
    };
    let teams = look.plan.teams.clone();
    let lines = Mutex::new((&mut *io.out, &mut *io.err, 0_usize, Vec::new()));
    let on_done = |action: &Action, outcome: &Outcome| {
        let Ok(mut lines) = lines.lock() else { return };
        let (out, err, n, so_far) = &mut *lines;
        *n += 1;
        if outcome.is_done() {
            so_far.push(said(render::action_json(action), outcome));
        }
        // A reader that went away must not stop a run half-way.
        if output == Output::Text {
            let _ = writeln!(out, "{}", render::outcome(&teams, action, outcome));
        }
        if total > PROGRESS && *n % PROGRESS == 0 {
            let _ = writeln!(err, "{n} of {total} done");
        }
    };
    let ran = run(&subject, ledger, look, context, &on_done).await;
    if ran.is_err()
        && let Ok((_, _, _, so_far)) = lines.into_inner()
    {
        done.extend(so_far);
    }
    ran
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
        Outcome::Refused(error) => ("Refused", Some(error.reason().as_str())),
        Outcome::Unknown(error) => ("Unknown", Some(error.reason().as_str())),
        Outcome::NotRun(why) => ("NotRun", Some(why.reason())),
    };
    value["outcome"] = json!(word);
    value["reason"] = json!(reason);
    value
}
