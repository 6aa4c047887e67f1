//! What the ledger knows of an agency's clients: by salted hash, like people. Requests are mails, so
//! each is stored under its key before the call.
//!
//! A client's record is written with the wave of its mail, as if that was sent; while the send is in
//! the head, its outcome is not known, and the record counts as if nobody had been asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::clients::{
    ClientRecord, ClientSeen, ClientSend, ClientState, Declaration, DesiredClients, ObservedClient,
};
use crate::domain::desired::Origin;
use crate::domain::identity::{EmailAddress, PersonHash};
use crate::domain::keys::{ClientAccessId, RequestKey, RoleName};
use crate::domain::ledger_view::LedgerView;
use crate::domain::observed::Observed;
use crate::ledger::Ledger;
use crate::ledger::change::{CLOCK_SKEW, MAIL_WINDOW, spend};
use crate::plan::client_access::ClientLearn;

impl Ledger {
    /// True if the account service has to be asked for clients even where none is declared: one that
    /// was may still be there.
    #[must_use]
    pub fn follows_clients(&self) -> bool {
        let over = |record: &ClientRecord| {
            matches!(record.seen, ClientSeen::Rejected | ClientSeen::Withdrawn)
        };
        self.client_sends() > 0 || self.clients.values().any(|record| !over(record))
    }

    /// When a declaration of a client was first seen; `None` for one that never counted.
    pub(super) fn client_first_seen(
        &self,
        client: &EmailAddress,
        origin: &Origin,
    ) -> Option<Timestamp> {
        let record = self.clients.get(&self.client_hash(client)?)?;
        (record.declared_by.object == origin.object()).then_some(record.first_seen)
    }

    /// Adds to a view what is known of the clients that are declared or at the service. Sends that
    /// the look answers are settled first.
    pub fn view_clients(
        &mut self,
        desired: &DesiredClients,
        observed: &Observed,
        now: Timestamp,
        view: &mut LedgerView,
    ) {
        let (Some(head), Some(rows)) = (&self.head, &observed.client_accesses) else { return };
        let declared: BTreeSet<_> = desired.declared.keys().chain(&desired.frozen).collect();
        let names = declared.iter().copied().chain(rows.keys());
        let names: BTreeMap<PersonHash, EmailAddress> =
            names.map(|client| (client.hashed(&head.salt), client.clone())).collect();
        if head.account == observed.account.key.0
            && let Some(head) = &mut self.head
        {
            head.client_sends.retain(|send| {
                let client = names.get(&PersonHash(send.client.clone()));
                let row = client.and_then(|client| rows.get(client));
                let is_declared = client.is_some_and(|client| declared.contains(client));
                is_open(&send.to_view(), row, is_declared, now)
            });
        }
        for (hash, client) in names {
            let send = self.client_send(&hash);
            if let Some(record) = self.clients.get(&hash) {
                let mut record = record.clone();
                if send.as_ref().is_some_and(|send| send.resend_of.is_none()) {
                    record.seen = ClientSeen::Never;
                }
                view.clients.insert(client.clone(), record);
            }
            if let Some(send) = send {
                view.client_sends.insert(client, send);
            }
        }
    }

    /// Takes over what a plan learned of clients. Whom nobody declares any more is forgotten, unless
    /// a mail may still arrive; a no outlives a file, because another file of its name is the same
    /// declaration.
    pub(crate) fn learn_clients(&mut self, learn: &ClientLearn) {
        for (client, record) in &learn.records {
            self.put_client(client, record.clone());
        }
        let Some(seen) = &learn.seen else { return };
        let seen: BTreeSet<_> = seen.iter().filter_map(|client| self.client_hash(client)).collect();
        let gone: Vec<PersonHash> = self
            .clients
            .iter()
            .filter(|(hash, _)| !seen.contains(*hash) && self.client_send(hash).is_none())
            .filter(|(_, record)| !outlives(record))
            .map(|(hash, _)| hash.clone())
            .collect();
        for hash in gone {
            self.changed.insert(self.layout.page_of(&hash));
            self.clients.remove(&hash);
        }
    }

    /// What is stored of a client.
    pub(crate) fn client(&self, client: &EmailAddress) -> Option<ClientRecord> {
        self.clients.get(&self.client_hash(client)?).cloned()
    }

    /// Stores what is known of a client; `None` forgets it.
    pub(crate) fn put_client(&mut self, client: &EmailAddress, record: Option<ClientRecord>) {
        let Some(hash) = self.client_hash(client) else { return };
        if self.clients.get(&hash) == record.as_ref() {
            return;
        }
        self.changed.insert(self.layout.page_of(&hash));
        match record {
            Some(record) => drop(self.clients.insert(hash, record)),
            None => drop(self.clients.remove(&hash)),
        }
    }

    /// Opens a wave of mails to clients, `mails` of them new to the mail budget.
    pub(crate) fn open_client_wave(
        &mut self,
        sends: &[(EmailAddress, ClientSend)],
        mails: u32,
        now: Timestamp,
    ) {
        let sends: Vec<_> = sends
            .iter()
            .filter_map(|(client, send)| Some(StoredSend::of(self.client_hash(client)?, send)))
            .collect();
        let Some(head) = &mut self.head else { return };
        for send in sends {
            head.client_sends.retain(|open| open.client != send.client);
            head.client_sends.push(send);
        }
        spend(&mut head.mails_sent, mails, now, MAIL_WINDOW);
    }

    /// The outcome of a mail to a client is known: it goes with the next write of the head.
    pub(crate) fn close_client_send(&mut self, client: &EmailAddress) {
        let Some(hash) = self.client_hash(client) else { return };
        if let Some(head) = &mut self.head {
            head.client_sends.retain(|send| send.client != hash.0);
        }
    }

    /// Mails to clients whose outcome is not known.
    pub(crate) fn client_sends(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.client_sends.len())
    }

    fn client_send(&self, hash: &PersonHash) -> Option<ClientSend> {
        let sends = &self.head.as_ref()?.client_sends;
        sends.iter().find(|send| send.client == hash.0).map(StoredSend::to_view)
    }

    fn client_hash(&self, client: &EmailAddress) -> Option<PersonHash> {
        self.head.as_ref().map(|head| client.hashed(&head.salt))
    }
}

/// True if a look leaves the outcome of a send open. One that is not wanted any more is waited for
/// until it cannot arrive.
fn is_open(
    send: &ClientSend,
    row: Option<&ObservedClient>,
    is_declared: bool,
    now: Timestamp,
) -> bool {
    match (&send.resend_of, row) {
        (Some(_), row) => {
            row.is_some_and(|row| row.state == ClientState::Requested) && now < send.not_after
        }
        (None, Some(row)) => {
            let sent = send.at.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
            let is_ours = row.external_ref.as_ref() == Some(&send.reference);
            !(row.state.is_open() || is_ours || row.created_at >= sent)
        }
        (None, None) => is_declared || now < send.not_after,
    }
}

/// True if a record is kept after its declaration: a file of the same name must not ask again.
fn outlives(record: &ClientRecord) -> bool {
    let is_no = matches!(record.seen, ClientSeen::Rejected | ClientSeen::Withdrawn);
    record.declared_by.uid.is_none() && is_no
}

/// [`ClientSend`] as it is stored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredSend {
    pub key: String,
    /// Hash of the client.
    pub client: String,
    pub role: String,
    pub reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend_of: Option<String>,
    pub at: Timestamp,
    pub not_after: Timestamp,
}

impl StoredSend {
    fn of(client: PersonHash, send: &ClientSend) -> Self {
        Self {
            key: send.key.0.clone(),
            client: client.0,
            role: send.role.0.clone(),
            reference: send.reference.clone(),
            resend_of: send.resend_of.as_ref().map(|id| id.0.clone()),
            at: send.at,
            not_after: send.not_after,
        }
    }

    fn to_view(&self) -> ClientSend {
        ClientSend {
            key: RequestKey(self.key.clone()),
            role: RoleName(self.role.clone()),
            reference: self.reference.clone(),
            resend_of: self.resend_of.clone().map(ClientAccessId),
            at: self.at,
            not_after: self.not_after,
        }
    }
}

/// [`ClientRecord`] as it is stored. Fields at their usual value are left out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoredClient {
    pub first_seen: Timestamp,
    pub declared_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<StoredSeen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resent: Option<String>,
}

/// [`ClientSeen`], but for `Never`.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredSeen {
    Requested,
    Granted,
    Rejected,
    Withdrawn,
}

impl From<&ClientRecord> for StoredClient {
    fn from(record: &ClientRecord) -> Self {
        let ClientRecord { first_seen, declared_by, seen, ending, resent } = record;
        Self {
            first_seen: *first_seen,
            declared_by: declared_by.object.clone(),
            uid: declared_by.uid.clone(),
            seen: match seen {
                ClientSeen::Never => None,
                ClientSeen::Requested => Some(StoredSeen::Requested),
                ClientSeen::Granted => Some(StoredSeen::Granted),
                ClientSeen::Rejected => Some(StoredSeen::Rejected),
                ClientSeen::Withdrawn => Some(StoredSeen::Withdrawn),
            },
            ending: ending.then_some(true),
            resent: resent.clone(),
        }
    }
}

impl From<StoredClient> for ClientRecord {
    fn from(stored: StoredClient) -> Self {
        let StoredClient { first_seen, declared_by, uid, seen, ending, resent } = stored;
        Self {
            first_seen,
            declared_by: Declaration { object: declared_by, uid },
            seen: match seen {
                None => ClientSeen::Never,
                Some(StoredSeen::Requested) => ClientSeen::Requested,
                Some(StoredSeen::Granted) => ClientSeen::Granted,
                Some(StoredSeen::Rejected) => ClientSeen::Rejected,
                Some(StoredSeen::Withdrawn) => ClientSeen::Withdrawn,
            },
            ending: ending.unwrap_or_default(),
            resent,
        }
    }
}
