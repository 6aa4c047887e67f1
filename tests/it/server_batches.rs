//! Batches of invitations do what as many single ones would do, in far fewer statements.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::Database;
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::postgres;
use crate::service::{Answer, TOKEN, TestService, text};

const SEED: &str = r#"
accounts:
  - name: Acme
    slug: acme
    profile: portal
    owner: {email: otto@example.com, name: Otto, password: correct horse battery}
    subscriptions: [team]
    members:
      - {email: ada@example.com, name: Ada, role: admin, password: correct horse battery}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

const BATCH: &str = "/v1/accounts/acme/invitations/batch";

/// Lines of every kind; the last ones find neither seat nor mail.
const LINES: [&str; 14] = [
    "new@example.com",
    "other@example.com",
    "no address",
    "ada@example.com",
    "waits@example.com",
    " New@Example.com ",
    "overdue@example.com",
    "revoked@example.com",
    "mailed-often@example.com",
    "fifth@example.com",
    "sixth@example.com",
    "seventh@example.com",
    "eighth@example.com",
    "ninth@example.com",
];

async fn invite(service: &TestService, email: &str) -> Answer {
    let body = json!({ "email": email, "role": "member" });
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations");
    call.token(TOKEN).new_key().json(&body).send().await
}

/// An account in which some of the lines are not new, and what of it is over the limits.
async fn begun(seats: bool) -> TestService {
    let service = TestService::start_as(SEED, |settings| {
        settings.invite_limits.per_account_hour = if seats { 100 } else { 7 }.try_into().unwrap();
        settings.invite_limits.per_address_day = 2.try_into().unwrap();
    })
    .await;
    invite(&service, "overdue@example.com").await.expect(StatusCode::CREATED);
    service.clock.advance(SignedDuration::from_hours(24 * 40));
    for name in ["revoked", "mailed-often", "mailed-often"] {
        let row = invite(&service, &format!("{name}@example.com")).await;
        let row = row.expect(StatusCode::CREATED);
        // Its mail is out before it is revoked, and not whenever the background comes by.
        service.mails().await;
        let path = format!("/v1/accounts/acme/invitations/{}/revoke", text(&row["id"]));
        let revoke = service.call(Method::POST, &path).token(TOKEN).if_match("*").new_key();
        revoke.send().await.expect(StatusCode::OK);
    }
    service.clock.advance(SignedDuration::from_hours(2));
    invite(&service, "waits@example.com").await.expect(StatusCode::CREATED);
    service
}

/// What became of the account: its log, mails and totals.
async fn outcome(service: &TestService) -> Value {
    let events = service.list("/v1/accounts/acme/audit-events").await;
    // The background does some of it whenever it comes by.
    let by_itself = |action: &str| ["invitation.expired", "subscription.renewed"].contains(&action);
    let events: Vec<_> = events
        .iter()
        .filter(|event| !by_itself(&text(&event["action"])))
        .map(|event| json!([event["action"], event["after"]["email"]]))
        .collect();
    let mut mails: Vec<_> =
        service.mails().await.into_iter().map(|mail| (mail.template, mail.to)).collect();
    mails.sort();
    let pending = service.get("/v1/accounts/acme/invitations?state=pending").await;
    let total = pending.expect(StatusCode::OK)["total"].clone();
    json!({ "events": events, "mails": mails, "pending": total, "seats": service.seats().await })
}

/// The code of a refusal, or the person that was invited.
fn said(problem: &Value, invitation: &Value) -> String {
    problem["code"].as_str().map_or_else(|| text(&invitation["email"]), str::to_owned)
}

/// What an answer says of the mails that are left to the account.
fn mails_left(answer: &Answer) -> Option<String> {
    let values = answer.headers.get_all("ratelimit").iter().map(|value| value.to_str().unwrap());
    values
        .flat_map(|value| value.split(", "))
        .find(|it| it.contains("invite-mail"))
        .map(str::to_owned)
}

#[tokio::test]
async fn a_batch_does_what_single_invitations_do_in_the_order_of_its_lines() {
    for (seats, short) in [(true, "seat-limit-reached"), (false, "rate-limited")] {
        let (together, apart) = (begun(seats).await, begun(seats).await);
        let body = json!({ "emails": LINES, "role": "member" });
        let call = together.call(Method::POST, BATCH).token(TOKEN).new_key().json(&body);
        let answer = call.send().await;
        let left = mails_left(&answer).unwrap();
        let done = answer.expect(StatusCode::OK);
        let items = done["items"].as_array().unwrap();
        let of_batch: Vec<_> =
            items.iter().map(|item| said(&item["problem"], &item["invitation"])).collect();
        let (mut of_singles, mut left_by_singles) = (vec![], String::new());
        for email in LINES {
            let answer = invite(&apart, email.trim()).await;
            left_by_singles = mails_left(&answer).unwrap_or(left_by_singles);
            of_singles.push(said(&answer.body, &answer.body));
        }
        assert_eq!((of_batch.clone(), left), (of_singles, left_by_singles));
        assert_eq!(of_batch.last().unwrap(), short);
        assert_eq!(outcome(&together).await, outcome(&apart).await);
        together.stop().await;
        apart.stop().await;
    }
}

/// Counts every statement that puts rows into these tables.
const COUNT_INSERTS: &str = "
    create table inserts (of_table text not null);
    create function note_insert() returns trigger language plpgsql as
        'begin insert into inserts values (TG_TABLE_NAME); return null; end';
    create trigger note after insert on invitations for each statement execute function note_insert();
    create trigger note after insert on outbox for each statement execute function note_insert();
    create trigger note after insert on audit_events for each statement execute function note_insert();
    create trigger note after insert on tallies for each statement execute function note_insert();
";

#[tokio::test]
async fn a_batch_of_new_people_is_one_write_to_each_table() {
    let database = postgres::database().await;
    let seed = SEED.replace("profile: portal", "profile: digitalocean");
    let seed = seed.replace("role: admin", "role: member").replace("[team]", "[]");
    let service = TestService::start_as(&seed, |settings| {
        settings.database = Database::Postgres(database.url.clone().into());
    })
    .await;
    let mut connection = service.database().await;
    connection.execute(COUNT_INSERTS).await.unwrap();
    let emails: Vec<_> = (0..150).map(|at| format!("p{at}@example.com")).collect();
    let body = json!({ "emails": emails, "role": "member" });
    let call = service.call(Method::POST, BATCH).token(TOKEN).new_key().json(&body);
    assert_eq!(call.send().await.expect(StatusCode::OK)["created"], 150);
    let written = "select string_agg(of_table, ' ' order by of_table) from inserts";
    let written: String = sqlx::query_scalar(written).fetch_one(&mut connection).await.unwrap();
    assert_eq!(written, "audit_events invitations outbox tallies");
    service.stop().await;
}
