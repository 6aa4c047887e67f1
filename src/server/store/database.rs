//! The two databases behind one door.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use url::Url;

use crate::server::error::ServerError;
use crate::server::store::{Connection, Tx};

/// Steps of the schema, oldest first. Only ever appended to: old code runs on the new schema.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_invitation_message.sql"),
];

/// Most connections to PostgreSQL of one process.
const POSTGRES_CONNECTIONS: u32 = 20;

/// Most readers of SQLite at once.
const SQLITE_READERS: u32 = 8;

/// How long a request waits for a connection.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);

/// Number of the lock under which one process at a time changes the schema.
const MIGRATION_LOCK: i64 = 0x5EA7_4EE9;

/// Where the service keeps its data.
#[derive(Clone)]
pub enum Database {
    /// A file; made if missing.
    Sqlite(PathBuf),
    /// URL of a PostgreSQL database: `postgres://user:password@host:port/name`.
    Postgres(SecretString),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

/// Without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let url = Url::parse(url.expose_secret()).ok();
                let place =
                    url.as_ref().map(|url| (url.host_str().unwrap_or_default(), url.path()));
                match place {
                    Some((host, path)) => write!(f, "postgres://{host}{path}"),
                    None => f.write_str("postgres"),
                }
            }
        }
    }
}

/// Which statements the few differences take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dialect: Dialect,
    writer: AnyPool,
    readers: AnyPool,
}

impl Store {
    /// Opens the database, makes it if it is a file, and brings its schema up to date.
    pub async fn open(database: &Database) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Database { database: database.to_string(), source };
        sqlx::any::install_default_drivers();
        let store = match database {
            Database::Sqlite(path) => Self::sqlite(path).await,
            Database::Postgres(url) => Self::postgres(url).await,
        };
        let store = store.map_err(failed)?;
        store.migrate().await.map_err(failed)?;
        Ok(store)
    }

    async fn sqlite(path: &Path) -> Result<Self, sqlx::Error> {
        let writer = pool(1)
            .after_connect(|conn, _| Box::pin(sqlite_settings(conn)))
            .connect_with(sqlite_options(path, "rwc")?)
            .await?;
        let readers = pool(SQLITE_READERS)
            .after_connect(|conn, _| Box::pin(sqlite_settings(conn)))
            .connect_lazy_with(sqlite_options(path, "rw")?);
        Ok(Self { dialect: Dialect::Sqlite, writer, readers })
    }

    async fn postgres(url: &SecretString) -> Result<Self, sqlx::Error> {
        let url = Url::parse(url.expose_secret())
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let options = AnyConnectOptions::from_url(&url)?;
        let pool = pool(POSTGRES_CONNECTIONS).connect_with(options).await?;
        Ok(Self { dialect: Dialect::Postgres, writer: pool.clone(), readers: pool })
    }

    /// Begins a write. In SQLite there is one at a time; in PostgreSQL those of one account wait
    /// for each other at the account's row.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.writer.begin_with(self.pick("begin immediate", "begin")).await
    }

    /// Begins a read; everything it reads is of one moment.
    pub async fn snapshot(&self) -> Result<Tx, sqlx::Error> {
        let begin = self.pick("begin", "begin isolation level repeatable read read only");
        self.readers.begin_with(begin).await
    }

    /// True if other processes may use the database too.
    pub fn is_shared(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    /// The end of a `select` that locks its rows until the transaction ends.
    pub fn for_update(&self) -> &'static str {
        self.pick("", " for update")
    }

    /// As [`Store::for_update`], passing over what others have locked.
    pub fn for_update_skip_locked(&self) -> &'static str {
        self.pick("", " for update skip locked")
    }

    fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
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

    async fn migrate(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            let lock = sqlx::query("select pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK);
            lock.execute(&mut *tx).await?;
        }
        sqlx::raw_sql("create table if not exists schema_steps (step bigint primary key)")
            .execute(&mut *tx)
            .await?;
        let done: i64 =
            sqlx::query_scalar("select count(*) from schema_steps").fetch_one(&mut *tx).await?;
        let steps = (0_i64..).zip(MIGRATIONS).filter(|(step, _)| *step >= done);
        for (step, text) in steps {
            sqlx::raw_sql(AssertSqlSafe(self.dialect_of(text))).execute(&mut *tx).await?;
            let mark = sqlx::query("insert into schema_steps (step) values ($1)").bind(step);
            mark.execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    /// A step of the schema in the words of this database.
    fn dialect_of(&self, text: &str) -> String {
        text.replace("{int}", self.pick("integer", "bigint"))
            .replace("{text}", self.pick("text", "text collate \"C\""))
            .replace("{strict}", self.pick(" strict", ""))
    }
}

/// Options of a pool of at most so many connections. SQLite ends a transaction by itself when the
/// disk fails: the roll-back of it then fails too, and the connection is of no use any more.
fn pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_WITHIN)
        .before_acquire(|conn, _| {
            let usable = !conn.is_in_transaction();
            Box::pin(async move { Ok(usable) })
        })
}

pub(super) fn sqlite_options(path: &Path, mode: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    let path = std::path::absolute(path).map_err(sqlx::Error::Io)?;
    let file = Url::from_file_path(&path).map_err(|()| {
        sqlx::Error::Configuration("the path of the database is not usable".into())
    })?;
    let text = format!("sqlite://{}?mode={mode}", file.path());
    let url = Url::parse(&text).map_err(|error| sqlx::Error::Configuration(error.into()))?;
    AnyConnectOptions::from_url(&url)
}

async fn sqlite_settings(conn: &mut Connection) -> Result<(), sqlx::Error> {
    let settings = "pragma busy_timeout = 10000; pragma journal_mode = wal; \
                    pragma synchronous = full; pragma foreign_keys = on";
    conn.execute(sqlx::raw_sql(settings)).await?;
    Ok(())
}
