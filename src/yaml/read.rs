//! From text to documents: every problem at once, and nothing that can exhaust the machine.

use std::collections::BTreeMap;
use std::mem;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{
    ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag, options,
};

use crate::yaml::scalar::{Plain, read_plain};
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

    /// One node with everything below it.
    fn node(&mut self, event: Event<'text>, at: Marker, depth: usize) -> Result<Value, Stop> {
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels deep");
            return Err(Stop::Document(self.problem(at, message, "nothing needs such a depth")));
        }
        let pointer = self.pointer.clone();
        self.positions.entry(pointer.clone()).or_insert_with(|| position(at));
        self.spend(at, pointer.len())?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(at, text.len())?;
                (anchor, self.scalar(&text, style, tag.as_deref(), at))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", at);
                (anchor, Value::Array(self.list(depth)?))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", at);
                (anchor, Value::Object(self.mapping(depth)?))
            }
            Event::Alias(id) => return self.alias(id, at),
            Event::UnresolvedAlias(name) => {
                let message = format!("`*{name}` stands for nothing");
                self.add(at, message, format!("define it before with `&{name}`, or quote it"));
                return Ok(Value::Null);
            }
            other => {
                let message = format!("a value was expected here, not {other:?}");
                return Err(Stop::Document(self.problem(at, message, "check the indentation")));
            }
        };
        if anchor != 0 {
            self.spend(at, cost(&value, 0))?;
            self.anchors.insert(anchor, Anchored { pointer, value: value.clone() });
        }
        Ok(value)
    }

    /// The items of a list up to its end.
    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next_inside()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            self.enter(Step::Index, items.len().to_string());
            let item = self.node(event, at, depth + 1)?;
            self.leave();
            items.push(item);
        }
    }

    /// The entries of a mapping up to its end.
    fn mapping(&mut self, depth: usize) -> Result<Map<String, Value>, Stop> {
        let mut entries = Map::new();
        loop {
            let (event, at) = self.next_inside()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.key(event, at, depth)?;
            let (event, value_at) = self.next_inside()?;
            let Some(key) = key else {
                self.enter(Step::Key, "?".to_owned());
                self.node(event, value_at, depth + 1)?;
                self.leave();
                continue;
            };
            self.enter(Step::Key, key.clone());
            let first = self.positions.get(&self.pointer).copied();
            if let Some(first) = first {
                let message = format!("the key `{key}` is already at line {}", first.line);
                self.add(at, message, "keep one of the two");
                self.leave();
                self.pointer = child(&self.pointer, &format!("{key}#{}", at.line()));
                self.path.push((Step::Key, key.clone()));
            } else {
                self.positions.insert(self.pointer.clone(), position(at));
            }
            let value = self.node(event, value_at, depth + 1)?;
            self.leave();
            if first.is_none() {
                entries.insert(key, value);
            }
        }
    }

    /// The key of an entry; `None` (with a problem) if it is none that JSON can have.
    fn key(
        &mut self,
        event: Event<'text>,
        at: Marker,
        depth: usize,
    ) -> Result<Option<String>, Stop> {
        let Event::Scalar(text, style, ..) = event else {
            self.enter(Step::Key, "?".to_owned());
            self.node(event, at, depth + 1)?;
            self.leave();
            self.add(
                at,
                "a key must be a word".to_owned(),
                "write the key out, in quotes if needed",
            );
            return Ok(None);
        };
        let plain = style == ScalarStyle::Plain;
        let (message, hint) = if plain && (text.is_empty() || text == "~") {
            ("a key is missing before the colon".to_owned(), "write a key, or remove the line")
        } else if plain && text == "<<" {
            ("merge keys (`<<`) are not read".to_owned(), "write the entries out")
        } else if text.len() > MAX_KEY {
            (format!("a key is longer than {MAX_KEY} bytes"), "shorten it")
        } else {
            return Ok(Some(text.into_owned()));
        };
        self.add(at, message, hint);
        Ok(None)
    }

    /// The value of a scalar.
    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Marker) -> Value {
        let as_text = match tag {
            None => style != ScalarStyle::Plain,
            Some(tag) if is_tag(tag, "str") => true,
            Some(tag) => {
                self.refuse_tag(tag, at);
                true
            }
        };
        if as_text {
            return Value::String(text.to_owned());
        }
        match read_plain(text) {
            Plain::Value(value) => value,
            Plain::Doubtful { message, hint } => {
                self.add(at, message, hint);
                Value::String(text.to_owned())
            }
        }
    }

    /// A copy of an anchored node, with the positions of the original.
    fn alias(&mut self, id: usize, at: Marker) -> Result<Value, Stop> {
        let Some(anchored) = self.anchors.get(&id) else {
            let message = "the alias stands for a node that it is part of".to_owned();
            return Err(Stop::Document(self.problem(at, message, "write the value out")));
        };
        let copies = cost(&anchored.value, self.pointer.len());
        let (from, value) = (format!("{}/", anchored.pointer), anchored.value.clone());
        self.spend(at, copies)?;
        let inside: Vec<(String, Position)> = self
            .positions
            .range(from.clone()..)
            .take_while(|(pointer, _)| pointer.starts_with(&from))
            .map(|(p, position)| (format!("{}/{}", self.pointer, &p[from.len()..]), *position))
            .collect();
        self.positions.extend(inside);
        Ok(value)
    }

    /// Refuses a tag on a list or mapping unless it says what the node is anyway.
    fn check_tag(&mut self, tag: Option<&Tag>, own: &str, at: Marker) {
        if let Some(tag) = tag.filter(|tag| !is_tag(tag, own)) {
            self.refuse_tag(tag, at);
        }
    }

    /// Reports a tag that has no meaning here.
    fn refuse_tag(&mut self, tag: &Tag, at: Marker) {
        let message = format!("the tag `{}` has no meaning here", tag.original());
        self.add(at, message, "remove the tag");
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

/// True if `tag` is the tag `name` of the core schema, or the `!` that says: take it as it is.
fn is_tag(tag: &Tag, name: &str) -> bool {
    tag.is_yaml_core_schema_tag(name) || tag.original() == "!"
}

/// What a copy of `value` costs whose pointers are `base` bytes longer than its own.
fn cost(value: &Value, base: usize) -> usize {
    let below = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| cost(item, base + 8)).sum(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| 2 * key.len() + cost(value, base + key.len())).sum()
        }
    };
    NODE_COST + base + below
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::MAX_BYTES;
    use super::read;
    use crate::yaml::Document;
    use crate::yaml::Position;

    fn one(text: &str) -> Document {
        let (mut documents, problems) = read("a.yaml", text);
        assert_eq!(problems, []);
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    fn problems(text: &str) -> String {
        let (_, problems) = read("a.yaml", text);
        problems.iter().map(|problem| format!("{problem}\n")).collect()
    }

    fn at(line: u64, column: u64) -> Option<Position> {
        Some(Position { line, column })
    }

    #[test]
    fn every_node_has_its_position_and_empty_documents_are_left_out() {
        let text = "# head\n---\n---\nspec:\n  roster:\n    - {email: a, role: no}\n    - email: b\n---\n~\n---\n[1]\n";
        let (documents, problems) = read("a.yaml", text);
        assert_eq!(problems, []);
        assert_eq!(documents.len(), 2);
        let value = json!({"spec": {"roster": [{"email": "a", "role": "no"}, {"email": "b"}]}});
        assert_eq!(documents[0].value, value);
        assert_eq!(documents[0].position("/spec"), at(4, 1));
        assert_eq!(documents[0].position("/spec/roster/0"), at(6, 7));
        assert_eq!(documents[0].position("/spec/roster/0/role"), at(6, 18));
        assert_eq!(documents[0].position("/spec/roster/1/email"), at(7, 7));
        assert_eq!(documents[0].position("/spec/roster/1/role/x"), at(7, 7));
        assert_eq!(documents[1].value, json!([1]));
        assert_eq!(documents[1].position(""), at(11, 1));
    }

    #[test]
    fn a_role_called_no_stays_a_word() {
        let document =
            one("roles:\n  no: {on: y}\n  off: [no, yes, \"true\", true, !!str 1, 'no']\n");
        let value =
            json!({"roles": {"no": {"on": "y"}, "off": ["no", "yes", "true", true, "1", "no"]}});
        assert_eq!(document.value, value);
        assert_eq!(document.keys("/roles"), ["no", "off"]);
    }

    #[test]
    fn keys_come_in_the_order_of_the_file() {
        let document = one("b: 1\na: {z: 1, y: 2, 'x/~': 3}\n");
        assert_eq!(document.keys(""), ["b", "a"]);
        assert_eq!(document.keys("/a"), ["z", "y", "x/~"]);
        assert_eq!(document.keys("/b"), [""; 0]);
        assert_eq!(document.field("/a/x~1~0"), r#"a["x/~"]"#);
        assert_eq!(document.position("/a/x~1~0"), at(2, 17));
    }

    #[test]
    fn duplicate_keys_name_both_lines_and_do_not_hide_other_problems() {
        let text =
            "a: 1\nb:\n  c: 1\n  d: 012\n  c: 2\n<<: {x: 1}\na: {a: 1, a: 2}\n? [1]\n: 2\n: 3\n";
        assert_eq!(
            problems(text),
            "a.yaml:4:6: b.d: `012` begins with 0: some readers take it as octal\n  \
             hint: put it in quotes if it is text, or leave the 0 out\n\
             a.yaml:5:3: b.c: the key `c` is already at line 3\n  hint: keep one of the two\n\
             a.yaml:6:1: merge keys (`<<`) are not read\n  hint: write the entries out\n\
             a.yaml:7:1: a: the key `a` is already at line 1\n  hint: keep one of the two\n\
             a.yaml:7:11: a.a: the key `a` is already at line 7\n  hint: keep one of the two\n\
             a.yaml:8:3: a key must be a word\n  hint: write the key out, in quotes if needed\n\
             a.yaml:10:1: a key is missing before the colon\n  hint: write a key, or remove the line\n"
        );
        let (documents, _) = read("a.yaml", text);
        assert_eq!(documents[0].value, json!({"a": 1, "b": {"c": 1, "d": "012"}}));
    }

    #[test]
    fn after_a_broken_document_the_next_is_read() {
        let text =
            "a: 1\n---\nb: [1, 2\n---\nc: 3\n---\nd: \"x\n---\ne:\n\tf: 1\n---\nf: @a\n---\ng: 7\n";
        let (documents, _) = read("a.yaml", text);
        let values: Vec<_> = documents.iter().map(|document| document.value.clone()).collect();
        assert_eq!(values, [json!({"a": 1}), json!({"c": 3}), json!({"g": 7})]);
        assert_eq!(documents[2].position("/g"), at(14, 1));
        assert_eq!(
            problems(text),
            "a.yaml:3:4: b: not valid YAML: unclosed bracket '['\n  \
             hint: close the bracket, or add the comma\n\
             a.yaml:8:1: not valid YAML: invalid indentation in multiline quoted scalar\n  \
             hint: close the quotes\n\
             a.yaml:10:2: not valid YAML: tabs disallowed within this context (block indentation)\n  \
             hint: indent with spaces, not tabs\n\
             a.yaml:12:4: not valid YAML: unexpected character: `@'\n  \
             hint: put the text in quotes\n"
        );
    }

    #[test]
    fn an_alias_repeats_a_node_with_its_positions() {
        let document = one("a: &x {k: [1]}\nb: *x\nc: [*x]\n");
        assert_eq!(document.value, json!({"a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}]}));
        assert_eq!(document.position("/b"), at(2, 1));
        assert_eq!(document.position("/b/k/0"), at(1, 12));
        assert_eq!(document.position("/c/0"), at(3, 5));
    }

    #[test]
    fn aliases_to_nothing_or_to_themselves_are_refused() {
        assert_eq!(
            problems("a: *nope\nb: &x [*x]\n"),
            "a.yaml:1:4: a: `*nope` stands for nothing\n  \
             hint: define it before with `&nope`, or quote it\n\
             a.yaml:2:8: b[0]: the alias stands for a node that it is part of\n  \
             hint: write the value out\n"
        );
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for i in 1..12 {
            let items = vec![format!("*a{}", i - 1); 9].join(", ");
            text += &format!("a{i}: &a{i} [{items}]\n");
        }
        let (documents, _) = read("a.yaml", &text);
        assert_eq!(documents, []);
        assert!(problems(&text).contains("too large, with what its aliases repeat"));
        let wide = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(1 << 10));
        assert!(problems(&wide).contains("too large, with what its aliases repeat"));
    }

    #[test]
    fn depth_and_size_have_bounds() {
        let deep = format!("{}{}\n---\na: 1\n", "[".repeat(70), "]".repeat(70));
        assert!(problems(&deep).starts_with("a.yaml:1:66: [0][0]"), "{}", problems(&deep));
        assert_eq!(read("a.yaml", &deep).0.len(), 1);
        let hostile = format!("{}\n---\na: 1\n", "[".repeat(100_000));
        assert!(
            problems(&hostile).contains("hint: nothing needs such a depth"),
            "{}",
            problems(&hostile)
        );
        let large = "a: 1 \n".repeat(MAX_BYTES / 6 + 1);
        assert!(problems(&large).starts_with("a.yaml: the file has 16777218 bytes"));
        let long = format!("{}: 1\n", "k".repeat(600));
        assert!(problems(&long).contains("a key is longer than 512 bytes"));
    }

    #[test]
    fn tags_other_than_those_of_text_are_refused() {
        assert_eq!(
            problems("a: !!binary aGk=\nb: !secret {c: 1}\n"),
            "a.yaml:1:13: a: the tag `!!binary` has no meaning here\n  hint: remove the tag\n\
             a.yaml:2:12: b: the tag `!secret` has no meaning here\n  hint: remove the tag\n"
        );
    }
}
