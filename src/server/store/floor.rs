//! Many rows by one statement: what a batch of invitations is compared with. Compiled only with the
//! feature `bench-floor`.

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use crate::server::store::audit::AuditRow;
use crate::server::store::invitations::InvitationRow;
use crate::server::store::outbox::MailRow;
use crate::server::store::{Connection, micros, place};

/// Puts in new invitations.
pub(crate) async fn insert_invitations(
    conn: &mut Connection,
    rows: &[InvitationRow],
) -> Result<(), sqlx::Error> {
    let columns = "id, account_id, team_id, address, name, role, state, secure_sign_in, inviter, \
                   created_at, expires_at, last_sent_at, last_mail, external_ref";
    let text = insert("invitations", columns, rows.len());
    let query = rows.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, row| {
        query
            .bind(&row.id)
            .bind(&row.account_id)
            .bind(place(row.team_id.as_deref()))
            .bind(&row.address)
            .bind(&row.name)
            .bind(&row.role)
            .bind("pending")
            .bind(i64::from(row.secure_sign_in))
            .bind(&row.inviter)
            .bind(micros(row.created_at))
            .bind(micros(row.expires_at))
            .bind(micros(row.last_sent_at))
            .bind(&row.last_mail)
            .bind(&row.external_ref)
    });
    run(query, conn).await
}

/// Puts in rows of the audit log.
pub(crate) async fn insert_events(
    conn: &mut Connection,
    rows: &[AuditRow],
) -> Result<(), sqlx::Error> {
    let columns = "id, account_id, position, at, actor, action, subject, before, after";
    let text = insert("audit_events", columns, rows.len());
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
    run(query, conn).await
}

/// Queues mails.
pub(crate) async fn insert_mails(
    conn: &mut Connection,
    rows: &[MailRow],
) -> Result<(), sqlx::Error> {
    let columns = "id, account_id, template, subject, address, words, created_at";
    let text = insert("outbox", columns, rows.len());
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
    run(query, conn).await
}

/// Counts new invitations of an account.
pub(crate) async fn tally_invitations(
    conn: &mut Connection,
    account_id: &str,
    role: &str,
    more: usize,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "insert into tallies (account_id, list, team_id, principal, role, state, entries) \
         values ($1, 'invitations', '', 'person', $2, 'pending', $3) \
         on conflict (account_id, list, team_id, principal, role, state) do update \
         set entries = tallies.entries + excluded.entries",
    );
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    run(query.bind(account_id).bind(role).bind(more), conn).await
}

/// `insert into table (a, b) values ($1, $2), ($3, $4)`
fn insert(table: &str, columns: &str, rows: usize) -> String {
    let width = columns.split(',').count();
    let row = |row: usize| {
        let places: Vec<_> = (1..=width).map(|at| format!("${}", row * width + at)).collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    format!("insert into {table} ({columns}) values {}", rows.join(", "))
}

async fn run(
    query: Query<'_, Any, AnyArguments>,
    conn: &mut Connection,
) -> Result<(), sqlx::Error> {
    query.execute(conn).await?;
    Ok(())
}
