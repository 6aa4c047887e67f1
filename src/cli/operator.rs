//! `seatkeeper operator`: the Kubernetes operator.

use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use kube::Config;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::args::OperatorArgs;
use crate::cli::{Exit, Io, signals};
use crate::controller::{self, Settings};

/// Runs the operator until it is told to stop. The cluster is the one of KUBECONFIG, or the one
/// that the process runs in.
///
/// # Errors
///
/// When it cannot start, or a part of it ended that must not.
pub async fn operator(args: &OperatorArgs, io: &mut Io<'_>) -> Result<Exit> {
    let cluster = Config::infer().await.context("could not find out about the cluster")?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("could not listen on {}", args.listen))?;
    let address = listener.local_addr().context("could not listen")?;
    writeln!(io.err, "probes and figures at http://{address}")?;
    if let Some(path) = &args.address_file {
        fs::write(path, format!("http://{address}\n"))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    let stop = CancellationToken::new();
    let settings = Settings {
        cluster,
        namespace: args.namespace.clone(),
        listener,
        at_one_time: args.concurrency.into(),
        now: Arc::clone(&io.now),
    };
    let running = controller::run(settings, stop.clone());
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
