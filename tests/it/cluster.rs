//! The real API server that tests run against, with our kinds installed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config, ResourceExt as _};
use seatkeeper::api;
use tokio::sync::OnceCell;

/// The definitions are installed once in a run of this binary.
static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// Time in which an installed definition is served.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// Path of the kubeconfig of the control plane for tests.
pub fn kubeconfig() -> PathBuf {
    let Some(path) = std::env::var_os("SEATKEEPER_TEST_KUBECONFIG") else {
        panic!(
            "SEATKEEPER_TEST_KUBECONFIG is not set: this test needs a real API server\n  \
             hint: tests/controlplane/run.sh with cargo test --test it"
        );
    };
    path.into()
}

/// A client of the control plane for tests, our kinds installed.
///
/// A client belongs to the runtime that made it, so every test has its own.
pub async fn client() -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    INSTALLED.get_or_init(|| install(client.clone())).await;
    client
}

/// Installs our kinds and waits until they are served.
async fn install(client: Client) {
    let crds: Api<CustomResourceDefinition> = Api::all(client);
    let params = PatchParams::apply("seatkeeper-tests").force();
    for (_, crd) in api::crds() {
        crds.patch(&crd.name_any(), &params, &Patch::Apply(&crd)).await.unwrap();
    }
    for (file, crd) in api::crds() {
        let name = crd.name_any();
        let served = await_condition(crds.clone(), &name, conditions::is_crd_established());
        let waited = tokio::time::timeout(SERVED_WITHIN, served).await;
        assert!(waited.is_ok(), "crds/{file} is not served after {SERVED_WITHIN:?}");
        waited.unwrap().unwrap();
    }
}

/// A new namespace, so that tests do not meet.
pub async fn namespace(client: &Client) -> String {
    let metadata = ObjectMeta { generate_name: Some("test-".to_owned()), ..Default::default() };
    let namespace = Namespace { metadata, ..Default::default() };
    let created = Api::all(client.clone()).create(&PostParams::default(), &namespace).await;
    created.unwrap().name_any()
}
