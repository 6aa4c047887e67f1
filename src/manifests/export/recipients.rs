//! Recipients of categories of mail that somebody chose. Whom a role makes one needs no declaration.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{CategoryName, MemberId};
use crate::domain::observed::Observed;
use crate::domain::recipients::ObservedCategory;
use crate::manifests::export::name::Taken;
use crate::manifests::export::object::Writer;
use crate::profile::Profile;
use crate::yaml::WriteError;

/// Most recipients of one object.
const RECIPIENTS: usize = 500;

/// Writes who was chosen for each category; `team`: the Team that the objects name.
pub fn write(
    writer: &mut Writer<'_>,
    profile: &Profile,
    observed: &Observed,
    team: Option<&str>,
) -> Result<(), WriteError> {
    let (mut taken, mut objects) = (Taken::default(), Vec::new());
    let people = observed.members.iter().map(|(key, row)| (&row.id, &key.person));
    let people: BTreeMap<&MemberId, &EmailAddress> = people.collect();
    for (category, row) in observed.categories.iter().flatten() {
        let chosen = chosen(row, &people);
        let obstacle = match (team, profile.category(category.as_str())) {
            _ if chosen.is_empty() => continue,
            (_, None) => Some("is not one of the profile"),
            (None, _) => Some("has no Team to be declared in"),
            (Some(_), Some(_)) => None,
        };
        if let Some(why) = obstacle {
            let count = chosen.len();
            let category = category.as_str();
            let whole = format!("category {category:?} {why}: its {count} recipients stay");
            writer.exported.left_out.push(whole);
            continue;
        }
        writer.exported.counts.recipients += chosen.len();
        for some in chosen.chunks(RECIPIENTS) {
            let name = taken.name(category.as_str(), "mail");
            objects.push((name, spec(team.unwrap_or_default(), category, some)));
        }
    }
    if objects.is_empty() {
        return Ok(());
    }
    writer.file::<api::NotificationSubscription>("recipients", &[], objects)
}

/// Who was chosen, in order of address.
fn chosen<'a>(
    row: &ObservedCategory,
    people: &BTreeMap<&MemberId, &'a EmailAddress>,
) -> Vec<&'a EmailAddress> {
    let chosen = row.recipients.iter().filter(|(_, by)| by.chosen && !by.implied);
    let mut chosen: Vec<_> = chosen.filter_map(|(id, _)| people.get(id).copied()).collect();
    chosen.sort();
    chosen.dedup();
    chosen
}

fn spec(team: &str, category: &CategoryName, recipients: &[&EmailAddress]) -> Value {
    let recipients = recipients.iter().map(|person| json!({"email": person.as_str()}));
    json!({
        "teamRef": {"name": team},
        "category": category.as_str(),
        "recipients": recipients.collect::<Vec<_>>(),
    })
}
