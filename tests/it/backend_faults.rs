//! The account API client reading answers that are wrong, late, or never come.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::time::Duration;

use seatkeeper::backend::{Backend as _, BackendError};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::keys::AccountKey;
use seatkeeper::domain::observed::{InvitationState, MemberState, RoleSeen};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::scripted::{
    Answer, Scripted, account, client, healthy, invitation, member, nitropack, observe, page,
    service, with, words,
};

const ACCOUNT: &str = "/v1/accounts/acc_1";

fn person(email: &str) -> MemberKey {
    EmailAddress::parse(email).unwrap().into()
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

// rule: NC-06
#[tokio::test]
async fn agencies_of_one_person_stand_beside_them_in_any_order() {
    let agency = |id: &str| with(member(id, "ana@example.com"), "principal", json!("account"));
    let [one, two] = ["mem_2", "mem_3"].map(agency);
    let ana = member("mem_1", "ana@example.com");
    let orders = [
        [ana.clone(), one.clone(), two.clone()],
        [one.clone(), ana.clone(), two.clone()],
        [one.clone(), two.clone(), ana],
    ];
    for rows in orders {
        let list = Answer::json(&page(&rows));
        let scripted = service(&[("GET /v1/accounts/acc_1/members", list)]).await;
        let observed = observe(&scripted.client()).await.unwrap();
        let (kept, evidence) = (observed.members.values().next().unwrap(), &observed.evidence);
        assert_eq!((kept.id.as_str(), kept.agency), ("mem_1", false), "{rows:?}");
        assert_eq!((evidence.beside.len(), evidence.duplicates), (2, 0), "{rows:?}");
    }
    for rows in [[one.clone(), two.clone()], [two, one]] {
        let list = Answer::json(&page(&rows));
        let scripted = service(&[("GET /v1/accounts/acc_1/members", list)]).await;
        let observed = observe(&scripted.client()).await.unwrap();
        assert_eq!(observed.members.values().next().unwrap().id.as_str(), "mem_2", "{rows:?}");
        assert_eq!(observed.evidence.duplicates, 0);
    }
}
