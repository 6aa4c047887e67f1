//! What is declared for one account, and what it means. No decision about people is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::{Account, AccountClass};
use crate::controller::context::{Context, Winners};
use crate::controller::error::ReconcileError;
use crate::controller::fetch::{self, Fetched};
use crate::controller::finalizers;
use crate::domain::clients::DesiredClients;
use crate::domain::desired::{DeletionPolicy, Origin, OriginKind};
use crate::domain::identity::{EmailAddress, MemberKey};
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
    /// Whom a tear-down or `deletionPolicy: Retain` keeps is no longer ours in the ledger, although
    /// the account could not be looked at.
    pub forgot: bool,
    /// Since when the account is out of reach for what is deleted; `None`: it is not.
    pub wall_since: Option<Timestamp>,
    /// People of an object that cannot be read are not known.
    blind: bool,
}

impl Round {
    /// Resolves what was fetched; `None`: the account is not among it.
    ///
    /// `winners`: the declarations that counted last time, until [`Round::consult`] knows better.
    pub fn of(fetched: Fetched, winners: &Winners, now: Timestamp) -> Option<Self> {
        let mut declarations = fetched.declarations()?;
        if let Some(at) = fetched.account.metadata.deletion_timestamp.as_ref() {
            declarations.end(at);
        }
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
            forgot: false,
            wall_since: None,
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
    /// nothing to anybody while namespace or kinds are being torn down, unless the account said so
    /// before.
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
        let (let_go, ends) = (self.is_let_go(), self.fetched.ends());
        let most = match (let_go, ends) {
            // Who is not declared any more is let go, so that definitions made anew find nobody
            // to remove.
            (true, _) => Mode::Invite,
            // What we gave is taken back, and nothing of anybody else.
            (false, true) => Mode::Manage,
            (false, false) => return,
        };
        if !let_go {
            self.resolved.desired.join_domains.clear();
        }
        if let Some(policy) = &mut self.resolved.policy {
            policy.mode = policy.mode.min(most);
            // Nobody is invited to what is going away.
            policy.invitations_per_hour = Some(0);
        }
    }

    /// True if our finalizer was taken off an account that we keep: objects may have gone since of which
    /// nobody decided that their people are to go.
    pub fn was_released(&self) -> bool {
        let Self { fetched, resolved, .. } = self;
        let acts = |policy: &Policy| policy.mode >= Mode::Manage && !policy.suspend;
        resolved.policy.as_ref().is_some_and(acts)
            && !fetched.ends()
            && !finalizers::is_marked::<Account>(&fetched.account.metadata)
    }

    /// Namespace or kinds are being torn down, and nobody said before that people are to go as well.
    fn is_let_go(&self) -> bool {
        self.torn_down && !self.fetched.revokes()
    }

    /// True if what is deleted in a namespace was not decided about: the namespace goes, or the kinds.
    fn is_torn_down(&self, namespace: &str) -> bool {
        self.is_let_go() || self.going.contains(namespace)
    }

    /// True if the namespace of an object, another than the account's, is being deleted.
    pub fn goes_with_namespace(&self, key: &ObjectKey) -> bool {
        self.going.contains(&key.namespace)
    }

    /// True if nobody loses anything by the end of a deleted object.
    pub fn keeps(&self, key: &ObjectKey) -> bool {
        let of_people = matches!(key.kind, OriginKind::Team | OriginKind::Membership);
        let mut people = self.fetched.leaving(&self.resolved, key).into_iter();
        self.is_torn_down(&key.namespace)
            || of_people && people.all(|(_, policy)| policy == DeletionPolicy::Retain)
    }

    /// What is deleted with a namespace or its kind was not decided about: it is let go, and whoever
    /// it declared stays.
    fn keep_whose_namespace_goes(&mut self) {
        let spaces = self.resolved.leaving.iter().map(|leaving| &leaving.origin.namespace);
        let kept: Vec<bool> = spaces.map(|space| self.is_torn_down(space)).collect();
        for (leaving, kept) in self.resolved.leaving.iter_mut().zip(kept) {
            if kept {
                leaving.deletion_policy = DeletionPolicy::Retain;
            }
        }
        let clients = self.clients_kept();
        let categories = self.categories_kept();
        let desired = &mut self.resolved.desired;
        let DesiredClients { declared, frozen } = &mut desired.clients;
        frozen.extend(clients.into_iter().filter(|client| !declared.contains_key(client)));
        desired.recipients.frozen.extend(categories);
    }

    /// Clients whose declaration is torn down.
    fn clients_kept(&self) -> Vec<EmailAddress> {
        let deleted = self.fetched.deleted().map(|(key, _)| key);
        let deleted = deleted.filter(|key| self.is_torn_down(&key.namespace));
        deleted.filter_map(|key| self.fetched.client(key)).collect()
    }

    /// Categories of which a declaration is torn down.
    fn categories_kept(&self) -> Vec<CategoryName> {
        let deleted = self.fetched.deleted().map(|(key, _)| key);
        let deleted = deleted.filter(|key| self.is_torn_down(&key.namespace));
        let objects = deleted.filter_map(|key| self.fetched.subscriptions.get(key)?.readable());
        objects.map(|object| CategoryName(object.spec.category.clone())).collect()
    }

    /// Forgets in the ledger that whom a deleted object leaves behind was ours.
    pub fn forget_kept(&self, ledger: &mut Ledger) {
        let Resolved { desired, leaving, .. } = &self.resolved;
        for leaving in leaving {
            let declared = desired.people.contains_key(&leaving.person);
            if leaving.deletion_policy == DeletionPolicy::Retain && !declared {
                ledger.let_go_of(&leaving.person);
                for old in &leaving.formerly {
                    ledger.let_go_of(&leaving.person.at(old));
                }
            }
        }
        for (key, _) in self.fetched.deleted().filter(|(key, _)| self.is_torn_down(&key.namespace))
        {
            // Those of an object that cannot be read as well.
            for (person, _) in self.fetched.leaving(&self.resolved, key) {
                if !desired.people.contains_key(&person) {
                    ledger.let_go_of(&person);
                }
            }
        }
        if self.was_released() {
            let declared = desired.people.keys();
            ledger.let_go_of_others(declared, desired.clients.declared.keys());
        }
        for client in self.clients_kept() {
            if !desired.clients.declared.contains_key(&client) {
                ledger.let_go_of_client(&client);
            }
        }
        for category in self.categories_kept() {
            let declared = desired.recipients.categories.get(&category);
            let people = declared.into_iter().flat_map(|declared| declared.recipients.keys());
            ledger.let_go_of_category(&category, people);
        }
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

    /// Sees whether namespaces or kinds are being torn down, where something is being deleted.
    ///
    /// # Errors
    ///
    /// The cluster does not answer.
    pub async fn look_around(&mut self, ctx: &Context) -> Result<(), ReconcileError> {
        if !self.fetched.ends() && self.fetched.deleted().next().is_none() {
            return Ok(());
        }
        let own = self.fetched.account.namespace().unwrap_or_default();
        self.torn_down = fetch::is_torn_down(ctx, &own).await?;
        let spaces: BTreeSet<String> =
            self.fetched.deleted().map(|(key, _)| key.namespace.clone()).collect();
        self.going.clear();
        for space in spaces.into_iter().filter(|space| *space != own) {
            if fetch::is_going(ctx, &space).await? {
                self.going.insert(space);
            }
        }
        self.restrain();
        Ok(())
    }

    /// Reads everything anew before something is taken away. Where namespace or kinds are being
    /// torn down, nothing is, unless the account said so before: whoever does that did not decide
    /// about people.
    ///
    /// # Errors
    ///
    /// The cluster does not answer, or the account was deleted or made anew meanwhile.
    pub async fn renew(&mut self, ctx: &Context, winners: &Winners) -> Result<(), ReconcileError> {
        let account = Arc::clone(&self.fetched.account);
        if !self.fetched.revokes()
            && fetch::is_torn_down(ctx, &account.namespace().unwrap_or_default()).await?
        {
            self.torn_down = true;
            self.restrain();
            return Ok(());
        }
        let ends = self.fetched.ends();
        let fresh = fetch::fresh(ctx, &account).await?;
        // As certain as before: still there, or still being deleted with its people.
        let fresh = fresh.filter(|f| f.ends() == ends && (!ends || f.revokes()));
        let mut fresh = fresh.ok_or(ReconcileError::Superseded)?;
        fetch::profile(ctx, &mut fresh, &mut ConfigMaps::new()).await?;
        let round = Self::of(fresh, winners, (ctx.now)());
        *self = round.ok_or(ReconcileError::Superseded)?;
        self.look_around(ctx).await
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
