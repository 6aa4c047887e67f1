//! How clients let an agency in, or not.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server_clients::{
    DAY, SECOND, agency_of_other, approve, asked, client, grant, granted, log_in, members_of_other,
    results, set_agency, sign_in, start, transition,
};
use crate::service::{OTHER_TOKEN, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

// rule: NC-02
// rule: NC-03
#[tokio::test]
async fn a_client_without_an_account_signs_up_and_gets_one_only_when_it_approves() {
    let service = start().await;
    asked(&service, "cleo@example.com", "developer").await;
    let link = service.link_to("cleo@example.com").await;
    let mut cleo = service.browser();
    let page = cleo.open(&link).await;
    assert!(page.text().contains("Acme asks for access"), "{}", page.text());
    assert!(page.text().contains("Dashboard, Analytics"), "{}", page.text());
    assert_eq!(page.mark(&format!("{}/approve", page.path)), None, "nobody is signed in");
    let forged = format!("{}/approve", page.path);
    let mark = page.mark(&format!("{}/sign-up", page.path)).unwrap();
    let early = cleo.post(&forged, &[("mark", &mark), ("name", "Cleo Ltd")]).await;
    assert!(early.text().contains("Sign in"), "{}", early.text());

    let page = cleo.open(&link).await;
    let action = format!("{}/sign-up", page.path);
    let page = cleo.submit(&page, &action, &[("name", "Cleo"), ("password", PASSWORD)]).await;
    assert_eq!(client(&service, "cleo@example.com").await["state"], "requested");
    assert!(page.text().contains("Name of your account"), "{}", page.text());
    let action = format!("{}/approve", page.path);
    let page = cleo.submit(&page, &action, &[("name", "Cleo & Co")]).await;

    let row = page.row("owner@example.com");
    for word in ["Acme", "agency", "developer"] {
        assert!(row.contains(word), "{row}");
    }
    let row = client(&service, "cleo@example.com").await;
    assert_eq!((&row["state"], &row["role_held"]), (&json!("granted"), &json!("developer")));
    assert_eq!(row["client"]["name"], "Cleo & Co");
    assert_eq!(row["actions"], json!([]), "a program logs in as nobody");
    let mails = service.mails().await;
    let [result] = results(&mails)[..] else { panic!("one result") };
    assert_eq!(result.to, "owner@example.com");
    assert!(result.subject.contains("has granted you access"), "{}", result.subject);
    assert_eq!(cleo.open(&link).await.status, StatusCode::GONE);
    service.stop().await;
}

// rule: NC-02
// rule: NC-03
#[tokio::test]
async fn a_client_with_an_account_signs_in_and_must_approve_before_the_tag_goes() {
    let service = start().await;
    asked(&service, "owner@other.example", "admin").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    let list = agency.open("/accounts/acme/clients").await;
    assert!(list.row("owner@other.example").contains("Requested"), "{}", list.text());

    let link = service.link_to("owner@other.example").await;
    let mut otto = service.browser();
    let page = otto.open(&link).await;
    assert!(page.html.contains("/signin?next=%2Fgrant%2F"), "{}", page.html);
    let page = otto.open(&format!("/signin?next={}", page.path)).await;
    let fields = [("email", "owner@other.example"), ("password", PASSWORD)];
    let next = link.strip_prefix(&service.base).unwrap();
    let page = otto.submit(&page, "/signin", &[("next", next), fields[0], fields[1]]).await;
    assert!(page.text().contains("Grant access"), "{}", page.text());
    let list = agency.open("/accounts/acme/clients").await;
    assert!(list.row("owner@other.example").contains("Requested"), "{}", list.text());

    let page = approve(&mut otto, &link).await;
    assert!(page.path.starts_with("/accounts/other/members"), "{}", page.path);
    let list = agency.open("/accounts/acme/clients").await;
    let row = list.row("owner@other.example");
    assert!(!row.contains("Requested") && row.contains("Other"), "{row}");
    let seats = service.call(Method::GET, "/v1/accounts/other/seats").token(OTHER_TOKEN);
    let seats = seats.send().await.expect(StatusCode::OK);
    assert_eq!((&seats["used"], &seats["breakdown"]["client_access"]), (&json!(1), &json!(1)));
    for (token, account, action) in
        [(TOKEN, "acme", "client_access.granted"), (OTHER_TOKEN, "other", "member.added")]
    {
        let path = format!("/v1/accounts/{account}/audit-events?page_size=1000");
        let log = service.call(Method::GET, &path).token(token).send().await;
        let log = log.expect(StatusCode::OK);
        let last = log["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["action"], action, "the log of {account}");
    }
    service.stop().await;
}

#[tokio::test]
async fn every_change_of_a_client_has_an_audit_row_on_its_side() {
    let service = start().await;
    let log = async |token: &str, account: &str| {
        let path = format!("/v1/accounts/{account}/audit-events?page_size=1000");
        let call = service.call(Method::GET, &path).token(token).send().await;
        let page = call.expect(StatusCode::OK);
        let rows = page["items"].as_array().unwrap();
        rows.iter().map(|row| text(&row["action"])).collect::<Vec<_>>()
    };
    let (ours, theirs) = (log(TOKEN, "acme").await.len(), log(OTHER_TOKEN, "other").await.len());
    let mut rows = Vec::new();
    for _ in 0..3 {
        rows.push(asked(&service, "owner@other.example", "biller").await);
        let path = format!("/v1/accounts/acme/client-access/{}", text(&rows[rows.len() - 1]["id"]));
        match rows.len() {
            1 => {
                let again = transition(&service, TOKEN, &format!("{path}/resend"), "*").await;
                again.expect(StatusCode::OK);
                let call = service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
                call.send().await.expect(StatusCode::NO_CONTENT);
            }
            2 => {
                let id = text(&rows[1]["id"]);
                let reject = format!("/v1/accounts/other/access-requests/{id}/reject");
                transition(&service, OTHER_TOKEN, &reject, "*").await.expect(StatusCode::OK);
            }
            _ => drop(grant(&service).await),
        }
        service.clock.advance(SECOND);
    }
    let mut agency = sign_in(&service, "owner@example.com").await;
    log_in(&mut agency, &rows[2]).await;
    assert_eq!(
        log(TOKEN, "acme").await[ours..],
        [
            "client_access.requested",
            "client_access.resent",
            "client_access.removed",
            "client_access.requested",
            "client_access.rejected",
            "client_access.requested",
            "client_access.granted",
            "client_access.login_link_made",
            "client_access.logged_in",
        ]
    );
    assert_eq!(
        log(OTHER_TOKEN, "other").await[theirs..],
        ["access_request.rejected", "member.added", "client_access.logged_in"]
    );
    service.stop().await;
}

#[tokio::test]
async fn a_client_can_say_no_and_be_asked_again() {
    let service = start().await;
    asked(&service, "cleo@example.com", "developer").await;
    let link = service.link_to("cleo@example.com").await;
    let mut cleo = service.browser();
    let page = cleo.open(&link).await;
    let page = cleo.submit(&page, &format!("{}/reject", page.path), &[]).await;
    assert!(page.text().contains("You have said no"), "{}", page.text());
    assert_eq!(client(&service, "cleo@example.com").await["state"], "rejected");
    let mails = service.mails().await;
    assert!(
        results(&mails)[0].subject.contains("has not granted"),
        "{}",
        results(&mails)[0].subject
    );
    assert_eq!(cleo.open(&link).await.status, StatusCode::GONE);
    let next = asked(&service, "cleo@example.com", "biller").await;
    assert_eq!(client(&service, "cleo@example.com").await["id"], next["id"]);
    service.stop().await;
}

#[tokio::test]
async fn who_may_invite_at_a_client_is_told_once_a_day_that_an_agency_found_no_seat() {
    let service = start().await;
    let invite = service.call(Method::POST, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let body = json!({ "email": "ina@example.com", "role": "biller" });
    invite.key("i").json(&body).send().await.expect(StatusCode::CREATED);
    let row = asked(&service, "owner@other.example", "admin").await;
    let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
    let told = async || {
        let mails = service.mails().await;
        let mails = mails.into_iter().filter(|mail| mail.template == "seats-short");
        mails.map(|mail| mail.to).collect::<Vec<_>>()
    };
    for days in 1..=2 {
        transition(&service, OTHER_TOKEN, &path, "*").await.refused(409, "seat-limit-reached");
        assert_eq!(told().await, vec!["owner@other.example"; days]);
        service.clock.advance(DAY);
    }
    service.stop().await;
}

// rule: NC-04
#[tokio::test]
async fn without_a_free_seat_a_client_cannot_grant_and_the_request_stays() {
    let service = start().await;
    let invite = service.call(Method::POST, "/v1/accounts/other/invitations").token(OTHER_TOKEN);
    let body = json!({ "email": "ina@example.com", "role": "biller" });
    let invited = invite.key("i").json(&body).send().await.expect(StatusCode::CREATED);
    asked(&service, "owner@other.example", "admin").await;
    let link = service.link_to("owner@other.example").await;
    let mut otto = sign_in(&service, "owner@other.example").await;
    for hours in [0, 1, 24] {
        service.clock.advance(SignedDuration::from_hours(hours));
        let page = approve(&mut otto, &link).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        for way_out in ["remove a member", "upgrade the plan"] {
            assert!(page.text().contains(way_out), "{}", page.text());
        }
    }
    assert_eq!(client(&service, "owner@other.example").await["state"], "requested");
    assert_eq!(members_of_other(&service).await.len(), 1);
    let mails = service.mails().await;
    assert_eq!(results(&mails).len(), 2, "once a day");
    assert!(
        results(&mails)[0].subject.contains("has no free seat"),
        "{}",
        results(&mails)[0].subject
    );

    let path = format!("/v1/accounts/other/invitations/{}/revoke", text(&invited["id"]));
    transition(&service, OTHER_TOKEN, &path, "*").await.expect(StatusCode::OK);
    assert_eq!(approve(&mut otto, &link).await.status, StatusCode::OK);
    assert_eq!(client(&service, "owner@other.example").await["state"], "granted");
    service.stop().await;
}

#[tokio::test]
async fn a_link_for_another_address_is_refused() {
    let service = start().await;
    asked(&service, "owner@other.example", "developer").await;
    let link = service.link_to("owner@other.example").await;
    let mut ben = sign_in(&service, "ben@example.com").await;
    let page = ben.open(&link).await;
    assert!(page.text().contains("sign out first"), "{}", page.text());
    let mark = page.mark("/signout").unwrap();
    for action in ["approve", "reject", "sign-up"] {
        let fields = [("mark", mark.as_str()), ("name", "Mine"), ("password", PASSWORD)];
        let page = ben.post(&format!("{}/{action}", page.path), &fields).await;
        assert!(!page.path.contains("/accounts/"), "{action}: {}", page.text());
    }
    assert_eq!(client(&service, "owner@other.example").await["state"], "requested");
    let forged = link.replacen("-1-", "-2-", 1);
    assert_eq!(ben.open(&forged).await.status, StatusCode::NOT_FOUND);
    let (head, _) = link.rsplit_once('-').unwrap();
    let forged = format!("{head}-{}", "0".repeat(32));
    assert_eq!(ben.open(&forged).await.status, StatusCode::NOT_FOUND);
    service.stop().await;
}

// rule: NC-03
#[tokio::test]
async fn a_request_shows_only_in_accounts_where_the_person_asked_may_grant_it() {
    let seed = SEED.replace(
        "    profile: nitropack\n    owner: {email: owner@other.example",
        "    profile: nitropack\n    members: [{email: ben@example.com, role: developer}]\n    \
         owner: {email: owner@other.example",
    );
    let service = TestService::start_with(&seed).await;
    set_agency(&service, true).await.expect(StatusCode::OK);
    let to_ben = asked(&service, "ben@example.com", "biller").await;
    let to_otto = asked(&service, "owner@other.example", "biller").await;
    let requests = "/v1/accounts/other/access-requests";
    let list = async |token: &str| {
        let answer = service.call(Method::GET, requests).token(token).send().await;
        answer.expect(StatusCode::OK)["items"].as_array().unwrap().clone()
    };
    let rows = list(OTHER_TOKEN).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&row["id"], &row["agency"]["name"]), (&to_otto["id"], &json!("Acme")));
    let own = service.list("/v1/accounts/acme/access-requests").await;
    assert!(own.is_empty(), "nobody asks oneself");

    let decide = async |row: &Value, token: &str, verb: &str| {
        let path = format!("{requests}/{}/{verb}", text(&row["id"]));
        transition(&service, token, &path, "*").await
    };
    for verb in ["approve", "reject"] {
        decide(&to_ben, OTHER_TOKEN, verb).await.refused(404, "not-found");
        decide(&to_otto, TOKEN, verb).await.refused(404, "not-found");
        decide(&to_otto, VENDOR_TOKEN, verb).await.refused(403, "forbidden");
        let path = format!("/v1/accounts/acme/access-requests/{}/{verb}", text(&to_otto["id"]));
        transition(&service, TOKEN, &path, "*").await.refused(404, "not-found");
    }
    // Ben may invite nobody there: the page opens an account of his own.
    let mut ben = sign_in(&service, "ben@example.com").await;
    let page = ben.open(&service.link_to("ben@example.com").await).await;
    assert!(page.text().contains("Name of your account"), "{}", page.text());
    decide(&to_otto, OTHER_TOKEN, "reject").await.expect(StatusCode::OK);
    decide(&to_otto, OTHER_TOKEN, "approve").await.refused(409, "row-state");
    assert_eq!(client(&service, "owner@other.example").await["state"], "rejected");
    assert!(list(OTHER_TOKEN).await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn an_approval_under_the_same_key_is_given_again() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "developer").await;
    let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
    let approve = |key: &'static str| {
        service.call(Method::POST, &path).token(OTHER_TOKEN).key(key).if_match("*").send()
    };
    let first = approve("k").await.expect(StatusCode::OK);
    assert_eq!(first["state"], "granted");
    let again = approve("k").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(StatusCode::OK), first);
    approve("other").await.refused(409, "row-state");
    service.stop().await;
}

#[tokio::test]
async fn an_agency_whose_account_is_deleted_leaves_its_clients_and_their_seats() {
    let service = start().await;
    let asked = asked(&service, "cleo@example.com", "developer").await;
    let link = service.link_to("cleo@example.com").await;
    granted(&service, "developer").await;
    let agency = agency_of_other(&service).await;
    let seats = async || {
        let call = service.call(Method::GET, "/v1/accounts/other/seats").token(OTHER_TOKEN);
        call.send().await.expect(StatusCode::OK)["used"].clone()
    };
    assert_eq!(seats().await, 1);
    let before = "/v1/accounts/other/changes?after=";
    let feed = service.call(Method::GET, "/v1/accounts/other/members").token(OTHER_TOKEN);
    let position = feed.send().await.expect(StatusCode::OK)["as_of"].clone();

    let delete = service.call(Method::DELETE, "/v1/accounts/acme").token(TOKEN).if_match("*");
    assert_eq!(delete.send().await.status, StatusCode::NO_CONTENT);
    service.pass(SECOND).await;
    let left: Vec<_> = members_of_other(&service).await;
    assert!(left.iter().all(|row| row["principal"] == "person"), "{left:?}");
    assert_eq!(seats().await, 0, "its seat is free");
    let call = service.call(Method::GET, &format!("{before}{position}")).token(OTHER_TOKEN);
    let told = call.send().await.expect(StatusCode::OK);
    assert_eq!(told["items"][0]["action"], "member.removed", "{told}");
    assert_eq!(told["items"][0]["subject"], agency["id"]);
    let call = service.call(Method::GET, "/v1/accounts/other/audit-events").token(OTHER_TOKEN);
    let log = call.send().await.expect(StatusCode::OK);
    let last = log["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["action"], &last["actor"]), (&json!("member.removed"), &json!("service")));
    assert_eq!(last["after"]["state"], "deleted");

    let mut conn = service.database().await;
    let states = "select state from client_accesses order by id";
    let states: Vec<String> = sqlx::query_scalar(states).fetch_all(&mut conn).await.unwrap();
    assert_eq!(states, ["removed", "ended"], "{asked}");
    assert_eq!(service.browser().open(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.running().run_due().await.unwrap(), 0, "nothing is left to do");
    service.stop().await;
}

/// A third account, of the owner of `acme`.
const STUDIO: &str = r"  - name: Studio
    slug: studio
    profile: nitropack
    owner: {email: owner@example.com, name: Olga}
    tokens:
      - {token: studio-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

// rule: NC-03
#[tokio::test]
async fn two_agencies_of_one_owner_both_serve_a_client_and_end_each_by_itself() {
    let service = TestService::start_with(&format!("{SEED}{STUDIO}")).await;
    let (acme, studio) = (TOKEN, "studio-token-of-all-scopes");
    let call = service.call(Method::POST, "/v1/accounts/other/subscriptions").token(VENDOR_TOKEN);
    let call = call.new_key().json(&json!({ "plan": "scale" }));
    call.send().await.expect(StatusCode::CREATED);
    for (slug, token) in [("acme", acme), ("studio", studio)] {
        let call = service.call(Method::PATCH, &format!("/v1/accounts/{slug}")).token(VENDOR_TOKEN);
        let call = call.if_match("*").json(&json!({ "agency": true }));
        call.send().await.expect(StatusCode::OK);
        let path = format!("/v1/accounts/{slug}/client-access");
        let body = json!({ "email": "owner@other.example", "role": "developer" });
        let call = service.call(Method::POST, &path).token(token).new_key().json(&body);
        let row = call.send().await.expect(StatusCode::CREATED);
        let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
        let granted = transition(&service, OTHER_TOKEN, &path, "*").await.expect(StatusCode::OK);
        assert_eq!(granted["state"], "granted", "{slug}");
    }
    let agencies = async || {
        let rows = members_of_other(&service).await;
        rows.into_iter().filter(|row| row["principal"] == "account").collect::<Vec<_>>()
    };
    let both = agencies().await;
    let named: Vec<_> = both.iter().map(|row| (text(&row["name"]), text(&row["email"]))).collect();
    let of = |name: &str| (name.to_owned(), "owner@example.com".to_owned());
    assert_eq!(named, [of("Acme"), of("Studio")]);

    let path = format!("/v1/accounts/other/members/{}", text(&both[0]["id"]));
    let call = service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    let left = agencies().await;
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("Studio")));
    let state = async |slug: &str, token: &str| {
        let path = format!("/v1/accounts/{slug}/client-access");
        let page = service.call(Method::GET, &path).token(token).send().await;
        page.expect(StatusCode::OK)["items"][0]["state"].clone()
    };
    assert_eq!(
        (state("acme", acme).await, state("studio", studio).await),
        (json!("ended"), json!("granted"))
    );
    service.stop().await;
}

#[tokio::test]
async fn an_agency_has_one_place_at_a_client_whoever_there_was_asked() {
    let seed = SEED.replace(
        "    profile: nitropack\n    owner: {email: owner@other.example",
        "    profile: nitropack\n    subscriptions: [scale]\n    \
         members: [{email: ina@example.com, role: admin}]\n    \
         owner: {email: owner@other.example",
    );
    let service = TestService::start_with(&seed).await;
    set_agency(&service, true).await.expect(StatusCode::OK);
    let rows = [
        asked(&service, "owner@other.example", "developer").await,
        asked(&service, "ina@example.com", "biller").await,
    ];
    let path =
        |row: &Value| format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
    transition(&service, OTHER_TOKEN, &path(&rows[0]), "*").await.expect(StatusCode::OK);
    let place = agency_of_other(&service).await;
    let refused = transition(&service, OTHER_TOKEN, &path(&rows[1]), "*").await;
    let refused = refused.refused(409, "already-member");
    assert!(text(&refused["existing"]["href"]).ends_with(&text(&place["id"])), "{refused}");
    service.stop().await;
}

#[tokio::test]
async fn an_approval_is_answered_again_under_its_key_after_the_agency_is_gone() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "developer").await;
    let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
    let approve = || {
        let call = service.call(Method::POST, &path).token(OTHER_TOKEN);
        call.key("approve").if_match("*").send()
    };
    let first = approve().await.expect(StatusCode::OK);
    let delete = service.call(Method::DELETE, "/v1/accounts/acme").token(TOKEN).if_match("*");
    assert_eq!(delete.send().await.status, StatusCode::NO_CONTENT);
    let again = approve().await;
    assert_eq!(again.header("idempotency-replayed"), "true", "{}", again.body);
    assert_eq!(again.expect(StatusCode::OK), first);
    service.stop().await;
}
