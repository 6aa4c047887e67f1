//! The tables of `profiles/digitalocean.yaml`.

use super::*;

// part of DO-04, DO-05
// rule: DO-02
// rule: X10
#[test]
fn digitalocean_grants_what_its_table_says() {
    check_grants(
        "digitalocean",
        "
        permission            kind     owner  member  modifier  resource-viewer  biller  billing-viewer
        resources.read        read     x      x       x         x                -       -
        resources.write       write    x      x       x         -                -       -
        resources.delete      write    x      x       -         -                -       -
        billing.read-limited  read     x      -       -         -                x       x
        billing.read          read     x      -       -         -                x       -
        billing.manage        billing  x      -       -         -                x       -
        subscriptions.manage  billing  x      -       -         -                x       -
        settings.read         read     x      x       x         x                -       -
        settings.manage       write    x      -       -         -                -       -
        members.read          read     x      x       x         x                x       x
        sign-in-methods.read  read     x      -       -         -                -       -
        members.invite        write    x      -       -         -                -       -
        members.change        write    x      -       -         -                -       -
        members.remove        remove   x      -       -         -                -       -
        members.suggest       write    x      -       -         -                -       -
        teams.edit            write    x      -       -         -                -       -
        domains.manage        write    x      -       -         -                -       -
        tokens.manage         write    x      -       -         -                -       -
        audit.read            read     x      -       -         -                -       -
        recipients.manage     write    x      -       -         -                -       -
        clients.use           write    x      -       -         -                -       -
        account.manage        write    x      -       -         -                -       -
        ",
    );
}

/// What the words of an area's column stand for.
type Level = (&'static str, &'static [&'static str]);

/// The word for what a role may do in an area.
fn level(role: &Role, area: &str, levels: &[Level]) -> &'static str {
    let has = role.permissions.iter().filter_map(|p| p.strip_prefix(area)?.strip_prefix('.'));
    let has: BTreeSet<&str> = has.collect();
    levels.iter().find(|(_, all)| has == all.iter().copied().collect()).unwrap().0
}

// rule: DO-02
#[test]
fn digitalocean_has_six_roles_over_three_areas() {
    let digitalocean = profile("digitalocean");
    let none: Level = ("none", &[]);
    let resources = [
        none,
        ("read", &["read"]),
        ("no-delete", &["read", "write"]),
        ("full", &["read", "write", "delete"]),
    ];
    let limited: Level = ("limited-read", &["read-limited"]);
    let billing = [none, limited, ("full", &["read-limited", "read", "manage"])];
    let settings = [none, ("read", &["read"]), ("full", &["read", "manage"])];
    let mut actual = "role resources billing settings".to_owned();
    for role in &digitalocean.roles {
        let cells = [("resources", &resources[..]), ("billing", &billing), ("settings", &settings)]
            .map(|(area, levels)| level(role, area, levels));
        actual += &format!("\n{} {}", role.name, cells.join(" "));
    }
    let table = "
        role             resources  billing       settings
        owner            full       full          full
        biller           none       full          none
        billing-viewer   none       limited-read  none
        member           full       none          read
        modifier         no-delete  none          read
        resource-viewer  read       none          read
    ";
    assert_eq!(rows(&actual), rows(table));
}

// rule: DO-01
#[test]
fn digitalocean_lets_owners_and_only_owners_act_on_people() {
    check_reach(
        "digitalocean",
        "
        actor            owner  member  modifier  resource-viewer  biller  billing-viewer
        owner            tr     igtr    igtr      igtr             igtr    igtr
        member           -      -       -         -                -       -
        modifier         -      -       -         -                -       -
        resource-viewer  -      -       -         -                -       -
        biller           -      -       -         -                -       -
        billing-viewer   -      -       -         -                -       -
        ",
    );
}

// rule: DO-03
#[test]
fn digitalocean_limits_neither_people_nor_people_in_a_role() {
    let digitalocean = profile("digitalocean");
    assert_eq!(plans(&digitalocean), [plan("none", None, false)]);
    assert_eq!(
        (digitalocean.seats.pool, digitalocean.seats.limit),
        (Pool::None, LimitFrom::Unlimited)
    );
    assert!(digitalocean.seats.counts.is_empty());
    assert!(digitalocean.roles.iter().all(|role| role.max_holders.is_none()));
}
