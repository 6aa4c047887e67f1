//! `seatkeeper openapi`: the contract of the account API, printed or written to a file.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cli::args::OpenapiArgs;
use crate::cli::{Exit, Io};
use crate::server;

/// Prints the document as JSON, or writes it.
///
/// # Errors
///
/// When a file or stdout cannot be written.
pub fn openapi(args: &OpenapiArgs, io: &mut Io<'_>) -> Result<Exit> {
    let text = format!("{:#}\n", server::openapi());
    match &args.output {
        Some(path) => {
            fs::write(path, text).with_context(|| format!("could not write {}", path.display()))?
        }
        None => write!(io.out, "{text}")?,
    }
    Ok(Exit::Done)
}
