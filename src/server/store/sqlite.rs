//! What only a SQLite file can do.

use std::path::Path;

use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Executor as _};

use crate::server::store::database::sqlite_options;

/// Writes a copy of one moment into an empty file; others may read and write meanwhile.
pub(crate) async fn copy(from: &Path, to: &Path) -> Result<(), sqlx::Error> {
    let mut conn = connect(from).await?;
    let to = to
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration("the path of the copy is not usable".into()))?;
    sqlx::query("vacuum into $1").bind(to).execute(&mut conn).await?;
    conn.close().await
}

/// True if nobody else has the file open. It is one file then, without a log beside it.
pub(crate) async fn is_free(path: &Path) -> bool {
    let Ok(mut conn) = connect(path).await else { return false };
    let alone = conn.execute("pragma busy_timeout = 0; pragma journal_mode = delete").await.is_ok();
    conn.close().await.is_ok() && alone
}

async fn connect(path: &Path) -> Result<AnyConnection, sqlx::Error> {
    sqlx::any::install_default_drivers();
    sqlite_options(path, "rw")?.connect().await
}
