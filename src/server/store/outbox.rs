//! Mails: queued in the transaction of the change, then sending, then sent.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, micros};

/// One mail.
#[derive(Clone, Debug)]
pub(crate) struct MailRow {
    pub id: String,
    pub account_id: Option<String>,
    /// Name of the template.
    pub template: String,
    /// Id of the row that it is about.
    pub subject: String,
    /// Address of the person.
    pub address: String,
    /// JSON object of words for the template. Never a link.
    pub words: String,
    pub created_at: Timestamp,
}

impl<'r> FromRow<'r, AnyRow> for MailRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            template: row.try_get("template")?,
            subject: row.try_get("subject")?,
            address: row.try_get("address")?,
            words: row.try_get("words")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// Queues a mail.
pub(crate) async fn queue(conn: &mut Connection, row: &MailRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into outbox (id, account_id, template, subject, address, words, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.template)
    .bind(&row.subject)
    .bind(&row.address)
    .bind(&row.words)
    .bind(micros(row.created_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// The oldest mail that waits.
pub(crate) async fn oldest_queued(conn: &mut Connection) -> Result<Option<MailRow>, sqlx::Error> {
    sqlx::query_as("select * from outbox where state = 'queued' order by id limit 1")
        .fetch_optional(conn)
        .await
}

/// Takes a mail from one state to the next; false if it was not in that state any more.
pub(crate) async fn advance(
    conn: &mut Connection,
    id: &str,
    from: &str,
    to: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("update outbox set state = $3, sent_at = $4 where id = $1 and state = $2")
            .bind(id)
            .bind(from)
            .bind(to)
            .bind(micros(now))
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Mails that were being sent when the process ended: nobody knows whether they went out.
pub(crate) async fn interrupted(conn: &mut Connection) -> Result<Vec<MailRow>, sqlx::Error> {
    sqlx::query_as("select * from outbox where state = 'sending' order by id").fetch_all(conn).await
}

/// True if this person was queued such a mail after `since`.
pub(crate) async fn queued_since(
    conn: &mut Connection,
    template: &str,
    address: &str,
    since: Timestamp,
) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(
        "select count(*) from outbox where address = $1 and template = $2 and created_at > $3",
    )
    .bind(address)
    .bind(template)
    .bind(micros(since))
    .fetch_one(conn)
    .await?;
    Ok(found > 0)
}

/// True if such a mail about this row was queued after `since`.
pub(crate) async fn queued_about(
    conn: &mut Connection,
    account_id: &str,
    template: &str,
    subject: &str,
    since: Timestamp,
) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(
        "select count(*) from outbox where account_id = $1 and template = $2 and created_at > $4 \
         and subject = $3",
    )
    .bind(account_id)
    .bind(template)
    .bind(subject)
    .bind(micros(since))
    .fetch_one(conn)
    .await?;
    Ok(found > 0)
}
