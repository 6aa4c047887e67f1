//! Which files are read.

use std::fs;
use std::path::PathBuf;

use super::{ACCOUNT, membership, team};
use crate::manifests::read::read;

/// A folder with files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// Names of what was read and problems, without the name of the folder.
fn check(folder: &tempfile::TempDir, names: &[&str]) -> Vec<String> {
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
    let files = read(&paths);
    let name = |meta: &kube::api::ObjectMeta| meta.name.clone().unwrap();
    let mut lines: Vec<String> =
        files.objects.memberships.iter().map(|m| name(&m.object.metadata)).collect();
    lines.extend(files.objects.teams.iter().map(|t| name(&t.object.metadata)));
    let prefix = format!("{}/", folder.path().display());
    let problems = files.problems.iter().map(|p| p.to_string().replace(&prefix, ""));
    lines.extend(problems.map(|text| text.replace(&folder.path().display().to_string(), "FOLDER")));
    lines
}

#[test]
fn a_folder_gives_its_manifests_in_order_of_name_and_no_more() {
    let member = |name: &str| membership(name, "email: ana@example.com, role: admin");
    let folder = folder(&[
        ("b.yml", member("b").as_bytes()),
        ("a.yaml", member("a").as_bytes()),
        ("c.json", br#"{"apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership", "metadata": {"name": "c"}, "spec": {"teamRef": {"name": "core"}, "email": "ana@example.com", "role": "admin"}}"#),
        ("README.md", b"# not a manifest"),
        ("d.yaml.bak", b": not a manifest"),
    ]);
    fs::create_dir(folder.path().join("e.yaml")).unwrap();
    fs::write(folder.path().join("e.yaml/f.yaml"), member("f")).unwrap();
    assert_eq!(check(&folder, &[""]), ["a", "b", "c"]);
    // A file that is named is read whatever its ending.
    fs::write(folder.path().join("g.txt"), team("g", "roster: []")).unwrap();
    assert_eq!(check(&folder, &["b.yml", "g.txt"]), ["b", "g"]);
}

#[test]
fn what_cannot_be_read_is_said_with_all_the_rest() {
    let folder = folder(&[
        ("latin.yaml", b"a: \xe9\n"),
        ("broken.yaml", b"a: [\n"),
        ("twice.yaml", format!("{ACCOUNT}kind: Team\nkind: Team\n").as_bytes()),
    ]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    let lines = check(&folder, &["", "empty", "nothing"]);
    insta::assert_snapshot!(lines.join("\n"), @"
    broken.yaml:1:4: a: not valid YAML: unclosed bracket '['
      hint: close the bracket, or add the comma
    empty: the folder holds no manifests
      hint: name a folder with files that end in .yaml, .yml or .json
    latin.yaml: cannot be read: stream did not contain valid UTF-8
      hint: save the file as UTF-8
    nothing: cannot be read: No such file or directory (os error 2)
      hint: check the path after -f
    twice.yaml:16:1: has no apiVersion or no kind
      hint: start with `apiVersion: seatkeeper.dev/v1alpha1` and `kind`
    twice.yaml:17:1: kind: the key `kind` is already at line 16
      hint: keep one of the two
    ");
}

#[test]
fn the_same_file_named_twice_is_said() {
    let ana = membership("ana", "email: ana@example.com, role: admin");
    let folder = folder(&[("ana.yaml", ana.as_bytes())]);
    insta::assert_snapshot!(check(&folder, &["ana.yaml", ""]).join("\n"), @"
    ana
    ana.yaml:3:12: metadata.name: Membership `ana` is declared twice; first at ana.yaml:1
      hint: keep one of the two
    ");
}
