//! All SQL of the service: one file per table, one query per function, named after the question.
//! Every statement runs on both databases.
//!
//! SQLite: one writer whose transactions start with `begin immediate`, any number of readers, each
//! of them on one snapshot. PostgreSQL: every write of an account first locks the account's row.
//! Times are microseconds.

pub(crate) mod accounts;
pub(crate) mod answers;
pub(crate) mod arrivals;
pub(crate) mod audit;
pub(crate) mod client_accesses;
pub(crate) mod client_states;
mod database;
pub(crate) mod domains;
pub(crate) mod ending;
pub(crate) mod invitations;
pub(crate) mod join_requests;
pub(crate) mod login_links;
pub(crate) mod members;
pub(crate) mod meter_usages;
pub(crate) mod outbox;
pub(crate) mod ownership_changes;
pub(crate) mod people;
pub(crate) mod recipients;
pub(crate) mod sqlite;
pub(crate) mod subscriptions;
pub(crate) mod suggestions;
pub(crate) mod tallies;
pub(crate) mod teams;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod websites;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Row as _, Transaction};

use crate::server::error::ApiError;

pub use database::Database;
pub(crate) use database::Store;

/// A transaction.
pub(crate) type Tx = Transaction<'static, Any>;

/// What every function of the store runs on.
pub(crate) type Connection = AnyConnection;

/// A page of a list that is read from one snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Id after which the page begins; empty for the first.
    pub after: String,
    /// Rows of the page.
    pub size: u32,
}

impl Window {
    /// The bound of a statement.
    pub fn limit(&self) -> i64 {
        i64::from(self.size)
    }
}

/// Microseconds of a time.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// The place in a row of who belongs to a team, or to the account itself.
pub(crate) fn place(team_id: Option<&str>) -> &str {
    team_id.unwrap_or_default()
}

/// What `lower(column)` is compared with. Both databases fold the ASCII letters of a column and no
/// others; what a statement is given, each would fold in its own way.
pub(crate) fn fold(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// What `lower(column) like … escape '!'` is compared with: it contains this text.
pub(crate) fn containing(text: &str) -> String {
    let text = fold(text).replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{text}%")
}

/// Values of a row in the types of the program.
trait Cells {
    /// A time.
    fn time(&self, column: &str) -> Result<Timestamp, sqlx::Error>;
    /// A time or nothing.
    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, sqlx::Error>;
    /// Yes or no.
    fn flag(&self, column: &str) -> Result<bool, sqlx::Error>;
    /// A number of something.
    fn count(&self, column: &str) -> Result<u32, sqlx::Error>;
    /// The team, unless the row belongs to the account itself.
    fn team(&self) -> Result<Option<String>, sqlx::Error>;
}

impl Cells for AnyRow {
    fn time(&self, column: &str) -> Result<Timestamp, sqlx::Error> {
        to_time(self.try_get(column)?)
    }

    fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
        self.try_get::<Option<i64>, _>(column)?.map(to_time).transpose()
    }

    fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
        Ok(self.try_get::<i64, _>(column)? != 0)
    }

    fn count(&self, column: &str) -> Result<u32, sqlx::Error> {
        let count = self.try_get::<i64, _>(column)?;
        u32::try_from(count).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    fn team(&self) -> Result<Option<String>, sqlx::Error> {
        let id: String = self.try_get("team_id")?;
        Ok((!id.is_empty()).then_some(id))
    }
}

fn to_time(microsecond: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(microsecond).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Most rows that one statement puts in: databases bound the values of a statement.
const MOST_ROWS: usize = 500;

/// `insert into table (a, b) values ($1, $2), ($3, $4)`
fn insert_text(table: &str, columns: &str, rows: usize) -> String {
    let width = columns.split(',').count();
    let rows: Vec<_> =
        (0..rows).map(|row| format!("({})", places(row * width + 1, width))).collect();
    format!("insert into {table} ({columns}) values {}", rows.join(", "))
}

/// `$3, $4, $5`: places of so many values, from the third on.
fn places(from: usize, count: usize) -> String {
    let places: Vec<_> = (from..from + count).map(|at| format!("${at}")).collect();
    places.join(", ")
}

/// True if a write was refused by this unique index. PostgreSQL names the index, SQLite its
/// columns.
fn hits(error: &sqlx::Error, index: &str, columns: &str) -> bool {
    error.as_database_error().is_some_and(|database| {
        let named = database.constraint() == Some(index);
        database.is_unique_violation() && (named || database.message().ends_with(columns))
    })
}

/// A word of the store that this program does not know.
fn unknown_word(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(ApiError::Corrupt(column)))
}
