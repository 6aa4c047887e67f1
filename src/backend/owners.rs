//! Changes of owner over the account API.

use std::collections::BTreeSet;

use http::Method;

use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::account_api::{AccountApi, row_gone};
use crate::backend::call::Call;
use crate::backend::pages;
use crate::backend::rows;
use crate::domain::keys::{ETag, MemberId, OwnershipChangeId, RequestKey, RoleName};
use crate::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use crate::plan::action::OwnerChangeRow;
use crate::wire;

/// Reads the list of changes of owner to its end.
pub(super) async fn read(
    api: &AccountApi,
    account: &str,
) -> Result<Vec<ObservedOwnershipChange>, BackendError> {
    let (mut changes, mut ids) = (Vec::new(), BTreeSet::new());
    let list = path(account);
    let take = |row: wire::OwnershipChange| {
        if !ids.insert(rows::id(&row.id)?.to_owned()) {
            return Err(BackendError::Malformed { what: "a row that came twice" });
        }
        changes.push(observed(row)?);
        Ok(())
    };
    pages::read_beside(api, &list, "no list of changes of owner", take).await?;
    Ok(changes)
}

/// Asks the present owner to make a member an owner.
pub(super) async fn ask(
    api: &AccountApi,
    account: &str,
    member: &MemberId,
    key: &RequestKey,
) -> Result<Executed, BackendError> {
    let new = wire::NewOwnershipChange { member: member.as_str().to_owned(), owner: None };
    let call = Call::new(Method::POST, path(account)).key(key).json(&new)?;
    let row = observed(api.ask(call).await?)?;
    if row.member != *member {
        return Err(BackendError::Malformed { what: "an answer that does not show the change" });
    }
    Ok(Executed::OwnershipChange(Box::new(row)))
}

/// Withdraws a change that waits.
pub(super) async fn cancel(
    api: &AccountApi,
    account: &str,
    change: &OwnerChangeRow,
    key: &RequestKey,
) -> Result<Executed, BackendError> {
    let path = format!("{}/{}/cancel", path(account), rows::id(change.id.as_str())?);
    let call = Call::new(Method::POST, path).if_match(&change.etag).key(key);
    api.end(account, call).await.map_err(row_gone)
}

fn path(account: &str) -> String {
    format!("/v1/accounts/{account}/ownership-changes")
}

fn observed(row: wire::OwnershipChange) -> Result<ObservedOwnershipChange, BackendError> {
    rows::id(&row.id)?;
    rows::id(&row.member)?;
    Ok(ObservedOwnershipChange {
        id: OwnershipChangeId(row.id),
        etag: ETag(row.etag),
        role: RoleName(row.role),
        member: MemberId(row.member),
        state: match row.state {
            wire::OwnershipState::Unconfirmed => OwnershipState::Unconfirmed,
            wire::OwnershipState::Unaccepted => OwnershipState::Unaccepted,
            wire::OwnershipState::Done => OwnershipState::Done,
            wire::OwnershipState::Cancelled
            | wire::OwnershipState::Declined
            | wire::OwnershipState::Expired => OwnershipState::Ended,
            wire::OwnershipState::Unknown => OwnershipState::Unknown,
        },
        requested_by: row.requested_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}
