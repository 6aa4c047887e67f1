//! Clients of an agency: what is declared of them, what the service holds, and what the ledger
//! knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::domain::desired::Origin;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{ClientAccessId, ETag, RequestKey, ResendMark, RoleName};
use crate::domain::ledger_view::{Cause, MailRecord};

/// Declared clients of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredClients {
    /// One entry a client; who declared it wins by age.
    pub declared: BTreeMap<EmailAddress, DesiredClient>,
    /// Clients whose declaration is there but not valid: they are left as they are.
    pub frozen: BTreeSet<EmailAddress>,
}

impl DesiredClients {
    /// True if no object declares any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty() && self.frozen.is_empty()
    }
}

/// One declared client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredClient {
    /// Role that is asked for.
    pub role: RoleName,
    /// A request without an answer is withdrawn so long after its last mail.
    pub withdraw_after: Option<Duration>,
    /// Which object declares it: after a no it asks again only when a person says so.
    pub declaration: Declaration,
    /// A person's word to ask once more; a new value is a new decision.
    pub resend: Option<ResendMark>,
    /// The declaring object.
    pub origin: Origin,
}

/// Identity of a declaring object: its name. An object that is made anew under its name, by a restore
/// or from git, is the same declaration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declaration {
    /// The object, as `ClientAccess agency/bakery`.
    pub object: String,
}

impl Declaration {
    /// The reference under which a client is asked: a request is known again even where the ledger
    /// that asked is not there any more. 32 hex digits; says nothing of names.
    #[must_use]
    pub fn reference(&self) -> String {
        let digest = Sha256::new().chain_update(&self.object).chain_update([0]);
        digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One client as the service shows it to the agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedClient {
    /// Id at the service.
    pub id: ClientAccessId,
    /// Version of the row.
    pub etag: ETag,
    /// Role that was asked for.
    pub role: RoleName,
    /// Role that the client really gave (NC-06).
    pub role_held: Option<RoleName>,
    /// Where it stands.
    pub state: ClientState,
    /// How the client's websites are doing (NC-08).
    pub health: Health,
    /// How many websites the client has.
    pub website_count: u64,
    /// The first ten of them.
    pub websites: Vec<String>,
    /// When the client was first asked.
    pub created_at: Timestamp,
    /// When a mail was last sent.
    pub last_sent_at: Timestamp,
    /// Reference of whoever asked.
    pub external_ref: Option<String>,
}

/// Where a client stands at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// Waits for the client.
    Requested,
    /// The client approved.
    Granted,
    /// Granted, but access is off because the client lacks a seat.
    Trimmed,
    /// The client said no.
    Rejected,
    /// The agency withdrew the request.
    Removed,
    /// The client took the access away.
    Ended,
    /// A word that we do not know: not understood, not touched.
    Unknown,
}

impl ClientState {
    /// True if the request waits, or access was given.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Requested | Self::Granted | Self::Trimmed | Self::Unknown => true,
            Self::Rejected | Self::Removed | Self::Ended => false,
        }
    }
}

/// How the websites of a client are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No website, or no access.
    NoData,
    /// A website needs attention now.
    MajorIssue,
    /// A website is not connected.
    NotConnected,
    /// Everything works.
    AllGood,
    /// A word that we do not know.
    Unknown,
}

/// What the ledger knows of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// When we first saw the declaration.
    pub first_seen: Timestamp,
    /// The declaration; `None`: it is gone, and only its mails are remembered.
    pub declared_by: Option<Declaration>,
    /// What became of its request.
    pub seen: ClientSeen,
    /// The brake was spent on its end, stored before the call: a run that was killed pays once.
    pub ending: bool,
    /// Its end is part of the held set.
    pub held: bool,
    /// Mails that we sent to this client.
    pub mails: MailRecord,
}

impl ClientRecord {
    /// A client of whom nothing is known but their mails.
    #[must_use]
    pub fn new(first_seen: Timestamp, mails: MailRecord) -> Self {
        let (seen, ending, held) = (ClientSeen::Never, false, false);
        Self { first_seen, declared_by: None, seen, ending, held, mails }
    }

    /// The same once the mail for `cause` is on its way.
    #[must_use]
    pub fn mailed(&self, cause: Cause, at: Timestamp) -> Self {
        let (seen, mails) = (ClientSeen::Requested, self.mails.after(cause, at));
        Self { seen, ending: false, mails, ..self.clone() }
    }

    /// True after a no: only a person asks again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.seen, ClientSeen::Rejected | ClientSeen::Withdrawn)
    }
}

/// What became of the request of one declaration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientSeen {
    /// Nobody was asked.
    #[default]
    Never,
    /// The client was asked.
    Requested,
    /// The client gave access.
    Granted,
    /// The client said no, or took the access away.
    Rejected,
    /// The request was withdrawn.
    Withdrawn,
}

/// A mail to a client whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSend {
    /// Key of the call; repeated as it is.
    pub key: RequestKey,
    /// Role of the call; the body must stay the same under one key.
    pub role: RoleName,
    /// Reference of the call, see [`Declaration::reference`].
    pub reference: String,
    /// What it is sent for.
    pub cause: Cause,
    /// The request that is sent again; `None`: it is a new one.
    pub resend_of: Option<ClientAccessId>,
    /// An older request of this client, which is over: its row is no answer.
    pub after: Option<ClientAccessId>,
    /// When it was stored.
    pub at: Timestamp,
    /// After this time the backend may have forgotten the key: never send again.
    pub not_after: Timestamp,
}
