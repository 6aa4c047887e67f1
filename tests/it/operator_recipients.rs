//! Recipients of categories of mail through the operator: the real API server and the real account
//! service.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use reqwest::Method;
use serde_json::{Value, json};

use crate::operator_world::World;
use crate::service::client;

/// Recipients of `billing`; `rest` goes under the spec.
fn mail(world: &World, name: &str, rest: &str) -> String {
    format!(
        "---
apiVersion: seatkeeper.dev/v1alpha1
kind: NotificationSubscription
metadata: {{name: {name}, namespace: {}}}
spec: {{teamRef: {{name: core}}, category: billing{rest}}}
",
        world.namespace
    )
}

/// Who receives `billing`: `+` where somebody chose, `*` where the role does.
async fn receive(world: &World) -> String {
    let list = world.read("/notification-categories").await;
    let rows = list["items"].as_array().unwrap();
    let billing = rows.iter().find(|row| row["name"] == "billing").unwrap();
    let members = world.read("/members").await;
    let mut names: Vec<String> = Vec::new();
    for recipient in billing["recipients"].as_array().unwrap() {
        let rows = members["items"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == recipient["member"]).unwrap();
        let name = row["email"].as_str().unwrap().split('@').next().unwrap().to_owned();
        let sign = |word: &str, sign| if recipient[word] == true { sign } else { "" };
        names.push(format!("{name}{}{}", sign("chosen", "+"), sign("implied", "*")));
    }
    names.sort();
    names.join(" ")
}

async fn received(world: &World, names: &str) {
    world.until(&format!("recipients: {names}"), async || receive(world).await == names).await;
}

/// Somebody of the account chooses a recipient of `billing`.
async fn choose(world: &World, person: &str) {
    let member = world.member(person).await["id"].as_str().unwrap().to_owned();
    let path = format!("notification-categories/billing/recipients/{member}");
    let url = format!("{}/v1/accounts/acme/{path}", world.base);
    let call = client().request(Method::PUT, url).bearer_auth(&world.token);
    assert!(call.send().await.unwrap().status().is_success());
}

// rule: NP-10
// rule: NP-11
// rule: OP-01
// rule: OP-08
#[tokio::test]
async fn recipients_wait_become_ones_by_joining_and_are_taken_back_before_the_object_goes() {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com}").await;
    world.declare_member("cyd", "biller").await;
    let recipients = ", recipients: [{email: ana@example.com}, {membershipRef: {name: cyd}}]";
    world.apply(&mail(&world, "billing-mail", recipients)).await;
    world.becomes("nsub/billing-mail", "Waiting").await;
    world.says("nsub/billing-mail", "Ready", "True/Waiting").await;
    let object = world.get("nsub/billing-mail").await;
    assert_eq!(object["status"]["waiting"], json!(["ana@example.com", "cyd@example.com"]));
    let finalizers = &object["metadata"]["finalizers"];
    assert_eq!(finalizers, &json!(["seatkeeper.dev/notification-subscription"]));
    let columns = world.k(&["get", "nsub"]).await;
    assert_eq!(
        columns.split_whitespace().take(8).collect::<Vec<_>>(),
        ["NAME", "TEAM", "CATEGORY", "POLICY", "RECIPIENTS", "STATE", "READY", "AGE"]
    );
    world.is_quiet().await;

    world.join("ana").await;
    world.join("cyd").await;
    world.becomes("nsub/billing-mail", "Synced").await;
    assert_eq!(receive(&world).await, "ana+ cyd*");
    let status = world.get("nsub/billing-mail").await["status"].clone();
    assert_eq!(status["counts"], json!({"declared": 2, "waiting": 0, "implied": 1}));
    assert_eq!(status["implied"], json!(["cyd@example.com"]));
    // The role itself says so too, where somebody looks for the person.
    world.becomes("membership/cyd", "Active").await;
    assert_eq!(world.get("membership/cyd").await["status"]["implied"], json!(["billing"]));
    world.is_quiet().await;

    world.k(&["delete", "nsub", "billing-mail", "--timeout=60s"]).await;
    assert_eq!(receive(&world).await, "cyd*", "taken back before the object went");
    world.is_quiet().await;
}

// rule: X17
#[tokio::test]
async fn exact_takes_away_whom_a_person_chose_and_additive_leaves_them() {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com}, {email: dan@example.com}").await;
    world.join("ana").await;
    world.join("dan").await;
    let recipients = ", recipients: [{email: ana@example.com}]";
    world.apply(&mail(&world, "billing-mail", recipients)).await;
    world.becomes("nsub/billing-mail", "Synced").await;
    choose(&world, "dan").await;
    world.is_quiet().await;
    assert_eq!(receive(&world).await, "ana+ dan+");

    world.apply(&mail(&world, "billing-mail", &format!(", policy: Exact{recipients}"))).await;
    received(&world, "ana+").await;
    let twin = mail(&world, "a-twin", ", policy: Exact, recipients: [{email: dan@example.com}]");
    world.apply(&twin).await;
    world.says("nsub/a-twin", "Accepted", "False/Conflict").await;
    world.is_quiet().await;
    assert_eq!(receive(&world).await, "ana+");

    // The younger takes over without ana's being asked for.
    world.k(&["delete", "nsub", "billing-mail", "--timeout=60s"]).await;
    received(&world, "dan+").await;
    world.says("nsub/a-twin", "Accepted", "True/Accepted").await;
    world.is_quiet().await;
}

#[tokio::test]
async fn what_cannot_be_done_says_why_and_how_on() {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com}").await;
    world.join("ana").await;
    let typo = mail(&world, "a-typo", "").replace("category: billing", "category: biling");
    let zoe = ", recipients: [{email: ana@example.com}, {email: zoe@example.com}]";
    let nobody = mail(&world, "nobody", zoe);
    let reference = mail(&world, "reference", ", recipients: [{membershipRef: {name: cyd}}]");
    let stray = mail(&world, "stray", "").replace("name: core}", "name: cre}");
    world.apply(&format!("{typo}{nobody}{reference}{stray}")).await;
    world.says("nsub/a-typo", "Accepted", "False/UnknownCategory").await;
    world.says("nsub/nobody", "Accepted", "False/NotAMember").await;
    world.says("nsub/nobody", "Stalled", "True/NotAMember").await;
    world.says("nsub/reference", "Accepted", "False/NotFound").await;
    world.says("nsub/stray", "Accepted", "False/NotFound").await;
    for name in ["a-typo", "nobody", "reference", "stray"] {
        let message = world.get(&format!("nsub/{name}")).await["status"]["message"].clone();
        assert!(message.as_str().unwrap().contains("; "), "no way out: {message}");
    }
    received(&world, "ana+").await;
    world.is_quiet().await;
    for name in ["a-typo", "reference", "stray", "nobody"] {
        world.k(&["delete", "nsub", name, "--timeout=60s"]).await;
    }
    assert_eq!(receive(&world).await, "");

    let path = world.file("usage.yaml");
    let first = mail(&world, "billing-mail", "");
    world.apply(&first).await;
    std::fs::write(&path, first.replace("billing}", "usage}")).unwrap();
    let (changed, said) = world.kubectl(&["apply", "-f", path.to_str().unwrap()]).await;
    assert!(!changed && said.contains("category cannot change"), "{said}");
}

// rule: OP-08
#[tokio::test]
async fn below_mode_manage_the_object_goes_at_once_and_nothing_is_taken_away() {
    let world = World::start("growth").await;
    world.declare("", "{email: ana@example.com}").await;
    world.join("ana").await;
    world.apply(&mail(&world, "billing-mail", ", recipients: [{email: ana@example.com}]")).await;
    world.becomes("nsub/billing-mail", "Synced").await;
    world
        .k(&["patch", "account", "acme", "--type=merge", "-p", r#"{"spec":{"mode":"Invite"}}"#])
        .await;
    world
        .until("the marks are off", async || {
            world.get("nsub/billing-mail").await["metadata"]["finalizers"] == Value::Null
        })
        .await;
    world.k(&["delete", "nsub", "billing-mail", "--timeout=60s"]).await;
    world.looks_again(2).await;
    assert_eq!(receive(&world).await, "ana+");
}
