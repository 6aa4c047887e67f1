//! Two clients of the cluster: reads may be repeated, writes never; a deadline round every call.

use std::future::Future;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::core::Status;
use kube::{Client, Config};
use tower::util::MapFutureLayer;

use crate::controller::error::ClusterError;
use crate::controller::lease::Fence;

/// Time for one call to the cluster.
const DEADLINE: Duration = Duration::from_secs(30);

/// The two clients.
#[derive(Clone)]
pub struct Clients {
    /// For watches and reads; repeats a read that the server was too busy for.
    pub reader: Client,
    /// For writes; what was sent once is never sent again below us, and nothing once the `fence` has
    /// fallen.
    pub writer: Client,
}

impl Clients {
    /// Makes both from one configuration.
    ///
    /// # Errors
    ///
    /// The configuration cannot work, for example a certificate that cannot be read.
    pub fn new(config: &Config, fence: &Fence) -> Result<Self, kube::Error> {
        let mut reader = config.clone();
        reader.read_timeout = None;
        reader.default_retry = true;
        let fence = fence.clone();
        let behind_fence = MapFutureLayer::new(move |call| {
            let fence = fence.clone();
            async move { fence.guard(call).await }
        });
        let writer = ClientBuilder::try_from(writing(config))?.with_layer(&behind_fence).build();
        Ok(Self { reader: Client::try_from(reader)?, writer })
    }
}

/// The client for the Lease: it writes as the other does, but does not stand behind the fence that it
/// raises.
///
/// # Errors
///
/// The configuration cannot work.
pub fn for_lease(config: &Config) -> Result<Client, kube::Error> {
    Client::try_from(writing(config))
}

fn writing(config: &Config) -> Config {
    let mut config = config.clone();
    config.read_timeout = Some(DEADLINE);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    config
}

/// Waits for one call to the cluster, but not for ever.
///
/// # Errors
///
/// [`ClusterError`]: the call failed, or took longer than the deadline.
pub async fn call<T>(
    what: &'static str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(ClusterError::Failed { what, source: Box::new(source) }),
        Err(_) => Err(ClusterError::Slow { what }),
    }
}

/// What the API server said, if the error came from there.
pub fn api_status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}
