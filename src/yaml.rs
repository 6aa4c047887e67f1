//! Reading YAML with file, line and duplicates; writing it so that every reader agrees.
//!
//! The only place that names a YAML crate.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Where something stands in a file; both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// Something wrong with what a person wrote. All are reported at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File as it was named, or the object (`Team web/core`) where there is no file.
    pub file: String,
    /// Where in the file.
    pub position: Option<Position>,
    /// Field, as `spec.roster[3].email`; empty for the document as a whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl fmt::Display for Problem {
    /// `file:line:column: field: message`, then the hint on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}\n  hint: {}", self.message, self.hint)
    }
}

/// One document of a YAML file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// File as it was named.
    pub file: String,
    /// The content.
    pub value: Value,
    /// Position of every value (of a mapping entry: of its key) by JSON pointer (RFC 6901).
    pub positions: BTreeMap<String, Position>,
}
