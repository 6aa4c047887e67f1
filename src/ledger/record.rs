//! The stored form, version 1. Domain types are never serialised; these are.
//!
//! No `Debug` where a key or the salt is inside.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::desired::DeletionPolicy;
use crate::domain::identity::PersonHash;
use crate::domain::keys::{
    HoldDigest, InstallationId, InvitationId, RequestKey, ResendMark, RoleName,
};
use crate::domain::ledger_view::{
    Baseline, Cause, HoldRecord, MailRecord, OpenSend, Ownership, Paid, PersonRecord, Seen, Spend,
};
use crate::domain::observed::Claim;
use crate::ledger::{clients, domains, recipients};

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
    /// The claim that ours is put in place of, until that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_from: Option<StoredClaim>,
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
    /// The declarations that let nobody else be chosen, by category.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exact: BTreeMap<String, recipients::StoredExact>,
    pub brake_spent: Vec<StoredSpend>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brake_ahead: Vec<StoredSpend>,
    pub mails_sent: Vec<StoredSpend>,
    pub hold: Option<StoredHold>,
    pub hold_number: u64,
    pub approval_seen: Option<StoredApproval>,
    pub baseline: Option<StoredBaseline>,
    /// Feed position of our last write, where the service said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// Declared teams that were at the service, by reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, String>,
    /// Domains that we put in, and those whose record was looked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, domains::StoredDomain>,
}

/// [`Claim`]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredClaim {
    pub installation: String,
    pub fingerprint: String,
}

impl From<&Claim> for StoredClaim {
    fn from(claim: &Claim) -> Self {
        let Claim { installation, fingerprint } = claim.clone();
        Self { installation: installation.0, fingerprint }
    }
}

impl StoredClaim {
    pub fn to_view(&self) -> Claim {
        let Self { installation, fingerprint } = self.clone();
        Claim { installation: InstallationId(installation), fingerprint }
    }
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
    #[serde(default, skip_serializing_if = "StoredCause::is_usual")]
    pub cause: StoredCause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend: Option<StoredResend>,
    /// It asks for a change of owner.
    #[serde(default, skip_serializing_if = "is_false")]
    pub for_owner: bool,
}

/// The invitation that a send sends again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredResend {
    pub invitation: String,
    /// Mails of it before this one.
    pub sent: u32,
}

/// [`Cause`], but for the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredCause {
    #[serde(default, skip_serializing_if = "is_none")]
    pub attempt: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    pub renewals: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub decided: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<u64>,
}

impl StoredCause {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub fn with(self, epoch: i64) -> Cause {
        let Self { attempt, renewals, decided, mark, said } = self;
        let (mark, said) = (mark.map(ResendMark), said.map(ResendMark));
        Cause { epoch, attempt, renewals, decided, mark, said }
    }
}

impl From<Cause> for StoredCause {
    fn from(cause: Cause) -> Self {
        let Cause { epoch: _, attempt, renewals, decided, mark, said } = cause;
        let (mark, said) = (mark.map(|mark| mark.0), said.map(|said| said.0));
        Self { attempt, renewals, decided, mark, said }
    }
}

impl StoredSend {
    pub fn to_view(&self) -> OpenSend {
        OpenSend {
            key: RequestKey(self.key.clone()),
            role: RoleName(self.role.clone()),
            cause: self.cause.with(self.epoch),
            resend: self
                .resend
                .as_ref()
                .map(|row| (InvitationId(row.invitation.clone()), row.sent)),
            for_owner: self.for_owner,
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
    #[serde(default, rename = "emptiedUnder", skip_serializing_if = "Option::is_none")]
    pub emptied_under: Option<u32>,
}

impl StoredHold {
    pub fn to_view(&self) -> HoldRecord {
        let Self { digest, allowed, emptied_under } = self.clone();
        HoldRecord { digest: HoldDigest(digest), allowed, emptied_under }
    }
}

impl From<&HoldRecord> for StoredHold {
    fn from(hold: &HoldRecord) -> Self {
        let HoldRecord { digest, allowed, emptied_under } = hold.clone();
        Self { digest: digest.0, allowed, emptied_under }
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
    #[serde(default, rename = "asOf", skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
}

/// A first smaller count, not trusted yet.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSmaller {
    pub people: u64,
    pub at: Timestamp,
}

impl From<Baseline> for StoredBaseline {
    fn from(Baseline { people, smaller, as_of }: Baseline) -> Self {
        let smaller = smaller.map(|(people, at)| StoredSmaller { people, at });
        Self { people, smaller, as_of }
    }
}

impl From<StoredBaseline> for Baseline {
    fn from(StoredBaseline { people, smaller, as_of }: StoredBaseline) -> Self {
        let smaller = smaller.map(|StoredSmaller { people, at }| (people, at));
        Self { people, smaller, as_of }
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
    /// Categories that we made people recipients of, by hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recipients: BTreeMap<String, BTreeSet<String>>,
}

impl Page {
    /// True if it says nothing of anybody.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty() && self.clients.is_empty() && self.recipients.is_empty()
    }
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
    pub renamed: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub parted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_as: Option<DeclaredAs>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub retain: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<StoredPaid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<StoredOwnership>,
    #[serde(default, skip_serializing_if = "StoredMails::is_usual")]
    pub mails: StoredMails,
}

/// The declared address that a row was adopted for, where it is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredAs {
    /// Hash of that address, without a team.
    pub person: String,
    /// The team of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

/// [`MailRecord`]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredMails {
    #[serde(default, skip_serializing_if = "is_none")]
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    pub renewals: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub given_up: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub automatic: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl StoredMails {
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl From<MailRecord> for StoredMails {
    fn from(mails: MailRecord) -> Self {
        let MailRecord { attempts, renewals, given_up, automatic, decided, marks, not_before } =
            mails;
        let marks = marks.into_iter().map(|mark| mark.0).collect();
        Self { attempts, renewals, given_up, automatic, decided, marks, not_before }
    }
}

impl From<StoredMails> for MailRecord {
    fn from(stored: StoredMails) -> Self {
        let StoredMails { attempts, renewals, given_up, automatic, decided, marks, not_before } =
            stored;
        let marks = marks.into_iter().map(ResendMark).collect();
        Self { attempts, renewals, given_up, automatic, decided, marks, not_before }
    }
}

fn is_none(value: &u32) -> bool {
    *value == 0
}

pub(super) fn is_false(value: &bool) -> bool {
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
    /// When the place was given; not there in ledgers of the first version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "StoredCause::is_usual")]
    pub cause: StoredCause,
    /// It asks for a change of owner.
    #[serde(default, rename = "forOwner", skip_serializing_if = "is_false")]
    pub for_owner: bool,
}

impl Invite {
    /// True if the place was given for this send.
    pub fn is_of(self, send: &OpenSend) -> bool {
        self.cause.with(self.epoch) == send.cause
    }
}

/// [`Seen`]
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredSeen {
    #[default]
    Never,
    Invited,
    Member,
    Trimmed,
    Agency,
}

/// [`Paid`]
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredPaid {
    End,
    Trim,
    Lower,
}

/// [`Ownership`], but for `None`.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredOwnership {
    Asked,
    Held,
    Over,
}

/// A person in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// As things were before `invite`.
    pub record: PersonRecord,
    /// A place in a wave.
    pub invite: Option<Invite>,
    /// The person that the row is taken for, as long as it is ours.
    pub declared_as: Option<DeclaredAs>,
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
            renamed,
            parted,
            deletion_policy,
            held,
            paid,
            ownership,
            mails,
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
                Seen::Agency => StoredSeen::Agency,
            },
            epoch,
            opted_out,
            lost,
            renamed,
            parted,
            declared_as: self.declared_as.clone(),
            retain: deletion_policy == DeletionPolicy::Retain,
            held,
            paid: paid.map(|paid| match paid {
                Paid::End => StoredPaid::End,
                Paid::Trim => StoredPaid::Trim,
                Paid::Lower => StoredPaid::Lower,
            }),
            invite: self.invite,
            ownership: match ownership {
                Ownership::None => None,
                Ownership::Asked => Some(StoredOwnership::Asked),
                Ownership::Held => Some(StoredOwnership::Held),
                Ownership::Over => Some(StoredOwnership::Over),
            },
            mails: mails.into(),
        }
    }

    /// The record once the invitation is taken to be sent.
    pub fn as_sent(&self, invite: Invite) -> PersonRecord {
        let at = invite.at.unwrap_or(self.record.first_seen);
        let cause = invite.cause.with(invite.epoch);
        match invite.for_owner {
            true => self.record.asked_owner(cause, at),
            false => self.record.mailed(cause, at),
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
            renamed,
            parted,
            declared_as,
            retain,
            held,
            paid,
            invite,
            ownership,
            mails,
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
                StoredSeen::Agency => Seen::Agency,
            },
            epoch,
            opted_out,
            lost,
            renamed,
            parted,
            deletion_policy: if retain { DeletionPolicy::Retain } else { DeletionPolicy::Revoke },
            held,
            paid: paid.map(|paid| match paid {
                StoredPaid::End => Paid::End,
                StoredPaid::Trim => Paid::Trim,
                StoredPaid::Lower => Paid::Lower,
            }),
            ownership: match ownership {
                None => Ownership::None,
                Some(StoredOwnership::Asked) => Ownership::Asked,
                Some(StoredOwnership::Held) => Ownership::Held,
                Some(StoredOwnership::Over) => Ownership::Over,
            },
            mails: mails.into(),
        };
        Self { record, invite, declared_as }
    }
}

/// Reads a hash of a page: 32 lower-case hex digits.
pub(super) fn person_hash(text: &str) -> Option<PersonHash> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (text.len() == 32 && digits).then(|| PersonHash(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Entry, StoredPerson, StoredSend};
    use crate::domain::ledger_view::{Cause, MailRecord};

    /// As the first version wrote them, before mails were counted.
    #[test]
    fn what_was_stored_before_mails_were_counted_can_be_read() {
        let person = r#"{"firstSeen":"2026-03-01T12:00:00Z","owned":true,"seen":"Invited",
            "epoch":2,"invite":{"wave":3,"epoch":2}}"#;
        let entry = Entry::from(serde_json::from_str::<StoredPerson>(person).unwrap());
        assert_eq!(entry.record.mails, MailRecord::default());
        assert_eq!((entry.record.parted, &entry.declared_as), (false, &None));
        assert!(!serde_json::to_string(&entry.to_stored()).unwrap().contains("declaredAs"));
        let sent = entry.as_sent(entry.invite.unwrap());
        assert_eq!((sent.epoch, sent.mails.attempts), (2, 0));
        assert_eq!(sent.mails.automatic, ["2026-03-01T12:00:00Z".parse().unwrap()]);

        let send = r#"{"key":"k","person":"p","role":"developer","epoch":2,
            "at":"2026-03-01T12:00:00Z","notAfter":"2026-03-02T11:00:00Z"}"#;
        let send: StoredSend = serde_json::from_str(send).unwrap();
        let view = send.to_view();
        assert_eq!((view.cause, view.resend), (Cause { epoch: 2, ..Cause::default() }, None));
        assert!(entry.invite.unwrap().is_of(&send.to_view()));
        let again = serde_json::to_string(&send).unwrap();
        assert!(!again.contains("cause") && !again.contains("resend"), "{again}");
    }
}
