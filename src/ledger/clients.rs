//! What the ledger knows of an agency's clients: by salted hash, like people. Requests are mails, so
//! each is stored under its key before the call.
//!
//! A client's page says with the number of a wave what a mail in it is for, as those of people do.
//! While the send is in the head, its outcome is not known, and the client counts as not asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
use crate::ledger::change::{CLOCK_SKEW, after};
use crate::ledger::clock::key_lasts;
use crate::ledger::record::{StoredCause, StoredMails};
use crate::plan::client_access::{ClientLearn, WithdrawCause};
use crate::plan::remembered;

impl Ledger {
    /// True if the account service has to be asked for clients even where none is declared: one that
    /// was may still be there.
    #[must_use]
    pub fn follows_clients(&self) -> bool {
        let followed = |record: &ClientRecord| record.declared_by.is_some() && !record.is_over();
        let wave = self.wave();
        let mut known = self.clients.values();
        self.open_client_sends() > 0 || known.any(|entry| followed(&entry.as_of(wave)))
    }

    /// When a declaration of a client was first seen; `None` for one that never counted.
    pub(super) fn client_first_seen(
        &self,
        client: &EmailAddress,
        origin: &Origin,
    ) -> Option<Timestamp> {
        let record = &self.clients.get(&self.client_hash(client)?)?.record;
        let object = record.declared_by.as_ref().map(|declaration| &declaration.object);
        (object == Some(&origin.object())).then_some(record.first_seen)
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
            for send in &mut head.client_sends {
                send.not_after = key_lasts(send.at, send.not_after, now);
            }
        }
        for (hash, client) in names {
            if let Some(record) = self.client_record(&hash) {
                view.clients.insert(client.clone(), record);
            }
            if let Some(send) = self.client_send(&hash) {
                view.client_sends.insert(client, send);
            }
        }
    }

    /// Takes over what a plan learned of clients. Whom nobody declares any more is forgotten, unless
    /// a mail may still arrive; a no stays, because another object of its name is the same
    /// declaration, and mails stay for as long as a cap counts them.
    pub(crate) fn learn_clients(&mut self, learn: &ClientLearn, now: Timestamp) {
        for (client, record) in &learn.records {
            let Some(hash) = self.client_hash(client) else { continue };
            let open = self.client_send(&hash).is_some();
            let asked = self.clients.get(&hash).and_then(|entry| entry.asked).filter(|_| open);
            let entry = record.clone().map(|record| ClientEntry { record, asked });
            self.put_client(&hash, entry);
        }
        let Some(seen) = &learn.seen else { return };
        let seen: BTreeSet<_> = seen.iter().filter_map(|client| self.client_hash(client)).collect();
        let gone: Vec<PersonHash> = self
            .clients
            .iter()
            .filter(|(hash, _)| !seen.contains(*hash) && self.client_send(hash).is_none())
            .filter(|(_, entry)| !entry.record.is_over())
            .map(|(hash, _)| hash.clone())
            .collect();
        for hash in gone {
            self.forget_client(&hash, now);
        }
    }

    /// Records a request that was withdrawn; one that nobody declares any more is forgotten.
    pub(crate) fn withdrew(&mut self, client: &EmailAddress, cause: WithdrawCause, now: Timestamp) {
        let Some(hash) = self.client_hash(client) else { return };
        match (cause, self.client_record(&hash)) {
            (WithdrawCause::NoAnswer, Some(record)) => {
                let seen = ClientSeen::Withdrawn;
                self.put_client(&hash, Some(ClientRecord { seen, ending: false, ..record }.into()));
            }
            (WithdrawCause::NotDeclared, _) => self.forget_client(&hash, now),
            (WithdrawCause::NoAnswer, None) => {}
        }
    }

    /// Forgets a client, but for mails that still count.
    fn forget_client(&mut self, hash: &PersonHash, now: Timestamp) {
        let known = self.client_record(hash).filter(|record| remembered(&record.mails, now));
        let left = known.map(|record| ClientRecord::new(record.first_seen, record.mails));
        self.put_client(hash, left.map(ClientEntry::from));
    }

    /// What is known of a client: a mail counts as sent unless its wave was never opened or its
    /// outcome is not known.
    fn client_record(&self, hash: &PersonHash) -> Option<ClientRecord> {
        let entry = self.clients.get(hash)?;
        let open = self.client_send(hash).is_some();
        Some(if open { entry.record.clone() } else { entry.as_of(self.wave()) })
    }

    fn put_client(&mut self, hash: &PersonHash, entry: Option<ClientEntry>) {
        if self.clients.get(hash) == entry.as_ref() {
            return;
        }
        self.changed.insert(self.layout.page_of(hash));
        match entry {
            Some(entry) => drop(self.clients.insert(hash.clone(), entry)),
            None => drop(self.clients.remove(hash)),
        }
    }

    /// Gives the mail to a client a place in the wave that is opened as the `turn`th from now.
    pub(crate) fn place_client(&mut self, client: &EmailAddress, send: &ClientSend, turn: u64) {
        let Some(hash) = self.client_hash(client) else { return };
        // What is repeated was opened before.
        let repeats = self.client_send(&hash).is_some_and(|open| open.key == send.key);
        let turn = if repeats { 0 } else { turn };
        let wave = self.wave() + turn;
        let asked = Some(Asked { wave, at: send.at, cause: send.cause.into() });
        self.change_client(client, |entry| entry.asked = asked);
    }

    /// Puts a mail to a client into the wave that is opened next.
    pub(crate) fn put_client_send(&mut self, client: &EmailAddress, send: &ClientSend) {
        let Some(hash) = self.client_hash(client) else { return };
        if let Some(head) = &mut self.head {
            head.client_sends.retain(|open| open.client != hash.0);
            head.client_sends.push(StoredSend::of(hash, send));
        }
    }

    /// The outcome of a mail to a client is known: it goes with the next write of the head.
    pub(crate) fn close_client_send(&mut self, client: &EmailAddress) {
        let Some(hash) = self.client_hash(client) else { return };
        if let Some(head) = &mut self.head {
            head.client_sends.retain(|send| send.client != hash.0);
        }
    }

    /// Nothing was sent to a client that had a place in a wave: they are as they were before.
    pub(crate) fn unplace_client(&mut self, client: &EmailAddress) {
        self.change_client(client, |entry| entry.asked = None);
    }

    /// The service takes no mail to this client for a while.
    pub(crate) fn wait_for_client(
        &mut self,
        client: &EmailAddress,
        now: Timestamp,
        wait: Duration,
    ) {
        let until = Some(after(now, wait));
        self.change_client(client, |entry| entry.record.mails.not_before = until);
    }

    fn change_client(&mut self, client: &EmailAddress, change: impl FnOnce(&mut ClientEntry)) {
        let Some(hash) = self.client_hash(client) else { return };
        let Some(mut entry) = self.clients.get(&hash).cloned() else { return };
        change(&mut entry);
        self.put_client(&hash, Some(entry));
    }

    /// Mails to clients whose outcome is not known.
    pub(crate) fn open_client_sends(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.client_sends.len())
    }

    /// Number of the last wave that was opened.
    pub(super) fn wave(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.wave)
    }

    pub(super) fn client_send(&self, hash: &PersonHash) -> Option<ClientSend> {
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
            let is_older = send.after.as_ref() == Some(&row.id);
            is_older || !(row.state.is_open() || is_ours || row.created_at >= sent)
        }
        (None, None) => is_declared || now < send.not_after,
    }
}

/// A client in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientEntry {
    /// As things were before `asked`.
    record: ClientRecord,
    /// A place in a wave.
    asked: Option<Asked>,
}

impl ClientEntry {
    /// The record once every mail of this wave and those before is taken to be sent.
    fn as_of(&self, wave: u64) -> ClientRecord {
        match self.asked.filter(|asked| asked.wave <= wave) {
            Some(Asked { wave: _, at, cause }) => self.record.mailed(cause.with(0), at),
            None => self.record.clone(),
        }
    }

    /// Takes away a place in a wave after this one, unless it was given for `open`; true if there was
    /// one.
    pub fn undo_after(&mut self, wave: u64, open: Option<&ClientSend>) -> bool {
        let opened = |asked: Asked| {
            asked.wave <= wave || open.is_some_and(|send| send.cause == asked.cause.with(0))
        };
        let unopened = self.asked.is_some_and(|asked| !opened(asked));
        if unopened {
            self.asked = None;
        }
        unopened
    }
}

impl From<ClientRecord> for ClientEntry {
    fn from(record: ClientRecord) -> Self {
        Self { record, asked: None }
    }
}

/// The place of a mail in a wave: what it is sent for, and when its record was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Number of the wave; not there in older ledgers, where the wave was opened before.
    #[serde(default)]
    pub wave: u64,
    pub at: Timestamp,
    pub cause: StoredCause,
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
    pub cause: StoredCause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend_of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
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
            cause: send.cause.into(),
            resend_of: send.resend_of.as_ref().map(|id| id.0.clone()),
            after: send.after.as_ref().map(|id| id.0.clone()),
            at: send.at,
            not_after: send.not_after,
        }
    }

    pub fn to_view(&self) -> ClientSend {
        ClientSend {
            key: RequestKey(self.key.clone()),
            role: RoleName(self.role.clone()),
            reference: self.reference.clone(),
            cause: self.cause.with(0),
            resend_of: self.resend_of.clone().map(ClientAccessId),
            after: self.after.clone().map(ClientAccessId),
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<StoredSeen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    #[serde(default, skip_serializing_if = "StoredMails::is_usual")]
    pub mails: StoredMails,
}

/// [`ClientSeen`], but for `Never`.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum StoredSeen {
    Requested,
    Granted,
    Rejected,
    Withdrawn,
}

impl From<&ClientEntry> for StoredClient {
    fn from(ClientEntry { record, asked }: &ClientEntry) -> Self {
        let ClientRecord { first_seen, declared_by, seen, ending, held, mails } = record;
        Self {
            first_seen: *first_seen,
            declared_by: declared_by.as_ref().map(|declaration| declaration.object.clone()),
            seen: match seen {
                ClientSeen::Never => None,
                ClientSeen::Requested => Some(StoredSeen::Requested),
                ClientSeen::Granted => Some(StoredSeen::Granted),
                ClientSeen::Rejected => Some(StoredSeen::Rejected),
                ClientSeen::Withdrawn => Some(StoredSeen::Withdrawn),
            },
            ending: ending.then_some(true),
            held: held.then_some(true),
            asked: *asked,
            mails: mails.clone().into(),
        }
    }
}

impl From<StoredClient> for ClientEntry {
    fn from(stored: StoredClient) -> Self {
        let StoredClient { first_seen, declared_by, seen, ending, held, asked, mails } = stored;
        let record = ClientRecord {
            first_seen,
            declared_by: declared_by.map(|object| Declaration { object }),
            seen: match seen {
                None => ClientSeen::Never,
                Some(StoredSeen::Requested) => ClientSeen::Requested,
                Some(StoredSeen::Granted) => ClientSeen::Granted,
                Some(StoredSeen::Rejected) => ClientSeen::Rejected,
                Some(StoredSeen::Withdrawn) => ClientSeen::Withdrawn,
            },
            ending: ending.unwrap_or_default(),
            held: held.unwrap_or_default(),
            mails: mails.into(),
        };
        Self { record, asked }
    }
}
