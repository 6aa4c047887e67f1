//! Write-ahead record of what we sent and own, so that nothing is sent twice or lost (OP-02).
//!
//! A **head** (the open wave, budgets, the held set) and **pages** of people by salted hash. The
//! head is reserved by version: of two runs at once one writes it, the other starts over.
//! `plan` reads a ledger; only `apply` changes one. After an error of a write the value in memory
//! may be ahead of the store: load anew.
//!
//! A person's record is stored before the call, with the number of the wave that the invitation
//! has a place in. What it means is told from the head: a wave that was never opened was never
//! sent; a send that is still in the open wave is in doubt; any other was sent. So a record never
//! has to be written again after the answer, and a kill between any two writes is told right.

mod account;
mod change;
mod claim;
mod clients;
mod clock;
mod domains;
mod error;
mod file;
mod kube;
mod let_go;
mod load;
mod memory;
mod names;
mod pages;
mod recipients;
mod record;
mod store;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::domain::desired::{Origin, OriginKind};
use crate::domain::identity::{MemberKey, PersonHash};
use crate::domain::keys::{AccountKey, CategoryName, HoldDigest, InstallationId, TeamId, TeamRef};
use crate::domain::ledger_view::{LedgerView, OpenSend, Ownership, Paid, PersonRecord, Seen};
use crate::domain::observed::Observed;
use crate::ledger::pages::{Layout, PageNumber as Page};
use crate::ledger::record::{Entry, Head, Invite};

pub use account::{AccountStore, ClientState, StateError};
pub use change::{NewSend, OPEN_SENDS_MAX, WAVE_SENDS_MAX};
pub use error::LedgerError;
pub use file::FileStore;
pub use kube::KubeStore;
pub use memory::{Fault, Hook, MemoryStore, Step};
pub use pages::PageNumber;
pub use store::{LedgerStore, Part, SealedPart, Version};

/// The ledger of one account, loaded whole.
pub struct Ledger {
    store: Box<dyn LedgerStore>,
    /// Id or short name by which the account is declared.
    declared: AccountKey,
    /// The head as it is to be; `None` before the first change.
    head: Option<Head>,
    /// The head as it is stored.
    stored: Option<(Head, Version)>,
    layout: Layout,
    /// Stored pages: version and checksum.
    pages: BTreeMap<Page, (Version, String)>,
    people: BTreeMap<PersonHash, Entry>,
    /// Rows that are, or were in this run, adopted for somebody under another address.
    elsewhere: BTreeMap<record::DeclaredAs, BTreeSet<PersonHash>>,
    clients: BTreeMap<PersonHash, clients::ClientEntry>,
    recipients: BTreeMap<PersonHash, BTreeSet<CategoryName>>,
    /// Pages that something was learned for.
    changed: BTreeSet<Page>,
    /// Pages that a killed run left behind; they mean the same after they are written anew.
    repairs: BTreeSet<Page>,
    /// People of the last view: the others are neither declared nor at the service.
    viewed: Option<BTreeSet<PersonHash>>,
    writes: Writes,
}

/// Points where a debug build can be killed while a file of the ledger is replaced, in order.
pub const FAILPOINTS: &[&str] = &[file::WRITTEN_BESIDE, file::RENAMED];

/// How often a store was written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Writes of the head.
    pub head: u64,
    /// Writes of pages.
    pub pages: u64,
}

impl fmt::Debug for Ledger {
    /// Counts only: the parts hold keys and the salt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("declared", &self.declared)
            .field("people", &self.people.len())
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Writes since it was loaded.
    #[must_use]
    pub fn writes(&self) -> Writes {
        self.writes
    }

    /// The installation that this ledger stands for; `None` before the first change.
    #[must_use]
    pub fn installation(&self) -> Option<InstallationId> {
        self.head.as_ref().map(|head| InstallationId(head.installation.clone()))
    }

    /// True if the account service has to be asked for changes of owner even where none is declared:
    /// one that was asked for may still wait.
    #[must_use]
    pub fn follows_owner_changes(&self) -> bool {
        let asked = |entry: &record::Entry| {
            let placed = entry.invite.is_some_and(|invite| invite.for_owner);
            placed || entry.record.ownership == Ownership::Asked
        };
        let sends = self.head.iter().flat_map(|head| &head.sends);
        sends.into_iter().any(|send| send.for_owner) || self.people.values().any(asked)
    }

    /// When a declaration, of a person or as a whole, was first seen; `None` for one that never
    /// counted.
    #[must_use]
    pub fn first_seen(&self, person: Option<&MemberKey>, origin: &Origin) -> Option<Timestamp> {
        let Some(person) = person else { return self.exact_first_seen(origin) };
        if origin.kind == OriginKind::ClientAccess {
            return self.client_first_seen(&person.person, origin);
        }
        let person = self.bound(person);
        let seen = |hash: PersonHash| {
            let record = &self.people.get(&hash)?.record;
            let same = record.declared_by.as_ref() == Some(&origin.object());
            same.then_some(record.first_seen)
        };
        let own = self.hash(&person).and_then(seen);
        own.or_else(|| self.known_elsewhere(&person).into_iter().filter_map(seen).min())
    }

    /// What is known of everyone that is declared or at the service.
    ///
    /// `declared`: everyone that a declaration names, the invalid ones (`Desired::frozen`)
    /// included: who is left out and not at the service is forgotten by the next change. Open sends
    /// that `observed` answers are settled first. `first_wanted` is the caller's to fill in.
    pub fn view<'a>(
        &mut self,
        declared: impl Iterator<Item = &'a MemberKey>,
        observed: &'a Observed,
        now: Timestamp,
    ) -> LedgerView {
        let Some(head) = &self.head else { return LedgerView::default() };
        let at_service = observed.members.keys().chain(observed.invitations.keys());
        let people: BTreeMap<PersonHash, MemberKey> = declared
            .chain(at_service)
            .map(|person| (person.hashed(&head.salt), person.clone()))
            .collect();
        self.viewed = Some(people.keys().cloned().collect());
        self.settle(observed, now);
        if observed.evidence.answered_at.is_some_and(|service| clock::agree(service, now)) {
            self.past_only(now);
        }
        let mut view = self.read(people);
        self.read_gone(observed, &mut view);
        view
    }

    /// The key of a person, with the id of a declared team that was at the service.
    fn bound(&self, key: &MemberKey) -> MemberKey {
        key.clone().bound(|reference| {
            let id = self.head.as_ref()?.teams.get(reference.as_str())?;
            Some(TeamId(id.clone()))
        })
    }

    /// Declared teams that were at the service when we last looked.
    pub(crate) fn teams(&self) -> BTreeMap<TeamRef, TeamId> {
        let teams = self.head.iter().flat_map(|head| &head.teams);
        teams.map(|(reference, id)| (TeamRef(reference.clone()), TeamId(id.clone()))).collect()
    }

    fn read(&self, people: BTreeMap<PersonHash, MemberKey>) -> LedgerView {
        let Some(head) = &self.head else { return LedgerView::default() };
        let mut view = LedgerView {
            installation: self.installation(),
            fingerprint: None,
            takes_from: head.takes_from.as_ref().map(record::StoredClaim::to_view),
            pinned_account: Some(AccountKey(head.account.clone())),
            people: BTreeMap::new(),
            teams: self.teams(),
            domains: self.domains(),
            open_sends: BTreeMap::new(),
            clients: BTreeMap::new(),
            client_sends: BTreeMap::new(),
            recipients: BTreeMap::new(),
            declared_as: BTreeMap::new(),
            nameless: BTreeMap::new(),
            exact: BTreeMap::new(),
            brake_spent: head.brake_spent.iter().copied().map(Into::into).collect(),
            brake_ahead: head.brake_ahead.iter().copied().map(Into::into).collect(),
            mails_sent: head.mails_sent.iter().copied().map(Into::into).collect(),
            baseline: head.baseline.map(Into::into),
            hold: head.hold.as_ref().map(record::StoredHold::to_view),
            hold_number: head.hold_number,
            approval_seen: head
                .approval_seen
                .as_ref()
                .map(|seen| (HoldDigest(seen.digest.clone()), seen.at)),
            out_of_sight: self.out_of_sight(&people),
            gone: BTreeMap::new(),
            cut_off: head.open,
            ended_by_us: 0,
            written: head.written,
            first_wanted: None,
        };
        for (hash, person) in people {
            if let Some(send) = self.open_send(&hash) {
                view.open_sends.insert(person.clone(), send);
            }
            if let Some(record) = self.record_of(&hash) {
                view.people.insert(person, record);
            }
        }
        view
    }

    /// People that are ours and in none of `people`; who said no outlives the declaration.
    fn out_of_sight(&self, people: &BTreeMap<PersonHash, MemberKey>) -> u64 {
        let others = self.people.iter().filter(|(hash, _)| !people.contains_key(*hash));
        let ours = others
            .filter(|(_, Entry { record, .. })| record.owned && !record.opted_out && !record.lost);
        ours.count() as u64
    }

    /// Says of the people that were there when we last looked, and are neither declared nor there any
    /// more, what is known of their end.
    fn read_gone(&self, observed: &Observed, view: &mut LedgerView) {
        let (Some(head), Some(viewed)) = (&self.head, &self.viewed) else { return };
        let ended = observed.evidence.endings.iter().flat_map(|endings| &endings.people);
        let ended: BTreeSet<PersonHash> = ended.map(|person| person.hashed(&head.salt)).collect();
        for hash in self.people.keys().filter(|hash| !viewed.contains(*hash)) {
            let record = self.record_of(hash).filter(|record| record.seen != Seen::Never);
            match record.map(|record| record.paid) {
                Some(Some(Paid::End)) => view.ended_by_us += u64::from(head.open),
                Some(_) => {
                    view.gone.insert(hash.clone(), ended.contains(hash));
                }
                None => {}
            }
        }
    }

    /// The send of a person whose outcome is not known.
    fn open_send(&self, hash: &PersonHash) -> Option<OpenSend> {
        let sends = &self.head.as_ref()?.sends;
        sends.iter().find(|send| send.person == hash.0).map(record::StoredSend::to_view)
    }

    /// True if the outcome of what a place was given for is not known.
    fn is_open(&self, hash: &PersonHash, invite: Invite) -> bool {
        self.open_send(hash).is_some_and(|send| invite.is_of(&send))
    }

    /// What is known of a person: a place in a wave counts as sent unless the wave was never
    /// opened or the outcome is not known.
    fn record_of(&self, hash: &PersonHash) -> Option<PersonRecord> {
        let entry = self.people.get(hash)?;
        let wave = self.wave();
        Some(match entry.invite {
            Some(invite) if invite.wave <= wave && !self.is_open(hash, invite) => {
                entry.as_sent(invite)
            }
            Some(_) | None => entry.record.clone(),
        })
    }
}
