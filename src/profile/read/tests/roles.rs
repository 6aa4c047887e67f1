//! Mistakes in roles and how they are given.

use super::check;

#[test]
fn every_role_can_be_given_and_taken_away() {
    check(
        &[("[product.use], receives", "[product.use], invitable: false, receives")],
        &[
            "p.yaml:11:3: roles.guest: nobody can be given this role",
            "  hint: make it invitable, or say in `becomesBy` how one comes to hold it",
        ],
    );
    check(
        &[("[product.use], receives", "[product.use], immutable: true, receives")],
        &[
            "p.yaml:11:3: roles.guest: an immutable role cannot be given by invitation",
            "  hint: add `invitable: false`, or remove `immutable`",
        ],
    );
    check(
        &[
            ("invite: {owner: lower, developer: lower}", "invite: {}"),
            ("members.invite, ", ""),
            (
                "permissions: all",
                "permissions: [members.read, members.change, members.remove, recipients.manage]",
            ),
        ],
        &[
            "p.yaml:10:3: roles.developer: nobody may invite with this role",
            "  hint: add a role to `manage.invite` that reaches it, or `invitable: false`",
            "p.yaml:11:3: roles.guest: nobody may invite with this role",
            "  hint: add a role to `manage.invite` that reaches it, or `invitable: false`",
        ],
    );
    check(
        &[
            ("remove: {owner: lower, developer: lower}", "remove: {developer: lower}"),
            (
                "permissions: all",
                "permissions: [members.read, members.change, members.invite, recipients.manage]",
            ),
        ],
        &[
            "p.yaml:10:3: roles.developer: nobody may remove who holds this role",
            "  hint: add a role to `manage.remove` that reaches it, or `removable: false`",
        ],
    );
    check(
        &[("[product.use], receives", "[product.use], scope: team, receives")],
        &[
            "p.yaml:11:39: roles.guest.scope: an account of one team has no roles of a team",
            "  hint: write `scope: account`, or `teams: Many`",
        ],
    );
}

#[test]
fn every_account_has_an_owner() {
    check(
        &[("becomesBy: {openingAccount: true}", "becomesBy: {ownershipChange: add}")],
        &[
            "p.yaml:9:29: roles.owner.holders: an account is opened with 0 `owner`, so a minimum of 1 is never met",
            "  hint: lower `min`",
            "p.yaml:9:83: roles.owner.becomesBy: the highest role must be that of who opens an account",
            "  hint: add `becomesBy: {openingAccount: true}`",
        ],
    );
    check(
        &[(
            "[product.use], receives",
            "[product.use], becomesBy: {openingAccount: true}, holders: {min: 1}, protected: true, receives",
        )],
        &[
            "p.yaml:11:39: roles.guest.becomesBy: only the highest role can open accounts",
            "  hint: let the first role of the file open accounts, and no other",
        ],
    );
    check(
        &[("holders: {min: 1}, ", "")],
        &[
            "p.yaml:9:3: roles.owner.holders: the last one could leave the account without an owner",
            "  hint: add `holders: {min: 1}`",
        ],
    );
    check(
        &[("protected: true, ", "")],
        &[
            "p.yaml:9:3: roles.owner.protected: declarations could make owners without being allowed to",
            "  hint: add `protected: true`",
        ],
    );
}

#[test]
fn the_bounds_of_holders_can_be_met() {
    check(
        &[("holders: {min: 1}", "holders: {min: 2}")],
        &[
            "p.yaml:9:29: roles.owner.holders: an account is opened with 1 `owner`, so a minimum of 2 is never met",
            "  hint: lower `min`",
        ],
    );
    check(
        &[("holders: {min: 1}", "holders: {min: 3, max: 2}")],
        &[
            "p.yaml:9:29: roles.owner.holders: the most holders are fewer than the least",
            "  hint: raise `max`",
        ],
    );
    check(
        &[("[product.use], receives", "[product.use], holders: {min: 1}, receives")],
        &[
            "p.yaml:11:39: roles.guest.holders: an account is opened with 0 `guest`, so a minimum of 1 is never met",
            "  hint: lower `min`",
        ],
    );
    check(
        &[
            ("holders: {min: 1}", "holders: {min: 1, max: 1}"),
            ("{openingAccount: true}", "{openingAccount: true, ownershipChange: add}"),
        ],
        &[
            "p.yaml:9:91: roles.owner.becomesBy: `add` never finds room: there is one holder at most",
            "  hint: raise `holders.max`, or use `ownershipChange: move`",
        ],
    );
}

#[test]
fn a_change_of_owner_says_what_becomes_of_the_former() {
    check(
        &[("{openingAccount: true}", "{openingAccount: true, ownershipChange: move}")],
        &[
            "p.yaml:9:83: roles.owner.becomesBy: `move` must say what the former holder becomes",
            "  hint: add `formerBecomes:` with the role of the former holder",
        ],
    );
    check(
        &[(
            "{openingAccount: true}",
            "{openingAccount: true, ownershipChange: move, formerBecomes: owner}",
        )],
        &[
            "p.yaml:9:83: roles.owner.becomesBy: the former holder would keep the role",
            "  hint: name another role",
        ],
    );
    check(
        &[(
            "{openingAccount: true}",
            "{openingAccount: true, ownershipChange: add, formerBecomes: guest}",
        )],
        &[
            "p.yaml:9:139: roles.owner.becomesBy.formerBecomes: fits only `ownershipChange: move`",
            "  hint: remove it",
        ],
    );
}

#[test]
fn nobody_gets_a_guarded_role_by_the_way() {
    check(
        &[("notes: none", "notes: none\nautoJoin: {role: owner, overLimit: allow}")],
        &[
            "p.yaml:24:12: autoJoin.role: is too high to be given by a domain alone",
            "  hint: choose a role that is not protected",
        ],
    );
    check(
        &[(
            "notes: none",
            "notes: none\nclientAccess: {roles: [owner, guest], healthOf: websites}",
        )],
        &[
            "p.yaml:24:16: clientAccess.roles: `owner` cannot be given by invitation",
            "  hint: remove it",
        ],
    );
    check(
        &[("notes: none", "notes: none\nclientAccess: {roles: [], healthOf: websites}")],
        &["p.yaml:24:16: clientAccess.roles: no role can be asked for", "  hint: list roles"],
    );
}
