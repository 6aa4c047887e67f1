//! `seatkeeper import`: what it writes declares who is there, and asks for nothing else.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::cli_run::{Desk, Said, program, said, service_now};
use crate::service::{TOKEN, TestService, text};

const SEED: &str = r#"
accounts:
  - name: "Acme: ovens # 1\u2028: x"
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com, name: Olga, password: correct horse battery}
    subscriptions: [growth, scale]
    members:
      - {email: ana@example.com, name: Ana, role: admin}
      - {email: cyd@example.com, name: Cyd, role: biller}
      - {email: dan@example.com, name: Dan, role: developer}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

/// An account with members, one of them trimmed, an invitation that waits, and one that was declined.
async fn lived_in() -> TestService {
    let service = service_now(SEED).await;
    for name in ["pia", "declined"] {
        let email = format!("{name}@example.com");
        service.invite(&email, "developer").await.expect(StatusCode::CREATED);
    }
    let link = service.link_to("declined@example.com").await;
    let mut browser = service.browser();
    let page = browser.open(&link).await;
    browser.submit(&page, &format!("{}/decline", page.path), &[]).await;
    let dan = text(&service.member("dan@example.com").await["id"]);
    let path = format!("/v1/accounts/acme/members/{dan}/trim");
    let trim = service.call(Method::POST, &path).token(TOKEN).if_match("*").new_key();
    trim.json(&json!({})).send().await.expect(StatusCode::OK);
    // Three seats for the three others.
    service.cancel("scale").await;
    service
}

async fn import(desk: &Desk, service: &TestService, more: &[&str]) -> Said {
    let mut command = program();
    command.current_dir(desk.path("."));
    command.args(["import", "--url", &service.base, "--token-file", "secrets/acme-token/token"]);
    command.args(more);
    said(command.output().await.unwrap())
}

fn desk() -> Desk {
    let desk = Desk::empty();
    desk.write("secrets/acme-token/token", TOKEN);
    desk
}

#[tokio::test]
async fn what_was_imported_adopts_everybody_and_asks_for_nothing_in_mode_exclusive() {
    let service = lived_in().await;
    let (desk, mails) = (desk(), service.mails().await.len());
    let all = ["--account", "acme", "--namespace", "web", "--output-dir", "git"];
    let done = import(&desk, &service, &all).await;
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{}", done.err);
    assert_eq!(
        done.err,
        "note: not declared: owner@example.com is owner: no declaration gives that role\n\
         note: not declared: declined@example.com declined the invitation\n\
         checked: even mode Exclusive would change nothing\n  \
         ! dan@example.com: Trimmed: access is off for want of a seat; comes back by itself, in \
         order, when seats return\n\
         4 people declared; the token goes into the Secret acme-token\n"
    );
    let account = desk.read("git/account.yaml");
    assert!(account.contains("mode: Observe"), "{account}");
    assert!(account.starts_with("# Acme: ovens # 1: x. Mode Observe"), "{account}");
    let id = text(&service.get("/v1/accounts/acme").await.body["id"]);
    assert!(account.contains(&format!("accountId: {id}")), "a short name can move: {account}");
    let class = desk.read("git/account-class.yaml");
    assert!(class.contains("name: acme\n"), "no class of somebody else's is changed: {class}");

    // Dan waits for a seat, which is why a person is needed (4).
    let observed = desk.exits(4, &["plan"]).await;
    assert!(observed.out.contains("mode Observe"), "{}", observed.out);
    desk.replace("git/account.yaml", "mode: Observe", "mode: Exclusive");
    let before = service.people().await;
    let applied = desk.exits(4, &["apply"]).await;
    assert!(applied.out.contains("nothing to do now"), "{}", applied.out);
    assert_eq!(service.people().await, before);
    assert_eq!(service.mails().await.len(), mails, "nobody is told of it");
    service.stop().await;
}

#[tokio::test]
async fn without_a_directory_the_manifests_are_one_stream_that_is_read_back() {
    let service = lived_in().await;
    let desk = desk();
    let done = import(&desk, &service, &["--account", "acme", "--name", "ovens"]).await;
    assert_eq!(done.code, Some(0), "{}", done.err);
    desk.write("git/all.yaml", &done.out);
    desk.write("secrets/ovens-token/token", TOKEN);
    let plan = desk.run(&["plan"]).await;
    assert!(plan.out.starts_with("account default/ovens (Acme: ovens # 1"), "{}", plan.out);
    service.stop().await;
}

#[tokio::test]
async fn files_that_are_there_stay_and_what_is_wrong_is_said_with_the_way_out() {
    let service = lived_in().await;
    let desk = desk();
    desk.write("git/team.yaml", "mine\n");
    let there = import(&desk, &service, &["--account", "acme", "--output-dir", "git"]).await;
    assert_eq!(there.code, Some(1));
    assert!(
        there.err.contains("git/team.yaml is there already; nothing was written"),
        "{}",
        there.err
    );
    assert_eq!(desk.read("git/team.yaml"), "mine\n");
    assert!(!desk.path("git/account.yaml").exists());

    let gone = import(&desk, &service, &["--account", "gone"]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("NoSuchAccount") && gone.err.contains("hint:"), "{}", gone.err);
    desk.write("secrets/acme-token/token", "no-such-token");
    let refused = import(&desk, &service, &["--account", "acme"]).await;
    assert!(refused.err.contains("CredentialsRefused"), "{}", refused.err);
    assert!(!refused.err.contains("no-such-token"), "{}", refused.err);
    service.stop().await;
}
