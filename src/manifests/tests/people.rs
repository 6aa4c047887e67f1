//! Who is declared, and what becomes of declarations that are not valid.

use insta::assert_snapshot;

use jiff::Timestamp;

use super::{ACCOUNT, With, check, membership, object, resolved, team};
use crate::domain::keys::ResendMark;
use crate::manifests::documents::Collector;
use crate::manifests::resolve::resolve;
use crate::profile::built_in;

/// A case with the usual account.
fn with_account(objects: &[String]) -> String {
    format!("{ACCOUNT}{}", objects.concat())
}

// rule: NP-02
#[test]
fn roster_and_memberships_declare_people() {
    let text = with_account(&[
        team(
            "core",
            "defaultRole: developer, roster: [{email: Ana@Example.com, role: admin}, {email: bo@example.com, inviteEpoch: 2}]",
        ),
        membership("cyd", "email: cyd@example.com, role: biller, deletionPolicy: Retain"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@example.com: admin by core line 0
    bo@example.com: developer by core line 1, epoch 2
    cyd@example.com: biller by cyd, retain
    ");
}

#[test]
fn a_bad_line_is_reported_and_the_good_ones_go_on() {
    let text = with_account(&[team(
        "core",
        "roster: [{email: ana, role: admin}, {email: bo@example.com, role: develper}, \
         {email: cyd@example.com}, {email: dee@example.com, role: biller}]",
    )]);
    assert_snapshot!(check(&text), @"
    dee@example.com: biller by core line 3
    bo@example.com: frozen
    cyd@example.com: frozen
    Team web/core line 0 ana: InvalidAddress
    Team web/core line 1 bo@example.com: UnknownRole
    Team web/core line 2 cyd@example.com: UnknownRole
    m.yaml:19:44: spec.roster[0].email: `ana` is not an e-mail address
      hint: write it as `name@example.com`
    m.yaml:19:94: spec.roster[1].role: `develper` is not a role of profile `nitropack`
      hint: did you mean `developer`?
    m.yaml:19:111: spec.roster[2]: gives no role
      hint: give the line a `role`, or the Team a `defaultRole`
    ");
}

#[test]
fn everyone_of_a_team_that_is_not_valid_is_left_as_they_are() {
    let text = with_account(&[team(
        "core",
        "defaultRole: boss, roster: [{email: ana@example.com, role: admin}, {email: bo@example.com}]",
    )]);
    assert_snapshot!(check(&text), @"
    ana@example.com: frozen
    bo@example.com: frozen
    Team web/core: UnknownRole
    m.yaml:19:34: spec.defaultRole: `boss` is not a role of profile `nitropack`
      hint: its roles are `owner`, `admin`, `developer`, `biller`
    ");
}

#[test]
fn roles_that_may_not_be_given_are_refused() {
    let text = with_account(&[
        team("core", "roster: []"),
        membership("ana", "email: ana@example.com, role: owner"),
        membership("bo", "email: bo@example.com, role: admin"),
        membership("cyd", "email: cyd@, role: nurse"),
    ])
    .replace("  grantableRoles: [admin]\n", "");
    assert_snapshot!(check(&text), @"
    ana@example.com: frozen
    bo@example.com: frozen
    Membership web/ana: RoleNotInvitable
    Membership web/bo: RoleNotGrantable
    Membership web/cyd: InvalidAddress
    m.yaml:23:55: spec.role: role `owner` cannot be given by an invitation
      hint: roles that can: `admin`, `developer`, `biller`
    m.yaml:28:54: spec.role: role `admin` is protected
      hint: add `admin` to spec.grantableRoles of the Account
    m.yaml:33:31: spec.email: `cyd@` has a domain that is not a valid domain name
      hint: write it as `name@example.com`
    m.yaml:33:44: spec.role: `nurse` is not a role of profile `nitropack`
      hint: its roles are `owner`, `admin`, `developer`, `biller`
    ");
}

// rule: PO-04
#[test]
fn of_two_declared_owners_where_there_is_one_the_older_counts_and_the_other_stays_as_they_are() {
    let text = with_account(&[
        team("core", "roster: []"),
        membership("a-younger", "email: ana@example.com, role: owner"),
        membership("b-older", "email: bo@example.com, role: owner"),
    ])
    .replace("profile: nitropack", "profile: portal")
    .replace("grantableRoles: [admin]", "grantableRoles: [owner]");
    let with = With { oldest_first: &["b-older", "core", "a-younger"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    bo@example.com: owner by b-older
    ana@example.com: frozen
    Membership web/a-younger: Conflict
    m.yaml:24:55: spec.role: somebody else is declared `owner` already by Membership web/b-older
      hint: the account has one `owner` at a time: keep one of the two; the older counts
    ");
    let without_leave = text.replace("grantableRoles: [owner]", "grantableRoles: [admin]");
    let said = resolved(&without_leave, &with).1;
    assert!(said.contains("Membership web/b-older: RoleNotGrantable"), "{said}");
}

#[test]
fn the_older_of_two_declarations_counts() {
    let text = with_account(&[
        team(
            "core",
            "roster: [{email: ana@example.com, role: biller}, {email: bo@example.com, role: biller}]",
        ),
        membership("a-younger", "email: ANA@example.com, role: developer"),
        membership("b-older", "email: bo@example.com, role: developer"),
    ]);
    let with = With { oldest_first: &["b-older", "core", "a-younger"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    ana@example.com: biller by core line 0
    bo@example.com: developer by b-older
    Membership web/a-younger: Conflict
    Team web/core line 1 bo@example.com: Conflict
    m.yaml:19:84: spec.roster[1].email: `bo@example.com` is declared already by Membership web/b-older
      hint: keep one of the two; the older counts
    m.yaml:24:31: spec.email: `ana@example.com` is declared already by Team web/core (spec.roster[0])
      hint: keep one of the two; the older counts
    ");
}

#[test]
fn a_declaration_that_was_seen_beats_one_that_is_new_whatever_their_names() {
    let text = with_account(&[
        team("core", "roster: []"),
        membership("a-new", "email: ana@example.com, role: developer"),
        membership("z-known", "email: ana@example.com, role: biller"),
    ]);
    let with = With { oldest_first: &["z-known"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    ana@example.com: biller by z-known
    Membership web/a-new: Conflict
    m.yaml:24:31: spec.email: `ana@example.com` is declared already by Membership web/z-known
      hint: keep one of the two; the older counts
    ");
}

// rule: OP-09
#[test]
fn spellings_of_one_address_are_one_person() {
    let text = with_account(&[
        team("core", "roster: [{email: ana@mail.bücher.example, role: biller}]"),
        membership("ana", "email: ANA@mail.xn--bcher-kva.example, role: developer"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@mail.xn--bcher-kva.example: developer by ana
    Team web/core line 0 ana@mail.bücher.example: Conflict
    m.yaml:19:44: spec.roster[0].email: `ana@mail.xn--bcher-kva.example` is declared already by Membership web/ana
      hint: keep one of the two; the older counts
    ");
}

#[test]
fn ties_of_age_go_by_position_then_by_name() {
    let text = with_account(&[
        team(
            "core",
            "roster: [{email: x@example.com, role: biller}, {email: ana@example.com, role: biller}, {email: ana@example.com, role: developer}]",
        ),
        team("late", "roster: [{email: ana@example.com, role: developer}]"),
        membership("a", "email: cyd@example.com, role: developer"),
        membership("b", "email: cyd@example.com, role: biller"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@example.com: developer by late line 0
    cyd@example.com: developer by a
    x@example.com: biller by core line 0
    Membership web/b: Conflict
    Team web/core line 1 ana@example.com: Conflict
    Team web/core line 2 ana@example.com: Conflict
    m.yaml:19:82: spec.roster[1].email: `ana@example.com` is declared already by Team web/late (spec.roster[0])
      hint: keep one of the two; the older counts
    m.yaml:19:122: spec.roster[2].email: `ana@example.com` is declared already by Team web/late (spec.roster[0])
      hint: keep one of the two; the older counts
    m.yaml:34:31: spec.email: `cyd@example.com` is declared already by Membership web/a
      hint: keep one of the two; the older counts
    ");
}

#[test]
fn a_younger_declaration_does_not_take_over_when_the_older_breaks() {
    let text = with_account(&[
        team("core", "roster: []"),
        membership("older", "email: ana@example.com, role: amdin"),
        membership("younger", "email: ana@example.com, role: biller"),
    ]);
    let with = With { oldest_first: &["older", "younger"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    ana@example.com: frozen
    Membership web/older: UnknownRole
    Membership web/younger: Conflict
    m.yaml:24:55: spec.role: `amdin` is not a role of profile `nitropack`
      hint: did you mean `admin`?
    m.yaml:29:31: spec.email: `ana@example.com` is declared already by Membership web/older
      hint: keep one of the two; the older counts
    ");
}

#[test]
fn the_order_of_the_objects_does_not_matter() {
    let objects = [
        team("core", "roster: [{email: ana@example.com, role: biller}]"),
        team(
            "late",
            "roster: [{email: ana@example.com, role: developer}, {email: bo@, role: biller}]",
        ),
        membership("a", "email: ana@example.com, role: developer"),
        membership("b", "email: bo@example.com, role: nurse"),
    ];
    let mut turned = objects.clone();
    turned.reverse();
    let people = |objects: &[String]| {
        let (resolved, _) = resolved(&with_account(objects), &With::default());
        (resolved.desired, resolved.outcomes)
    };
    assert_eq!(people(&objects), people(&turned));
}

#[test]
fn what_names_nothing_is_reported_and_its_people_are_left_as_they_are() {
    let text = with_account(&[
        object(
            "Team",
            "lost",
            "accountRef: {name: acne}, roster: [{email: ana@example.com, role: admin}]",
        ),
        object("Membership", "bo", "teamRef: {name: lost}, email: bo@example.com, role: biller"),
        object("Membership", "cyd", "teamRef: {name: core}, email: cyd@example.com, role: biller"),
        object("Membership", "dee", "teamRef: {name: core}, email: dee@, role: biller"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@example.com: frozen
    bo@example.com: frozen
    cyd@example.com: frozen
    Membership web/bo: ParentNotAccepted
    Membership web/cyd: NotFound
    Membership web/dee: NotFound
    Team web/lost: NotFound
    m.yaml:19:21: spec.accountRef.name: there is no Account `acne` in namespace `web`
      hint: did you mean `acme`?
    m.yaml:24:18: spec.teamRef.name: Team `lost` belongs to no Account
      hint: correct the Team's accountRef
    m.yaml:29:18: spec.teamRef.name: there is no Team `core` in namespace `web`
      hint: make that Team, or name one of this namespace
    m.yaml:34:18: spec.teamRef.name: there is no Team `core` in namespace `web`
      hint: make that Team, or name one of this namespace
    m.yaml:34:31: spec.email: `dee@` has a domain that is not a valid domain name
      hint: write it as `name@example.com`
    ");
}

// rule: OP-08
#[test]
fn an_object_that_is_being_deleted_declares_nobody_and_keeps_its_policy() {
    let text = with_account(&[
        team("core", "roster: []"),
        team(
            "gone",
            "deletionPolicy: Retain, roster: [{email: ana@example.com, role: nurse}, {email: bo@example.com, role: biller}]",
        ),
        membership("cyd", "email: cyd@example.com, role: biller"),
        membership("bo", "email: bo@example.com, role: developer"),
    ]);
    let with = With { deleted: &["gone", "cyd"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    bo@example.com: developer by bo
    ana@example.com: leaving gone line 0, Retain
    bo@example.com: leaving gone line 1, Retain
    cyd@example.com: leaving cyd, Revoke
    ");
}

#[test]
fn memberships_of_a_team_that_is_being_deleted_are_left_as_they_are() {
    let text = with_account(&[
        team("core", "roster: [{email: ana@example.com, role: biller}]"),
        membership("cyd", "email: cyd@example.com, role: biller"),
    ]);
    let with = With { deleted: &["core"], ..With::default() };
    assert_snapshot!(resolved(&text, &with).1, @"
    cyd@example.com: frozen
    ana@example.com: leaving core line 0, Revoke
    Membership web/cyd: ParentNotAccepted
    ");
}

#[test]
fn nothing_may_be_planned_for_an_account_that_is_not_accepted() {
    let text = with_account(&[team(
        "core",
        "roster: [{email: ana@example.com, role: nurse}, {email: bo@example.com, role: biller}]",
    )])
    .replace("grantableRoles: [admin]", "grantableRoles: [admn]\n  onSeatShortage: Trim");
    let text = text.replace("profile: nitropack", "profile: portal");
    let (resolved, text) = resolved(&text, &With::default());
    assert!(resolved.policy.is_none());
    assert_snapshot!(text, @"
    account: ProfileCannot spec.onSeatShortage: profile `portal` does not trim people over the limit; set `Hold`, or leave the field out
    ana@example.com: frozen
    bo@example.com: frozen
    Team web/core: ParentNotAccepted
    Team web/core line 0 ana@example.com: UnknownRole
    Team web/core line 1 bo@example.com: UnknownRole
    m.yaml:14:20: spec.grantableRoles[0]: `admn` is not a role of profile `portal`
      hint: did you mean `admin`?
    m.yaml:15:3: spec.onSeatShortage: profile `portal` does not trim people over the limit
      hint: set `Hold`, or leave the field out
    m.yaml:20:68: spec.roster[0].role: `nurse` is not a role of profile `portal`
      hint: its roles are `owner`, `admin`, `member`
    m.yaml:20:106: spec.roster[1].role: `biller` is not a role of profile `portal`
      hint: its roles are `owner`, `admin`, `member`
    ");
}

#[test]
fn a_class_or_profile_that_there_is_not_is_refused() {
    let people = team("core", "roster: [{email: ana@example.com, role: biller}]");
    let text = with_account(std::slice::from_ref(&people));
    assert_snapshot!(check(&text.replace("className: nitropack", "className: nitro")), @"
    account: NotFound spec.className: there is no AccountClass `nitro`; make that AccountClass, or name one that there is
    ana@example.com: frozen
    Team web/core: ParentNotAccepted
    m.yaml:10:3: spec.className: there is no AccountClass `nitro`
      hint: make that AccountClass, or name one that there is
    ");
    assert_snapshot!(check(&text.replace("profile: nitropack", "profile: nitropak")), @"
    account: UnknownProfile spec.className: AccountClass `nitropack` names unknown profile `nitropak`; did you mean `nitropack`?
    ana@example.com: frozen
    Team web/core: ParentNotAccepted
    m.yaml:10:3: spec.className: AccountClass `nitropack` names unknown profile `nitropak`
      hint: did you mean `nitropack`?
    ");
}

#[test]
fn one_account_is_kept_by_one_object() {
    let twin = object(
        "Account",
        "aaa",
        "className: nitropack, accountId: acme, mode: Manage, credentialsSecretRef: {name: t, key: t}",
    );
    assert_snapshot!(check(&format!("{ACCOUNT}{twin}")), @"
    account: Conflict spec.accountId: Account web/aaa keeps this account already; delete one of the two; Teams and Memberships can name the other
    m.yaml:11:3: spec.accountId: Account web/aaa keeps this account already
      hint: delete one of the two; Teams and Memberships can name the other
    ");
}

#[test]
fn the_policy_is_what_the_account_and_its_class_say() {
    let text = ACCOUNT.replace(
        "  mode: Manage\n",
        "  mode: Exclusive\n  suspend: true\n  onSeatShortage: Trim\n  resync: 5s\n  \
         removals: {maxCount: 5, window: 1d}\n  \
         invitations: {renew: {every: 1h}, onLost: InviteAgain}\n",
    );
    let text = text
        .replace("{name: acme, ", "{name: acme, annotations: {seatkeeper.dev/approve: ' 0123 '}, ");
    let (resolved, _) = resolved(&text, &With::default());
    assert_snapshot!(format!("{:?} {:#?}", resolved.resync, resolved.policy.unwrap()), @r#"
    5s Policy {
        mode: Exclusive,
        suspend: true,
        removals: RemovalPolicy {
            max_count: 5,
            max_percent: 10,
            max_total: 50,
            window: 86400s,
            settle: 30s,
        },
        on_seat_shortage: Trim,
        invitations: InvitationPolicy {
            expires_in: None,
            renewals: 2,
            every: 3600s,
            on_lost: InviteAgain,
        },
        never_trim: {},
        grantable_roles: {
            RoleName(
                "admin",
            ),
        },
        invitations_per_hour: Some(
            50,
        ),
        approval: Some(
            HoldDigest(
                "0123",
            ),
        ),
        missing: {},
    }
    "#);
}

// rule: OP-02
#[test]
fn the_word_of_the_annotation_asks_for_the_person_or_the_whole_roster() {
    let text = with_account(&[
        team("core", "defaultRole: developer, roster: [{email: ana@example.com}]"),
        team("more", "defaultRole: developer, roster: [{email: bo@example.com}]"),
        membership("cyd", "email: cyd@example.com, role: biller"),
        membership("dan", "email: dan@example.com, role: biller"),
    ]);
    let said = |text: String, name: &str, word: &str| {
        let annotations = format!("annotations: {{seatkeeper.dev/resend: '{word}'}}");
        text.replace(&format!("{{name: {name}, "), &format!("{{name: {name}, {annotations}, "))
    };
    let text = said(text, "core", " monday ");
    let text = said(said(text, "cyd", "once more"), "dan", "  ");
    let (resolved, _) = resolved(&text, &With::default());
    let marks = resolved.desired.people.iter().map(|(person, member)| {
        let words = ["monday", "once more"];
        let word = words.into_iter().find(|word| member.resend == Some(ResendMark::of(word)));
        format!("{person}: {}", word.map_or_else(|| format!("{:?}", member.resend), str::to_owned))
    });
    assert_snapshot!(marks.collect::<Vec<_>>().join("\n"), @"
    ana@example.com: monday
    bo@example.com: None
    cyd@example.com: once more
    dan@example.com: None
    ");
}

// rule: OP-06
#[test]
fn absent_beats_every_other_declaration_and_is_no_problem() {
    let text = with_account(&[
        team("core", "roster: [{email: ana@example.com, role: admin}]"),
        membership("bad", "email: ANA@example.com, role: boss"),
        membership("off", "email: ana@example.com, role: whatever, state: Absent"),
        membership("off-too", "email: ana@example.com, role: admin, state: Absent"),
    ]);
    let (resolved, said) = resolved(&text, &With::default());
    assert!(resolved.desired.people.is_empty() && resolved.desired.frozen.is_empty(), "{said}");
    assert_eq!(resolved.desired.absent.len(), 1);
    assert!(said.contains("Team web/core line 0 ana@example.com: DeclaredAbsent"), "{said}");
    assert_eq!(resolved.problems.len(), 1, "the role that there is not: {said}");
}

// rule: OP-06
#[test]
fn absent_counts_only_in_the_namespace_of_the_account() {
    let text = with_account(&[
        team("core", "roster: [{email: ana@example.com, role: admin}]"),
        membership("off", "email: ana@example.com, role: admin, state: Absent"),
    ]);
    let mut collector = Collector::new();
    collector.file("m.yaml", &text);
    let mut declarations = collector.objects.by_account().accounts.remove(0);
    for membership in &mut declarations.memberships {
        let mut object = (*membership.object).clone();
        object.metadata.namespace = Some("elsewhere".to_owned());
        membership.object = object.into();
    }
    let profile = built_in("nitropack");
    let resolved = resolve(&declarations, profile.as_deref(), &|_, _| None, Timestamp::UNIX_EPOCH);
    assert_eq!((resolved.desired.people.len(), resolved.desired.absent.len()), (1, 0));
    let problems: Vec<String> = resolved.problems.iter().map(ToString::to_string).collect();
    assert!(problems[0].contains("`Absent` counts only in the namespace of the Account"));
}

// rule: OP-08
#[test]
fn a_declaration_that_has_ended_counts_only_where_there_is_no_other() {
    let text = with_account(&[
        team(
            "core",
            "roster: [{email: ana@example.com, role: admin, expiresAt: 1970-01-01T00:00:00Z}, \
             {email: bo@example.com, role: admin, expiresAt: 1970-01-01T00:00:00Z}, \
             {email: cyd@example.com, role: admin, expiresAt: 2999-01-01T00:00:00Z}]",
        ),
        membership("ana", "email: ana@example.com, role: biller"),
    ]);
    assert_snapshot!(check(&text), @"
    ana@example.com: biller by ana
    cyd@example.com: admin by core line 2
    bo@example.com: absent by core line 1, Ended
    ");
}
