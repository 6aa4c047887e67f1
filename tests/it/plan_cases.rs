//! The planner's specification in cases: `tests/plan/<case>/{desired,observed,policy}.yaml`, where
//! needed `ledger.yaml`, and `expected.txt`: the plan as text, with the rules that decide it on top
//! (lines that begin with `#`, written by hand and left out of the comparison).
//!
//! On a difference the actual text is written next to the build output, never over the expected one.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::path::PathBuf;

use seatkeeper::plan::{Learn, Stop};

use super::planner::read::{Case, folders};
use super::planner::text;

/// The folder of all cases.
fn cases() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plan")
}

/// Plans one case; says what differs from what is written, if anything does.
fn difference(name: &str) -> Option<String> {
    let folder = cases().join(name);
    let actual = text::of(&Case::read(&folder).plan());
    let written = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
    let (rules, expected): (Vec<&str>, Vec<&str>) =
        written.lines().partition(|line| line.starts_with('#'));
    let reasoned = rules.iter().any(|line| line.contains(": "));
    if reasoned && actual.lines().eq(expected.iter().copied()) {
        return None;
    }
    let side = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plan");
    fs::create_dir_all(&side).unwrap();
    let side = side.join(format!("{name}.txt"));
    fs::write(&side, &actual).unwrap();
    let reason = if reasoned { "" } else { " (it must begin with the rules that decide it)" };
    let (expected, side) = (expected.join("\n"), side.display());
    Some(format!("{name}{reason}\n--- expected\n{expected}\n--- actual, in {side}\n{actual}"))
}

/// Asserts that cases plan as written.
fn check(names: &[&str]) {
    let wrong: Vec<String> = names.iter().filter_map(|name| difference(name)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_plans_as_written() {
    let names = folders(&cases());
    assert!(!names.is_empty(), "no cases in {}", cases().display());
    check(&names.iter().map(String::as_str).collect::<Vec<_>>());
}

// rule: NP-07
#[test]
fn a_role_changes_in_place_and_seat_and_join_date_stay() {
    check(&["role-raised", "roles-lowered-over-the-brake", "pending-role-changes-in-place"]);
    let case = Case::read(&cases().join("role-raised"));
    let (before, after) = (case.observed(), case.after());
    let person =
        before.members.keys().find(|person| person.person.as_str() == "ana@example.com").unwrap();
    let (before, after) = (&before.members[person], &after.members[person]);
    assert_ne!(before.role, after.role);
    assert_eq!((&before.id, before.state), (&after.id, after.state));
    assert_eq!((before.added_at, before.joined_at), (after.added_at, after.joined_at));
}

// rule: NP-14
// rule: X16
#[test]
fn who_was_added_last_is_trimmed_whatever_the_role() {
    check(&[
        "trim-pending-newest-first-then-latest-added",
        "growth-cancelled-business-remains",
        "never-trim-spares-from-trims",
    ]);
}

// rule: X7
#[test]
fn pending_invitations_take_seats_and_are_withdrawn_first() {
    check(&[
        "first-three-invitations",
        "queue-positions-exact-to-ten-then-by-tens",
        "trim-pending-newest-first-then-latest-added",
    ]);
}

// rule: OP-04
// rule: X18
#[test]
fn the_trimmed_come_back_in_order_before_anyone_new() {
    check(&[
        "reinstate-in-order-before-anyone-new",
        "upgrade-brings-all-back-and-invites-the-fourth",
        "reinstated-keep-the-place-of-who-is-not-ours",
    ]);
}

// rule: OP-04
#[test]
fn a_product_that_does_not_trim_leaves_existing_members_alone() {
    check(&["portal-leaves-existing-members-alone"]);
}

// rule: X18
#[test]
fn hold_announces_whom_the_service_will_trim() {
    check(&["hold-announces-who-will-be-hit", "trims-over-the-brake"]);
}

// rule: OP-03
#[test]
fn who_finds_no_seat_waits_in_order() {
    check(&[
        "queue-positions-exact-to-ten-then-by-tens",
        "oldest-declaration-first",
        "higher-priority-first-then-oldest-declaration",
        "removed-while-trimmed-frees-no-seat",
        "mail-budget-holds-the-rest",
    ]);
}

// rule: OP-05
#[test]
fn the_last_owner_stays_an_owner() {
    check(&[
        "last-owner-stays",
        "last-owner-of-several-stays",
        "no-more-owners-than-the-product-allows",
        "last-owner-is-not-demoted",
        "not-ours-is-removed-in-exclusive",
    ]);
}

// rule: OP-06
#[test]
fn only_exclusive_touches_who_is_not_ours() {
    check(&[
        "not-ours-is-untouched-in-manage",
        "who-was-let-go-is-not-touched",
        "not-ours-is-removed-in-exclusive",
        "retained-stay-in-exclusive",
        "frozen-stay-as-they-are",
        "protected-role-is-not-touched",
        "what-is-not-understood-is-not-touched",
    ]);
}

// rule: OP-07
#[test]
fn over_the_brake_no_removal_runs_until_a_person_acts() {
    check(&[
        "brake-holds-all-removals-while-the-rest-runs",
        "two-trims-and-one-removal-used-up-the-window",
        "held-stays-held-when-the-window-slides",
        "raised-limit-releases",
        "approved-set-runs",
        "changed-set-needs-a-new-approval",
        "approval-lapses-after-an-hour",
        "exclusive-through-the-brake",
        "trims-over-the-brake",
    ]);
}

// rule: OP-07
#[test]
fn a_source_that_lost_most_of_its_people_ends_nobodys_access_until_a_person_acts() {
    let names = folders(&cases());
    let names: Vec<_> = names.iter().filter(|name| name.starts_with("empty-source-")).collect();
    assert!(names.len() >= 8, "cases of a source that is all but empty: {names:?}");
    check(&names.iter().map(|name| name.as_str()).collect::<Vec<_>>());
    check(&["half-of-the-source-is-not-most-of-it"]);
    let held = Case::read(&cases().join("empty-source-is-held-whatever-the-window-allows"));
    let digest = held.plan().hold.unwrap().digest;
    assert_eq!(held.approve(digest).plan().actions.len(), 7, "six removals and an invitation");
}

// rule: OP-02
#[test]
fn without_the_ledger_that_goes_with_the_claim_everything_waits_for_a_person() {
    let lost = [
        "ledger-lost-while-our-claim-is-there",
        "ledger-lost-with-another-approval",
        "ledger-lost-holds-what-exclusive-would-remove",
    ];
    check(&lost);
    check(&["ledger-lost-is-approved", "claim-that-is-being-taken-over"]);
    for name in lost {
        let plan = Case::read(&cases().join(name)).plan();
        assert_eq!((plan.actions.len(), plan.stop), (0, Some(Stop::LedgerLost)), "{name}");
        assert_eq!(plan.learn, Learn::default(), "{name} writes something");
    }
}

// rule: OP-07
#[test]
fn a_removal_settles_so_that_a_mass_deletion_is_seen_as_one() {
    check(&[
        "settling-waits-and-says-until-when",
        "settling-sees-a-mass-deletion-as-one",
        "approved-while-settling",
        "who-settles-makes-room",
    ]);
}

// rule: OP-07
#[test]
fn a_read_that_cannot_be_believed_removes_nobody() {
    let names = folders(&cases());
    let names: Vec<_> = names.iter().filter(|name| name.starts_with("untrusted-")).collect();
    assert!(names.len() >= 10, "cases of reads that are not believed: {names:?}");
    for name in names {
        let plan = Case::read(&cases().join(name)).plan();
        assert!(matches!(plan.stop, Some(Stop::ReadUntrusted(_))), "{name} was believed");
        assert!(plan.actions.is_empty() && plan.held.is_empty(), "{name} plans something");
        assert!(plan.learn.records.is_empty(), "{name} concludes something of people");
    }
}

// rule: OP-07
#[test]
fn a_smaller_read_is_believed_once_the_feed_shows_how_each_of_them_went() {
    let believed = [
        "shrunk-and-the-feed-shows-how",
        "shrunk-and-the-look-has-what-the-feed-made",
        "shrunk-of-people-that-only-the-ledger-knows-and-the-feed",
        "shrunk-of-strangers-that-the-feed-ended",
        "missing-people-that-we-removed-before-a-crash",
    ];
    let doubted = [
        "shrunk-and-the-feed-shows-some",
        "shrunk-and-the-feed-has-more-than-the-look",
        "shrunk-of-people-that-only-the-ledger-knows",
        "shrunk-of-more-strangers-than-the-feed-ended",
    ];
    check(&believed);
    check(&doubted);
    for name in believed {
        assert_eq!(Case::read(&cases().join(name)).plan().stop, None, "{name}");
    }
    for name in doubted {
        nothing_is_concluded(name);
    }
}

// rule: OP-07
#[test]
fn a_person_says_once_that_just_these_people_are_gone() {
    check(&[
        "shrunk-and-approved",
        "shrunk-and-approved-lets-no-removal-run",
        "older-and-approved",
    ]);
    for name in [
        "shrunk-and-another-set-approved",
        "shrunk-and-approved-too-long-ago",
        "shrunk-and-approved-in-mode-observe",
    ] {
        check(&[name]);
        nothing_is_concluded(name);
    }
    let case = Case::read(&cases().join("shrunk-and-approved"));
    let used = case.with_hold_number(1).plan();
    assert!(matches!(used.stop, Some(Stop::ReadUntrusted(_))), "an approval is used once");
}

// rule: OP-07
#[test]
fn a_read_that_began_before_our_last_write_is_not_believed() {
    check(&["as-old-as-our-last-write"]);
    for name in ["older-than-our-last-write", "older-than-the-last-trusted-look"] {
        check(&[name]);
        nothing_is_concluded(name);
    }
}

/// Asserts that a read is not believed, and that nothing follows from it.
fn nothing_is_concluded(name: &str) {
    let plan = Case::read(&cases().join(name)).plan();
    assert!(matches!(plan.stop, Some(Stop::ReadUntrusted(_))), "{name} was believed");
    assert!(plan.actions.is_empty() && plan.held.is_empty(), "{name} plans something");
    assert!(plan.learn.records.is_empty(), "{name} concludes something of people");
}

// rule: OP-08
#[test]
fn a_deleted_declaration_revokes_or_retains() {
    check(&[
        "declaration-deleted",
        "declaration-deleted-with-retain",
        "retained-stay-in-exclusive",
    ]);
}

// rule: OP-05
// rule: OP-06
// rule: OP-07
#[test]
fn who_is_declared_absent_goes_within_the_guards_and_ahead_of_a_held_set() {
    check(&[
        "absent-is-removed-whoever-put-them-there",
        "absent-goes-ahead-of-a-held-set",
        "absent-beyond-max-count-is-held-with-the-rest",
        "absent-keeps-the-last-owner-and-protected-roles",
        "absent-leaves-one-owner",
        "absent-needs-mode-manage",
    ]);
}

// rule: OP-08
#[test]
fn a_declaration_ends_at_its_date() {
    check(&["an-end-date-ends-access-in-time"]);
}

// rule: OP-01
#[test]
fn equal_sides_plan_nothing_and_learn_nothing() {
    check(&["nothing-to-do"]);
}

// rule: OP-02
#[test]
fn what_was_refused_or_may_be_under_way_is_not_sent_again() {
    check(&[
        "declined-is-remembered",
        "left-or-removed-by-a-person-is-remembered",
        "vanished-invitation-is-lost",
        "expired-then-gone-is-not-sent-again",
        "unknown-outcome-repeats-its-key",
        "unknown-outcome-of-a-second-invitation",
        "unknown-outcome-is-in-doubt-once-the-key-may-be-forgotten",
        "unknown-outcome-of-a-resend",
    ]);
}

// rule: OP-02
// rule: X16
#[test]
fn an_invitation_that_nobody_takes_is_renewed_within_its_budget_and_its_date_stays() {
    check(&[
        "expired-is-renewed-when-due",
        "expired-and-failed-wait",
        "renewals-are-spent",
        "renewal-finds-no-seat",
        "expired-with-another-role-is-not-sent-again",
        "lost-is-invited-again-where-the-account-says-so",
    ]);
    let case = Case::read(&cases().join("expired-is-renewed-when-due"));
    let (before, after) = (case.observed(), case.after());
    let person =
        before.invitations.keys().find(|person| person.person.as_str() == "ana@example.com");
    let person = person.unwrap();
    let (before, after) = (&before.invitations[person], &after.invitations[person]);
    assert_eq!((&before.id, before.created_at), (&after.id, after.created_at));
    assert_eq!((before.sent, after.sent), (1, 2));
}

// rule: OP-02
#[test]
fn a_persons_word_sends_once_more_and_does_not_undo_a_no() {
    check(&[
        "a-word-sends-again-what-waits-for-a-person",
        "a-word-is-heeded-once",
        "a-word-does-not-undo-a-no",
        "a-fourth-word-in-90-days-keeps-the-caps",
        "one-automatic-mail-a-day-and-three-in-90-days",
    ]);
}

// rule: OP-07
#[test]
fn the_digest_that_a_lapse_shows_is_the_one_to_approve() {
    let lapsed = Case::read(&cases().join("approval-lapses-after-an-hour"));
    let (before, shown) = (lapsed.approval().unwrap(), lapsed.plan().hold.unwrap().digest);
    assert_ne!(before, shown);
    let next = lapsed.with_hold_number(1);
    assert_eq!(next.plan().hold.unwrap().digest, shown);
    assert_eq!(next.approve(shown).plan().actions.len(), 4);
}

// rule: PO-11
#[test]
fn a_declared_domain_is_put_in_asked_about_and_goes_with_its_declaration() {
    check(&[
        "a-domain-is-put-in-and-asked-about",
        "a-domain-is-asked-about-again-after-longer-and-longer-gaps",
        "a-domain-that-we-put-in-goes-with-its-declaration",
        "domains-follow-the-mode",
        "domains-in-mode-observe",
    ]);
}

// rule: OP-06
// rule: OP-07
#[test]
fn people_of_a_declared_domain_stay_and_nobody_goes_while_it_is_in_question() {
    check(&[
        "exclusive-spares-people-of-a-verified-domain",
        "exclusive-waits-while-a-domain-is-not-verified",
        "exclusive-waits-while-the-domains-cannot-be-read",
        "exclusive-without-the-domain-goes-through-the-brake",
    ]);
}

// rule: X6
// rule: OP-03
#[test]
fn who_is_declared_and_asks_to_join_is_let_in_by_one_way_only() {
    check(&[
        "a-join-request-of-somebody-declared-is-approved",
        "a-join-request-takes-a-seat-that-is-freed-before",
        "a-join-request-and-another-role",
        "a-join-request-and-another-role-in-mode-invite",
        "a-join-request-beside-invitations",
    ]);
}

// rule: CT-04
#[test]
fn suggestions_are_counted_and_settled_by_an_invitation() {
    check(&["suggestions-are-counted-and-settled-by-an-invitation"]);
}

// rule: OP-02
// rule: OP-07
#[test]
fn a_clock_that_was_set_frees_no_budget_and_nothing_waits_for_a_year() {
    check(&[
        "approval-a-little-in-the-future",
        "approval-of-the-future-lapses",
        "brake-spent-in-the-future-counts",
        "clocks-differ",
        "clocks-that-differ-a-little",
        "mails-of-the-future-keep-the-caps",
        "untrusted-shrunk-in-the-future",
        "a-domain-tried-in-the-future-is-looked-for-now",
    ]);
}
