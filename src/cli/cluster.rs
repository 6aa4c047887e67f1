//! A cluster as the command line reaches it: by the usual kubeconfig.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use kube::config::KubeConfigOptions;
use kube::{Client, Config};

use crate::cli::args::ClusterArgs;

/// Time for one call to the cluster.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client that repeats nothing, of the current cluster or of that of a context: a write that was
/// sent once is not sent again. Beside it the namespace of the context.
///
/// # Errors
///
/// There is no kubeconfig that can be used, or no such context in it.
pub async fn client(context: Option<&str>) -> Result<(Client, String)> {
    let config = match context {
        None => Config::infer().await.map_err(anyhow::Error::new),
        Some(name) => {
            let options = KubeConfigOptions {
                context: Some(name.to_owned()),
                ..KubeConfigOptions::default()
            };
            Config::from_kubeconfig(&options).await.map_err(anyhow::Error::new)
        }
    };
    let mut config = config.context("could not read the kubeconfig")?;
    config.default_retry = false;
    config.read_timeout = Some(DEADLINE);
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).context("could not use the kubeconfig")?;
    Ok((client, namespace))
}

/// A client and the namespace that the arguments name.
///
/// # Errors
///
/// As [`client`].
pub async fn reach(args: &ClusterArgs) -> Result<(Client, String)> {
    let (client, namespace) = client(args.context.as_deref()).await?;
    Ok((client, args.namespace.clone().unwrap_or(namespace)))
}

/// What the API server said to a call about `what`, as `Account web/acme`.
pub fn failed(error: kube::Error, what: &str) -> anyhow::Error {
    match &error {
        kube::Error::Api(status) if status.code == 404 => anyhow!(
            "the cluster has no {what}\n  hint: name its namespace with -n, and the cluster with \
             --context"
        ),
        kube::Error::Api(status) if status.code == 403 => anyhow!(
            "you may not do this with {what}: {}\n  hint: ask who runs the cluster for the right to \
             `get` and `patch` it",
            status.message
        ),
        _ => anyhow::Error::new(error).context(format!("could not reach {what}")),
    }
}
