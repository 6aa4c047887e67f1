//! Who is declared as a recipient of which category of mail.

use insta::assert_snapshot;

use super::{ACCOUNT, With, check, membership, object, read, resolved, team};

/// An object that declares recipients, with the given rest of its spec.
fn mail(name: &str, category: &str, spec: &str) -> String {
    let spec = format!("teamRef: {{name: core}}, category: {category}, {spec}");
    object("NotificationSubscription", name, &spec)
}

/// The usual account with a team of one.
fn with_team(objects: &[String]) -> String {
    let core = team("core", "roster: [{email: ana@example.com, role: developer}]");
    format!("{ACCOUNT}{core}{}", objects.concat())
}

// rule: NP-10
#[test]
fn recipients_are_declared_by_address_or_by_membership_and_objects_of_a_category_add_up() {
    let text = with_team(&[
        membership("cyd-core", "email: Cyd@Example.com, role: biller"),
        mail(
            "billing-mail",
            "billing",
            "recipients: [{email: ANA@example.com}, {membershipRef: {name: cyd-core}}]",
        ),
        mail("more-billing", "billing", "recipients: [{email: ana@example.com}]"),
        mail("usage-mail", "usage", "policy: Exact"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@example.com: developer by core line 0
    cyd@example.com: biller by cyd-core
    billing: ana@example.com by billing-mail and more-billing
    billing: cyd@example.com by billing-mail
    usage: exact by usage-mail
    ");
}

#[test]
fn what_is_wrong_with_an_object_is_said_at_its_place_and_nobody_loses_its_category() {
    let text = with_team(&[
        mail("a-typo", "biling", "recipients: [{email: ana@example.com}]"),
        mail("news", "news", ""),
        mail(
            "refs",
            "usage",
            "recipients: [{email: ana}, {membershipRef: {name: cyd-cor}}, {email: bo@example.com}]",
        ),
        membership("cyd-core", "email: cyd@example.com, role: biller"),
        mail("good", "usage", "recipients: [{email: dee@example.com}]"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@example.com: developer by core line 0
    cyd@example.com: biller by cyd-core
    usage: dee@example.com by good
    biling: nobody loses it
    news: nobody loses it
    usage: nobody loses it
    NotificationSubscription web/a-typo: UnknownCategory
    NotificationSubscription web/news: UnknownCategory
    NotificationSubscription web/refs: InvalidAddress
    m.yaml:24:31: spec.category: `biling` is not a category of profile `nitropack`
      hint: did you mean `billing`?
    m.yaml:29:31: spec.category: `news` is not a category of profile `nitropack`
      hint: its categories are `billing`, `usage`, `website-status`
    m.yaml:34:62: spec.recipients[0].email: `ana` is not an e-mail address
      hint: write it as `name@example.com`
    m.yaml:34:92: spec.recipients[1].membershipRef.name: there is no Membership of this Account `cyd-cor` in namespace `web`
      hint: did you mean `cyd-core`?
    ");
}

#[test]
fn one_of_address_and_membership_is_given() {
    let text =
        mail("both", "usage", "recipients: [{}, {email: a@b.example, membershipRef: {name: c}}]");
    assert_snapshot!(read(&text), @"
    m.yaml:4:61: spec.recipients[0]: give exactly one of email and membershipRef
      hint: One recipient: a member by address, or the person of a Membership.
    m.yaml:4:65: spec.recipients[1]: give exactly one of email and membershipRef
      hint: One recipient: a member by address, or the person of a Membership.
    ");
}

// rule: X17
#[test]
fn of_two_exact_objects_the_older_counts_and_a_broken_one_is_not_taken_over() {
    let exact = |name, who: &str| {
        mail(name, "usage", &format!("policy: Exact, recipients: [{{email: {who}}}]"))
    };
    let text = with_team(&[
        exact("b-first", "bo@example.com"),
        exact("a-second", "ana@example.com"),
        mail("c-third", "usage", "recipients: [{email: cyd@example.com}]"),
    ]);
    let seen = With { oldest_first: &["b-first"], ..With::default() };
    assert_snapshot!(resolved(&text, &seen).1, @"
    ana@example.com: developer by core line 0
    usage: bo@example.com by b-first
    usage: cyd@example.com by c-third
    usage: exact by b-first
    NotificationSubscription web/a-second: Conflict
    m.yaml:29:48: spec.policy: NotificationSubscription web/b-first declares exactly who receives `usage` already
      hint: keep one of the two, or make this one `Additive`; the older counts
    ");

    let broken = text.replace("bo@example.com", "nobody");
    assert_snapshot!(resolved(&broken, &seen).1, @"
    ana@example.com: developer by core line 0
    usage: cyd@example.com by c-third
    usage: nobody loses it
    NotificationSubscription web/a-second: Conflict
    NotificationSubscription web/b-first: InvalidAddress
    m.yaml:24:77: spec.recipients[0].email: `nobody` is not an e-mail address
      hint: write it as `name@example.com`
    m.yaml:29:48: spec.policy: NotificationSubscription web/b-first declares exactly who receives `usage` already
      hint: keep one of the two, or make this one `Additive`; the older counts
    ");

    let deleted = With { deleted: &["b-first"], ..With::default() };
    assert_snapshot!(resolved(&text, &deleted).1, @"
    ana@example.com: developer by core line 0
    usage: ana@example.com by a-second
    usage: cyd@example.com by c-third
    usage: exact by a-second
    ");
}

#[test]
fn an_object_without_its_team_keeps_its_category_for_everybody() {
    let stray = mail("billing-mail", "billing", "").replace("name: core", "name: cre");
    assert_snapshot!(check(&with_team(&[stray])), @"
    ana@example.com: developer by core line 0
    billing: nobody loses it
    NotificationSubscription web/billing-mail: NotFound
    m.yaml:24:18: spec.teamRef.name: there is no Team `cre` in namespace `web`
      hint: did you mean `core`?
    ");

    let text =
        with_team(&[mail("billing-mail", "billing", "recipients: [{email: ana@example.com}]")]);
    let deleted = With { deleted: &["core"], ..With::default() };
    assert_snapshot!(resolved(&text, &deleted).1, @"
    ana@example.com: leaving core line 0, Revoke
    billing: nobody loses it
    NotificationSubscription web/billing-mail: ParentNotAccepted
    ");
}

#[test]
fn a_profile_without_categories_takes_no_recipients() {
    let text = with_team(&[mail("billing-mail", "billing", "")])
        .replace("profile: nitropack", "profile: portal")
        .replace("role: developer", "role: member");
    assert_snapshot!(check(&text), @"
    ana@example.com: member by core line 0
    billing: nobody loses it
    NotificationSubscription web/billing-mail: ProfileCannot
    m.yaml:24:31: spec.category: profile `portal` has no categories of mail
      hint: take the NotificationSubscription out, or use an Account of a class that has
    ");
}
