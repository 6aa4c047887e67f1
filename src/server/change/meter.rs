//! Meters: usage reported by the vendor and counted against the plan (CT-14).

use jiff::Timestamp;
use serde_json::json;

use crate::domain::keys::PlanName;
use crate::domain::observed::SeatLimit;
use crate::profile::{Meter, Pool, Profile, Unit, WhenFull, Word as _};
use crate::server::change::{Change, notice, seats};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::store::accounts::AccountRow;
use crate::server::store::meter_usages::{self, UsageRow};
use crate::server::store::{Connection, subscriptions, teams};
use crate::wire::{SubscriptionState, Usage, UsageReport};

/// How far usage falls below a threshold, in percent of the limit, before it is told of again.
const FALLEN: u32 = 10;

/// What usage is counted for: one subscription, or the whole account.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// None: the whole account.
    subscription_id: Option<String>,
    plan: PlanName,
}

impl Counted {
    /// All that usage of an account is counted for.
    async fn all(
        conn: &mut Connection,
        account_id: &str,
        profile: &Profile,
    ) -> Result<Vec<Self>, ApiError> {
        let running = subscriptions::running(conn, account_id).await?;
        if profile.seats.pool == Pool::Subscription {
            let of = |row: subscriptions::SubscriptionRow| Self {
                subscription_id: Some(row.id),
                plan: PlanName::from(row.plan.as_str()),
            };
            return Ok(running.into_iter().map(of).collect());
        }
        let (plan, _) = seats::limit(profile, running.iter().map(|row| row.plan.as_str()));
        Ok(vec![Self { subscription_id: None, plan }])
    }

    fn limit(&self, profile: &Profile, meter: &Meter) -> Option<i64> {
        let limit = *profile.plan(&self.plan)?.meters.get(&meter.name)?;
        Some(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    fn view(&self, profile: &Profile, meter: &Meter, used: i64) -> Usage {
        Usage {
            meter: meter.name.clone(),
            title: meter.title.clone(),
            unit: meter.unit.word().to_owned(),
            when_full: meter.when_full.word().to_owned(),
            subscription: self.subscription_id.clone(),
            plan: self.plan.to_string(),
            used: used.unsigned_abs(),
            limit: self.limit(profile, meter).map(i64::unsigned_abs),
        }
    }
}

/// Usage of every meter of an account.
pub(crate) async fn usage(
    conn: &mut Connection,
    account: &AccountRow,
    profile: &Profile,
    now: Timestamp,
) -> Result<Vec<Usage>, ApiError> {
    if profile.meters.is_empty() {
        return Ok(vec![]);
    }
    let rows = meter_usages::of_account(conn, &account.id).await?;
    let counted = Counted::all(conn, &account.id, profile).await?;
    let mut all = Vec::new();
    for meter in &profile.meters {
        if meter.unit == Unit::People {
            all.extend(people(conn, account, profile, meter, now).await?);
            continue;
        }
        all.extend(counted.iter().map(|counted| {
            let id = counted.subscription_id.as_deref().unwrap_or_default();
            let row = rows.iter().find(|row| row.meter == meter.name && row.subscription_id == id);
            counted.view(profile, meter, row.map_or(0, |row| row.used))
        }));
    }
    Ok(all)
}

/// People are the seats in use. Where each subscription has seats of its own they are shown there.
async fn people(
    conn: &mut Connection,
    account: &AccountRow,
    profile: &Profile,
    meter: &Meter,
    now: Timestamp,
) -> Result<Option<Usage>, ApiError> {
    if profile.seats.pool == Pool::Subscription {
        return Ok(None);
    }
    let seats = seats::count(conn, account, profile, now).await?;
    let limit = match seats.limit {
        SeatLimit::Seats(limit) => Some(limit.into()),
        SeatLimit::Unlimited => None,
    };
    let counted = Counted { subscription_id: None, plan: seats.source };
    Ok(Some(Usage { limit, ..counted.view(profile, meter, seats.used.into()) }))
}

/// True if no more of it is to be had: the product refuses it then.
pub(crate) fn is_full(usage: &Usage, meter: &Meter) -> bool {
    let room = usage.limit.is_none_or(|limit| usage.used < limit);
    meter.when_full == WhenFull::Refuse && !room
}

/// Counts what the vendor reports.
pub(crate) async fn report(
    change: &mut Change,
    name: &str,
    request: &UsageReport,
) -> Result<Usage, ApiError> {
    change.must(Right::Report, At::Account)?;
    let profile = change.profile.clone();
    let meter = profile.meters.iter().find(|meter| meter.name == name);
    let meter = meter.ok_or(ApiError::NotFound)?;
    if meter.unit == Unit::People {
        return Err(ApiError::field("", "people are counted by the service itself"));
    }
    let counted = counted_for(change, request).await?;
    let limit = counted.limit(&profile, meter);
    let before = row(change, &counted, meter).await?;
    let used = before.used.checked_add(request.amount).filter(|used| *used >= 0);
    let used = used.ok_or_else(|| ApiError::field("/amount", "takes away more than is used"))?;
    let over = limit.is_some_and(|limit| used > limit);
    if request.amount > 0 && over && meter.when_full == WhenFull::Refuse {
        return Err(ApiError::MeterFull { meter: meter.name.clone() });
    }
    let reached = limit.map_or(0, |limit| threshold(meter, used, limit));
    let held = limit.map_or(0, |limit| held(meter, before.told, used, limit));
    let told = reached.max(held);
    let row = UsageRow { used, told, version: before.version + 1, ..before.clone() };
    meter_usages::put(change.conn(), &row).await?;
    let (old, new) = (json!({ "used": before.used }), json!({ "used": used }));
    change.record("meter.counted", &meter.name, Some(old), Some(new)).await?;
    if let Some(limit) = limit
        && reached > before.told
    {
        notice::usage(change, meter, reached, used, limit).await?;
    }
    Ok(counted.view(&profile, meter, used))
}

/// Highest threshold that is reached, in percent; 0 for none.
fn threshold(meter: &Meter, used: i64, limit: i64) -> u32 {
    highest(meter, |percent| is_at(used, limit, percent))
}

/// Highest threshold that was told of and from which usage has not clearly fallen: what goes up and
/// down around a threshold is told once.
fn held(meter: &Meter, told: u32, used: i64, limit: i64) -> u32 {
    highest(meter, |percent| percent <= told && is_at(used, limit, percent.saturating_sub(FALLEN)))
}

fn highest(meter: &Meter, is: impl Fn(u32) -> bool) -> u32 {
    meter.warn_at_percent.iter().copied().filter(|percent| is(*percent)).max().unwrap_or_default()
}

fn is_at(used: i64, limit: i64, percent: u32) -> bool {
    used > 0 && i128::from(used) * 100 >= i128::from(limit) * i128::from(percent)
}

async fn row(change: &mut Change, counted: &Counted, meter: &Meter) -> Result<UsageRow, ApiError> {
    let account_id = change.account.id.clone();
    let id = counted.subscription_id.clone().unwrap_or_default();
    let rows = meter_usages::of_account(change.conn(), &account_id).await?;
    let row = rows.into_iter().find(|row| row.meter == meter.name && row.subscription_id == id);
    Ok(row.unwrap_or_else(|| UsageRow {
        account_id,
        subscription_id: id,
        meter: meter.name.clone(),
        used: 0,
        told: 0,
        version: 0,
    }))
}

/// What the report counts for. More is only taken by what is open.
async fn counted_for(change: &mut Change, request: &UsageReport) -> Result<Counted, ApiError> {
    let UsageReport { amount, team, subscription } = request;
    let at = At::of(team.as_deref());
    if *amount > 0 {
        change.must_be_open(at).await?;
    }
    let (account_id, profile) = (change.account.id.clone(), change.profile.clone());
    if profile.seats.pool != Pool::Subscription {
        if subscription.is_some() {
            let detail = "is given, but usage is counted for the whole account";
            return Err(ApiError::field("/subscription", detail));
        }
        let all = Counted::all(change.conn(), &account_id, &profile).await?;
        return all.into_iter().next().ok_or(ApiError::NotFound);
    }
    let id = match (team, subscription) {
        (Some(team), None) => {
            let team = teams::by_id(change.conn(), &account_id, team).await?;
            let team =
                team.ok_or_else(|| ApiError::field("/team", "is not a team of this account"))?;
            team.subscription_id.ok_or(ApiError::TeamPending)?
        }
        (None, Some(id)) => id.clone(),
        _ => return Err(ApiError::field("", "needs exactly one of team and subscription")),
    };
    let row = subscriptions::by_id(change.conn(), &account_id, &id).await?;
    let row = row
        .ok_or_else(|| ApiError::field("/subscription", "is not a subscription of this account"))?;
    let runs = matches!(row.state, SubscriptionState::Active | SubscriptionState::Ending);
    if *amount > 0 && !runs {
        return Err(ApiError::SubscriptionState { state: subscriptions::state_word(row.state) });
    }
    Ok(Counted { subscription_id: Some(row.id), plan: PlanName::from(row.plan.as_str()) })
}
