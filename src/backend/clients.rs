//! Clients of an agency over the account API.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::account_api::{AccountApi, row_gone};
use crate::backend::call::Call;
use crate::backend::pages;
use crate::backend::rows;
use crate::domain::clients::{ClientState, Health, ObservedClient};
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{ClientAccessId, ETag, RequestKey, RoleName};
use crate::plan::client_access::{ClientAction, RequestRow};
use crate::wire;

/// Most websites of one client that are kept.
const MAX_WEBSITES: usize = 10;

/// Longest text that is kept of an address of a website, or of a role.
const MAX_CHARS: usize = 253;

/// Reads the list of clients to its end. Of several rows of one client the open one counts, then the
/// newest.
pub(super) async fn read(
    api: &AccountApi,
    account: &str,
) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError> {
    let mut clients: BTreeMap<EmailAddress, ObservedClient> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let list = format!("/v1/accounts/{account}/client-access");
    let take = |row: wire::ClientAccess| {
        if !ids.insert(rows::id(&row.id)?.to_owned()) {
            return Err(BackendError::Malformed { what: "a row that came twice" });
        }
        let (client, row) = (rows::person(&row.email)?, observed(row));
        match clients.get(&client) {
            Some(kept) if weight(kept) >= weight(&row) => {}
            Some(_) | None => drop(clients.insert(client, row)),
        }
        Ok(())
    };
    pages::read_beside(api, &list, "no list of clients", take).await?;
    Ok(clients)
}

fn weight(row: &ObservedClient) -> (bool, jiff::Timestamp, &ClientAccessId) {
    (row.state.is_open(), row.created_at, &row.id)
}

/// Runs one action on a client.
pub(super) async fn execute(
    api: &AccountApi,
    account: &str,
    action: &ClientAction,
    key: &RequestKey,
) -> Result<Executed, BackendError> {
    let all = format!("/v1/accounts/{account}/client-access");
    let path = |request: &RequestRow| Ok(format!("{all}/{}", rows::id(request.id.as_str())?));
    match action {
        ClientAction::Withdraw { request, .. } => {
            let call = Call::new(Method::DELETE, path(request)?).if_match(&request.etag);
            api.end(account, call).await
        }
        ClientAction::Resend { client, request, .. } => {
            let path = format!("{}/resend", path(request)?);
            let call = Call::new(Method::POST, path).if_match(&request.etag).key(key);
            written(api.ask(call).await.map_err(row_gone)?, client)
        }
        ClientAction::Request { client, role, reference, .. } => {
            let new = wire::NewClientAccess {
                email: client.as_str().to_owned(),
                role: role.as_str().to_owned(),
                external_ref: Some(reference.clone()),
            };
            let call = Call::new(Method::POST, all).key(key).json(&new)?;
            written(api.ask(call).await?, client)
        }
    }
}

/// Reads the answer to a mail: it must be of this client.
fn written(row: wire::ClientAccess, client: &EmailAddress) -> Result<Executed, BackendError> {
    rows::id(&row.id)?;
    if rows::person(&row.email)? != *client {
        return Err(BackendError::Malformed { what: "an answer that does not show the change" });
    }
    Ok(Executed::Client(Box::new(observed(row))))
}

fn observed(row: wire::ClientAccess) -> ObservedClient {
    let sites = row.websites.iter().take(MAX_WEBSITES);
    ObservedClient {
        id: ClientAccessId(row.id),
        etag: ETag(row.etag),
        role: RoleName(shown(&row.role)),
        role_held: row.role_held.map(|role| RoleName(shown(&role))),
        state: match row.state {
            wire::ClientAccessState::Requested => ClientState::Requested,
            wire::ClientAccessState::Granted => ClientState::Granted,
            wire::ClientAccessState::Trimmed => ClientState::Trimmed,
            wire::ClientAccessState::Rejected => ClientState::Rejected,
            wire::ClientAccessState::Removed => ClientState::Removed,
            wire::ClientAccessState::Ended => ClientState::Ended,
            wire::ClientAccessState::Unknown => ClientState::Unknown,
        },
        health: match row.health {
            wire::ClientHealth::NoData => Health::NoData,
            wire::ClientHealth::MajorIssue => Health::MajorIssue,
            wire::ClientHealth::NotConnected => Health::NotConnected,
            wire::ClientHealth::AllGood => Health::AllGood,
            wire::ClientHealth::Unknown => Health::Unknown,
        },
        website_count: row.website_count,
        websites: sites.map(|site| shown(&site.url)).collect(),
        created_at: row.created_at,
        last_sent_at: row.last_sent_at,
        external_ref: row.external_ref,
    }
}

/// Text of the service for people: without control characters, and not too long.
fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_CHARS).collect()
}
