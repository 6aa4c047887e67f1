//! The stories of the README, run as they stand there.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::path::Path;

use crate::cli_run::{Desk, serve};

const SECTION: &str = "## A service to try\n";

/// Blocks of this kind in a section, in order.
fn blocks<'a>(section: &'a str, kind: &str) -> Vec<&'a str> {
    let fence = format!("```{kind}\n");
    section.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[tokio::test]
async fn the_stories_of_the_readme_print_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split(SECTION).nth(1).unwrap().split("\n## ").next().unwrap();
    let (commands, said) = (blocks(section, "bash"), blocks(section, "text"));
    assert_eq!(commands.len(), said.len() + 1, "one block defines, each other one prints");

    let home = Desk::empty();
    fs::copy(root.join("examples/service/seed.yaml.example"), home.path("seed.yaml")).unwrap();
    let process = serve(&home, &[]).await;
    let script = format!("set -euo pipefail\n{}", commands.concat());
    let output = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .env("SERVICE", &process.url)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), said.concat());
}
