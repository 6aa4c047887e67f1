//! Rights as they are when a change is made, whatever they were when it was asked for.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, Kind, PASSWORD, READ_TOKEN, TOKEN, TestService, VENDOR_TOKEN, text};
use crate::teams::{self, CARA, MIA, Org, PIA, TOM};

const SEED: &str = r#"
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: portal
    owner: {email: olga@example.com, name: Olga, password: correct horse battery}
    subscriptions: [team]
    members:
      - {email: ada@example.com, name: Ada, role: admin, password: correct horse battery}
      - {email: max@example.com, name: Max, role: member, password: correct horse battery}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-ada-with-all-scopes, email: ada@example.com, scopes: [read, invite, change, remove, billing, manage]}
"#;

const ADA: &str = "token-of-ada-with-all-scopes";
const INVITATIONS: &str = "/v1/accounts/acme/invitations";

/// A service with this seed on a database of this kind.
async fn service_on(kind: Kind) -> TestService {
    let database = kind.database(&std::env::temp_dir()).await;
    TestService::start_as(SEED, |settings| {
        if kind == Kind::Postgres {
            settings.database = database;
        } else {
            let data = settings.secret_key_file.parent().unwrap();
            settings.database = seatkeeper::server::Database::Sqlite(data.join("rights.db"));
        }
    })
    .await
}

async fn invite(service: &TestService, token: &str, role: &str) -> Answer {
    let body = json!({ "email": "ina@example.com", "role": role });
    service.call(Method::POST, INVITATIONS).token(token).key("ina").json(&body).send().await
}

async fn pick(service: &TestService) -> Answer {
    let call = service.call(Method::POST, "/v1/accounts/acme/subscriptions").token(VENDOR_TOKEN);
    call.new_key().json(&json!({ "plan": "team" })).send().await
}

/// What the pages do under a session.
async fn invite_by_page(service: &TestService, change: &'static str) -> (StatusCode, String) {
    let mut ada = service.browser();
    ada.sign_in("ada@example.com", PASSWORD).await;
    let list = "/accounts/acme/members";
    let page = ada.open(list).await;
    let fields = [("email", "ina@example.com"), ("role", "member")];
    let page = service.behind("acme", change, ada.submit(&page, list, &fields)).await;
    (page.status, page.path)
}

const REMOVED: &str = "update members set state = 'deleted' where address = 'ada@example.com'";
const DEMOTED: &str = "update members set role = 'member' where address = 'ada@example.com'";

// rule: NP-09
// rule: PO-07
// rule: DO-08
#[tokio::test]
async fn who_waited_for_the_account_while_access_ended_changes_nothing() {
    for kind in Kind::ALL {
        let service = service_on(kind).await;
        let ended = "delete from tokens where address = 'ada@example.com'";
        let answer = service.behind("acme", REMOVED, invite(&service, ADA, "member")).await;
        answer.refused(401, "unauthenticated");
        service.sql("update members set state = 'active'").await;
        let answer = service.behind("acme", ended, invite(&service, ADA, "member")).await;
        answer.refused(401, "unauthenticated");

        assert_eq!(invite_by_page(&service, REMOVED).await.0, StatusCode::NOT_FOUND, "{kind:?}");
        service.sql("update members set state = 'active'").await;
        let (_, path) = invite_by_page(&service, "delete from sessions").await;
        assert!(path.starts_with("/signin"), "{kind:?}: {path}");

        let over = "update tokens set expires_at = created_at where kind = 'account'";
        let answer = service.behind("acme", over, invite(&service, TOKEN, "member")).await;
        answer.refused(401, "unauthenticated");
        service.sql("update tokens set expires_at = 9000000000000000").await;
        let answer = service
            .behind("acme", "delete from tokens where kind = 'vendor'", pick(&service))
            .await;
        answer.refused(401, "unauthenticated");
        assert_eq!(service.list(INVITATIONS).await, Vec::<Value>::new(), "{kind:?}");
        service.stop().await;
    }
}

// rule: PO-05
#[tokio::test]
async fn who_waited_for_the_account_while_rights_were_lost_may_what_is_left() {
    for kind in Kind::ALL {
        let service = service_on(kind).await;
        let answer = service.behind("acme", DEMOTED, invite(&service, ADA, "member")).await;
        answer.refused(403, "forbidden");
        let restore = "update members set role = 'admin' where address = 'ada@example.com'";
        service.sql(restore).await;
        let narrowed = "update tokens set scopes = 'read' where address = 'ada@example.com'";
        let answer = service.behind("acme", narrowed, invite(&service, ADA, "member")).await;
        answer.refused(403, "scope-missing");
        assert_eq!(invite_by_page(&service, DEMOTED).await.0, StatusCode::FORBIDDEN, "{kind:?}");
        assert_eq!(service.list(INVITATIONS).await, Vec::<Value>::new(), "{kind:?}");

        // And what was won meanwhile counts too.
        service.sql(restore).await;
        let raised = "update members set role = 'owner' where address = 'ada@example.com'";
        let all = "update tokens set scopes = 'read invite' where address = 'ada@example.com'";
        service.sql(all).await;
        let answer = service.behind("acme", raised, invite(&service, ADA, "admin")).await;
        answer.expect(StatusCode::CREATED);
        service.stop().await;
    }
}

/// What this caller can do with an invitation, as the list and the row both say.
async fn actions(service: &TestService, token: &str, id: &str) -> Vec<String> {
    let get = async |path: &str| {
        let answer = service.call(Method::GET, path).token(token).send().await;
        answer.expect(StatusCode::OK)
    };
    let row = get(&format!("{INVITATIONS}/{id}")).await;
    let list = get(INVITATIONS).await;
    let listed = list["items"].as_array().unwrap().iter().find(|one| one["id"] == row["id"]);
    // Its mail may go out between the two.
    assert_eq!(listed.unwrap()["actions"], row["actions"]);
    said(&row)
}

fn said(row: &Value) -> Vec<String> {
    row["actions"].as_array().unwrap().iter().map(text).collect()
}

/// Asserts that each action that the service does not name is refused, and changes nothing.
async fn refuses_others(
    service: &TestService,
    token: &str,
    id: &str,
    named: &[String],
    role: &str,
) {
    let path = format!("{INVITATIONS}/{id}");
    for action in ["resend", "revoke", "change-role"] {
        if named.iter().any(|known| known == action) {
            continue;
        }
        let call = match action {
            "change-role" => service.call(Method::PATCH, &path).json(&json!({ "role": role })),
            other => {
                let key = format!("{token}-{id}-{other}-{}", service.requests().len());
                service.call(Method::POST, &format!("{path}/{other}")).key(&key)
            }
        };
        let answer = call.token(token).if_match("*").send().await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 403 | 409), "{token} {action}: {}", answer.body);
    }
}

// rule: NP-12
#[tokio::test]
async fn the_actions_of_an_invitation_are_what_the_caller_can_do_with_it_now() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "developer").await.expect(StatusCode::CREATED);
    assert_eq!(said(&row), ["resend", "revoke", "change-role"]);
    let ana = text(&row["id"]);
    let row = service.invite("ada@example.com", "admin").await.expect(StatusCode::CREATED);
    let ada = text(&row["id"]);
    for (token, id, other, expected) in [
        (TOKEN, &ana, "biller", vec!["resend", "revoke", "change-role"]),
        (READ_TOKEN, &ana, "biller", vec![]),
        ("acme-token-that-only-grows", &ana, "biller", vec!["resend"]),
        ("acme-token-without-removals", &ana, "biller", vec!["resend", "change-role"]),
        ("acme-token-without-removals", &ada, "biller", vec!["resend"]),
    ] {
        let named = actions(&service, token, id).await;
        assert_eq!(named, expected, "{token}");
        refuses_others(&service, token, id, &named, other).await;
    }

    let path = format!("{INVITATIONS}/{ana}");
    service.mails().await;
    let open = service.get(&path).await;
    service.sql("update accounts set disabled = 1").await;
    let call = service.call(Method::GET, &path).token(TOKEN);
    let now = call.header("if-none-match", open.header("etag")).send().await;
    assert_eq!(said(&now.expect(StatusCode::OK)), ["revoke"], "the etag has moved on");
    refuses_others(&service, TOKEN, &ana, &["revoke".to_owned()], "biller").await;
    let mut olga = service.browser();
    olga.sign_in("owner@example.com", PASSWORD).await;
    let shown = olga.open("/accounts/acme/members").await.row("ana@example.com");
    assert!(!shown.contains("Resend") && shown.contains("Withdraw"), "{shown}");
    let call = service.call(Method::POST, &format!("{path}/revoke")).token(TOKEN);
    let revoked = call.if_match(open.header("etag")).send().await.expect(StatusCode::OK);
    assert_eq!(revoked["actions"], json!([]));
    service.stop().await;
}

// rule: X12
#[tokio::test]
async fn the_actions_of_an_invitation_reach_as_far_as_the_caller_manages() {
    let service = TestService::start_with(SEED).await;
    for (email, role, expected) in [
        ("new@example.com", "member", vec!["resend", "revoke"]),
        ("chief@example.com", "admin", vec![]),
    ] {
        let row = service.invite(email, role).await.expect(StatusCode::CREATED);
        let id = text(&row["id"]);
        let named = actions(&service, ADA, &id).await;
        assert_eq!(named, expected, "{role}");
        refuses_others(&service, ADA, &id, &named, "admin").await;
    }
    service.stop().await;
}

// rule: CT-03
// rule: CT-13
#[tokio::test]
async fn the_actions_of_an_invitation_follow_the_state_of_its_team() {
    let org = Org::start().await;
    let row = org.invite(TOM, "Design", "una@example.com", "member").await;
    let row = row.expect(StatusCode::CREATED);
    let id = text(&row["id"]);
    let path = format!("{INVITATIONS}/{id}");
    let seen = async |token: &str| {
        let row = org.get(token, &path).await.expect(StatusCode::OK);
        said(&row)
    };
    assert_eq!(seen(TOM).await, ["resend", "revoke", "change-role"]);
    assert_eq!(seen(MIA).await, [""; 0]);
    org.get(PIA, &path).await.refused(403, "forbidden");
    org.service.sql("update subscriptions set state = 'ended' where plan = 'starter'").await;
    assert_eq!(seen(TOM).await, ["revoke"]);
    assert_eq!(actions(&org.service, CARA, &id).await, ["revoke"]);
    refuses_others(&org.service, TOM, &id, &["revoke".to_owned()], "team-admin").await;
    org.stop().await;
}

// rule: CT-03
#[tokio::test]
async fn who_has_roles_in_teams_alone_follows_no_feed_of_the_account() {
    let org = Org::start().await;
    let changes = "/v1/accounts/acme/changes";
    org.get(MIA, changes).await.refused(403, "forbidden");
    org.get(TOM, changes).await.refused(403, "forbidden");
    for token in [CARA, TOKEN, VENDOR_TOKEN] {
        org.get(token, changes).await.expect(StatusCode::OK);
    }
    org.stop().await;
}

// rule: CT-03
#[tokio::test]
async fn who_has_roles_in_teams_alone_sees_the_subscriptions_of_these_teams() {
    let org = Org::start().await;
    let plans = |rows: &Value| {
        let rows = rows.as_array().into_iter().flatten();
        let plans: std::collections::BTreeSet<_> = rows.map(|row| text(&row["plan"])).collect();
        plans.into_iter().collect::<Vec<_>>().join(" ")
    };
    for (token, expected) in [(MIA, "starter"), (PIA, "starter"), (CARA, "growth starter")] {
        let listed = org.get(token, teams::SUBSCRIPTIONS).await.expect(StatusCode::OK);
        assert_eq!(
            (plans(&listed["items"]), &listed["total"]),
            (expected.to_owned(), &json!(expected.split(' ').count()))
        );
        let account = org.get(token, "/v1/accounts/acme").await.expect(StatusCode::OK);
        assert_eq!(plans(&account["subscriptions"]), expected);
        assert_eq!(plans(&account["usage"]), expected);
        let seats = org.get(token, "/v1/accounts/acme/seats").await.expect(StatusCode::OK);
        assert_eq!(plans(&seats["pools"]), expected);
        let usage = org.get(token, "/v1/accounts/acme/meters/catalogues").await;
        assert_eq!(plans(&usage.expect(StatusCode::OK)["items"]), expected);
    }
    let mut mia = org.service.browser();
    mia.sign_in("mia@example.com", PASSWORD).await;
    let page = mia.open("/accounts/acme").await.text();
    assert!(page.contains("starter") && !page.contains("growth"), "{page}");
    org.stop().await;
}

// rule: PO-05
#[tokio::test]
async fn domains_are_shown_to_who_manages_them() {
    let seed = SEED.replace(
        "  - {token: token-of-ada",
        "  - {token: token-of-max-with-all-scopes, email: max@example.com, scopes: [read]}\n      \
         - {token: token-of-ada",
    );
    let service = TestService::start_with(&seed).await;
    let read = async |token: &str| {
        service.call(Method::GET, "/v1/accounts/acme/domains").token(token).send().await
    };
    read("token-of-max-with-all-scopes").await.refused(403, "forbidden");
    read(ADA).await.expect(StatusCode::OK);
    read(TOKEN).await.expect(StatusCode::OK);
    service.stop().await;
}
