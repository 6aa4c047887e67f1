//! A store in which a thousand other accounts live: 100 members and 100 invitations each, and some
//! rows of everything else.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

/// The accounts.
const ACCOUNTS: usize = 1000;

/// The account of row `i`, where each account has `{each}` rows.
const ACCOUNT: &str = "'acc_x' || (100000 + i / {each})";

/// Table, rows of each account, columns after `account_id`, and their values. A row that is pointed
/// to is that of the same number, so the tables point only at those before them.
const TABLES: &[(&str, usize, &str, &str)] = &[
    (
        "members",
        100,
        "id, address, role, state, added_at, joined_at",
        "'mem_x' || i, 'm' || i || '@x.example', 'biller', \
         case i % 10 when 0 then 'deleted' when 1 then 'trimmed' else 'active' end, i, i",
    ),
    (
        "invitations",
        100,
        "id, address, role, state, inviter, created_at, expires_at, last_sent_at",
        "'inv_x' || i, 'i' || i || '@x.example', 'biller', \
         case i % 5 when 0 then 'pending' when 1 then 'expired' when 2 then 'declined' \
         when 3 then 'revoked' else 'accepted' end, 'token:x', i, 4000000000000000 + i, i",
    ),
    (
        "tallies",
        10,
        "list, team_id, principal, role, state, entries",
        "'members', '', 'person', 'role-' || i, 'active', 10",
    ),
    ("client_states", 1, "body, version", "'{}', 1"),
    (
        "tokens",
        10,
        "hash, id, kind, name, scopes, made_by, created_at, expires_at",
        "'hash-' || i, 'tok_x' || i, 'account', 'x', 'read', 'x', i, i",
    ),
    ("teams", 10, "id, name, created_at", "'tea_x' || i, 'x', i"),
    (
        "subscriptions",
        10,
        "id, plan, state, created_at, period_end",
        "'sub_x' || i, 'growth', 'active', i, 4000000000000000",
    ),
    (
        "suggestions",
        10,
        "id, team_id, address, role, state, suggested_by, created_at",
        "'sug_x' || i, 'tea_x' || i, 's' || i || '@x.example', 'biller', 'open', 'x', i",
    ),
    (
        "ownership_changes",
        10,
        "id, kind, role, owner_id, candidate_id, state, requested_by, created_at, expires_at",
        "'own_x' || i, 'move', 'owner', 'mem_x' || i, 'mem_x' || i, 'done', 'x', i, i",
    ),
    (
        "client_accesses",
        10,
        "id, client_id, address, role, state, requested_by, created_at, last_sent_at",
        "'cli_x' || i, 'acc_x' || (100000 + (i / 10 + 1) % 1000), 'c' || i || '@x.example', \
         'biller', 'granted', 'x', i, i",
    ),
    (
        "websites",
        10,
        "id, url, state, created_at",
        "'web_x' || i, 'https://' || i || '.example', 'connected', i",
    ),
    ("meter_usages", 10, "subscription_id, meter, used", "'sub_x' || i, 'orders', 1"),
    (
        "domains",
        10,
        "id, name, challenge, state, created_at",
        "'dom_x' || i, i || '.example', 'x', 'verified', i",
    ),
    (
        "join_requests",
        10,
        "id, domain, address, name, state, created_at",
        "'joi_x' || i, i || '.example', 'j' || i || '@x.example', 'x', 'open', i",
    ),
    ("arrivals", 10, "address, created_at", "'a' || i || '@x.example', i"),
    ("recipients", 10, "category, member_id", "'billing', 'mem_x' || i"),
    ("notes", 10, "member_id, author, body, edited_at", "'mem_x' || i, 'x', 'x', i"),
    (
        "audit_events",
        10,
        "id, position, at, actor, action, subject",
        "'evt_x' || i, i % 10, i, 'x', 'member.joined', 'mem_x' || i",
    ),
    (
        "outbox",
        10,
        "id, template, subject, address, words, state, created_at",
        "'x' || i, 'invitation', 'inv_x' || i, 'i' || i || '@x.example', '{}', 'sent', i",
    ),
];

fn insert(rows: usize, into: &str, values: &str) -> String {
    format!(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < {rows}) \
         insert into {into} select {values} from n"
    )
}

/// Puts them in, as one change.
pub async fn put(connection: &mut AnyConnection) {
    let mut tx = connection.begin().await.unwrap();
    let columns = "accounts (id, slug, name, profile, created_at)";
    let values = format!("{}, 'x-' || i, 'X', 'nitropack', i", ACCOUNT.replace("{each}", "1"));
    tx.execute(AssertSqlSafe(insert(ACCOUNTS, columns, &values))).await.unwrap();
    let users = insert(
        ACCOUNTS,
        "users (id, address, name, created_at)",
        "'usr_x' || i, 'u' || i || '@x.example', 'X', i",
    );
    tx.execute(AssertSqlSafe(users)).await.unwrap();
    for (table, each, columns, values) in TABLES {
        let into = format!("{table} (account_id, {columns})");
        let values = format!("{}, {values}", ACCOUNT.replace("{each}", &each.to_string()));
        tx.execute(AssertSqlSafe(insert(ACCOUNTS * each, &into, &values))).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[test]
fn every_table_of_an_account_is_filled() {
    let schema = include_str!("../../src/server/migrations/0001_start.sql");
    let tables = schema.split("create table ").skip(1).filter(|table| {
        let table = table.split("{strict}").next().unwrap();
        table.lines().any(|line| line.trim_start().starts_with("account_id "))
    });
    let mut tables: Vec<_> = tables.map(|table| table.split(' ').next().unwrap()).collect();
    let mut filled: Vec<_> = TABLES.iter().map(|(table, ..)| *table).collect();
    tables.sort_unstable();
    filled.sort_unstable();
    assert_eq!(filled, tables);
}
