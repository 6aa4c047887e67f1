//! Invariants of the account service, each a test with its sentence as its name.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::service::{Answer, PASSWORD, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";

async fn change_role(service: &TestService, email: &str, role: &str) -> Answer {
    let member = service.member(email).await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match(&text(&member["etag"]));
    call.json(&json!({ "role": role })).send().await
}

async fn remove(service: &TestService, email: &str) -> Answer {
    let member = service.member(email).await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    let call = service.call(Method::DELETE, &path).token(TOKEN);
    call.if_match(&text(&member["etag"])).send().await
}

#[tokio::test]
async fn one_pending_invitation_per_account_and_address() {
    let service = TestService::start().await;
    let invite = |at: usize| {
        let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key(&format!("key-{at}"));
        call.json(&json!({ "email": "ana@example.com", "role": "biller" })).send()
    };
    let answers = join_all((0..16).map(invite)).await;
    let won = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(won, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != StatusCode::CREATED) {
        answer.refused(409, "invitation-already-pending");
    }
    assert_eq!(service.list(INVITATIONS).await.len(), 1);
    assert_eq!(service.mails().await.len(), 1);
    service.stop().await;
}

// rule: OP-05
#[tokio::test]
async fn the_last_owner_is_neither_removed_nor_demoted() {
    let service = TestService::start().await;
    change_role(&service, "owner@example.com", "admin").await.refused(409, "role-holders");
    remove(&service, "owner@example.com").await.refused(409, "role-holders");
    let owner = service.member("owner@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}/trim", text(&owner["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("k").if_match("*");
    call.send().await.refused(409, "role-holders");
    assert_eq!(service.member("owner@example.com").await, owner);
    service.stop().await;
}

#[tokio::test]
async fn an_owner_role_is_given_by_no_invitation_and_no_change_of_role() {
    let service = TestService::start().await;
    service.join("ana@example.com", "admin").await;
    change_role(&service, "ana@example.com", "owner").await.refused(409, "role-fixed");
    service.invite("ben2@example.com", "owner").await.refused(409, "role-not-invitable");
    service.stop().await;
}

#[tokio::test]
async fn nobody_grants_or_removes_beyond_what_the_profile_lets_them_manage() {
    // Where admins act on members and only the owner on admins.
    let seed = SEED.replace("profile: nitropack", "profile: portal").replacen(
        "    subscriptions: [growth]\n",
        "    members:\n      \
         - {email: ada@example.com, role: admin, password: correct horse battery}\n      \
         - {email: abe@example.com, role: admin}\n      - {email: mia@example.com, role: member}\n",
        1,
    );
    let plans = seatkeeper::profile::built_in("portal").unwrap();
    let plan = plans.plans.last().unwrap().name.to_string();
    let service = TestService::start_with(&seed).await;
    service.subscribe(&plan).await;
    let mut ada = service.browser();
    ada.sign_in("ada@example.com", PASSWORD).await;
    let list = "/accounts/acme/members";
    let page = ada.open(list).await;
    assert!(!page.row("abe@example.com").contains("Remove"), "{}", page.row("abe@example.com"));
    assert!(page.row("mia@example.com").contains("Remove"), "{}", page.row("mia@example.com"));

    let refused = ada.submit(&page, list, &[("email", "x@example.com"), ("role", "admin")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "inviting an admin is the owner's");
    let (abe, mia) =
        (service.member("abe@example.com").await, service.member("mia@example.com").await);
    let mark = page.mark(list).unwrap();
    let remove = format!("{list}/{}/remove", text(&abe["id"]));
    assert_eq!(ada.post(&remove, &[("mark", &mark)]).await.status, StatusCode::FORBIDDEN);
    let role = |member: &Value| format!("{list}/{}/role", text(&member["id"]));
    let form = |role| [("mark", mark.as_str()), ("role", role)];
    let demoted = ada.post(&role(&abe), &form("member")).await;
    assert_eq!(demoted.status, StatusCode::FORBIDDEN, "the old role is out of reach");
    let raised = ada.post(&role(&mia), &form("admin")).await;
    assert_eq!(raised.status, StatusCode::FORBIDDEN, "the new role is out of reach");
    assert_eq!(service.people().await, "ada:admin:active abe:admin:active mia:member:active");
    service.stop().await;
}

#[tokio::test]
async fn nobody_acts_on_pending_or_trimmed_people_beyond_what_the_profile_lets_them_manage() {
    // Admins may invite admins here, but act on members alone.
    let rules = include_str!("../../profiles/portal.yaml")
        .replace("  invite: {owner: lower, admin: lower}", "  invite: {owner: lower, admin: own}")
        .replace("onShrink: keep", "onShrink: trimLatestAdded");
    let profile = Arc::new(seatkeeper::profile::read("portal.yaml", &rules).unwrap());
    let seed = SEED
        .replace("profile: nitropack", "profile: portal")
        .replacen(
            "    subscriptions: [growth]\n",
            "    subscriptions: [team]\n    members:\n      \
             - {email: ada@example.com, role: admin, password: correct horse battery}\n      - {email: abe@example.com, role: admin}\n",
            1,
        )
        .replacen(
            "    tokens:\n",
            "    tokens:\n      - {token: personal-token-of-ada, email: ada@example.com, \
             scopes: [read, invite, change, remove]}\n",
            1,
        );
    let service = TestService::start_as(&seed, |settings| {
        settings.profiles.insert("portal".to_owned(), profile);
    })
    .await;
    let admin = service.invite("amy@example.com", "admin").await.expect(StatusCode::CREATED);
    let member = service.invite("mia@example.com", "member").await.expect(StatusCode::CREATED);
    let path = |row: &Value| format!("{INVITATIONS}/{}", text(&row["id"]));
    let by_ada = |method, path: &str| {
        service.call(method, path).token("personal-token-of-ada").key(path).if_match("*")
    };
    for (row, role) in [(&admin, "member"), (&member, "admin")] {
        let call = by_ada(Method::PATCH, &path(row)).json(&json!({ "role": role }));
        call.send().await.refused(403, "beyond-manage");
    }
    let revoke = by_ada(Method::POST, &format!("{}/revoke", path(&admin))).send().await;
    revoke.refused(403, "beyond-manage");
    let abe = text(&service.member("abe@example.com").await["id"]);
    let act = |verb| format!("/v1/accounts/acme/members/{abe}/{verb}");
    by_ada(Method::POST, &act("trim")).send().await.refused(403, "beyond-manage");
    let call = service.call(Method::POST, &act("trim")).token(TOKEN).key("trim").if_match("*");
    call.send().await.expect(StatusCode::OK);
    by_ada(Method::POST, &act("reinstate")).send().await.refused(403, "beyond-manage");
    by_ada(Method::POST, &format!("{}/revoke", path(&member))).send().await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn a_shrink_keeps_owners_even_one_who_was_added_last() {
    let rules = include_str!("../../profiles/nitropack.yaml")
        .replace("holders: {min: 1, max: 1}", "holders: {min: 1}")
        .replace("counts: [active,", "counts: [owner, active,");
    let profile = Arc::new(seatkeeper::profile::read("nitropack.yaml", &rules).unwrap());
    let seed = SEED.replacen(
        "    subscriptions: [growth]\n",
        "    subscriptions: [growth]\n    members:\n      \
         - {email: ana@example.com, role: developer}\n      - {email: una@example.com, role: admin}\n",
        1,
    );
    let service = TestService::start_as(&seed, |settings| {
        settings.profiles.insert("nitropack".to_owned(), profile);
    })
    .await;
    // As a change of owner leaves it.
    for statement in [
        "update members set role = 'owner' where address = 'una@example.com'",
        "update tallies set entries = 0 where list = 'members' and role = 'admin'",
        "update tallies set entries = 2 where list = 'members' and role = 'owner' \
         and account_id in (select id from accounts where slug = 'acme')",
    ] {
        service.sql(statement).await;
    }
    service.subscribe("business").await;
    assert_eq!(service.seats().await["used"], 3);
    service.cancel("growth").await;
    assert_eq!(service.people().await, "ana:developer:trimmed");
    assert_eq!(service.member("una@example.com").await["state"], "active");
    service.stop().await;
}

// rule: OP-03
#[tokio::test]
async fn seat_check_in_the_same_transaction_two_parallel_invitations_for_the_last_seat_one_wins() {
    let service = TestService::start().await;
    for email in ["a@example.com", "b@example.com"] {
        service.invite(email, "biller").await.expect(StatusCode::CREATED);
    }
    let emails: Vec<_> = (0..16).map(|at| format!("p{at}@example.com")).collect();
    let answers = join_all(emails.iter().map(|email| service.invite(email, "biller"))).await;
    let won = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(won, 1);
    assert_eq!(service.seats().await["used"], 3);
    service.stop().await;
}

#[tokio::test]
async fn accepting_twice_or_by_two_sessions_at_once_gives_one_member() {
    let service = TestService::start().await;
    service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ben@example.com").await;
    let opened = join_all((0..4).map(|_| async {
        let mut browser = service.browser();
        let page = browser.open(&link).await;
        (browser, page)
    }))
    .await;
    let sessions = opened.into_iter().map(|(mut browser, page)| async move {
        let fields = [("password", PASSWORD)];
        browser.submit(&page, &format!("{}/accept", page.path), &fields).await.status
    });
    let answers = join_all(sessions).await;
    let won = answers.iter().filter(|status| **status == StatusCode::OK).count();
    assert_eq!((won, answers.len()), (1, 4), "{answers:?}");
    assert_eq!(service.people().await, "ben:biller:active");

    let page = service.browser().open(&link).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert!(page.text().contains("This invitation is accepted"), "{}", page.text());
    service.stop().await;
}

#[tokio::test]
async fn accepting_after_expiry_fails_loudly_and_changes_nothing() {
    let service = TestService::start().await;
    service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    let mut browser = service.browser();
    let page = browser.open(&service.link_to("ben@example.com").await).await;
    service.clock.advance(SignedDuration::from_hours(30 * 24));
    let action = format!("{}/accept", page.path);
    let late = browser.submit(&page, &action, &[("password", PASSWORD)]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text().contains("This invitation is expired"), "{}", late.text());
    assert_eq!(service.people().await, "");
    let gone = browser.open(&page.path).await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert_eq!(service.list(INVITATIONS).await[0]["state"], "expired");

    // A resend takes the seat again and works.
    service.pass(SignedDuration::ZERO).await;
    let row = service.list(INVITATIONS).await[0].clone();
    let path = format!("{INVITATIONS}/{}/resend", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("again");
    call.if_match(&text(&row["etag"])).send().await.expect(StatusCode::OK);
    assert_eq!(service.seats().await["used"], 1);
    service.browser().accept_by_sign_in(&service.link_to("ben@example.com").await).await;
    assert_eq!(service.people().await, "ben:biller:active");
    service.stop().await;
}

#[tokio::test]
async fn an_expired_invitation_is_resent_only_if_a_seat_is_free() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.pass(SignedDuration::from_hours(30 * 24)).await;
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        service.invite(email, "biller").await.expect(StatusCode::CREATED);
    }
    let expired = service.list(&format!("{INVITATIONS}?state=expired")).await;
    let path = format!("{INVITATIONS}/{}/resend", text(&expired[0]["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("again");
    let refused = call.if_match(&text(&expired[0]["etag"])).send().await;
    refused.refused(409, "seat-limit-reached");
    service.stop().await;
}

#[tokio::test]
async fn accepting_checks_the_seats_again() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ben@example.com").await;
    // Claimed: the shrink is announced, and both still wait.
    let claim = json!({ "claim": { "installation_id": "i", "fingerprint": "f" } });
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&claim).send().await.expect(StatusCode::OK);
    service.cancel("growth").await;
    let page = service.browser().accept(&link, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.text().contains("All 1 seats") || page.text().contains("seats of the plan"));
    assert_eq!(service.people().await, "");
    service.stop().await;
}

#[tokio::test]
async fn accepting_checks_the_inviter_again() {
    let service = TestService::start().await;
    let ana = service.join("ana@example.com", "admin").await;
    let mut browser = service.browser();
    browser.sign_in("ana@example.com", PASSWORD).await;
    let page = browser.open("/accounts/acme/members").await;
    let fields = [("email", "ben@example.com"), ("role", "biller")];
    browser.submit(&page, "/accounts/acme/members", &fields).await;
    let link = service.link_to("ben@example.com").await;
    let trim = format!("/v1/accounts/acme/members/{}/trim", text(&ana["id"]));
    let call = service.call(Method::POST, &trim).token(TOKEN).key("trim").if_match("*");
    call.send().await.expect(StatusCode::OK);
    let page = service.browser().accept(&link, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text());
    assert_eq!(service.people().await, "ana:admin:trimmed");
    service.stop().await;
}

#[tokio::test]
async fn accepting_checks_the_holders_of_the_role_again() {
    let rules = include_str!("../../profiles/nitropack.yaml").replace(
        "    permissions: [dashboard.view,",
        "    holders: {max: 1}\n    permissions: [dashboard.view,",
    );
    let profile = Arc::new(seatkeeper::profile::read("nitropack.yaml", &rules).unwrap());
    let service = TestService::start_as(SEED, |settings| {
        settings.profiles.insert("nitropack".to_owned(), profile);
    })
    .await;
    service.invite("ben@example.com", "developer").await.expect(StatusCode::CREATED);
    service.join("ana@example.com", "developer").await;
    service.join("cyd@example.com", "biller").await;
    change_role(&service, "cyd@example.com", "developer").await.refused(409, "role-holders");
    let link = service.link_to("ben@example.com").await;
    let page = service.browser().accept(&link, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text());
    assert_eq!(service.people().await, "ana:developer:active cyd:biller:active");
    service.stop().await;
}

#[tokio::test]
async fn role_holder_limits_hold_after_a_trimmed_holder_is_back() {
    let rules = include_str!("../../profiles/nitropack.yaml").replace(
        "    permissions: [dashboard.view,",
        "    holders: {max: 1}\n    permissions: [dashboard.view,",
    );
    let profile = Arc::new(seatkeeper::profile::read("nitropack.yaml", &rules).unwrap());
    let service = TestService::start_as(SEED, |settings| {
        settings.profiles.insert("nitropack".to_owned(), profile);
    })
    .await;
    let dev = service.join("dev@example.com", "developer").await;
    service.join("cyd@example.com", "biller").await;
    let invited = service.invite("dan@example.com", "developer").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/members/{}/trim", text(&dev["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("trim").if_match("*");
    call.send().await.expect(StatusCode::OK);

    change_role(&service, "cyd@example.com", "developer").await.refused(409, "role-holders");
    let link = service.link_to("dan@example.com").await;
    let page = service.browser().accept(&link, &[("name", "Dan"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text());
    // What frees the seat brings the holder back.
    let path = format!("{INVITATIONS}/{}/revoke", text(&invited["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).if_match("*");
    call.send().await.expect(StatusCode::OK);
    assert_eq!(service.people().await, "dev:developer:active cyd:biller:active");
    service.stop().await;
}

#[tokio::test]
async fn an_invitation_that_was_declined_is_accepted_by_nobody() {
    let service = TestService::start().await;
    service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    let mut ben = service.browser();
    let page = ben.open(&service.link_to("ben@example.com").await).await;
    ben.submit(&page, &format!("{}/decline", page.path), &[]).await;
    let accept = format!("{}/accept", page.path);
    let late = ben.submit(&page, &accept, &[("password", PASSWORD)]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text());
    assert_eq!(service.people().await, "");
    service.stop().await;
}

#[tokio::test]
async fn an_overdue_invitation_keeps_nobody_from_inviting_again() {
    let service = TestService::start().await;
    let first = service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    service.clock.advance(SignedDuration::from_hours(30 * 24));
    let again = service.invite("ben@example.com", "developer").await.expect(StatusCode::CREATED);
    assert_ne!(again["id"], first["id"]);
    let expired = service.list(&format!("{INVITATIONS}?state=expired")).await;
    assert_eq!(expired[0]["id"], first["id"]);
    service.stop().await;
}

#[tokio::test]
async fn cancelling_never_alters_an_accepted_invitation() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;
    for verb in ["revoke", "resend"] {
        let path = format!("{INVITATIONS}/{}/{verb}", text(&row["id"]));
        let call = service.call(Method::POST, &path).token(TOKEN).key(verb).if_match("*");
        call.send().await.refused(409, "invitation-state");
    }
    let accepted = service.list(&format!("{INVITATIONS}?state=accepted")).await;
    assert_eq!(accepted[0]["id"], row["id"]);
    assert_eq!(service.people().await, "ana:biller:active");
    service.stop().await;
}

#[tokio::test]
async fn a_link_works_only_for_the_invited_address() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ana@example.com").await;
    let mut ben = service.browser();
    ben.sign_in("ben@example.com", PASSWORD).await;
    let page = ben.open(&link).await;
    assert!(page.text().contains("You are signed in as ben@example.com"), "{}", page.text());
    assert_eq!(page.mark(&format!("{}/accept", page.path)), None, "no form to accept");
    let mark = page.mark("/signout").unwrap();
    for verb in ["accept", "decline"] {
        let form = [("mark", mark.as_str()), ("password", PASSWORD), ("name", "Ben")];
        let refused = ben.post(&format!("{}/{verb}", page.path), &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{verb}");
    }
    assert_eq!(service.people().await, "");
    assert_eq!(service.list(INVITATIONS).await[0]["state"], "pending");
    service.stop().await;
}

#[tokio::test]
async fn a_forged_used_or_revoked_link_does_not_work() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ana@example.com").await;
    let last = if link.ends_with('0') { '1' } else { '0' };
    let forged = format!("{}{last}", &link[..link.len() - 1]);
    let next = link.replacen("-1-", "-2-", 1);
    for bad in [forged, next, format!("{}/i/nonsense", service.base)] {
        let page = service.browser().open(&bad).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{bad}");
        assert!(page.text().contains("This link does not work"), "{}", page.text());
    }
    let path = format!("{INVITATIONS}/{}/revoke", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).if_match("*");
    call.send().await.expect(StatusCode::OK);
    let page = service.browser().open(&link).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert_eq!(page.mark(&format!("{}/accept", page.path)), None);
    service.stop().await;
}

#[tokio::test]
async fn get_and_head_change_nothing() {
    let service = TestService::start().await;
    let row = service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    service.mails().await;
    let link = service.link_to("ben@example.com").await;
    let before = service.get("/v1/accounts/acme/audit-events").await.body;
    let mut owner = service.browser();
    owner.sign_in("owner@example.com", PASSWORD).await;
    let member = service.member("owner@example.com").await;
    for path in [
        link.clone(),
        format!("{link}/accept"),
        format!("{link}/decline"),
        "/accounts/acme/members".to_owned(),
        format!("/accounts/acme/members/{}/remove", text(&member["id"])),
        format!("/accounts/acme/invitations/{}/revoke", text(&row["id"])),
        format!("/accounts/acme/invitations/{}/resend", text(&row["id"])),
        "/signout".to_owned(),
    ] {
        owner.open(&path).await;
        let url = if path.starts_with("http") { path } else { format!("{}{path}", service.base) };
        service.http.head(url).send().await.unwrap();
    }
    assert_eq!(service.get("/v1/accounts/acme/audit-events").await.body, before);
    assert_eq!(owner.open("/accounts/acme").await.status, StatusCode::OK, "still signed in");
    assert_eq!(service.mails().await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn removing_or_demoting_someone_revokes_what_they_could_not_invite_any_more() {
    let service = TestService::start().await;
    service.subscribe("scale").await;
    for name in ["ana", "bea"] {
        service.join(&format!("{name}@example.com"), "admin").await;
        let mut browser = service.browser();
        browser.sign_in(&format!("{name}@example.com"), PASSWORD).await;
        let page = browser.open("/accounts/acme/members").await;
        let email = format!("by-{name}@example.com");
        let fields = [("email", email.as_str()), ("role", "biller")];
        browser.submit(&page, "/accounts/acme/members", &fields).await;
    }
    service.invite("by-token@example.com", "biller").await.expect(StatusCode::CREATED);
    change_role(&service, "ana@example.com", "developer").await.expect(StatusCode::OK);
    remove(&service, "bea@example.com").await.expect(StatusCode::NO_CONTENT);
    let open = service.list(INVITATIONS).await;
    let emails: Vec<_> = open.iter().map(|row| text(&row["email"])).collect();
    assert_eq!(emails, ["by-token@example.com"]);
    service.stop().await;
}

#[tokio::test]
async fn the_audit_log_tells_of_a_membership_from_its_invitation_to_its_end() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    change_role(&service, "ana@example.com", "admin").await.expect(StatusCode::OK);
    remove(&service, "ana@example.com").await.expect(StatusCode::NO_CONTENT);
    let events = service.list("/v1/accounts/acme/audit-events").await;
    let actions: Vec<_> = events.iter().map(|event| text(&event["action"])).collect();
    assert_eq!(
        actions,
        [
            "account.opened",
            "member.added",
            "subscription.created",
            "invitation.created",
            "invitation.accepted",
            "member.joined",
            "member.role_changed",
            "member.removed"
        ]
    );
    let positions: Vec<_> =
        events.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..=8).collect::<Vec<_>>());
    let changed = &events[6];
    assert_eq!(
        (&changed["before"]["role"], &changed["after"]["role"]),
        (&json!("biller"), &json!("admin"))
    );
    assert!(text(&changed["actor"]).starts_with("token:tok_"));
    assert_eq!(events[4]["actor"], "invitee");
    service.stop().await;
}

/// What the log of `acme` says from here on: the action, and whether it says what was before and
/// what came of it.
async fn told(service: &TestService, from: usize) -> Vec<String> {
    let events = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    let side = |side: &Value| if side.is_null() { '-' } else { '+' };
    let told = |event: &Value| {
        format!("{} {}{}", text(&event["action"]), side(&event["before"]), side(&event["after"]))
    };
    events[from..].iter().map(told).collect()
}

async fn act(service: &TestService, token: &str, path: &str) {
    let path = format!("/v1/accounts/acme/{path}");
    let key = format!("{path}-{}", service.requests().len());
    let call = service.call(Method::POST, &path).token(token).key(&key).if_match("*");
    call.send().await.expect(StatusCode::OK);
}

async fn patch(service: &TestService, token: &str, path: &str, body: &Value) {
    let path = format!("/v1/accounts/acme{path}");
    let call = service.call(Method::PATCH, &path).token(token).if_match("*");
    call.json(body).send().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn every_change_of_an_account_and_its_plans_has_an_audit_row_too() {
    let service = TestService::start().await;
    let from = told(&service, 0).await.len();
    patch(&service, TOKEN, "", &json!({ "name": "Acme Ltd" })).await;
    patch(&service, VENDOR_TOKEN, "", &json!({ "agency": true })).await;
    let claim = json!({ "claim": { "installation_id": "i", "fingerprint": "f" } });
    patch(&service, TOKEN, "", &claim).await;
    for verb in ["cancel", "confirm"] {
        let call = service.call(Method::POST, "/v1/accounts/acme/subscriptions").token(TOKEN);
        let call = call.key(verb).json(&json!({ "plan": "scale" })).send().await;
        let row = call.expect(StatusCode::CREATED);
        let path = format!("subscriptions/{}/{verb}", text(&row["id"]));
        act(&service, VENDOR_TOKEN, &path).await;
    }
    service.cancel("growth").await;
    service.cancel("scale").await;
    service.pass(SignedDuration::from_hours(31 * 24)).await;
    service.subscribe("growth").await;
    service.pass(SignedDuration::from_hours(31 * 24)).await;
    assert_eq!(
        told(&service, from).await,
        [
            "account.renamed ++",
            "account.agency_changed ++",
            "account.claimed -+",
            "subscription.requested -+",
            "subscription.withdrawn ++",
            "subscription.requested -+",
            "subscription.confirmed ++",
            "subscription.cancelled ++",
            "subscription.cancelled ++",
            "subscription.ended ++",
            "account.disabled ++",
            "subscription.created -+",
            "account.enabled ++",
            "subscription.renewed ++",
        ]
    );
    service.stop().await;
}

#[tokio::test]
async fn every_change_of_an_invitation_and_of_seats_has_an_audit_row_too() {
    let service = TestService::start().await;
    let member = text(&service.join("mia@example.com", "biller").await["id"]);
    let from = told(&service, 0).await.len();
    act(&service, TOKEN, &format!("members/{member}/trim")).await;
    act(&service, TOKEN, &format!("members/{member}/reinstate")).await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let path = format!("invitations/{}", text(&row["id"]));
    patch(&service, TOKEN, &format!("/{path}"), &json!({ "role": "admin" })).await;
    for verb in ["resend", "revoke"] {
        act(&service, TOKEN, &format!("{path}/{verb}")).await;
    }
    service.invite("bea@example.com", "biller").await.expect(StatusCode::CREATED);
    let mut bea = service.browser();
    let page = bea.open(&service.link_to("bea@example.com").await).await;
    bea.submit(&page, &format!("{}/decline", page.path), &[]).await;
    service.invite("cyd@example.com", "biller").await.expect(StatusCode::CREATED);
    service.pass(SignedDuration::from_hours(30 * 24)).await;
    let mut told = told(&service, from).await;
    told.retain(|told| !told.starts_with("subscription."));
    assert_eq!(
        told,
        [
            "member.trimmed ++",
            "member.reinstated ++",
            "invitation.created -+",
            "invitation.role_changed ++",
            "invitation.resent ++",
            "invitation.revoked ++",
            "invitation.created -+",
            "invitation.declined ++",
            "invitation.created -+",
            "invitation.expired ++",
        ]
    );
    service.stop().await;
}

#[tokio::test]
async fn what_is_reported_made_and_announced_has_an_audit_row_too() {
    let service = TestService::start().await;
    let path = |rest: &str| format!("/v1/accounts/acme/{rest}");
    let post = async |token: &str, rest: &str, body: Value| {
        let call = service.call(Method::POST, &path(rest)).token(token).key(rest);
        call.json(&body).send().await.body
    };
    for email in ["ana@example.com", "bea@example.com"] {
        service.join(email, "developer").await;
    }
    service.subscribe("business").await;
    let from = service.list(&path("audit-events")).await.len();
    let site = json!({ "url": "https://a.example", "state": "connected" });
    let site =
        path(&format!("websites/{}", text(&post(VENDOR_TOKEN, "websites", site).await["id"])));
    let lost = service.call(Method::PATCH, &site).token(VENDOR_TOKEN).if_match("*");
    lost.json(&json!({ "state": "not_connected" })).send().await.expect(StatusCode::OK);
    let gone = service.call(Method::DELETE, &site).token(VENDOR_TOKEN).if_match("*");
    gone.send().await.expect(StatusCode::NO_CONTENT);
    post(VENDOR_TOKEN, "meters/resources", json!({ "amount": 1 })).await;
    let token = json!({ "kind": "account", "name": "Job", "scopes": ["read"] });
    let token = path(&format!("tokens/{}", text(&post(TOKEN, "tokens", token).await["id"])));
    let taken = service.call(Method::DELETE, &token).token(TOKEN).if_match("*");
    taken.send().await.expect(StatusCode::NO_CONTENT);
    let claim = json!({ "claim": { "installation_id": "i", "fingerprint": "f" } });
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&claim).send().await.expect(StatusCode::OK);
    service.cancel("growth").await;
    let events = service.list(&path("audit-events")).await;
    let told: Vec<_> = events[from..].iter().map(|event| text(&event["action"])).collect();
    assert_eq!(
        told,
        [
            "website.added",
            "website.changed",
            "website.removed",
            "meter.counted",
            "token.made",
            "token.removed",
            "account.claimed",
            "subscription.cancelled",
            "seats.over_limit",
        ]
    );
    service.stop().await;
}

#[tokio::test]
async fn re_adding_a_removed_person_is_a_new_membership_history_kept() {
    let service = TestService::start().await;
    let first = service.join("ana@example.com", "admin").await;
    remove(&service, "ana@example.com").await.expect(StatusCode::NO_CONTENT);
    service.clock.advance(SignedDuration::from_hours(1));
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_in(&service.link_to("ana@example.com").await).await;
    let second = service.member("ana@example.com").await;
    assert_ne!(second["id"], first["id"]);
    assert_ne!(second["added_at"], first["added_at"]);
    let deleted = service.list("/v1/accounts/acme/members?state=deleted").await;
    assert_eq!(deleted[0]["id"], first["id"]);
    service.stop().await;
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let service = TestService::start().await;
    let mut owner = service.browser();
    owner.sign_in("owner@example.com", PASSWORD).await;
    let page = owner.open("/accounts/acme/members").await;
    let others_mark = {
        let mut other = service.browser();
        let page = other.open("/signin").await;
        page.mark("/signin").unwrap()
    };
    let fields = [("email", "x@example.com"), ("role", "admin")];
    for mark in ["", "00000000000000000000000000000000", others_mark.as_str()] {
        let form = [("mark", mark), fields[0], fields[1]];
        let refused = owner.post("/accounts/acme/members", &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(owner.post("/accounts/acme/members", &fields).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(service.list(INVITATIONS).await, Vec::<Value>::new());
    owner.submit(&page, "/accounts/acme/members", &fields).await;
    assert_eq!(service.list(INVITATIONS).await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn wrong_passwords_and_unknown_addresses_get_the_same_answer() {
    let service = TestService::start().await;
    let mut pages = Vec::new();
    for email in ["owner@example.com", "nobody@example.com", "no address"] {
        let mut browser = service.browser();
        let page = browser.sign_in(email, "wrong password").await;
        pages.push((page.status, page.text()));
        assert_eq!(browser.open("/").await.path, "/signin?next=%2F");
    }
    assert_eq!(pages[0].0, StatusCode::FORBIDDEN);
    assert_eq!(pages[0], pages[1]);
    assert_eq!(pages[1], pages[2]);
    service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ben@example.com").await;
    let page = service.browser().accept(&link, &[("password", "wrong password")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(service.people().await, "");
    service.stop().await;
}

/// Mails that were queued to an address.
async fn queued(service: &TestService, email: &str) -> Vec<String> {
    let mut conn = service.database().await;
    let text = "select template from outbox where address = $1 order by id";
    let rows = sqlx::query_scalar(text).bind(email).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    rows
}

async fn ask_to_sign_up(service: &TestService, email: &str) -> (StatusCode, String) {
    let mut browser = service.browser();
    let page = browser.open("/signup").await;
    let page = browser.submit(&page, "/signup", &[("email", email)]).await;
    (page.status, page.text())
}

#[tokio::test]
async fn signing_up_tells_nobody_whether_an_address_is_known() {
    let service = TestService::start().await;
    let (known, new) = ("owner@example.com", "nobody@example.com");
    let first = ask_to_sign_up(&service, known).await;
    for email in [known, new] {
        for _ in 0..2 {
            assert_eq!(ask_to_sign_up(&service, email).await, first);
            assert_eq!(queued(&service, email).await.len(), 1, "{email}: the same is written");
        }
    }
    let mails = service.mails().await;
    let sent: Vec<_> = mails.iter().map(|mail| (&*mail.to, &*mail.template)).collect();
    assert_eq!(sent, [(known, "known-address"), (new, "confirm-address")]);
    assert_eq!(mails[0].link.as_deref(), Some(&*format!("{}/", service.base)));
    assert!(mails[0].raw.contains("text/html") && mails[0].text.contains("your password"));

    // Who signs up in between gets no second mail that others could tell it from.
    let mut browser = service.browser();
    let page = browser.open(&service.link_to(new).await).await;
    let action = page.path.clone();
    browser.submit(&page, &action, &[("name", "Neo"), ("password", PASSWORD)]).await;
    assert_eq!(ask_to_sign_up(&service, new).await, first);
    assert_eq!(queued(&service, new).await, ["confirm-address"]);
    service.clock.advance(SignedDuration::from_mins(10));
    for email in [known, new] {
        assert_eq!(ask_to_sign_up(&service, email).await, first);
        assert_eq!(queued(&service, email).await.len(), 2, "{email}");
    }
    assert_eq!(queued(&service, new).await[1], "known-address");
    service.stop().await;
}

#[tokio::test]
async fn who_is_asked_to_sign_up_all_day_gets_a_few_mails_known_or_not() {
    let service = TestService::start().await;
    let (known, new) = ("owner@example.com", "nobody@example.com");
    let first = ask_to_sign_up(&service, known).await;
    for _ in 0..12 {
        for email in [known, new] {
            assert_eq!(ask_to_sign_up(&service, email).await, first, "{email}");
        }
        service.clock.advance(SignedDuration::from_mins(10));
    }
    for email in [known, new] {
        assert_eq!(queued(&service, email).await.len(), 5, "{email}");
    }
    service.clock.advance(SignedDuration::from_hours(22));
    for email in [known, new] {
        assert_eq!(ask_to_sign_up(&service, email).await, first, "{email}");
        assert_eq!(queued(&service, email).await.len(), 6, "{email}: a day later one more");
    }
    service.stop().await;
}
