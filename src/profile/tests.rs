//! The files that come with the program: they load, and the template shows the whole format.
//! Their tables are in `tests/it/profile_tables.rs`.

use std::sync::Arc;

use super::*;
use crate::profile::summary::check_built_in;

fn profile(name: &str) -> Arc<Profile> {
    built_in(name).unwrap()
}

fn role(name: &str) -> RoleName {
    RoleName::from(name)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_profile_that_comes_with_the_program_is_right() {
    for name in built_in_names() {
        let (problems, summary) = check_built_in(name).unwrap();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{name}");
        assert!(summary.starts_with(&format!("{name} (")), "{summary}");
        assert_eq!(profile(name).name, *name);
    }
    assert_eq!(built_in_names().len(), 5);
    assert!(built_in("nitro").is_none() && check_built_in("nitro").is_none());
}

#[test]
fn every_file_of_the_folder_comes_with_the_program() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<String> =
        files.map(|f| f.to_string_lossy().trim_end_matches(".yaml").to_owned()).collect();
    assert_eq!(names, set(built_in_names()));
}

#[test]
fn the_summary_tells_roles_plans_and_seats() {
    let (_, summary) = check_built_in("nitropack").unwrap();
    let (text, digest) = summary.split_once("digest: ").unwrap();
    assert_eq!(
        text,
        "\
nitropack (NitroPack), one team per account
roles, highest first:
  0  owner      exactly 1, protected, not by invitation, not removable, invites lower, changes lower, removes lower
  1  admin      protected, invites own and lower, changes own and lower, removes own and lower
  2  developer  acts on nobody
  3  biller     acts on nobody
plans, lowest tier first:
  none      1 seat, not paid
  free      1 seat, not paid
  business  1 seat
  growth    3 seats
  scale     10 seats
  custom    unlimited
seats: active, pending, clientAccess count one each; a shrinking limit trims the latest-added
"
    );
    assert_eq!(digest.trim_end(), profile("nitropack").digest);
    assert_eq!(digest.trim_end().len(), 16);
}

#[test]
fn who_has_only_permissions_of_the_product_may_do_nothing_at_the_service() {
    let nitropack = profile("nitropack");
    for permission in ServicePermission::ALL {
        assert!(!nitropack.permits(&role("developer"), permission.as_str()), "{permission}");
        assert_eq!(ServicePermission::parse(permission.as_str()), Some(permission));
        assert!(!nitropack.permits(&role("stranger"), permission.as_str()), "{permission}");
    }
    assert_eq!(ServicePermission::parse("dashboard.view"), None);
}

/// The profile that others are written from.
fn template() -> &'static str {
    builtin::built_in_text("generic").unwrap().1
}

#[test]
fn every_line_of_the_template_is_explained() {
    for line in template().lines().filter(|line| !line.trim().is_empty()) {
        let line = line.replacen("#: ", "", 1);
        let explained = line.trim_start().starts_with("# ") || line.trim() == "#";
        assert!(explained || line.contains(" # "), "no comment: {line}");
    }
}

#[test]
fn the_template_shows_every_key_word_and_permission() {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let words: BTreeSet<&str> =
        template().split(|c| !part_of_word(c)).map(|word| word.trim_end_matches('.')).collect();
    let ends = ["atOnce", "atPeriodEnd", "nothing", "disableService", "deactivateTeams"];
    let special = ["all", "unlimited", "person", "none"];
    let known = words::ALL.iter().chain(&ends).chain(&special).copied();
    let known = known.chain(ServicePermission::ALL.map(ServicePermission::as_str));
    let missing: Vec<&str> = known.filter(|word| !words.contains(word)).collect();
    assert_eq!(missing, [""; 0]);

    let shows = |key: &str| {
        let before = |at: usize| template()[..at].ends_with([' ', '{', '\n', '`']) || at == 0;
        template().match_indices(&format!("{key}:")).any(|(at, _)| before(at))
    };
    let keys = read::keys::ALL.iter().copied().flatten();
    let missing: Vec<&&str> = keys.filter(|key| !shows(key)).collect();
    assert_eq!(missing, [&""; 0]);
}

#[test]
fn what_the_template_shows_by_example_is_right_when_switched_on() {
    let all: String = template().lines().map(|line| line.replacen("#: ", "", 1) + "\n").collect();
    let profile = read("p.yaml", &all).map_err(|problems| format!("{problems:#?}")).unwrap();
    assert!(profile.auto_join.is_some() && profile.client_access.is_some());
    assert_eq!(profile.meters[0].warn_at_percent, BTreeSet::from([80, 100]));
    assert_eq!(profile.meter_of("product.use"), profile.meters.first());
    let href = profile.permissions["product.use"].href.as_deref();
    assert_eq!(href, Some("https://app.example.com/"));
}
