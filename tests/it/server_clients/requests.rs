//! What an agency asks for, and what it sees of its clients.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server_clients::{
    CLIENTS, DAY, SECOND, agency_of_other, ask, asked, client, grant, granted, log_in, report,
    set_agency, sign_in, start, start_as, transition,
};
use crate::service::{OTHER_TOKEN, READ_TOKEN, SEED, TOKEN, TestService, text};

// rule: NC-01
#[tokio::test]
async fn an_agency_asks_a_client_by_address_for_the_role_it_wants() {
    let service = TestService::start().await;
    let email = "Cleo@Example.com";
    ask(&service, email, "developer").await.refused(409, "not-an-agency");
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&json!({ "agency": true })).send().await.refused(403, "forbidden");
    set_agency(&service, true).await.expect(StatusCode::OK);

    ask(&service, email, "owner").await.refused(400, "invalid-request");
    ask(&service, "nobody", "developer").await.refused(400, "invalid-request");
    let call = service.call(Method::POST, CLIENTS).token(READ_TOKEN).key("k");
    let body = json!({ "email": email, "role": "admin" });
    call.json(&body).send().await.refused(403, "scope-missing");
    let call = service.call(Method::POST, CLIENTS).token(TOKEN).json(&body);
    call.send().await.refused(400, "idempotency-key-required");

    for role in ["biller", "developer", "admin"] {
        let row = asked(&service, &format!("{role}@example.com"), role).await;
        assert_eq!((&row["role"], &row["state"]), (&json!(role), &json!("requested")));
        assert_eq!(row["actions"], json!(["resend", "remove"]));
    }
    let row = asked(&service, email, "admin").await;
    assert_eq!(row["email"], "cleo@example.com");
    let again = ask(&service, "cleo@EXAMPLE.com", "biller").await;
    let again = again.refused(409, "client-access-already-open");
    let href = text(&again["existing"]["href"]);
    assert_eq!(service.get(&href).await.expect(StatusCode::OK)["id"], row["id"]);
    let mails = service.mails().await;
    assert_eq!(mails.iter().filter(|mail| mail.to == "cleo@example.com").count(), 1);
    assert_eq!(mails.last().unwrap().template, "access-requested");
    assert_eq!(client(&service, "cleo@example.com").await["delivery"], "sent");
    service.stop().await;
}

#[tokio::test]
async fn a_product_without_agencies_offers_no_client_access() {
    let service = TestService::start_with(
        &SEED.replace("nitropack", "portal").replace("    subscriptions: [growth]\n", ""),
    )
    .await;
    set_agency(&service, true).await.refused(409, "not-offered");
    ask(&service, "cleo@example.com", "admin").await.refused(409, "not-offered");
    service.stop().await;
}

// rule: NC-05
#[tokio::test]
async fn the_agency_sees_every_client_it_asked_with_level_websites_and_status() {
    let service = start().await;
    asked(&service, "cleo@example.com", "biller").await;
    report(&service, "other", "https://shop.example/", "connected")
        .await
        .expect(StatusCode::CREATED);
    granted(&service, "developer").await;
    let rows = service.list(CLIENTS).await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (text(&row["email"]), text(&row["role"]), text(&row["state"]), &row["health"]))
        .collect();
    let seen = format!("{seen:?}");
    for word in ["cleo@example.com", "biller", "requested", "no_data", "granted", "all_good"] {
        assert!(seen.contains(word), "{seen}");
    }
    assert_eq!(rows[1]["website_count"], 1);
    assert_eq!(rows[1]["websites"][0]["url"], "https://shop.example/");
    let path = format!("{CLIENTS}?state=granted");
    assert_eq!(service.list(&path).await.len(), 1);
    let mut agency = sign_in(&service, "owner@example.com").await;
    let page = agency.open("/accounts/acme/clients").await;
    let row = page.row("owner@other.example");
    for word in ["Other", "developer", "https://shop.example/", "All good", "Log in as"] {
        assert!(row.contains(word), "{row}");
    }
    let reader = service.call(Method::GET, CLIENTS).token(READ_TOKEN).send().await;
    let reader = reader.expect(StatusCode::OK);
    assert!(reader["items"].as_array().unwrap().iter().all(|row| row["actions"] == json!([])));

    let foreign = service.call(Method::GET, CLIENTS).token(OTHER_TOKEN).send().await;
    foreign.refused(404, "not-found");
    service.join("dev@example.com", "developer").await;
    let mut dev = sign_in(&service, "dev@example.com").await;
    assert_eq!(dev.open("/accounts/acme/clients").await.status, StatusCode::FORBIDDEN);
    service.stop().await;
}

// rule: NC-06
#[tokio::test]
async fn the_client_alone_changes_the_role_and_the_agency_sees_the_one_it_has() {
    let service = start().await;
    let row = granted(&service, "admin").await;
    let member = agency_of_other(&service).await;
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    let patch = |token: &'static str| {
        let call = service.call(Method::PATCH, &path).token(token).if_match("*");
        call.json(&json!({ "role": "biller" })).send()
    };
    patch(TOKEN).await.refused(404, "not-found");
    patch(OTHER_TOKEN).await.expect(StatusCode::OK);

    let now = client(&service, "owner@other.example").await;
    assert_eq!((&now["role"], &now["role_held"]), (&json!("admin"), &json!("biller")));
    assert_ne!(now["etag"], row["etag"]);
    service.pass(SECOND).await;
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    let entry = log.last().unwrap();
    assert_eq!(entry["action"], "client_access.changed");
    let held = (&entry["before"]["role_held"], &entry["after"]["role_held"]);
    assert_eq!(held, (&json!("admin"), &json!("biller")));

    // Removing it ends the access; the agency can ask again, before the service looks by itself.
    let call = service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    let now = client(&service, "owner@other.example").await;
    assert_eq!((&now["state"], &now["health"]), (&json!("ended"), &json!("no_data")));
    asked(&service, "owner@other.example", "developer").await;
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    let actions: Vec<_> = log.iter().rev().take(2).map(|row| text(&row["action"])).collect();
    assert_eq!(actions, ["client_access.requested", "client_access.ended"]);
    service.pass(SECOND).await;
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    assert_eq!(log.last().unwrap()["action"], "client_access.requested", "it is noted once");
    service.stop().await;
}

#[tokio::test]
async fn an_agency_trimmed_at_its_client_is_paused_and_comes_back() {
    let service = start().await;
    let row = granted(&service, "developer").await;
    let mut agency = sign_in(&service, "owner@example.com").await;
    log_in(&mut agency, &row).await;
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::OK);
    let member = agency_of_other(&service).await;
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    // With the account claimed, nobody comes back at once.
    let claim = json!({ "claim": { "installation_id": "inst-1", "fingerprint": "file" } });
    let call = service.call(Method::PATCH, "/v1/accounts/other").token(OTHER_TOKEN);
    call.if_match("*").json(&claim).send().await.expect(StatusCode::OK);
    transition(&service, OTHER_TOKEN, &format!("{path}/trim"), "*").await.expect(StatusCode::OK);
    let now = client(&service, "owner@other.example").await;
    assert_eq!((&now["state"], &now["actions"]), (&json!("trimmed"), &json!([])));
    assert_eq!(agency.open("/accounts/other").await.status, StatusCode::NOT_FOUND);
    let mut otto = sign_in(&service, "owner@other.example").await;
    let page = otto.open("/accounts/other/members").await;
    assert!(page.row("owner@example.com").contains("paused"), "{}", page.text());
    let reinstate = transition(&service, OTHER_TOKEN, &format!("{path}/reinstate"), "*").await;
    reinstate.expect(StatusCode::OK);
    assert_eq!(client(&service, "owner@other.example").await["state"], "granted");
    service.stop().await;
}

// rule: NC-09
#[tokio::test]
async fn a_request_is_sent_again_by_the_same_link_and_only_while_it_waits() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "biller").await;
    let link = service.link_to("owner@other.example").await;
    let path = format!("{CLIENTS}/{}/resend", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("k");
    call.send().await.refused(428, "if-match-required");
    service.clock.advance(DAY);
    let again = transition(&service, TOKEN, &path, &text(&row["etag"])).await;
    let again = again.expect(StatusCode::OK);
    assert_eq!(again["send_count"], 2);
    assert_eq!(service.link_to("owner@other.example").await, link);
    service.clock.advance(SECOND);
    transition(&service, TOKEN, &path, &text(&row["etag"])).await.refused(412, "stale");
    let foreign = format!("/v1/accounts/other/client-access/{}/resend", text(&row["id"]));
    transition(&service, OTHER_TOKEN, &foreign, "*").await.refused(404, "not-found");
    grant(&service).await;
    transition(&service, TOKEN, &path, "*").await.refused(409, "row-state");
    let mails = service.mails().await;
    assert_eq!(mails.iter().filter(|mail| mail.template == "access-requested").count(), 2);
    service.stop().await;
}

// rule: NC-10
#[tokio::test]
async fn a_request_is_withdrawn_only_while_it_waits_and_its_link_is_dead_then() {
    let service = start().await;
    let row = asked(&service, "owner@other.example", "biller").await;
    let link = service.link_to("owner@other.example").await;
    let remove = async |row: &Value, token: &str| {
        let path = format!("{CLIENTS}/{}", text(&row["id"]));
        service.call(Method::DELETE, &path).token(token).if_match("*").send().await
    };
    remove(&row, "acme-token-without-removals").await.refused(403, "scope-missing");
    remove(&row, TOKEN).await.expect(StatusCode::NO_CONTENT);
    remove(&row, TOKEN).await.refused(404, "not-found");
    for path in [
        format!("{CLIENTS}/{}", text(&row["id"])),
        format!("{CLIENTS}/{}/websites", text(&row["id"])),
    ] {
        service.call(Method::GET, &path).token(TOKEN).send().await.refused(404, "not-found");
    }
    assert!(service.list(CLIENTS).await.is_empty());
    assert_eq!(service.list(&format!("{CLIENTS}?state=removed")).await.len(), 1);
    let mut otto = sign_in(&service, "owner@other.example").await;
    let page = otto.open(&link).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert!(page.text().contains("Nothing was changed"), "{}", page.text());

    service.clock.advance(SECOND);
    let row = granted(&service, "biller").await;
    remove(&row, TOKEN).await.refused(409, "row-state");
    let mut agency = sign_in(&service, "owner@example.com").await;
    let page = agency.open("/accounts/acme/clients").await;
    assert!(!page.row("owner@other.example").contains("Remove"), "{}", page.text());
    service.stop().await;
}

#[tokio::test]
async fn requests_to_clients_are_held_to_the_limits_of_invitation_mails() {
    let service = start_as(|settings| {
        settings.invite_limits.per_account_hour = 4.try_into().unwrap();
        settings.invite_limits.per_address_day = 2.try_into().unwrap();
    })
    .await;
    let (path, email) = (|row: &Value| format!("{CLIENTS}/{}", text(&row["id"])), "a@example.com");
    let row = asked(&service, email, "admin").await;
    let resend = format!("{}/resend", path(&row));
    let row = transition(&service, TOKEN, &resend, &text(&row["etag"])).await;
    let row = row.expect(StatusCode::OK);
    let again = transition(&service, TOKEN, &resend, &text(&row["etag"])).await;
    again.refused(429, "rate-limited");
    // Withdrawn and asked anew, it is the same address still.
    let withdraw = service.call(Method::DELETE, &path(&row)).token(TOKEN);
    let withdrawn = withdraw.if_match("*").send().await;
    assert_eq!(withdrawn.status, StatusCode::NO_CONTENT);
    ask(&service, email, "biller").await.refused(429, "rate-limited");
    service.invite(email, "developer").await.refused(429, "rate-limited");

    service.invite("b@example.com", "developer").await.expect(StatusCode::CREATED);
    asked(&service, "c@example.com", "admin").await;
    let refused = ask(&service, "d@example.com", "admin").await;
    assert_eq!(refused.header("retry-after"), "3601");
    refused.refused(429, "rate-limited");
    service.invite("d@example.com", "developer").await.refused(429, "rate-limited");
    service.stop().await;
}
