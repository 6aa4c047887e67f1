//! From a file to a [`Profile`]: every problem at once, each with line, field and nearest word.
//!
//! First each knob by itself; when all are clear, the profile as a whole.

mod features;
pub(super) mod keys;
mod node;
mod permissions;
mod plans;
mod roles;
mod whole;

#[cfg(test)]
mod tests;

use sha2::Digest as _;
use sha2::Sha256;

use crate::profile::read::node::{Node, Problems};
use crate::profile::{Profile, ServicePermission, Teams};
use crate::yaml;
use crate::yaml::{Document, Problem};

/// Version of the format that this code reads.
const FORMAT_VERSION: u64 = 1;

/// Reads a profile.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the file.
pub fn read(file: &str, text: &str) -> Result<Profile, Vec<Problem>> {
    let (documents, mut problems) = yaml::read(file, text);
    let profile = match documents.as_slice() {
        [document] => read_document(document, text, &mut problems),
        [] if !problems.is_empty() => None,
        [] => {
            problems.push(whole_file(file, "the file is empty", "write a profile"));
            None
        }
        [_, second, ..] => {
            let hint = "give each profile a file of its own";
            problems.push(second.problem("", "a second document; a profile is one", hint));
            None
        }
    };
    problems.sort_by(|a, b| a.position.cmp(&b.position).then_with(|| a.cmp(b)));
    problems.dedup();
    profile.filter(|_| problems.is_empty()).ok_or(problems)
}

/// Names that other parts of the file refer to.
struct Names<'doc> {
    roles: Vec<&'doc str>,
    permissions: Vec<&'doc str>,
    features: Vec<&'doc str>,
    products: Vec<&'doc str>,
    categories: Vec<&'doc str>,
    meters: Vec<&'doc str>,
}

/// Reads the one document.
fn read_document(document: &Document, text: &str, problems: &mut Problems) -> Option<Profile> {
    let root = Node::root(document);
    root.only(keys::PROFILE, problems);
    check_version(&root, problems);
    let names = names(&root, problems);
    let (permissions, menu) = permissions::read_permissions(&root, &names, problems);
    let title = root.need("title", problems).and_then(|node| node.text(problems));
    let name = root.need("profile", problems).and_then(|node| read_name(&node, problems));
    let teams: Option<Teams> = root.need_word("teams", problems);
    let roles = roles::read_roles(&root, &names, problems);
    let manage = roles::read_manage(&root, &names, problems);
    let plans = plans::read_plans(&root, &names, problems);
    let seats = plans::read_seats(&root, problems);
    let cancellation = plans::read_cancellation(&root, problems);
    let invitations = features::read_invitations(&root, problems);
    let notes = root.need_word("notes", problems);
    let profile = Profile {
        name: name?.to_owned(),
        title: title?.to_owned(),
        teams: teams?,
        team: features::read_team(&root, problems),
        permissions,
        menu,
        roles,
        manage,
        plans,
        features: plans::read_offered("features", &root, problems),
        products: plans::read_offered("products", &root, problems),
        seats: seats?,
        cancellation: cancellation?,
        invitations: invitations?,
        secure_sign_in: features::read_secure_sign_in(&root, problems),
        auto_join: features::read_auto_join(&root, &names, problems),
        client_access: features::read_client_access(&root, &names, problems),
        categories: features::read_categories(&root, &names, problems),
        notify: features::read_notify(&root, &names, problems),
        notes: notes?,
        meters: features::read_meters(&root, problems),
        digest: digest(text),
    };
    if problems.is_empty() {
        whole::check(&root, &profile, problems);
    }
    Some(profile)
}

/// The format must be the one that this code reads: a later one may mean something else.
fn check_version(root: &Node<'_>, problems: &mut Problems) {
    if let Some(version) = root.need("formatVersion", problems)
        && !version.is_number_of(FORMAT_VERSION)
    {
        let hint = "write `formatVersion: 1`, or use the version of the program that it is for";
        problems.push(version.problem("this program reads format 1 only", hint));
    }
}

/// Collects the names that are declared, and checks how they are formed.
fn names<'doc>(root: &Node<'doc>, problems: &mut Problems) -> Names<'doc> {
    let mut declared = |key| -> Vec<&'doc str> {
        let entries = root.get(key).map(|node| node.entries(problems)).unwrap_or_default();
        entries
            .into_iter()
            .map(|(name, node)| {
                check_name(name, &node, problems);
                name
            })
            .collect()
    };
    let (roles, mut permissions) = (declared("roles"), declared("permissions"));
    let (categories, meters) = (declared("categories"), declared("meters"));
    let (features, products) = (declared("features"), declared("products"));
    declared("plans");
    permissions.extend(ServicePermission::ALL.map(ServicePermission::as_str));
    permissions.sort_unstable();
    permissions.dedup();
    Names { roles, permissions, features, products, categories, meters }
}

/// A name is short, in lower case, and safe in a URL, a label and a file name.
fn check_name(name: &str, node: &Node<'_>, problems: &mut Problems) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || name.len() > 63 || !name.chars().all(fits) {
        let message = format!("`{name}` is not a name");
        let hint = "use a-z, 0-9, `-` and `.`, a letter first, at most 63";
        problems.push(node.problem(message, hint));
    }
}

/// The name of the profile itself.
fn read_name<'doc>(node: &Node<'doc>, problems: &mut Problems) -> Option<&'doc str> {
    let name = node.text(problems)?;
    check_name(name, node, problems);
    Some(name)
}

/// First 16 hex digits of SHA-256 of the file.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A problem with the file as a whole.
fn whole_file(file: &str, message: &str, hint: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        position: None,
        field: String::new(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}
