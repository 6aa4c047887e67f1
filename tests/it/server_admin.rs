//! What an operator of the service does on its database, and backups.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::{
    Admin, Database, MailSettings, Recovery, ServerError, TokenOf, after_restore, backup, restore,
};
use seatkeeper::wire::NewAccount;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::process::Command;

use crate::cli_run::PROGRAM;
use crate::service::{SEED, TOKEN, TestService, spool_of, text};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn new_account(slug: &str) -> NewAccount {
    NewAccount {
        name: "New".to_owned(),
        slug: slug.to_owned(),
        profile: "portal".to_owned(),
        owner_email: "nora@example.com".to_owned(),
    }
}

async fn status(service: &TestService, token: &str, path: &str) -> u16 {
    service.call(Method::GET, path).token(token).send().await.status.as_u16()
}

#[tokio::test]
async fn an_operator_opens_an_account_and_makes_tokens_beside_the_running_service() {
    let service = TestService::start().await;
    let admin = Admin::open(service.settings()).await.unwrap();
    let issued = admin.create_account(&new_account("new")).await.unwrap();
    let secret = issued.secret.expose_secret();
    assert_eq!(status(&service, secret, "/v1/accounts/new").await, 200);
    assert_eq!(status(&service, secret, "/v1/accounts/acme").await, 404);
    let taken = admin.create_account(&new_account("new")).await.unwrap_err();
    assert_eq!(taken.to_string(), "The slug is taken.");

    let make = async |of: TokenOf, scopes: &[&str]| {
        let scopes: Vec<_> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        admin.create_token(&of, "by hand", &scopes, 1).await
    };
    let of_account = make(TokenOf::Account("acme".to_owned()), &["read"]).await.unwrap();
    assert_eq!(status(&service, of_account.secret.expose_secret(), "/v1/accounts/acme").await, 200);
    let vendor = make(TokenOf::Vendor, &[]).await.unwrap();
    assert_eq!(status(&service, vendor.secret.expose_secret(), "/v1/accounts/other").await, 200);
    let member =
        |email: &str| TokenOf::Member { account: "acme".to_owned(), email: email.to_owned() };
    let personal = make(member("Owner@Example.com"), &["read", "manage"]).await.unwrap();
    let path = "/v1/accounts/acme/tokens";
    assert_eq!(status(&service, personal.secret.expose_secret(), path).await, 200);
    let refused = make(member("nobody@example.com"), &["read"]).await.unwrap_err();
    assert!(refused.to_string().contains("invite the person first"), "{refused}");
    let refused = make(TokenOf::Account("acme".to_owned()), &["root"]).await.unwrap_err();
    assert!(refused.to_string().contains("there are read, invite"), "{refused}");
    let log = service.list("/v1/accounts/acme/audit-events").await;
    let made = log.iter().filter(|row| row["action"] == "token.made").count();
    assert_eq!(made, 2);
    service.stop().await;
}

#[tokio::test]
async fn an_account_whose_owner_is_lost_gets_another_with_the_reason_in_its_audit_log() {
    let service = TestService::start().await;
    let ana = service.join("ana@example.com", "admin").await;
    let admin = Admin::open(service.settings()).await.unwrap();
    let recovery = Recovery {
        account: "acme".to_owned(),
        email: "ana@example.com".to_owned(),
        in_place_of: None,
        reason: "left the company".to_owned(),
    };
    let refused = admin.recover_owner(&recovery).await.unwrap_err();
    assert!(refused.to_string().contains("in-place-of is missing"), "{refused}");
    let wrong = Recovery { in_place_of: Some("ana@example.com".to_owned()), ..recovery.clone() };
    admin.recover_owner(&wrong).await.unwrap_err();
    let right = Recovery { in_place_of: Some("owner@example.com".to_owned()), ..recovery };
    let unfounded = Recovery { reason: " ".to_owned(), ..right.clone() };
    admin.recover_owner(&unfounded).await.unwrap_err();
    let stranger = Recovery { email: "nobody@example.com".to_owned(), ..right.clone() };
    admin.recover_owner(&stranger).await.unwrap_err();
    assert_eq!(service.member("owner@example.com").await["role"], "owner");

    assert_eq!(json!(admin.recover_owner(&right).await.unwrap()), ana["id"]);
    let members = service.list("/v1/accounts/acme/members").await;
    assert_eq!(members.len(), 1);
    assert_eq!((&members[0]["id"], &members[0]["role"]), (&ana["id"], &json!("owner")));
    let log = service.list("/v1/accounts/acme/audit-events").await;
    let row = log.iter().find(|row| row["action"] == "account.owner_recovered").unwrap();
    assert_eq!(
        (&row["actor"], &row["after"]["reason"]),
        (&json!("service"), &json!("left the company"))
    );
    service.stop().await;
}

/// Where nobody can write mails: what is queued stays so.
fn block(spool: &Path) {
    fs::remove_dir_all(spool).unwrap();
    fs::write(spool, "").unwrap();
}

fn unblock(spool: &Path) {
    fs::remove_file(spool).unwrap();
    fs::create_dir(spool).unwrap();
}

async fn delivery(service: &TestService, email: &str) -> String {
    let rows = service.list("/v1/accounts/acme/invitations?page_size=1000").await;
    text(&rows.iter().find(|row| row["email"] == email).unwrap()["delivery"])
}

#[tokio::test]
async fn mails_that_were_not_sent_in_a_backup_are_not_sent_after_its_restore() {
    let service = TestService::start().await;
    let spool = spool_of(&service.settings()).to_owned();
    block(&spool);
    service.invite("ana@example.com", "admin").await.expect(StatusCode::CREATED);
    // Nothing is delivered by who prepares a database: its spool is not this one.
    let mut settings = service.settings();
    settings.mail = MailSettings::Spool(service.folder.path().join("unused"));
    assert_eq!(after_restore(settings.clone()).await.unwrap(), 1);
    unblock(&spool);
    assert_eq!(service.mails().await.len(), 0);
    assert_eq!(delivery(&service, "ana@example.com").await, "unknown");
    assert_eq!(after_restore(settings).await.unwrap(), 0);
    service.stop().await;
}

#[tokio::test]
async fn a_backup_of_a_database_in_use_is_of_one_moment_and_its_restore_sends_nothing_twice() {
    let service = TestService::start_as(&SEED.replace("[growth]", "[custom]"), |settings| {
        settings.database = Database::Sqlite(spool_of(settings).with_file_name("seatkeeper.db"));
    })
    .await;
    let settings = service.settings();
    let copy = spool_of(&settings).with_file_name("backup.db");
    block(spool_of(&settings));
    service.invite("first@example.com", "biller").await.expect(StatusCode::CREATED);
    let writes = async {
        for at in 0..40 {
            let email = format!("p{at}@example.com");
            service.invite(&email, "biller").await.expect(StatusCode::CREATED);
        }
    };
    let copies = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        backup(&settings.database, &copy).await.unwrap();
    };
    tokio::join!(writes, copies);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let there = backup(&settings.database, &copy).await.unwrap_err();
    assert!(matches!(there, ServerError::Output { .. }), "{there}");
    unblock(spool_of(&settings));
    assert_eq!(service.mails().await.len(), 41);
    let busy = restore(settings.clone(), &copy).await.unwrap_err();
    assert!(matches!(busy, ServerError::InUse { .. }), "{busy}");
    assert_eq!(service.list("/v1/accounts/acme/invitations").await.len(), 41);

    let folder = service.stop().await;
    // A mail that is sent twice has the name of the first one.
    fs::remove_dir_all(spool_of(&settings)).unwrap();
    let done = restore(settings.clone(), &copy).await.unwrap();
    assert!(done.unknown_mails >= 1);
    assert!(done.before.unwrap().exists());
    let service = TestService::start_on(settings, folder).await;
    let rows = service.list("/v1/accounts/acme/invitations?page_size=1000").await;
    assert_eq!(rows.len() as u64, done.unknown_mails);
    assert!(rows.iter().all(|row| row["delivery"] == "unknown"), "{rows:?}");
    assert_eq!(service.mails().await.len(), 0);
    let log = service.list("/v1/accounts/acme/audit-events?page_size=1000").await;
    let last = log.last().unwrap()["position"].clone();
    assert_eq!(last, json!(log.len()));
    service.stop().await;
}

const SHOP: &str = r"
  - name: Shop
    slug: shop
    profile: catalogue
    owner: {email: cara@example.com, name: Cara}
    subscriptions: [starter]
    teams:
      - {name: Design, subscription: starter}
      - name: Print
        subscription: starter
        members:
          - {email: pia@example.com, name: Pia, role: member, password: correct horse battery}
    tokens:
      - {token: shop-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

const OLGA: &str =
    "      - {token: personal-token-of-olga, scopes: [invite], email: owner@example.com}\n";

/// A person's invitation that will expire, a plan that ends, one that goes on, and news for
/// administrators.
async fn with_much_to_tell(service: &TestService) {
    service.join("ana@example.com", "biller").await;
    let call = service.call(Method::POST, "/v1/accounts/acme/invitations");
    let eve = json!({ "email": "eve@example.com", "role": "biller" });
    let eve = call.token("personal-token-of-olga").new_key().json(&eve).send().await;
    eve.expect(StatusCode::CREATED);
    service.cancel("growth").await;
    service.subscribe("free").await;
    service.pass(DAY * 22).await;
    let shop = |method, path| {
        let call = service.call(method, &format!("/v1/accounts/shop/{path}"));
        call.token("shop-token-of-all-scopes").new_key()
    };
    let teams = shop(Method::GET, "teams").send().await.expect(StatusCode::OK);
    let team = text(&teams["items"][0]["id"]);
    let pia = json!({ "email": "pia@example.com", "role": "member", "team": team });
    shop(Method::POST, "members").json(&pia).send().await.expect(StatusCode::CREATED);
    service.mails().await;
}

#[tokio::test]
async fn what_fell_due_after_a_backup_was_made_is_not_told_again_after_its_restore() {
    let line = "      - {token: acme-token-without";
    let seed = SEED.replace(line, &format!("{OLGA}{line}")) + SHOP;
    let service = TestService::start_as(&seed, |settings| {
        settings.database = Database::Sqlite(spool_of(settings).with_file_name("seatkeeper.db"));
    })
    .await;
    let (settings, clock) = (service.settings(), service.clock.clone());
    with_much_to_tell(&service).await;
    let told = service.mails().await.len();
    let copy = spool_of(&settings).with_file_name("backup.db");
    backup(&settings.database, &copy).await.unwrap();
    for days in [1, 1, 7] {
        service.pass(DAY * days).await;
    }
    let mails = service.mails().await;
    let mut kinds: Vec<_> = mails[told..].iter().map(|mail| mail.template.clone()).collect();
    kinds.sort();
    assert_eq!(kinds, ["billing", "billing", "invitation-expired", "members-changed"]);

    let folder = service.stop().await;
    fs::remove_dir_all(spool_of(&settings)).unwrap();
    assert_eq!(restore(settings.clone(), &copy).await.unwrap().unknown_mails, 3);
    let service = TestService::start_on(settings.clone(), folder).await;
    clock.advance(SignedDuration::from_mins(11));
    service.pass(SignedDuration::ZERO).await;
    assert_eq!(service.mails().await.len(), 0);
    let rows = service.list("/v1/accounts/acme/invitations").await;
    assert!(rows.iter().any(|row| row["state"] == "expired"), "{rows:?}");
    service.stop().await;
}

#[tokio::test]
async fn a_second_restore_does_not_write_over_the_database_that_the_first_one_kept() {
    let service = TestService::start_as(SEED, |settings| {
        settings.database = Database::Sqlite(spool_of(settings).with_file_name("seatkeeper.db"));
    })
    .await;
    let settings = service.settings();
    let copy = spool_of(&settings).with_file_name("backup.db");
    backup(&settings.database, &copy).await.unwrap();
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let _folder = service.stop().await;
    let kept = restore(settings.clone(), &copy).await.unwrap().before.unwrap();
    let first = fs::read(&kept).unwrap();
    let refused = restore(settings.clone(), &copy).await.unwrap_err().to_string();
    assert!(refused.contains(kept.to_str().unwrap()), "{refused}");
    assert!(refused.ends_with("move it away first"), "{refused}");
    assert_eq!(fs::read(&kept).unwrap(), first);
    fs::rename(&kept, kept.with_file_name("kept.db")).unwrap();
    restore(settings.clone(), &copy).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_backup_replaces_nothing() {
    let service = TestService::start_as(SEED, |settings| {
        settings.database = Database::Sqlite(spool_of(settings).with_file_name("seatkeeper.db"));
    })
    .await;
    let settings = service.settings();
    let folder = service.stop().await;
    let bad = spool_of(&settings).with_file_name("bad.db");
    fs::write(&bad, "this is not a database, whatever its name says".repeat(100)).unwrap();
    restore(settings.clone(), &bad).await.unwrap_err();
    restore(settings.clone(), &bad.with_file_name("none.db")).await.unwrap_err();
    let service = TestService::start_on(settings, folder).await;
    assert_eq!(status(&service, TOKEN, "/v1/accounts/acme").await, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_secret_is_all_that_goes_to_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |args: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("server").args(args).arg("--data-dir").arg(folder.path());
        command.env_remove("SEATKEEPER_DATABASE_URL").output().await.unwrap()
    };
    let account =
        ["--name", "Acme", "--slug", "acme", "--product", "generic", "--owner", "o@example.com"];
    let made = run(&[&["create-account"][..], &account].concat()).await;
    let (out, err) =
        (String::from_utf8(made.stdout).unwrap(), String::from_utf8(made.stderr).unwrap());
    assert!(made.status.success(), "{err}");
    assert!(out.starts_with("skt_") && out.lines().count() == 1, "{out}");
    assert!(err.contains("account acc_") && !err.contains(out.trim()), "{err}");
    let made = run(&["create-token", "--account", "acme", "--scope", "read"]).await;
    assert!(String::from_utf8(made.stdout).unwrap().starts_with("skt_"));
    let again = run(&[&["create-account"][..], &account].concat()).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stdout.is_empty());
    assert_eq!(String::from_utf8(again.stderr).unwrap(), "error: The slug is taken.\n");
    let copy = folder.path().join("copy.db");
    let done = run(&["backup", "--to", copy.to_str().unwrap()]).await;
    assert!(done.status.success() && copy.exists());
    let done = run(&["restore", "--from", copy.to_str().unwrap()]).await;
    assert!(done.status.success(), "{}", String::from_utf8(done.stderr).unwrap());
    let done = run(&["after-restore"]).await;
    assert!(String::from_utf8(done.stderr).unwrap().starts_with("0 mails"));
}
