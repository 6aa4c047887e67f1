//! Records of managing clients, one an account.

use crate::server::store::Connection;

/// The record of an account and its version.
pub(crate) async fn of(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Option<(String, i64)>, sqlx::Error> {
    sqlx::query_as("select body, version from client_states where account_id = $1")
        .bind(account_id)
        .fetch_optional(conn)
        .await
}

/// Writes the record of an account.
pub(crate) async fn put(
    conn: &mut Connection,
    account_id: &str,
    body: &str,
    version: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into client_states (account_id, body, version) values ($1, $2, $3) \
         on conflict (account_id) do update set body = $2, version = $3",
    )
    .bind(account_id)
    .bind(body)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}
