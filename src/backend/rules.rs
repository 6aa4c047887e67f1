//! The rules of an account in the words of the account API, compared by meaning.

use std::fmt::Debug;

use crate::backend::ServiceRules;
use crate::domain::observed::SeatLimit;
use crate::profile::{Counted, OnShrink, Profile};

impl ServiceRules {
    /// What a service that keeps this profile says of its rules.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        let mut counts: Vec<String> =
            profile.seats.counts.iter().map(|counted| word(*counted).to_owned()).collect();
        counts.sort();
        let seats = |limit: SeatLimit| match limit {
            SeatLimit::Seats(seats) => Some(seats),
            SeatLimit::Unlimited => None,
        };
        let (roles, plans) = (profile.roles.iter(), profile.plans.iter());
        Self {
            roles: roles.map(|role| (role.name.to_string(), role.invitable)).collect(),
            plans: plans.map(|plan| (plan.name.to_string(), seats(plan.seats))).collect(),
            counts,
            on_shrink: match profile.seats.on_shrink {
                OnShrink::TrimLatestAdded => "trimLatestAdded".to_owned(),
                OnShrink::Keep => "keep".to_owned(),
            },
        }
    }

    /// Where these rules differ in meaning from `ours`, one sentence each; empty if they agree.
    #[must_use]
    pub fn differences(&self, ours: &Self) -> Vec<String> {
        let Self { roles, plans, counts, on_shrink } = self;
        let mut differences = Vec::new();
        let mut compare = |what: &str, theirs: &dyn Debug, ours: &dyn Debug, differ: bool| {
            if differ {
                differences.push(format!("{what}: the service has {theirs:?}, we have {ours:?}"));
            }
        };
        compare("roles, highest first", roles, &ours.roles, *roles != ours.roles);
        compare("plans and seats", plans, &ours.plans, *plans != ours.plans);
        compare("what takes a seat", counts, &ours.counts, *counts != ours.counts);
        compare("shrinking limit", on_shrink, &ours.on_shrink, *on_shrink != ours.on_shrink);
        differences
    }
}

fn word(counted: Counted) -> &'static str {
    match counted {
        Counted::Owner => "owner",
        Counted::OwnerInTeam => "ownerInTeam",
        Counted::Active => "active",
        Counted::Pending => "pending",
        Counted::ClientAccess => "clientAccess",
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::ServiceRules;
    use crate::profile;

    #[test]
    fn a_difference_in_meaning_is_said_and_an_equal_meaning_is_not() {
        let ours = ServiceRules::of(&profile::built_in("nitropack").unwrap());
        assert_eq!(ours.differences(&ours), Vec::<String>::new());
        let mut theirs = ours.clone();
        theirs.plans[3].1 = Some(5);
        let differences = theirs.differences(&ours);
        assert_eq!(differences.len(), 1);
        assert!(differences[0].starts_with("plans and seats: the service has"), "{differences:?}");
    }
}
