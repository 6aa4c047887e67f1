//! The claim: the mark of who manages the account. Nothing runs without it.

use crate::apply::progress::Progress;
use crate::apply::{ApplyError, CLAIMED, Job, OPENED};
use crate::backend::{Backend, BackendError};
use crate::domain::keys::ETag;
use crate::domain::observed::{Claim, ObservedAccount};
use crate::failpoint::hit;
use crate::ledger::Ledger;

/// Notes, for the head that is written next, whose claim is about to be replaced.
pub(super) fn prepare(ledger: &mut Ledger, job: &Job<'_>) {
    let wanted = job.plan.learn.claim && job.context.claims;
    match &job.observed.account.claim {
        Some(held) if wanted => ledger.take_from(held),
        Some(_) | None => ledger.is_claimed(),
    }
}

/// Puts our claim on the account, if the plan says so.
pub(super) async fn claim(ledger: &mut Ledger, job: &Job<'_>, progress: &mut Progress<'_>) {
    let wanted = job.plan.learn.claim && job.context.claims;
    let Some(installation) = ledger.installation().filter(|_| wanted) else { return };
    let claim = Claim { installation, fingerprint: job.context.fingerprint.to_owned() };
    match put(job.backend, &job.observed.account, &claim).await {
        Ok(etag) => {
            ledger.is_claimed();
            progress.after.account.claim = Some(claim);
            progress.after.account.etag = etag;
        }
        Err(error) => progress.claim_error = Some(error),
    }
}

/// Puts a claim in place of whatever the look saw; gives the account's new version.
async fn put(
    backend: &dyn Backend,
    account: &ObservedAccount,
    claim: &Claim,
) -> Result<ETag, BackendError> {
    let held = account.claim.as_ref().map(|held| &held.installation);
    let replaces = held.filter(|held| **held != claim.installation);
    backend.claim(&account.key, claim, replaces, &account.etag).await
}

/// Why an account was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] ApplyError),
    /// The service did not take the claim.
    #[error("could not put the claim on the account")]
    Backend(#[source] BackendError),
}

/// Puts the claim of this ledger in place of the one that a look saw. The head is written before, so
/// that a run that is killed is finished by the next one, and after.
///
/// # Errors
///
/// [`TakeError`]; nothing but the ledger was changed then.
pub async fn take(
    ledger: &mut Ledger,
    backend: &dyn Backend,
    account: &ObservedAccount,
    fingerprint: &str,
) -> Result<(), TakeError> {
    ledger.pin(&account.key).map_err(ApplyError::from)?;
    if let Some(held) = &account.claim {
        ledger.take_from(held);
    }
    ledger.write_head().await.map_err(ApplyError::from)?;
    hit(OPENED);
    let Some(installation) = ledger.installation() else { return Ok(()) };
    let claim = Claim { installation, fingerprint: fingerprint.to_owned() };
    put(backend, account, &claim).await.map_err(TakeError::Backend)?;
    hit(CLAIMED);
    ledger.is_claimed();
    ledger.write_head().await.map_err(ApplyError::from)?;
    Ok(())
}
