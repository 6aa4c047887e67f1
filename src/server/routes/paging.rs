//! Keyset paging: rows, `total` and `as_of` of a page come from one snapshot.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;

use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::store::Window;
use crate::wire::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page};

/// Query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    page_size: Option<u32>,
    cursor: Option<String>,
    /// State that the rows are in.
    pub state: Option<String>,
}

impl ListQuery {
    /// The query, or what is wrong with it.
    pub fn of(query: Result<Query<Self>, QueryRejection>) -> Result<Self, ApiError> {
        match query {
            Ok(Query(query)) => Ok(query),
            Err(rejection) => Err(ApiError::field("", rejection.body_text())),
        }
    }

    /// Which rows to read: one more than asked for tells whether another page follows.
    pub fn window(&self) -> Result<Window, ApiError> {
        let size = self.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
        if !(1..=MAX_PAGE_SIZE).contains(&size) {
            return Err(ApiError::field("/page_size", "is from 1 to 1000"));
        }
        let after = match &self.cursor {
            None => String::new(),
            Some(cursor) => unseal(cursor)
                .ok_or_else(|| ApiError::field("/cursor", "is not a cursor of this service"))?,
        };
        Ok(Window { after, size: size + 1 })
    }

    /// Refuses a filter where there is none.
    pub fn without_state(self) -> Result<Self, ApiError> {
        match self.state {
            None => Ok(self),
            Some(_) => Err(ApiError::field("/state", "is not a filter of this list")),
        }
    }
}

/// Makes a page of what a [`Window`] read. `key` is what the next page begins after.
pub(crate) fn page<R, T>(
    mut rows: Vec<R>,
    window: &Window,
    total: i64,
    as_of: u64,
    key: impl Fn(&R) -> String,
    view: impl Fn(&R) -> Result<T, ApiError>,
) -> Result<Page<T>, ApiError> {
    let size = usize::try_from(window.size - 1).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let next_cursor = if more { rows.last().map(|row| seal(&key(row))) } else { None };
    let items = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Page { items, next_cursor, total: u64::try_from(total).unwrap_or_default(), as_of })
}

fn seal(key: &str) -> String {
    ids::hex(format!("1{key}").as_bytes())
}

fn unseal(cursor: &str) -> Option<String> {
    let bytes = crate::server::link::unhex(cursor)?;
    String::from_utf8(bytes).ok()?.strip_prefix('1').map(str::to_owned)
}
