//! The clients of the cluster: reads may be repeated, writes never; a deadline round every call.

use std::future::Future;
use std::time::Duration;

use kube::core::Status;
use kube::{Client, Config};
use tower::service_fn;

use crate::controller::error::ClusterError;
use crate::controller::lease::Fence;

/// Time for one call to the cluster.
const DEADLINE: Duration = Duration::from_secs(30);

/// The clients.
#[derive(Clone)]
pub struct Clients {
    /// For watches and reads; repeats a read that the server was too busy for.
    pub reader: Client,
    /// For writes; what was sent once is never sent again below us.
    pub writer: Client,
    /// For the Lease: it writes as the other does, but does not stand behind the fence that it raises.
    pub lease: Client,
}

impl Clients {
    /// Makes all from one configuration.
    ///
    /// # Errors
    ///
    /// The configuration cannot work, for example a certificate that cannot be read.
    pub fn new(config: &Config) -> Result<Self, kube::Error> {
        let (mut reader, mut writer) = (config.clone(), config.clone());
        reader.read_timeout = None;
        reader.default_retry = true;
        writer.read_timeout = Some(DEADLINE);
        writer.reset_reader_on_write = true;
        writer.default_retry = false;
        let lease = Client::try_from(writer.clone())?;
        Ok(Self { reader: Client::try_from(reader)?, writer: Client::try_from(writer)?, lease })
    }

    /// The same, but nothing is written any more once the fence has fallen.
    pub(super) fn behind(self, fence: &Fence) -> Self {
        let (writer, fence) = (self.writer.clone(), fence.clone());
        let guarded = service_fn(move |request| {
            let (writer, fence) = (writer.clone(), fence.clone());
            async move { fence.guard(writer.send(request)).await }
        });
        let home = self.writer.default_namespace().to_owned();
        Self { writer: Client::new(guarded, home), ..self }
    }
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
