//! `seatkeeper resend`: a person has invitations sent again.

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::{Api, Client, Resource};
use serde_json::json;

use crate::api::{ClientAccess, Membership, Team};
use crate::cli::args::{ResendArgs, Sent, SentKind};
use crate::cli::cluster::{failed, reach};
use crate::cli::{Exit, Io};
use crate::manifests::RESEND_ANNOTATION;

/// Puts a new word on each object; all of them must be there, or none is touched.
///
/// # Errors
///
/// The cluster cannot be reached, or an object is not there.
pub async fn resend(args: &ResendArgs, io: &mut Io<'_>) -> Result<Exit> {
    let (client, namespace) = reach(&args.cluster).await?;
    for object in &args.objects {
        act(&client, &namespace, object, None).await?;
    }
    let word = (io.now)().to_string();
    for object in &args.objects {
        let what = act(&client, &namespace, object, Some(&word)).await?;
        writeln!(io.out, "{what}: asked to send again")?;
    }
    writeln!(io.err, "who accepted or said no gets nothing; the status says what came of it")?;
    Ok(Exit::Done)
}

/// Puts a word on an object, or only looks whether it is there; gives its name for people.
async fn act(
    client: &Client,
    namespace: &str,
    Sent { kind, name }: &Sent,
    word: Option<&str>,
) -> Result<String> {
    match kind {
        SentKind::Membership => put::<Membership>(client, namespace, name, word).await,
        SentKind::Team => put::<Team>(client, namespace, name, word).await,
        SentKind::ClientAccess => put::<ClientAccess>(client, namespace, name, word).await,
    }
}

async fn put<K>(client: &Client, namespace: &str, name: &str, word: Option<&str>) -> Result<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let what = format!("{} {namespace}/{name}", K::kind(&()));
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    let answer: kube::Result<PartialObjectMeta<K>> = match word {
        None => objects.get_metadata(name).await,
        Some(word) => {
            let annotations = json!({ RESEND_ANNOTATION: word });
            let patch = json!({ "metadata": { "annotations": annotations } });
            let params = PatchParams::default();
            objects.patch_metadata(name, &params, &Patch::Merge(&patch)).await
        }
    };
    answer.map_err(|error| failed(error, &what))?;
    Ok(what)
}
