//! Members. A member is a person in one scope: the account itself or one of its teams.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::error::ApiError;
use crate::server::store::tallies::{self, Facet, List};
use crate::server::store::{
    Cells as _, Connection, Window, containing, fold, hits, micros, place, unknown_word,
};
use crate::wire::{MemberState, Principal};

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct MemberRow {
    pub id: String,
    pub account_id: String,
    /// The team; none: the account itself.
    pub team_id: Option<String>,
    /// A person, or an agency that was granted access.
    pub principal: Principal,
    /// Canonical address.
    pub address: String,
    pub name: Option<String>,
    pub role: String,
    pub state: MemberState,
    pub added_at: Timestamp,
    pub joined_at: Timestamp,
    pub trimmed_at: Option<Timestamp>,
    pub external_ref: Option<String>,
    pub ended_by: Option<String>,
    pub ended_at: Option<Timestamp>,
    /// The client access that the row was granted by.
    pub client_access_id: Option<String>,
    pub version: i64,
}

impl<'r> FromRow<'r, AnyRow> for MemberRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account_id: row.try_get("account_id")?,
            team_id: row.team()?,
            principal: principal(row.try_get("principal")?)?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            role: row.try_get("role")?,
            state: state(row.try_get("state")?)?,
            added_at: row.time("added_at")?,
            joined_at: row.time("joined_at")?,
            trimmed_at: row.maybe_time("trimmed_at")?,
            external_ref: row.try_get("external_ref")?,
            ended_by: row.try_get("ended_by")?,
            ended_at: row.maybe_time("ended_at")?,
            client_access_id: row.try_get("client_access_id")?,
            version: row.try_get("version")?,
        })
    }
}

impl MemberRow {
    fn facet(&self) -> Facet<'_> {
        let team = place(self.team_id.as_deref());
        let (principal, role) = (self.principal, self.role.as_str());
        Facet { team, principal, role, state: state_word(self.state) }
    }
}

/// The principal of a stored word.
pub(crate) fn principal(word: &str) -> Result<Principal, sqlx::Error> {
    match word {
        "person" => Ok(Principal::Person),
        "account" => Ok(Principal::Account),
        _ => Err(unknown_word("members.principal")),
    }
}

/// The stored word of a principal.
pub(crate) fn principal_word(principal: Principal) -> &'static str {
    match principal {
        Principal::Person => "person",
        Principal::Account => "account",
        Principal::Unknown => "unknown",
    }
}

fn state(word: &str) -> Result<MemberState, sqlx::Error> {
    match word {
        "active" => Ok(MemberState::Active),
        "trimmed" => Ok(MemberState::Trimmed),
        "deleted" => Ok(MemberState::Deleted),
        _ => Err(unknown_word("members.state")),
    }
}

/// The stored word of a state.
pub(crate) fn state_word(state: MemberState) -> &'static str {
    match state {
        MemberState::Active => "active",
        MemberState::Trimmed => "trimmed",
        MemberState::Deleted => "deleted",
        MemberState::Unknown => "unknown",
    }
}

/// The member of this id, in whatever state.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as("select * from members where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The person of this address in one scope, if still a member there.
pub(crate) async fn by_address(
    conn: &mut Connection,
    account_id: &str,
    team_id: Option<&str>,
    address: &str,
) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = $1 and team_id = $2 and principal = 'person' \
         and address = $3 and state <> 'deleted'",
    )
    .bind(account_id)
    .bind(place(team_id))
    .bind(address)
    .fetch_optional(conn)
    .await
}

/// All places of this person in one account, those of trimmed ones among them.
pub(crate) async fn of_person(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where address = $2 and account_id = $1 and principal = 'person' \
         and state in ('active', 'trimmed') order by id",
    )
    .bind(account_id)
    .bind(address)
    .fetch_all(conn)
    .await
}

/// True if somebody ended the place of this person in the account itself.
pub(crate) async fn was_removed(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<bool, sqlx::Error> {
    let ended: i64 = sqlx::query_scalar(
        "select count(*) from members where account_id = $1 and team_id = '' \
         and principal = 'person' and address = $2 and state = 'deleted' and ended_by <> 'self'",
    )
    .bind(account_id)
    .bind(address)
    .fetch_one(conn)
    .await?;
    Ok(ended > 0)
}

/// Places of people of this name who have access, whatever the case of its ASCII letters.
pub(crate) async fn of_name(
    conn: &mut Connection,
    account_id: &str,
    name: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = $1 and principal = 'person' \
         and state = 'active' and lower(name) = $2 order by id",
    )
    .bind(account_id)
    .bind(fold(name))
    .fetch_all(conn)
    .await
}

/// Which members a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown<'a> {
    /// Those of one team only.
    pub team: Option<&'a str>,
    /// Those in one state; none: all but the deleted ones.
    pub state: Option<MemberState>,
    /// Those whose name or address contains this text, whatever the case of its ASCII letters.
    pub text: Option<&'a str>,
}

impl Shown<'_> {
    /// Conditions on `$2` (team), `$3` (state) and `$4` (text).
    fn filter(self) -> String {
        let team = if self.team.is_some() { "team_id = $2" } else { "$2 = ''" };
        let state = match self.state {
            Some(_) => "state = $3",
            None => "state in ('active', 'trimmed') and $3 = ''",
        };
        let text = match self.text {
            Some(_) => "(lower(name) like $4 escape '!' or address like $4 escape '!')",
            None => "$4 = ''",
        };
        format!("{team} and {state} and {text}")
    }

    /// What `$4` is bound to.
    fn pattern(self) -> String {
        self.text.map(containing).unwrap_or_default()
    }
}

/// One page of a list.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
    window: &Window,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    let filter = shown.filter();
    let text = format!(
        "select * from members where account_id = $1 and {filter} and id > $5 order by id limit $6"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(account_id)
        .bind(place(shown.team))
        .bind(shown.state.map_or("", state_word))
        .bind(shown.pattern())
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
) -> Result<u64, sqlx::Error> {
    if shown.text.is_some() {
        return found(conn, account_id, shown).await;
    }
    let all = tallies::of(conn, account_id, List::Members).await?;
    let here = all.iter().filter(|tally| {
        let in_state = match shown.state {
            Some(state) => tally.state == state_word(state),
            None => tally.state != state_word(MemberState::Deleted),
        };
        in_state && shown.team.is_none_or(|team| tally.team.as_deref() == Some(team))
    });
    Ok(here.map(|tally| u64::from(tally.entries)).sum())
}

/// As [`total`], for a text: it has to be looked for.
async fn found(
    conn: &mut Connection,
    account_id: &str,
    shown: Shown<'_>,
) -> Result<u64, sqlx::Error> {
    let filter = shown.filter();
    let text = format!("select count(*) from members where account_id = $1 and {filter}");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(account_id)
        .bind(place(shown.team))
        .bind(shown.state.map_or("", state_word))
        .bind(shown.pattern())
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// Members with access, latest added first: the order in which a shrink takes seats (X16).
pub(crate) async fn active_latest_added_first(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = $1 and state = 'active' \
         order by added_at desc, id desc",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Trimmed members, earliest added first: the order in which they come back (X18).
pub(crate) async fn trimmed_earliest_added_first(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = $1 and state = 'trimmed' \
         order by added_at, id",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Members with access who hold this role, wherever, agencies too; earliest first.
pub(crate) async fn holders(
    conn: &mut Connection,
    account_id: &str,
    role: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from members where account_id = $1 and state = 'active' and role = $2 \
         order by joined_at, id",
    )
    .bind(account_id)
    .bind(role)
    .fetch_all(conn)
    .await
}

/// As [`holders`], people only.
pub(crate) async fn people_with_role(
    conn: &mut Connection,
    account_id: &str,
    role: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    let mut rows = holders(conn, account_id, role).await?;
    rows.retain(|row| row.principal == Principal::Person);
    Ok(rows)
}

/// Everybody who is there, agencies too.
pub(crate) async fn all(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as("select * from members where account_id = $1 and state <> 'deleted' order by id")
        .bind(account_id)
        .fetch_all(conn)
        .await
}

/// One membership and the address of every person who signs in by no more than a password.
pub(crate) async fn without_secure_sign_in(
    conn: &mut Connection,
    account_id: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select min(m.id), m.address from members m left join users u on u.address = m.address \
         where m.account_id = $1 and m.state = 'active' and m.principal = 'person' \
         and coalesce(u.sign_in, 'email') = 'email' group by m.address order by m.address",
    )
    .bind(account_id)
    .fetch_all(conn)
    .await
}

/// Places of this person, whatever the account: id and slug of the account, its name, the role.
pub(crate) async fn places_of(
    conn: &mut Connection,
    address: &str,
) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select a.slug, a.name, m.role from members m join accounts a on a.id = m.account_id \
         where m.address = $1 and m.state = 'active' and m.principal = 'person' \
         and a.deleted_at is null order by a.name, a.id, m.id",
    )
    .bind(address)
    .fetch_all(conn)
    .await
}

/// Puts in a new member.
pub(crate) async fn insert(conn: &mut Connection, row: &MemberRow) -> Result<(), ApiError> {
    sqlx::query(
        "insert into members (id, account_id, team_id, principal, address, name, role, state, \
         added_at, joined_at, external_ref, client_access_id) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&row.id)
    .bind(&row.account_id)
    .bind(place(row.team_id.as_deref()))
    .bind(principal_word(row.principal))
    .bind(&row.address)
    .bind(&row.name)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(micros(row.added_at))
    .bind(micros(row.joined_at))
    .bind(&row.external_ref)
    .bind(&row.client_access_id)
    .execute(&mut *conn)
    .await
    .map_err(|error| {
        let place = "members.account_id, members.team_id, members.address";
        let agency = "members.account_id, members.client_access_id";
        if hits(&error, "members_one_place", place) || hits(&error, "members_one_agency", agency) {
            let href = format!("/v1/accounts/{}/members", row.account_id);
            ApiError::AlreadyMember { href }
        } else {
            error.into()
        }
    })?;
    tallies::enter(conn, &row.account_id, List::Members, row.facet(), 1).await?;
    Ok(())
}

/// Writes back what can change of a member; `before` is the row as it was read.
pub(crate) async fn update(
    conn: &mut Connection,
    before: &MemberRow,
    row: &MemberRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update members set role = $2, state = $3, trimmed_at = $4, ended_by = $5, \
         ended_at = $6, version = $7 where id = $1",
    )
    .bind(&row.id)
    .bind(&row.role)
    .bind(state_word(row.state))
    .bind(row.trimmed_at.map(micros))
    .bind(&row.ended_by)
    .bind(row.ended_at.map(micros))
    .bind(row.version)
    .execute(&mut *conn)
    .await?;
    tallies::shift(conn, &row.account_id, List::Members, before.facet(), row.facet()).await
}
