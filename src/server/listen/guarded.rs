//! A connection that is cut when its client does not take an answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a client may take for a whole answer.
const TAKE_WITHIN: Duration = Duration::from_secs(30);

/// A stream with its place.
pub(crate) struct Guarded<I, P> {
    io: I,
    _place: P,
    /// Runs while something waits to be taken: from the first write that waits to the flush that
    /// comes when nothing is left. Taking a little now and then does not start it anew.
    late: Option<Pin<Box<Sleep>>>,
}

impl<I: Unpin, P: Unpin> Guarded<I, P> {
    pub(super) fn new(io: I, place: P) -> Self {
        Self { io, _place: place, late: None }
    }

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut I>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.io), cx);
        if written.is_pending() {
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(TAKE_WITHIN)));
            ready!(late.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl<I: AsyncRead + Unpin, P: Unpin> AsyncRead for Guarded<I, P> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Guarded<I, P> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, |io, cx| io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, |io, cx| io.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = ready!(Pin::new(&mut this.io).poll_flush(cx));
        this.late = None;
        Poll::Ready(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, sleep};

    use super::{Guarded, TAKE_WITHIN};

    /// Writes an answer of 1 000 bytes to a client that takes `bytes` every `pause`.
    async fn check(bytes: usize, pause: Duration) -> (Result<(), ErrorKind>, Duration) {
        let (server, mut client) = duplex(16);
        let client = tokio::spawn(async move {
            let mut buffer = vec![0; bytes];
            loop {
                sleep(pause).await;
                if client.read(&mut buffer).await.is_ok_and(|read| read == 0) {
                    return;
                }
            }
        });
        let began = Instant::now();
        let mut server = Guarded::new(server, ());
        let mut written = server.write_all(&[0; 1000]).await;
        if written.is_ok() {
            written = server.flush().await;
        }
        client.abort();
        (written.map_err(|error| error.kind()), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_its_answer_too_slowly_is_cut() {
        let none = check(16, Duration::from_hours(1)).await;
        assert_eq!(none, (Err(ErrorKind::TimedOut), TAKE_WITHIN));
        let little = check(1, Duration::from_secs(1)).await;
        assert_eq!(little, (Err(ErrorKind::TimedOut), TAKE_WITHIN), "progress is no excuse");
        let enough = check(16, Duration::from_millis(400)).await;
        assert_eq!(enough.0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_has_its_own_time() {
        let (server, mut client) = duplex(16);
        let mut server = Guarded::new(server, ());
        let taking = tokio::spawn(async move {
            let mut all = Vec::new();
            while client.read_buf(&mut all).await.is_ok_and(|read| read > 0) {
                sleep(Duration::from_secs(2)).await;
            }
            all.len()
        });
        for _ in 0..5 {
            server.write_all(&[0; 200]).await.unwrap();
            server.flush().await.unwrap();
            sleep(Duration::from_mins(1)).await;
        }
        drop(server);
        assert_eq!(taking.await.unwrap(), 1000);
    }
}
