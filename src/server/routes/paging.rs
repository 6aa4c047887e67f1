//! Keyset paging: rows, `total` and `as_of` of a page come from one snapshot.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;

use crate::server::SharedService;
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::store::Window;
use crate::wire::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_REFERENCE, Page};

/// What a list can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Rows in one state.
    State,
    /// Rows of one team.
    Team,
    /// Rows that contain a text.
    Text,
}

impl Filter {
    /// Name of the query parameter.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Team => "team",
            Self::Text => "q",
        }
    }
}

/// Query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    page_size: Option<u32>,
    cursor: Option<String>,
    /// State that the rows are in.
    pub state: Option<String>,
    /// Team that the rows belong to.
    pub team: Option<String>,
    /// Text that the rows contain.
    pub q: Option<String>,
}

impl FromRequestParts<SharedService> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &SharedService,
    ) -> Result<Self, ApiError> {
        let query: Result<Query<Self>, QueryRejection> =
            Query::from_request_parts(parts, service).await;
        query.map(|Query(query)| query).map_err(|rejection| unreadable(&rejection))
    }
}

/// The refusal of a query.
pub(crate) fn unreadable(rejection: &QueryRejection) -> ApiError {
    ApiError::field("", format!("the query cannot be read: {}", rejection.body_text()))
}

impl ListQuery {
    /// Which rows to read: one more than asked for tells whether another page follows.
    pub fn window(&self, filters: &[Filter]) -> Result<Window, ApiError> {
        self.must_only_have(filters)?;
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

    fn must_only_have(&self, filters: &[Filter]) -> Result<(), ApiError> {
        let given = [
            (Filter::State, self.state.is_some()),
            (Filter::Team, self.team.is_some()),
            (Filter::Text, self.q.is_some()),
        ];
        match given.iter().find(|(filter, given)| *given && !filters.contains(filter)) {
            None => self.must_be_plain(),
            Some((filter, _)) => {
                let pointer = format!("/{}", filter.parameter());
                Err(ApiError::field(pointer, "is not a filter of this list"))
            }
        }
    }

    fn must_be_plain(&self) -> Result<(), ApiError> {
        let given = [(Filter::Team, &self.team), (Filter::Text, &self.q)];
        let fits = |text: &str| {
            let length = text.chars().count();
            (1..=MAX_REFERENCE).contains(&length) && !text.contains(char::is_control)
        };
        match given.iter().find(|(_, text)| text.as_deref().is_some_and(|text| !fits(text))) {
            None => Ok(()),
            Some((filter, _)) => {
                let pointer = format!("/{}", filter.parameter());
                Err(ApiError::field(pointer, "has 1 to 128 printable characters"))
            }
        }
    }
}

/// Makes a page of what a [`Window`] read. `key` is what the next page begins after.
pub(crate) fn page<R, T>(
    mut rows: Vec<R>,
    window: &Window,
    total: u64,
    as_of: u64,
    key: impl Fn(&R) -> String,
    view: impl Fn(&R) -> Result<T, ApiError>,
) -> Result<Page<T>, ApiError> {
    let size = usize::try_from(window.size - 1).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let next_cursor = if more { rows.last().map(|row| seal(&key(row))) } else { None };
    let items = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Page { items, next_cursor, total, as_of })
}

fn seal(key: &str) -> String {
    ids::hex(format!("1{key}").as_bytes())
}

fn unseal(cursor: &str) -> Option<String> {
    let bytes = crate::server::link::unhex(cursor)?;
    let text = String::from_utf8(bytes).ok()?;
    // PostgreSQL takes no NUL in a text.
    text.strip_prefix('1').filter(|key| !key.contains('\0')).map(str::to_owned)
}
