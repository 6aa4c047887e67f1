//! Earlier addresses of people: who is meant by each, and which declarations are in each other's way.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::desired::Origin;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::manifests::people::{Candidate, Loser, Said, describe, rank};
use crate::manifests::reason::{Reason, Rejection};
use crate::manifests::resolve::Leaving;

/// What `formerly` says, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Earlier {
    /// The present address of each earlier one.
    pub present: BTreeMap<EmailAddress, EmailAddress>,
    /// Earlier addresses of declarations that do not count: they stay as they are.
    pub frozen: BTreeSet<MemberKey>,
    /// Declarations that claim an address of somebody else.
    pub losers: Vec<Loser>,
}

/// Joins the addresses of each person. Afterwards all declarations of a person are under the present
/// address.
///
/// An address that somebody is declared by is nobody's earlier one; of two people who claim the same
/// earlier address the older declaration counts; and only the declaration that counts for its present
/// address says anything of earlier ones, so that nobody else's line joins two people. `Absent` takes
/// an address from nobody, and who is declared absent is nobody's earlier address. Time O(n log n).
pub fn join(candidates: &mut [Candidate], leaving: &[Leaving]) -> Earlier {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| match (candidates.get(*a), candidates.get(*b)) {
        (Some(a), Some(b)) => rank(a).cmp(&rank(b)),
        _ => a.cmp(b),
    });
    let mut joined = Joined::new(candidates, &order);
    let (mut earlier, mut passive) = (Earlier::default(), Vec::new());
    for index in order {
        let Some(candidate) = candidates.get_mut(index) else { continue };
        match joined.rival(candidate) {
            None if joined.counts(candidate) => {
                joined.add(&candidate.person.person, &candidate.formerly, &candidate.origin);
            }
            None => passive.extend(earlier_keys(candidate)),
            Some((position, rival)) => lose(candidate, position, &rival, &mut earlier),
        }
    }
    let unclaimed = passive.into_iter().filter(|old| !joined.of.contains_key(&old.person));
    earlier.frozen.extend(unclaimed);
    for leaving in leaving {
        let free = |old: &&EmailAddress| !joined.is_taken(old);
        let old: Vec<_> = leaving.formerly.iter().filter(free).cloned().collect();
        joined.add(&leaving.person.person, &old, &leaving.origin);
    }
    for candidate in candidates {
        let present = joined.present(&candidate.person.person).clone();
        candidate.person.person = present;
    }
    let old: Vec<EmailAddress> = joined.of.keys().cloned().collect();
    earlier.present =
        old.into_iter().map(|old| (old.clone(), joined.present(&old).clone())).collect();
    earlier
}

/// Who has an address.
enum Rival {
    /// Somebody is declared by it.
    Present(Origin),
    /// Somebody else claims it as an earlier one.
    Earlier(Origin),
    /// Who has it is declared absent.
    Absent(Origin),
}

/// Addresses that mean the same people.
struct Joined {
    /// Who is declared to be there, by address.
    declared: BTreeMap<EmailAddress, Origin>,
    /// Who is declared not to be there, by address.
    absent: BTreeMap<EmailAddress, Origin>,
    /// The declaration that counts in each place.
    winners: BTreeMap<MemberKey, Origin>,
    /// The address after each earlier one, and who says so. Without circles.
    of: BTreeMap<EmailAddress, (EmailAddress, Origin)>,
}

impl Joined {
    fn new(candidates: &[Candidate], order: &[usize]) -> Self {
        let (mut declared, mut absent) = (BTreeMap::new(), BTreeMap::new());
        let mut winners = BTreeMap::new();
        for candidate in order.iter().filter_map(|index| candidates.get(*index)) {
            let address = candidate.person.person.clone();
            let origin = || candidate.origin.clone();
            if candidate.role == Ok(Said::Absent) {
                absent.entry(address).or_insert_with(origin);
            } else {
                declared.entry(address).or_insert_with(origin);
                winners.entry(candidate.person.clone()).or_insert_with(origin);
            }
        }
        Self { declared, absent, winners, of: BTreeMap::new() }
    }

    /// True if a declaration may say something of earlier addresses.
    fn counts(&self, candidate: &Candidate) -> bool {
        match candidate.role {
            Ok(Said::Absent) => true,
            Ok(Said::Present(_)) => self.winners.get(&candidate.person) == Some(&candidate.origin),
            Err(_) => false,
        }
    }

    /// The present address of a person.
    fn present<'a>(&'a self, address: &'a EmailAddress) -> &'a EmailAddress {
        let mut present = address;
        while let Some((next, _)) = self.of.get(present) {
            present = next;
        }
        present
    }

    fn is_taken(&self, address: &EmailAddress) -> bool {
        self.declared.contains_key(address) || self.of.contains_key(address)
    }

    /// The first earlier address that somebody else has.
    fn rival(&self, candidate: &Candidate) -> Option<(usize, Rival)> {
        let person = self.present(&candidate.person.person);
        candidate.formerly.iter().enumerate().find_map(|(position, old)| {
            let declared = self.declared.get(old).filter(|_| candidate.role != Ok(Said::Absent));
            if let Some(origin) = declared {
                return Some((position, Rival::Present(origin.clone())));
            }
            let absent = self.absent.get(old).filter(|_| candidate.role != Ok(Said::Absent));
            if let Some(origin) = absent {
                return Some((position, Rival::Absent(origin.clone())));
            }
            let (_, origin) = self.of.get(old).filter(|_| self.present(old) != person)?;
            Some((position, Rival::Earlier(origin.clone())))
        })
    }

    fn add(&mut self, person: &EmailAddress, earlier: &[EmailAddress], origin: &Origin) {
        for old in earlier {
            let present = self.present(person).clone();
            if *self.present(old) != present {
                self.of.insert(old.clone(), (present, origin.clone()));
            }
        }
    }
}

/// The earlier addresses of a declaration, where it declares the person.
fn earlier_keys(candidate: &Candidate) -> impl Iterator<Item = MemberKey> {
    candidate.formerly.iter().map(|old| candidate.person.at(old))
}

/// A declaration that claims what somebody else has: all its people stay as they are.
fn lose(candidate: &mut Candidate, position: usize, rival: &Rival, earlier: &mut Earlier) {
    earlier.frozen.extend(earlier_keys(candidate));
    if candidate.role.is_err() {
        return;
    }
    let line = candidate.origin.position.map(|line| format!("/roster/{line}")).unwrap_or_default();
    let pointer = format!("/spec{line}/formerly/{position}");
    let old = candidate.formerly.get(position).map(ToString::to_string).unwrap_or_default();
    let (message, hint) = match rival {
        Rival::Present(origin) => (
            format!("`{old}` is the present address in {}", describe(origin)),
            "one address is one person: take it out of `formerly`, or delete the other declaration",
        ),
        Rival::Absent(origin) => (
            format!("`{old}` is declared absent in {}", describe(origin)),
            "one address is one person: take it out of `formerly`, or delete the other declaration",
        ),
        Rival::Earlier(origin) => (
            format!("`{old}` is an earlier address of somebody else in {}", describe(origin)),
            "one address is one person: take it out of one of the two; the older counts",
        ),
    };
    let rejection = Rejection::new(Reason::Conflict, pointer, message, hint);
    let (origin, email) = (candidate.origin.clone(), candidate.email.clone());
    earlier.losers.push(Loser { origin, email, rejection: rejection.clone() });
    candidate.role = Err(rejection);
}
