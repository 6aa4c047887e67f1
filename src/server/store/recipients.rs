//! Who was made a recipient of a category.

use crate::server::store::Connection;

/// Addresses of active members who were made recipients of a category.
pub(crate) async fn addresses(
    conn: &mut Connection,
    account_id: &str,
    category: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select m.address from recipients r join members m on m.id = r.member_id \
         where r.account_id = $1 and r.category = $2 and m.state = 'active' order by m.id",
    )
    .bind(account_id)
    .bind(category)
    .fetch_all(conn)
    .await
}
