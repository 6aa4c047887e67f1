//! The planner's specification in cases: `tests/plan/<case>/{desired,observed,policy}.yaml`, where
//! needed `ledger.yaml`, and `expected.txt`: the plan as text, with the rules that decide it on top
//! (lines that begin with `#`, written by hand and left out of the comparison).
//!
//! On a difference the actual text is written next to the build output, never over the expected one.

use std::fs;
use std::path::PathBuf;

use super::planner::read::{Case, folders};
use super::planner::text;

/// The folder of all cases.
fn cases() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plan")
}

/// Plans one case; says what differs from what is written, if anything does.
fn difference(name: &str) -> Option<String> {
    let folder = cases().join(name);
    let actual = text::of(&Case::read(&folder).plan());
    let written = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
    let (rules, expected): (Vec<&str>, Vec<&str>) =
        written.lines().partition(|line| line.starts_with('#'));
    let reasoned = rules.iter().any(|line| line.contains(": "));
    if reasoned && actual.lines().eq(expected.iter().copied()) {
        return None;
    }
    let side = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plan");
    fs::create_dir_all(&side).unwrap();
    let side = side.join(format!("{name}.txt"));
    fs::write(&side, &actual).unwrap();
    let reason = if reasoned { "" } else { " (it must begin with the rules that decide it)" };
    let (expected, side) = (expected.join("\n"), side.display());
    Some(format!("{name}{reason}\n--- expected\n{expected}\n--- actual, in {side}\n{actual}"))
}

/// Asserts that cases plan as written.
fn check(names: &[&str]) {
    let wrong: Vec<String> = names.iter().filter_map(|name| difference(name)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_plans_as_written() {
    let names = folders(&cases());
    assert!(!names.is_empty(), "no cases in {}", cases().display());
    check(&names.iter().map(String::as_str).collect::<Vec<_>>());
}
