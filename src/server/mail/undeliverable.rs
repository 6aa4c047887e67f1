//! Mails that cannot be delivered: refused for good by the mail server, or come back later.

use std::sync::Arc;

use crate::server::Service;
use crate::server::change::{Change, invitation};
use crate::server::error::ApiError;
use crate::server::link;
use crate::server::mail::settle::code_text;
use crate::server::permission::Actor;
use crate::server::store::outbox::{self, MailRow};
use crate::server::store::{Connection, client_accesses};

/// How it is known.
#[derive(Clone, Copy)]
enum Known<'a> {
    /// The mail server refused it from the process of this name.
    Refused { by: &'a str, code: Option<u16> },
    /// It came back.
    Bounced,
}

/// The mail that came back to this address.
///
/// # Errors
///
/// [`ApiError::Invalid`] if the address is no return path of this service, or forged.
pub(crate) fn of_return_path(service: &Service, return_path: &str) -> Result<String, ApiError> {
    link::bounced_mail(&service.key, return_path)
        .ok_or_else(|| ApiError::field("/return_path", "is no return path of this service"))
}

/// Notes that a mail came back: its invitation has failed and frees its seat. Safe to repeat, and
/// nothing to do where the mail is forgotten.
pub(crate) async fn bounced(service: &Arc<Service>, id: &str) -> Result<(), ApiError> {
    let mut snapshot = service.store.snapshot().await?;
    let mail = outbox::by_id(&mut snapshot, id).await?;
    drop(snapshot);
    match mail {
        Some(mail) => fail(service, &mail, Known::Bounced).await,
        None => Ok(()),
    }
}

/// Notes that the mail server refused a mail for good.
pub(super) async fn refused(
    service: &Arc<Service>,
    mail: &MailRow,
    by: &str,
    code: Option<u16>,
) -> Result<&'static str, ApiError> {
    fail(service, mail, Known::Refused { by, code }).await?;
    tracing::warn!(mail.id, code, "a mail cannot be delivered: the mail server refused it");
    Ok("failed")
}

async fn fail(service: &Arc<Service>, mail: &MailRow, known: Known<'_>) -> Result<(), ApiError> {
    let now = service.now();
    let mark = async |conn: &mut Connection| match known {
        Known::Refused { by, code } => {
            let code = code_text(code);
            outbox::settle(conn, &mail.id, by, "failed", now, code.as_deref()).await
        }
        Known::Bounced => outbox::bounce(conn, &mail.id).await,
    };
    let change = match &mail.account_id {
        Some(account_id) => match Change::begin(service, account_id, Actor::Service).await {
            // The account was deleted: there is only the mail left.
            Err(ApiError::NotFound) => None,
            change => Some(change?),
        },
        None => None,
    };
    let Some(mut change) = change else {
        let mut tx = service.store.begin().await?;
        mark(&mut tx).await?;
        tx.commit().await?;
        return Ok(());
    };
    if mark(change.conn()).await? {
        invitation::fail(&mut change, &mail.id).await?;
        client_accesses::note_delivery(change.conn(), &mail.id, "failed").await?;
        change.commit().await?;
    }
    Ok(())
}
