//! From text to documents: every problem at once, and nothing that can exhaust the machine.

mod node;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;

use serde_json::Value;
use serde_saphyr::granit_parser::{ErrorKind, Event, Marker, Parser, ScanError, StrInput, options};

use crate::yaml::{Document, Position, Problem, Step, child, push_step};

/// Longest file, in bytes: ten times a roster of 10 000 people.
const MAX_BYTES: usize = 16 << 20;
/// Deepest nesting; our own kinds need nine.
const MAX_DEPTH: usize = 64;
/// Longest key, in bytes: a label of Kubernetes has 317.
const MAX_KEY: usize = 512;
/// What all nodes of one file may cost together, copies made by aliases included: [`NODE_COST`]
/// and the length of its text and pointer for each. Three times what the longest file needs.
const MAX_COST: usize = 128 << 20;
/// Cost of a node whatever its text.
const NODE_COST: usize = 64;

/// Reads all documents of `text`. Empty documents are left out.
///
/// A document whose problems do not keep it from being read (a key twice, a number out of range) is
/// still given, with the first of two values, so that its other problems can be found too; nothing
/// may be done with it while there are problems. After a document that cannot be read at all the
/// next `---` goes on.
#[must_use]
pub fn read(file: &str, text: &str) -> (Vec<Document>, Vec<Problem>) {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        let hint = "split it into several files".to_owned();
        let (file, field) = (file.to_owned(), String::new());
        return (Vec::new(), vec![Problem { file, position: None, field, message, hint }]);
    }
    let mut reader = Reader::new(file, text);
    let documents = reader.documents();
    let mut problems = reader.problems;
    problems.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.cmp(b)));
    problems.dedup();
    (documents, problems)
}

/// Why a document cannot be read to its end.
enum Stop {
    /// The next document can be tried.
    Document(Problem),
    /// The rest of the file is not worth trying.
    File(Problem),
}

/// A node that an alias can repeat.
struct Anchored {
    /// Where it stands.
    pointer: String,
    /// Its content.
    value: Value,
}

/// The state of one reading.
struct Reader<'text> {
    file: String,
    parser: Parser<'text, StrInput<'text>>,
    problems: Vec<Problem>,
    cost: usize,
    positions: BTreeMap<String, Position>,
    anchors: BTreeMap<usize, Anchored>,
    path: Vec<(Step, String)>,
    pointer: String,
}

impl<'text> Reader<'text> {
    fn new(file: &str, text: &'text str) -> Self {
        let options = options! {
            emit_comments: false,
            emit_unresolved_aliases: true,
            simple_key_max_lookahead: 4 * MAX_KEY,
        };
        Self {
            file: file.to_owned(),
            parser: Parser::new_from_str_with_options(text, options),
            problems: Vec::new(),
            cost: 0,
            positions: BTreeMap::new(),
            anchors: BTreeMap::new(),
            path: Vec::new(),
            pointer: String::new(),
        }
    }

    /// All documents that can be read.
    fn documents(&mut self) -> Vec<Document> {
        let mut documents = Vec::new();
        loop {
            self.path.clear();
            self.pointer.clear();
            self.positions.clear();
            self.anchors.clear();
            match self.document() {
                Ok(None) => return documents,
                Ok(Some(Value::Null)) => (),
                Ok(Some(value)) => {
                    let positions = mem::take(&mut self.positions);
                    documents.push(Document { file: self.file.clone(), value, positions });
                }
                Err(Stop::Document(problem)) => {
                    self.problems.push(problem);
                    if !self.parser.proceed_next_document().unwrap_or(false) {
                        return documents;
                    }
                }
                Err(Stop::File(problem)) => {
                    self.problems.push(problem);
                    return documents;
                }
            }
        }
    }

    /// The next document; `None` at the end of the file.
    fn document(&mut self) -> Result<Option<Value>, Stop> {
        while let Some((event, start)) = self.next()? {
            match event {
                Event::StreamEnd => return Ok(None),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => (),
                node => return self.node(node, start, 0).map(Some),
            }
        }
        Ok(None)
    }

    /// The next event and where it starts.
    fn next(&mut self) -> Result<Option<(Event<'text>, Marker)>, Stop> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, span.start))),
            Some(Err(error)) => Err(Stop::Document(self.scan_problem(&error))),
        }
    }

    /// The next event inside a node: the file cannot end there.
    fn next_inside(&mut self) -> Result<(Event<'text>, Marker), Stop> {
        let end = || "the file ends in the middle of a node";
        let here = self.positions.get(&self.pointer).copied();
        self.next()?.ok_or_else(|| {
            Stop::File(Problem {
                file: self.file.clone(),
                position: here,
                field: self.field(),
                message: end().to_owned(),
                hint: "complete it".to_owned(),
            })
        })
    }

    /// Counts what a node costs.
    fn spend(&mut self, at: Marker, text: usize) -> Result<(), Stop> {
        self.cost = self.cost.saturating_add(text).saturating_add(NODE_COST);
        if self.cost <= MAX_COST {
            return Ok(());
        }
        let message = "the file is too large, with what its aliases repeat".to_owned();
        Err(Stop::File(self.problem(
            at,
            message,
            "use fewer aliases, or split it into several files",
        )))
    }

    fn enter(&mut self, step: Step, name: String) {
        self.pointer = child(&self.pointer, &name);
        self.path.push((step, name));
    }

    fn leave(&mut self) {
        self.path.pop();
        let end = self.pointer.rfind('/').unwrap_or(0);
        self.pointer.truncate(end);
    }

    /// The field that is being read.
    fn field(&self) -> String {
        let mut field = String::new();
        for (step, name) in &self.path {
            push_step(&mut field, name, *step);
        }
        field
    }

    fn add(&mut self, at: Marker, message: String, hint: impl Into<String>) {
        let problem = self.problem(at, message, hint);
        self.problems.push(problem);
    }

    fn problem(&self, at: Marker, message: String, hint: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            position: Some(position(at)),
            field: self.field(),
            message,
            hint: hint.into(),
        }
    }

    /// What the parser refuses.
    fn scan_problem(&self, error: &ScanError) -> Problem {
        let hint = match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation => "indent with spaces, not tabs",
            ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar => "close the quotes",
            ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::MismatchedFlowCollectionEnd { .. }
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator => "close the bracket, or add the comma",
            ErrorKind::UnexpectedCharacter { .. } => "put the text in quotes",
            ErrorKind::RecursionLimitExceeded => "nothing needs such a depth",
            _ => "check the indentation, the colons and the quotes of this line and the one before",
        };
        self.problem(*error.marker(), format!("not valid YAML: {}", error.info()), hint)
    }
}

/// A position of the parser as people count: both from 1.
fn position(at: Marker) -> Position {
    Position { line: at.line() as u64, column: at.col() as u64 + 1 }
}
