//! Accounts.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Cells as _, Connection, Store, Tx, hits, micros};
use crate::wire::Claim;

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct AccountRow {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub profile: String,
    pub disabled: bool,
    /// Whether it may ask clients for access (NC-01).
    pub agency: bool,
    /// Since when secure sign-in is required (X13).
    pub secure_sign_in_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    pub claim: Option<Claim>,
    pub over_limit_since: Option<Timestamp>,
    pub enforce_at: Option<Timestamp>,
    /// When the service itself brings back trimmed people of a claimed account.
    pub reinstate_at: Option<Timestamp>,
    /// When administrators are told of what changed, and after which feed position that begins.
    pub digest_at: Option<Timestamp>,
    pub digest_from: i64,
    /// Feed position of the last change.
    pub position: i64,
    /// Feed position of the last entry that retention took away.
    pub forgotten: i64,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for AccountRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let installation: Option<String> = row.try_get("claim_installation")?;
        let fingerprint: Option<String> = row.try_get("claim_fingerprint")?;
        Ok(Self {
            id: row.try_get("id")?,
            slug: row.try_get("slug")?,
            name: row.try_get("name")?,
            profile: row.try_get("profile")?,
            disabled: row.flag("disabled")?,
            agency: row.flag("agency")?,
            secure_sign_in_since: row.maybe_time("secure_sign_in_since")?,
            created_at: row.time("created_at")?,
            deleted_at: row.maybe_time("deleted_at")?,
            claim: installation
                .zip(fingerprint)
                .map(|(installation_id, fingerprint)| Claim { installation_id, fingerprint }),
            over_limit_since: row.maybe_time("over_limit_since")?,
            enforce_at: row.maybe_time("enforce_at")?,
            reinstate_at: row.maybe_time("reinstate_at")?,
            digest_at: row.maybe_time("digest_at")?,
            digest_from: row.try_get("digest_from")?,
            position: row.try_get("position")?,
            forgotten: row.try_get("forgotten")?,
            version: row.try_get("version")?,
        })
    }
}

/// Finds the account of this id or slug, unless it was deleted. Only ids have an underscore; asked
/// for both at once, SQLite reads all accounts.
fn by(id_or_slug: &str) -> String {
    let column = if id_or_slug.contains('_') { "id" } else { "slug" };
    format!("select * from accounts where {column} = $1 and deleted_at is null")
}

/// The account of this id or slug, unless it was deleted.
pub(crate) async fn by_id_or_slug(
    conn: &mut Connection,
    id_or_slug: &str,
) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(by(id_or_slug))).bind(id_or_slug).fetch_optional(conn).await
}

/// As [`by_id_or_slug`]; nobody else changes the account until the transaction ends.
pub(crate) async fn lock(
    store: &Store,
    tx: &mut Tx,
    id_or_slug: &str,
) -> Result<Option<AccountRow>, sqlx::Error> {
    let text = format!("{}{}", by(id_or_slug), store.for_update());
    sqlx::query_as(AssertSqlSafe(text)).bind(id_or_slug).fetch_optional(&mut **tx).await
}

/// As [`lock`]; nothing if somebody else is changing the account.
pub(crate) async fn lock_unless_held(
    store: &Store,
    tx: &mut Tx,
    id: &str,
) -> Result<Option<AccountRow>, sqlx::Error> {
    let text = format!(
        "select * from accounts where id = $1 and deleted_at is null{}",
        store.for_update_skip_locked()
    );
    sqlx::query_as(AssertSqlSafe(text)).bind(id).fetch_optional(&mut **tx).await
}

/// Accounts of one product in which this person is a member of the account itself.
pub(crate) async fn of_member(
    conn: &mut Connection,
    address: &str,
    profile: &str,
) -> Result<Vec<AccountRow>, sqlx::Error> {
    sqlx::query_as(
        "select a.* from members m join accounts a on a.id = m.account_id where m.address = $1 \
         and m.team_id = '' and m.principal = 'person' and m.state = 'active' and a.profile = $2 \
         and a.deleted_at is null order by a.name, a.id",
    )
    .bind(address)
    .bind(profile)
    .fetch_all(conn)
    .await
}

/// Feed position of the last change of the account of this id, unless it was deleted.
pub(crate) async fn position(conn: &mut Connection, id: &str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("select position from accounts where id = $1 and deleted_at is null")
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Puts in a new account.
pub(crate) async fn insert(conn: &mut Connection, row: &AccountRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into accounts (id, slug, name, profile, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(&row.id)
    .bind(&row.slug)
    .bind(&row.name)
    .bind(&row.profile)
    .bind(micros(row.created_at))
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "accounts_one_slug", "accounts.slug") {
            ApiError::SlugTaken
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back everything of an account that can change.
pub(crate) async fn update(conn: &mut Connection, row: &AccountRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update accounts set name = $2, disabled = $3, agency = $4, secure_sign_in_since = $5, \
         deleted_at = $6, claim_installation = $7, claim_fingerprint = $8, over_limit_since = $9, \
         enforce_at = $10, reinstate_at = $11, digest_at = $12, digest_from = $13, \
         position = $14, forgotten = $15, version = $16 where id = $1",
    )
    .bind(&row.id)
    .bind(&row.name)
    .bind(i64::from(row.disabled))
    .bind(i64::from(row.agency))
    .bind(row.secure_sign_in_since.map(micros))
    .bind(row.deleted_at.map(micros))
    .bind(row.claim.as_ref().map(|claim| &claim.installation_id))
    .bind(row.claim.as_ref().map(|claim| &claim.fingerprint))
    .bind(row.over_limit_since.map(micros))
    .bind(row.enforce_at.map(micros))
    .bind(row.reinstate_at.map(micros))
    .bind(row.digest_at.map(micros))
    .bind(row.digest_from)
    .bind(row.position)
    .bind(row.forgotten)
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what was gathered for administrators, in every account.
pub(crate) async fn forget_digests(conn: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query("update accounts set digest_at = null where digest_at is not null")
        .execute(conn)
        .await?;
    Ok(())
}

/// Lets go of the domains of an account that ends: another may verify them.
pub(crate) async fn release_domains(
    conn: &mut Connection,
    account_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update domains set state = 'lapsed', auto_join = 0, version = version + 1 \
         where account_id = $1 and state <> 'lapsed'",
    )
    .bind(account_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Accounts that have work due: an invitation to expire, a period to end or an end before `end_near`
/// to tell of, somebody to take in, an agency that is gone, seats to settle.
pub(crate) async fn with_work_due(
    conn: &mut Connection,
    now: Timestamp,
    end_near: Timestamp,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select account_id from invitations where state = 'pending' and expires_at <= $1 \
         union select account_id from subscriptions \
         where state in ('active', 'ending') and period_end <= $1 \
         union select account_id from subscriptions \
         where state = 'ending' and end_told_at is null and ends_at <= $2 \
         union select account_id from ownership_changes \
         where state in ('unconfirmed', 'unaccepted') and expires_at <= $1 \
         union select c.account_id from client_accesses c where c.moved = 1 \
         and (select deleted_at from accounts a where a.id = c.account_id) is null \
         union select c.client_id from client_accesses c where c.moved = 1 and c.state = 'granted' \
         and (select deleted_at from accounts a where a.id = c.account_id) is not null \
         and (select deleted_at from accounts a where a.id = c.client_id) is null \
         union select r.account_id from arrivals r \
         where (select deleted_at from accounts a where a.id = r.account_id) is null \
         union select id from accounts where enforce_at <= $1 \
         union select id from accounts where reinstate_at <= $1 \
         union select id from accounts where digest_at <= $1",
    )
    .bind(micros(now))
    .bind(micros(end_near))
    .fetch_all(conn)
    .await
}
