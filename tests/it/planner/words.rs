//! A line of words: `ana@example.com developer added=2026-01-02 trimmed`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use seatkeeper::domain::identity::{EmailAddress, MemberKey};

/// The words of one line. Every word must be asked for: [`Words::end`] finds the rest.
pub struct Words {
    line: String,
    plain: Vec<String>,
    named: BTreeMap<String, String>,
}

impl Words {
    /// Splits a line.
    pub fn of(line: &str) -> Self {
        let (mut plain, mut named) = (Vec::new(), BTreeMap::new());
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) => {
                    named.insert(name.to_owned(), value.to_owned());
                }
                None => plain.push(word.to_owned()),
            }
        }
        Self { line: line.to_owned(), plain, named }
    }

    /// The next plain word.
    pub fn next(&mut self) -> String {
        assert!(!self.plain.is_empty(), "a word is missing in {:?}", self.line);
        self.plain.remove(0)
    }

    /// The next plain word, an address.
    pub fn person(&mut self) -> MemberKey {
        person(&self.next())
    }

    /// True if the plain word is there.
    pub fn flag(&mut self, word: &str) -> bool {
        let at = self.plain.iter().position(|plain| plain == word);
        at.map(|at| self.plain.remove(at)).is_some()
    }

    /// The value of `name=value`.
    pub fn named(&mut self, name: &str) -> Option<String> {
        self.named.remove(name)
    }

    /// A time of `name=2026-01-02` or `name=2026-01-02T03:04:05Z`.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.named(name).map(|text| time(&text))
    }

    /// A number of `name=7`.
    pub fn number(&mut self, name: &str) -> Option<i64> {
        self.named(name).map(|text| text.parse().unwrap())
    }

    /// Nothing may be left.
    pub fn end(self) {
        assert!(self.plain.is_empty(), "what is {:?} in {:?}?", self.plain, self.line);
        assert!(self.named.is_empty(), "what is {:?} in {:?}?", self.named, self.line);
    }
}

/// An address.
pub fn person(text: &str) -> MemberKey {
    EmailAddress::parse(text).unwrap_or_else(|error| panic!("{text} {error}")).into()
}

/// A day or a time.
pub fn time(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
