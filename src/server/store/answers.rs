//! Answers kept under their idempotency key.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Connection, micros};

/// An answer that was given.
#[derive(Clone, Debug)]
pub(crate) struct AnswerRow {
    /// Digest of method, path and body.
    pub fingerprint: String,
    pub status: u16,
    pub etag: Option<String>,
    /// JSON; none if it held a secret, which is never kept.
    pub body: Option<String>,
}

impl<'r> FromRow<'r, AnyRow> for AnswerRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            fingerprint: row.try_get("fingerprint")?,
            status: u16::try_from(row.try_get::<i64, _>("status")?)
                .map_err(|error| sqlx::Error::Decode(error.into()))?,
            etag: row.try_get("etag")?,
            body: row.try_get("body")?,
        })
    }
}

/// The answer given under this key after `since`. The scope is the account.
pub(crate) async fn given(
    conn: &mut Connection,
    scope: &str,
    key: &str,
    since: Timestamp,
) -> Result<Option<AnswerRow>, sqlx::Error> {
    sqlx::query_as("select * from answers where scope = $1 and key = $2 and created_at > $3")
        .bind(scope)
        .bind(key)
        .bind(micros(since))
        .fetch_optional(conn)
        .await
}

/// Keeps an answer; an outdated one under the same key goes.
pub(crate) async fn keep(
    conn: &mut Connection,
    scope: &str,
    key: &str,
    answer: &AnswerRow,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into answers (scope, key, fingerprint, status, etag, body, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (scope, key) do update set \
         fingerprint = $3, status = $4, etag = $5, body = $6, created_at = $7",
    )
    .bind(scope)
    .bind(key)
    .bind(&answer.fingerprint)
    .bind(i64::from(answer.status))
    .bind(&answer.etag)
    .bind(&answer.body)
    .bind(micros(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// True if answers from before `until` are there.
pub(crate) async fn any_until(
    conn: &mut Connection,
    until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let found: Option<i64> =
        sqlx::query_scalar("select created_at from answers where created_at <= $1 limit 1")
            .bind(micros(until))
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// Forgets answers from before `until`.
pub(crate) async fn forget_until(
    conn: &mut Connection,
    until: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from answers where created_at <= $1")
        .bind(micros(until))
        .execute(conn)
        .await?;
    Ok(())
}
