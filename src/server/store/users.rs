//! People who can sign in, and their sessions. A user's address is verified: nobody becomes one
//! but through a link that was mailed there, or by the seed file.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Connection, micros, time};

/// One person.
#[derive(Clone, Debug)]
pub(crate) struct UserRow {
    pub id: String,
    /// Canonical address.
    pub address: String,
    pub name: String,
    /// PHC string; none for a person who cannot sign in by password yet.
    pub password_hash: Option<String>,
    pub created_at: Timestamp,
}

impl<'r> FromRow<'r, SqliteRow> for UserRow {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            password_hash: row.try_get("password_hash")?,
            created_at: time(row, "created_at")?,
        })
    }
}

/// The person of this address.
pub(crate) async fn by_address(
    conn: &mut Connection,
    address: &str,
) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as("select * from users where address = ?1")
        .bind(address)
        .fetch_optional(conn)
        .await
}

/// Puts in a person; one of the same address gets the name and, where there is one, the password.
pub(crate) async fn put(conn: &mut Connection, row: &UserRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into users (id, address, name, password_hash, created_at) \
         values (?1, ?2, ?3, ?4, ?5) on conflict (address) \
         do update set name = ?3, password_hash = coalesce(?4, password_hash)",
    )
    .bind(&row.id)
    .bind(&row.address)
    .bind(&row.name)
    .bind(&row.password_hash)
    .bind(micros(row.created_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// The person of a session that is not over.
pub(crate) async fn of_session(
    conn: &mut Connection,
    hash: &str,
    now: Timestamp,
) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as(
        "select u.* from sessions s join users u on u.id = s.user_id \
         where s.hash = ?1 and s.expires_at > ?2",
    )
    .bind(hash)
    .bind(micros(now))
    .fetch_optional(conn)
    .await
}

/// Begins a session.
pub(crate) async fn begin_session(
    conn: &mut Connection,
    hash: &str,
    user_id: &str,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into sessions (hash, user_id, expires_at) values (?1, ?2, ?3)")
        .bind(hash)
        .bind(user_id)
        .bind(micros(expires_at))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn end_session(conn: &mut Connection, hash: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from sessions where hash = ?1").bind(hash).execute(conn).await?;
    Ok(())
}
