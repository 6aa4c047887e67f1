//! Every example reads without a problem and resolves to what its story says.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::path::{Path, PathBuf};

use seatkeeper::manifests::{self, Declarations, Resolved};

/// The folders of the examples, without that of a service: its story is the README's.
fn folders() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        entries.filter(|path| path.is_dir() && !path.ends_with("service")).collect();
    folders.sort();
    folders
}

/// The accounts of a folder, resolved without a problem.
fn resolved(folder: &Path) -> Vec<Resolved> {
    let files = manifests::read(&[folder.to_owned()]);
    let problems: Vec<String> = files.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let sorted = files.objects.by_account();
    assert!(sorted.problems.is_empty(), "{:#?}", sorted.problems);
    sorted.accounts.iter().map(resolve).collect()
}

fn resolve(declarations: &Declarations) -> Resolved {
    let profile = declarations.profile().unwrap();
    manifests::resolve(declarations, profile.as_deref(), &|_, _| None, jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn every_example_reads_and_resolves() {
    let folders = folders();
    assert!(!folders.is_empty());
    for folder in folders {
        let accounts = resolved(&folder);
        assert!(!accounts.is_empty(), "{} declares no account", folder.display());
        for account in accounts {
            assert!(account.problems.is_empty(), "{:#?}", account.problems);
            assert!(account.policy.is_some(), "{}", folder.display());
            let desired = &account.desired;
            let nobody = desired.people.is_empty() && desired.clients.declared.is_empty();
            assert!(!nobody, "{}", folder.display());
        }
    }
}

#[test]
fn the_first_team_has_three_people() {
    let first_team = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/first-team");
    let accounts = resolved(&first_team);
    let people = &accounts[0].desired.people;
    let people: Vec<String> =
        people.iter().map(|(person, m)| format!("{person} {}", m.role)).collect();
    assert_eq!(
        people,
        ["ana@example.com admin", "bo@example.com developer", "cyd@example.com biller"]
    );
}
