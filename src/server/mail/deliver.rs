//! The sending protocol: claimed by this process, offered, marked `sending`, handed over, settled.
//!
//! Until it is marked, a mail was surely not sent, and is tried again. From then on only who hands
//! it over can know what became of it: a process that ends there leaves `unknown`, which nobody
//! repeats by itself. A claim lapses unless it is renewed, so processes can share one outbox.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::failpoint;
use crate::server::Service;
use crate::server::error::ApiError;
use crate::server::link::ADDRESS_LIFETIME;
use crate::server::mail::compose::{self, MailError};
use crate::server::mail::settle::{Outcome, begin_for, settle};
use crate::server::mail::template::Template;
use crate::server::mail::way::{Failure, Transport, Way};
use crate::server::store::outbox::{self, Claim, Claimed, MailRow};
use crate::server::store::{Connection, client_accesses, invitations, ownership_changes};
use crate::wire::{ClientAccessState, InvitationState, OwnershipState};

/// How long a claim lasts that is not renewed.
const CLAIM: SignedDuration = SignedDuration::from_secs(30);

/// How long a mail waits that could not be dealt with, while the others go.
const PUT_OFF: SignedDuration = SignedDuration::from_secs(5);

/// How often the claim of a mail is renewed while it is on its way.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// Where mails go, and who sends them there.
pub(crate) struct Mailer {
    transport: Transport,
    /// Name of this process in claims.
    pub(super) name: String,
    /// One delivery runs at a time, so that its caller knows what is out.
    delivering: Mutex<()>,
}

/// What a delivery did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivery {
    /// Mails that went out.
    pub sent: usize,
    /// Whether it ended early, because the place where mails go takes none.
    pub away: bool,
}

impl Mailer {
    /// Sends over `transport` under a name of this process.
    pub(super) fn new(transport: Transport, name: String) -> Self {
        Self { transport, name, delivering: Mutex::new(()) }
    }

    fn claim(&self, now: Timestamp) -> Claim<'_> {
        Claim { by: &self.name, until: now + CLAIM }
    }
}

/// Sends everything that is due; ends early when the place where mails go takes none.
pub(crate) async fn deliver_due(service: &Arc<Service>) -> Result<Delivery, ApiError> {
    let mailer = &service.mailer;
    let _one_at_a_time = mailer.delivering.lock().await;
    let mut delivery = Delivery::default();
    let mut snapshot = service.store.snapshot().await?;
    let any_due = outbox::any_due(&mut snapshot, &mailer.name, service.now()).await?;
    drop(snapshot);
    if !any_due {
        return Ok(delivery);
    }
    settle_interrupted(service).await?;
    let mut way = Way::new(&mailer.transport);
    while let Some(Claimed { mail, attempts }) = claim(service).await? {
        failpoint::hit("mail.claimed");
        match deliver_one(service, &mut way, &mail, attempts).await {
            Ok(Delivery { sent, away }) => {
                delivery.sent += sent;
                delivery.away = away;
            }
            Err(error) => {
                put_off(service, &mail).await;
                return Err(error);
            }
        }
        failpoint::hit("mail.settled");
        if delivery.away {
            break;
        }
    }
    way.end().await;
    Ok(delivery)
}

async fn deliver_one(
    service: &Arc<Service>,
    way: &mut Way<'_>,
    mail: &MailRow,
    attempts: u32,
) -> Result<Delivery, ApiError> {
    let outcome = while_held(service, carry(service, way, mail)).await?;
    let delivery = Delivery {
        sent: usize::from(matches!(outcome, Outcome::Sent)),
        away: matches!(outcome, Outcome::Failed(Failure::Away(_))),
    };
    settle(service, mail, attempts, outcome).await?;
    Ok(delivery)
}

/// Lets the other mails go before one that could not be dealt with.
async fn put_off(service: &Arc<Service>, mail: &MailRow) {
    let put_off = async {
        let mut tx = service.store.begin().await?;
        let not_before = service.now() + PUT_OFF;
        outbox::put_off(&mut tx, &mail.id, &service.mailer.name, not_before).await?;
        tx.commit().await
    };
    if let Err(error) = put_off.await {
        let error = &error as &dyn Error;
        tracing::warn!(mail.id, error, "could not put off a mail");
    }
}

/// Ends the claims of who is surely gone, and says what became of their mails.
pub(crate) async fn take_over(service: &Arc<Service>) -> Result<(), ApiError> {
    let mut tx = service.store.begin().await?;
    outbox::end_claims(&mut tx, service.store.is_shared()).await?;
    tx.commit().await?;
    settle_interrupted(service).await
}

/// Says what became of every mail whose sender is gone.
async fn settle_interrupted(service: &Arc<Service>) -> Result<(), ApiError> {
    let now = service.now();
    let mut snapshot = service.store.snapshot().await?;
    let interrupted = outbox::interrupted(&mut snapshot, now).await?;
    drop(snapshot);
    for mail in interrupted {
        let state = match &service.mailer.transport {
            Transport::Spool(spool) => spool.left_behind(&mail),
            Transport::Smtp(_) => "unknown",
        };
        let mut tx = begin_for(service, &mail).await?;
        if outbox::settle_interrupted(&mut tx, &mail.id, state, now).await? {
            note_delivery(&mut tx, &mail.id, state).await?;
            tracing::warn!(mail.id, state, "a mail was being sent when its process ended");
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn claim(service: &Arc<Service>) -> Result<Option<Claimed>, ApiError> {
    let now = service.now();
    let mut tx = service.store.begin().await?;
    let claimed =
        outbox::claim_next(&service.store, &mut tx, service.mailer.claim(now), now).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Renews the claim for as long as the work on it takes.
async fn while_held<T>(service: &Service, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = hold(service) => match never {},
    }
}

async fn hold(service: &Service) -> Infallible {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        if let Err(error) = renew(service).await {
            let error = &error as &dyn Error;
            tracing::warn!(error, "could not renew the claim of a mail");
        }
    }
}

async fn renew(service: &Service) -> Result<(), sqlx::Error> {
    let mut tx = service.store.begin().await?;
    outbox::renew(&mut tx, service.mailer.claim(service.now())).await?;
    tx.commit().await
}

/// Takes a mail that is ours the whole way.
async fn carry(
    service: &Arc<Service>,
    way: &mut Way<'_>,
    mail: &MailRow,
) -> Result<Outcome, ApiError> {
    let letter = match compose::letter(service, mail).await {
        Ok(letter) => letter,
        Err(MailError::Store(error)) => return Err(error.into()),
        Err(error) => {
            let error = &error as &dyn Error;
            tracing::error!(mail.id, mail.template, error, "could not put a mail together");
            return Ok(Outcome::Broken);
        }
    };
    if let Err(failure) = way.offer(&letter).await {
        return Ok(Outcome::Failed(failure));
    }
    failpoint::hit("mail.before-sending");
    if let Some(stopped) = begin_sending(service, mail).await? {
        way.withdraw(&letter).await;
        return Ok(stopped);
    }
    failpoint::hit("mail.sending");
    let handed_over = way.hand_over(&letter).await;
    failpoint::hit("mail.answered");
    Ok(handed_over.map_or_else(Outcome::Failed, |()| Outcome::Sent))
}

/// Marks a mail `sending`, unless it must not go out any more.
async fn begin_sending(
    service: &Arc<Service>,
    mail: &MailRow,
) -> Result<Option<Outcome>, ApiError> {
    let now = service.now();
    let mut tx = service.store.begin().await?;
    if !is_wanted(&mut tx, mail, now).await? {
        return Ok(Some(Outcome::Dropped));
    }
    let ours = outbox::begin_sending(&mut tx, &mail.id, service.mailer.claim(now)).await?;
    tx.commit().await?;
    Ok((!ours).then_some(Outcome::Lost))
}

/// Notes what became of a mail at the row that it was the last one of.
pub(super) async fn note_delivery(
    conn: &mut Connection,
    mail: &str,
    delivery: &str,
) -> Result<(), sqlx::Error> {
    invitations::note_delivery(conn, mail, delivery).await?;
    client_accesses::note_delivery(conn, mail, delivery).await
}

/// An invitation or a request that was withdrawn before its mail left is not sent any more, nor is
/// a link that would not work.
async fn is_wanted(
    conn: &mut Connection,
    mail: &MailRow,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    match Template::parse(&mail.template) {
        Some(Template::Invitation | Template::Resend) => {
            let row = invitations::by_link(conn, &mail.subject).await?;
            Ok(row.is_some_and(|row| row.state_at(now) == InvitationState::Pending))
        }
        Some(Template::AccessRequested) => {
            let row = client_accesses::by_link(conn, &mail.subject).await?;
            Ok(row.is_some_and(|row| row.state == ClientAccessState::Requested))
        }
        Some(Template::OwnershipConfirm) => {
            let row = ownership_changes::by_link(conn, &mail.subject).await?;
            Ok(row.is_some_and(|row| row.state_at(now) == OwnershipState::Unconfirmed))
        }
        Some(Template::OwnershipAccept) => {
            let row = ownership_changes::by_link(conn, &mail.subject).await?;
            Ok(row.is_some_and(|row| row.state_at(now) == OwnershipState::Unaccepted))
        }
        Some(Template::ConfirmAddress) => {
            Ok(now.duration_since(mail.created_at) < ADDRESS_LIFETIME)
        }
        _ => Ok(true),
    }
}
