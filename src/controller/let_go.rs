//! Lets an account go: nobody loses anything, and nobody is ours any more.

use kube::Resource as _;
use kube::core::ObjectMeta;

use crate::api::{
    Account, AccountLedger, ClientAccess, Membership, NotificationSubscription, Team,
};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::error::{ClusterError, ReconcileError};
use crate::controller::object::Guarded;
use crate::controller::orphans::{self, Orphan};
use crate::controller::release::Verdict;
use crate::controller::round::Round;
use crate::controller::{events, fetch, finalizers};
use crate::domain::keys::AccountKey;
use crate::ledger::{KubeStore, Ledger, LedgerError};

/// Ends the care for an account that is being deleted. Its people stay as they are and are
/// forgotten as ours, so that an account made anew finds nobody to remove. `verdict`: why it goes.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn account(
    ctx: &Context,
    name: &Name,
    round: &Round,
    verdict: Verdict,
) -> Result<(), ReconcileError> {
    let account = round.fetched.account.meta();
    if !finalizers::is_marked::<Account>(account) {
        return Ok(());
    }
    let id = AccountKey(round.fetched.account.spec.account_id.clone());
    forget(ctx, name, &id).await?;
    if let Verdict::Released(reason) = verdict {
        let of = |kind, object| Orphan::of(round, kind, object, reason);
        let deleted = round.fetched.deleted().map(|(key, object)| of(key.kind.as_str(), object));
        let orphans = std::iter::once(of("Account", account)).chain(deleted).collect();
        orphans::record(ctx, orphans).await?;
    }
    match verdict {
        Verdict::Goes if round.fetched.revokes() => events::publish_revoked(ctx, account).await,
        Verdict::Goes | Verdict::Stays(_) => events::publish_let_go(ctx, account).await,
        other => events::publish_going::<Account>(ctx, account, other).await,
    }
    // The ledger may go with its mark: who is cut after that must not look for anybody's end again.
    let account = finalizers::settle(ctx, account).await?;
    marks(ctx, name, round, account).await?;
    Ok(())
}

/// Forgets that anybody is ours. What cannot be read cannot remove anybody either. True if somebody
/// was.
async fn forget(ctx: &Context, name: &Name, account: &AccountKey) -> Result<bool, LedgerError> {
    let forgotten = async {
        let mut ledger = load(ctx, name, account).await?;
        ledger.let_go_of_all().await?;
        Ok(ledger.writes().pages > 0)
    };
    match forgotten.await {
        Err(
            LedgerError::Damaged { .. }
            | LedgerError::OtherAccount { .. }
            | LedgerError::Newer { .. },
        ) => Ok(false),
        forgotten => forgotten,
    }
}

async fn load(ctx: &Context, name: &Name, account: &AccountKey) -> Result<Ledger, LedgerError> {
    let store = KubeStore::new(ctx.clients.writer.clone(), &name.namespace, &name.name);
    Ledger::load(Box::new(store), account).await
}

/// Forgets whom a deleted object leaves behind, where the account cannot be looked at. True if that is
/// recorded, or nobody is left behind so.
pub async fn kept(ctx: &Context, name: &Name, round: &Round) -> bool {
    if !round.fetched.deleted().any(|(key, _)| round.keeps(key)) {
        return true;
    }
    let recorded = async {
        let account = AccountKey(round.fetched.account.spec.account_id.clone());
        let mut ledger = load(ctx, name, &account).await?;
        round.forget_kept(&mut ledger);
        ledger.record_let_go().await
    };
    let recorded: Result<(), LedgerError> = recorded.await;
    if let Err(error) = &recorded {
        tracing::warn!(
            account.namespace = name.namespace,
            account.name = name.name,
            error = %error,
            "who stays could not be recorded; trying again with the next look"
        );
    }
    recorded.is_ok()
}

/// Ends the care for an account that is gone: below mode `Manage` nothing keeps it until we see that.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn vanished(ctx: &Context, name: &Name) -> Result<(), ReconcileError> {
    let Some(id) = finalizers::ledger_account(ctx, name).await? else { return Ok(()) };
    if !fetch::is_gone(ctx, name).await? {
        return Ok(()); // It cannot be read, or was made anew.
    }
    if forget(ctx, name, &AccountKey(id)).await? {
        let (namespace, name) = (Some(name.namespace.clone()), Some(name.name.clone()));
        let account = ObjectMeta { namespace, name, ..ObjectMeta::default() };
        events::publish_let_go(ctx, &account).await;
    }
    ledger(ctx, name).await?;
    Ok(())
}

/// Takes our marks off an account, its declarations and its ledger.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn marks(
    ctx: &Context,
    name: &Name,
    round: &Round,
    account: ObjectMeta,
) -> Result<(), ClusterError> {
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
    finalizers::remove::<Account>(ctx, [account]).await
}

/// Takes our mark off a ledger.
async fn ledger(ctx: &Context, name: &Name) -> Result<(), ClusterError> {
    let parts = finalizers::ledger_parts(ctx, name).await?;
    finalizers::remove::<AccountLedger>(ctx, parts).await
}

fn metadata<K>(object: &Guarded<K>) -> ObjectMeta
where
    K: kube::Resource<DynamicType = ()> + Clone,
{
    object.meta().clone()
}
