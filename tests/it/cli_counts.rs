//! How often service and ledger are asked and written to, counted in the service's request log.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use sqlx::Connection as _;

use crate::cli_run::{Desk, service_now, values};
use crate::service::{TOKEN, TestService, text};

const SEED: &str = r"
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com}
    subscriptions: [custom]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// People of a team object.
const TEAM: usize = 1000;

/// A folder that declares `p1@example.com` to `pN@example.com`, without a limit on mails.
fn desk(service: &TestService, people: usize) -> Desk {
    let desk = Desk::new(&service.base, TOKEN);
    desk.delete("git/membership.yaml");
    desk.delete("git/team.yaml");
    let limits =
        "  profile: nitropack\n  limits: {requestsPerSecond: 100000, invitationsPerHour: 1000000}";
    desk.replace("git/account-class.yaml", "  profile: nitropack", limits);
    for team in 0..people.div_ceil(TEAM) {
        let mut text = format!(
            "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\n\
             metadata: {{name: team-{team}, namespace: web}}\n\
             spec:\n  accountRef: {{name: acme}}\n  defaultRole: developer\n  roster:\n"
        );
        for n in team * TEAM + 1..=people.min((team + 1) * TEAM) {
            writeln!(text, "    - email: p{n}@example.com").unwrap();
        }
        desk.write(&format!("git/team-{team}.yaml"), &text);
    }
    desk
}

/// Puts members into the service's own database: as many invitations would take minutes.
async fn put_members(service: &TestService, people: usize) {
    let mut connection = service.database().await;
    let sql = "
        with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
        insert into members (id, account_id, address, role, state, added_at, joined_at)
        select printf('mem_%026d', i), accounts.id, printf('p%d@example.com', i), 'developer',
               'active', accounts.created_at, accounts.created_at
        from n, accounts where slug = 'acme'";
    let done = sqlx::query(sql)
        .bind(i64::try_from(people).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), people as u64);
    let tally = "insert into tallies select id, 'members', '', 'person', 'developer', 'active', $1 \
                 from accounts where slug = 'acme'";
    let people = i64::try_from(people).unwrap();
    sqlx::query(tally).bind(people).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Requests since the first `from` lines: reads and writes.
fn since(service: &TestService, from: usize) -> (usize, usize) {
    let requests = service.requests();
    let (reads, writes): (Vec<&Value>, Vec<&Value>) =
        requests[from..].iter().partition(|line| line["method"] == "GET");
    (reads.len(), writes.len())
}

// rule: OP-01
#[tokio::test]
async fn a_converged_account_of_10_000_rows_costs_14_reads_and_no_write_anywhere() {
    const ROWS: usize = 10_000;
    let service = service_now(SEED).await;
    put_members(&service, ROWS - 1).await;
    let desk = desk(&service, ROWS - 1);
    let nothing = "account web/acme (Acme): custom, mode Manage\n\
                   nothing to change; seats 9999 → 9999 of unlimited\n";
    let plan = desk.exits(0, &["plan"]).await;
    assert_eq!((plan.out.as_str(), plan.err.as_str()), (nothing, ""));
    assert_eq!(since(&service, 0), (14, 0));
    assert_eq!(desk.ledger(), "-");

    // The first run notes who is ours and claims the account; from then on there is nothing.
    desk.exits(0, &["apply"]).await;
    assert_eq!(since(&service, 14), (14, 1));
    let ledger = desk.ledger();
    desk.exits(0, &["apply"]).await;
    assert_eq!(since(&service, 29), (14, 0));
    assert_eq!(desk.ledger(), ledger);
}

// rule: OP-02
#[tokio::test]
async fn a_roster_of_1_000_costs_1_000_calls_17_head_writes_and_each_page_once() {
    const PEOPLE: usize = 1000;
    let service = service_now(SEED).await;
    let desk = desk(&service, PEOPLE);
    let plan = desk.exits(3, &["plan"]).await;
    let line = "+ 1000 invitations (1000 mails, in 16 waves); seats 0 → 1000 of unlimited";
    assert_eq!(plan.out.lines().last(), Some(line));

    let said = desk.exits(0, &["apply", "-o", "json"]).await;
    let requests = service.requests();
    let posts = requests.iter().filter(|line| line["method"] == "POST");
    let posts: Vec<_> = posts.map(|line| (text(&line["route"]), line["status"].clone())).collect();
    let wanted = ("/v1/accounts/{account}/invitations".to_owned(), 201.into());
    assert_eq!(posts, vec![wanted; PEOPLE]);
    assert_eq!(since(&service, 0).1, PEOPLE + 1, "and the claim");

    let files = fs::read_dir(desk.path("ledger")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| name.starts_with("page-")).count();
    let ledger = &values(&said.out)["ledger"];
    assert_eq!((&ledger["headWrites"], &ledger["pageWrites"]), (&17.into(), &pages.into()));
    assert!(said.err.contains("50 of 1000 done\n"), "progress: {}", said.err);
    assert!(said.err.ends_with("1000 of 1000 done\n"), "progress: {}", said.err);

    let mails = service.mails().await;
    let mut to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!((mails.len(), to.len()), (PEOPLE, PEOPLE), "one mail each");
}

// rule: OP-07
#[tokio::test]
async fn fifty_in_and_fifty_out_of_10_000_cost_one_look_and_100_writes() {
    const ROWS: usize = 10_000;
    let service = service_now(SEED).await;
    put_members(&service, ROWS - 1).await;
    let desk = desk(&service, ROWS - 1);
    desk.exits(0, &["apply"]).await;
    let roster = desk.read("git/team-0.yaml");
    let change = |line: &str| match line.strip_prefix("    - email: p") {
        Some(rest) => {
            let n: usize = rest.trim_end_matches("@example.com").parse().unwrap();
            let name = if n <= 50 { "new" } else { "p" };
            format!("    - email: {name}{n}@example.com\n")
        }
        None => format!("{line}\n"),
    };
    desk.write("git/team-0.yaml", &roster.lines().map(change).collect::<String>());
    let before = service.requests().len();
    let said = desk.exits(0, &["apply"]).await;
    assert!(said.out.contains("100 done"), "{}", said.out.lines().last().unwrap_or_default());
    assert_eq!(since(&service, before), (14, 100));
    service.stop().await;
}

/// What is asserted is that calls waited for their turn, not how long they took.
#[tokio::test]
async fn calls_wait_for_the_request_budget_of_the_class() {
    let service = service_now(SEED).await;
    let desk = desk(&service, 1);
    desk.replace("git/account-class.yaml", "requestsPerSecond: 100000", "requestsPerSecond: 2");
    let begun = Instant::now();
    desk.exits(3, &["plan"]).await;
    let calls = u32::try_from(service.requests().len()).unwrap();
    assert!(calls > 4, "{calls}");
    // Two at once, then two a second.
    let least = Duration::from_millis(500) * (calls - 2);
    assert!(begun.elapsed() >= least, "{calls} calls in {:?}", begun.elapsed());
}
