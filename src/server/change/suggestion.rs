//! Suggestions of members: made by who may not invite, approved or rejected by who may (CT-04).

use crate::server::change::{Change, Precondition, account, invitation};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::store::suggestions::{self, SuggestionRow};
use crate::server::store::teams;
use crate::server::views;
use crate::wire::{NewInvitation, NewSuggestion, SuggestionState};

/// Suggests a person for a team. Seats are looked at when it is approved.
pub(crate) async fn create(
    change: &mut Change,
    team_id: &str,
    request: &NewSuggestion,
) -> Result<SuggestionRow, ApiError> {
    let NewSuggestion { email, name, role } = request;
    let at = At::Team(team_id);
    if !change.actor.sees(at) {
        return Err(ApiError::NotFound);
    }
    change.must(Right::Suggest, at)?;
    let account_id = change.account.id.clone();
    let team = teams::by_id(change.conn(), &account_id, team_id).await?;
    team.ok_or(ApiError::NotFound)?;
    change.must_be_open(at).await?;
    let address = invitation::address(email)?;
    name.as_deref().map(|name| account::must_be_name("/name", name)).transpose()?;
    let role = invitation::known_role(&change.profile, role, Some(team_id), "/role")?;
    if !change.profile.role(&role).is_some_and(|role| role.invitable) {
        return Err(ApiError::NotInvitable);
    }
    invitation::must_be_new(change, Some(team_id), address.as_str()).await?;
    let account_id = change.account.id.clone();
    let open = suggestions::open_of(change.conn(), &account_id, team_id, address.as_str()).await?;
    if let Some(row) = open {
        let href = format!("/v1/accounts/{account_id}/suggestions/{}", row.id);
        return Err(ApiError::AlreadySuggested { href });
    }
    let row = SuggestionRow {
        id: change.id("sug"),
        account_id,
        team_id: team_id.to_owned(),
        address: address.as_str().to_owned(),
        name: name.clone(),
        role: role.to_string(),
        state: SuggestionState::Open,
        suggested_by: change.actor.label(at),
        created_at: change.now,
        version: 1,
    };
    suggestions::insert(change.conn(), &row).await?;
    let view = views::suggestion(&row);
    change.record("suggestion.created", &row.id, None::<()>, Some(view)).await?;
    Ok(row)
}

/// Invites the person, or adds who is in the account already, under the checks of an invitation.
pub(crate) async fn approve(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SuggestionRow, ApiError> {
    let before = open(change, id, precondition).await?;
    let request = NewInvitation {
        email: before.address.clone(),
        role: before.role.clone(),
        team: Some(before.team_id.clone()),
        name: before.name.clone(),
        message: None,
        expires_in_seconds: None,
        require_secure_sign_in: false,
        external_ref: None,
    };
    // That settles the suggestion.
    invitation::invite(change, &request).await?;
    let row = suggestions::by_id(change.conn(), &before.account_id, id).await?;
    row.ok_or(ApiError::NotFound)
}

/// Notes that somebody who is suggested for a team was invited to it, or came in otherwise.
pub(crate) async fn settle_open(
    change: &mut Change,
    team_id: &str,
    address: &str,
) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let open = suggestions::open_of(change.conn(), &account_id, team_id, address).await?;
    let Some(before) = open else { return Ok(()) };
    end(change, "suggestion.approved", before, SuggestionState::Approved).await.map(drop)
}

/// Says no. Works in an inactive team too.
pub(crate) async fn reject(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SuggestionRow, ApiError> {
    let before = open(change, id, precondition).await?;
    end(change, "suggestion.rejected", before, SuggestionState::Rejected).await
}

async fn open(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SuggestionRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = suggestions::by_id(change.conn(), &account_id, id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    change.must(Right::Invite, At::Team(&row.team_id))?;
    precondition.check(row.version)?;
    match row.state {
        SuggestionState::Open => Ok(row),
        state => {
            let state = suggestions::state_word(state);
            Err(ApiError::RowState { what: "suggestion", state })
        }
    }
}

async fn end(
    change: &mut Change,
    action: &str,
    before: SuggestionRow,
    state: SuggestionState,
) -> Result<SuggestionRow, ApiError> {
    let row = SuggestionRow { state, version: before.version + 1, ..before.clone() };
    suggestions::update(change.conn(), &row).await?;
    let (old, new) = (views::suggestion(&before), views::suggestion(&row));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}
