//! Seats: who counts, what is free, who is trimmed and who comes back.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::domain::keys::PlanName;
use crate::domain::observed::SeatLimit;
use crate::profile::{Counted, OnShrink, Pool, Profile, Teams};
use crate::server::change::{Change, invitation, member};
use crate::server::error::ApiError;
use crate::server::permission::At;
use crate::server::store::accounts::AccountRow;
use crate::server::store::people::{self, Among, People, Standing};
use crate::server::store::subscriptions::SubscriptionRow;
use crate::server::store::tallies::{self, List};
use crate::server::store::{Connection, invitations, members, subscriptions, teams};
use crate::server::views::role_name;
use crate::wire::{InvitationState, Principal, SeatBreakdown};

/// How long a shrink is announced in an account that an operator has claimed (X18).
const NOTICE: SignedDuration = SignedDuration::from_hours(24);

/// Seats at one moment, in people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeatCount {
    /// What the plan allows.
    pub limit: SeatLimit,
    /// What counts against it.
    pub used: u32,
    /// Who is there.
    pub breakdown: SeatBreakdown,
    /// Plan that the limit comes from.
    pub source: PlanName,
}

impl SeatCount {
    /// True if so many more fit.
    pub fn has_room_for(&self, more: u32) -> bool {
        self.limit.allows(self.used.saturating_add(more))
    }

    /// People with access.
    pub fn with_access(&self) -> u32 {
        self.breakdown.owner.saturating_add(self.breakdown.active)
    }

    /// How many more than the limit are there.
    fn excess(&self) -> u32 {
        match self.limit {
            SeatLimit::Seats(limit) => self.used.saturating_sub(limit),
            SeatLimit::Unlimited => 0,
        }
    }

    /// The refusal that names the ways out.
    pub fn refusal(&self) -> ApiError {
        let limit = match self.limit {
            SeatLimit::Seats(limit) => limit,
            SeatLimit::Unlimited => u32::MAX,
        };
        ApiError::SeatLimit { limit, plan: self.source.to_string() }
    }
}

/// Counts the seats of an account by itself. Where seats belong to subscriptions it has no limit of
/// its own, and its figures are places: [`pools`] has the people.
pub(crate) async fn count(
    conn: &mut Connection,
    account: &AccountRow,
    profile: &Profile,
    now: Timestamp,
) -> Result<SeatCount, ApiError> {
    let held = subscriptions::running(conn, &account.id).await?;
    let (source, limit) = match profile.seats.pool {
        Pool::Subscription => (PlanName::from("none"), SeatLimit::Unlimited),
        Pool::Account | Pool::None => limit(profile, held.iter().map(|row| row.plan.as_str())),
    };
    if profile.seats.pool == Pool::Account && profile.teams == Teams::Many {
        let people = people::counted(conn, &account.id, Among::Account, None, now).await?;
        return Ok(of_people(profile, &people, source, limit));
    }
    let mut breakdown = SeatBreakdown::default();
    for tally in tallies::of(conn, &account.id, List::Members).await? {
        let place = match (tally.state.as_str(), tally.principal) {
            ("deleted", _) => continue,
            ("trimmed", _) => &mut breakdown.trimmed,
            (_, Principal::Account) => &mut breakdown.client_access,
            _ if profile.is_owner(&role_name(&tally.role)) => &mut breakdown.owner,
            _ => &mut breakdown.active,
        };
        *place = place.saturating_add(tally.entries);
    }
    let pending = invitations::Shown { team: None, state: Some(InvitationState::Pending) };
    let pending = invitations::total(conn, &account.id, pending, now).await?;
    breakdown.pending = u32::try_from(pending).unwrap_or(u32::MAX);
    let counted = |what, people| if profile.counts(what) { people } else { 0 };
    let used = counted(Counted::Owner, breakdown.owner)
        .saturating_add(counted(Counted::Active, breakdown.active))
        .saturating_add(counted(Counted::Pending, breakdown.pending))
        .saturating_add(counted(Counted::ClientAccess, breakdown.client_access));
    Ok(SeatCount { limit, used, breakdown, source })
}

/// The pools of an account whose seats belong to subscriptions.
pub(crate) async fn pools(
    conn: &mut Connection,
    account: &AccountRow,
    profile: &Profile,
    now: Timestamp,
) -> Result<Vec<(SubscriptionRow, SeatCount)>, ApiError> {
    if profile.seats.pool != Pool::Subscription {
        return Ok(vec![]);
    }
    let all = people::counted(conn, &account.id, Among::EachPool, None, now).await?;
    let rows = subscriptions::with_people(conn, &account.id).await?;
    let pool = |row: SubscriptionRow| {
        let own: Vec<_> = all.iter().filter(|people| people.pool == row.id).cloned().collect();
        let (source, limit) = limit(profile, [row.plan.as_str()].into_iter());
        (row, of_people(profile, &own, source, limit))
    };
    Ok(rows.into_iter().map(pool).collect())
}

/// Seats of people who are counted each once.
fn of_people(
    profile: &Profile,
    people: &[People],
    source: PlanName,
    limit: SeatLimit,
) -> SeatCount {
    let (mut breakdown, mut used) = (SeatBreakdown::default(), 0_u32);
    for People { standing, account_role, in_team, count, pool: _ } in people {
        let is_owner = profile.is_owner(&role_name(account_role));
        let (place, counts) = match standing {
            Standing::Trimmed => (&mut breakdown.trimmed, false),
            Standing::Pending => (&mut breakdown.pending, profile.counts(Counted::Pending)),
            Standing::Agency => {
                (&mut breakdown.client_access, profile.counts(Counted::ClientAccess))
            }
            Standing::Active if is_owner => (&mut breakdown.owner, counts_owner(profile, *in_team)),
            Standing::Active => (&mut breakdown.active, profile.counts(Counted::Active)),
        };
        *place = place.saturating_add(*count);
        used = used.saturating_add(if counts { *count } else { 0 });
    }
    SeatCount { limit, used, breakdown, source }
}

/// True if an owner takes a seat.
pub(super) fn counts_owner(profile: &Profile, in_team: bool) -> bool {
    profile.counts(Counted::Owner) || in_team && profile.counts(Counted::OwnerInTeam)
}

/// The limit of the highest tier held (NP-13); without a subscription that of the plan `none`.
pub(crate) fn limit<'a>(
    profile: &Profile,
    held: impl Iterator<Item = &'a str>,
) -> (PlanName, SeatLimit) {
    let tier = |name: &str| profile.plans.iter().position(|plan| plan.name.as_str() == name);
    let highest = held.filter_map(tier).max().and_then(|tier| profile.plans.get(tier));
    match highest.or_else(|| profile.without_subscription()) {
        Some(plan) => (plan.name.clone(), plan.seats),
        // A profile without plans limits nobody.
        None => (PlanName::from("none"), SeatLimit::Unlimited),
    }
}

/// Brings people and seats together after anything that changed either: trims who is over the
/// limit, latest added first (NP-14), and brings trimmed people back while seats are free (X18).
/// At once in an account that nobody claimed, a day later in one that an operator claimed.
pub(crate) async fn settle(change: &mut Change) -> Result<(), ApiError> {
    if change.profile.seats.on_shrink == OnShrink::Keep {
        return Ok(());
    }
    let seats = counted(change, At::Account).await?;
    if seats.excess() > 0 {
        change.account.reinstate_at = None;
        announce(change).await?;
        return Ok(());
    }
    change.account.over_limit_since = None;
    change.account.enforce_at = None;
    let waits = seats.breakdown.trimmed > 0 && seats.has_room_for(1);
    if !waits {
        change.account.reinstate_at = None;
    } else if change.account.claim.is_none() {
        reinstate_while_free(change).await?;
    } else if change.account.reinstate_at.is_none() {
        change.account.reinstate_at = Some(change.now + NOTICE);
    }
    Ok(())
}

/// Does what [`settle`] announced and what is due now.
pub(crate) async fn enforce_due(change: &mut Change) -> Result<(), ApiError> {
    let now = change.now;
    let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    if due(change.account.enforce_at) {
        trim_to_limit(change).await?;
    }
    if due(change.account.reinstate_at) {
        change.account.reinstate_at = None;
        reinstate_while_free(change).await?;
    }
    settle(change).await
}

async fn announce(change: &mut Change) -> Result<(), ApiError> {
    if change.account.claim.is_none() {
        return trim_to_limit(change).await;
    }
    if change.account.over_limit_since.is_none() {
        let enforce_at = change.now + NOTICE;
        change.account.over_limit_since = Some(change.now);
        change.account.enforce_at = Some(enforce_at);
        let id = change.account.id.clone();
        let after = json!({ "enforce_at": enforce_at });
        change.record("seats.over_limit", &id, None::<()>, Some(after)).await?;
    }
    Ok(())
}

/// Revokes pending invitations, newest first, then trims members, latest added first, until the
/// rest fits; who holds an owner role stays.
async fn trim_to_limit(change: &mut Change) -> Result<(), ApiError> {
    let mut excess = counted(change, At::Account).await?.excess();
    let (account_id, now) = (change.account.id.clone(), change.now);
    if change.profile.counts(Counted::Pending) {
        for row in invitations::pending_newest_first(change.conn(), &account_id, now).await? {
            if excess == 0 {
                break;
            }
            invitation::withdraw(change, row).await?;
            excess = after_one(change, excess).await?;
        }
    }
    if change.profile.counts(Counted::Active) {
        for row in members::active_latest_added_first(change.conn(), &account_id).await? {
            if excess == 0 {
                break;
            }
            if !change.profile.is_owner(&role_name(&row.role)) {
                member::set_trimmed(change, row).await?;
                excess = after_one(change, excess).await?;
            }
        }
    }
    change.account.over_limit_since = None;
    change.account.enforce_at = None;
    Ok(())
}

/// The excess after one place was taken away: of many teams, a person may have another one.
async fn after_one(change: &mut Change, excess: u32) -> Result<u32, ApiError> {
    match change.profile.teams {
        Teams::One => Ok(excess - 1),
        Teams::Many => Ok(counted(change, At::Account).await?.excess()),
    }
}

async fn reinstate_while_free(change: &mut Change) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    for row in members::trimmed_earliest_added_first(change.conn(), &account_id).await? {
        if !counted(change, At::Account).await?.has_room_for(1) {
            break;
        }
        member::set_reinstated(change, row).await?;
    }
    Ok(())
}

/// Counts the seats that people in this scope share.
pub(crate) async fn counted(change: &mut Change, at: At<'_>) -> Result<SeatCount, ApiError> {
    counted_without(change, at, None).await
}

/// As [`counted`], one person left out where people are counted each once.
pub(super) async fn counted_without(
    change: &mut Change,
    at: At<'_>,
    except: Option<&str>,
) -> Result<SeatCount, ApiError> {
    let (account, profile, now) = (change.account.clone(), change.profile.clone(), change.now);
    let Some(pool) = pool_of(change, at).await? else {
        return count(change.conn(), &account, &profile, now).await;
    };
    let (source, limit) = limit(&profile, [pool.plan.as_str()].into_iter());
    let among = Among::Pool(&pool.id);
    let people = people::counted(change.conn(), &account.id, among, except, now).await?;
    Ok(of_people(&profile, &people, source, limit))
}

/// The subscription whose seats the people in this scope share, unless those are the account's.
pub(super) async fn pool_of(
    change: &mut Change,
    at: At<'_>,
) -> Result<Option<SubscriptionRow>, ApiError> {
    let At::Team(team) = at else { return Ok(None) };
    if change.profile.seats.pool != Pool::Subscription {
        return Ok(None);
    }
    let account_id = change.account.id.clone();
    let team = teams::by_id(change.conn(), &account_id, team).await?;
    let Some(id) = team.and_then(|team| team.subscription_id) else { return Ok(None) };
    Ok(subscriptions::by_id(change.conn(), &account_id, &id).await?)
}
