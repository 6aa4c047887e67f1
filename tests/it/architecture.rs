//! Who may name whom (ARCHITECTURE.md): the table, enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module, then the modules of this crate that it may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("yaml", &[]),
    ("api", &[]),
    ("wire", &[]),
    ("telemetry", &[]),
    ("failpoint", &[]),
    ("profile", &["domain", "yaml"]),
    ("plan", &["domain", "profile"]),
    ("manifests", &["api", "domain", "profile", "yaml"]),
    ("backend", &["domain", "profile", "plan", "wire", "failpoint"]),
    ("ledger", &["api", "domain", "plan", "wire", "failpoint"]),
    ("apply", &["domain", "profile", "plan", "backend", "ledger", "failpoint"]),
    (
        "controller",
        &[
            "api",
            "manifests",
            "domain",
            "profile",
            "plan",
            "backend",
            "ledger",
            "apply",
            "telemetry",
            "yaml",
        ],
    ),
    ("server", &["domain", "profile", "wire", "telemetry", "yaml", "failpoint"]),
    (
        "cli",
        &[
            "api",
            "apply",
            "backend",
            "controller",
            "domain",
            "failpoint",
            "ledger",
            "manifests",
            "plan",
            "profile",
            "server",
            "telemetry",
            "wire",
            "yaml",
        ],
    ),
];

/// Words that must not stand in a module's code: what it must not be able to do.
const MUST_NOT_SAY: &[(&str, &[&str])] = &[
    ("domain", &["std::fs", "tokio", "reqwest", "kube::", "tracing", "Serialize", "async "]),
    ("plan", &["std::fs", "tokio", "reqwest", "kube::", "tracing", "Timestamp::now", "async "]),
    ("profile", &["tokio", "reqwest", "kube::", "tracing", "async "]),
    ("wire", &["tokio", "reqwest", "kube::", "tracing", "async "]),
    ("api", &["tokio", "reqwest", "tracing", "async "]),
];

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn files_of(module: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = rust_files(&src.join(format!("{module}.rs")));
    files.extend(rust_files(&src.join(module)));
    files
}

/// Code without comments, and without what stands in strings.
fn code_of(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Modules of this crate that a text names: `crate::name`, `crate::{name, …}`, `seatkeeper::name`.
fn named_in(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for root in ["crate::", "seatkeeper::"] {
        for rest in code.split(root).skip(1) {
            match rest.strip_prefix('{') {
                Some(group) => named.extend(heads(group)),
                None => named.extend(word(rest)),
            }
        }
    }
    named
}

/// Modules between the crate and this file: 1 for `src/plan/mod.rs`, 2 for `src/plan/seats.rs`.
/// Inline test modules are one deeper, so a chain that is longer by one is theirs.
fn depth_of(module: &str, file: &Path) -> usize {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = file.strip_prefix(&src).unwrap_or(file).components().count();
    let is_root = file.ends_with("mod.rs") || file == src.join(format!("{module}.rs"));
    if is_root { inside.max(2) - 1 } else { inside }
}

/// What `super::super::…` names where it climbs out to the crate: the word after the chain.
fn climbed_to(code: &str, depth: usize) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest.find("super::") {
        let mut chain = &rest[start..];
        let mut climbed = 0;
        while let Some(further) = chain.strip_prefix("super::") {
            (chain, climbed) = (further, climbed + 1);
        }
        if climbed >= depth {
            named.extend(match chain.strip_prefix('{') {
                Some(group) => heads(group),
                None => word(chain).into_iter().collect(),
            });
        }
        rest = chain;
    }
    named.retain(|name| !files_of(name).is_empty());
    named
}

/// The first word of each entry of `{a::b, c::{d, e}, f}`.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut heads) = (1, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.extend(word(&std::mem::take(&mut entry))),
            _ if depth == 1 => entry.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads.extend(word(&entry));
    heads
}

fn word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn modules_name_only_what_the_map_allows() {
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_NAME {
        for file in files_of(module) {
            let code = code_of(&fs::read_to_string(&file).unwrap());
            for named in named_in(&code) {
                if named != *module && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("{}: {module} names {named}", file.display()));
                }
            }
            for named in climbed_to(&code, depth_of(module, &file)) {
                if !allowed.contains(&named.as_str()) && named != *module {
                    wrong.push(format!("{}: {module} climbs to {named}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "forbidden dependencies:\n{}", wrong.join("\n"));
}

#[test]
fn pure_modules_cannot_do_what_they_must_not() {
    let mut wrong = Vec::new();
    for (module, words) in MUST_NOT_SAY {
        for file in files_of(module) {
            let code = code_of(&fs::read_to_string(&file).unwrap());
            for word in words.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{}: {module} says {word}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "pure modules with effects:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_is_in_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let declared: BTreeSet<String> = lib
        .lines()
        .filter_map(|line| line.trim_end_matches(';').split("mod ").nth(1))
        .map(str::to_owned)
        .collect();
    let table: BTreeMap<_, _> = MAY_NAME.iter().copied().collect();
    let missing: Vec<_> =
        declared.iter().filter(|name| !table.contains_key(name.as_str())).collect();
    assert!(missing.is_empty(), "modules without a row: {missing:?}");
    let gone: Vec<_> = table.keys().filter(|name| files_of(name).is_empty()).collect();
    assert!(gone.is_empty(), "rows without a module: {gone:?}");
}

#[test]
fn the_document_has_the_same_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for (module, allowed) in MAY_NAME {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{module}` |"))).unwrap();
        let cell = row.split('|').nth(3).unwrap().trim();
        let mut said: Vec<&str> = cell.split(", ").filter(|name| *name != "–").collect();
        let mut enforced = allowed.to_vec();
        said.sort_unstable();
        enforced.sort_unstable();
        assert!(cell == "all" || said == enforced, "{module}: {said:?}, enforced {enforced:?}");
    }
}

#[test]
fn no_product_is_named_in_code() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let products = ["nitropack", "digitalocean", "portal", "catalogue"];
    let mut wrong = Vec::new();
    // Tests play with products, and one file lists those that come with the program.
    let may = |file: &PathBuf| {
        let file = file.strip_prefix(&src).unwrap();
        let test = file.iter().any(|part| part == "tests" || part == "tests.rs");
        test || file == Path::new("profile/builtin.rs")
    };
    for file in rust_files(&src).into_iter().filter(|file| !may(file)) {
        let text = fs::read_to_string(&file).unwrap();
        let code = code_of(text.split("#[cfg(test)]").next().unwrap_or(&text)).to_lowercase();
        let include = |line: &&str| !line.contains("include_str!");
        let code: String = code.lines().filter(include).collect::<Vec<_>>().join("\n");
        for product in products.iter().filter(|product| code.contains(**product)) {
            wrong.push(format!("{}: {product}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "products belong in profiles/:\n{}", wrong.join("\n"));
}

#[test]
fn the_check_sees_groups_and_full_paths() {
    let code = "use crate::{domain::keys, plan::{action, check}, wire};\nlet a = crate::api::b();";
    let named: Vec<String> = named_in(code).into_iter().collect();
    assert_eq!(named, ["api", "domain", "plan", "wire"]);
    let climbing = "use super::super::backend::x;\nuse super::action;\nsuper::super::{api, server}";
    let named: Vec<String> = climbed_to(climbing, 2).into_iter().collect();
    assert_eq!(named, ["api", "backend", "server"]);
    assert_eq!(code_of("// crate::server\na // crate::cli\n"), "a");
}

/// A file that no `mod` line names is not compiled, and what it says it proves, nobody runs.
#[test]
fn every_file_of_the_tests_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut lost = Vec::new();
    for file in rust_files(&root) {
        let (folder, stem) = (file.parent().unwrap(), file.file_stem().unwrap().to_str().unwrap());
        if folder == root && stem == "main" {
            continue;
        }
        let (name, above) = match stem {
            "mod" => (folder.file_name().unwrap().to_str().unwrap(), folder.parent().unwrap()),
            stem => (stem, folder),
        };
        let list = if above == root { root.join("main.rs") } else { above.join("mod.rs") };
        let list = fs::read_to_string(list).unwrap();
        let line = format!("mod {name};");
        if !list.lines().any(|found| found.trim_start_matches("pub ") == line) {
            lost.push(file);
        }
    }
    assert_eq!(lost, [""; 0].map(PathBuf::from));
}
