//! Rights as they are when a change is made, whatever they were when it was asked for.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, Kind, PASSWORD, TestService, VENDOR_TOKEN};

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

const ACME: &str = "acme-token-of-all-scopes";
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
    call.json(&json!({ "plan": "team" })).send().await
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

        let over = "update tokens set expires_at = 1 where kind = 'account'";
        let answer = service.behind("acme", over, invite(&service, ACME, "member")).await;
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
