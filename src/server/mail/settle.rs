//! What became of a mail: noted in the outbox and at the row that it is about.

use std::error::Error;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::server::Service;
use crate::server::error::ApiError;
use crate::server::mail::way::Failure;
use crate::server::mail::{deliver, undeliverable};
use crate::server::store::outbox::{self, MailRow};
use crate::server::store::{Tx, accounts};

/// First wait of a mail that was refused for now; each next one is twice as long.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// How often the wait doubles: up to about an hour.
const MOST_DOUBLINGS: u32 = 6;

/// When a mail that is refused for now is given up. Source: RFC 5321, 4.5.4.1.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What became of a mail.
pub(super) enum Outcome {
    Sent,
    /// It is not wanted any more.
    Dropped,
    /// Another process holds it.
    Lost,
    /// It cannot be put together.
    Broken,
    Failed(Failure),
}

/// Notes what became of a mail.
pub(super) async fn settle(
    service: &Arc<Service>,
    mail: &MailRow,
    attempts: u32,
    outcome: Outcome,
) -> Result<(), ApiError> {
    let given_up = service.now().duration_since(mail.created_at) >= GIVE_UP_AFTER;
    let word = match outcome {
        Outcome::Sent => note(service, mail, "sent").await?,
        Outcome::Dropped => note(service, mail, "dropped").await?,
        Outcome::Broken => note(service, mail, "failed").await?,
        Outcome::Failed(Failure::Unknown) => note(service, mail, "unknown").await?,
        Outcome::Failed(Failure::Refused(code)) => {
            undeliverable::refused(service, mail, &service.mailer.name, code).await?
        }
        Outcome::Failed(Failure::Later(code)) if given_up => {
            undeliverable::refused(service, mail, &service.mailer.name, code).await?
        }
        Outcome::Failed(Failure::Later(code)) => postpone(service, mail, attempts, code).await?,
        Outcome::Failed(Failure::Away(error)) => {
            tell_away(&*error);
            give_back(service, mail).await?
        }
        Outcome::Lost => "lost",
    };
    service.metrics.mails.get_or_create(&vec![("outcome", word)]).inc();
    Ok(())
}

fn tell_away(error: &(dyn Error + 'static)) {
    tracing::error!(error, "mails wait: they cannot be sent now");
}

/// Begins a write about a mail. What a mail is about is a row of its account, whose writers wait
/// for each other.
pub(super) async fn begin_for(service: &Service, mail: &MailRow) -> Result<Tx, sqlx::Error> {
    let mut tx = service.store.begin().await?;
    if let Some(account_id) = &mail.account_id {
        accounts::lock(&service.store, &mut tx, account_id).await?;
    }
    Ok(tx)
}

async fn note(
    service: &Service,
    mail: &MailRow,
    state: &'static str,
) -> Result<&'static str, ApiError> {
    let mut tx = begin_for(service, mail).await?;
    let (by, now) = (&service.mailer.name, service.now());
    if outbox::settle(&mut tx, &mail.id, by, state, now, None).await? && state != "dropped" {
        deliver::note_delivery(&mut tx, &mail.id, state).await?;
    }
    tx.commit().await?;
    if state == "unknown" {
        tracing::error!(mail.id, "the mail server broke off: nobody knows whether a mail went out");
    }
    Ok(state)
}

async fn give_back(service: &Service, mail: &MailRow) -> Result<&'static str, ApiError> {
    let mut tx = service.store.begin().await?;
    outbox::give_back(&mut tx, &mail.id, &service.mailer.name).await?;
    tx.commit().await?;
    Ok("queued")
}

async fn postpone(
    service: &Service,
    mail: &MailRow,
    attempts: u32,
    code: Option<u16>,
) -> Result<&'static str, ApiError> {
    let wait = FIRST_WAIT * 2_i32.pow(attempts.min(MOST_DOUBLINGS));
    let (by, not_before) = (&service.mailer.name, service.now() + wait);
    let mut tx = service.store.begin().await?;
    outbox::postpone(&mut tx, &mail.id, by, not_before, code_text(code).as_deref()).await?;
    tx.commit().await?;
    tracing::warn!(mail.id, code, ?wait, "a mail waits: the mail server refused it for now");
    Ok("queued")
}

/// A reply code as it is stored.
pub(super) fn code_text(code: Option<u16>) -> Option<String> {
    code.map(|code| code.to_string())
}
