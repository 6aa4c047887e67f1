//! What changes an account: each change is one transaction that holds the account's row, takes
//! feed positions from it, and queues its mails.
//!
//! Routes and pages call the same functions; nothing else writes.

pub(crate) mod access_request;
pub(crate) mod account;
pub(crate) mod client_access;
pub(crate) mod client_login;
pub(crate) mod digest;
pub(crate) mod domain;
pub(crate) mod due;
pub(crate) mod invitation;
pub(crate) mod invitation_actions;
pub(crate) mod invitation_batch;
pub(crate) mod invite_limit;
pub(crate) mod join_request;
pub(crate) mod joining;
pub(crate) mod member;
pub(crate) mod meter;
pub(crate) mod notice;
pub(crate) mod ownership_change;
pub(crate) mod recipient;
pub(crate) mod retention;
pub(crate) mod room;
pub(crate) mod seats;
pub(crate) mod secure_sign_in;
pub(crate) mod subscription;
pub(crate) mod suggestion;
pub(crate) mod team;
pub(crate) mod token;
pub(crate) mod website;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::profile::Profile;
use crate::server::Service;
use crate::server::auth;
use crate::server::error::ApiError;
use crate::server::limits::Allowance;
use crate::server::mail::Template;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::audit::{self, AuditRow};
use crate::server::store::outbox::{self, MailRow};
use crate::server::store::{Connection, Tx, client_accesses, teams};
use crate::wire::TeamState;

/// A change of one account that is under way. Dropped without [`Change::commit`], nothing happened.
pub(crate) struct Change {
    /// The account, as it will be written.
    pub account: AccountRow,
    /// The rules of the account.
    pub profile: Arc<Profile>,
    /// Who changes.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// The team, if any, for which somebody found no seat.
    pub full_team: Option<String>,
    /// How many more invitations may be mailed, once one was or was to be.
    pub invite_mail: Option<Allowance>,
    service: Arc<Service>,
    tx: Tx,
    other: Option<Other>,
}

/// The other account of a change of two.
struct Other {
    account: AccountRow,
    profile: Arc<Profile>,
    actor: Actor,
}

impl Change {
    /// Begins a change of the account of this id or slug: nobody else changes it until this one
    /// ends. A token of another account finds nothing.
    pub async fn begin(
        service: &Arc<Service>,
        id_or_slug: &str,
        actor: Actor,
    ) -> Result<Self, ApiError> {
        let mut tx = service.store.begin().await?;
        let account = accounts::lock(&service.store, &mut tx, id_or_slug).await?;
        let account = visible(account, &actor)?;
        Self::on(service, tx, account, actor).await
    }

    /// Begins the service's own change of the account of this id; nothing if somebody else is
    /// changing it right now.
    pub async fn begin_unless_held(
        service: &Arc<Service>,
        id: &str,
    ) -> Result<Option<Self>, ApiError> {
        let mut tx = service.store.begin().await?;
        let account = accounts::lock_unless_held(&service.store, &mut tx, id).await?;
        match account {
            Some(account) => Ok(Some(Self::on(service, tx, account, Actor::Service).await?)),
            None => Ok(None),
        }
    }

    /// Continues a transaction that has made or locked `account`. Who may do it is read anew: rights
    /// end at once, also for who waited here meanwhile (NP-09).
    pub async fn on(
        service: &Arc<Service>,
        mut tx: Tx,
        account: AccountRow,
        actor: Actor,
    ) -> Result<Self, ApiError> {
        let profile = service.profile(&account.profile)?;
        let (now, service) = (service.now(), Arc::clone(service));
        let actor = auth::again(&service, &mut tx, &account, actor, now).await?;
        let (full_team, invite_mail, other) = (None, None, None);
        Ok(Self { account, profile, actor, now, full_team, invite_mail, service, tx, other })
    }

    /// Begins a change of two accounts, by their ids: of the first, and by [`Change::turn`] of the
    /// second, where another actor does it. They are locked in the order of their ids, so that no
    /// two such changes wait for each other.
    pub async fn begin_two(
        service: &Arc<Service>,
        first: (&str, Actor),
        second: (&str, Actor),
    ) -> Result<Self, ApiError> {
        let turned = second.0 < first.0;
        let ((id, actor), other) = if turned { (second, first) } else { (first, second) };
        let mut change = Self::begin(service, id, actor).await?;
        change.join(other.0, other.1).await?;
        if turned {
            change.turn();
        }
        Ok(change)
    }

    /// Takes a second account into the change, whose id is greater or which waits for nobody.
    pub async fn join(&mut self, id: &str, actor: Actor) -> Result<(), ApiError> {
        let account = accounts::lock(&self.service.store, &mut self.tx, id).await?;
        let account = visible(account, &actor)?;
        if account.id == self.account.id {
            return Err(ApiError::NotFound);
        }
        let profile = self.service.profile(&account.profile)?;
        let actor = auth::again(&self.service, &mut self.tx, &account, actor, self.now).await?;
        self.other = Some(Other { account, profile, actor });
        Ok(())
    }

    /// Goes on as somebody else, who is read as at the beginning.
    pub async fn act_as(&mut self, actor: Actor) -> Result<(), ApiError> {
        let (service, tx) = (&self.service, &mut self.tx);
        self.actor = auth::again(service, tx, &self.account, actor, self.now).await?;
        Ok(())
    }

    /// Goes on in the other account of a change of two.
    pub fn turn(&mut self) {
        if let Some(Other { account, profile, actor }) = &mut self.other {
            std::mem::swap(&mut self.account, account);
            std::mem::swap(&mut self.profile, profile);
            std::mem::swap(&mut self.actor, actor);
        }
    }

    /// The connection of the transaction.
    pub fn conn(&mut self) -> &mut Connection {
        &mut self.tx
    }

    /// Clients of the account that changed its place with them, each told once.
    pub async fn take_moved_clients(&mut self) -> Result<Vec<String>, ApiError> {
        let (store, id) = (&self.service.store, &self.account.id);
        Ok(client_accesses::take_moved(store, &mut self.tx, id).await?)
    }

    /// A new id.
    pub fn id(&self, prefix: &str) -> String {
        self.service.ids.next(prefix, self.now)
    }

    /// How many invitations may be mailed.
    pub fn invite_limits(&self) -> crate::server::InviteLimits {
        self.service.invite_limits
    }

    /// Whether paid plans wait for the vendor.
    pub fn confirm_plans(&self) -> crate::server::ConfirmPlans {
        self.service.confirm_plans
    }

    /// Refuses whoever lacks the right at this scope.
    pub fn must(&self, right: Right, at: At<'_>) -> Result<(), ApiError> {
        self.actor.must(right, at, &self.profile)
    }

    /// Refuses everything but removals, billing and reads in a disabled account (NP-15).
    pub fn must_be_enabled(&self) -> Result<(), ApiError> {
        if self.account.disabled { Err(ApiError::Disabled) } else { Ok(()) }
    }

    /// Refuses everything but removals, billing and reads in a disabled account, in a team whose
    /// subscription is over (CT-13), and in one that has none yet.
    pub async fn must_be_open(&mut self, at: At<'_>) -> Result<(), ApiError> {
        self.must_be_enabled()?;
        let At::Team(id) = at else { return Ok(()) };
        let row = teams::by_id(&mut self.tx, &self.account.id, id).await?;
        let row = row.ok_or_else(|| ApiError::field("/team", "is not a team of this account"))?;
        match team::state(&mut self.tx, &row, &self.profile).await? {
            TeamState::Active => Ok(()),
            TeamState::Pending => Err(ApiError::TeamPending),
            TeamState::Inactive | TeamState::Unknown => Err(ApiError::TeamInactive),
        }
    }

    /// Writes one row of the audit log.
    pub async fn record<B: Serialize, A: Serialize>(
        &mut self,
        action: &str,
        subject: &str,
        before: Option<B>,
        after: Option<A>,
    ) -> Result<(), ApiError> {
        let row = self.event(action, subject, before, after)?;
        Ok(audit::insert(&mut self.tx, &[row]).await?)
    }

    /// Writes a row of the audit log for each of these new rows, by id.
    pub async fn record_new<A: Serialize>(
        &mut self,
        action: &str,
        rows: impl IntoIterator<Item = (&str, A)>,
    ) -> Result<(), ApiError> {
        let events =
            rows.into_iter().map(|(id, row)| self.event(action, id, None::<()>, Some(row)));
        let events: Vec<_> = events.collect::<Result<_, _>>()?;
        Ok(audit::insert(&mut self.tx, &events).await?)
    }

    /// A row for the audit log; it takes the next feed position.
    fn event<B: Serialize, A: Serialize>(
        &mut self,
        action: &str,
        subject: &str,
        before: Option<B>,
        after: Option<A>,
    ) -> Result<AuditRow, ApiError> {
        digest::note(self, action);
        self.account.position += 1;
        let text = |value: Option<Value>| value.map(|value| value.to_string());
        Ok(AuditRow {
            id: self.id("evt"),
            account_id: self.account.id.clone(),
            position: self.account.position,
            at: self.now,
            actor: self.actor.label(At::Account),
            action: action.to_owned(),
            subject: subject.to_owned(),
            before: text(before.map(serde_json::to_value).transpose()?),
            after: text(after.map(serde_json::to_value).transpose()?),
        })
    }

    /// Queues a mail about the row `subject`; gives its id. It leaves only if the change commits.
    pub async fn mail(
        &mut self,
        template: Template,
        subject: &str,
        address: &str,
        words: Value,
    ) -> Result<String, ApiError> {
        let row = self.mail_row(template, subject, address, words)?;
        self.queue(std::slice::from_ref(&row)).await?;
        Ok(row.id)
    }

    /// Queues mails that [`Change::mail_row`] made.
    pub async fn queue(&mut self, mails: &[MailRow]) -> Result<(), ApiError> {
        Ok(outbox::queue(&mut self.tx, mails).await?)
    }

    /// A mail about the row `subject`.
    pub fn mail_row(
        &self,
        template: Template,
        subject: &str,
        address: &str,
        words: Value,
    ) -> Result<MailRow, ApiError> {
        let mut all = json!({ "account": self.account.name, "slug": self.account.slug });
        if let (Some(all), Value::Object(words)) = (all.as_object_mut(), words) {
            all.extend(words);
        }
        template.must_have(&all)?;
        Ok(MailRow {
            id: self.service.ids.next_ulid(self.now).to_string(),
            account_id: Some(self.account.id.clone()),
            template: template.name().to_owned(),
            subject: subject.to_owned(),
            address: address.to_owned(),
            words: all.to_string(),
            created_at: self.now,
        })
    }

    /// Makes the change last, and wakes who sends mails.
    pub async fn commit(mut self) -> Result<(), ApiError> {
        accounts::update(&mut self.tx, &self.account).await?;
        if let Some(other) = &self.other {
            accounts::update(&mut self.tx, &other.account).await?;
        }
        self.tx.commit().await?;
        self.service.mail_queued.notify_one();
        self.service.feed.tell(&self.account.id);
        Ok(())
    }
}

/// The account, if this actor may know of it at all.
pub(crate) fn visible(account: Option<AccountRow>, actor: &Actor) -> Result<AccountRow, ApiError> {
    let account = account.ok_or(ApiError::NotFound)?;
    match actor.account_id() {
        Some(own) if own != account.id => Err(ApiError::NotFound),
        _ => Ok(account),
    }
}

/// `If-Match` of a request: the versions it takes.
#[derive(Clone, Debug)]
pub(crate) enum Precondition {
    /// Any version that is there.
    Any,
    /// One of these etags.
    Etags(Vec<String>),
    /// The caller has just read the row in a form of its own (pages).
    Unchecked,
}

impl Precondition {
    /// Refuses when the row has moved on. Only the version counts, which is the part of an etag
    /// before the first dash.
    pub fn check(&self, version: i64) -> Result<(), ApiError> {
        match self {
            Self::Any | Self::Unchecked => Ok(()),
            Self::Etags(etags) => {
                let version = version.to_string();
                let fits = |etag: &String| {
                    let etag = etag.trim_matches('"');
                    etag.split_once('-').map_or(etag, |(head, _)| head) == version
                };
                if etags.iter().any(fits) { Ok(()) } else { Err(ApiError::Stale) }
            }
        }
    }
}
