//! The product's permissions and the menu.

use std::collections::BTreeMap;

use url::Url;

use crate::profile::read::node::{Node, Problems};
use crate::profile::read::{Names, keys};
use crate::profile::{MenuEntry, PermissionKind, PermissionRule, ServicePermission};

/// The product's permissions, and the menu in the order of the file.
pub fn read_permissions(
    root: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> (BTreeMap<String, PermissionRule>, Vec<MenuEntry>) {
    let (mut permissions, mut menu) = (BTreeMap::new(), Vec::<MenuEntry>::new());
    let Some(node) = root.need("permissions", problems) else { return (permissions, menu) };
    for (name, entry) in node.entries(problems) {
        entry.only(keys::PERMISSION, problems);
        let title = read_menu(&entry, &menu, problems);
        if let Some(title) = title.clone() {
            menu.push(MenuEntry { title, permission: name.to_owned() });
        }
        let kind = match ServicePermission::parse(name) {
            Some(known) => Some(read_listed(&entry, known, title.is_some(), problems)),
            None => entry.need_word("kind", problems),
        };
        let meter = entry.get("meter").and_then(|n| n.known("meter", &names.meters, problems));
        if let Some(kind) = kind {
            let (href, meter) = (read_href(&entry, problems), meter.map(str::to_owned));
            permissions.insert(name.to_owned(), PermissionRule { kind, menu: title, href, meter });
        }
    }
    (permissions, menu)
}

/// The menu entry that a permission opens, and alone opens.
fn read_menu(entry: &Node<'_>, menu: &[MenuEntry], problems: &mut Problems) -> Option<String> {
    let title = entry.get("menu")?.text(problems)?;
    if let Some(first) = menu.iter().find(|entry| entry.title == title) {
        let message = format!("the menu `{title}` is opened by `{}`", first.permission);
        problems.push(entry.problem(message, "give each menu entry one permission"));
    }
    Some(title.to_owned())
}

/// A permission of the service is listed for its menu entry; the rest is not the profile's to say.
fn read_listed(
    entry: &Node<'_>,
    permission: ServicePermission,
    has_menu: bool,
    problems: &mut Problems,
) -> PermissionKind {
    if !has_menu || entry.get("kind").is_some() || entry.get("meter").is_some() {
        let message = format!("`{permission}` is a permission of every service");
        problems.push(entry.problem(message, "list it here only to give it a `menu`"));
    }
    permission.kind()
}

/// Where a menu entry leads: a page on the web.
fn read_href(entry: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let node = entry.get("href")?;
    if entry.get("menu").is_none() {
        problems.push(node.problem("leads from no menu entry", "add `menu:`, or remove it"));
    }
    let text = node.text(problems)?;
    let on_the_web = |url: Url| url.has_host() && matches!(url.scheme(), "https" | "http");
    if !Url::parse(text).is_ok_and(on_the_web) {
        let hint = "write where the product shows it, as `https://app.example.com/home`";
        problems.push(node.problem("must be the address of a page", hint));
    }
    Some(text.to_owned())
}
