//! The service over TLS: what it speaks, and that it follows its files.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode, tls};
use seatkeeper::server::{ServerError, TlsFiles, start};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cli_run::{Desk, program, said};
use crate::raw::{Raw, statuses};
use crate::service::{SEED, TOKEN, TestClock, TestService, settings};

const CA: &[u8] = include_bytes!("tls/ca.pem");
const RENEWED_CA: &[u8] = include_bytes!("tls/renewed_ca.pem");

fn certificates(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// Copies a certificate and its key to where the service reads them.
fn install(folder: &Path, name: &str) -> TlsFiles {
    let files = TlsFiles { cert: folder.join("tls.crt"), key: folder.join("tls.key") };
    fs::copy(certificates(&format!("{name}.pem")), &files.cert).unwrap();
    fs::copy(certificates(&format!("{name}.key")), &files.key).unwrap();
    files
}

/// A client that trusts one authority and speaks versions up to this one.
fn client(ca: &[u8], up_to: tls::Version) -> Client {
    crate::service::client();
    Client::builder()
        .tls_certs_only([Certificate::from_pem(ca).unwrap()])
        .max_tls_version(up_to)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

async fn status(client: &Client, base: &str) -> Option<StatusCode> {
    let url = format!("{base}/v1/accounts/acme");
    client.get(url).bearer_auth(TOKEN).send().await.ok().map(|answer| answer.status())
}

#[tokio::test]
async fn the_service_speaks_https_and_takes_a_renewed_certificate_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let files = install(folder.path(), "server");
    let service = TestService::start_as(SEED, |settings| settings.tls = Some(files.clone())).await;
    let address = service.running().address();
    let base = format!("https://{address}");
    let old = client(CA, tls::Version::TLS_1_3);
    assert_eq!(status(&old, &base).await, Some(StatusCode::OK));
    assert_eq!(status(&client(CA, tls::Version::TLS_1_2), &base).await, Some(StatusCode::OK));

    let new = client(RENEWED_CA, tls::Version::TLS_1_3);
    assert_eq!(status(&new, &base).await, None);
    install(folder.path(), "renewed");
    let began = Instant::now();
    while status(&new, &base).await.is_none() {
        assert!(began.elapsed() < Duration::from_mins(1), "the files are not read again");
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(status(&old, &base).await, None, "the old one is not shown any more");

    let invite = new.post(format!("{base}/v1/accounts/acme/invitations")).bearer_auth(TOKEN);
    let body = json!({ "email": "ana@example.com", "role": "biller" });
    let answer = invite.header("idempotency-key", "k").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let link = service.link_to("ana@example.com").await;
    assert!(link.starts_with(&format!("{base}/i/")), "{link}");
    service.stop().await;
}

#[tokio::test]
async fn plain_http_at_a_socket_with_tls_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = install(folder.path(), "server");
    let service = TestService::start_as(SEED, |settings| settings.tls = Some(files.clone())).await;
    let request =
        format!("GET /v1/accounts/acme HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    let answer = Raw::ask(service.running().address(), request).await;
    assert_eq!(statuses(&answer), "", "{answer}");
    assert_eq!(hello(service.running().address(), 0x0302).await, "alert", "TLS 1.1 is refused");
    service.stop().await;
}

/// What the service answers to a client that offers nothing newer than this version.
async fn hello(address: SocketAddr, version: u16) -> String {
    let [high, low] = version.to_be_bytes();
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x13];
    let mut body = vec![high, low];
    body.extend([7; 32]);
    body.extend([0, 0, u8::try_from(suites.len()).unwrap()]);
    body.extend(suites);
    body.extend([1, 0]);
    let size = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, high, low, 0, size + 4, 1, 0, 0, size];
    record.extend(body);
    let mut raw = Raw::to(address).await;
    raw.send(record).await.unwrap();
    let answer = raw.rest().await.0;
    if answer.as_bytes().first() == Some(&0x15) { "alert".to_owned() } else { answer }
}

#[tokio::test]
async fn a_service_without_its_certificate_does_not_start_and_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = install(folder.path(), "server");
    fs::remove_file(&files.key).unwrap();
    let mut settings = settings(folder.path(), SEED, &TestClock::new());
    settings.tls = Some(files);
    let error = start(settings).await.expect_err("it has no key");
    assert!(matches!(error, ServerError::TlsFile { .. }), "{error}");

    let home = Desk::empty();
    install(&home.path("."), "server");
    fs::copy(certificates("renewed.key"), home.path("tls.key")).unwrap();
    let run = |arguments: &'static [&'static str]| {
        let mut command = program();
        command.current_dir(home.path(".")).args(["server", "--listen", "127.0.0.1:0"]);
        async move { said(command.args(arguments).output().await.unwrap()) }
    };
    let said = run(&["--tls-cert", "tls.crt", "--tls-key", "tls.key"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the certificate of tls.crt and the key of tls.key"), "{}", said.err);
    let said = run(&["--tls-cert", "tls.crt"]).await;
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("--tls-key"), "{}", said.err);
}
