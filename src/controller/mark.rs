//! Marks what granted something, before it does: an object with our finalizer stays until that is
//! settled.

use std::collections::BTreeSet;

use kube::Resource as _;

use crate::api::{
    Account, AccountLedger, ClientAccess, Membership, NotificationSubscription, OnTeardown, Team,
};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::error::{ClusterError, ReconcileError};
use crate::controller::round::Round;
use crate::controller::{fetch, finalizers, let_go};
use crate::domain::desired::OriginKind;
use crate::domain::policy::{Mode, Policy};

/// Marks the account and the objects of it that are accepted. Below mode `Manage` nothing is ever
/// taken away, so that no object has to wait: marks from before are taken off.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked.
pub async fn declarations(ctx: &Context, name: &Name, round: &Round) -> Result<(), ReconcileError> {
    let (policy, ..) = round.terms()?;
    let account = round.fetched.account.meta();
    if policy.mode < Mode::Manage {
        if finalizers::is_marked::<Account>(account) {
            let_go::marks(ctx, name, round, account.clone()).await?;
        }
        return Ok(());
    }
    if policy.suspend || account.deletion_timestamp.is_some() {
        return Ok(());
    }
    // The account first: while a declaration is marked, its account must be there to settle it.
    let wants = round.fetched.account.spec.on_teardown == OnTeardown::Revoke;
    // Who sets it while everything is being torn down did not set it before.
    let late =
        wants && !finalizers::revokes(account) && fetch::is_torn_down(ctx, &name.namespace).await?;
    finalizers::mark_account(ctx, account, wants && !late).await?;
    let of = |kind| {
        let accepted = round.accepted().into_iter().filter(move |(key, _)| key.kind == kind);
        accepted.map(|(_, metadata)| metadata.clone()).collect::<Vec<_>>()
    };
    finalizers::add::<Team>(ctx, of(OriginKind::Team)).await?;
    finalizers::add::<Membership>(ctx, of(OriginKind::Membership)).await?;
    finalizers::add::<ClientAccess>(ctx, of(OriginKind::ClientAccess)).await?;
    let subscriptions = of(OriginKind::NotificationSubscription);
    finalizers::add::<NotificationSubscription>(ctx, subscriptions).await?;
    Ok(())
}

/// Marks the parts of the account's ledger that this process does not know marked. `wrote`: parts
/// were written since the last time.
pub async fn ledger(
    ctx: &Context,
    name: &Name,
    policy: &Policy,
    marked: &mut BTreeSet<String>,
    wrote: bool,
) {
    if policy.mode < Mode::Manage || policy.suspend || (!wrote && !marked.is_empty()) {
        return;
    }
    if let Err(error) = mark_ledger(ctx, name, marked).await {
        marked.clear();
        tracing::warn!(
            account.namespace = name.namespace,
            account.name = name.name,
            error = %error,
            "the ledger could not be marked; trying again with the next look"
        );
    }
}

async fn mark_ledger(
    ctx: &Context,
    name: &Name,
    marked: &mut BTreeSet<String>,
) -> Result<(), ClusterError> {
    let parts = finalizers::ledger_parts(ctx, name).await?;
    *marked = parts.iter().map(|part| Name::of(part).name).collect();
    finalizers::add::<AccountLedger>(ctx, parts).await
}
