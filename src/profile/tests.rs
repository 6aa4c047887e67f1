//! The files that come with the program, compared with the tables of the products' rules.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::observed::SeatLimit;
use crate::profile::summary::check_built_in;

fn profile(name: &str) -> Arc<Profile> {
    built_in(name).unwrap()
}

fn role(name: &str) -> RoleName {
    RoleName::from(name)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Who reaches whom by a verb, as `actor>target`, in the order of the file.
fn reach(profile: &Profile, verb: &BTreeMap<RoleName, Reach>) -> String {
    let mut pairs = Vec::new();
    for actor in &profile.roles {
        for target in &profile.roles {
            if reaches(profile, verb, &actor.name, &target.name) {
                pairs.push(format!("{}>{}", actor.name, target.name));
            }
        }
    }
    pairs.join(" ")
}

/// A table of roles (rows) and permissions (columns): `x` where the role has the permission.
fn table(profile: &Profile, permissions: &[&str]) -> Vec<String> {
    let row = |role: &Role| {
        let has =
            |permission: &&str| if profile.permits(&role.name, permission) { 'x' } else { '-' };
        format!("{} {}", role.name, permissions.iter().map(has).collect::<String>())
    };
    profile.roles.iter().map(row).collect()
}

#[test]
fn every_profile_that_comes_with_the_program_is_right() {
    for name in built_in_names() {
        let (problems, summary) = check_built_in(name).unwrap();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [""; 0], "{name}");
        assert!(summary.starts_with(&format!("{name} (")), "{summary}");
        assert_eq!(profile(name).name, *name);
    }
    assert_eq!(built_in_names().len(), 5);
    assert!(built_in("nitro").is_none() && check_built_in("nitro").is_none());
}

#[test]
fn every_file_of_the_folder_comes_with_the_program() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<String> =
        files.map(|f| f.to_string_lossy().trim_end_matches(".yaml").to_owned()).collect();
    assert_eq!(names, set(built_in_names()));
}

#[test]
fn the_summary_tells_roles_plans_and_seats() {
    let (_, summary) = check_built_in("nitropack").unwrap();
    let (text, digest) = summary.split_once("digest: ").unwrap();
    assert_eq!(
        text,
        "\
nitropack (NitroPack), one team per account
roles, highest first:
  0  owner      exactly 1, protected, not by invitation, not removable, invites lower, changes lower, removes lower
  1  admin      protected, invites own and lower, changes own and lower, removes own and lower
  2  developer  acts on nobody
  3  biller     acts on nobody
plans, lowest tier first:
  none      1 seat, not paid
  free      1 seat, not paid
  business  1 seat
  growth    3 seats
  scale     10 seats
  custom    unlimited
seats: active, pending, clientAccess count one each; a shrinking limit trims the latest-added
"
    );
    assert_eq!(digest.trim_end(), profile("nitropack").digest);
    assert_eq!(digest.trim_end().len(), 16);
}

// rule: NP-02
#[test]
fn nitropack_has_billers_developers_and_admins() {
    let nitropack = profile("nitropack");
    let permissions = |name: &str| nitropack.role(&role(name)).unwrap().permissions.clone();
    let biller = set(&["invoices.read", "billing.manage", "subscriptions.manage"]);
    assert_eq!(permissions("biller"), biller);
    let developer = ["dashboard.view", "analytics.read", "integrations.manage", "settings.tune"];
    assert_eq!(permissions("developer"), set(&developer));
    for permission in nitropack.permissions.keys() {
        assert!(nitropack.permits(&role("admin"), permission), "admin lacks {permission}");
    }
    for permission in ServicePermission::ALL {
        assert!(nitropack.permits_service(&role("admin"), permission), "admin lacks {permission}");
        assert!(!nitropack.permits_service(&role("developer"), permission), "{permission}");
    }
    let everybody = "owner>admin owner>developer owner>biller \
                     admin>admin admin>developer admin>biller";
    for verb in [&nitropack.manage.invite, &nitropack.manage.change, &nitropack.manage.remove] {
        assert_eq!(reach(&nitropack, verb), everybody);
    }
    let menu: Vec<&str> = nitropack.menu.iter().map(|entry| entry.title.as_str()).collect();
    let order = ["Dashboard", "Analytics", "Websites", "Integrations", "Settings"];
    assert_eq!(menu, [&order[..], &["Invoices", "Billing", "Team", "Clients", "Account"]].concat());
    let biller = nitropack.role(&role("biller")).unwrap();
    assert_eq!(biller.receives, set(&["billing"]));
}

// rule: NP-03
#[test]
fn nitropack_limits_members_by_plan_and_the_owner_is_none_of_them() {
    let nitropack = profile("nitropack");
    let plans: Vec<(&str, SeatLimit)> =
        nitropack.plans.iter().map(|plan| (plan.name.as_str(), plan.seats)).collect();
    let seats = SeatLimit::Seats;
    let rule = [
        ("none", seats(1)),
        ("free", seats(1)),
        ("business", seats(1)),
        ("growth", seats(3)),
        ("scale", seats(10)),
        ("custom", SeatLimit::Unlimited),
    ];
    assert_eq!(plans, rule);
    assert!(!nitropack.counts(Counted::Owner) && !nitropack.counts(Counted::OwnerInTeam));
    let counted = [Counted::Active, Counted::Pending, Counted::ClientAccess];
    assert_eq!(nitropack.seats.counts, BTreeSet::from(counted));
    assert_eq!(nitropack.without_subscription().unwrap().seats, seats(1));
}

#[test]
fn nitropack_is_as_its_column_says() {
    let nitropack = profile("nitropack");
    assert_eq!(nitropack.teams, Teams::One);
    let owner = nitropack.opening_role().unwrap();
    assert_eq!((owner.name.as_str(), owner.min_holders, owner.max_holders), ("owner", 1, Some(1)));
    assert!(!owner.invitable && owner.ownership_change.is_none());
    assert_eq!(nitropack.seats.pool, Pool::Account);
    assert_eq!(nitropack.seats.limit, LimitFrom::HighestTier);
    assert_eq!(nitropack.seats.on_shrink, OnShrink::TrimLatestAdded);
    assert_eq!(nitropack.cancellation, Cancellation::LastPaidAtPeriodEndThenDisable);
    let InvitationRules { lifetime, resend, known_user, bulk, role_while_pending } =
        nitropack.invitations.clone();
    assert_eq!(lifetime, Duration::from_secs(30 * 24 * 3600));
    assert_eq!((resend, known_user), (ResendLink::SameLink, KnownUser::MustAccept));
    assert_eq!((bulk, role_while_pending), (Bulk::None, RoleWhilePending::OnPage));
    assert!(nitropack.secure_sign_in.is_empty() && nitropack.auto_join.is_none());
    let access = nitropack.client_access.as_ref().unwrap();
    assert_eq!(access.roles, ["admin", "developer", "biller"].map(role).into());
    let categories: Vec<(&str, Topic)> =
        nitropack.categories.iter().map(|c| (c.name.as_str(), c.about)).collect();
    let topics = [Topic::Billing, Topic::Usage, Topic::Websites];
    assert_eq!(
        categories,
        ["billing", "usage", "website-status"].into_iter().zip(topics).collect::<Vec<_>>()
    );
    assert!(nitropack.categories.iter().all(|category| category.open_to.len() == 4));
    assert_eq!(nitropack.notes, Notes::AuthorOnly);
    assert!(nitropack.notify.is_empty());
    assert_eq!(nitropack.meters[0].warn_at_percent, BTreeSet::from([80, 100]));
}

#[test]
fn digitalocean_has_six_roles_over_three_areas() {
    let digitalocean = profile("digitalocean");
    let columns = [
        "resources.read",
        "resources.write",
        "resources.delete",
        "billing.read-limited",
        "billing.read",
        "billing.manage",
        "settings.read",
        "settings.manage",
        "members.read",
        "sign-in-methods.read",
    ];
    let rule = [
        "owner xxxxxxxxxx",
        "member xxx---x-x-",
        "modifier xx----x-x-",
        "resource-viewer x-----x-x-",
        "biller ---xxx--x-",
        "billing-viewer ---x----x-",
    ];
    assert_eq!(table(&digitalocean, &columns), rule);
    let owner_alone = "owner>owner owner>member owner>modifier owner>resource-viewer owner>biller \
                       owner>billing-viewer";
    let Manage { invite, change, remove } = &digitalocean.manage;
    for verb in [invite, change, remove] {
        assert_eq!(reach(&digitalocean, verb), owner_alone);
    }
}

#[test]
fn digitalocean_is_as_its_column_says() {
    let digitalocean = profile("digitalocean");
    let owner = digitalocean.opening_role().unwrap();
    assert_eq!((owner.min_holders, owner.max_holders, owner.invitable), (1, None, false));
    assert_eq!(owner.ownership_change, Some(OwnershipChange::Add));
    assert_eq!(digitalocean.seats.pool, Pool::None);
    assert_eq!(digitalocean.without_subscription().unwrap().seats, SeatLimit::Unlimited);
    let by = [SecureSignInBy::Invitation, SecureSignInBy::Settings];
    assert_eq!(digitalocean.secure_sign_in, BTreeSet::from(by));
    assert_eq!(digitalocean.invitations.bulk, Bulk::Addresses);
    assert_eq!(digitalocean.invitations.resend, ResendLink::SameLink);
    assert_eq!(digitalocean.invitations.role_while_pending, RoleWhilePending::ApiOnly);
}

#[test]
fn portal_is_as_its_column_says() {
    let portal = profile("portal");
    let columns = [
        "organisation.read",
        "products.use",
        "oauth-clients.manage",
        "api-keys.manage",
        "webhooks.manage",
        "audit.read",
        "members.invite",
        "members.change",
        "members.remove",
        "billing.manage",
        "subscriptions.manage",
        "account.manage",
    ];
    let rule = ["owner xxxxxxxxxxxx", "admin xxxxxxxxx---", "member xx----------"];
    assert_eq!(table(&portal, &columns), rule);
    let Manage { invite, change, remove } = &portal.manage;
    for verb in [invite, change, remove] {
        assert_eq!(reach(&portal, verb), "owner>admin owner>member admin>member");
    }
    let owner = portal.opening_role().unwrap();
    assert_eq!((owner.min_holders, owner.max_holders, owner.invitable), (1, Some(1), false));
    let moves = OwnershipChange::Move { former_becomes: role("admin") };
    assert_eq!(owner.ownership_change, Some(moves));
    let counted = [Counted::Owner, Counted::Active, Counted::Pending];
    assert_eq!(portal.seats.counts, BTreeSet::from(counted));
    assert_eq!((portal.seats.limit, portal.seats.on_shrink), (LimitFrom::Plan, OnShrink::Keep));
    let join = portal.auto_join.as_ref().unwrap();
    assert_eq!((join.role.as_str(), join.over_limit), ("member", OverLimit::Request));
    assert_eq!(portal.invitations.bulk, Bulk::Lines);
    assert_eq!(portal.invitations.lifetime, Duration::from_secs(7 * 24 * 3600));
    assert_eq!(portal.meters[0].unit, Unit::People);
}

#[test]
fn catalogue_is_as_its_column_says() {
    let catalogue = profile("catalogue");
    let Manage { invite, change, remove } = &catalogue.manage;
    let admins = "company-admin>team-admin company-admin>member";
    for verb in [invite, change] {
        let teams = "team-admin>team-admin team-admin>member";
        assert_eq!(reach(&catalogue, verb), format!("{admins} {teams}"));
    }
    assert_eq!(reach(&catalogue, remove), format!("{admins} team-admin>member"));
    let columns = ["members.read", "members.suggest", "members.invite", "teams.edit"];
    let rule = ["company-admin xxxx", "team-admin x-xx", "member xx--"];
    assert_eq!(table(&catalogue, &columns), rule);
    let admin = catalogue.opening_role().unwrap();
    assert_eq!((admin.name.as_str(), admin.scope), ("company-admin", Scope::Account));
    assert!(admin.immutable && !admin.removable && !admin.invitable && admin.protected);
    assert_eq!((admin.min_holders, admin.max_holders), (1, None));
    assert_eq!(admin.ownership_change, Some(OwnershipChange::Add));
    assert!(catalogue.roles[1..].iter().all(|role| role.scope == Scope::Team && role.invitable));
    let team = TeamRules {
        subscription: TeamSubscription::ExactlyOne,
        without_subscription: TeamState::Pending,
        expired: TeamState::Inactive,
    };
    assert_eq!((catalogue.teams, catalogue.team), (Teams::Many, Some(team)));
    assert_eq!(catalogue.seats.pool, Pool::Subscription);
    let counted = [Counted::OwnerInTeam, Counted::Active, Counted::Pending];
    assert_eq!(catalogue.seats.counts, BTreeSet::from(counted));
    assert_eq!(catalogue.cancellation, Cancellation::AtPeriodEndThenTeamsInactive);
    assert_eq!(catalogue.invitations.known_user, KnownUser::AddAtOnce);
    assert_eq!(catalogue.invitations.resend, ResendLink::NewLink);
    let admins = Addressee::Role(role("company-admin"));
    let both = BTreeSet::from([Addressee::Person, admins.clone()]);
    let alone = BTreeSet::from([admins]);
    let notify = [
        (Notice::Added, alone.clone()),
        (Notice::RoleChanged, both.clone()),
        (Notice::Removed, both),
        (Notice::Renamed, alone),
    ];
    assert_eq!(catalogue.notify, BTreeMap::from(notify));
    let meters: Vec<&str> = catalogue.meters.iter().map(|meter| meter.name.as_str()).collect();
    assert_eq!(meters, ["users", "catalogues", "orders", "bandwidth", "storage"]);
    assert_eq!(catalogue.plans[0].meters["catalogues"], 3);
}

#[test]
fn who_has_only_permissions_of_the_product_may_do_nothing_at_the_service() {
    let nitropack = profile("nitropack");
    for permission in ServicePermission::ALL {
        assert!(!nitropack.permits(&role("developer"), permission.as_str()), "{permission}");
        assert_eq!(ServicePermission::parse(permission.as_str()), Some(permission));
        assert!(!nitropack.permits(&role("stranger"), permission.as_str()), "{permission}");
    }
    assert_eq!(ServicePermission::parse("dashboard.view"), None);
}
