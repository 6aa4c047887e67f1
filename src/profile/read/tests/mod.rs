//! One case for each kind of mistake in a profile.

mod permissions;
mod plans;
mod roles;

use super::read;

/// A small profile that is right.
const RIGHT: &str = "\
formatVersion: 1
profile: acme
title: Acme
teams: One
permissions:
  product.use: {menu: Home, kind: write}
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
        &[("{menu: Home,", "{menue: Home,")],
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
             manage, plans, features, products, seats, cancellation, invitations, secureSignIn, autoJoin, \
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
        for key in super::keys::PROFILE {
            let text: String = RIGHT
                .lines()
                .filter(|line| !line.starts_with(&format!("{key}:")))
                .map(|line| format!("{line}\n"))
                .collect();
            let _ = read("p.yaml", &format!("{text}{key}: {value}\n"));
        }
    }
}
