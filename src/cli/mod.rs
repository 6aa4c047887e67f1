//! The command line: one file per subcommand. Data on stdout, talk on stderr.

pub mod args;
pub mod crds;
pub mod profile;
pub mod render;

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;

pub use args::Cli;
use args::{Command, ProfileCommand};

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
    match dispatch(cli.command, &mut io).await {
        Ok(exit) => exit,
        Err(error) => {
            let _ = writeln!(io.err, "error: {error:#}");
            Exit::Error
        }
    }
}

async fn dispatch(command: Command, io: &mut Io<'_>) -> anyhow::Result<Exit> {
    match command {
        Command::Crds(args) => crds::crds(&args, io),
        Command::Profile(ProfileCommand::Check { profile }) => profile::check(&profile, io),
        Command::Version => {
            writeln!(io.out, "seatkeeper {}", env!("CARGO_PKG_VERSION"))?;
            Ok(Exit::Done)
        }
        Command::Plan(_)
        | Command::Apply(_)
        | Command::Status(_)
        | Command::Operator(_)
        | Command::Server(_) => anyhow::bail!("not built yet"),
    }
}
