//! What is kept for a while only, and then forgotten.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::server::Service;
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::permission::Actor;
use crate::server::store::ending::{self, Ending};
use crate::server::store::{Connection, answers, audit, outbox};

/// How long answers are kept under their idempotency key.
pub(crate) const ANSWERS: SignedDuration = SignedDuration::from_hours(24);

/// How long sessions and login links are kept once they are over.
const SESSIONS: SignedDuration = SignedDuration::from_hours(24);

/// How long mails are kept that are sent, or never will be.
const MAILS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Rows that are forgotten in one transaction, and accounts at once.
const BATCH: i64 = 1000;

/// Forgets what is older than it is kept, a batch of each kind.
pub(crate) async fn run(service: &Arc<Service>) -> Result<(), ApiError> {
    let now = service.now();
    let kept_since = service.audit_retention.map(|retention| now - retention);
    if let Some(since) = kept_since {
        forget_audit(service, since).await?;
    }
    let mut snapshot = service.store.snapshot().await?;
    let answers = answers::any_until(&mut snapshot, now - ANSWERS).await?;
    let sessions = ending::any_over(&mut snapshot, Ending::Sessions, now - SESSIONS).await?;
    let links = ending::any_over(&mut snapshot, Ending::LoginLinks, now - SESSIONS).await?;
    let mails = outbox::any_done_until(&mut snapshot, now - MAILS).await?;
    // The audit log names tokens.
    let tokens_until = match kept_since {
        Some(since) => {
            ending::any_over(&mut snapshot, Ending::Tokens, since).await?.then_some(since)
        }
        None => None,
    };
    drop(snapshot);
    if !(answers || sessions || links || mails || tokens_until.is_some()) {
        return Ok(());
    }
    let mut tx = service.store.begin().await?;
    answers::forget_until(&mut tx, now - ANSWERS).await?;
    ending::forget(&mut tx, Ending::Sessions, now - SESSIONS, BATCH).await?;
    ending::forget(&mut tx, Ending::LoginLinks, now - SESSIONS, BATCH).await?;
    outbox::forget_done(&mut tx, now - MAILS, BATCH).await?;
    if let Some(since) = tokens_until {
        ending::forget(&mut tx, Ending::Tokens, since, BATCH).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn forget_audit(service: &Arc<Service>, since: Timestamp) -> Result<(), ApiError> {
    let mut snapshot = service.store.snapshot().await?;
    let accounts = audit::accounts_with_any_until(&mut snapshot, since, BATCH).await?;
    drop(snapshot);
    for id in accounts {
        // One account that cannot be changed must not keep the others waiting.
        if let Err(error) = forget_audit_of(service, &id, since).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                account.id = id,
                error,
                "could not forget what an account did long ago"
            );
        }
    }
    Ok(())
}

/// Forgets the oldest entries of an account's audit log, one batch of them.
async fn forget_audit_of(
    service: &Arc<Service>,
    account_id: &str,
    since: Timestamp,
) -> Result<(), ApiError> {
    let mut change = match Change::begin(service, account_id, Actor::Service).await {
        // The account was deleted: nobody reads its feed, and nothing holds it.
        Err(ApiError::NotFound) => {
            let mut tx = service.store.begin().await?;
            forget_oldest(&mut tx, account_id, since).await?;
            return Ok(tx.commit().await?);
        }
        change => change?,
    };
    if let Some(position) = forget_oldest(change.conn(), account_id, since).await? {
        change.account.forgotten = position;
    }
    change.commit().await
}

async fn forget_oldest(
    conn: &mut Connection,
    account_id: &str,
    since: Timestamp,
) -> Result<Option<i64>, ApiError> {
    let last = audit::last_until(conn, account_id, since, BATCH).await?;
    if let Some(position) = last {
        audit::forget_until(conn, account_id, position).await?;
    }
    Ok(last)
}
