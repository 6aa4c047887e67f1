//! Logging in as a client.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::Database;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::server_clients::{
    CLIENTS, agency_of_other, asked, grant, granted, log_in, login_page, set_agency, sign_in,
    start, start_as,
};
use crate::service::{OTHER_TOKEN, TOKEN, VENDOR_TOKEN, text};

/// Puts a personal token into the database.
async fn personal_token(database: &Database, account: &Value, address: &str, token: &str) {
    sqlx::any::install_default_drivers();
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres(url) => url.expose_secret().to_owned(),
    };
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    sqlx::query(
        "insert into tokens (hash, id, kind, account_id, name, scopes, made_by, address, \
         created_at, expires_at) values ($1, $2, 'personal', $3, 'test', 'read invite', 'seed', \
         $4, 0, 9000000000000000)",
    )
    .bind(&hash)
    .bind(format!("tok_{token}"))
    .bind(account["id"].as_str().unwrap())
    .bind(address)
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
}

// rule: NC-11
#[tokio::test]
async fn logging_in_as_a_client_gives_a_session_there_with_the_granted_role_and_no_more() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "admin").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    let list = agency.open("/accounts/acme/clients").await;
    assert!(!list.row("owner@other.example").contains("Log in as"), "{}", list.text());
    let forced = format!("/accounts/acme/clients/{}/log-in", text(&row["id"]));
    let mark = list.mark("/accounts/acme/clients").unwrap();
    let early = agency.post(&forced, &[("mark", &mark)]).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "{}", early.text());
    grant(&service).await;
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND);

    let page = login_page(&mut agency, &row).await;
    assert!(page.text().contains("Log in as Other"), "{}", page.text());
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "GET only asks");
    let page = agency.submit(&page, &page.path, &[]).await;
    assert_eq!((page.status, page.path.as_str()), (StatusCode::OK, "/accounts/other"));
    assert!(page.text().contains("admin"), "{}", page.text());
    for locked in ["Clients", "Account"] {
        assert!(page.html.contains(&format!("aria-disabled=\"true\">{locked}<")), "{locked}");
    }
    assert_eq!(agency.open("/accounts/acme").await.status, StatusCode::OK, "one's own goes on");

    // With the role: an admin invites, and what was invited can be accepted.
    let call = service.call(Method::POST, "/v1/accounts/other/subscriptions").token(VENDOR_TOKEN);
    call.new_key().json(&json!({ "plan": "growth" })).send().await.expect(StatusCode::CREATED);
    let list = "/accounts/other/members";
    let page = agency.open(list).await;
    let fields = [("email", "ina@example.com"), ("role", "biller")];
    let page = agency.submit(&page, list, &fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    service.browser().accept_by_sign_up(&service.link_to("ina@example.com").await).await;
    let log = service.call(Method::GET, "/v1/accounts/other/audit-events?page_size=1000");
    let log = log.token(OTHER_TOKEN).send().await.expect(StatusCode::OK);
    let member = text(&agency_of_other(&service).await["id"]);
    for action in ["client_access.logged_in", "invitation.created"] {
        let rows = log["items"].as_array().unwrap();
        let entry = rows.iter().find(|row| row["action"] == action).unwrap();
        assert_eq!(entry["actor"], format!("member:{member}"), "{action}");
        assert_ne!(entry["after"], Value::Null, "{action}");
        if action == "client_access.logged_in" {
            let said = (&entry["after"]["agency"], &entry["after"]["role"]);
            assert_eq!(said, (&json!("acme"), &json!("admin")));
        }
    }
    // And no more: the clients of the client are not the agency's.
    let clients = agency.open("/accounts/other/clients").await;
    assert_eq!(clients.status, StatusCode::FORBIDDEN);
    let page = agency.open("/accounts/other").await;
    let mark = page.mark("/leave-client").unwrap();
    let form = [("mark", mark.as_str()), ("email", "ida@example.com"), ("role", "biller")];
    let asked = agency.post("/accounts/other/clients", &form).await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN, "{}", asked.text());
    let removed = agency.post("/accounts/other/clients/cla_x/remove", &form[..1]).await;
    assert_eq!(removed.status, StatusCode::FORBIDDEN, "{}", removed.text());
    let page = agency.submit(&page, "/leave-client", &[]).await;
    assert!(page.text().contains("Your accounts"), "{}", page.text());
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    service.stop().await;
}

// rule: NC-06
#[tokio::test]
async fn who_is_logged_in_as_a_client_changes_the_place_of_no_agency() {
    let service = start().await;
    let row = granted(&service, "admin").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    log_in(&mut agency, &row).await;
    let before = agency_of_other(&service).await;
    let list = "/accounts/other/members";
    let page = agency.open(list).await;
    let own = page.row("owner@example.com");
    assert!(own.contains("agency") && !own.contains("Remove"), "{own}");
    let mark = page.mark(list).unwrap();
    let path = format!("{list}/{}", text(&before["id"]));
    for (verb, role) in [("role", "biller"), ("remove", "")] {
        let form = [("mark", mark.as_str()), ("role", role)];
        let refused = agency.post(&format!("{path}/{verb}"), &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{verb}: {}", refused.text());
    }
    assert_eq!(agency_of_other(&service).await, before);

    // The client does, on the same page.
    let mut otto = sign_in(&service, "owner@other.example").await;
    let page = otto.open(list).await;
    assert!(page.row("owner@example.com").contains("Remove"), "{}", page.text());
    otto.submit(&page, &format!("{path}/role"), &[("role", "biller")]).await;
    assert_eq!(agency_of_other(&service).await["role"], "biller");
    service.stop().await;
}

// rule: NC-11
#[tokio::test]
async fn a_login_link_works_once_within_a_minute_for_its_person_alone() {
    let service = start().await;
    let row = granted(&service, "developer").await;
    service.join("ada@example.com", "admin").await;
    let mut owner = sign_in(&service, "owner@example.com").await;
    let mut ada = sign_in(&service, "ada@example.com").await;

    let page = login_page(&mut owner, &row).await;
    let stolen = ada.open(&page.path).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND, "{}", stolen.text());
    let mark = ada.open("/").await.mark("/signout").unwrap();
    let stolen = ada.post(&page.path, &[("mark", &mark)]).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND, "{}", stolen.text());
    let nobody = service.browser().open(&page.path).await;
    assert!(nobody.path.starts_with("/signin"), "{}", nobody.path);

    owner.submit(&page, &page.path, &[]).await;
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK);
    let twice = owner.submit(&page, &page.path, &[]).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND, "{}", twice.text());

    let page = login_page(&mut ada, &row).await;
    service.clock.advance(SignedDuration::from_secs(60));
    let late = ada.submit(&page, &page.path, &[]).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND, "{}", late.text());
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    log_in(&mut ada, &row).await;
    service.clock.advance(SignedDuration::from_hours(8));
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "over");
    service.stop().await;
}

// rule: NC-11
#[tokio::test]
async fn a_session_at_a_client_ends_with_the_row_the_person_and_the_flag_and_does_not_come_back() {
    let service = start().await;
    let row = granted(&service, "developer").await;
    service.join("ada@example.com", "admin").await;
    let mut owner = sign_in(&service, "owner@example.com").await;
    let mut ada = sign_in(&service, "ada@example.com").await;
    log_in(&mut owner, &row).await;
    log_in(&mut ada, &row).await;
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::OK);

    // The right is lost, and had again.
    let member = service.member("ada@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    for (role, status) in [("biller", StatusCode::NOT_FOUND), ("admin", StatusCode::OK)] {
        let call = service.call(Method::PATCH, &path).token(TOKEN).if_match("*");
        call.json(&json!({ "role": role })).send().await.expect(StatusCode::OK);
        assert_eq!(ada.open("/accounts/other").await.status, status, "{role}");
    }
    // The person.
    let call = service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN);
    let body = json!({ "email": "ada@example.com", "role": "admin" });
    call.key("again").json(&body).send().await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_in(&service.link_to("ada@example.com").await).await;
    assert_eq!(ada.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "a new one");
    let again = service.member("owner@example.com").await;
    assert_eq!(again["role"], "owner");
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK, "others stay");
    // The flag.
    for agency in [false, true] {
        set_agency(&service, agency).await.expect(StatusCode::OK);
        assert_eq!(owner.open("/accounts/other").await.status, StatusCode::NOT_FOUND, "{agency}");
    }
    // The row.
    log_in(&mut owner, &row).await;
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK);
    let member = agency_of_other(&service).await;
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    let call = service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    assert_eq!(owner.open("/accounts/acme").await.status, StatusCode::OK);
    service.stop().await;
}

// rule: NC-11
#[tokio::test]
async fn a_login_link_is_made_for_a_person_and_is_a_secret() {
    let mut database = None;
    let service = start_as(|settings| database = Some(settings.database.clone())).await;
    let row = granted(&service, "developer").await;
    let path = format!("{CLIENTS}/{}/login-link", text(&row["id"]));
    let make = |token: &'static str, key: &'static str| {
        service.call(Method::POST, &path).token(token).key(key).send()
    };
    make(TOKEN, "program").await.refused(403, "forbidden");
    make(VENDOR_TOKEN, "vendor").await.refused(403, "forbidden");
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    let database = database.unwrap();
    personal_token(&database, &account, "owner@example.com", "personal-of-the-owner").await;
    let made = make("personal-of-the-owner", "k").await.expect(StatusCode::CREATED);
    make("personal-of-the-owner", "k").await.refused(409, "secret-not-repeatable");
    let link = text(&made["link"]);
    assert!(link.starts_with(&service.base), "{link}");
    let mut owner = sign_in(&service, "owner@example.com").await;
    let page = owner.open(&link).await;
    owner.submit(&page, &page.path, &[]).await;
    assert_eq!(owner.open("/accounts/other").await.status, StatusCode::OK);
    let token = link.rsplit('/').next().unwrap();
    assert!(service.requests().iter().all(|line| !line.to_string().contains(token)));
    service.stop().await;
}
