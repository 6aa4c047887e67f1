//! Teams and settings over the account API.

use std::collections::BTreeMap;

use http::Method;

use crate::backend::account_api::{AccountApi, row_gone};
use crate::backend::call::Call;
use crate::backend::{BackendError, Executed, pages, rows};
use crate::domain::keys::{AccountKey, ETag, RequestKey, SubscriptionId, TeamId};
use crate::domain::teams::ObservedTeam;
use crate::plan::teams::TeamAction;
use crate::wire;

/// Reads the teams of an account whole; see [`pages::read`].
pub(super) async fn read(
    api: &AccountApi,
    account: &str,
    position: &mut u64,
) -> Result<BTreeMap<TeamId, ObservedTeam>, BackendError> {
    let mut teams = BTreeMap::new();
    let take = |row| {
        let (id, team) = rows::team(row)?;
        match teams.insert(id, team) {
            None => Ok(()),
            Some(_) => Err(BackendError::Malformed { what: "a team that comes twice" }),
        }
    };
    let listed = pages::read(api, &format!("{account}/teams"), position, take).await?;
    if listed.rows != listed.total {
        return Err(BackendError::Malformed { what: "other teams than it counts" });
    }
    Ok(teams)
}

/// Runs one action.
pub(super) async fn execute(
    api: &AccountApi,
    account: &AccountKey,
    action: &TeamAction,
    key: &RequestKey,
) -> Result<Executed, BackendError> {
    let path = format!("/v1/accounts/{}", rows::id(account.as_str())?);
    match action {
        TeamAction::Create { reference, name, subscription } => {
            let new = wire::NewTeam {
                name: name.clone(),
                external_ref: Some(reference.as_str().to_owned()),
                subscription: subscription.as_ref().map(ToString::to_string),
            };
            let call = Call::new(Method::POST, format!("{path}/teams")).key(key).json(&new)?;
            team(api.ask(call).await?, Some(name), subscription.as_ref())
        }
        TeamAction::Edit { id, etag, name, subscription, .. } => {
            let name = name.as_ref().map(|(_, to)| to);
            let patch = wire::TeamPatch {
                name: name.cloned(),
                subscription: subscription.as_ref().map(ToString::to_string),
                members: Vec::new(),
            };
            let path = format!("{path}/teams/{}", rows::id(id.as_str())?);
            let call = Call::new(Method::PATCH, path).if_match(etag).json(&patch)?;
            team(api.ask(call).await.map_err(row_gone)?, name, subscription.as_ref())
        }
        TeamAction::SecureSignIn { etag, required } => {
            secure_sign_in(api, account, path, (etag, *required)).await
        }
    }
}

async fn secure_sign_in(
    api: &AccountApi,
    account: &AccountKey,
    path: String,
    (etag, required): (&ETag, bool),
) -> Result<Executed, BackendError> {
    let patch = wire::AccountPatch {
        secure_sign_in_required: Some(required),
        ..wire::AccountPatch::default()
    };
    let call = Call::new(Method::PATCH, path).if_match(etag).json(&patch)?;
    let row = rows::account(api.ask(call).await?, account)?;
    if row.secure_sign_in == required {
        Ok(Executed::Account(Box::new(row)))
    } else {
        Err(BackendError::Malformed { what: "an answer that does not show the change" })
    }
}

/// Reads the answer to a write: it must show what was written.
fn team(
    row: wire::Team,
    name: Option<&String>,
    subscription: Option<&SubscriptionId>,
) -> Result<Executed, BackendError> {
    let (id, team) = rows::team(row)?;
    let shows = name.is_none_or(|name| team.name == *name)
        && subscription.is_none_or(|id| team.subscription.as_ref() == Some(id));
    if shows {
        Ok(Executed::Team(id, Box::new(team)))
    } else {
        Err(BackendError::Malformed { what: "an answer that does not show the change" })
    }
}
