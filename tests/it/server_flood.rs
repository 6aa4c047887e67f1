//! Ten thousand connections against a service in a process of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "test helpers")]

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use reqwest::{Client, StatusCode};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::cli_run::{Desk, serve};
use crate::raw::{Raw, statuses};
use crate::service::{SEED, TOKEN, client};

/// How many connections this process may hold besides those of other tests; asks for more files
/// first.
fn most_connections() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let hard: usize = line.split_whitespace().nth(4).unwrap().parse().unwrap_or(65_536);
    let of = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &of, &format!("--nofile={hard}")]).status();
    let soft = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(65_536);
    let files = if raised.is_ok_and(|status| status.success()) { hard } else { soft };
    10_000.min(files.saturating_sub(500))
}

/// Opens so many connections from one address of this host.
async fn open(from: u8, count: usize, to: SocketAddr) -> Vec<TcpStream> {
    let connections = (0..count).map(|_| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, from], 0))).unwrap();
        socket.connect(to).await
    });
    let opened = stream::iter(connections).buffer_unordered(100);
    // Some are refused so early that the call itself fails.
    opened.filter_map(|opened| async { opened.ok() }).collect().await
}

/// Those that the service has not closed.
fn held(connections: Vec<TcpStream>) -> Vec<TcpStream> {
    let open = connections.into_iter().filter(|connection| {
        matches!(connection.try_read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    });
    open.collect()
}

/// Memory of a process that is in use, in KiB.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn status(http: &Client, url: &str) -> Option<StatusCode> {
    let call = http.get(format!("{url}/v1/accounts/acme")).bearer_auth(TOKEN).send();
    let answer = timeout(Duration::from_secs(5), call).await.expect("an answer or a refusal");
    answer.ok().map(|answer| answer.status())
}

async fn figure(http: &Client, url: &str, name: &str) -> usize {
    let text = http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn of_ten_thousand_connections_the_excess_is_refused_and_the_others_are_served() {
    let home = Desk::empty();
    home.write("seed.yaml", SEED);
    let all = most_connections();
    let places = all / 12;
    let mut process = serve(&home, &["--max-connections", &places.to_string()]).await;
    let url = process.url.clone();
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let _ = client();
    // Each call over a connection of its own.
    let http = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    assert_eq!(status(&http, &url).await, Some(StatusCode::OK));
    let before = memory(process.id());

    // One host alone keeps nobody out.
    let began = Instant::now();
    let first = open(2, all / 2, address).await;
    assert_eq!(status(&http, &url).await, Some(StatusCode::OK));
    sleep(Duration::from_millis(200)).await;
    let first = held(first);
    assert!(first.len() <= places / 4, "{} of one host", first.len());

    // Many hosts fill every place. What is in is served, what is not is refused at once.
    let mut others = Vec::new();
    for from in 3..13 {
        others.extend(open(from, all / 20, address).await);
    }
    sleep(Duration::from_millis(200)).await;
    let (opened, under) = (began.elapsed(), memory(process.id()));
    let others = held(others);
    assert!(others.len() <= places, "{} are held", others.len());
    let mut served = 0;
    for connection in others.into_iter().take(20) {
        let mut raw = Raw(connection);
        let _ = raw.send("GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        served += usize::from(statuses(&raw.rest().await.0) == "200");
    }
    assert!(served > 0, "nobody that was let in is served");

    // The silent ones lose their places, though they never hang up.
    let silent = began.elapsed();
    while status(&http, &url).await != Some(StatusCode::OK) {
        assert!(began.elapsed() < silent + Duration::from_secs(20), "still kept out");
        sleep(Duration::from_millis(200)).await;
    }
    sleep(Duration::from_secs(11)).await;
    assert_eq!(held(first).len(), 0, "silent connections are cut");
    let left = figure(&http, &url, "seatkeeper_server_connections").await;
    assert!(left < 10, "{left} are still open");
    let refused = figure(&http, &url, "seatkeeper_server_refused_connections_total").await;
    assert!((all / 2..2 * all).contains(&refused), "{refused} of {all} were refused");
    for _ in 0..20 {
        assert_eq!(status(&http, &url).await, Some(StatusCode::OK));
    }
    eprintln!(
        "{all} connections in {opened:?}: {refused} refused; memory {before} KiB before, {under} \
         KiB under the flood, {} KiB after",
        memory(process.id())
    );
    process.kill().await;
}
