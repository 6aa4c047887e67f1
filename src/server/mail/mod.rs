//! Mails: queued in the transaction of a change, then sent once, to a folder or a mail server.

mod compose;
mod deliver;
mod settings;
mod settle;
mod smtp;
mod spool;
mod template;
#[cfg(test)]
mod tests;
mod undeliverable;
mod way;
mod words;
mod worker;

use lettre::Address;
use lettre::message::Mailbox;

use crate::server::error::ServerError;

use compose::{Letter, Senders};
use smtp::Smtp;
use spool::Spool;
use way::Transport;

pub(crate) use compose::Composer;
pub(crate) use deliver::{Mailer, deliver_due, take_over};
pub use settings::{MailSettings, MailSettingsError, SmtpLogin, SmtpSecurity, SmtpSettings};
pub(crate) use template::Template;
pub(crate) use undeliverable::{bounced, of_return_path};
pub(crate) use worker::send_until;

/// Mailbox and host of senders where the public address has no domain.
const NO_DOMAIN: &str = "localhost.invalid";

/// What composes mails and what sends them. `host` is that of the public address, `process` a name
/// of this process.
pub(crate) fn open(
    settings: &MailSettings,
    host: &str,
    process: String,
) -> Result<(Composer, Mailer), ServerError> {
    let (senders, transport) = match settings {
        MailSettings::Spool(folder) => {
            let from = sender_at(host)?;
            (Senders { from, return_path: None }, Transport::Spool(Spool(folder.clone())))
        }
        MailSettings::Smtp(smtp) => {
            let (from, return_path) = (smtp.from.clone(), smtp.return_path.clone());
            (Senders { from, return_path }, Transport::Smtp(Smtp::new(smtp)?))
        }
    };
    Ok((Composer::new(host, senders)?, Mailer::new(transport, process)))
}

/// The sender where none is set. An address literal or a name without a dot is no domain of one.
fn sender_at(host: &str) -> Result<Mailbox, ServerError> {
    let is_domain = host.contains('.') && host.parse::<std::net::IpAddr>().is_err();
    let address = Address::new("no-reply", if is_domain { host } else { NO_DOMAIN })
        .or_else(|_| Address::new("no-reply", NO_DOMAIN))
        .map_err(|_| ServerError::PublicUrl)?;
    Ok(Mailbox::new(Some("Account service".to_owned()), address))
}
