//! How an account gets another owner: the owner confirms, then the candidate accepts.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use std::sync::Arc;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::Database;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::service::{Answer, PASSWORD, TestService, text};

/// A profile without a change of owner, one where it adds, one where it moves, and one with teams.
const SEED: &str = r#"
users:
  - {email: stranger@example.com, name: Stranger, password: correct horse battery}
accounts:
  - name: Droplets
    slug: acme
    profile: digitalocean
    owner: {email: olga@example.com, name: Olga, password: correct horse battery}
    members:
      - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}
      - {email: ben@example.com, name: Ben, role: biller, password: correct horse battery}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: acme-token-for-reading, scopes: [read]}
      - {token: token-of-mia-with-all-scopes, email: mia@example.com, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-olga-with-all-scopes, email: olga@example.com, scopes: [read, invite, change, remove, billing, manage]}
  - name: Portal
    slug: portal
    profile: portal
    owner: {email: otto@example.com, name: Otto, password: correct horse battery}
    members:
      - {email: ada@example.com, name: Ada, role: admin, password: correct horse battery}
      - {email: max@example.com, name: Max, role: member, password: correct horse battery}
    subscriptions: [team]
    tokens:
      - {token: portal-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-ada-with-all-scopes, email: ada@example.com, scopes: [read, invite, change, remove, billing, manage]}
  - name: Pack
    slug: pack
    profile: nitropack
    owner: {email: nina@example.com, name: Nina, password: correct horse battery}
    tokens:
      - {token: pack-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

const CATALOGUE: &str = r#"
users:
  - {email: max@example.com, name: Max, password: correct horse battery}
accounts:
  - name: Catalogue
    slug: portal
    profile: catalogue
    owner: {email: otto@example.com, name: Otto, password: correct horse battery}
    tokens:
      - {token: portal-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

const PORTAL: &str = "portal-token-of-all-scopes";
const ACME: &str = "acme-token-of-all-scopes";

async fn start() -> TestService {
    TestService::start_with(SEED).await
}

async fn members(service: &TestService, slug: &str, token: &str) -> Vec<Value> {
    let path = format!("/v1/accounts/{slug}/members");
    let answer = service.call(Method::GET, &path).token(token).send().await;
    answer.expect(StatusCode::OK)["items"].as_array().unwrap().clone()
}

async fn member(service: &TestService, slug: &str, token: &str, email: &str) -> Value {
    let rows = members(service, slug, token).await;
    rows.into_iter().find(|row| row["email"] == email).expect("a member")
}

/// Roles by name, as `ada:admin max:member otto:owner`.
async fn roles(service: &TestService, slug: &str, token: &str) -> String {
    let rows = members(service, slug, token).await;
    let name = |row: &Value| text(&row["email"]).split('@').next().unwrap().to_owned();
    let mut roles: Vec<_> =
        rows.iter().map(|row| format!("{}:{}", name(row), text(&row["role"]))).collect();
    roles.sort();
    roles.join(" ")
}

async fn ask(service: &TestService, slug: &str, token: &str, body: &Value) -> Answer {
    let key = uuid::Uuid::new_v4().to_string();
    service
        .call(Method::POST, &format!("/v1/accounts/{slug}/ownership-changes"))
        .token(token)
        .key(&key)
        .json(body)
        .send()
        .await
}

async fn ask_for(service: &TestService, slug: &str, token: &str, email: &str) -> Answer {
    let id = member(service, slug, token_of(slug), email).await["id"].clone();
    ask(service, slug, token, &json!({ "member": id })).await
}

fn token_of(slug: &str) -> &'static str {
    if slug == "portal" { PORTAL } else { ACME }
}

/// Signs in and answers the link; gives what is shown then.
async fn answer(service: &TestService, email: &str, link: &str, how: &str) -> crate::service::Page {
    let mut browser = service.browser();
    browser.sign_in(email, PASSWORD).await;
    let page = browser.open(link).await;
    let action = format!("{}/{how}", page.path);
    browser.submit(&page, &action, &[]).await
}

async fn state(service: &TestService, slug: &str, row: &Value) -> String {
    let path = format!("/v1/accounts/{slug}/ownership-changes/{}", text(&row["id"]));
    let answer = service.call(Method::GET, &path).token(token_of(slug)).send().await;
    text(&answer.expect(StatusCode::OK)["state"])
}

// rule: DO-09
#[tokio::test]
async fn the_owner_confirms_by_a_mailed_link_and_only_on_acceptance_the_role_changes() {
    let service = start().await;
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    assert_eq!((&row["state"], &row["kind"]), (&json!("unconfirmed"), &json!("add")));
    let mails = service.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].to.as_str(), mails[0].template.as_str()),
        ("olga@example.com", "ownership-confirm")
    );

    let owners = service.link_to("olga@example.com").await;
    let page = answer(&service, "olga@example.com", &owners, "accept").await;
    assert!(page.text().contains("You have confirmed"), "{}", page.html);
    assert_eq!(state(&service, "acme", &row).await, "unaccepted");
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller mia:member olga:owner");
    let mails = service.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(
        (mails[1].to.as_str(), mails[1].template.as_str()),
        ("mia@example.com", "ownership-accept")
    );

    let candidates = service.link_to("mia@example.com").await;
    let page = answer(&service, "mia@example.com", &candidates, "accept").await;
    assert!(page.text().contains("mia@example.com is owner of Droplets"), "{}", page.html);
    assert_eq!(state(&service, "acme", &row).await, "done");
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller mia:owner olga:owner");
    let told: Vec<_> = service.mails().await[2..]
        .iter()
        .map(|mail| format!("{} {}", mail.template, mail.to))
        .collect();
    assert_eq!(told, ["ownership-done olga@example.com", "ownership-done mia@example.com"]);
    let log = service.list("/v1/accounts/acme/audit-events").await;
    let actions: Vec<_> = log.iter().map(|row| text(&row["action"])).collect();
    for action in ["ownership.requested", "ownership.confirmed", "ownership.accepted"] {
        assert!(actions.iter().any(|known| known == action), "{actions:?}");
    }
    service.stop().await;
}

// rule: DO-09
#[tokio::test]
async fn a_change_of_owner_that_is_answered_too_late_changes_nothing() {
    let service = start().await;
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    let mut olga = service.browser();
    olga.sign_in("olga@example.com", PASSWORD).await;
    let page = olga.open(&service.link_to("olga@example.com").await).await;
    service.clock.advance(SignedDuration::from_hours(7 * 24));
    let late = olga.submit(&page, &format!("{}/accept", page.path), &[]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text());
    assert_eq!(state(&service, "acme", &row).await, "expired");
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller mia:member olga:owner");
    assert_eq!(service.mails().await.len(), 1, "the candidate is not asked");
    service.stop().await;
}

#[tokio::test]
async fn every_end_of_a_change_of_owner_has_an_audit_row() {
    let service = start().await;
    let ask = async || {
        let row = ask_for(&service, "acme", ACME, "mia@example.com").await;
        row.expect(StatusCode::CREATED)
    };
    cancel(&service, &ask().await).await.expect(StatusCode::OK);
    ask().await;
    let link = service.link_to("olga@example.com").await;
    answer(&service, "olga@example.com", &link, "decline").await;
    ask().await;
    service.pass(SignedDuration::from_hours(7 * 24)).await;
    let log = service.list("/v1/accounts/acme/audit-events").await;
    let told = log.iter().map(|event| text(&event["action"]));
    let told: Vec<_> = told.filter(|told| told.starts_with("ownership.")).collect();
    assert_eq!(
        told,
        [
            "ownership.requested",
            "ownership.cancelled",
            "ownership.requested",
            "ownership.declined",
            "ownership.requested",
            "ownership.expired",
        ]
    );
    service.stop().await;
}

// rule: PO-04
#[tokio::test]
async fn where_the_role_moves_there_is_exactly_one_owner_before_and_after() {
    let service = start().await;
    ask_for(&service, "portal", PORTAL, "max@example.com").await.expect(StatusCode::CREATED);
    let link = service.link_to("otto@example.com").await;
    answer(&service, "otto@example.com", &link, "accept").await;
    assert_eq!(roles(&service, "portal", PORTAL).await, "ada:admin max:member otto:owner");
    let link = service.link_to("max@example.com").await;
    answer(&service, "max@example.com", &link, "accept").await;
    assert_eq!(roles(&service, "portal", PORTAL).await, "ada:admin max:owner otto:admin");
    service.stop().await;
}

/// A role of the profile that has a bound keeps it through every way that could break it.
#[tokio::test]
async fn what_would_break_the_limit_of_a_role_is_refused() {
    let service = start().await;
    let otto = member(&service, "portal", PORTAL, "otto@example.com").await;
    let path = format!("/v1/accounts/portal/members/{}", text(&otto["id"]));
    let etag = text(&otto["etag"]);
    let remove = service.call(Method::DELETE, &path).token(PORTAL).if_match(&etag).send().await;
    remove.refused(409, "role-holders");
    let max = member(&service, "portal", PORTAL, "max@example.com").await;
    let path = format!("/v1/accounts/portal/members/{}", text(&max["id"]));
    let promote = service.call(Method::PATCH, &path).token(PORTAL).if_match(&text(&max["etag"]));
    let promote = promote.json(&json!({ "role": "owner" })).send().await;
    promote.refused(409, "role-fixed");
    assert_eq!(roles(&service, "portal", PORTAL).await, "ada:admin max:member otto:owner");
    service.stop().await;
}

// rule: X2
// rule: CT-07
#[tokio::test]
async fn immutable_roles_change_only_by_ownership_change() {
    let service = TestService::start_with(CATALOGUE).await;
    let otto = member(&service, "portal", PORTAL, "otto@example.com").await;
    assert_eq!(otto["role"], "company-admin");
    let path = format!("/v1/accounts/portal/members/{}", text(&otto["id"]));
    let etag = text(&otto["etag"]);
    let demote = service.call(Method::PATCH, &path).token(PORTAL).if_match(&etag);
    let demote = demote.json(&json!({ "role": "company-admin" })).send().await;
    assert!(demote.status == StatusCode::OK, "the same role is no change: {}", demote.body);
    let demote = service.call(Method::PATCH, &path).token(PORTAL).if_match(&etag);
    demote.json(&json!({ "role": "member" })).send().await.refused(400, "invalid-request");
    let remove = service.call(Method::DELETE, &path).token(PORTAL).if_match(&etag).send().await;
    remove.refused(409, "role-holders");
    service.stop().await;
}

// rule: X2
#[tokio::test]
async fn an_immutable_role_is_neither_given_nor_taken_by_who_reaches_it() {
    let rules = include_str!("../../profiles/digitalocean.yaml").replacen(
        "    invitable: false ",
        "    immutable: true\n    invitable: false ",
        1,
    );
    let profile = Arc::new(seatkeeper::profile::read("digitalocean.yaml", &rules).unwrap());
    let service = TestService::start_as(SEED, |settings| {
        settings.profiles.insert("digitalocean".to_owned(), profile);
    })
    .await;
    ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    for email in ["olga@example.com", "mia@example.com"] {
        let link = service.link_to(email).await;
        answer(&service, email, &link, "accept").await;
    }
    for (email, role) in [("mia@example.com", "member"), ("ben@example.com", "owner")] {
        let id = text(&member(&service, "acme", ACME, email).await["id"]);
        let path = format!("/v1/accounts/acme/members/{id}");
        let call = service.call(Method::PATCH, &path).token(ACME).if_match("*");
        call.json(&json!({ "role": role })).send().await.refused(409, "role-fixed");
    }
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller mia:owner olga:owner");
    service.stop().await;
}

// rule: X3
// rule: CT-07
#[tokio::test]
async fn a_second_company_admin_comes_to_be_by_a_change_of_owner_that_adds() {
    let service = TestService::start_with(CATALOGUE).await;
    put_in_team(&service, "max@example.com").await;
    let max = member(&service, "portal", PORTAL, "max@example.com").await;
    assert_eq!((&max["role"], &max["team"]), (&json!("team-admin"), &json!("tea_1")));
    ask(&service, "portal", PORTAL, &json!({ "member": max["id"] }))
        .await
        .expect(StatusCode::CREATED);
    for email in ["otto@example.com", "max@example.com"] {
        let link = service.link_to(email).await;
        answer(&service, email, &link, "accept").await;
    }
    assert_eq!(
        roles(&service, "portal", PORTAL).await,
        "max:company-admin max:team-admin otto:company-admin"
    );
    // Whoever has the role keeps it, and cannot be made one again.
    let ask = ask(&service, "portal", PORTAL, &json!({ "member": max["id"] })).await;
    assert_eq!(ask.refused(400, "invalid-request")["errors"][0]["pointer"], "/member");
    let rows = members(&service, "portal", PORTAL).await;
    let row = rows.iter().find(|row| row["role"] == "company-admin").unwrap();
    let path = format!("/v1/accounts/portal/members/{}", text(&row["id"]));
    let call = service.call(Method::DELETE, &path).token(PORTAL).if_match(&text(&row["etag"]));
    call.send().await.refused(409, "role-fixed");
    service.stop().await;
}

/// Puts a person into a new team of the account `portal`, as its admin.
async fn put_in_team(service: &TestService, email: &str) {
    let url = match service.settings().database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres(url) => url.expose_secret().to_owned(),
    };
    let mut conn = sqlx::AnyConnection::connect(&url).await.unwrap();
    for text in [
        "insert into teams (id, account_id, name, created_at) select 'tea_1', id, 'One', 1 \
         from accounts where slug = $1",
        "insert into members (id, account_id, team_id, address, role, state, added_at, joined_at) \
         select 'mem_1', id, 'tea_1', $2, 'team-admin', 'active', 1, 1 from accounts \
         where slug = $1",
        "insert into tallies (account_id, list, team_id, principal, role, state, entries) \
         select id, 'members', 'tea_1', 'person', 'team-admin', 'active', 1 from accounts \
         where slug = $1",
    ] {
        let query = sqlx::query(text).bind("portal");
        let query = if text.contains("$2") { query.bind(email) } else { query };
        query.execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}

// rule: X11
#[tokio::test]
async fn the_one_who_asks_confirms_and_for_a_token_the_earliest_owner_or_who_is_named() {
    let service = start().await;
    ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    for email in ["olga@example.com", "mia@example.com"] {
        let link = service.link_to(email).await;
        answer(&service, email, &link, "accept").await;
    }
    // Two owners now. A token asks the earliest.
    let row = ask_for(&service, "acme", ACME, "ben@example.com").await.expect(StatusCode::CREATED);
    let olga = member(&service, "acme", ACME, "olga@example.com").await;
    let mia = member(&service, "acme", ACME, "mia@example.com").await;
    let ben = member(&service, "acme", ACME, "ben@example.com").await;
    assert_eq!(row["owner"], olga["id"]);
    cancel(&service, &row).await.expect(StatusCode::OK);
    // A person is asked themselves.
    let body = json!({ "member": ben["id"] });
    let row = ask(&service, "acme", "token-of-mia-with-all-scopes", &body).await;
    let row = row.expect(StatusCode::CREATED);
    assert_eq!(row["owner"], mia["id"]);
    cancel(&service, &row).await.expect(StatusCode::OK);
    // Whoever is named is asked.
    let body = json!({ "owner": mia["id"], "member": ben["id"] });
    let row = ask(&service, "acme", ACME, &body).await.expect(StatusCode::CREATED);
    assert_eq!(row["owner"], mia["id"]);
    let body = json!({ "owner": ben["id"], "member": ben["id"] });
    let refused = ask(&service, "acme", ACME, &body).await.refused(400, "invalid-request");
    assert_eq!(refused["errors"][0]["pointer"], "/owner");
    service.stop().await;
}

async fn cancel(service: &TestService, row: &Value) -> Answer {
    let path = format!("/v1/accounts/acme/ownership-changes/{}/cancel", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(ACME).if_match(&text(&row["etag"]));
    call.send().await
}

#[tokio::test]
async fn who_holds_no_such_role_or_no_such_scope_cannot_ask() {
    let service = start().await;
    let ben = member(&service, "acme", ACME, "ben@example.com").await["id"].clone();
    let body = json!({ "member": ben });
    ask(&service, "acme", "acme-token-for-reading", &body).await.refused(403, "scope-missing");
    ask(&service, "acme", "token-of-mia-with-all-scopes", &body).await.refused(403, "forbidden");
    ask(&service, "acme", PORTAL, &body).await.refused(404, "not-found");
    let max = member(&service, "portal", PORTAL, "max@example.com").await["id"].clone();
    let body = json!({ "member": max });
    ask(&service, "portal", "token-of-ada-with-all-scopes", &body).await.refused(403, "forbidden");
    let nina = members(&service, "pack", "pack-token-of-all-scopes").await[0]["id"].clone();
    let body = json!({ "member": nina });
    ask(&service, "pack", "pack-token-of-all-scopes", &body).await.refused(409, "not-offered");
    assert_eq!(service.mails().await.len(), 0);
    service.stop().await;
}

#[tokio::test]
async fn one_change_of_owner_is_open_at_a_time_and_a_cancelled_link_changes_nothing() {
    let service = start().await;
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    let again = ask_for(&service, "acme", ACME, "ben@example.com").await;
    again.refused(409, "ownership-change-open");
    let link = service.link_to("olga@example.com").await;
    let mut olga = service.browser();
    olga.sign_in("olga@example.com", PASSWORD).await;
    let page = olga.open(&link).await;
    let stale = json!({ "id": row["id"], "etag": "\"9\"" });
    cancel(&service, &stale).await.refused(412, "stale");
    cancel(&service, &row).await.expect(StatusCode::OK);
    let shown = olga.submit(&page, &format!("{}/accept", page.path), &[]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert!(shown.text().contains("The change of owner is cancelled"), "{}", shown.text());
    assert_eq!(state(&service, "acme", &row).await, "cancelled");
    ask_for(&service, "acme", ACME, "ben@example.com").await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn either_of_the_two_can_decline_and_nothing_changes() {
    let service = start().await;
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    let link = service.link_to("olga@example.com").await;
    answer(&service, "olga@example.com", &link, "decline").await;
    assert_eq!(state(&service, "acme", &row).await, "declined");
    let row = ask_for(&service, "acme", ACME, "ben@example.com").await.expect(StatusCode::CREATED);
    let link = service.link_to("olga@example.com").await;
    answer(&service, "olga@example.com", &link, "accept").await;
    let link = service.link_to("ben@example.com").await;
    answer(&service, "ben@example.com", &link, "decline").await;
    assert_eq!(state(&service, "acme", &row).await, "declined");
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller mia:member olga:owner");
    service.stop().await;
}

#[tokio::test]
async fn a_link_of_a_change_of_owner_works_only_for_its_person_and_only_by_a_post_with_a_mark() {
    let service = start().await;
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    let link = service.link_to("olga@example.com").await;
    // Nobody is signed in: the page leads to the sign-in, a POST does too.
    let mut nobody = service.browser();
    let page = nobody.open(&link).await;
    assert!(page.html.contains("Sign in as olga@example.com"), "{}", page.html);
    let accept = format!("{}/accept", page.path);
    assert!(page.mark(&accept).is_none());
    let path = page.path;
    for email in ["mia@example.com", "stranger@example.com"] {
        let mut other = service.browser();
        other.sign_in(email, PASSWORD).await;
        let page = other.open(&link).await;
        assert!(page.mark(&accept).is_none(), "{}", page.html);
        let mark = page.mark("/signout").unwrap();
        let page = other.post(&accept, &[("mark", &mark)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let mut olga = service.browser();
    olga.sign_in("olga@example.com", PASSWORD).await;
    olga.open(&link).await;
    let page = olga.post(&accept, &[("mark", "00")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    // Forged: another generation, another row, another purpose.
    for forged in [path.replace("-1-", "-2-"), path.replace("own_0", "own_1"), format!("{path}0")] {
        assert_eq!(olga.open(&forged).await.status, StatusCode::NOT_FOUND, "{forged}");
    }
    let token = path.strip_prefix("/own/own_").unwrap();
    assert_eq!(olga.open(&format!("/i/{token}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(state(&service, "acme", &row).await, "unconfirmed");
    service.stop().await;
}

#[tokio::test]
async fn at_acceptance_everything_about_the_change_of_owner_is_checked_again() {
    let service = start().await;
    // The candidate goes.
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    let link = service.link_to("olga@example.com").await;
    answer(&service, "olga@example.com", &link, "accept").await;
    let link = service.link_to("mia@example.com").await;
    let mut mia = service.browser();
    mia.sign_in("mia@example.com", PASSWORD).await;
    let page = mia.open(&link).await;
    let removed = member(&service, "acme", ACME, "mia@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&removed["id"]));
    let remove = service.call(Method::DELETE, &path).token(ACME).if_match(&text(&removed["etag"]));
    assert_eq!(remove.send().await.status, StatusCode::NO_CONTENT);
    let shown = mia.submit(&page, &format!("{}/accept", page.path), &[]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT, "{}", shown.html);
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller olga:owner");
    assert_eq!(state(&service, "acme", &row).await, "cancelled");
    // Time passes.
    service.pass(SignedDuration::from_hours(7 * 24)).await;
    assert_eq!(state(&service, "acme", &row).await, "cancelled");
    let shown = mia.open(&link).await;
    assert_eq!(shown.status, StatusCode::GONE);
    service.stop().await;
}

/// Removes a member by our token.
async fn remove(service: &TestService, email: &str) {
    let row = member(service, "acme", ACME, email).await;
    let path = format!("/v1/accounts/acme/members/{}", text(&row["id"]));
    let remove = service.call(Method::DELETE, &path).token(ACME).if_match(&text(&row["etag"]));
    assert_eq!(remove.send().await.status, StatusCode::NO_CONTENT);
}

// rule: DO-09
#[tokio::test]
async fn a_change_of_owner_ends_with_the_place_of_who_was_asked_and_another_can_begin() {
    let service = start().await;
    let row = ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    remove(&service, "ben@example.com").await;
    assert_eq!(state(&service, "acme", &row).await, "unconfirmed", "somebody else");
    let mails = service.mails().await.len();
    remove(&service, "mia@example.com").await;
    assert_eq!(state(&service, "acme", &row).await, "cancelled");
    let told = service.mails().await;
    let told: Vec<_> = told.iter().skip(mails).map(|mail| mail.to.as_str()).collect();
    assert!(!told.contains(&"olga@example.com"), "who asked sees it in the list: {told:?}");
    let log = service.list("/v1/accounts/acme/audit-events").await;
    let last = log.iter().rev().find(|event| text(&event["action"]).starts_with("ownership."));
    let last = last.unwrap();
    assert_eq!(
        (text(&last["action"]), &last["after"]["state"]),
        ("ownership.cancelled".into(), &json!("cancelled"))
    );
    let link = service.link_to("olga@example.com").await;
    let mut olga = service.browser();
    olga.sign_in("olga@example.com", PASSWORD).await;
    assert_eq!(olga.open(&link).await.status, StatusCode::GONE);

    service.invite("mia@example.com", "member").await.expect(StatusCode::CREATED);
    service.join("ida@example.com", "member").await;
    ask_for(&service, "acme", ACME, "ida@example.com").await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn an_owner_who_is_none_any_more_has_confirmed_nothing() {
    let service = start().await;
    ask_for(&service, "acme", ACME, "mia@example.com").await.expect(StatusCode::CREATED);
    for email in ["olga@example.com", "mia@example.com"] {
        let link = service.link_to(email).await;
        answer(&service, email, &link, "accept").await;
    }
    let row = ask_for(&service, "acme", ACME, "ben@example.com").await.expect(StatusCode::CREATED);
    let link = service.link_to("olga@example.com").await;
    answer(&service, "olga@example.com", &link, "accept").await;
    let olga = member(&service, "acme", ACME, "olga@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&olga["id"]));
    let demote = service.call(Method::PATCH, &path).token(ACME).if_match(&text(&olga["etag"]));
    demote.json(&json!({ "role": "member" })).send().await.expect(StatusCode::OK);
    let link = service.link_to("ben@example.com").await;
    let shown = answer(&service, "ben@example.com", &link, "accept").await;
    assert_eq!(shown.status, StatusCode::CONFLICT, "{}", shown.html);
    assert_eq!(roles(&service, "acme", ACME).await, "ben:biller mia:owner olga:member");
    assert_eq!(state(&service, "acme", &row).await, "unaccepted");
    service.stop().await;
}

/// Managing the account is not enough: the role is its holders' to give.
#[tokio::test]
async fn who_manages_the_account_without_the_role_cannot_ask_for_a_change_of_owner() {
    let rules = include_str!("../../profiles/portal.yaml");
    let rules =
        rules.replace("      - domains.manage ", "      - account.manage\n      - domains.manage ");
    assert!(rules.contains("      - account.manage\n"));
    let rules = seatkeeper::profile::read("portal.yaml", &rules).unwrap();
    let service = TestService::start_as(SEED, |settings| {
        settings.profiles.insert("portal".to_owned(), Arc::new(rules));
    })
    .await;
    let max = member(&service, "portal", PORTAL, "max@example.com").await;
    let (ada, body) = ("token-of-ada-with-all-scopes", json!({ "member": max["id"] }));
    ask(&service, "portal", ada, &body).await.refused(403, "forbidden");
    let row = ask(&service, "portal", PORTAL, &body).await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/portal/ownership-changes/{}/cancel", text(&row["id"]));
    let cancel = service.call(Method::POST, &path).token(ada).if_match(&text(&row["etag"]));
    cancel.send().await.refused(403, "forbidden");
    service.stop().await;
}

#[tokio::test]
async fn a_change_of_owner_that_was_done_cannot_be_done_again() {
    let service = start().await;
    ask_for(&service, "portal", PORTAL, "max@example.com").await.expect(StatusCode::CREATED);
    let owners = service.link_to("otto@example.com").await;
    answer(&service, "otto@example.com", &owners, "accept").await;
    let link = service.link_to("max@example.com").await;
    let mut max = service.browser();
    max.sign_in("max@example.com", PASSWORD).await;
    let page = max.open(&link).await;
    let accept = format!("{}/accept", page.path);
    max.submit(&page, &accept, &[]).await;
    let mark = page.mark(&accept).unwrap();
    let shown = max.post(&accept, &[("mark", &mark)]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert_eq!(roles(&service, "portal", PORTAL).await, "ada:admin max:owner otto:admin");
    let mut otto = service.browser();
    otto.sign_in("otto@example.com", PASSWORD).await;
    let page = otto.open(&owners).await;
    assert!(page.text().contains("max@example.com is owner of Portal"), "{}", page.text());
    service.stop().await;
}

#[tokio::test]
async fn unknown_fields_of_a_change_of_owner_are_refused() {
    let service = start().await;
    let mia = member(&service, "acme", ACME, "mia@example.com").await["id"].clone();
    let body = json!({ "member": mia, "state": "done" });
    let refused = ask(&service, "acme", ACME, &body).await.refused(400, "invalid-request");
    assert_eq!(refused["errors"][0]["pointer"], "/state");
    let refused = ask(&service, "acme", ACME, &json!({ "member": "mem_none" })).await;
    assert_eq!(refused.refused(400, "invalid-request")["errors"][0]["pointer"], "/member");
    service.stop().await;
}
