//! Reading YAML with file, line and duplicates; writing it so that every reader agrees.
//!
//! The only place that names a YAML crate.

mod read;
mod scalar;
mod write;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::yaml::read::read;
pub use crate::yaml::write::{WriteError, write};

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

impl Document {
    /// Where the node at `pointer` (RFC 6901) stands, or its nearest ancestor that stands anywhere.
    #[must_use]
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return Some(*position);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// A problem with the node at `pointer`, which need not exist (a field that is missing).
    #[must_use]
    pub fn problem(
        &self,
        pointer: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        Problem {
            file: self.file.clone(),
            position: self.position(pointer),
            field: self.field(pointer),
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The way people write `pointer`: `/spec/roster/3/email` is `spec.roster[3].email`.
    #[must_use]
    pub fn field(&self, pointer: &str) -> String {
        let mut field = String::new();
        let mut node = Some(&self.value);
        for step in pointer.split('/').skip(1).map(unescape) {
            let list = node.is_some_and(Value::is_array);
            push_step(&mut field, &step, if list { Step::Index } else { Step::Key });
            node = node.and_then(|node| match node {
                Value::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                Value::Object(entries) => entries.get(&step),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
            });
        }
        field
    }

    /// Keys of the mapping at `pointer` in the order of the file; none if there is no mapping.
    #[must_use]
    pub fn keys(&self, pointer: &str) -> Vec<&str> {
        let Some(entries) = self.value.pointer(pointer).and_then(Value::as_object) else {
            return Vec::new();
        };
        let mut keys: Vec<&str> = entries.keys().map(String::as_str).collect();
        keys.sort_by_key(|key| self.positions.get(&child(pointer, key)));
        keys
    }

    /// Reads the whole document as a `T`.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit, with its field and position.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_path_to_error::deserialize(&self.value).map_err(|error| {
            let mut pointer = String::new();
            for segment in error.path() {
                match segment {
                    serde_path_to_error::Segment::Map { key } => pointer = child(&pointer, key),
                    serde_path_to_error::Segment::Seq { index } => {
                        pointer = child(&pointer, &index.to_string());
                    }
                    serde_path_to_error::Segment::Enum { .. }
                    | serde_path_to_error::Segment::Unknown => (),
                }
            }
            let hint = "see `kubectl explain` or the documentation of this file for what fits here";
            self.problem(&pointer, error.inner().to_string(), hint)
        })
    }
}

/// The pointer of `key` below the node at `pointer`.
#[must_use]
pub fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The known word that `word` was probably meant to be.
///
/// Near means: at most one slip (a letter too many, missing, wrong or swapped) for every three
/// letters, and at least one.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&word, &known.to_lowercase()), known))
        .filter(|(slips, _)| *slips <= allowed)
        .min()
        .map(|(_, known)| known)
}

/// What a step of a path leads into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// An entry of a mapping.
    Key,
    /// An item of a list.
    Index,
}

/// Adds one step to a field as people write it.
fn push_step(field: &mut String, step: &str, kind: Step) {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if kind == Step::Index {
        *field += &format!("[{step}]");
    } else if step.is_empty() || !step.chars().all(plain) {
        *field += &format!("[{step:?}]");
    } else {
        if !field.is_empty() {
            field.push('.');
        }
        *field += step;
    }
}

/// One step of a JSON pointer as it is in the document. Source: RFC 6901, 4.
fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::nearest;
    use super::read;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Spec {
        roster: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Line {
        email: String,
        invite_epoch: i64,
    }

    fn decode(text: &str) -> String {
        let (documents, _) = read("a.yaml", text);
        match documents[0].decode::<Spec>() {
            Ok(spec) => {
                spec.roster.iter().map(|l| format!("{} {};", l.email, l.invite_epoch)).collect()
            }
            Err(problem) => problem.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn decoding_names_field_and_position() {
        assert_eq!(decode("roster: [{email: no, inviteEpoch: 2}]"), "no 2;");
        assert_eq!(
            decode("roster:\n- {email: a, inviteEpoch: 1}\n- {email: b, inviteEpoch: x}"),
            "a.yaml:3:14: roster[1].inviteEpoch: invalid type: string \"x\", expected i64"
        );
        assert_eq!(
            decode("roster:\n- {email: a, inviteEpoch: 1, rolle: x}"),
            "a.yaml:2:30: roster[0].rolle: unknown field `rolle`, expected `email` or `inviteEpoch`"
        );
        assert_eq!(
            decode("roster:\n- {email: a}"),
            "a.yaml:2:3: roster[0]: missing field `inviteEpoch`"
        );
    }

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let roles = ["owner", "admin", "developer", "biller"];
        assert_eq!(nearest("develoepr", roles), Some("developer"));
        assert_eq!(nearest("Admin", roles), Some("admin"));
        assert_eq!(nearest("bilers", roles), Some("biller"));
        assert_eq!(nearest("guest", roles), None);
        assert_eq!(nearest("", roles), None);
    }
}
