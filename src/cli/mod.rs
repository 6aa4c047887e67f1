//! The command line: one file per subcommand. Data on stdout, talk on stderr.

mod absent;
pub mod apply;
mod approve;
pub mod args;
mod claim;
mod clients;
mod cluster;
pub mod conditions;
mod confirm;
pub mod crds;
mod declarers;
mod domains;
pub mod import;
mod ladder;
pub mod ledgers;
pub mod mail;
pub mod openapi;
pub mod operator;
pub mod plan;
pub mod profile;
pub mod recipients;
mod rehearsal;
mod release;
pub mod render;
mod resend;
pub mod secrets;
pub mod server;
mod server_admin;
pub mod session;
mod signals;
mod summary;
mod teams;
mod unsure;
mod words;

use std::io::{IsTerminal as _, Write};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::apply::AUDIT_TARGET;
use crate::failpoint;
use crate::telemetry;

pub use args::Cli;
use args::{Command, PageArgs, ProfileCommand};

/// What a command may use besides its arguments.
pub struct Io<'a> {
    /// Data.
    pub out: &'a mut (dyn Write + Send),
    /// Talk: problems, progress, hints.
    pub err: &'a mut (dyn Write + Send),
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// How a command ended; the exit codes are part of the contract (README).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: an error; the hint says what to do.
    Error,
    /// 3: `plan` found changes. (2 is wrong usage, as clap says it.)
    Changes,
    /// 4: something waits for a person.
    Waits,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Changes => 3,
            Self::Waits => 4,
        }
    }
}

/// Runs one command. Every error is printed here, once, with its chain.
pub async fn run(cli: Cli, mut io: Io<'_>) -> Exit {
    let ended = match prepare(&cli) {
        Ok(()) => dispatch(cli.command, &mut io).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(exit) => exit,
        Err(error) => {
            let _ = writeln!(io.err, "error: {error:#}");
            Exit::Error
        }
    }
}

/// Starts logs; arms the failpoint of a kill test.
fn prepare(cli: &Cli) -> anyhow::Result<()> {
    let format = match cli.log_format {
        args::LogFormat::Text => telemetry::LogFormat::Text,
        args::LogFormat::Json => telemetry::LogFormat::Json,
    };
    let colour = std::io::stderr().is_terminal() && cli.no_color.is_none();
    let log = match cli.command {
        Command::Operator(_) => telemetry::always_with(&cli.log, AUDIT_TARGET),
        _ => cli.log.clone(),
    };
    telemetry::start_logs(&log, format, colour)?;
    if let Some(point) = &cli.failpoint {
        failpoint::arm(point)?;
    }
    Ok(())
}

async fn dispatch(command: Command, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    match command {
        Command::Crds(args) => crds::crds(&args, io),
        Command::Openapi(args) => openapi::openapi(&args, io),
        Command::Conditions(args) => conditions::conditions(&args, io),
        Command::Profile(ProfileCommand::Check { profile }) => profile::check(&profile, io),
        Command::Version => {
            writeln!(io.out, "seatkeeper {}", env!("CARGO_PKG_VERSION"))?;
            Ok(Exit::Done)
        }
        Command::Plan(args) => plan::plan(&args, io).await,
        Command::Apply(args) => apply::apply(&args, io).await,
        Command::Status(args) => plan::status(&args, io).await,
        Command::Claim(args) => claim::claim(&args, io).await,
        Command::Approve(args) => approve::approve(&args, io).await,
        Command::Resend(args) => resend::resend(&args, io).await,
        Command::Release(args) => release::release(&args, io).await,
        Command::Import(args) => import::import(&args, io).await,
        Command::Server(args) => server::server(&args, io).await,
        Command::Operator(args) => operator::operator(&args, io).await,
    }
}

/// Prints one text, or writes it into the file that the arguments name.
fn write_page(args: &PageArgs, text: &str, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("could not write {}", path.display()))?,
        None => write!(io.out, "{text}")?,
    }
    Ok(Exit::Done)
}
