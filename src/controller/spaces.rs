//! Which namespaces declare something of an account.

use std::collections::{BTreeMap, BTreeSet};

use kube::{Resource as _, ResourceExt as _};

use crate::api::{Account, AccountNamespacesFrom, AccountRef, ClientAccess, Membership, Team};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::object::Guarded;
use crate::manifests::account_takes;

/// What names its account by itself; other objects name a team.
pub trait NamesAccount {
    /// The account; `None`: a team is named instead.
    fn account_ref(&self) -> Option<&AccountRef>;
}

impl NamesAccount for Team {
    fn account_ref(&self) -> Option<&AccountRef> {
        Some(&self.spec.account_ref)
    }
}

impl NamesAccount for Membership {
    fn account_ref(&self) -> Option<&AccountRef> {
        self.spec.account_ref.as_ref()
    }
}

impl NamesAccount for ClientAccess {
    fn account_ref(&self) -> Option<&AccountRef> {
        Some(&self.spec.account_ref)
    }
}

/// Labels of all namespaces that are known.
pub fn labels(ctx: &Context) -> BTreeMap<String, BTreeMap<String, String>> {
    let namespaces = ctx.caches.namespaces.all();
    let namespaces = namespaces.iter().filter_map(Guarded::readable);
    namespaces.map(|space| (space.name_any(), space.labels().clone())).collect()
}

/// The namespace of an account, those that it allows, and those with an object that names it: what it
/// allowed once may have people in it.
pub fn of_account(ctx: &Context, account: &Account) -> BTreeSet<String> {
    let own = account.namespace().unwrap_or_default();
    let caches = &ctx.caches;
    let mut spaces = caches.teams.namespaces(|team| names(account, team));
    spaces.extend(caches.memberships.namespaces(|membership| names(account, membership)));
    spaces.extend(caches.client_accesses.namespaces(|client| names(account, client)));
    if account.spec.allowed_namespaces.from != AccountNamespacesFrom::Same {
        spaces.extend(caches.namespaces.all().iter().filter_map(|space| {
            let name = space.meta().name.clone()?;
            takes(ctx, account, &name).then_some(name)
        }));
    }
    spaces.retain(|space| ctx.only.as_ref().is_none_or(|only| only == space));
    spaces.insert(own);
    spaces
}

/// Whether an object of another namespace names an account.
pub fn names(account: &Account, object: &impl NamesAccount) -> bool {
    object.account_ref().is_some_and(|reference| {
        reference.namespace == account.metadata.namespace
            && Some(&reference.name) == account.metadata.name.as_ref()
    })
}

/// Whether objects of a namespace may name an account.
pub fn takes(ctx: &Context, account: &Account, space: &str) -> bool {
    let own = account.namespace().unwrap_or_default();
    let known = ctx.caches.namespaces.get(&Name::new("", space));
    let labels = known.as_ref().and_then(Guarded::readable).map(|space| space.labels());
    account_takes(&account.spec.allowed_namespaces, &own, space, labels)
}
