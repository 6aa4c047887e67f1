//! `seatkeeper plan` and `seatkeeper status`: look, and say what is and what would be.

use anyhow::Result;
use serde_json::json;

use crate::apply::{Look, Unread};
use crate::cli::args::{Output, PlanArgs};
use crate::cli::session::{LedgerAccess, Session, exit_of_rest, open};
use crate::cli::{Exit, Io, render, unsure};
use crate::domain::policy::Mode;
use crate::plan::{Plan, Stop};

/// Shows what `apply` would do. Writes nothing anywhere.
///
/// # Errors
///
/// When the ledger, the service or the output stands in the way.
pub async fn plan(args: &PlanArgs, io: &mut Io<'_>) -> Result<Exit> {
    let Some(mut session) = open(args, LedgerAccess::Read, None, io).await? else {
        return Ok(Exit::Error);
    };
    let (_, Look { plan, observed, unread, .. }) = session.look(io).await?;
    let unsure = without_ledger(&mut session, &plan, io).await?;
    match args.output {
        Output::Text => {
            writeln!(io.out, "{}", render::heading(&session.name, &observed, session.policy.mode))?;
            if let Some(unsure) = &unsure {
                write!(io.out, "{}", unsure::text(&session, unsure, &observed))?;
            }
            write!(io.out, "{}", render::text(&plan, &session.profile))?;
        }
        Output::Json => print_plan(&session, &plan, &unread, io)?,
    }
    write!(io.err, "{}{}", render::distrust(&plan), render::unread(&unread))?;
    let unsure = unsure.is_some_and(|unsure| !unsure.held.is_empty());
    match unread.is_empty() {
        false => Ok(Exit::Error),
        true if plan.is_empty() && !unsure => Ok(exit_of_rest(&plan)),
        true => Ok(Exit::Changes),
    }
}

/// The plan of who has the ledger, as far as it can be told without; `None` where it is at hand, or
/// nobody else manages the account.
async fn without_ledger(
    session: &mut Session,
    plan: &Plan,
    io: &mut Io<'_>,
) -> Result<Option<Plan>> {
    let others = plan.stop == Some(Stop::ClaimedByOther);
    if !others || session.ledger.installation().is_some() {
        return Ok(None);
    }
    let mode = std::mem::replace(&mut session.policy.mode, Mode::Observe);
    let looked = session.look(io).await;
    session.policy.mode = mode;
    let (_, Look { plan, .. }) = looked?;
    Ok(Some(plan))
}

/// Shows the account and everyone that is declared, as they are now.
///
/// # Errors
///
/// When the ledger, the service or the output stands in the way.
pub async fn status(args: &PlanArgs, io: &mut Io<'_>) -> Result<Exit> {
    let Some(mut session) = open(args, LedgerAccess::Read, None, io).await? else {
        return Ok(Exit::Error);
    };
    let (_, Look { plan, observed, unread, .. }) = session.look(io).await?;
    match args.output {
        Output::Text => {
            writeln!(io.out, "{}", render::heading(&session.name, &observed, session.policy.mode))?;
            write!(io.out, "{}", render::status(&plan, &observed))?;
        }
        Output::Json => print_plan(&session, &plan, &unread, io)?,
    }
    write!(io.err, "{}{}", render::distrust(&plan), render::unread(&unread))?;
    if unread.is_empty() { Ok(exit_of_rest(&plan)) } else { Ok(Exit::Error) }
}

/// The plan as one JSON document.
fn print_plan(session: &Session, plan: &Plan, unread: &Unread, io: &mut Io<'_>) -> Result<()> {
    let mut value = render::json(plan, &session.profile);
    render::add_unread(&mut value, unread);
    print_json(session, &value, io)
}

/// One JSON document: the account's name beside what `value` has.
///
/// # Errors
///
/// When stdout cannot be written.
pub fn print_json(session: &Session, value: &serde_json::Value, io: &mut Io<'_>) -> Result<()> {
    let mut value = value.clone();
    value["account"] = json!(session.name);
    value["accountId"] = json!(session.account.as_str());
    writeln!(io.out, "{value:#}")?;
    Ok(())
}
