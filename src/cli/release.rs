//! `seatkeeper release`: takes our finalizers off, without the operator. Touches nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::api::{
    Account, AccountLedger, ClientAccess, Finalizer, Membership, NotificationSubscription, Team,
};
use crate::cli::args::{ReleaseArgs, Released, ReleasedKind};
use crate::cli::cluster::{failed, reach};
use crate::cli::confirm::confirmed;
use crate::cli::words::many;
use crate::cli::{Exit, Io};

/// Objects a page of a list.
const PAGE: u32 = 500;
/// Writes at one time.
const AT_ONE_TIME: usize = 8;
/// Tries for one object that others change meanwhile.
const TRIES: u32 = 5;
/// How often everything is released before we say that somebody puts the finalizers back.
const PASSES: u32 = 3;
/// Time in which a running operator would put them back.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time in which an operator ends.
const STOPS_WITHIN: Duration = Duration::from_secs(90);

/// Objects that carry our finalizers.
type Found = Vec<(ReleasedKind, ObjectMeta)>;

/// Shows what carries our finalizers, asks, and takes them off.
///
/// # Errors
///
/// The cluster cannot be reached, an object that is named is not there, nobody confirms, or an operator
/// puts the finalizers back.
pub async fn release(args: &ReleaseArgs, io: &mut Io<'_>) -> Result<Exit> {
    let (client, near) = reach(&args.cluster).await?;
    let place = Place { client, all: args.all, namespace: args.cluster.namespace.clone(), near };
    let found = place.find(&args.objects, true).await?;
    if found.is_empty() {
        writeln!(io.out, "nothing carries our finalizers")?;
        return Ok(Exit::Done);
    }
    for (kind, count) in counts(&found) {
        writeln!(io.err, "{kind:?}: {} with our finalizers", many(count, "object"))?;
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    writeln!(
        io.err,
        "Nobody loses access by this. What is released can be deleted without the operator, and takes \
         back nothing then."
    )?;
    if !args.yes && !confirmed(io, "Release it?", "--yes releases it without a question")? {
        return Ok(Exit::Done);
    }
    if let Some((namespace, name)) = &args.stop_operator {
        stop(&place.client, namespace, name, io).await?;
    }
    release_all(&place, args, io).await
}

/// Takes the finalizers off until none comes back.
async fn release_all(place: &Place, args: &ReleaseArgs, io: &mut Io<'_>) -> Result<Exit> {
    let mut released: BTreeMap<ReleasedKind, usize> = BTreeMap::new();
    for pass in 0..PASSES {
        let found = place.find(&args.objects, false).await?;
        if found.is_empty() {
            break;
        }
        if pass == 0 {
            released = counts(&found);
        }
        place.take_off(found, io).await?;
        sleep(PATIENCE).await;
    }
    let back = place.find(&args.objects, false).await?;
    if !back.is_empty() {
        return Err(anyhow!(
            "{} carry our finalizers again: an operator runs, and puts them back\n  hint: stop it first, \
             as with --stop-operator NAMESPACE/DEPLOYMENT, then run this again",
            many(back.len(), "object")
        ));
    }
    for (kind, count) in released {
        writeln!(io.out, "{kind:?}: {} released", many(count, "object"))?;
    }
    Ok(Exit::Done)
}

fn counts(found: &Found) -> BTreeMap<ReleasedKind, usize> {
    let mut counts = BTreeMap::new();
    for (kind, _) in found {
        *counts.entry(*kind).or_default() += 1;
    }
    counts
}

/// Where objects are looked for.
struct Place {
    client: Client,
    all: bool,
    /// The namespace that was asked for.
    namespace: Option<String>,
    /// The namespace of the context.
    near: String,
}

impl Place {
    fn api(&self, kind: ReleasedKind, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = resource(kind);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// What carries our finalizers, of those that were asked for; `all_there`: those that are named must
    /// be there.
    async fn find(&self, named: &[Released], all_there: bool) -> Result<Found> {
        let mut found = Found::new();
        if self.all {
            for kind in ReleasedKind::ALL {
                found.extend(self.list(kind).await?.into_iter().map(|object| (kind, object)));
            }
        }
        for Released { kind, name } in named {
            let namespace = self.namespace.as_deref().unwrap_or(&self.near);
            let what = format!("{kind:?} {namespace}/{name}");
            match self.api(*kind, Some(namespace)).get_metadata(name).await {
                Err(kube::Error::Api(status)) if status.code == 404 && !all_there => {}
                object => {
                    found.push((*kind, object.map_err(|error| failed(error, &what))?.metadata));
                }
            }
        }
        found.retain(|(_, object)| {
            object.finalizers.iter().flatten().any(|f| Finalizer::is_ours(f))
        });
        Ok(found)
    }

    /// All objects of a kind; of a kind that is gone there are none.
    async fn list(&self, kind: ReleasedKind) -> Result<Vec<ObjectMeta>> {
        let api = self.api(kind, self.namespace.as_deref());
        let mut params = ListParams::default().limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = match api.list_metadata(&params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
                page => {
                    page.map_err(|error| failed(error, &format!("objects of kind {kind:?}")))?
                }
            };
            objects.extend(page.items.into_iter().map(|object| object.metadata));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(objects),
            }
        }
    }

    /// Takes our finalizers off, several objects at one time.
    async fn take_off(&self, found: Found, io: &mut Io<'_>) -> Result<()> {
        let all = found.len();
        let writes = found.into_iter().map(|(kind, object)| self.take_off_one(kind, object));
        let mut writes = futures::stream::iter(writes).buffer_unordered(AT_ONE_TIME);
        let mut done = 0_usize;
        while writes.try_next().await?.is_some() {
            done += 1;
            if done.is_multiple_of(PAGE as usize) && done < all {
                writeln!(io.err, "released {done} of {all}")?;
            }
        }
        Ok(())
    }

    /// Takes our finalizers off the very object that was seen; one that changed is read again, one that
    /// is gone needs nothing.
    async fn take_off_one(&self, kind: ReleasedKind, mut object: ObjectMeta) -> Result<()> {
        let namespace = object.namespace.clone().unwrap_or_default();
        let name = object.name.clone().unwrap_or_default();
        let (api, uid) = (self.api(kind, Some(&namespace)), object.uid.clone());
        let what = format!("{kind:?} {namespace}/{name}");
        let mut left = TRIES;
        loop {
            let mut finalizers = object.finalizers.clone().unwrap_or_default();
            finalizers.retain(|finalizer| !Finalizer::is_ours(finalizer));
            let version = &object.resource_version;
            let patch = json!({"metadata":
                {"uid": uid, "resourceVersion": version, "finalizers": finalizers}});
            let params = PatchParams::default();
            let answer = api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await;
            left -= 1;
            match answer {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 && left > 0 => {}
                Err(error) => return Err(failed(error, &what)),
            }
            match api.get_metadata(&name).await {
                Ok(fresh) if fresh.metadata.uid == uid => object = fresh.metadata,
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(error) => return Err(failed(error, &what)),
            }
        }
    }
}

fn resource(kind: ReleasedKind) -> ApiResource {
    fn of<K: Resource<DynamicType = ()>>() -> ApiResource {
        ApiResource::erase::<K>(&())
    }
    match kind {
        ReleasedKind::Account => of::<Account>(),
        ReleasedKind::Team => of::<Team>(),
        ReleasedKind::Membership => of::<Membership>(),
        ReleasedKind::ClientAccess => of::<ClientAccess>(),
        ReleasedKind::NotificationSubscription => of::<NotificationSubscription>(),
        ReleasedKind::AccountLedger => of::<AccountLedger>(),
    }
}

/// Scales the operator to nought and waits until none of it runs.
async fn stop(client: &Client, namespace: &str, name: &str, io: &mut Io<'_>) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let what = format!("Deployment {namespace}/{name}");
    let patch = json!({"spec": {"replicas": 0}});
    match deployments.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            writeln!(io.err, "there is no {what}: nothing to stop")?;
            return Ok(());
        }
        patched => patched.map_err(|error| failed(error, &what))?,
    };
    let end = Instant::now() + STOPS_WITHIN;
    loop {
        let found = deployments.get_opt(name).await.map_err(|error| failed(error, &what))?;
        let running = found.and_then(|found| found.status?.replicas).unwrap_or(0);
        if running == 0 {
            writeln!(io.err, "{what}: stopped")?;
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(anyhow!(
                "{what} still runs after {STOPS_WITHIN:?}\n  hint: look at its Pods, then run this again"
            ));
        }
        sleep(PATIENCE).await;
    }
}
