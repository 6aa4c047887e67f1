//! The whole operator but its watches, on the paused clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::api::{Account, AccountClass, Team};
use crate::backend::transport::Transport;
use crate::controller::cache::{Cache, Name};
use crate::controller::context::{Context, Work};
use crate::controller::feed::tests::cluster::Cluster;
use crate::controller::feed::tests::service::Service;
use crate::controller::metrics::Metrics;
use crate::controller::object::Guarded;
use crate::controller::work::work;
use crate::telemetry::Registry;

const HOUR: Duration = Duration::from_secs(3600);

/// Declares an object: the watch has shown it.
fn declare<K>(cluster: &Cluster, cache: &Cache<K>, path: &str, mut object: Value)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned,
{
    object["apiVersion"] = K::api_version(&()).into_owned().into();
    object["kind"] = K::kind(&()).into_owned().into();
    let metadata = &mut object["metadata"];
    metadata["uid"] = path.into();
    metadata["generation"] = 1.into();
    metadata["resourceVersion"] = "1".into();
    metadata["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    cluster.put(path, &object);
    cache.apply(Guarded::Readable(Arc::new(serde_json::from_value(object).unwrap())));
}

/// An account of 10 000 people, of whom one is declared.
fn context(cluster: &Arc<Cluster>, service: &Arc<Service>, stop: &CancellationToken) -> Context {
    let (clients, recorder) = cluster.clients();
    let metrics = Metrics::new(&Registry::default());
    let (began, start): (Instant, Timestamp) =
        (Instant::now(), "2026-06-01T00:00:00Z".parse().unwrap());
    let now = Arc::new(move || start.checked_add(began.elapsed()).unwrap());
    let uid = "uid".to_owned();
    let mut ctx = Context::new(clients, recorder, metrics, now, uid, stop.clone());
    let service = Arc::clone(service);
    ctx.connect = Box::new(move |_| Ok(Arc::clone(&service) as Arc<dyn Transport>));

    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "acme-token", "namespace": "web"}, "data": {"token": "dG9rZW4="},
    }))
    .unwrap();
    cluster
        .put("/api/v1/namespaces/web/secrets/acme-token", &serde_json::to_value(secret).unwrap());
    let group = "/apis/seatkeeper.dev/v1alpha1";
    declare::<AccountClass>(
        cluster,
        &ctx.caches.classes,
        &format!("{group}/accountclasses/nitropack"),
        json!({
            "metadata": {"name": "nitropack"},
            "spec": {"profile": "nitropack", "backend": {"accountApi": {"url": "https://x.example"}}},
        }),
    );
    declare::<Account>(
        cluster,
        &ctx.caches.accounts,
        &format!("{group}/namespaces/web/accounts/acme"),
        json!({
            "metadata": {"name": "acme", "namespace": "web"},
            "spec": {
                "className": "nitropack", "accountId": "acme", "mode": "Manage",
                "credentialsSecretRef": {"name": "acme-token", "key": "token"},
            },
        }),
    );
    declare::<Team>(
        cluster,
        &ctx.caches.teams,
        &format!("{group}/namespaces/web/teams/core"),
        json!({
            "metadata": {"name": "core", "namespace": "web"},
            "spec": {
                "accountRef": {"name": "acme"}, "defaultRole": "developer",
                "roster": [{"email": "p0@example.com"}],
            },
        }),
    );
    ctx
}

// rule: OP-01
#[tokio::test(start_paused = true)]
async fn an_hour_without_change_costs_144_polls_and_12_reads_a_look_and_no_write_anywhere() {
    let (cluster, service) = (Arc::<Cluster>::default(), Service::new(7, 10_000, vec![]));
    let stop = CancellationToken::new();
    let ctx = Arc::new(context(&cluster, &service, &stop));
    let acme = Name::new("web", "acme");
    ctx.queue.change(&Work::Account(acme.clone()));
    let working = tokio::spawn(work(Arc::clone(&ctx), 4, stop.clone(), CancellationToken::new()));

    sleep(HOUR).await;
    let account = ctx.caches.accounts.get(&acme).unwrap();
    let status = account.readable().unwrap().status.clone().unwrap();
    let said: Vec<_> =
        status.conditions.iter().map(|c| format!("{}={}", c.type_, c.reason)).collect();
    assert!(said.contains(&"Ready=Synced".to_owned()), "{said:?}");
    let (polls, reads, writes) = (service.polls(), service.others(), cluster.writes());
    assert!(!writes.is_empty(), "the first look was written down");

    sleep(HOUR).await;
    assert_eq!(service.polls().len() - polls.len(), 144);
    let reads = service.others().split_off(reads.len());
    let looks = reads.iter().filter(|line| *line == "GET /v1/accounts/acme").count();
    assert!((5..=6).contains(&looks), "{looks}");
    assert_eq!(reads.len(), 12 * looks, "{reads:?}");
    assert!(reads.iter().all(|line| line.starts_with("GET ")), "{reads:?}");
    assert_eq!(cluster.writes()[writes.len()..], [] as [String; 0]);

    stop.cancel();
    working.await.unwrap();
}
