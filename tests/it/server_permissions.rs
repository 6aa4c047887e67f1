//! Permission checks: the answer and its reason (NP-12, DO-02, CT-13, CT-14).

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{
    Answer, OTHER_TOKEN, READ_TOKEN, SEED, TOKEN, TestService, VENDOR_TOKEN, text,
};

/// A catalogue account with a team whose subscription runs, and one without.
pub const CATALOGUE: &str = r"
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: catalogue
    owner: {email: owner@example.com, name: Olga, password: correct horse battery}
    subscriptions: [starter]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// Puts in teams and a member of each, as another part of the service does.
pub async fn with_teams(service: &TestService) {
    for statement in [
        "insert into teams (id, account_id, name, subscription_id, created_at) \
         select 'tea_run', a.id, 'Run', s.id, 1 \
         from accounts a join subscriptions s on s.account_id = a.id",
        "insert into teams (id, account_id, name, created_at) \
         select 'tea_new', id, 'New', 1 from accounts",
        "insert into members (id, account_id, team_id, address, role, state, added_at, joined_at) \
         select 'mem_run', id, 'tea_run', 'run@example.com', 'team-admin', 'active', 1, 1 \
         from accounts",
        "insert into members (id, account_id, team_id, address, role, state, added_at, joined_at) \
         select 'mem_new', id, 'tea_new', 'new@example.com', 'team-admin', 'active', 1, 1 \
         from accounts",
    ] {
        service.sql(statement).await;
    }
}

async fn ask(service: &TestService, body: Value) -> Answer {
    let call = service.call(Method::POST, "/v1/accounts/acme/permission-checks");
    call.token(VENDOR_TOKEN).json(&body).send().await
}

/// `yes`, or the reason.
async fn may(service: &TestService, member: &str, permission: &str) -> String {
    answer(service, json!({ "member": member, "permission": permission })).await
}

async fn answer(service: &TestService, body: Value) -> String {
    let answer = ask(service, body).await.expect(StatusCode::OK);
    match answer["allowed"].as_bool().unwrap() {
        true => "yes".to_owned(),
        false => text(&answer["reason"]),
    }
}

// rule: NP-12
#[tokio::test]
async fn what_is_not_granted_is_refused_by_the_api() {
    let service = TestService::start().await;
    let biller = text(&service.join("ana@example.com", "biller").await["id"]);
    let developer = text(&service.join("bea@example.com", "developer").await["id"]);
    for (member, permission, expected) in [
        (&biller, "invoices.read", "yes"),
        (&biller, "billing.manage", "yes"),
        (&biller, "dashboard.view", "role"),
        (&biller, "members.invite", "role"),
        (&developer, "settings.tune", "yes"),
        (&developer, "invoices.read", "role"),
        (&developer, "account.manage", "role"),
    ] {
        assert_eq!(may(&service, member, permission).await, expected, "{permission}");
    }
    ask(&service, json!({ "member": biller, "permission": "dashboard" }))
        .await
        .refused(400, "invalid-request");
    ask(&service, json!({ "member": "mem_nobody", "permission": "invoices.read" }))
        .await
        .refused(400, "invalid-request");
    let body = json!({ "member": biller, "permission": "invoices.read" });
    let call = |token| {
        let call = service.call(Method::POST, "/v1/accounts/acme/permission-checks").token(token);
        call.json(&body).send()
    };
    call(READ_TOKEN).await.expect(StatusCode::OK);
    call(OTHER_TOKEN).await.refused(404, "not-found");
    service.stop().await;
}

/// Scopes of tokens, and for each right one call that needs it: scope, method, path below the
/// account, body. Without a scope the right is the vendor's alone.
const SCOPES: [&str; 6] = ["read", "invite", "change", "remove", "billing", "manage"];
const CALLS: [(&str, &str, &str, &str); 21] = [
    ("read", "GET", "/members", ""),
    ("read", "GET", "/client-access", ""),
    ("read", "GET", "/audit-events", ""),
    ("invite", "POST", "/invitations", r#"{"email": "x@example.com", "role": "biller"}"#),
    ("invite", "POST", "/members", r#"{"email": "x@example.com", "role": "biller"}"#),
    (
        "invite",
        "POST",
        "/teams/team_x/suggestions",
        r#"{"email": "x@example.com", "role": "biller"}"#,
    ),
    ("invite", "POST", "/client-access", r#"{"email": "x@example.com", "role": "biller"}"#),
    ("change", "PATCH", "/members/{owner}", r#"{"role": "biller"}"#),
    ("change", "POST", "/teams", r#"{"name": "Web"}"#),
    ("change", "PUT", "/notification-categories/usage/recipients/{owner}", ""),
    ("remove", "DELETE", "/members/{owner}", ""),
    ("remove", "DELETE", "/client-access/cla_x", ""),
    ("billing", "POST", "/subscriptions", r#"{"plan": "free"}"#),
    ("manage", "POST", "/domains", r#"{"name": "example.com"}"#),
    ("manage", "POST", "/tokens", r#"{"kind": "account", "name": "Job", "scopes": ["read"]}"#),
    ("manage", "PATCH", "", r#"{"name": "Mine"}"#),
    ("manage", "POST", "/ownership-changes", r#"{"member": "mem_x"}"#),
    ("", "PATCH", "", r#"{"claim": {"installation_id": "i", "fingerprint": "f"}}"#),
    ("", "PATCH", "", r#"{"agency": true}"#),
    ("", "POST", "/websites", r#"{"url": "https://x.example", "state": "connected"}"#),
    ("", "POST", "/meters/resources", r#"{"amount": 1}"#),
];

async fn send(service: &TestService, token: &str, call: (&str, &str, &str, &str)) -> Answer {
    let (_, method, path, body) = call;
    let owner = text(&service.member("owner@example.com").await["id"]);
    let path = format!("/v1/accounts/acme{}", path.replace("{owner}", &owner));
    let key = format!("{token}-{path}");
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let call = service.call(method, &path).token(token).key(&key).if_match("*");
    match body {
        "" => call.send().await,
        body => call.json(&serde_json::from_str::<Value>(body).unwrap()).send().await,
    }
}

#[tokio::test]
async fn a_token_does_nothing_without_the_scope_of_it() {
    let tokens = SCOPES.map(|lacking| {
        let others = SCOPES.into_iter().filter(|scope| *scope != lacking).collect::<Vec<_>>();
        format!(
            "      - {{token: acme-token-without-{lacking}, scopes: [{}]}}\n",
            others.join(", ")
        )
    });
    let tokens = format!("    tokens:\n{}", tokens.concat());
    let seed = SEED
        .replace(
            "      - {token: acme-token-without-removals, scopes: [read, invite, change]}\n",
            "",
        )
        .replacen("    tokens:\n", &tokens, 1);
    let service = TestService::start_with(&seed).await;
    for call in CALLS.into_iter().filter(|call| !call.0.is_empty()) {
        let refused = send(&service, &format!("acme-token-without-{}", call.0), call).await;
        assert_eq!(refused.body["code"], "scope-missing", "{call:?}: {}", refused.body);
    }
    let call = service.call(Method::GET, "/v1/accounts/acme").token("acme-token-without-read");
    call.send().await.refused(403, "scope-missing");
    service.stop().await;
}

// rule: NP-12
#[tokio::test]
async fn a_person_does_nothing_that_the_role_does_not_give_whatever_the_scopes_of_the_token() {
    let dev = "    members:\n      - {email: dev@example.com, role: developer, \
        password: correct horse battery}\n    tokens:\n      \
        - {token: personal-token-of-dev, email: dev@example.com, \
        scopes: [read, invite, change, remove, billing, manage]}\n";
    let service = TestService::start_with(&SEED.replacen("    tokens:\n", dev, 1)).await;
    for call in CALLS {
        let refused = send(&service, "personal-token-of-dev", call).await;
        assert_eq!(refused.body["code"], "forbidden", "{call:?}: {}", refused.body);
    }
    service.stop().await;
}

// rule: NP-15
// rule: X18
#[tokio::test]
async fn who_is_trimmed_or_gone_may_nothing_and_a_disabled_account_leaves_what_reads_and_pays() {
    let service = TestService::start().await;
    let ana = text(&service.join("ana@example.com", "admin").await["id"]);
    let bea = text(&service.join("bea@example.com", "admin").await["id"]);
    service.subscribe("business").await;
    service.cancel("growth").await;
    assert_eq!(may(&service, &bea, "dashboard.view").await, "trimmed");
    let path = format!("/v1/accounts/acme/members/{bea}");
    service.call(Method::DELETE, &path).token(TOKEN).if_match("*").send().await;
    assert_eq!(may(&service, &bea, "dashboard.view").await, "not_member");

    service.cancel("business").await;
    service.pass(jiff::SignedDuration::from_hours(31 * 24)).await;
    assert_eq!(service.get("/v1/accounts/acme").await.body["state"], "disabled");
    for (permission, expected) in [
        ("settings.tune", "account_disabled"),
        ("members.invite", "account_disabled"),
        ("clients.use", "account_disabled"),
        ("invoices.read", "yes"),
        ("dashboard.view", "yes"),
        ("billing.manage", "yes"),
        ("audit.read", "yes"),
        ("members.remove", "yes"),
        ("subscriptions.manage", "yes"),
    ] {
        assert_eq!(may(&service, &ana, permission).await, expected, "{permission}");
    }
    service.stop().await;
}

// rule: DO-02
#[tokio::test]
async fn six_roles_over_three_areas_are_answered_as_the_table_says() {
    const SEED: &str = r"
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: digitalocean
    owner: {email: owner@example.com}
    members:
      - {email: member@example.com, role: member}
      - {email: modifier@example.com, role: modifier}
      - {email: resource-viewer@example.com, role: resource-viewer}
      - {email: biller@example.com, role: biller}
      - {email: billing-viewer@example.com, role: billing-viewer}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read]}
";
    let service = TestService::start_with(SEED).await;
    let permissions = [
        "resources.read",
        "resources.write",
        "resources.delete",
        "billing.read-limited",
        "billing.read",
        "billing.manage",
        "settings.read",
        "settings.manage",
    ];
    let mut table = Vec::new();
    for row in service.list("/v1/accounts/acme/members").await {
        let mut line = String::new();
        for permission in permissions {
            let allowed = may(&service, &text(&row["id"]), permission).await == "yes";
            line.push(if allowed { 'x' } else { '-' });
        }
        table.push(format!("{line} {}", text(&row["role"])));
    }
    assert_eq!(
        table,
        [
            "xxxxxxxx owner",
            "xxx---x- member",
            "xx----x- modifier",
            "x-----x- resource-viewer",
            "---xxx-- biller",
            "---x---- billing-viewer",
        ]
    );
    service.stop().await;
}

// rule: CT-13
#[tokio::test]
async fn in_an_inactive_team_nothing_new_is_made_and_what_is_there_can_be_read() {
    let service = TestService::start_with(CATALOGUE).await;
    with_teams(&service).await;
    let owner = text(&service.member("owner@example.com").await["id"]);
    let expect = async |create: &str| {
        for (permission, expected) in [
            ("catalogues.read", "yes"),
            ("orders.read", "yes"),
            ("catalogues.create", create),
            ("orders.create", create),
            ("settings.edit", create),
            ("members.invite", create),
            ("members.remove", "yes"),
        ] {
            assert_eq!(may(&service, "mem_run", permission).await, expected, "{permission}");
        }
    };
    expect("yes").await;
    assert_eq!(may(&service, "mem_new", "catalogues.read").await, "yes");
    assert_eq!(may(&service, "mem_new", "catalogues.create").await, "team_pending");
    let in_team = |member: &str, team: &str| json!({ "member": member, "team": team, "permission": "catalogues.create" });
    assert_eq!(answer(&service, in_team(&owner, "tea_run")).await, "yes");
    assert_eq!(answer(&service, in_team("mem_new", "tea_run")).await, "other_team");
    ask(&service, in_team(&owner, "tea_gone")).await.refused(400, "invalid-request");

    service.cancel("starter").await;
    expect("yes").await;
    service.pass(jiff::SignedDuration::from_hours(31 * 24)).await;
    expect("team_inactive").await;
    assert_eq!(answer(&service, in_team(&owner, "tea_run")).await, "team_inactive");
    service.stop().await;
}

const TWO_READERS: &str = r"
vendorTokens:
  - token: vendor-token-for-tests
accounts:
  - name: Acme
    slug: acme
    profile: digitalocean
    owner: {email: owner@example.com}
    members:
      - {email: viewer@example.com, role: billing-viewer}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read]}
";

#[tokio::test]
async fn what_is_left_in_a_disabled_account_says_the_kind_of_a_permission_and_not_its_name() {
    let service = TestService::start_with(TWO_READERS).await;
    let owner = text(&service.member("owner@example.com").await["id"]);
    let viewer = text(&service.member("viewer@example.com").await["id"]);
    service.sql("update accounts set disabled = 1").await;
    for (permission, expected) in [
        ("billing.read-limited", "yes"),
        ("billing.read", "yes"),
        ("billing.manage", "yes"),
        ("resources.read", "yes"),
        ("resources.write", "account_disabled"),
        ("settings.manage", "account_disabled"),
    ] {
        assert_eq!(may(&service, &owner, permission).await, expected, "{permission}");
    }
    assert_eq!(may(&service, &viewer, "billing.read-limited").await, "yes");
    assert_eq!(may(&service, &viewer, "billing.manage").await, "role");
    service.stop().await;
}

/// The account `acme` with a product whose settings are on a page of the vendor and wait for room
/// in a meter of another name.
async fn with_own_profile() -> TestService {
    let text = include_str!("../../profiles/nitropack.yaml")
        .replacen(
            "settings.tune:       {kind: write, menu: Settings}",
            "settings.tune: {kind: write, menu: Settings, meter: resources, \
             href: 'https://app.example.com/tune?a=1&b=2'}",
            1,
        )
        .replacen("menu: Team}", "menu: Team, href: 'https://app.example.com/team'}", 1)
        .replacen("whenFull: overage", "whenFull: refuse", 1)
        .replacen("growth:   {seats: 3}", "growth:   {seats: 3, meters: {resources: 1}}", 1);
    TestService::start_as(SEED, |settings| {
        let profile = seatkeeper::profile::read("nitropack.yaml", &text).unwrap();
        settings.profiles.insert("nitropack".to_owned(), Arc::new(profile));
    })
    .await
}

#[tokio::test]
async fn a_permission_waits_for_room_in_the_meter_that_its_profile_names() {
    let service = with_own_profile().await;
    let ana = text(&service.join("ana@example.com", "developer").await["id"]);
    assert_eq!(may(&service, &ana, "settings.tune").await, "yes");
    let report = service.call(Method::POST, "/v1/accounts/acme/meters/resources");
    let report = report.token(VENDOR_TOKEN).new_key().json(&json!({ "amount": 1 }));
    report.send().await.expect(StatusCode::OK);
    assert_eq!(may(&service, &ana, "settings.tune").await, "meter_full");
    assert_eq!(may(&service, &ana, "integrations.manage").await, "yes");
    service.stop().await;
}

// rule: NP-12
#[tokio::test]
async fn a_menu_entry_leads_to_the_page_of_the_vendor_or_is_shown_locked() {
    let service = with_own_profile().await;
    let tune = "<a href=\"https://app.example.com/tune?a=1&amp;b=2\">Settings</a>";
    let team = "<a href=\"https://app.example.com/team\">Team</a>";
    let members = "<a href=\"/accounts/acme/members\">Members</a>";
    let locked = |entry: &str| format!("<li class=\"locked\" aria-disabled=\"true\">{entry}</li>");
    for (role, shown, hidden) in [
        ("admin", vec![tune, team, members], vec![]),
        ("developer", vec![tune, "<li>Integrations</li>", &locked("Team")], vec![team, members]),
        ("biller", vec![&*locked("Settings"), &locked("Team")], vec!["https://app.example.com"]),
    ] {
        let email = format!("{role}@example.com");
        service.invite(&email, role).await.expect(StatusCode::CREATED);
        let link = service.link_to(&email).await;
        let home = service.browser().accept_by_sign_up(&link).await;
        for entry in shown {
            assert!(home.html.contains(entry), "{role}: no {entry}");
        }
        for entry in hidden {
            assert!(!home.html.contains(entry), "{role}: {entry}");
        }
    }
    service.stop().await;
}
