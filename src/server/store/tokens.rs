//! Bearer tokens, by hash.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use crate::server::store::{Cells as _, Connection, Window, micros, unknown_word};
use crate::wire::TokenKind;

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub hash: String,
    pub id: String,
    pub kind: TokenKind,
    /// Account that it is bound to; none for a vendor token.
    pub account_id: Option<String>,
    /// Name for people.
    pub name: String,
    /// Scopes, separated by spaces.
    pub scopes: String,
    /// Who made it.
    pub made_by: String,
    /// Canonical address of the person, of a personal one.
    pub address: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl<'r> FromRow<'r, AnyRow> for TokenRow {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            hash: row.try_get("hash")?,
            id: row.try_get("id")?,
            kind: kind(row.try_get("kind")?)?,
            account_id: row.try_get("account_id")?,
            name: row.try_get("name")?,
            scopes: row.try_get("scopes")?,
            made_by: row.try_get("made_by")?,
            address: row.try_get("address")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
        })
    }
}

fn kind(word: &str) -> Result<TokenKind, sqlx::Error> {
    match word {
        "account" => Ok(TokenKind::Account),
        "personal" => Ok(TokenKind::Personal),
        "vendor" => Ok(TokenKind::Vendor),
        _ => Err(unknown_word("tokens.kind")),
    }
}

fn kind_word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Account => "account",
        TokenKind::Personal => "personal",
        TokenKind::Vendor => "vendor",
        TokenKind::Unknown => "unknown",
    }
}

/// The token of this hash, unless it is over.
pub(crate) async fn valid(
    conn: &mut Connection,
    hash: &str,
    now: Timestamp,
) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as("select * from tokens where hash = $1 and expires_at > $2")
        .bind(hash)
        .bind(micros(now))
        .fetch_optional(conn)
        .await
}

/// The token of this id, unless it is over.
pub(crate) async fn still_valid(
    conn: &mut Connection,
    id: &str,
    now: Timestamp,
) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as("select * from tokens where id = $1 and expires_at > $2")
        .bind(id)
        .bind(micros(now))
        .fetch_optional(conn)
        .await
}

/// Puts in a token; one of the same hash gets the new scopes and end.
pub(crate) async fn put(conn: &mut Connection, row: &TokenRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into tokens (hash, id, kind, account_id, name, scopes, made_by, address, \
         created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         on conflict (hash) do update set kind = $3, account_id = $4, scopes = $6, address = $8, \
         expires_at = $10",
    )
    .bind(&row.hash)
    .bind(&row.id)
    .bind(kind_word(row.kind))
    .bind(&row.account_id)
    .bind(&row.name)
    .bind(&row.scopes)
    .bind(&row.made_by)
    .bind(&row.address)
    .bind(micros(row.created_at))
    .bind(micros(row.expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// One page of an account's tokens, those that are over too; with an address: of that person's.
pub(crate) async fn page(
    conn: &mut Connection,
    account_id: &str,
    address: Option<&str>,
    window: &Window,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from tokens where account_id = $1 and ($2 = '' or address = $2) and id > $3 \
         order by id limit $4",
    )
    .bind(account_id)
    .bind(address.unwrap_or_default())
    .bind(&window.after)
    .bind(window.limit())
    .fetch_all(conn)
    .await
}

/// How many tokens an account has; with an address: how many of that person.
pub(crate) async fn total(
    conn: &mut Connection,
    account_id: &str,
    address: Option<&str>,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from tokens where account_id = $1 and ($2 = '' or address = $2)",
    )
    .bind(account_id)
    .bind(address.unwrap_or_default())
    .fetch_one(conn)
    .await?;
    Ok(count.unsigned_abs())
}

/// Tokens of the account that this member made and that are not over.
pub(crate) async fn made_by(
    conn: &mut Connection,
    account_id: &str,
    maker: &str,
    now: Timestamp,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as(
        "select * from tokens where account_id = $1 and kind = 'account' and made_by = $2 \
         and expires_at > $3 order by id",
    )
    .bind(account_id)
    .bind(maker)
    .bind(micros(now))
    .fetch_all(conn)
    .await
}

/// The token of this id.
pub(crate) async fn by_id(
    conn: &mut Connection,
    account_id: &str,
    id: &str,
) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as("select * from tokens where account_id = $1 and id = $2")
        .bind(account_id)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Takes a token away.
pub(crate) async fn delete(conn: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from tokens where id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// Takes away all tokens of an account.
pub(crate) async fn delete_all(conn: &mut Connection, account_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from tokens where account_id = $1").bind(account_id).execute(conn).await?;
    Ok(())
}

/// Takes away the personal tokens of a person in one account.
pub(crate) async fn delete_personal(
    conn: &mut Connection,
    account_id: &str,
    address: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from tokens where account_id = $1 and address = $2 and kind = 'personal'")
        .bind(account_id)
        .bind(address)
        .execute(conn)
        .await?;
    Ok(())
}
