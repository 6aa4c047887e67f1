//! `seatkeeper openapi`: the contract of the account API, printed or written to a file.

use anyhow::Result;

use crate::cli::args::PageArgs;
use crate::cli::{Exit, Io, write_page};
use crate::server;

/// Prints the document as JSON, or writes it.
///
/// # Errors
///
/// When a file or stdout cannot be written.
pub fn openapi(args: &PageArgs, io: &mut Io<'_>) -> Result<Exit> {
    write_page(args, &format!("{:#}\n", server::openapi()), io)
}
