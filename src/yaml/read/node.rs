//! One node after the other: from the parser's events to values.

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Marker, ScalarStyle, Tag};

use crate::yaml::read::{Anchored, MAX_DEPTH, MAX_KEY, NODE_COST, Reader, Stop, position};
use crate::yaml::scalar::{Plain, read_plain};
use crate::yaml::{Position, Step, child};

impl<'text> Reader<'text> {
    /// One node with everything below it.
    pub(super) fn node(
        &mut self,
        event: Event<'text>,
        at: Marker,
        depth: usize,
    ) -> Result<Value, Stop> {
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
