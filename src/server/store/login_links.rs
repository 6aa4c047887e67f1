//! Links by which people of an agency log in as a client, and the sessions that they begin.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, micros};

/// One link.
#[derive(Clone, Debug)]
pub(crate) struct LinkRow {
    pub id: String,
    pub client_access_id: String,
    /// Canonical address of the person that it is for.
    pub address: String,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

impl<'r> FromRow<'r, AnyRow> for LinkRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            client_access_id: row.try_get("client_access_id")?,
            address: row.try_get("address")?,
            expires_at: row.time("expires_at")?,
            used_at: row.maybe_time("used_at")?,
        })
    }
}

/// The link of this id.
pub(crate) async fn by_id(conn: &mut Connection, id: &str) -> Result<Option<LinkRow>, sqlx::Error> {
    sqlx::query_as("select * from login_links where id = $1").bind(id).fetch_optional(conn).await
}

/// Puts in a new link; those of the same client access that are over go.
pub(crate) async fn insert(
    conn: &mut Connection,
    row: &LinkRow,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from login_links where client_access_id = $1 and expires_at <= $2")
        .bind(&row.client_access_id)
        .bind(micros(now))
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into login_links (id, client_access_id, address, expires_at) \
         values ($1, $2, $3, $4)",
    )
    .bind(&row.id)
    .bind(&row.client_access_id)
    .bind(&row.address)
    .bind(micros(row.expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses a link up; false if it was used before or is over.
pub(crate) async fn take(
    conn: &mut Connection,
    id: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update login_links set used_at = $2 \
         where id = $1 and used_at is null and expires_at > $2",
    )
    .bind(id)
    .bind(micros(now))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A session of an agency's person in a client's account.
#[derive(Clone, Debug)]
pub(crate) struct ClientSession {
    pub client_access_id: String,
    /// Canonical address of the person.
    pub address: String,
}

impl<'r> FromRow<'r, AnyRow> for ClientSession {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            client_access_id: row.try_get("client_access_id")?,
            address: row.try_get("address")?,
        })
    }
}

/// Begins a session of this person under a client access, until `expires_at`.
pub(crate) async fn begin_session(
    conn: &mut Connection,
    hash: &str,
    session: &ClientSession,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sessions (hash, user_id, created_at, expires_at, client_access_id) \
         select $1, id, $3, $4, $5 from users where address = $2",
    )
    .bind(hash)
    .bind(&session.address)
    .bind(micros(now))
    .bind(micros(expires_at))
    .bind(&session.client_access_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// The session of this hash, if it is one in a client's account and not over.
pub(crate) async fn session(
    conn: &mut Connection,
    hash: &str,
    now: Timestamp,
) -> Result<Option<ClientSession>, sqlx::Error> {
    sqlx::query_as(
        "select s.client_access_id, u.address from sessions s join users u on u.id = s.user_id \
         where s.hash = $1 and s.expires_at > $2 and s.client_access_id is not null",
    )
    .bind(hash)
    .bind(micros(now))
    .fetch_optional(conn)
    .await
}

/// Ends all sessions under a client access.
pub(crate) async fn end_sessions(conn: &mut Connection, access: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from sessions where client_access_id = $1")
        .bind(access)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends all sessions that people of an agency have in accounts of its clients.
pub(crate) async fn end_sessions_of_agency(
    conn: &mut Connection,
    account_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from sessions where client_access_id in \
         (select id from client_accesses where account_id = $1)",
    )
    .bind(account_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the sessions that one person of an agency has in accounts of its clients.
pub(crate) async fn end_sessions_of_person(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from sessions where client_access_id in \
         (select id from client_accesses where account_id = $1) \
         and user_id in (select id from users where address = $2)",
    )
    .bind(account_id)
    .bind(address)
    .execute(conn)
    .await?;
    Ok(())
}
