//! What `apply` tells the ledger. Everything here is in memory until the head or a page is written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::domain::desired::DeletionPolicy;
use crate::domain::identity::{MemberKey, PersonHash};
use crate::domain::keys::{AccountKey, HoldDigest, InvitationId, RequestKey, RoleName};
use crate::domain::ledger_view::{Cause, MailRecord, OpenSend, Ownership, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, Observed, ObservedInvitation};
use crate::ledger::Ledger;
use crate::ledger::clock::key_lasts;
use crate::ledger::error::LedgerError;
use crate::ledger::record::{
    Entry, FORMAT, Head, Invite, StoredApproval, StoredBaseline, StoredResend, StoredSend,
    StoredSpend,
};
use crate::ledger::store::Part;
use crate::plan::{Approval, Learn, remembered};

/// Most sends of one wave.
pub const WAVE_SENDS_MAX: usize = 64;

/// Most sends in doubt that the head holds: one wave, and as many left over from earlier ones.
pub const OPEN_SENDS_MAX: usize = 2 * WAVE_SENDS_MAX;

/// Window of the mail budget.
pub(super) const MAIL_WINDOW: Duration = Duration::from_secs(3600);

/// How far the service's clock may be behind ours when we ask whether a row is newer than a send.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A send that is about to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSend {
    /// The person.
    pub person: MemberKey,
    /// Key of the call.
    pub key: RequestKey,
    /// Role of the call.
    pub role: RoleName,
    /// What it is sent for.
    pub cause: Cause,
    /// The invitation that is sent again, and its mails so far; `None`: a new one is made.
    pub resend: Option<(InvitationId, u32)>,
    /// It asks for a change of owner.
    pub for_owner: bool,
    /// When the backend may have forgotten the key.
    pub not_after: Timestamp,
}

impl Ledger {
    /// Makes a fresh ledger the one of `account`, the id that the service answered; a ledger that
    /// has one already must have this one.
    pub(crate) fn pin(&mut self, account: &AccountKey) -> Result<(), LedgerError> {
        match &self.head {
            Some(head) if head.account == account.0 => {}
            Some(head) => {
                return Err(LedgerError::OtherAccount {
                    place: self.store.place(Part::Head),
                    pinned: head.account.clone(),
                    asked: account.0.clone(),
                });
            }
            None => self.head = Some(new_head(account, &self.declared)),
        }
        Ok(())
    }

    /// Drops the sends that a look answers: the person is there, or a row that is newer than the
    /// call. Also those that are too old to arrive, of people whom nobody asks for any more.
    pub(super) fn settle(&mut self, observed: &Observed, now: Timestamp) {
        let viewed = self.viewed.as_ref();
        let people = &self.people;
        let Some(head) = &mut self.head else { return };
        if head.sends.is_empty() || head.account != observed.account.key.0 {
            return;
        }
        let members: BTreeSet<String> =
            observed.members.keys().map(|person| person.hashed(&head.salt).0).collect();
        let invitations: BTreeMap<String, _> = observed
            .invitations
            .iter()
            .map(|(person, invitation)| (person.hashed(&head.salt).0, invitation))
            .collect();
        head.sends.retain(|send| {
            let row = invitations.get(&send.person);
            let known = match send.for_owner {
                true => owner_answers(observed, &head.salt, send),
                false => {
                    members.contains(&send.person) || row.is_some_and(|row| answers(row, send))
                }
            };
            let hash = PersonHash(send.person.clone());
            let renamed = people.get(&hash).is_some_and(|entry| entry.declared_as.is_some());
            let wanted = renamed || viewed.is_none_or(|viewed| viewed.contains(&hash));
            // What is gone cannot be sent again any more.
            let gone = send.resend.is_some() && row.is_none();
            // A change of owner that is in no list when it cannot arrive any more counts as over.
            let over = now >= send.not_after && (!wanted || gone || send.for_owner);
            !known && !over
        });
        for send in &mut head.sends {
            send.not_after = key_lasts(send.at, send.not_after, now);
        }
    }

    /// Takes over what a plan learned. `inviting`: people that an invitation of this plan goes to;
    /// how they were is kept until the invitation is on its way.
    pub(crate) fn learn(&mut self, learn: &Learn, inviting: &BTreeSet<&MemberKey>, now: Timestamp) {
        let Learn {
            records,
            forget_absent,
            baseline,
            hold,
            approval,
            claim: _,
            brake_spent: _,
            brake_ahead: _,
            teams,
            declared_as,
        } = learn;
        for (person, record) in records {
            self.learn_record(person, record, inviting.contains(person));
        }
        self.learn_names(declared_as);
        if *forget_absent {
            self.forget_unviewed(now);
        }
        let Some(head) = &mut self.head else { return };
        if let Some(baseline) = baseline {
            head.baseline = Some((*baseline).into());
            if baseline.smaller.is_none() {
                head.open = false; // Whom a run ended that was cut off is out of the count now.
                // A read that was approved may be of a service that was restored.
                let written = head.written.zip(baseline.as_of);
                head.written = written.map_or(head.written, |(ours, read)| Some(ours.min(read)));
            }
        }
        if let Some(teams) = teams {
            let teams = teams.iter().map(|(reference, id)| (reference.0.clone(), id.0.clone()));
            head.teams = teams.collect();
        }
        if let Some(hold) = hold {
            head.hold = hold.as_ref().map(Into::into);
        }
        match approval {
            Approval::None => {}
            Approval::Seen(digest) => see_approval(head, digest, now),
            Approval::Used(digest) | Approval::Lapsed(digest) => {
                head.hold_number += 1;
                see_approval(head, digest, now);
            }
        }
    }

    fn learn_record(&mut self, person: &MemberKey, record: &PersonRecord, inviting: bool) {
        let Some(hash) = self.hash(person) else { return };
        let invite = self.people.get(&hash).and_then(|entry| entry.invite);
        let invite = invite.filter(|invite| self.is_open(&hash, *invite));
        let record = match self.record_of(&hash) {
            Some(known) if inviting => PersonRecord {
                seen: known.seen,
                epoch: known.epoch,
                opted_out: known.opted_out,
                lost: known.lost,
                paid: known.paid,
                ownership: known.ownership,
                mails: known.mails,
                ..record.clone()
            },
            Some(_) | None => record.clone(),
        };
        let declared_as = self.declared_as(&hash).filter(|_| record.owned);
        self.put(hash, Entry { record, invite, declared_as });
    }

    /// Forgets who is neither declared nor at the service, unless a send may still arrive. Their
    /// mails are remembered for as long as a cap counts them: who is declared again is not mailed
    /// more often for it.
    fn forget_unviewed(&mut self, now: Timestamp) {
        let Some(viewed) = &self.viewed else { return };
        let gone: Vec<PersonHash> = self
            .people
            .iter()
            .filter(|(hash, _)| !viewed.contains(*hash) && self.open_send(hash).is_none())
            .map(|(hash, _)| hash.clone())
            .collect();
        for hash in gone {
            let Some(record) = self.record_of(&hash) else { continue };
            // A no outlives the declaration: only a new epoch ends it.
            if record.opted_out || record.lost {
                continue;
            }
            if remembered(&record.mails, now) {
                let record = PersonRecord {
                    mails: MailRecord { renewals: 0, given_up: false, ..record.mails },
                    ..nobody(record.first_seen, record.epoch)
                };
                self.put(hash, Entry { record, invite: None, declared_as: None });
            } else {
                self.changed.insert(self.layout.page_of(&hash));
                self.people.remove(&hash);
            }
        }
    }

    /// Gives a person's invitation a place in the wave that is opened as the `turn`th from now,
    /// counted from 1.
    pub(crate) fn place(&mut self, send: &NewSend, turn: u64, now: Timestamp) {
        let Some(hash) = self.hash(&send.person) else { return };
        // What is repeated was opened before.
        let repeats = self.open_send(&hash).is_some_and(|open| open.key == send.key);
        let turn = if repeats { 0 } else { turn };
        let wave = self.wave() + turn;
        let (epoch, at) = (send.cause.epoch, Some(now));
        let record = self.record_of(&hash);
        let record = record.unwrap_or_else(|| PersonRecord { owned: true, ..nobody(now, epoch) });
        let (cause, for_owner) = (send.cause.into(), send.for_owner);
        let invite = Some(Invite { wave, epoch, at, cause, for_owner });
        let declared_as = self.declared_as(&hash);
        self.put(hash, Entry { record, invite, declared_as });
    }

    /// The send of a person whose outcome is not known.
    pub(crate) fn open_send_of(&self, person: &MemberKey) -> Option<OpenSend> {
        self.open_send(&self.hash(person)?)
    }

    /// Sends whose outcome is not known.
    pub(crate) fn open_sends(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.sends.len())
    }

    /// Puts a send into the wave that is opened next; a repeated one keeps its time.
    pub(crate) fn put_send(&mut self, send: &NewSend, now: Timestamp) {
        let Some(hash) = self.hash(&send.person) else { return };
        let Some(head) = &mut self.head else { return };
        let known = head.sends.iter().position(|open| open.person == hash.0);
        let known = known.map(|at| head.sends.remove(at)).filter(|known| known.key == send.key.0);
        head.sends.push(StoredSend {
            key: send.key.0.clone(),
            person: hash.0,
            role: send.role.0.clone(),
            epoch: send.cause.epoch,
            at: known.map_or(now, |known| known.at),
            not_after: send.not_after,
            cause: send.cause.into(),
            resend: send.resend.as_ref().map(|(invitation, sent)| StoredResend {
                invitation: invitation.0.clone(),
                sent: *sent,
            }),
            for_owner: send.for_owner,
        });
    }

    /// Opens the next wave, `mails` of whose sends are new to the mail budget.
    pub(crate) fn open_wave(&mut self, mails: u32, now: Timestamp) {
        let Some(head) = &mut self.head else { return };
        head.wave += 1;
        head.open = true;
        spend(&mut head.mails_sent, mails, now, MAIL_WINDOW);
    }

    /// Spends removals of the brake's window.
    pub(crate) fn spend_brake(&mut self, removals: u32, now: Timestamp, window: Duration) {
        if let Some(head) = &mut self.head {
            spend(&mut head.brake_spent, removals, now, window);
        }
    }

    /// Spends of what may go ahead of a held set.
    pub(crate) fn spend_ahead(&mut self, removals: u32, now: Timestamp, window: Duration) {
        if let Some(head) = &mut self.head {
            spend(&mut head.brake_ahead, removals, now, window);
        }
    }

    /// The outcome of a send is known: it goes with the next write of the head.
    pub(crate) fn close_send(&mut self, person: &MemberKey) {
        let Some(hash) = self.hash(person) else { return };
        if let Some(head) = &mut self.head {
            head.sends.retain(|send| send.person != hash.0);
        }
    }

    /// A mail of the wave that was just opened was not sent: it does not count.
    pub(crate) fn refund_mail(&mut self) {
        let Some(spend) = self.head.as_mut().and_then(|head| head.mails_sent.last_mut()) else {
            return;
        };
        spend.count = spend.count.saturating_sub(1);
    }

    /// Nothing was sent to a person that had a place in a wave: they are as they were before.
    pub(crate) fn unplace(&mut self, person: &MemberKey) {
        let Some(hash) = self.hash(person) else { return };
        if let Some(mut entry) = self.people.get(&hash).cloned() {
            entry.invite = None;
            self.put(hash, entry);
        }
    }

    /// The service takes no mail to this person for a while.
    pub(crate) fn wait_for(&mut self, person: &MemberKey, now: Timestamp, wait: Duration) {
        let Some(hash) = self.hash(person) else { return };
        if let Some(mut entry) = self.people.get(&hash).cloned() {
            entry.record.mails.not_before = Some(after(now, wait));
            self.put(hash, entry);
        }
    }

    /// A person was added at once, and is a member from now on: who is gone later left, or was removed.
    pub(crate) fn added(&mut self, person: &MemberKey) {
        let Some(hash) = self.hash(person) else { return };
        if let Some(mut entry) = self.people.get(&hash).cloned() {
            entry.record.seen = Seen::Member;
            self.put(hash, entry);
        }
    }

    /// Ends the run: `people` is the count to measure absence against, as of this feed position.
    pub(crate) fn close(&mut self, people: Option<u64>, as_of: Option<u64>) {
        let Some(head) = &mut self.head else { return };
        head.open = false;
        if let Some(people) = people {
            head.baseline = Some(StoredBaseline { people, smaller: None, as_of });
        }
    }

    /// A write of ours stands in the feed at `position`; it goes with the next write of the head.
    pub(crate) fn wrote(&mut self, position: Option<u64>) {
        if let Some(head) = &mut self.head {
            head.written = head.written.max(position);
        }
    }

    /// The count that absence is measured against, unless a smaller one waits beside it.
    pub(crate) fn settled_baseline(&self) -> Option<u64> {
        let baseline = self.head.as_ref()?.baseline?;
        baseline.smaller.is_none().then_some(baseline.people)
    }

    pub(super) fn hash(&self, person: &MemberKey) -> Option<PersonHash> {
        self.head.as_ref().map(|head| person.hashed(&head.salt))
    }

    pub(super) fn put(&mut self, hash: PersonHash, entry: Entry) {
        if self.people.get(&hash) != Some(&entry) {
            self.changed.insert(self.layout.page_of(&hash));
            self.note_elsewhere(&hash, &entry);
            self.people.insert(hash, entry);
        }
    }
}

/// Says whether a row of the look shows that a send took effect. One mail more than before the
/// call answers a resend; an invitation that waits, or is newer than the call, answers a first one.
fn answers(row: &ObservedInvitation, send: &StoredSend) -> bool {
    match &send.resend {
        Some(resend) => row.id.0 != resend.invitation || row.sent > resend.sent,
        None => {
            let sent = send.at.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
            row.state == InvitationState::Pending || row.created_at >= sent
        }
    }
}

/// As [`answers`], of a change of owner: one of this person that is not older than the call, or the
/// role itself.
fn owner_answers(observed: &Observed, salt: &str, send: &StoredSend) -> bool {
    let sent = send.at.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
    let places = observed.members.iter().filter(|(key, _)| {
        let person = MemberKey::from(key.person.clone());
        person.hashed(salt).0 == send.person
    });
    let rows = observed.ownership_changes.iter().flatten();
    places.into_iter().any(|(_, member)| {
        let holds = member.role.known().is_some_and(|role| role.0 == send.role);
        let mut rows = rows.clone().filter(|row| row.member == member.id);
        holds || rows.any(|row| row.state.is_open() || row.created_at >= sent)
    })
}

/// A time so long after another.
pub(super) fn after(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    at.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// The record of someone that nothing is known of.
fn nobody(first_seen: Timestamp, epoch: i64) -> PersonRecord {
    PersonRecord {
        first_seen,
        declared_by: None,
        owned: false,
        seen: Seen::Never,
        epoch,
        opted_out: false,
        lost: false,
        renamed: false,
        parted: false,
        deletion_policy: DeletionPolicy::Revoke,
        held: false,
        paid: None,
        ownership: Ownership::None,
        mails: MailRecord::default(),
    }
}

fn new_head(account: &AccountKey, declared: &AccountKey) -> Head {
    Head {
        format_version: FORMAT,
        account: account.0.clone(),
        declared: declared.0.clone(),
        installation: Uuid::new_v4().to_string(),
        salt: Uuid::new_v4().simple().to_string(),
        takes_from: None,
        wave: 0,
        open: false,
        paged: false,
        sends: Vec::new(),
        brake_spent: Vec::new(),
        brake_ahead: Vec::new(),
        mails_sent: Vec::new(),
        client_sends: Vec::new(),
        exact: BTreeMap::new(),
        hold: None,
        hold_number: 0,
        approval_seen: None,
        baseline: None,
        written: None,
        teams: BTreeMap::new(),
        domains: BTreeMap::new(),
    }
}

/// Notes when an approval was first seen. It stays noted when it is used or lapses: a person may
/// leave it where it was given.
fn see_approval(head: &mut Head, digest: &HoldDigest, now: Timestamp) {
    if head.approval_seen.as_ref().is_none_or(|seen| seen.digest != digest.0) {
        head.approval_seen = Some(StoredApproval { digest: digest.0.clone(), at: now });
    }
}

/// Adds to a window and drops what it can no longer see.
pub(super) fn spend(spends: &mut Vec<StoredSpend>, count: u32, now: Timestamp, window: Duration) {
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let since = now.saturating_sub(window).unwrap_or(Timestamp::MIN);
    spends.retain(|spend| spend.at > since);
    if count > 0 {
        spends.push(StoredSpend { at: now, count });
    }
}
