//! Teams of an account.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Cells as _, Connection};

/// One team.
#[derive(Clone, Debug)]
pub(crate) struct TeamRow {
    pub id: String,
    pub account_id: String,
    pub name: String,
    pub external_ref: Option<String>,
    /// The subscription that it is linked to (CT-01).
    pub subscription_id: Option<String>,
    pub created_at: Timestamp,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for TeamRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            name: row.try_get("name")?,
            external_ref: row.try_get("external_ref")?,
            subscription_id: row.try_get("subscription_id")?,
            created_at: row.time("created_at")?,
            version: row.try_get("version")?,
        })
    }
}

/// The team of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<TeamRow>, sqlx::Error> {
    sqlx::query_as("select * from teams where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Teams linked to this subscription.
pub(crate) async fn of_subscription(
    conn: &mut Connection,
    account_id: &str,
    subscription_id: &str,
) -> Result<Vec<TeamRow>, sqlx::Error> {
    sqlx::query_as("select * from teams where account_id = $1 and subscription_id = $2 order by id")
        .bind(account_id)
        .bind(subscription_id)
        .fetch_all(conn)
        .await
}
