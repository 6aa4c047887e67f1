//! What administrators are told of: additions, removals, changes of role and new names, one mail in
//! ten minutes that lists all (CT-09, X14). Who did something is told of it too: a mail about what
//! one has not done is how one learns that somebody else acts in one's name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::profile::{Addressee, Notice, Profile};
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::store::audit::{self, AuditRow};
use crate::server::store::members;

/// How long changes are gathered.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// Changes of the audit log that are told.
const TOLD: [(&str, Notice); 5] = [
    ("member.added", Notice::Added),
    ("member.joined", Notice::Added),
    ("member.role_changed", Notice::RoleChanged),
    ("member.removed", Notice::Removed),
    ("team.renamed", Notice::Renamed),
];

fn notice(action: &str) -> Option<Notice> {
    TOLD.iter().find(|(told, _)| *told == action).map(|(_, notice)| *notice)
}

fn roles(profile: &Profile, notice: Notice) -> impl Iterator<Item = &str> {
    let told = profile.notify.get(&notice).into_iter().flatten();
    told.filter_map(|addressee| match addressee {
        Addressee::Role(role) => Some(role.as_str()),
        Addressee::Person => None,
    })
}

/// Notes that something is about to be recorded: if it is to be told, a digest is due.
pub(super) fn note(change: &mut Change, action: &str) {
    let told = notice(action).is_some_and(|it| roles(&change.profile, it).next().is_some());
    if told && change.account.digest_at.is_none() {
        change.account.digest_at = Some(change.now + WINDOW);
        change.account.digest_from = change.account.position;
    }
}

/// What an account begins with is no news.
pub(crate) fn forget(change: &mut Change) {
    change.account.digest_at = None;
}

/// Sends what was gathered, if its time has come.
pub(crate) async fn send_due(change: &mut Change) -> Result<(), ApiError> {
    if change.account.digest_at.is_none_or(|at| at > change.now) {
        return Ok(());
    }
    change.account.digest_at = None;
    let (account_id, after) = (change.account.id.clone(), change.account.digest_from);
    let actions = TOLD.map(|(action, _)| action);
    let rows = audit::after(change.conn(), &account_id, after, &actions).await?;
    let told = rows.iter().map(told).collect::<Result<Vec<_>, _>>()?;
    for (address, scopes) in addressees(change).await? {
        let hears = |told: &&Told| {
            scopes.contains(&(told.notice, None))
                || told.team.is_some() && scopes.contains(&(told.notice, told.team.clone()))
        };
        let changes: Vec<_> = told.iter().filter(hears).map(|told| &told.words).collect();
        if !changes.is_empty() {
            let words = json!({ "changes": changes });
            change.mail(Template::MembersChanged, &account_id, &address, words).await?;
        }
    }
    Ok(())
}

/// Of what somebody hears, and where; none: everywhere.
type Scopes = BTreeSet<(Notice, Option<String>)>;

/// Who hears of what, by address.
async fn addressees(change: &mut Change) -> Result<BTreeMap<String, Scopes>, ApiError> {
    let (account_id, profile) = (change.account.id.clone(), change.profile.clone());
    let mut found: BTreeMap<String, Scopes> = BTreeMap::new();
    for notice in [Notice::Added, Notice::RoleChanged, Notice::Removed, Notice::Renamed] {
        for role in roles(&profile, notice) {
            for row in members::people_with_role(change.conn(), &account_id, role).await? {
                found.entry(row.address).or_default().insert((notice, row.team_id));
            }
        }
    }
    Ok(found)
}

/// One change in words.
struct Told {
    notice: Notice,
    team: Option<String>,
    words: Value,
}

fn told(row: &AuditRow) -> Result<Told, ApiError> {
    let json = |text: &Option<String>| -> Result<Value, ApiError> {
        Ok(text.as_deref().map(serde_json::from_str).transpose()?.unwrap_or(Value::Null))
    };
    let (before, after) = (json(&row.before)?, json(&row.after)?);
    let notice = notice(&row.action).ok_or(ApiError::Corrupt("audit_events.action"))?;
    let (person, role) = (&after["email"], &after["role"]);
    let words = match notice {
        Notice::Added => json!({ "kind": "added", "person": person, "role": role }),
        Notice::RoleChanged => json!({
            "kind": "role-changed", "person": person, "from": before["role"], "to": role,
        }),
        Notice::Renamed => json!({
            "kind": "renamed", "from": before["name"], "to": after["name"],
        }),
        _ => json!({ "kind": "removed", "person": person }),
    };
    let team = match notice {
        Notice::Renamed => Some(row.subject.clone()),
        _ => after["team"].as_str().map(str::to_owned),
    };
    Ok(Told { notice, team, words })
}
