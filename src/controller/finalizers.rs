//! Our marks on objects: an object that granted something stays until that is settled.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::{
    Account, AccountLedger, ClientAccess, Membership, NotificationSubscription, Team,
};
use crate::controller::cache::{Cache, Name};
use crate::controller::clients::call;
use crate::controller::context::{Context, MANAGER};
use crate::controller::error::ClusterError;
use crate::controller::object::Guarded;

/// Writes of objects at one time.
pub const AT_ONE_TIME: usize = 8;

/// On Accounts.
pub const ACCOUNT: &str = "seatkeeper.dev/account";
/// On Teams.
pub const TEAM: &str = "seatkeeper.dev/team";
/// On Memberships.
pub const MEMBERSHIP: &str = "seatkeeper.dev/membership";
/// On ClientAccesses.
pub const CLIENT_ACCESS: &str = "seatkeeper.dev/client-access";
/// On NotificationSubscriptions.
pub const SUBSCRIPTION: &str = "seatkeeper.dev/notification-subscription";
/// On the parts of a ledger: else the deletion of a namespace takes the ledger first.
pub const LEDGER: &str = "seatkeeper.dev/ledger";

/// Kinds that carry our mark.
pub trait Marked:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The mark.
    const FINALIZER: &'static str;

    /// Where objects of the kind are kept.
    fn cache(ctx: &Context) -> Option<&Cache<Self>>;
}

impl Marked for Account {
    const FINALIZER: &'static str = ACCOUNT;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.accounts)
    }
}

impl Marked for Team {
    const FINALIZER: &'static str = TEAM;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.teams)
    }
}

impl Marked for Membership {
    const FINALIZER: &'static str = MEMBERSHIP;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.memberships)
    }
}

impl Marked for ClientAccess {
    const FINALIZER: &'static str = CLIENT_ACCESS;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.client_accesses)
    }
}

impl Marked for NotificationSubscription {
    const FINALIZER: &'static str = SUBSCRIPTION;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.subscriptions)
    }
}

impl Marked for AccountLedger {
    const FINALIZER: &'static str = LEDGER;

    fn cache(_: &Context) -> Option<&Cache<Self>> {
        None
    }
}

/// True if an object carries our mark.
pub fn is_marked<K: Marked>(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == K::FINALIZER)
}

/// Puts our mark on the objects that lack it. Objects that are being deleted take none.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked: look again.
pub async fn add<K: Marked>(
    ctx: &Context,
    objects: impl IntoIterator<Item = ObjectMeta>,
) -> Result<(), ClusterError> {
    let lacking = objects
        .into_iter()
        .filter(|object| !is_marked::<K>(object) && object.deletion_timestamp.is_none());
    let wanted = lacking.map(|object| {
        let mut finalizers = object.finalizers.clone().unwrap_or_default();
        finalizers.push(K::FINALIZER.to_owned());
        (object, finalizers)
    });
    write_all::<K>(ctx, wanted.collect()).await
}

/// Takes our mark off the objects that carry it.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked: look again.
pub async fn remove<K: Marked>(
    ctx: &Context,
    objects: impl IntoIterator<Item = ObjectMeta>,
) -> Result<(), ClusterError> {
    let carrying = objects.into_iter().filter(is_marked::<K>);
    let wanted = carrying.map(|object| {
        let mut finalizers = object.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| finalizer != K::FINALIZER);
        (object, finalizers)
    });
    write_all::<K>(ctx, wanted.collect()).await
}

/// Writes finalizers of several objects, some at one time.
async fn write_all<K: Marked>(
    ctx: &Context,
    wanted: Vec<(ObjectMeta, Vec<String>)>,
) -> Result<(), ClusterError> {
    let writes = wanted.into_iter().map(|(object, to)| write::<K>(ctx, object, to).boxed());
    let writes: Vec<_> = writes.collect();
    futures::stream::iter(writes).buffer_unordered(AT_ONE_TIME).try_collect().await
}

/// Writes finalizers at the version that was seen; an object that is gone needs none.
async fn write<K: Marked>(
    ctx: &Context,
    object: ObjectMeta,
    finalizers: Vec<String>,
) -> Result<(), ClusterError> {
    let Name { namespace, name } = Name::of(&object);
    let api: Api<Guarded<K>> = Api::namespaced(ctx.clients.writer.clone(), &namespace);
    let patch = json!({"metadata": {
        "uid": object.uid,
        "resourceVersion": object.resource_version,
        "finalizers": finalizers,
    }});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match call("write finalizers", api.patch(&name, &params, &Patch::Merge(&patch))).await {
        Ok(written) => {
            if let Some(cache) = K::cache(ctx) {
                cache.wrote(written);
            }
            Ok(())
        }
        Err(error) if error.is_gone() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The parts of an account's ledger: `NAME` and `NAME.page-…`.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn ledger_parts(ctx: &Context, account: &Name) -> Result<Vec<ObjectMeta>, ClusterError> {
    let api: Api<AccountLedger> = Api::namespaced(ctx.clients.reader.clone(), &account.namespace);
    let all = call("list AccountLedgers", api.list_metadata(&ListParams::default())).await?;
    let pages = format!("{}.page-", account.name);
    let ours = |part: &ObjectMeta| {
        let Name { name, .. } = Name::of(part);
        name == account.name || name.starts_with(&pages)
    };
    Ok(all.items.into_iter().map(|part| part.metadata).filter(ours).collect())
}
