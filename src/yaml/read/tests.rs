//! Reading: positions, problems, bounds.

use serde_json::json;

use super::{MAX_BYTES, read};
use crate::yaml::{Document, Position};

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
    let document = one("roles:\n  no: {on: y}\n  off: [no, yes, \"true\", true, !!str 1, 'no']\n");
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
    let text = "a: 1\nb:\n  c: 1\n  d: 012\n  c: 2\n<<: {x: 1}\na: {a: 1, a: 2}\n? [1]\n: 2\n: 3\n";
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
