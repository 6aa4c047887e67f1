//! The way out for mails: to the folder, or over a connection to the mail server.

use std::error::Error;

use crate::server::mail::Letter;
use crate::server::mail::smtp::{Dialog, Smtp};
use crate::server::mail::spool::Spool;

/// Where mails go.
pub(super) enum Transport {
    Spool(Spool),
    Smtp(Smtp),
}

/// Why a mail did not go out.
#[derive(Debug)]
pub(super) enum Failure {
    /// The place where mails go takes none: all of them wait.
    Away(Box<dyn Error + Send + Sync>),
    /// This one is refused for now, with this reply code.
    Later(Option<u16>),
    /// This one is refused for good.
    Refused(Option<u16>),
    /// Nobody knows whether it went out.
    Unknown,
}

impl Failure {
    /// Nothing can be sent at all.
    pub fn away(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Away(Box::new(error))
    }
}

/// The way out while a delivery runs: over one connection, for as long as it holds.
pub(super) struct Way<'a> {
    transport: &'a Transport,
    dialog: Option<Dialog>,
}

impl<'a> Way<'a> {
    /// A way that is not yet taken.
    pub fn new(transport: &'a Transport) -> Self {
        Self { transport, dialog: None }
    }

    /// Brings a mail up to the point from which it may be out.
    pub async fn offer(&mut self, letter: &Letter) -> Result<(), Failure> {
        let smtp = match self.transport {
            Transport::Spool(spool) => return spool.offer(letter).await,
            Transport::Smtp(smtp) => smtp,
        };
        let dialog = match self.dialog.take().filter(|dialog| dialog.usable) {
            Some(dialog) => dialog,
            None => smtp.connect().await.map_err(Failure::away)?,
        };
        self.dialog.insert(dialog).offer(letter).await
    }

    /// Sends what was offered.
    pub async fn hand_over(&mut self, letter: &Letter) -> Result<(), Failure> {
        match (self.transport, &mut self.dialog) {
            (Transport::Spool(spool), _) => spool.hand_over(letter).await,
            (Transport::Smtp(_), Some(dialog)) => dialog.hand_over(letter).await,
            (Transport::Smtp(_), None) => Err(Failure::Later(None)),
        }
    }

    /// Does not send what was offered. A mail server forgets it when the connection ends.
    pub async fn withdraw(&mut self, letter: &Letter) {
        self.dialog = None;
        if let Transport::Spool(spool) = self.transport {
            spool.withdraw(letter).await;
        }
    }

    /// Ends it.
    pub async fn end(self) {
        if let Some(dialog) = self.dialog {
            dialog.end().await;
        }
    }
}
