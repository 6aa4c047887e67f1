//! What falls due with time: invitations expire, periods end, announced trims happen.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::server::Service;
use crate::server::change::{
    Change, client_access, digest, invitation, join_request, ownership_change, seats, subscription,
};
use crate::server::error::ApiError;
use crate::server::permission::Actor;
use crate::server::store::{accounts, answers, audit};

/// How long answers are kept under their idempotency key.
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(24);

/// Entries of the audit log that are forgotten in one transaction, and accounts at once.
const BATCH: i64 = 1000;

async fn settle(service: &Arc<Service>, account_id: &str) -> Result<(), ApiError> {
    // Another process does it, or the next look will find it again.
    let Some(mut change) = Change::begin_unless_held(service, account_id).await? else {
        return Ok(());
    };
    invitation::expire_overdue(&mut change).await?;
    ownership_change::expire_overdue(&mut change).await?;
    subscription::end_periods(&mut change).await?;
    subscription::tell_ends(&mut change).await?;
    client_access::end_at_client(&mut change).await?;
    seats::enforce_due(&mut change).await?;
    client_access::follow_moved(&mut change).await?;
    join_request::admit_arrivals(&mut change).await?;
    digest::send_due(&mut change).await?;
    change.commit().await
}

/// Forgets the oldest entries of an account's audit log, one batch of them.
async fn forget(
    service: &Arc<Service>,
    account_id: &str,
    kept_since: Option<Timestamp>,
) -> Result<(), ApiError> {
    let Some(since) = kept_since else { return Ok(()) };
    let mut change = Change::begin(service, account_id, Actor::Service).await?;
    let last = audit::last_until(change.conn(), account_id, since, BATCH).await?;
    if let Some(position) = last {
        audit::forget_until(change.conn(), account_id, position).await?;
        change.account.forgotten = position;
    }
    change.commit().await
}

/// Does everything that is due now; gives the number of accounts that had something.
pub(crate) async fn run(service: &Arc<Service>) -> Result<usize, ApiError> {
    let now = service.now();
    let mut snapshot = service.store.snapshot().await?;
    let end_near = now + subscription::END_NEAR;
    let due = accounts::with_work_due(&mut snapshot, now, end_near).await?;
    let outdated = answers::any_until(&mut snapshot, now - RETENTION).await?;
    let kept_since = service.audit_retention.map(|retention| now - retention);
    let with_old = match kept_since {
        Some(since) => audit::accounts_with_any_until(&mut snapshot, since, BATCH).await?,
        None => vec![],
    };
    drop(snapshot);
    for id in with_old {
        forget(service, &id, kept_since).await?;
    }
    for id in &due {
        // One account that cannot be settled must not keep the others waiting.
        if let Err(error) = settle(service, id).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(account.id = id, error, "could not do what is due in an account");
        }
    }
    if outdated {
        let mut tx = service.store.begin().await?;
        answers::forget_until(&mut tx, now - RETENTION).await?;
        tx.commit().await?;
    }
    Ok(due.len())
}
