//! How the databases would run a statement, and what is wrong with that.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};

/// Columns that lead to one row, or to those of one person: table and column.
const POINTS: &[(&str, &str)] = &[
    ("accounts", "id"),
    ("accounts", "slug"),
    ("tokens", "hash"),
    ("members", "address"),
    ("members", "id"),
    ("users", "address"),
    // Requests are addressed to people, whatever the agency.
    ("client_accesses", "address"),
];

/// Tables that PostgreSQL may read whole to join them, while they are small: an agency's clients are
/// named by their accounts, one each.
const SMALL: &[&str] = &["accounts"];

/// An index: its table and its first column.
type Indexes = BTreeMap<String, (String, String)>;

/// True if a search that begins with this column reads no rows of other accounts.
fn stays_in_the_account(table: &str, column: &str) -> bool {
    column == "account_id" || POINTS.contains(&(table, column))
}

/// What is wrong with a search in this index by this condition.
fn wrong(indexes: &Indexes, index: &str, condition: &str) -> Option<String> {
    let Some((table, first)) = indexes.get(index) else {
        return Some(format!("{index} is made for this statement alone"));
    };
    let begins = condition.contains(&format!("({first} =")) // PostgreSQL
        || condition.starts_with(&format!("({first}=?")); // SQLite
    let good = begins && stays_in_the_account(table, first);
    (!good).then(|| format!("{index} of {table} is searched by {condition}"))
}

/// Plans of PostgreSQL that fit every value.
pub struct OfPostgres {
    connection: PgConnection,
    indexes: Indexes,
}

impl OfPostgres {
    /// Plans of this database.
    pub async fn new(url: &str) -> Self {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute("analyze").await.unwrap();
        connection.execute("set plan_cache_mode = force_generic_plan").await.unwrap();
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select i.relname::text, t.relname::text, pg_get_indexdef(x.indexrelid, 1, true) \
             from pg_index x join pg_class i on i.oid = x.indexrelid \
             join pg_class t on t.oid = x.indrelid",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let indexes = rows.into_iter().map(|(index, table, first)| (index, (table, first)));
        Self { connection, indexes: indexes.collect() }
    }

    /// What is wrong with how this statement would be run.
    pub async fn problems(&mut self, statement: &str) -> Vec<String> {
        let prepare = format!("prepare asked as {statement}");
        self.connection.execute(AssertSqlSafe(prepare)).await.unwrap();
        let values = (1..).take_while(|n| statement.contains(&format!("${n}"))).count();
        let values = match values {
            0 => String::new(),
            values => format!("({})", vec!["null"; values].join(", ")),
        };
        let explain = format!("explain (format json) execute asked{values}");
        let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut self.connection).await;
        let text: String = rows.unwrap()[0].try_get_unchecked(0).unwrap();
        self.connection.execute("deallocate asked").await.unwrap();
        let plan: Value = serde_json::from_str(&text).unwrap();
        let mut problems = Vec::new();
        self.walk(&plan[0]["Plan"], "", &mut problems);
        problems
    }

    fn walk(&self, node: &Value, above: &str, problems: &mut Vec<String>) {
        let kind = node["Node Type"].as_str().unwrap();
        let small = SMALL.iter().any(|table| node["Relation Name"] == *table);
        if kind == "Seq Scan" && !(small && above == "Hash") {
            problems.push(format!("PostgreSQL reads all of {}", node["Relation Name"]));
        }
        if let Some(index) = node["Index Name"].as_str() {
            let condition = node["Index Cond"].as_str().unwrap_or("nothing");
            let wrong = wrong(&self.indexes, index, condition);
            problems.extend(wrong.map(|wrong| format!("PostgreSQL: {wrong}")));
        }
        for below in node["Plans"].as_array().into_iter().flatten() {
            self.walk(below, kind, problems);
        }
    }

    /// Closes its connection.
    pub async fn close(self) {
        self.connection.close().await.unwrap();
    }
}

/// Plans of SQLite.
pub struct OfSqlite<'a> {
    connection: &'a mut AnyConnection,
    indexes: Indexes,
}

impl<'a> OfSqlite<'a> {
    /// Plans of this database.
    pub async fn new(connection: &'a mut AnyConnection) -> Self {
        let sql = "select m.name, m.tbl_name, i.name from sqlite_master m, \
                   pragma_index_info(m.name) i where m.type = 'index' and i.seqno = 0";
        let rows: Vec<(String, String, String)> =
            sqlx::query_as(sql).fetch_all(&mut *connection).await.unwrap();
        let indexes = rows.into_iter().map(|(index, table, first)| (index, (table, first)));
        Self { indexes: indexes.collect(), connection }
    }

    /// What is wrong with how this statement would be run.
    pub async fn problems(&mut self, statement: &str) -> Vec<String> {
        let explain = format!("explain query plan {statement}");
        let rows = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut *self.connection).await;
        let steps = rows.unwrap().iter().map(|row| row.get("detail")).collect::<Vec<String>>();
        let wrong = steps.iter().filter_map(|step| self.wrong(step));
        wrong.map(|wrong| format!("SQLite: {wrong}")).collect()
    }

    fn wrong(&self, step: &str) -> Option<String> {
        if let Some(scanned) = step.strip_prefix("SCAN ") {
            // What a part of the statement gave has no index, and was searched for by itself.
            let derived = ["ranked", "(subquery"].iter().any(|name| scanned.starts_with(name));
            return (!derived).then(|| step.to_owned());
        }
        let search = step.strip_prefix("SEARCH ")?;
        let by_index = search.split_once("INDEX ").and_then(|(_, rest)| rest.split_once(' '));
        match by_index {
            Some((index, condition)) => wrong(&self.indexes, index, condition),
            None => Some(step.to_owned()),
        }
    }
}
