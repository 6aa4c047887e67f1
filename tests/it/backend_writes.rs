//! The account API client writing: each request once, its outcome known or in doubt, and nothing
//! told that is not ours to tell.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use seatkeeper::backend::account_api::AccountApi;
use seatkeeper::backend::{Backend as _, BackendError, Executed};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::keys::{AccountKey, ETag, InvitationId, MemberId, RequestKey, RoleName};
use seatkeeper::domain::ledger_view::Cause;
use seatkeeper::domain::observed::Claim;
use seatkeeper::domain::particulars::Particulars;
use seatkeeper::plan::action::{Action, Direction, EndCause, InvitationRow, MemberRow};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use crate::scripted::{
    Answer, Scripted, Seen, TOKEN, account, client, invitation, member, observe, service, with,
    words,
};

fn person(email: &str) -> MemberKey {
    EmailAddress::parse(email).unwrap().into()
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
        sent: 1,
    };
    let (from, to) = (RoleName::from("biller"), RoleName::from("developer"));
    vec![
        Action::Invite {
            person: ana.clone(),
            particulars: Particulars::default(),
            role: to.clone(),
            cause: Cause::default(),
            key: None,
        },
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
        Action::ChangeInvitedRole {
            person: ana.clone(),
            invitation: invitation.clone(),
            from,
            to: to.clone(),
        },
        Action::Resend { person: ana, invitation, role: to, cause: Cause::default(), key: None },
    ]
}

async fn execute(api: &AccountApi, action: &Action) -> Result<Executed, BackendError> {
    api.execute(&AccountKey::from("acc_1"), action, &RequestKey::from("key-1")).await
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
            r#"POST /v1/accounts/acc_1/invitations/inv_1/resend if-match="2" key=key-1 "#,
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
async fn raw_server(answer: fn(usize) -> Option<String>) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                let n = counted.fetch_add(1, Ordering::SeqCst) + 1;
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
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_kept_connection_that_breaks_on_the_next_write_repeats_nothing() {
    let (url, count) = raw_server(|n| (n == 1).then(|| http(2, "{}"))).await;
    let api = client(&url);
    for sent in 1..=2 {
        let error = execute(&api, &actions()[4]).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error:?}");
        assert_eq!(count.load(Ordering::SeqCst), sent);
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
        (6, with(invited.clone(), "role", json!("biller"))),
        (7, with(invited.clone(), "email", json!("bob@example.com"))),
        (7, with(invited.clone(), "role", json!("biller"))),
        (7, with(invited, "state", json!("expired"))),
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
        let answer = api.claim(&"acc_1".into(), &claim, None, &ETag::from("\"1\"")).await;
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
