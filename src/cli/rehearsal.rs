//! What imported manifests would do in mode `Exclusive`, asked of the planner before they are written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;

use crate::cli::render;
use crate::domain::ledger_view::LedgerView;
use crate::domain::observed::Observed;
use crate::domain::policy::Mode;
use crate::manifests::{self, Exported};
use crate::plan::{Input, Plan, Stop, plan};
use crate::profile::Profile;

/// Reads the manifests back and plans them against the account that they were made of, as the first
/// run in mode `Exclusive` would.
///
/// # Errors
///
/// When the read of the account is not to be trusted, or what was made of it is not accepted.
pub fn rehearse(
    exported: &Exported,
    profile: &Profile,
    observed: &Observed,
    now: Timestamp,
) -> Result<Plan> {
    let files = manifests::parse(&exported.files);
    let mut problems = files.problems;
    let sorted = files.objects.by_account();
    problems.extend(sorted.problems);
    let declarations = sorted.accounts.into_iter().next().context("no Account was made")?;
    let resolved = manifests::resolve(&declarations, Some(profile), &|_, _| None, now);
    problems.extend(resolved.problems);
    let (Some(mut policy), true) = (resolved.policy, problems.is_empty()) else {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        return Err(anyhow!(
            "what was made of the account would not be accepted; nothing was written\n{}",
            problems.join("\n")
        ));
    };
    policy.mode = Mode::Exclusive;
    let mut observed = observed.clone();
    // Whose the account is now is said apart.
    observed.account.claim = None;
    let desired = resolved.desired.bound(&observed.teams, &BTreeMap::new());
    let (desired, ledger) = (&*desired, &LedgerView::default());
    let input = Input { desired, observed: &observed, profile, policy: &policy, ledger, now };
    let plan = plan(&input)?;
    match &plan.stop {
        Some(stop @ Stop::ReadUntrusted(_)) => {
            Err(anyhow!("{}: {stop}; nothing was written\n  hint: try again", stop.reason()))
        }
        Some(_) | None => Ok(plan),
    }
}

/// What the rehearsal showed.
#[must_use]
pub fn checked(plan: &Plan, profile: &Profile) -> String {
    let (mut text, lines) = if plan.is_empty() {
        let text = "checked: even mode Exclusive would change nothing\n";
        (text.to_owned(), render::waiting(plan))
    } else {
        let text = "checked: raise the mode only if you agree; mode Exclusive would do this:\n";
        (text.to_owned(), render::text(plan, profile))
    };
    for line in lines.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}
