//! Invitations, teams, domains, clients, categories, notices and meters.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::keys::RoleName;
use crate::profile::read::node::{Node, Problems};
use crate::profile::read::{Names, keys};
use crate::profile::{
    Addressee, AutoJoin, Bulk, Category, ClientAccessRules, InvitationRules, Meter, Notice, Notify,
    RoleWhilePending, SecureSignInBy, TeamRules, Word,
};

/// Longest life of an invitation, in hours: a year.
const MAX_LIFETIME_HOURS: u64 = 365 * 24;

/// Shares of the limit at which a meter warns where the file says nothing.
const WARN_AT_PERCENT: [u32; 2] = [80, 100];

/// Rules of invitations.
pub fn read_invitations(root: &Node<'_>, problems: &mut Problems) -> Option<InvitationRules> {
    let node = root.need("invitations", problems)?;
    node.only(keys::INVITATIONS, problems);
    let lifetime = node.need("lifetime", problems).and_then(|n| read_lifetime(&n, problems));
    let known_user = node.need_word("knownUser", problems);
    let resend = node.need_word("resend", problems);
    let bulk = node.get("bulk").map_or(Some(Bulk::None), |node| node.word(problems));
    let role_while_pending = node
        .get("roleWhilePending")
        .map_or(Some(RoleWhilePending::ApiOnly), |node| node.word(problems));
    Some(InvitationRules {
        lifetime: lifetime?,
        resend: resend?,
        known_user: known_user?,
        bulk: bulk?,
        role_while_pending: role_while_pending?,
    })
}

/// A duration in days or hours: `30d`, `12h`.
fn read_lifetime(node: &Node<'_>, problems: &mut Problems) -> Option<Duration> {
    let text = node.as_text().unwrap_or_default();
    let hours = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => days.parse::<u64>().ok().and_then(|days| days.checked_mul(24)),
        (None, Some(hours)) => hours.parse().ok(),
        (None, None) => None,
    };
    let hours = hours.filter(|hours| (1..=MAX_LIFETIME_HOURS).contains(hours));
    if hours.is_none() {
        let hint = "write days or hours, from `1h` to `365d`";
        problems.push(node.problem("must be a lifetime, as `30d`", hint));
    }
    hours.map(|hours| Duration::from_secs(hours * 3600))
}

/// Rules of teams.
pub fn read_team(root: &Node<'_>, problems: &mut Problems) -> Option<TeamRules> {
    let node = root.get("team")?;
    node.only(keys::TEAM, problems);
    let subscription = node.need_word("subscription", problems);
    let status = node.need("status", problems)?;
    status.only(keys::TEAM_STATUS, problems);
    let without_subscription = status.need_word("noSubscription", problems);
    let expired = status.need_word("expired", problems);
    Some(TeamRules {
        subscription: subscription?,
        without_subscription: without_subscription?,
        expired: expired?,
    })
}

/// Where secure sign-in can be required.
pub fn read_secure_sign_in(root: &Node<'_>, problems: &mut Problems) -> BTreeSet<SecureSignInBy> {
    let Some(node) = root.get("secureSignIn") else { return BTreeSet::new() };
    node.only(keys::SECURE_SIGN_IN, problems);
    node.need("requiredBy", problems).map(|by| by.words(problems)).unwrap_or_default()
}

/// Joining by domain.
pub fn read_auto_join(
    root: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<AutoJoin> {
    let node = root.get("autoJoin")?;
    node.only(keys::AUTO_JOIN, problems);
    let role = node.need("role", problems).and_then(|n| n.known("role", &names.roles, problems));
    let over_limit = node.need_word("overLimit", problems);
    Some(AutoJoin { role: RoleName::from(role?), over_limit: over_limit? })
}

/// Access of agencies.
pub fn read_client_access(
    root: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<ClientAccessRules> {
    let node = root.get("clientAccess")?;
    node.only(keys::CLIENT_ACCESS, problems);
    let roles = node.need("roles", problems).map(|node| read_role_set(&node, names, problems));
    let health_of = node.need_word("healthOf", problems);
    Some(ClientAccessRules { roles: roles?, health_of: health_of? })
}

/// A list of roles.
fn read_role_set(
    node: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> BTreeSet<RoleName> {
    let roles = node.known_items("role", &names.roles, problems);
    roles.into_iter().map(RoleName::from).collect()
}

/// Categories of e-mail.
pub fn read_categories(
    root: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<Category> {
    let Some(node) = root.get("categories") else { return Vec::new() };
    let mut categories = Vec::new();
    for (name, entry) in node.entries(problems) {
        entry.only(keys::CATEGORY, problems);
        let title = entry.need("title", problems).and_then(|node| node.text(problems));
        let about = entry.need_word("about", problems);
        let open_to = entry.get("openTo").filter(|node| !node.is("all")).map_or_else(
            || names.roles.iter().map(|role| RoleName::from(*role)).collect(),
            |node| read_role_set(&node, names, problems),
        );
        if let (Some(title), Some(about)) = (title, about) {
            let (name, title) = (name.to_owned(), title.to_owned());
            categories.push(Category { name, title, about, open_to });
        }
    }
    categories
}

/// Who is told of which change.
pub fn read_notify(root: &Node<'_>, names: &Names<'_>, problems: &mut Problems) -> Notify {
    let mut notify = Notify::new();
    let Some(node) = root.get("notify") else { return notify };
    let known: Vec<&str> = Notice::ALL.iter().map(|(word, _)| *word).collect();
    node.only(&known, problems);
    let mut addressees = names.roles.clone();
    addressees.push("person");
    for (word, notice) in Notice::ALL {
        let Some(list) = node.get(word) else { continue };
        let told = list.known_items("addressee", &addressees, problems);
        let addressee = |name: &str| match name {
            "person" => Addressee::Person,
            role => Addressee::Role(RoleName::from(role)),
        };
        notify.insert(*notice, told.into_iter().map(addressee).collect());
    }
    notify
}

/// Usages that are counted.
pub fn read_meters(root: &Node<'_>, problems: &mut Problems) -> Vec<Meter> {
    let Some(node) = root.get("meters") else { return Vec::new() };
    let entries = node.entries(problems);
    entries.into_iter().filter_map(|(name, node)| read_meter(name, &node, problems)).collect()
}

/// One meter.
fn read_meter(name: &str, node: &Node<'_>, problems: &mut Problems) -> Option<Meter> {
    node.only(keys::METER, problems);
    let title = node.need("title", problems).and_then(|node| node.text(problems));
    let unit = node.need_word("unit", problems);
    let when_full = node.need_word("whenFull", problems);
    let warn_at_percent = match node.get("warnAt") {
        Some(said) => read_percents(&said, problems),
        None => WARN_AT_PERCENT.into(),
    };
    let (name, title) = (name.to_owned(), title?.to_owned());
    Some(Meter { name, title, unit: unit?, when_full: when_full?, warn_at_percent })
}

/// Shares of a limit.
fn read_percents(node: &Node<'_>, problems: &mut Problems) -> BTreeSet<u32> {
    let items = node.items(problems);
    let percent = |item: Node<'_>| u32::try_from(item.number(1, 100, problems)?).ok();
    items.into_iter().filter_map(percent).collect()
}
