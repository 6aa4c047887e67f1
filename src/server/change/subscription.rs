//! Subscriptions: picked, cancelled, renewed, over.

use jiff::{SignedDuration, Timestamp};

use crate::domain::keys::PlanName;
use crate::profile::{Cancellation, Profile};
use crate::server::ConfirmPlans;
use crate::server::change::notice::{self, BillingEvent};
use crate::server::change::{Change, Precondition, seats};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::subscriptions::{self, SubscriptionRow};
use crate::server::views;
use crate::wire::{AccountState, NewSubscription, SubscriptionState};

/// Length of a billing period (ours).
const PERIOD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long before its end the recipients of billing are told.
pub(crate) const END_NEAR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Picks a plan. A paid one that a person picks waits for the vendor; the vendor's own pick confirms
/// what waits.
pub(crate) async fn pick(
    change: &mut Change,
    request: &NewSubscription,
) -> Result<SubscriptionRow, ApiError> {
    let NewSubscription { plan } = request;
    change.must(Right::ManageSubscriptions, At::Account)?;
    let paid = must_be_pickable(&change.profile, plan)?;
    let waits = waits_for_vendor(change, paid);
    let account_id = change.account.id.clone();
    let requested = subscriptions::requested(change.conn(), &account_id).await?;
    match requested.into_iter().find(|row| row.plan == *plan) {
        Some(_) if waits => return Err(ApiError::SubscriptionState { state: "requested" }),
        Some(before) => return begin(change, before).await,
        None => (),
    }
    let state = if waits { SubscriptionState::Requested } else { SubscriptionState::Active };
    let row = SubscriptionRow {
        id: change.id("sub"),
        account_id,
        plan: plan.clone(),
        state,
        created_at: change.now,
        period_end: change.now + PERIOD,
        ends_at: None,
        end_told_at: None,
        version: 1,
    };
    subscriptions::insert(change.conn(), &row).await?;
    let action = if waits { "subscription.requested" } else { "subscription.created" };
    change.record(action, &row.id, None::<()>, Some(views::subscription(&row))).await?;
    if !waits {
        take_effect(change, &row).await?;
    }
    Ok(row)
}

/// The vendor confirms what somebody picked: it runs from now on.
pub(crate) async fn confirm(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SubscriptionRow, ApiError> {
    change.must(Right::Report, At::Account)?;
    let before = existing(change, id, precondition).await?;
    if before.state != SubscriptionState::Requested {
        let state = subscriptions::state_word(before.state);
        return Err(ApiError::SubscriptionState { state });
    }
    begin(change, before).await
}

/// Begins what was requested.
async fn begin(change: &mut Change, before: SubscriptionRow) -> Result<SubscriptionRow, ApiError> {
    let row = running_until(&before, change.now + PERIOD);
    let row = save(change, "subscription.confirmed", &before, row).await?;
    take_effect(change, &row).await?;
    Ok(row)
}

fn running_until(before: &SubscriptionRow, period_end: Timestamp) -> SubscriptionRow {
    let state = SubscriptionState::Active;
    SubscriptionRow { state, period_end, ends_at: None, end_told_at: None, ..before.clone() }
}

/// A paid subscription, or the vendor's word, lifts what a missing one had disabled (NP-15).
async fn take_effect(change: &mut Change, row: &SubscriptionRow) -> Result<(), ApiError> {
    if is_paid(&change.profile, row) || is_by_vendor(change) {
        set_disabled(change, false).await?;
    }
    seats::settle(change).await?;
    notice::billing(change, BillingEvent::Changed, row, row.period_end).await
}

/// Cancels: at once, or at the end of the period where the profile says so of the last paid one.
/// What still waits for the vendor is withdrawn.
pub(crate) async fn cancel(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SubscriptionRow, ApiError> {
    change.must(Right::ManageSubscriptions, At::Account)?;
    let before = existing(change, id, precondition).await?;
    if before.state == SubscriptionState::Requested {
        let row = ended(&before, change.now);
        return save(change, "subscription.withdrawn", &before, row).await;
    }
    must_run(&before)?;
    let to_the_end = change.profile.cancellation == Cancellation::AtPeriodEndThenTeamsInactive;
    let last = is_last_paid(change, &before, &[SubscriptionState::Active]).await?;
    let row = if to_the_end || last {
        // The mail of now names the day: with few days left nobody is told twice.
        let soon = before.period_end <= change.now + END_NEAR;
        SubscriptionRow {
            state: SubscriptionState::Ending,
            ends_at: Some(before.period_end),
            end_told_at: soon.then_some(change.now),
            ..before.clone()
        }
    } else {
        ended(&before, change.now)
    };
    let row = save(change, "subscription.cancelled", &before, row).await?;
    let day = row.ends_at.unwrap_or(change.now);
    notice::billing(change, BillingEvent::Cancelled, &row, day).await?;
    seats::settle(change).await?;
    Ok(row)
}

fn ended(before: &SubscriptionRow, now: Timestamp) -> SubscriptionRow {
    SubscriptionRow { state: SubscriptionState::Ended, ends_at: Some(now), ..before.clone() }
}

/// True if a paid plan that this actor picks waits for the vendor.
fn waits_for_vendor(change: &Change, paid: bool) -> bool {
    paid && !is_by_vendor(change) && change.confirm_plans() == ConfirmPlans::Vendor
}

fn is_by_vendor(change: &Change) -> bool {
    matches!(change.actor, Actor::Vendor { .. } | Actor::Service)
}

/// Renews: a cancellation that waits is lifted; of the vendor, what runs gets one more period. One
/// that is over begins again where teams wait for that (CT-13); a paid one waits for the vendor, as
/// when it is picked.
pub(crate) async fn renew(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SubscriptionRow, ApiError> {
    change.must(Right::ManageSubscriptions, At::Account)?;
    let before = existing(change, id, precondition).await?;
    let period_end = match before.state {
        SubscriptionState::Ended => {
            if change.profile.cancellation != Cancellation::AtPeriodEndThenTeamsInactive {
                return Err(ApiError::SubscriptionState { state: "ended" });
            }
            if waits_for_vendor(change, must_be_pickable(&change.profile, &before.plan)?) {
                let row = SubscriptionRow { state: SubscriptionState::Requested, ..before.clone() };
                return save(change, "subscription.requested", &before, row).await;
            }
            change.now + PERIOD
        }
        SubscriptionState::Ending => before.period_end,
        SubscriptionState::Active if is_by_vendor(change) => before.period_end + PERIOD,
        state => {
            return Err(ApiError::SubscriptionState { state: subscriptions::state_word(state) });
        }
    };
    let row = running_until(&before, period_end);
    let row = save(change, "subscription.renewed", &before, row).await?;
    notice::billing(change, BillingEvent::Renewed, &row, period_end).await?;
    Ok(row)
}

/// Tells of what ends within a week, once.
pub(crate) async fn tell_ends(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for mut row in subscriptions::running(change.conn(), &account_id).await? {
        let soon = row.ends_at.filter(|ends_at| *ends_at <= change.now + END_NEAR);
        let (Some(ends_at), None) = (soon, row.end_told_at) else { continue };
        row.end_told_at = Some(change.now);
        subscriptions::update(change.conn(), &row).await?;
        notice::billing(change, BillingEvent::EndNear, &row, ends_at).await?;
    }
    Ok(())
}

/// Ends or renews what reached the end of its period.
pub(crate) async fn end_periods(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for before in subscriptions::running(change.conn(), &account_id).await? {
        if before.period_end > change.now {
            continue;
        }
        if before.state == SubscriptionState::Ending {
            let runs = [SubscriptionState::Active, SubscriptionState::Ending];
            let last = is_last_paid(change, &before, &runs).await?;
            let row = SubscriptionRow { state: SubscriptionState::Ended, ..before.clone() };
            save(change, "subscription.ended", &before, row).await?;
            if last {
                set_disabled(change, true).await?;
            }
        } else {
            let period_end = next_period_end(before.period_end, change.now);
            let row = SubscriptionRow { period_end, ..before.clone() };
            let row = save(change, "subscription.renewed", &before, row).await?;
            notice::billing(change, BillingEvent::Renewed, &row, period_end).await?;
        }
    }
    Ok(())
}

/// Ends everything that runs, without asking who does it.
pub(crate) async fn end_all(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for before in subscriptions::running(change.conn(), &account_id).await? {
        let (state, ends_at) = (SubscriptionState::Ended, Some(change.now));
        let row = SubscriptionRow { state, ends_at, ..before.clone() };
        save(change, "subscription.ended", &before, row).await?;
    }
    Ok(())
}

fn next_period_end(mut end: Timestamp, now: Timestamp) -> Timestamp {
    while end <= now {
        end += PERIOD;
    }
    end
}

/// True if the profile disables the account without it: it is paid, and no other paid one is in one
/// of these states.
async fn is_last_paid(
    change: &mut Change,
    row: &SubscriptionRow,
    states: &[SubscriptionState],
) -> Result<bool, ApiError> {
    match change.profile.cancellation {
        Cancellation::AtOnce | Cancellation::AtPeriodEndThenTeamsInactive => return Ok(false),
        Cancellation::LastPaidAtPeriodEndThenDisable => (),
    }
    let account_id = change.account.id.clone();
    let running = subscriptions::running(change.conn(), &account_id).await?;
    let paid = |row: &SubscriptionRow| is_paid(&change.profile, row);
    let other = running
        .iter()
        .any(|other| other.id != row.id && states.contains(&other.state) && paid(other));
    Ok(paid(row) && !other)
}

async fn set_disabled(change: &mut Change, disabled: bool) -> Result<(), ApiError> {
    if change.account.disabled == disabled {
        return Ok(());
    }
    change.account.disabled = disabled;
    change.account.version += 1;
    let action = if disabled { "account.disabled" } else { "account.enabled" };
    let id = change.account.id.clone();
    let state = |disabled| if disabled { AccountState::Disabled } else { AccountState::Active };
    change.record(action, &id, Some(state(!disabled)), Some(state(disabled))).await
}

fn is_paid(profile: &Profile, row: &SubscriptionRow) -> bool {
    profile.plan(&PlanName::from(row.plan.as_str())).is_some_and(|plan| plan.paid)
}

/// Refuses what is no plan to pick: what an account has without a subscription is none. Says
/// whether it is paid.
fn must_be_pickable(profile: &Profile, name: &str) -> Result<bool, ApiError> {
    if let Some(plan) = profile.plans_to_pick().find(|plan| plan.name.as_str() == name) {
        return Ok(plan.paid);
    }
    let known: Vec<_> = profile.plans_to_pick().map(|plan| plan.name.as_str()).collect();
    let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let detail = format!("is not a plan to pick in this account; there are {there}");
    Err(ApiError::field("/plan", detail))
}

fn must_run(row: &SubscriptionRow) -> Result<(), ApiError> {
    if row.state == SubscriptionState::Active {
        return Ok(());
    }
    Err(ApiError::SubscriptionState { state: subscriptions::state_word(row.state) })
}

async fn existing(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<SubscriptionRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = subscriptions::by_id(change.conn(), &account_id, id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    precondition.check(row.version)?;
    Ok(row)
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &SubscriptionRow,
    mut row: SubscriptionRow,
) -> Result<SubscriptionRow, ApiError> {
    row.version += 1;
    subscriptions::update(change.conn(), &row).await?;
    let (old, new) = (views::subscription(before), views::subscription(&row));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}
