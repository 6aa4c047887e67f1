//! Mails: queued in the transaction of the change, claimed by a process for a while, then sending,
//! then sent.
//!
//! What looks for mails that wait says `state in ('queued', 'sending')` first: SQLite takes the
//! index of those few only for these very words. So does what looks for mails that are done.

use std::num::NonZeroU32;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::store::{
    Cells as _, Connection, MOST_ROWS, Store, Tx, insert_text, micros, to_time,
};

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

/// A mail that this process holds.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub mail: MailRow,
    /// How often the mail server has refused it for the time being.
    pub attempts: u32,
}

impl<'r> FromRow<'r, AnyRow> for Claimed {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let attempts: i64 = row.try_get("attempts")?;
        let attempts =
            u32::try_from(attempts).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self { mail: MailRow::from_row(row)?, attempts })
    }
}

/// Who holds mails, and until when if it is not renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub by: &'a str,
    pub until: Timestamp,
}

/// Queues mails.
pub(crate) async fn queue(conn: &mut Connection, rows: &[MailRow]) -> Result<(), sqlx::Error> {
    let columns = "id, account_id, template, subject, address, words, created_at";
    for rows in rows.chunks(MOST_ROWS) {
        let text = insert_text("outbox", columns, rows.len());
        let query = rows.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, row| {
            query
                .bind(&row.id)
                .bind(&row.account_id)
                .bind(&row.template)
                .bind(&row.subject)
                .bind(&row.address)
                .bind(&row.words)
                .bind(micros(row.created_at))
        });
        query.persistent(rows.len() == 1).execute(&mut *conn).await?;
    }
    Ok(())
}

/// The mail of this id.
pub(crate) async fn by_id(conn: &mut Connection, id: &str) -> Result<Option<MailRow>, sqlx::Error> {
    sqlx::query_as("select * from outbox where id = $1").bind(id).fetch_optional(conn).await
}

/// True if a mail is due that nobody else holds, or was being sent by who does not hold it any more.
pub(crate) async fn any_due(
    conn: &mut Connection,
    by: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from outbox where state in ('queued', 'sending') \
         and ((state = 'queued' and not_before <= $1 \
         and (coalesce(claimed_until, 0) <= $1 or claimed_by = $2)) \
         or (state = 'sending' and claimed_until <= $1)) limit 1",
    )
    .bind(micros(now))
    .bind(by)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Claims the first mail that is due and that nobody else holds. One that this process holds is
/// left over from a delivery that broke off before it was `sending`.
pub(crate) async fn claim_next(
    store: &Store,
    tx: &mut Tx,
    claim: Claim<'_>,
    now: Timestamp,
) -> Result<Option<Claimed>, sqlx::Error> {
    let text = format!(
        "update outbox set claimed_by = $1, claimed_until = $2 where id = (select id from outbox \
         where state in ('queued', 'sending') and state = 'queued' and not_before <= $3 \
         and (coalesce(claimed_until, 0) <= $3 or claimed_by = $1) \
         order by not_before, id limit 1{}) returning *",
        store.for_update_skip_locked()
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(claim.by)
        .bind(micros(claim.until))
        .bind(micros(now))
        .fetch_optional(&mut **tx)
        .await
}

/// Holds on to what is claimed.
pub(crate) async fn renew(conn: &mut Connection, claim: Claim<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set claimed_until = $2 where claimed_by = $1 \
         and state in ('queued', 'sending')",
    )
    .bind(claim.by)
    .bind(micros(claim.until))
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends claims that nobody can hold any more: all of them in a database of one process, else those
/// of programs that did not know claims.
pub(crate) async fn end_claims(conn: &mut Connection, shared: bool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set claimed_until = 0 where state in ('queued', 'sending') \
         and (claimed_until is null or $1 = 0)",
    )
    .bind(i64::from(shared))
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks a mail `sending`; false if it is not ours to send any more.
pub(crate) async fn begin_sending(
    conn: &mut Connection,
    id: &str,
    claim: Claim<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update outbox set state = 'sending', claimed_until = $3 where id = $1 \
         and claimed_by = $2 and state = 'queued'",
    )
    .bind(id)
    .bind(claim.by)
    .bind(micros(claim.until))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes what became of a mail of ours; false if it is not ours any more. Who sent it knows better
/// than who found its claim lapsed and called it `unknown`.
pub(crate) async fn settle(
    conn: &mut Connection,
    id: &str,
    by: &str,
    state: &str,
    now: Timestamp,
    error: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update outbox set state = $3, sent_at = $4, last_error = $5, claimed_by = null, \
         claimed_until = null where id = $1 and claimed_by = $2 \
         and state in ('queued', 'sending', 'unknown')",
    )
    .bind(id)
    .bind(by)
    .bind(state)
    .bind(micros(now))
    .bind(error)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a mail of ours back that was surely not sent.
pub(crate) async fn give_back(
    conn: &mut Connection,
    id: &str,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set state = 'queued', claimed_by = null, claimed_until = null \
         where id = $1 and claimed_by = $2 and state in ('queued', 'sending', 'unknown')",
    )
    .bind(id)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a mail of ours back that was not begun to be sent: it is due again from `not_before` on.
pub(crate) async fn put_off(
    conn: &mut Connection,
    id: &str,
    by: &str,
    not_before: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set not_before = $3, claimed_by = null, claimed_until = null \
         where id = $1 and claimed_by = $2 and state = 'queued'",
    )
    .bind(id)
    .bind(by)
    .bind(micros(not_before))
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a mail of ours back that was refused for now: it is due again from `not_before` on.
pub(crate) async fn postpone(
    conn: &mut Connection,
    id: &str,
    by: &str,
    not_before: Timestamp,
    error: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set state = 'queued', not_before = $3, attempts = attempts + 1, \
         last_error = $4, claimed_by = null, claimed_until = null where id = $1 \
         and claimed_by = $2 and state in ('queued', 'sending', 'unknown')",
    )
    .bind(id)
    .bind(by)
    .bind(micros(not_before))
    .bind(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Mails that were being sent by who does not hold them any more: nobody knows whether they went
/// out.
pub(crate) async fn interrupted(
    conn: &mut Connection,
    now: Timestamp,
) -> Result<Vec<MailRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from outbox where state in ('queued', 'sending') and state = 'sending' \
         and claimed_until <= $1 order by not_before, id",
    )
    .bind(micros(now))
    .fetch_all(conn)
    .await
}

/// Notes what is known of an interrupted mail. Its claim stays: see [`settle`].
pub(crate) async fn settle_interrupted(
    conn: &mut Connection,
    id: &str,
    state: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update outbox set state = $2, sent_at = $3, claimed_until = null where id = $1 \
         and state = 'sending' and claimed_until <= $3",
    )
    .bind(id)
    .bind(state)
    .bind(micros(now))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a mail came back; false if that is known already or it never left.
pub(crate) async fn bounce(conn: &mut Connection, id: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update outbox set state = 'failed', claimed_by = null, claimed_until = null \
         where id = $1 and state in ('sending', 'sent', 'unknown')",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many mails of these kinds were queued to this person after `since`.
pub(crate) async fn count_to(
    conn: &mut Connection,
    [first, second]: [&str; 2],
    address: &str,
    since: Timestamp,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from outbox where address = $1 and template in ($2, $3) \
         and created_at > $4",
    )
    .bind(address)
    .bind(first)
    .bind(second)
    .bind(micros(since))
    .fetch_one(conn)
    .await
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

/// How many mails of these kinds were queued for an account after `since`.
pub(crate) async fn count_of_account(
    conn: &mut Connection,
    account_id: &str,
    [first, second, third]: [&str; 3],
    since: Timestamp,
) -> Result<u32, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from outbox where account_id = $1 and template in ($2, $3, $4) \
         and created_at > $5",
    )
    .bind(account_id)
    .bind(first)
    .bind(second)
    .bind(third)
    .bind(micros(since))
    .fetch_one(conn)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// When the nth newest mail of these kinds was queued for an account; none if there are fewer
/// after `since`.
pub(crate) async fn nth_newest_of_account(
    conn: &mut Connection,
    account_id: &str,
    templates: [&str; 3],
    since: Timestamp,
    nth: NonZeroU32,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let text = "select created_at from outbox where account_id = $1 and template in ($2, $3, $4) \
                and created_at > $5 order by created_at desc limit 1 offset $6";
    nth_newest(conn, text, account_id, templates, since, nth).await
}

/// When the nth newest mail of these kinds was queued to an address; none if there are fewer
/// after `since`.
pub(crate) async fn nth_newest_to(
    conn: &mut Connection,
    address: &str,
    templates: [&str; 3],
    since: Timestamp,
    nth: NonZeroU32,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let text = "select created_at from outbox where address = $1 and template in ($2, $3, $4) \
                and created_at > $5 order by created_at desc limit 1 offset $6";
    nth_newest(conn, text, address, templates, since, nth).await
}

async fn nth_newest(
    conn: &mut Connection,
    text: &'static str,
    of: &str,
    [first, second, third]: [&str; 3],
    since: Timestamp,
    nth: NonZeroU32,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let at: Option<i64> = sqlx::query_scalar(text)
        .bind(of)
        .bind(first)
        .bind(second)
        .bind(third)
        .bind(micros(since))
        .bind(i64::from(nth.get()) - 1)
        .fetch_optional(conn)
        .await?;
    at.map(to_time).transpose()
}

/// Marks every mail that was not sent as `unknown`: in a database from a backup, nobody knows what
/// went out after it was made.
pub(crate) async fn mark_unsent_unknown(conn: &mut Connection) -> Result<u64, sqlx::Error> {
    for delivery in [
        "update invitations set delivery = 'unknown' where last_mail in \
         (select id from outbox where state in ('queued', 'sending'))",
        "update client_accesses set delivery = 'unknown' where last_mail in \
         (select id from outbox where state in ('queued', 'sending'))",
    ] {
        sqlx::query(delivery).execute(&mut *conn).await?;
    }
    let marked = sqlx::query(
        "update outbox set state = 'unknown', claimed_by = null, claimed_until = null \
         where state in ('queued', 'sending')",
    )
    .execute(conn)
    .await?;
    Ok(marked.rows_affected())
}

/// True if there are mails from before `until` that wait for nothing.
pub(crate) async fn any_done_until(
    conn: &mut Connection,
    until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from outbox where created_at <= $1 \
             and state in ('sent', 'unknown', 'failed', 'dropped') limit 1",
    )
    .bind(micros(until))
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Forgets mails from before `until` that wait for nothing.
pub(crate) async fn forget_done(
    conn: &mut Connection,
    until: Timestamp,
    most: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from outbox where id in (select id from outbox where created_at <= $1 \
         and state in ('sent', 'unknown', 'failed', 'dropped') limit $2)",
    )
    .bind(micros(until))
    .bind(most)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Claim, MailRow, any_due, claim_next, mark_unsent_unknown, queue, settle};
    use crate::server::store::{Database, Store, Tx};

    /// A mail that waits.
    async fn queue_one(tx: &mut Tx, id: &str, now: Timestamp) {
        let row = MailRow {
            id: id.to_owned(),
            account_id: None,
            template: "confirm-address".to_owned(),
            subject: String::new(),
            address: "ana@example.com".to_owned(),
            words: "{}".to_owned(),
            created_at: now,
        };
        queue(tx, &[row]).await.unwrap();
    }

    #[tokio::test]
    async fn who_broke_off_takes_the_mail_up_again_and_others_wait_for_the_end_of_the_claim() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Database::Sqlite(folder.path().join("db"))).await.unwrap();
        let (now, until) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(30).unwrap());
        let mut tx = store.begin().await.unwrap();
        queue_one(&mut tx, "mail", now).await;
        let (mine, other) = (Claim { by: "me", until }, Claim { by: "other", until });
        claim_next(&store, &mut tx, mine, now).await.unwrap().unwrap();

        assert!(claim_next(&store, &mut tx, other, now).await.unwrap().is_none());
        assert!(!any_due(&mut tx, "other", now).await.unwrap());
        assert!(any_due(&mut tx, "me", now).await.unwrap());
        assert!(claim_next(&store, &mut tx, mine, now).await.unwrap().is_some());
        assert!(claim_next(&store, &mut tx, other, until).await.unwrap().is_some());
        assert!(!any_due(&mut tx, "me", now).await.unwrap());
    }

    #[tokio::test]
    async fn after_a_restore_what_was_not_sent_is_unknown_and_nobody_sends_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Database::Sqlite(folder.path().join("db"))).await.unwrap();
        let (now, until) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(30).unwrap());
        let mut tx = store.begin().await.unwrap();
        for id in ["sent", "tried", "waiting"] {
            queue_one(&mut tx, id, now).await;
        }
        let claim = Claim { by: "me", until };
        claim_next(&store, &mut tx, claim, now).await.unwrap().unwrap();
        assert!(settle(&mut tx, "sent", "me", "sent", now, None).await.unwrap());
        claim_next(&store, &mut tx, claim, now).await.unwrap().unwrap();

        mark_unsent_unknown(&mut tx).await.unwrap();
        assert!(claim_next(&store, &mut tx, claim, until).await.unwrap().is_none());
        assert!(!settle(&mut tx, "tried", "me", "sent", now, None).await.unwrap());
        let states: Vec<(String, String)> =
            sqlx::query_as("select id, state from outbox order by id")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
        let expected = [("sent", "sent"), ("tried", "unknown"), ("waiting", "unknown")];
        assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state.to_owned())));
    }
}
