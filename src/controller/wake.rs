//! Which work a change makes.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Resource, ResourceExt as _};

use crate::api::{
    Account, AccountClass, AccountRef, ClientAccess, Membership, MembershipSpec,
    NotificationSubscription, Team,
};
use crate::controller::cache::{Change, Name};
use crate::controller::context::{Context, Work};
use crate::controller::object::Guarded;
use crate::controller::spaces;

/// Time in which objects that are applied together arrive.
const GRACE: Duration = Duration::from_secs(1);

/// We lead from here on: all that is known is looked at.
pub fn everything(ctx: &Context) {
    ctx.queue.restart();
    let caches = &ctx.caches;
    let mut spaces = caches.accounts.all_namespaces();
    spaces.extend(caches.teams.all_namespaces());
    spaces.extend(caches.memberships.all_namespaces());
    spaces.extend(caches.client_accesses.all_namespaces());
    spaces.extend(caches.subscriptions.all_namespaces());
    spaces.iter().for_each(|space| strays(ctx, space));
    caches.accounts.all().iter().for_each(|account| wake(ctx, account));
}

/// A class changed: all accounts of the class.
pub fn class(ctx: &Context, change: &Change<AccountClass>) {
    for class in sides(change) {
        let class_name = class.meta().name.as_deref().unwrap_or_default();
        for account in ctx.caches.accounts.all() {
            if account.readable().is_some_and(|a| a.spec.class_name == class_name) {
                wake(ctx, &account);
            }
        }
    }
}

/// An account changed: itself, those that name the same account, and what may have lost or found
/// its account.
pub fn account(ctx: &Context, change: &Change<Account>) {
    for account in sides(change) {
        let name = Name::of(account.meta());
        match account.readable() {
            Some(account) => {
                spaces::of_account(ctx, account).iter().for_each(|space| strays(ctx, space));
            }
            None => strays(ctx, &name.namespace),
        }
        wake(ctx, account);
    }
    let Some(account) = sides(change).find_map(Guarded::readable) else { return };
    for other in ctx.caches.accounts.all() {
        let same = other.readable().is_some_and(|other| {
            other.spec.class_name == account.spec.class_name
                && other.spec.account_id == account.spec.account_id
        });
        if same {
            wake(ctx, &other);
        }
    }
}

/// The labels of a namespace changed: the accounts in it, and those that ask for labels.
pub fn namespace(ctx: &Context, change: &Change<Namespace>) {
    for space in sides(change) {
        wake_namespace(ctx, space.meta().name.as_deref().unwrap_or_default());
    }
    for account in ctx.caches.accounts.all() {
        if account.readable().is_some_and(|a| a.spec.allowed_namespaces.selector.is_some()) {
            wake(ctx, &account);
        }
    }
}

/// A team changed: its account, and the memberships that may have lost or found their team.
pub fn team(ctx: &Context, change: &Change<Team>) {
    for team in sides(change) {
        let namespace = team.namespace().unwrap_or_default();
        match team.readable() {
            Some(team) => wake_account(ctx, &namespace, &team.spec.account_ref),
            None => wake_namespace(ctx, &namespace),
        }
        strays(ctx, &namespace);
    }
}

/// A membership changed: the account of its team.
pub fn membership(ctx: &Context, change: &Change<Membership>) {
    for membership in sides(change) {
        let namespace = membership.namespace().unwrap_or_default();
        let Some(membership) = membership.readable() else {
            wake_namespace(ctx, &namespace);
            continue;
        };
        let MembershipSpec { team_ref, account_ref, .. } = &membership.spec;
        match (team_ref, account_ref) {
            (None, Some(account)) => wake_account(ctx, &namespace, account),
            (team, _) => wake_team(ctx, &namespace, team.as_ref().map(|team| &*team.name)),
        }
    }
}

/// Recipients of mail changed: the account of their team.
pub fn subscription(ctx: &Context, change: &Change<NotificationSubscription>) {
    for subscription in sides(change) {
        let namespace = subscription.namespace().unwrap_or_default();
        let team = subscription.readable().map(|object| &*object.spec.team_ref.name);
        wake_team(ctx, &namespace, team);
    }
}

/// A client of an agency changed: its account.
pub fn client_access(ctx: &Context, change: &Change<ClientAccess>) {
    for access in sides(change) {
        let namespace = access.namespace().unwrap_or_default();
        match access.readable() {
            Some(access) => wake_account(ctx, &namespace, &access.spec.account_ref),
            None => wake_namespace(ctx, &namespace),
        }
    }
}

/// The account of the team that an object names.
fn wake_team(ctx: &Context, namespace: &str, team: Option<&str>) {
    let team = team
        .and_then(|team| ctx.caches.teams.get(&Name::new(namespace, team))?.readable().cloned());
    match team {
        Some(team) => wake_account(ctx, namespace, &team.spec.account_ref),
        // Whom it means cannot be told, so that it holds its people wherever they are.
        None => wake_namespace(ctx, namespace),
    }
}

/// The account that an object of a namespace names.
fn wake_account(ctx: &Context, namespace: &str, reference: &AccountRef) {
    let near = reference.namespace.as_deref().is_none_or(|there| there == namespace);
    let there = reference.namespace.as_deref().unwrap_or(namespace);
    let account = Name::new(there, &*reference.name);
    match ctx.caches.accounts.get(&account) {
        Some(account) => wake(ctx, &account),
        None => wake_namespace(ctx, there),
    }
    if !near {
        strays(ctx, namespace); // It may not be allowed.
    }
}

/// One account, unless another instance keeps it.
fn wake(ctx: &Context, account: &Guarded<Account>) {
    if account.readable().is_none_or(|account| ctx.keeps(account)) {
        ctx.queue.change(&Work::Account(Name::of(account.meta())));
    }
}

/// All accounts of a namespace, and what belongs to none.
fn wake_namespace(ctx: &Context, namespace: &str) {
    strays(ctx, namespace);
    for account in ctx.caches.accounts.in_namespace(namespace) {
        wake(ctx, &account);
    }
}

/// What belongs to no account. Objects that are applied together come in any order, so that it is
/// said only of those that still belong to none a moment later.
fn strays(ctx: &Context, namespace: &str) {
    ctx.queue.change_later(&Work::Strays(namespace.to_owned()), GRACE);
}

/// The object before and after.
fn sides<K>(change: &Change<K>) -> impl Iterator<Item = &Guarded<K>> {
    change.old.iter().chain(&change.new)
}
