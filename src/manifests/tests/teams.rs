//! Teams of an account that has many, and what a Team says besides its people.

use insta::assert_snapshot;

use super::{ACCOUNT, check, membership, object, read, team};

/// An account of the catalogue product.
fn many(rest: &str) -> String {
    let account = ACCOUNT.replace("profile: nitropack", "profile: catalogue");
    account.replace("  grantableRoles: [admin]\n", "") + rest
}

// rule: CT-01
#[test]
fn every_team_of_the_catalogue_is_linked_to_exactly_one_subscription() {
    let text = many(&format!(
        "{}{}{}",
        team("core", "roster: [{email: ana@example.com, role: member}]"),
        team("print", "subscription: sub_1, roster: [{email: ana@example.com, role: member}]"),
        membership("bo", "email: bo@example.com, role: member"),
    ));
    assert_snapshot!(check(&text), @"
    ana@example.com in web/print: member by print line 0
    ana@example.com in web/core: frozen
    bo@example.com in web/core: frozen
    Membership web/bo: ParentNotAccepted
    Team web/core: ProfileCannot
    m.yaml:18:1: spec.subscription: is missing: profile `catalogue` links every team to one
      hint: name the id of a subscription, as `sub_…`
    ");
}

#[test]
fn one_account_of_one_team_knows_no_ids_of_teams_and_no_links() {
    let text = format!(
        "{ACCOUNT}{}{}",
        team("core", "teamId: team_1, roster: [{email: ana@example.com, role: biller}]"),
        team("design", "displayName: Design, subscription: sub_1"),
    );
    assert_snapshot!(check(&text), @"
    ana@example.com: frozen
    Team web/core: ProfileCannot
    Team web/design: ProfileCannot
    m.yaml:19:34: spec.teamId: profile `nitropack` has one team in an account
      hint: leave the field out
    m.yaml:24:55: spec.subscription: profile `nitropack` links no team to a subscription
      hint: leave the field out
    ");
}

#[test]
fn roles_of_the_account_and_of_teams_are_given_where_they_hold() {
    let text = many(&format!(
        "{}{}{}",
        team(
            "core",
            "subscription: sub_1, roster: [{email: ana@example.com, role: company-admin}]"
        ),
        object("Membership", "bo", "accountRef: {name: acme}, email: bo@example.com, role: member"),
        object(
            "Membership",
            "cyd",
            "accountRef: {name: acmee}, email: c@example.com, role: member"
        ),
    ));
    assert_snapshot!(check(&text), @"
    ana@example.com in web/core: frozen
    bo@example.com: frozen
    Membership web/cyd: NotFound
    Membership web/bo: RoleNotHere
    Team web/core line 0 ana@example.com: RoleNotHere
    m.yaml:28:21: spec.accountRef.name: there is no Account `acmee` in namespace `web`
      hint: did you mean `acme`?
    m.yaml:18:89: spec.roster[0].role: role `company-admin` holds for the whole account, not in one team
      hint: give it by a Membership with accountRef
    m.yaml:23:57: spec.role: role `member` holds in a team, not for the whole account
      hint: give it by a Membership with teamRef, or in the roster of a Team
    ");

    let both =
        "accountRef: {name: acme}, teamRef: {name: core}, email: d@example.com, role: member";
    assert_snapshot!(read(&object("Membership", "dan", both)), @"
    m.yaml:4:1: spec: needs exactly one of teamRef and accountRef
      hint: see `kubectl explain` for what each field means
    ");
}

#[test]
fn of_two_teams_with_one_id_or_other_settings_the_older_counts() {
    let text = many(&format!(
        "{}{}",
        team("a", "subscription: sub_1, teamId: team_1"),
        team(
            "b",
            "subscription: sub_1, teamId: team_1, roster: [{email: a@example.com, role: member}]"
        ),
    ));
    assert_snapshot!(check(&text), @"
    a@example.com in web/b: frozen
    Team web/b: Conflict
    m.yaml:23:55: spec.teamId: Team web/a names this team already
      hint: keep one of the two; the older counts
    ");

    let text = format!(
        "{}{}{}",
        ACCOUNT.replace("nitropack", "digitalocean").replace("  grantableRoles: [admin]\n", ""),
        team("a", "requireSecureSignIn: true"),
        team("b", "requireSecureSignIn: false, roster: [{email: a@example.com, role: biller}]"),
    );
    assert_snapshot!(check(&text), @"
    a@example.com: frozen
    Team web/b: Conflict
    m.yaml:23:34: spec.requireSecureSignIn: Team web/a sets this differently for the whole account
      hint: say the same in both, or leave it out in one; the older counts
    ");
}

// rule: DO-10
#[test]
fn one_person_is_declared_in_several_teams_and_twice_in_none() {
    let text = many(&format!(
        "{}{}{}",
        team("core", "subscription: sub_1, roster: [{email: ana@example.com, role: member}]"),
        team("print", "subscription: sub_1, roster: [{email: ANA@example.com, role: team-admin}]"),
        membership("ana", "email: ana@example.com, role: team-admin"),
    ));
    assert_snapshot!(check(&text), @"
    ana@example.com in web/core: team-admin by ana
    ana@example.com in web/print: team-admin by print line 0
    Team web/core line 0 ana@example.com: Conflict
    m.yaml:18:65: spec.roster[0].email: `ana@example.com` is declared already by Membership web/ana
      hint: keep one of the two; the older counts
    ");
}
