//! Takes, renews and gives back the Lease.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::controller::clients::call;
use crate::controller::context::Clock;
use crate::controller::error::ClusterError;
use crate::controller::lease::Terms;
use crate::controller::lease::decide::{self, Decision, Seen, decide};
use crate::controller::lease::fence::Fence;
use crate::controller::lease::figures::Figures;

/// Takes part in the election, for one process.
pub struct Elector {
    api: Api<Lease>,
    terms: Terms,
    fence: Fence,
    figures: Figures,
    now: Clock,
    /// The Lease as we wrote it last, if nothing has gone wrong since.
    held: Option<Lease>,
    /// What the Lease said last.
    seen: Option<Seen>,
    /// Our name may stand in the Lease.
    wrote: bool,
    /// What the log said last.
    told: Option<News>,
}

/// What one try said.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// The lease is ours.
    Held,
    /// Another has it; it may be free after this time.
    Other(Duration),
    /// The cluster did not say.
    Unsure,
}

/// What the log says once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum News {
    Leading,
    Standby(String),
    Failing(Option<u16>),
}

impl Elector {
    /// One that holds nothing yet. `client` must not repeat writes, nor stand behind the fence.
    pub fn new(client: Client, terms: Terms, fence: Fence, figures: Figures, now: Clock) -> Self {
        let api = Api::namespaced(client, &terms.namespace);
        let (held, seen, wrote, told) = (None, None, false, None);
        Self { api, terms, fence, figures, now, held, seen, wrote, told }
    }

    /// Waits until the lease is ours; false: stopped before.
    pub async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        loop {
            if stop.is_cancelled() {
                return false;
            }
            let pause = self.terms.retry();
            // A try is not cut: what it wrote would hold up the others.
            let wait = match self.attempt().await {
                Standing::Held => break,
                Standing::Other(rest) => rest.min(pause),
                Standing::Unsure => pause,
            };
            tokio::select! {
                () = stop.cancelled() => return false,
                () = sleep(wait) => {}
            }
        }
        self.figures.leads(true);
        true
    }

    /// Renews the lease until it is lost. The fence has fallen then.
    pub async fn hold(&mut self) {
        let fence = self.fence.clone();
        let mut last = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = fence.fallen() => break,
                () = sleep_until(last + self.terms.retry()) => {}
            }
            last = Instant::now();
            let standing = tokio::select! {
                biased;
                () = fence.fallen() => break,
                standing = self.attempt() => standing,
            };
            if matches!(standing, Standing::Other(_)) {
                break;
            }
        }
        fence.fall();
        self.held = None; // Another may have written it since.
        self.figures.leads(false);
        tracing::warn!(lease = %self.terms, "the lease is lost: nothing is done from here on");
        self.told = None;
    }

    /// Gives the lease back, so that the next need not wait for its end.
    pub async fn release(self) {
        self.fence.fall();
        self.figures.leads(false);
        if !self.wrote {
            return;
        }
        // Once more if somebody edited it in between.
        for _ in 0..2 {
            match self.give_back().await {
                Ok(()) => return tracing::info!(lease = %self.terms, "the lease is given back"),
                Err(error) if error.code() == Some(409) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "the lease could not be given back: it runs out");
                    return;
                }
            }
        }
    }

    async fn give_back(&self) -> Result<(), ClusterError> {
        let Some(mut lease) = self.read().await? else { return Ok(()) };
        let spec = lease.spec.unwrap_or_default();
        if decide::holder(&spec) != Some(&*self.terms.holder) {
            return Ok(());
        }
        lease.spec = Some(decide::released(&spec, (self.now)()));
        self.replace(&lease).await?;
        Ok(())
    }

    /// Tries once to have the lease, or to go on having it.
    async fn attempt(&mut self) -> Standing {
        match self.renew_or_take().await {
            Ok(Decision::Take) => {
                self.tell(News::Leading);
                Standing::Held
            }
            Ok(Decision::Wait { holder, rest }) => {
                self.tell(News::Standby(holder));
                Standing::Other(rest)
            }
            // Who wrote it is seen with the next try.
            Err(error) if error.code() == Some(409) => Standing::Unsure,
            Err(error) => {
                self.fail(&error);
                Standing::Unsure
            }
        }
    }

    async fn renew_or_take(&mut self) -> Result<Decision, ClusterError> {
        if let Some(held) = self.held.take() {
            match self.write(Some(held)).await {
                // Somebody edited or deleted it: it is read.
                Err(error) if matches!(error.code(), Some(404 | 409)) => {}
                renewed => return renewed.map(|()| Decision::Take),
            }
        }
        let found = self.read().await?;
        let now = Instant::now();
        if let Some(lease) = &found {
            let spec = lease.spec.clone().unwrap_or_default();
            self.seen = Some(Seen::now(self.seen.take(), &spec, now));
        }
        let decision = decide(self.seen.as_ref(), &self.terms.holder, self.terms.lasts, now);
        if decision == Decision::Take {
            self.write(found).await?;
        }
        Ok(decision)
    }

    /// Writes our name into the Lease that was read, at its version, or into a new one.
    async fn write(&mut self, found: Option<Lease>) -> Result<(), ClusterError> {
        let Terms { name, holder, lasts, .. } = &self.terms;
        let exists = found.is_some();
        let named = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let mut lease = found.unwrap_or(Lease { metadata: named, spec: None });
        let old = lease.spec.take().unwrap_or_default();
        lease.spec = Some(decide::held(&old, holder, *lasts, (self.now)()));
        let (sent, end) = (Instant::now(), self.terms.fence());
        self.wrote = true;
        let written = if exists { self.replace(&lease).await } else { self.create(&lease).await };
        self.figures.wrote(match &written {
            Ok(_) => "ok",
            Err(error) if error.code() == Some(409) => "conflict",
            Err(_) => "failed",
        });
        let written = written?;
        self.seen = written.spec.as_ref().map(|spec| Seen::now(None, spec, Instant::now()));
        self.held = Some(written);
        self.fence.raise(sent + end);
        Ok(())
    }

    async fn read(&self) -> Result<Option<Lease>, ClusterError> {
        let what = "read the Lease";
        self.within(what, call(what, self.api.get_opt(&self.terms.name))).await
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, ClusterError> {
        let (what, params) = ("make the Lease", PostParams::default());
        self.within(what, call(what, self.api.create(&params, lease))).await
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, ClusterError> {
        let (what, params) = ("write the Lease", PostParams::default());
        self.within(what, call(what, self.api.replace(&self.terms.name, &params, lease))).await
    }

    async fn within<T>(
        &self,
        what: &'static str,
        answer: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        let answer = timeout(self.terms.deadline(), answer).await;
        answer.unwrap_or(Err(ClusterError::Slow { what }))
    }

    fn tell(&mut self, news: News) {
        if self.told.as_ref() == Some(&news) {
            return;
        }
        match &news {
            News::Leading => tracing::info!(lease = %self.terms, "leading: this process acts"),
            News::Standby(holder) => {
                tracing::info!(lease = %self.terms, holder, "standby: another process acts");
            }
            News::Failing(_) => {}
        }
        self.told = Some(news);
    }

    fn fail(&mut self, error: &ClusterError) {
        let news = News::Failing(error.code());
        if self.told.as_ref() == Some(&news) {
            return;
        }
        match error.code() {
            Some(401 | 403) => tracing::error!(
                lease = %self.terms,
                "the cluster does not let us get, create and update Leases there: check the role, or \
                 name another namespace with --lease-namespace; waiting"
            ),
            Some(404) => tracing::error!(
                lease = %self.terms,
                "the namespace of the Lease is not there: name another with --lease-namespace; waiting"
            ),
            _ => tracing::warn!(lease = %self.terms, error = %error, "{error}; trying again"),
        }
        self.told = Some(news);
    }
}
