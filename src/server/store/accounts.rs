//! Accounts.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Connection, hits, maybe_time, micros, time};
use crate::wire::Claim;

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct AccountRow {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub profile: String,
    pub disabled: bool,
    pub created_at: Timestamp,
    pub claim: Option<Claim>,
    pub over_limit_since: Option<Timestamp>,
    pub enforce_at: Option<Timestamp>,
    /// When the service itself brings back trimmed people of a claimed account.
    pub reinstate_at: Option<Timestamp>,
    /// Feed position of the last change.
    pub position: i64,
    pub version: i64,
}

impl<'r> FromRow<'r, SqliteRow> for AccountRow {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        let installation: Option<String> = row.try_get("claim_installation")?;
        let fingerprint: Option<String> = row.try_get("claim_fingerprint")?;
        Ok(Self {
            id: row.try_get("id")?,
            slug: row.try_get("slug")?,
            name: row.try_get("name")?,
            profile: row.try_get("profile")?,
            disabled: row.try_get("disabled")?,
            created_at: time(row, "created_at")?,
            claim: installation
                .zip(fingerprint)
                .map(|(installation_id, fingerprint)| Claim { installation_id, fingerprint }),
            over_limit_since: maybe_time(row, "over_limit_since")?,
            enforce_at: maybe_time(row, "enforce_at")?,
            reinstate_at: maybe_time(row, "reinstate_at")?,
            position: row.try_get("position")?,
            version: row.try_get("version")?,
        })
    }
}

/// The account of this id or slug.
pub(crate) async fn by_id_or_slug(
    conn: &mut Connection,
    id_or_slug: &str,
) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as("select * from accounts where id = ?1 or slug = ?1")
        .bind(id_or_slug)
        .fetch_optional(conn)
        .await
}

/// Puts in a new account.
pub(crate) async fn insert(conn: &mut Connection, row: &AccountRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into accounts (id, slug, name, profile, created_at) values (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&row.id)
    .bind(&row.slug)
    .bind(&row.name)
    .bind(&row.profile)
    .bind(micros(row.created_at))
    .execute(conn)
    .await
    .map_err(
        |error| {
            if hits(&error, "accounts.slug") { ApiError::SlugTaken } else { error.into() }
        },
    )?;
    Ok(())
}

/// Writes back everything of an account that can change.
pub(crate) async fn update(conn: &mut Connection, row: &AccountRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update accounts set name = ?2, disabled = ?3, claim_installation = ?4, \
         claim_fingerprint = ?5, over_limit_since = ?6, enforce_at = ?7, reinstate_at = ?8, \
         position = ?9, version = ?10 where id = ?1",
    )
    .bind(&row.id)
    .bind(&row.name)
    .bind(row.disabled)
    .bind(row.claim.as_ref().map(|claim| &claim.installation_id))
    .bind(row.claim.as_ref().map(|claim| &claim.fingerprint))
    .bind(row.over_limit_since.map(micros))
    .bind(row.enforce_at.map(micros))
    .bind(row.reinstate_at.map(micros))
    .bind(row.position)
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Accounts that have work due: an invitation to expire, a period to end, seats to settle.
pub(crate) async fn with_work_due(
    conn: &mut Connection,
    now: Timestamp,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select account_id from invitations where state = 'pending' and expires_at <= ?1 \
         union select account_id from subscriptions where state <> 'ended' and period_end <= ?1 \
         union select id from accounts where enforce_at <= ?1 or reinstate_at <= ?1",
    )
    .bind(micros(now))
    .fetch_all(conn)
    .await
}
