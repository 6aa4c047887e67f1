//! The account API client against answers that are wrong, late, or never come.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use seatkeeper::backend::account_api::AccountApi;
use seatkeeper::backend::{Backend as _, BackendError, Executed};
use seatkeeper::domain::identity::EmailAddress;
use seatkeeper::domain::keys::{AccountKey, ETag, InvitationId, MemberId, RequestKey, RoleName};
use seatkeeper::domain::observed::{Claim, InvitationState, MemberState, Observed, RoleSeen};
use seatkeeper::plan::action::{Action, Direction, EndCause, InvitationRow, MemberRow};
use seatkeeper::profile::{Profile, built_in};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::scripted::{
    Answer, Scripted, Seen, TOKEN, account, client, invitation, member, page, with,
};

const ACCOUNT: &str = "/v1/accounts/acc_1";

fn nitropack() -> Arc<Profile> {
    built_in("nitropack").unwrap()
}

fn person(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

fn key() -> RequestKey {
    RequestKey::from("key-1")
}

/// The words of a whole error: message, every cause, and `Debug`.
fn words(error: &BackendError) -> String {
    let mut words = format!("{error:?}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// Answers by path, and a healthy account with one member for every other path.
async fn service(answers: &[(&str, Answer)]) -> Scripted {
    let answers: BTreeMap<String, Answer> =
        answers.iter().map(|(line, answer)| ((*line).to_owned(), answer.clone())).collect();
    Scripted::start(move |seen| {
        let path = seen.line.split('?').next().unwrap();
        let scripted = answers.get(&seen.line).or_else(|| answers.get(path));
        scripted.cloned().unwrap_or_else(|| healthy(path))
    })
    .await
}

fn healthy(line: &str) -> Answer {
    Answer::json(&match line {
        "GET /v1/accounts/acc_1" => account("acc_1", "acme"),
        "GET /v1/accounts/acc_1/members" => page(&[member("mem_1", "ana@example.com")]),
        "GET /v1/accounts/acc_1/invitations" => page(&[]),
        _ => return Answer::problem(404, "not-found"),
    })
}

/// Reads account `acc_1`.
async fn observe(api: &AccountApi) -> Result<Observed, BackendError> {
    api.observe(&AccountKey::from("acc_1"), &nitropack()).await
}

/// Reads an account whose `list` answers `answer`; gives the error in short.
async fn check(list: &str, answer: Answer) -> String {
    let service = service(&[(&format!("GET {ACCOUNT}{list}"), answer)]).await;
    match observe(&service.client()).await {
        Ok(observed) => format!("ok: {} members", observed.members.len()),
        Err(error) => format!("{error:?}"),
    }
}

fn malformed(what: &str) -> String {
    format!("Malformed {{ what: {what:?} }}")
}

#[tokio::test]
async fn what_is_not_the_json_of_the_api_is_no_answer() {
    let html = Answer::text(200, "text/html; charset=utf-8", "<h1>Sign in</h1>");
    let half = page(&[member("mem_1", "ana@example.com")]).to_string();
    let half = Answer::text(200, "application/json", &half[..half.len() / 2]);
    for list in ["", "/members", "/invitations"] {
        assert_eq!(check(list, html.clone()).await, malformed("not JSON"), "{list}");
        assert_eq!(
            check(list, half.clone()).await,
            malformed("not the JSON of this API"),
            "{list}"
        );
        let empty = Answer::text(200, "application/json", "");
        assert_eq!(check(list, empty).await, malformed("not the JSON of this API"), "{list}");
        let redirect = Answer::text(302, "text/plain", "").with("location", "/elsewhere");
        assert_eq!(
            check(list, redirect).await,
            malformed("a status that the API does not have"),
            "{list}"
        );
    }
}

#[tokio::test]
async fn a_row_without_its_id_or_with_a_wrong_address_spoils_the_whole_read() {
    let mut without_id = member("mem_1", "ana@example.com");
    without_id.as_object_mut().unwrap().remove("id");
    for (row, what) in [
        (without_id, "not the JSON of this API"),
        (member("", "ana@example.com"), "an id that cannot be one"),
        (member("../../accounts/acc_2", "ana@example.com"), "an id that cannot be one"),
        (member("mem_1", "ana"), "an address that cannot be one"),
        (
            with(member("mem_1", "a@example.com"), "added_at", json!("soon")),
            "not the JSON of this API",
        ),
    ] {
        let rows = [member("mem_0", "zoe@example.com"), row];
        let said = check("/members", Answer::json(&page(&rows))).await;
        assert_eq!(said, malformed(what));
    }
}

#[tokio::test]
async fn an_answer_for_another_account_is_refused() {
    let other = Answer::json(&account("acc_2", "other"));
    let what = malformed("another account than the one asked for");
    assert_eq!(check("", other).await, what);
}

#[tokio::test]
async fn an_account_asked_for_by_its_short_name_is_read_under_its_id() {
    let service =
        service(&[("GET /v1/accounts/acme", Answer::json(&account("acc_1", "acme")))]).await;
    let api = service.client();
    let observed = api.observe(&AccountKey::from("acme"), &nitropack()).await.unwrap();
    assert_eq!(observed.account.key.as_str(), "acc_1");
    let lines: Vec<String> = service.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/accounts/acme",
            "GET /v1/accounts/acc_1/invitations?page_size=1000",
            "GET /v1/accounts/acc_1/members?page_size=1000",
        ]
    );
}

#[tokio::test]
async fn an_empty_list_is_taken_as_it_is_and_its_evidence_does_not_hide_it() {
    let empty = |total: u64| service_with_members(json!({"items": [], "total": total, "as_of": 7}));
    for total in [0, 1] {
        let service = empty(total).await;
        let observed = observe(&service.client()).await.unwrap();
        assert!(observed.members.is_empty());
        assert_eq!(observed.evidence.member_rows, 0);
        assert_eq!(observed.evidence.member_total, total);
        assert_eq!(observed.account.seats.active, 1, "the account read still counts one");
    }
}

async fn service_with_members(list: Value) -> Scripted {
    service(&[("GET /v1/accounts/acc_1/members", Answer::json(&list))]).await
}

#[tokio::test]
async fn rows_that_came_twice_are_counted_and_taken_once() {
    let rows = [
        member("mem_1", "ana@example.com"),
        member("mem_1", "ana@example.com"),
        member("mem_2", "Ana@EXAMPLE.com"),
        member("mem_1", "bob@example.com"),
    ];
    let service = service_with_members(page(&rows)).await;
    let observed = observe(&service.client()).await.unwrap();
    assert_eq!(observed.evidence.duplicates, 3);
    assert_eq!((observed.evidence.member_rows, observed.evidence.member_total), (4, 4));
    assert_eq!(observed.members.len(), 1);
}

#[tokio::test]
async fn pages_are_read_to_the_end_and_a_total_that_disagrees_is_kept_as_evidence() {
    let first = json!({
        "items": [member("mem_1", "ana@example.com")], "next_cursor": "a&b=c", "total": 3, "as_of": 7,
    });
    let second = json!({"items": [member("mem_2", "bob@example.com")], "total": 3, "as_of": 8});
    let service = service(&[
        ("GET /v1/accounts/acc_1/members?page_size=1000", Answer::json(&first)),
        ("GET /v1/accounts/acc_1/members?page_size=1000&cursor=a%26b%3Dc", Answer::json(&second)),
    ])
    .await;
    let observed = observe(&service.client()).await.unwrap();
    assert_eq!(observed.members.len(), 2);
    assert_eq!((observed.evidence.member_rows, observed.evidence.member_total), (2, 3));
}

#[tokio::test]
async fn a_page_that_fails_in_the_middle_fails_the_read() {
    let first = json!({
        "items": [member("mem_1", "ana@example.com")], "next_cursor": "c2", "total": 2, "as_of": 7,
    });
    for (answer, said) in [
        (Answer::problem(500, "internal"), "Failed { status: 500 }".to_owned()),
        (Answer::text(200, "text/html", "<p>"), malformed("not JSON")),
        (
            Answer::json(&json!({"items": [], "total": 2, "as_of": 6})),
            malformed("a page that is older than the one before"),
        ),
    ] {
        let service = service(&[
            ("GET /v1/accounts/acc_1/members?page_size=1000", Answer::json(&first)),
            ("GET /v1/accounts/acc_1/members?page_size=1000&cursor=c2", answer),
        ])
        .await;
        let error = observe(&service.client()).await.unwrap_err();
        assert_eq!(format!("{error:?}"), said);
    }
}

#[tokio::test]
async fn pages_that_lead_nowhere_end_the_read() {
    let lead = |items: Value, cursor: &str| {
        Answer::json(&json!({"items": items, "next_cursor": cursor, "total": 2, "as_of": 7}))
    };
    let what = malformed("pages that lead nowhere");
    let row = json!([member("mem_1", "ana@example.com")]);
    assert_eq!(check("/members", lead(row.clone(), "again")).await, what, "the same page forever");
    assert_eq!(
        check("/members", lead(json!([]), "c2")).await,
        what,
        "an empty page with a next one"
    );
    assert_eq!(check("/members", lead(row, &"c".repeat(4000))).await, what, "an endless cursor");

    let rows: Vec<Value> =
        (0..1001).map(|n| member(&format!("mem_{n}"), &format!("p{n}@example.com"))).collect();
    let said = check("/members", Answer::json(&page(&rows))).await;
    assert_eq!(said, malformed("a page with more rows than asked for"));
}

#[tokio::test]
async fn ever_new_cursors_end_at_the_bound() {
    let service = Scripted::start(|seen| {
        let path = seen.line.split('?').next().unwrap();
        if !path.ends_with("/invitations") {
            return healthy(path);
        }
        let n = seen.line.rsplit_once("cursor=").map_or(0, |(_, n)| n.parse::<u64>().unwrap());
        let row = invitation(&format!("inv_{n}"), &format!("p{n}@example.com"), "pending");
        let next = (n + 1).to_string();
        Answer::json(&json!({"items": [row], "next_cursor": next, "total": 9, "as_of": 7}))
    })
    .await;
    let error = observe(&service.client()).await.unwrap_err();
    assert_eq!(format!("{error:?}"), malformed("more pages than an account can have"));
    assert_eq!(service.seen().len(), 1 + 250);
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_depth() {
    let large =
        format!(r#"{{"items": [], "total": 0, "as_of": 7, "x": "{}"}}"#, "x".repeat(9 << 20));
    let said = check("/members", Answer::text(200, "application/json", &large)).await;
    assert_eq!(said, malformed("larger than 8 MiB"));

    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!(r#"{{"items": [], "total": 0, "as_of": 7, "x": {nested}}}"#);
    let said = check("/members", Answer::text(200, "application/json", &deep)).await;
    assert_eq!(said, malformed("nested too deeply"));
}

#[tokio::test]
async fn words_that_we_do_not_know_are_unknown_and_new_fields_are_ignored() {
    let rows = [
        with(member("mem_1", "ana@example.com"), "role", json!("archivist")),
        with(member("mem_2", "bob@example.com"), "state", json!("asleep")),
        with(member("mem_3", "cyd@example.com"), "state", json!("trimmed")),
    ];
    let invited = [
        with(invitation("inv_1", "dan@example.com", "pending"), "role", json!("archivist")),
        invitation("inv_2", "eve@example.com", "asleep"),
    ];
    let mut answered = with(account("acc_1", "acme"), "mood", json!({"new": true}));
    answered["claim"] = json!({"installation_id": "i1", "fingerprint": "f1", "since": 1});
    let service = service(&[
        ("GET /v1/accounts/acc_1", Answer::json(&answered)),
        ("GET /v1/accounts/acc_1/members", Answer::json(&with(page(&rows), "mood", json!(1)))),
        ("GET /v1/accounts/acc_1/invitations", Answer::json(&page(&invited))),
    ])
    .await;
    let observed = observe(&service.client()).await.unwrap();
    assert_eq!(observed.members[&person("ana@example.com")].role, RoleSeen::Unknown);
    assert_eq!(observed.members[&person("bob@example.com")].state, MemberState::Unknown);
    assert_eq!(observed.members[&person("cyd@example.com")].state, MemberState::Trimmed);
    assert_eq!(observed.invitations[&person("dan@example.com")].role, RoleSeen::Unknown);
    let eve = &observed.invitations[&person("eve@example.com")];
    assert_eq!(eve.state, InvitationState::Unknown);
    assert_eq!(observed.account.claim.unwrap().fingerprint, "f1");
}

#[tokio::test]
async fn an_account_in_an_unknown_state_is_not_acted_on() {
    let asleep = with(account("acc_1", "acme"), "state", json!("asleep"));
    let said = check("", Answer::json(&asleep)).await;
    assert_eq!(said, malformed("an account in a state we do not know"));
}

// rule: OP-09
#[tokio::test]
async fn the_service_may_spell_an_address_as_it_likes() {
    let rows = [member("mem_1", "Ana@Mail.BÜCHER.example")];
    let service = service_with_members(page(&rows)).await;
    let observed = observe(&service.client()).await.unwrap();
    assert!(observed.members.contains_key(&person("ana@mail.xn--bcher-kva.example")));
}

#[tokio::test]
async fn of_several_invitations_of_one_person_the_one_that_matters_is_kept() {
    let made = |id: &str, state: &str, day: u32| {
        let at = json!(format!("2026-01-{day:02}T00:00:00Z"));
        with(invitation(id, "ana@example.com", state), "created_at", at)
    };
    for (rows, kept, duplicates) in [
        (vec![made("inv_1", "pending", 1), made("inv_2", "expired", 2)], "inv_1", 0),
        (vec![made("inv_1", "expired", 2), made("inv_2", "declined", 1)], "inv_1", 0),
        (vec![made("inv_1", "declined", 1), made("inv_2", "asleep", 1)], "inv_2", 0),
        (vec![made("inv_1", "pending", 1), made("inv_2", "pending", 2)], "inv_2", 1),
        (vec![made("inv_1", "revoked", 3), made("inv_2", "failed", 1)], "inv_2", 0),
    ] {
        let list = ("GET /v1/accounts/acc_1/invitations", Answer::json(&page(&rows)));
        let observed = observe(&service(&[list]).await.client()).await.unwrap();
        assert_eq!(observed.invitations[&person("ana@example.com")].id.as_str(), kept);
        assert_eq!(observed.evidence.duplicates, duplicates);
        assert_eq!(observed.evidence.invitation_rows, 2);
    }
}

#[tokio::test]
async fn refusals_of_a_read_say_what_helps() {
    let wait = |status| Answer::problem(status, "rate-limited").with("retry-after", "7");
    let date = Answer::problem(429, "rate-limited")
        .with("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .with("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
    for (answer, said) in [
        (Answer::problem(401, "unauthenticated"), "Unauthorized"),
        (Answer::text(401, "text/html", ""), "Unauthorized"),
        (Answer::problem(403, "scope-missing"), r#"Forbidden { code: "scope-missing" }"#),
        (wait(403), "RateLimited { wait: 7s }"),
        (wait(429), "RateLimited { wait: 7s }"),
        (date, "RateLimited { wait: 60s }"),
        (wait(503), "Unavailable { wait: 7s }"),
        (Answer::problem(500, "internal"), "Failed { status: 500 }"),
        (Answer::text(502, "text/html", "<h1>Bad Gateway</h1>"), "Failed { status: 502 }"),
        (Answer::problem(404, "not-found"), "NoSuchAccount"),
    ] {
        for list in ["", "/members", "/invitations"] {
            assert_eq!(check(list, answer.clone()).await, said, "{list}");
        }
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_or_too_slow_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let error = observe(&client(&url)).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
    assert!(words(&error).contains("refused"), "{}", words(&error));

    let slow = healthy("GET /v1/accounts/acc_1").after(Duration::from_secs(60));
    let service = service(&[("GET /v1/accounts/acc_1", slow)]).await;
    let api = service.client().with_deadline(Duration::from_millis(50));
    let error = observe(&api).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
}

/// One action of each kind.
fn actions() -> Vec<Action> {
    let at = Timestamp::UNIX_EPOCH;
    let ana = person("ana@example.com");
    let member = MemberRow { id: MemberId::from("mem_1"), etag: ETag::from("\"1\""), added_at: at };
    let invitation = InvitationRow {
        id: InvitationId::from("inv_1"),
        etag: ETag::from("\"2\""),
        created_at: at,
    };
    let (from, to) = (RoleName::from("biller"), RoleName::from("developer"));
    vec![
        Action::Invite { person: ana.clone(), role: to.clone(), epoch: 0, key: None },
        Action::RevokeInvitation {
            person: ana.clone(),
            invitation: invitation.clone(),
            cause: EndCause::NotDeclared,
        },
        Action::Trim { person: ana.clone(), member: member.clone() },
        Action::Reinstate { person: ana.clone(), member: member.clone() },
        Action::Remove {
            person: ana.clone(),
            member: member.clone(),
            cause: EndCause::NotDeclared,
        },
        Action::ChangeRole {
            person: ana.clone(),
            member,
            from: from.clone(),
            to: to.clone(),
            direction: Direction::Raise,
        },
        Action::ChangeInvitedRole { person: ana, invitation, from, to },
    ]
}

async fn execute(api: &AccountApi, action: &Action) -> Result<Executed, BackendError> {
    api.execute(&AccountKey::from("acc_1"), action, &key()).await
}

#[tokio::test]
async fn each_action_is_one_request_with_its_version_and_key() {
    let service = Scripted::start(|_| Answer::problem(412, "stale")).await;
    let api = service.client();
    for action in actions() {
        let error = execute(&api, &action).await.unwrap_err();
        assert_eq!(format!("{error:?}"), r#"Changed { code: "stale" }"#);
    }
    let shown = |seen: &Seen| {
        let (version, key) = (seen.header("if-match"), seen.header("idempotency-key"));
        format!("{} if-match={version} key={key} {}", seen.line, seen.body)
    };
    let seen: Vec<String> = service.seen().iter().map(shown).collect();
    assert_eq!(
        seen,
        [
            r#"POST /v1/accounts/acc_1/invitations if-match= key=key-1 {"email":"ana@example.com","role":"developer","external_ref":"key-1"}"#,
            r#"POST /v1/accounts/acc_1/invitations/inv_1/revoke if-match="2" key=key-1 "#,
            r#"POST /v1/accounts/acc_1/members/mem_1/trim if-match="1" key=key-1 "#,
            r#"POST /v1/accounts/acc_1/members/mem_1/reinstate if-match="1" key=key-1 "#,
            r#"DELETE /v1/accounts/acc_1/members/mem_1 if-match="1" key= "#,
            r#"PATCH /v1/accounts/acc_1/members/mem_1 if-match="1" key= {"role":"developer"}"#,
            r#"PATCH /v1/accounts/acc_1/invitations/inv_1 if-match="2" key= {"role":"developer"}"#,
        ]
    );
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_is_answered() {
    for answer in [
        Answer::problem(500, "internal"),
        Answer::problem(503, "unavailable").with("retry-after", "0"),
        Answer::problem(429, "rate-limited").with("retry-after", "0"),
        Answer::problem(409, "conflict").with("retry-after", "0"),
        Answer::text(408, "text/plain", ""),
        Answer::text(425, "text/plain", ""),
        Answer::text(307, "text/plain", "").with("location", "/v1/elsewhere"),
        Answer::text(200, "text/html", "<h1>Sign in</h1>"),
        Answer::text(200, "application/json", r#"{"id": "inv_1", "error": "no"}"#),
        Answer::text(204, "text/plain", "").after(Duration::from_secs(60)),
    ] {
        let service = Scripted::start(move |_| answer.clone()).await;
        let api = service.client().with_deadline(Duration::from_millis(300));
        for (action, sent) in actions().iter().zip(1..) {
            let error = execute(&api, action).await.unwrap_err();
            let limited = matches!(error, BackendError::RateLimited { .. });
            assert_eq!(error.outcome_unknown(), !limited, "{action}: {error:?}");
            assert_eq!(service.seen().len(), sent, "{action} was sent again");
        }
    }
}

/// A server below HTTP: reads a request on each connection, answers what `answer` says to the
/// n-th of all (from 1), then closes the connection. Gives the number of requests.
async fn raw_server(
    answer: fn(usize) -> Option<String>,
) -> (url::Url, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                let n = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                let Some(answer) = answer(n) else { break };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (url, count)
}

fn http(length: usize, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_repeats_nothing() {
    let (url, count) = raw_server(|_| None).await;
    let error = execute(&client(&url), &actions()[4]).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
    assert!(error.outcome_unknown());
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_kept_connection_that_breaks_on_the_next_write_repeats_nothing() {
    let (url, count) = raw_server(|n| (n == 1).then(|| http(2, "{}"))).await;
    let api = client(&url);
    for sent in 1..=2 {
        let error = execute(&api, &actions()[4]).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error:?}");
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), sent);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let (url, _) = raw_server(|n| (n == 1).then(|| http(500, r#"{"id": "acc_1""#))).await;
    let api = client(&url).with_deadline(Duration::from_millis(300));
    let error = observe(&api).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn who_is_gone_is_removed_only_while_the_account_still_answers() {
    let line = "DELETE /v1/accounts/acc_1/members/mem_1";
    let gone = Answer::problem(404, "not-found");
    let remove = &actions()[4];

    let there = service(&[(line, gone.clone())]).await;
    assert_eq!(execute(&there.client(), remove).await.unwrap(), Executed::Gone);

    let hidden = service(&[(line, gone.clone()), ("GET /v1/accounts/acc_1", gone)]).await;
    let error = execute(&hidden.client(), remove).await.unwrap_err();
    assert!(matches!(error, BackendError::NoSuchAccount), "{error:?}");

    let proxy = service(&[(line, Answer::text(404, "text/html", "<h1>Not Found</h1>"))]).await;
    let error = execute(&proxy.client(), remove).await.unwrap_err();
    assert!(matches!(error, BackendError::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_success_that_does_not_show_the_change_is_in_doubt() {
    let ana = member("mem_1", "ana@example.com");
    let invited = invitation("inv_1", "ana@example.com", "pending");
    let what = "Malformed { what: \"an answer that does not show the change\" }";
    for (n, body) in [
        (0, with(invited.clone(), "email", json!("bob@example.com"))),
        (0, with(invited.clone(), "role", json!("admin"))),
        (0, invitation("inv_1", "ana@example.com", "revoked")),
        (1, invited.clone()),
        (2, ana.clone()),
        (3, with(ana.clone(), "state", json!("trimmed"))),
        (4, ana.clone()),
        (5, with(ana.clone(), "role", json!("biller"))),
        (5, with(ana, "email", json!("bob@example.com"))),
        (6, with(invited, "role", json!("biller"))),
    ] {
        let service = Scripted::start(move |_| Answer::json(&body)).await;
        let error = execute(&service.client(), &actions()[n]).await.unwrap_err();
        assert_eq!(format!("{error:?}"), what, "{}", actions()[n]);
        assert!(error.outcome_unknown());
    }
}

#[tokio::test]
async fn a_claim_is_ours_only_when_the_answer_says_so() {
    let claim = Claim { installation: "ours".into(), fingerprint: "file".to_owned() };
    for (installation, ok) in [("ours", true), ("theirs", false)] {
        let claimed = json!({"installation_id": installation, "fingerprint": "file"});
        let body = with(account("acc_1", "acme"), "claim", claimed);
        let service = Scripted::start(move |_| Answer::json(&body)).await;
        let api = service.client();
        let answer = api.claim(&"acc_1".into(), &claim, &ETag::from("\"1\"")).await;
        assert_eq!(answer.is_ok(), ok, "{answer:?}");
        let seen = service.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].line, "PATCH /v1/accounts/acc_1");
        assert_eq!(seen[0].header("if-match"), "\"1\"");
        assert_eq!(seen[0].body, r#"{"claim":{"installation_id":"ours","fingerprint":"file"}}"#);
    }
}

#[tokio::test]
async fn neither_token_nor_text_of_an_answer_gets_into_an_error() {
    let secrets = ["canary", "ana@example.com", "words of the service"];
    let echo = format!("{TOKEN} ana@example.com words of the service");
    for answer in [
        Answer::text(200, "text/html", &echo),
        Answer::text(200, "application/json", &format!(r#"{{"items": "{echo}"}}"#)),
        Answer::text(400, "text/plain", &echo),
        Answer::problem(401, TOKEN),
        Answer::problem(403, TOKEN),
        Answer::problem(409, TOKEN),
        Answer::problem(422, TOKEN),
        Answer::problem(500, TOKEN),
        Answer::text(302, "text/plain", "").with("location", &format!("/{TOKEN}")),
        Answer::text(429, "text/plain", &echo).with("retry-after", TOKEN),
    ] {
        let service = Scripted::start(move |_| answer.clone()).await;
        let api = service.client();
        let mut errors = vec![observe(&api).await.unwrap_err()];
        for action in actions() {
            errors.push(execute(&api, &action).await.unwrap_err());
        }
        for said in errors.iter().map(words) {
            assert!(!secrets.iter().any(|secret| said.contains(secret)), "{said}");
        }
        for seen in service.seen() {
            assert_eq!(seen.header("authorization"), format!("Bearer {TOKEN}"));
            assert!(!seen.line.contains("canary") && !seen.body.contains("canary"));
        }
    }
}

#[tokio::test]
async fn a_check_of_10_000_member_rows_takes_12_reads_and_14_with_the_rules() {
    const ROWS: usize = 10_000;
    let service = Scripted::start(|seen| {
        let (path, query) = seen.line.split_once('?').unwrap_or((&seen.line, ""));
        match path {
            "GET /v1/accounts/acc_1/members" => {
                let from = query.rsplit_once("cursor=").map_or(0, |(_, n)| n.parse().unwrap());
                assert!(query.starts_with("page_size=1000"), "{query}");
                let row = |n| member(&format!("mem_{n:05}"), &format!("p{n}@example.com"));
                let rows: Vec<Value> = (from..ROWS.min(from + 1000)).map(row).collect();
                let mut page = with(page(&rows), "total", json!(ROWS));
                if from + 1000 < ROWS {
                    page["next_cursor"] = json!((from + 1000).to_string());
                }
                Answer::json(&page)
            }
            "GET /v1/capabilities" => Answer::json(&json!({
                "server": "test", "idempotency_retention_seconds": 86400, "unique_pending": true,
                "external_ref": true, "if_match": true, "owner_and_seat_guard": true,
                "snapshot_paging": true, "claims": true, "trimmed_state": true,
                "max_page_size": 1000,
            })),
            "GET /v1/accounts/acc_1/roles" => Answer::json(&json!({
                "items": [], "plans": [{"name": "custom", "paid": true}],
                "counts": ["pending", "active"], "on_shrink": "keep",
            })),
            other => healthy(other),
        }
    })
    .await;
    let api = service.client();
    let observed = observe(&api).await.unwrap();
    assert_eq!((observed.members.len(), observed.evidence.member_rows), (ROWS, ROWS as u64));
    assert_eq!(service.seen().len(), 12);

    let guarantees = api.guarantees(&AccountKey::from("acc_1")).await.unwrap();
    assert_eq!(service.seen().len(), 14);
    assert_eq!(guarantees.key_retention, Duration::from_secs(86400));
    assert_eq!(guarantees.rules.plans, [("custom".to_owned(), None)]);
    assert_eq!(guarantees.rules.counts, ["active", "pending"]);
}
