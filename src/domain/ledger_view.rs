//! What the ledger knows, as plain values. The planner reads it; the ledger module makes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::clients::{ClientRecord, ClientSend};
use crate::domain::desired::DeletionPolicy;
use crate::domain::domains::{DomainName, DomainRecord};
use crate::domain::identity::{EmailAddress, MemberKey, PersonHash};
use crate::domain::keys::{
    AccountKey, CategoryName, HoldDigest, InstallationId, InvitationId, RequestKey, ResendMark,
    RoleName, TeamId, TeamRef,
};
use crate::domain::observed::Claim;
use crate::domain::recipients::ExactRecord;

/// The ledger of one account, for the people that are declared or observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerView {
    /// Id of this installation; `None` before the first write.
    pub installation: Option<InstallationId>,
    /// Where we run: UID of the cluster's `kube-system` namespace, or `file`. A claim of our
    /// installation from another place means that the ledger was copied. `None`: not known.
    pub fingerprint: Option<String>,
    /// The claim that a person decided to put ours in place of, until that is done.
    pub takes_from: Option<Claim>,
    /// Account id pinned at first contact.
    pub pinned_account: Option<AccountKey>,
    /// What we know of each person.
    pub people: BTreeMap<MemberKey, PersonRecord>,
    /// Sends whose outcome is not known. Not those that the look itself answers: the person is a
    /// member, has an open invitation, or one that is over and younger than the send.
    pub open_sends: BTreeMap<MemberKey, OpenSend>,
    /// What we know of each client.
    pub clients: BTreeMap<EmailAddress, ClientRecord>,
    /// Mails to clients whose outcome is not known, those that the look answers left out.
    pub client_sends: BTreeMap<EmailAddress, ClientSend>,
    /// Categories that we made people recipients of.
    pub recipients: BTreeMap<EmailAddress, BTreeSet<CategoryName>>,
    /// The declarations that let nobody else be chosen.
    pub exact: BTreeMap<CategoryName, ExactRecord>,
    /// Declared teams that were at the service when we last looked.
    pub teams: BTreeMap<TeamRef, TeamId>,
    /// Domains that we put in, and those whose record was looked for.
    pub domains: BTreeMap<DomainName, DomainRecord>,
    /// Removals that the brake was spent on.
    pub brake_spent: Vec<Spend>,
    /// Of these, ends of people declared absent that went ahead of a held set.
    pub brake_ahead: Vec<Spend>,
    /// Invitation mails that were sent.
    pub mails_sent: Vec<Spend>,
    /// Count of the last trusted read, and of a first smaller one beside it.
    pub baseline: Option<Baseline>,
    /// The set that was held when we last looked.
    pub hold: Option<HoldRecord>,
    /// Number of the present hold: rises when an approval is used or lapses.
    pub hold_number: u64,
    /// An approval that was seen, and when it was first seen.
    pub approval_seen: Option<(HoldDigest, Timestamp)>,
    /// Rows that were adopted for somebody declared by another address, and that address; as long as
    /// a declaration names it.
    pub declared_as: BTreeMap<MemberKey, EmailAddress>,
    /// What is known of addresses that nobody names any more, by the declared one of the person.
    pub nameless: BTreeMap<MemberKey, Vec<Nameless>>,
    /// People that are ours and neither declared any more nor at the service.
    pub out_of_sight: u64,
    /// People that were at the service when we last looked, and are neither declared nor there any
    /// more, but for those that we ended; true: the feed says that their row ended.
    pub gone: BTreeMap<PersonHash, bool>,
    /// The last run was cut off: the baseline still counts whom it ended.
    pub cut_off: bool,
    /// Such people that we ended in a run that was cut off: the baseline still counts them.
    pub ended_by_us: u64,
    /// Feed position of our last write, where the service said it.
    pub written: Option<u64>,
    /// When each removal was first wanted, kept in memory by the operator; `None` for a one-shot
    /// run, which sees everything at once and does not wait.
    pub first_wanted: Option<FirstWanted>,
}

/// What is known of an earlier address that neither a declaration nor a row names: the ledger keeps
/// no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nameless {
    /// What is known of the person there.
    pub record: PersonRecord,
    /// A send whose outcome is not known.
    pub send: Option<OpenSend>,
}

/// When the operator first saw each end wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstWanted {
    /// Of a person's access or invitation.
    pub people: BTreeMap<MemberKey, Timestamp>,
    /// Of a request to a client.
    pub clients: BTreeMap<EmailAddress, Timestamp>,
}

/// What was spent of a window at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    /// When.
    pub at: Timestamp,
    /// How much: removals or mails.
    pub count: u32,
}

/// What we know of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRecord {
    /// When we first saw a declaration; *older* means this everywhere.
    pub first_seen: Timestamp,
    /// The object that declares this person, as `Team web/core`; an older declaration wins, and
    /// the one that was first is the older.
    pub declared_by: Option<String>,
    /// We declared or adopted this person, and did not let go since.
    pub owned: bool,
    /// How we last saw the person at the service.
    pub seen: Seen,
    /// Epoch of the last invitation that we sent or adopted.
    pub epoch: i64,
    /// Declined, left or removed by a person: no automatic invitation in this epoch.
    pub opted_out: bool,
    /// The invitation vanished for a cause that we do not know, expired or could not be delivered:
    /// not taken for one that was never sent, also when its row is gone.
    pub lost: bool,
    /// The mails went to an earlier address of the person: nothing was sent to this one yet.
    pub renamed: bool,
    /// Somebody else has the address by which the service knew the person: nothing goes to this one
    /// before a person says so.
    pub parted: bool,
    /// The declaration's policy; it must outlive the file.
    pub deletion_policy: DeletionPolicy,
    /// The end of this person's access is part of the held set.
    pub held: bool,
    /// What the brake was last spent on for this person; stored before the call, so that a run
    /// that was killed does not pay twice, and an end that was ours is not taken for theirs.
    pub paid: Option<Paid>,
    /// Where the person stands with the role that is declared, if only a change of owner gives it.
    pub ownership: Ownership,
    /// Mails that we sent to this person, or to the owner because of them.
    pub mails: MailRecord,
}

/// Where a declared change of owner stood when we last looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Nothing was asked for.
    #[default]
    None,
    /// It was asked for, by us, or by somebody else and adopted by a matching declaration.
    Asked,
    /// The person had the role.
    Held,
    /// It ended, or the role was taken away again: nobody is asked again before a person says so.
    Over,
}

impl PersonRecord {
    /// The same once the owner was asked to confirm this person.
    #[must_use]
    pub fn asked_owner(&self, cause: Cause, at: Timestamp) -> Self {
        let (epoch, ownership) = (cause.epoch, Ownership::Asked);
        Self { epoch, ownership, mails: self.mails.after(cause, at), ..self.clone() }
    }

    /// The same once the mail for `cause` is on its way.
    #[must_use]
    pub fn mailed(&self, cause: Cause, at: Timestamp) -> Self {
        Self {
            seen: Seen::Invited,
            epoch: cause.epoch,
            opted_out: false,
            lost: false,
            renamed: false,
            parted: false,
            paid: None,
            mails: self.mails.after(cause, at),
            ..self.clone()
        }
    }
}

/// What one invitation mail is sent for: each gets one, whatever crashes (OP-02).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Epoch of the declaration.
    pub epoch: i64,
    /// Number of the mail in this epoch, from 1.
    pub attempt: u32,
    /// Renewals since a person last decided, this one among them.
    pub renewals: u32,
    /// A person decided it, and the caps on automatic mails let it pass.
    pub decided: bool,
    /// The declared word that it acts on.
    pub mark: Option<ResendMark>,
    /// The word said for one run that it acts on.
    pub said: Option<ResendMark>,
}

impl Cause {
    /// Every word that it acts on.
    pub fn words(&self) -> impl Iterator<Item = ResendMark> + use<> {
        [self.said, self.mark].into_iter().flatten()
    }
}

/// Invitation mails that we sent to one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailRecord {
    /// Mails of the present epoch.
    pub attempts: u32,
    /// Of these, renewals since a person last decided.
    pub renewals: u32,
    /// It could not be delivered, or its renewals are spent: only a person's word sends again.
    pub given_up: bool,
    /// Times of the last three automatic mails, oldest first.
    pub automatic: Vec<Timestamp>,
    /// Times of the last three that a person decided, oldest first.
    pub decided: Vec<Timestamp>,
    /// The last words of people that were acted on, oldest first: each comes from a source of its
    /// own, and none counts twice.
    pub marks: Vec<ResendMark>,
    /// The service takes no mail to this address before.
    pub not_before: Option<Timestamp>,
}

impl MailRecord {
    /// Times that are kept of each sort.
    pub const KEPT: usize = 3;

    /// Words that are kept. One that is declared stays: every mail acts on it again.
    const WORDS_KEPT: usize = 4;

    /// The same after one more mail.
    #[must_use]
    pub fn after(&self, cause: Cause, at: Timestamp) -> Self {
        let mut after = self.clone();
        let times = if cause.decided { &mut after.decided } else { &mut after.automatic };
        times.push(at);
        let old = times.len().saturating_sub(Self::KEPT);
        times.drain(..old);
        after.heed(cause.words());
        Self {
            attempts: cause.attempt,
            renewals: cause.renewals,
            given_up: false,
            not_before: None,
            ..after
        }
    }

    /// Notes words as acted on.
    pub fn heed(&mut self, words: impl IntoIterator<Item = ResendMark>) {
        for word in words {
            self.marks.retain(|known| *known != word);
            self.marks.push(word);
        }
        let old = self.marks.len().saturating_sub(Self::WORDS_KEPT);
        self.marks.drain(..old);
    }

    /// The last mail of all.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.automatic.iter().chain(&self.decided).max().copied()
    }
}

/// What the brake was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paid {
    /// The end of a membership or of an invitation.
    End,
    /// A trim.
    Trim,
    /// A lower role.
    Lower,
}

/// How a person was last seen at the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Not there.
    #[default]
    Never,
    /// With an invitation that waits.
    Invited,
    /// As a member with access.
    Member,
    /// As a trimmed member.
    Trimmed,
    /// As the place of an agency.
    Agency,
}

/// A send whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSend {
    /// Key of the call; repeated as it is.
    pub key: RequestKey,
    /// Role of the call; the body must stay the same under one key.
    pub role: RoleName,
    /// What it is sent for.
    pub cause: Cause,
    /// The invitation that is sent again, and its mails before; `None`: a new one is made.
    pub resend: Option<(InvitationId, u32)>,
    /// It asks for a change of owner, not for an invitation.
    pub for_owner: bool,
    /// After this time the backend may have forgotten the key: never send again.
    pub not_after: Timestamp,
}

/// People counts that absence is measured against: members, trimmed included, plus open invitations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Count of the last trusted read.
    pub people: u64,
    /// A first smaller count, not trusted yet, and when it was read.
    pub smaller: Option<(u64, Timestamp)>,
    /// Feed position at which the last trusted read began, where the service says it.
    pub as_of: Option<u64>,
}

/// A held set, as the ledger remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRecord {
    /// Digest by which a person approves it.
    pub digest: HoldDigest,
    /// Removals that were allowed when it was held; a raised limit releases it.
    pub allowed: u64,
    /// `maxCount` when it was held because the source was all but empty; only a raised one, or a
    /// person, releases it.
    pub emptied_under: Option<u32>,
}
