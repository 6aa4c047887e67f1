//! Roles, what they permit, and who may act on whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::RoleName;
use crate::profile::read::node::{Node, Problems};
use crate::profile::read::{Names, keys};
use crate::profile::roles::AddedBy;
use crate::profile::{Manage, OwnershipChange, Reach, Role, Scope};

/// The roles, highest first.
pub fn read_roles(root: &Node<'_>, names: &Names<'_>, problems: &mut Problems) -> Vec<Role> {
    let Some(node) = root.need("roles", problems) else { return Vec::new() };
    let entries = node.entries(problems);
    entries.into_iter().map(|(name, node)| read_role(name, &node, names, problems)).collect()
}

/// One role.
fn read_role(name: &str, node: &Node<'_>, names: &Names<'_>, problems: &mut Problems) -> Role {
    node.only(keys::ROLE, problems);
    let (min_holders, max_holders) = read_holders(node, problems);
    let (opens_account, ownership_change) = read_becomes_by(node, names, problems);
    let receives = node.get("receives");
    let receives = receives.map(|n| n.known_items("category", &names.categories, problems));
    Role {
        name: RoleName::from(name),
        scope: node.get("scope").and_then(|n| n.word(problems)).unwrap_or(Scope::Account),
        permissions: read_granted(node, names, problems),
        min_holders,
        max_holders,
        invitable: node.flag("invitable", true, problems),
        protected: node.flag("protected", false, problems),
        immutable: node.flag("immutable", false, problems),
        removable: node.flag("removable", true, problems),
        opens_account,
        ownership_change,
        receives: receives.unwrap_or_default().into_iter().map(str::to_owned).collect(),
    }
}

/// What a role permits: a list, or `all`.
fn read_granted(role: &Node<'_>, names: &Names<'_>, problems: &mut Problems) -> BTreeSet<String> {
    let Some(node) = role.need("permissions", problems) else { return BTreeSet::new() };
    if node.is("all") {
        return names.permissions.iter().map(|name| (*name).to_owned()).collect();
    }
    let granted = node.known_items("permission", &names.permissions, problems);
    granted.into_iter().map(str::to_owned).collect()
}

/// Least and most holders.
fn read_holders(role: &Node<'_>, problems: &mut Problems) -> (u32, Option<u32>) {
    let Some(node) = role.get("holders") else { return (0, None) };
    node.only(keys::HOLDERS, problems);
    let mut bound = |key, least| {
        let number = node.get(key)?.number(least, u64::from(u32::MAX), problems)?;
        u32::try_from(number).ok()
    };
    (bound("min", 0).unwrap_or(0), bound("max", 1))
}

/// How one comes to hold the role besides an invitation.
fn read_becomes_by(
    role: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> (bool, Option<OwnershipChange>) {
    let Some(node) = role.get("becomesBy") else { return (false, None) };
    node.only(keys::BECOMES_BY, problems);
    let opens_account = node.flag("openingAccount", false, problems);
    let change = node.get("ownershipChange").and_then(|node| node.word(problems));
    let former = node.get("formerBecomes");
    let change = match (change, former) {
        (Some(AddedBy::Add), None) => Some(OwnershipChange::Add),
        (Some(AddedBy::Move), Some(former)) => former
            .known("role", &names.roles, problems)
            .map(|role| OwnershipChange::Move { former_becomes: RoleName::from(role) }),
        (Some(AddedBy::Move), None) => {
            let hint = "add `formerBecomes:` with the role of the former holder";
            problems.push(node.problem("`move` must say what the former holder becomes", hint));
            None
        }
        (Some(AddedBy::Add) | None, Some(former)) => {
            problems.push(former.problem("fits only `ownershipChange: move`", "remove it"));
            None
        }
        (None, None) => None,
    };
    (opens_account, change)
}

/// Who may act on whom.
pub fn read_manage(root: &Node<'_>, names: &Names<'_>, problems: &mut Problems) -> Manage {
    let Some(node) = root.need("manage", problems) else { return Manage::default() };
    node.only(keys::MANAGE, problems);
    let mut verb = |key| match node.need(key, problems) {
        Some(node) => read_verb(&node, names, problems),
        None => BTreeMap::new(),
    };
    Manage { invite: verb("invite"), change: verb("change"), remove: verb("remove") }
}

/// How far each role reaches by one verb.
fn read_verb(
    node: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> BTreeMap<RoleName, Reach> {
    let mut reaches = BTreeMap::new();
    for (name, entry) in node.entries(problems) {
        let known = entry.check_known(name, "role", &names.roles, problems);
        if let (true, Some(reach)) = (known, entry.word(problems)) {
            reaches.insert(RoleName::from(name), reach);
        }
    }
    reaches
}
