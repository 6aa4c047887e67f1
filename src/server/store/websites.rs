//! Websites of accounts.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{
    Cells as _, Connection, Window, containing, hits, micros, unknown_word,
};
use crate::wire::WebsiteState;

/// Accounts of an agency's clients that it has access to now, from one row of its list to another.
const CLIENTS: &str = "select c.client_id from client_accesses c \
    join members m on m.id = c.member_id join accounts a on a.id = c.client_id \
    where c.account_id = $1 and c.id >= $2 and c.id <= $3 and c.state = 'granted' \
    and m.state = 'active' and a.deleted_at is null";

/// One website.
#[derive(Clone, Debug)]
pub(crate) struct WebsiteRow {
    pub id: String,
    pub account_id: String,
    pub url: String,
    pub state: WebsiteState,
    pub created_at: Timestamp,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for WebsiteRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            url: row.try_get("url")?,
            state: state(row.try_get("state")?)?,
            created_at: row.time("created_at")?,
            version: row.try_get("version")?,
        })
    }
}

/// How many websites of one state an account has.
#[derive(Clone, Debug)]
pub(crate) struct StateCount {
    pub account_id: String,
    pub state: WebsiteState,
    pub websites: u32,
}

impl<'r> FromRow<'r, AnyRow> for StateCount {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            account_id: row.try_get("account_id")?,
            state: state(row.try_get("state")?)?,
            websites: row.count("websites")?,
        })
    }
}

fn state(word: &str) -> Result<WebsiteState, sqlx::Error> {
    match word {
        "connected" => Ok(WebsiteState::Connected),
        "not-connected" => Ok(WebsiteState::NotConnected),
        "major-issue" => Ok(WebsiteState::MajorIssue),
        _ => Err(unknown_word("websites.state")),
    }
}

fn state_word(state: WebsiteState) -> &'static str {
    match state {
        WebsiteState::Connected => "connected",
        WebsiteState::NotConnected => "not-connected",
        WebsiteState::MajorIssue => "major-issue",
        WebsiteState::Unknown => "unknown",
    }
}

/// The website of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<WebsiteRow>, sqlx::Error> {
    sqlx::query_as("select * from websites where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// One page of an account's websites whose address contains a text.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    text: Option<&str>,
    window: &Window,
) -> Result<Vec<WebsiteRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from websites where account_id = $1 and lower(url) like $2 escape '!' \
         and id > $3 order by id limit $4",
    )
    .bind(account_id)
    .bind(containing(text.unwrap_or_default()))
    .bind(&window.after)
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// How many websites of an account have an address that contains a text.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    text: Option<&str>,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from websites where account_id = $1 and lower(url) like $2 escape '!'",
    )
    .bind(account_id)
    .bind(containing(text.unwrap_or_default()))
    .fetch_one(conn)
    .await?;
    Ok(count.unsigned_abs())
}

/// The first ten websites of each client of an agency, from one row of its list to another.
pub(crate) async fn first_of_clients(
    conn: &mut Connection,
    agency_id: &str,
    (from, to): (&str, &str),
) -> Result<Vec<WebsiteRow>, sqlx::Error> {
    let text = format!(
        "select id, account_id, url, state, created_at, version from ( \
         select w.*, row_number() over (partition by w.account_id order by w.id) as place \
         from websites w where w.account_id in ({CLIENTS})) ranked \
         where place <= 10 order by account_id, id"
    );
    sqlx::query_as(AssertSqlSafe(text)).bind(agency_id).bind(from).bind(to).fetch_all(conn).await
}

/// Websites of the clients of an agency by state, from one row of its list to another.
pub(crate) async fn states_of_clients(
    conn: &mut Connection,
    agency_id: &str,
    (from, to): (&str, &str),
) -> Result<Vec<StateCount>, sqlx::Error> {
    let text = format!(
        "select account_id, state, count(*) as websites from websites \
         where account_id in ({CLIENTS}) group by account_id, state"
    );
    sqlx::query_as(AssertSqlSafe(text)).bind(agency_id).bind(from).bind(to).fetch_all(conn).await
}

/// Puts in a new website.
pub(crate) async fn insert(conn: &mut Connection, row: &WebsiteRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into websites (id, account_id, url, state, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.url)
    .bind(state_word(row.state))
    .bind(micros(row.created_at))
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "websites_one_url", "websites.account_id, websites.url") {
            ApiError::WebsiteTaken
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a website.
pub(crate) async fn update(conn: &mut Connection, row: &WebsiteRow) -> Result<(), sqlx::Error> {
    sqlx::query("update websites set state = $2, version = $3 where id = $1")
        .bind(&row.id)
        .bind(state_word(row.state))
        .bind(row.version)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a website away.
pub(crate) async fn delete(conn: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from websites where id = $1").bind(id).execute(conn).await?;
    Ok(())
}
