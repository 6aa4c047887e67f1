//! One case for each kind of mistake in a profile.

use super::read;

/// A small profile that is right.
const RIGHT: &str = "\
formatVersion: 1
profile: acme
title: Acme
teams: One
permissions:
  product.use: {menu: Home}
  members.read: {menu: Team}
roles:
  owner: {permissions: all, holders: {min: 1}, invitable: false, protected: true, becomesBy: {openingAccount: true}}
  developer: {permissions: [product.use, members.invite, members.change, members.remove]}
  guest: {permissions: [product.use], receives: [news]}
manage:
  invite: {owner: lower, developer: lower}
  change: {owner: lower, developer: lower}
  remove: {owner: lower, developer: lower}
plans:
  none: {seats: 1, paid: false}
  team: {seats: 10}
seats: {pool: account, limit: highestTier, counts: [active, pending], onShrink: keep}
cancellation: {lastPaid: atOnce, then: nothing}
invitations: {lifetime: 30d, knownUser: mustAccept, resend: sameLink}
categories: {news: {title: News, about: usage}}
notes: none
";

/// The problems of the right profile after changes, each of which must hit exactly once.
fn problems(changes: &[(&str, &str)]) -> String {
    let mut text = RIGHT.to_owned();
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "`{from}` must be there once");
        text = text.replace(from, to);
    }
    match read("p.yaml", &text) {
        Ok(_) => String::new(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

/// Checks the lines in which the problems after `changes` are told.
#[track_caller]
fn check(changes: &[(&str, &str)], expected: &[&str]) {
    let told = problems(changes);
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_right_profile_has_no_problems() {
    check(&[], &[]);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    check(
        &[("notes: none", "note: none")],
        &[
            "p.yaml:1:1: notes: is missing",
            "  hint: add `notes:`",
            "p.yaml:23:1: note: unknown key `note`",
            "  hint: did you mean `notes`?",
        ],
    );
    check(
        &[("receives: [news]", "recieves: [news]")],
        &[
            "p.yaml:11:39: roles.guest.recieves: unknown key `recieves`",
            "  hint: did you mean `receives`?",
        ],
    );
    check(
        &[("onShrink: keep", "onShrink: keep, x: 1")],
        &[
            "p.yaml:19:87: seats.x: unknown key `x`",
            "  hint: known here: pool, limit, counts, onShrink",
        ],
    );
    check(
        &[("{menu: Home}", "{menue: Home}")],
        &[
            r#"p.yaml:6:17: permissions["product.use"].menue: unknown key `menue`"#,
            "  hint: did you mean `menu`?",
        ],
    );
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    check(
        &[("change: {owner: lower, developer: lower}", "change: {owner: lower, develoepr: lower}")],
        &[
            "p.yaml:14:26: manage.change.develoepr: there is no role `develoepr`",
            "  hint: did you mean `developer`?",
        ],
    );
    check(
        &[("guest: {permissions: [product.use]", "guest: {permissions: [product.used, invoices]")],
        &[
            "p.yaml:11:25: roles.guest.permissions[0]: there is no permission `product.used`",
            "  hint: did you mean `product.use`?",
            "p.yaml:11:39: roles.guest.permissions[1]: there is no permission `invoices`",
            "  hint: known here: account.manage, audit.read, clients.use, domains.manage, members.change, members.invite, members.read, members.remove, members.suggest, product.use, recipients.manage, sign-in-methods.read, subscriptions.manage, teams.edit, tokens.manage",
        ],
    );
    check(
        &[("receives: [news]", "receives: [new]")],
        &[
            "p.yaml:11:50: roles.guest.receives[0]: there is no category `new`",
            "  hint: did you mean `news`?",
        ],
    );
    check(
        &[("notes: none", "notes: none\nautoJoin: {role: guests, overLimit: request}")],
        &[
            "p.yaml:24:12: autoJoin.role: there is no role `guests`",
            "  hint: did you mean `guest`?",
        ],
    );
    check(
        &[("notes: none", "notes: none\nnotify: {removed: [persons], addded: [owner]}")],
        &[
            "p.yaml:24:20: notify.removed[0]: there is no addressee `persons`",
            "  hint: did you mean `person`?",
            "p.yaml:24:30: notify.addded: unknown key `addded`",
            "  hint: did you mean `added`?",
        ],
    );
    check(
        &[("team: {seats: 10}", "team: {seats: 10, meters: {users: 5}}")],
        &[
            "p.yaml:18:30: plans.team.meters.users: there is no meter `users`",
            "  hint: none is declared",
        ],
    );
    check(
        &[("notes: none", "notes: none\nclientAccess: {roles: [admin], healthOf: sites}")],
        &[
            "p.yaml:24:24: clientAccess.roles[0]: there is no role `admin`",
            "  hint: known here: owner, developer, guest",
            "p.yaml:24:32: clientAccess.healthOf: unknown word `sites`",
            "  hint: known here: websites",
        ],
    );
}

#[test]
fn words_are_closed() {
    check(
        &[("teams: One", "teams: one")],
        &["p.yaml:4:1: teams: unknown word `one`", "  hint: did you mean `One`?"],
    );
    check(
        &[("owner: lower, developer: lower}\n  change", "owner: all, developer: lower}\n  change")],
        &[
            "p.yaml:13:12: manage.invite.owner: unknown word `all`",
            "  hint: known here: lower, own",
        ],
    );
    check(
        &[("onShrink: keep", "onShrink: trim")],
        &[
            "p.yaml:19:71: seats.onShrink: unknown word `trim`",
            "  hint: known here: trimLatestAdded, keep",
        ],
    );
    check(
        &[("counts: [active, pending]", "counts: [active, invited]")],
        &[
            "p.yaml:19:61: seats.counts[1]: unknown word `invited`",
            "  hint: known here: owner, ownerInTeam, active, pending, clientAccess",
        ],
    );
    check(
        &[("resend: sameLink", "resend: same")],
        &[
            "p.yaml:21:53: invitations.resend: unknown word `same`",
            "  hint: known here: sameLink, newLink",
        ],
    );
    check(
        &[("notes: none", "notes: true")],
        &["p.yaml:23:1: notes: must be a word", "  hint: write one of: authorOnly, none"],
    );
    check(
        &[("then: nothing", "then: disable")],
        &[
            "p.yaml:20:34: cancellation.then: there is no consequence `disable`",
            "  hint: known here: nothing, disableService, deactivateTeams",
        ],
    );
    check(
        &[("atOnce, then: nothing", "atOnce, then: disableService")],
        &[
            "p.yaml:20:1: cancellation: `atOnce` does not go with `disableService`",
            "  hint: write one of: atOnce with nothing, atPeriodEnd with disableService, atPeriodEnd with deactivateTeams",
        ],
    );
}

#[test]
fn seats_and_flags_of_the_wrong_kind_are_refused() {
    check(
        &[("team: {seats: 10}", "team: {seats: many}")],
        &[
            "p.yaml:18:10: plans.team.seats: must be a whole number or `unlimited`",
            "  hint: write how many people the plan allows",
        ],
    );
    check(
        &[("team: {seats: 10}", "team: {seats: -1}")],
        &[
            "p.yaml:18:10: plans.team.seats: must be a whole number from 0 to 10000000",
            "  hint: correct the number",
        ],
    );
    check(
        &[("team: {seats: 10}", "team: {seats: 1.5}")],
        &[
            "p.yaml:18:10: plans.team.seats: must be a whole number from 0 to 10000000",
            "  hint: correct the number",
        ],
    );
    check(
        &[("paid: false", "paid: no")],
        &[
            "p.yaml:17:20: plans.none.paid: must be `true` or `false`",
            "  hint: write `true` or `false`",
        ],
    );
}

#[test]
fn lifetimes_of_the_wrong_kind_are_refused() {
    check(
        &[("lifetime: 30d", "lifetime: 30 days")],
        &[
            "p.yaml:21:15: invitations.lifetime: must be a lifetime, as `30d`",
            "  hint: write days or hours, from `1h` to `365d`",
        ],
    );
    check(
        &[("lifetime: 30d", "lifetime: 0d")],
        &[
            "p.yaml:21:15: invitations.lifetime: must be a lifetime, as `30d`",
            "  hint: write days or hours, from `1h` to `365d`",
        ],
    );
    check(
        &[("lifetime: 30d", "lifetime: 30")],
        &[
            "p.yaml:21:15: invitations.lifetime: must be a lifetime, as `30d`",
            "  hint: write days or hours, from `1h` to `365d`",
        ],
    );
}

#[test]
fn texts_mappings_and_lists_of_the_wrong_kind_are_refused() {
    check(
        &[("title: Acme", "title: ''")],
        &[
            "p.yaml:3:1: title: must be a text",
            "  hint: write one, in quotes if it looks like a number",
        ],
    );
    check(
        &[("holders: {min: 1}", "holders: 1")],
        &[
            "p.yaml:9:29: roles.owner.holders: must be a mapping",
            "  hint: write `{key: value}`, or a line each",
        ],
    );
    check(
        &[("counts: [active, pending]", "counts: active")],
        &["p.yaml:19:44: seats.counts: must be a list", "  hint: write `[one, two]`"],
    );
    check(
        &[("formatVersion: 1", "formatVersion: 2")],
        &[
            "p.yaml:1:1: formatVersion: this program reads format 1 only",
            "  hint: write `formatVersion: 1`, or use the version of the program that it is for",
        ],
    );
    check(
        &[("profile: acme", "profile: Acme Inc")],
        &[
            "p.yaml:2:1: profile: `Acme Inc` is not a name",
            "  hint: use a-z, 0-9, `-` and `.`, a letter first, at most 63",
        ],
    );
}

#[test]
fn what_must_be_said_is_missed() {
    check(&[("notes: none\n", "")], &["p.yaml:1:1: notes: is missing", "  hint: add `notes:`"]);
    check(
        &[("onShrink: keep", "")],
        &["p.yaml:19:1: seats.onShrink: is missing", "  hint: add `onShrink:`"],
    );
    check(
        &[("team: {seats: 10}", "team: {}")],
        &["p.yaml:18:3: plans.team.seats: is missing", "  hint: add `seats:`"],
    );
    check(
        &[("remove: {owner: lower, developer: lower}", "")],
        &["p.yaml:12:1: manage.remove: is missing", "  hint: add `remove:`"],
    );
}

#[test]
fn names_that_come_twice_are_refused() {
    check(
        &[("guest: {permissions", "developer: {permissions")],
        &[
            "p.yaml:11:3: roles.developer: the key `developer` is already at line 10",
            "  hint: keep one of the two",
        ],
    );
    check(
        &[("team: {seats: 10}", "none: {seats: 10}")],
        &[
            "p.yaml:18:3: plans.none: the key `none` is already at line 17",
            "  hint: keep one of the two",
        ],
    );
    check(
        &[("{menu: Team}", "{menu: Home}")],
        &[
            r#"p.yaml:7:3: permissions["members.read"]: the menu `Home` is opened by `product.use`"#,
            "  hint: give each menu entry one permission",
        ],
    );
}

#[test]
fn the_file_is_one_document() {
    check(
        &[("notes: none\n", "notes: none\n---\nprofile: other\n")],
        &[
            "p.yaml:25:1: a second document; a profile is one",
            "  hint: give each profile a file of its own",
        ],
    );
}

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
fn permission_and_reach_go_together() {
    check(
        &[("members.invite, ", "")],
        &[
            "p.yaml:13:26: manage.invite.developer: `developer` lacks the permission `members.invite`",
            "  hint: give it, or remove the line",
        ],
    );
    check(
        &[("change: {owner: lower, developer: lower}", "change: {owner: lower}")],
        &[
            "p.yaml:10:15: roles.developer.permissions: has `members.change` but reaches nobody",
            "  hint: add it to `manage.change`, or take the permission away",
        ],
    );
    check(
        &[
            ("{menu: Home}", "{menu: Home}\n  orphan.use: {}"),
            (
                "permissions: all",
                "permissions: [members.read, members.change, members.remove, members.invite, recipients.manage]",
            ),
        ],
        &[
            r#"p.yaml:7:3: permissions["orphan.use"]: no role has this permission"#,
            "  hint: give it to a role, or remove it",
        ],
    );
    check(
        &[("members.read: {menu: Team}", "members.read: {}")],
        &[
            r#"p.yaml:7:3: permissions["members.read"]: `members.read` is a permission of every service"#,
            "  hint: list it here only to give it a `menu`",
        ],
    );
    check(
        &[(
            "permissions: all",
            "permissions: [members.read, members.change, members.remove, members.invite]",
        )],
        &[
            "p.yaml:22:1: categories: needs someone with `recipients.manage`",
            "  hint: give the permission to a role",
        ],
    );
}

#[test]
fn plans_are_in_order_and_cover_every_account() {
    check(
        &[("plans:\n  none: {seats: 1, paid: false}\n  team: {seats: 10}", "plans: {}")],
        &[
            "p.yaml:16:1: plans: there is no plan",
            "  hint: declare at least `none: {seats: unlimited, paid: false}`",
        ],
    );
    check(
        &[("none: {seats: 1, paid: false}", "small: {seats: 1}")],
        &[
            "p.yaml:16:1: plans: nothing says what an account without a subscription has",
            "  hint: add the plan `none`, as `none: {seats: 1, paid: false}`",
        ],
    );
    check(
        &[(", paid: false", "")],
        &[
            "p.yaml:17:3: plans.none: what nobody has picked cannot be paid for",
            "  hint: add `paid: false`",
        ],
    );
    check(
        &[("none: {seats: 1,", "none: {seats: unlimited,")],
        &[
            "p.yaml:18:10: plans.team.seats: fewer seats than the lower tier `none`",
            "  hint: put the plans in the order of their tiers, lowest first",
        ],
    );
}

#[test]
fn pool_limit_and_what_counts_go_together() {
    check(
        &[("pool: account", "pool: none")],
        &[
            "p.yaml:19:21: seats.limit: does not go with this `pool`",
            "  hint: `none` goes with `unlimited`, `subscription` with `subscription`, `account` with `highestTier` or `plan`",
            "p.yaml:19:41: seats.counts: nothing is counted where there are no seats",
            "  hint: write `counts: []`",
        ],
    );
    check(
        &[("pool: account, limit: highestTier", "pool: none, limit: unlimited")],
        &[
            "p.yaml:19:39: seats.counts: nothing is counted where there are no seats",
            "  hint: write `counts: []`",
        ],
    );
    check(
        &[("counts: [active, pending]", "counts: []")],
        &[
            "p.yaml:19:44: seats.counts: nothing takes a seat, so the limit never holds",
            "  hint: say what takes a seat",
        ],
    );
    check(
        &[("counts: [active, pending]", "counts: [active, clientAccess]")],
        &[
            "p.yaml:19:44: seats.counts: there is no client access to count",
            "  hint: remove it, or add `clientAccess`",
        ],
    );
    check(
        &[("counts: [active, pending]", "counts: [owner, ownerInTeam]")],
        &[
            "p.yaml:19:44: seats.counts: `ownerInTeam` needs many teams",
            "  hint: write `owner`, or leave it out",
            "p.yaml:19:44: seats.counts: `owner` and `ownerInTeam` exclude each other",
            "  hint: keep one of the two",
        ],
    );
}

#[test]
fn people_are_limited_by_seats_alone() {
    check(
        &[
            ("team: {seats: 10}", "team: {seats: 10, meters: {users: 5}}"),
            (
                "notes: none",
                "notes: none\nmeters: {users: {title: Users, unit: people, whenFull: refuse}}",
            ),
        ],
        &[
            "p.yaml:18:30: plans.team.meters.users: people are limited by `seats`",
            "  hint: remove the line",
        ],
    );
}

#[test]
fn teams_have_their_rules() {
    check(
        &[("teams: One", "teams: Many")],
        &["p.yaml:4:1: teams: the rules of teams are missing", "  hint: add `team:`"],
    );
    check(
        &[(
            "teams: One",
            "teams: One\nteam: {subscription: none, status: {noSubscription: Active, expired: Active}}",
        )],
        &["p.yaml:5:1: team: an account has one team only", "  hint: remove it, or `teams: Many`"],
    );
    check(
        &[("pool: account, limit: highestTier", "pool: subscription, limit: subscription")],
        &[
            "p.yaml:19:9: seats.pool: does not go with the subscriptions of teams",
            "  hint: `seats.pool: subscription` goes with `team.subscription: exactlyOne`",
        ],
    );
    check(
        &[("lastPaid: atOnce, then: nothing", "lastPaid: atPeriodEnd, then: deactivateTeams")],
        &[
            "p.yaml:20:39: cancellation.then: teams have no subscription of their own",
            "  hint: use another word, or `team.subscription: exactlyOne`",
        ],
    );
}

#[test]
fn every_category_and_notice_has_someone() {
    check(
        &[("about: usage", "about: usage, openTo: []")],
        &[
            "p.yaml:22:48: categories.news.openTo: nobody can receive this category",
            "  hint: list roles, or leave `openTo` out",
        ],
    );
    check(
        &[("about: usage", "about: usage, openTo: [owner]")],
        &[
            "p.yaml:22:48: categories.news.openTo: `guest` always receives it but is not listed",
            "  hint: add the role, or take `receives` away from it",
        ],
    );
    check(
        &[
            ("about: usage", "about: billing"),
            (
                "notes: none",
                "notes: none\nmeters: {data: {title: Data, unit: bytes, whenFull: refuse, warnAt: [80]}}",
            ),
        ],
        &[
            "p.yaml:24:61: meters.data.warnAt: no category is about usage, so nobody is warned",
            "  hint: add a category with `about: usage`, or remove `warnAt`",
        ],
    );
    check(
        &[("notes: none", "notes: none\nnotify: {removed: []}")],
        &[
            "p.yaml:24:10: notify.removed: nobody is told",
            "  hint: list `person` or roles, or remove the line",
        ],
    );
    check(
        &[("guest: {permissions", "person: {permissions")],
        &[
            "p.yaml:11:3: roles.person: a role cannot be called `person`",
            "  hint: `notify` means someone else by that word: choose another",
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

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    check(
        &[
            ("formatVersion: 1\n", "formatVersion: 2\nfoo: 1\n"),
            ("receives: [news]", "receives: [new]"),
            ("team: {seats: 10}", "team: {seats: 010}"),
            ("notes: none", "notes: nobody"),
        ],
        &[
            "p.yaml:1:1: formatVersion: this program reads format 1 only",
            "  hint: write `formatVersion: 1`, or use the version of the program that it is for",
            "p.yaml:2:1: foo: unknown key `foo`",
            "  hint: known here: formatVersion, profile, title, teams, team, permissions, roles, \
             manage, plans, seats, cancellation, invitations, secureSignIn, autoJoin, \
             clientAccess, categories, notify, notes, meters",
            "p.yaml:12:50: roles.guest.receives[0]: there is no category `new`",
            "  hint: did you mean `news`?",
            "p.yaml:19:10: plans.team.seats: must be a whole number or `unlimited`",
            "  hint: write how many people the plan allows",
            "p.yaml:19:17: plans.team.seats: `010` begins with 0: some readers take it as octal",
            "  hint: put it in quotes if it is text, or leave the 0 out",
            "p.yaml:24:1: notes: unknown word `nobody`",
            "  hint: known here: authorOnly, none",
        ],
    );
}

#[test]
fn a_role_called_no_works() {
    let text = RIGHT.replace("guest:", "no:").replace("title: News", "title: News, openTo: [no]");
    let profile = read("p.yaml", &text).unwrap();
    let no = &profile.roles[2];
    assert_eq!(no.name.as_str(), "no");
    assert!(profile.permits(&no.name, "product.use") && no.receives.contains("news"));
    assert!(profile.categories[0].open_to.contains(&no.name));
}

#[test]
fn roles_and_plans_keep_the_order_of_the_file() {
    let profile = read("p.yaml", RIGHT).unwrap();
    let roles: Vec<&str> = profile.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(roles, ["owner", "developer", "guest"]);
    let swapped = RIGHT.replace("  developer: {p", "  zed: {p").replace("developer:", "zed:");
    let profile = read("p.yaml", &swapped).unwrap();
    assert_eq!(profile.rank(&"zed".into()), Some(1));
    assert_eq!(profile.rank(&"guest".into()), Some(2));
}

#[test]
fn what_is_no_profile_at_all_is_told_too() {
    let told = |text: &str| match read("p.yaml", text) {
        Ok(profile) => format!("{profile:?}"),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    };
    assert_eq!(told(""), "p.yaml: the file is empty\n  hint: write a profile\n");
    assert_eq!(told("# nothing\n---\n"), told(""));
    assert!(told("[1, 2]").starts_with("p.yaml:1:1: must be a mapping\n"), "{}", told("[1, 2]"));
    assert!(told("a: [1").starts_with("p.yaml:1:4: a: not valid YAML: "), "{}", told("a: [1"));
}

#[test]
fn no_file_makes_the_reader_stumble() {
    let lines: Vec<&str> = RIGHT.lines().collect();
    for left_out in 0..lines.len() {
        let text: Vec<&str> = [&lines[..left_out], &lines[left_out + 1..]].concat();
        let _ = read("p.yaml", &text.join("\n"));
    }
    for end in (0..RIGHT.len()).step_by(7) {
        assert!(read("p.yaml", &RIGHT[..end]).is_err());
    }
    for value in ["x", "1", "true", "[]", "{}", "null", "[[]]", "{a: {b: c}}"] {
        for key in super::KEYS {
            let text: String = RIGHT
                .lines()
                .filter(|line| !line.starts_with(&format!("{key}:")))
                .map(|line| format!("{line}\n"))
                .collect();
            let _ = read("p.yaml", &format!("{text}{key}: {value}\n"));
        }
    }
}
