//! `kube:NAMESPACE/NAME`: one `AccountLedger` object a part, for the operator.
//!
//! The head is the object `NAME`, pages are `NAME.page-01`, and so on: not `NAME-01`, which could be
//! the head of another account. All carry a label by which they are listed. Writes
//! are whole and conditional: created only if absent, replaced only at the version that was read.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client};
use sha2::{Digest as _, Sha256};

use crate::api::AccountLedger;
use crate::api::AccountLedgerSpec;
use crate::ledger::error::LedgerError;
use crate::ledger::store::{LedgerStore, Part, SealedPart, Version, hex};

/// Label that the parts of one ledger share: a digest of its name, because names may be longer
/// than a label's value.
const LABEL: &str = "seatkeeper.dev/ledger";

/// Longest wait for one answer of the API server.
const DEADLINE: Duration = Duration::from_secs(20);

/// Objects of a cluster that keep a ledger.
pub struct KubeStore {
    api: Api<AccountLedger>,
    namespace: String,
    name: String,
    /// What the objects carry besides: finalizers and labels that others put there stay.
    metadata: Mutex<BTreeMap<Part, ObjectMeta>>,
}

/// An error of the client, or none in time.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the API server did not answer within {DEADLINE:?}")]
    Deadline,
    #[error(transparent)]
    Client(#[from] kube::Error),
}

impl KubeStore {
    /// The ledger `name` in `namespace`. `client` must not repeat writes by itself: the first may
    /// have arrived.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            metadata: Mutex::default(),
        }
    }

    fn object_name(&self, part: Part) -> String {
        match part {
            Part::Head => self.name.clone(),
            Part::Page(_) => format!("{}.{part}", self.name),
        }
    }

    fn label(&self) -> String {
        hex(&Sha256::digest(&self.name)[..16])
    }

    /// Reads one object as a part.
    fn take(&self, object: AccountLedger) -> Result<(SealedPart, Version), LedgerError> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let damaged = |what| LedgerError::Damaged { place: self.named(&name), what };
        let AccountLedgerSpec { account_id: account, part, checksum, content } = object.spec;
        let part = Part::parse(&part).filter(|part| self.object_name(*part) == name);
        let part = part.ok_or(damaged("it holds another part than its name says"))?;
        let version = object.metadata.resource_version.clone();
        let version = version.ok_or(damaged("it has no version"))?;
        self.remember(part, object.metadata);
        Ok((SealedPart { part, account, checksum, content }, Version(version)))
    }

    fn remember(&self, part: Part, metadata: ObjectMeta) {
        let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(part, ObjectMeta { managed_fields: None, ..metadata });
    }

    /// The object to write: what is known of its metadata, at the version that it must be at.
    fn object(&self, sealed: &SealedPart, expected: Option<&Version>) -> AccountLedger {
        let SealedPart { part, account, checksum, content } = sealed.clone();
        let spec =
            AccountLedgerSpec { account_id: account, part: part.to_string(), checksum, content };
        let mut object = AccountLedger::new(&self.object_name(part), spec);
        if expected.is_some() {
            let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(metadata) = known.get(&part) {
                object.metadata = metadata.clone();
            }
        }
        object.metadata.resource_version = expected.map(|version| version.0.clone());
        let labels = object.metadata.labels.get_or_insert_default();
        labels.insert(LABEL.to_owned(), self.label());
        object
    }

    fn named(&self, name: &str) -> String {
        format!("kube:{}/{name}", self.namespace)
    }

    fn read_error(&self, error: CallError) -> LedgerError {
        LedgerError::Read { place: self.named(&self.name), source: error.into() }
    }

    fn write_error(&self, part: Part, error: CallError) -> LedgerError {
        let place = self.place(part);
        match &error {
            CallError::Client(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                LedgerError::Conflict { place }
            }
            CallError::Client(kube::Error::Api(status)) if is_too_large(status) => {
                LedgerError::ObjectTooLarge { place }
            }
            CallError::Client(_) | CallError::Deadline => {
                LedgerError::Write { place, source: error.into() }
            }
        }
    }
}

/// True if the API server, or the store behind it, takes no object of that size.
fn is_too_large(status: &Status) -> bool {
    status.code == 413 || status.message.contains("etcdserver: request is too large")
}

/// Waits for an answer, but not for ever.
async fn call<T>(answer: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    let answer = tokio::time::timeout(DEADLINE, answer).await;
    Ok(answer.map_err(|_| CallError::Deadline)??)
}

#[async_trait]
impl LedgerStore for KubeStore {
    async fn load(&self) -> Result<Vec<(SealedPart, Version)>, LedgerError> {
        // The list comes first: it fails where the kind is not there, which a read of one object
        // cannot tell from an object that is not there.
        let labelled = ListParams::default().labels(&format!("{LABEL}={}", self.label()));
        let listed = call(self.api.list(&labelled)).await.map_err(|e| self.read_error(e))?;
        // By its name, so that a head that lost its label is not taken for none.
        let head = call(self.api.get_opt(&self.name)).await.map_err(|e| self.read_error(e))?;
        let is_head =
            |object: &AccountLedger| object.metadata.name.as_deref() == Some(self.name.as_str());
        let pages = listed.items.into_iter().filter(|object| !is_head(object));
        head.into_iter().chain(pages).map(|object| self.take(object)).collect()
    }

    async fn write(
        &self,
        sealed: &SealedPart,
        expected: Option<&Version>,
    ) -> Result<Version, LedgerError> {
        let object = self.object(sealed, expected);
        let params = PostParams::default();
        let answer = match expected {
            None => call(self.api.create(&params, &object)).await,
            Some(_) => {
                call(self.api.replace(&self.object_name(sealed.part), &params, &object)).await
            }
        };
        let written = answer.map_err(|error| self.write_error(sealed.part, error))?;
        self.take(written).map(|(_, version)| version)
    }

    async fn delete(&self, part: Part, expected: &Version) -> Result<(), LedgerError> {
        let preconditions = Preconditions { resource_version: Some(expected.0.clone()), uid: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let answer = call(self.api.delete(&self.object_name(part), &params)).await;
        answer.map(|_| ()).map_err(|error| self.write_error(part, error))
    }

    fn place(&self, part: Part) -> String {
        self.named(&self.object_name(part))
    }
}
