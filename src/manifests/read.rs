//! Reads manifests from files, as `kubectl -f` does. The only file here with I/O.

use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use crate::manifests::accounts::Objects;
use crate::manifests::documents::Collector;
use crate::yaml::Problem;

/// Endings of files that are read from a folder, as in kubectl.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// What the files say.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The objects, schema defaults filled in. With problems, only those that are in order:
    /// nothing may be planned from them.
    pub objects: Objects,
    /// What was left out, for people.
    pub notes: Vec<String>,
    /// Everything that is wrong, in order of file and line.
    pub problems: Vec<Problem>,
}

/// Reads files and folders.
///
/// A folder gives its files that end in `.yaml`, `.yml` or `.json`, in order of name; folders in it
/// are not opened. `-` is the standard input.
#[must_use]
pub fn read(paths: &[PathBuf]) -> Files {
    let mut collector = Collector::new();
    for path in paths {
        read_path(path, &mut collector);
    }
    files(collector)
}

/// Reads texts that are no files yet, each under the name that it is to have.
#[must_use]
pub fn parse(texts: &[(String, String)]) -> Files {
    let mut collector = Collector::new();
    for (name, text) in texts {
        collector.file(name, text);
    }
    files(collector)
}

fn files(collector: Collector) -> Files {
    let Collector { objects, notes, mut problems, .. } = collector;
    problems.sort();
    problems.dedup();
    Files { objects, notes, problems }
}

/// Reads a file, a folder or the standard input.
fn read_path(path: &Path, collector: &mut Collector) {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        match io::stdin().read_to_string(&mut text) {
            Ok(_) => collector.file("-", &text),
            Err(error) => collector.problems.push(unreadable(path, &error)),
        }
    } else if path.is_dir() {
        match folder(path) {
            Ok(files) if files.is_empty() => collector.problems.push(Problem {
                file: path.display().to_string(),
                position: None,
                field: String::new(),
                message: "the folder holds no manifests".to_owned(),
                hint: "name a folder with files that end in .yaml, .yml or .json".to_owned(),
            }),
            Ok(files) => files.iter().for_each(|file| read_file(file, collector)),
            Err(error) => collector.problems.push(unreadable(path, &error)),
        }
    } else {
        read_file(path, collector);
    }
}

/// Files of a folder that are manifests, in order of name.
fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let ending = file.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one file.
fn read_file(path: &Path, collector: &mut Collector) {
    match fs::read_to_string(path) {
        Ok(text) => collector.file(&path.display().to_string(), &text),
        Err(error) => collector.problems.push(unreadable(path, &error)),
    }
}

/// A file that cannot be read.
fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let hint = match error.kind() {
        io::ErrorKind::InvalidData => "save the file as UTF-8",
        io::ErrorKind::NotFound => "check the path after -f",
        _ => "check the path after -f and who may read it",
    };
    Problem {
        file: path.display().to_string(),
        position: None,
        field: String::new(),
        message: format!("cannot be read: {error}"),
        hint: hint.to_owned(),
    }
}
