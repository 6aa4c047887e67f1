//! Who is no longer there, from the feed of changes: asked only when a look has fewer people than it
//! should.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use crate::backend::BackendError;
use crate::backend::account_api::AccountApi;
use crate::backend::feed::{Change, Deed, FeedError};
use crate::backend::pages::read_beside;
use crate::backend::rows;
use crate::domain::endings::Endings;
use crate::domain::identity::MemberKey;
use crate::domain::observed::Observed;

/// Most pages of the feed that are read: 50 000 changes.
const MAX_PAGES: usize = 50;

/// The row of somebody who is gone.
#[derive(Deserialize)]
struct Row {
    id: String,
    email: String,
    #[serde(default)]
    team: Option<String>,
}

impl Row {
    fn key(&self) -> Result<MemberKey, BackendError> {
        rows::key(&self.email, self.team.as_deref())
    }
}

/// What became of a row last.
enum Fate {
    /// It was made before the look began.
    Made,
    /// Somebody else ended it.
    Ended,
    /// It says nothing of who is gone.
    Other,
}

/// What the feed says from `after` to the end of `look`; `None`: it does not reach back, there is
/// none, or it is too long.
///
/// # Errors
///
/// As with any read.
pub(super) async fn read(
    api: &AccountApi,
    look: &Observed,
    after: u64,
) -> Result<Option<Endings>, BackendError> {
    let Some(fates) = fates(api, look, after).await? else { return Ok(None) };
    let of = |wanted: fn(&Fate) -> bool| {
        let rows = fates.iter().filter(move |(_, fate)| wanted(fate));
        rows.map(|(id, _)| id.clone()).collect::<BTreeSet<_>>()
    };
    let ended = of(|fate| matches!(fate, Fate::Ended));
    let people = if ended.is_empty() { BTreeSet::new() } else { whose(api, look, &ended).await? };
    Ok(Some(Endings { people, made: of(|fate| matches!(fate, Fate::Made)) }))
}

/// What became of each row that the feed names.
async fn fates(
    api: &AccountApi,
    look: &Observed,
    after: u64,
) -> Result<Option<BTreeMap<String, Fate>>, BackendError> {
    let evidence = &look.evidence;
    let (Some(began), Some(up_to), Some(ours)) =
        (evidence.as_of, evidence.up_to, evidence.actor.as_deref())
    else {
        return Ok(None);
    };
    let (mut fates, mut position) = (BTreeMap::new(), after);
    for _ in 0..MAX_PAGES {
        if position >= up_to {
            return Ok(Some(fates));
        }
        let changes = match api.changes(&look.account.key, position, Duration::ZERO).await {
            Ok(changes) if changes.entries.is_empty() => return Ok(None),
            Ok(changes) => changes,
            Err(FeedError::TooOld | FeedError::Missing) => return Ok(None),
            Err(FeedError::Backend(error)) => return Err(error),
        };
        position = changes.next;
        let entries = changes.entries.into_iter().filter(|entry| entry.position <= up_to);
        fates.extend(entries.filter_map(|entry| fate(entry, began, ours)));
    }
    Ok(None)
}

/// What a change means for its row; `None`: it is there as before.
fn fate(entry: Change, began: u64, ours: &str) -> Option<(String, Fate)> {
    let fate = match entry.deed {
        Deed::Made if entry.position <= began => Fate::Made,
        Deed::Ended if entry.actor != ours => Fate::Ended,
        Deed::Made | Deed::Ended | Deed::Taken => Fate::Other,
        Deed::Other => return None,
    };
    Some((entry.subject, fate))
}

/// The people of rows that ended: those of the look, and those that only the lists of the past have.
async fn whose(
    api: &AccountApi,
    look: &Observed,
    ended: &BTreeSet<String>,
) -> Result<BTreeSet<MemberKey>, BackendError> {
    let over = look.invitations.iter().filter(|(_, row)| ended.contains(row.id.as_str()));
    let mut people: BTreeSet<MemberKey> = over.map(|(person, _)| person.clone()).collect();
    let account = &look.account.key;
    for list in ["members?state=deleted", "invitations?state=revoked"] {
        let path = format!("/v1/accounts/{account}/{list}");
        let take = |row: Row| {
            if ended.contains(&row.id) {
                people.insert(row.key()?);
            }
            Ok(())
        };
        read_beside(api, &path, "an account without a list of its people", take).await?;
    }
    Ok(people)
}
