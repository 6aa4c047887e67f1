//! Who stands for an invitation: whoever sent it last, or gave it its role.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, SEED, TOKEN, TestService, text};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";
const MEMBERS: &str = "/v1/accounts/acme/members";

/// Two admins with tokens of their own, in an account of this profile.
async fn start(profile: &str, plan: &str) -> TestService {
    let members = ["ada", "abe"].map(|name| {
        format!(
            "      - {{email: {name}@example.com, role: admin, password: correct horse battery}}\n"
        )
    });
    let tokens = ["ada", "abe"].map(|name| {
        format!(
            "      - {{token: personal-token-of-{name}, email: {name}@example.com, \
             scopes: [read, invite, change, remove]}}\n"
        )
    });
    let plan = format!("    subscriptions: [{plan}]\n    members:\n{}", members.concat());
    let seed = SEED
        .replace("profile: nitropack", &format!("profile: {profile}"))
        .replacen("    subscriptions: [growth]\n", &plan, 1)
        .replacen("    tokens:\n", &format!("    tokens:\n{}", tokens.concat()), 1);
    TestService::start_with(&seed).await
}

/// Invites by the token of this admin.
async fn invite(service: &TestService, name: &str, email: &str, role: &str) -> Value {
    let call = service.call(Method::POST, INVITATIONS).token(&token_of(name)).new_key();
    let body = json!({ "email": email, "role": role });
    call.json(&body).send().await.expect(StatusCode::CREATED)
}

fn token_of(name: &str) -> String {
    format!("personal-token-of-{name}")
}

async fn resend(service: &TestService, token: &str, row: &Value) -> Value {
    let path = format!("{INVITATIONS}/{}/resend", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(token).new_key().if_match("*");
    call.send().await.expect(StatusCode::OK)
}

async fn act(service: &TestService, email: &str, verb: &str) -> Answer {
    let path = format!("{MEMBERS}/{}/{verb}", text(&service.member(email).await["id"]));
    service.call(Method::POST, &path).token(TOKEN).new_key().if_match("*").send().await
}

async fn remove(service: &TestService, email: &str) {
    let path = format!("{MEMBERS}/{}", text(&service.member(email).await["id"]));
    let call = service.call(Method::DELETE, &path).token(TOKEN).if_match("*");
    call.send().await.expect(StatusCode::NO_CONTENT);
}

async fn state(service: &TestService, row: &Value) -> String {
    let path = format!("{INVITATIONS}/{}", text(&row["id"]));
    text(&service.get(&path).await.expect(StatusCode::OK)["state"])
}

#[tokio::test]
async fn an_invitation_that_somebody_else_sends_again_is_accepted_after_its_first_inviter_is_gone()
{
    let service = start("portal", "team").await;
    let row = invite(&service, "ada", "ina@example.com", "member").await;
    service.pass(SignedDuration::from_hours(24 * 8)).await;
    assert_eq!(state(&service, &row).await, "expired");
    remove(&service, "ada@example.com").await;
    resend(&service, TOKEN, &row).await;
    service.browser().accept_by_sign_up(&service.link_to("ina@example.com").await).await;
    assert_eq!(service.people().await, "abe:admin:active ina:member:active");
    service.stop().await;
}

#[tokio::test]
async fn an_invitation_whose_role_somebody_else_changed_is_accepted_with_that_role() {
    // Where only the owner gives the role of admins.
    let service = start("portal", "team").await;
    let row = invite(&service, "ada", "kim@example.com", "member").await;
    let path = format!("{INVITATIONS}/{}", text(&row["id"]));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match("*");
    call.json(&json!({ "role": "admin" })).send().await.expect(StatusCode::OK);
    service.browser().accept_by_sign_up(&service.link_to("kim@example.com").await).await;
    assert_eq!(service.people().await, "ada:admin:active abe:admin:active kim:admin:active");
    service.stop().await;
}

#[tokio::test]
async fn an_invitation_ends_with_who_sent_it_last_and_not_with_who_sent_it_first() {
    let service = start("portal", "team").await;
    let row = invite(&service, "ada", "ina@example.com", "member").await;
    resend(&service, &token_of("abe"), &row).await;
    remove(&service, "ada@example.com").await;
    assert_eq!(state(&service, &row).await, "pending");
    remove(&service, "abe@example.com").await;
    assert_eq!(state(&service, &row).await, "revoked");
    service.stop().await;
}

// rule: X18
#[tokio::test]
async fn what_a_trimmed_person_sent_waits_and_is_accepted_once_the_person_is_back() {
    let service = start("nitropack", "growth").await;
    let row = invite(&service, "ada", "ina@example.com", "biller").await;
    let link = service.link_to("ina@example.com").await;
    act(&service, "ada@example.com", "trim").await.expect(StatusCode::OK);
    assert_eq!(state(&service, &row).await, "pending");
    let mut ina = service.browser();
    let early = ina.accept(&link, &[("name", "Ina"), ("password", PASSWORD)]).await;
    assert_eq!(early.status, StatusCode::FORBIDDEN, "{}", early.text());
    act(&service, "ada@example.com", "reinstate").await.expect(StatusCode::OK);
    service.browser().accept_by_sign_up(&link).await;
    assert_eq!(service.people().await, "ada:admin:active abe:admin:active ina:biller:active");
    service.stop().await;
}
