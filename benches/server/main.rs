//! Figures of the account service, reported only: `make bench-server`.
//!
//! Each is a ratio to its floor: the service's own work on the same pool, without HTTP and
//! authentication, measured in the same run. Service and floor take turns; what is shown is the
//! median of the rounds. The service runs in this process on a real socket, and so do its clients.
//! Memory is that of `seatkeeper server` in a process of its own.
//!
//! `ROUNDS` (7) and `PERCENT` (100) of all sizes make a smaller run.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its table")]

mod figures;
mod memory;
#[expect(dead_code, unused_imports, reason = "tests use more of it")]
#[path = "../../tests/it/postgres.rs"]
mod postgres;
mod report;
mod store;
mod world;

use std::path::{Path, PathBuf};
use std::time::Instant;

use seatkeeper::server::Database;
use tempfile::TempDir;

use crate::figures::Around;
use crate::postgres::OwnServer;
use crate::report::Report;
use crate::world::World;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Turns of service and floor.
    pub rounds: usize,
    /// Members of the account that is measured.
    pub members: usize,
    /// Pages of a turn.
    pub pages: usize,
    /// Single invitations of a client in a turn.
    pub invitations: usize,
    /// Batches of a turn.
    pub batches: usize,
    /// Accounts beside it, of 100 members each.
    pub others: usize,
    /// Sign-ins before memory is looked at.
    pub sign_ins: usize,
}

impl Sizes {
    fn from_environment() -> Self {
        let number = |name, usual| {
            std::env::var(name).map_or(usual, |text| text.parse::<usize>().unwrap().max(1))
        };
        let percent = number("PERCENT", 100);
        let of = |all: usize| (all * percent).div_ceil(100);
        Self {
            rounds: number("ROUNDS", 7),
            members: of(10_000).max(figures::PAGE),
            pages: of(20),
            invitations: of(20),
            batches: of(5),
            others: of(1000),
            sign_ins: of(100),
        }
    }
}

/// Where databases are: on the disk that the program is built on.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// All figures of one database.
async fn figures(name: &'static str, database: Database, folder: &Path, report: &mut Report) {
    let sizes = report.sizes;
    let world = World::start(database, folder).await;
    store::put_members(&world.database, sizes.members).await;
    figures::measure(&world, (name, Around::Nothing), report).await;
    store::put_others(&world.database, sizes.others).await;
    figures::measure(&world, (name, Around::Others), report).await;
    world.stop().await;
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    sqlx::any::install_default_drivers();
    let began = Instant::now();
    let mut report = Report::new(Sizes::from_environment());

    let data = folder();
    let file = Database::Sqlite(data.path().join("figures.db"));
    figures("SQLite", file, data.path(), &mut report).await;
    memory::measure("SQLite", None, &mut report).await;

    let server = OwnServer::start_new().await;
    report.fsync = store::setting(server.url(), "fsync").await;
    let data = folder();
    let database = Database::Postgres(server.database().await.url.into());
    figures("PostgreSQL", database, data.path(), &mut report).await;
    let database = server.database().await.url;
    memory::measure("PostgreSQL", Some(database), &mut report).await;

    let seconds = began.elapsed().as_secs();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-server.json");
    report.write(&path, seconds);
    println!("{}\n{seconds} s; written to {}", report.table(), path.display());
}
