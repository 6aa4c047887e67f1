//! The story that is killed in: people come, join, change and go.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use super::killer::{Killer, Order, Point, Side, ToCluster, ToService, Victim};
use crate::operator_world::{World, manifests, membership};
use crate::service::mails_in;

/// What a story left.
pub struct Record {
    /// What the service did, and whom it mailed.
    pub effects: Vec<String>,
    /// Calls of the operator.
    pub calls: BTreeMap<Side, usize>,
    /// The point was reached.
    pub killed: bool,
}

/// Plays the story; somebody is killed at the point.
pub async fn play(point: Option<Point>) -> Record {
    let mut world = World::new("scale").await;
    let (killer, mut orders) = Killer::new(point);
    let (through, serving) = killer.serve(Side::Service, ToService(world.base.clone())).await;
    let (cluster, watching) = killer.serve(Side::Cluster, ToCluster(client(&world).await)).await;
    operator_goes_through(&mut world, &cluster);
    world.start_operator("info").await;
    let mut processes = world.processes();
    let victim = point.map(|point| point.victim);
    tokio::select! {
        () = tell(&world, &killer, &through) => {}
        () = async {
            while let Some(order) = orders.recv().await {
                restart(&world, &killer, victim, &mut processes, order).await;
            }
        } => {}
    }
    let effects = effects(&world).await;
    serving.abort();
    watching.abort();
    Record { effects, calls: killer.calls(), killed: killer.has_killed() }
}

/// Kills who is to be killed, and starts it again as Kubernetes would.
async fn restart(
    world: &World,
    killer: &Arc<Killer>,
    victim: Option<Victim>,
    processes: &mut (tokio::process::Child, tokio::process::Child),
    order: Order,
) {
    let _nobody_acts = killer.alive.write().await;
    let (operator, service) = processes;
    match victim {
        Some(Victim::Operator) => {
            operator.kill().await.unwrap();
            *operator = world.operator_process("info", &[]).await.0;
        }
        Some(Victim::Service) => {
            service.kill().await.unwrap();
            let listen = world.base.trim_start_matches("http://");
            *service = world.service_process(listen, &[]).await.0;
        }
        None => {}
    }
    let _ = order.send(());
}

/// A client of the cluster as the operator's user.
async fn client(world: &World) -> Client {
    let kubeconfig = Kubeconfig::read_from(world.operator_kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Lets the operator reach its cluster at this address.
fn operator_goes_through(world: &mut World, address: &str) {
    let mut kubeconfig = Kubeconfig::read_from(world.operator_kubeconfig()).unwrap();
    for cluster in &mut kubeconfig.clusters {
        cluster.cluster.as_mut().unwrap().server = Some(address.to_owned());
    }
    let path = world.file("through.kubeconfig");
    fs::write(&path, serde_yaml::to_string(&kubeconfig).unwrap()).unwrap();
    world.operator_takes(path);
}

const ANA: &str = "{email: ana@example.com, role: admin}";
const BO: &str = "{email: bo@example.com}";
const BO_RAISED: &str = "{email: bo@example.com, role: admin}";
const DAN: &str = "{email: dan@example.com}";

/// The story. What people do waits until everything is up.
async fn tell(world: &World, killer: &Killer, through: &str) {
    let declare = async |roster: &[&str]| {
        let text = manifests(&world.namespace, through, "", &roster.join(", "));
        world.apply(&text.replace("settle: 2s", "maxCount: 50, settle: 1s")).await;
    };
    let pending = async |people: u64| {
        let said = format!("{people} wait");
        let counts = async || world.get("team/core").await["status"]["counts"]["pending"].as_u64();
        world.until(&said, async || counts().await.unwrap_or_default() == people).await;
    };
    declare(&[ANA, BO]).await;
    world.apply(&membership(&world.namespace, "cyd", "biller", "")).await;
    world.becomes("membership/cyd", "Pending").await;
    pending(2).await;
    {
        let _everything_is_up = killer.alive.read().await;
        world.join("ana").await;
    }
    pending(1).await;

    declare(&[ANA, BO_RAISED, DAN]).await;
    pending(2).await;
    world.k(&["delete", "membership/cyd", "--wait=false"]).await;
    world.gone("membership/cyd").await;
    {
        let _everything_is_up = killer.alive.read().await;
        world.join("bo").await;
    }
    pending(1).await;

    declare(&[BO_RAISED, DAN]).await;
    let active = async || world.get("team/core").await["status"]["counts"]["active"].as_u64();
    world.until("ana is gone", async || active().await == Some(1)).await;
    world.becomes("account/acme", "Synced").await;
    world.k(&["delete", "team/core", "--wait=false"]).await;
    world.gone("team/core").await;
    let _everything_is_up = killer.alive.read().await;
    world.looks_again(2).await;
}

/// What the service did, in any order, and each mail.
async fn effects(world: &World) -> Vec<String> {
    let log = world.read("/audit-events?page_size=1000").await;
    let email = |row: &Value, key: &str| row[key]["email"].as_str().map(str::to_owned);
    let rows = log["items"].as_array().unwrap().iter().map(|row| {
        let whom = email(row, "after").or_else(|| email(row, "before")).unwrap_or_default();
        format!("{} {whom}", row["action"].as_str().unwrap())
    });
    let mut effects: Vec<String> = rows.collect();
    let mails = mails_in(&world.file("data").join("spool"));
    effects.extend(mails.iter().map(|mail| format!("mail {} {}", mail.template, mail.to)));
    effects.sort();
    effects
}
