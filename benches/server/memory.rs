//! Resident memory of `seatkeeper server`, in a process of its own (Linux).

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::future::join_all;
use seatkeeper::server::Database;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::report::{Memory, Report};
use crate::world::{Caller, SEED};
use crate::{folder, store};

/// How long the process may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long it is left alone before it is idle.
const REST: Duration = Duration::from_secs(2);

/// People who sign in at once.
const AT_ONCE: usize = 4;

/// The service in a process of its own; it ends when this is dropped.
struct Process {
    child: Child,
    caller: Caller,
}

impl Process {
    async fn start(folder: &Path, database_url: Option<&str>) -> Self {
        let (seed, address) = (folder.join("seed.yaml"), folder.join("address"));
        fs::write(&seed, SEED).unwrap();
        let _ = fs::remove_file(&address); // Of an earlier start.
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatkeeper"));
        command.args(["server", "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(folder);
        command.arg("--seed").arg(&seed);
        command.arg("--address-file").arg(&address);
        command.envs(database_url.map(|url| ("SEATKEEPER_DATABASE_URL", url)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn().unwrap();
        let began = Instant::now();
        let base = loop {
            match fs::read_to_string(&address) {
                Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            assert!(began.elapsed() < READY_WITHIN, "the service does not answer");
        };
        Self { child, caller: Caller::new(base) }
    }

    /// MiB that are resident now, and at most so far; none where the system does not say.
    fn resident(&self) -> Option<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let mib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
        };
        Some((mib("VmRSS:")?, mib("VmHWM:")?))
    }

    async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Memory idle, after lists, after sign-ins.
pub async fn measure(name: &'static str, database_url: Option<String>, report: &mut Report) {
    let (sizes, folder) = (report.sizes, folder());
    let url = database_url.as_deref();
    // The first start makes schema and users, which an idle service has behind it.
    Process::start(folder.path(), url).await.stop().await;
    let process = Process::start(folder.path(), url).await;
    let mut note = |moment: String, process: &Process| {
        report.memory.push(Memory { database: name, moment, mib: process.resident() });
    };
    tokio::time::sleep(REST).await;
    note("idle".to_owned(), &process);

    let database = url.map_or_else(
        || Database::Sqlite(folder.path().join("seatkeeper.db")),
        |url| Database::Postgres(url.to_owned().into()),
    );
    store::put_others(&database, sizes.others).await;
    for at in 0..sizes.others {
        let (account, token) = (format!("other-{at}"), store::token(at));
        let page = process.caller.page(&account, &token, "members", 1000).await;
        let page: Value = serde_json::from_str(&page).unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), store::EACH);
    }
    let members = sizes.others * store::EACH;
    note(format!("{members} members of {} accounts listed", sizes.others), &process);

    let people = (0..AT_ONCE).map(|_| async {
        for _ in 0..sizes.sign_ins.div_ceil(AT_ONCE) {
            process.caller.sign_in().await;
        }
    });
    join_all(people).await;
    let sessions = store::count(&database, "sessions").await;
    note(format!("then {sessions} sign-ins"), &process);
    assert_eq!(sessions, (sizes.sign_ins.div_ceil(AT_ONCE) * AT_ONCE) as u64);
    process.stop().await;
}
