//! Notices: mails about the account to those who receive its category, or who can act.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::domain::observed::SeatLimit;
use crate::profile::{Meter, Scope, ServicePermission, Topic};
use crate::server::Service;
use crate::server::change::{Change, seats};
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{Actor, At};
use crate::server::store::invitations::InvitationRow;
use crate::server::store::subscriptions::SubscriptionRow;
use crate::server::store::{members, outbox, recipients};
use crate::server::views::role_name;
use crate::wire::MemberState;

/// How long nobody is told again that seats are short.
const SEATS_QUIET: SignedDuration = SignedDuration::from_hours(24);

/// What happened to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BillingEvent {
    /// It was picked.
    Changed,
    /// A new period began, or a cancellation was lifted.
    Renewed,
    /// It was cancelled.
    Cancelled,
    /// It ends in a few days.
    EndNear,
}

impl BillingEvent {
    const fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Renewed => "renewed",
            Self::Cancelled => "cancelled",
            Self::EndNear => "end-near",
        }
    }
}

/// Addresses of the members who receive what is about this topic: their role does, or somebody chose
/// them. Whose access is off receives nothing.
pub(crate) async fn recipients_of(
    change: &mut Change,
    topic: Topic,
) -> Result<Vec<String>, ApiError> {
    let (account_id, profile) = (change.account.id.clone(), change.profile.clone());
    let mut addresses = BTreeSet::new();
    for category in profile.categories.iter().filter(|category| category.about == topic) {
        for role in profile.roles.iter().filter(|role| role.receives.contains(&category.name)) {
            let holders = members::holders(change.conn(), &account_id, role.name.as_str()).await?;
            addresses.extend(holders.into_iter().map(|row| row.address));
        }
        let chosen = recipients::chosen_for(change.conn(), &account_id, &category.name).await?;
        let open = |role: &str| category.open_to.contains(&role_name(role));
        addresses
            .extend(chosen.into_iter().filter(|(_, role)| open(role)).map(|(address, _)| address));
    }
    Ok(addresses.into_iter().collect())
}

/// Tells of a subscription; `day` is when its period, or it, ends.
pub(crate) async fn billing(
    change: &mut Change,
    event: BillingEvent,
    row: &SubscriptionRow,
    day: Timestamp,
) -> Result<(), ApiError> {
    for address in recipients_of(change, Topic::Billing).await? {
        let words = json!({ "event": event.word(), "plan": row.plan, "day": day });
        change.mail(Template::Billing, &row.id, &address, words).await?;
    }
    Ok(())
}

/// Tells that a meter has crossed a threshold.
pub(crate) async fn usage(
    change: &mut Change,
    meter: &Meter,
    percent: u32,
    used: i64,
    limit: i64,
) -> Result<(), ApiError> {
    for address in recipients_of(change, Topic::Usage).await? {
        let words = json!({
            "meter": meter.title,
            "percent": percent,
            "used": used.to_string(),
            "limit": limit.to_string(),
        });
        change.mail(Template::Usage, &meter.name, &address, words).await?;
    }
    Ok(())
}

/// Tells the inviter, where a person who is still there, that nobody accepted in time.
pub(crate) async fn invitation_expired(
    change: &mut Change,
    row: &InvitationRow,
) -> Result<(), ApiError> {
    let Some(id) = row.inviter.strip_prefix("member:") else { return Ok(()) };
    let account_id = change.account.id.clone();
    let inviter = members::by_id(change.conn(), &account_id, id).await?;
    if let Some(inviter) = inviter.filter(|inviter| inviter.state == MemberState::Active) {
        let words = json!({ "person": row.address, "role": row.role });
        change.mail(Template::InvitationExpired, &row.id, &inviter.address, words).await?;
    }
    Ok(())
}

/// Tells those who may invite there, at most once a day for each pool, that somebody found no seat;
/// true if anybody was told.
pub(crate) async fn seats_short(change: &mut Change, at: At<'_>) -> Result<bool, ApiError> {
    let SeatLimit::Seats(limit) = seats::counted(change, at).await?.limit else {
        return Ok(false);
    };
    let (account_id, since) = (change.account.id.clone(), change.now - SEATS_QUIET);
    let pool = seats::pool_of(change, at).await?.map_or_else(|| account_id.clone(), |row| row.id);
    let (conn, name) = (change.conn(), Template::SeatsShort.name());
    if outbox::queued_about(conn, &account_id, name, &pool, since).await? {
        return Ok(false);
    }
    let addresses = inviters(change, at).await?;
    for address in &addresses {
        let words = json!({ "limit": limit.to_string() });
        change.mail(Template::SeatsShort, &pool, address, words).await?;
    }
    Ok(!addresses.is_empty())
}

/// Addresses of those who may invite at this scope.
async fn inviters(change: &mut Change, at: At<'_>) -> Result<BTreeSet<String>, ApiError> {
    let (account_id, profile) = (change.account.id.clone(), change.profile.clone());
    let mut addresses = BTreeSet::new();
    for role in &profile.roles {
        let name = role.name.as_str();
        if !profile.permits_service(&role.name, ServicePermission::MembersInvite) {
            continue;
        }
        match (role.scope, at) {
            (Scope::Account, _) => {
                let holders = members::holders(change.conn(), &account_id, name).await?;
                addresses.extend(holders.into_iter().map(|row| row.address));
            }
            (Scope::Team, At::Team(team)) => {
                let mut rows = members::people_with_role(change.conn(), &account_id, name).await?;
                rows.retain(|row| row.team_id.as_deref() == Some(team));
                addresses.extend(rows.into_iter().map(|row| row.address));
            }
            (Scope::Team, At::Account) => (),
        }
    }
    Ok(addresses)
}

/// Ends a change that was refused, and tells of it as [`refused`] does; gives the refusal back.
pub(crate) async fn given_up(
    service: &Arc<Service>,
    change: Change,
    refusal: ApiError,
) -> ApiError {
    let (account_id, team) = (change.account.id.clone(), change.full_team.clone());
    drop(change);
    refused(service, &account_id, team.as_deref(), &refusal).await;
    refusal
}

/// True if a change was refused for want of a seat.
pub(crate) fn is_want_of_seat(refusal: &ApiError) -> bool {
    matches!(refusal, ApiError::SeatLimit { .. } | ApiError::MembersWait)
}

/// As [`seats_short`], if `refused` is a refusal for want of a seat. The change that was refused is
/// gone by then: the notice is one of its own. A notice that fails spoils nothing.
pub(crate) async fn refused(
    service: &Arc<Service>,
    account: &str,
    team: Option<&str>,
    refused: &ApiError,
) {
    if !is_want_of_seat(refused) {
        return;
    }
    let told = async {
        let mut change = Change::begin(service, account, Actor::Service).await?;
        if seats_short(&mut change, At::of(team)).await? { change.commit().await } else { Ok(()) }
    };
    let told: Result<(), ApiError> = told.await;
    if let Err(error) = told {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "could not tell that seats are short");
    }
}
