//! Join requests and suggestions over the account API.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::account_api::{AccountApi, row_gone};
use crate::backend::call::Call;
use crate::backend::pages;
use crate::backend::rows;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{ETag, JoinRequestId, RequestKey};
use crate::wire;

/// Reads the open join requests of an account to the end of their list.
pub(super) async fn requests(
    api: &AccountApi,
    account: &str,
) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError> {
    let mut requests = BTreeMap::new();
    let take = |row: wire::JoinRequest| {
        rows::id(&row.id)?;
        if row.state != wire::JoinRequestState::Open {
            return Ok(());
        }
        let person = rows::person(&row.email)?;
        let row = ObservedJoinRequest { id: JoinRequestId(row.id), etag: ETag(row.etag) };
        match requests.insert(person, row) {
            None => Ok(()),
            Some(_) => Err(BackendError::Malformed { what: "a row that came twice" }),
        }
    };
    let list = format!("/v1/accounts/{account}/join-requests");
    pages::read_beside(api, &list, "no list of join requests", take).await?;
    Ok(requests)
}

/// Reads whom members suggest for which teams.
pub(super) async fn suggestions(
    api: &AccountApi,
    account: &str,
) -> Result<BTreeSet<MemberKey>, BackendError> {
    let mut people = BTreeSet::new();
    let take = |row: wire::Suggestion| {
        rows::id(&row.id)?;
        if row.state == wire::SuggestionState::Open {
            people.insert(rows::key(&row.email, Some(&row.team))?);
        }
        Ok(())
    };
    let list = format!("/v1/accounts/{account}/suggestions");
    pages::read_beside(api, &list, "no list of suggestions", take).await?;
    Ok(people)
}

/// Approves a request, then reads the member that it made.
pub(super) async fn approve(
    api: &AccountApi,
    account: &str,
    (person, request): (&MemberKey, &ObservedJoinRequest),
    key: &RequestKey,
) -> Result<Executed, BackendError> {
    let id = rows::id(request.id.as_str())?;
    let path = format!("/v1/accounts/{account}/join-requests/{id}/approve");
    let call = Call::new(Method::POST, path).if_match(&request.etag).key(key);
    let row: wire::JoinRequest = api.ask(call).await.map_err(row_gone)?;
    let approved = row.state == wire::JoinRequestState::Approved;
    let Some(member) = row.member.filter(|_| approved && row.id == id) else {
        return Err(BackendError::Malformed { what: "an answer that does not show the change" });
    };
    let path = format!("/v1/accounts/{account}/members/{}", rows::id(&member)?);
    let row = api.ask(Call::new(Method::GET, path)).await.map_err(row_gone)?;
    rows::written_member(row, person, |_| true).map(Executed::Member)
}
