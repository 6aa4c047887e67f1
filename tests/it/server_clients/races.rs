//! What happens at once.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server_clients::{
    asked, granted, log_in, login_page, members_of_other, press, results, sign_in, start_as,
    transition,
};
use crate::service::{Kind, OTHER_TOKEN, TOKEN, VENDOR_TOKEN, text};

// rule: NC-11
#[tokio::test]
async fn one_login_link_used_by_two_requests_at_once_gives_one_session() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let row = granted(&service, "developer").await;
        let mut browser = sign_in(&service, "owner@example.com").await;
        let page = login_page(&mut browser, &row).await;
        let mark = page.mark(&page.path).unwrap();
        let cookies = browser.cookies();
        let tries = join_all((0..8).map(|_| {
            let body = format!("mark={mark}");
            let request = service.http.post(format!("{}{}", service.base, page.path));
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.header("cookie", &cookies).body(body).send()
        }))
        .await;
        let won = tries
            .into_iter()
            .filter(|answer| answer.as_ref().unwrap().headers().contains_key("location"));
        assert_eq!(won.count(), 1, "{kind:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn approving_by_two_sessions_at_once_gives_one_grant() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let call = service.call(Method::POST, "/v1/accounts/other/subscriptions");
        let call = call.token(VENDOR_TOKEN).new_key().json(&json!({ "plan": "scale" }));
        call.send().await.expect(StatusCode::CREATED);
        let row = asked(&service, "owner@other.example", "developer").await;
        let link = service.link_to("owner@other.example").await;
        let mut one = sign_in(&service, "owner@other.example").await;
        let mut two = sign_in(&service, "owner@other.example").await;
        let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
        let (first, second) = (one.open(&link).await, two.open(&link).await);
        let (one, two, api) = tokio::join!(
            press(&mut one, &first),
            press(&mut two, &second),
            transition(&service, OTHER_TOKEN, &path, "*"),
        );
        let answers = [one.status, two.status, api.status];
        // A page that comes late shows what is: that the agency has access.
        assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1);
        let members = members_of_other(&service).await;
        assert_eq!(members.iter().filter(|row| row["principal"] == "account").count(), 1);
        let mails = service.mails().await;
        assert_eq!(results(&mails).len(), 1, "{kind:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn of_a_grant_and_an_invitation_for_the_last_seat_one_wins() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let row = asked(&service, "owner@other.example", "developer").await;
        let path = format!("/v1/accounts/other/access-requests/{}/approve", text(&row["id"]));
        let invite = service.call(Method::POST, "/v1/accounts/other/invitations");
        let body = json!({ "email": "ina@example.com", "role": "biller" });
        let (granted, invited) = tokio::join!(
            transition(&service, OTHER_TOKEN, &path, "*"),
            invite.token(OTHER_TOKEN).key("i").json(&body).send(),
        );
        let ok = [granted.status, invited.status].iter().filter(|s| s.is_success()).count();
        assert_eq!(ok, 1, "{kind:?}: {granted:?} {invited:?}");
        let seats = service.call(Method::GET, "/v1/accounts/other/seats").token(OTHER_TOKEN);
        assert_eq!(seats.send().await.expect(StatusCode::OK)["used"], 1);
        service.stop().await;
    }
}

#[tokio::test]
async fn two_agencies_that_grant_each_other_access_at_once_do_not_wait_for_each_other() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let call = service.call(Method::PATCH, "/v1/accounts/other").token(VENDOR_TOKEN);
        call.if_match("*").json(&json!({ "agency": true })).send().await.expect(StatusCode::OK);
        let there = asked(&service, "owner@other.example", "developer").await;
        let call =
            service.call(Method::POST, "/v1/accounts/other/client-access").token(OTHER_TOKEN);
        let body = json!({ "email": "owner@example.com", "role": "developer" });
        let here = call.key("k").json(&body).send().await.expect(StatusCode::CREATED);
        let path = |account: &str, row: &Value| {
            format!("/v1/accounts/{account}/access-requests/{}/approve", text(&row["id"]))
        };
        let (acme, other) = (path("acme", &here), path("other", &there));
        let (one, two) = tokio::join!(
            transition(&service, TOKEN, &acme, "*"),
            transition(&service, OTHER_TOKEN, &other, "*"),
        );
        one.expect(StatusCode::OK);
        two.expect(StatusCode::OK);
        service.stop().await;
    }
}

// rule: NC-11
#[tokio::test]
async fn who_is_logged_in_as_a_client_changes_nothing_there_once_the_access_is_lost() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = start_as(|settings| settings.database = database).await;
        let call = service.call(Method::POST, "/v1/accounts/other/subscriptions");
        let call = call.token(VENDOR_TOKEN).new_key().json(&json!({ "plan": "scale" }));
        call.send().await.expect(StatusCode::CREATED);
        let row = granted(&service, "admin").await;
        let mut agency = sign_in(&service, "owner@example.com").await;
        log_in(&mut agency, &row).await;
        let (list, fields) =
            ("/accounts/other/members", [("email", "ina@example.com"), ("role", "biller")]);
        for (lost, back) in [
            ("update accounts set agency = 0", "update accounts set agency = 1"),
            (
                "update members set state = 'trimmed' where principal = 'account'",
                "update members set state = 'active' where principal = 'account'",
            ),
            (
                "update members set role = 'biller' where principal = 'person'",
                "update members set role = 'owner' where principal = 'person'",
            ),
        ] {
            let page = agency.open(list).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text());
            let page = service.behind("other", lost, agency.submit(&page, list, &fields)).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{kind:?}: {lost}");
            service.sql(back).await;
        }
        let invited = async || {
            let call = service.call(Method::GET, "/v1/accounts/other/invitations");
            let page = call.token(OTHER_TOKEN).send().await.expect(StatusCode::OK);
            page["total"].clone()
        };
        assert_eq!(invited().await, 0, "{kind:?}");
        // With the access it would have been one.
        let page = agency.open(list).await;
        agency.submit(&page, list, &fields).await;
        assert_eq!(invited().await, 1, "{kind:?}");
        service.stop().await;
    }
}
