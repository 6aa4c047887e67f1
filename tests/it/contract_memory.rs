//! The world of the contract in memory.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use seatkeeper::backend::Backend;
use seatkeeper::backend::memory::Memory;
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::joining::Joining;
use seatkeeper::domain::keys::AccountKey;
use seatkeeper::domain::observed::{
    MemberState, Observed, ObservedAccount, ObservedMember, ObservedSeats, ReadEvidence, RoleSeen,
    SeatLimit,
};
use seatkeeper::plan::action::Action;
use seatkeeper::profile::built_in;

use crate::contract::{OWNER, World};

/// The world.
pub struct InMemory(Memory);

impl InMemory {
    /// The account as every case finds it.
    pub fn new() -> Self {
        let now: Timestamp = "2026-11-01T08:00:00Z".parse().unwrap();
        let owner = ObservedMember {
            id: "mem_owner".into(),
            etag: "0".into(),
            role: RoleSeen::Known("owner".into()),
            state: MemberState::Active,
            added_at: now,
            joined_at: now,
            agency: false,
        };
        let observed = Observed {
            account: account(),
            members: BTreeMap::from([(EmailAddress::parse(OWNER).unwrap().into(), owner)]),
            invitations: BTreeMap::new(),
            teams: BTreeMap::new(),
            client_accesses: None,
            ownership_changes: None,
            categories: None,
            joining: Joining::default(),
            evidence: ReadEvidence::default(),
        };
        let profile = built_in("nitropack").unwrap();
        Self(Memory::new((*profile).clone(), observed, now))
    }
}

fn account() -> ObservedAccount {
    ObservedAccount {
        key: "acc_1".into(),
        name: "Acme".to_owned(),
        etag: "0".into(),
        claim: None,
        seats: ObservedSeats {
            limit: SeatLimit::Seats(3),
            used: 0,
            owner: 0,
            active: 0,
            pending: 0,
            trimmed: 0,
            enforce_at: None,
            pools: BTreeMap::new(),
        },
        subscriptions: Vec::new(),
        disabled: false,
        secure_sign_in: false,
        agency: false,
        caller: None,
    }
}

#[async_trait]
impl World for InMemory {
    fn backend(&self) -> &dyn Backend {
        &self.0
    }

    fn account(&self) -> AccountKey {
        "acc_1".into()
    }

    async fn accept(&self, person: &MemberKey) {
        self.0.accept(person).await;
    }

    async fn decline(&self, person: &MemberKey) {
        self.0.decline(person).await;
    }

    async fn shrink_to_one_seat(&self) {
        self.0.set_limit(SeatLimit::Seats(1)).await;
    }

    async fn invitation_mails(&self, person: &MemberKey) -> usize {
        let sent = |action: &&Action| action.invitation_mail().is_some();
        let effects = self.0.effects().await;
        effects.iter().filter(sent).filter(|action| action.person() == person).count()
    }
}
