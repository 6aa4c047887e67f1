//! All SQL of the service: one file per table, one query per function, named after the question.
//!
//! SQLite: one writer whose transactions start with `begin immediate`, any number of readers, each
//! of them on one snapshot. Times are microseconds.

pub(crate) mod accounts;
pub(crate) mod answers;
pub(crate) mod audit;
pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod outbox;
pub(crate) mod subscriptions;
pub(crate) mod tokens;
pub(crate) mod users;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection, Transaction};

use crate::server::error::{ApiError, ServerError};

/// A transaction.
pub(crate) type Tx = Transaction<'static, Sqlite>;

/// Steps of the schema, oldest first. Only ever appended to: old code runs on the new schema.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_start.sql")];

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the database file, makes it if needed, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Database { path: path.to_owned(), source };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        migrate(&writer).await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(8)
            .connect_with(options.read_only(true))
            .await
            .map_err(failed)?;
        Ok(Self { writer, readers })
    }

    /// Begins a write. There is one at a time.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.writer.begin_with("begin immediate").await
    }

    /// Begins a read; everything it reads is of one moment.
    pub async fn snapshot(&self) -> Result<Tx, sqlx::Error> {
        self.readers.begin().await
    }

    /// True if the database answers.
    pub async fn answers(&self) -> bool {
        sqlx::query("select 1").execute(&self.readers).await.is_ok()
    }

    /// Closes all connections; what is under way ends first.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn migrate(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut tx = writer.begin_with("begin immediate").await?;
    let done: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut *tx).await?;
    let done = usize::try_from(done).unwrap_or_default();
    for step in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*step).execute(&mut *tx).await?;
    }
    // A pragma takes no bound values.
    let mark = format!("pragma user_version = {}", MIGRATIONS.len().max(done));
    sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut *tx).await?;
    tx.commit().await
}

/// A page of a list that is read from one snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Id after which the page begins; empty for the first.
    pub after: String,
    /// Rows of the page.
    pub size: u32,
}

/// Microseconds of a time.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    to_time(row.try_get(column)?)
}

fn maybe_time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column)?.map(to_time).transpose()
}

fn to_time(microsecond: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(microsecond).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// True if a write was refused by the unique constraint on these columns. SQLite names columns,
/// not constraints.
fn hits(error: &sqlx::Error, columns: &str) -> bool {
    error.as_database_error().is_some_and(|database| {
        database.is_unique_violation() && database.message().ends_with(columns)
    })
}

/// A word of the store that this program does not know.
fn unknown_word(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(ApiError::Corrupt(column)))
}

/// What every function of the store runs on.
pub(crate) type Connection = SqliteConnection;
