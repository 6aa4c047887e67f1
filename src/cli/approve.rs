//! `seatkeeper approve`: a person lets what is held run, once.

use anyhow::{Result, anyhow};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::api::{Account, Held};
use crate::cli::args::ApproveArgs;
use crate::cli::cluster::{failed, reach};
use crate::cli::words::many;
use crate::cli::{Exit, Io};
use crate::manifests::APPROVE_ANNOTATION;

/// Shows what waits for an approval, or approves it by its digest.
///
/// # Errors
///
/// The cluster cannot be reached, or the digest is not that of what is held.
pub async fn approve(args: &ApproveArgs, io: &mut Io<'_>) -> Result<Exit> {
    let (client, namespace) = reach(&args.cluster).await?;
    let what = format!("Account {namespace}/{}", args.account);
    let accounts: Api<Account> = Api::namespaced(client, &namespace);
    let account = accounts.get(&args.account).await.map_err(|error| failed(error, &what))?;
    let held = account.status.as_ref().and_then(|status| status.held.as_ref());
    let waiting = held.and_then(|held| held.digest.as_deref().map(|digest| (held, digest)));
    match (&args.digest, waiting) {
        (None, None) => {
            writeln!(io.out, "{what}: nothing waits for an approval")?;
            Ok(Exit::Done)
        }
        (None, Some((held, digest))) => {
            write!(io.out, "{what}: {}\n{}", waits(held, digest), rules(held))?;
            writeln!(
                io.err,
                "hint: let exactly this run, once: seatkeeper approve {} -n {namespace} --digest \
                 {digest}",
                args.account
            )?;
            Ok(Exit::Waits)
        }
        (Some(given), Some((held, digest))) if given == digest => {
            let annotations = json!({ APPROVE_ANNOTATION: digest });
            let patch = json!({ "metadata": { "annotations": annotations } });
            let patched =
                accounts.patch(&args.account, &PatchParams::default(), &Patch::Merge(&patch)).await;
            let patched = patched.map_err(|error| failed(error, &what))?;
            let name = patched.name_any();
            writeln!(io.out, "{what}: approved {}", waits(held, digest))?;
            writeln!(
                io.err,
                "it runs with the next look, within an hour: kubectl -n {namespace} get account {name}"
            )?;
            Ok(Exit::Done)
        }
        (Some(given), Some((_, digest))) => Err(anyhow!(
            "{given} is not what {what} holds: that is {digest}\n  hint: look at it anew, without \
             --digest, before you approve it"
        )),
        (Some(given), None) => Err(anyhow!(
            "{given} is not what {what} holds: nothing waits for an approval\n  hint: it may have run \
             or have been withdrawn meanwhile"
        )),
    }
}

/// `held set 0123456789abcdef: 2 removals, 1 change`, without what there is none of.
fn waits(held: &Held, digest: &str) -> String {
    let counts = [
        (held.additions, "addition"),
        (held.changes, "change"),
        (held.removals, "removal"),
        (held.mails, "mail"),
    ];
    let counts = counts.into_iter().filter_map(|(n, noun)| {
        let n = usize::try_from(n).ok().filter(|n| *n > 0)?;
        Some(many(n, noun))
    });
    let counts: Vec<String> = counts.collect();
    format!("held set {digest}: {}", counts.join(", "))
}

/// What is held by each rule, a line each.
fn rules(held: &Held) -> String {
    let line = |rule: &crate::api::HeldByRule| {
        let count = usize::try_from(rule.count).unwrap_or(0);
        let more = count.saturating_sub(rule.names.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("  {}: {}{more}\n", rule.rule, rule.names.join(", "))
    };
    held.rules.iter().map(line).collect()
}
