//! `--ledger file:PATH` and `--ledger kube:NAMESPACE/NAME`.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use crate::cli::cluster;
use crate::cli::session::{LedgerAccess, with_hint};
use crate::domain::keys::AccountKey;
use crate::ledger::{FileStore, KubeStore, Ledger, LedgerStore};

/// Opens the ledger that `name` names for the account that is declared as `account`; says where it
/// is kept too: `file`, or the UID of the cluster's `kube-system` namespace.
///
/// # Errors
///
/// When it cannot be used; the hint says why. Nothing is created.
pub async fn open(
    name: &str,
    access: LedgerAccess,
    account: &AccountKey,
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
        _ => {
            anyhow::bail!("--ledger {name} is no ledger\n  hint: file:PATH, or kube:NAMESPACE/NAME")
        }
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
