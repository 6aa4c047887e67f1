//! Every operation of the contract that changes something, done once: each leaves in the audit log
//! what was before, or what is after.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::server_domains::FakeDns;
use crate::service::{PASSWORD, TestService, VENDOR_TOKEN, text};
use crate::teams::{CARA, MIA, SEED as TEAMS};

const SEED: &str = r#"
vendorTokens:
  - token: vendor-token-for-tests
users:
  - {email: jo@example.org, name: Jo, password: correct horse battery}
  - {email: ja@example.org, name: Ja, password: correct horse battery}
accounts:
  - name: Pack
    slug: pack
    profile: nitropack
    owner: {email: olga@example.com, name: Olga, password: correct horse battery}
    subscriptions: [scale]
    members:
      - {email: mel@example.com, name: Mel, role: developer, password: correct horse battery}
      - {email: tim@example.com, name: Tim, role: developer}
    tokens:
      - {token: pack-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-olga-with-all-scopes, email: olga@example.com, scopes: [read, invite, change, remove, billing, manage]}
      - {token: token-of-mel-with-all-scopes, email: mel@example.com, scopes: [read, invite, change, remove, billing, manage]}
  - name: Client
    slug: client
    profile: nitropack
    owner: {email: cleo@example.com, name: Cleo}
    subscriptions: [growth]
    members:
      - {email: cad@example.com, name: Cad, role: admin}
    tokens:
      - {token: client-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
  - name: Portal
    slug: portal
    profile: portal
    owner: {email: otto@example.com, name: Otto}
    subscriptions: [team]
    members:
      - {email: max@example.com, name: Max, role: member}
    tokens:
      - {token: portal-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
"#;

const PACK: &str = "pack-token-of-all-scopes";
const OLGA: &str = "token-of-olga-with-all-scopes";
const MEL: &str = "token-of-mel-with-all-scopes";
const CLIENT: &str = "client-token-of-all-scopes";
const PORTAL: &str = "portal-token-of-all-scopes";

/// What changes nothing of an account, and why.
const NO_CHANGE: [&str; 3] = [
    "checkPermission",  // an answer
    "writeClientState", // a record of the managing client's own, not of the account
    "reportBounce",     // the service's own change: server_mail has it
];

/// Operations are done one after the other, and looked for in the log.
struct Walk {
    service: TestService,
    done: RefCell<BTreeSet<String>>,
}

impl Walk {
    async fn start(seed: &str, dns: FakeDns) -> Self {
        let service = TestService::start_as(seed, |settings| settings.dns = Arc::new(dns)).await;
        Self { service, done: RefCell::default() }
    }

    /// Rows of an account's log after a position: action, before, after.
    async fn log(&self, slug: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let mut conn = self.service.database().await;
        let text = "select e.action, e.before, e.after from audit_events e \
                    join accounts a on a.id = e.account_id where a.slug = $1 order by e.position";
        let rows = sqlx::query_as(text).bind(slug).fetch_all(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        rows
    }

    /// Does an operation, as `VERB account/path`, and looks what it has left in the log.
    async fn act(&self, operation: &str, token: &str, line: &str, body: Value) -> Value {
        let (verb, path) = line.split_once(' ').unwrap();
        let slug = match operation {
            "openAccount" => text(&body["slug"]),
            _ => path.split('/').next().unwrap().to_owned(),
        };
        let before = self.log(&slug).await.len();
        let method: Method = verb.parse().unwrap();
        let path = format!("/v1/accounts/{path}");
        let path = path.trim_end_matches('/');
        let mut call = self.service.call(method.clone(), path).token(token);
        if operation != "openAccount" {
            call = call.if_match("*");
        }
        if method == Method::POST {
            call = call.key(&format!("{operation}-{}", self.service.requests().len()));
        }
        let call = if body.is_null() { call } else { call.json(&body) };
        let answer = call.send().await;
        assert!(answer.status.is_success(), "{operation}: {} {}", answer.status, answer.body);
        let log = self.log(&slug).await;
        let written = &log[before..];
        assert!(!written.is_empty(), "{operation} leaves nothing in the log");
        for (action, before, after) in written {
            let said = (before.is_some(), after.is_some());
            assert_ne!(said, (false, false), "{operation}: {action} says nothing");
            let changed = ["changed", "renamed", "approved", "resent", "accepted", "revoked"];
            let both = changed.iter().any(|word| action.ends_with(word));
            assert!(!both || said == (true, true), "{operation}: {action} {before:?} {after:?}");
        }
        self.done.borrow_mut().insert(operation.to_owned());
        answer.body
    }
}

fn id(row: &Value) -> String {
    text(&row["id"])
}

async fn people_of_an_account(walk: &Walk) {
    let act =
        async |operation, token, line: &str, body| walk.act(operation, token, line, body).await;
    act("changeAccount", PACK, "PATCH pack", json!({ "name": "Pack two" })).await;
    let ana = json!({ "email": "ana@example.com", "role": "developer" });
    let ana = id(&act("invite", PACK, "POST pack/invitations", ana).await);
    let ana = format!("pack/invitations/{ana}");
    act("changeInvitation", PACK, &format!("PATCH {ana}"), json!({ "role": "biller" })).await;
    act("resendInvitation", PACK, &format!("POST {ana}/resend"), Value::Null).await;
    act("revokeInvitation", PACK, &format!("POST {ana}/revoke"), Value::Null).await;

    let call = walk.service.call(Method::GET, "/v1/accounts/pack/members").token(PACK);
    let rows = call.send().await.expect(StatusCode::OK)["items"].clone();
    let find = |email: &str| {
        let rows = rows.as_array().into_iter().flatten();
        id(rows.clone().find(|row| row["email"] == email).unwrap())
    };
    let (mel, tim) = (find("mel@example.com"), find("tim@example.com"));
    let recipient = format!("pack/notification-categories/usage/recipients/{tim}");
    act("addRecipient", PACK, &format!("PUT {recipient}"), Value::Null).await;
    act("removeRecipient", PACK, &format!("DELETE {recipient}"), Value::Null).await;
    let tim = format!("pack/members/{tim}");
    act("changeMember", PACK, &format!("PATCH {tim}"), json!({ "role": "admin" })).await;
    act("trimMember", PACK, &format!("POST {tim}/trim"), Value::Null).await;
    act("reinstateMember", PACK, &format!("POST {tim}/reinstate"), Value::Null).await;
    act("removeMember", PACK, &format!("DELETE {tim}"), Value::Null).await;
    act("leave", MEL, &format!("POST pack/members/{mel}/leave"), Value::Null).await;
    let token = json!({ "kind": "account", "name": "Job", "scopes": ["read"] });
    let token = id(&act("makeToken", PACK, "POST pack/tokens", token).await);
    act("removeToken", PACK, &format!("DELETE pack/tokens/{token}"), Value::Null).await;
}

async fn what_the_vendor_reports(walk: &Walk) {
    let act =
        async |operation, token, line: &str, body| walk.act(operation, token, line, body).await;
    let opened = json!({
        "name": "New", "slug": "new", "profile": "portal", "owner_email": "new@example.com",
    });
    act("openAccount", VENDOR_TOKEN, "POST ", opened).await;
    let plan = json!({ "plan": "custom" });
    let picked = id(&act("pickPlan", PACK, "POST pack/subscriptions", plan).await);
    let picked = format!("POST pack/subscriptions/{picked}");
    act("confirmSubscription", VENDOR_TOKEN, &format!("{picked}/confirm"), Value::Null).await;
    act("renewSubscription", VENDOR_TOKEN, &format!("{picked}/renew"), Value::Null).await;
    act("cancelSubscription", PACK, &format!("{picked}/cancel"), Value::Null).await;
    let usage = json!({ "amount": 1 });
    act("reportUsage", VENDOR_TOKEN, "POST pack/meters/resources", usage).await;
    let site = json!({ "url": "https://shop.example/", "state": "connected" });
    let site = id(&act("reportWebsite", VENDOR_TOKEN, "POST pack/websites", site).await);
    let site = format!("pack/websites/{site}");
    let lost = json!({ "state": "not_connected" });
    act("changeWebsite", VENDOR_TOKEN, &format!("PATCH {site}"), lost).await;
    act("removeWebsite", VENDOR_TOKEN, &format!("DELETE {site}"), Value::Null).await;
}

async fn clients_of_an_agency(walk: &Walk) {
    let act =
        async |operation, token, line: &str, body| walk.act(operation, token, line, body).await;
    act("changeAccount", VENDOR_TOKEN, "PATCH pack", json!({ "agency": true })).await;
    let ask = async |who: &str| {
        let body = json!({ "email": format!("{who}@example.com"), "role": "developer" });
        id(&act("requestClientAccess", PACK, "POST pack/client-access", body).await)
    };
    let cleo = ask("cleo").await;
    let own = format!("pack/client-access/{cleo}");
    act("resendClientAccess", PACK, &format!("POST {own}/resend"), Value::Null).await;
    act("withdrawClientAccess", PACK, &format!("DELETE {own}"), Value::Null).await;
    let cleo = ask("cleo").await;
    let there = format!("POST client/access-requests/{cleo}/approve");
    act("approveAccessRequest", CLIENT, &there, Value::Null).await;
    let own = format!("POST pack/client-access/{cleo}/login-link");
    act("makeLoginLink", OLGA, &own, Value::Null).await;
    let cad = ask("cad").await;
    let there = format!("POST client/access-requests/{cad}/reject");
    act("rejectAccessRequest", CLIENT, &there, Value::Null).await;
}

async fn an_organisation(walk: &Walk, dns: &FakeDns) {
    let act = async |operation, line: &str, body| walk.act(operation, PORTAL, line, body).await;
    let many = json!({ "emails": ["a@example.com", "b@example.com"], "role": "member" });
    act("inviteMany", "POST portal/invitations/batch", many).await;
    let domain = act("addDomain", "POST portal/domains", json!({ "name": "example.org" })).await;
    dns.publish(&domain);
    let path = format!("portal/domains/{}", id(&domain));
    act("verifyDomain", &format!("POST {path}/verify"), Value::Null).await;
    act("changeDomain", &format!("PATCH {path}"), json!({ "auto_join": true })).await;
    for (who, operation) in [("jo", "approveJoinRequest"), ("ja", "rejectJoinRequest")] {
        let body = json!({ "email": format!("{who}@example.org") });
        let row = id(&act("requestToJoin", "POST portal/join-requests", body).await);
        let decide = operation.trim_end_matches("JoinRequest");
        act(operation, &format!("POST portal/join-requests/{row}/{decide}"), Value::Null).await;
    }
    act("removeDomain", &format!("DELETE {path}"), Value::Null).await;
    let call = walk.service.call(Method::GET, "/v1/accounts/portal/members").token(PORTAL);
    let rows = call.send().await.expect(StatusCode::OK)["items"].clone();
    let mut rows = rows.as_array().into_iter().flatten();
    let max = rows.find(|row| row["email"] == "max@example.com").unwrap();
    let body = json!({ "member": id(max) });
    let owner = id(&act("changeOwner", "POST portal/ownership-changes", body).await);
    let cancel = format!("POST portal/ownership-changes/{owner}/cancel");
    act("cancelOwnershipChange", &cancel, Value::Null).await;
    act("deleteAccount", "DELETE portal", Value::Null).await;
}

async fn teams(walk: &Walk) {
    let act =
        async |operation, token, line: &str, body| walk.act(operation, token, line, body).await;
    let made = id(&act("makeTeam", CARA, "POST acme/teams", json!({ "name": "Web" })).await);
    act("changeTeam", CARA, &format!("PATCH acme/teams/{made}"), json!({ "name": "Shop" })).await;
    let rows = walk.service.list("/v1/accounts/acme/teams").await;
    let design = id(rows.iter().find(|team| team["name"] == "Design").unwrap());
    let add = json!({ "email": "pia@example.com", "role": "member", "team": design });
    act("addMember", CARA, "POST acme/members", add).await;
    for (who, operation) in [("s1", "approveSuggestion"), ("s2", "rejectSuggestion")] {
        let body = json!({ "email": format!("{who}@example.com"), "role": "member" });
        let line = format!("POST acme/teams/{design}/suggestions");
        let row = id(&act("suggestMember", MIA, &line, body).await);
        let decide = operation.trim_end_matches("Suggestion");
        let line = format!("POST acme/suggestions/{row}/{decide}");
        act(operation, CARA, &line, Value::Null).await;
    }
}

/// Operations of the contract that are no reads.
fn changing() -> BTreeSet<String> {
    let contract: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let paths = contract["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap());
    let writes = operations
        .filter(|(method, _)| ["post", "put", "patch", "delete"].contains(&method.as_str()));
    writes.map(|(_, operation)| text(&operation["operationId"])).collect()
}

#[tokio::test]
async fn every_change_but_notes_has_an_audit_row_with_before_and_after() {
    let dns = FakeDns::default();
    let walk = Walk::start(SEED, dns.clone()).await;
    people_of_an_account(&walk).await;
    what_the_vendor_reports(&walk).await;
    clients_of_an_agency(&walk).await;
    an_organisation(&walk, &dns).await;
    let Walk { service, done } = walk;
    service.stop().await;
    let walk = Walk { done, ..Walk::start(TEAMS, dns).await };
    teams(&walk).await;
    let Walk { service, done } = walk;
    service.stop().await;
    let mut done = done.into_inner();
    done.extend(NO_CHANGE.map(str::to_owned));
    assert_eq!(done, changing());
}

/// What no operation does by itself: a disabled account, and a log-in as a client.
#[tokio::test]
async fn what_time_and_people_change_is_in_the_log_with_what_changed() {
    let walk = Walk::start(SEED, FakeDns::default()).await;
    let service = &walk.service;
    let agency = json!({ "agency": true });
    walk.act("changeAccount", VENDOR_TOKEN, "PATCH pack", agency).await;
    let asked = json!({ "email": "cleo@example.com", "role": "developer" });
    let asked = walk.act("requestClientAccess", PACK, "POST pack/client-access", asked).await;
    let asked = id(&asked);
    let line = format!("POST client/access-requests/{asked}/approve");
    walk.act("approveAccessRequest", CLIENT, &line, Value::Null).await;
    let line = format!("POST pack/client-access/{asked}/login-link");
    let link = text(&walk.act("makeLoginLink", OLGA, &line, Value::Null).await["link"]);
    let mut olga = service.browser();
    olga.sign_in("olga@example.com", PASSWORD).await;
    let page = olga.open(&link).await;
    let page = olga.submit(&page, &page.path, &[]).await;
    assert_eq!((page.status, page.path.as_str()), (StatusCode::OK, "/accounts/client"));
    let held = service.call(Method::GET, "/v1/accounts/client/subscriptions").token(CLIENT);
    let held = id(&held.send().await.expect(StatusCode::OK)["items"][0]);
    let line = format!("POST client/subscriptions/{held}/cancel");
    walk.act("cancelSubscription", CLIENT, &line, Value::Null).await;
    service.pass(jiff::SignedDuration::from_hours(31 * 24)).await;
    let line = "POST client/subscriptions";
    walk.act("pickPlan", VENDOR_TOKEN, line, json!({ "plan": "growth" })).await;
    let log = walk.log("client").await;
    let of = |wanted: &str| {
        let row = log.iter().find(|(action, _, _)| action == wanted).unwrap();
        (row.1.clone().unwrap(), row.2.clone().unwrap())
    };
    let (active, disabled) = ("\"active\"".to_owned(), "\"disabled\"".to_owned());
    assert_eq!(of("account.disabled"), (active.clone(), disabled.clone()));
    assert_eq!(of("account.enabled"), (disabled, active));
    let (_, before, after) =
        log.iter().find(|(action, _, _)| action == "client_access.logged_in").unwrap();
    assert_eq!(before.as_deref(), None);
    assert!(after.as_deref().unwrap().contains("pack"), "which agency: {after:?}");
    walk.service.stop().await;
}
