//! People counted each once, in however many teams they are: an account with many teams, and the
//! pools of its subscriptions.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, micros, place, places};

/// Whose people are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among<'a> {
    /// Everybody in the account.
    Account,
    /// Everybody in the teams that are linked to this subscription.
    Pool(&'a str),
    /// As [`Among::Pool`], for each subscription that a team is linked to.
    EachPool,
}

/// What a person is at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Trimmed,
    Pending,
    Agency,
    Active,
}

/// People who are alike.
#[derive(Clone, Debug)]
pub(crate) struct People {
    /// The subscription; empty for the account.
    pub pool: String,
    pub standing: Standing,
    /// Role in the account itself; empty without one.
    pub account_role: String,
    /// Whether they are in a team.
    pub in_team: bool,
    pub count: u32,
}

impl<'r> FromRow<'r, AnyRow> for People {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            pool: row.try_get("pool")?,
            standing: match row.try_get::<i64, _>("standing")? {
                1 => Standing::Trimmed,
                2 => Standing::Pending,
                3 => Standing::Agency,
                _ => Standing::Active,
            },
            account_role: row.try_get("account_role")?,
            in_team: row.flag("in_team")?,
            count: row.count("people")?,
        })
    }
}

/// Counts people, one of them left out if `except` is an address.
pub(crate) async fn counted(
    conn: &mut Connection,
    account_id: &str,
    among: Among<'_>,
    except: Option<&str>,
    now: Timestamp,
) -> Result<Vec<People>, sqlx::Error> {
    let (pool, teams, bound) = match among {
        Among::Account => ("''", "", "$3 = ''"),
        Among::Pool(_) => {
            ("t.subscription_id", "join teams t on t.id = x.team_id", "t.subscription_id = $3")
        }
        Among::EachPool => (
            "t.subscription_id",
            "join teams t on t.id = x.team_id",
            "t.subscription_id is not null and $3 = ''",
        ),
    };
    let places = format!(
        "select {pool} as pool, x.principal, coalesce(x.client_access_id, x.address) as address, \
         x.team_id, \
         case when x.state = 'trimmed' then 1 when x.principal = 'account' then 3 else 4 end \
         as standing from members x {teams} \
         where x.account_id = $1 and x.state in ('active', 'trimmed') and {bound} \
         union all \
         select {pool}, 'person', x.address, x.team_id, 2 from invitations x {teams} \
         where x.account_id = $1 and x.state = 'pending' and x.expires_at > $2 and {bound}"
    );
    let people = format!(
        "select p.pool, p.address, max(p.standing) as standing, \
         coalesce(max(o.role), '') as account_role, \
         max(case when p.team_id = '' then 0 else 1 end) as in_team \
         from ({places}) p left join members o on o.account_id = $1 and o.team_id = '' \
         and o.principal = 'person' and o.address = p.address and o.state = 'active' \
         and p.principal = 'person' \
         where p.address <> $4 group by p.pool, p.principal, p.address"
    );
    let text = format!(
        "select pool, cast(standing as bigint) as standing, account_role, \
         cast(in_team as bigint) as in_team, count(*) as people from ({people}) q \
         group by pool, standing, account_role, in_team"
    );
    let pool = match among {
        Among::Pool(id) => id,
        Among::Account | Among::EachPool => "",
    };
    sqlx::query_as(AssertSqlSafe(text))
        .bind(account_id)
        .bind(micros(now))
        .bind(pool)
        .bind(except.unwrap_or_default())
        .fetch_all(conn)
        .await
}

/// Who of some people is more than an address: is somewhere in the account, is invited to this
/// scope, overdue or not, or got a mail of these kinds after `since`, from whomever.
pub(crate) async fn known(
    conn: &mut Connection,
    (account_id, team_id): (&str, Option<&str>),
    addresses: &[&str],
    ([first, second, third], since): ([&str; 3], Timestamp),
) -> Result<Vec<String>, sqlx::Error> {
    let these = places(7, addresses.len());
    let text = format!(
        "select address from members where account_id = $1 and principal = 'person' \
         and state in ('active', 'trimmed') and address in ({these}) \
         union all select address from invitations where account_id = $1 and team_id = $2 \
         and state = 'pending' and address in ({these}) \
         union all select address from outbox where template in ($3, $4, $5) and created_at > $6 \
         and address in ({these})"
    );
    let query = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(account_id)
        .bind(place(team_id))
        .bind(first)
        .bind(second)
        .bind(third)
        .bind(micros(since));
    let query = addresses.iter().fold(query, |query, address| query.bind(*address));
    query.persistent(false).fetch_all(conn).await
}
