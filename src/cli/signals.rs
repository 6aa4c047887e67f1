//! When to stop: Ctrl-C, or SIGTERM as init systems and Kubernetes send it.

use std::io;

/// Waits for the first signal to stop.
///
/// # Errors
///
/// When signals cannot be listened to.
pub async fn stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
