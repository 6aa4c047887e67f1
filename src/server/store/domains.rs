//! Domains, proved by a record in the DNS.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Cells as _, Connection, Window, hits, micros, unknown_word};
use crate::wire::DomainState;

/// One domain.
#[derive(Clone, Debug)]
pub(crate) struct DomainRow {
    pub id: String,
    pub account_id: String,
    /// Canonical name.
    pub name: String,
    /// The random part of the record.
    pub challenge: String,
    pub state: DomainState,
    pub auto_join: bool,
    pub created_at: Timestamp,
    pub verified_at: Option<Timestamp>,
    /// When the DNS last answered.
    pub checked_at: Option<Timestamp>,
    /// When it is asked again.
    pub check_at: Option<Timestamp>,
    /// How often in a row the record was gone.
    pub missing: u32,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for DomainRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            name: row.try_get("name")?,
            challenge: row.try_get("challenge")?,
            state: state(row.try_get("state")?)?,
            auto_join: row.flag("auto_join")?,
            created_at: row.time("created_at")?,
            verified_at: row.maybe_time("verified_at")?,
            checked_at: row.maybe_time("checked_at")?,
            check_at: row.maybe_time("check_at")?,
            missing: row.count("missing")?,
            version: row.try_get("version")?,
        })
    }
}

fn state(word: &str) -> Result<DomainState, sqlx::Error> {
    match word {
        "pending" => Ok(DomainState::Pending),
        "verified" => Ok(DomainState::Verified),
        "lapsed" => Ok(DomainState::Lapsed),
        _ => Err(unknown_word("domains.state")),
    }
}

fn state_word(state: DomainState) -> &'static str {
    match state {
        DomainState::Pending => "pending",
        DomainState::Verified => "verified",
        DomainState::Lapsed => "lapsed",
        DomainState::Unknown => "unknown",
    }
}

/// The domain of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<DomainRow>, sqlx::Error> {
    sqlx::query_as("select * from domains where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// One page of all domains.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    window: &Window,
) -> Result<Vec<DomainRow>, sqlx::Error> {
    sqlx::query_as("select * from domains where account_id = $1 and id > $2 order by id limit $3")
        .bind(account_id)
        .bind(&window.after)
        .bind(window.limit())
        .fetch_all(conn)
        .await
}

/// How many domains there are.
pub(crate) async fn total(conn: &mut Connection, account_id: &str) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("select count(*) from domains where account_id = $1")
        .bind(account_id)
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// The account that people with an address at this domain join by themselves.
pub(crate) async fn joined_by(
    conn: &mut Connection,
    name: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select d.account_id from domains d join accounts a on a.id = d.account_id \
         where d.name = $1 and d.state = 'verified' and d.auto_join = 1 and a.deleted_at is null",
    )
    .bind(name)
    .fetch_optional(conn)
    .await
}

/// True if this account has proved that the domain is its own.
pub(crate) async fn is_verified_by(
    conn: &mut Connection,
    account_id: &str,
    name: &str,
) -> Result<bool, sqlx::Error> {
    let id: Option<String> = sqlx::query_scalar(
        "select id from domains where name = $1 and state = 'verified' and account_id = $2",
    )
    .bind(name)
    .bind(account_id)
    .fetch_optional(conn)
    .await?;
    Ok(id.is_some())
}

/// Verified domains whose record is to be looked up again, longest overdue first.
pub(crate) async fn due(
    conn: &mut Connection,
    now: Timestamp,
    most: u32,
) -> Result<Vec<DomainRow>, sqlx::Error> {
    sqlx::query_as(
        "select d.* from domains d join accounts a on a.id = d.account_id \
         where d.state = 'verified' and d.check_at <= $1 and a.deleted_at is null \
         order by d.check_at, d.id limit $2",
    )
    .bind(micros(now))
    .bind(i64::from(most))
    .fetch_all(conn)
    .await
}

/// Puts in a new domain.
pub(crate) async fn insert(conn: &mut Connection, row: &DomainRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into domains (id, account_id, name, challenge, state, auto_join, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.name)
    .bind(&row.challenge)
    .bind(state_word(row.state))
    .bind(i64::from(row.auto_join))
    .bind(micros(row.created_at))
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "domains_one_name", "domains.account_id, domains.name") {
            ApiError::RowState { what: "domain", state: "in the list already" }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a domain.
pub(crate) async fn update(conn: &mut Connection, row: &DomainRow) -> Result<(), ApiError> {
    sqlx::query(
        "update domains set state = $2, auto_join = $3, verified_at = $4, checked_at = $5, \
         check_at = $6, missing = $7, version = $8 where id = $1",
    )
    .bind(&row.id)
    .bind(state_word(row.state))
    .bind(i64::from(row.auto_join))
    .bind(row.verified_at.map(micros))
    .bind(row.checked_at.map(micros))
    .bind(row.check_at.map(micros))
    .bind(i64::from(row.missing))
    .bind(row.version)
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "domains_one_account", "domains.name") {
            ApiError::DomainTaken
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Takes a domain away.
pub(crate) async fn delete(conn: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from domains where id = $1").bind(id).execute(conn).await?;
    Ok(())
}
