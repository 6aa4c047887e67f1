//! `seatkeeper claim`: says who manages an account, or takes it over.

use anyhow::{Result, anyhow};
use serde_json::json;

use crate::apply::{Audited, Look, Subject, TakeError, take};
use crate::cli::args::{ClaimArgs, Output};
use crate::cli::confirm::confirmed;
use crate::cli::plan::print_json;
use crate::cli::session::{LedgerAccess, Session, backend, open, with_hint};
use crate::cli::{Exit, Io, render};
use crate::domain::observed::Claim;
use crate::domain::policy::Mode;
use crate::plan::Stop;

/// Says whose claim is on the account; with `--take` puts ours in its place.
///
/// # Errors
///
/// When the ledger, the service or the output stands in the way, or nobody confirms.
pub async fn claim(args: &ClaimArgs, io: &mut Io<'_>) -> Result<Exit> {
    let access = if args.take { LedgerAccess::Write } else { LedgerAccess::Read };
    let Some(mut session) = open(&args.plan, access, None, io).await? else {
        return Ok(Exit::Error);
    };
    let (guarantees, look) = session.look(io).await?;
    if !guarantees.claims() {
        return Err(anyhow!(
            "the account service holds no claims: nobody can be told apart by one"
        ));
    }
    let held = look.observed.account.claim.clone();
    let foreign = held.filter(|held| !is_ours(&session, held));
    let taken = match (&foreign, args.take) {
        (Some(held), true) => take_over(args, &mut session, &look, held, io).await?,
        _ => false,
    };
    match args.plan.output {
        Output::Text if !taken => writeln!(io.out, "{}", sentence(&session, &look))?,
        Output::Text => writeln!(io.out, "{}: the claim is ours now", session.name)?,
        Output::Json => {
            let ours = taken || (foreign.is_none() && look.observed.account.claim.is_some());
            let held = look.observed.account.claim.as_ref().filter(|_| !taken);
            let claim = held.map(|claim| {
                let installation = claim.installation.as_str();
                json!({ "installation": installation, "fingerprint": claim.fingerprint })
            });
            let value = json!({ "claim": claim, "ours": ours, "taken": taken });
            print_json(&session, &value, io)?;
        }
    }
    if foreign.is_some() && !taken { Ok(Exit::Waits) } else { Ok(Exit::Done) }
}

fn is_ours(session: &Session, claim: &Claim) -> bool {
    session.ledger.installation().as_ref() == Some(&claim.installation)
        && session.fingerprint == claim.fingerprint
}

/// Whose the claim is, and what to do.
fn sentence(session: &Session, look: &Look) -> String {
    let name = &session.name;
    let Some(claim) = &look.observed.account.claim else {
        return format!("{name}: nobody has claimed it; the first run above mode Observe does");
    };
    if is_ours(session, claim) {
        return format!("{name}: we hold the claim");
    }
    let place = place(session, claim);
    format!(
        "{name}: installation {} holds the claim, {place}\n  hint: run from there or use its ledger; to \
         take the account over: seatkeeper claim --take",
        claim.installation
    )
}

/// Where the holder of a claim runs.
fn place(session: &Session, Claim { fingerprint, .. }: &Claim) -> String {
    match (fingerprint.as_str(), *fingerprint == session.fingerprint) {
        ("file", _) => "with a ledger in a folder".to_owned(),
        ("account", _) => "with the ledger that the service keeps".to_owned(),
        (_, true) => "in this cluster".to_owned(),
        (uid, false) => format!("in the cluster whose namespace kube-system has the UID {uid}"),
    }
}

/// Shows what taking the account over means, asks, and does it; false: it was not confirmed.
async fn take_over(
    args: &ClaimArgs,
    session: &mut Session,
    look: &Look,
    held: &Claim,
    io: &mut Io<'_>,
) -> Result<bool> {
    if session.policy.mode == Mode::Observe {
        return Err(anyhow!("mode Observe writes nothing\n  hint: raise spec.mode of the Account"));
    }
    if let Some(stop @ Stop::ReadUntrusted(_)) = &look.plan.stop {
        return Err(anyhow!("{stop}\n  hint: try again; nothing was taken over"));
    }
    session.ledger.pin(&look.observed.account.key).map_err(with_hint)?;
    session.ledger.take_from(held);
    let (_, next) = session.look(io).await?;
    if next.observed.account.claim.as_ref() != Some(held) {
        return Err(anyhow!("the claim changed meanwhile\n  hint: look again"));
    }
    writeln!(
        io.err,
        "{}: takes the claim from installation {}, {}.\nIt stops at its next look (ClaimedByOther). \
         What it knows stays with it: whom it declared, who said no, what it sent. So people who said \
         no there may be invited from here. After this, `apply` would do:\n{}",
        session.name,
        held.installation,
        place(session, held),
        render::text(&next.plan, &session.profile)
    )?;
    if !args.yes && !confirmed(io, "Take it over?", "--yes takes it without a question")? {
        return Ok(false);
    }
    let (subject, ledger) = session.subject();
    let Subject { backend: service, desired, fingerprint, declarers, .. } = subject;
    let service = Audited { backend: service, desired, declarers };
    let taken = take(ledger, &service, &next.observed.account, fingerprint).await;
    taken.map(|()| true).map_err(|error| match error {
        TakeError::Backend(error) => backend(error),
        TakeError::Ledger(error) => error.into(),
    })
}
