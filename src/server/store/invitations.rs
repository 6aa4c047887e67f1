//! Invitations. One that is overdue reads as expired, whether or not its row says so yet.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::tallies::{self, Facet, List};
use crate::server::store::{
    Cells as _, Connection, MOST_ROWS, Window, hits, insert_text, micros, place, unknown_word,
};
use crate::wire::{InvitationState, Principal};

/// One invitation.
#[derive(Clone, Debug)]
pub(crate) struct InvitationRow {
    pub id: String,
    pub account_id: String,
    /// The team; none: the account itself.
    pub team_id: Option<String>,
    /// Canonical address.
    pub address: String,
    /// Name of the person, where the inviter gave one (CT-05).
    pub name: Option<String>,
    /// What the inviter wrote to the person.
    pub message: Option<String>,
    /// Lifetime of its link, in seconds; none: the profile's.
    pub expires_in: Option<i64>,
    pub role: String,
    pub state: InvitationState,
    /// Whether acceptance makes secure sign-in required (X13).
    pub secure_sign_in: bool,
    /// Who stands for it: `token:…` or `member:…` of who sent it last or gave it its role.
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

impl<'r> FromRow<'r, AnyRow> for InvitationRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            team_id: row.team()?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            message: row.try_get("message")?,
            expires_in: row.try_get("expires_in")?,
            role: row.try_get("role")?,
            state: state(row.try_get("state")?)?,
            secure_sign_in: row.flag("secure_sign_in")?,
            inviter: row.try_get("inviter")?,
            generation: row.try_get("generation")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            last_sent_at: row.time("last_sent_at")?,
            send_count: row.count("send_count")?,
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

    fn facet(&self) -> Facet<'_> {
        let team = place(self.team_id.as_deref());
        let (principal, role) = (Principal::Person, self.role.as_str());
        Facet { team, principal, role, state: state_word(self.state) }
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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown<'a> {
    /// Those of one team only.
    pub team: Option<&'a str>,
    /// Those in one state; none: pending, expired, failed and declined ones.
    pub state: Option<InvitationState>,
}

/// The invitation of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as("select * from invitations where account_id = $1 and id = $2")
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
    sqlx::query_as("select * from invitations where id = $1").bind(id).fetch_optional(conn).await
}

/// The invitation whose last mail this is.
pub(crate) async fn by_mail(
    conn: &mut Connection,
    account_id: &str,
    mail: &str,
) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as("select * from invitations where account_id = $1 and last_mail = $2")
        .bind(account_id)
        .bind(mail)
        .fetch_optional(conn)
        .await
}

/// The invitation of this address to one scope that waits, overdue or not.
pub(crate) async fn pending_of(
    conn: &mut Connection,
    account_id: &str,
    team_id: Option<&str>,
    address: &str,
) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from invitations where account_id = $1 and team_id = $2 and address = $3 \
         and state = 'pending'",
    )
    .bind(account_id)
    .bind(place(team_id))
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
        "select * from invitations where account_id = $1 and state = 'pending' \
         and expires_at > $2 order by created_at desc, id desc",
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
        "select * from invitations where account_id = $1 and state = 'pending' \
         and expires_at <= $2 order by id",
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
        "select * from invitations where account_id = $1 and inviter = $2 and state = 'pending' \
         order by id",
    )
    .bind(account_id)
    .bind(inviter)
    .fetch_all(conn)
    .await
}

/// How many wait although the time is over, in the scopes that a list shows.
async fn count_overdue(
    conn: &mut Connection,
    account_id: &str,
    team: Option<&str>,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let filter = if team.is_some() { "team_id = $3" } else { "$3 = ''" };
    let text = format!(
        "select count(*) from invitations where account_id = $1 and state = 'pending' \
         and expires_at <= $2 and {filter}"
    );
    let overdue: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(account_id)
        .bind(micros(now))
        .bind(place(team))
        .fetch_one(conn)
        .await?;
    Ok(overdue.unsigned_abs())
}

/// One page of what a list shows.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
    now: Timestamp,
    window: &Window,
) -> Result<Vec<InvitationRow>, sqlx::Error> {
    let team = if shown.team.is_some() { "team_id = $2" } else { "$2 = ''" };
    let state = match shown.state {
        None => "state in ('pending', 'expired', 'failed', 'declined') and $3 = '' and $4 > 0",
        Some(InvitationState::Pending) => "state = $3 and expires_at > $4",
        Some(InvitationState::Expired) => {
            "(state = $3 or (state = 'pending' and expires_at <= $4))"
        }
        Some(_) => "state = $3 and $4 > 0",
    };
    let text = format!(
        "select * from invitations where account_id = $1 and {team} and {state} and id > $5 \
         order by id limit $6"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(account_id)
        .bind(place(shown.team))
        .bind(shown.state.map_or("", state_word))
        .bind(micros(now))
        .bind(&window.after)
        .bind(window.limit())
        .fetch_all(conn)
        .await
}

/// How many rows all pages of a list have.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let all = tallies::of(conn, account_id, List::Invitations).await?;
    let here = all
        .iter()
        .filter(|tally| shown.team.is_none_or(|team| tally.team.as_deref() == Some(team)));
    let open = [
        InvitationState::Pending,
        InvitationState::Expired,
        InvitationState::Failed,
        InvitationState::Declined,
    ];
    let stored = here.filter(|tally| match shown.state {
        Some(state) => tally.state == state_word(state),
        None => open.iter().any(|state| tally.state == state_word(*state)),
    });
    let stored: u64 = stored.map(|tally| u64::from(tally.entries)).sum();
    Ok(match shown.state {
        Some(InvitationState::Pending) => {
            stored.saturating_sub(count_overdue(conn, account_id, shown.team, now).await?)
        }
        Some(InvitationState::Expired) => {
            stored + count_overdue(conn, account_id, shown.team, now).await?
        }
        _ => stored,
    })
}

/// Puts in new invitations that wait, all of one account, team and role.
pub(crate) async fn insert(conn: &mut Connection, rows: &[InvitationRow]) -> Result<(), ApiError> {
    let Some(first) = rows.first() else { return Ok(()) };
    for rows in rows.chunks(MOST_ROWS) {
        insert_some(conn, rows).await.map_err(|error| {
            let columns = "invitations.account_id, invitations.team_id, invitations.address";
            if hits(&error, "invitations_one_pending", columns) {
                let href = format!("/v1/accounts/{}/invitations", first.account_id);
                ApiError::AlreadyPending { href }
            } else {
                error.into()
            }
        })?;
    }
    tallies::enter(conn, &first.account_id, List::Invitations, first.facet(), rows.len()).await?;
    Ok(())
}

async fn insert_some(conn: &mut Connection, rows: &[InvitationRow]) -> Result<(), sqlx::Error> {
    let columns = "id, account_id, team_id, address, name, role, state, secure_sign_in, inviter, \
                   created_at, expires_at, last_sent_at, last_mail, external_ref, send_count, \
                   delivery, message, expires_in";
    let text = insert_text("invitations", columns, rows.len());
    let query = rows.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, row| {
        query
            .bind(&row.id)
            .bind(&row.account_id)
            .bind(place(row.team_id.as_deref()))
            .bind(&row.address)
            .bind(&row.name)
            .bind(&row.role)
            .bind(state_word(row.state))
            .bind(i64::from(row.secure_sign_in))
            .bind(&row.inviter)
            .bind(micros(row.created_at))
            .bind(micros(row.expires_at))
            .bind(micros(row.last_sent_at))
            .bind(&row.last_mail)
            .bind(&row.external_ref)
            .bind(i64::from(row.send_count))
            .bind(&row.delivery)
            .bind(&row.message)
            .bind(row.expires_in)
    });
    query.persistent(rows.len() == 1).execute(conn).await?;
    Ok(())
}

/// Writes back what can change of an invitation; `before` is the row as it was read.
pub(crate) async fn update(
    conn: &mut Connection,
    before: &InvitationRow,
    row: &InvitationRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update invitations set role = $2, state = $3, generation = $4, expires_at = $5, \
         last_sent_at = $6, send_count = $7, delivery = $8, last_mail = $9, version = $10, \
         inviter = $11 where id = $1",
    )
    .bind(&row.id)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(row.generation)
    .bind(micros(row.expires_at))
    .bind(micros(row.last_sent_at))
    .bind(i64::from(row.send_count))
    .bind(&row.delivery)
    .bind(&row.last_mail)
    .bind(row.version)
    .bind(&row.inviter)
    .execute(&mut *conn)
    .await?;
    tallies::shift(conn, &row.account_id, List::Invitations, before.facet(), row.facet()).await
}

/// Notes what became of the mail, if it is the invitation's last one. Not a change of the
/// invitation: its version stays.
pub(crate) async fn note_delivery(
    conn: &mut Connection,
    mail: &str,
    delivery: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update invitations set delivery = $2 where last_mail = $1")
        .bind(mail)
        .bind(delivery)
        .execute(conn)
        .await?;
    Ok(())
}
