//! The command line: one file per subcommand. Data on stdout, talk on stderr.

pub mod args;
pub mod crds;
pub mod profile;
pub mod render;

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;

pub use args::Cli;

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
