//! Several operators: one acts for each Lease, and the others go on where it stops.
//!
//! The leases of these tests last six seconds: they are renewed every 0.8 s, and who cannot renew stops
//! after four.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::operator_world::{World, audited_writes, figure, manifests, probe, terminate};
use crate::service::PASSWORD;

const ANA: &str = "{email: ana@example.com, role: admin}";

const LASTS: Duration = Duration::from_secs(6);
const RETRY: Duration = Duration::from_millis(800);
/// What a busy machine adds.
const SLACK: Duration = Duration::from_millis(1500);

/// One operator process.
struct Replica {
    child: Child,
    probes: String,
}

impl Replica {
    /// One of the replicas of a test, ready.
    async fn start(world: &World) -> Self {
        Self::start_with(world, world.operator_kubeconfig(), &["--lease-name", &world.namespace])
            .await
    }

    async fn start_with(world: &World, kubeconfig: &Path, arguments: &[&str]) -> Self {
        let arguments = [arguments, &["--lease-duration", "6s"]].concat();
        let (child, probes) = world.operator_with(kubeconfig, "info", &[], &arguments).await;
        let ready = async || probe(&probes, "/readyz").await.0 == 200;
        world.until("the replica is ready", ready).await;
        Self { child, probes }
    }

    async fn leads(&self) -> bool {
        figure(&self.probes, "seatkeeper_leader").await == 1
    }

    async fn renewals(&self) -> u64 {
        figure(&self.probes, "seatkeeper_lease_renewals_total{outcome=\"ok\"}").await
    }

    async fn reconciles(&self) -> u64 {
        figure(&self.probes, "seatkeeper_reconciles_total{result=\"ok\"}").await
    }

    /// Sends a signal.
    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(sent.success());
    }
}

/// Two replicas; the first leads.
async fn pair(world: &World) -> (Replica, Replica) {
    let first = Replica::start(world).await;
    world.until("the first leads", async || first.leads().await).await;
    let second = Replica::start(world).await;
    (first, second)
}

/// Writes of operators to the Lease of a test.
fn lease_writes(world: &World) -> Vec<String> {
    let name = world.namespace.clone();
    audited_writes(|object| object["resource"] == "leases" && object["name"] == name.as_str())
}

/// Calls to the account service so far whose path has this in it. A poll of the feed is logged when it
/// ends, so that it says nothing of when it began.
fn calls(world: &World, path: &str) -> usize {
    let requests = world.requests();
    let word = |request: &Value, key: &str| request[key].as_str().unwrap_or_default().to_owned();
    let meant = requests.iter().filter(|r| word(r, "path").contains(path));
    meant.filter(|r| !word(r, "route").ends_with("/changes")).count()
}

/// The Lease of a test.
async fn lease(world: &World) -> Value {
    let said =
        world.k(&["get", "lease", "-n", "seatkeeper-system", &world.namespace, "-o", "json"]).await;
    serde_json::from_str(&said).unwrap()
}

/// What the operators of a test said so far.
fn log(world: &World) -> String {
    fs::read_to_string(world.file("operator.log")).unwrap()
}

async fn invited(world: &World, people: usize) {
    let enough = async || world.mails("invitation").len() >= people;
    world.until(&format!("{people} are invited"), enough).await;
}

// rule: OP-01
#[tokio::test]
async fn of_two_replicas_one_acts_and_in_peace_only_the_lease_is_written() {
    let world = World::new("growth").await;
    let (first, second) = pair(&world).await;
    world.declare("", ANA).await;
    invited(&world, 1).await;
    world.is_quiet().await;
    assert!(!second.leads().await);
    assert_eq!((second.reconciles().await, second.renewals().await), (0, 0));

    let (begun, before) = (Instant::now(), first.renewals().await);
    tokio::time::sleep(8 * RETRY).await;
    let (after, took) = (first.renewals().await, begun.elapsed());
    // Never more than one in its time, and one more where the time was cut. A busy machine does fewer.
    let most = u64::try_from(took.as_millis() / RETRY.as_millis()).unwrap() + 1;
    assert!((4..=most).contains(&(after - before)), "{} renewals in {took:?}", after - before);
    let written = u64::try_from(lease_writes(&world).len()).unwrap();
    assert!((after..=first.renewals().await).contains(&written), "{written} writes of the Lease");

    let spec = lease(&world).await["spec"].clone();
    assert_eq!((&spec["leaseDurationSeconds"], &spec["leaseTransitions"]), (&6.into(), &1.into()));
    assert_eq!(world.mails("invitation").len(), 1);
    assert_eq!(log(&world).matches("standby: another process acts").count(), 1);
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_acts_within_the_lease_and_two_tries() {
    let world = World::new("growth").await;
    let (mut first, second) = pair(&world).await;
    world.declare("", ANA).await;
    invited(&world, 1).await;
    let begun = Instant::now();
    first.child.kill().await.unwrap();
    world.declare("", &format!("{ANA}, {{email: bo@example.com}}")).await;
    world.until("the second leads", async || second.leads().await).await;
    let took = begun.elapsed();
    assert!(took <= LASTS + 2 * RETRY + SLACK, "{took:?}");
    assert!(took + RETRY + SLACK >= LASTS, "before the lease was over: {took:?}");
    invited(&world, 2).await;
    world.is_quiet().await;
    assert_eq!(world.mails("invitation").len(), 2);
}

#[tokio::test]
async fn a_leader_that_is_stopped_gives_the_lease_back() {
    let world = World::new("growth").await;
    let (first, second) = pair(&world).await;
    world.declare("", ANA).await;
    invited(&world, 1).await;
    assert!(terminate(first.child).await);
    let begun = Instant::now();
    world.until("the second leads", async || second.leads().await).await;
    assert!(begun.elapsed() <= RETRY + SLACK, "{:?}", begun.elapsed());
    assert!(log(&world).contains("the lease is given back"));
    world.is_quiet().await;
    // Nobody is left: the next one finds the Lease free.
    assert!(terminate(second.child).await);
    assert_eq!(lease(&world).await["spec"]["holderIdentity"], Value::Null);
    let begun = Instant::now();
    let third = Replica::start(&world).await;
    world.until("the third leads", async || third.leads().await).await;
    assert!(begun.elapsed() < LASTS, "{:?}", begun.elapsed());
    assert_eq!(world.mails("invitation").len(), 1);
}

/// The leader sleeps until another leads, and wakes up while that one sleeps: whatever happens in that
/// time, it would do.
// rule: OP-02
#[tokio::test]
async fn a_leader_that_slept_through_its_lease_begins_no_call() {
    let world = World::new("scale").await;
    let (first, second) = pair(&world).await;
    world.declare("", ANA).await;
    invited(&world, 1).await;
    world.is_quiet().await;
    first.signal("STOP").await;
    world.declare("", &format!("{ANA}, {{email: bo@example.com}}")).await;
    invited(&world, 2).await;
    world.is_quiet().await;
    second.signal("STOP").await;
    world.declare_member("cyd", "developer").await;

    let done = || (calls(&world, ""), world.audited_writes().len(), lease_writes(&world).len());
    tokio::time::sleep(RETRY).await; // What was on its way arrives.
    let before = done();
    first.signal("CONT").await;
    // The lease of the sleeper lasts as long as it takes to see that nobody renews it.
    tokio::time::sleep(LASTS - 2 * RETRY).await;
    assert_eq!(done(), before, "the first acted after its lease");
    assert!(!first.leads().await);
    assert_eq!(log(&world).matches("the lease is lost").count(), 1);

    second.signal("CONT").await;
    invited(&world, 3).await;
    world.becomes("membership/cyd", "Pending").await;
    world.is_quiet().await;
    assert_eq!(world.mails("invitation").len(), 3);
    assert!(first.leads().await != second.leads().await);
}

/// How a connection through a [`Proxy`] fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// It stays, and what is sent comes through later.
    Frozen,
    /// It ends, and there is no other.
    Cut,
}

/// Stands between an operator and the API server.
struct Proxy {
    way: watch::Sender<Way>,
    kubeconfig: PathBuf,
}

impl Proxy {
    async fn start(world: &World) -> Self {
        let text = fs::read_to_string(world.operator_kubeconfig()).unwrap();
        let server = text.lines().find_map(|line| line.trim().strip_prefix("server: https://"));
        let server = server.unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kubeconfig = world.file("proxied.kubeconfig");
        let address = listener.local_addr().unwrap().to_string();
        fs::write(&kubeconfig, text.replace(&server, &address)).unwrap();
        let way = watch::Sender::new(Way::Open);
        let ways = way.subscribe();
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(connection(from, server.clone(), ways.clone()));
            }
        });
        Self { way, kubeconfig }
    }
}

async fn connection(from: TcpStream, server: String, ways: watch::Receiver<Way>) {
    let mut cut = ways.clone();
    let (from, to) = (from.into_split(), TcpStream::connect(server).await.unwrap().into_split());
    tokio::select! {
        () = pass(from.0, to.1, ways.clone()) => {}
        () = pass(to.0, from.1, ways) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
    }
}

/// Passes on what comes, while the way is open.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut ways: watch::Receiver<Way>) {
    let mut some = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut some).await {
        let open = ways.wait_for(|way| *way == Way::Open).await.is_ok();
        if !open || to.write_all(&some[..length]).await.is_err() {
            return;
        }
    }
}

// rule: OP-01
#[tokio::test]
async fn without_the_cluster_nothing_is_done_and_afterwards_the_same_process_goes_on() {
    for way in [Way::Frozen, Way::Cut] {
        let world = World::new("growth").await;
        let proxy = Proxy::start(&world).await;
        let arguments = ["--lease-name", &world.namespace];
        let mut only = Replica::start_with(&world, &proxy.kubeconfig, &arguments).await;
        world.declare("", ANA).await;
        invited(&world, 1).await;
        world.becomes("account/acme", "Synced").await;

        proxy.way.send_replace(way);
        let begun = Instant::now();
        world.until("it stands by", async || !only.leads().await).await;
        assert!(begun.elapsed() <= LASTS * 2 / 3 + SLACK, "{way:?}: {:?}", begun.elapsed());
        let asked = calls(&world, "");
        // Longer than the lease, and than the pause between two looks.
        tokio::time::sleep(LASTS + RETRY).await;
        assert_eq!(calls(&world, ""), asked, "{way:?}");
        assert_eq!(probe(&only.probes, "/livez").await.0, 200);

        proxy.way.send_replace(Way::Open);
        world.until("it leads again", async || only.leads().await).await;
        world.declare("", &format!("{ANA}, {{email: bo@example.com}}")).await;
        invited(&world, 2).await;
        world.looks_again(2).await;
        assert_eq!(world.mails("invitation").len(), 2, "{way:?}");
        assert_eq!(log(&world).matches("the lease is lost").count(), 1, "{way:?}");
        assert!(only.child.try_wait().unwrap().is_none());
    }
}

#[tokio::test]
async fn a_leader_whose_lease_is_edited_or_deleted_goes_on() {
    let world = World::new("growth").await;
    let (first, second) = pair(&world).await;
    let name = world.namespace.as_str();
    for i in 0..8 {
        let label = format!("example.com/edited=n{i}");
        world.k(&["label", "lease", "-n", "seatkeeper-system", name, "--overwrite", &label]).await;
    }
    let conflicts = "seatkeeper_lease_renewals_total{outcome=\"conflict\"}";
    let met = async || figure(&first.probes, conflicts).await > 0;
    world.until("an edit was met", met).await;
    let so_far = first.renewals().await;
    world.until("it renews", async || first.renewals().await > so_far).await;
    assert_eq!(lease(&world).await["metadata"]["labels"]["example.com/edited"], "n7");
    world.k(&["delete", "lease", "-n", "seatkeeper-system", name]).await;
    let made = async || world.kubectl(&["get", "lease", "-n", "seatkeeper-system", name]).await.0;
    world.until("the Lease is there again", made).await;
    world.declare("", ANA).await;
    invited(&world, 1).await;
    assert!(first.leads().await && !second.leads().await);
    assert!(!log(&world).contains("the lease is lost"));
}

/// Accounts acme and beta, of the classes NAMESPACE and NAMESPACE-beta, and stray objects.
fn two_accounts(world: &World) -> String {
    let space = &world.namespace;
    let acme = manifests(space, &world.base, "", ANA);
    let class = format!("metadata: {{name: {space}}}");
    let beta = acme
        .replace(&class, &format!("metadata: {{name: {space}-beta}}"))
        .replace(&format!("className: {space}"), &format!("className: {space}-beta"))
        .replace("core", "beta-core")
        .replace("acme", "beta");
    let nobody = "---
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: stray, namespace: SPACE}
spec: {accountRef: {name: nowhere}, defaultRole: developer, roster: [{email: x@example.com}]}
"
    .replace("SPACE", space);
    format!("{acme}---\n{beta}{nobody}")
}

#[tokio::test]
async fn operators_share_the_accounts_by_class() {
    let token = format!("canary-beta-{}", uuid::Uuid::new_v4().simple());
    let others = format!(
        "  - name: Beta
    slug: beta
    profile: nitropack
    subscriptions: [growth]
    owner: {{email: olaf@example.com, name: Olaf, password: {PASSWORD}}}
    tokens: [{{token: {token}, scopes: [read, invite, change, remove, billing, manage]}}]
"
    );
    let world = World::beside("profile: nitropack\n    subscriptions: [growth]", &others).await;
    let space = world.namespace.clone();
    let secret = format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: beta-token, namespace: {space}}}, \
         stringData: {{token: {token}}}}}"
    );
    world.apply(&secret).await;
    let class = format!("{space}-beta");
    let arguments = ["--class", &class, "--class", "other"];
    let of_beta = Replica::start_with(&world, world.operator_kubeconfig(), &arguments).await;
    world.apply(&two_accounts(&world)).await;
    world.becomes("account/beta", "Synced").await;
    world.says("team/stray", "Accepted", "False/NotFound").await;
    let looked = of_beta.reconciles().await;
    let looks = async || of_beta.reconciles().await >= looked + 2;
    world.until("beta is looked at", looks).await;
    for object in ["account/acme", "team/core"] {
        let object = world.get(object).await;
        let (said, marks) = (&object["status"]["conditions"], &object["metadata"]["finalizers"]);
        assert!(said.is_null() && marks.is_null(), "{object}");
    }
    assert_eq!(calls(&world, "/accounts/acme"), 0);
    assert_eq!(world.mails("invitation").len(), 1);
    // What of acme goes is not let go by the other: nobody keeps it yet.
    let of_acme =
        Replica::start_with(&world, world.operator_kubeconfig(), &["--class", &space]).await;
    world.until("both lead", async || of_acme.leads().await && of_beta.leads().await).await;
    world.becomes("account/acme", "Synced").await;
    invited(&world, 2).await;
    world.is_quiet().await;
    world.k(&["delete", "account", "acme"]).await;
    world.gone("account/acme").await;
    world.becomes("account/beta", "Synced").await;
    assert_eq!(world.mails("invitation").len(), 2);
}
