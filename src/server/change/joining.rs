//! How people come in: by an invitation that they take, or at once.

use jiff::Timestamp;

use crate::domain::keys::RoleName;
use crate::profile::KnownUser;
use crate::server::change::room::{self, Entry};
use crate::server::change::{Change, invitation, join_request, member, suggestion};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::store::members::{self, MemberRow};
use crate::server::views;
use crate::wire::{MemberState, NewMember, Principal};

/// A person who becomes a member.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    /// The team; none: the account itself.
    pub team_id: Option<String>,
    /// Canonical address.
    pub address: String,
    /// Name for people.
    pub name: Option<String>,
    /// Role.
    pub role: RoleName,
    /// When the person was first invited, or now (X16).
    pub added_at: Timestamp,
    /// Reference of the client.
    pub external_ref: Option<String>,
}

/// Makes a person a member without asking who does it; whatever else of the person waits for the
/// same place is settled by that. `action` is `member.joined` of who took an
/// invitation, and `member.added` of everybody else.
pub(crate) async fn enter(
    change: &mut Change,
    newcomer: Newcomer,
    action: &str,
) -> Result<MemberRow, ApiError> {
    let Newcomer { team_id, address, name, role, added_at, external_ref } = newcomer;
    let waiting = invitation::settle_pending(change, team_id.as_deref(), &address).await?;
    match &team_id {
        None => join_request::settle_open(change, &address).await?,
        Some(team_id) => suggestion::settle_open(change, team_id, &address).await?,
    }
    // The invitation's seat goes over, with the place in the order of a shrink (X16).
    let added_at = waiting.as_ref().map_or(added_at, |row| row.created_at.min(added_at));
    let external_ref = external_ref.or(waiting.and_then(|row| row.external_ref));
    let row = MemberRow {
        id: change.id("mem"),
        account_id: change.account.id.clone(),
        team_id,
        principal: Principal::Person,
        address,
        name,
        role: role.to_string(),
        state: MemberState::Active,
        added_at,
        joined_at: change.now,
        trimmed_at: None,
        external_ref,
        ended_by: None,
        ended_at: None,
        client_access_id: None,
        version: 1,
    };
    members::insert(change.conn(), &row).await?;
    change.record(action, &row.id, None::<()>, Some(views::member(&row))).await?;
    Ok(row)
}

/// Adds a person who is in the account already (CT-05).
pub(crate) async fn add(change: &mut Change, request: &NewMember) -> Result<MemberRow, ApiError> {
    let NewMember { email, name, role, team, external_ref } = request;
    let at = At::of(team.as_deref());
    change.must(Right::Invite, at)?;
    if change.profile.invitations.known_user != KnownUser::AddAtOnce {
        return Err(ApiError::NotOffered("way in without an invitation"));
    }
    change.must_be_open(at).await?;
    let role = invitation::known_role(&change.profile, role, team.as_deref(), "/team")?;
    invitation::must_be_reference(external_ref.as_deref())?;
    invitation::must_be_invitable(change, at, &role)?;
    let person = named(change, email.as_deref(), name.as_deref()).await?;
    invitation::must_be_new(change, team.as_deref(), &person.address).await?;
    room::must_have_room(change, at, &person.address, Entry::AtOnce).await?;
    member::must_fit_holders(change, &role).await?;
    let newcomer = Newcomer {
        team_id: team.clone(),
        address: person.address,
        name: person.name,
        role,
        added_at: change.now,
        external_ref: external_ref.clone(),
    };
    enter(change, newcomer, "member.added").await
}

/// A place of the person of this address, if an invitation to a further one needs no answer.
pub(crate) async fn known(
    change: &mut Change,
    address: &str,
) -> Result<Option<MemberRow>, ApiError> {
    if change.profile.invitations.known_user != KnownUser::AddAtOnce {
        return Ok(None);
    }
    let account_id = change.account.id.clone();
    let places = members::of_person(change.conn(), &account_id, address).await?;
    Ok(places.into_iter().find(|row| row.state == MemberState::Active))
}

/// A place of the person that a request names by address or by name, in this account (X9).
async fn named(
    change: &mut Change,
    email: Option<&str>,
    name: Option<&str>,
) -> Result<MemberRow, ApiError> {
    match (email, name) {
        (Some(email), None) => {
            let address = invitation::address(email)?;
            known(change, address.as_str()).await?.ok_or(ApiError::UnknownUser)
        }
        (None, Some(name)) => {
            let account_id = change.account.id.clone();
            let places = members::of_name(change.conn(), &account_id, name).await?;
            let first = places.first().ok_or(ApiError::UnknownUser)?;
            if places.iter().any(|row| row.address != first.address) {
                let detail = "is the name of several people here: give the address instead";
                return Err(ApiError::field("/name", detail));
            }
            Ok(first.clone())
        }
        _ => Err(ApiError::field("", "needs exactly one of email and name")),
    }
}
