//! Teams: made, renamed, linked to a subscription, edited as a whole.

use std::collections::BTreeSet;

use crate::profile::{self, Profile, TeamSubscription, Teams};
use crate::server::change::{Change, Precondition, account, invitation, member, seats};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::store::Connection;
use crate::server::store::members;
use crate::server::store::subscriptions::{self, SubscriptionRow};
use crate::server::store::tallies::{self, List};
use crate::server::store::teams::{self, TeamRow};
use crate::server::views;
use crate::wire::{
    FieldProblem, MemberPatch, MemberState, NewTeam, Principal, SubscriptionState, Team,
    TeamMemberPatch, TeamPatch, TeamState,
};

/// Most members of one edit.
const MAX_EDITS: usize = 500;

/// The state of a team: it follows its subscription (CT-03, CT-13).
pub(crate) async fn state(
    conn: &mut Connection,
    team: &TeamRow,
    profile: &Profile,
) -> Result<TeamState, ApiError> {
    let subscription = match &team.subscription_id {
        Some(id) => subscriptions::by_id(conn, &team.account_id, id).await?,
        None => None,
    };
    Ok(state_under(subscription.as_ref(), profile))
}

/// Those of these teams in which nothing new happens: their subscription is over, or none yet.
pub(crate) async fn closed(
    conn: &mut Connection,
    profile: &Profile,
    account_id: &str,
    teams: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, ApiError> {
    if profile.team.is_none() || teams.is_empty() {
        return Ok(BTreeSet::new());
    }
    let held = teams::subscriptions_of(conn, account_id, teams).await?;
    let closed = held.into_iter().filter(|(_, state)| under(*state, profile) != TeamState::Active);
    Ok(closed.map(|(team, _)| team).collect())
}

fn state_under(subscription: Option<&SubscriptionRow>, profile: &Profile) -> TeamState {
    under(subscription.map(|row| (row.state, row.ends_at.is_some())), profile)
}

/// `subscription`: its state, and whether it has an end.
fn under(subscription: Option<(SubscriptionState, bool)>, profile: &Profile) -> TeamState {
    let Some(rules) = &profile.team else { return TeamState::Active };
    let state = match subscription {
        Some((SubscriptionState::Active | SubscriptionState::Ending, _)) => {
            profile::TeamState::Active
        }
        // Of those that are requested, one that ran has an end: its renewal waits.
        Some((SubscriptionState::Ended, _) | (SubscriptionState::Requested, true)) => rules.expired,
        Some((SubscriptionState::Requested, false) | (SubscriptionState::Unknown, _)) | None => {
            rules.without_subscription
        }
    };
    match state {
        profile::TeamState::Active => TeamState::Active,
        profile::TeamState::Inactive => TeamState::Inactive,
        profile::TeamState::Pending => TeamState::Pending,
    }
}

/// Teams as they are shown, in the order of `rows`, which is that of their ids.
pub(crate) async fn shown(
    conn: &mut Connection,
    profile: &Profile,
    rows: &[TeamRow],
) -> Result<Vec<Team>, ApiError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(vec![]) };
    let (account_id, ids) = (&first.account_id, (first.id.as_str(), last.id.as_str()));
    let linked = subscriptions::of_teams(conn, account_id, ids).await?;
    let tallies = tallies::of_teams(conn, account_id, List::Members, ids).await?;
    let active = members::state_word(MemberState::Active);
    let view = |row: &TeamRow| {
        let own = |held: &&SubscriptionRow| row.subscription_id.as_deref() == Some(&held.id);
        let subscription = linked.iter().find(own);
        let here = tallies.iter().filter(|tally| {
            tally.team.as_deref() == Some(&row.id)
                && tally.state == active
                && tally.principal == Principal::Person
        });
        let members = here.map(|tally| tally.entries).sum();
        views::team(row, subscription, state_under(subscription, profile), members)
    };
    rows.iter().map(view).collect()
}

/// One team as it is shown.
pub(crate) async fn shown_one(
    conn: &mut Connection,
    profile: &Profile,
    row: &TeamRow,
) -> Result<Team, ApiError> {
    let mut views = shown(conn, profile, std::slice::from_ref(row)).await?;
    views.pop().ok_or(ApiError::NotFound)
}

/// Makes a team.
pub(crate) async fn create(change: &mut Change, request: &NewTeam) -> Result<Team, ApiError> {
    let NewTeam { name, external_ref, subscription } = request;
    change.must(Right::EditTeams, At::Account)?;
    if change.profile.teams == Teams::One {
        return Err(ApiError::NotOffered("teams"));
    }
    change.must_be_enabled()?;
    account::must_be_name("/name", name)?;
    invitation::must_be_reference(external_ref.as_deref())?;
    if let Some(id) = subscription {
        must_be_linkable(change, id).await?;
    }
    let row = TeamRow {
        id: change.id("team"),
        account_id: change.account.id.clone(),
        name: name.clone(),
        external_ref: external_ref.clone(),
        subscription_id: subscription.clone(),
        created_at: change.now,
        version: 1,
    };
    teams::insert(change.conn(), &row).await?;
    let profile = change.profile.clone();
    let view = shown_one(change.conn(), &profile, &row).await?;
    change.record("team.created", &row.id, None::<()>, Some(&view)).await?;
    Ok(view)
}

/// Makes all edits of a team, or none (CT-12).
pub(crate) async fn patch(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
    request: &TeamPatch,
) -> Result<Team, ApiError> {
    let TeamPatch { name, subscription, members } = request;
    let account_id = change.account.id.clone();
    let row = teams::by_id(change.conn(), &account_id, id).await?;
    let mut row = row.ok_or(ApiError::NotFound)?;
    let at = At::Team(id);
    if !change.actor.sees(at) {
        return Err(ApiError::NotFound);
    }
    if name.is_some() || (subscription.is_none() && members.is_empty()) {
        change.must(Right::EditTeams, at)?;
    }
    precondition.check(row.version)?;
    change.must_be_enabled()?;
    // First: it can be what makes the rest possible.
    if let Some(subscription) = subscription {
        row = link(change, row, subscription).await?;
    }
    if let Some(name) = name {
        row = rename(change, row, name).await?;
    }
    if !members.is_empty() {
        change.must(Right::ChangeRoles, at)?;
        change.must_be_open(at).await?;
        edit_members(change, id, members).await?;
    }
    let profile = change.profile.clone();
    shown_one(change.conn(), &profile, &row).await
}

async fn link(change: &mut Change, before: TeamRow, id: &str) -> Result<TeamRow, ApiError> {
    must_be_linkable(change, id).await?;
    if before.subscription_id.as_deref() == Some(id) {
        return Ok(before);
    }
    let row = TeamRow { subscription_id: Some(id.to_owned()), ..before.clone() };
    let row = save(change, "team.linked", &before, row).await?;
    let seats = seats::counted(change, At::Team(&row.id)).await?;
    if seats.has_room_for(0) { Ok(row) } else { Err(seats.refusal()) }
}

/// Refuses a subscription that no team can be linked to.
async fn must_be_linkable(change: &mut Change, id: &str) -> Result<(), ApiError> {
    change.must(Right::ManageSubscriptions, At::Account)?;
    let rules = change.profile.team;
    if rules.is_none_or(|rules| rules.subscription == TeamSubscription::None) {
        let detail = "is not taken: subscriptions of this product belong to the account";
        return Err(ApiError::field("/subscription", detail));
    }
    let account_id = change.account.id.clone();
    let row = subscriptions::by_id(change.conn(), &account_id, id).await?;
    match row.map(|row| row.state) {
        Some(SubscriptionState::Ended) => {
            let state = "ended: renew it, or name another one";
            Err(ApiError::RowState { what: "subscription", state })
        }
        Some(_) => Ok(()),
        None => Err(ApiError::field("/subscription", "is not a subscription of this account")),
    }
}

async fn rename(change: &mut Change, before: TeamRow, name: &str) -> Result<TeamRow, ApiError> {
    account::must_be_name("/name", name)?;
    let profile = change.profile.clone();
    if state(change.conn(), &before, &profile).await? == TeamState::Inactive {
        return Err(ApiError::TeamInactive);
    }
    if before.name == name {
        return Ok(before);
    }
    let row = TeamRow { name: name.to_owned(), ..before.clone() };
    save(change, "team.renamed", &before, row).await
}

/// Tries every edit, so that the refusal names all that cannot be made.
async fn edit_members(
    change: &mut Change,
    team_id: &str,
    edits: &[TeamMemberPatch],
) -> Result<(), ApiError> {
    if edits.len() > MAX_EDITS {
        return Err(ApiError::field("/members", "has at most 500 entries"));
    }
    let mut problems = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        match edit_member(change, team_id, edit).await {
            Ok(()) => (),
            Err(refusal) if refusal.kind().status.is_client_error() => {
                problems.extend(placed(&format!("/members/{index}"), refusal));
            }
            Err(failure) => return Err(failure),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::EditsRefused(problems)) }
}

async fn edit_member(
    change: &mut Change,
    team_id: &str,
    edit: &TeamMemberPatch,
) -> Result<(), ApiError> {
    let TeamMemberPatch { id, role, etag } = edit;
    let account_id = change.account.id.clone();
    let row = members::by_id(change.conn(), &account_id, id).await?;
    if row.is_none_or(|row| row.team_id.as_deref() != Some(team_id)) {
        return Err(ApiError::field("/id", "is not a member of this team"));
    }
    let precondition = Precondition::Etags(vec![etag.clone()]);
    let request = MemberPatch { role: role.clone() };
    member::change_role(change, id, &precondition, &request).await.map(drop)
}

/// The problems of a refusal, under the pointer of the edit that it refuses.
fn placed(at: &str, refusal: ApiError) -> Vec<FieldProblem> {
    let under = |pointer: &str, detail| FieldProblem { pointer: format!("{at}{pointer}"), detail };
    match refusal {
        ApiError::Invalid(fields) => {
            fields.into_iter().map(|field| under(&field.pointer, field.detail)).collect()
        }
        other => {
            let pointer = match other {
                ApiError::Stale => "/etag",
                ApiError::NotFound | ApiError::MemberState { .. } => "/id",
                _ => "/role",
            };
            let way_out = other.detail().map(|detail| format!("; {detail}"));
            vec![under(pointer, format!("{other}{}", way_out.unwrap_or_default()))]
        }
    }
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &TeamRow,
    mut row: TeamRow,
) -> Result<TeamRow, ApiError> {
    row.version += 1;
    let profile = change.profile.clone();
    let old = shown_one(change.conn(), &profile, before).await?;
    teams::update(change.conn(), &row).await?;
    let new = shown_one(change.conn(), &profile, &row).await?;
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}
