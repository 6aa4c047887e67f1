//! The tables of `profiles/portal.yaml`.

use super::*;

// part of PO-13
// rule: PO-05
#[test]
fn portal_grants_what_its_table_says() {
    check_grants(
        "portal",
        "
        permission            kind     owner  admin  member
        account.manage        write    x      -      -
        billing.manage        billing  x      -      -
        subscriptions.manage  billing  x      -      -
        members.invite        write    x      x      -
        members.change        write    x      x      -
        members.remove        remove   x      x      -
        oauth-clients.manage  write    x      x      -
        api-keys.manage       write    x      x      -
        webhooks.manage       write    x      x      -
        audit.read            read     x      x      -
        domains.manage        write    x      x      -
        organisation.read     read     x      x      x
        products.use          write    x      x      x
        members.read          read     x      x      x
        members.suggest       write    x      -      -
        sign-in-methods.read  read     x      -      -
        teams.edit            write    x      -      -
        tokens.manage         write    x      -      -
        recipients.manage     write    x      -      -
        clients.use           write    x      -      -
        ",
    );
}

// part of PO-02, PO-07
// rule: PO-05
// rule: PO-12
// rule: X12
#[test]
fn portal_leaves_admins_to_the_owner_and_members_to_both() {
    check_reach(
        "portal",
        "
        actor   owner  admin  member
        owner   -      igtr   igtr
        admin   -      -      igtr
        member  -      -      -
        ",
    );
}

// part of PO-08, PO-10
#[test]
fn portal_counts_everybody_and_leaves_who_is_there() {
    let portal = profile("portal");
    let counted = [Counted::Owner, Counted::Active, Counted::Pending];
    assert_eq!(portal.seats.counts, BTreeSet::from(counted));
    assert_eq!((portal.seats.pool, portal.seats.limit), (Pool::Account, LimitFrom::Plan));
    assert_eq!(portal.seats.on_shrink, OnShrink::Keep);
    let table = [
        plan("none", 1, false),
        plan("team", 10, true),
        plan("business", 100, true),
        plan("enterprise", None, true),
    ];
    assert_eq!(plans(&portal), table);
    assert_eq!(portal.cancellation, Cancellation::AtOnce);
    assert_eq!(
        (portal.meters[0].unit, portal.meters[0].when_full),
        (Unit::People, WhenFull::Refuse)
    );
}

// part of PO-11, X6
#[test]
fn portal_alone_lets_people_join_by_domain() {
    let portal = profile("portal");
    let join = portal.auto_join.as_ref().unwrap();
    assert_eq!((join.role.as_str(), join.over_limit), ("member", OverLimit::Request));
    for other in ["nitropack", "digitalocean", "catalogue", "generic"] {
        assert_eq!(profile(other).auto_join, None, "{other}");
    }
}
