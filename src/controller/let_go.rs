//! Lets an account go: nobody loses anything, and nobody is ours any more.

use kube::Resource as _;

use crate::api::{
    Account, AccountLedger, ClientAccess, Membership, NotificationSubscription, Team,
};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::error::{ClusterError, ReconcileError};
use crate::controller::object::Guarded;
use crate::controller::round::Round;
use crate::controller::{events, finalizers};
use crate::domain::keys::AccountKey;
use crate::ledger::{KubeStore, Ledger, LedgerError};

/// Ends the care for an account that is being deleted. Its people stay as they are and are
/// forgotten as ours, so that an account made anew finds nobody to remove.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn account(ctx: &Context, name: &Name, round: &Round) -> Result<(), ReconcileError> {
    let account = round.fetched.account.meta();
    if !finalizers::is_marked::<Account>(account) {
        return Ok(());
    }
    match forget(ctx, name, round).await {
        // What cannot be read cannot remove anybody either.
        Ok(()) | Err(LedgerError::Damaged { .. } | LedgerError::OtherAccount { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    events::publish_let_go(ctx, account).await;
    marks(ctx, name, round).await?;
    Ok(())
}

async fn forget(ctx: &Context, name: &Name, round: &Round) -> Result<(), LedgerError> {
    let store = KubeStore::new(ctx.clients.writer.clone(), &name.namespace, &name.name);
    let account = AccountKey(round.fetched.account.spec.account_id.clone());
    Ledger::load(Box::new(store), &account).await?.let_go_of_all().await
}

/// Takes our marks off an account, its declarations and its ledger.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn marks(ctx: &Context, name: &Name, round: &Round) -> Result<(), ClusterError> {
    let teams = round.fetched.teams.iter();
    let teams = teams.filter(|(key, _)| round.fetched.is_ours(&round.resolved, key));
    finalizers::remove::<Team>(ctx, teams.map(|(_, team)| metadata(team))).await?;
    let memberships = round.fetched.memberships.iter();
    let memberships = memberships.filter(|(key, _)| round.fetched.is_ours(&round.resolved, key));
    finalizers::remove::<Membership>(ctx, memberships.map(|(_, m)| metadata(m))).await?;
    let clients = round.fetched.client_accesses.iter();
    let clients = clients.filter(|(key, _)| round.fetched.is_ours(&round.resolved, key));
    finalizers::remove::<ClientAccess>(ctx, clients.map(|(_, c)| metadata(c))).await?;
    let subscriptions = round.fetched.subscriptions.iter();
    let subscriptions =
        subscriptions.filter(|(key, _)| round.fetched.is_ours(&round.resolved, key));
    let subscriptions = subscriptions.map(|(_, subscription)| metadata(subscription));
    finalizers::remove::<NotificationSubscription>(ctx, subscriptions).await?;
    ledger(ctx, name).await?;
    finalizers::remove::<Account>(ctx, [round.fetched.account.meta().clone()]).await
}

/// Takes our mark off a ledger.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn ledger(ctx: &Context, name: &Name) -> Result<(), ClusterError> {
    let parts = finalizers::ledger_parts(ctx, name).await?;
    finalizers::remove::<AccountLedger>(ctx, parts).await
}

fn metadata<K>(object: &Guarded<K>) -> kube::core::ObjectMeta
where
    K: kube::Resource<DynamicType = ()> + Clone,
{
    object.meta().clone()
}
