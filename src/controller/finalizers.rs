//! Our marks on objects: an object that granted something stays until that is settled.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::{
    Account, AccountLedger, ClientAccess, Finalizer, Membership, NotificationSubscription, Team,
};
use crate::controller::cache::{Cache, Name};
use crate::controller::clients::call;
use crate::controller::context::{Context, MANAGER};
use crate::controller::error::ClusterError;
use crate::controller::object::Guarded;

/// Writes of objects at one time.
pub const AT_ONE_TIME: usize = 8;

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
    const FINALIZER: Finalizer;

    /// Where objects of the kind are kept.
    fn cache(ctx: &Context) -> Option<&Cache<Self>>;
}

impl Marked for Account {
    const FINALIZER: Finalizer = Finalizer::ACCOUNT;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.accounts)
    }
}

impl Marked for Team {
    const FINALIZER: Finalizer = Finalizer::TEAM;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.teams)
    }
}

impl Marked for Membership {
    const FINALIZER: Finalizer = Finalizer::MEMBERSHIP;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.memberships)
    }
}

impl Marked for ClientAccess {
    const FINALIZER: Finalizer = Finalizer::CLIENT_ACCESS;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.client_accesses)
    }
}

impl Marked for NotificationSubscription {
    const FINALIZER: Finalizer = Finalizer::SUBSCRIPTION;

    fn cache(ctx: &Context) -> Option<&Cache<Self>> {
        Some(&ctx.caches.subscriptions)
    }
}

impl Marked for AccountLedger {
    const FINALIZER: Finalizer = Finalizer::LEDGER;

    fn cache(_: &Context) -> Option<&Cache<Self>> {
        None
    }
}

/// True if an object carries our mark.
pub fn is_marked<K: Marked>(metadata: &ObjectMeta) -> bool {
    carries(metadata, K::FINALIZER)
}

/// True if an Account had `onTeardown: Revoke` before anybody deleted it.
pub fn revokes(account: &ObjectMeta) -> bool {
    carries(account, Finalizer::REVOKES)
}

fn carries(metadata: &ObjectMeta, mark: Finalizer) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == mark.as_str())
}

/// Puts our mark on an Account, and beside it the one that says what its end does to people.
///
/// # Errors
///
/// The cluster does not answer, or the Account changed since we looked: look again.
pub async fn mark_account(
    ctx: &Context,
    account: &ObjectMeta,
    revokes: bool,
) -> Result<(), ClusterError> {
    let known = account.finalizers.clone().unwrap_or_default();
    let mut wanted = known.clone();
    wanted.retain(|finalizer| revokes || finalizer != Finalizer::REVOKES.as_str());
    let marks = [Some(Finalizer::ACCOUNT), revokes.then_some(Finalizer::REVOKES)];
    for mark in marks.into_iter().flatten().filter(|mark| !carries(account, *mark)) {
        wanted.push(mark.as_str().to_owned());
    }
    if wanted == known || account.deletion_timestamp.is_some() {
        return Ok(());
    }
    write::<Account>(ctx, account.clone(), wanted).await.map(drop)
}

/// Says at an Account that what it gave is taken back: from here on it only has to be let go. Gives it
/// as it is then.
///
/// # Errors
///
/// The cluster does not answer, or the Account changed since we looked: look again.
pub async fn settle(ctx: &Context, account: &ObjectMeta) -> Result<ObjectMeta, ClusterError> {
    if !revokes(account) {
        return Ok(account.clone());
    }
    let mut finalizers = account.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != Finalizer::REVOKES.as_str());
    let written = write::<Account>(ctx, account.clone(), finalizers).await?;
    Ok(written.unwrap_or_else(|| account.clone()))
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
        finalizers.push(K::FINALIZER.as_str().to_owned());
        (object, finalizers)
    });
    write_all::<K>(ctx, wanted.collect()).await
}

/// Takes our marks off the objects that carry them.
///
/// # Errors
///
/// The cluster does not answer, or an object changed since we looked: look again.
pub async fn remove<K: Marked>(
    ctx: &Context,
    objects: impl IntoIterator<Item = ObjectMeta>,
) -> Result<(), ClusterError> {
    let ours = |text: &String| Finalizer::is_ours(text);
    let carrying =
        objects.into_iter().filter(|object| object.finalizers.iter().flatten().any(ours));
    let wanted = carrying.map(|object| {
        let mut finalizers = object.finalizers.clone().unwrap_or_default();
        finalizers.retain(|finalizer| !Finalizer::is_ours(finalizer));
        (object, finalizers)
    });
    write_all::<K>(ctx, wanted.collect()).await
}

/// Writes finalizers of several objects, some at one time.
async fn write_all<K: Marked>(
    ctx: &Context,
    wanted: Vec<(ObjectMeta, Vec<String>)>,
) -> Result<(), ClusterError> {
    let write = |(object, to)| async move { write::<K>(ctx, object, to).await.map(drop) }.boxed();
    let writes = wanted.into_iter().map(write);
    let writes: Vec<_> = writes.collect();
    futures::stream::iter(writes).buffer_unordered(AT_ONE_TIME).try_collect().await
}

/// Writes finalizers at the version that was seen, and gives the object as it is then; one that is gone
/// needs none.
async fn write<K: Marked>(
    ctx: &Context,
    object: ObjectMeta,
    finalizers: Vec<String>,
) -> Result<Option<ObjectMeta>, ClusterError> {
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
            let metadata = written.meta().clone();
            if let Some(cache) = K::cache(ctx) {
                cache.wrote(written);
            }
            Ok(Some(metadata))
        }
        Err(error) if error.is_gone() => Ok(None),
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

/// The account that a ledger is of; `None`: there is no ledger.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn ledger_account(ctx: &Context, account: &Name) -> Result<Option<String>, ClusterError> {
    let api: Api<AccountLedger> = Api::namespaced(ctx.clients.reader.clone(), &account.namespace);
    let head = call("read the AccountLedger", api.get_opt(&account.name)).await?;
    Ok(head.map(|head| head.spec.account_id))
}
