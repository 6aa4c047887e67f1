//! Suggestions of members.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Cells as _, Connection, Window, hits, micros, unknown_word};
use crate::wire::SuggestionState;

/// One suggestion.
#[derive(Clone, Debug)]
pub(crate) struct SuggestionRow {
    pub id: String,
    pub account_id: String,
    pub team_id: String,
    /// Canonical address.
    pub address: String,
    pub name: Option<String>,
    pub role: String,
    pub state: SuggestionState,
    /// Who suggested: `member:…` or `token:…`.
    pub suggested_by: String,
    pub created_at: Timestamp,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for SuggestionRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            team_id: row.try_get("team_id")?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            role: row.try_get("role")?,
            state: state(row.try_get("state")?)?,
            suggested_by: row.try_get("suggested_by")?,
            created_at: row.time("created_at")?,
            version: row.try_get("version")?,
        })
    }
}

fn state(word: &str) -> Result<SuggestionState, sqlx::Error> {
    match word {
        "open" => Ok(SuggestionState::Open),
        "approved" => Ok(SuggestionState::Approved),
        "rejected" => Ok(SuggestionState::Rejected),
        _ => Err(unknown_word("suggestions.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: SuggestionState) -> &'static str {
    match state {
        SuggestionState::Open => "open",
        SuggestionState::Approved => "approved",
        SuggestionState::Rejected => "rejected",
        SuggestionState::Unknown => "unknown",
    }
}

/// The suggestion of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<SuggestionRow>, sqlx::Error> {
    sqlx::query_as("select * from suggestions where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The open suggestion of this address for one team.
pub(crate) async fn open_of(
    conn: &mut Connection,
    account_id: &str,
    team_id: &str,
    address: &str,
) -> Result<Option<SuggestionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from suggestions where account_id = $1 and team_id = $2 and address = $3 \
         and state = 'open'",
    )
    .bind(account_id)
    .bind(team_id)
    .bind(address)
    .fetch_optional(conn)
    .await
}

/// One page of a team's suggestions in one state.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    team_id: &str,
    state: SuggestionState,
    window: &Window,
) -> Result<Vec<SuggestionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from suggestions where account_id = $1 and team_id = $2 and state = $3 \
         and id > $4 order by id limit $5",
    )
    .bind(account_id)
    .bind(team_id)
    .bind(state_word(state))
    .bind(&window.after)
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// How many suggestions of a team are in one state.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    team_id: &str,
    state: SuggestionState,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from suggestions where account_id = $1 and team_id = $2 and state = $3",
    )
    .bind(account_id)
    .bind(team_id)
    .bind(state_word(state))
    .fetch_one(conn)
    .await?;
    Ok(count.unsigned_abs())
}

/// One page of the suggestions in one state, of all teams.
pub(crate) async fn page_of_account(
    conn: &mut Connection,
    account_id: &str,
    state: SuggestionState,
    window: &Window,
) -> Result<Vec<SuggestionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from suggestions where account_id = $1 and state = $2 and id > $3 \
         order by id limit $4",
    )
    .bind(account_id)
    .bind(state_word(state))
    .bind(&window.after)
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// How many suggestions of all teams are in one state.
pub(crate) async fn total_of_account(
    conn: &mut Connection,
    account_id: &str,
    state: SuggestionState,
) -> Result<u64, sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from suggestions where account_id = $1 and state = $2")
            .bind(account_id)
            .bind(state_word(state))
            .fetch_one(conn)
            .await?;
    Ok(count.unsigned_abs())
}

/// Puts in a new suggestion.
pub(crate) async fn insert(conn: &mut Connection, row: &SuggestionRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into suggestions (id, account_id, team_id, address, name, role, state, \
         suggested_by, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.team_id)
    .bind(&row.address)
    .bind(&row.name)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(&row.suggested_by)
    .bind(micros(row.created_at))
    .execute(conn)
    .await
    .map_err(|error| {
        let columns = "suggestions.account_id, suggestions.team_id, suggestions.address";
        if hits(&error, "suggestions_one_open", columns) {
            let href = format!("/v1/accounts/{}/teams/{}/suggestions", row.account_id, row.team_id);
            ApiError::AlreadySuggested { href }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a suggestion.
pub(crate) async fn update(conn: &mut Connection, row: &SuggestionRow) -> Result<(), sqlx::Error> {
    sqlx::query("update suggestions set state = $2, version = $3 where id = $1")
        .bind(&row.id)
        .bind(state_word(row.state))
        .bind(row.version)
        .execute(conn)
        .await?;
    Ok(())
}
