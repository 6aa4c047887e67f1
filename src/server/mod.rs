//! The embedded account service: an honest second party that keeps every rule of the profiles.
//!
//! It shares the words of the problem, the profiles and the API types with the operator, and
//! nothing else. It reads no clock and no environment: [`Settings`] carry everything.

mod admin;
mod auth;
mod backup;
mod change;
mod client_views;
mod dns;
mod error;
mod feed;
#[cfg(feature = "bench-floor")]
mod floor;
mod ids;
mod limits;
mod link;
mod listen;
mod mail;
mod metrics;
mod openapi;
mod pages;
mod password;
mod peer;
mod permission;
mod request_log;
mod routes;
mod run;
mod seed;
mod store;
mod views;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::profile::Profile;
use crate::server::error::ApiError;
use crate::server::feed::Feed;
use crate::server::link::SecretKey;
use crate::server::mail::{Composer, Mailer};
use crate::server::request_log::RequestLog;
use crate::server::store::Store;

pub use admin::{Admin, Issued, Recovery, TokenOf};
pub use backup::{Restored, after_restore, backup, restore};
pub use dns::{Dns, DnsError, Resolver};
pub use error::ServerError;
#[cfg(feature = "bench-floor")]
pub use floor::Floor;
pub use limits::Limits;
pub use listen::TlsFiles;
pub use mail::{MailSettings, MailSettingsError, SmtpLogin, SmtpSecurity, SmtpSettings};
pub use openapi::openapi;
pub use run::{Running, Still, start, still};
pub use store::Database;

/// Reads the clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything that the service needs from outside.
#[derive(Clone)]
pub struct Settings {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate and key; `None`: http without TLS.
    pub tls: Option<TlsFiles>,
    /// Most open connections; one network has at most a quarter of them.
    pub max_connections: NonZeroU32,
    /// Networks of our own proxies: what they say of whom they speak for is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How much one caller may ask for.
    pub limits: Limits,
    /// Where the data is kept.
    pub database: Database,
    /// Address under which people reach the service: every link begins with it. `None`: the
    /// address that it listens on.
    pub public_url: Option<Url>,
    /// File of the key under which links are made; made if missing, for the owner only.
    pub secret_key_file: PathBuf,
    /// Where mails go.
    pub mail: MailSettings,
    /// Profiles by name.
    pub profiles: BTreeMap<String, Arc<Profile>>,
    /// Accounts, people and tokens to begin with.
    pub seed: Option<Seed>,
    /// File that gets one JSON line for every request.
    pub request_log: Option<PathBuf>,
    /// Who confirms paid plans.
    pub confirm_plans: ConfirmPlans,
    /// Looks up the records that prove domains.
    pub dns: Arc<dyn Resolver>,
    /// How many invitations may be mailed.
    pub invite_limits: InviteLimits,
    /// How long entries of the audit log are kept; none: for ever.
    pub audit_retention: Option<SignedDuration>,
    /// The clock.
    pub now: Clock,
}

/// How many invitations may be mailed, first ones and resent ones together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteLimits {
    /// By one account in an hour.
    pub per_account_hour: NonZeroU32,
    /// To one address in a day, whoever sends them.
    pub per_address_day: NonZeroU32,
}

/// The text of a seed file.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The file, as it was named; `tokenFile` is looked up beside it.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
}

/// Who confirms a paid plan that an account picks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfirmPlans {
    /// The vendor: what an account picks waits for it.
    #[default]
    Vendor,
    /// Nobody has to.
    Auto,
}

/// The service: shared by its routes, pages and background work.
pub struct Service {
    store: Store,
    profiles: BTreeMap<String, Arc<Profile>>,
    key: SecretKey,
    public_url: String,
    composer: Composer,
    pages: pages::Pages,
    mailer: Mailer,
    ids: ids::Ids,
    passwords: password::Passwords,
    confirm_plans: ConfirmPlans,
    dns: Arc<dyn Resolver>,
    request_log: Option<RequestLog>,
    metrics: metrics::Metrics,
    invite_limits: InviteLimits,
    audit_retention: Option<SignedDuration>,
    mail_queued: Notify,
    limiter: limits::Limiter,
    trusted_proxies: Vec<IpNet>,
    feed: Feed,
    /// Cancelled at the stop: what waits for something to happen ends then.
    stopping: CancellationToken,
    now: Clock,
}

/// The service as its parts hold it.
pub(crate) type SharedService = Arc<Service>;

impl Service {
    /// Now, in the precision of the store.
    fn now(&self) -> Timestamp {
        let now = (self.now)();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn profile(&self, name: &str) -> Result<Arc<Profile>, ApiError> {
        self.profiles.get(name).cloned().ok_or(ApiError::Corrupt("accounts.profile"))
    }

    /// A link that people can follow; only ever under the public address.
    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}
