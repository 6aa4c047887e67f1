//! Lists, read page by page to the end.

use std::collections::BTreeSet;

use http::Method;
use serde::de::DeserializeOwned;
use url::form_urlencoded::byte_serialize;

use crate::backend::BackendError;
use crate::backend::account_api::AccountApi;
use crate::backend::call::Call;
use crate::wire::{MAX_PAGE_SIZE, Page};

/// Most pages of one list: 250 000 rows.
const MAX_PAGES: usize = 250;

/// Longest cursor that is sent back.
const MAX_CURSOR_BYTES: usize = 2048;

/// What a list says of itself.
pub(super) struct Listed {
    /// Rows on all pages.
    pub rows: u64,
    /// `total` of the last page.
    pub total: u64,
}

/// Reads the list at `path` to the end and gives each row to `take`.
///
/// `position` is the feed position of what was read before; it never goes back, or a page comes
/// from an older copy of the data than another. Rows and `total` are not compared here: that is
/// for the trusted-read guard.
///
/// # Errors
///
/// [`BackendError`] when any page fails: there is no half list.
pub(super) async fn read<T: DeserializeOwned>(
    api: &AccountApi,
    path: &str,
    position: &mut u64,
    mut take: impl FnMut(T) -> Result<(), BackendError>,
) -> Result<Listed, BackendError> {
    let mut listed = Listed { rows: 0, total: 0 };
    let mut cursors = BTreeSet::new();
    let mut cursor = String::new();
    for _ in 0..MAX_PAGES {
        let page: Page<T> = api.ask(Call::new(Method::GET, page_path(path, &cursor))).await?;
        let Page { items, next_cursor, total, as_of } = page;
        if as_of < *position {
            return Err(malformed("a page that is older than the one before"));
        }
        *position = as_of;
        if items.len() > MAX_PAGE_SIZE as usize {
            return Err(malformed("a page with more rows than asked for"));
        }
        listed.rows += items.len() as u64;
        listed.total = total;
        let empty = items.is_empty();
        items.into_iter().try_for_each(&mut take)?;

        let Some(next) = next_cursor else { return Ok(listed) };
        if empty || next.len() > MAX_CURSOR_BYTES || !cursors.insert(next.clone()) {
            return Err(malformed("pages that lead nowhere"));
        }
        cursor = next;
    }
    Err(malformed("more pages than an account can have"))
}

/// Reads a list beside the people whole: it has as many rows as it says. `missing` is said where the
/// account, which has just answered, has no such list.
///
/// # Errors
///
/// As [`read`].
pub(super) async fn read_beside<T: DeserializeOwned>(
    api: &AccountApi,
    path: &str,
    missing: &'static str,
    take: impl FnMut(T) -> Result<(), BackendError>,
) -> Result<(), BackendError> {
    match read(api, path, &mut 0, take).await {
        Ok(listed) if listed.rows == listed.total => Ok(()),
        // Somebody may just be adding a row: the next look is whole.
        Ok(_) => Err(malformed("a list that is not as long as it says")),
        Err(BackendError::NoSuchAccount) => Err(malformed(missing)),
        Err(error) => Err(error),
    }
}

fn page_path(path: &str, cursor: &str) -> String {
    if cursor.is_empty() {
        return format!("{path}?page_size={MAX_PAGE_SIZE}");
    }
    let cursor: String = byte_serialize(cursor.as_bytes()).collect();
    format!("{path}?page_size={MAX_PAGE_SIZE}&cursor={cursor}")
}

fn malformed(what: &'static str) -> BackendError {
    BackendError::Malformed { what }
}
