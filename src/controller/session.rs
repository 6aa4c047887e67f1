//! The clients of one account's service, kept while account, class and token stay what they are: one
//! for the work, one that follows the feed of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::api;
use crate::backend::account_api::AccountApi;
use crate::backend::feed::POLL_DEADLINE;
use crate::backend::transport::{Reqwest, SetupError, Transport};
use crate::backend::{Backend, BackendError, Executed, Guarantees, ServiceRules};
use crate::controller::cache::Name;
use crate::controller::clients::call;
use crate::controller::context::{Context, Work};
use crate::controller::error::ReconcileError;
use crate::controller::feed::{Busy, Follower, Line, Place};
use crate::controller::metrics::Metrics;
use crate::domain::capability::Capability;
use crate::domain::clients::ObservedClient;
use crate::domain::domains::{DomainName, ObservedDomain};
use crate::domain::endings::Endings;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{AccountKey, CategoryName, ETag, InstallationId, RequestKey};
use crate::domain::observed::{Claim, Observed};
use crate::domain::ownership::ObservedOwnershipChange;
use crate::domain::recipients::ObservedCategory;
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;
use crate::plan::domains::DomainAction;
use crate::plan::notification::RecipientAction;
use crate::plan::teams::TeamAction;
use crate::profile::Profile;

/// The clients of one account's service.
pub struct Session {
    backend: Counted,
    follower: Option<Follower>,
    account: String,
    api: api::AccountApi,
    class: String,
    per_second: NonZeroU32,
    token: SecretString,
    profile: String,
    guarantees: Option<Guarantees>,
}

impl Session {
    /// The client for `account`: the one of last time if nothing changed. The Secret is read each
    /// time, so that a new token counts from the next try on. `last` is kept where the Secret cannot
    /// be used: of an account that is being deleted the token of last time serves, because a
    /// namespace takes its Secrets first.
    ///
    /// # Errors
    ///
    /// The Secret or the class cannot be used.
    pub async fn open(
        ctx: &Context,
        last: &mut Option<Self>,
        account: &api::Account,
        class: &api::AccountClass,
        profile: &Profile,
    ) -> Result<Self, ReconcileError> {
        let api = &class.spec.backend.account_api;
        let (class_name, per_second) = (class.name_any(), class.spec.limits.per_second());
        let token = match (token(ctx, account).await, &*last) {
            (Err(ReconcileError::SecretMissing), Some(last))
                if account.metadata.deletion_timestamp.is_some()
                    && last.account == account.spec.account_id =>
            {
                last.token.clone()
            }
            (token, _) => token?,
        };
        let same = |last: &Self| {
            last.account == account.spec.account_id
                && last.api == *api
                && last.class == class_name
                && last.per_second == per_second
                && last.token.expose_secret() == token.expose_secret()
                && last.profile == profile.digest
        };
        if let Some(last) = last.take().filter(same) {
            return Ok(last);
        }
        let share = ctx.share(&class_name, per_second);
        let backend = client(ctx, api, &token)?.with_share(share);
        Ok(Self {
            backend: Counted { backend, metrics: ctx.metrics.clone(), place: Place::new() },
            follower: None,
            account: account.spec.account_id.clone(),
            api: api.clone(),
            class: class_name,
            per_second,
            token,
            profile: profile.digest.clone(),
            guarantees: None,
        })
    }

    /// The service.
    pub fn backend(&self) -> &dyn Backend {
        &self.backend
    }

    /// A run begins; until it ends nothing of the feed is judged.
    pub fn busy(&self) -> Busy {
        self.backend.place.busy()
    }

    /// Follows the changes of the account, unless that is done already. What the service refused is
    /// asked for again once the spec, of this `generation`, has changed.
    ///
    /// # Errors
    ///
    /// The class cannot be used.
    pub fn follow(
        &mut self,
        ctx: &Context,
        name: &Name,
        generation: Option<i64>,
    ) -> Result<(), ReconcileError> {
        if self.follower.as_ref().is_some_and(|follower| follower.stands(generation)) {
            return Ok(());
        }
        let api = client(ctx, &self.api, &self.token)?.with_deadline(POLL_DEADLINE);
        let place = self.backend.place.clone();
        let (queue, work) = (Arc::clone(&ctx.queue), Work::Account(name.clone()));
        let wake = Box::new(move || queue.change(&work));
        let (places, metrics) = (Arc::clone(&ctx.places), ctx.metrics.clone());
        let line = Line::new(name.clone(), api, place, places, metrics, wake);
        self.follower = Some(Follower::start(line, generation, &ctx.stop));
        Ok(())
    }

    /// Follows no more.
    pub fn unfollow(&mut self) {
        self.follower = None;
    }

    /// Asks once which guarantees the service gives, and whether it keeps the profile's rules.
    ///
    /// # Errors
    ///
    /// The service does not answer, or keeps other rules.
    pub async fn check(
        &mut self,
        account: &AccountKey,
        profile: &Profile,
    ) -> Result<(), ReconcileError> {
        if self.guarantees.is_some() {
            return Ok(());
        }
        let found = self.backend.guarantees(account).await.map_err(ReconcileError::Backend)?;
        let differences = found.rules.differences(&ServiceRules::of(profile));
        if !differences.is_empty() {
            return Err(ReconcileError::ProfileMismatch { differences });
        }
        self.guarantees = Some(found);
        Ok(())
    }

    /// How long a key may be repeated.
    pub fn retention(&self) -> Duration {
        self.guarantees.as_ref().map_or(Duration::ZERO, Guarantees::repeatable_for)
    }

    /// Whether the service can hold a claim.
    pub fn claims(&self) -> bool {
        self.guarantees.as_ref().is_some_and(Guarantees::claims)
    }

    /// What the service does not promise.
    pub fn missing(&self) -> BTreeSet<Capability> {
        self.guarantees.as_ref().map(|guarantees| guarantees.missing.clone()).unwrap_or_default()
    }
}

/// A client with connections of its own.
fn client(
    ctx: &Context,
    api: &api::AccountApi,
    token: &SecretString,
) -> Result<AccountApi, ReconcileError> {
    let transport = (ctx.connect)(api).map_err(ReconcileError::InvalidClass)?;
    AccountApi::new(transport, token).map_err(ReconcileError::InvalidToken)
}

/// Reaches the service that a class names over the network.
///
/// # Errors
///
/// The class's URL or certificates cannot be used.
pub fn connect(api: &api::AccountApi) -> Result<Arc<dyn Transport>, SetupError> {
    let url = Url::parse(&api.url).map_err(|_| SetupError::BaseUrl)?;
    let ca_bundle = api.ca_bundle.as_deref().map(str::as_bytes);
    Ok(Arc::new(Reqwest::new(&url, ca_bundle)?))
}

/// Reads the token, by name and from the account's own namespace only.
async fn token(ctx: &Context, account: &api::Account) -> Result<SecretString, ReconcileError> {
    let reference = &account.spec.credentials_secret_ref;
    let namespace = account.metadata.namespace.as_deref().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(ctx.clients.reader.clone(), namespace);
    let secret = call("read the Secret", secrets.get_opt(&reference.name)).await?;
    let data = secret.and_then(|secret| secret.data).unwrap_or_default();
    let bytes = data.get(&reference.key).ok_or(ReconcileError::SecretMissing)?;
    let text = std::str::from_utf8(&bytes.0).unwrap_or_default();
    Ok(SecretString::from(text.trim()))
}

/// Counts calls and their outcomes, and notes what they say of our place in the feed.
struct Counted {
    backend: AccountApi,
    metrics: Metrics,
    place: Place,
}

impl Counted {
    fn count<T>(
        &self,
        call: &'static str,
        answer: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let outcome = answer.as_ref().err().map_or("ok", |error| error.reason().as_str());
        self.metrics.called(call, outcome);
        answer
    }
}

#[async_trait]
impl Backend for Counted {
    async fn observe(
        &self,
        account: &AccountKey,
        profile: &Profile,
    ) -> Result<Observed, BackendError> {
        let observed = self.count("Observe", self.backend.observe(account, profile).await)?;
        self.place.looked(&observed);
        Ok(observed)
    }

    async fn endings(&self, look: &Observed, after: u64) -> Result<Option<Endings>, BackendError> {
        self.count("Endings", self.backend.endings(look, after).await)
    }

    fn take_written(&self) -> Option<u64> {
        self.backend.take_written()
    }

    async fn guarantees(&self, account: &AccountKey) -> Result<Guarantees, BackendError> {
        self.count("Guarantees", self.backend.guarantees(account).await)
    }

    async fn execute(
        &self,
        account: &AccountKey,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute(account, action, key).await;
        let executed = self.count(action.kind(), answer)?;
        self.place.wrote(row(action, &executed));
        if let Action::Approve { request, .. } = action {
            self.place.wrote(request.id.as_str());
        }
        Ok(executed)
    }

    async fn execute_team(
        &self,
        account: &AccountKey,
        action: &TeamAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_team(account, action, key).await;
        let executed = self.count(action.kind(), answer)?;
        match &executed {
            Executed::Team(id, _) => self.place.wrote(id.as_str()),
            _ => self.place.wrote_account(),
        }
        Ok(executed)
    }

    async fn client_accesses(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError> {
        self.count("ClientAccesses", self.backend.client_accesses(account).await)
    }

    async fn execute_client(
        &self,
        account: &AccountKey,
        action: &ClientAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_client(account, action, key).await;
        let executed = self.count(action.kind(), answer)?;
        self.place.wrote(client_row(action, &executed));
        Ok(executed)
    }

    async fn ownership_changes(
        &self,
        account: &AccountKey,
    ) -> Result<Vec<ObservedOwnershipChange>, BackendError> {
        self.count("OwnershipChanges", self.backend.ownership_changes(account).await)
    }

    async fn categories(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError> {
        self.count("Categories", self.backend.categories(account).await)
    }

    async fn execute_recipient(
        &self,
        account: &AccountKey,
        action: &RecipientAction,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_recipient(account, action).await;
        let executed = self.count(action.kind(), answer)?;
        self.place.wrote(action.member.as_str());
        Ok(executed)
    }

    async fn domains(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError> {
        self.count("Domains", self.backend.domains(account).await)
    }

    async fn execute_domain(
        &self,
        account: &AccountKey,
        action: &DomainAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_domain(account, action, key).await;
        let executed = self.count(action.kind(), answer)?;
        match (&executed, action) {
            (Executed::Domain(domain), _) => self.place.wrote(domain.id.as_str()),
            (_, DomainAction::Remove { row, .. }) => self.place.wrote(row.id.as_str()),
            _ => {}
        }
        Ok(executed)
    }

    async fn join_requests(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError> {
        self.count("JoinRequests", self.backend.join_requests(account).await)
    }

    async fn suggestions(&self, account: &AccountKey) -> Result<BTreeSet<MemberKey>, BackendError> {
        self.count("Suggestions", self.backend.suggestions(account).await)
    }

    async fn claim(
        &self,
        account: &AccountKey,
        claim: &Claim,
        replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError> {
        let etag = self.count("Claim", self.backend.claim(account, claim, replaces, etag).await)?;
        self.place.wrote_account();
        Ok(etag)
    }
}

/// Id of the row that an action changed; empty where neither says it.
fn row<'a>(action: &'a Action, executed: &'a Executed) -> &'a str {
    match (executed, action) {
        (Executed::Member(member), _) => member.id.as_str(),
        (Executed::Invitation(invitation), _) => invitation.id.as_str(),
        (Executed::OwnershipChange(change), _) => change.id.as_str(),
        (Executed::Gone, Action::CancelOwnerChange { change, .. }) => change.id.as_str(),
        (Executed::Gone, Action::Remove { member, .. }) => member.id.as_str(),
        (Executed::Gone, Action::RevokeInvitation { invitation, .. }) => invitation.id.as_str(),
        (
            Executed::Gone
            | Executed::Client(_)
            | Executed::Recipient
            | Executed::Domain(_)
            | Executed::Unproved
            | Executed::Taken
            | Executed::Team(..)
            | Executed::Account(_),
            _,
        ) => "",
    }
}

/// As [`row`], of an action on a client.
fn client_row<'a>(action: &'a ClientAction, executed: &'a Executed) -> &'a str {
    match (executed, action) {
        (Executed::Client(client), _) => client.id.as_str(),
        (_, ClientAction::Withdraw { request, .. } | ClientAction::Resend { request, .. }) => {
            request.id.as_str()
        }
        (_, ClientAction::Request { .. }) => "",
    }
}
