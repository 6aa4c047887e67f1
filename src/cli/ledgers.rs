//! `--ledger file:PATH` and `--ledger kube:NAMESPACE/NAME`.

use anyhow::Context as _;

use crate::cli::session::LedgerAccess;
use crate::domain::keys::AccountKey;
use crate::ledger::{FileStore, KubeStore, Ledger, LedgerError, LedgerStore};

/// Opens the ledger that `name` names for the account that is declared as `account`.
///
/// # Errors
///
/// When it cannot be used; the hint says why. Nothing is created.
pub async fn open(
    name: &str,
    access: LedgerAccess,
    account: &AccountKey,
) -> anyhow::Result<Result<Ledger, LedgerError>> {
    let store: Box<dyn LedgerStore> = match name.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Box::new(match access {
            LedgerAccess::Read => FileStore::to_read(path),
            LedgerAccess::Write => FileStore::to_write(path),
        }),
        Some(("kube", place)) => {
            let (namespace, name) =
                place.split_once('/').context("a ledger in a cluster is kube:NAMESPACE/NAME")?;
            let client =
                kube::Client::try_default().await.context("could not read the kubeconfig")?;
            Box::new(KubeStore::new(client, namespace, name))
        }
        _ => {
            anyhow::bail!("--ledger {name} is no ledger\n  hint: file:PATH, or kube:NAMESPACE/NAME")
        }
    };
    Ok(Ledger::load(store, account).await)
}
