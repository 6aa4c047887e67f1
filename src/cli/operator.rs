//! `seatkeeper operator`: the Kubernetes loop.

use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cli::args::OperatorArgs;
use crate::cli::{Exit, Io, signals};
use crate::controller::{Clients, LeaseSettings, Settings, connect, run};

/// Runs the operator until it is told to stop, then lets what runs come to its end.
///
/// # Errors
///
/// When it cannot start, or a part of it ended that must not.
pub async fn operator(args: &OperatorArgs, io: &mut Io<'_>) -> Result<Exit> {
    let cluster = kube::Config::infer().await.context(
        "could not find a cluster: neither a kubeconfig (KUBECONFIG, ~/.kube/config) nor a pod's \
         ServiceAccount",
    )?;
    let clients = Clients::new(&cluster).context("could not make a client of the cluster")?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("could not listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    writeln!(io.err, "the operator answers at http://{address}/livez, /readyz and /metrics")?;
    if let Some(path) = &args.address_file {
        fs::write(path, format!("http://{address}\n"))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    let stop = CancellationToken::new();
    let now = Arc::clone(&io.now);
    let at_one_time = usize::from(args.concurrency);
    let namespace = args.namespace.clone();
    let classes = args.classes.iter().cloned().collect();
    let lease = LeaseSettings {
        namespace: args.lease_namespace.clone(),
        name: args.lease_name.clone(),
        holder: holder(&args.host),
        lasts: args.lease_duration,
    };
    let connect = Box::new(connect);
    let settings =
        Settings { clients, connect, namespace, classes, lease, listener, at_one_time, now };
    let running = run(settings, stop.clone());
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => ended?,
        signal = signals::stop() => {
            signal.context("could not wait for a signal")?;
            writeln!(io.err, "stopping")?;
            stop.cancel();
            running.await?;
        }
    }
    Ok(Exit::Done)
}

/// Who holds the Lease: the name of the pod, for people, and what no other process has.
fn holder(host: &str) -> String {
    format!("{host}_{}", Uuid::new_v4())
}
