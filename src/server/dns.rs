//! TXT records, which prove domains.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record};
use hickory_resolver::{TokioResolver, system_conf};
use thiserror::Error;

/// How long one server has to answer, and how often each is asked.
const PATIENCE: (Duration, usize) = (Duration::from_secs(3), 2);

/// How long a lookup may take in all.
const LOOKUP_WITHIN: Duration = Duration::from_secs(10);

/// Why nothing is known of a name. A name without records is no error.
#[derive(Debug, Error)]
pub enum DnsError {
    /// No server answered in a way that says anything.
    #[error("the lookup failed")]
    Lookup(#[from] NetError),
    /// No server answered in time.
    #[error("the lookup took too long")]
    Late,
}

/// Looks up records.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The texts of the TXT records of a name; none if it has none.
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError>;
}

/// The DNS. Every lookup asks anew: whoever has just published a record is not told what was there
/// before.
#[derive(Clone, Copy, Debug)]
pub struct Dns {
    server: Option<SocketAddr>,
}

impl Dns {
    /// Through the servers of the system.
    #[must_use]
    pub const fn of_the_system() -> Self {
        Self { server: None }
    }

    /// Through one server.
    #[must_use]
    pub const fn at(server: SocketAddr) -> Self {
        Self { server: Some(server) }
    }

    fn resolver(self) -> Result<TokioResolver, NetError> {
        let (config, mut options) = match self.server {
            Some(server) => (only(server), ResolverOpts::default()),
            None => system_conf::read_system_conf()?,
        };
        (options.timeout, options.attempts) = PATIENCE;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let provider = TokioRuntimeProvider::default();
        TokioResolver::builder_with_config(config, provider).with_options(options).build()
    }
}

fn only(server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let connections = connections.map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    ResolverConfig::from_parts(None, vec![], vec![server])
}

#[async_trait]
impl Resolver for Dns {
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let resolver = self.resolver()?;
        // The dot at the end keeps the search list of the system out.
        let lookup = resolver.txt_lookup(format!("{name}."));
        match tokio::time::timeout(LOOKUP_WITHIN, lookup).await.map_err(|_| DnsError::Late)? {
            Ok(found) => Ok(found.answers().iter().filter_map(text).collect()),
            Err(error) if error.is_no_records_found() => Ok(vec![]),
            Err(error) => Err(error.into()),
        }
    }
}

/// The text of a record; a long one comes in pieces. Source: RFC 1035, 3.3.14.
fn text(record: &Record) -> Option<String> {
    match &record.data {
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    }
}
