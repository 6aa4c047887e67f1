//! The words of the mails in one language: a file, rendered strictly into lines of plain text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::server::mail::Template;
use crate::yaml;

/// English.
const ENGLISH: &str = include_str!("words/en.yaml");

/// A file of words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: String,
    /// How a day is written, as for `strftime`.
    day: String,
    copy: String,
    footer: String,
    mails: BTreeMap<String, Choice<Text>>,
}

/// One thing, or one for each value of a word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Choice<T> {
    By { by: String, cases: BTreeMap<String, T> },
    One(T),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    subject: String,
    body: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Paragraph(String),
    Button { button: String },
    List { each: String, by: String, cases: BTreeMap<String, String> },
}

/// A mail in words.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rendered {
    pub language: String,
    pub subject: String,
    pub blocks: Vec<Block>,
    /// What stands before the link that is written out.
    pub copy: String,
    pub footer: String,
}

/// A part of the body.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Block {
    Paragraph { text: String },
    List { items: Vec<String> },
    Button { text: String },
}

/// One language.
pub(super) struct Words {
    file: File,
    environment: Environment<'static>,
}

impl Words {
    /// The words that come with the program.
    pub fn english() -> Result<Self, Error> {
        Self::read("en.yaml", ENGLISH)
    }

    fn read(name: &str, text: &str) -> Result<Self, Error> {
        let (documents, mut problems) = yaml::read(name, text);
        let decoded = documents.first().map(|document| document.decode::<File>());
        let file = match decoded {
            Some(Ok(file)) if problems.is_empty() => file,
            Some(Ok(_)) | None => return Err(unreadable(&problems)),
            Some(Err(problem)) => {
                problems.push(problem);
                return Err(unreadable(&problems));
            }
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let format = file.day.clone();
        environment.add_filter("day", move |time: &str| day(&format, time));
        Ok(Self { file, environment })
    }

    /// Puts a mail into words. `words` come from people: they are cleaned, and never a template.
    pub fn render(&self, template: Template, words: &Value, host: &str) -> Result<Rendered, Error> {
        let words = cleaned(words);
        let mail = self.file.mails.get(template.name());
        let text = pick(mail.ok_or_else(|| missing(template.name()))?, &words)?;
        let render = |source: &str| self.environment.render_str(source, &words);
        let body = text.body.iter().map(|line| match line {
            Line::Paragraph(text) => Ok(Block::Paragraph { text: render(text)? }),
            Line::Button { button } => Ok(Block::Button { text: render(button)? }),
            Line::List { each, by, cases } => {
                let items = words.get(each).and_then(Value::as_array);
                let items = items.ok_or_else(|| missing(each))?.iter();
                let item = |item| self.environment.render_str(case(by, cases, item)?, item);
                Ok(Block::List { items: items.map(item).collect::<Result<_, Error>>()? })
            }
        });
        Ok(Rendered {
            language: self.file.language.clone(),
            subject: render(&text.subject)?,
            blocks: body.filter(|block| !is_empty(block)).collect::<Result<_, Error>>()?,
            copy: self.file.copy.clone(),
            footer: self.environment.render_str(
                &self.file.footer,
                [("host", host)].into_iter().collect::<BTreeMap<_, _>>(),
            )?,
        })
    }
}

fn is_empty(block: &Result<Block, Error>) -> bool {
    matches!(block, Ok(Block::Paragraph { text }) if text.is_empty())
}

/// A text of somebody, such that no mail program makes a link of it: what looks like an address is
/// broken by characters without width.
pub(super) fn unlinked(text: &str) -> String {
    let mut unlinked = String::with_capacity(text.len());
    for letter in text.chars() {
        unlinked.push(letter);
        if matches!(letter, '.' | ':' | '/' | '@') {
            unlinked.push('\u{200b}');
        }
    }
    unlinked
}

fn pick<'a, T>(choice: &'a Choice<T>, words: &Value) -> Result<&'a T, Error> {
    match choice {
        Choice::One(one) => Ok(one),
        Choice::By { by, cases } => case(by, cases, words),
    }
}

/// The case that the word `by` names.
fn case<'a, T>(by: &str, cases: &'a BTreeMap<String, T>, words: &Value) -> Result<&'a T, Error> {
    let value = match words.get(by) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(missing(by)),
    };
    cases.get(&value).ok_or_else(|| missing(&value))
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::UndefinedError, format!("the words of the mails have no `{name}`"))
}

fn unreadable(problems: &[yaml::Problem]) -> Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Error::new(ErrorKind::SyntaxError, format!("the words of the mails: {}", lines.join("\n")))
}

/// A day for people, in UTC.
fn day(format: &str, time: &str) -> Result<String, Error> {
    let wrong = |_| Error::new(ErrorKind::InvalidOperation, "a day of a mail is not a time");
    let time: Timestamp = time.parse().map_err(wrong)?;
    strtime::format(format, &time.to_zoned(TimeZone::UTC)).map_err(wrong)
}

/// Words without line breaks, other controls and changes of direction: none can end a line, or
/// make a line look like another.
fn cleaned(words: &Value) -> Value {
    match words {
        Value::String(text) => Value::String(one_line(text)),
        Value::Array(items) => Value::Array(items.iter().map(cleaned).collect()),
        Value::Object(entries) => Value::Object(
            entries.iter().map(|(name, word)| (name.clone(), cleaned(word))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => words.clone(),
    }
}

fn one_line(text: &str) -> String {
    // Line and paragraph separators; embeddings, overrides and isolates.
    let breaks = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let spaced: String = text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Choice, Line, Text, Words};
    use crate::server::mail::Template;

    /// Words that a template uses, and those that pick a case.
    fn used(words: &Words, text: &Text) -> BTreeSet<String> {
        let names = |source: &str| {
            let template = words.environment.template_from_str(source).unwrap();
            template.undeclared_variables(false)
        };
        let mut used: BTreeSet<String> = names(&text.subject).into_iter().collect();
        for line in &text.body {
            match line {
                Line::Paragraph(text) | Line::Button { button: text } => used.extend(names(text)),
                Line::List { each, .. } => used.extend([each.clone()]),
            }
        }
        used
    }

    fn texts(choice: &Choice<Text>) -> (Option<&str>, Vec<&Text>) {
        match choice {
            Choice::One(text) => (None, vec![text]),
            Choice::By { by, cases } => (Some(by), cases.values().collect()),
        }
    }

    #[test]
    fn every_mail_has_words_and_they_use_no_name_that_it_is_not_given() {
        let words = Words::english().unwrap();
        let named: BTreeSet<&str> = words.file.mails.keys().map(String::as_str).collect();
        assert_eq!(named, Template::ALL.iter().map(|template| template.name()).collect());
        for template in Template::ALL {
            let kind = template.kind();
            let (by, texts) = texts(&words.file.mails[kind.name]);
            let mut ever: BTreeSet<String> = by.map(str::to_owned).into_iter().collect();
            for text in texts {
                let buttons = text.body.iter().filter(|line| matches!(line, Line::Button { .. }));
                assert_eq!(buttons.count(), 1, "{}: one button", kind.name);
                ever.extend(used(&words, text));
            }
            let given: BTreeSet<String> = kind.words.iter().map(|&name| name.to_owned()).collect();
            let unknown: Vec<_> = ever.difference(&given).collect();
            assert!(unknown.is_empty(), "{} is never given {unknown:?}", kind.name);
            let idle: Vec<_> = given.difference(&ever).filter(|name| *name != "slug").collect();
            assert!(idle.is_empty(), "{} asks for {idle:?} and does not say it", kind.name);
        }
    }

    #[test]
    fn a_file_of_words_with_a_slip_is_refused_with_its_place() {
        let text = "language: en\nday: \"%d\"\ncopy: c\nfootr: f\nmails: {}\n";
        let error = Words::read("en.yaml", text).err().unwrap().to_string();
        assert!(error.contains("en.yaml:4:1") && error.contains("footr"), "{error}");
    }
}
