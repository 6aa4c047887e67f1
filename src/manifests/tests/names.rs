//! Earlier addresses: who is meant, and which declarations are in each other's way.

use insta::assert_snapshot;

use super::{ACCOUNT, With, check, membership, resolved, team};

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
    assert_snapshot!(check(&text), @"");
}

#[test]
fn of_two_who_claim_an_earlier_address_the_older_counts_and_the_other_stays_as_is() {
    let text = with_roster(
        "{email: ana@example.com, formerly: [x@example.com, y@example.com]}",
        &[membership("bo", "email: bo@example.com, formerly: [x@example.com], role: developer")],
    );
    let with = With { oldest_first: &["bo", "core"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"");
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
    assert_snapshot!(check(&text), @"");
}
