//! Which objects belong to which account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::api;
use crate::api::Account;
use crate::api::AccountClass;
use crate::api::AccountRef;
use crate::api::ClientAccess;
use crate::api::Membership;
use crate::api::NameRef;
use crate::api::NotificationSubscription;
use crate::api::Team;
use crate::manifests::attach::{self, Labels};
use crate::manifests::people::address;
use crate::manifests::profiles::{self, ConfigMaps};
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::resolve::Outcome;
use crate::manifests::source::Declared;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::client_access_key;
use crate::manifests::source::membership_key;
use crate::manifests::source::namespace;
use crate::manifests::source::subscription_key;
use crate::manifests::source::team_key;
use crate::yaml::Problem;
use crate::yaml::nearest;

/// All objects that there are.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Texts of ConfigMaps, as far as a class names them or files hold them.
    pub config_maps: ConfigMaps,
    /// Labels of namespaces, as far as they are known.
    pub namespaces: BTreeMap<String, Labels>,
    /// Classes.
    pub classes: Vec<Declared<AccountClass>>,
    /// Accounts.
    pub accounts: Vec<Declared<Account>>,
    /// Teams.
    pub teams: Vec<Declared<Team>>,
    /// Memberships.
    pub memberships: Vec<Declared<Membership>>,
    /// Clients of agencies.
    pub client_accesses: Vec<Declared<ClientAccess>>,
    /// Recipients of categories of mail.
    pub subscriptions: Vec<Declared<NotificationSubscription>>,
}

/// What is declared for one account.
#[derive(Clone, Debug)]
pub struct Declarations {
    /// The class that the account names, if there is one.
    pub class: Option<Declared<AccountClass>>,
    /// Whether the class allows the namespace of the account.
    pub class_takes: bool,
    /// The account.
    pub account: Declared<Account>,
    /// Another Account object that names the same account and was there before.
    pub rival: Option<String>,
    /// Text of the ConfigMap that the class takes its profile from.
    pub profile_text: Option<String>,
    /// Its teams.
    pub teams: Vec<Declared<Team>>,
    /// Memberships of its teams.
    pub memberships: Vec<Declared<Membership>>,
    /// Its clients, if it is an agency.
    pub client_accesses: Vec<Declared<ClientAccess>>,
    /// Recipients of its categories of mail.
    pub subscriptions: Vec<Declared<NotificationSubscription>>,
    /// Teams whose account does not exist, or does not allow them. It cannot be known whom they
    /// meant, so their people are left as they are.
    pub stray_teams: Vec<Declared<Team>>,
    /// Memberships without a place; likewise.
    pub stray_memberships: Vec<Declared<Membership>>,
    /// ClientAccesses without a place; likewise.
    pub stray_client_accesses: Vec<Declared<ClientAccess>>,
    /// NotificationSubscriptions without a place: of their categories nobody loses anything.
    pub stray_subscriptions: Vec<Declared<NotificationSubscription>>,
    /// Strays that another account was meant by, or that are not allowed here: they keep only whom
    /// they declared here before, so that nobody elsewhere decides about our people.
    pub distant: BTreeSet<ObjectKey>,
}

/// Objects by account, and those that belong to none.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// One entry an account, by namespace and name.
    pub accounts: Vec<Declarations>,
    /// Objects that belong to no account, and why.
    pub strays: BTreeMap<ObjectKey, Outcome>,
    /// The same as problems.
    pub problems: Vec<Problem>,
}

/// Where an object belongs.
#[derive(Clone)]
struct Place {
    /// Namespace of the account that is meant.
    meant: String,
    /// The account by namespace and name, or why nowhere.
    account: Result<(String, String), Rejection>,
}

/// Accounts by namespace and name.
type Accounts = BTreeMap<(String, String), Declarations>;

/// Teams by namespace and name, each with its place.
type Teams<'a> = BTreeMap<(String, String), (&'a Declared<Team>, Place)>;

impl Objects {
    /// Puts every object to its account.
    ///
    /// A Team or Membership that is being deleted goes with its account like any other. Time
    /// O(n log n).
    #[must_use]
    pub fn by_account(&self) -> Sorted {
        let mut sorted = Sorted::default();
        let mut accounts = self.accounts();
        let place = |team: &Declared<Team>| {
            self.account_place(&namespace(&*team.object), &team.object.spec.account_ref, &accounts)
        };
        let teams: Teams<'_> =
            self.teams.iter().map(|team| (id(&*team.object), (team, place(team)))).collect();
        for (team, place) in teams.values() {
            let of = (*team, team_key(&team.object));
            let lists: Lists<_> = |of| [&mut of.teams, &mut of.stray_teams];
            self.sort(of, place, Vec::new(), lists, &mut accounts, &mut sorted);
        }
        for membership in &self.memberships {
            let place = self.membership_place(membership, &teams, &accounts);
            let of = (membership, membership_key(&membership.object));
            let lists: Lists<_> = |of| [&mut of.memberships, &mut of.stray_memberships];
            let more = wrong_address(&membership.object);
            self.sort(of, &place, more, lists, &mut accounts, &mut sorted);
        }
        for subscription in &self.subscriptions {
            let object = &*subscription.object;
            let place = place_of_team(object, &object.spec.team_ref, &teams);
            let of = (subscription, subscription_key(object));
            let lists: Lists<_> = |of| [&mut of.subscriptions, &mut of.stray_subscriptions];
            self.sort(of, &place, Vec::new(), lists, &mut accounts, &mut sorted);
        }
        for access in &self.client_accesses {
            let object = &*access.object;
            let place = self.account_place(&namespace(object), &object.spec.account_ref, &accounts);
            let of = (access, client_access_key(object));
            let lists: Lists<_> = |of| [&mut of.client_accesses, &mut of.stray_client_accesses];
            self.sort(of, &place, Vec::new(), lists, &mut accounts, &mut sorted);
        }
        sorted.accounts = accounts.into_values().collect();
        sorted
    }

    /// Every account by namespace and name, with its class and still without people.
    fn accounts(&self) -> Accounts {
        let classes: BTreeMap<String, &Declared<AccountClass>> =
            self.classes.iter().map(|class| (class.object.name_any(), class)).collect();
        let first = self.first_accounts();
        let declarations = self.accounts.iter().map(|account| {
            let class = classes.get(&account.object.spec.class_name).map(|class| (*class).clone());
            let (space, _) = id(&*account.object);
            let takes = class.as_ref().is_none_or(|class| {
                let allowed = &class.object.spec.allowed_namespaces;
                attach::class_takes(allowed, &space, self.namespaces.get(&space))
            });
            let text = class.as_ref().and_then(|c| profiles::text(&c.object, &self.config_maps));
            Declarations {
                class,
                profile_text: text,
                class_takes: takes,
                account: account.clone(),
                rival: first
                    .get(&same_account(account))
                    .map(|first| id(&*first.object))
                    .filter(|first| *first != id(&*account.object))
                    .map(|(space, name)| format!("Account {space}/{name}")),
                teams: Vec::new(),
                memberships: Vec::new(),
                client_accesses: Vec::new(),
                subscriptions: Vec::new(),
                stray_teams: Vec::new(),
                stray_memberships: Vec::new(),
                stray_client_accesses: Vec::new(),
                stray_subscriptions: Vec::new(),
                distant: BTreeSet::new(),
            }
        });
        declarations.map(|entry| (id(&*entry.account.object), entry)).collect()
    }

    /// Whether objects of a namespace may name an account.
    fn takes(&self, account: &api::Account, space: &str) -> bool {
        let allowed = &account.spec.allowed_namespaces;
        attach::account_takes(allowed, &namespace(account), space, self.namespaces.get(space))
    }

    /// Finds the account that an object of namespace `space` names.
    fn account_place(&self, space: &str, reference: &AccountRef, accounts: &Accounts) -> Place {
        let meant = reference.namespace.clone().unwrap_or_else(|| space.to_owned());
        let wanted = (meant.clone(), reference.name.clone());
        let found = accounts.get(&wanted);
        let account = if found.is_some_and(|found| self.takes(&found.account.object, space)) {
            Ok(wanted)
        } else if meant == space {
            let near = accounts.keys().filter(|(space, _)| *space == wanted.0);
            let known = near.map(|(_, name)| &**name);
            Err(not_found("/spec/accountRef/name", "Account", &wanted, known))
        } else {
            Err(self.not_allowed(space, &wanted))
        };
        Place { meant, account }
    }

    /// A reference to an account of another namespace that is not there, or does not allow it: which
    /// of the two, a stranger is not told.
    fn not_allowed(&self, space: &str, (there, name): &(String, String)) -> Rejection {
        let message = format!(
            "there is no Account `{name}` in namespace `{there}` that allows namespace `{space}`"
        );
        let unknown = !self.namespaces.contains_key(space);
        let hint = if unknown && self.accounts.iter().any(|a| asks_for_labels(&a.object)) {
            format!("correct it, or give the manifest of Namespace `{space}` too, with its labels")
        } else {
            format!("correct it, or let the Account allow `{space}` in spec.allowedNamespaces")
        };
        Rejection::new(Reason::NotAllowedHere, "/spec/accountRef", message, hint)
    }

    /// Finds the account of a membership.
    fn membership_place(
        &self,
        membership: &Declared<Membership>,
        teams: &Teams<'_>,
        accounts: &Accounts,
    ) -> Place {
        let (object, spec) = (&*membership.object, &membership.object.spec);
        match (&spec.team_ref, &spec.account_ref) {
            (Some(team), _) => place_of_team(object, team, teams),
            (None, Some(account)) => self.account_place(&namespace(object), account, accounts),
            (None, None) => Place { meant: namespace(object), account: Err(no_reference()) },
        }
    }

    /// Puts an object to its account, or to every account as a stray; `more` is what else is wrong
    /// with a stray.
    fn sort<T>(
        &self,
        (object, key): (&Declared<T>, ObjectKey),
        place: &Place,
        more: Vec<Rejection>,
        lists: Lists<T>,
        accounts: &mut Accounts,
        sorted: &mut Sorted,
    ) {
        let wrong = match &place.account {
            Ok(name) => {
                if let Some(account) = accounts.get_mut(name) {
                    let [own, _] = lists(account);
                    own.push(object.clone());
                }
                return;
            }
            Err(wrong) => std::iter::once(wrong.clone()).chain(more).collect::<Vec<_>>(),
        };
        sorted.problems.extend(wrong.iter().map(|wrong| object.problem(&key, wrong)));
        for ((space, _), account) in accounts.iter_mut() {
            if *space != place.meant || !self.takes(&account.account.object, &key.namespace) {
                account.distant.insert(key.clone());
            }
            let [_, strays] = lists(account);
            strays.push(object.clone());
        }
        sorted.strays.insert(key, Outcome::with(wrong));
    }
}

impl Declarations {
    /// All of it as if it had been deleted with its account at `at`: nothing is declared any more, and
    /// each `deletionPolicy` says what becomes of people.
    pub fn end(&mut self, at: &Time) {
        self.teams.iter_mut().for_each(|team| mark(team, at));
        self.memberships.iter_mut().for_each(|membership| mark(membership, at));
        self.client_accesses.iter_mut().for_each(|access| mark(access, at));
        self.subscriptions.iter_mut().for_each(|subscription| mark(subscription, at));
    }
}

fn mark<T: kube::Resource + Clone>(declared: &mut Declared<T>, at: &Time) {
    let object = Arc::make_mut(&mut declared.object);
    object.meta_mut().deletion_timestamp.get_or_insert_with(|| at.clone());
}

/// Whether the labels of namespaces decide who may name an account.
fn asks_for_labels(account: &api::Account) -> bool {
    let selector = account.spec.allowed_namespaces.selector.as_ref();
    selector.is_some_and(|selector| !attach::asks_for_name_only(selector))
}

impl Objects {
    /// For each account at a service, the object that names it since longest; ties by name.
    fn first_accounts(&self) -> BTreeMap<(&str, &str), &Declared<Account>> {
        let age = |account: &Declared<Account>| {
            let created = account.object.metadata.creation_timestamp.clone();
            (created.is_none(), created, id(&*account.object))
        };
        let mut first: BTreeMap<(&str, &str), &Declared<Account>> = BTreeMap::new();
        for account in &self.accounts {
            let entry = first.entry(same_account(account)).or_insert(account);
            if age(account) < age(entry) {
                *entry = account;
            }
        }
        first
    }
}

/// What two Account objects must not share: the class and the id there.
fn same_account(account: &Declared<Account>) -> (&str, &str) {
    (&account.object.spec.class_name, &account.object.spec.account_id)
}

/// Namespace and name of an object.
fn id(object: &impl kube::Resource) -> (String, String) {
    (namespace(object), object.name_any())
}

/// Finds the account of the team that an object names.
fn place_of_team(object: &impl kube::Resource, team: &NameRef, teams: &Teams<'_>) -> Place {
    let wanted = (namespace(object), team.name.clone());
    match teams.get(&wanted) {
        Some((_, place)) => {
            let refused = |_| {
                Rejection::new(
                    Reason::ParentNotAccepted,
                    "/spec/teamRef/name",
                    format!("Team `{}` belongs to no Account", wanted.1),
                    "correct the Team's accountRef",
                )
            };
            Place { meant: place.meant.clone(), account: place.account.clone().map_err(refused) }
        }
        None => {
            let known =
                teams.keys().filter(|(space, _)| *space == wanted.0).map(|(_, name)| &**name);
            let wrong = not_found("/spec/teamRef/name", "Team", &wanted, known);
            Place { meant: wanted.0, account: Err(wrong) }
        }
    }
}

/// The schema asks for one; whoever wrote this went round it.
fn no_reference() -> Rejection {
    let message = "needs exactly one of teamRef and accountRef";
    Rejection::new(Reason::InvalidSpec, "/spec", message, "name the Team or the Account")
}

/// A reference to nothing.
pub fn not_found<'a>(
    pointer: &str,
    kind: &str,
    (space, name): &(String, String),
    known: impl Iterator<Item = &'a str>,
) -> Rejection {
    let hint = match nearest(name, known) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("make that {kind}, or name one of this namespace"),
    };
    let message = format!("there is no {kind} `{name}` in namespace `{space}`");
    Rejection::new(Reason::NotFound, pointer, message, hint)
}

/// Where the objects of one kind stand in an account: those that belong to it, and the strays.
type Lists<T> = for<'a> fn(&'a mut Declarations) -> [&'a mut Vec<Declared<T>>; 2];

/// What else is wrong with a membership that has no place: its address.
fn wrong_address(membership: &Membership) -> Vec<Rejection> {
    address(&membership.spec.email, "/spec/email".to_owned()).err().into_iter().collect()
}
