//! Subscriptions.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::store::teams::Shown;
use crate::server::store::{Cells as _, Connection, Window, micros, unknown_word};
use crate::wire::SubscriptionState;

/// One subscription.
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionRow {
    pub id: String,
    pub account_id: String,
    pub plan: String,
    pub state: SubscriptionState,
    pub created_at: Timestamp,
    pub period_end: Timestamp,
    pub ends_at: Option<Timestamp>,
    /// When the recipients of billing were told that the end is near.
    pub end_told_at: Option<Timestamp>,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for SubscriptionRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            plan: row.try_get("plan")?,
            state: state(row.try_get("state")?)?,
            created_at: row.time("created_at")?,
            period_end: row.time("period_end")?,
            ends_at: row.maybe_time("ends_at")?,
            end_told_at: row.maybe_time("end_told_at")?,
            version: row.try_get("version")?,
        })
    }
}

pub(super) fn state(word: &str) -> Result<SubscriptionState, sqlx::Error> {
    match word {
        "requested" => Ok(SubscriptionState::Requested),
        "active" => Ok(SubscriptionState::Active),
        "ending" => Ok(SubscriptionState::Ending),
        "ended" => Ok(SubscriptionState::Ended),
        _ => Err(unknown_word("subscriptions.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::Requested => "requested",
        SubscriptionState::Active => "active",
        SubscriptionState::Ending => "ending",
        SubscriptionState::Ended => "ended",
        SubscriptionState::Unknown => "unknown",
    }
}

/// The subscription of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<SubscriptionRow>, sqlx::Error> {
    sqlx::query_as("select * from subscriptions where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Subscriptions that are not over.
pub(crate) async fn running(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from subscriptions where account_id = $1 and state in ('active', 'ending') \
         order by id",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Subscriptions that wait for the vendor.
pub(crate) async fn requested(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from subscriptions where account_id = $1 and state = 'requested' order by id",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Subscriptions that the teams from one id to another are linked to.
pub(crate) async fn of_teams(
    conn: &mut Connection,
    account_id: &str,
    (first, last): (&str, &str),
) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from subscriptions where account_id = $1 and id in (select subscription_id \
         from teams where account_id = $1 and id >= $2 and id <= $3)",
    )
    .bind(account_id)
    .bind(first)
    .bind(last)
    .fetch_all(conn)
    .await
}

/// Subscriptions that are not over or that a team is linked to.
pub(crate) async fn with_people(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from subscriptions where account_id = $1 and (state in ('active', 'ending') \
         or id in (select subscription_id from teams where account_id = $1)) order by id",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Which subscriptions a list shows: all, or those of a person's teams.
const fn filter(shown: Shown<'_>) -> &'static str {
    match shown {
        Shown::All => "$2 = ''",
        Shown::Of(_) => {
            "id in (select t.subscription_id from members m join teams t on t.id = m.team_id \
             where m.account_id = $1 and m.address = $2 and m.principal = 'person' \
             and m.state = 'active')"
        }
    }
}

/// One page of subscriptions, those that are over too.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
    window: &Window,
) -> Result<Vec<SubscriptionRow>, sqlx::Error> {
    let filter = filter(shown);
    let text = format!(
        "select * from subscriptions where account_id = $1 and {filter} and id > $3 \
         order by id limit $4"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(account_id)
        .bind(shown.address())
        .bind(&window.after)
        .bind(window.limit())
        .fetch_all(conn)
        .await
}

/// How many subscriptions all pages of a list have.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
) -> Result<u64, sqlx::Error> {
    let filter = filter(shown);
    let text = format!("select count(*) from subscriptions where account_id = $1 and {filter}");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(account_id)
        .bind(shown.address())
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// Ids of the subscriptions of a person's teams.
pub(crate) async fn ids_of_person(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let filter = filter(Shown::Of(address));
    let text = format!("select id from subscriptions where account_id = $1 and {filter}");
    sqlx::query_scalar(AssertSqlSafe(text)).bind(account_id).bind(address).fetch_all(conn).await
}

/// Puts in a new subscription.
pub(crate) async fn insert(
    conn: &mut Connection,
    row: &SubscriptionRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into subscriptions (id, account_id, plan, state, created_at, period_end) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.plan)
    .bind(state_word(row.state))
    .bind(micros(row.created_at))
    .bind(micros(row.period_end))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes back what can change of a subscription.
pub(crate) async fn update(
    conn: &mut Connection,
    row: &SubscriptionRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update subscriptions set state = $2, period_end = $3, ends_at = $4, end_told_at = $5, \
         version = $6 where id = $1",
    )
    .bind(&row.id)
    .bind(state_word(row.state))
    .bind(micros(row.period_end))
    .bind(row.ends_at.map(micros))
    .bind(row.end_told_at.map(micros))
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}
