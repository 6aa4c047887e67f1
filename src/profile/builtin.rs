//! The profiles that come with the program, read by the same code as a user's own.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::profile::{Profile, read};

/// Names, in the order of [`FILES`].
const NAMES: [&str; 5] = ["catalogue", "digitalocean", "generic", "nitropack", "portal"];

/// Texts by the names of [`NAMES`].
const FILES: [&str; 5] = [
    include_str!("../../profiles/catalogue.yaml"),
    include_str!("../../profiles/digitalocean.yaml"),
    include_str!("../../profiles/generic.yaml"),
    include_str!("../../profiles/nitropack.yaml"),
    include_str!("../../profiles/portal.yaml"),
];

/// Read once. That every file reads is shown by a test, so none is ever missing here.
static PROFILES: LazyLock<BTreeMap<&'static str, Arc<Profile>>> = LazyLock::new(|| {
    let read_one = |(name, text): (&'static str, &str)| {
        let profile = read(&file_name(name), text).ok()?;
        Some((name, Arc::new(profile)))
    };
    NAMES.into_iter().zip(FILES).filter_map(read_one).collect()
});

/// A profile that comes with the program.
#[must_use]
pub fn built_in(name: &str) -> Option<Arc<Profile>> {
    PROFILES.get(name).cloned()
}

/// Names of the profiles that come with the program, in alphabetical order.
#[must_use]
pub fn built_in_names() -> &'static [&'static str] {
    &NAMES
}

/// The text of a profile that comes with the program, and the name of its file.
pub(super) fn built_in_text(name: &str) -> Option<(String, &'static str)> {
    let (_, text) = NAMES.into_iter().zip(FILES).find(|(known, _)| *known == name)?;
    Some((file_name(name), text))
}

fn file_name(name: &str) -> String {
    format!("profiles/{name}.yaml")
}
