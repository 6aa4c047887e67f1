//! The program as a process of its own: a folder with manifests, a secret and a ledger, and what it
//! said on stdout and stderr.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::service::{TestService, client};

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_seatkeeper");

/// A folder to run the program in: `git`, `secrets` and, once there is one, `ledger`.
pub struct Desk {
    folder: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Desk {
    /// A folder with the manifests of the example, pointed at the service at `url`.
    pub fn new(url: &str, token: &str) -> Self {
        let desk = Self::empty();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/first-team");
        for entry in fs::read_dir(example).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let name = path.file_name().unwrap().to_str().unwrap();
                desk.write(&format!("git/{name}"), &fs::read_to_string(&path).unwrap());
            }
        }
        desk.replace("git/account-class.yaml", "http://127.0.0.1:8080", url);
        desk.write("secrets/acme-token/token", token);
        desk
    }

    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a text that stands in a file once.
    #[track_caller]
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {name}:\n{text}");
        self.write(name, &text.replace(from, to));
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Deletes a file.
    pub fn delete(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// A run with these arguments after those that name files, ledger and secrets.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_with("file:ledger", arguments)
    }

    /// The same, with another ledger.
    pub fn command_with(&self, ledger: &str, arguments: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.folder.path());
        let (subcommand, rest) = arguments.split_first().expect("a subcommand");
        let places = ["-f", "git", "--ledger", ledger, "--secrets", "secrets"];
        command.arg(subcommand).args(places).args(rest);
        command
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().await.unwrap())
    }

    /// Runs it to its end; it ends with this code.
    pub async fn exits(&self, code: i32, arguments: &[&str]) -> Said {
        let said = self.run(arguments).await;
        assert_eq!(said.code, Some(code), "{arguments:?}\n{}\n{}", said.out, said.err);
        said
    }

    /// Every file of the ledger with its time and the digest of its bytes; `-` if there is none.
    pub fn ledger(&self) -> String {
        let Ok(entries) = fs::read_dir(self.path("ledger")) else { return "-".to_owned() };
        let mut files: Vec<String> =
            entries.map(|entry| fingerprint(&entry.unwrap().path())).collect();
        files.sort();
        files.join("\n")
    }
}

/// Name, time and digest of a file.
fn fingerprint(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let target = fs::read_link(path).map(|path| path.display().to_string());
    let bytes = target.map_or_else(|_| fs::read(path).unwrap(), String::into_bytes);
    let digest = Sha256::digest(bytes);
    format!("{name} {modified:?} {digest:x}")
}

/// The program with an environment of its own.
pub fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().kill_on_drop(true);
    command
}

/// What a process said.
pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        signal: output.status.signal(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The JSON document that a run printed.
pub fn values(out: &str) -> Value {
    serde_json::from_str(out).expect("one JSON document")
}

/// A service with this seed whose clock stands at the present, which the program reads.
pub async fn service_now(seed: &str) -> TestService {
    let service = TestService::start_with(seed).await;
    #[expect(clippy::disallowed_methods, reason = "the program reads the real clock too")]
    let now = Timestamp::now();
    service.clock.advance(now.duration_since(service.clock.now()));
    service
}

/// `seatkeeper server` as a process of its own; it is killed with the value.
pub struct Process {
    child: Child,
    /// Where it answers.
    pub url: String,
}

impl Process {
    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("it ends").unwrap();
    }
}

/// Passes a request on to the service at `url`; `None`: there is no whole answer.
pub async fn forward(url: &str, request: Request) -> Option<Response> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path_and_query().unwrap().as_str();
    let mut headers = head.headers;
    headers.remove("host");
    let call = client().request(head.method, format!("{url}{path}"));
    let answer = call.headers(headers).body(body).send().await.ok()?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "connection" {
            response = response.header(name, value);
        }
    }
    Some(response.body(Body::from(answer.bytes().await.ok()?)).unwrap())
}

/// Starts a service in a folder with a `seed.yaml`: data in `data`, its log in `server.log`, its
/// request log in `requests.jsonl`.
pub async fn serve(home: &Desk, more: &[&str]) -> Process {
    serve_under(home, &[], more).await
}

/// As [`serve`], started by a command that ends in running what follows it.
pub async fn serve_under(home: &Desk, starter: &[&str], more: &[&str]) -> Process {
    let address = home.path("address");
    if address.exists() {
        home.delete("address");
    }
    let log = File::options().create(true).append(true).open(home.path("server.log")).unwrap();
    let mut command = match starter {
        [] => program(),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.kill_on_drop(true).args(rest).arg(PROGRAM);
            command
        }
    };
    command.current_dir(home.path("."));
    command.args(["server", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    command.args(["--seed", "seed.yaml", "--address-file", "address"]);
    command.args(["--request-log", "requests.jsonl"]).args(more);
    let child = command.stderr(log).spawn().unwrap();
    for _ in 0..600 {
        let url = fs::read_to_string(&address).unwrap_or_default();
        if url.ends_with('\n') {
            return Process { child, url: url.trim().to_owned() };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the service did not start: {}", home.read("server.log"));
}
