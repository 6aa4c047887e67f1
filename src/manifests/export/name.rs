//! Names of objects, made of what things are called at the service.

use std::collections::BTreeSet;

/// Longest name that is made: a number and a word still fit behind it.
const MAX_CHARS: usize = 50;

/// A name that Kubernetes takes, made of any text; empty if nothing of it can be in one. Source: RFC
/// 1123, 2.1.
#[must_use]
pub fn object_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(plain).take(MAX_CHARS).collect();
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// Names of objects of one kind, none of them twice.
#[derive(Debug, Default)]
pub struct Taken(BTreeSet<String>);

impl Taken {
    /// A name made of `text`, or of `otherwise` where nothing of it can be in one.
    pub fn name(&mut self, text: &str, otherwise: &str) -> String {
        let made = [text, otherwise].map(object_name);
        let name = made.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "x".to_owned());
        let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| !self.0.contains(name)).unwrap_or(name);
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::{Taken, object_name};

    #[test]
    fn names_are_such_as_kubernetes_takes() {
        assert_eq!(object_name("Acme: Öfen & Co."), "acme-fen-co");
        assert_eq!(object_name("日本"), "");
        assert_eq!(object_name(&"a-".repeat(60)).len(), 49);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut taken = Taken::default();
        let names = ["Print", "print", "日本", "print-2"].map(|text| taken.name(text, "team_01J"));
        assert_eq!(names, ["print", "print-2", "team-01j", "print-2-2"]);
    }
}
