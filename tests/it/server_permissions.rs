//! Permission checks: the answer and its reason (NP-12, DO-02, CT-13, CT-14).

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, OTHER_TOKEN, READ_TOKEN, TOKEN, TestService, VENDOR_TOKEN, text};

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
        ("invoices.read", "yes"),
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
