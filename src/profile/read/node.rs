//! A node of the file and the ways to read it; what does not fit is noted and reading goes on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::profile::words::Word;
use crate::yaml;
use crate::yaml::{Document, Problem};

/// One node of the file.
#[derive(Clone)]
pub struct Node<'doc> {
    document: &'doc Document,
    pointer: String,
    value: &'doc Value,
}

/// What is wrong so far.
pub type Problems = Vec<Problem>;

impl<'doc> Node<'doc> {
    /// The document as a whole.
    pub fn root(document: &'doc Document) -> Self {
        Self { document, pointer: String::new(), value: &document.value }
    }

    /// A problem with this node.
    pub fn problem(&self, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        self.document.problem(&self.pointer, message, hint)
    }

    /// A problem with the node at a path of keys below this one, which need not exist.
    pub fn problem_below(
        &self,
        path: &[&str],
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        let pointer =
            path.iter().fold(self.pointer.clone(), |pointer, key| yaml::child(&pointer, key));
        self.document.problem(&pointer, message, hint)
    }

    /// The entry `key` of this mapping.
    pub fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key)?;
        Some(Self { document: self.document, pointer: yaml::child(&self.pointer, key), value })
    }

    /// The entry `key` of this mapping, which must be there.
    pub fn need(&self, key: &str, problems: &mut Problems) -> Option<Self> {
        let entry = self.get(key);
        if entry.is_none() && self.value.is_object() {
            let pointer = yaml::child(&self.pointer, key);
            problems.push(self.document.problem(&pointer, "is missing", format!("add `{key}:`")));
        }
        entry
    }

    /// The entries of this mapping in the order of the file.
    pub fn entries(&self, problems: &mut Problems) -> Vec<(&'doc str, Self)> {
        if !self.value.is_object() {
            problems
                .push(self.problem("must be a mapping", "write `{key: value}`, or a line each"));
        }
        let keys = self.document.keys(&self.pointer);
        keys.into_iter().filter_map(|key| Some((key, self.get(key)?))).collect()
    }

    /// Checks that this is a mapping with no other keys than `known`.
    pub fn only(&self, known: &[&str], problems: &mut Problems) {
        for (key, entry) in self.entries(problems) {
            if !known.contains(&key) {
                problems.push(entry.problem(format!("unknown key `{key}`"), suggest(key, known)));
            }
        }
    }

    /// The items of this list.
    pub fn items(&self, problems: &mut Problems) -> Vec<Self> {
        let Some(items) = self.value.as_array() else {
            problems.push(self.problem("must be a list", "write `[one, two]`"));
            return Vec::new();
        };
        let item = |(index, value)| Self {
            document: self.document,
            pointer: format!("{}/{index}", self.pointer),
            value,
        };
        items.iter().enumerate().map(item).collect()
    }

    /// This text, of at least one character.
    pub fn text(&self, problems: &mut Problems) -> Option<&'doc str> {
        let text = self.value.as_str().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            problems.push(
                self.problem("must be a text", "write one, in quotes if it looks like a number"),
            );
        }
        text
    }

    /// This text, if it says one of the `known` names; `what` is how one of them is called.
    pub fn known(
        &self,
        what: &str,
        known: &[&'doc str],
        problems: &mut Problems,
    ) -> Option<&'doc str> {
        let text = self.text(problems)?;
        self.check_known(text, what, known, problems).then_some(text)
    }

    /// The items of this list that say one of the `known` names.
    pub fn known_items(
        &self,
        what: &str,
        known: &[&'doc str],
        problems: &mut Problems,
    ) -> Vec<&'doc str> {
        let items = self.items(problems).into_iter();
        items.filter_map(|item| item.known(what, known, problems)).collect()
    }

    /// True if `name`, which stands here, is one of the `known`.
    pub fn check_known(
        &self,
        name: &str,
        what: &str,
        known: &[&str],
        problems: &mut Problems,
    ) -> bool {
        let found = known.contains(&name);
        if !found {
            problems
                .push(self.problem(format!("there is no {what} `{name}`"), suggest(name, known)));
        }
        found
    }

    /// This setting of a knob.
    pub fn word<W: Word>(&self, problems: &mut Problems) -> Option<W> {
        let known: Vec<&str> = W::ALL.iter().map(|(word, _)| *word).collect();
        let Some(text) = self.value.as_str() else {
            let hint = format!("write one of: {}", known.join(", "));
            problems.push(self.problem("must be a word", hint));
            return None;
        };
        let setting = W::from_word(text);
        if setting.is_none() {
            problems.push(self.problem(format!("unknown word `{text}`"), suggest(text, &known)));
        }
        setting
    }

    /// This setting of a knob that is said with the entry `key`, which must be there.
    pub fn need_word<W: Word>(&self, key: &str, problems: &mut Problems) -> Option<W> {
        self.need(key, problems)?.word(problems)
    }

    /// The settings in this list.
    pub fn words<W: Word + Ord>(&self, problems: &mut Problems) -> BTreeSet<W> {
        self.items(problems).iter().filter_map(|item| item.word(problems)).collect()
    }

    /// The entry `key`, `true` or `false`; `default` if it is not there.
    pub fn flag(&self, key: &str, default: bool, problems: &mut Problems) -> bool {
        let Some(entry) = self.get(key) else { return default };
        if entry.value.as_bool().is_none() {
            problems.push(entry.problem("must be `true` or `false`", "write `true` or `false`"));
        }
        entry.value.as_bool().unwrap_or(default)
    }

    /// This whole number.
    pub fn number(&self, least: u64, most: u64, problems: &mut Problems) -> Option<u64> {
        let number = self.value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = format!("must be a whole number from {least} to {most}");
            problems.push(self.problem(message, "correct the number"));
        }
        number
    }

    /// True if this is the word `word`.
    pub fn is(&self, word: &str) -> bool {
        self.value.as_str() == Some(word)
    }

    /// True if this is the whole number `number`.
    pub fn is_number_of(&self, number: u64) -> bool {
        self.value.as_u64() == Some(number)
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&'doc str> {
        self.value.as_str()
    }

    /// True if this is a number.
    pub fn is_number(&self) -> bool {
        self.value.is_number()
    }
}

/// The nearest of the known words, or all of them.
fn suggest(word: &str, known: &[&str]) -> String {
    match yaml::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none is declared".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}
