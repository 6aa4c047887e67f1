//! Seed, restart, mails, logs, probes: the service as a process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::{Seed, ServerError, start};
use serde_json::json;

use crate::service::{PASSWORD, SEED, TOKEN, TestClock, TestService, settings, text};

async fn problems(seed: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), seed, &TestClock::new());
    settings.seed = Some(Seed { file: PathBuf::from("seed.yaml"), text: seed.to_owned() });
    match start(settings).await {
        Ok(running) => {
            running.stop().await;
            String::from("no problems")
        }
        Err(ServerError::Seed(problems)) => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn all_problems_of_a_seed_file_are_said_with_line_and_hint() {
    let seed = "\
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: nobody}
    subscriptions: [grwth]
    members:
      - {email: ana@example.com, role: owner}
    tokens:
      - {token: short, scopes: [read, writ]}
  - name: Other
    slug: other
    profile: nitropak
    owner: {email: o@example.com}
";
    insta::assert_snapshot!(problems(seed).await, @r"
    seed.yaml:5:13: accounts[0].owner.email: is not an e-mail address
      hint: write it as name@example.com
    seed.yaml:6:21: accounts[0].subscriptions[0]: is not a plan
      hint: plans are free, business, growth, scale, custom
    seed.yaml:8:34: accounts[0].members[0].role: is not a role that can be given
      hint: roles that can be given are admin, developer, biller
    seed.yaml:10:9: accounts[0].tokens[0]: has a token of less than 16 characters
      hint: give `token` (16 characters or more) or `tokenFile` (a file beside this one)
    seed.yaml:10:39: accounts[0].tokens[0].scopes[1]: is not a scope
      hint: scopes are read, invite, change, remove, billing, manage
    seed.yaml:13:5: accounts[1].profile: is not a profile
      hint: the service has catalogue, digitalocean, generic, nitropack, portal
    ");
    let twice = "\
accounts:
  - {name: A, slug: Big Corp, profile: generic, owner: {email: o@example.com}}
  - {name: B, slug: b, profile: generic, owner: {email: o@example.com}}
  - {name: C, slug: b, profile: generic, owner: {email: o@example.com}}
vendorTokens:
  - token: aaaaaaaaaaaaaaaaaaaa
  - token: aaaaaaaaaaaaaaaaaaaa
";
    insta::assert_snapshot!(problems(twice).await, @r"
    seed.yaml:2:15: accounts[0].slug: has 1 to 63 characters of a-z, 0-9 and -
      hint: as in `name: Acme Ltd`, `slug: acme`
    seed.yaml:4:15: accounts[2].slug: is used twice
      hint: give each account a slug of its own
    seed.yaml:7:5: vendorTokens[1]: has a token that is used twice
      hint: make one token for each use
    ");
    insta::assert_snapshot!(problems("accounts:\n  - name: Acme\n    slugg: acme\n").await, @r"
    seed.yaml:3:5: accounts[0].slugg: unknown field `slugg`, expected one of `name`, `slug`, `profile`, `owner`, `subscriptions`, `members`, `teams`, `tokens`
      hint: a seed file has vendorTokens, users and accounts (name, slug, profile, owner, subscriptions, members, teams, tokens)
    ");
    assert!(problems("accounts: [").await.starts_with("seed.yaml:1"));
}

#[tokio::test]
async fn all_problems_of_the_teams_of_a_seed_file_are_said() {
    let seed = "\
accounts:
  - name: Acme
    slug: acme
    profile: catalogue
    owner: {email: owner@example.com}
    subscriptions: [starter]
    members: [{email: a@example.com, role: member}]
    teams:
      - {name: '', subscription: growth, members: [{email: x, role: company-admin}]}
      - {name: Web, externalRef: web}
      - {name: Shop, externalRef: web}
  - name: Other
    slug: other
    profile: nitropack
    owner: {email: owner@example.com}
    teams: [{name: Design}]
    tokens: [{token: a-token-for-nobody, scopes: [read], email: nobody}]
";
    insta::assert_snapshot!(problems(seed).await, @r"
    seed.yaml:7:38: accounts[0].members[0].role: is not a role that can be given
      hint: people have their roles in `teams`
    seed.yaml:9:10: accounts[0].teams[0].name: has 1 to 100 printable characters
      hint: as in `name: Design`
    seed.yaml:9:20: accounts[0].teams[0].subscription: is not one of the account
      hint: name a plan that is among the account's `subscriptions`
    seed.yaml:9:53: accounts[0].teams[0].members[0].email: is not an e-mail address
      hint: write it as name@example.com
    seed.yaml:9:63: accounts[0].teams[0].members[0].role: is not a role that can be given
      hint: roles that can be given are team-admin, member
    seed.yaml:11:22: accounts[0].teams[2].externalRef: is used twice
      hint: give each team a reference of its own
    seed.yaml:16:13: accounts[1].teams[0]: is not taken: an account of this profile is one team
      hint: give the people as `members` of the account
    seed.yaml:17:58: accounts[1].tokens[0].email: is not an e-mail address
      hint: write it as name@example.com
    ");
}

#[tokio::test]
async fn a_restart_with_the_same_seed_changes_nothing() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    let look = |service: TestService| async {
        let state = (
            service.get("/v1/accounts/acme").await.body,
            service.list("/v1/accounts/acme/members").await,
            service.list("/v1/accounts/acme/audit-events").await,
            service.mails().await.len(),
        );
        (service, state)
    };
    let (service, before) = look(service).await;
    let link = service.link_to("ana@example.com").await;
    let service = service.restart().await;
    let (service, after) = look(service).await;
    assert_eq!(before, after);
    let link = link.replace(link.split("/i/").next().unwrap(), &service.base);
    let page = service.browser().open(&link).await;
    assert!(page.text().contains("This invitation is accepted"), "the key of links is kept");
    service.stop().await;
}

#[tokio::test]
async fn a_crash_while_a_mail_is_written_neither_loses_it_nor_sends_it_twice() {
    for finished in [false, true] {
        let service = TestService::start().await;
        service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
        let mails = service.mails().await;
        let spool = service.folder.path().join("spool");
        let (name, half) = (spool.join(&mails[0].file), format!(".{}.tmp", mails[0].file));
        service.sql("update outbox set state = 'sending'").await;
        if !finished {
            // Half a mail under its first name, as a kill before the file got its name leaves it.
            fs::remove_file(&name).unwrap();
            fs::write(spool.join(half), "From: ").unwrap();
        }
        let service = service.restart().await;
        let after = service.mails().await;
        assert_eq!(after.len(), 1, "finished: {finished}");
        assert!(after[0].text.contains("with the role biller"), "the whole mail");
        let row = service.list("/v1/accounts/acme/invitations").await[0].clone();
        assert_eq!(row["delivery"], "sent", "finished: {finished}");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_mail_that_was_being_sent_at_a_crash_and_left_no_file_is_unknown_and_not_repeated() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.mails().await;
    let folder = service.folder.clone();
    let service = {
        // As a crash between the claim and the file leaves it.
        service.sql("update outbox set state = 'sending'").await;
        for mail in service.mails().await {
            fs::remove_file(folder.path().join("spool").join(mail.file)).unwrap();
        }
        service.restart().await
    };
    assert_eq!(service.mails().await.len(), 0, "not repeated");
    let row = service.list("/v1/accounts/acme/invitations").await[0].clone();
    assert_eq!(row["delivery"], "unknown");

    let path = format!("/v1/accounts/acme/invitations/{}/resend", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).key("again");
    call.if_match(&text(&row["etag"])).send().await.expect(StatusCode::OK);
    assert_eq!(service.mails().await.len(), 1, "a person can ask for it");
    service.stop().await;
}

#[tokio::test]
async fn an_invitation_that_was_revoked_before_its_mail_left_is_not_mailed() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.mails().await;
    let path = format!("/v1/accounts/acme/invitations/{}/revoke", text(&row["id"]));
    let call = service.call(Method::POST, &path).token(TOKEN).if_match("*");
    call.send().await.expect(StatusCode::OK);
    let folder = service.folder.clone();
    service.sql("update outbox set state = 'queued'").await;
    for mail in service.mails().await {
        fs::remove_file(folder.path().join("spool").join(mail.file)).ok();
    }
    assert_eq!(service.mails().await.len(), 0);
    service.stop().await;
}

#[tokio::test]
async fn mails_wait_while_the_spool_cannot_be_written_and_go_out_once_afterwards() {
    let service = TestService::start().await;
    let spool = service.folder.path().join("spool");
    fs::remove_dir_all(&spool).unwrap();
    for email in ["ana@example.com", "bea@example.com"] {
        service.invite(email, "biller").await.expect(StatusCode::CREATED);
    }
    assert_eq!(service.running().deliver_due().await.unwrap(), 0);
    let rows = service.list("/v1/accounts/acme/invitations").await;
    assert!(rows.iter().all(|row| row["delivery"] == "queued"), "{rows:?}");
    fs::create_dir(&spool).unwrap();
    let mails = service.mails().await;
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["ana@example.com", "bea@example.com"]);
    let rows = service.list("/v1/accounts/acme/invitations").await;
    assert!(rows.iter().all(|row| row["delivery"] == "sent"), "{rows:?}");
    service.stop().await;
}

#[tokio::test]
async fn links_begin_with_the_public_address_whatever_the_request_says() {
    let public = |settings: &mut seatkeeper::server::Settings| {
        settings.public_url = Some("https://seats.example.com/".parse().unwrap());
    };
    let service = TestService::start_as(SEED, public).await;
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN).key("k");
    let call = call.header("host", "evil.example").header("x-forwarded-host", "evil.example");
    let body = json!({ "email": "ana@example.com", "role": "biller" });
    call.json(&body).send().await.expect(StatusCode::CREATED);
    let link = service.link_to("ana@example.com").await;
    assert!(link.starts_with("https://seats.example.com/i/"), "{link}");
    let page = service.http.get(format!("{}/signin", service.base)).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    service.stop().await;
}

#[tokio::test]
async fn a_mail_is_a_message_that_any_reader_opens() {
    let service = TestService::start().await;
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    let name = json!({ "name": "Büro <b>\u{202e} {{ link }}" });
    call.json(&name).send().await.expect(StatusCode::OK);
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let mails = service.mails().await;
    let raw = &mails[0].raw;
    for header in [
        "From: ",
        "To: ana@example.com\r\n",
        "Subject: You are invited to =?utf-8?b?",
        "Message-ID: <",
    ] {
        assert!(raw.contains(header), "{header} is not in\n{raw}");
    }
    assert!(raw.contains("Content-Type: multipart/alternative"), "{raw}");
    let html = raw.split("text/html").nth(1).unwrap();
    assert!(!html.contains("<b>") && html.contains("lt;b"), "names are escaped\n{html}");
    assert!(mails[0].link.is_some());
    let bad = json!({ "name": "Acme\r\nBcc: thief@example.com" });
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    call.json(&bad).send().await.refused(400, "invalid-request");
    service.stop().await;
}

#[tokio::test]
async fn one_mail_for_each_thing_that_happens_to_a_person() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    for name in ["ana", "bea", "cyd"] {
        service.join(&format!("{name}@example.com"), "biller").await;
        service.clock.advance(SignedDuration::from_mins(1));
    }
    let bea = service.member("bea@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&bea["id"]));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match("*");
    call.json(&json!({ "role": "admin" })).send().await.expect(StatusCode::OK);
    let cyd = service.member("cyd@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&cyd["id"]));
    let call = service.call(Method::DELETE, &path).token(TOKEN).if_match("*").send().await;
    call.expect(StatusCode::NO_CONTENT);
    service.cancel("growth").await;
    service.subscribe("scale").await;
    let mails = service.mails().await;
    let sent: Vec<_> = mails
        .iter()
        .map(|mail| format!("{} {}", mail.to.split('@').next().unwrap(), mail.template))
        .collect();
    assert_eq!(
        sent,
        [
            "ana invitation",
            "bea invitation",
            "cyd invitation",
            "bea role-changed",
            "cyd removed",
            "ana billing",
            "bea trimmed",
            "bea reinstated",
            "ana billing"
        ]
    );
    assert!(mails[3].text.contains("was biller and is now admin"), "{}", mails[3].text);
    service.stop().await;
}

// rule: OP-10
#[tokio::test]
async fn the_request_log_counts_every_call_and_holds_no_token_link_or_address() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    service.get("/v1/accounts/acme?secret=canary").await;
    service.browser().open("/not-here-canary").await;
    for email in ["eve@example.com", "eve%40example.com"] {
        service.get(&format!("/v1/accounts/acme/members/{email}")).await.refused(404, "not-found");
    }
    let link = service.link_to("ana@example.com").await;
    let lines = service.requests();
    let posts: Vec<_> = lines
        .iter()
        .filter(|line| line["method"] == "POST")
        .map(|line| format!("{} {}", text(&line["route"]), line["status"]))
        .collect();
    assert_eq!(posts, ["/v1/accounts/{account}/invitations 201", "/i/{token}/accept 303"]);
    let get = lines.iter().find(|line| line["path"] == "/v1/accounts/acme/members").unwrap();
    assert_eq!(
        (&get["status"], &get["at"]),
        (&json!(200), &json!(service.clock.now().to_string()))
    );
    let log = fs::read_to_string(service.folder.path().join("requests.jsonl")).unwrap();
    let token = link.split("/i/").nth(1).unwrap();
    for secret in [TOKEN, PASSWORD, token, "example.com", "canary"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    service.stop().await;
}

#[tokio::test]
async fn secrets_are_kept_as_hashes_only() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    let link = service.link_to("ana@example.com").await;
    let stored = service.stored().await;
    let folder = service.stop().await;
    let mode = fs::metadata(folder.path().join("secret.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = fs::read_to_string(folder.path().join("secret.key")).unwrap();
    let token = link.split("/i/").nth(1).unwrap();
    assert!(stored.contains("ana@example.com") && stored.contains("argon2id"));
    for secret in [TOKEN, PASSWORD, token, key.trim()] {
        assert!(!stored.contains(secret), "{secret} is in the database");
    }
}

#[tokio::test]
async fn the_probes_answer_without_a_token() {
    let service = TestService::start().await;
    service.get("/v1/capabilities").await.expect(StatusCode::OK);
    for (path, word) in
        [("/livez", "ok"), ("/readyz", "ok"), ("/metrics", "seatkeeper_server_requests")]
    {
        let answer = service.http.get(format!("{}{path}", service.base)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.text().await.unwrap().contains(word), "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_router_answers_without_a_socket() {
    use tower::ServiceExt as _;
    let service = TestService::start().await;
    let request = http::Request::get("/v1/accounts/acme")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(axum::body::Body::empty())
        .unwrap();
    let response = service.running().router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    service.stop().await;
}
