//! Invitations. One that is overdue reads as expired, whether or not its row says so yet.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Connection, Window, hits, micros, time, unknown_word};
use crate::wire::InvitationState;

/// One invitation.
#[derive(Clone, Debug)]
pub(crate) struct InvitationRow {
    pub id: String,
    pub account_id: String,
    /// Canonical address.
    pub address: String,
    pub role: String,
    pub state: InvitationState,
    /// Who invited: `token:…` or `member:…`.
    pub inviter: String,
    /// Number of the link that works.
    pub generation: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_sent_at: Timestamp,
    pub send_count: u32,
    /// What became of the last mail.
    pub delivery: String,
    pub last_mail: Option<String>,
    pub external_ref: Option<String>,
    pub version: i64,
}

impl<'r> FromRow<'r, SqliteRow> for InvitationRow {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            address: row.try_get("address")?,
            role: row.try_get("role")?,
            state: state(row.try_get("state")?)?,
            inviter: row.try_get("inviter")?,
            generation: row.try_get("generation")?,
            created_at: time(row, "created_at")?,
            expires_at: time(row, "expires_at")?,
            last_sent_at: time(row, "last_sent_at")?,
            send_count: row.try_get("send_count")?,
            delivery: row.try_get("delivery")?,
            last_mail: row.try_get("last_mail")?,
            external_ref: row.try_get("external_ref")?,
            version: row.try_get("version")?,
        })
    }
}

impl InvitationRow {
    /// The state at `now`: an overdue one is expired before its row says so.
    pub fn state_at(&self, now: Timestamp) -> InvitationState {
        match self.state {
            InvitationState::Pending if self.expires_at <= now => InvitationState::Expired,
            state => state,
        }
    }
}

fn state(word: &str) -> Result<InvitationState, sqlx::Error> {
    match word {
        "pending" => Ok(InvitationState::Pending),
        "accepted" => Ok(InvitationState::Accepted),
        "declined" => Ok(InvitationState::Declined),
        "expired" => Ok(InvitationState::Expired),
        "failed" => Ok(InvitationState::Failed),
        "revoked" => Ok(InvitationState::Revoked),
        _ => Err(unknown_word("invitations.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: InvitationState) -> &'static str {
    match state {
        InvitationState::Pending => "pending",
        InvitationState::Accepted => "accepted",
        InvitationState::Declined => "declined",
        InvitationState::Expired => "expired",
        InvitationState::Failed => "failed",
        InvitationState::Revoked => "revoked",
        InvitationState::Unknown => "unknown",
    }
}

/// Which invitations a list shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    /// Pending, expired, failed and declined ones.
    Open,
    /// Those in one state.
    In(InvitationState),
}

/// The invitation of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as("select * from invitations where account_id = ?1 and id = ?2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The invitation that a link names, whatever its account.
pub(crate) async fn by_link(
    conn: &mut Connection,
    id: &str,
) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as("select * from invitations where id = ?1").bind(id).fetch_optional(conn).await
}

/// The invitation of this address that waits, overdue or not.
pub(crate) async fn pending_of(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from invitations where account_id = ?1 and address = ?2 and state = 'pending'",
    )
    .bind(account_id)
    .bind(address)
    .fetch_optional(conn)
    .await
}

/// Who waits and is not overdue, newest first: the order in which a shrink revokes them.
pub(crate) async fn pending_newest_first(
    conn: &mut Connection,
    account_id: &str,
    now: Timestamp,
) -> Result<Vec<InvitationRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from invitations where account_id = ?1 and state = 'pending' \
         and expires_at > ?2 order by created_at desc, id desc",
    )
    .bind(account_id)
    .bind(micros(now))
    .fetch_all(conn)
    .await
}

/// Who waits although the time is over.
pub(crate) async fn overdue(
    conn: &mut Connection,
    account_id: &str,
    now: Timestamp,
) -> Result<Vec<InvitationRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from invitations where account_id = ?1 and state = 'pending' \
         and expires_at <= ?2 order by id",
    )
    .bind(account_id)
    .bind(micros(now))
    .fetch_all(conn)
    .await
}

/// Invitations that this person sent and that still wait.
pub(crate) async fn pending_by(
    conn: &mut Connection,
    account_id: &str,
    inviter: &str,
) -> Result<Vec<InvitationRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from invitations where account_id = ?1 and inviter = ?2 and state = 'pending' \
         order by id",
    )
    .bind(account_id)
    .bind(inviter)
    .fetch_all(conn)
    .await
}

/// How many wait and are not overdue.
pub(crate) async fn count_pending(
    conn: &mut Connection,
    account_id: &str,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from invitations where account_id = ?1 and state = 'pending' \
         and expires_at > ?2",
    )
    .bind(account_id)
    .bind(micros(now))
    .fetch_one(conn)
    .await
}

/// One page of what a list shows.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown,
    now: Timestamp,
    window: &Window,
) -> Result<Vec<InvitationRow>, sqlx::Error> {
    sqlx::query_as(match shown {
        Shown::Open => {
            "select * from invitations where account_id = ?1 \
             and state in ('pending', 'expired', 'failed', 'declined') and ?2 = 'open' \
             and ?3 > 0 and id > ?4 order by id limit ?5"
        }
        Shown::In(InvitationState::Pending) => {
            "select * from invitations where account_id = ?1 and state = ?2 and expires_at > ?3 \
             and id > ?4 order by id limit ?5"
        }
        Shown::In(InvitationState::Expired) => {
            "select * from invitations where account_id = ?1 and (state = ?2 \
             or (state = 'pending' and expires_at <= ?3)) and id > ?4 order by id limit ?5"
        }
        Shown::In(_) => {
            "select * from invitations where account_id = ?1 and state = ?2 and ?3 > 0 \
             and id > ?4 order by id limit ?5"
        }
    })
    .bind(account_id)
    .bind(shown_word(shown))
    .bind(micros(now))
    .bind(&window.after)
    .bind(window.size)
    .fetch_all(conn)
    .await
}

/// How many rows all pages of a list have.
pub(crate) async fn count(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(match shown {
        Shown::Open => {
            "select count(*) from invitations where account_id = ?1 \
             and state in ('pending', 'expired', 'failed', 'declined') and ?2 = 'open' and ?3 > 0"
        }
        Shown::In(InvitationState::Pending) => {
            "select count(*) from invitations where account_id = ?1 and state = ?2 \
             and expires_at > ?3"
        }
        Shown::In(InvitationState::Expired) => {
            "select count(*) from invitations where account_id = ?1 and (state = ?2 \
             or (state = 'pending' and expires_at <= ?3))"
        }
        Shown::In(_) => {
            "select count(*) from invitations where account_id = ?1 and state = ?2 and ?3 > 0"
        }
    })
    .bind(account_id)
    .bind(shown_word(shown))
    .bind(micros(now))
    .fetch_one(conn)
    .await
}

fn shown_word(shown: Shown) -> &'static str {
    match shown {
        Shown::Open => "open",
        Shown::In(state) => state_word(state),
    }
}

/// Puts in a new invitation.
pub(crate) async fn insert(conn: &mut Connection, row: &InvitationRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into invitations (id, account_id, address, role, state, inviter, created_at, \
         expires_at, last_sent_at, last_mail, external_ref) \
         values (?1, ?2, ?3, ?4, 'pending', ?5, ?6, ?7, ?6, ?8, ?9)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.address)
    .bind(&row.role)
    .bind(&row.inviter)
    .bind(micros(row.created_at))
    .bind(micros(row.expires_at))
    .bind(&row.last_mail)
    .bind(&row.external_ref)
    .execute(conn)
    .await
    .map_err(|error| {
        if hits(&error, "invitations.account_id, invitations.address") {
            let href = format!("/v1/accounts/{}/invitations", row.account_id);
            ApiError::AlreadyPending { href }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of an invitation.
pub(crate) async fn update(conn: &mut Connection, row: &InvitationRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update invitations set role = ?2, state = ?3, generation = ?4, expires_at = ?5, \
         last_sent_at = ?6, send_count = ?7, delivery = ?8, last_mail = ?9, version = ?10 \
         where id = ?1",
    )
    .bind(&row.id)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(row.generation)
    .bind(micros(row.expires_at))
    .bind(micros(row.last_sent_at))
    .bind(row.send_count)
    .bind(&row.delivery)
    .bind(&row.last_mail)
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what became of the mail, if it is the invitation's last one. Not a change of the
/// invitation: its version stays.
pub(crate) async fn note_delivery(
    conn: &mut Connection,
    mail: &str,
    delivery: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update invitations set delivery = ?2 where last_mail = ?1")
        .bind(mail)
        .bind(delivery)
        .execute(conn)
        .await?;
    Ok(())
}
