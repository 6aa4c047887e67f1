//! Clients of an agency: asked, asked again, withdrawn, and what the clients made of it (NC-01).

use serde_json::json;

use crate::domain::identity::EmailAddress;
use crate::server::change::{Change, Precondition, invitation, invite_limit, member};
use crate::server::client_views;
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{At, Right};
use crate::server::store::client_accesses::{self, AccessRow, state_word};
use crate::server::store::login_links;
use crate::server::store::members::{self, MemberRow};
use crate::wire::{ClientAccessState, MemberState, NewClientAccess};

/// Asks a client for access and queues the mail.
pub(crate) async fn request(
    change: &mut Change,
    request: &NewClientAccess,
) -> Result<AccessRow, ApiError> {
    let NewClientAccess { email, role, external_ref } = request;
    change.must(Right::UseClients, At::Account)?;
    must_be_agency(change)?;
    let address =
        EmailAddress::parse(email).map_err(|error| ApiError::field("/email", error.to_string()))?;
    must_be_offered(change, role)?;
    invitation::must_be_reference(external_ref.as_deref())?;
    must_be_new(change, address.as_str()).await?;
    let mut row = AccessRow {
        id: change.id("cla"),
        account_id: change.account.id.clone(),
        agency_slug: change.account.slug.clone(),
        agency_name: change.account.name.clone(),
        client: None,
        address: address.as_str().to_owned(),
        role: role.clone(),
        noted_role: None,
        held_role: None,
        state: ClientAccessState::Requested,
        member_id: None,
        requested_by: change.actor.label(At::Account),
        generation: 1,
        created_at: change.now,
        last_sent_at: change.now,
        send_count: 1,
        delivery: "queued".to_owned(),
        last_mail: None,
        granted_at: None,
        ended_at: None,
        external_ref: external_ref.clone(),
        version: 1,
    };
    row.last_mail = Some(send(change, &row).await?);
    client_accesses::insert(change.conn(), &row).await?;
    let after = client_views::entry(&row);
    change.record("client_access.requested", &row.id, None::<()>, Some(after)).await?;
    Ok(row)
}

/// Sends the same link again (NC-09).
pub(crate) async fn resend(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<AccessRow, ApiError> {
    change.must(Right::UseClients, At::Account)?;
    let before = existing(change, id, precondition).await?;
    must_be_agency(change)?;
    must_wait(&before)?;
    let mut row = before.clone();
    row.last_sent_at = change.now;
    row.send_count += 1;
    row.delivery = "queued".to_owned();
    row.last_mail = Some(send(change, &row).await?);
    save(change, "client_access.resent", &before, row).await
}

/// Withdraws a request: its link stops working (NC-10).
pub(crate) async fn withdraw(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<AccessRow, ApiError> {
    change.must(Right::EndClients, At::Account)?;
    let before = existing(change, id, precondition).await?;
    must_wait(&before)?;
    set_removed(change, before).await
}

/// Withdraws a request without asking who does it.
async fn set_removed(change: &mut Change, before: AccessRow) -> Result<AccessRow, ApiError> {
    let (state, ended_at) = (ClientAccessState::Removed, Some(change.now));
    let row = AccessRow { state, ended_at, ..before.clone() };
    save(change, "client_access.removed", &before, row).await
}

/// Refuses an account that may not ask clients for anything now.
pub(super) fn must_be_agency(change: &Change) -> Result<(), ApiError> {
    if change.profile.client_access.is_none() {
        return Err(ApiError::NotOffered("client access"));
    }
    if !change.account.agency {
        return Err(ApiError::NotAgency);
    }
    change.must_be_enabled()
}

/// Refuses whatever is not, or not any more, a request.
pub(super) fn must_wait(row: &AccessRow) -> Result<(), ApiError> {
    match row.state {
        ClientAccessState::Requested => Ok(()),
        state => Err(ApiError::RowState { what: "client access", state: state_word(state) }),
    }
}

fn must_be_offered(change: &Change, role: &str) -> Result<(), ApiError> {
    let roles = change.profile.client_access.iter().flat_map(|rules| &rules.roles);
    let known: Vec<_> = roles.map(|role| role.as_str()).collect();
    if known.contains(&role) {
        return Ok(());
    }
    Err(ApiError::field("/role", format!("is one of {}", known.join(", "))))
}

/// Refuses a client that was asked already, or has granted.
async fn must_be_new(change: &mut Change, address: &str) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let open = client_accesses::open_of(change.conn(), &account_id, address).await?;
    match open {
        None => Ok(()),
        // The index that keeps one open for an address cannot see the client's members.
        Some(row) if row.state == ClientAccessState::Ended => follow(change, row).await,
        Some(row) => {
            let href = format!("/v1/accounts/{account_id}/client-access/{}", row.id);
            Err(ApiError::AlreadyRequested { href })
        }
    }
}

/// Notes what clients changed of the agency's places (NC-06).
pub(crate) async fn follow_moved(change: &mut Change) -> Result<(), ApiError> {
    for id in change.take_moved_clients().await? {
        let account_id = change.account.id.clone();
        if let Some(row) = client_accesses::by_id(change.conn(), &account_id, &id).await? {
            follow(change, row).await?;
        }
    }
    Ok(())
}

/// Writes a granted row as its member row says it is.
async fn follow(change: &mut Change, row: AccessRow) -> Result<(), ApiError> {
    if row.held_role == row.noted_role && row.state != ClientAccessState::Ended {
        return Ok(());
    }
    let before = AccessRow {
        state: ClientAccessState::Granted,
        held_role: row.noted_role.clone(),
        ended_at: None,
        ..row.clone()
    };
    let action = match row.state {
        ClientAccessState::Ended => "client_access.ended",
        _ => "client_access.changed",
    };
    let row = AccessRow { noted_role: row.held_role.clone(), ..row };
    save(change, action, &before, row).await.map(drop)
}

/// Notes at the client that an agency's place changed; one that ended ends its sessions.
pub(crate) async fn member_moved(change: &mut Change, row: &MemberRow) -> Result<(), ApiError> {
    let Some(id) = &row.client_access_id else { return Ok(()) };
    client_accesses::mark_moved(change.conn(), id).await?;
    if row.state == MemberState::Deleted {
        login_links::end_sessions(change.conn(), id).await?;
    }
    Ok(())
}

/// Ends what an agency has with its clients, for the end of its account: requests at once, what was
/// granted by [`end_at_client`], so that nobody waits for two accounts.
pub(crate) async fn end_all(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for before in client_accesses::requested(change.conn(), &account_id).await? {
        set_removed(change, before).await?;
    }
    client_accesses::mark_all_moved(change.conn(), &account_id).await?;
    end_sessions(change).await
}

/// Ends the places of agencies whose accounts were deleted. The change is of their client.
pub(crate) async fn end_at_client(change: &mut Change) -> Result<(), ApiError> {
    let (client_id, now) = (change.account.id.clone(), change.now);
    for row in client_accesses::of_deleted_agencies(change.conn(), &client_id).await? {
        let place = row.member_id.as_deref().unwrap_or_default();
        let place = members::by_id(change.conn(), &client_id, place).await?;
        if let Some(place) = place.filter(|place| place.state != MemberState::Deleted) {
            member::end(change, place).await?;
        }
        client_accesses::end(change.conn(), &row.id, now).await?;
    }
    Ok(())
}

/// Ends what people of the account have open in accounts of its clients: it is no agency any more.
pub(crate) async fn end_sessions(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    Ok(login_links::end_sessions_of_agency(change.conn(), &account_id).await?)
}

pub(super) async fn existing(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<AccessRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = client_accesses::by_id(change.conn(), &account_id, id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    precondition.check(row.version)?;
    Ok(row)
}

async fn send(change: &mut Change, row: &AccessRow) -> Result<String, ApiError> {
    invite_limit::must_fit(change, &row.address).await?;
    let words = json!({ "role": row.role });
    change.mail(Template::AccessRequested, &row.id, &row.address, words).await
}

/// Writes a row and its entry in the agency's log.
pub(super) async fn save(
    change: &mut Change,
    action: &str,
    before: &AccessRow,
    mut row: AccessRow,
) -> Result<AccessRow, ApiError> {
    row.version += 1;
    client_accesses::update(change.conn(), &row).await?;
    let (old, new) = (client_views::entry(before), client_views::entry(&row));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}
