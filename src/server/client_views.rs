//! Clients as their agency sees them, agencies as their clients see them, and websites.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::profile::Profile;
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::Connection;
use crate::server::store::accounts::AccountRow;
use crate::server::store::client_accesses::AccessRow;
use crate::server::store::websites::{self, WebsiteRow};
use crate::wire;
use crate::wire::{ClientAccessState, ClientAccount, ClientHealth, WebsiteState};

/// A website.
pub(crate) fn website(row: &WebsiteRow) -> wire::Website {
    wire::Website {
        id: row.id.clone(),
        etag: format!("\"{}\"", row.version),
        url: row.url.clone(),
        state: row.state,
        created_at: row.created_at,
    }
}

/// What one client has, as far as the agency may see it.
#[derive(Clone, Debug, Default)]
struct Sites {
    count: u64,
    issue: bool,
    unconnected: bool,
    first: Vec<wire::Website>,
}

impl Sites {
    /// The first that holds (NC-08).
    fn health(&self) -> ClientHealth {
        if self.count == 0 {
            ClientHealth::NoData
        } else if self.issue {
            ClientHealth::MajorIssue
        } else if self.unconnected {
            ClientHealth::NotConnected
        } else {
            ClientHealth::AllGood
        }
    }
}

/// What a caller can do with clients of the account now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Can {
    ask: bool,
    end: bool,
    log_in: bool,
}

impl Can {
    /// What this actor can.
    pub fn of(actor: &Actor, account: &AccountRow, profile: &Profile) -> Self {
        let may = |right| actor.must(right, At::Account, profile).is_ok();
        let ask = account.agency && !account.disabled && may(Right::UseClients);
        Self { ask, end: may(Right::EndClients), log_in: ask && actor.person().is_some() }
    }

    fn actions(self, state: ClientAccessState) -> Vec<String> {
        let all = match state {
            ClientAccessState::Requested => vec![("resend", self.ask), ("remove", self.end)],
            ClientAccessState::Granted => vec![("log-in", self.log_in)],
            ClientAccessState::Trimmed
            | ClientAccessState::Rejected
            | ClientAccessState::Removed
            | ClientAccessState::Ended
            | ClientAccessState::Unknown => vec![],
        };
        all.into_iter().filter(|(_, can)| *can).map(|(action, _)| action.to_owned()).collect()
    }
}

/// Clients in the order of their ids, with their websites.
pub(crate) async fn clients(
    conn: &mut Connection,
    rows: &[AccessRow],
    can: Can,
) -> Result<Vec<wire::ClientAccess>, ApiError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(vec![]) };
    let mut sites: BTreeMap<String, Sites> = BTreeMap::new();
    let (agency, range) = (&first.account_id, (first.id.as_str(), last.id.as_str()));
    for counted in websites::states_of_clients(conn, agency, range).await? {
        let held = sites.entry(counted.account_id).or_default();
        held.count += u64::from(counted.websites);
        held.issue |= counted.state == WebsiteState::MajorIssue;
        held.unconnected |= counted.state == WebsiteState::NotConnected;
    }
    for row in websites::first_of_clients(conn, agency, range).await? {
        sites.entry(row.account_id.clone()).or_default().first.push(website(&row));
    }
    rows.iter().map(|row| client(row, &sites, can)).collect()
}

/// One client.
pub(crate) async fn one_client(
    conn: &mut Connection,
    row: &AccessRow,
    can: Can,
) -> Result<wire::ClientAccess, ApiError> {
    clients(conn, std::slice::from_ref(row), can).await?.pop().ok_or(ApiError::NotFound)
}

fn client(
    row: &AccessRow,
    sites: &BTreeMap<String, Sites>,
    can: Can,
) -> Result<wire::ClientAccess, ApiError> {
    let granted = row.state == ClientAccessState::Granted;
    let client_id = row.client.as_ref().filter(|_| granted).map(|client| &client.id);
    let sites = client_id.and_then(|id| sites.get(id)).cloned().unwrap_or_default();
    let mut view = wire::ClientAccess {
        id: row.id.clone(),
        etag: String::new(),
        email: row.address.clone(),
        role: row.role.clone(),
        role_held: row.held_role.clone(),
        state: row.state,
        health: sites.health(),
        website_count: sites.count,
        websites: sites.first,
        client: row.client.clone(),
        created_at: row.created_at,
        last_sent_at: row.last_sent_at,
        send_count: row.send_count,
        delivery: row.delivery.clone(),
        granted_at: row.granted_at,
        ended_at: row.ended_at,
        actions: can.actions(row.state),
        external_ref: row.external_ref.clone(),
    };
    // The view holds more than the row: a digest of all of it makes the etag strong.
    let digest = Sha256::digest(serde_json::to_vec(&view)?);
    view.etag = format!("\"{}-{}\"", row.version, ids::hex(&digest[..8]));
    Ok(view)
}

/// A request, for the account that it waits for.
pub(crate) fn access_request(row: &AccessRow) -> wire::AccessRequest {
    let actions: &[&str] = match row.state {
        ClientAccessState::Requested => &["approve", "reject"],
        _ => &[],
    };
    wire::AccessRequest {
        id: row.id.clone(),
        etag: format!("\"{}\"", row.version),
        agency: ClientAccount {
            id: row.account_id.clone(),
            slug: row.agency_slug.clone(),
            name: row.agency_name.clone(),
        },
        email: row.address.clone(),
        role: row.role.clone(),
        state: row.state,
        created_at: row.created_at,
        last_sent_at: row.last_sent_at,
        member_id: row.member_id.clone(),
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
    }
}

/// What the agency's log says of a client.
pub(crate) fn entry(row: &AccessRow) -> Value {
    json!({
        "email": row.address,
        "role": row.role,
        "role_held": row.held_role,
        "state": row.state,
        "client": row.client,
        "send_count": row.send_count,
        "external_ref": row.external_ref,
    })
}
