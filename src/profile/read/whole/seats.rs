//! Plans, pool, limit and what counts go together.

use crate::domain::observed::SeatLimit;
use crate::profile::read::whole::Check;
use crate::profile::{Counted, LimitFrom, OnShrink, Pool, Teams, Unit};

impl Check<'_, '_> {
    /// Checks plans and seats.
    pub(super) fn seats(&mut self) {
        self.tiers();
        self.without_subscription();
        self.included();
        self.people_meters();
        self.pool();
        self.counts();
    }

    /// There are plans, in the order of their tiers.
    fn tiers(&mut self) {
        if self.profile.plans.is_empty() {
            let hint = "declare at least `none: {seats: unlimited, paid: false}`";
            self.add(&["plans"], "there is no plan", hint);
        }
        for pair in self.profile.plans.windows(2) {
            let [lower, higher] = pair else { continue };
            let fewer = match (lower.seats, higher.seats) {
                (_, SeatLimit::Unlimited) => false,
                (SeatLimit::Unlimited, SeatLimit::Seats(_)) => true,
                (SeatLimit::Seats(lower), SeatLimit::Seats(higher)) => higher < lower,
            };
            if fewer {
                let message = format!("fewer seats than the lower tier `{}`", lower.name);
                let hint = "put the plans in the order of their tiers, lowest first";
                self.add(&["plans", higher.name.as_str(), "seats"], message, hint);
            }
        }
    }

    /// An account without a subscription has a plan too, unless its teams have them.
    fn without_subscription(&mut self) {
        let needed = matches!(self.profile.seats.limit, LimitFrom::HighestTier | LimitFrom::Plan);
        match self.profile.without_subscription() {
            None if needed && !self.profile.plans.is_empty() => {
                let hint = "add the plan `none`, as `none: {seats: 1, paid: false}`";
                let message = "nothing says what an account without a subscription has";
                self.add(&["plans"], message, hint);
            }
            Some(none) if none.paid => {
                let message = "what nobody has picked cannot be paid for";
                self.add(&["plans", "none"], message, "add `paid: false`");
            }
            Some(_) | None => (),
        }
    }

    /// Every feature and product is in some plan.
    fn included(&mut self) {
        let plans = &self.profile.plans;
        for feature in &self.profile.features {
            if !plans.iter().any(|plan| plan.features.contains(&feature.name)) {
                let hint = "add it to the `features` of a plan, or remove it";
                self.add(&["features", &feature.name], "no plan includes it", hint);
            }
        }
        for product in &self.profile.products {
            if !plans.iter().any(|plan| plan.products.contains(&product.name)) {
                let hint = "add it to the `products` of a plan, or remove it";
                self.add(&["products", &product.name], "no plan includes it", hint);
            }
        }
    }

    /// People are limited by the seats alone.
    fn people_meters(&mut self) {
        let of_people = self.profile.meters.iter().filter(|meter| meter.unit == Unit::People);
        let of_people: Vec<&str> = of_people.map(|meter| meter.name.as_str()).collect();
        for plan in &self.profile.plans {
            for meter in plan.meters.keys().filter(|meter| of_people.contains(&meter.as_str())) {
                let path = ["plans", plan.name.as_str(), "meters", meter];
                self.add(&path, "people are limited by `seats`", "remove the line");
            }
        }
    }

    /// The limit is one that the pool can have.
    fn pool(&mut self) {
        let seats = &self.profile.seats;
        let fits = match seats.pool {
            Pool::None => seats.limit == LimitFrom::Unlimited,
            Pool::Subscription => seats.limit == LimitFrom::Subscription,
            Pool::Account => matches!(seats.limit, LimitFrom::HighestTier | LimitFrom::Plan),
        };
        if !fits {
            let hint = "`none` goes with `unlimited`, `subscription` with `subscription`, \
                        `account` with `highestTier` or `plan`";
            self.add(&["seats", "limit"], "does not go with this `pool`", hint);
        }
        if seats.pool == Pool::Subscription && seats.on_shrink == OnShrink::TrimLatestAdded {
            let hint = "write `onShrink: keep`";
            self.add(&["seats", "onShrink"], "only seats of the account can be trimmed", hint);
        }
    }

    /// Something takes a seat exactly where there are seats.
    fn counts(&mut self) {
        let path = ["seats", "counts"];
        let seats = &self.profile.seats;
        let (counts, none) = (&seats.counts, seats.pool == Pool::None);
        if none && !counts.is_empty() {
            self.add(&path, "nothing is counted where there are no seats", "write `counts: []`");
        } else if !none && counts.is_empty() {
            let message = "nothing takes a seat, so the limit never holds";
            self.add(&path, message, "say what takes a seat");
        }
        if counts.contains(&Counted::ClientAccess) && self.profile.client_access.is_none() {
            let hint = "remove it, or add `clientAccess`";
            self.add(&path, "there is no client access to count", hint);
        }
        if counts.contains(&Counted::Owner) && counts.contains(&Counted::OwnerInTeam) {
            self.add(&path, "`owner` and `ownerInTeam` exclude each other", "keep one of the two");
        }
        if counts.contains(&Counted::OwnerInTeam) && self.profile.teams == Teams::One {
            self.add(&path, "`ownerInTeam` needs many teams", "write `owner`, or leave it out");
        }
    }
}
