//! What is kept for a while only: each kind goes in its time, and whatever fails for one account
//! keeps no other waiting.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::service::{OTHER_TOKEN, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn count(service: &TestService, of: &str) -> i64 {
    let mut conn = service.database().await;
    let text = AssertSqlSafe(format!("select count(*) from {of}"));
    let rows = sqlx::query_scalar(text).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    rows
}

#[tokio::test]
async fn an_account_whose_past_cannot_be_forgotten_keeps_no_other_waiting() {
    let service = TestService::start_as(SEED, |settings| {
        settings.audit_retention = Some(DAY * 10);
    })
    .await;
    let invite = service.call(Method::POST, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let body = json!({ "email": "ina@example.com", "role": "biller" });
    invite.key("i").json(&body).send().await.expect(StatusCode::CREATED);
    service.sql("update accounts set profile = 'gone' where slug = 'acme'").await;
    let (old, acme) =
        ("audit_events where at < 1770724800000000 + 1", "accounts where slug = 'acme'");
    let of_acme = format!("{old} and account_id in (select id from {acme})");
    let before = count(&service, &of_acme).await;
    assert!(before > 0 && count(&service, old).await > before);

    service.pass(DAY * 11).await;
    assert_eq!(count(&service, old).await, before, "the other one's past is forgotten");
    service.pass(DAY * 30).await;
    let listed = service.call(Method::GET, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let listed = listed.send().await.expect(StatusCode::OK);
    assert_eq!(listed["items"][0]["state"], "expired", "and what is due is done: {listed}");
    service.stop().await;
}

#[tokio::test]
async fn the_log_of_a_deleted_account_is_forgotten_in_its_time_too() {
    let service = TestService::start_as(SEED, |settings| {
        settings.audit_retention = Some(DAY * 10);
    })
    .await;
    let call = service.call(Method::DELETE, "/v1/accounts/other").token(OTHER_TOKEN);
    call.if_match("*").send().await.expect(StatusCode::NO_CONTENT);
    let log = "audit_events e join accounts a on a.id = e.account_id where a.slug = 'other'";
    service.pass(DAY * 10 - HOUR).await;
    assert!(count(&service, log).await > 0);
    service.pass(HOUR * 2).await;
    assert_eq!(count(&service, log).await, 0);
    service.stop().await;
}

#[tokio::test]
async fn mails_are_forgotten_thirty_days_after_and_what_waits_is_kept() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.mails().await;
    service
        .sql(
            "insert into outbox (id, template, subject, address, words, created_at, not_before) \
             values ('waiting', 'confirm-address', '', 'late@example.com', '{}', 1, \
             9000000000000000000)",
        )
        .await;
    let ana = "outbox where address = 'ana@example.com' and template = 'invitation'";
    service.pass(DAY * 30 - HOUR).await;
    assert_eq!(count(&service, ana).await, 1);
    service.pass(HOUR).await;
    assert_eq!(count(&service, ana).await, 0);
    assert_eq!(count(&service, "outbox where id = 'waiting'").await, 1, "it was not sent");
    for state in ["sent", "unknown", "failed", "dropped"] {
        let mut conn = service.database().await;
        let text = format!(
            "insert into outbox (id, template, subject, address, words, state, created_at) \
             values ('{state}', 'removed', '', 'old@example.com', '{{}}', '{state}', 1)"
        );
        sqlx::query(AssertSqlSafe(text)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
    service.running().run_due().await.unwrap();
    assert_eq!(count(&service, "outbox where address = 'old@example.com'").await, 0);
    service.stop().await;
}

#[tokio::test]
async fn sessions_and_login_links_are_forgotten_a_day_after_their_end() {
    let service = TestService::start().await;
    service.browser().sign_in("owner@example.com", PASSWORD).await;
    service
        .sql(
            "insert into client_accesses (id, account_id, address, role, state, requested_by, \
             created_at, last_sent_at) select 'cla_x', id, 'c@example.com', 'admin', 'requested', \
             'x', 1, 1 from accounts where slug = 'acme'",
        )
        .await;
    // Used at noon of the tenth of February 2026, when the service began; over a minute later.
    service
        .sql(
            "insert into login_links (id, client_access_id, address, expires_at, used_at) \
             values ('lgn_x', 'cla_x', 'owner@example.com', 1770724860000000, 1770724800000000)",
        )
        .await;
    service.pass(DAY).await;
    assert_eq!(count(&service, "login_links").await, 1);
    service.pass(HOUR).await;
    assert_eq!(count(&service, "login_links").await, 0);
    assert_eq!(count(&service, "sessions").await, 1, "it lasts for 14 days");
    service.pass(DAY * 14 - HOUR * 2).await;
    assert_eq!(count(&service, "sessions").await, 1);
    service.pass(HOUR).await;
    assert_eq!(count(&service, "sessions").await, 0);
    service.stop().await;
}

#[tokio::test]
async fn tokens_that_are_over_stay_as_long_as_the_audit_log_names_them() {
    for (retention, left) in [(Some(DAY * 40), 0), (None, 1)] {
        let service = TestService::start_as(SEED, |settings| {
            settings.audit_retention = retention;
        })
        .await;
        let tokens = "/v1/accounts/acme/tokens";
        let body =
            json!({ "kind": "account", "name": "Short", "scopes": ["read"], "expires_in_days": 1 });
        let made = service.call(Method::POST, tokens).token(TOKEN).json(&body).send().await;
        let made = text(&made.expect(StatusCode::CREATED)["id"]);
        service.pass(DAY * 41 - HOUR).await;
        let listed = service.list(tokens).await;
        assert!(listed.iter().any(|row| row["id"] == made), "the list shows it as over");
        let others = count(&service, "tokens").await - 1;
        service.pass(HOUR).await;
        let rows = format!("tokens where id = '{made}'");
        assert_eq!(count(&service, &rows).await, left, "{retention:?}");
        assert_eq!(count(&service, "tokens").await, others + left, "those that work stay");
        let vendor = service.call(Method::GET, "/v1/accounts/acme").token(VENDOR_TOKEN);
        vendor.send().await.expect(StatusCode::OK);
        service.stop().await;
    }
}
