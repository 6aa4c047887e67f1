//! Earlier addresses: who is meant, and which declarations are in each other's way.

use insta::assert_snapshot;

use super::{ACCOUNT, With, check, membership, resolved, team};
use crate::manifests::Resolved;

fn with_roster(lines: &str, objects: &[String]) -> String {
    let core = team("core", &format!("defaultRole: developer, roster: [{lines}]"));
    format!("{ACCOUNT}{core}{}", objects.concat())
}

// rule: OP-09
#[test]
fn an_absence_is_about_the_person_by_whatever_address() {
    let text = with_roster(
        "{email: ana@new.example.com, formerly: [ana@old.example.com]}, {email: bo@old.example.com}",
        &[
            membership("ana", "email: ana@old.example.com, role: admin, state: Absent"),
            membership(
                "bo",
                "email: bo@new.example.com, formerly: [bo@old.example.com], role: admin, state: \
                 Absent",
            ),
        ],
    );
    assert_snapshot!(check(&text), @"
    ana@old.example.com: absent by ana, Declared
    bo@new.example.com: absent by bo, Declared
    ana@new.example.com: frozen
    Team web/core line 0 ana@new.example.com: Conflict
    Team web/core line 1 bo@old.example.com: DeclaredAbsent
    m.yaml:19:107: spec.roster[0].formerly[0]: `ana@old.example.com` is declared absent in Membership web/ana
      hint: one address is one person: take it out of `formerly`, or delete the other declaration
    ");
}

#[test]
fn of_two_who_claim_an_earlier_address_the_older_counts_and_the_other_stays_as_is() {
    let text = with_roster(
        "{email: ana@example.com, formerly: [x@example.com, y@example.com]}",
        &[membership("bo", "email: bo@example.com, formerly: [x@example.com], role: developer")],
    );
    let with = With { oldest_first: &["bo", "core"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    bo@example.com: developer by bo
    ana@example.com: frozen
    x@example.com: frozen
    y@example.com: frozen
    Team web/core line 0 ana@example.com: Conflict
    m.yaml:19:103: spec.roster[0].formerly[0]: `x@example.com` is an earlier address of somebody else in Membership web/bo
      hint: one address is one person: take it out of one of the two; the older counts
    ");
}

#[test]
fn who_is_declared_keeps_the_address_and_the_chain_of_a_person_is_one() {
    let text = with_roster(
        "{email: ana@c.example.com, formerly: [ana@a.example.com, ana@b.example.com]}, \
         {email: bo@b.example.com, formerly: [bo@a.example.com]}, \
         {email: bo@c.example.com, formerly: [bo@b.example.com]}, \
         {email: cyd@example.com, formerly: [cyd, CYD@example.com]}",
        &[membership(
            "ana",
            "email: ana@c.example.com, formerly: [ana@b.example.com], role: developer",
        )],
    );
    assert_snapshot!(check(&text), @"
    ana@c.example.com: developer by ana
    bo@b.example.com: developer by core line 1
    ana@a.example.com: frozen
    bo@c.example.com: frozen
    cyd@example.com: frozen
    Team web/core line 0 ana@c.example.com: Conflict
    Team web/core line 2 bo@c.example.com: Conflict
    Team web/core line 3 cyd@example.com: InvalidAddress
    Team web/core line 3 cyd@example.com: InvalidSpec
    m.yaml:19:68: spec.roster[0].email: `ana@c.example.com` is declared already by Membership web/ana
      hint: keep one of the two; the older counts
    m.yaml:19:239: spec.roster[2].formerly[0]: `bo@b.example.com` is the present address in Team web/core (spec.roster[1])
      hint: one address is one person: take it out of `formerly`, or delete the other declaration
    m.yaml:19:295: spec.roster[3].formerly[0]: `cyd` is not an e-mail address
      hint: write it as `name@example.com`
    m.yaml:19:300: spec.roster[3].formerly[1]: `cyd@example.com` is the present address, not an earlier one
      hint: take it out of `formerly`
    ");
}

#[test]
fn an_age_under_an_earlier_address_counts_against_who_is_new_and_not_against_who_has_an_own_one() {
    let lines = "{email: ana@new.example.com, formerly: [ana@old.example.com], role: biller}";
    let ana = |name| [membership(name, "email: ana@new.example.com, role: developer")];
    let seen_as = &[("core", "ana@old.example.com")];
    let with = With { oldest_first: &["core", "ana"], seen_as, ..With::default() };
    let (resolved, _) = super::resolved(&with_roster(lines, &ana("ana")), &with);
    let role = |resolved: &Resolved| {
        let roles = resolved.desired.people.values().map(|member| member.role.0.clone());
        roles.collect::<Vec<_>>()
    };
    assert_eq!(role(&resolved), ["developer"], "core is older as somebody else");
    let (resolved, _) = super::resolved(&with_roster(lines, &ana("bea")), &with);
    assert_eq!(role(&resolved), ["biller"], "bea was never seen");
}
