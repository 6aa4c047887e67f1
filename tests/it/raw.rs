//! Bytes over a socket of one's own, for what no HTTP client would send.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Longer than the service holds any connection that does not do its part.
const PATIENCE: Duration = Duration::from_mins(2);

/// A connection.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Connects.
    pub async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends bytes; the service may have hung up.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.write_all(bytes.as_ref()).await
    }

    /// Everything until the service hangs up, and how long that took.
    pub async fn rest(&mut self) -> (String, Duration) {
        let (began, mut bytes) = (Instant::now(), Vec::new());
        // A reset ends it too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.unwrap();
        (String::from_utf8_lossy(&bytes).into_owned(), began.elapsed())
    }

    /// Sends a whole request and gives all answers.
    pub async fn ask(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
        let mut raw = Self::to(address).await;
        let _ = raw.send(bytes).await;
        raw.rest().await.0
    }

    /// As [`Raw::ask`], and says that nothing follows.
    pub async fn ask_all(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
        let mut raw = Self::to(address).await;
        let _ = raw.send(bytes).await;
        let _ = raw.0.shutdown().await;
        raw.rest().await.0
    }
}

/// The statuses of the answers in a text, as `200 400`.
pub fn statuses(answers: &str) -> String {
    let lines = answers.lines().filter_map(|line| line.split("HTTP/1.").nth(1));
    lines.filter_map(|line| line.split(' ').nth(1)).collect::<Vec<_>>().join(" ")
}
