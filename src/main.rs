//! Process entry: arguments, clock, logs, exit code; no logic.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use seatkeeper::cli::{self, Cli, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let crypto = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    let now = Arc::new(jiff::Timestamp::now);
    let exit = match (crypto, runtime) {
        (Ok(()), Ok(runtime)) => {
            runtime.block_on(cli::run(cli, cli::Io { out: &mut out, err: &mut err, now }))
        }
        _ => Exit::Error,
    };
    ExitCode::from(exit.code())
}
