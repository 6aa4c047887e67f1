//! Mistakes in plans, seats, teams, categories and meters.

use super::{RIGHT, check};
use crate::profile::read::read;

#[test]
fn plans_include_what_is_declared() {
    let declared = ("notes: none", "notes: none\nfeatures: {fast: {title: Fast}}");
    check(&[declared, ("team: {seats: 10}", "team: {seats: 10, features: all}")], &[]);
    check(
        &[declared, ("team: {seats: 10}", "team: {seats: 10, features: [fats]}")],
        &[
            "p.yaml:18:32: plans.team.features[0]: there is no feature `fats`",
            "  hint: did you mean `fast`?",
        ],
    );
    check(
        &[declared],
        &[
            "p.yaml:24:12: features.fast: no plan includes it",
            "  hint: add it to the `features` of a plan, or remove it",
        ],
    );
    check(
        &[("notes: none", "notes: none\nproducts: {basic: {name: Basic}}")],
        &[
            "p.yaml:24:12: products.basic.title: is missing",
            "  hint: add `title:`",
            "p.yaml:24:20: products.basic.name: unknown key `name`",
            "  hint: known here: title",
        ],
    );
    check(
        &[("notes: none", "notes: none\nproducts: {basic: {title: Basic}}")],
        &[
            "p.yaml:24:12: products.basic: no plan includes it",
            "  hint: add it to the `products` of a plan, or remove it",
        ],
    );
}

#[test]
fn meters_warn_at_80_and_100_percent_unless_the_file_says_otherwise() {
    let meter = |warn: &str| {
        let meter = format!("data: {{title: Data, unit: bytes, whenFull: refuse{warn}}}");
        let text = format!("{RIGHT}meters: {{{meter}}}\n");
        read("p.yaml", &text).unwrap().meters[0].warn_at_percent.clone()
    };
    assert_eq!(meter(""), [80, 100].into());
    assert_eq!(meter(", warnAt: [50]"), [50].into());
    assert_eq!(meter(", warnAt: []"), [].into());
    let unsaid = "notes: none\nmeters: {data: {title: Data, unit: bytes, whenFull: refuse}}";
    check(&[("about: usage", "about: billing"), ("notes: none", unsaid)], &[]);
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
