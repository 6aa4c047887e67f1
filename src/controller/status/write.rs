//! Writes statuses: one server-side apply an object, and none where nothing differs.

use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
use serde::Serialize;
use serde_json::json;

use crate::api::{
    Account, AccountStatus, ClientAccess, ClientAccessStatus, Membership, MembershipStatus,
    NotificationSubscription, NotificationSubscriptionStatus, Team, TeamStatus,
};
use crate::controller::cache::Name;
use crate::controller::clients::call;
use crate::controller::context::{Context, MANAGER};
use crate::controller::error::ClusterError;
use crate::controller::events;
use crate::controller::fetch::{Fetched, key_of};
use crate::controller::finalizers::{AT_ONE_TIME, Marked};
use crate::controller::object::Guarded;
use crate::controller::status::unreadable::{self, Shared};
use crate::controller::status::{
    Picture, account, client_access, membership, notification_subscription, team,
};
use crate::domain::desired::OriginKind;
use crate::manifests::Sorted;

/// What all statuses have.
trait Conditions {
    fn conditions(&self) -> &[Condition];
}

impl Conditions for AccountStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Conditions for TeamStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Conditions for MembershipStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Conditions for ClientAccessStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

impl Conditions for NotificationSubscriptionStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

/// One status that differs from the one that stands there.
struct Write<S> {
    object: ObjectMeta,
    status: S,
    old: Vec<Condition>,
    new: Vec<Condition>,
}

/// Writes the status of an account and of everything that names it.
///
/// # Errors
///
/// The first write that failed; the others were tried.
pub async fn write_all(
    ctx: &Context,
    fetched: &Fetched,
    picture: &Picture<'_>,
) -> Result<(), ClusterError> {
    let now = (ctx.now)();
    let memberships = fetched.memberships.values().filter_map(Guarded::readable);
    let memberships = differing(memberships.map(|m| &**m), |object: &Membership| {
        membership::next(object, &key_of(OriginKind::Membership, object), picture, now)
    });
    let teams = fetched.teams.values().filter_map(Guarded::readable);
    let teams = differing(teams.map(|team| &**team), |object: &Team| {
        team::next(object, &key_of(OriginKind::Team, object), picture, now)
    });
    let clients = fetched.client_accesses.values().filter_map(Guarded::readable);
    let clients = differing(clients.map(|access| &**access), |object: &ClientAccess| {
        let key = key_of(OriginKind::ClientAccess, object);
        client_access::next(object, &key, picture, now)
    });
    let subscriptions = fetched.subscriptions.values().filter_map(Guarded::readable);
    let subscriptions =
        differing(subscriptions.map(|s| &**s), |object: &NotificationSubscription| {
            let key = key_of(OriginKind::NotificationSubscription, object);
            notification_subscription::next(object, &key, picture, now)
        });
    let account =
        differing([&*fetched.account], |object| Some(account::next(object, picture, now)));
    // The account last: who waits for it finds the others written.
    let written = write::<Membership, _>(ctx, memberships).await;
    let written = written.and(write::<Team, _>(ctx, teams).await);
    let written = written.and(write::<ClientAccess, _>(ctx, clients).await);
    let written = written.and(write::<NotificationSubscription, _>(ctx, subscriptions).await);
    written.and(write::<Account, _>(ctx, account).await)
}

/// Writes the status of what belongs to no account in a namespace, and of what cannot be read.
///
/// # Errors
///
/// The first write that failed; the others were tried.
pub async fn write_strays(
    ctx: &Context,
    namespace: &str,
    sorted: &Sorted,
) -> Result<(), ClusterError> {
    let now = (ctx.now)();
    let accounts = ctx.caches.accounts.in_namespace(namespace);
    let teams = ctx.caches.teams.in_namespace(namespace);
    let memberships = ctx.caches.memberships.in_namespace(namespace);
    let clients = ctx.caches.client_accesses.in_namespace(namespace);
    let subscriptions = ctx.caches.subscriptions.in_namespace(namespace);
    let rejection = |key| sorted.strays.get(&key).and_then(|stray| stray.accepted.as_ref().err());
    let stray_memberships = memberships.iter().filter_map(Guarded::readable);
    let stray_memberships = differing(stray_memberships.map(|m| &**m), |object: &Membership| {
        let rejection = rejection(key_of(OriginKind::Membership, object))?;
        Some(membership::rejected(object, rejection, now))
    });
    let stray_teams = teams.iter().filter_map(Guarded::readable);
    let stray_teams = differing(stray_teams.map(|team| &**team), |object: &Team| {
        let rejection = rejection(key_of(OriginKind::Team, object))?;
        Some(team::rejected(object, rejection, now))
    });
    let stray_clients = clients.iter().filter_map(Guarded::readable);
    let stray_clients =
        differing(stray_clients.map(|access| &**access), |object: &ClientAccess| {
            let rejection = rejection(key_of(OriginKind::ClientAccess, object))?;
            Some(client_access::rejected(object, rejection, now))
        });
    let stray_subscriptions = subscriptions.iter().filter_map(Guarded::readable);
    let stray_subscriptions =
        differing(stray_subscriptions.map(|s| &**s), |object: &NotificationSubscription| {
            let rejection = rejection(key_of(OriginKind::NotificationSubscription, object))?;
            Some(notification_subscription::rejected(object, rejection, now))
        });
    let written = write::<Membership, _>(ctx, stray_memberships).await;
    let written = written.and(write::<NotificationSubscription, _>(ctx, stray_subscriptions).await);
    let unread_subscriptions = unread(ctx, &subscriptions);
    let written =
        written.and(write::<NotificationSubscription, _>(ctx, unread_subscriptions).await);
    let written = written.and(write::<ClientAccess, _>(ctx, stray_clients).await);
    let written = written.and(write::<ClientAccess, _>(ctx, unread(ctx, &clients)).await);
    let written = written.and(write::<Team, _>(ctx, stray_teams).await);
    let written = written.and(write::<Account, _>(ctx, unread(ctx, &accounts)).await);
    let written = written.and(write::<Team, _>(ctx, unread(ctx, &teams)).await);
    written.and(write::<Membership, _>(ctx, unread(ctx, &memberships)).await)
}

/// The statuses that differ from those that stand there.
fn differing<'a, K>(
    objects: impl IntoIterator<Item = &'a K>,
    next: impl Fn(&K) -> Option<K::Status>,
) -> Vec<Write<K::Status>>
where
    K: Marked + HasStatus,
    K::Status: Conditions + PartialEq,
{
    let differs = |object: &'a K| {
        let status = next(object)?;
        if object.status() == Some(&status) {
            return None;
        }
        let old = object.status().map_or(&[][..], Conditions::conditions).to_vec();
        let new = status.conditions().to_vec();
        Some(Write { object: object.meta().clone(), status, old, new })
    };
    objects.into_iter().filter_map(differs).collect()
}

/// The statuses of objects that cannot be read.
fn unread<K>(ctx: &Context, objects: &[Guarded<K>]) -> Vec<Write<Shared>> {
    let now = (ctx.now)();
    let objects = objects.iter().filter_map(Guarded::unreadable);
    let next = objects.filter_map(|object| {
        let status = unreadable::next(object, now)?;
        let (old, new) = (unreadable::conditions(object), status.conditions.clone());
        Some(Write { object: object.metadata.clone(), status, old, new })
    });
    next.collect()
}

/// Writes statuses of one kind, several at one time, then the events of what changed in them.
async fn write<K: Marked, S: Serialize + Sync>(
    ctx: &Context,
    writes: Vec<Write<S>>,
) -> Result<(), ClusterError> {
    let calls: Vec<_> = writes.iter().map(|write| apply::<K, S>(ctx, write).boxed()).collect();
    let answers: Vec<_> = futures::stream::iter(calls).buffered(AT_ONE_TIME).collect().await;
    let news = writes.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
    let news = news.map(|(write, _)| (&write.object, &write.old[..], &write.new[..]));
    events::publish_transitions::<K>(ctx, news.collect()).await;
    answers.into_iter().collect()
}

/// Applies one status to the very object that it was made for.
async fn apply<K: Marked, S: Serialize + Sync>(
    ctx: &Context,
    write: &Write<S>,
) -> Result<(), ClusterError> {
    let Name { namespace, name } = Name::of(&write.object);
    let api: Api<Guarded<K>> = Api::namespaced(ctx.clients.writer.clone(), &namespace);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "namespace": namespace, "uid": write.object.uid},
        "status": write.status,
    });
    let params = PatchParams::apply(MANAGER).force();
    match call("write a status", api.patch_status(&name, &params, &Patch::Apply(&patch))).await {
        Ok(written) => {
            if let Some(cache) = K::cache(ctx) {
                cache.wrote(written);
            }
            Ok(())
        }
        // Gone, or made anew under the same name: its watch event is on its way.
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
        Err(error) => Err(error),
    }
}
