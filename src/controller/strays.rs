//! What belongs to no account in a namespace, or cannot be read: says so, and lets deleted objects
//! go, because there is nothing that could be taken away.

use kube::Resource as _;

use crate::api::{ClientAccess, Membership, NotificationSubscription, Team};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::error::ReconcileError;
use crate::controller::finalizers;
use crate::controller::object::Guarded;
use crate::controller::queue::Next;
use crate::controller::spaces;
use crate::controller::status;
use crate::domain::desired::OriginKind;
use crate::manifests::{ConfigMaps, Declared, ObjectKey, Objects};

/// Reconciles what belongs to no account in a namespace.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn reconcile(ctx: &Context, namespace: &str) -> Result<Next, ReconcileError> {
    let accounts = ctx.caches.accounts.all();
    let teams = ctx.caches.teams.in_namespace(namespace);
    let memberships = ctx.caches.memberships.in_namespace(namespace);
    let client_accesses = ctx.caches.client_accesses.in_namespace(namespace);
    let subscriptions = ctx.caches.subscriptions.in_namespace(namespace);
    let objects = Objects {
        config_maps: ConfigMaps::new(),
        namespaces: spaces::labels(ctx),
        classes: Vec::new(),
        accounts: accounts.iter().filter_map(declared).collect(),
        teams: teams.iter().filter_map(declared).collect(),
        memberships: memberships.iter().filter_map(declared).collect(),
        client_accesses: client_accesses.iter().filter_map(declared).collect(),
        subscriptions: subscriptions.iter().filter_map(declared).collect(),
    };
    let sorted = objects.by_account();
    status::write_strays(ctx, namespace, &sorted).await?;

    // An object that cannot be read is its account's to let go, as long as there is one.
    let homeless = !accounts.iter().any(|account| {
        account.meta().namespace.as_deref() == Some(namespace)
            || account.readable().is_some_and(|account| spaces::takes(ctx, account, namespace))
    });
    let strays = |kind, object: &kube::core::ObjectMeta, readable: bool| {
        let Name { namespace, name } = Name::of(object);
        let stray = sorted.strays.contains_key(&ObjectKey { kind, namespace, name });
        object.deletion_timestamp.is_some() && (stray || (!readable && homeless))
    };
    let gone = teams
        .iter()
        .filter(|team| strays(OriginKind::Team, team.meta(), team.readable().is_some()))
        .map(|team| team.meta().clone());
    finalizers::remove::<Team>(ctx, gone).await?;
    let gone = memberships
        .iter()
        .filter(|m| strays(OriginKind::Membership, m.meta(), m.readable().is_some()))
        .map(|membership| membership.meta().clone());
    finalizers::remove::<Membership>(ctx, gone).await?;
    let gone = client_accesses
        .iter()
        .filter(|c| strays(OriginKind::ClientAccess, c.meta(), c.readable().is_some()))
        .map(|access| access.meta().clone());
    finalizers::remove::<ClientAccess>(ctx, gone).await?;
    let kind = OriginKind::NotificationSubscription;
    let gone = subscriptions
        .iter()
        .filter(|s| strays(kind, s.meta(), s.readable().is_some()))
        .map(|subscription| subscription.meta().clone());
    finalizers::remove::<NotificationSubscription>(ctx, gone).await?;
    Ok(Next::OnChange)
}

fn declared<K>(object: &Guarded<K>) -> Option<Declared<K>> {
    object.readable().cloned().map(Declared::from)
}
