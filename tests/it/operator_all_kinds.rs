//! Every kind at once through the operator: an agency with a team, clients and recipients beside an
//! organisation with many teams, on the real API server and the real account service.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::operator_world::World;
use crate::service::{Browser, PASSWORD, VENDOR_TOKEN, client};

/// An agency with two people.
const AGENCY: &str = "profile: nitropack
    subscriptions: [scale]
    members:
      - {email: ana@example.com, name: Ana, role: admin, password: correct horse battery}
      - {email: dan@example.com, name: Dan, role: biller, password: correct horse battery}";

/// An organisation with a team.
const ORGANISATION: &str = "  - name: Shelves
    slug: shelves
    profile: catalogue
    owner: {email: cara@example.com, name: Cara, password: correct horse battery}
    subscriptions: [starter, growth]
    teams:
      - name: Design
        subscription: starter
        members:
          - {email: tom@example.com, name: Tom, role: team-admin, password: correct horse battery}
          - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}
    tokens:
      - {token: shelves-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

const SHELVES: &str = "shelves-token-of-all-scopes";

/// The agency `acme` and the organisation `shelves`, each with its Secret.
async fn both() -> World {
    let mut world = World::beside(AGENCY, ORGANISATION).await;
    let url = format!("{}/v1/accounts/acme", world.base);
    let call = client().patch(url).bearer_auth(VENDOR_TOKEN).header("if-match", "*");
    let answer = call.json(&json!({"agency": true})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let secret = format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: shelves-token, namespace: {}}}, \
         stringData: {{token: {SHELVES}}}}}",
        world.namespace
    );
    world.apply(&secret).await;
    world.start_operator("info").await;
    world
}

/// Reads from the organisation.
async fn shelves(world: &World, path: &str) -> Vec<Value> {
    let url = format!("{}/v1/accounts/shelves{path}", world.base);
    let answer = client().get(url).bearer_auth(SHELVES).send().await.unwrap();
    let list: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    list["items"].as_array().expect("a list").clone()
}

/// The id of the row whose `key` is `value`.
async fn id(world: &World, path: &str, key: &str, value: &str) -> String {
    let rows = shelves(world, path).await;
    let row = rows.iter().find(|row| row[key] == value).expect("a row");
    row["id"].as_str().unwrap().to_owned()
}

/// Class, account and what else is declared, `NAMESPACE` and `URL` filled in.
async fn manifests(world: &World) -> String {
    let starter = id(world, "/subscriptions", "plan", "starter").await;
    let growth = id(world, "/subscriptions", "plan", "growth").await;
    let design = id(world, "/teams", "name", "Design").await;
    EVERYTHING
        .replace("NAMESPACE", &world.namespace)
        .replace("URL", &world.base)
        .replace("STARTER", &starter)
        .replace("GROWTH", &growth)
        .replace("DESIGN", &design)
}

const EVERYTHING: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: AccountClass
metadata: {name: NAMESPACE}
spec: {profile: nitropack, backend: {accountApi: {url: 'URL'}}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Account
metadata: {name: acme, namespace: NAMESPACE}
spec: {className: NAMESPACE, accountId: acme, credentialsSecretRef: {name: acme-token, key: token},
  mode: Exclusive, grantableRoles: [admin], resync: 5s, removals: {settle: 2s}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: core, namespace: NAMESPACE}
spec:
  accountRef: {name: acme}
  roster: [{email: ana@example.com, role: admin}, {email: eve@example.com, role: developer}]
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: dan, namespace: NAMESPACE}
spec: {teamRef: {name: core}, email: dan@example.com, role: biller}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: ClientAccess
metadata: {name: bakery, namespace: NAMESPACE}
spec: {accountRef: {name: acme}, clientEmail: bo@example.com, role: developer}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: NotificationSubscription
metadata: {name: usage, namespace: NAMESPACE}
spec:
  teamRef: {name: core}
  category: usage
  policy: Exact
  recipients: [{email: eve@example.com}, {membershipRef: {name: dan}}]
---
apiVersion: seatkeeper.dev/v1alpha1
kind: AccountClass
metadata: {name: NAMESPACE-shelves}
spec: {profile: catalogue, backend: {accountApi: {url: 'URL'}}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Account
metadata: {name: shelves, namespace: NAMESPACE}
spec: {className: NAMESPACE-shelves, accountId: shelves, credentialsSecretRef: {name: shelves-token, key: token},
  mode: Exclusive, grantableRoles: [company-admin], resync: 5s, removals: {settle: 2s}}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: design, namespace: NAMESPACE}
spec:
  accountRef: {name: shelves}
  teamId: DESIGN
  displayName: Design
  subscription: STARTER
  roster: [{email: tom@example.com, role: team-admin}, {email: mia@example.com, role: member}]
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: print, namespace: NAMESPACE}
spec:
  accountRef: {name: shelves}
  displayName: Print
  subscription: GROWTH
  roster: [{email: mia@example.com, role: team-admin}]
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: ida-print, namespace: NAMESPACE}
spec: {teamRef: {name: print}, email: ida@example.com, role: member}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: cara, namespace: NAMESPACE}
spec: {accountRef: {name: shelves}, email: cara@example.com, role: company-admin}
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: tom, namespace: NAMESPACE}
spec: {accountRef: {name: shelves}, email: tom@example.com, role: company-admin}
";

/// Signs in, opens the last mail of a template and presses a button.
async fn answers(world: &World, person: &str, template: &str, word: &str) {
    let email = format!("{person}@example.com");
    let link = || {
        let mails = world.mails(template);
        mails.iter().rev().find(|mail| mail.to == email).and_then(|mail| mail.link.clone())
    };
    world.until(&format!("{template} to {person}"), async || link().is_some()).await;
    let mut browser = Browser::new(&world.base);
    browser.sign_in(&email, PASSWORD).await;
    let page = browser.open(&link().unwrap()).await;
    let page = browser.submit(&page, &format!("{}/{word}", page.path), &[("name", "Bakery")]).await;
    assert!(page.status.is_success(), "{}", page.text());
}

/// Both accounts are as declared, and more looks at each write nothing anywhere (OP-01).
async fn is_quiet(world: &World) {
    world.becomes("account/shelves", "Synced").await;
    // Looks at two accounts are counted together.
    world.looks_again(3).await;
    world.is_quiet().await;
}

// rule: OP-01
// rule: OP-02
// rule: CT-01
// rule: NC-01
// rule: NP-10
#[tokio::test]
async fn every_kind_at_once_is_carried_out_and_then_nothing_is_written() {
    let world = both().await;
    let before = world.writes();
    world.apply(&manifests(&world).await).await;
    for (object, state) in [
        ("membership/dan", "Active"),
        ("cla/bakery", "Requested"),
        ("nsub/usage", "Waiting"),
        ("team/design", "Active"),
        ("team/print", "Active"),
        ("membership/ida-print", "Pending"),
        ("membership/cara", "Active"),
        ("membership/tom", "AwaitingConfirmation"),
    ] {
        world.becomes(object, state).await;
    }
    is_quiet(&world).await;

    world.join("eve").await;
    world.join("ida").await;
    answers(&world, "bo", "access-requested", "approve").await;
    answers(&world, "cara", "ownership-confirm", "accept").await;
    answers(&world, "tom", "ownership-accept", "accept").await;
    for (object, state) in [
        ("cla/bakery", "Granted"),
        ("nsub/usage", "Synced"),
        ("membership/ida-print", "Active"),
        ("membership/tom", "Active"),
    ] {
        world.becomes(object, state).await;
    }
    for template in ["access-requested", "ownership-confirm", "ownership-accept"] {
        assert_eq!(world.mails(template).len(), 1, "{template}");
    }
    assert_eq!(world.mails("invitation").len(), 2, "eve and ida");
    for kind in ["accounts", "teams", "memberships", "cla", "nsub"] {
        let ready = "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}";
        let ready = world.k(&["get", kind, "-o", ready]).await;
        assert!(ready.split(' ').all(|word| word == "True"), "{kind}: {ready}");
    }
    is_quiet(&world).await;
    world.is_current().await;
    let changed = world.writes() - before;
    assert_eq!(world.audit().len(), changed, "one record for each call: {:#?}", world.audit());
}

/// `seatkeeper import` of one account into a folder.
async fn import(world: &World, account: &str, token: &str) -> String {
    fs::write(world.file(&format!("{account}.token")), token).unwrap();
    let (name, token) = (format!("{}-{account}", world.namespace), format!("{account}.token"));
    let arguments = ["import", "--url", &world.base, "--account", account, "--token-file", &token];
    let more = ["--namespace", &world.namespace, "--name", &name, "--output-dir", account];
    let said = world.exits(0, &[&arguments[..], &more].concat()).await;
    assert!(said.err.contains("checked: even mode Exclusive would change nothing"), "{}", said.err);
    let secret = format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}-token, namespace: {}}}, \
         stringData: {{token: {}}}}}",
        world.namespace,
        fs::read_to_string(world.file(&format!("{account}.token"))).unwrap()
    );
    world.apply(&secret).await;
    world.k(&["apply", "-f", world.file(account).to_str().unwrap()]).await;
    format!("account/{name}")
}

// rule: OP-01
// rule: OP-06
#[tokio::test]
async fn what_was_imported_is_taken_by_the_cluster_and_adopted_without_a_mail() {
    let world = both().await;
    world
        .call(
            &world.token,
            Method::POST,
            "/invitations",
            &json!({"email": "eve@example.com", "role": "developer"}),
        )
        .await;
    world
        .call(
            &world.token,
            Method::POST,
            "/client-access",
            &json!({"email": "bo@example.com", "role": "admin"}),
        )
        .await;
    let ana = world.member("ana").await["id"].as_str().unwrap().to_owned();
    let path = format!("/notification-categories/usage/recipients/{ana}");
    world.call(&world.token, Method::PUT, &path, &Value::Null).await;
    world
        .until("both are asked", async || {
            world.mails("invitation").len() + world.mails("access-requested").len() == 2
        })
        .await;

    let before = world.writes();
    let accounts = [
        import(&world, "acme", &world.token.clone()).await,
        import(&world, "shelves", SHELVES).await,
    ];
    let patch = |mode: &str| {
        format!(
            "{{\"spec\": {{\"mode\": \"{mode}\", \"resync\": \"5s\", \"removals\": {{\"settle\": \"2s\"}}}}}}"
        )
    };
    for account in &accounts {
        world.k(&["patch", account, "--type=merge", "-p", &patch("Observe")]).await;
        world.says(account, "Ready", "True/Observing").await;
        let object = world.get(account).await;
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let synced = conditions.iter().find(|row| row["type"] == "Synced").unwrap();
        let message =
            "0 changes would be made; Invite: nothing; Manage: nothing; Exclusive: nothing";
        assert_eq!(synced["message"], message);
    }
    world.looks_again(4).await;
    assert_eq!(world.writes(), before, "mode Observe writes nothing");

    for account in &accounts {
        world.k(&["patch", account, "--type=merge", "-p", &patch("Exclusive")]).await;
        world.becomes(account, "Synced").await;
        world.says(account, "Ready", "True/Synced").await;
    }
    world.looks_again(4).await;
    let (writes, audited) = (world.writes(), world.audited_writes());
    assert_eq!(writes, before + 2, "the claim of each account");
    world.looks_again(6).await;
    assert_eq!(world.writes(), writes, "writes to the service");
    assert_eq!(world.audited_writes()[audited.len()..], [] as [String; 0]);
    let mails = world.mails("invitation").len() + world.mails("access-requested").len();
    assert_eq!(mails, 2, "nobody is asked again");
}
