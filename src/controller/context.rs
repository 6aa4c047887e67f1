//! What every reconcile shares.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::events::Recorder;
use tokio_util::sync::CancellationToken;

use crate::api::{
    Account, AccountApi, AccountClass, ClientAccess, Membership, NotificationSubscription, Team,
};
use crate::backend::pace::{RequestBudget, Share};
use crate::backend::transport::{SetupError, Transport};
use crate::controller::cache::{Cache, Name};
use crate::controller::clients::Clients;
use crate::controller::feed::Places;
use crate::controller::metrics::Metrics;
use crate::controller::queue::Queue;
use crate::controller::session::{self, Session};
use crate::domain::desired::Origin;
use crate::domain::identity::MemberKey;
use crate::domain::ledger_view::FirstWanted;
use crate::manifests::ConfigMaps;

/// Name under which we own fields of objects.
pub const MANAGER: &str = "seatkeeper";

/// The clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How the service that a class names is reached: each time by connections of its own.
pub type Connect = Box<dyn Fn(&AccountApi) -> Result<Arc<dyn Transport>, SetupError> + Send + Sync>;

/// What can be reconciled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// An account with everything that names it.
    Account(Name),
    /// What belongs to no account in a namespace, or cannot be read.
    Strays(String),
}

/// What every reconcile shares.
pub struct Context {
    /// The cluster.
    pub clients: Clients,
    /// Writes events; one for all, because it is what joins equal ones.
    pub recorder: Recorder,
    /// What the watches told us.
    pub caches: Caches,
    /// Who is next.
    pub queue: Arc<Queue<Work>>,
    /// Places for polls of feeds.
    pub places: Arc<Places>,
    /// Ends what waits.
    pub stop: CancellationToken,
    /// How account services are reached.
    pub connect: Connect,
    /// Figures.
    pub metrics: Metrics,
    /// The clock.
    pub now: Clock,
    /// Where we run: UID of the cluster's `kube-system` namespace.
    pub fingerprint: String,
    /// The namespace that we run in.
    pub home: String,
    /// The only namespace that is looked at; `None`: all of them.
    pub only: Option<String>,
    /// The classes whose accounts are kept here; none: all of them.
    pub classes: BTreeSet<String>,
    /// What is remembered of each account between reconciles.
    memories: Mutex<BTreeMap<Name, Memory>>,
    /// Request budgets, by class.
    budgets: Mutex<BTreeMap<String, Arc<RequestBudget>>>,
}

/// One cache a kind.
#[derive(Clone, Default)]
pub struct Caches {
    /// Namespaces.
    pub namespaces: Arc<Cache<Namespace>>,
    /// Classes.
    pub classes: Arc<Cache<AccountClass>>,
    /// Accounts.
    pub accounts: Arc<Cache<Account>>,
    /// Teams.
    pub teams: Arc<Cache<Team>>,
    /// Memberships.
    pub memberships: Arc<Cache<Membership>>,
    /// Clients of agencies.
    pub client_accesses: Arc<Cache<ClientAccess>>,
    /// Recipients of mail.
    pub subscriptions: Arc<Cache<NotificationSubscription>>,
}

/// The declaration that counts for each person.
pub type Winners = BTreeMap<MemberKey, Origin>;

/// What is remembered of an account between two reconciles. All of it may be lost: then the next
/// reconcile asks or waits anew.
#[derive(Default)]
pub struct Memory {
    /// The client of its account service.
    pub session: Option<Session>,
    /// When each end was first wanted.
    pub first_wanted: FirstWanted,
    /// The declaration that counts for each person.
    pub winners: Winners,
    /// The ConfigMap of the class's profile, as it was read last.
    pub profile: ConfigMaps,
    /// Parts of the ledger that carry our finalizer.
    pub guarded: BTreeSet<String>,
    /// Since when the account is out of reach for what is deleted.
    pub wall_since: Option<Timestamp>,
}

impl Context {
    /// A context without memories.
    pub fn new(
        clients: Clients,
        recorder: Recorder,
        metrics: Metrics,
        now: Clock,
        fingerprint: String,
        stop: CancellationToken,
    ) -> Self {
        Self {
            clients,
            recorder,
            caches: Caches::default(),
            queue: Arc::default(),
            places: Arc::default(),
            connect: Box::new(session::connect),
            stop,
            metrics,
            now,
            fingerprint,
            home: "default".to_owned(),
            only: None,
            classes: BTreeSet::new(),
            memories: Mutex::default(),
            budgets: Mutex::default(),
        }
    }

    /// Whether an account is kept here, by its class. Those of other classes are another instance's.
    pub fn keeps(&self, account: &Account) -> bool {
        self.classes.is_empty() || self.classes.contains(&account.spec.class_name)
    }

    /// Forgets what is remembered of all accounts, and follows none of them.
    pub fn forget(&self) {
        let forgotten = std::mem::take(&mut *self.memories());
        drop(forgotten);
        self.metrics.forget();
    }

    /// Takes the memory of an account for one reconcile. If that is cut, the memory is lost.
    pub fn take_memory(&self, account: &Name) -> Memory {
        self.memories().remove(account).unwrap_or_default()
    }

    /// Puts the memory of an account back.
    pub fn keep_memory(&self, account: &Name, memory: Memory) {
        self.memories().insert(account.clone(), memory);
    }

    /// One account's share in the request budget of a class.
    pub fn share(&self, class: &str, per_second: NonZeroU32) -> Share {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budget =
            budgets.entry(class.to_owned()).or_insert_with(|| RequestBudget::new(per_second));
        if budget.per_second() != per_second {
            *budget = RequestBudget::new(per_second);
        }
        budget.share()
    }

    fn memories(&self) -> MutexGuard<'_, BTreeMap<Name, Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
