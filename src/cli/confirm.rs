//! Asks a person before something that nobody should do by accident.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Result, anyhow};

use crate::cli::Io;

/// Asks a question that only `yes` answers; `hint` says how to do without.
///
/// # Errors
///
/// Nobody is there to answer.
pub fn confirmed(io: &mut Io<'_>, question: &str, hint: &str) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(anyhow!("nobody is there to confirm it\n  hint: {hint}"));
    }
    write!(io.err, "{question} Only `yes` does: ")?;
    io.err.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
