//! The words of conditions: the committed page, and that each is shown by a test.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use seatkeeper::controller;
use seatkeeper::domain::reason::Reason;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_page_is_that_of_the_reasons() {
    let committed = fs::read_to_string(root().join("docs/conditions.md")).unwrap_or_default();
    assert!(committed == controller::page(), "not what the reasons say; run `make conditions`");
}

#[test]
fn whatever_waits_for_a_person_says_what_to_do() {
    let page = controller::page();
    let rows =
        page.lines().filter(|line| line.contains("| yes |") || line.contains("| if final |"));
    let silent: Vec<_> = rows.filter(|line| !line.contains("; ")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// Every word in the files under a folder; of sources outside `tests` only what follows the tests' mark.
fn words(folder: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::words(&path, words);
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let tested = match path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
        {
            true => &*text,
            false => text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests),
        };
        let split = tested.split(|c: char| !c.is_ascii_alphanumeric());
        words.extend(split.filter(|word| word.len() > 3).map(str::to_owned));
    }
}

#[test]
fn every_reason_is_one_that_some_test_comes_to() {
    let mut tested = BTreeSet::new();
    words(&root().join("tests"), &mut tested);
    words(&root().join("src"), &mut tested);
    let untested: Vec<_> =
        Reason::ALL.iter().filter(|reason| !tested.contains(reason.as_str())).collect();
    assert!(untested.is_empty(), "{untested:?}: no test shows them, so perhaps they cannot come");
}
