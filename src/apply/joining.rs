//! Reads who waits to come in otherwise than by an invitation, once a look, where the product has it.

use std::sync::Arc;

use crate::apply::path::{LookError, Subject, Unread, read_or_not};
use crate::backend::BackendError;
use crate::domain::joining::Joining;
use crate::domain::keys::AccountKey;
use crate::ledger::Ledger;

/// Reads join requests and suggestions, and the domains if one is declared or ours.
pub(super) async fn read(
    subject: &Subject<'_>,
    account: &AccountKey,
    ledger: &Ledger,
    unread: &mut Unread,
) -> Result<Joining, LookError> {
    let Subject { backend, profile, desired, .. } = *subject;
    let mut joining = Joining::default();
    if !desired.join_domains.is_empty() || ledger.follows_domains() {
        joining.domains = read_or_not(backend.domains(account).await, &mut unread.domains)?;
    }
    if profile.auto_join.is_some() {
        let requests = backend.join_requests(account).await;
        joining.requests = told(requests, &mut unread.join_requests)?;
    }
    if profile.takes_suggestions() {
        let suggestions = backend.suggestions(account).await;
        joining.suggestions = told(suggestions, &mut unread.suggestions)?;
    }
    Ok(joining)
}

/// A list that only who may invite is told of: whose token may not, has nobody to let in.
fn told<T>(
    list: Result<T, BackendError>,
    unread: &mut Option<Arc<BackendError>>,
) -> Result<Option<T>, LookError> {
    match list {
        Err(BackendError::Forbidden { .. }) => Ok(None),
        list => read_or_not(list, unread),
    }
}
