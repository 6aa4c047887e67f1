//! Plans, seats, and what the end of a subscription does.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::PlanName;
use crate::domain::observed::SeatLimit;
use crate::profile::read::node::{Node, Problems};
use crate::profile::read::{Names, keys};
use crate::profile::{Cancellation, Offered, Plan, SeatRules};

/// Most seats that a plan can state; more is `unlimited`.
const MAX_SEATS: u64 = 10_000_000;

/// The plans, lowest tier first.
pub fn read_plans(root: &Node<'_>, names: &Names<'_>, problems: &mut Problems) -> Vec<Plan> {
    let Some(node) = root.need("plans", problems) else { return Vec::new() };
    let mut plans = Vec::new();
    for (name, entry) in node.entries(problems) {
        entry.only(keys::PLAN, problems);
        let paid = entry.flag("paid", true, problems);
        let features = read_included("features", "feature", &entry, &names.features, problems);
        let products = read_included("products", "product", &entry, &names.products, problems);
        let meters = entry.get("meters").map(|node| read_limits(&node, names, problems));
        if let Some(seats) = read_limit(&entry, problems) {
            let (name, meters) = (PlanName::from(name), meters.unwrap_or_default());
            plans.push(Plan { name, seats, paid, features, products, meters });
        }
    }
    plans
}

/// What plans can include, in the order of the file.
pub fn read_offered(key: &str, root: &Node<'_>, problems: &mut Problems) -> Vec<Offered> {
    let Some(node) = root.get(key) else { return Vec::new() };
    let mut offered = Vec::new();
    for (name, entry) in node.entries(problems) {
        entry.only(keys::OFFERED, problems);
        if let Some(title) = entry.need("title", problems).and_then(|node| node.text(problems)) {
            offered.push(Offered { name: name.to_owned(), title: title.to_owned() });
        }
    }
    offered
}

/// What a plan includes: a list, or `all`.
fn read_included(
    key: &str,
    what: &str,
    plan: &Node<'_>,
    known: &[&str],
    problems: &mut Problems,
) -> BTreeSet<String> {
    let included = match plan.get(key) {
        None => Vec::new(),
        Some(node) if node.is("all") => known.to_vec(),
        Some(node) => node.known_items(what, known, problems),
    };
    included.into_iter().map(str::to_owned).collect()
}

/// The seats of a plan: a number, or `unlimited`.
fn read_limit(plan: &Node<'_>, problems: &mut Problems) -> Option<SeatLimit> {
    let node = plan.need("seats", problems)?;
    if node.is("unlimited") {
        return Some(SeatLimit::Unlimited);
    }
    if !node.is_number() {
        let message = "must be a whole number or `unlimited`";
        problems.push(node.problem(message, "write how many people the plan allows"));
        return None;
    }
    let seats = node.number(0, MAX_SEATS, problems)?;
    u32::try_from(seats).ok().map(SeatLimit::Seats)
}

/// What a plan allows of each meter.
fn read_limits(
    node: &Node<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, u64> {
    let mut limits = BTreeMap::new();
    for (name, entry) in node.entries(problems) {
        let known = entry.check_known(name, "meter", &names.meters, problems);
        if let (true, Some(limit)) = (known, entry.number(0, i64::MAX as u64, problems)) {
            limits.insert(name.to_owned(), limit);
        }
    }
    limits
}

/// How seats are counted.
pub fn read_seats(root: &Node<'_>, problems: &mut Problems) -> Option<SeatRules> {
    let node = root.need("seats", problems)?;
    node.only(keys::SEATS, problems);
    let pool = node.need_word("pool", problems);
    let limit = node.need_word("limit", problems);
    let counts = node.need("counts", problems).map(|counts| counts.words(problems));
    let on_shrink = node.need_word("onShrink", problems);
    Some(SeatRules { pool: pool?, limit: limit?, counts: counts?, on_shrink: on_shrink? })
}

/// What cancelling does: the two words that fit together.
pub fn read_cancellation(root: &Node<'_>, problems: &mut Problems) -> Option<Cancellation> {
    const MEANINGS: [(&str, &str, Cancellation); 3] = [
        ("atOnce", "nothing", Cancellation::AtOnce),
        ("atPeriodEnd", "disableService", Cancellation::LastPaidAtPeriodEndThenDisable),
        ("atPeriodEnd", "deactivateTeams", Cancellation::AtPeriodEndThenTeamsInactive),
    ];
    let node = root.need("cancellation", problems)?;
    node.only(keys::CANCELLATION, problems);
    let when = node.need("lastPaid", problems);
    let then = node.need("then", problems);
    let when = when?.known("moment", &["atOnce", "atPeriodEnd"], problems);
    let then =
        then?.known("consequence", &["nothing", "disableService", "deactivateTeams"], problems);
    let (when, then) = (when?, then?);
    let meaning = MEANINGS.into_iter().find(|(w, t, _)| *w == when && *t == then);
    if meaning.is_none() {
        let pairs = MEANINGS.map(|(when, then, _)| format!("{when} with {then}")).join(", ");
        let message = format!("`{when}` does not go with `{then}`");
        problems.push(node.problem(message, format!("write one of: {pairs}")));
    }
    meaning.map(|(_, _, meaning)| meaning)
}
