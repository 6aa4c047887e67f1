//! Changes of owner. One that is overdue reads as expired, whether or not its row says so yet.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Cells as _, Connection, Window, hits, micros, unknown_word};
use crate::wire::{OwnershipKind, OwnershipState};

/// One change of owner.
#[derive(Clone, Debug)]
pub(crate) struct OwnershipChangeRow {
    pub id: String,
    pub account_id: String,
    pub kind: OwnershipKind,
    pub role: String,
    /// Membership of the owner who confirms.
    pub owner_id: String,
    /// Membership of who is to become an owner.
    pub candidate_id: String,
    pub state: OwnershipState,
    pub requested_by: String,
    /// Number of the link that is out: 1 is the owner's, 2 the candidate's.
    pub generation: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for OwnershipChangeRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            kind: kind(row.try_get("kind")?)?,
            role: row.try_get("role")?,
            owner_id: row.try_get("owner_id")?,
            candidate_id: row.try_get("candidate_id")?,
            state: state(row.try_get("state")?)?,
            requested_by: row.try_get("requested_by")?,
            generation: row.try_get("generation")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            ended_at: row.maybe_time("ended_at")?,
            version: row.try_get("version")?,
        })
    }
}

impl OwnershipChangeRow {
    /// The state at `now`: an overdue one is expired before its row says so.
    pub fn state_at(&self, now: Timestamp) -> OwnershipState {
        match self.state {
            OwnershipState::Unconfirmed | OwnershipState::Unaccepted if self.expires_at <= now => {
                OwnershipState::Expired
            }
            state => state,
        }
    }

    /// True if it waits for an answer.
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        matches!(self.state_at(now), OwnershipState::Unconfirmed | OwnershipState::Unaccepted)
    }
}

fn kind(word: &str) -> Result<OwnershipKind, sqlx::Error> {
    match word {
        "add" => Ok(OwnershipKind::Add),
        "move" => Ok(OwnershipKind::Move),
        _ => Err(unknown_word("ownership_changes.kind")),
    }
}

fn kind_word(kind: OwnershipKind) -> &'static str {
    match kind {
        OwnershipKind::Add => "add",
        OwnershipKind::Move => "move",
        OwnershipKind::Unknown => "unknown",
    }
}

fn state(word: &str) -> Result<OwnershipState, sqlx::Error> {
    match word {
        "unconfirmed" => Ok(OwnershipState::Unconfirmed),
        "unaccepted" => Ok(OwnershipState::Unaccepted),
        "done" => Ok(OwnershipState::Done),
        "cancelled" => Ok(OwnershipState::Cancelled),
        "declined" => Ok(OwnershipState::Declined),
        "expired" => Ok(OwnershipState::Expired),
        _ => Err(unknown_word("ownership_changes.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: OwnershipState) -> &'static str {
    match state {
        OwnershipState::Unconfirmed => "unconfirmed",
        OwnershipState::Unaccepted => "unaccepted",
        OwnershipState::Done => "done",
        OwnershipState::Cancelled => "cancelled",
        OwnershipState::Declined => "declined",
        OwnershipState::Expired => "expired",
        OwnershipState::Unknown => "unknown",
    }
}

/// The change of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<OwnershipChangeRow>, sqlx::Error> {
    sqlx::query_as("select * from ownership_changes where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The change that a link names, whatever its account.
pub(crate) async fn by_link(
    conn: &mut Connection,
    id: &str,
) -> Result<Option<OwnershipChangeRow>, sqlx::Error> {
    sqlx::query_as("select * from ownership_changes where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The change that waits for an answer, overdue or not: there is one at most.
pub(crate) async fn open_one(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Option<OwnershipChangeRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from ownership_changes where account_id = $1 \
         and state in ('unconfirmed', 'unaccepted')",
    )
    .bind(account_id)
    .fetch_optional(conn)
    .await
}

/// One page of an account's changes, those that ended too.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    window: &Window,
) -> Result<Vec<OwnershipChangeRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from ownership_changes where account_id = $1 and id > $2 order by id limit $3",
    )
    .bind(account_id)
    .bind(&window.after)
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// How many changes of owner an account has seen.
pub(crate) async fn total(conn: &mut Connection, account_id: &str) -> Result<u64, sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from ownership_changes where account_id = $1")
            .bind(account_id)
            .fetch_one(conn)
            .await?;
    Ok(count.unsigned_abs())
}

/// Puts in a new change.
pub(crate) async fn insert(
    conn: &mut Connection,
    row: &OwnershipChangeRow,
) -> Result<(), ApiError> {
    sqlx::query(
        "insert into ownership_changes (id, account_id, kind, role, owner_id, candidate_id, \
         state, requested_by, generation, created_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(kind_word(row.kind))
    .bind(&row.role)
    .bind(&row.owner_id)
    .bind(&row.candidate_id)
    .bind(state_word(row.state))
    .bind(&row.requested_by)
    .bind(row.generation)
    .bind(micros(row.created_at))
    .bind(micros(row.expires_at))
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "ownership_changes_one_open", "ownership_changes.account_id") {
            ApiError::OwnershipOpen
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a change.
pub(crate) async fn update(
    conn: &mut Connection,
    row: &OwnershipChangeRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update ownership_changes set state = $2, generation = $3, expires_at = $4, \
         ended_at = $5, version = $6 where id = $1",
    )
    .bind(&row.id)
    .bind(state_word(row.state))
    .bind(row.generation)
    .bind(micros(row.expires_at))
    .bind(row.ended_at.map(micros))
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}
