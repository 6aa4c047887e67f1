//! Teams of an account.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Cells as _, Connection, Window, hits, micros, subscriptions};
use crate::wire::SubscriptionState;

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

/// The subscriptions that these teams are linked to: state, and whether it has an end.
pub(crate) async fn subscriptions_of(
    conn: &mut Connection,
    account_id: &str,
    teams: &BTreeSet<&str>,
) -> Result<Vec<(String, Option<(SubscriptionState, bool)>)>, sqlx::Error> {
    let places: Vec<_> = (2..).take(teams.len()).map(|at| format!("${at}")).collect();
    let text = format!(
        "select t.id, s.state, s.ends_at from teams t left join subscriptions s on s.id = t.subscription_id \
         where t.account_id = $1 and t.id in ({})",
        places.join(", ")
    );
    let query = sqlx::query_as(AssertSqlSafe(text)).bind(account_id);
    let query = teams.iter().fold(query, |query, team| query.bind(*team));
    let rows: Vec<(String, Option<String>, Option<i64>)> = query.fetch_all(conn).await?;
    let read = |(team, word, ends_at): (String, Option<String>, Option<i64>)| {
        let state = word.as_deref().map(subscriptions::state).transpose()?;
        Ok((team, state.map(|state| (state, ends_at.is_some()))))
    };
    rows.into_iter().map(read).collect()
}

/// Which teams a list shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    /// All of the account.
    All,
    /// Those in which the person of this address is an active member.
    Of(&'a str),
}

impl<'a> Shown<'a> {
    const fn filter(self) -> &'static str {
        match self {
            Self::All => "$2 = ''",
            Self::Of(_) => {
                "id in (select team_id from members where account_id = $1 and address = $2 \
                 and principal = 'person' and state = 'active')"
            }
        }
    }

    /// The address that its statement is bound to.
    pub(super) const fn address(self) -> &'a str {
        match self {
            Self::All => "",
            Self::Of(address) => address,
        }
    }
}

/// One page of a list.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
    window: &Window,
) -> Result<Vec<TeamRow>, sqlx::Error> {
    let filter = shown.filter();
    let text = format!(
        "select * from teams where account_id = $1 and {filter} and id > $3 order by id limit $4"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(account_id)
        .bind(shown.address())
        .bind(&window.after)
        .bind(window.limit())
        .fetch_all(conn)
        .await
}

/// How many teams all pages of a list have.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
) -> Result<u64, sqlx::Error> {
    let filter = shown.filter();
    let text = format!("select count(*) from teams where account_id = $1 and {filter}");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(account_id)
        .bind(shown.address())
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// Puts in a new team.
pub(crate) async fn insert(conn: &mut Connection, row: &TeamRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into teams (id, account_id, name, external_ref, subscription_id, created_at) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.name)
    .bind(&row.external_ref)
    .bind(&row.subscription_id)
    .bind(micros(row.created_at))
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "teams_one_reference", "teams.account_id, teams.external_ref") {
            ApiError::ReferenceTaken
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a team.
pub(crate) async fn update(conn: &mut Connection, row: &TeamRow) -> Result<(), sqlx::Error> {
    sqlx::query("update teams set name = $2, subscription_id = $3, version = $4 where id = $1")
        .bind(&row.id)
        .bind(&row.name)
        .bind(&row.subscription_id)
        .bind(row.version)
        .execute(conn)
        .await?;
    Ok(())
}
