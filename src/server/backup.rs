//! Copies of a SQLite database while it is in use, and the way back.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::server::change::due;
use crate::server::error::ServerError;
use crate::server::store::{Database, sqlite};
use crate::server::{Settings, run};

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// Where the database is that was there before.
    pub before: Option<PathBuf>,
    /// Mails that were not sent in the backup or that fell due since, and now are called `unknown`:
    /// nobody repeats them.
    pub unknown_mails: u64,
}

/// Writes a copy of one moment into a new file, for its owner only. The service may run.
///
/// # Errors
///
/// [`ServerError`] when the database is no SQLite file, or `to` is there already.
pub async fn backup(database: &Database, to: &Path) -> Result<(), ServerError> {
    let from = sqlite_file(database)?;
    let failed = |source| ServerError::Output { path: to.to_owned(), source };
    new_file(to).map_err(failed)?;
    let copied = sqlite::copy(from, to).await;
    let synced =
        copied.map_err(|source| ServerError::Database { database: database.to_string(), source });
    let synced = synced.and_then(|()| sync(to).map_err(failed));
    if synced.is_err() {
        // A part of a copy would pass for one.
        fs::remove_file(to).map_err(failed)?;
    }
    synced
}

/// Puts a backup in place of the database, which is kept beside it. The service must not run.
///
/// # Errors
///
/// [`ServerError`] when the backup cannot be read, the database is in use, or the one that an
/// earlier restore kept is still there.
pub async fn restore(settings: Settings, from: &Path) -> Result<Restored, ServerError> {
    let path = &sqlite_file(&settings.database)?.to_owned();
    let failed = |source| ServerError::Output { path: path.to_owned(), source };
    let (fresh, kept) = (beside(path, "restoring"), beside(path, "before-restore"));
    if kept.exists() {
        return Err(ServerError::KeptBefore { path: kept });
    }
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => new_file(&fresh).map_err(failed)?,
    }
    let copied = fs::copy(from, &fresh);
    copied.map_err(|source| ServerError::Output { path: from.to_owned(), source })?;
    let database = Database::Sqlite(fresh.clone());
    let unknown_mails = after_restore(Settings { database, ..settings }).await?;
    sync(&fresh).map_err(failed)?;
    let mut before = None;
    if path.exists() {
        if !sqlite::is_free(path).await {
            return Err(ServerError::InUse { path: path.to_owned() });
        }
        fs::rename(path, &kept).map_err(failed)?;
        before = Some(kept);
    }
    fs::rename(&fresh, path).map_err(failed)?;
    sync(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    Ok(Restored { before, unknown_mails })
}

/// Makes a database from a backup safe to run on: nobody knows which of its mails went out after it
/// was made, so none is sent, and what fell due since is done without a mail. Gives the number of
/// mails that are not sent.
///
/// # Errors
///
/// [`ServerError`] when the database cannot be opened or written.
pub async fn after_restore(settings: Settings) -> Result<u64, ServerError> {
    let service = run::assemble(settings, "http://localhost").await?;
    let marked = due::run_untold(&service).await.map_err(ServerError::Work);
    service.store.close().await;
    marked
}

fn sqlite_file(database: &Database) -> Result<&Path, ServerError> {
    match database {
        Database::Sqlite(path) => Ok(path),
        Database::Postgres(_) => Err(ServerError::NotSqlite),
    }
}

fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(word);
    name.into()
}

fn new_file(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}
