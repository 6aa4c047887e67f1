//! Members.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Connection, Window, hits, maybe_time, micros, time, unknown_word};
use crate::wire::MemberState;

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct MemberRow {
    pub id: String,
    pub account_id: String,
    /// Canonical address.
    pub address: String,
    pub name: Option<String>,
    pub role: String,
    pub state: MemberState,
    pub added_at: Timestamp,
    pub joined_at: Timestamp,
    pub trimmed_at: Option<Timestamp>,
    pub external_ref: Option<String>,
    pub ended_by: Option<String>,
    pub ended_at: Option<Timestamp>,
    pub version: i64,
}

impl<'r> FromRow<'r, SqliteRow> for MemberRow {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            role: row.try_get("role")?,
            state: state(row.try_get("state")?)?,
            added_at: time(row, "added_at")?,
            joined_at: time(row, "joined_at")?,
            trimmed_at: maybe_time(row, "trimmed_at")?,
            external_ref: row.try_get("external_ref")?,
            ended_by: row.try_get("ended_by")?,
            ended_at: maybe_time(row, "ended_at")?,
            version: row.try_get("version")?,
        })
    }
}

fn state(word: &str) -> Result<MemberState, sqlx::Error> {
    match word {
        "active" => Ok(MemberState::Active),
        "trimmed" => Ok(MemberState::Trimmed),
        "deleted" => Ok(MemberState::Deleted),
        _ => Err(unknown_word("members.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: MemberState) -> &'static str {
    match state {
        MemberState::Active => "active",
        MemberState::Trimmed => "trimmed",
        MemberState::Deleted => "deleted",
        MemberState::Unknown => "unknown",
    }
}

/// The member of this id, in whatever state.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as("select * from members where account_id = ?1 and id = ?2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The member of this address who is still one.
pub(crate) async fn by_address(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = ?1 and address = ?2 and state <> 'deleted'",
    )
    .bind(account_id)
    .bind(address)
    .fetch_optional(conn)
    .await
}

/// One page of the members in one state; all but the deleted ones without a state.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    state: Option<MemberState>,
    window: &Window,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(match state {
        Some(_) => {
            "select * from members where account_id = ?1 and state = ?2 and id > ?3 \
             order by id limit ?4"
        }
        None => {
            "select * from members where account_id = ?1 and state in ('active', 'trimmed') \
             and ?2 = 'present' and id > ?3 order by id limit ?4"
        }
    })
    .bind(account_id)
    .bind(state.map_or("present", state_word))
    .bind(&window.after)
    .bind(window.size)
    .fetch_all(conn)
    .await
}

/// How many members are in one state; all but the deleted ones without a state.
pub(crate) async fn count(
    conn: &mut Connection,
    account_id: &str,
    state: Option<MemberState>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(match state {
        Some(_) => "select count(*) from members where account_id = ?1 and state = ?2",
        None => {
            "select count(*) from members where account_id = ?1 \
             and state in ('active', 'trimmed') and ?2 = 'present'"
        }
    })
    .bind(account_id)
    .bind(state.map_or("present", state_word))
    .fetch_one(conn)
    .await
}

/// How many members hold each role in each state, the deleted ones left out.
pub(crate) async fn count_by_role(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select role, state, count(*) from members \
         where account_id = ?1 and state in ('active', 'trimmed') group by role, state",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Members with access, latest added first: the order in which a shrink takes seats (X16).
pub(crate) async fn active_latest_added_first(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = ?1 and state = 'active' \
         order by added_at desc, id desc",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Trimmed members, earliest added first: the order in which they come back (X18).
pub(crate) async fn trimmed_earliest_added_first(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = ?1 and state = 'trimmed' \
         order by added_at, id",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Places of this person, whatever the account: id and slug of the account, its name, the role.
pub(crate) async fn places_of(
    conn: &mut Connection,
    address: &str,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select a.slug, a.name, m.role from members m join accounts a on a.id = m.account_id \
         where m.address = ?1 and m.state = 'active' order by a.name, a.id",
    )
    .bind(address)
    .fetch_all(conn)
    .await
}

/// Puts in a new member.
pub(crate) async fn insert(conn: &mut Connection, row: &MemberRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into members (id, account_id, address, name, role, state, added_at, joined_at, \
         external_ref) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.address)
    .bind(&row.name)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(micros(row.added_at))
    .bind(micros(row.joined_at))
    .bind(&row.external_ref)
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "members.account_id, members.address") {
            let href = format!("/v1/accounts/{}/members", row.account_id);
            ApiError::AlreadyMember { href }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a member.
pub(crate) async fn update(conn: &mut Connection, row: &MemberRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update members set role = ?2, state = ?3, trimmed_at = ?4, ended_by = ?5, \
         ended_at = ?6, version = ?7 where id = ?1",
    )
    .bind(&row.id)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(row.trimmed_at.map(micros))
    .bind(&row.ended_by)
    .bind(row.ended_at.map(micros))
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}
