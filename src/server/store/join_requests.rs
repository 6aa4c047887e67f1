//! Join requests: people who would have joined by their domain.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, Window, micros, unknown_word};
use crate::wire::JoinRequestState;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct JoinRequestRow {
    pub id: String,
    pub account_id: String,
    /// Name of the domain.
    pub domain: String,
    /// Canonical address.
    pub address: String,
    pub name: String,
    pub state: JoinRequestState,
    pub created_at: Timestamp,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for JoinRequestRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            domain: row.try_get("domain")?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            state: state(row.try_get("state")?)?,
            created_at: row.time("created_at")?,
            version: row.try_get("version")?,
        })
    }
}

fn state(word: &str) -> Result<JoinRequestState, sqlx::Error> {
    match word {
        "open" => Ok(JoinRequestState::Open),
        "approved" => Ok(JoinRequestState::Approved),
        "rejected" => Ok(JoinRequestState::Rejected),
        _ => Err(unknown_word("join_requests.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: JoinRequestState) -> &'static str {
    match state {
        JoinRequestState::Open => "open",
        JoinRequestState::Approved => "approved",
        JoinRequestState::Rejected => "rejected",
        JoinRequestState::Unknown => "unknown",
    }
}

/// The request of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<JoinRequestRow>, sqlx::Error> {
    sqlx::query_as("select * from join_requests where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The request of this person that waits.
pub(crate) async fn open_of(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Option<JoinRequestRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from join_requests where account_id = $1 and address = $2 and state = 'open'",
    )
    .bind(account_id)
    .bind(address)
    .fetch_optional(conn)
    .await
}

/// One page of the requests in one state.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    state: JoinRequestState,
    window: &Window,
) -> Result<Vec<JoinRequestRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from join_requests where account_id = $1 and state = $2 and id > $3 \
         order by id limit $4",
    )
    .bind(account_id)
    .bind(state_word(state))
    .bind(&window.after)
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// How many requests are in one state.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    state: JoinRequestState,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from join_requests where account_id = $1 and state = $2",
    )
    .bind(account_id)
    .bind(state_word(state))
    .fetch_one(conn)
    .await?;
    Ok(count.unsigned_abs())
}

/// Puts in a new request.
pub(crate) async fn insert(conn: &mut Connection, row: &JoinRequestRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into join_requests (id, account_id, domain, address, name, state, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.domain)
    .bind(&row.address)
    .bind(&row.name)
    .bind(state_word(row.state))
    .bind(micros(row.created_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes back what can change of a request.
pub(crate) async fn update(conn: &mut Connection, row: &JoinRequestRow) -> Result<(), sqlx::Error> {
    sqlx::query("update join_requests set state = $2, version = $3 where id = $1")
        .bind(&row.id)
        .bind(state_word(row.state))
        .bind(row.version)
        .execute(conn)
        .await?;
    Ok(())
}
