//! The files that come with the program, compared with the products' rules.

use super::*;
use crate::profile::summary::check_built_in;

#[test]
fn every_profile_that_comes_with_the_program_is_right() {
    for name in built_in_names() {
        let (problems, summary) = check_built_in(name).unwrap();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{name}");
        assert!(summary.starts_with(&format!("{name} (")), "{summary}");
        assert_eq!(built_in(name).unwrap().name, *name);
    }
}
