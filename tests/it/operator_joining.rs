//! Joining by domain through the operator: the real API server, the real account service, and a DNS
//! on loopback.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::UdpSocket;

use crate::operator_world::{World, manifests};
use crate::service::{Browser, PASSWORD, text};

/// Texts of TXT records by name, with the dot at the end.
type Zone = Arc<Mutex<BTreeMap<String, String>>>;

/// A DNS server that answers from `zone`.
async fn serve(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 1500];
        loop {
            let (size, peer) = socket.recv_from(&mut bytes).await.unwrap();
            let asked = Message::from_vec(&bytes[..size]).unwrap();
            let query = asked.queries[0].clone();
            let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
            answer.add_query(query.clone());
            let found = zone.lock().unwrap().get(&query.name().to_utf8()).cloned();
            match found {
                Some(text) => {
                    let data = RData::TXT(TXT::new(vec![text]));
                    answer.add_answer(Record::from_rdata(query.name().clone(), 300, data));
                }
                None => answer.metadata.response_code = ResponseCode::NXDomain,
            }
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    address
}

/// Class and account, with `rest` under the Account's spec.
fn account(world: &World, rest: &str) -> String {
    let all = manifests(&world.namespace, &world.base, rest, "");
    all.replace("nitropack", "portal").replace("developer", "member")
}

/// Signs up on the pages, through the mailed link.
async fn sign_up(world: &World, email: &str) {
    let mut browser = Browser::new(&world.base);
    let page = browser.open("/signup").await;
    browser.submit(&page, "/signup", &[("email", email)]).await;
    let link = || {
        let mails = world.mails("confirm-address");
        mails.iter().rev().find(|mail| mail.to == email).and_then(|mail| mail.link.clone())
    };
    world.until("the mail is there", async || link().is_some()).await;
    let page = browser.open(&link().unwrap()).await;
    let action = page.path.clone();
    let page = browser.submit(&page, &action, &[("name", "New"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
}

/// The first domain in the Account's status.
async fn domain(world: &World) -> Value {
    world.get("account/acme").await["status"]["domains"][0].clone()
}

// rule: PO-11
// rule: X6
// rule: OP-01
#[tokio::test]
async fn a_domain_is_proved_by_the_record_in_the_status_and_who_asks_to_join_is_let_in_if_declared()
{
    let mut world = World::of("profile: portal\n    subscriptions: [team]").await;
    let zone = Zone::default();
    let dns = serve(Arc::clone(&zone)).await.to_string();
    let address = world.stop_service().await;
    world.start_service_with(&address, &["--dns-server", &dns]).await;
    world.start_operator("info").await;
    world.apply(&account(&world, ", autoJoin: {domains: [Acme.example]}")).await;

    world.until("the record is shown", async || domain(&world).await["state"] == "Pending").await;
    let shown = domain(&world).await;
    assert_eq!(shown["name"], "acme.example");
    world.says("account/acme", "Ready", "True/Synced").await;
    let name = format!("{}.", text(&shown["txtRecord"]["name"]));
    zone.lock().unwrap().insert(name, text(&shown["txtRecord"]["value"]));
    world.until("it is verified", async || domain(&world).await["state"] == "Verified").await;

    sign_up(&world, "ana@acme.example").await;
    assert_eq!(world.people().await, "ana:member:active");
    world.is_quiet().await;

    world.cancel("team").await;
    sign_up(&world, "bo@acme.example").await;
    let asking = async |object: &str| {
        let status = world.get(object).await["status"].clone();
        let of_team = status["counts"]["joinRequests"].as_i64();
        status["joinRequests"].as_i64().or(of_team).unwrap_or_default()
    };
    world.until("the account says so", async || asking("account/acme").await == 1).await;
    world.until("the team says so", async || asking("team/core").await == 1).await;
    let membership = format!(
        "---\napiVersion: seatkeeper.dev/v1alpha1\nkind: Membership\nmetadata: {{name: bo, \
         namespace: {}}}\nspec: {{teamRef: {{name: core}}, email: bo@acme.example, role: member}}\n",
        world.namespace
    );
    world.apply(&membership).await;
    world.becomes("membership/bo", "Queued").await;
    world.subscribe("team").await;
    world.becomes("membership/bo", "Active").await;
    assert_eq!(world.people().await, "ana:member:active bo:member:active");
    assert_eq!(world.mails("invitation").len(), 0, "nobody was invited");
    world.until("nobody asks", async || asking("account/acme").await == 0).await;
    world.is_quiet().await;

    world.apply(&account(&world, "")).await;
    world
        .until("the domain is taken away", async || {
            world.read("/domains").await["items"].as_array().is_some_and(Vec::is_empty)
        })
        .await;
    world.until("nothing is said of it", async || domain(&world).await == Value::Null).await;
    assert_eq!(world.people().await, "ana:member:active bo:member:active");
    world.is_quiet().await;
}
