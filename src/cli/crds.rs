//! `seatkeeper crds`: the custom resource definitions, printed or written one file each.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::api;
use crate::cli::args::CrdsArgs;
use crate::cli::{Exit, Io};
use crate::yaml;

/// Prints all definitions as one YAML stream, or writes them into a directory.
///
/// # Errors
///
/// When a file or stdout cannot be written.
pub fn crds(args: &CrdsArgs, io: &mut Io<'_>) -> Result<Exit> {
    for (name, crd) in api::crds() {
        let text = yaml::write(&crd).with_context(|| format!("could not write {name} as YAML"))?;
        match &args.output_dir {
            Some(directory) => write_file(&directory.join(name), &text)?,
            None => write!(io.out, "---\n{text}")?,
        }
    }
    Ok(Exit::Done)
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("could not make {}", directory.display()))?;
    }
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}
