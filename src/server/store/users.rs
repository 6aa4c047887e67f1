//! People who can sign in, and their sessions. A user's address is verified: nobody becomes one
//! but through a link that was mailed there, or by the seed file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, micros, to_time, unknown_word};
use crate::wire::SignInMethod;

/// One person.
#[derive(Clone, Debug)]
pub(crate) struct UserRow {
    pub id: String,
    /// Canonical address.
    pub address: String,
    pub name: String,
    /// PHC string; none for a person who cannot sign in by password yet.
    pub password_hash: Option<String>,
    /// How the person signs in (DO-05).
    pub sign_in: SignInMethod,
    pub created_at: Timestamp,
}

impl UserRow {
    /// True for who has proved the address and signed up.
    pub fn is_verified(&self) -> bool {
        self.password_hash.is_some()
    }
}

impl<'r> FromRow<'r, AnyRow> for UserRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            password_hash: row.try_get("password_hash")?,
            sign_in: sign_in(row.try_get("sign_in")?)?,
            created_at: row.time("created_at")?,
        })
    }
}

fn sign_in(word: &str) -> Result<SignInMethod, sqlx::Error> {
    match word {
        "email" => Ok(SignInMethod::Email),
        "email-2fa" => Ok(SignInMethod::EmailAndSecondFactor),
        "google" => Ok(SignInMethod::Google),
        "github" => Ok(SignInMethod::Github),
        _ => Err(unknown_word("users.sign_in")),
    }
}

/// The stored word of a way to sign in.
pub(crate) fn sign_in_word(method: SignInMethod) -> &'static str {
    match method {
        SignInMethod::Email => "email",
        SignInMethod::EmailAndSecondFactor => "email-2fa",
        SignInMethod::Google => "google",
        SignInMethod::Github => "github",
        SignInMethod::Unknown => "unknown",
    }
}

/// The person of this address.
pub(crate) async fn by_address(
    conn: &mut Connection,
    address: &str,
) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as("select * from users where address = $1")
        .bind(address)
        .fetch_optional(conn)
        .await
}

/// Puts in a person; one of the same address gets the name and, where there is one, the password.
pub(crate) async fn put(conn: &mut Connection, row: &UserRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into users (id, address, name, password_hash, sign_in, created_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (address) do update \
         set name = $3, password_hash = coalesce($4, users.password_hash), sign_in = $5",
    )
    .bind(&row.id)
    .bind(&row.address)
    .bind(&row.name)
    .bind(&row.password_hash)
    .bind(sign_in_word(row.sign_in))
    .bind(micros(row.created_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts in a person who has just proved the address. Sessions and personal tokens from before are of
/// whoever was there without proof: they end.
pub(crate) async fn verify(conn: &mut Connection, row: &UserRow) -> Result<(), sqlx::Error> {
    put(conn, row).await?;
    sqlx::query("delete from sessions where user_id in (select id from users where address = $1)")
        .bind(&row.address)
        .execute(&mut *conn)
        .await?;
    sqlx::query("delete from tokens where address = $1 and kind = 'personal'")
        .bind(&row.address)
        .execute(conn)
        .await?;
    Ok(())
}

/// The person of a session that is not over.
pub(crate) async fn of_session(
    conn: &mut Connection,
    hash: &str,
    now: Timestamp,
) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as(
        "select u.* from sessions s join users u on u.id = s.user_id \
         where s.hash = $1 and s.expires_at > $2 and s.client_access_id is null",
    )
    .bind(hash)
    .bind(micros(now))
    .fetch_optional(conn)
    .await
}

/// When a session began.
pub(crate) async fn session_began(
    conn: &mut Connection,
    hash: &str,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let began: Option<i64> = sqlx::query_scalar("select created_at from sessions where hash = $1")
        .bind(hash)
        .fetch_optional(conn)
        .await?;
    began.map(to_time).transpose()
}

/// How these people sign in; who has never signed up is not among them.
pub(crate) async fn sign_in_methods(
    conn: &mut Connection,
    addresses: &[&str],
) -> Result<BTreeMap<String, SignInMethod>, sqlx::Error> {
    let places: Vec<_> = (1..=addresses.len()).map(|at| format!("${at}")).collect();
    if places.is_empty() {
        return Ok(BTreeMap::new());
    }
    let places = places.join(", ");
    let text = format!("select address, sign_in from users where address in ({places})");
    let mut query = sqlx::query_as(AssertSqlSafe(text));
    for address in addresses {
        query = query.bind(*address);
    }
    let rows: Vec<(String, String)> = query.fetch_all(conn).await?;
    rows.into_iter().map(|(address, word)| Ok((address, sign_in(&word)?))).collect()
}

/// Begins a session.
pub(crate) async fn begin_session(
    conn: &mut Connection,
    hash: &str,
    user_id: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sessions (hash, user_id, created_at, expires_at) values ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(user_id)
    .bind(micros(now))
    .bind(micros(expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn end_session(conn: &mut Connection, hash: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from sessions where hash = $1").bind(hash).execute(conn).await?;
    Ok(())
}
