//! Rows under an address that is not the declared one, and for whom they were adopted: so that a person
//! stays known when no declaration lists the earlier address any more.

use std::collections::BTreeMap;

use crate::domain::desired::Desired;
use crate::domain::identity::{EmailAddress, MemberKey, PersonHash, TeamKey};
use crate::domain::keys::TeamId;
use crate::domain::ledger_view::{LedgerView, Nameless};
use crate::ledger::Ledger;
use crate::ledger::record::{DeclaredAs, Entry};

impl Ledger {
    /// Adds to a view under which declared address rows are known. Who is named by nothing but the
    /// ledger counts as seen, unless the planner takes over what is known of them.
    pub fn view_names(&mut self, desired: &Desired, view: &mut LedgerView) {
        let Some(head) = &self.head else { return };
        let renamed = self.people.iter().filter(|(_, entry)| entry.declared_as.is_some());
        let renamed: Vec<(PersonHash, Entry)> =
            renamed.map(|(hash, entry)| (hash.clone(), entry.clone())).collect();
        if renamed.is_empty() {
            return;
        }
        let declared = desired.addresses();
        let all = declared.iter().copied().chain(&desired.leaving).chain(desired.formerly.keys());
        let all: BTreeMap<PersonHash, &EmailAddress> =
            all.map(|address| (address.hashed(&head.salt), address)).collect();
        let named = view.people.keys().map(|key| (key.hashed(&head.salt), key.clone()));
        let named: BTreeMap<PersonHash, MemberKey> = named.collect();
        for (hash, entry) in renamed {
            let Some(DeclaredAs { person, team }) = &entry.declared_as else { continue };
            let Some(address) = all.get(&PersonHash(person.clone())).copied() else { continue };
            if let Some(row) = named.get(&hash) {
                view.declared_as.insert(row.clone(), address.clone());
                continue;
            }
            let team = team.as_ref().map(|id| TeamKey::Known(TeamId(id.clone())));
            let person = desired.present(address).clone();
            let place = MemberKey { person, team };
            if declared.contains(&place.person) {
                self.take_nameless(&hash, place, desired, view);
            }
        }
    }

    /// Shows what is known of an address that nobody names.
    fn take_nameless(
        &mut self,
        hash: &PersonHash,
        place: MemberKey,
        desired: &Desired,
        view: &mut LedgerView,
    ) {
        let Some(record) = self.record_of(hash) else { return };
        if record.owned && !record.opted_out && !record.lost {
            view.out_of_sight = view.out_of_sight.saturating_sub(1);
        }
        if desired.is_frozen(&place) {
            self.viewed.get_or_insert_default().insert(hash.clone());
        }
        let send = self.open_send(hash);
        view.nameless.entry(place).or_default().push(Nameless { record, send });
    }

    /// Takes over for whom rows are adopted.
    pub(super) fn learn_names(&mut self, rows: &BTreeMap<MemberKey, Option<EmailAddress>>) {
        for (row, address) in rows {
            let Some(hash) = self.hash(row) else { return };
            let Some(entry) = self.people.get(&hash).cloned() else { continue };
            let person = address.clone().and_then(|person| self.hash(&person.into()));
            let declared_as = person.map(|person| DeclaredAs {
                person: person.0,
                team: row.team.as_ref().map(|team| team.as_str().to_owned()),
            });
            self.put(hash, Entry { declared_as, ..entry });
        }
    }

    /// Rows that were adopted for this person under another address.
    pub(super) fn known_elsewhere(&self, place: &MemberKey) -> Vec<PersonHash> {
        let Some(person) = self.hash(&place.person.clone().into()) else { return Vec::new() };
        let team = place.team.as_ref().map(|team| team.as_str().to_owned());
        let wanted = DeclaredAs { person: person.0, team };
        let rows = self.elsewhere.get(&wanted).into_iter().flatten();
        rows.filter(|hash| self.declared_as(hash).as_ref() == Some(&wanted)).cloned().collect()
    }

    /// Notes for whom a row is adopted, so that it is found by that person.
    pub(super) fn note_elsewhere(&mut self, hash: &PersonHash, entry: &Entry) {
        if let Some(declared_as) = &entry.declared_as {
            self.elsewhere.entry(declared_as.clone()).or_default().insert(hash.clone());
        }
    }

    pub(super) fn declared_as(&self, hash: &PersonHash) -> Option<DeclaredAs> {
        self.people.get(hash)?.declared_as.clone()
    }
}
