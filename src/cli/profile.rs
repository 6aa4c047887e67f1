//! `seatkeeper profile check`: reads a profile as the program does, and says what it says.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cli::{Exit, Io};
use crate::profile;

/// Checks a file, or a built-in profile by name.
///
/// # Errors
///
/// When the file cannot be read, or stdout not be written.
pub fn check(name: &str, io: &mut Io<'_>) -> Result<Exit> {
    let checked = match profile::check_built_in(name) {
        Some(checked) => checked,
        None => {
            let text = fs::read_to_string(name).with_context(|| {
                let known = profile::built_in_names().join(", ");
                format!("could not read {name}, and no built-in profile has that name ({known})")
            })?;
            profile::check(name, &text)
        }
    };
    let (problems, summary) = checked;
    for problem in &problems {
        writeln!(io.err, "{problem}")?;
    }
    if !problems.is_empty() {
        writeln!(io.err, "{} problems", problems.len())?;
        return Ok(Exit::Error);
    }
    write!(io.out, "{summary}")?;
    Ok(Exit::Done)
}
