//! How many rows a list has, kept with every write so that no read has to count.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::members::{principal, principal_word};
use crate::server::store::{Cells as _, Connection};
use crate::wire::Principal;

/// A list whose rows are tallied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Members.
    Members,
    /// Invitations.
    Invitations,
}

impl List {
    const fn word(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Invitations => "invitations",
        }
    }
}

/// What a row of a list can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facet<'a> {
    /// Team; `''` for the account itself.
    pub team: &'a str,
    /// A person, or an agency.
    pub principal: Principal,
    /// Role.
    pub role: &'a str,
    /// State.
    pub state: &'a str,
}

/// Entries of one facet.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub team: Option<String>,
    pub principal: Principal,
    pub role: String,
    pub state: String,
    pub entries: u32,
}

impl<'r> FromRow<'r, AnyRow> for Tally {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            team: row.team()?,
            principal: principal(row.try_get("principal")?)?,
            role: row.try_get("role")?,
            state: row.try_get("state")?,
            entries: row.count("entries")?,
        })
    }
}

/// Adds to the entries of a facet, or takes from them.
async fn add(
    conn: &mut Connection,
    account_id: &str,
    list: List,
    facet: Facet<'_>,
    change: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into tallies (account_id, list, team_id, principal, role, state, entries) \
         values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (account_id, list, team_id, principal, role, state) do update set entries = tallies.entries + excluded.entries",
    )
    .bind(account_id)
    .bind(list.word())
    .bind(facet.team)
    .bind(principal_word(facet.principal))
    .bind(facet.role)
    .bind(facet.state)
    .bind(change)
    .execute(conn)
    .await?;
    Ok(())
}

/// So many new rows.
pub(crate) async fn enter(
    conn: &mut Connection,
    account_id: &str,
    list: List,
    facet: Facet<'_>,
    rows: usize,
) -> Result<(), sqlx::Error> {
    add(conn, account_id, list, facet, i64::try_from(rows).unwrap_or(i64::MAX)).await
}

/// A row that moved from one facet to another.
pub(crate) async fn shift(
    conn: &mut Connection,
    account_id: &str,
    list: List,
    from: Facet<'_>,
    to: Facet<'_>,
) -> Result<(), sqlx::Error> {
    if from == to {
        return Ok(());
    }
    add(conn, account_id, list, from, -1).await?;
    add(conn, account_id, list, to, 1).await
}

/// All tallies of a list.
pub(crate) async fn of(
    conn: &mut Connection,
    account_id: &str,
    list: List,
) -> Result<Vec<Tally>, sqlx::Error> {
    sqlx::query_as("select * from tallies where account_id = $1 and list = $2 and entries > 0")
        .bind(account_id)
        .bind(list.word())
        .fetch_all(conn)
        .await
}

/// Tallies of a list in the teams from one id to another.
pub(crate) async fn of_teams(
    conn: &mut Connection,
    account_id: &str,
    list: List,
    (first, last): (&str, &str),
) -> Result<Vec<Tally>, sqlx::Error> {
    sqlx::query_as(
        "select * from tallies where account_id = $1 and list = $2 and team_id >= $3 \
         and team_id <= $4 and entries > 0",
    )
    .bind(account_id)
    .bind(list.word())
    .bind(first)
    .bind(last)
    .fetch_all(conn)
    .await
}
