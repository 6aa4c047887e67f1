//! More than one who acts on an account: a second cluster, the command line, a second operator of the
//! same installation. On the real API server and the real account service.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use crate::operator_world::{Plane, World, manifests, membership};

const ANA: &str = "{email: ana@example.com, role: admin}";

/// Who was invited, by name.
fn invited(world: &World) -> Vec<String> {
    let mut to: Vec<String> = world.mails("invitation").into_iter().map(|mail| mail.to).collect();
    to.sort();
    to
}

/// Writes what is declared into a folder for the command line; gives its arguments.
fn files(world: &World, more: &str) -> Vec<String> {
    let manifests = manifests(&world.namespace, &world.base, "", ANA);
    fs::create_dir_all(world.file("git")).unwrap();
    fs::create_dir_all(world.file("secrets/acme-token")).unwrap();
    fs::write(world.file("git/all.yaml"), format!("{manifests}{more}")).unwrap();
    fs::write(world.file("secrets/acme-token/token"), &world.token).unwrap();
    ["-f", "git", "--ledger", "file:ledger", "--secrets", "secrets"].map(str::to_owned).to_vec()
}

/// Runs a command on these files.
async fn exits(world: &World, code: i32, words: &[&str], files: &[String]) -> String {
    let (subcommand, rest) = words.split_first().unwrap();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let said = world.exits(code, &[&[*subcommand], &files[..], rest].concat()).await;
    format!("{}{}", said.out, said.err)
}

// rule: OP-02
// rule: OP-08
#[tokio::test]
async fn the_command_line_beside_an_operator_stops_until_it_takes_over_and_then_the_operator_stops()
{
    let world = World::start("growth").await;
    world.declare("", ANA).await;
    world.declare_member("bo", "developer").await;
    world.becomes("membership/bo", "Pending").await;
    world.becomes("account/acme", "Synced").await;

    let both = files(&world, &membership(&world.namespace, "bo", "developer", ""));
    let said = exits(&world, 4, &["apply"], &both).await;
    assert!(said.contains("! ClaimedByOther: another installation manages this account"), "{said}");
    assert!(said.contains("take the account over: seatkeeper claim --take"), "{said}");
    assert!(!world.file("ledger").exists(), "nothing is written, not even here");

    exits(&world, 0, &["claim", "--take", "--yes"], &both).await;
    let said = exits(&world, 0, &["apply"], &both).await;
    assert!(said.contains("nothing to change"), "{said}");
    world.becomes("account/acme", "ClaimedByOther").await;
    world.says("account/acme", "Stalled", "True/ClaimedByOther").await;
    let conditions = world.get("account/acme").await["status"]["conditions"].to_string();
    assert!(conditions.contains("seatkeeper claim --take"), "{conditions}");
    world.declare_member("cyd", "developer").await;
    world.says("membership/cyd", "Synced", "Unknown/ClaimedByOther").await;
    assert_eq!(invited(&world), ["ana@example.com", "bo@example.com"]);

    // What is deleted here is left to the other, and goes.
    world.k(&["delete", "membership", "bo", "--wait=false"]).await;
    world.gone("membership/bo").await;
    let refused = async || {
        let events = world.k(&["get", "events", "-o", "json"]).await;
        events.contains("the declaration goes, the access stays: another installation")
    };
    world.until("an event says what is left", refused).await;
    assert_eq!(world.read("/seats").await["breakdown"]["pending"], 2);
    let said = exits(&world, 0, &["apply"], &both).await;
    assert!(said.contains("nothing to change"), "{said}");
}

// rule: OP-02
#[tokio::test]
async fn of_two_clusters_the_second_stops_and_who_takes_over_mails_nobody_again() {
    let first = World::start("growth").await;
    first.declare("", ANA).await;
    // The Account may be looked at before its Team is there.
    let is_invited = async || invited(&first) == ["ana@example.com"];
    first.until("ana is invited", is_invited).await;
    first.becomes("account/acme", "Synced").await;

    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::own(folder.path()).await;
    let mut second = World::on(plane, folder, "growth").await;
    for (_, crd) in seatkeeper::api::crds() {
        second.apply(&serde_json::to_string(&crd).unwrap()).await;
    }
    second.secret(&first.token).await;
    second.start_operator("info").await;
    second.apply(&manifests(&second.namespace, &first.base, "", ANA)).await;
    second.apply(&membership(&second.namespace, "bo", "developer", "")).await;
    second.becomes("account/acme", "ClaimedByOther").await;
    second.says("account/acme", "Stalled", "True/ClaimedByOther").await;
    first.looks_again(2).await;
    assert_eq!(first.state("account/acme").await, "Synced", "the first goes on");
    assert_eq!(invited(&first), ["ana@example.com"]);

    // The second takes over, with the ledger of its cluster.
    let bo = membership(&second.namespace, "bo", "developer", "");
    let mut arguments = files(&second, &bo);
    let all = second.file("git/all.yaml");
    fs::write(&all, fs::read_to_string(&all).unwrap().replace(&second.base, &first.base)).unwrap();
    fs::write(second.file("secrets/acme-token/token"), &first.token).unwrap();
    let ledger = arguments.iter_mut().find(|word| *word == "file:ledger").unwrap();
    *ledger = format!("kube:{}/acme", second.namespace);
    exits(&second, 0, &["claim", "--take", "--yes"], &arguments).await;
    second.becomes("membership/bo", "Pending").await;
    second.becomes("account/acme", "Synced").await;
    first.becomes("account/acme", "ClaimedByOther").await;
    assert_eq!(invited(&first), ["ana@example.com", "bo@example.com"], "ana is adopted");
}

// rule: OP-02
#[tokio::test]
async fn two_operators_of_one_installation_that_both_act_send_one_mail_a_person() {
    let mut world = World::start("scale").await;
    world.start_operator_beside().await;
    let names = ["ana", "bo", "cyd", "dan", "eve", "fay", "gus", "hal"];
    let roster: Vec<String> =
        names.iter().map(|name| format!("{{email: {name}@example.com}}")).collect();
    world.declare("", &roster[..4].join(", ")).await;
    world.until("four are invited", async || invited(&world).len() == 4).await;
    world.declare("", &roster.join(", ")).await;
    world.until("all are invited", async || invited(&world).len() >= 8).await;
    world.becomes("account/acme", "Synced").await;
    world.declare("", &roster[1..].join(", ")).await;
    let pending = async || world.read("/seats").await["breakdown"]["pending"] == 7;
    world.until("one is withdrawn", pending).await;
    world.looks_again(4).await;
    assert_eq!(invited(&world), names.map(|name| format!("{name}@example.com")));
    assert_eq!(world.state("account/acme").await, "Synced");
}

// rule: OP-02
#[tokio::test]
async fn of_two_objects_for_one_account_the_second_is_refused_and_nobody_is_mailed_twice() {
    let world = World::start("growth").await;
    world.declare("", ANA).await;
    world.becomes("account/acme", "Synced").await;
    let twin = manifests(&world.namespace, &world.base, "", ANA)
        .replace("name: acme, namespace", "name: twin, namespace")
        .replace("accountRef: {name: acme}", "accountRef: {name: twin}")
        .replace("name: core, namespace", "name: copy, namespace");
    world.apply(&twin).await;
    world.says("account/twin", "Accepted", "False/Conflict").await;
    world.looks_again(2).await;
    assert_eq!(world.state("account/acme").await, "Synced");
    assert_eq!(invited(&world), ["ana@example.com"]);
}
