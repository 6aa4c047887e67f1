//! Client accesses: what an agency asked its clients for, and what became of it.
//!
//! Whether a granted one still holds says the client's member row: it reads as ended or trimmed
//! with that row, whether or not its own row says so yet.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::{Cells as _, Connection, Store, Window, hits, micros, unknown_word};
use crate::wire::{ClientAccessState, ClientAccount};

/// The state as it is now.
const STATE: &str = "case when c.state <> 'granted' then c.state \
    when m.state = 'deleted' or a.deleted_at is not null then 'ended' \
    when m.state = 'trimmed' then 'trimmed' else c.state end";

const FROM: &str = "from client_accesses c left join members m on m.id = c.member_id \
    left join accounts a on a.id = c.client_id join accounts g on g.id = c.account_id";

/// One client access.
#[derive(Clone, Debug)]
pub(crate) struct AccessRow {
    pub id: String,
    /// The agency.
    pub account_id: String,
    pub agency_slug: String,
    pub agency_name: String,
    pub client: Option<ClientAccount>,
    /// Canonical address that was asked.
    pub address: String,
    /// Role that was asked for.
    pub role: String,
    /// Role that the agency was last seen to have.
    pub noted_role: Option<String>,
    /// Role that it has.
    pub held_role: Option<String>,
    pub state: ClientAccessState,
    /// The agency's place in the client's account.
    pub member_id: Option<String>,
    pub requested_by: String,
    /// Number of the link that works.
    pub generation: i64,
    pub created_at: Timestamp,
    pub last_sent_at: Timestamp,
    pub send_count: u32,
    /// What became of the last mail.
    pub delivery: String,
    pub last_mail: Option<String>,
    pub granted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub external_ref: Option<String>,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for AccessRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let client: Option<String> = row.try_get("client_id")?;
        let slug: Option<String> = row.try_get("client_slug")?;
        let name: Option<String> = row.try_get("client_name")?;
        let client = client.zip(slug.zip(name));
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            agency_slug: row.try_get("agency_slug")?,
            agency_name: row.try_get("agency_name")?,
            client: client.map(|(id, (slug, name))| ClientAccount { id, slug, name }),
            address: row.try_get("address")?,
            role: row.try_get("role")?,
            noted_role: row.try_get("noted_role")?,
            held_role: row.try_get("held_role")?,
            state: state(row.try_get("state")?)?,
            member_id: row.try_get("member_id")?,
            requested_by: row.try_get("requested_by")?,
            generation: row.try_get("generation")?,
            created_at: row.time("created_at")?,
            last_sent_at: row.time("last_sent_at")?,
            send_count: row.count("send_count")?,
            delivery: row.try_get("delivery")?,
            last_mail: row.try_get("last_mail")?,
            granted_at: row.maybe_time("granted_at")?,
            ended_at: row.maybe_time("ended_at")?,
            external_ref: row.try_get("external_ref")?,
            version: row.try_get("version")?,
        })
    }
}

fn state(word: &str) -> Result<ClientAccessState, sqlx::Error> {
    match word {
        "requested" => Ok(ClientAccessState::Requested),
        "granted" => Ok(ClientAccessState::Granted),
        "trimmed" => Ok(ClientAccessState::Trimmed),
        "rejected" => Ok(ClientAccessState::Rejected),
        "removed" => Ok(ClientAccessState::Removed),
        "ended" => Ok(ClientAccessState::Ended),
        _ => Err(unknown_word("client_accesses.state")),
    }
}

/// The word of a state.
pub(crate) fn state_word(state: ClientAccessState) -> &'static str {
    match state {
        ClientAccessState::Requested => "requested",
        ClientAccessState::Granted => "granted",
        ClientAccessState::Trimmed => "trimmed",
        ClientAccessState::Rejected => "rejected",
        ClientAccessState::Removed => "removed",
        ClientAccessState::Ended => "ended",
        ClientAccessState::Unknown => "unknown",
    }
}

/// The stored word: that the agency is trimmed stands at the client's member row only.
fn stored_word(state: ClientAccessState) -> &'static str {
    match state {
        ClientAccessState::Trimmed => state_word(ClientAccessState::Granted),
        other => state_word(other),
    }
}

/// A query of rows as they are now.
fn select(rest: &str) -> String {
    format!(
        "select c.id, c.account_id, g.slug as agency_slug, g.name as agency_name, c.client_id, \
         a.slug as client_slug, a.name as client_name, c.address, c.role, c.noted_role, \
         m.role as held_role, {STATE} as state, c.member_id, c.requested_by, c.generation, \
         c.created_at, c.last_sent_at, c.send_count, c.delivery, c.last_mail, c.granted_at, \
         coalesce(c.ended_at, m.ended_at, a.deleted_at) as ended_at, c.external_ref, c.version \
         {FROM} where {rest}"
    )
}

/// The client access of this id: none once its request was withdrawn (NC-10).
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<AccessRow>, sqlx::Error> {
    sqlx::query_as(AssertSqlSafe(select(
        "c.account_id = $1 and c.id = $2 and c.state <> 'removed'",
    )))
    .bind(account_id)
    .bind(id)
    .fetch_optional(conn)
    .await
}

/// The client access that a link or a client names, whatever its agency.
pub(crate) async fn by_link(
    conn: &mut Connection,
    id: &str,
) -> Result<Option<AccessRow>, sqlx::Error> {
    let text = select("c.id = $1 and g.deleted_at is null");
    sqlx::query_as(AssertSqlSafe(text)).bind(id).fetch_optional(conn).await
}

/// What an agency has open with this address.
pub(crate) async fn open_of(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Option<AccessRow>, sqlx::Error> {
    let open = "c.account_id = $1 and c.address = $2 and c.state in ('requested', 'granted')";
    sqlx::query_as(AssertSqlSafe(select(open)))
        .bind(account_id)
        .bind(address)
        .fetch_optional(conn)
        .await
}

/// The place that an agency has at this client, by whatever request.
pub(crate) async fn place_at(
    conn: &mut Connection,
    account_id: &str,
    client_id: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select m.id from client_accesses c join members m on m.id = c.member_id \
         where c.client_id = $2 and c.account_id = $1 and c.state = 'granted' \
         and m.state <> 'deleted'",
    )
    .bind(account_id)
    .bind(client_id)
    .fetch_optional(conn)
    .await
}

/// Requests that wait for people of this account, of agencies of the same product.
pub(crate) async fn waiting_for(
    conn: &mut Connection,
    account_id: &str,
    profile: &str,
) -> Result<Vec<AccessRow>, sqlx::Error> {
    let text = select(
        "c.state = 'requested' and c.account_id <> $1 and g.profile = $2 \
         and g.deleted_at is null and c.address in (select address from members \
         where account_id = $1 and team_id = '' and principal = 'person' and state = 'active') \
         order by c.id",
    );
    sqlx::query_as(AssertSqlSafe(text)).bind(account_id).bind(profile).fetch_all(conn).await
}

/// What an agency has asked for and nobody has decided.
pub(crate) async fn requested(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<AccessRow>, sqlx::Error> {
    let text = select("c.account_id = $1 and c.state = 'requested' order by c.id");
    sqlx::query_as(AssertSqlSafe(text)).bind(account_id).fetch_all(conn).await
}

/// What this client has granted to agencies whose accounts were deleted since.
pub(crate) async fn of_deleted_agencies(
    conn: &mut Connection,
    client_id: &str,
) -> Result<Vec<AccessRow>, sqlx::Error> {
    let text = select(
        "c.client_id = $1 and c.state = 'granted' and c.moved = 1 \
         and g.deleted_at is not null order by c.id",
    );
    sqlx::query_as(AssertSqlSafe(text)).bind(client_id).fetch_all(conn).await
}

/// The filter of a list: one state, or all but what the agency withdrew.
fn shown(state: Option<ClientAccessState>) -> String {
    match state {
        Some(_) => format!("{STATE} = $2"),
        None => "c.state <> 'removed' and $2 = ''".to_owned(),
    }
}

/// One page of an agency's clients.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    state: Option<ClientAccessState>,
    window: &Window,
) -> Result<Vec<AccessRow>, sqlx::Error> {
    let filter = shown(state);
    let text =
        select(&format!("c.account_id = $1 and {filter} and c.id > $3 order by c.id limit $4"));
    sqlx::query_as(AssertSqlSafe(text))
        .bind(account_id)
        .bind(state.map_or("", state_word))
        .bind(&window.after)
        .bind(window.limit())
        .fetch_all(conn)
        .await
}

/// How many rows all pages of the list have.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    state: Option<ClientAccessState>,
) -> Result<u64, sqlx::Error> {
    let text = format!("select count(*) {FROM} where c.account_id = $1 and {}", shown(state));
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(account_id)
        .bind(state.map_or("", state_word))
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// Puts in a new request.
pub(crate) async fn insert(conn: &mut Connection, row: &AccessRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into client_accesses (id, account_id, address, role, state, requested_by, \
         created_at, last_sent_at, last_mail, external_ref) \
         values ($1, $2, $3, $4, 'requested', $5, $6, $6, $7, $8)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(&row.address)
    .bind(&row.role)
    .bind(&row.requested_by)
    .bind(micros(row.created_at))
    .bind(&row.last_mail)
    .bind(&row.external_ref)
    .execute(conn)
    .await
    .map_err(|error| {
        let columns = "client_accesses.account_id, client_accesses.address";
        if hits(&error, "client_accesses_one_open", columns) {
            let href = format!("/v1/accounts/{}/client-access", row.account_id);
            ApiError::AlreadyRequested { href }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Writes back what can change of a client access.
pub(crate) async fn update(conn: &mut Connection, row: &AccessRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update client_accesses set client_id = $2, state = $3, member_id = $4, generation = $5, \
         last_sent_at = $6, send_count = $7, delivery = $8, last_mail = $9, granted_at = $10, \
         ended_at = $11, noted_role = $12, version = $13 where id = $1",
    )
    .bind(&row.id)
    .bind(row.client.as_ref().map(|client| &client.id))
    .bind(stored_word(row.state))
    .bind(&row.member_id)
    .bind(row.generation)
    .bind(micros(row.last_sent_at))
    .bind(i64::from(row.send_count))
    .bind(&row.delivery)
    .bind(&row.last_mail)
    .bind(row.granted_at.map(micros))
    .bind(row.ended_at.map(micros))
    .bind(&row.noted_role)
    .bind(row.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the client changed the agency's place: the agency is told when its own row is next
/// free, so that nobody waits for two accounts.
pub(crate) async fn mark_moved(conn: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update client_accesses set moved = 1 where id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks everything that an agency was granted: it is over, and each client is to note that when its
/// row is next free.
pub(crate) async fn mark_all_moved(
    conn: &mut Connection,
    account_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update client_accesses set moved = 1 where account_id = $1 and state = 'granted'")
        .bind(account_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends a row whose agency is gone.
pub(crate) async fn end(
    conn: &mut Connection,
    id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update client_accesses set state = 'ended', ended_at = $2, moved = 0, \
         version = version + 1 where id = $1",
    )
    .bind(id)
    .bind(micros(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the marks of an agency's rows; gives those that are not known to be over. Who marks one
/// meanwhile waits.
pub(crate) async fn take_moved(
    store: &Store,
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let text = format!(
        "select id from client_accesses where account_id = $1 and moved = 1 and state = 'granted' \
         order by id{}",
        store.for_update()
    );
    let ids: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(text)).bind(account_id).fetch_all(&mut *conn).await?;
    sqlx::query("update client_accesses set moved = 0 where account_id = $1 and moved = 1")
        .bind(account_id)
        .execute(conn)
        .await?;
    Ok(ids)
}

/// Notes what became of the mail, if it is the last one of a request. Not a change of the row: its
/// version stays.
pub(crate) async fn note_delivery(
    conn: &mut Connection,
    mail: &str,
    delivery: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update client_accesses set delivery = $2 where last_mail = $1")
        .bind(mail)
        .bind(delivery)
        .execute(conn)
        .await?;
    Ok(())
}
