//! Bearer tokens, by hash.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Connection, micros};

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub hash: String,
    pub id: String,
    /// Account that it is bound to; none for a vendor token.
    pub account_id: Option<String>,
    /// Scopes, separated by spaces.
    pub scopes: String,
}

impl<'r> FromRow<'r, SqliteRow> for TokenRow {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            hash: row.try_get("hash")?,
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            scopes: row.try_get("scopes")?,
        })
    }
}

/// The token of this hash, unless it is over.
pub(crate) async fn valid(
    conn: &mut Connection,
    hash: &str,
    now: Timestamp,
) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as("select * from tokens where hash = ?1 and expires_at > ?2")
        .bind(hash)
        .bind(micros(now))
        .fetch_optional(conn)
        .await
}

/// Puts in a token; one of the same hash gets the new scopes and end.
pub(crate) async fn put(
    conn: &mut Connection,
    row: &TokenRow,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into tokens (hash, id, account_id, scopes, created_at, expires_at) \
         values (?1, ?2, ?3, ?4, ?5, ?6) \
         on conflict (hash) do update set account_id = ?3, scopes = ?4, expires_at = ?6",
    )
    .bind(&row.hash)
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.scopes)
    .bind(micros(now))
    .bind(micros(expires_at))
    .execute(conn)
    .await?;
    Ok(())
}
