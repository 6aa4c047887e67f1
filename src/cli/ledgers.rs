//! `--ledger file:PATH`, `--ledger kube:NAMESPACE/NAME` and `--ledger account`.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use crate::backend::BackendError;
use crate::backend::account_api::AccountApi;
use crate::cli::cluster;
use crate::cli::session::{LedgerAccess, with_hint};
use crate::domain::keys::{AccountKey, ETag};
use crate::ledger::{
    AccountStore, ClientState, FileStore, KubeStore, Ledger, LedgerStore, StateError,
};

/// The word for a ledger that the account service keeps; also where it is kept.
pub const KEPT_BY_SERVICE: &str = "account";

/// Opens the ledger that `name` names for the account that is declared as `account`; says where it
/// is kept too: `file`, `account`, or the UID of the cluster's `kube-system` namespace. `service` keeps it
/// if `name` says so.
///
/// # Errors
///
/// When it cannot be used; the hint says why. Nothing is created.
pub async fn open(
    name: &str,
    access: LedgerAccess,
    account: &AccountKey,
    service: Option<&Arc<AccountApi>>,
) -> anyhow::Result<(Ledger, String)> {
    let (store, fingerprint): (Box<dyn LedgerStore>, _) = match name.split_once(':') {
        Some(("file", path)) if !path.is_empty() => {
            let store = match access {
                LedgerAccess::Read => FileStore::to_read(path),
                LedgerAccess::Write => FileStore::to_write(path),
            };
            (Box::new(store), "file".to_owned())
        }
        Some(("kube", place)) => {
            let (namespace, name) =
                place.split_once('/').context("a ledger in a cluster is kube:NAMESPACE/NAME")?;
            let (client, _) = cluster::client(None).await?;
            let fingerprint = fingerprint(&client).await?;
            (Box::new(KubeStore::new(client, namespace, name)), fingerprint)
        }
        None if name == KEPT_BY_SERVICE => {
            let api =
                service.context("the ledger is kept by the service, which cannot be reached")?;
            let state = Box::new(Kept { api: Arc::clone(api), account: account.clone() });
            let store = match access {
                LedgerAccess::Read => AccountStore::to_read(state),
                LedgerAccess::Write => AccountStore::to_write(state),
            };
            (Box::new(store), KEPT_BY_SERVICE.to_owned())
        }
        _ => anyhow::bail!(
            "--ledger {name} is no ledger\n  hint: file:PATH, kube:NAMESPACE/NAME, or account"
        ),
    };
    let ledger = Ledger::load(store, account).await.map_err(with_hint)?;
    Ok((ledger, fingerprint))
}

async fn fingerprint(client: &Client) -> anyhow::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = namespaces.get("kube-system").await;
    let namespace = namespace.context(
        "could not read the namespace kube-system of the cluster\n  hint: allow `get` on it; its UID tells one cluster from another",
    )?;
    namespace.metadata.uid.context("the namespace kube-system has no UID")
}

/// The record that the service keeps with one account.
struct Kept {
    api: Arc<AccountApi>,
    account: AccountKey,
}

#[async_trait]
impl ClientState for Kept {
    async fn read(&self) -> Result<Option<(Vec<u8>, String)>, StateError> {
        let state = self.api.client_state(&self.account).await.map_err(why)?;
        Ok(state.map(|(body, etag)| (body, etag.0)))
    }

    async fn put(&self, body: Vec<u8>, expected: Option<&str>) -> Result<String, StateError> {
        let expected = expected.map(ETag::from);
        let put = self.api.put_client_state(&self.account, body, expected.as_ref()).await;
        Ok(put.map_err(why)?.0)
    }
}

fn why(error: BackendError) -> StateError {
    match &error {
        BackendError::Changed { .. } => StateError::Changed,
        BackendError::Rejected { code } if code == "body-too-large" => StateError::TooLarge,
        _ => StateError::Other(Box::new(error)),
    }
}
