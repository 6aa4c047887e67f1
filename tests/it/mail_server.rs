//! The service as a process and a real mail server: TLS, login, kills, and a server that goes.
//! `tests/mail/run.sh` runs these tests; without SEATKEEPER_TEST_MAIL they do nothing.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::cli_run::{Desk, Process, serve, serve_under};
use crate::service::{Browser, SEED, TOKEN, VENDOR_TOKEN, client};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";

/// A real mail server, gone when it is dropped.
struct MailServer {
    keeper: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    port: u16,
    folder: PathBuf,
}

impl MailServer {
    /// Starts one; nothing unless these tests are asked for.
    fn start() -> Option<Self> {
        std::env::var_os("SEATKEEPER_TEST_MAIL")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.sh");
        let mut keeper = Command::new(script)
            .arg("keep")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // What interrupts the tests leaves it to clean up.
            .spawn()
            .unwrap();
        let (commands, answers) = (keeper.stdin.take(), keeper.stdout.take().unwrap());
        let answers = BufReader::new(answers);
        let mut server = Self { keeper, commands, answers, port: 0, folder: PathBuf::new() };
        let place = server.ask("start");
        let (port, folder) = place.split_once(' ').unwrap();
        (server.port, server.folder) = (port.parse().unwrap(), PathBuf::from(folder));
        Some(server)
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands.as_ref().unwrap(), "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let answer = answer.trim_end().to_owned();
        assert!(!["", "error"].contains(&answer.as_str()), "no mail server: see above");
        answer
    }

    /// Arguments of a service that sends to it.
    fn arguments(&self) -> Vec<String> {
        let url = format!("smtp://127.0.0.1:{}", self.port);
        let password = self.folder.join("password").display().to_string();
        let ca = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/ca.pem");
        [
            ("--smtp", url.as_str()),
            ("--smtp-user", "seats"),
            ("--smtp-password-file", &password),
            ("--smtp-ca", &ca.display().to_string()),
            ("--mail-from", "Seats <seats@example.com>"),
            ("--mail-return-path", "bounce@example.com"),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
        .collect()
    }

    /// How often the server took a mail, by its address. Two mails with one id are two.
    fn taken(&self) -> BTreeMap<String, usize> {
        let log = fs::read_to_string(self.folder.join("log/main")).unwrap_or_default();
        let mut taken = BTreeMap::new();
        let mut ids = Vec::new();
        for line in log.lines().filter(|line| line.contains(" <= ")) {
            let id = line.split(" id=").nth(1).unwrap().split(' ').next().unwrap();
            assert!(!ids.contains(&id), "{id} was taken twice:\n{log}");
            ids.push(id);
            let queue_id = line.split(' ').nth(2).unwrap();
            let to = log.lines().find(|line| line.contains(&format!("{queue_id} => ")));
            let to = to.and_then(|line| line.split('<').nth(1)).unwrap_or(queue_id);
            let to = to.split('>').next().unwrap().to_owned();
            *taken.entry(to).or_default() += 1;
        }
        taken
    }

    /// Waits until everything that was taken is delivered: before that, it has no address.
    async fn delivers(&self) -> BTreeMap<String, usize> {
        until("everything is delivered", async || !self.taken().keys().any(|to| !to.contains('@')))
            .await;
        self.taken()
    }

    /// Mails this to an address, and waits until it is there.
    fn mail(&self, to: &str, text: &str) {
        let mut exim = Command::new("/usr/sbin/exim4");
        let conf = self.folder.join("exim.conf").display().to_string();
        exim.args(["-C", &conf, "-odf", "-f", "ana@example.com", to]).stdin(Stdio::piped());
        let mut exim = exim.spawn().unwrap();
        exim.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(exim.wait().unwrap().success());
    }

    /// Mails that were delivered into the folder.
    fn delivered(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.join("mail/new")).into_iter().flatten();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.keeper.wait();
    }
}

/// The service, run by `starter`.
async fn serve_to(home: &Desk, server: &MailServer, starter: &[&str]) -> Process {
    let arguments = server.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if starter.is_empty() {
        serve(home, &arguments).await
    } else {
        serve_under(home, starter, &arguments).await
    }
}

fn desk() -> Desk {
    let home = Desk::empty();
    home.write("seed.yaml", &SEED.replace("[growth]", "[custom]"));
    home
}

/// Invites under a key of the address; nothing if the service is gone.
async fn invite(http: &Client, process: &Process, email: &str) -> Option<StatusCode> {
    let request = http.post(format!("{}{INVITATIONS}", process.url)).bearer_auth(TOKEN);
    let request = request.header("idempotency-key", email);
    let answer = request.json(&json!({ "email": email, "role": "biller" })).send().await;
    answer.ok().map(|answer| answer.status())
}

/// What became of the mail of each invitation.
async fn deliveries(http: &Client, process: &Process) -> BTreeMap<String, String> {
    let path = format!("{}{INVITATIONS}?page_size=1000", process.url);
    let list: Value = http.get(path).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = list["items"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["email"]), text(&row["delivery"]))).collect()
}

/// Waits until it is so.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..1_600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(is_so().await, "it never was so: {what}");
}

async fn none_waits(http: &Client, process: &Process) -> BTreeMap<String, String> {
    until("no mail waits", async || {
        deliveries(http, process).await.values().all(|delivery| delivery != "queued")
    })
    .await;
    deliveries(http, process).await
}

/// Fits to `taken`: what is known to be sent was taken once, and nothing twice.
fn fits(deliveries: &BTreeMap<String, String>, taken: &BTreeMap<String, usize>, case: &str) {
    for (email, delivery) in deliveries {
        let times = taken.get(email).copied().unwrap_or_default();
        match delivery.as_str() {
            "sent" => assert_eq!(times, 1, "{case}: {email}"),
            "unknown" => assert!(times <= 1, "{case}: {email} {times}"),
            other => unreachable!("{case}: {email} {other}"),
        }
    }
}

// rule: NP-01
// rule: OP-10
#[tokio::test]
async fn an_invitation_arrives_over_starttls_with_a_login_in_both_parts_and_its_link_works() {
    let Some(server) = MailServer::start() else { return };
    let (home, http) = (desk(), client());
    let process = serve_to(&home, &server, &[]).await;
    assert_eq!(invite(&http, &process, "ana@example.com").await, Some(StatusCode::CREATED));
    until("it is delivered", async || server.delivered().len() == 1).await;
    let mail = server.delivered().remove(0);
    for part in [
        "with esmtpsa",
        "Return-path: <bounce+",
        "Envelope-to: ana@example.com\n",
        "From: Seats <seats@example.com>\n",
        "Content-Type: text/plain",
        "Content-Type: text/html",
    ] {
        assert!(mail.contains(part), "{part} is not in\n{mail}");
    }
    let log = fs::read_to_string(server.folder.join("log/main")).unwrap();
    assert!(log.contains("A=plain:seats") && log.contains("X=TLS1."), "{log}");
    let link = mail.lines().find(|line| line.starts_with("http")).unwrap();
    let page = Browser::new(&process.url).accept_by_sign_up(link).await;
    assert_eq!(page.status, StatusCode::OK);

    assert_eq!(invite(&http, &process, "nobody@example.com").await, Some(StatusCode::CREATED));
    until("it is refused", async || {
        deliveries(&http, &process).await.get("nobody@example.com").is_some_and(|it| it == "failed")
    })
    .await;
    let password = fs::read_to_string(server.folder.join("password")).unwrap();
    let said = home.read("server.log");
    for secret in [password.trim(), link, "@example.com"] {
        assert!(!said.contains(secret), "{secret} is in the log: {said}");
    }
}

/// Lets the mail server hand what comes back to the service.
fn hand_over_bounces(server: &MailServer, process: &Process) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/service/bounced.sh");
    let (token, copy) = (server.folder.join("token"), server.folder.join("bounced.sh"));
    fs::write(&token, VENDOR_TOKEN).unwrap();
    fs::copy(script, &copy).unwrap();
    let hook = format!(
        "#!/bin/sh\nSEATKEEPER_URL={} SEATKEEPER_TOKEN_FILE={} exec {} \"$@\"\n",
        process.url,
        token.display(),
        copy.display()
    );
    let hook_file = server.folder.join("bounced");
    fs::write(&hook_file, hook).unwrap();
    fs::set_permissions(&hook_file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_mail_that_was_taken_and_comes_back_fails_its_invitation_and_an_automatic_answer_does_not()
 {
    let Some(server) = MailServer::start() else { return };
    let (home, http) = (desk(), client());
    let process = serve_to(&home, &server, &[]).await;
    hand_over_bounces(&server, &process);
    assert_eq!(invite(&http, &process, "ana@example.com").await, Some(StatusCode::CREATED));
    until("it is delivered", async || server.delivered().len() == 1).await;
    let return_path = server.delivered().remove(0);
    let return_path = return_path.lines().find(|line| line.starts_with("Return-path:")).unwrap();
    let return_path = return_path.split(['<', '>']).nth(1).unwrap();
    let away = "Auto-Submitted: auto-replied\nSubject: away\n\nAction: failed\nI am away.\n";
    server.mail(return_path, away);

    assert_eq!(invite(&http, &process, "gone@example.com").await, Some(StatusCode::CREATED));
    until("it comes back", async || {
        deliveries(&http, &process).await.get("gone@example.com").is_some_and(|it| it == "failed")
    })
    .await;
    assert_eq!(deliveries(&http, &process).await["ana@example.com"], "sent");
}

/// Where a process dies while it sends, and what is known then of the mail at hand.
const POINTS: [(&str, &str, usize); 5] = [
    ("mail.claimed", "sent", 1),
    ("mail.before-sending", "sent", 1),
    ("mail.sending", "unknown", 0),
    ("mail.answered", "unknown", 1),
    ("mail.settled", "sent", 1),
];

// rule: OP-02
#[tokio::test]
async fn killed_anywhere_while_it_sends_nobody_gets_two_mails_and_who_gets_none_is_said() {
    let Some(server) = MailServer::start() else { return };
    let http = client();
    for (at, (point, known, times)) in POINTS.into_iter().enumerate() {
        for hit in 1..=2 {
            let case = format!("{point}:{hit}");
            let people = ["a", "b", "c"].map(|name| format!("{name}{at}-{hit}@example.com"));
            let home = desk();
            let variable = format!("SEATKEEPER_FAILPOINT={case}");
            let mut process = serve_to(&home, &server, &["env", &variable]).await;
            for email in &people {
                invite(&http, &process, email).await;
            }
            process.ended().await;
            let process = serve_to(&home, &server, &[]).await;
            for email in &people {
                assert_eq!(invite(&http, &process, email).await, Some(StatusCode::CREATED));
            }
            let deliveries = none_waits(&http, &process).await;
            let taken = server.delivers().await;
            fits(&deliveries, &taken, &case);
            let hurt = &people[hit - 1];
            let times_taken = taken.get(hurt).copied().unwrap_or_default();
            assert_eq!((deliveries[hurt].as_str(), times_taken), (known, times), "{case}");
            for email in people.iter().filter(|email| *email != hurt) {
                assert_eq!(deliveries[email], "sent", "{case}: {email}");
            }
        }
    }
}

// rule: OP-02
#[tokio::test]
async fn a_mail_server_that_goes_and_comes_back_gets_everything_once() {
    let Some(mut server) = MailServer::start() else { return };
    let (home, http) = (desk(), client());
    let process = serve_to(&home, &server, &[]).await;
    server.ask("stop");
    let people: Vec<String> = (0..5).map(|n| format!("p{n}@example.com")).collect();
    for email in &people {
        assert_eq!(invite(&http, &process, email).await, Some(StatusCode::CREATED));
    }
    until("it was tried", async || home.read("server.log").contains("mails wait")).await;
    assert!(deliveries(&http, &process).await.values().all(|delivery| delivery == "queued"));
    server.ask("start");
    let deliveries = none_waits(&http, &process).await;
    assert!(deliveries.values().all(|delivery| delivery == "sent"), "{deliveries:?}");
    assert_eq!(server.delivers().await, people.iter().map(|email| (email.clone(), 1)).collect());
}

// rule: OP-02
#[tokio::test]
async fn a_mail_server_that_breaks_down_amid_mails_gets_none_twice() {
    let Some(mut server) = MailServer::start() else { return };
    let (home, http) = (desk(), client());
    let process = serve_to(&home, &server, &[]).await;
    for n in 0..40 {
        let email = format!("p{n}@example.com");
        assert_eq!(invite(&http, &process, &email).await, Some(StatusCode::CREATED));
        if n % 10 == 5 {
            server.ask("stop");
            server.ask("start");
        }
    }
    let deliveries = none_waits(&http, &process).await;
    assert_eq!(deliveries.len(), 40);
    until("everything is delivered", async || !server.taken().keys().any(|to| !to.contains('@')))
        .await;
    fits(&deliveries, &server.taken(), "a break");
}
