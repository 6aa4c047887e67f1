//! People with more than one address: under which one the service knows a person who was renamed,
//! what is carried over, and what is withdrawn.
//!
//! A member stays one, whatever the address: only the service can rename the row. An invitation that
//! waits is for an address, so that it is withdrawn there, and a new one goes out.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::desired::Desired;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::ledger_view::{MailRecord, Nameless, OpenSend, Ownership, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, MemberState, Observed};
use crate::domain::policy::Policy;
use crate::plan::action::{Action, EndCause};
use crate::plan::draft::Draft;
use crate::plan::invitations::was_member;
use crate::plan::remembered::Remembered;
use crate::plan::{Input, Rule, members};
use crate::profile::KnownUser;

/// Which rows are whose, where a person has more than one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Whom the service knows by another address than the declared one: declared, then known.
    known_as: BTreeMap<MemberKey, MemberKey>,
    /// Invitations that wait under an earlier address, and who is meant.
    replaced: BTreeMap<MemberKey, MemberKey>,
    /// The other addresses of everybody that is declared, and is known by the declared one.
    earlier: BTreeMap<MemberKey, Vec<MemberKey>>,
    /// Rows of people with two of them: neither is touched for the other.
    second: BTreeMap<MemberKey, MemberKey>,
    /// Every place of a declared person but the one that the plan is about.
    others: BTreeSet<MemberKey>,
    /// Declared people that have earlier addresses.
    declared: BTreeSet<EmailAddress>,
    /// Earlier addresses that only the ledger knows.
    remembered: BTreeSet<EmailAddress>,
    /// People whose earlier address is somebody else's by now.
    parted: BTreeSet<EmailAddress>,
    /// All addresses of a person, and the one of a row that is a member's.
    people: BTreeMap<EmailAddress, EmailAddress>,
}

impl Names {
    /// Compares declared addresses with rows. Nothing where nobody has an earlier address; else
    /// time O(n log n).
    pub(super) fn of(input: &Input<'_>, remembered: &Remembered<'_>) -> Self {
        let Remembered { desired: _, known, parted } = remembered;
        let (remembered, parted) = (known.clone(), parted.clone());
        let mut names = Self { remembered, parted, ..Self::default() };
        let earlier = input.desired.earlier();
        if earlier.is_empty() {
            return names;
        }
        let Desired { people, frozen, .. } = input.desired;
        let declared = people.keys().chain(frozen).map(|key| &key.person);
        names.declared = declared.filter(|person| earlier.contains_key(person)).cloned().collect();
        let active = active(input);
        for key in input.desired.people.keys() {
            if let Some(old) = earlier.get(&key.person) {
                names.settle(input.observed, key, &keys(old, key), &active);
            }
        }
        names.others(input);
        for (present, old) in &earlier {
            names.person(input.observed, present, old);
        }
        names
    }

    /// Finds the row of one declared person, and what else there is.
    fn settle(
        &mut self,
        observed: &Observed,
        key: &MemberKey,
        old: &[MemberKey],
        active: &BTreeSet<&EmailAddress>,
    ) {
        let is_member = |key: &&MemberKey| observed.members.contains_key(*key);
        let invited =
            |key: &MemberKey| observed.invitations.get(key).is_some_and(|row| row.state.waits());
        let all = [key].into_iter().chain(old);
        let elsewhere = || {
            let known = |key: &&MemberKey| active.contains(&key.person);
            let free = !invited(key) && !known(&key);
            old.iter().find(known).filter(|_| free)
        };
        let known = all.clone().find(is_member).or_else(elsewhere).unwrap_or(key);
        for other in all.filter(|other| *other != known) {
            self.others.insert(other.clone());
            if is_member(&other) || (other == key && invited(other)) {
                self.second.insert(other.clone(), known.clone());
            } else if invited(other) {
                self.replaced.insert(other.clone(), known.clone());
            }
        }
        if known == key {
            self.earlier.insert(key.clone(), old.to_vec());
        } else {
            self.known_as.insert(key.clone(), known.clone());
        }
    }

    /// Rows of people that are declared absent, or whose declaration is going.
    fn others(&mut self, input: &Input<'_>) {
        let Input { desired, observed, .. } = *input;
        let there = |key: &MemberKey| is_there(observed, key);
        let rows = observed.members.keys().chain(observed.invitations.keys());
        for row in rows.filter(|row| there(row)) {
            let Some(present) = desired.formerly.get(&row.person) else { continue };
            let key = row.at(present);
            if !there(&key) && !desired.people.contains_key(&key) {
                self.known_as.entry(key).or_insert_with(|| row.clone());
            }
        }
    }

    /// Under which address a person is a member somewhere in the account.
    fn person(&mut self, observed: &Observed, present: &EmailAddress, old: &[&EmailAddress]) {
        let is_member = |address: &&EmailAddress| {
            let from = MemberKey::from((*address).clone());
            observed.members.range(from..).next().is_some_and(|(key, _)| key.person == **address)
        };
        let all = [present].into_iter().chain(old.iter().copied());
        let known = all.clone().find(is_member).unwrap_or(present);
        for address in all {
            self.people.insert(address.clone(), known.clone());
        }
    }

    /// What is declared, under the addresses that the service knows.
    pub(super) fn desired<'a>(&self, input: &Input<'a>) -> Cow<'a, Desired> {
        if self.people.is_empty() {
            return Cow::Borrowed(input.desired);
        }
        let mut desired = input.desired.clone();
        for (declared, known) in &self.known_as {
            if let Some(member) = desired.people.remove(declared) {
                desired.people.insert(known.clone(), member);
            }
        }
        let Desired { people, frozen, .. } = &mut desired;
        frozen.retain(|key| !people.contains_key(key));
        desired.frozen.extend(self.second.keys().cloned());
        self.spread(input, &mut desired);
        desired.recipients = desired.recipients.renamed(|address| self.known(address).clone());
        Cow::Owned(desired)
    }

    /// Who must not be there must not be there under any address; who is to stay stays under each.
    fn spread(&self, input: &Input<'_>, desired: &mut Desired) {
        let earlier = input.desired.earlier();
        let old = |key: &MemberKey| {
            earlier.get(&key.person).map(|old| keys(old, key)).unwrap_or_default()
        };
        let there = |key: &MemberKey| {
            let Input { observed, ledger, .. } = *input;
            observed.members.contains_key(key)
                || observed.invitations.contains_key(key)
                || ledger.people.contains_key(key)
        };
        for (key, absence) in &input.desired.absent {
            for old in old(key).into_iter().filter(there) {
                desired.absent.entry(old).or_insert_with(|| absence.clone());
            }
        }
        for key in &input.desired.frozen {
            let free = |old: &MemberKey| !desired.people.contains_key(old);
            let old: Vec<_> = old(key).into_iter().filter(free).collect();
            desired.frozen.extend(old);
        }
        let everywhere = input.desired.frozen_everywhere.iter();
        let old = everywhere.filter_map(|address| earlier.get(address)).flatten();
        desired.frozen_everywhere.extend(old.map(|old| (*old).clone()));
    }

    /// How far we may go, with people spared under each of their addresses.
    pub(super) fn policy<'a>(&self, input: &Input<'a>) -> Cow<'a, Policy> {
        if self.people.is_empty() || input.policy.never_trim.is_empty() {
            return Cow::Borrowed(input.policy);
        }
        let mut policy = input.policy.clone();
        let present = |address| input.desired.present(address);
        let spared: BTreeSet<_> = input.policy.never_trim.iter().map(present).collect();
        let all = self.people.keys().filter(|address| spared.contains(present(address)));
        policy.never_trim.extend(all.cloned());
        Cow::Owned(policy)
    }

    /// The key under which the service knows whom a declaration names.
    #[must_use]
    pub fn known_key<'a>(&'a self, declared: &'a MemberKey) -> &'a MemberKey {
        self.known_as.get(declared).unwrap_or(declared)
    }

    /// The address under which a person is a member, if they are.
    pub(super) fn known<'a>(&'a self, address: &'a EmailAddress) -> &'a EmailAddress {
        self.people.get(address).unwrap_or(address)
    }

    /// Whose invitation this is, if it waits under an earlier address.
    #[must_use]
    pub fn meant(&self, key: &MemberKey) -> Option<&MemberKey> {
        self.replaced.get(key)
    }

    /// True if the address is one of a person that is declared by another one.
    pub(super) fn is_other(&self, key: &MemberKey) -> bool {
        self.others.contains(key)
    }

    /// True if a declaration names the person, who has earlier addresses.
    pub(super) fn declares(&self, person: &EmailAddress) -> bool {
        self.declared.contains(person)
    }

    /// True if somebody else has the address by which the service knew the person.
    pub(super) fn is_parted(&self, person: &EmailAddress) -> bool {
        self.parted.contains(person)
    }

    /// A send to an earlier address of a person, if its outcome is not known.
    pub(super) fn open_send<'a>(
        &self,
        input: &Input<'a>,
        person: &MemberKey,
    ) -> Option<&'a OpenSend> {
        let earlier = self.earlier.get(person).into_iter().flatten();
        let nameless = input.ledger.nameless.get(person).into_iter().flatten();
        let named = earlier.filter_map(|old| input.ledger.open_sends.get(old));
        named.chain(nameless.filter_map(|known| known.send.as_ref())).next()
    }

    /// When the invitation was first sent that waits under an earlier address.
    pub(super) fn invited_at(&self, observed: &Observed, person: &MemberKey) -> Option<Timestamp> {
        let earlier = self.earlier.get(person).into_iter().flatten();
        let mut waiting = earlier.filter(|old| self.replaced.contains_key(*old));
        waiting.find_map(|old| observed.invitations.get(old)).map(|row| row.created_at)
    }

    /// People whose earlier invitation these actions do not withdraw.
    pub(super) fn not_withdrawn(&self, actions: &[Action]) -> BTreeSet<MemberKey> {
        let withdrawn: BTreeSet<_> = actions
            .iter()
            .filter(|action| matches!(action, Action::RevokeInvitation { .. }))
            .map(Action::person)
            .collect();
        let left = self.replaced.iter().filter(|(old, _)| !withdrawn.contains(old));
        left.map(|(_, meant)| meant.clone()).collect()
    }
}

/// The same place under other addresses.
fn keys(addresses: &[&EmailAddress], key: &MemberKey) -> Vec<MemberKey> {
    addresses.iter().map(|address| key.at(address)).collect()
}

/// People with access somewhere, where such people are added to a further place at once.
fn active<'a>(input: &Input<'a>) -> BTreeSet<&'a EmailAddress> {
    if input.profile.invitations.known_user != KnownUser::AddAtOnce {
        return BTreeSet::new();
    }
    let members = input.observed.members.iter();
    let active = members.filter(|(_, member)| member.state == MemberState::Active);
    active.map(|(key, _)| &key.person).collect()
}

/// True if the service has a row of this place: a member, or an invitation that waits.
pub(super) fn is_there(observed: &Observed, place: &MemberKey) -> bool {
    let row = observed.invitations.get(place);
    observed.members.contains_key(place) || row.is_some_and(|row| row.state.waits())
}

/// What the ledger knows of a declared person, with what it knows of their earlier addresses.
pub(super) fn record(draft: &Draft<'_>, person: &MemberKey) -> Option<PersonRecord> {
    let Input { ledger, observed, now, .. } = *draft.input;
    let own = ledger.people.get(person).cloned();
    let is_new = own.as_ref().is_none_or(|own| {
        let asked = own.mails.attempts > 0 || own.mails.last().is_some();
        !asked && own.seen == Seen::Never && !own.opted_out && !own.lost && !own.renamed
    });
    let is_there = is_there(observed, person);
    let named = draft.names.earlier.get(person).into_iter().flatten().filter_map(|old| {
        let row = observed.invitations.get(old);
        let known = ledger.people.get(old).cloned();
        let known = known.or_else(|| row.map(|_| members::unknown(now)))?;
        Some((known, row.is_some_and(|row| row.state == InvitationState::Declined)))
    });
    let nameless = ledger.nameless.get(person).into_iter().flatten();
    let nameless = nameless.map(|Nameless { record, .. }| (record.clone(), false));
    let mut record = own;
    for (known, declined) in named.chain(nameless) {
        let mut joined = record.unwrap_or_else(|| nothing(&known));
        joined.first_seen = joined.first_seen.min(known.first_seen);
        join(&mut joined.mails, &known.mails);
        if is_new {
            carry(&mut joined, &known, declined);
        } else if !is_there && known.epoch >= joined.epoch {
            joined.opted_out |= says_no(&known, declined);
        }
        record = Some(joined);
    }
    record
}

/// The record of somebody of whom nothing is known but a declaration under another address.
fn nothing(old: &PersonRecord) -> PersonRecord {
    let mails = MailRecord::default();
    PersonRecord {
        declared_by: old.declared_by.clone(),
        epoch: old.epoch,
        mails,
        ..members::unknown(old.first_seen)
    }
}

/// Carries over what is known of an earlier address: a no of the last epoch stays a no, and what was
/// sent there is not what waits here.
fn carry(record: &mut PersonRecord, old: &PersonRecord, declined: bool) {
    let no = says_no(old, declined);
    match old.epoch.cmp(&record.epoch) {
        Ordering::Less => {}
        Ordering::Equal => {
            record.opted_out |= no;
            record.mails.attempts = record.mails.attempts.max(old.mails.attempts);
        }
        Ordering::Greater => {
            (record.epoch, record.opted_out) = (old.epoch, no);
            record.mails.attempts = old.mails.attempts;
        }
    }
    if old.ownership != Ownership::None {
        record.ownership = Ownership::Over;
    }
    record.renamed = true;
}

/// True if the person said no at an earlier address, or left there.
fn says_no(old: &PersonRecord, declined: bool) -> bool {
    old.opted_out || declined || was_member(old)
}

/// Adds the times and words of one record to another.
fn join(mails: &mut MailRecord, old: &MailRecord) {
    let add = |times: &mut Vec<Timestamp>, old: &[Timestamp]| {
        times.extend(old);
        times.sort();
        times.dedup();
        let few = times.len().saturating_sub(MailRecord::KEPT);
        times.drain(..few);
    };
    add(&mut mails.automatic, &old.automatic);
    add(&mut mails.decided, &old.decided);
    let own = std::mem::take(&mut mails.marks);
    let older = old.marks.iter().filter(|word| !own.contains(word)).copied().collect::<Vec<_>>();
    mails.heed(older.into_iter().chain(own));
}

/// Withdraws what waits under earlier addresses, and lets go of addresses that nothing is left of.
pub(super) fn withdraw(draft: &mut Draft<'_>) {
    let (names, input) = (draft.names, draft.input);
    for old in names.replaced.keys().filter(|old| !input.desired.is_frozen(old)) {
        let record = input.ledger.people.get(old).cloned();
        let record = record.unwrap_or_else(|| members::unknown(input.now));
        members::end(draft, old, record, EndCause::Renamed);
    }
    for old in names.earlier.values().flatten() {
        let left = names.replaced.contains_key(old)
            || input.observed.members.contains_key(old)
            || input.ledger.open_sends.contains_key(old);
        let Some(record) = input.ledger.people.get(old).filter(|record| record.owned && !left)
        else {
            continue;
        };
        let seen = Seen::Never;
        let record = PersonRecord { owned: false, seen, held: false, paid: None, ..record.clone() };
        draft.records.insert(old.clone(), record);
    }
}

/// Says of whom the service knows by another address, and of whom it has two rows.
pub(super) fn note(draft: &mut Draft<'_>) {
    let names = draft.names;
    for (declared, known) in &names.known_as {
        if let Some(outlook) = draft.people.get_mut(known) {
            outlook.declared_as = Some(declared.person.clone());
            outlook.remembered = names.remembered.contains(&known.person);
        }
    }
    for person in names.second.values() {
        if let Some(outlook) = draft.people.get_mut(person) {
            outlook.rule.get_or_insert(Rule::TwoRows);
        }
    }
}
