//! The charts against what they are made of. `make chart-test` runs them with helm.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use seatkeeper::profile::{built_in, built_in_names};
use seatkeeper::yaml;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names and contents of the files of a folder.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().into(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn the_chart_of_the_definitions_has_those_of_the_types() {
    assert!(
        files("charts/seatkeeper-crds/files") == files("crds"),
        "the chart has other definitions than crds/: run `make crds`"
    );
}

#[test]
fn the_chart_protects_the_roles_that_the_profiles_protect() {
    let text = fs::read_to_string(root().join("charts/seatkeeper/values.yaml")).unwrap();
    let values = &yaml::read("values.yaml", &text).0[0].value;
    let in_chart = values["protectedRoles"].as_array().unwrap();
    let in_chart: BTreeSet<_> =
        in_chart.iter().map(|role| role.as_str().unwrap().to_owned()).collect();
    let profiles = built_in_names().iter().map(|name| built_in(name).unwrap());
    let protected = profiles.flat_map(|profile| {
        let roles = profile.roles.iter().filter(|role| role.protected);
        roles.map(|role| role.name.as_str().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(in_chart, protected.collect());
}

#[test]
fn the_charts_have_the_version_of_the_program() {
    for chart in ["seatkeeper", "seatkeeper-crds"] {
        let text = fs::read_to_string(root().join(format!("charts/{chart}/Chart.yaml"))).unwrap();
        let chart = &yaml::read("Chart.yaml", &text).0[0].value;
        assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    }
}
