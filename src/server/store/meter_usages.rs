//! Usage of meters.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Cells as _, Connection};

/// Usage of one meter for one subscription, or for the whole account.
#[derive(Clone, Debug)]
pub(crate) struct UsageRow {
    pub account_id: String,
    /// The subscription; `''` for the whole account.
    pub subscription_id: String,
    pub meter: String,
    pub used: i64,
    /// Highest threshold that was told of, in percent.
    pub told: u32,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for UsageRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            account_id: row.try_get("account_id")?,
            subscription_id: row.try_get("subscription_id")?,
            meter: row.try_get("meter")?,
            used: row.try_get("used")?,
            told: row.count("told")?,
            version: row.try_get("version")?,
        })
    }
}

/// All usage of an account.
pub(crate) async fn of_account(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<UsageRow>, sqlx::Error> {
    sqlx::query_as("select * from meter_usages where account_id = $1")
        .bind(account_id)
        .fetch_all(conn)
        .await
}

/// Puts in or writes over one usage.
pub(crate) async fn put(conn: &mut Connection, row: &UsageRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into meter_usages (account_id, subscription_id, meter, used, told, version) \
         values ($1, $2, $3, $4, $5, $6) on conflict (account_id, subscription_id, meter) \
         do update set used = $4, told = $5, version = $6",
    )
    .bind(&row.account_id)
    .bind(&row.subscription_id)
    .bind(&row.meter)
    .bind(row.used)
    .bind(i64::from(row.told))
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}
