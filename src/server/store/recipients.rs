//! Recipients of categories of mail, chosen by somebody. Who receives one by role has no row.

use crate::server::store::Connection;

/// Chosen recipients of an account who are still there: category, member, role.
pub(crate) async fn chosen(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select r.category, m.id, m.role from recipients r join members m on m.id = r.member_id \
         where r.account_id = $1 and m.state in ('active', 'trimmed') order by r.category, m.id",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Chosen recipients of one category whose access is on: address, role.
pub(crate) async fn chosen_for(
    conn: &mut Connection,
    account_id: &str,
    category: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select m.address, m.role from recipients r join members m on m.id = r.member_id \
         where r.account_id = $1 and r.category = $2 and m.state = 'active' order by m.id",
    )
    .bind(account_id)
    .bind(category)
    .fetch_all(conn)
    .await
}

/// Puts in a recipient; false if it was one.
pub(crate) async fn put(
    conn: &mut Connection,
    account_id: &str,
    category: &str,
    member_id: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into recipients (account_id, category, member_id) values ($1, $2, $3) \
         on conflict (account_id, category, member_id) do nothing",
    )
    .bind(account_id)
    .bind(category)
    .bind(member_id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a recipient away; false if it was none.
pub(crate) async fn delete(
    conn: &mut Connection,
    account_id: &str,
    category: &str,
    member_id: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "delete from recipients where account_id = $1 and category = $2 and member_id = $3",
    )
    .bind(account_id)
    .bind(category)
    .bind(member_id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a member away as recipient of everything.
pub(crate) async fn forget(
    conn: &mut Connection,
    account_id: &str,
    member_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from recipients where account_id = $1 and member_id = $2")
        .bind(account_id)
        .bind(member_id)
        .execute(conn)
        .await?;
    Ok(())
}
