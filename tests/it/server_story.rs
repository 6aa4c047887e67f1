//! The way from an invitation to a member at the account service.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::service::{PASSWORD, TOKEN, TestService};

// rule: NP-01
#[tokio::test]
async fn a_member_is_invited_by_address_with_one_role_and_gets_a_mail_with_a_link() {
    let service = TestService::start().await;
    let invitation = service.invite("Ana@Example.com", "developer").await;
    let invitation = invitation.expect(StatusCode::CREATED);
    assert_eq!(invitation["email"], "ana@example.com");
    assert_eq!(invitation["state"], "pending");

    let mails = service.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].to.as_str(), mails[0].template.as_str()),
        ("ana@example.com", "invitation")
    );
    assert_eq!(mails[0].subject, "You are invited to Acme");
    assert!(mails[0].text.contains("with the role developer"), "{}", mails[0].text);

    let link = service.link_to("ana@example.com").await;
    assert!(link.starts_with(&format!("{}/i/", service.base)), "{link}");
    service.browser().accept_by_sign_up(&link).await;
    let member = service.member("ana@example.com").await;
    assert_eq!((&member["role"], &member["state"]), (&json!("developer"), &json!("active")));
    assert_eq!(member["added_at"], invitation["created_at"]);
    service.stop().await;
}

// rule: NP-05
#[tokio::test]
async fn signing_up_signing_in_and_being_signed_in_end_as_the_same_active_member() {
    let service = TestService::start().await;
    for email in ["ana@example.com", "ben@example.com", "cyd@example.com"] {
        service.invite(email, "biller").await.expect(StatusCode::CREATED);
    }
    assert_eq!(service.mails().await.len(), 3);

    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;

    service.browser().accept_by_sign_in(&service.link_to("ben@example.com").await).await;

    let mut browser = service.browser();
    let cyd = service.link_to("cyd@example.com").await;
    let page = browser.open("/signup").await;
    browser.submit(&page, "/signup", &[("email", "cyd@example.com")]).await;
    let page = browser.open(&service.link_to("cyd@example.com").await).await;
    let fields = [("name", "Cyd"), ("password", PASSWORD)];
    browser.submit(&page, &page.path, &fields).await;
    browser.accept_signed_in(&cyd).await;

    assert_eq!(service.people().await, "ana:biller:active ben:biller:active cyd:biller:active");
    let members = service.list("/v1/accounts/acme/members").await;
    let keys = |at: usize| members[at].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members.len(), 4);
    assert_eq!(keys(1), keys(2));
    assert_eq!(keys(2), keys(3));
    service.stop().await;
}

// rule: NP-06
#[tokio::test]
async fn the_list_shows_every_member_with_role_and_the_invited_tag_until_accepted() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "developer").await.expect(StatusCode::CREATED);
    let mut owner = service.browser();
    owner.sign_in("owner@example.com", PASSWORD).await;

    let page = owner.open("/accounts/acme/members").await;
    assert!(page.row("ana@example.com").starts_with("ana@example.com invited"), "{}", page.html);
    assert!(page.row("owner@example.com").contains("Olga owner@example.com owner"));

    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;
    let page = owner.open("/accounts/acme/members").await;
    let row = page.row("ana@example.com");
    assert!(row.starts_with("New Person ana@example.com"), "{row}");
    assert!(!row.contains("invited"), "{row}");
    assert!(page.html.contains("<option selected>developer</option>"), "{}", page.html);
    service.stop().await;
}

// rule: NP-07
#[tokio::test]
async fn a_changed_role_keeps_the_seat_and_the_join_date() {
    let service = TestService::start().await;
    let before = service.join("ana@example.com", "developer").await;
    for email in ["two@example.com", "three@example.com"] {
        service.invite(email, "developer").await.expect(StatusCode::CREATED);
    }
    let seats = service.seats().await;
    assert_eq!(seats["used"], seats["limit"], "the change needs no further seat");
    service.clock.advance(SignedDuration::from_hours(5));
    let path = format!("/v1/accounts/acme/members/{}", before["id"].as_str().unwrap());
    let etag = before["etag"].as_str().unwrap();
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match(etag);
    let after = call.json(&json!({ "role": "admin" })).send().await.expect(StatusCode::OK);
    assert_eq!(after["role"], "admin");
    for kept in ["id", "added_at", "joined_at", "state"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(service.seats().await, seats);
    service.stop().await;
}
