//! The client of one account's service, kept while class and token stay what they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::api;
use crate::backend::account_api::AccountApi;
use crate::backend::transport::{Reqwest, SetupError};
use crate::backend::{Backend, BackendError, Executed, Guarantees, ServiceRules};
use crate::controller::clients::call;
use crate::controller::context::Context;
use crate::controller::error::ReconcileError;
use crate::controller::metrics::Metrics;
use crate::domain::clients::ObservedClient;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{AccountKey, ETag, RequestKey};
use crate::domain::observed::{Claim, Observed};
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;
use crate::profile::Profile;

/// The client of one account's service.
pub struct Session {
    backend: Counted,
    api: api::AccountApi,
    token: SecretString,
    profile: String,
    guarantees: Option<Guarantees>,
}

impl Session {
    /// The client for `account`: the one of last time if nothing changed. The Secret is read each
    /// time, so that a new token counts from the next try on.
    ///
    /// # Errors
    ///
    /// The Secret or the class cannot be used.
    pub async fn open(
        ctx: &Context,
        last: Option<Self>,
        account: &api::Account,
        class: &api::AccountClass,
        profile: &Profile,
    ) -> Result<Self, ReconcileError> {
        let api = &class.spec.backend.account_api;
        let token = token(ctx, account).await?;
        let same = |last: &Self| {
            last.api == *api
                && last.token.expose_secret() == token.expose_secret()
                && last.profile == profile.digest
        };
        if let Some(last) = last.filter(same) {
            return Ok(last);
        }
        let url =
            Url::parse(&api.url).map_err(|_| ReconcileError::InvalidClass(SetupError::BaseUrl))?;
        let ca_bundle = api.ca_bundle.as_deref().map(str::as_bytes);
        let transport = Reqwest::new(&url, ca_bundle).map_err(ReconcileError::InvalidClass)?;
        let client =
            AccountApi::new(Arc::new(transport), &token).map_err(ReconcileError::InvalidToken)?;
        Ok(Self {
            backend: Counted { backend: client, metrics: ctx.metrics.clone() },
            api: api.clone(),
            token,
            profile: profile.digest.clone(),
            guarantees: None,
        })
    }

    /// The service.
    pub fn backend(&self) -> &dyn Backend {
        &self.backend
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
        self.guarantees.as_ref().is_some_and(|guarantees| guarantees.claims)
    }
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

/// Counts calls and their outcomes.
struct Counted {
    backend: AccountApi,
    metrics: Metrics,
}

impl Counted {
    fn count<T>(
        &self,
        call: &'static str,
        answer: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let outcome = answer.as_ref().err().map_or("ok", BackendError::reason);
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
        self.count("Observe", self.backend.observe(account, profile).await)
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
        self.count(action.kind(), self.backend.execute(account, action, key).await)
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
        self.count(action.kind(), self.backend.execute_client(account, action, key).await)
    }

    async fn claim(
        &self,
        account: &AccountKey,
        claim: &Claim,
        etag: &ETag,
    ) -> Result<(), BackendError> {
        self.count("Claim", self.backend.claim(account, claim, etag).await)
    }
}
