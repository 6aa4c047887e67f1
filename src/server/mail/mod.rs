//! Mails: a row in the outbox becomes a file in the spool folder, once.
//!
//! queued → sending → sent. A process that ends in between leaves `sending`: the next one looks
//! what became of the file, and what cannot be told is `unknown` and not repeated.

mod compose;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::server::Service;
use crate::server::error::ApiError;
use crate::server::store::outbox::{self, MailRow};
use crate::server::store::{Connection, client_accesses, invitations};
use crate::wire::{ClientAccessState, InvitationState};

pub(crate) use compose::Composer;

/// What mails there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// An invitation, for the first time.
    Invitation,
    /// An invitation, again.
    Resend,
    /// An agency asks its client for access.
    AccessRequested,
    /// What became of an agency's request.
    AccessResult,
    /// Someone's role changed.
    RoleChanged,
    /// Someone's membership ended.
    Removed,
    /// Someone lost access for want of a seat.
    Trimmed,
    /// Someone has access again.
    Reinstated,
    /// A website is not connected any more.
    WebsiteStatus,
    /// An invitation finds no seat.
    SeatsShort,
    /// An invitation ran out, for who sent it.
    InvitationExpired,
    /// A subscription changed, was renewed, was cancelled or is about to end.
    Billing,
    /// A meter is nearly or wholly used up.
    Usage,
    /// Someone wants to sign up with this address.
    ConfirmAddress,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Invitation,
        Self::Resend,
        Self::AccessRequested,
        Self::AccessResult,
        Self::RoleChanged,
        Self::Removed,
        Self::Trimmed,
        Self::Reinstated,
        Self::WebsiteStatus,
        Self::SeatsShort,
        Self::InvitationExpired,
        Self::Billing,
        Self::Usage,
        Self::ConfirmAddress,
    ];

    /// Its name: in the outbox, in file names and of its template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Resend => "resend",
            Self::AccessRequested => "access-requested",
            Self::AccessResult => "access-result",
            Self::RoleChanged => "role-changed",
            Self::Removed => "removed",
            Self::Trimmed => "trimmed",
            Self::Reinstated => "reinstated",
            Self::WebsiteStatus => "website-status",
            Self::SeatsShort => "seats-short",
            Self::InvitationExpired => "invitation-expired",
            Self::Billing => "billing",
            Self::Usage => "usage",
            Self::ConfirmAddress => "confirm-address",
        }
    }

    /// The template of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// Its text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Invitation => include_str!("templates/invitation.txt"),
            Self::Resend => include_str!("templates/resend.txt"),
            Self::AccessRequested => include_str!("templates/access-requested.txt"),
            Self::AccessResult => include_str!("templates/access-result.txt"),
            Self::RoleChanged => include_str!("templates/role-changed.txt"),
            Self::Removed => include_str!("templates/removed.txt"),
            Self::Trimmed => include_str!("templates/trimmed.txt"),
            Self::Reinstated => include_str!("templates/reinstated.txt"),
            Self::WebsiteStatus => include_str!("templates/website-status.txt"),
            Self::SeatsShort => include_str!("templates/seats-short.txt"),
            Self::InvitationExpired => include_str!("templates/invitation-expired.txt"),
            Self::Billing => include_str!("templates/billing.txt"),
            Self::Usage => include_str!("templates/usage.txt"),
            Self::ConfirmAddress => include_str!("templates/confirm-address.txt"),
        }
    }
}

/// The spool folder. One delivery runs at a time, so that its caller knows what is out.
pub(crate) struct Spool {
    folder: PathBuf,
    delivering: Mutex<()>,
}

impl Spool {
    /// A spool in this folder, which must exist.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, delivering: Mutex::new(()) }
    }
}

/// Sends everything that is queued; gives how many mails went out.
///
/// A mail is written under its first name, marked `sending`, and then gets its name: wherever a
/// process ends in between, the next one can tell whether it went out.
pub(crate) async fn deliver_due(service: &Arc<Service>) -> Result<usize, ApiError> {
    let _one_at_a_time = service.spool.delivering.lock().await;
    let mut sent = 0;
    while let Some(mail) = next(service).await? {
        let (from, outcome) = match prepare(service, &mail).await {
            Ok(()) if claim(service, &mail).await? => ("sending", finish(service, &mail).await),
            Ok(()) => {
                // Only litter if it stays: nothing reads a first name.
                let _ = std::fs::remove_file(unfinished(&service.spool.folder, &file_name(&mail)));
                continue;
            }
            Err(error) => ("queued", failed(&mail, &error, error.outcome())),
        };
        let mut tx = service.store.begin().await?;
        note(&mut tx, &mail.id, from, outcome, service.now()).await?;
        tx.commit().await?;
        service.metrics.mails.get_or_create(&vec![("outcome", outcome)]).inc();
        sent += usize::from(outcome == "sent");
        if outcome == "queued" {
            // What keeps this one back keeps all of them back: the next tick tries again.
            break;
        }
    }
    Ok(sent)
}

/// Logs what becomes of a mail that could not be written.
fn failed(mail: &MailRow, error: &MailError, outcome: &'static str) -> &'static str {
    let error = error as &dyn std::error::Error;
    tracing::error!(mail.id = mail.id, outcome, error, "could not write a mail");
    outcome
}

/// Says what became of every mail that was being sent when the process ended.
pub(crate) async fn settle_interrupted(service: &Arc<Service>) -> Result<(), ApiError> {
    let mut tx = service.store.begin().await?;
    for mail in outbox::interrupted(&mut tx).await? {
        let outcome = left_behind(&service.spool.folder, &mail);
        note(&mut tx, &mail.id, "sending", outcome, service.now()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The file under its name went out; under its first name it did not. With neither, it may have
/// been taken away already: nobody knows.
fn left_behind(folder: &Path, mail: &MailRow) -> &'static str {
    let name = file_name(mail);
    if folder.join(&name).exists() {
        "sent"
    } else if unfinished(folder, &name).exists() {
        "queued"
    } else {
        "unknown"
    }
}

/// The oldest mail that waits and is still wanted.
async fn next(service: &Arc<Service>) -> Result<Option<MailRow>, ApiError> {
    loop {
        let mut snapshot = service.store.snapshot().await?;
        let Some(mail) = outbox::oldest_queued(&mut snapshot).await? else { return Ok(None) };
        let wanted = is_wanted(&mut snapshot, &mail, service.now()).await?;
        drop(snapshot);
        if wanted {
            return Ok(Some(mail));
        }
        let mut tx = service.store.begin().await?;
        outbox::advance(&mut tx, &mail.id, "queued", "dropped", service.now()).await?;
        tx.commit().await?;
    }
}

/// Marks a mail `sending`; false if it is not wanted any more.
async fn claim(service: &Arc<Service>, mail: &MailRow) -> Result<bool, ApiError> {
    let now = service.now();
    let mut tx = service.store.begin().await?;
    let wanted = is_wanted(&mut tx, mail, now).await?
        && outbox::advance(&mut tx, &mail.id, "queued", "sending", now).await?;
    tx.commit().await?;
    Ok(wanted)
}

/// An invitation or a request that was withdrawn before its mail left is not sent any more.
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
        _ => Ok(true),
    }
}

async fn note(
    conn: &mut Connection,
    mail: &str,
    from: &str,
    to: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    if outbox::advance(conn, mail, from, to, now).await? {
        invitations::note_delivery(conn, mail, to).await?;
        client_accesses::note_delivery(conn, mail, to).await?;
    }
    Ok(())
}

/// Writes a mail under its first name.
async fn prepare(service: &Arc<Service>, row: &MailRow) -> Result<(), MailError> {
    let template = Template::parse(&row.template).ok_or(MailError::Template)?;
    let mail = compose::mail(service, row, template).await?;
    let bytes = service.composer.message(&mail)?;
    let path = unfinished(&service.spool.folder, &file_name(row));
    tokio::task::spawn_blocking(move || write_whole(&path, &bytes))
        .await
        .map_err(|_| MailError::Interrupted)??;
    Ok(())
}

/// Gives a mail that is written its name: from then on it is out.
async fn finish(service: &Arc<Service>, mail: &MailRow) -> &'static str {
    let (folder, name) = (service.spool.folder.clone(), file_name(mail));
    let renamed = tokio::task::spawn_blocking(move || {
        std::fs::rename(unfinished(&folder, &name), folder.join(&name))
    });
    match renamed.await {
        Ok(Ok(())) => "sent",
        Ok(Err(error)) => failed(mail, &MailError::Spool(error), "queued"),
        Err(_) => failed(mail, &MailError::Interrupted, "unknown"),
    }
}

/// The name under which a mail is out.
fn file_name(mail: &MailRow) -> String {
    format!("{}-{}.eml", mail.id, mail.template)
}

/// Where a mail is written before it gets its name.
fn unfinished(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.tmp"))
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

impl MailError {
    /// What becomes of a mail that could not be prepared: at most its first name was written, so
    /// nothing was sent.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Store(_) | Self::Spool(_) | Self::Interrupted => "queued",
            Self::Template
            | Self::Subject
            | Self::Render(_)
            | Self::Build(_)
            | Self::Address(_)
            | Self::Words(_) => "failed",
        }
    }
}

/// Why a mail was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    /// No such template.
    #[error("the outbox names a template that is not there")]
    Template,
    /// The row that the mail is about is gone.
    #[error("the row that the mail is about is not there")]
    Subject,
    /// The template did not render.
    #[error("the template could not be rendered")]
    Render(#[from] minijinja::Error),
    /// A header was refused.
    #[error("the message could not be built")]
    Build(#[from] lettre::error::Error),
    /// An address was refused.
    #[error("the address could not be written in a header")]
    Address(#[from] lettre::address::AddressError),
    /// The words of the row cannot be read.
    #[error("the words of the mail cannot be read")]
    Words(#[from] serde_json::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] sqlx::Error),
    /// The spool folder failed.
    #[error("the spool folder failed")]
    Spool(#[from] io::Error),
    /// The writer was stopped.
    #[error("the writer was stopped")]
    Interrupted,
}
