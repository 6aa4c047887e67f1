//! The stored form, version 1. Domain types are never serialised; these are.
//!
//! No `Debug` where a key or the salt is inside.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::desired::DeletionPolicy;
use crate::domain::identity::PersonHash;
use crate::domain::keys::{HoldDigest, RequestKey, RoleName};
use crate::domain::ledger_view::{Baseline, HoldRecord, OpenSend, Paid, PersonRecord, Seen, Spend};
use crate::ledger::clients;

/// Version of the stored form that this program reads and writes.
pub(super) const FORMAT: u32 = 1;

/// The part of every content that all versions share.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Format {
    pub format_version: u32,
}

/// The head.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head {
    pub format_version: u32,
    /// Id that the service answered at first contact.
    pub account: String,
    /// Id or short name by which the account is declared.
    pub declared: String,
    pub installation: String,
    pub salt: String,
    /// Number of the last wave that was opened; never falls.
    pub wave: u64,
    /// A run is under way, or was cut off.
    pub open: bool,
    /// Pages are there besides: a head that says so without any has lost them.
    pub paged: bool,
    /// Sends whose outcome is not known.
    pub sends: Vec<StoredSend>,
    /// Mails to clients whose outcome is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_sends: Vec<clients::StoredSend>,
    pub brake_spent: Vec<StoredSpend>,
    pub mails_sent: Vec<StoredSpend>,
    pub hold: Option<StoredHold>,
    pub hold_number: u64,
    pub approval_seen: Option<StoredApproval>,
    pub baseline: Option<StoredBaseline>,
}

/// One send, stored before the call.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredSend {
    pub key: String,
    pub person: String,
    pub role: String,
    pub epoch: i64,
    pub at: Timestamp,
    pub not_after: Timestamp,
}

impl StoredSend {
    pub fn to_view(&self) -> OpenSend {
        OpenSend {
            key: RequestKey(self.key.clone()),
            role: RoleName(self.role.clone()),
            epoch: self.epoch,
            not_after: self.not_after,
        }
    }
}

/// [`Spend`]
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSpend {
    pub at: Timestamp,
    pub count: u32,
}

impl From<StoredSpend> for Spend {
    fn from(StoredSpend { at, count }: StoredSpend) -> Self {
        Self { at, count }
    }
}

/// [`HoldRecord`]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredHold {
    pub digest: String,
    pub allowed: u64,
}

impl StoredHold {
    pub fn to_view(&self) -> HoldRecord {
        HoldRecord { digest: HoldDigest(self.digest.clone()), allowed: self.allowed }
    }
}

/// An approval and when it was first seen.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredApproval {
    pub digest: String,
    pub at: Timestamp,
}

/// [`Baseline`]
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredBaseline {
    pub people: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smaller: Option<StoredSmaller>,
}

/// A first smaller count, not trusted yet.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSmaller {
    pub people: u64,
    pub at: Timestamp,
}

impl From<Baseline> for StoredBaseline {
    fn from(Baseline { people, smaller }: Baseline) -> Self {
        Self { people, smaller: smaller.map(|(people, at)| StoredSmaller { people, at }) }
    }
}

impl From<StoredBaseline> for Baseline {
    fn from(StoredBaseline { people, smaller }: StoredBaseline) -> Self {
        Self { people, smaller: smaller.map(|StoredSmaller { people, at }| (people, at)) }
    }
}

/// One page.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Page {
    pub format_version: u32,
    /// Installation of the head that it goes with.
    pub installation: String,
    /// People by hash.
    pub people: BTreeMap<String, StoredPerson>,
    /// Clients by hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clients: BTreeMap<String, clients::StoredClient>,
}

/// What we know of one person. Fields at their usual value are left out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredPerson {
    pub first_seen: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_by: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub owned: bool,
    #[serde(default, skip_serializing_if = "is_never")]
    pub seen: StoredSeen,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: i64,
    #[serde(default, skip_serializing_if = "is_false")]
    pub opted_out: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub lost: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub retain: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<StoredPaid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

fn is_never(value: &StoredSeen) -> bool {
    *value == StoredSeen::Never
}

/// The invitation that this person was given a place in a wave for. What the other fields say is
/// how things were before: they count again if the wave was never opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invite {
    /// Number of the wave.
    pub wave: u64,
    /// Epoch of the call.
    pub epoch: i64,
}

/// [`Seen`]
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredSeen {
    #[default]
    Never,
    Invited,
    Member,
    Trimmed,
}

/// [`Paid`]
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredPaid {
    End,
    Trim,
    Lower,
}

/// A person in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// As things were before `invite`.
    pub record: PersonRecord,
    /// A place in a wave.
    pub invite: Option<Invite>,
}

impl Entry {
    pub fn to_stored(&self) -> StoredPerson {
        let PersonRecord {
            first_seen,
            declared_by,
            owned,
            seen,
            epoch,
            opted_out,
            lost,
            deletion_policy,
            held,
            paid,
        } = self.record.clone();
        StoredPerson {
            first_seen,
            declared_by,
            owned,
            seen: match seen {
                Seen::Never => StoredSeen::Never,
                Seen::Invited => StoredSeen::Invited,
                Seen::Member => StoredSeen::Member,
                Seen::Trimmed => StoredSeen::Trimmed,
            },
            epoch,
            opted_out,
            lost,
            retain: deletion_policy == DeletionPolicy::Retain,
            held,
            paid: paid.map(|paid| match paid {
                Paid::End => StoredPaid::End,
                Paid::Trim => StoredPaid::Trim,
                Paid::Lower => StoredPaid::Lower,
            }),
            invite: self.invite,
        }
    }

    /// The record once the invitation is taken to be sent.
    pub fn as_sent(&self, epoch: i64) -> PersonRecord {
        PersonRecord {
            seen: Seen::Invited,
            epoch,
            opted_out: false,
            lost: false,
            paid: None,
            ..self.record.clone()
        }
    }
}

impl From<StoredPerson> for Entry {
    fn from(stored: StoredPerson) -> Self {
        let StoredPerson {
            first_seen,
            declared_by,
            owned,
            seen,
            epoch,
            opted_out,
            lost,
            retain,
            held,
            paid,
            invite,
        } = stored;
        let record = PersonRecord {
            first_seen,
            declared_by,
            owned,
            seen: match seen {
                StoredSeen::Never => Seen::Never,
                StoredSeen::Invited => Seen::Invited,
                StoredSeen::Member => Seen::Member,
                StoredSeen::Trimmed => Seen::Trimmed,
            },
            epoch,
            opted_out,
            lost,
            deletion_policy: if retain { DeletionPolicy::Retain } else { DeletionPolicy::Revoke },
            held,
            paid: paid.map(|paid| match paid {
                StoredPaid::End => Paid::End,
                StoredPaid::Trim => Paid::Trim,
                StoredPaid::Lower => Paid::Lower,
            }),
        };
        Self { record, invite }
    }
}

/// Reads a hash of a page: 32 lower-case hex digits.
pub(super) fn person_hash(text: &str) -> Option<PersonHash> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (text.len() == 32 && digits).then(|| PersonHash(text.to_owned()))
}
