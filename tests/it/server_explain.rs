//! No list reads the rows of other accounts: every statement of every list is asked of the
//! database itself, how it would be run in a store where a thousand accounts live.
//!
//! The statements are those that the service logs while it answers on PostgreSQL. The same texts
//! run on SQLite.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, StatusCode};
use seatkeeper::server::{Database, openapi};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tower::ServiceExt as _;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::explain::{OfPostgres, OfSqlite};
use crate::many_accounts;
use crate::postgres;
use crate::service::{SEED, TOKEN, TestService, text};

/// Token of the owner of `acme`.
const PERSONAL_TOKEN: &str = "personal-token-of-the-owner";

/// A list of the account API.
struct List {
    /// `operationId`.
    id: &'static str,
    path: &'static str,
    /// Filters, each with one value for every statement that it makes.
    filters: &'static [(&'static str, &'static [&'static str])],
}

const LISTS: &[List] = &[
    List {
        id: "listMembers",
        path: "/v1/accounts/acme/members",
        filters: &[("state", &["deleted"]), ("team", &["tea_1"]), ("q", &["ana"])],
    },
    List {
        id: "listInvitations",
        path: "/v1/accounts/acme/invitations",
        filters: &[("state", &["pending", "expired", "accepted"]), ("team", &["tea_1"])],
    },
    List { id: "listTeams", path: "/v1/accounts/acme/teams", filters: &[] },
    List {
        id: "listSuggestions",
        path: "/v1/accounts/acme/teams/tea_1/suggestions",
        filters: &[("state", &["approved"])],
    },
    List {
        id: "listAllSuggestions",
        path: "/v1/accounts/acme/suggestions",
        filters: &[("state", &["approved"])],
    },
    List { id: "listOwnershipChanges", path: "/v1/accounts/acme/ownership-changes", filters: &[] },
    List { id: "listTokens", path: "/v1/accounts/acme/tokens", filters: &[] },
    List {
        id: "listClientAccess",
        path: "/v1/accounts/acme/client-access",
        filters: &[("state", &["requested", "granted", "ended"])],
    },
    List {
        id: "listClientWebsites",
        path: "/v1/accounts/acme/client-access/cli_1/websites",
        filters: &[("q", &["shop"])],
    },
    List { id: "listAccessRequests", path: "/v1/accounts/acme/access-requests", filters: &[] },
    List { id: "listWebsites", path: "/v1/accounts/acme/websites", filters: &[("q", &["shop"])] },
    List { id: "listDomains", path: "/v1/accounts/acme/domains", filters: &[] },
    List {
        id: "listJoinRequests",
        path: "/v1/accounts/acme/join-requests",
        filters: &[("state", &["approved"])],
    },
    List { id: "listSubscriptions", path: "/v1/accounts/acme/subscriptions", filters: &[] },
    List { id: "listAuditEvents", path: "/v1/accounts/acme/audit-events", filters: &[] },
];

/// Reads that have no pages, or pages of their own.
const READS: &[&str] = &[
    "/v1/accounts/acme",
    "/v1/accounts/acme/seats",
    "/v1/accounts/acme/changes?after=0",
    "/v1/accounts/acme/notification-categories",
    "/v1/accounts/acme/meters/resources",
];

impl List {
    /// The list with every set of its filters.
    fn paths(&self) -> Vec<String> {
        self.filters.iter().fold(vec![format!("{}?page_size=1000", self.path)], |paths, filter| {
            let (name, values) = filter;
            let with = paths
                .iter()
                .flat_map(|path| values.iter().map(move |value| format!("{path}&{name}={value}")));
            with.chain(paths.iter().cloned()).collect()
        })
    }
}

/// The statements that were logged while a request was answered.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            let Statement { summary, whole } = statement;
            let text = if whole.is_empty() { summary } else { whole };
            self.0.lock().unwrap().push(text.trim().to_owned());
        }
    }
}

/// A short statement is its own summary.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => (),
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// What the service asks its database to answer this request.
async fn statements_of(service: &TestService, path: &str, token: &str) -> Vec<String> {
    let statements = Statements::default();
    let subscriber = tracing_subscriber::registry().with(statements.clone());
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::empty()).unwrap();
    let answer = service.running().router().oneshot(request).with_subscriber(subscriber).await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK, "{path}");
    let statements = statements.0.lock().unwrap().clone();
    assert!(statements.iter().any(|text| text.starts_with("select")), "{path}: {statements:?}");
    statements
}

/// A token of the owner: who asks with it is looked up among the members.
async fn put_personal_token(connection: &mut AnyConnection) {
    let hash: String =
        Sha256::digest(PERSONAL_TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
    let sql = "insert into tokens (hash, id, kind, account_id, name, scopes, made_by, address, \
               created_at, expires_at) select $1, 'tok_p', 'personal', id, 'mine', 'read invite', 'test', \
               'owner@example.com', created_at, created_at + 86400000000 \
               from accounts where slug = 'acme'";
    sqlx::query(sql).bind(hash).execute(connection).await.unwrap();
}

/// A team and a client of `acme`, whose own lists can be asked for then.
async fn put_own(connection: &mut AnyConnection) {
    for sql in [
        "insert into teams (id, account_id, name, created_at) \
         select 'tea_1', id, 'Design', created_at from accounts where slug = 'acme'",
        "update accounts set agency = 1 where slug = 'acme'",
        "insert into members (id, account_id, principal, address, role, state, added_at, \
         joined_at, client_access_id) select 'mem_1', id, 'account', 'owner@example.com', \
         'admin', 'active', created_at, created_at, 'cli_1' from accounts where slug = 'other'",
        "insert into client_accesses (id, account_id, client_id, address, role, state, member_id, \
         requested_by, created_at, last_sent_at) select 'cli_1', a.id, o.id, \
         'owner@other.example', 'admin', 'granted', 'mem_1', 'x', a.created_at, a.created_at \
         from accounts a, accounts o where a.slug = 'acme' and o.slug = 'other'",
    ] {
        connection.execute(sql).await.unwrap();
    }
}

/// Every statement of every list, with a request that made it.
async fn all_statements(service: &TestService) -> BTreeMap<String, String> {
    let paths = LISTS.iter().flat_map(List::paths);
    let paths = paths.chain(READS.iter().map(|path| (*path).to_owned()));
    let paths = paths.map(|path| (path, TOKEN));
    let personal = (LISTS[0].path.to_owned(), PERSONAL_TOKEN);
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    let by_id = format!("/v1/accounts/{}/members", text(&account["id"]));
    let mut all = BTreeMap::new();
    for (path, token) in paths.chain([personal, (by_id, TOKEN)]) {
        for text in statements_of(service, &path, token).await {
            let word = text.split_whitespace().next().unwrap_or_default().to_lowercase();
            match word.as_str() {
                "select" => drop(all.entry(text).or_insert_with(|| path.clone())),
                "begin" | "commit" | "rollback" => (),
                _ => panic!("{path} is no read: {text}"),
            }
        }
    }
    all
}

/// What the service looks for every second. Subscribers of other tests come and go meanwhile, and
/// can make one look pass unheard.
async fn statements_of_due(service: &TestService) -> Vec<String> {
    for _ in 0..50 {
        let statements = Statements::default();
        let subscriber = tracing_subscriber::registry().with(statements.clone());
        service.running().run_due().with_subscriber(subscriber).await.unwrap();
        let mut statements = statements.0.lock().unwrap().clone();
        statements.retain(|text| text.starts_with("select"));
        if statements.iter().any(|text| text.contains("digest_at")) {
            return statements;
        }
    }
    panic!("no statement of what is due was heard");
}

/// Tables that these statements read whole.
async fn whole_tables(connection: &mut AnyConnection, statements: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for text in statements {
        let plan = sqlx::query(AssertSqlSafe(format!("explain query plan {text}")));
        for row in plan.fetch_all(&mut *connection).await.unwrap() {
            let step: String = row.try_get("detail").unwrap();
            // Arrivals are a queue: what is in there is due.
            if step.starts_with("SCAN ") && !step.contains(" USING ") && step != "SCAN r" {
                found.push(format!("{step} of\n  {text}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn no_list_reads_rows_of_other_accounts_and_what_is_due_is_found_by_an_index() {
    let database = postgres::database().await;
    let service = TestService::start_as(SEED, |settings| {
        settings.database = Database::Postgres(database.url.clone().into());
    })
    .await;
    let mut connection = service.database().await;
    let due = statements_of_due(&service).await;
    many_accounts::put(&mut connection).await;
    put_personal_token(&mut connection).await;
    put_own(&mut connection).await;
    let statements = all_statements(&service).await;

    let file = TestService::start_as(SEED, |settings| {
        let data = settings.secret_key_file.parent().unwrap();
        settings.database = Database::Sqlite(data.join("explained.db"));
    })
    .await;
    let mut file_connection = file.database().await;
    many_accounts::put(&mut file_connection).await;

    let mut on_postgres = OfPostgres::new(&database.url).await;
    let mut problems = Vec::new();
    for (text, path) in &statements {
        let found = on_postgres.problems(text).await;
        problems.extend(found.iter().map(|problem| format!("{path}: {problem}\n  {text}")));
    }
    on_postgres.close().await;
    // The service itself never has statistics made.
    for analyzed in [false, true] {
        if analyzed {
            file_connection.execute("analyze").await.unwrap();
        }
        let mut on_sqlite = OfSqlite::new(&mut file_connection).await;
        for (text, path) in &statements {
            let found = on_sqlite.problems(text).await;
            problems.extend(found.iter().map(|problem| format!("{path}: {problem}\n  {text}")));
        }
    }
    problems.extend(whole_tables(&mut file_connection, &due).await);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    file_connection.close().await.unwrap();
    connection.close().await.unwrap();
    file.stop().await;
    service.stop().await;
    database.remove().await;
}

/// Lists of the contract, which is made from the router's own list, and their filters.
fn lists_of_the_contract() -> BTreeMap<String, BTreeSet<String>> {
    let contract = openapi();
    let mut lists = BTreeMap::new();
    for operations in contract["paths"].as_object().unwrap().values() {
        let get = &operations["get"];
        let parameters: &[Value] = get["parameters"].as_array().map_or(&[], Vec::as_slice);
        if parameters.iter().any(|one| one["$ref"] == "#/components/parameters/Cursor") {
            let names = parameters.iter().filter(|one| one["in"] == "query");
            let names = names.map(|one| text(&one["name"])).collect();
            lists.insert(text(&get["operationId"]), names);
        }
    }
    lists
}

#[test]
fn every_list_of_the_contract_is_explained_with_every_filter() {
    let explained = LISTS.iter().map(|list| {
        let filters = list.filters.iter().map(|(name, _)| (*name).to_owned());
        (list.id.to_owned(), filters.collect())
    });
    assert_eq!(explained.collect::<BTreeMap<_, _>>(), lists_of_the_contract());
}
