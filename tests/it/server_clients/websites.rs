//! Websites, at their account and at its agency.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use seatkeeper::profile::built_in;
use serde_json::json;

use crate::server_clients::{
    CLIENTS, agency_of_other, asked, client, grant, granted, report, start, start_as,
};
use crate::service::{OTHER_TOKEN, TOKEN, VENDOR_TOKEN, text};

// rule: NC-07
#[tokio::test]
async fn websites_of_a_client_are_listed_and_searched_once_it_has_granted() {
    let service = start().await;
    for at in 0..12 {
        let url = format!("https://shop-{at:02}.example/100%25_A");
        report(&service, "other", &url, "connected").await.expect(StatusCode::CREATED);
    }
    report(&service, "acme", "https://own.example", "connected").await.expect(StatusCode::CREATED);
    let row = asked(&service, "owner@other.example", "biller").await;
    let path = format!("{CLIENTS}/{}/websites", text(&row["id"]));
    assert!(service.list(&path).await.is_empty(), "requested");
    assert_eq!(row["website_count"], 0);
    grant(&service).await;

    let row = client(&service, "owner@other.example").await;
    assert_eq!(row["website_count"], 12);
    assert_eq!(row["websites"].as_array().unwrap().len(), 10);
    assert_eq!(service.list(&path).await.len(), 12);
    for (text, found) in [("SHOP-03", 1), ("shop-1", 2), ("100%25_a", 12), ("_00", 0), ("own", 0)] {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        assert_eq!(service.list(&format!("{path}?q={query}")).await.len(), found, "{text}");
    }
    let first = service.get(&format!("{path}?page_size=5&q=shop")).await.expect(StatusCode::OK);
    assert_eq!((first["items"].as_array().unwrap().len(), &first["total"]), (5, &json!(12)));
    assert_eq!(service.list("/v1/accounts/acme/websites?q=own").await.len(), 1);
    let foreign = service.call(Method::GET, &path).token(OTHER_TOKEN).send().await;
    foreign.refused(404, "not-found");

    // Whose access has ended sees nothing any more.
    let agency = text(&agency_of_other(&service).await["id"]);
    let end = format!("/v1/accounts/other/members/{agency}");
    let call = service.call(Method::DELETE, &end).token(OTHER_TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
    assert!(service.list(&path).await.is_empty(), "ended");
    service.stop().await;
}

// rule: NC-08
#[tokio::test]
async fn the_status_of_a_client_is_the_worst_that_holds() {
    let service = start().await;
    granted(&service, "biller").await;
    let health = async || client(&service, "owner@other.example").await["health"].clone();
    assert_eq!(health().await, "no_data");
    let mut sites = Vec::new();
    for at in 0..3 {
        let url = format!("https://shop-{at}.example");
        let site = report(&service, "other", &url, "connected").await.expect(StatusCode::CREATED);
        sites.push(format!("/v1/accounts/other/websites/{}", text(&site["id"])));
    }
    assert_eq!(health().await, "all_good");
    let set = async |at: usize, state: &str| {
        let call = service.call(Method::PATCH, &sites[at]).token(VENDOR_TOKEN).if_match("*");
        call.json(&json!({ "state": state })).send().await.expect(StatusCode::OK)
    };
    set(0, "not_connected").await;
    assert_eq!(health().await, "not_connected");
    set(1, "major_issue").await;
    assert_eq!(health().await, "major_issue");
    set(0, "connected").await;
    assert_eq!(health().await, "major_issue");
    set(1, "connected").await;
    assert_eq!(health().await, "all_good");
    for site in &sites {
        let call = service.call(Method::DELETE, site).token(VENDOR_TOKEN).if_match("*");
        call.send().await.expect(StatusCode::NO_CONTENT);
    }
    assert_eq!(health().await, "no_data");
    service.stop().await;
}

// rule: NP-10
#[tokio::test]
async fn only_the_vendor_reports_websites_and_recipients_are_told_when_one_is_lost() {
    // A profile whose developers always receive what is about websites.
    let service = start_as(|settings| {
        let mut profile = (*built_in("nitropack").unwrap()).clone();
        let developer = profile.roles.iter_mut().find(|role| role.name.as_str() == "developer");
        developer.unwrap().receives.insert("website-status".to_owned());
        settings.profiles.insert("nitropack".to_owned(), Arc::new(profile));
    })
    .await;
    service.join("dev@example.com", "developer").await;
    service.join("bil@example.com", "biller").await;
    let path = "/v1/accounts/acme/websites";
    let body = json!({ "url": "https://Shop.example", "state": "connected" });
    let own = service.call(Method::POST, path).token(TOKEN).json(&body).send().await;
    own.refused(403, "forbidden");
    let site = report(&service, "acme", "https://Shop.example", "connected").await;
    let site = site.expect(StatusCode::CREATED);
    assert_eq!(site["url"], "https://shop.example/");
    report(&service, "acme", "HTTPS://shop.example/", "connected")
        .await
        .refused(409, "website-taken");
    for bad in ["ftp://shop.example", "shop", "https://u:p@shop.example", "javascript:alert(1)"] {
        report(&service, "acme", bad, "connected").await.refused(400, "invalid-request");
    }
    report(&service, "acme", "https://a.example", "gone").await.refused(400, "invalid-request");

    let row = format!("{path}/{}", text(&site["id"]));
    let set = async |state: &str, etag: &str| {
        let call = service.call(Method::PATCH, &row).token(VENDOR_TOKEN).if_match(etag);
        call.json(&json!({ "state": state })).send().await
    };
    set("not_connected", &text(&site["etag"])).await.expect(StatusCode::OK);
    set("major_issue", &text(&site["etag"])).await.refused(412, "stale");
    set("major_issue", "*").await.expect(StatusCode::OK);
    set("connected", "*").await.expect(StatusCode::OK);
    set("major_issue", "*").await.expect(StatusCode::OK);
    let mails = service.mails().await;
    let told: Vec<_> = mails.iter().filter(|mail| mail.template == "website-status").collect();
    assert_eq!(told.len(), 2, "each time it leaves connected");
    assert!(told.iter().all(|mail| mail.to == "dev@example.com"));
    assert!(told[0].text.contains("https://shop.example/"), "{}", told[0].text);
    let foreign = format!("/v1/accounts/other/websites/{}", text(&site["id"]));
    let call = service.call(Method::PATCH, &foreign).token(VENDOR_TOKEN).if_match("*");
    let foreign = call.json(&json!({ "state": "connected" })).send().await;
    foreign.refused(404, "not-found");
    service.stop().await;
}
