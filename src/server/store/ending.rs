//! Rows that end at a time of their own, and are forgotten a while later.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use crate::server::store::{Connection, micros};

/// A table whose rows end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Sessions,
    /// Used or not.
    LoginLinks,
    Tokens,
}

impl Ending {
    fn table_and_key(self) -> (&'static str, &'static str) {
        match self {
            Self::Sessions => ("sessions", "hash"),
            Self::LoginLinks => ("login_links", "id"),
            Self::Tokens => ("tokens", "hash"),
        }
    }
}

/// True if there are rows that were over before `until`.
pub(crate) async fn any_over(
    conn: &mut Connection,
    rows: Ending,
    until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let (table, key) = rows.table_and_key();
    let text = format!("select {key} from {table} where expires_at <= $1 limit 1");
    let found: Option<String> =
        sqlx::query_scalar(AssertSqlSafe(text)).bind(micros(until)).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Forgets rows that were over before `until`.
pub(crate) async fn forget(
    conn: &mut Connection,
    rows: Ending,
    until: Timestamp,
    most: i64,
) -> Result<(), sqlx::Error> {
    let (table, key) = rows.table_and_key();
    let text = format!(
        "delete from {table} where {key} in \
         (select {key} from {table} where expires_at <= $1 limit $2)"
    );
    sqlx::query(AssertSqlSafe(text)).bind(micros(until)).bind(most).execute(conn).await?;
    Ok(())
}
