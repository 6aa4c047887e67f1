//! The background that sends mails.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::server::Service;
use crate::server::mail::deliver::deliver_due;

/// How often mails are looked for that nobody has announced.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the wait doubles while no mail can be sent: up to about a minute.
const MOST_DOUBLINGS: u32 = 6;

/// Sends mails as they are queued, until the stop; what is queued then still goes out. While none
/// can be sent, it waits longer and longer.
pub(crate) async fn send_until(service: Arc<Service>, stopping: CancellationToken) {
    let mut failures = 0;
    loop {
        let away = deliver(&service).await;
        failures = if away { failures + 1 } else { 0 };
        let wait = LOOK_EVERY * 2_u32.pow(failures.min(MOST_DOUBLINGS));
        tokio::select! {
            () = service.mail_queued.notified(), if !away => (),
            () = tokio::time::sleep(wait) => (),
            () = stopping.cancelled() => break,
        }
    }
    deliver(&service).await;
}

/// True if mails cannot be sent now.
async fn deliver(service: &Arc<Service>) -> bool {
    match deliver_due(service).await {
        Ok(delivery) => delivery.away,
        Err(error) => {
            let error = &error as &dyn Error;
            tracing::error!(error, "could not send mails");
            true
        }
    }
}
