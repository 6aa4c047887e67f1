//! Teams.

use crate::profile::{self, Profile};
use crate::server::error::ApiError;
use crate::server::store::teams::TeamRow;
use crate::server::store::{Connection, subscriptions};
use crate::wire::{SubscriptionState, TeamState};

/// The state of a team: it follows its subscription (CT-03, CT-13).
pub(crate) async fn state(
    conn: &mut Connection,
    team: &TeamRow,
    profile: &Profile,
) -> Result<TeamState, ApiError> {
    let Some(rules) = &profile.team else { return Ok(TeamState::Active) };
    let subscription = match &team.subscription_id {
        Some(id) => subscriptions::by_id(conn, &team.account_id, id).await?,
        None => None,
    };
    let state = match subscription.map(|row| row.state) {
        Some(SubscriptionState::Active | SubscriptionState::Ending) => profile::TeamState::Active,
        Some(SubscriptionState::Ended) => rules.expired,
        Some(SubscriptionState::Requested | SubscriptionState::Unknown) | None => {
            rules.without_subscription
        }
    };
    Ok(match state {
        profile::TeamState::Active => TeamState::Active,
        profile::TeamState::Inactive => TeamState::Inactive,
        profile::TeamState::Pending => TeamState::Pending,
    })
}
