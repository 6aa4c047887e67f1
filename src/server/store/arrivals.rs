//! People who signed up and are to join by their domain.

use jiff::Timestamp;

use crate::server::store::{Connection, micros};

/// Puts in a person.
pub(crate) async fn put(
    conn: &mut Connection,
    address: &str,
    account_id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into arrivals (address, account_id, created_at) values ($1, $2, $3) \
         on conflict (address) do update set account_id = $2, created_at = $3",
    )
    .bind(address)
    .bind(account_id)
    .bind(micros(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// Addresses of those who wait for this account, who came first first.
pub(crate) async fn of_account(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select address from arrivals where account_id = $1 order by created_at, address",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Takes a person away.
pub(crate) async fn delete(conn: &mut Connection, address: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from arrivals where address = $1").bind(address).execute(conn).await?;
    Ok(())
}
