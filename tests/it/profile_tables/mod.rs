//! The tables of the products' rules, cell by cell, against what the profiles grant.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod catalogue;
mod digitalocean;
mod nitropack;
mod portal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use seatkeeper::domain::keys::RoleName;
use seatkeeper::domain::observed::SeatLimit;
use seatkeeper::profile::{
    Addressee, Cancellation, Counted, KnownUser, LimitFrom, Notes, Notice, OnShrink, OverLimit,
    OwnershipChange, PermissionKind, Pool, Profile, Reach, Role, Scope, SecureSignInBy,
    ServicePermission, TeamRules, TeamState, TeamSubscription, Teams, Topic, Unit, WhenFull, Word,
    built_in, built_in_names, reaches,
};

const PRODUCTS: [&str; 5] = ["nitropack", "digitalocean", "portal", "catalogue", "generic"];

fn profile(name: &str) -> Arc<Profile> {
    built_in(name).unwrap()
}

fn role(profile: &Profile, name: &str) -> Role {
    profile.role(&RoleName::from(name)).unwrap().clone()
}

/// Cells of a table, rows sorted so that they compare whatever their order.
fn rows(table: &str) -> Vec<String> {
    let cells = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = table.lines().map(cells).filter(|line| !line.is_empty());
    let head = lines.next().unwrap();
    let mut rows: Vec<String> = lines.collect();
    rows.sort();
    rows.insert(0, head);
    rows
}

/// Compares every permission that there is, the product's and the service's, with a table:
/// permission, kind, and `x` for each role that has it. Roles stand in the order of their rank.
#[track_caller]
fn check_grants(name: &str, table: &str) {
    let profile = profile(name);
    let names = |role: &Role| role.name.to_string();
    let mut actual = format!(
        "permission kind {}",
        profile.roles.iter().map(names).collect::<Vec<_>>().join(" ")
    );
    let of_service = ServicePermission::ALL.map(ServicePermission::as_str);
    let all: BTreeSet<&str> =
        profile.permissions.keys().map(String::as_str).chain(of_service).collect();
    for permission in all {
        let kind = profile.permission_kind(permission).unwrap().word();
        let cell = |role: &Role| if profile.permits(&role.name, permission) { "x" } else { "-" };
        let cells: Vec<&str> = profile.roles.iter().map(cell).collect();
        actual += &format!("\n{permission} {kind} {}", cells.join(" "));
    }
    assert_eq!(rows(&actual), rows(table));
}

/// Compares who may act on whom with a table of actors (rows) and targets (columns): `i` invites to
/// the role, `g` gives it to a member, `t` takes it from a member for another, `r` removes who
/// holds it, `-` nothing. Giving is possible only where the old role can be taken.
#[track_caller]
fn check_reach(name: &str, table: &str) {
    let profile = profile(name);
    let mut actual = "actor".to_owned();
    profile.roles.iter().for_each(|role| actual += &format!(" {}", role.name));
    for actor in &profile.roles {
        let cells: Vec<String> =
            profile.roles.iter().map(|target| acts(&profile, actor, target)).collect();
        actual += &format!("\n{} {}", actor.name, cells.join(" "));
    }
    assert_eq!(rows(&actual), rows(table));
}

/// What one role may do to another.
fn acts(profile: &Profile, actor: &Role, target: &Role) -> String {
    let manage = &profile.manage;
    let may = |verb: &BTreeMap<RoleName, Reach>, permission| {
        let may = profile.permits_service(&actor.name, permission);
        may && reaches(profile, verb, &actor.name, &target.name)
    };
    let invites = may(&manage.invite, ServicePermission::MembersInvite);
    let changes = may(&manage.change, ServicePermission::MembersChange);
    let removes = may(&manage.remove, ServicePermission::MembersRemove);
    let letters = [
        ('i', invites && target.invitable),
        ('g', changes && target.invitable && !target.immutable),
        ('t', changes && !target.immutable),
        ('r', removes && target.removable),
    ];
    let cell: String = letters.iter().filter(|(_, may)| *may).map(|(letter, _)| letter).collect();
    if cell.is_empty() { "-".to_owned() } else { cell }
}

/// Plans with seats, lowest tier first.
fn plans(profile: &Profile) -> Vec<(String, Option<u32>, bool)> {
    let seats = |limit| match limit {
        SeatLimit::Seats(seats) => Some(seats),
        SeatLimit::Unlimited => None,
    };
    profile.plans.iter().map(|p| (p.name.to_string(), seats(p.seats), p.paid)).collect()
}

fn plan(name: &str, seats: impl Into<Option<u32>>, paid: bool) -> (String, Option<u32>, bool) {
    (name.to_owned(), seats.into(), paid)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_product_has_its_tables_here() {
    assert_eq!(BTreeSet::from(PRODUCTS), built_in_names().iter().copied().collect());
}

// part of DO-06, X13
#[test]
fn secure_sign_in_can_be_required_where_the_product_knows_it() {
    let both = BTreeSet::from([SecureSignInBy::Invitation, SecureSignInBy::Settings]);
    assert_eq!(profile("digitalocean").secure_sign_in, both);
    assert_eq!(profile("generic").secure_sign_in, BTreeSet::from([SecureSignInBy::Settings]));
    for other in ["nitropack", "portal", "catalogue"] {
        assert!(profile(other).secure_sign_in.is_empty(), "{other}");
    }
    assert!(profile("digitalocean").tells_person(Notice::SecureSignInRequired));
}

#[test]
fn generic_grants_what_its_table_says() {
    check_grants(
        "generic",
        "
        permission            kind     owner  admin  member
        product.use           write    x      x      x
        members.read          read     x      x      x
        members.invite        write    x      x      -
        members.change        write    x      x      -
        members.remove        remove   x      x      -
        teams.edit            write    x      x      -
        audit.read            read     x      x      -
        recipients.manage     write    x      x      -
        members.suggest       write    x      -      -
        sign-in-methods.read  read     x      -      -
        subscriptions.manage  billing  x      -      -
        domains.manage        write    x      -      -
        tokens.manage         write    x      -      -
        clients.use           write    x      -      -
        account.manage        write    x      -      -
        ",
    );
    check_reach(
        "generic",
        "
        actor   owner  admin  member
        owner   tr     igtr   igtr
        admin   -      -      igtr
        member  -      -      -
        ",
    );
    assert_eq!(plans(&profile("generic")), [plan("none", None, false)]);
}

// part of PO-04, CT-07, X3, DO-09
#[test]
fn every_product_says_how_owners_come_to_be_and_how_many() {
    let former = |name: &str| OwnershipChange::Move { former_becomes: name.into() };
    let table = [
        ("nitropack", "owner", None, Some(1), false),
        ("digitalocean", "owner", Some(OwnershipChange::Add), None, true),
        ("portal", "owner", Some(former("admin")), Some(1), false),
        ("catalogue", "company-admin", Some(OwnershipChange::Add), None, false),
        ("generic", "owner", Some(OwnershipChange::Add), None, true),
    ];
    for (name, opens, change, most, removable) in table {
        let profile = profile(name);
        let owner = profile.opening_role().unwrap();
        assert_eq!((owner.name.as_str(), &owner.ownership_change), (opens, &change), "{name}");
        assert_eq!((owner.min_holders, owner.max_holders), (1, most), "{name}");
        assert_eq!((owner.removable, owner.invitable, owner.protected), (removable, false, true));
        for other in &profile.roles[1..] {
            assert!(!other.opens_account && other.ownership_change.is_none(), "{}", other.name);
            assert!(other.invitable && other.removable && !other.immutable, "{}", other.name);
            assert_eq!((other.min_holders, other.max_holders), (0, None), "{}", other.name);
        }
    }
}

#[test]
fn protected_are_the_roles_that_act_on_others_but_team_admins() {
    let table = [
        ("nitropack", &["owner", "admin"][..]),
        ("digitalocean", &["owner"]),
        ("portal", &["owner", "admin"]),
        ("catalogue", &["company-admin"]),
        ("generic", &["owner", "admin"]),
    ];
    for (name, protected) in table {
        let profile = profile(name);
        let actual = profile.roles.iter().filter(|role| role.protected);
        assert_eq!(actual.map(|role| role.name.as_str()).collect::<Vec<_>>(), protected, "{name}");
    }
}

// part of CT-05, CT-11, DO-07, PO-03, X15
#[test]
fn every_product_invites_as_its_row_says() {
    let mut actual = "product lifetime known resend bulk role-while-pending".to_owned();
    for name in PRODUCTS {
        let rules = profile(name).invitations.clone();
        let days = rules.lifetime.as_secs() / (24 * 3600);
        assert_eq!(rules.lifetime, Duration::from_secs(days * 24 * 3600));
        let (known, resend) = (rules.known_user.word(), rules.resend.word());
        let (bulk, pending) = (rules.bulk.word(), rules.role_while_pending.word());
        actual += &format!("\n{name} {days}d {known} {resend} {bulk} {pending}");
    }
    let table = "
        product       lifetime  known       resend    bulk       role-while-pending
        nitropack     30d       mustAccept  sameLink  none       onPage
        digitalocean  30d       mustAccept  sameLink  addresses  apiOnly
        portal        7d        mustAccept  sameLink  lines      apiOnly
        catalogue     7d        addAtOnce   newLink   none       apiOnly
        generic       30d       mustAccept  sameLink  addresses  onPage
    ";
    assert_eq!(rows(&actual), rows(table));
    assert_eq!(profile("catalogue").invitations.known_user, KnownUser::AddAtOnce);
}
