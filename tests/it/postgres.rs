//! PostgreSQL for tests: one server for all tests of this process, or one of a test's own that can
//! be stopped. `tests/postgres.sh` keeps the server; it ends with the pipe that this process holds,
//! so nothing is left even when the process is killed.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::OnceCell;
use url::Url;

/// The server that tests share. It is never dropped: it ends with the process.
static SHARED: OnceCell<OwnServer> = OnceCell::const_new();

/// Number of the next database.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A fresh database on the server that tests share.
pub async fn database() -> TestDatabase {
    SHARED.get_or_init(OwnServer::start_new).await.database().await
}

/// A database of one test.
pub struct TestDatabase {
    /// Where it is, with name and password.
    pub url: String,
    server: String,
    name: String,
}

impl TestDatabase {
    /// Drops the database, whoever is connected to it. Not needed to clean up: the server's folder
    /// goes at the end.
    pub async fn remove(self) {
        let sql = format!("drop database {} with (force)", self.name);
        run(&self.server, sql).await;
    }
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Connections are ended, what is in memory is written.
    Fast,
    /// As in a crash: the next start recovers.
    Immediate,
}

/// A server of one test's own, gone when it is dropped.
pub struct OwnServer {
    keeper: Arc<Mutex<Keeper>>,
    url: String,
}

impl OwnServer {
    /// Makes a server and waits until it accepts connections.
    pub async fn start_new() -> Self {
        let keeper = Arc::new(Mutex::new(Keeper::new()));
        let url = ask(&keeper, "start").await;
        Self { keeper, url }
    }

    /// Where the server is: the same after each start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server; databases stay.
    pub async fn stop(&self, how: Stop) {
        let signal = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        assert_eq!(ask(&self.keeper, signal).await, "stopped");
    }

    /// Starts the server after a stop and waits until it accepts connections.
    pub async fn start(&self) {
        assert_eq!(ask(&self.keeper, "start").await, self.url);
    }

    /// A fresh database on this server.
    pub async fn database(&self) -> TestDatabase {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        run(&self.url, format!("create database {name} template template0")).await;
        let mut url = Url::parse(&self.url).unwrap();
        url.set_path(&name);
        TestDatabase { url: url.into(), server: self.url.clone(), name }
    }
}

/// The script that keeps a server. When its pipe closes, the server and its folder go.
struct Keeper {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    fn new() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres.sh");
        let mut child = Command::new(script)
            .arg("keep")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // What interrupts the tests leaves it to clean up.
            .spawn()
            .unwrap();
        let (commands, answers) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, commands, answers: BufReader::new(answers) }
    }

    fn ask(&mut self, command: &str) -> String {
        let mut commands = self.commands.as_ref().unwrap();
        let mut answer = String::new();
        let _ = writeln!(commands, "{command}"); // A script that is gone gives no answer.
        self.answers.read_line(&mut answer).unwrap();
        let answer = answer.trim_end();
        assert!(!["", "error"].contains(&answer), "no server by `{command}`: see above");
        answer.to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.child.wait();
    }
}

async fn ask(keeper: &Arc<Mutex<Keeper>>, command: &'static str) -> String {
    let keeper = Arc::clone(keeper);
    let asked = tokio::task::spawn_blocking(move || keeper.lock().unwrap().ask(command));
    asked.await.unwrap()
}

async fn run(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::PathBuf;

    use super::*;

    async fn value(url: &str, sql: &'static str) -> String {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_an_immediate_stop() {
        let server = OwnServer::start_new().await;
        let database = server.database().await;
        run(&database.url, "create table kept (what text)".to_owned()).await;
        run(&database.url, "insert into kept values ('words')".to_owned()).await;

        server.stop(Stop::Immediate).await;
        assert!(PgConnection::connect(server.url()).await.is_err(), "it is not stopped");
        server.start().await;
        assert_eq!(value(&database.url, "select what from kept").await, "words");

        server.stop(Stop::Fast).await;
        server.start().await;
        assert_eq!(value(&database.url, "select what from kept").await, "words");
    }

    #[tokio::test]
    async fn a_server_does_not_run_as_root_and_goes_with_its_keeper() {
        let server = OwnServer::start_new().await;
        let folder = PathBuf::from(value(server.url(), "show data_directory").await);
        let lock = fs::read_to_string(folder.join("postmaster.pid")).unwrap();
        let process = Path::new("/proc").join(lock.lines().next().unwrap());
        assert_ne!(fs::metadata(&process).unwrap().uid(), 0);

        drop(server);
        assert!(!process.exists(), "the server runs on");
        assert!(!folder.parent().unwrap().exists(), "the folder stayed");
    }

    #[tokio::test]
    async fn databases_of_the_shared_server_are_apart_and_can_be_removed() {
        let (one, two) = tokio::join!(database(), database());
        run(&one.url, "create table mine (n int)".to_owned()).await;
        let tables = "select count(*)::text from pg_tables where schemaname = 'public'";
        assert_eq!(value(&one.url, tables).await, "1");
        assert_eq!(value(&two.url, tables).await, "0");
        assert_eq!(value(&one.url, "show server_encoding").await, "UTF8");
        assert_eq!(value(&one.url, "show lc_collate").await, "C.UTF-8");

        let _still_connected = PgConnection::connect(&one.url).await.unwrap();
        let url = one.url.clone();
        one.remove().await;
        assert!(PgConnection::connect(&url).await.is_err(), "the database is still there");
        assert_eq!(value(&two.url, tables).await, "0");
    }
}
