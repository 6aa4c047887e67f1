//! The tables of `profiles/catalogue.yaml`.

use super::*;

// part of CT-04
// rule: CT-16
// rule: X4
// rule: X8
#[test]
fn catalogue_grants_what_its_table_says() {
    check_grants(
        "catalogue",
        "
        permission            kind     company-admin  team-admin  member
        catalogues.read       read     x              x           x
        catalogues.edit       write    x              x           x
        catalogues.create     write    x              x           -
        orders.read           read     x              x           x
        orders.edit           write    x              x           x
        orders.create         write    x              x           -
        analytics.view        read     x              x           x
        settings.view         read     x              x           x
        settings.edit         write    x              x           -
        subscriptions.manage  billing  x              -           -
        teams.edit            write    x              x           -
        members.read          read     x              x           x
        members.suggest       write    x              -           x
        members.invite        write    x              x           -
        members.change        write    x              x           -
        members.remove        remove   x              x           -
        sign-in-methods.read  read     x              -           -
        domains.manage        write    x              -           -
        tokens.manage         write    x              -           -
        audit.read            read     x              -           -
        recipients.manage     write    x              -           -
        clients.use           write    x              -           -
        account.manage        write    x              -           -
        ",
    );
}

// part of CT-05
// rule: CT-07
// rule: CT-08
// rule: X1
// rule: X2
#[test]
fn catalogue_leaves_company_admins_alone_and_team_admins_to_them() {
    check_reach(
        "catalogue",
        "
        actor          company-admin  team-admin  member
        company-admin  -              igtr        igtr
        team-admin     -              igt         igtr
        member         -              -           -
        ",
    );
    let catalogue = profile("catalogue");
    let scopes: Vec<_> = catalogue
        .roles
        .iter()
        .map(|role| (role.name.as_str(), role.scope, role.immutable))
        .collect();
    let table = [
        ("company-admin", Scope::Account, true),
        ("team-admin", Scope::Team, false),
        ("member", Scope::Team, false),
    ];
    assert_eq!(scopes, table);
}

// rule: X1
#[test]
fn the_switch_lets_team_admins_remove_each_other() {
    let mut catalogue = Profile::clone(&profile("catalogue"));
    catalogue.manage.remove.insert("team-admin".into(), Reach::Own);
    let team_admin = role(&catalogue, "team-admin");
    assert_eq!(acts(&catalogue, &team_admin, &team_admin), "igtr");
    assert_eq!(acts(&catalogue, &team_admin, &role(&catalogue, "company-admin")), "-");
}

// part of CT-01, CT-13
#[test]
fn catalogue_has_many_teams_each_with_one_subscription() {
    let catalogue = profile("catalogue");
    assert_eq!(catalogue.teams, Teams::Many);
    let table = TeamRules {
        subscription: TeamSubscription::ExactlyOne,
        without_subscription: TeamState::Pending,
        expired: TeamState::Inactive,
    };
    assert_eq!(catalogue.team, Some(table));
    assert_eq!(catalogue.cancellation, Cancellation::AtPeriodEndThenTeamsInactive);
    for other in ["nitropack", "digitalocean", "portal", "generic"] {
        assert_eq!((profile(other).teams, profile(other).team), (Teams::One, None));
    }
}

// part of CT-13
#[test]
fn an_inactive_team_makes_and_edits_nothing_and_can_be_renewed() {
    let catalogue = profile("catalogue");
    let stays = |permission: &str| catalogue.permission_kind(permission).map(PermissionKind::stays);
    for refused in ["catalogues.create", "catalogues.edit", "orders.create", "orders.edit"] {
        assert_eq!(stays(refused), Some(false), "{refused}");
    }
    for left in ["catalogues.read", "orders.read", "members.remove", "subscriptions.manage"] {
        assert_eq!(stays(left), Some(true), "{left}");
    }
    assert_eq!((stays("settings.edit"), stays("teams.edit")), (Some(false), Some(false)));
    assert_eq!(stays("catalogues.sell"), None);
}

// part of CT-14
#[test]
fn a_catalogue_subscription_sets_people_features_amounts_and_products() {
    let catalogue = profile("catalogue");
    let table =
        [plan("starter", 5, true), plan("growth", 25, true), plan("enterprise", None, true)];
    assert_eq!(plans(&catalogue), table);
    let amounts = |plan: &str| catalogue.plan(&plan.into()).unwrap().meters.clone();
    let meters = ["catalogues", "orders", "bandwidth", "storage"];
    let limits = |numbers: [u64; 4]| meters.map(str::to_owned).into_iter().zip(numbers).collect();
    assert_eq!(amounts("starter"), limits([3, 100, 100_000_000_000, 10_000_000_000]));
    assert_eq!(amounts("growth"), limits([20, 2000, 1_000_000_000_000, 100_000_000_000]));
    assert_eq!(amounts("enterprise"), BTreeMap::new());
    let included: Vec<_> =
        catalogue.plans.iter().map(|plan| (plan.features.clone(), plan.products.clone())).collect();
    let table = [
        (set(&[]), set(&["web"])),
        (set(&["own-domain"]), set(&["web", "print"])),
        (set(&["own-domain", "api"]), set(&["web", "print", "app"])),
    ];
    assert_eq!(included, table);
    assert_eq!(catalogue.features[0].title, "Catalogues under an own domain");
    assert_eq!(catalogue.products[0].title, "Web catalogue");
    let units: Vec<_> =
        catalogue.meters.iter().map(|m| (m.name.as_str(), m.unit, m.when_full)).collect();
    let table = [
        ("users", Unit::People, WhenFull::Refuse),
        ("catalogues", Unit::Count, WhenFull::Refuse),
        ("orders", Unit::Count, WhenFull::Refuse),
        ("bandwidth", Unit::Bytes, WhenFull::Refuse),
        ("storage", Unit::Bytes, WhenFull::Refuse),
    ];
    assert_eq!(units, table);
}

// part of CT-14
#[test]
fn making_a_catalogue_or_an_order_needs_room_in_its_meter() {
    let catalogue = profile("catalogue");
    for permission in catalogue.permissions.keys() {
        let meter = catalogue.meter_of(permission).map(|meter| meter.name.as_str());
        let table = match permission.as_str() {
            "catalogues.create" => Some("catalogues"),
            "orders.create" => Some("orders"),
            _ => None,
        };
        assert_eq!(meter, table, "{permission}");
    }
    assert!(catalogue.meter_of("members.invite").is_none());
}

// rule: X5
#[test]
fn catalogue_counts_active_and_pending_people_of_the_subscription() {
    let catalogue = profile("catalogue");
    let counted = [Counted::OwnerInTeam, Counted::Active, Counted::Pending];
    assert_eq!(catalogue.seats.counts, BTreeSet::from(counted));
    assert_eq!(
        (catalogue.seats.pool, catalogue.seats.limit, catalogue.seats.on_shrink),
        (Pool::Subscription, LimitFrom::Subscription, OnShrink::Keep)
    );
}

// part of CT-09, X14
#[test]
fn catalogue_tells_the_person_and_the_company_admins() {
    let admins = Addressee::Role("company-admin".into());
    let alone = BTreeSet::from([admins.clone()]);
    let both = BTreeSet::from([Addressee::Person, admins]);
    let table = [
        (Notice::Added, alone.clone()),
        (Notice::RoleChanged, both.clone()),
        (Notice::Removed, both),
        (Notice::Renamed, alone),
    ];
    assert_eq!(profile("catalogue").notify, BTreeMap::from(table));
    assert!(!profile("catalogue").tells_person(Notice::Added));
    assert!(profile("nitropack").notify.is_empty() && profile("portal").notify.is_empty());
}
