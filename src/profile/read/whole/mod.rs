//! The profile as a whole: what each knob allows by itself and all together make impossible.

mod features;
mod permissions;
mod roles;
mod seats;

use crate::profile::Profile;
use crate::profile::read::node::{Node, Problems};

/// One check of the whole.
struct Check<'doc, 'run> {
    root: &'run Node<'doc>,
    profile: &'run Profile,
    problems: &'run mut Problems,
}

/// Checks the profile as a whole.
pub fn check(root: &Node<'_>, profile: &Profile, problems: &mut Problems) {
    let mut check = Check { root, profile, problems };
    check.roles();
    check.permissions();
    check.seats();
    check.features();
}

impl Check<'_, '_> {
    /// Notes a problem at a path of keys; at the nearest one that is there.
    fn add(&mut self, path: &[&str], message: impl Into<String>, hint: &str) {
        self.problems.push(self.root.problem_below(path, message, hint));
    }
}
