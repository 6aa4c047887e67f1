//! The audit log, which is the feed too.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, MOST_ROWS, Window, insert_text, micros};

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub id: String,
    pub account_id: String,
    pub position: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub subject: String,
    /// JSON of the row before.
    pub before: Option<String>,
    /// JSON of the row after.
    pub after: Option<String>,
}

impl<'r> FromRow<'r, AnyRow> for AuditRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            position: row.try_get("position")?,
            at: row.time("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            before: row.try_get("before")?,
            after: row.try_get("after")?,
        })
    }
}

/// Puts in changes.
pub(crate) async fn insert(conn: &mut Connection, rows: &[AuditRow]) -> Result<(), sqlx::Error> {
    let columns = "id, account_id, position, at, actor, action, subject, before, after";
    for rows in rows.chunks(MOST_ROWS) {
        let text = insert_text("audit_events", columns, rows.len());
        let query = rows.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, row| {
            query
                .bind(&row.id)
                .bind(&row.account_id)
                .bind(row.position)
                .bind(micros(row.at))
                .bind(&row.actor)
                .bind(&row.action)
                .bind(&row.subject)
                .bind(&row.before)
                .bind(&row.after)
        });
        query.persistent(rows.len() == 1).execute(&mut *conn).await?;
    }
    Ok(())
}

/// One page of the log, in the order of the feed: what came after `position`.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    window: &Window,
) -> Result<Vec<AuditRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from audit_events where account_id = $1 and position > $2 \
         order by position limit $3",
    )
    .bind(account_id)
    .bind(window.after.parse::<i64>().unwrap_or_default())
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// What came after `position` among these actions, in the order of the feed.
pub(crate) async fn after(
    conn: &mut Connection,
    account_id: &str,
    position: i64,
    actions: &[&str],
) -> Result<Vec<AuditRow>, sqlx::Error> {
    let places: Vec<_> = (3..).take(actions.len()).map(|at| format!("${at}")).collect();
    let text = format!(
        "select * from audit_events where account_id = $1 and position > $2 and action in ({}) \
         order by position",
        places.join(", ")
    );
    let query = sqlx::query_as(AssertSqlSafe(text)).bind(account_id).bind(position);
    actions.iter().fold(query, |query, action| query.bind(*action)).fetch_all(conn).await
}

/// Accounts, deleted ones too, that have entries from before `until`.
pub(crate) async fn accounts_with_any_until(
    conn: &mut Connection,
    until: Timestamp,
    most: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select distinct account_id from audit_events where at <= $1 limit $2")
        .bind(micros(until))
        .bind(most)
        .fetch_all(conn)
        .await
}

/// Position of the last of the `most` oldest entries from before `until`.
pub(crate) async fn last_until(
    conn: &mut Connection,
    account_id: &str,
    until: Timestamp,
    most: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select max(position) from (select position from audit_events where account_id = $1 \
         and at <= $2 order by position limit $3) as oldest",
    )
    .bind(account_id)
    .bind(micros(until))
    .bind(most)
    .fetch_one(conn)
    .await
}

/// Forgets what is in the log up to a position.
pub(crate) async fn forget_until(
    conn: &mut Connection,
    account_id: &str,
    position: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from audit_events where account_id = $1 and position <= $2")
        .bind(account_id)
        .bind(position)
        .execute(conn)
        .await?;
    Ok(())
}
