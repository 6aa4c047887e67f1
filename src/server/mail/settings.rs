//! Where mails go.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use secrecy::SecretString;

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailSettings {
    /// Into this folder, one `.eml` each; made if missing.
    Spool(PathBuf),
    /// To a mail server.
    Smtp(SmtpSettings),
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Its name or address: what its certificate is for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is kept private.
    pub security: SmtpSecurity,
    /// User and password, if it asks for them.
    pub login: Option<SmtpLogin>,
    /// Certificates in PEM that are trusted besides those of the system.
    pub ca: Option<Vec<u8>>,
    /// Whom people see as the sender.
    pub from: Mailbox,
    /// Mailbox that mails come back to: each gets an address of its own in it, as
    /// `bounce+ID-SIGNATURE@example.com`. `None`: they come back to the sender.
    pub return_path: Option<Address>,
    /// How long each answer of the server may take; the last one, five times as long.
    pub answer_within: Duration,
}

/// User and password at the mail server.
#[derive(Clone, Debug)]
pub struct SmtpLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// How the way to the mail server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS after STARTTLS; a server that does not offer it gets no mail.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None: only for a server on this machine.
    Plain,
}

/// What is wrong with settings of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailSettingsError {
    /// Mails and password would travel for all to read.
    #[error("a mail server without TLS must be on this machine: localhost, 127.0.0.1 or ::1")]
    PlainAbroad,
    /// The certificates cannot be read.
    #[error("the file of trusted certificates for the mail server holds none in PEM")]
    Ca,
    /// A mailbox has 64 characters, and 54 of them are the mark of the mail.
    #[error("the mailbox of the return path has at most 10 characters before the @")]
    ReturnPath,
}

/// Most characters of the mailbox that mails come back to.
const MAX_MAILBOX: usize = 10;

impl SmtpSettings {
    /// Refuses what would only fail, or leak, later.
    pub(super) fn check(&self) -> Result<(), MailSettingsError> {
        let local =
            self.host.parse::<IpAddr>().map_or(self.host == "localhost", |ip| ip.is_loopback());
        if self.security == SmtpSecurity::Plain && !local {
            return Err(MailSettingsError::PlainAbroad);
        }
        let fits = |mailbox: &Address| mailbox.user().len() <= MAX_MAILBOX;
        if !self.return_path.as_ref().is_none_or(fits) {
            return Err(MailSettingsError::ReturnPath);
        }
        Ok(())
    }
}
