//! What is declared for one account, and what it means. No decision about people is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::AccountClass;
use crate::controller::context::{Context, Winners};
use crate::controller::error::ReconcileError;
use crate::controller::fetch::{self, Fetched};
use crate::domain::clients::DesiredClients;
use crate::domain::desired::{DeletionPolicy, Origin};
use crate::domain::identity::MemberKey;
use crate::domain::keys::CategoryName;
use crate::domain::policy::{Mode, Policy};
use crate::ledger::Ledger;
use crate::manifests::{ConfigMaps, Declarations, ObjectKey, Resolved, resolve};
use crate::profile::{Profile, Teams};

/// What is declared for one account, and what it means.
pub struct Round {
    /// The objects.
    pub fetched: Fetched,
    /// What they mean.
    pub resolved: Resolved,
    /// The class's profile, if there is one.
    pub profile: Option<Arc<Profile>>,
    class: Option<Arc<AccountClass>>,
    declarations: Declarations,
    /// Namespace or kinds are being torn down.
    torn_down: bool,
    /// Other namespaces that are.
    going: BTreeSet<String>,
    /// People of an object that cannot be read are not known.
    blind: bool,
}

impl Round {
    /// Resolves what was fetched; `None`: the account is not among it.
    ///
    /// `winners`: the declarations that counted last time, until [`Round::consult`] knows better.
    pub fn of(fetched: Fetched, winners: &Winners, now: Timestamp) -> Option<Self> {
        let declarations = fetched.declarations()?;
        let class = declarations.class.as_ref().map(|class| Arc::clone(&class.object));
        // What is wrong with it is said of the account.
        let profile = declarations.profile().unwrap_or_default();
        let counted = |person: Option<&MemberKey>, origin: &Origin| {
            person
                .and_then(|person| winners.get(person))
                .is_some_and(|winner| winner.object() == origin.object())
        };
        let resolved = resolve_with(&fetched, &declarations, profile.as_deref(), &counted, now);
        let torn_down = false;
        let going = BTreeSet::new();
        let mut round = Self {
            fetched,
            resolved,
            profile,
            class,
            declarations,
            torn_down,
            going,
            blind: false,
        };
        round.restrain();
        Some(round)
    }

    /// Resolves once more, now that the ledger can say which declaration of a person is the older.
    pub fn consult(&mut self, ledger: &Ledger, winners: &mut Winners, now: Timestamp) {
        let counted =
            |person: Option<&_>, origin: &Origin| ledger.first_seen(person, origin).is_some();
        let Self { fetched, declarations, profile, .. } = self;
        self.resolved = resolve_with(fetched, declarations, profile.as_deref(), &counted, now);
        self.restrain();
        let people = self.resolved.desired.people.iter();
        *winners = people.map(|(person, member)| (person.clone(), member.origin.clone())).collect();
    }

    /// Takes back what may not be done: nothing to people of objects that cannot be read, and
    /// nothing to anybody while namespace or kinds are being torn down.
    fn restrain(&mut self) {
        let unreadable = self.fetched.unreadable_people();
        self.blind = unreadable.unknown;
        let desired = &mut self.resolved.desired;
        if self.profile.as_ref().is_some_and(|profile| profile.teams == Teams::Many) {
            desired.frozen_everywhere.extend(unreadable.frozen);
        } else {
            let frozen = unreadable.frozen.into_iter().map(MemberKey::from);
            desired.frozen.extend(frozen.filter(|person| !desired.people.contains_key(person)));
        }
        let DesiredClients { declared, frozen } = &mut desired.clients;
        let clients = unreadable.clients.into_iter();
        frozen.extend(clients.filter(|client| !declared.contains_key(client)));
        desired.recipients.blind = unreadable.recipients;
        self.keep_whose_namespace_goes();
        let policy = &mut self.resolved.policy;
        if let Some(policy) = policy.as_mut().filter(|_| self.torn_down) {
            // Who is not declared any more is let go, so that definitions made anew find nobody
            // to remove; and nobody is invited to what is going away.
            policy.mode = policy.mode.min(Mode::Invite);
            policy.invitations_per_hour = Some(0);
        }
    }

    /// What is deleted with another namespace was not decided about: it is let go, and whoever it
    /// declared stays.
    fn keep_whose_namespace_goes(&mut self) {
        let Self { fetched, resolved, going, .. } = self;
        for leaving in &mut resolved.leaving {
            if going.contains(&leaving.origin.namespace) {
                leaving.deletion_policy = DeletionPolicy::Retain;
            }
        }
        let clients = fetched.client_accesses.keys().filter(|key| going.contains(&key.namespace));
        let clients: Vec<_> = clients.filter_map(|key| fetched.client(key)).collect();
        let DesiredClients { declared, frozen } = &mut resolved.desired.clients;
        frozen.extend(clients.into_iter().filter(|client| !declared.contains_key(client)));
        let subscriptions = fetched.subscriptions.iter();
        let subscriptions = subscriptions.filter(|(key, _)| going.contains(&key.namespace));
        let categories = subscriptions.filter_map(|(_, object)| object.readable());
        let categories = categories.map(|object| CategoryName(object.spec.category.clone()));
        resolved.desired.recipients.frozen.extend(categories);
    }

    /// How far we may go, with class and profile.
    ///
    /// # Errors
    ///
    /// The account is not accepted, or an object stands in the way.
    pub fn terms(&self) -> Result<(Policy, Arc<AccountClass>, Arc<Profile>), ReconcileError> {
        if let Err(rejection) = &self.resolved.account {
            return Err(ReconcileError::NotAccepted(rejection.clone()));
        }
        if self.blind {
            return Err(ReconcileError::Blind);
        }
        let Self { resolved, class: Some(class), profile: Some(profile), .. } = self else {
            return Err(ReconcileError::Superseded);
        };
        let policy = resolved.policy.clone().ok_or(ReconcileError::Superseded)?;
        Ok((policy, Arc::clone(class), Arc::clone(profile)))
    }

    /// Reads everything anew before something is taken away. Where namespace or kinds are being
    /// torn down, nothing is: whoever does that did not decide about people.
    ///
    /// # Errors
    ///
    /// The cluster does not answer, or the account was deleted or made anew meanwhile.
    pub async fn renew(&mut self, ctx: &Context, winners: &Winners) -> Result<(), ReconcileError> {
        let account = Arc::clone(&self.fetched.account);
        let namespace = account.namespace().unwrap_or_default();
        if fetch::is_torn_down(ctx, &namespace).await? {
            self.torn_down = true;
            self.restrain();
            return Ok(());
        }
        let fresh = fetch::fresh(ctx, &account).await?;
        let fresh = fresh.filter(|f| f.account.metadata.deletion_timestamp.is_none());
        let mut fresh = fresh.ok_or(ReconcileError::Superseded)?;
        fetch::profile(ctx, &mut fresh, &mut ConfigMaps::new()).await?;
        let round = Self::of(fresh, winners, (ctx.now)());
        *self = round.ok_or(ReconcileError::Superseded)?;
        for space in self.fetched.deleted_in() {
            if space != namespace && fetch::is_going(ctx, &space).await? {
                self.going.insert(space);
            }
        }
        self.restrain();
        Ok(())
    }
}

/// Resolves. The older of two declarations of one person counts: the one that counted before, else
/// the one whose object was made first.
fn resolve_with(
    fetched: &Fetched,
    declarations: &Declarations,
    profile: Option<&Profile>,
    counted: &dyn Fn(Option<&MemberKey>, &Origin) -> bool,
    now: Timestamp,
) -> Resolved {
    let first_seen = |person: Option<&MemberKey>, origin: &Origin| {
        if counted(person, origin) {
            return Some(Timestamp::MIN);
        }
        let Origin { kind, namespace, name, position: _ } = origin.clone();
        let key = ObjectKey { kind, namespace, name };
        let object = fetched.metadata(&key).filter(|_| !declarations.distant.contains(&key))?;
        Some(object.creation_timestamp.as_ref()?.0)
    };
    resolve(declarations, profile, &first_seen, now)
}

/// Which objects carry the declarations of an account, by acceptance.
impl Round {
    /// Keys of the objects of this account that are accepted and not being deleted.
    pub fn accepted(&self) -> BTreeMap<&ObjectKey, &kube::core::ObjectMeta> {
        let accepted = self.resolved.outcomes.iter().filter(|(_, o)| o.accepted.is_ok());
        accepted
            .filter_map(|(key, _)| Some((key, self.fetched.metadata(key)?)))
            .filter(|(_, metadata)| metadata.deletion_timestamp.is_none())
            .collect()
    }
}
