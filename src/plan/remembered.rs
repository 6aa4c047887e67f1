//! Earlier addresses that no declaration lists any more, and that the ledger still knows: a person is
//! not removed under one and invited under another because a line went.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::desired::Desired;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::ledger_view::PersonRecord;
use crate::domain::observed::Observed;
use crate::plan::Input;
use crate::plan::draft::Draft;
use crate::plan::names::is_there;

/// What is declared, with the earlier addresses that only the ledger knows.
pub(super) struct Remembered<'a> {
    /// With those addresses among the others.
    pub desired: Cow<'a, Desired>,
    /// Those addresses.
    pub known: BTreeSet<EmailAddress>,
    /// People whose earlier address is somebody else's by now.
    pub parted: BTreeSet<EmailAddress>,
}

impl<'a> Remembered<'a> {
    /// An address counts for whom the row was adopted for, unless a declaration names it otherwise,
    /// or the service has a row of that person under the declared address too. Time O(n log n).
    pub fn of(input: &Input<'a>) -> Self {
        let Input { desired, observed, ledger, .. } = *input;
        let (mut known, mut parted) = (BTreeMap::new(), BTreeSet::new());
        let named = match ledger.declared_as.is_empty() {
            true => BTreeSet::new(),
            false => desired.addresses(),
        };
        for (row, declared) in &ledger.declared_as {
            let (person, present) = (&row.person, desired.present(declared));
            let place = row.at(present);
            let taken = match desired.formerly.get(person) {
                Some(other) => other != present,
                None => named.contains(person) && person != present,
            };
            if taken {
                parted.insert(present.clone());
            } else if !desired.formerly.contains_key(person)
                && person != present
                && !has_own_row(observed, row, &place)
            {
                known.insert(person.clone(), present.clone());
            }
        }
        let desired = match known.is_empty() {
            true => Cow::Borrowed(desired),
            false => {
                let mut desired = desired.clone();
                desired.formerly.extend(known.clone());
                Cow::Owned(desired)
            }
        };
        Self { desired, known: known.into_keys().collect(), parted }
    }
}

/// True if the service has a row of the person under the declared address that stands in place of
/// `row`. Who is a member does not lose that to an invitation: then there are two rows of one person.
fn has_own_row(observed: &Observed, row: &MemberKey, place: &MemberKey) -> bool {
    match observed.members.contains_key(row) {
        true => observed.members.contains_key(place),
        false => is_there(observed, place),
    }
}

/// For whom each row that is ours is adopted, where that is news.
pub(super) fn learn(
    draft: &Draft<'_>,
    records: &BTreeMap<MemberKey, PersonRecord>,
) -> BTreeMap<MemberKey, Option<EmailAddress>> {
    let Input { desired, ledger, .. } = *draft.input;
    let mut news = BTreeMap::new();
    if desired.formerly.is_empty() && ledger.declared_as.is_empty() {
        return news;
    }
    for row in ledger.people.keys().chain(records.keys()).collect::<BTreeSet<_>>() {
        let record = records.get(row).or_else(|| ledger.people.get(row));
        let known = ledger.declared_as.get(row);
        let stays = known.is_some_and(|address| desired.is_frozen_somewhere(address));
        let wanted = match desired.formerly.get(&row.person) {
            _ if !record.is_some_and(|record| record.owned) => None,
            Some(present) if draft.names.declares(present) => Some(present),
            None if desired.people.contains_key(row) && !stays => None,
            _ => known,
        };
        if wanted != known {
            news.insert(row.clone(), wanted.cloned());
        }
    }
    news
}
