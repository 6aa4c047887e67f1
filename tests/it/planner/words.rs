//! A line of words: `ana@example.com developer added=2026-01-02 trimmed`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use seatkeeper::domain::identity::{EmailAddress, MemberKey, TeamKey};
use seatkeeper::domain::keys::{TeamId, TeamRef};

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

/// An address, or `ana@example.com/core`: the person in the team that is declared as `web/core`.
pub fn person(text: &str) -> MemberKey {
    let (address, team) = text.split_once('/').map_or((text, None), |(a, t)| (a, Some(t)));
    let person = EmailAddress::parse(address).unwrap_or_else(|error| panic!("{text} {error}"));
    MemberKey { person, team: team.map(|name| TeamKey::Declared(team_ref(name))) }
}

/// The reference of the team that is declared under a name.
pub fn team_ref(name: &str) -> TeamRef {
    TeamRef(format!("web/{name}"))
}

/// The same at the service: `ana@example.com/core` is in team `team_core`.
pub fn at_service(key: MemberKey) -> MemberKey {
    let id = |reference: &str| TeamId(reference.replace("web/", "team_"));
    let team = key.team.map(|team| TeamKey::Known(id(team.as_str())));
    MemberKey { person: key.person, team }
}

/// A key as the cases write it.
pub fn key_text(key: &MemberKey) -> String {
    match &key.team {
        None => key.to_string(),
        Some(TeamKey::Known(id)) => format!("{key}/{}", id.as_str().trim_start_matches("team_")),
        Some(TeamKey::Declared(name)) => {
            format!("{key}/{} (not there)", name.as_str().trim_start_matches("web/"))
        }
    }
}

/// A day or a time.
pub fn time(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
