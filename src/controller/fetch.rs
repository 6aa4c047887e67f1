//! Everything that is declared for one account: from the caches, or fresh before anything that
//! takes away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::core::{NamespaceResourceScope, ObjectMeta, PartialObjectMeta};
use kube::{Api, CustomResourceExt as _, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::api::{
    Account, AccountNamespacesFrom, ClientAccess, Membership, Mode, NotificationSubscription,
    OnTeardown, Team,
};
use crate::controller::cache::{Cache, Name};
use crate::controller::clients::call;
use crate::controller::context::Context;
use crate::controller::error::ClusterError;
use crate::controller::finalizers;
use crate::controller::object::{Guarded, People};
use crate::controller::spaces::{self, NamesAccount, names};
use crate::domain::desired::{DeletionPolicy, OriginKind};
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::manifests::{ConfigMaps, Declarations, Declared, Leaving, ObjectKey, Objects, Resolved};

/// Objects a page of a fresh list.
const PAGE: u32 = 500;

/// Everything that is declared where an account can be named.
pub struct Fetched {
    /// The account.
    pub account: Arc<Account>,
    /// Classes, accounts, teams and memberships that were understood.
    pub objects: Objects,
    /// Teams, the ones that cannot be read included.
    pub teams: BTreeMap<ObjectKey, Guarded<Team>>,
    /// Memberships, the ones that cannot be read included.
    pub memberships: BTreeMap<ObjectKey, Guarded<Membership>>,
    /// Clients of agencies, the ones that cannot be read included.
    pub client_accesses: BTreeMap<ObjectKey, Guarded<ClientAccess>>,
    /// Recipients of mail, the ones that cannot be read included.
    pub subscriptions: BTreeMap<ObjectKey, Guarded<NotificationSubscription>>,
}

/// The objects that declare something where an account can be named.
struct Found {
    teams: Vec<Guarded<Team>>,
    memberships: Vec<Guarded<Membership>>,
    client_accesses: Vec<Guarded<ClientAccess>>,
    subscriptions: Vec<Guarded<NotificationSubscription>>,
}

impl Found {
    /// Namespaces of the objects that name an account of another namespace.
    fn naming(&self, account: &Account) -> BTreeSet<String> {
        let mut spaces = BTreeSet::new();
        spaces.extend(naming(account, &self.teams));
        spaces.extend(naming(account, &self.memberships));
        spaces.extend(naming(account, &self.client_accesses));
        spaces
    }

    /// Drops what is in other namespaces.
    fn keep(&mut self, spaces: &BTreeSet<String>) {
        self.teams.retain(|object| is_in(object, spaces));
        self.memberships.retain(|object| is_in(object, spaces));
        self.client_accesses.retain(|object| is_in(object, spaces));
        self.subscriptions.retain(|object| is_in(object, spaces));
    }
}

/// Namespaces of those that name an account of another namespace.
fn naming<K: Resource + NamesAccount>(
    account: &Account,
    objects: &[Guarded<K>],
) -> impl Iterator<Item = String> {
    let objects = objects.iter().filter_map(Guarded::readable).map(AsRef::as_ref);
    objects.filter(|object: &&K| names(account, *object)).filter_map(K::namespace)
}

fn is_in(object: &impl Resource, spaces: &BTreeSet<String>) -> bool {
    object.meta().namespace.as_ref().is_some_and(|space| spaces.contains(space))
}

/// The people of objects that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadablePeople {
    /// They are left as they are.
    pub frozen: BTreeSet<EmailAddress>,
    /// So are these clients of an agency.
    pub clients: BTreeSet<EmailAddress>,
    /// Recipients of mail are among them: nobody may lose a category.
    pub recipients: bool,
    /// Somewhere they cannot be read either: nobody may lose anything.
    pub unknown: bool,
}

/// Looks an account up in the caches; `None`: it is not there, or cannot be read.
pub fn cached(ctx: &Context, name: &Name) -> Option<Fetched> {
    let account = ctx.caches.accounts.get(name)?.readable()?.clone();
    let spaces = spaces::of_account(ctx, &account);
    let found = Found {
        teams: of(&ctx.caches.teams, &spaces),
        memberships: of(&ctx.caches.memberships, &spaces),
        client_accesses: of(&ctx.caches.client_accesses, &spaces),
        subscriptions: of(&ctx.caches.subscriptions, &spaces),
    };
    Some(assemble(ctx, account, found))
}

/// Reads an account anew, from a majority of the cluster's store: what is older than the last
/// change of a person must not take away. `None`: another object carries the name now.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn fresh(ctx: &Context, known: &Account) -> Result<Option<Fetched>, ClusterError> {
    let namespace = known.namespace().unwrap_or_default();
    let accounts: Api<Guarded<Account>> = Api::namespaced(ctx.clients.reader.clone(), &namespace);
    let found = call("read the Account", accounts.get_opt(&known.name_any())).await?;
    let Some(account) = found.as_ref().and_then(Guarded::readable).cloned() else {
        return Ok(None);
    };
    if account.metadata.uid != known.metadata.uid {
        return Ok(None);
    }
    let mut spaces = spaces::of_account(ctx, &account);
    let shared = account.spec.allowed_namespaces.from != AccountNamespacesFrom::Same;
    let only = (ctx.only.is_some() || !(shared || spaces.len() > 1)).then_some(&*namespace);
    let mut found = match is_deleted(account.meta()) {
        false => list_all(ctx, only).await?,
        true => list_rest(ctx, only).await?,
    };
    spaces.extend(found.naming(&account));
    found.keep(&spaces);
    Ok(Some(assemble(ctx, account, found)))
}

/// Everything that declares something.
async fn list_all(ctx: &Context, only: Option<&str>) -> Result<Found, ClusterError> {
    Ok(Found {
        teams: list(ctx, "list Teams", only).await?,
        memberships: list(ctx, "list Memberships", only).await?,
        client_accesses: list(ctx, "list ClientAccesses", only).await?,
        subscriptions: list(ctx, "list NotificationSubscriptions", only).await?,
    })
}

/// As [`list_all`] for an account that goes: of a kind that is gone there is nothing left.
async fn list_rest(ctx: &Context, only: Option<&str>) -> Result<Found, ClusterError> {
    Ok(Found {
        teams: or_none(list(ctx, "list Teams", only).await)?,
        memberships: or_none(list(ctx, "list Memberships", only).await)?,
        client_accesses: or_none(list(ctx, "list ClientAccesses", only).await)?,
        subscriptions: or_none(list(ctx, "list NotificationSubscriptions", only).await)?,
    })
}

fn or_none<T>(list: Result<Vec<T>, ClusterError>) -> Result<Vec<T>, ClusterError> {
    match list {
        Err(error) if error.is_gone() => Ok(Vec::new()),
        list => list,
    }
}

/// True if an object is being deleted.
pub fn is_deleted(object: &ObjectMeta) -> bool {
    object.deletion_timestamp.is_some()
}

/// Reads the ConfigMap of the class's profile, if the class names one: by name, each time, so that
/// nothing but that is read. What was read `last` stands in where it cannot be.
///
/// # Errors
///
/// The cluster does not answer, or refuses.
pub async fn profile(
    ctx: &Context,
    fetched: &mut Fetched,
    last: &mut ConfigMaps,
) -> Result<(), ClusterError> {
    let class_name = &fetched.account.spec.class_name;
    let mut classes = fetched.objects.classes.iter();
    let class = classes.find(|class| class.object.name_any() == *class_name);
    let Some(at) = class.and_then(|class| class.object.spec.profile_config_map_ref.clone()) else {
        last.clear();
        return Ok(());
    };
    let maps: Api<ConfigMap> = Api::namespaced(ctx.clients.reader.clone(), &at.namespace);
    let read = call("read the ConfigMap of the profile", maps.get_opt(&at.name)).await;
    if let Ok(map) = &read {
        let data = map.as_ref().and_then(|map| map.data.clone());
        *last = data.map(|data| ((at.namespace, at.name), data)).into_iter().collect();
    }
    fetched.objects.config_maps.clone_from(last);
    read.map(drop)
}

/// True if the namespace or one of our kinds is being torn down: whoever does that did not decide
/// about people.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn is_torn_down(ctx: &Context, namespace: &str) -> Result<bool, ClusterError> {
    if is_going(ctx, namespace).await? {
        return Ok(true);
    }
    let kinds: Api<PartialObjectMeta<CustomResourceDefinition>> =
        Api::all(ctx.clients.reader.clone());
    let ours = [
        Account::crd_name(),
        Team::crd_name(),
        Membership::crd_name(),
        ClientAccess::crd_name(),
        NotificationSubscription::crd_name(),
    ];
    for kind in ours {
        let kind = call("read the definitions", kinds.get_opt(kind)).await?;
        if kind.is_none_or(|kind| kind.metadata.deletion_timestamp.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if there is no Account of a name any more.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn is_gone(ctx: &Context, account: &Name) -> Result<bool, ClusterError> {
    let reader = ctx.clients.reader.clone();
    let accounts: Api<PartialObjectMeta<Account>> = Api::namespaced(reader, &account.namespace);
    Ok(call("read the Account", accounts.get_opt(&account.name)).await?.is_none())
}

/// True if a namespace is being deleted, or is gone.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn is_going(ctx: &Context, namespace: &str) -> Result<bool, ClusterError> {
    let spaces: Api<PartialObjectMeta<Namespace>> = Api::all(ctx.clients.reader.clone());
    let space = call("read the Namespace", spaces.get_opt(namespace)).await?;
    Ok(space.is_none_or(|space| space.metadata.deletion_timestamp.is_some()))
}

/// Lists a kind in one namespace or in all, from a majority of the store, page by page.
async fn list<K>(
    ctx: &Context,
    what: &'static str,
    only: Option<&str>,
) -> Result<Vec<Guarded<K>>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned,
{
    let reader = ctx.clients.reader.clone();
    let api: Api<Guarded<K>> = match only {
        Some(namespace) => Api::namespaced(reader, namespace),
        None => Api::all(reader),
    };
    let mut params = ListParams::default().limit(PAGE);
    let mut objects = Vec::new();
    loop {
        let page = call(what, api.list(&params)).await?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(objects),
        }
    }
}

/// The objects of some namespaces.
fn of<K: Resource<DynamicType = ()> + Clone>(
    cache: &Cache<K>,
    spaces: &BTreeSet<String>,
) -> Vec<Guarded<K>> {
    spaces.iter().flat_map(|space| cache.in_namespace(space)).collect()
}

fn assemble(ctx: &Context, account: Arc<Account>, found: Found) -> Fetched {
    let Found { teams, memberships, client_accesses, subscriptions } = found;
    let own = BTreeSet::from_iter(account.metadata.namespace.clone());
    let foreign = !teams.iter().all(|object| is_in(object, &own))
        || !memberships.iter().all(|object| is_in(object, &own))
        || !client_accesses.iter().all(|object| is_in(object, &own));
    let rivals = ctx.caches.accounts.all().into_iter().filter_map(|other| {
        let other = other.readable()?.clone();
        let same = other.spec.class_name == account.spec.class_name
            && other.spec.account_id == account.spec.account_id;
        // Objects of several namespaces may belong to any account.
        let near = foreign || other.metadata.namespace == account.metadata.namespace;
        ((same || near) && other.metadata.uid != account.metadata.uid).then_some(other)
    });
    let classes = ctx.caches.classes.get(&Name::new("", &account.spec.class_name));
    let objects = Objects {
        config_maps: ConfigMaps::new(),
        namespaces: spaces::labels(ctx),
        classes: classes.iter().filter_map(declared).collect(),
        accounts: std::iter::once(account.clone()).chain(rivals).map(Declared::from).collect(),
        teams: teams.iter().filter_map(declared).collect(),
        memberships: memberships.iter().filter_map(declared).collect(),
        client_accesses: client_accesses.iter().filter_map(declared).collect(),
        subscriptions: subscriptions.iter().filter_map(declared).collect(),
    };
    Fetched {
        account,
        objects,
        teams: keyed(OriginKind::Team, teams),
        memberships: keyed(OriginKind::Membership, memberships),
        client_accesses: keyed(OriginKind::ClientAccess, client_accesses),
        subscriptions: keyed(OriginKind::NotificationSubscription, subscriptions),
    }
}

fn declared<K>(object: &Guarded<K>) -> Option<Declared<K>> {
    object.readable().cloned().map(Declared::from)
}

fn keyed<K>(kind: OriginKind, objects: Vec<Guarded<K>>) -> BTreeMap<ObjectKey, Guarded<K>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    objects.into_iter().map(|object| (key_of(kind, &object), object)).collect()
}

impl Fetched {
    /// The declarations of the account, told from those of the other accounts of its namespace.
    pub fn declarations(&self) -> Option<Declarations> {
        let ours =
            |entry: &Declarations| entry.account.object.metadata.uid == self.account.metadata.uid;
        self.objects.by_account().accounts.into_iter().find(ours)
    }

    /// Objects that are being deleted.
    pub fn deleted(&self) -> impl Iterator<Item = (&ObjectKey, &ObjectMeta)> {
        let people = self.teams.keys().chain(self.memberships.keys());
        let keys = people.chain(self.client_accesses.keys()).chain(self.subscriptions.keys());
        let objects = keys.filter_map(|key| Some((key, self.metadata(key)?)));
        objects.filter(|(_, metadata)| is_deleted(metadata))
    }

    /// True if the end of this account takes back what it gave: said before anybody deleted it, and
    /// still said.
    pub fn revokes(&self) -> bool {
        let account = &self.account;
        account.spec.on_teardown == OnTeardown::Revoke
            && account.spec.mode >= Mode::Manage
            && finalizers::revokes(account.meta())
    }

    /// True if the account itself is being deleted.
    pub fn ends(&self) -> bool {
        is_deleted(self.account.meta())
    }

    /// People of objects that cannot be read and are not being deleted.
    pub fn unreadable_people(&self) -> UnreadablePeople {
        let mut people = UnreadablePeople::default();
        let teams = self.teams.values().filter_map(Guarded::unreadable);
        let memberships = self.memberships.values().filter_map(Guarded::unreadable);
        for object in teams.chain(memberships) {
            if object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            match &object.people {
                People::Named(named) => {
                    people.frozen.extend(named.iter().filter_map(|a| EmailAddress::parse(a).ok()));
                }
                People::Unknown => people.unknown = true,
            }
        }
        for object in self.client_accesses.values().filter_map(Guarded::unreadable) {
            match &object.people {
                _ if object.metadata.deletion_timestamp.is_some() => {}
                People::Named(named) => {
                    people.clients.extend(named.iter().filter_map(|a| EmailAddress::parse(a).ok()));
                }
                People::Unknown => people.unknown = true,
            }
        }
        let mut subscriptions = self.subscriptions.values().filter_map(Guarded::unreadable);
        people.recipients =
            subscriptions.any(|object| object.metadata.deletion_timestamp.is_none());
        people
    }

    /// The client of an object, as far as it can be read.
    pub fn client(&self, key: &ObjectKey) -> Option<EmailAddress> {
        let address = match self.client_accesses.get(key)? {
            Guarded::Readable(access) => access.spec.client_email.clone(),
            Guarded::Unreadable(object) => match &object.people {
                People::Named(named) => named.first()?.clone(),
                People::Unknown => return None,
            },
        };
        EmailAddress::parse(&address).ok()
    }

    /// True if an object belongs to this account. One that cannot be read belongs to all accounts
    /// of its namespace.
    pub fn is_ours(&self, resolved: &Resolved, key: &ObjectKey) -> bool {
        let unreadable = match key.kind {
            OriginKind::ClientAccess => self.client_accesses.get(key).and_then(Guarded::unreadable),
            OriginKind::Team => self.teams.get(key).and_then(Guarded::unreadable),
            OriginKind::Membership => self.memberships.get(key).and_then(Guarded::unreadable),
            OriginKind::NotificationSubscription => {
                self.subscriptions.get(key).and_then(Guarded::unreadable)
            }
        };
        resolved.outcomes.contains_key(key) || unreadable.is_some()
    }

    /// True if Memberships of a Team carry our mark and are not being deleted.
    pub fn has_standing_memberships(&self, team: &ObjectKey) -> bool {
        let of_team = |membership: &Membership| {
            let named = membership.spec.team_ref.as_ref();
            named.is_some_and(|named| named.name == team.name)
                && membership.metadata.deletion_timestamp.is_none()
                && finalizers::is_marked::<Membership>(&membership.metadata)
        };
        let near = self.memberships.iter().filter(|(key, _)| key.namespace == team.namespace);
        near.filter_map(|(_, object)| object.readable()).any(|object| of_team(object))
    }

    /// Metadata of an object that declares people.
    pub fn metadata(&self, key: &ObjectKey) -> Option<&ObjectMeta> {
        match key.kind {
            OriginKind::ClientAccess => self.client_accesses.get(key).map(Resource::meta),
            OriginKind::Team => self.teams.get(key).map(Resource::meta),
            OriginKind::Membership => self.memberships.get(key).map(Resource::meta),
            OriginKind::NotificationSubscription => self.subscriptions.get(key).map(Resource::meta),
        }
    }

    /// The people of one object that is being deleted, with what their end does.
    pub fn leaving(
        &self,
        resolved: &Resolved,
        key: &ObjectKey,
    ) -> Vec<(MemberKey, DeletionPolicy)> {
        let of = |leaving: &&Leaving| {
            leaving.origin.kind == key.kind
                && leaving.origin.namespace == key.namespace
                && leaving.origin.name == key.name
        };
        let known = resolved.leaving.iter().filter(of);
        let known = known.map(|leaving| (leaving.person.clone(), leaving.deletion_policy));
        let unreadable = match key.kind {
            OriginKind::ClientAccess | OriginKind::NotificationSubscription => None,
            OriginKind::Team => self.teams.get(key).and_then(Guarded::unreadable),
            OriginKind::Membership => self.memberships.get(key).and_then(Guarded::unreadable),
        };
        let named = unreadable.into_iter().flat_map(|object| match &object.people {
            People::Named(named) => named.as_slice(),
            People::Unknown => &[],
        });
        let named = named.filter_map(|address| EmailAddress::parse(address).ok());
        known.chain(named.map(|person| (MemberKey::from(person), DeletionPolicy::Revoke))).collect()
    }
}

/// The key of an object that declares people.
pub fn key_of(kind: OriginKind, object: &impl Resource<DynamicType = ()>) -> ObjectKey {
    let Name { namespace, name } = Name::of(object.meta());
    ObjectKey { kind, namespace, name }
}
