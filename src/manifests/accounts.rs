//! Which objects belong to which account.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use crate::api::Account;
use crate::api::AccountClass;
use crate::api::ClientAccess;
use crate::api::Membership;
use crate::api::NameRef;
use crate::api::NotificationSubscription;
use crate::api::Team;
use crate::manifests::people::address;
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
    /// The account.
    pub account: Declared<Account>,
    /// Another Account object that names the same account and was there before.
    pub rival: Option<String>,
    /// Its teams.
    pub teams: Vec<Declared<Team>>,
    /// Memberships of its teams.
    pub memberships: Vec<Declared<Membership>>,
    /// Its clients, if it is an agency.
    pub client_accesses: Vec<Declared<ClientAccess>>,
    /// Recipients of its categories of mail.
    pub subscriptions: Vec<Declared<NotificationSubscription>>,
    /// Teams of the namespace whose account does not exist. It cannot be known whom they meant, so
    /// their people are left as they are.
    pub stray_teams: Vec<Declared<Team>>,
    /// Memberships of the namespace whose team or its account does not exist; likewise.
    pub stray_memberships: Vec<Declared<Membership>>,
    /// NotificationSubscriptions of the namespace whose team or its account does not exist: of their
    /// categories nobody loses anything.
    pub stray_subscriptions: Vec<Declared<NotificationSubscription>>,
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

/// Where an object belongs: the account by namespace and name, or why nowhere.
type Place = Result<(String, String), Rejection>;

impl Objects {
    /// Puts every object to its account.
    ///
    /// A Team or Membership that is being deleted goes with its account like any other. Time
    /// O(n log n).
    #[must_use]
    pub fn by_account(&self) -> Sorted {
        let mut sorted = Sorted::default();
        let mut accounts = self.accounts();
        let teams: BTreeMap<(String, String), (&Declared<Team>, Place)> = self
            .teams
            .iter()
            .map(|team| (id(&*team.object), (team, team_place(team, &accounts))))
            .collect();
        for (team, place) in teams.values() {
            let of = (*team, team_key(&team.object));
            let place = place.as_ref().map_err(|wrong| vec![wrong.clone()]);
            sort(of, place, |of| [&mut of.teams, &mut of.stray_teams], &mut accounts, &mut sorted);
        }
        for membership in &self.memberships {
            let place = membership_place(membership, &teams, &accounts);
            let of = (membership, membership_key(&membership.object));
            let place = place.map_err(|wrong| wrong_membership(&membership.object, wrong));
            let lists: Lists<_> = |of| [&mut of.memberships, &mut of.stray_memberships];
            sort(of, place.as_ref().map_err(Clone::clone), lists, &mut accounts, &mut sorted);
        }
        for subscription in &self.subscriptions {
            let object = &*subscription.object;
            let place = place_of_team(object, &object.spec.team_ref, &teams);
            let of = (subscription, subscription_key(object));
            let place = place.as_ref().map_err(|wrong| vec![wrong.clone()]);
            let lists: Lists<_> = |of| [&mut of.subscriptions, &mut of.stray_subscriptions];
            sort(of, place, lists, &mut accounts, &mut sorted);
        }
        for access in &self.client_accesses {
            sort_client_access(access, &mut accounts, &mut sorted);
        }
        sorted.accounts = accounts.into_values().collect();
        sorted
    }

    /// Every account by namespace and name, with its class and still without people.
    fn accounts(&self) -> BTreeMap<(String, String), Declarations> {
        let classes: BTreeMap<String, &Declared<AccountClass>> =
            self.classes.iter().map(|class| (class.object.name_any(), class)).collect();
        let first = self.first_accounts();
        let declarations = self.accounts.iter().map(|account| Declarations {
            class: classes.get(&account.object.spec.class_name).map(|class| (*class).clone()),
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
            stray_subscriptions: Vec::new(),
        });
        declarations.map(|entry| (id(&*entry.account.object), entry)).collect()
    }
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

/// Finds the account of a team.
fn team_place(team: &Declared<Team>, accounts: &BTreeMap<(String, String), Declarations>) -> Place {
    account_place(namespace(&*team.object), &team.object.spec.account_ref.name, accounts)
}

/// Finds an account by its name.
fn account_place(
    space: String,
    name: &str,
    accounts: &BTreeMap<(String, String), Declarations>,
) -> Place {
    let wanted = (space, name.to_owned());
    if accounts.contains_key(&wanted) {
        return Ok(wanted);
    }
    let known = accounts.keys().filter(|(space, _)| *space == wanted.0).map(|(_, name)| &**name);
    Err(not_found("/spec/accountRef/name", "Account", &wanted, known))
}

/// Finds the account of a membership.
fn membership_place(
    membership: &Declared<Membership>,
    teams: &BTreeMap<(String, String), (&Declared<Team>, Place)>,
    accounts: &BTreeMap<(String, String), Declarations>,
) -> Place {
    let (object, spec) = (&*membership.object, &membership.object.spec);
    match (&spec.team_ref, &spec.account_ref) {
        (Some(team), _) => place_of_team(object, team, teams),
        (None, Some(account)) => account_place(namespace(object), &account.name, accounts),
        (None, None) => Err(no_reference()),
    }
}

/// Finds the account of the team that an object names.
fn place_of_team(
    object: &impl kube::Resource,
    team: &NameRef,
    teams: &BTreeMap<(String, String), (&Declared<Team>, Place)>,
) -> Place {
    let wanted = (namespace(object), team.name.clone());
    match teams.get(&wanted) {
        Some((_, Ok(place))) => Ok(place.clone()),
        Some((_, Err(_))) => Err(Rejection::new(
            Reason::ParentNotAccepted,
            "/spec/teamRef/name",
            format!("Team `{}` names an Account that does not exist", wanted.1),
            "correct the Team's accountRef, or make that Account",
        )),
        None => {
            let known =
                teams.keys().filter(|(space, _)| *space == wanted.0).map(|(_, name)| &**name);
            Err(not_found("/spec/teamRef/name", "Team", &wanted, known))
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

/// Puts an object to its account, or to every account of its namespace as a stray: `place` is the
/// account, or everything that is wrong.
fn sort<T>(
    (object, key): (&Declared<T>, ObjectKey),
    place: Result<&(String, String), Vec<Rejection>>,
    lists: Lists<T>,
    accounts: &mut BTreeMap<(String, String), Declarations>,
    sorted: &mut Sorted,
) {
    match place {
        Ok(place) => {
            if let Some(account) = accounts.get_mut(place) {
                let [own, _] = lists(account);
                own.push(object.clone());
            }
        }
        Err(wrong) => {
            sorted.problems.extend(wrong.iter().map(|wrong| object.problem(&key, wrong)));
            for (_, account) in accounts.iter_mut().filter(|((s, _), _)| *s == key.namespace) {
                let [_, strays] = lists(account);
                strays.push(object.clone());
            }
            sorted.strays.insert(key, Outcome::with(wrong));
        }
    }
}

/// What is wrong with a membership that has no place: that, and its address.
fn wrong_membership(membership: &Membership, rejection: Rejection) -> Vec<Rejection> {
    let wrong = address(&membership.spec.email, "/spec/email".to_owned()).err();
    std::iter::once(rejection).chain(wrong).collect()
}

/// Puts a client to its account, or among the strays.
fn sort_client_access(
    access: &Declared<ClientAccess>,
    accounts: &mut BTreeMap<(String, String), Declarations>,
    sorted: &mut Sorted,
) {
    let space = namespace(&*access.object);
    match account_place(space, &access.object.spec.account_ref.name, accounts) {
        Ok(place) => {
            if let Some(account) = accounts.get_mut(&place) {
                account.client_accesses.push(access.clone());
            }
        }
        Err(rejection) => {
            let key = client_access_key(&access.object);
            sorted.problems.push(access.problem(&key, &rejection));
            sorted.strays.insert(key, Outcome::with(vec![rejection]));
        }
    }
}
