//! What falls due with time: invitations expire, periods end, announced trims happen, old rows go.

use std::sync::Arc;

use crate::server::Service;
use crate::server::change::{
    Change, client_access, digest, invitation, join_request, ownership_change, retention, seats,
    subscription,
};
use crate::server::error::ApiError;
use crate::server::store::{accounts, outbox};

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

/// Does everything that is due now, or as much as is done before a stop; gives the number of
/// accounts that had something.
pub(crate) async fn run(service: &Arc<Service>) -> Result<usize, ApiError> {
    let now = service.now();
    let mut snapshot = service.store.snapshot().await?;
    let end_near = now + subscription::END_NEAR;
    let due = accounts::with_work_due(&mut snapshot, now, end_near).await?;
    drop(snapshot);
    for id in &due {
        if service.stopping.is_cancelled() {
            return Ok(due.len());
        }
        // One account that cannot be settled must not keep the others waiting.
        if let Err(error) = settle(service, id).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(account.id = id, error, "could not do what is due in an account");
        }
    }
    retention::run(service).await?;
    Ok(due.len())
}

/// Does everything that is due now and sends no mail that waits or comes of it; gives the number of
/// these mails. What was gathered for administrators is not told either.
pub(crate) async fn run_untold(service: &Arc<Service>) -> Result<u64, ApiError> {
    let mut due = run(service).await?;
    // What is done in one account can be news to another.
    while due > 0 {
        let left = run(service).await?;
        if left >= due {
            break;
        }
        due = left;
    }
    let mut tx = service.store.begin().await?;
    accounts::forget_digests(&mut tx).await?;
    let mails = outbox::mark_unsent_unknown(&mut tx).await?;
    tx.commit().await?;
    Ok(mails)
}
