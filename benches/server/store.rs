//! Rows put into the store past the service: as many invitations would take hours.

use jiff::Timestamp;
use seatkeeper::server::Database;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

use crate::world::ROLE;

/// Members of each account beside the one that is measured.
pub const EACH: usize = 100;

async fn connect(database: &Database) -> AnyConnection {
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres(url) => url.expose_secret().to_owned(),
    };
    AnyConnection::connect(&url).await.unwrap()
}

/// Lets the database look at its tables, as PostgreSQL does by itself every minute: until then it
/// takes a table that grew for one of a few rows.
pub async fn analyze(database: &Database) {
    let mut connection = connect(database).await;
    connection.execute("analyze").await.unwrap();
    connection.close().await.unwrap();
}

/// Runs statements as one change.
async fn run(database: &Database, statements: &[String]) {
    let mut connection = connect(database).await;
    let mut tx = connection.begin().await.unwrap();
    for statement in statements {
        tx.execute(AssertSqlSafe(statement.clone())).await.unwrap();
    }
    tx.commit().await.unwrap();
    connection.close().await.unwrap();
    analyze(database).await;
}

/// `insert into … select … from n`, for `i` from 0 to `rows`.
fn for_each(rows: usize, into: &str, select: &str) -> String {
    let numbers = "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ";
    format!("{numbers}{rows}) insert into {into} select {select}")
}

/// Members of the account that is measured.
pub async fn put_members(database: &Database, members: usize) {
    let row = format!(
        "'mem_m' || (1000000 + i), a.id, 'm' || i || '@example.com', '{ROLE}', 'active', \
         a.created_at, a.created_at from n, accounts a where a.slug = 'acme'"
    );
    let columns = "members (id, account_id, address, role, state, added_at, joined_at)";
    let tally = format!(
        "insert into tallies select id, 'members', '', 'person', '{ROLE}', 'active', {members} \
         from accounts where slug = 'acme'"
    );
    run(database, &[for_each(members, columns, &row), tally]).await;
}

/// Accounts with members and a token each.
pub async fn put_others(database: &Database, accounts: usize) {
    let now = Timestamp::now().as_microsecond();
    let account = "'acc_o' || (1000000 + i)";
    let mut statements = vec![
        for_each(
            accounts,
            "accounts (id, slug, name, profile, created_at)",
            &format!("{account}, 'other-' || i, 'Other', 'digitalocean', {now} from n"),
        ),
        for_each(
            accounts * EACH,
            "members (id, account_id, address, role, state, added_at, joined_at)",
            &format!(
                "'mem_o' || (1000000 + i), 'acc_o' || (1000000 + i / {EACH}), \
                 'o' || i || '@example.com', '{ROLE}', 'active', {now}, {now} from n"
            ),
        ),
        for_each(
            accounts,
            "tallies",
            &format!("{account}, 'members', '', 'person', '{ROLE}', 'active', {EACH} from n"),
        ),
    ];
    statements.extend((0..accounts).map(|at| {
        let hash: String =
            Sha256::digest(token(at)).iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "insert into tokens (hash, id, kind, account_id, name, scopes, made_by, created_at, \
             expires_at) values ('{hash}', 'tok_o{at}', 'account', 'acc_o{}', 'bench', 'read', \
             'bench', {now}, {now} + 86400000000)",
            1_000_000 + at
        )
    }));
    run(database, &statements).await;
}

/// The token of another account.
pub fn token(at: usize) -> String {
    format!("token-of-another-account-{at}")
}

/// How many rows a table has.
pub async fn count(database: &Database, table: &str) -> u64 {
    let mut connection = connect(database).await;
    let text = format!("select count(*) from {table}");
    let count: i64 =
        sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    count.unsigned_abs()
}

/// A setting of the PostgreSQL server.
pub async fn setting(url: &str, name: &str) -> String {
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let text = format!("select current_setting('{name}')");
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap()
}
