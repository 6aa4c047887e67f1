//! `seatkeeper plan` and `seatkeeper status`: look, and say what is and what would be.

use anyhow::Result;
use serde_json::json;

use crate::apply::{Look, Unread};
use crate::cli::args::{Output, PlanArgs};
use crate::cli::session::{LedgerAccess, Session, exit_of_rest, open};
use crate::cli::{Exit, Io, render};
use crate::plan::Plan;

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
    match args.output {
        Output::Text => {
            writeln!(io.out, "{}", render::heading(&session.name, &observed, session.policy.mode))?;
            write!(io.out, "{}", render::text(&plan, &session.profile))?;
        }
        Output::Json => print_plan(&session, &plan, &unread, io)?,
    }
    write!(io.err, "{}{}", render::distrust(&plan), render::unread(&unread))?;
    match unread.is_empty() {
        false => Ok(Exit::Error),
        true if plan.is_empty() => Ok(exit_of_rest(&plan)),
        true => Ok(Exit::Changes),
    }
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
