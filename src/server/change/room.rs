//! Whether there is room for one more person.

use crate::domain::observed::SeatLimit;
use crate::profile::{Counted, OnShrink, Teams};
use crate::server::change::{Change, seats};
use crate::server::error::ApiError;
use crate::server::permission::At;
use crate::server::store::members;
use crate::server::views::role_name;

/// How a person comes to need a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// By an invitation that is sent now.
    Invited,
    /// By taking an invitation.
    Accepting,
    /// Without one.
    AtOnce,
}

/// Refuses a person for whom no seat is free, or when the next one belongs to who was trimmed. Who
/// is in another team of the same pool has a seat already.
pub(crate) async fn must_have_room(
    change: &mut Change,
    at: At<'_>,
    address: &str,
    entry: Entry,
) -> Result<(), ApiError> {
    let found = find_room(change, at, address, entry).await;
    if let (Err(_), At::Team(team)) = (&found, at) {
        change.full_team = Some(team.to_owned());
    }
    found
}

async fn find_room(
    change: &mut Change,
    at: At<'_>,
    address: &str,
    entry: Entry,
) -> Result<(), ApiError> {
    if is_open_to_all(change, at).await? {
        return Ok(());
    }
    let seats = seats::counted(change, at).await?;
    if entry != Entry::Accepting && seats.breakdown.trimmed > 0 {
        return Err(ApiError::MembersWait);
    }
    if !takes_seat(change, at, address, entry).await? {
        return Ok(());
    }
    let counts_each_once = change.profile.teams == Teams::Many;
    let others = if counts_each_once {
        let others = seats::counted_without(change, at, Some(address)).await?;
        if seats.with_access() > others.with_access() {
            return Ok(());
        }
        others.used
    } else {
        let held = entry == Entry::Accepting && change.profile.counts(Counted::Pending);
        seats.used.saturating_sub(u32::from(held))
    };
    if seats.limit.allows(others.saturating_add(1)) { Ok(()) } else { Err(seats.refusal()) }
}

/// For how many people who are not in the account yet there is surely room by an invitation.
pub(crate) async fn room_for_new(change: &mut Change, at: At<'_>) -> Result<u32, ApiError> {
    if is_open_to_all(change, at).await? {
        return Ok(u32::MAX);
    }
    let seats = seats::counted(change, at).await?;
    if seats.breakdown.trimmed > 0 {
        return Ok(0);
    }
    Ok(match seats.limit {
        SeatLimit::Seats(limit) if change.profile.counts(Counted::Pending) => {
            limit.saturating_sub(seats.used)
        }
        SeatLimit::Seats(_) | SeatLimit::Unlimited => u32::MAX,
    })
}

/// True in a pool without a limit: nobody has to be counted.
async fn is_open_to_all(change: &mut Change, at: At<'_>) -> Result<bool, ApiError> {
    let pool = seats::pool_of(change, at).await?;
    let plan = pool.map(|row| seats::limit(&change.profile, [row.plan.as_str()].into_iter()).1);
    let keeps = change.profile.seats.on_shrink == OnShrink::Keep;
    Ok(keeps && plan == Some(SeatLimit::Unlimited))
}

async fn takes_seat(
    change: &mut Change,
    at: At<'_>,
    address: &str,
    entry: Entry,
) -> Result<bool, ApiError> {
    if let At::Team(_) = at {
        let account_id = change.account.id.clone();
        let place = members::by_address(change.conn(), &account_id, None, address).await?;
        if place.is_some_and(|row| change.profile.is_owner(&role_name(&row.role))) {
            return Ok(seats::counts_owner(&change.profile, true));
        }
    }
    Ok(match entry {
        Entry::Invited => change.profile.counts(Counted::Pending),
        Entry::Accepting | Entry::AtOnce => change.profile.counts(Counted::Active),
    })
}
