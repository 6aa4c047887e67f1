//! The tables of `profiles/nitropack.yaml`.

use super::*;

// rule: NP-02
#[test]
fn nitropack_grants_what_its_table_says() {
    check_grants(
        "nitropack",
        "
        permission            kind     owner  admin  developer  biller
        invoices.read         read     x      x      -          x
        billing.manage        billing  x      x      -          x
        subscriptions.manage  billing  x      x      -          x
        dashboard.view        read     x      x      x          -
        analytics.read        read     x      x      x          -
        integrations.manage   write    x      x      x          -
        settings.tune         write    x      x      x          -
        websites.manage       write    x      x      -          -
        members.read          read     x      x      -          -
        members.invite        write    x      x      -          -
        members.change        write    x      x      -          -
        members.remove        remove   x      x      -          -
        members.suggest       write    x      x      -          -
        sign-in-methods.read  read     x      x      -          -
        teams.edit            write    x      x      -          -
        domains.manage        write    x      x      -          -
        tokens.manage         write    x      x      -          -
        audit.read            read     x      x      -          -
        recipients.manage     write    x      x      -          -
        clients.use           write    x      x      -          -
        account.manage        write    x      x      -          -
        ",
    );
    check_reach(
        "nitropack",
        "
        actor      owner  admin  developer  biller
        owner      -      igtr   igtr       igtr
        admin      -      igtr   igtr       igtr
        developer  -      -      -          -
        biller     -      -      -          -
        ",
    );
}

// part of NP-12
#[test]
fn nitropack_has_its_menu_in_order() {
    let menu: Vec<_> = profile("nitropack")
        .menu
        .iter()
        .map(|entry| format!("{} {}", entry.title, entry.permission))
        .collect();
    let table = [
        "Dashboard dashboard.view",
        "Analytics analytics.read",
        "Websites websites.manage",
        "Integrations integrations.manage",
        "Settings settings.tune",
        "Invoices invoices.read",
        "Billing billing.manage",
        "Team members.read",
        "Clients clients.use",
        "Account account.manage",
    ];
    assert_eq!(menu, table);
}

// part of NP-04
// rule: NP-03
#[test]
fn nitropack_limits_members_by_plan_and_the_owner_is_none_of_them() {
    let nitropack = profile("nitropack");
    let table = [
        plan("none", 1, false),
        plan("free", 1, false),
        plan("business", 1, true),
        plan("growth", 3, true),
        plan("scale", 10, true),
        plan("custom", None, true),
    ];
    assert_eq!(plans(&nitropack), table);
    assert_eq!(nitropack.without_subscription().unwrap().name.as_str(), "none");
    assert!(!nitropack.counts(Counted::Owner) && !nitropack.counts(Counted::OwnerInTeam));
}

// rule: X7
#[test]
fn nitropack_counts_members_invitations_and_agencies() {
    let counted = [Counted::Active, Counted::Pending, Counted::ClientAccess]; // NC-04
    assert_eq!(profile("nitropack").seats.counts, BTreeSet::from(counted));
}

// part of NP-13, NP-14, NP-15
#[test]
fn nitropack_takes_the_highest_tier_trims_and_ends_with_the_period() {
    let nitropack = profile("nitropack");
    assert_eq!(nitropack.teams, Teams::One);
    assert_eq!(
        (nitropack.seats.pool, nitropack.seats.limit),
        (Pool::Account, LimitFrom::HighestTier)
    );
    assert_eq!(nitropack.seats.on_shrink, OnShrink::TrimLatestAdded);
    assert_eq!(nitropack.cancellation, Cancellation::LastPaidAtPeriodEndThenDisable);
}

// part of NP-15
#[test]
fn nitropack_keeps_reads_removals_and_billing_while_the_service_is_disabled() {
    let nitropack = profile("nitropack");
    let mut stays: Vec<&str> = nitropack.permissions.keys().map(String::as_str).collect();
    stays.extend(ServicePermission::ALL.map(ServicePermission::as_str));
    stays.retain(|permission| nitropack.permission_kind(permission).unwrap().stays());
    let table = [
        "dashboard.view",
        "analytics.read",
        "invoices.read",
        "members.read",
        "sign-in-methods.read",
        "audit.read",
        "members.remove",
        "billing.manage",
        "subscriptions.manage",
    ];
    assert_eq!(stays.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(table));
}

// part of NP-10, NP-11
#[test]
fn nitropack_has_three_categories_and_billers_always_receive_billing() {
    let nitropack = profile("nitropack");
    let everybody: BTreeSet<RoleName> =
        ["owner", "admin", "developer", "biller"].map(RoleName::from).into();
    let categories: Vec<_> = nitropack
        .categories
        .iter()
        .map(|c| (c.name.as_str(), c.about, c.open_to.clone()))
        .collect();
    let table = [
        ("billing", Topic::Billing, everybody.clone()),
        ("usage", Topic::Usage, everybody.clone()),
        ("website-status", Topic::Websites, everybody),
    ];
    assert_eq!(categories, table);
    let implied: Vec<_> =
        nitropack.roles.iter().map(|r| (r.name.as_str(), r.receives.clone())).collect();
    let table = [
        ("owner", set(&[])),
        ("admin", set(&[])),
        ("developer", set(&[])),
        ("biller", set(&["billing"])),
    ];
    assert_eq!(implied, table);
    let [meter] = nitropack.meters.as_slice() else { unreachable!("one meter") };
    assert_eq!((meter.unit, meter.when_full), (Unit::Count, WhenFull::Overage));
    assert_eq!(meter.warn_at_percent, BTreeSet::from([80, 100]));
}

// part of NC-01, NP-08
#[test]
fn nitropack_has_agencies_and_notes() {
    let nitropack = profile("nitropack");
    let access = nitropack.client_access.as_ref().unwrap();
    assert_eq!(access.roles, ["biller", "developer", "admin"].map(RoleName::from).into());
    assert_eq!(nitropack.notes, Notes::AuthorOnly);
    for other in ["digitalocean", "portal", "catalogue", "generic"] {
        assert_eq!((&profile(other).client_access, profile(other).notes), (&None, Notes::None));
    }
}
