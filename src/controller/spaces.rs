//! Which namespaces declare something of an account.

use std::collections::{BTreeMap, BTreeSet};

use kube::{Resource as _, ResourceExt as _};

use crate::api::{Account, AccountNamespacesFrom, AccountRef};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::object::Guarded;
use crate::manifests::account_takes;

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
    let mut spaces = caches.teams.namespaces(|team| names(account, Some(&team.spec.account_ref)));
    spaces.extend(caches.memberships.namespaces(|m| names(account, m.spec.account_ref.as_ref())));
    spaces.extend(caches.client_accesses.namespaces(|c| names(account, Some(&c.spec.account_ref))));
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
pub fn names(account: &Account, reference: Option<&AccountRef>) -> bool {
    reference.is_some_and(|reference| {
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
