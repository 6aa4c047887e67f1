//! Domains over the account API.

use std::collections::BTreeMap;

use http::Method;

use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::account_api::{AccountApi, row_gone};
use crate::backend::call::Call;
use crate::backend::pages;
use crate::backend::rows;
use crate::domain::domains::{DomainName, DomainState, ObservedDomain, TxtRecord};
use crate::domain::keys::{DomainId, ETag, RequestKey};
use crate::plan::domains::{DomainAction, DomainRow};
use crate::wire;

/// Longest name and text of a record that are kept.
const MAX_CHARS: usize = 512;

/// Reads the domains of an account to the end of their list.
pub(super) async fn read(
    api: &AccountApi,
    account: &str,
) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError> {
    let mut domains = BTreeMap::new();
    let take = |row| {
        let (name, domain) = observed(row)?;
        match domains.insert(name, domain) {
            None => Ok(()),
            Some(_) => Err(BackendError::Malformed { what: "a row that came twice" }),
        }
    };
    pages::read_beside(api, &path(account), "no list of domains", take).await?;
    Ok(domains)
}

/// Runs one action on a domain. That its record is not there yet, or that another account has it, is
/// no error: that is what was asked.
pub(super) async fn execute(
    api: &AccountApi,
    account: &str,
    action: &DomainAction,
    key: &RequestKey,
) -> Result<Executed, BackendError> {
    let path = path(account);
    let row_path = |row: &DomainRow| Ok(format!("{path}/{}", rows::id(row.id.as_str())?));
    let answer = match action {
        DomainAction::Add { domain } => {
            let new = wire::NewDomain { name: domain.to_string(), auto_join: true };
            api.ask(Call::new(Method::POST, path).key(key).json(&new)?).await
        }
        DomainAction::Verify { row, .. } => {
            let path = format!("{}/verify", row_path(row)?);
            let call = Call::new(Method::POST, path).if_match(&row.etag).key(key);
            match api.ask(call).await.map_err(row_gone) {
                Err(BackendError::Rejected { code }) if code == "challenge-missing" => {
                    return Ok(Executed::Unproved);
                }
                Err(BackendError::Rejected { code }) if code == "domain-taken" => {
                    return Ok(Executed::Taken);
                }
                answer => answer,
            }
        }
        DomainAction::LetJoin { row, .. } => {
            let patch = wire::DomainPatch { auto_join: true };
            let call = Call::new(Method::PATCH, row_path(row)?).if_match(&row.etag);
            api.ask(call.json(&patch)?).await.map_err(row_gone)
        }
        DomainAction::Remove { row, .. } => {
            let call = Call::new(Method::DELETE, row_path(row)?).if_match(&row.etag);
            return api.end(account, call).await;
        }
    };
    let (name, domain) = observed(answer?)?;
    let shows = match action {
        DomainAction::Verify { .. } => domain.state == DomainState::Verified,
        DomainAction::Add { .. } | DomainAction::LetJoin { .. } => domain.auto_join,
        DomainAction::Remove { .. } => false,
    };
    if name == *action.domain() && shows {
        Ok(Executed::Domain(Box::new(domain)))
    } else {
        Err(BackendError::Malformed { what: "an answer that does not show the change" })
    }
}

fn path(account: &str) -> String {
    format!("/v1/accounts/{account}/domains")
}

fn observed(row: wire::Domain) -> Result<(DomainName, ObservedDomain), BackendError> {
    rows::id(&row.id)?;
    let name = DomainName::parse(&row.name)
        .map_err(|_| BackendError::Malformed { what: "a domain that cannot be one" })?;
    let wire::Challenge { name: record, value } = row.challenge;
    let domain = ObservedDomain {
        id: DomainId(row.id),
        etag: ETag(row.etag),
        state: match row.state {
            wire::DomainState::Pending => DomainState::Pending,
            wire::DomainState::Verified => DomainState::Verified,
            wire::DomainState::Lapsed => DomainState::Lapsed,
            wire::DomainState::Unknown => DomainState::Unknown,
        },
        auto_join: row.auto_join,
        record: TxtRecord { name: shown(&record), value: shown(&value) },
    };
    Ok((name, domain))
}

/// Text of the service for people: without control characters, and not too long.
fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_CHARS).collect()
}
