//! A mail server: the dialog, step by step, because the mail is marked `sending` in the middle.

use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret as _;

use crate::server::error::ServerError;
use crate::server::mail::Letter;
use crate::server::mail::settings::{MailSettingsError, SmtpSecurity, SmtpSettings};
use crate::server::mail::way::Failure;

/// The server shuts down. Source: RFC 5321, 3.8.
const CLOSING: u16 = 421;

/// The server wants a login first. Source: RFC 4954, 6.
const LOGIN_REQUIRED: u16 = 530;

/// The last answer may take this many times as long as the others. Source: RFC 5321, 4.5.3.2.
const LAST_ANSWER: u32 = 5;

/// The mail server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    security: SmtpSecurity,
    tls: TlsParameters,
    login: Option<Credentials>,
    hello: ClientId,
    answer_within: Duration,
}

/// Why the mail server did not do what it was asked. Without its words: they may hold an address.
#[derive(Debug, thiserror::Error)]
pub(super) enum SmtpError {
    /// No answer.
    #[error("the mail server did not answer in time")]
    Late,
    /// A refusal.
    #[error("the mail server answered {code} to {step}")]
    Refused {
        /// The reply code.
        code: u16,
        /// What was asked.
        step: &'static str,
    },
    /// Mails would travel for all to read.
    #[error("the mail server does not offer STARTTLS")]
    NoStarttls,
    /// No login.
    #[error("the mail server does not offer a login by PLAIN or LOGIN")]
    NoLogin,
    /// Not the protocol.
    #[error("the mail server gave an answer to {step} that does not fit")]
    Odd {
        /// What was asked.
        step: &'static str,
    },
    /// The network, or TLS.
    #[error("the connection to the mail server failed")]
    Broken(#[source] Error),
}

impl Smtp {
    /// Reads certificates. The service calls itself by the domain of the sender.
    pub fn new(settings: &SmtpSettings) -> Result<Self, ServerError> {
        settings.check()?;
        let mut tls = TlsParameters::builder(settings.host.clone());
        if let Some(pem) = &settings.ca {
            let is_there = String::from_utf8_lossy(pem).contains("BEGIN CERTIFICATE");
            let ca = Certificate::from_pem(pem).ok().filter(|_| is_there);
            tls = tls.add_root_certificate(ca.ok_or(MailSettingsError::Ca)?);
        }
        let login = settings.login.as_ref().map(|login| {
            Credentials::new(login.user.clone(), login.password.expose_secret().to_owned())
        });
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            security: settings.security,
            tls: tls.build_rustls().map_err(|_| MailSettingsError::Ca)?,
            login,
            hello: ClientId::Domain(settings.from.email.domain().to_owned()),
            answer_within: settings.answer_within,
        })
    }

    /// Connects and signs in.
    pub async fn connect(&self) -> Result<Dialog, SmtpError> {
        let from_the_start = self.security == SmtpSecurity::Implicit;
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(self.answer_within),
            &self.hello,
            from_the_start.then(|| self.tls.clone()),
            None,
        );
        let connection = within(self.answer_within, "EHLO", connecting).await?;
        let mut dialog = Dialog { connection, answer_within: self.answer_within, usable: true };
        if self.security == SmtpSecurity::Starttls {
            if !dialog.connection.can_starttls() {
                return Err(SmtpError::NoStarttls);
            }
            let securing = dialog.connection.starttls(self.tls.clone(), &self.hello);
            within(self.answer_within, "STARTTLS", securing).await?;
        }
        if let Some(login) = &self.login {
            dialog.sign_in(login).await?;
        }
        Ok(dialog)
    }
}

/// A connection to the mail server.
pub(super) struct Dialog {
    connection: AsyncSmtpConnection,
    answer_within: Duration,
    /// Whether the next mail can go over it.
    pub usable: bool,
}

impl Dialog {
    async fn sign_in(&mut self, login: &Credentials) -> Result<(), SmtpError> {
        let known = [Mechanism::Plain, Mechanism::Login];
        if self.connection.server_info().get_auth_mechanism(&known).is_none() {
            return Err(SmtpError::NoLogin);
        }
        let answer =
            within(self.answer_within, "AUTH", self.connection.auth(&known, login)).await?;
        must_be(&answer, "AUTH", &[235])
    }

    /// Says what is coming, up to the point where the server waits for the message.
    ///
    /// Each answer must be the one that belongs to its command: after an answer too many, as
    /// somebody on the way could slip in before TLS begins, nothing would be known of a mail.
    pub async fn offer(&mut self, letter: &Letter) -> Result<(), Failure> {
        let offered = self.announce(letter).await;
        if let Err(Failure::Later(Some(_)) | Failure::Refused(_)) = &offered {
            // The server keeps the half of a mail that it took until it is told otherwise.
            self.usable = self.command(Rset, "RSET", &[250]).await.is_ok();
        } else if offered.is_err() {
            self.usable = false;
        }
        offered
    }

    async fn announce(&mut self, letter: &Letter) -> Result<(), Failure> {
        let mail = Mail::new(Some(letter.return_path.clone()), self.parameters(letter)?);
        // What is wrong with the sender is wrong with all mails.
        self.command(mail, "MAIL", &[250]).await.map_err(Failure::away)?;
        let to = Rcpt::new(letter.to.clone(), vec![]);
        self.command(to, "RCPT", &[250, 251]).await.map_err(before_the_message)?;
        self.command(Data, "DATA", &[354]).await.map_err(before_the_message)
    }

    /// A server that cannot write such an address can never deliver to it.
    fn parameters(&self, letter: &Letter) -> Result<Vec<MailParameter>, Failure> {
        let can = |extension| self.connection.server_info().supports_feature(extension);
        let to: &str = letter.to.as_ref();
        match (to.is_ascii(), letter.bytes.is_ascii()) {
            (true, true) => Ok(vec![]),
            _ if !can(Extension::SmtpUtfEight) || !can(Extension::EightBitMime) => {
                Err(Failure::Refused(None))
            }
            _ => Ok(vec![
                MailParameter::SmtpUtfEight,
                MailParameter::Body(MailBodyParameter::EightBitMime),
            ]),
        }
    }

    /// Sends the message. A reply says what became of it; without one, nobody knows, unless the end
    /// of the message was never written.
    pub async fn hand_over(&mut self, letter: &Letter) -> Result<(), Failure> {
        let mut ending = false;
        let end = std::iter::from_fn(|| {
            ending = true;
            None
        });
        let parts = std::iter::once(letter.bytes.as_slice()).chain(end);
        let last = self.answer_within * LAST_ANSWER;
        let sent = within(last, "the message", self.connection.message_iter(parts)).await;
        let sent = sent.and_then(|answer| match u16::from(answer.code()) {
            200..=299 => Ok(()),
            _ => Err(SmtpError::Odd { step: "the message" }),
        });
        sent.map_err(|error| match error {
            SmtpError::Refused { code, .. } => {
                self.usable = code != CLOSING;
                refused(code)
            }
            _ => {
                self.usable = false;
                if ending { Failure::Unknown } else { Failure::Later(None) }
            }
        })
    }

    /// Says good-bye, if the server still listens.
    pub async fn end(mut self) {
        if self.usable {
            // It was the last thing to say: nothing depends on the answer.
            let _ = within(self.answer_within, "QUIT", self.connection.quit()).await;
        }
    }

    async fn command(
        &mut self,
        command: impl std::fmt::Display,
        step: &'static str,
        codes: &[u16],
    ) -> Result<(), SmtpError> {
        let answer = within(self.answer_within, step, self.connection.command(command)).await?;
        must_be(&answer, step, codes)
    }
}

/// What a failure before the message means for this mail.
fn before_the_message(error: SmtpError) -> Failure {
    match error {
        SmtpError::Refused { code: CLOSING | LOGIN_REQUIRED, .. } => Failure::away(error),
        SmtpError::Refused { code, .. } => refused(code),
        _ => Failure::Later(None),
    }
}

fn refused(code: u16) -> Failure {
    if code < 500 { Failure::Later(Some(code)) } else { Failure::Refused(Some(code)) }
}

fn must_be(answer: &Response, step: &'static str, codes: &[u16]) -> Result<(), SmtpError> {
    if codes.contains(&answer.code().into()) { Ok(()) } else { Err(SmtpError::Odd { step }) }
}

async fn within<T>(
    time: Duration,
    step: &'static str,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, SmtpError> {
    let Ok(answer) = tokio::time::timeout(time, asked).await else { return Err(SmtpError::Late) };
    answer.map_err(|error| match error.status() {
        Some(code) => SmtpError::Refused { code: code.into(), step },
        None if error.is_response() || error.is_client() => SmtpError::Odd { step },
        None => SmtpError::Broken(error),
    })
}
