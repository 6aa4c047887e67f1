//! Seats by pool: the account's, or those of each subscription, shared by its teams. Who has two
//! places in one pool takes one seat (X5).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::{SubscriptionId, TeamId};
use crate::domain::observed::{InvitationState, MemberState, Observed, SeatLimit};
use crate::domain::teams::TeamState;
use crate::plan::{Input, Rule, SeatForecast};
use crate::profile::{Counted, Pool, Profile};

/// The subscription whose seats are meant; `None`: those of the account.
pub(super) type PoolKey = Option<SubscriptionId>;

/// Seats as they are after the actions so far.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pools: BTreeMap<PoolKey, Seats>,
    /// Places that take a seat, by pool and person; empty where each place is one.
    places: BTreeMap<(SubscriptionId, EmailAddress), i64>,
}

#[derive(Clone, Copy, Debug)]
struct Seats {
    limit: SeatLimit,
    before: u32,
    used: u32,
}

impl Pools {
    /// The seats of a look.
    pub fn of(observed: &Observed, profile: &Profile) -> Self {
        let seats = &observed.account.seats;
        let own = Seats { limit: seats.limit, before: seats.used, used: seats.used };
        let mut pools = BTreeMap::from([(None, own)]);
        if profile.seats.pool != Pool::Subscription {
            return Self { pools, places: BTreeMap::new() };
        }
        let linked = observed.teams.values().filter_map(|team| team.subscription.as_ref());
        for id in linked.chain(seats.pools.keys()) {
            let used = seats.pools.get(id).map_or(0, |pool| pool.used);
            let limit = limit(observed, profile, id);
            pools.insert(Some(id.clone()), Seats { limit, before: used, used });
        }
        Self { pools, places: places(observed, profile) }
    }

    /// What the plan allows.
    pub fn limit(&self, pool: &PoolKey) -> SeatLimit {
        self.pools.get(pool).map_or(SeatLimit::Seats(0), |seats| seats.limit)
    }

    /// Seats in use.
    pub fn used(&self, pool: &PoolKey) -> u32 {
        self.pools.get(pool).map_or(0, |seats| seats.used)
    }

    /// True if a seat is free besides `reserved` ones.
    pub fn has_seat(&self, pool: &PoolKey, reserved: u32) -> bool {
        self.limit(pool).allows(self.used(pool).saturating_add(reserved).saturating_add(1))
    }

    /// Seats that `places` more (fewer, if negative) of a person take (free) in a pool.
    pub fn seats_of(&self, pool: &PoolKey, person: &EmailAddress, places: i64) -> i64 {
        let Some(id) = pool else { return places };
        let held = self.places.get(&(id.clone(), person.clone())).copied().unwrap_or(0);
        i64::from(held + places > 0) - i64::from(held > 0)
    }

    /// Gives (takes) a person `places` in a pool.
    pub fn take(&mut self, pool: &PoolKey, person: &EmailAddress, places: i64) {
        let taken = self.seats_of(pool, person, places);
        if let Some(id) = pool {
            *self.places.entry((id.clone(), person.clone())).or_insert(0) += places;
        }
        if let Some(seats) = self.pools.get_mut(pool) {
            seats.used = u32::try_from(i64::from(seats.used) + taken).unwrap_or(0);
        }
    }

    /// Before and after, the account's first.
    pub fn forecasts(&self) -> BTreeMap<PoolKey, SeatForecast> {
        let forecast = |(pool, seats): (&PoolKey, &Seats)| {
            let Seats { limit, before, used } = *seats;
            (pool.clone(), SeatForecast { before, after: used, limit, queued: 0 })
        };
        self.pools.iter().map(forecast).collect()
    }
}

/// The pool that a place counts in.
pub(super) fn pool_of(observed: &Observed, profile: &Profile, key: &MemberKey) -> PoolKey {
    if profile.seats.pool != Pool::Subscription {
        return None;
    }
    observed.teams.get(key.team_id()?)?.subscription.clone()
}

/// Seats in use of each subscription, as the rows have them.
pub(super) fn used(observed: &Observed, profile: &Profile) -> BTreeMap<SubscriptionId, u32> {
    let mut used = BTreeMap::new();
    if profile.seats.pool == Pool::Subscription {
        for (id, _) in places(observed, profile).into_keys() {
            *used.entry(id).or_insert(0) += 1;
        }
    }
    used
}

/// Why nobody is let into a team now, and no role changed; `None`: it is open.
pub(super) fn closed(input: &Input<'_>, key: &MemberKey) -> Option<Rule> {
    if input.observed.account.disabled {
        return Some(Rule::ServiceDisabled);
    }
    key.team.as_ref()?;
    let team = key.team_id().and_then(|id| input.observed.teams.get(id));
    match team.map(|team| team.state) {
        Some(TeamState::Active) => None,
        Some(TeamState::Inactive) => Some(Rule::TeamInactive),
        Some(TeamState::Pending) => Some(Rule::TeamPending),
        Some(TeamState::Unknown) => Some(Rule::NotUnderstood),
        None => Some(Rule::TeamNotThere),
    }
}

/// As the service says, else as the plan of the subscription says.
fn limit(observed: &Observed, profile: &Profile, id: &SubscriptionId) -> SeatLimit {
    if let Some(pool) = observed.account.seats.pools.get(id) {
        return pool.limit;
    }
    let held = observed.account.subscriptions.iter().find(|held| held.id == *id);
    let plan = held.and_then(|held| profile.plan(&held.plan));
    plan.map_or(SeatLimit::Seats(0), |plan| plan.seats)
}

/// True if the people of a team fit under another subscription (OP-03). Time O(n log n).
pub(super) fn fits(
    observed: &Observed,
    profile: &Profile,
    team: &TeamId,
    to: &SubscriptionId,
) -> bool {
    if profile.seats.pool != Pool::Subscription {
        return true;
    }
    let there = takers(observed, profile).filter(|key| {
        key.team_id() == Some(team) || pool_of(observed, profile, key).as_ref() == Some(to)
    });
    let people: BTreeSet<&EmailAddress> = there.map(|key| &key.person).collect();
    limit(observed, profile, to).allows(u32::try_from(people.len()).unwrap_or(u32::MAX))
}

/// Places that take a seat, by pool and person. Time O(n log n).
fn places(observed: &Observed, profile: &Profile) -> BTreeMap<(SubscriptionId, EmailAddress), i64> {
    let mut places = BTreeMap::new();
    for key in takers(observed, profile) {
        if let Some(id) = pool_of(observed, profile, key) {
            *places.entry((id, key.person.clone())).or_insert(0) += 1;
        }
    }
    places
}

/// Places that take a seat.
fn takers<'a>(observed: &'a Observed, profile: &'a Profile) -> impl Iterator<Item = &'a MemberKey> {
    let active = observed.members.iter().filter(|(_, row)| row.state != MemberState::Trimmed);
    let active = active.filter(|_| profile.counts(Counted::Active)).map(|(key, _)| key);
    let pending = observed.invitations.iter().filter(|(key, row)| {
        row.state == InvitationState::Pending && !observed.members.contains_key(*key)
    });
    active.chain(pending.filter(|_| profile.counts(Counted::Pending)).map(|(key, _)| key))
}
