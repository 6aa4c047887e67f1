//! `seatkeeper conditions`: the words of conditions and events, printed or written to a file.

use anyhow::Result;

use crate::cli::args::PageArgs;
use crate::cli::{Exit, Io, write_page};
use crate::controller;

/// Prints the page as Markdown, or writes it.
///
/// # Errors
///
/// When a file or stdout cannot be written.
pub fn conditions(args: &PageArgs, io: &mut Io<'_>) -> Result<Exit> {
    write_page(args, &controller::page(), io)
}
