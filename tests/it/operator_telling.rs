//! What the operator tells people: events, figures, what kstatus sees, the audit record.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::operator_world::World;

const ROSTER: &str = "{email: ana@example.com, role: admin}, {email: bo@example.com}";
const ONLY_ANA: &str = "{email: ana@example.com, role: admin}";

/// Name → type and labels, as `docs/metrics.md` has them.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `seatkeeper_"));
    let rows = rows.map(|line| {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty()).map(str::to_owned);
        (cells[1].clone(), (cells[2].clone(), labels.collect()))
    });
    rows.collect()
}

/// The same, as `/metrics` has them. A figure without a value so far has no labels to show.
fn served(text: &str) -> BTreeMap<String, (String, Option<BTreeSet<String>>)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let figure = |(name, type_): (&str, &str)| {
        let samples = text.lines().filter(|line| line.starts_with(name));
        let samples = samples
            .filter(|line| matches!(line[name.len()..].chars().next(), Some('{' | ' ' | '_')));
        let mut labels = None;
        for sample in samples.filter(|line| !line.contains("_bucket{")) {
            let inside = sample.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
            let names = inside.into_iter().flat_map(|(inside, _)| inside.split("\","));
            let names =
                names.filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_owned());
            labels.get_or_insert_with(BTreeSet::new).extend(names);
        }
        (name.to_owned(), (type_.to_owned(), labels))
    };
    types.map(figure).collect()
}

fn figures_are_documented(text: &str) {
    let (documented, served) = (documented(), served(text));
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(served.keys().collect()), names(documented.keys().collect()));
    for (name, (type_, labels)) in served {
        let (said, known) = &documented[&name];
        assert_eq!(type_, *said, "{name}");
        assert!(labels.is_none_or(|labels| labels == *known), "{name}: {known:?}");
    }
}

// rule: OP-10
#[tokio::test]
async fn a_story_without_trouble_has_no_event_and_each_change_has_one_record() {
    let mut world = World::new("growth").await;
    world.declare("", ROSTER).await;
    let fresh = world.kstatus("accounts,teams").await;
    assert_eq!(fresh, "account/acme InProgress\nteam/core InProgress", "before anybody looked");

    world.start_operator("warn").await;
    world.declare_member("cyd", "biller").await;
    world.becomes("membership/cyd", "Pending").await;
    world.is_current().await;
    for person in ["ana", "bo", "cyd"] {
        world.join(person).await;
    }
    world.becomes("membership/cyd", "Active").await;
    world.declare("", &ROSTER.replace("bo@example.com", "bo@example.com, role: admin")).await;
    world.until("bo is admin", async || world.member("bo").await["role"] == "admin").await;
    world.k(&["delete", "membership", "cyd", "--wait=false"]).await;
    world.gone("membership/cyd").await;
    world.is_quiet().await;
    world.is_current().await;
    assert_eq!(world.events().await, [] as [String; 0]);

    let audit = world.audit();
    assert_eq!(audit.len(), world.writes(), "{audit:#?}");
    let uid = world.get("team/core").await["metadata"]["uid"].as_str().unwrap().to_owned();
    for (action, object) in [
        ("Claim", "Account"),
        ("Invite", "line 2 of its roster"),
        ("ChangeRole", uid.as_str()),
        ("Remove for Membership", "cyd"),
    ] {
        let found = audit.iter().any(|line| line.contains(action) && line.contains(object));
        assert!(found, "{action} {object}: {audit:#?}");
    }
    let private = |line: &String| line.contains('@') || line.contains(&world.token);
    assert!(!audit.iter().any(private), "{audit:#?}");

    let (_, text) = world.probe("/metrics").await;
    figures_are_documented(&text);
    assert!(world.figure("seatkeeper_oldest_look_timestamp_seconds").await > 1_700_000_000);
    assert_eq!(world.figure("seatkeeper_mails_total{kind=\"Invite\"}").await, 3);
    assert_eq!(world.figure("seatkeeper_seats{kind=\"free\"}").await, 1);
}

// rule: OP-07
#[tokio::test]
async fn a_hold_has_one_event_its_end_another_and_looks_in_between_none() {
    let world = World::start("growth").await;
    let brake = ", removals: {settle: 2s, maxCount: 0, maxPercent: 0}";
    let declare = async |roster: &str| {
        let text = crate::operator_world::manifests(&world.namespace, &world.base, "", roster);
        world.apply(&text.replace(", removals: {settle: 2s}", brake)).await;
    };
    declare(ROSTER).await;
    world.join("ana").await;
    world.join("bo").await;
    world.becomes("account/acme", "Synced").await;

    declare(ONLY_ANA).await;
    world.becomes("account/acme", "Held").await;
    world.looks_again(3).await;
    let held = ["Warning RemovalHeld Account/acme"];
    assert_eq!(world.events().await, held);
    assert_eq!(world.kstatus("accounts").await, "account/acme Failed");
    assert_eq!(world.figure("seatkeeper_held_actions{rule=\"RemovalHeld\"}").await, 1);
    assert_eq!(world.figure("seatkeeper_drift{kind=\"held\"}").await, 1);

    declare(ROSTER).await;
    world.becomes("account/acme", "Synced").await;
    world.looks_again(3).await;
    assert_eq!(world.events().await, ["Normal Recovered Account/acme", held[0]]);
    assert_eq!(world.kstatus("accounts").await, "account/acme Current");
    assert_eq!(world.figure("seatkeeper_drift{kind=\"held\"}").await, 0);
}
