//! The service and a mail server that breaks: nothing is lost, nothing is sent twice, and what
//! cannot be known is said.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::future::Future;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::{MailSettings, ServerError, SmtpLogin, SmtpSecurity, SmtpSettings, start};
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Connection as _, Row as _};

use crate::cli_run::{Desk, serve};
use crate::mail_peer::{Fault, Peer, Ways};
use crate::service::{
    Answer, Kind, SEED, TOKEN, TestClock, TestService, VENDOR_TOKEN, settings, text,
};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";
const ANA: &str = "ana@example.com";
const CA: &[u8] = include_bytes!("tls/ca.pem");
const ANOTHER_CA: &[u8] = include_bytes!("tls/another_ca.pem");

/// A mail server at this port of this machine, without TLS and login.
pub fn smtp(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port,
        security: SmtpSecurity::Plain,
        login: None,
        ca: Some(CA.to_vec()),
        from: "Seats <seats@example.com>".parse().unwrap(),
        return_path: Some("bounce@example.com".parse().unwrap()),
        answer_within: Duration::from_secs(5),
    }
}

async fn service_with(smtp: SmtpSettings) -> TestService {
    TestService::start_as(SEED, |settings| settings.mail = MailSettings::Smtp(smtp)).await
}

/// A service and the server that it sends to.
async fn world() -> (TestService, Peer) {
    let peer = Peer::start();
    (service_with(smtp(peer.port)).await, peer)
}

async fn invite(service: &TestService, email: &str) {
    service.invite(email, "biller").await.expect(StatusCode::CREATED);
}

/// Sends everything that is due.
async fn deliver(service: &TestService) {
    service.running().deliver_due().await.unwrap();
}

async fn invitation(service: &TestService, email: &str) -> Value {
    let rows = service.list(INVITATIONS).await;
    rows.into_iter().find(|row| row["email"] == email).unwrap()
}

/// State and delivery of the invitation of this address.
async fn stands(service: &TestService, email: &str) -> String {
    let row = invitation(service, email).await;
    format!("{} {}", text(&row["state"]), text(&row["delivery"]))
}

async fn report(service: &TestService, token: &str, body: &Value) -> Answer {
    service.call(Method::POST, "/v1/bounces").token(token).json(body).send().await
}

/// The mail of this return path comes back.
pub async fn come_back(service: &TestService, return_path: &str) {
    let body = json!({ "return_path": return_path, "action": "failed" });
    report(service, VENDOR_TOKEN, &body).await.expect(StatusCode::NO_CONTENT);
}

/// Waits until it is so.
async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    for _ in 0..400 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(is_so().await, "it never was so");
}

/// What a statement gives.
async fn rows(service: &TestService, sql: &'static str) -> Vec<AnyRow> {
    let mut conn = service.database().await;
    let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    rows
}

pub fn link_in(raw: &str) -> String {
    raw.lines().find(|line| line.starts_with("http")).unwrap().to_owned()
}

// rule: NP-01
#[tokio::test]
async fn an_invitation_reaches_the_mail_server_with_both_parts_and_a_link_that_works() {
    let (service, peer) = world().await;
    invite(&service, ANA).await;
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending sent");
    let taken = peer.taken();
    assert_eq!(taken.len(), 1);
    let (mail, raw) = (&taken[0], &taken[0].raw);
    assert_eq!(mail.to, ANA);
    let tag = mail.from.strip_prefix("bounce+").unwrap().strip_suffix("@example.com").unwrap();
    assert!(raw.contains(&format!("Message-ID: <{}@example.com>", &tag[..26])), "{raw}");
    for part in [
        "From: Seats <seats@example.com>",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain",
        "Content-Type: text/html",
    ] {
        assert!(raw.contains(part), "{part} is not in\n{raw}");
    }
    let link = link_in(raw);
    assert!(link.starts_with(&format!("{}/i/", service.base)), "{link}");
    let member = service.browser().accept_by_sign_up(&link).await;
    assert_eq!(member.status, StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn several_mails_go_over_one_connection() {
    let (service, peer) = world().await;
    // All are queued before the first leaves.
    peer.fault([Fault::SlowAtData(Duration::from_millis(300))]);
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        invite(&service, email).await;
    }
    deliver(&service).await;
    assert_eq!(peer.taken_for(), ["a@example.com", "b@example.com", "c@example.com"]);
    let greetings = peer.commands().iter().filter(|line| line.starts_with("EHLO")).count();
    assert!(greetings <= 2, "{:?}", peer.commands());
    service.stop().await;
}

// rule: X9
#[tokio::test]
async fn an_address_that_the_mail_server_refuses_for_good_fails_and_frees_its_seat_once() {
    let (service, peer) = world().await;
    for (email, code, fault) in
        [(ANA, "550", Fault::Rcpt(550)), ("bea@example.com", "552", Fault::End(552))]
    {
        peer.fault([fault]);
        invite(&service, email).await;
        until(async || stands(&service, email).await == "failed failed").await;
        assert_eq!(service.seats().await["breakdown"]["pending"], json!(0));
        let rows = rows(&service, "select state, last_error from outbox order by id").await;
        let row = rows.last().unwrap();
        let said = (row.get(0), row.get(1));
        assert_eq!(said, ("failed".to_owned(), Some(code.to_owned())));
        service.clock.advance(SignedDuration::from_hours(1));
        deliver(&service).await;
    }
    assert_eq!(peer.taken_for(), Vec::<String>::new());
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let failed = events.iter().filter(|event| event["action"] == "invitation.failed").count();
    assert_eq!(failed, 2, "each one once");
    service.stop().await;
}

/// A row that this program does not understand, and a mail about it that is due before all others.
const NOT_UNDERSTOOD: [&str; 2] = [
    "insert into invitations (id, account_id, address, role, state, inviter, created_at, \
     expires_at, last_sent_at) select 'inv_odd', id, 'odd@example.com', 'developer', 'odd', \
     'service', 0, 0, 0 from accounts where slug = 'acme'",
    "insert into outbox (id, account_id, template, subject, address, words, created_at, \
     not_before) select 'odd', id, 'invitation', 'inv_odd', 'odd@example.com', \
     '{\"account\":\"Acme\",\"slug\":\"acme\",\"role\":\"developer\"}', 0, -1 \
     from accounts where slug = 'acme'",
];

#[tokio::test]
async fn one_mail_that_cannot_be_dealt_with_does_not_keep_the_others_waiting() {
    let service = TestService::start().await;
    for statement in NOT_UNDERSTOOD {
        service.sql(statement).await;
    }
    service.invite("ana@example.com", "developer").await.expect(StatusCode::CREATED);
    // The first look ends at the odd one, whoever makes it.
    let _ = service.running().deliver_due().await;
    let mails = service.mails().await;
    let addressees: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(addressees, ["ana@example.com"]);
    service.stop().await;
}

#[tokio::test]
async fn one_refused_address_does_not_keep_the_others_waiting() {
    let (service, peer) = world().await;
    let first = Fault::SlowAtData(Duration::from_millis(200));
    peer.fault([first, Fault::Rcpt(550), Fault::Rcpt(451), Fault::None]);
    service.subscribe("scale").await;
    for name in ["a", "b", "c", "d"] {
        invite(&service, &format!("{name}@example.com")).await;
    }
    deliver(&service).await;
    assert_eq!(peer.taken_for(), ["a@example.com", "d@example.com"]);
    assert_eq!(stands(&service, "b@example.com").await, "failed failed");
    assert_eq!(stands(&service, "c@example.com").await, "pending queued");
    service.stop().await;
}

#[tokio::test]
async fn a_mail_that_is_refused_for_now_waits_longer_each_time_and_arrives_once() {
    let (service, peer) = world().await;
    peer.fault([Fault::Rcpt(451), Fault::DropAtData, Fault::End(452), Fault::SilentAtRcpt]);
    let tries = || peer.commands().iter().filter(|line| line.starts_with("MAIL")).count();
    invite(&service, ANA).await;
    let mut waited = 0;
    for minutes in [1, 2, 4] {
        deliver(&service).await;
        assert_eq!(stands(&service, ANA).await, "pending queued");
        let before = tries();
        service.clock.advance(SignedDuration::from_secs(minutes * 60 - 1));
        deliver(&service).await;
        assert_eq!(tries(), before, "too early, after {waited} minutes");
        service.clock.advance(SignedDuration::from_secs(1));
        deliver(&service).await;
        assert_eq!(tries(), before + 1, "too late, after {waited} minutes");
        waited += minutes;
    }
    let row = &rows(&service, "select attempts from outbox").await[0];
    assert_eq!(row.get::<i64, _>(0), 4);
    service.clock.advance(SignedDuration::from_mins(8));
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending sent");
    assert_eq!(peer.taken_for(), [ANA]);
    service.stop().await;
}

#[tokio::test]
async fn a_mail_that_is_refused_for_now_for_five_days_has_failed() {
    let (service, peer) = world().await;
    peer.fault([Fault::Rcpt(450), Fault::Rcpt(450)]);
    invite(&service, ANA).await;
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending queued");
    service.clock.advance(SignedDuration::from_hours(5 * 24));
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "failed failed");
    service.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_is_gone_for_an_hour_loses_and_doubles_nothing() {
    let (service, mut peer) = world().await;
    peer.stop();
    let people = ["a@example.com", "b@example.com", "c@example.com"];
    for email in people {
        invite(&service, email).await;
        for _ in 0..3 {
            deliver(&service).await;
            service.clock.advance(SignedDuration::from_mins(7));
        }
    }
    for email in people {
        assert_eq!(stands(&service, email).await, "pending queued");
    }
    peer.come_back();
    deliver(&service).await;
    deliver(&service).await;
    assert_eq!(peer.taken_for(), people);
    for email in people {
        assert_eq!(stands(&service, email).await, "pending sent");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_sender_fails_nobody() {
    for code in [421, 451, 530, 550] {
        let (service, peer) = world().await;
        // The background tries too.
        peer.fault([Fault::Mail(code); 9]);
        invite(&service, ANA).await;
        deliver(&service).await;
        assert_eq!(stands(&service, ANA).await, "pending queued", "{code}");
        let row = &rows(&service, "select attempts, not_before from outbox").await[0];
        let charged: (i64, i64) = (row.get(0), row.get(1));
        assert_eq!(charged, (0, 0), "{code}: it is due as soon as the server takes mails again");
        service.stop().await;
    }
}

#[tokio::test]
async fn without_an_answer_after_the_message_nobody_knows_and_nobody_repeats_it() {
    for fault in [Fault::DropAtEnd, Fault::SilentAtEnd] {
        let peer = Peer::start();
        let answer_within = Duration::from_millis(100);
        let service = service_with(SmtpSettings { answer_within, ..smtp(peer.port) }).await;
        peer.fault([fault]);
        invite(&service, ANA).await;
        deliver(&service).await;
        assert_eq!(stands(&service, ANA).await, "pending unknown", "{fault:?}");
        service.clock.advance(SignedDuration::from_hours(24));
        deliver(&service).await;
        let service = service.restart().await;
        deliver(&service).await;
        assert_eq!(peer.taken_for(), [ANA], "{fault:?}");
        assert_eq!(stands(&service, ANA).await, "pending unknown", "{fault:?}");

        let row = invitation(&service, ANA).await;
        let path = format!("{INVITATIONS}/{}/resend", text(&row["id"]));
        let call = service.call(Method::POST, &path).token(TOKEN).key("again");
        call.if_match(&text(&row["etag"])).send().await.expect(StatusCode::OK);
        deliver(&service).await;
        assert_eq!(peer.taken_for(), [ANA, ANA], "{fault:?}: a person can ask for it");
        assert_eq!(stands(&service, ANA).await, "pending sent", "{fault:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_slow_mail_server_keeps_neither_the_api_nor_what_is_due_waiting() {
    let (service, peer) = world().await;
    peer.fault([Fault::SlowAtData(Duration::from_secs(2))]);
    invite(&service, ANA).await;
    until(async || peer.commands().iter().any(|line| line == "DATA")).await;
    invite(&service, "bea@example.com").await;
    service.pass(SignedDuration::from_hours(60 * 24)).await;
    assert_eq!(invitation(&service, "bea@example.com").await["state"], "expired");
    assert_eq!(peer.taken_for(), Vec::<String>::new(), "the mail is still on its way");
    service.stop().await;
}

#[tokio::test]
async fn an_invitation_that_is_revoked_while_its_mail_is_announced_is_not_mailed() {
    let (service, peer) = world().await;
    peer.fault([Fault::SlowAtData(Duration::from_millis(500))]);
    invite(&service, ANA).await;
    until(async || peer.commands().iter().any(|line| line == "DATA")).await;
    let id = text(&invitation(&service, ANA).await["id"]);
    let call = service.call(Method::POST, &format!("{INVITATIONS}/{id}/revoke"));
    call.token(TOKEN).if_match("*").send().await.expect(StatusCode::OK);
    deliver(&service).await;
    assert_eq!(peer.taken_for(), Vec::<String>::new());
    invite(&service, "bea@example.com").await;
    deliver(&service).await;
    assert_eq!(peer.taken_for(), ["bea@example.com"], "the next one goes out");
    service.stop().await;
}

#[tokio::test]
async fn mails_that_another_process_holds_are_left_to_it_until_its_claim_lapses() {
    let (service, mut peer) = world().await;
    peer.stop();
    for email in [ANA, "bea@example.com"] {
        invite(&service, email).await;
    }
    deliver(&service).await;
    let until = service.clock.now() + SignedDuration::from_secs(30);
    let mut conn = service.database().await;
    for (email, state) in [(ANA, "queued"), ("bea@example.com", "sending")] {
        sqlx::query(
            "update outbox set claimed_by = 'other', claimed_until = $1, state = $2 \
             where address = $3",
        )
        .bind(until.as_microsecond())
        .bind(state)
        .bind(email)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    conn.close().await.unwrap();
    peer.come_back();
    deliver(&service).await;
    assert_eq!(peer.taken_for(), Vec::<String>::new());
    assert_eq!(stands(&service, "bea@example.com").await, "pending queued");
    service.clock.advance(SignedDuration::from_secs(30));
    deliver(&service).await;
    assert_eq!(peer.taken_for(), [ANA]);
    assert_eq!(stands(&service, "bea@example.com").await, "pending unknown");
    service.stop().await;
}

#[tokio::test]
async fn processes_that_share_an_outbox_send_every_mail_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = Kind::Postgres.database(folder.path()).await;
    let seed = SEED.replace("[growth]", "[custom]");
    let peer = Peer::start();
    let start = async || {
        TestService::start_as(&seed, |settings| {
            settings.database = database.clone();
            settings.mail = MailSettings::Smtp(smtp(peer.port));
        })
        .await
    };
    let services = [start().await, start().await, start().await];
    let people: Vec<String> = (0..30).map(|n| format!("p{n:02}@example.com")).collect();
    for (email, service) in people.iter().zip(services.iter().cycle()) {
        invite(service, email).await;
    }
    let [one, two, three] = services;
    tokio::join!(deliver(&one), deliver(&two), deliver(&three));
    until(async || {
        let rows = one.list(INVITATIONS).await;
        rows.iter().all(|row| row["delivery"] == "sent")
    })
    .await;
    let mut taken = peer.taken_for();
    taken.sort();
    assert_eq!(taken, people);
    for service in [one, two, three] {
        service.stop().await;
    }
}

#[tokio::test]
async fn who_hands_a_mail_over_knows_better_than_who_found_its_claim_lapsed() {
    let (service, peer) = world().await;
    peer.fault([Fault::SlowAtEnd(Duration::from_millis(500))]);
    invite(&service, ANA).await;
    until(async || peer.taken_for() == [ANA]).await;
    service.sql("update outbox set state = 'unknown', claimed_until = null").await;
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending sent");
    assert_eq!(peer.taken_for(), [ANA]);
    service.stop().await;
}

#[tokio::test]
async fn a_mail_that_comes_back_fails_its_invitation_once_and_nothing_else() {
    let (service, peer) = world().await;
    for email in [ANA, "bea@example.com", "cyd@example.com"] {
        invite(&service, email).await;
    }
    deliver(&service).await;
    let taken = peer.taken();
    come_back(&service, &taken[0].from).await;
    assert_eq!(stands(&service, ANA).await, "failed failed");
    assert_eq!(service.seats().await["breakdown"]["pending"], json!(2));
    let row = invitation(&service, ANA).await;
    come_back(&service, &taken[0].from.to_lowercase()).await;
    assert_eq!(invitation(&service, ANA).await, row, "the second report changes nothing");

    // Accepted meanwhile, or sent again: the person is in, or may still be reached.
    service.browser().accept_by_sign_up(&link_in(&taken[1].raw)).await;
    come_back(&service, &taken[1].from).await;
    assert_eq!(service.people().await, "bea:biller:active");
    let again = invitation(&service, "cyd@example.com").await;
    let path = format!("{INVITATIONS}/{}/resend", text(&again["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("again");
    call.if_match(&text(&again["etag"])).send().await.expect(StatusCode::OK);
    come_back(&service, &taken[2].from).await;
    deliver(&service).await;
    assert_eq!(stands(&service, "cyd@example.com").await, "pending sent");

    let forged = taken[2].from.replacen('-', "-0", 1);
    for bad in ["x", "bounce@example.com", &forged] {
        let body = json!({ "return_path": bad, "action": "failed" });
        let problem = report(&service, VENDOR_TOKEN, &body).await.refused(400, "invalid-request");
        assert_eq!(problem["errors"][0]["pointer"], "/return_path");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_notification_of_anything_but_a_failure_changes_nothing_and_only_the_vendor_reports_one()
{
    let (service, peer) = world().await;
    invite(&service, ANA).await;
    deliver(&service).await;
    let row = invitation(&service, ANA).await;
    let path = &peer.taken()[0].from;
    for action in ["delayed", "delivered", "relayed", "expanded"] {
        let body = json!({ "return_path": path, "action": action });
        report(&service, VENDOR_TOKEN, &body).await.expect(StatusCode::NO_CONTENT);
    }
    let failed = json!({ "return_path": path, "action": "failed" });
    report(&service, TOKEN, &failed).await.refused(403, "forbidden");
    for body in
        [json!({ "return_path": path, "action": "bounced" }), json!({ "return_path": path })]
    {
        report(&service, VENDOR_TOKEN, &body).await.refused(400, "invalid-request");
    }
    assert_eq!(invitation(&service, ANA).await, row);

    report(&service, VENDOR_TOKEN, &failed).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(stands(&service, ANA).await, "failed failed");
    service.stop().await;
}

#[tokio::test]
async fn a_request_for_access_that_is_refused_or_comes_back_says_so_and_stays_requested() {
    let (service, peer) = world().await;
    let agency = service.call(Method::PATCH, "/v1/accounts/acme").token(VENDOR_TOKEN);
    let agency = agency.if_match("*").json(&json!({ "agency": true }));
    agency.send().await.expect(StatusCode::OK);
    peer.fault([Fault::Rcpt(550), Fault::None]);
    let path = "/v1/accounts/acme/client-access";
    for email in [ANA, "bea@example.com"] {
        let call = service.call(Method::POST, path).token(TOKEN).key(email);
        let body = json!({ "email": email, "role": "biller" });
        call.json(&body).send().await.expect(StatusCode::CREATED);
        deliver(&service).await;
    }
    let came_back = peer.taken().remove(0);
    come_back(&service, &came_back.from).await;
    for row in service.list(path).await {
        assert_eq!((&row["state"], &row["delivery"]), (&json!("requested"), &json!("failed")));
    }
    service.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_is_to_offer_starttls_and_does_not_gets_neither_password_nor_mail() {
    let peer = Peer::start_as(Ways { login: true, ..Ways::default() });
    let service = service_with(signing_in(SmtpSecurity::Starttls, &peer)).await;
    invite(&service, ANA).await;
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending queued");
    let said = peer.commands();
    assert!(said.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{said:?}");
    service.stop().await;
}

fn signing_in(security: SmtpSecurity, peer: &Peer) -> SmtpSettings {
    let password = "canary-password".into();
    let login = Some(SmtpLogin { user: "me".to_owned(), password });
    SmtpSettings { security, login, ..smtp(peer.port) }
}

#[tokio::test]
async fn mail_and_password_go_only_over_tls_that_is_verified() {
    for (security, ways) in [
        (SmtpSecurity::Starttls, Ways { starttls: true, login: true, ..Ways::default() }),
        (SmtpSecurity::Implicit, Ways { implicit: true, login: true, ..Ways::default() }),
    ] {
        let peer = Peer::start_as(ways);
        let right = signing_in(security, &peer);
        for wrong in [
            SmtpSettings { ca: None, ..right.clone() },
            SmtpSettings { ca: Some(ANOTHER_CA.to_vec()), ..right.clone() },
            SmtpSettings { host: "localhost".to_owned(), ..right.clone() },
        ] {
            let service = service_with(wrong).await;
            invite(&service, ANA).await;
            deliver(&service).await;
            assert_eq!(stands(&service, ANA).await, "pending queued");
            service.stop().await;
        }
        let told = peer.commands();
        assert!(!told.iter().any(|line| line == "AUTH"), "{told:?}");

        let service = service_with(right).await;
        invite(&service, ANA).await;
        deliver(&service).await;
        assert_eq!(peer.taken_for(), [ANA], "{security:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn an_answer_that_was_slipped_in_before_tls_neither_loses_a_mail_nor_fails_it() {
    let ways = Ways { starttls: true, login: true, injects: true, ..Ways::default() };
    let peer = Peer::start_as(ways);
    let service = service_with(signing_in(SmtpSecurity::Starttls, &peer)).await;
    invite(&service, ANA).await;
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending queued");
    assert_eq!(peer.taken_for(), Vec::<String>::new());
    service.stop().await;
}

// rule: OP-10
#[tokio::test]
async fn a_wrong_password_stops_all_mails_fails_nobody_and_is_printed_nowhere() {
    let peer = Peer::start_as(Ways { login: true, ..Ways::default() });
    let mut wrong = signing_in(SmtpSecurity::Plain, &peer);
    wrong.login.as_mut().unwrap().password = "another-canary".into();
    assert!(!format!("{wrong:?}").contains("canary"), "{wrong:?}");
    let service = service_with(wrong).await;
    invite(&service, ANA).await;
    deliver(&service).await;
    assert_eq!(stands(&service, ANA).await, "pending queued");
    service.stop().await;
}

#[tokio::test]
async fn settings_of_mail_that_would_leak_or_fail_later_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (wrong, why) in [
        (SmtpSettings { host: "mail.example.com".to_owned(), ..smtp(25) }, "without TLS"),
        (SmtpSettings { ca: Some(b"nothing".to_vec()), ..smtp(25) }, "PEM"),
        (
            SmtpSettings {
                return_path: Some("account-bounces@example.com".parse().unwrap()),
                ..smtp(25)
            },
            "10 characters",
        ),
    ] {
        let mut settings = settings(folder.path(), SEED, &TestClock::new());
        settings.mail = MailSettings::Smtp(wrong);
        match start(settings).await {
            Err(ServerError::Mail(error)) => assert!(error.to_string().contains(why), "{error}"),
            Err(error) => unreachable!("{error}"),
            Ok(_) => unreachable!("it started: {why}"),
        }
    }
}

// rule: OP-02
#[tokio::test]
async fn killed_after_the_message_and_before_its_answer_the_mail_is_unknown_and_not_repeated() {
    let peer = Peer::start();
    peer.fault([Fault::SilentAtEnd]);
    let home = Desk::empty();
    home.write("seed.yaml", SEED);
    let url = format!("smtp://127.0.0.1:{}?tls=none", peer.port);
    let more = ["--smtp", url.as_str(), "--mail-from", "seats@example.com"];
    let mut process = serve(&home, &more).await;
    let http = crate::service::client();
    let request = http.post(format!("{}{INVITATIONS}", process.url)).bearer_auth(TOKEN);
    let request = request.header("idempotency-key", "k");
    let body = json!({ "email": ANA, "role": "biller" });
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    until(async || peer.taken_for() == [ANA]).await;
    process.kill().await;
    let process = serve(&home, &more).await;
    until(async || {
        let list = http.get(format!("{}{INVITATIONS}", process.url)).bearer_auth(TOKEN);
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        list["items"][0]["delivery"] == "unknown"
    })
    .await;
    assert_eq!(peer.taken_for(), [ANA]);
    let log = home.read("server.log");
    assert!(!log.contains('@'), "an address is in the log: {log}");
}
